/*
 * Sockets as files: what syscalls/socket.c and syscalls/message.c call. The families are behind kernel/net/socket.h.
 *
 * Every function takes any file and answers -ENOTSOCK when it is no socket. Addresses are in sentry memory. All may
 * sleep unless said; interrupted waits give -ERESTARTSYS, or -EINTR where a timeout is set, as socket(7) says.
 */
#ifndef VFS_ANON_SOCKET_H
#define VFS_ANON_SOCKET_H

#include "kernel/files.h"
#include "kernel/net/socket.h"
#include "ring0/usercopy.h"
#include "vfs/vfs.h"

int socket_make(int family, int type, int protocol, struct file **file);
int socket_make_pair(int family, int type, int protocol, struct file *files[2]);
int socket_bind(struct file *file, struct socket_address *address);
int socket_listen(struct file *file, int backlog);
int socket_connect(struct file *file, struct socket_address *address);
/* flags: O_NONBLOCK for the new file. */
int socket_accept(struct file *file, unsigned flags, struct file **accepted);
int socket_shutdown(struct file *file, int how);
int socket_name(struct file *file, bool peer, struct socket_address *address);
struct socket *socket_of(const struct file *file); /* NULL: it is none. No reference but the file's */
int socket_family(struct file *file); /* AF_*; does not sleep */

/* Deadlines are set here, and send->cred unless has_cred. SIGPIPE is sent here. */
int64_t socket_send(struct file *file, struct socket_send *send, bool has_cred);
int64_t socket_receive(struct file *file, struct socket_receive *receive);

int socket_set_option(struct file *file, int level, int option, uaddr_t value, unsigned len);
int socket_get_option(struct file *file, int level, int option, uaddr_t value, uaddr_t len);

/* The families, for socket_make(): a new socket in *sock. Type has no flags. vfs/anon/socket_unix.c */
int unix_family_create(int type, int protocol, struct socket **sock);
struct unix_socket *unix_family_object(struct socket *sock); /* no reference */

#endif
