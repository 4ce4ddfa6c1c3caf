/*
 * What ring0/ needs from the layers above it. kernel/ and syscalls/ define these; the
 * machine layer calls them. This is the only way up.
 */
#ifndef RING0_UPCALL_H
#define RING0_UPCALL_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/abi/abi.h"
#include "platform/abi/hosted.h"
#include "platform/abi/regs.h"

/* CPU 0, on its boot stack, once memory layout and the machine are set. Does not return. */
void kernel_main(const struct abi_boot *boot) __attribute__((noreturn));

/* Another CPU, after cpu_start(): enters the scheduler's idle loop. Does not return. */
void kernel_cpu_main(unsigned cpu) __attribute__((noreturn));

/*
 * A trap from user mode: system call, exception or interrupt. Takes the kernel lock, does
 * the work (system calls by index into the table; faults; signals; rescheduling) and
 * returns with the lock dropped when `regs` may go back to user mode.
 */
void trap_dispatch(struct regs *regs);

/* A page fault on a user address by a copy function of the sentry: 0, or -EFAULT. May sleep. Kernel lock held. */
int kernel_user_fault(uint64_t address, unsigned pf_error);

/* The current task's kernel stack was overrun, at `rip`, when the stack pointer was `rsp`: the sandbox ends. Any lock, any stack. */
void kernel_stack_overrun(uint64_t rip, uint64_t rsp) __attribute__((noreturn));

/* Cached pages of files become present in a range of the current space that is not mapped writable. Kernel lock held. */
void kernel_prefault(uint64_t start, uint64_t end);

/* From the idle loop or an interrupt in it: timers are due or completions wait. Takes the kernel lock. */
void kernel_interrupt(void);

/* Physical pages for page tables and machine structures: zeroed, from the kernel zone. 0 if none. Kernel lock held. */
uint64_t kernel_alloc_table(void);
void kernel_free_table(uint64_t pa);

/* What the current task's calls that only read give, if nobody watches them: fills in `valid` and `value`. Kernel lock held. */
void kernel_answers(struct hosted_answers *answers);
/* How many tasks wait for this CPU; machine->cpu_queued() when another CPU makes it more than 0. Without the lock. */
const volatile uint32_t *kernel_queued(void);

/* A page of the user zone with undefined contents; 0 if none. Kernel lock held. */
uint64_t kernel_user_page_alloc(void);
void kernel_user_page_free(uint64_t pa);
/*
 * A page of a file, which no mapping lets programs write to: it is kept, and machine->page_changes() is called when
 * that is over or it was written to otherwise. False: it is no such page. Kernel lock held.
 */
bool kernel_page_hold(uint64_t pa);
void kernel_page_release(uint64_t pa);
/* A page of a file is kept, whatever happens to it: used for nothing else until kernel_page_release(). False: it is none. Kernel lock held. */
bool kernel_page_keep(uint64_t pa);

#endif
