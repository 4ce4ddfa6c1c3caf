/*
 * AF_UNIX sockets (unix(7)): stream, datagram and sequenced packets, with descriptors and credentials in messages.
 *
 * The objects know nothing of file systems: vfs/anon/socket.c makes them files and finds sockets bound to paths.
 * Everything is under the kernel lock. What may wait says so, and takes a monotonic deadline (0: do not wait, gives
 * -EAGAIN). Interrupted waits give -EINTR, which the caller turns into a restart code.
 *
 * A message is charged to its sender until it is received, so each socket waits on its own queue only.
 * Invariants:
 *  1. Stream and seqpacket: a->peer == b implies b->peer == a or b is dead. Each peer pointer is a reference.
 *  2. dead: the file is closed; the rx queue is empty and stays so; it is on no list.
 *  3. tx_charge is the sum of the charges of this socket's messages that are queued somewhere.
 */
#ifndef KERNEL_NET_UNIX_H
#define KERNEL_NET_UNIX_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/net/socket.h"
#include "kernel/wait.h"
#include "ring0/machine.h"

#define UNIX_NAME_MAX 108u
#define UNIX_MAX_FILES 253u      /* SCM_MAX_FD */

struct file;
struct unix_socket;

enum unix_state { UNIX_UNCONNECTED, UNIX_LISTENING, UNIX_CONNECTED };

/* A name: sun_path without the family. Abstract names begin with a zero byte; paths include their terminator. */
struct unix_name {
	uint32_t refs;
	uint32_t len;
	char bytes[UNIX_NAME_MAX + 1];
};

/* Who a socket is of; the references are held. */
struct unix_identity {
	struct socket_cred cred;
	struct process *process; /* NULL: none */
	struct cred *full;
};

struct unix_in_flight; /* a user's files in messages: unix_io.c */

struct unix_message {
	TAILQ_ENTRY(unix_message) link;
	struct unix_socket *sender; /* referenced; charged */
	struct unix_name *name;     /* the sender's when it was sent; or NULL */
	struct socket_cred cred;
	struct process *process; /* referenced: cred.pid's; NULL: it was gone */
	struct file **files; /* referenced */
	unsigned file_count;
	struct unix_in_flight *in_flight; /* where they are counted */
	size_t len, taken, charge;
	bool urgent_read; /* its byte was urgent and has been read by MSG_OOB: only the mark is left of it */
	int64_t time; /* ns since 1970, if the receiver wants to know; or 0 */
	char data[];
};

#define UNIX_SHUT_RECEIVE 1u
#define UNIX_SHUT_SEND 2u

struct net_ns;

/* Where a receiver of a stream that waits wants its bytes: unix_direct.c. It is on the receiver's stack. */
struct unix_window {
	struct task *task;   /* whose memory it is */
	struct task *sender; /* waits until the receiver has taken what it has; or NULL */
	uaddr_t at;
	size_t len, done, wanted; /* at `wanted` bytes the receiver is woken */
	struct mutex lock;        /* over a sender's copy */
};

struct unix_socket {
	uint32_t refs;
	int type; /* SOCK_* */
	enum unix_state state;
	bool dead;
	unsigned shutdown; /* UNIX_SHUT_* */
	struct net_ns *net; /* referenced: where a name of its own, which is no path, is known */
	struct unix_name *name;
	struct unix_socket *peer;
	struct unix_identity self, other; /* own at creation or listen(2); the peer's at connect(2) */
	struct socket_options options;
	int error; /* SO_ERROR: positive errno */
	size_t tx_charge, rx_bytes;
	TAILQ_HEAD(unix_messages, unix_message) rx;
	struct unix_message *urgent; /* the one of them that holds the urgent byte; NULL: none */
	struct socket *base; /* of its file; NULL: it has none yet, or none any more */
	struct mutex read_lock; /* stream receivers: over the copy of a message's part */
	struct unix_window *window; /* of a receiver that waits; or NULL */
	TAILQ_HEAD(, unix_socket) pending; /* listening: connected, not accepted; each a reference */
	TAILQ_ENTRY(unix_socket) pending_link;
	unsigned pending_count, backlog;
	struct waitq wait; /* everything that changes here */
	uint64_t ino; /* for /proc/net/unix */
	TAILQ_ENTRY(unix_socket) all;
	/* unix_gc.c's, while it runs */
	TAILQ_ENTRY(unix_socket) gc_link;
	struct file *gc_file; /* one of the queued references to its file */
	unsigned gc_queued;   /* how many there are */
	bool gc_reached, gc_waits;
};

