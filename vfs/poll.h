/*
 * Waiting for several files: what poll(2), select(2) and epoll_wait(2) share.
 *
 * A file's poll operation reports its EPOLL* bits and registers the struct poll_waiter it is given on every wait
 * queue whose wake-up could change them. struct poll_table is the waiter of a sleeping task. Order of use:
 * poll_table_init(); file_poll() on each file with &table.base; when nothing is ready poll_table_sleep(), then
 * file_poll() again with no waiter; at the end poll_table_finish(). The caller holds a reference to every file
 * from its registration to poll_table_finish(), because the queues lie in the files.
 */
#ifndef VFS_POLL_H
#define VFS_POLL_H

#include "kernel/wait.h"
#include "kernel/files.h"
#include "vfs/vfs.h"

#define POLL_ALWAYS_READY 0x145u /* EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM */
#define POLL_INLINE_ENTRIES 4

struct poll_table;

struct poll_entry {
	struct waiter waiter;
	struct poll_table *table;
};

struct poll_block;

struct poll_table {
	struct poll_waiter base;
	struct task *task;
	bool triggered; /* a queue woke us since the last poll_table_sleep() */
	int error;      /* -ENOMEM: a registration was lost */
	unsigned used;
	struct poll_block *blocks;
	struct poll_entry entries[POLL_INLINE_ENTRIES];
};

void poll_table_init(struct poll_table *table); /* for the current task */
/* Until a queue wakes it: 0, -ETIMEDOUT, -EINTR, or -ENOMEM from an earlier registration. deadline: monotonic ns. */
int poll_table_sleep(struct poll_table *table, uint64_t deadline);
void poll_table_finish(struct poll_table *table);

/* EPOLL* bits of a file; waiter may be NULL. May sleep. */
uint32_t file_poll(struct file *file, struct poll_waiter *waiter);

/* One file of a set; file may be NULL (then it is skipped). */
struct poll_item {
	struct file *file;
	uint32_t events;  /* asked for; EPOLLERR and EPOLLHUP always are */
	uint32_t revents; /* found */
};
/* How many items are ready; 0: the deadline passed (0: does not wait at all); -EINTR; -ENOMEM. May sleep. */
int poll_wait_items(struct poll_item *items, unsigned count, uint64_t deadline);

#endif
