/*
 * The shim's event loop: one thread, epoll. Descriptors to watch, children to wait for.
 *
 * Everything that waits is a watch or a child with a function; nothing in the shim blocks.
 * loop_run() takes one event at a time from the kernel, so a function may remove and free
 * any watch, its own too.
 */
#ifndef CLI_SHIM_LOOP_H
#define CLI_SHIM_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <time.h>

struct watch {
	int fd; /* the owner's to close, after loop_remove() */
	uint32_t events;
	void (*ready)(struct watch *watch, uint32_t events);
};

/* A process that the shim is the parent of, by fork or as subreaper. */
struct child {
	pid_t pid; /* 0: not running */
	void (*ended)(struct child *child, int status, const struct timespec *when);
	LIST_ENTRY(child) link;
};

int loop_init(void);  /* 0 or -errno; blocks SIGCHLD, SIGTERM and SIGINT */
void loop_run(void);  /* until loop_stop() */
void loop_stop(void);

int loop_add(struct watch *watch, uint32_t events); /* 0 or -errno */
void loop_change(struct watch *watch, uint32_t events);
void loop_remove(struct watch *watch); /* does nothing if it is not watched */

/* Calls child->ended once child->pid has ended; if it has already, from within this call. */
void loop_wait_child(struct child *child);

/* While something may still claim a child by its pid, children that nobody waits for are remembered. */
void loop_hold_unclaimed(void);
void loop_release_unclaimed(void);

/* A one-shot timer: a watch on a timerfd. Arming it again replaces the time; 0 disarms. */
int loop_timer_init(struct watch *timer, void (*ready)(struct watch *, uint32_t));
void loop_timer_set(struct watch *timer, unsigned milliseconds);
void loop_timer_done(struct watch *timer); /* to be called first by `ready` */

#endif
