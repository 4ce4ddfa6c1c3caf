/*
 * Between kernel/control.c, which takes the orders of platform/abi/control.h, and the files beside it that answer them.
 * What the rest of the kernel calls is in kernel/container.h.
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

/* control_answer.c. None of it sleeps. An answer's payload is copied; it is queued if the host has no room. */
void control_reply(const struct control_target *to, int error, uint32_t flags, const void *payload, uint32_t len);
void control_refuse(const struct control_target *to, int error, const char *why); /* why NULL: the error's own text */
void control_answer_exited(const struct control_target *to, int status, bool oom);
void control_answer_when_state(const struct control_target *to); /* at once, or when the container is that far */
void control_defer(const struct control_target *to, uint32_t pid); /* until one of the functions below, or an event */
bool control_answer_waits(struct container *c, uint32_t pid, int status); /* true: somebody had waited */
void control_cancel_request(uint32_t request); /* unanswered */
void control_refuse_all(struct container *c);
void control_answers_init(void);

/* control_exec.c. */
/* CONTROL_EXEC; answered by control_launched(). -errno: not, and the header's descriptors are still the caller's. May sleep. */
int control_exec(const struct control_target *to, const struct control_header *header, const uint8_t *payload);
void control_wait_for(const struct control_target *to, uint32_t pid); /* pid 0: the container's first process */
struct console *control_console_of(const struct container *c, uint32_t pid); /* pid as above; NULL: it has none */
void control_cancel_started(uint32_t request); /* whoever asked for them has gone */
void control_forget_started(const struct container *c);

/* control_info.c. None of them sleeps. */
void control_list_processes(const struct control_target *to);
void control_fill_stats(struct container *c, struct control_stats *stats);
int control_kill_process(struct container *c, const struct control_kill *order); /* 0 or -errno */
struct mm *control_mm_of(const struct process *process); /* without a reference; NULL: it has none any more */
int process_number(const struct process *process, const struct container *c); /* as the container sees it */

/* control_debug.c. Sleeps when it reads user stacks. */
void control_debug(const struct control_target *to, const char *what, uint32_t len);

#endif
