/*
 * What a family of sockets is to the rest: an object that starts with a struct socket, and a table of operations.
 *
 * vfs/anon/socket.c makes files of them and finds the family for socket(2). Everything is under the kernel lock.
 * Addresses and option values are in sentry memory; data goes through a struct socket_copy. What may sleep takes a
 * monotonic deadline (0: do not wait, gives -EAGAIN); interrupted waits give -EINTR, which the file layer turns into a
 * restart code. A copy may sleep: what was looked at before is looked at again.
 *
 *	op          may sleep  user memory  absent means
 *	bind        yes        no           -EOPNOTSUPP
 *	listen      no         no           -EOPNOTSUPP
 *	connect     yes        no           -EOPNOTSUPP
 *	accept      yes        no           -EOPNOTSUPP
 *	shutdown    no         no           -EOPNOTSUPP
 *	name        no         no           required
 *	send        yes        copy         required
 *	receive     yes        copy         required
 *	events      no         no           required
 *	set_option  yes        no           required: levels above SOL_SOCKET; -ENOPROTOOPT for what has no effect
 *	get_option  no         no           required: these, and of SOL_SOCKET SO_ERROR, SO_ACCEPTCONN and what options.c leaves
 *	changed     no         no           nothing is to be done when an option of SOL_SOCKET was set
 *	ioctl       yes        yes          -ENOTTY
 *	mapping     no         no           -ENODEV
 *	pair        no         no           -EOPNOTSUPP
 *	net         no         no           the first namespace's
 *	close       yes        no           required: the file is closed; frees the object or lets it go
 */
#ifndef KERNEL_NET_SOCKET_H
#define KERNEL_NET_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/net/socket_types.h"
#include "kernel/wait.h"
#include "ring0/machine.h"

#define SOCKET_ADDRESS_MAX 128u /* struct sockaddr_storage */
#define SOCKET_OPTION_MAX 264u  /* bytes of an option's value, in or out */

struct file;
struct net_ns;
struct socket;
struct socket_filter;
struct vm_object;

/* A struct sockaddr of any family; one byte more, so that a path can be terminated. */
struct socket_address {
	uint16_t family;
	char data[SOCKET_ADDRESS_MAX - 2 + 1];
	unsigned len; /* of the whole, as bind(2)'s addrlen; 0: none */
};

struct socket_copy {
	/* n bytes between the caller's memory (in order) and `buffer`: 0 or -EFAULT. May sleep. */
	int (*copy)(struct socket_copy *self, void *buffer, size_t n);
	/* How many bytes from here on lie in a row in the current task's memory, and where; skip() leaves some of them out. NULL: elsewhere. */
	size_t (*peek)(struct socket_copy *self, uaddr_t *at);
	void (*skip)(struct socket_copy *self, size_t n);
};

struct socket_cred {
	int32_t pid; /* in the sandbox; SCM_CREDENTIALS and SO_PEERCRED tell it as the reader's namespace sees it */
	uint32_t uid, gid;
};

/* One sendmsg(2). */
struct socket_send {
	struct socket_copy *copy;
	size_t len;
	struct socket_address *address; /* NULL or len 0: none */
	unsigned flags;                 /* MSG_* */
	uint64_t deadline;
	struct file **files; /* SCM_RIGHTS; ownership passes on success of the first part: then files is NULL */
	unsigned file_count;
	struct socket_cred cred; /* of the sender, or as it says in SCM_CREDENTIALS */
	const char *control;     /* control messages of other levels: checked headers, the whole buffer; NULL: none */
	size_t control_len;
};

/* One recvmsg(2). */
struct socket_receive {
	struct socket_copy *copy;
	size_t len;
	unsigned flags; /* MSG_* */
	uint64_t deadline;
	struct socket_address *address; /* filled in when not NULL; its len 0: none */
	/* A control message for the receiver; NULL: nobody wants it. Whether there was room for any of it. May sleep. */
	bool (*control)(struct socket_receive *self, int level, int type, const void *data, size_t len);
	/* out */
	struct file **files; /* references and array are the caller's (kfree) */
	unsigned file_count;
	unsigned out_flags; /* MSG_TRUNC, MSG_EOR, MSG_ERRQUEUE */
};

struct socket_ops {
	int family;
	bool own_options; /* SOL_SOCKET's go to set_option and get_option, too */
	int (*bind)(struct socket *sock, struct socket_address *address);
	int (*listen)(struct socket *sock, int backlog);
	int (*connect)(struct socket *sock, struct socket_address *address, uint64_t deadline);
	int (*accept)(struct socket *sock, uint64_t deadline, struct socket **child);
	int (*shutdown)(struct socket *sock, int how); /* SHUT_* */
	int (*name)(struct socket *sock, bool peer, struct socket_address *address);
	int64_t (*send)(struct socket *sock, struct socket_send *send);
	int64_t (*receive)(struct socket *sock, struct socket_receive *receive);
	uint32_t (*events)(struct socket *sock); /* EPOLL*; the wait queue is sock->wait */
	int (*set_option)(struct socket *sock, int level, int option, const void *value, unsigned len);
	void (*changed)(struct socket *sock, int option);
	/* *len: room, at most SOCKET_OPTION_MAX; then what was written. */
	int (*get_option)(struct socket *sock, int level, int option, void *value, unsigned *len);
	int64_t (*ioctl)(struct socket *sock, unsigned cmd, uint64_t arg);
	struct vm_object *(*mapping)(struct socket *sock); /* mmap(2): no reference taken; NULL: nothing to map now */
	void (*pair)(struct socket *a, struct socket *b);
	struct net_ns *(*net)(struct socket *sock);    /* the namespace that it is of: no reference taken */
	void (*opened)(struct socket *sock); /* sock->ino is known now; may be NULL */
	void (*close)(struct socket *sock);
};

/* SOL_SOCKET's options, of every family (options.c sets them; socket(7) says what each does). */
struct socket_options {
	struct socket_filter *filter; /* SO_ATTACH_FILTER: filter.h; or NULL */
	bool filter_locked;
	bool stamping_new, stamping_begins; /* asked for by SO_TIMESTAMPING_NEW; messages are to be counted anew (the family's to take back) */
	bool reuse_address, reuse_port, keepalive, broadcast, dont_route, oob_inline, no_check, debug, pass_security;
	bool wifi_status, no_fcs, report_mark, prefer_busy_poll;
	bool pass_cred, pass_pidfd, report_drops, select_errors, zerocopy, send_buffer_set, receive_buffer_set, linger;
	bool notes_stamp;    /* SIOCGSTAMP was asked for */
	uint8_t timestamp; /* SO_TIMESTAMP_OLD and its kin: which form; 0: none */
	uint32_t stamping; /* SOF_TIMESTAMPING_* */
	int linger_seconds, priority, bound_if; /* bound_if: an interface's index; 0: any */
	int busy_poll;
	uint32_t mark, send_buffer, receive_buffer, receive_low;
};

struct socket {
	const struct socket_ops *ops;
	struct socket_options *options;
	struct waitq *wait;
	int type, protocol;                    /* SOCK_*, IPPROTO_* */
	uint64_t ino;                          /* of the file; for /proc/net */
	uint32_t mode;                         /* permissions of the file, as bind(2) finds them: what it makes has them */
	int64_t receive_timeout, send_timeout; /* ns; 0: none */
	struct file *file;                     /* the one that it is, while it is open; for who made it */
	void (*urgent)(struct socket *sock);   /* urgent data came: tells who owns the file; NULL: there is none yet. Does not sleep */
};

#endif
