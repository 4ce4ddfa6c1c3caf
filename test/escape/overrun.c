/*
 * A kernel stack that is overrun on purpose: the sentry as it is, linked with this in place of getcpu(2).
 *
 * getcpu(cpu, node, how) goes down the stack without end. `how` 1: by frames of 200 bytes; 2: by one that is larger than
 * a page, of which only the lowest word is written. overrun.sh looks at what the sandbox says.
 */
#include "kernel/syscall.h"
#include "kernel/task.h"

int64_t __wrap_sys_getcpu(struct regs *regs);
int64_t __real_sys_getcpu(struct regs *regs);

static __attribute__((noinline)) uint64_t go_down(uint64_t depth)
{
	volatile uint64_t words[24];

	words[0] = depth;
	words[23] = depth ? go_down(depth - 1) : 0;
	return words[0] + words[23];
}

static __attribute__((noinline)) uint64_t leap(void)
{
	volatile uint8_t bytes[KERNEL_STACK_SIZE];

	bytes[0] = 1;
	return bytes[0];
}

int64_t __wrap_sys_getcpu(struct regs *regs)
{
	if (regs->rdx == 1)
		return (int64_t)go_down(1000000);
	if (regs->rdx == 2)
		return (int64_t)leap();
	return __real_sys_getcpu(regs);
}
