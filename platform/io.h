/*
 * Inside the I/O service: what io.c (the ring and the thread), io_serve.c (the operations), channel.c (the 9P channel)
 * and the backends (uring.c, pool.c) share.
 *
 * A request is the VMM's own, checked copy of a ring entry. It lives from the moment it is
 * taken from the ring until io_complete(), which posts its completion and frees it.
 *
 * Locks, outermost first: submit (the submission side, events), control.c's, gofer.recv, gofer.lock,
 * frames, complete (the completion side), free (request list). None is held while waiting.
 */
#ifndef PLATFORM_IO_H
#define PLATFORM_IO_H

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "platform/internal.h"

#define P9_MESSAGE_MAX (256u << 10)
#define P9_HEADER 7u
#define IO_CLOSING 64u
#define IO_FRAME_LINES 16u /* sockets of frames that are read at once */

struct io_request {
	struct io_request *next; /* of whichever list it is on */
	uint64_t cookie;
	uint32_t op;
	int fd;        /* host descriptor */
	void *memory;  /* guest memory: hostile bytes */
	uint64_t len;
	uint64_t done; /* write to a stream: bytes taken by earlier pieces */
	void *reply;   /* p9: where the reply goes */
	uint64_t reply_len;
	uint64_t offset;
	uint64_t arg;
	uint32_t kind; /* enum abi_file_kind of fd */
	bool with_host; /* in io_uring; the I/O thread's own */
	bool polling;  /* the host's file is O_NONBLOCK: wait for readiness, then do it */
	uint8_t header[P9_HEADER]; /* p9: checked copy of the message's head */
	uint16_t oldtag;           /* p9 Tflush: the tag that it ends */
};

struct io_list {
	struct io_request *head, **tail;
};

/* A socket whose messages are read; unused while no read waits. Under io_service.frames. */
struct frame_line {
	int fd;
	struct io_request *reads; /* the newest first */
	bool watched;             /* the I/O thread waits for it */
};

/* How requests that have to wait are served. All on the I/O thread, but for the completions of a pool. */
struct io_backend {
	const char *name;
	int (*init)(struct io_service *io);     /* 0, or -errno: not available here */
	int (*start)(struct io_service *io);    /* threads of its own, or NULL */
	void (*submit)(struct io_service *io, struct io_request *request);
	void (*cancel)(struct io_service *io, int fd); /* whatever waits for this descriptor ends with -ECANCELED */
	void (*flush)(struct io_service *io);   /* after the last submit of a batch, or NULL */
	unsigned (*poll_fill)(struct io_service *io, struct pollfd *fds, unsigned max);
	void (*poll_done)(struct io_service *io, const struct pollfd *fds, unsigned count);
};

extern const struct io_backend uring_backend, pool_backend;

/* pool.c. A read, write or fsync, which may wait: its result. */
int64_t io_perform(const struct io_request *request);
/* links.c. A frame of one of several links, without waiting. True: completed; false: no frame has come yet. Any thread. */
bool links_transfer(struct io_service *io, struct io_request *request);

/* frame_reads.c. One more read of a socket of frames or news: it is answered as soon as something has come. */
void frame_reads_take(struct io_service *io, struct io_request *request);
void frame_reads_due(struct io_service *io);            /* a frame was sent: by veth its answer is there already */
void frame_reads_serve(struct io_service *io);          /* after entries were served: if reads are due */
unsigned frame_reads_fill(struct io_service *io, struct pollfd *fds); /* IO_FRAME_LINES at most */
void frame_reads_ready(struct io_service *io);          /* poll(2) says so of one of them */
void frame_reads_cancel(struct io_service *io, int fd); /* they end with -ECANCELED */

/* worker.c. 0 or -errno. */
int worker_start(struct io_service *io);
/* Any thread. True: the worker does it; false: it is busy, or this is nothing for it. */
bool worker_take(struct io_service *io, struct io_request *request);

