/*
 * Between kernel/control.c, which takes and answers the orders of platform/abi/control.h, and kernel/control_info.c,
 * which finds what they ask for. What the rest of the kernel calls is in kernel/container.h.
 */
#ifndef KERNEL_CONTROL_H
#define KERNEL_CONTROL_H

#include "kernel/container.h"
#include "platform/abi/control.h"

/* Who asked what. */
struct control_target {
	uint32_t op, request;
	struct container *container; /* NULL: none has that number */
};

/* An answer; its payload is copied. Queued if the host has no room. */
void control_reply(const struct control_target *to, int error, uint32_t flags, const void *payload, uint32_t len);
void control_refuse(const struct control_target *to, int error, const char *why); /* why NULL: the error's own text */

/* control_info.c. None of them sleeps. */
void control_list_processes(const struct control_target *to);
void control_fill_stats(struct container *c, struct control_stats *stats);
int control_kill_process(struct container *c, const struct control_kill *order); /* 0 or -errno */
struct mm *control_mm_of(const struct process *process); /* without a reference; NULL: it has none any more */
int process_number(const struct process *process, const struct container *c); /* as the container sees it */

/* control_debug.c. Sleeps when it reads user stacks. */
void control_debug(const struct control_target *to, const char *what, uint32_t len);

#endif
