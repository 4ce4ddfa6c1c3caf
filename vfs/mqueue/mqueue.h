/*
 * POSIX message queues (mq_overview(7)): a file system for each ipc namespace, whose files are the queues.
 *
 * syscalls/mqueue.c fetches arguments and calls these; names and times are in sentry memory. Everything may sleep.
 */
#ifndef VFS_MQUEUE_MQUEUE_H
#define VFS_MQUEUE_MQUEUE_H

#include "vfs/vfs.h"

struct mq_attr { /* the kernel's; linux/mqueue.h has it with other names for the C library's */
	int64_t flags, maxmsg, msgsize, curmsgs;
	int64_t reserved[4];
};

/* How mq_notify(2) tells: SIGEV_NONE, SIGEV_SIGNAL, or SIGEV_THREAD, where the C library's helper reads a cookie from a netlink socket. */
#define MQ_COOKIE_SIZE 32
struct mq_event {
	int notify, signo;
	uint64_t value;
	struct file *socket; /* SIGEV_THREAD */
	uint8_t cookie[MQ_COOKIE_SIZE];
};

void mqueue_init(void); /* boot: type "mqueue" */
/* mq_open(2): the file, with a reference. attr NULL: the defaults. */
int mqueue_open(const char *name, unsigned flags, uint32_t mode, const struct mq_attr *attr, struct file **file);
int mqueue_unlink(const char *name);
/* Of a queue's file, else -EBADF. deadline: monotonic ns, DEADLINE_NONE. Data goes from and to user memory. */
int mqueue_send(struct file *file, uaddr_t from, size_t len, unsigned priority, uint64_t deadline);
int64_t mqueue_receive(struct file *file, uaddr_t to, size_t len, unsigned *priority, uint64_t deadline);
/* event NULL: no more. A reference to its socket is taken. -ENOTSOCK, -EINVAL: not a netlink socket; -EAGAIN: nobody reads that. */
int mqueue_notify(struct file *file, const struct mq_event *event);
int mqueue_attributes(struct file *file, const struct mq_attr *set, struct mq_attr *old);

#endif
