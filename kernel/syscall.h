/*
 * What the trap code asks of syscalls/: the dispatch by index, and --strace. syscalls/
 * defines these. Kernel lock held; may sleep.
 */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include <stdint.h>

#include "platform/abi/regs.h"

#define SYSCALL_COUNT 512

typedef int64_t syscall_fn(struct regs *regs);
extern syscall_fn *const syscall_table[SYSCALL_COUNT]; /* every slot is callable */
int64_t syscall_unknown(struct regs *regs);            /* -ENOSYS, logged once */

static inline int64_t syscall_dispatch(struct regs *regs)
{
	uint32_t number = (uint32_t)regs->orig_rax; /* as Linux takes it, whatever is above */

	if (__builtin_expect(number >= SYSCALL_COUNT, 0))
		return syscall_unknown(regs);
	return syscall_table[number](regs);
}

/* Prints the call and its arguments; then the result. Do nothing unless the task is traced so. */
void strace_entry(struct regs *regs);
void strace_exit(struct regs *regs);

/* "openat", or NULL: no call has this number. */
const char *syscall_name(uint64_t number);

#endif
