/*
 * The scheduler's side for kernel/ alone: CPU start, the idle loop, the timer that
 * follows the earliest deadline. Everybody else uses kernel/task.h and kernel/wait.h.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include <stdint.h>

#include "platform/abi/abi.h"

struct task;

void sched_cpu_online(struct task *idle);              /* once on each CPU, kernel lock held */
void sched_idle_loop(void) __attribute__((noreturn));  /* takes the kernel lock */
void sched_update_timer(void);                         /* a kernel timer became the earliest, or went */

/* timer.c: this CPU's earliest deadline, DEADLINE_NONE if there is none; and run what is due. */
uint64_t ktimer_next(void);
void ktimer_run(void);
void ktimer_subsystem_init(void);

/* hostring.c */
void hostring_init(const struct abi_boot *boot);
void hostring_poll(void); /* take the completions that are there */

/* work.c */
void kwork_init(void);

#endif