struct gofer_channel {
	struct io_service *io;
	int fd;                    /* -1: none. Of further containers' gofers: changes under both locks */
	bool dead;                 /* a further one that died or broke the framing: -EIO */
	pthread_mutex_t lock;      /* pending, unsent */
	pthread_mutex_t recv;      /* bounce */
	struct io_request *pending[ABI_RING_ENTRIES]; /* sent, by the hash of the tag */
	struct io_list unsent;
	atomic_uint outstanding;   /* pending and unsent */
	uint8_t *bounce;           /* P9_MESSAGE_MAX */
	int core;                  /* where it was told to run; -1: it was not */
	unsigned elsewhere;        /* requests in a row that came from another core */
	bool placing;              /* the answer to that is to come */
};

struct io_service {
	struct vmm *vmm;
	struct abi_ring *ring;     /* shared with the sentry: hostile */
	bool hosted;
	pthread_t thread;
	int doorbell;              /* eventfd */
	int signals;               /* signalfd */
	const struct io_backend *backend;
	void *backend_private;
	struct io_worker *worker;  /* NULL: none (in the guest, or the backend is a pool already) */

	pthread_mutex_t submit;
	uint32_t sq_head;
	uint64_t event_cookie;
	bool event_waiting;

	pthread_mutex_t frames;
	struct frame_line frame_lines[IO_FRAME_LINES];
	atomic_bool frames_due;    /* whoever serves the ring tries the reads before it is done */

	pthread_mutex_t complete;
	uint32_t cq_tail;
	uint32_t worth_telling;    /* completions that the sentry is told of, so far */

	pthread_mutex_t free;
	struct io_request *free_requests;
	struct io_request requests[ABI_RING_ENTRIES];

	pthread_mutex_t handoff_lock;
	int closing[IO_CLOSING];   /* streams and terminals that the sentry has closed */
	unsigned closing_count;
	struct io_list handoff;    /* taken by a CPU's thread, to be served by the I/O thread */

	atomic_ullong event_signals; /* bit N-1: signal N waits to be delivered */
	atomic_int event_winch;
	bool detached, command_gone; /* the I/O thread's own */

	atomic_bool watcher;       /* an idle CPU reads the gofer's replies */
	atomic_bool io_watches;    /* the I/O thread does */
	struct gofer_channel gofers[VMM_MAX_GOFERS]; /* 0: the first container's; its end is the sandbox's */
};

/* io_serve.c. One entry: `sqe` is the VMM's own copy. The submission lock is held. */
void io_serve(struct io_service *io, const struct abi_sqe *sqe);
/* io.c. Post a completion. Any thread. */
void io_post(struct io_service *io, uint64_t cookie, int64_t res, uint64_t extra);
/* Post the completion and free the request. Any thread. */
void io_complete(struct io_service *io, struct io_request *request, int64_t res, uint64_t extra);
/* The same, for what nobody waits for: the sentry is not told, it finds this when it looks next. The submission lock is held. */
void io_complete_quietly(struct io_service *io, struct io_request *request, int64_t res, uint64_t extra);
/* The result of a read, write, fsync or poll: completes it, or goes on with the rest of a write. Any thread. */
void io_finish(struct io_service *io, struct io_request *request, int64_t res);
/* Tell the sentry that completions were posted. Not needed on a hosted CPU's own thread. */
void io_notify(struct io_service *io);
/* Ends the sandbox: `why` is one line. */
void io_fail(struct io_service *io, const char *why);
/* control.c. The sentry asks for the next request of the control channel; the submission lock is held. Never waits. */
void control_receive(struct io_service *io, struct io_request *request, uint64_t gpa, uint64_t length);
void io_list_push(struct io_list *list, struct io_request *request);
struct io_request *io_list_pop(struct io_list *list);
/* Wake the I/O thread. Async-signal-safe. */
void io_poke(struct io_service *io);

/* channel.c */
int channel_init(struct io_service *io);
/* A further container's gofer: takes the socket over. Its number, or -errno. Any thread. */
int channel_add(struct io_service *io, int fd);
void channel_submit(struct io_service *io, struct io_request *request, uint32_t number);
void channel_flush(struct gofer_channel *gofer);       /* try the unsent ones again */
unsigned channel_receive(struct gofer_channel *gofer); /* every reply that is there; how many */
bool channel_wants_out(struct gofer_channel *gofer);

#endif
