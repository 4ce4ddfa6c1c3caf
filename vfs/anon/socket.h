/*
 * Sockets as files: what syscalls/socket.c calls. Only AF_UNIX exists (kernel/net/unix.h does its work).
 *
 * Every function takes any file and answers -ENOTSOCK when it is no socket. Addresses are in sentry memory. All may
 * sleep unless said; interrupted waits give -ERESTARTSYS, or -EINTR where a timeout is set, as socket(7) says.
 */
#ifndef VFS_ANON_SOCKET_H
#define VFS_ANON_SOCKET_H

#include "kernel/files.h"
#include "kernel/net/socket_types.h"
#include "kernel/net/unix.h"
#include "ring0/usercopy.h"
#include "vfs/vfs.h"

/* struct sockaddr_un; one byte more, so that a path can be terminated. */
struct socket_address {
	uint16_t family;
	char path[UNIX_NAME_MAX + 1];
	unsigned len; /* of the whole, as bind(2)'s addrlen; 0: none */
};

int socket_make(int family, int type, int protocol, struct file **file);
int socket_make_pair(int family, int type, int protocol, struct file *files[2]);
int socket_bind(struct file *file, struct socket_address *address);
int socket_listen(struct file *file, int backlog);
int socket_connect(struct file *file, struct socket_address *address);
/* flags: O_NONBLOCK for the new file. */
int socket_accept(struct file *file, unsigned flags, struct file **accepted);
int socket_shutdown(struct file *file, int how);
int socket_name(struct file *file, bool peer, struct socket_address *address);
/* A name from a received message. Puts the reference. */
void socket_take_name(struct unix_name *name, struct socket_address *address);

/* address may be NULL. send->deadline and send->cred (unless has_cred) are set here. flags: MSG_*. */
int64_t socket_send(struct file *file, struct unix_send *send, bool has_cred, struct socket_address *address, unsigned flags);
int64_t socket_receive(struct file *file, struct unix_receive *receive, unsigned flags);
bool socket_passes_cred(struct file *file);

int socket_set_option(struct file *file, int level, int option, uaddr_t value, unsigned len);
int socket_get_option(struct file *file, int level, int option, uaddr_t value, uaddr_t len);

#endif