/* unix_socket.c. 0 or -errno as the calls of that name give. */
struct unix_socket *unix_create(int type); /* one reference; NULL: no memory */
void unix_get(struct unix_socket *sock);
void unix_put(struct unix_socket *sock);
void unix_close(struct unix_socket *sock); /* the file is closed; puts its reference. May sleep (files in messages) */
void unix_pair(struct unix_socket *a, struct unix_socket *b);
int unix_bind(struct unix_socket *sock, const char *bytes, uint32_t len); /* checks abstract names for uniqueness */
int unix_bind_auto(struct unix_socket *sock);
struct unix_socket *unix_find_abstract(const char *bytes, uint32_t len, int type); /* no reference; NULL */
int unix_listen(struct unix_socket *sock, int backlog);
int unix_connect(struct unix_socket *sock, struct unix_socket *target, uint64_t deadline); /* may sleep */
int unix_disconnect(struct unix_socket *sock);                                             /* datagram: AF_UNSPEC */
int unix_accept(struct unix_socket *sock, uint64_t deadline, struct unix_socket **child);  /* may sleep */
int unix_shutdown(struct unix_socket *sock, unsigned how);
uint32_t unix_poll_events(const struct unix_socket *sock);

/* unix_io.c */
struct unix_send {
	struct socket_send *base;
	struct unix_in_flight *in_flight; /* unix_send()'s own */
	struct unix_socket *target;       /* datagram with an address; NULL: the peer */
};
int64_t unix_send(struct unix_socket *sock, struct unix_send *send); /* bytes; -EPIPE without a signal; may sleep */

struct unix_receive {
	struct socket_receive *base; /* flags: MSG_PEEK, MSG_WAITALL, MSG_TRUNC */
	/* out */
	struct socket_cred cred;
	struct process *process; /* a reference, or NULL */
	bool has_cred;
	int64_t time; /* of the message, or 0 */
	struct unix_name *name; /* a reference, or NULL */
};
int64_t unix_receive(struct unix_socket *sock, struct unix_receive *receive); /* may sleep */
void unix_message_free(struct unix_message *message); /* may sleep (files) */
void unix_dequeue(struct unix_socket *sock, struct unix_message *message); /* out of sock's queue; to be freed next */
bool unix_is_at_mark(const struct unix_socket *sock); /* SIOCATMARK */

/*
 * unix_direct.c. A stream's receiver, which has `done` bytes, is about to wait for `wanted`: whether its memory is offered
 * to senders, until unix_direct_end(), which says how many bytes came and may sleep.
 */
bool unix_direct_offer(struct unix_socket *sock, struct unix_receive *receive, size_t done, size_t wanted, struct unix_window *window);
size_t unix_direct_end(struct unix_socket *sock, struct unix_receive *receive, struct unix_window *window);
/* Bytes copied to a receiver that waits, of `left`; 0: none waits, or not for so many. May sleep. */
size_t unix_direct_send(struct unix_socket *to, struct unix_send *send, size_t left);
void unix_for_all(void (*fn)(struct unix_socket *sock, void *arg), void *arg); /* fn does not sleep */
/* unix_gc.c: a message with files was queued; and: free what only queues hold (may sleep) */
void unix_gc_note(const struct unix_socket *to, const struct unix_message *message);
extern bool unix_gc_needed; /* there may be such */
void unix_gc(void);
size_t unix_readable(const struct unix_socket *sock); /* FIONREAD */

/* One line of /proc/net/unix. */
struct unix_summary {
	uint64_t ino;
	unsigned refs, type, state;
	bool listening;
	uint8_t shutdown;
	uint64_t peer; /* its ino; 0: none */
	uint32_t receive_queue, send_queue, receive_buffer, send_buffer, uid; /* queues of a listener: waiting, at most */
	const char *name;
	unsigned name_len;
};
void unix_for_each(void (*fn)(void *arg, const struct unix_summary *summary), void *arg);

#endif
