/*
 * The OOM killer (kernel/mm/oom.c): ends a process when the container's memory is used up.
 */
#ifndef KERNEL_MM_OOM_H
#define KERNEL_MM_OOM_H

#include <stdbool.h>

struct memory_account;
struct mm;
struct process;

/* Kill the process that a fault's failed allocation asks for. Does not sleep. */
void oom_kill(void);
/* The same among those that a group over its limit pays for. False: nobody may be killed. Somebody dying already counts. */
bool oom_kill_in(struct memory_account *account);
/* The address space of a process, borrowed; NULL: it has none left. */
struct mm *oom_process_mm(struct process *process);
/* The badness that /proc/PID/oom_score shows, 0..2000. */
int oom_score(struct process *process);

#endif
