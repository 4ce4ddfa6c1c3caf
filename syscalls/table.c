/*
 * The dispatch array and the names, made from table.def; and what a call that has no
 * handler answers: -ENOSYS, as a Linux built without it does, logged once by name.
 */
#include <linux/errno.h>

#include "kernel/task.h"
#include "ring0/lib.h"
#include "syscalls/syscalls.h"

#define SYSCALL_HANDLER_FULL(name) sys_##name
#define SYSCALL_HANDLER_PARTIAL(name) sys_##name
#define SYSCALL_HANDLER_NONE(name) syscall_unknown
#define SYSCALL(number, name, args, level, gap) [number] = SYSCALL_HANDLER_##level(name),
/* The first designator fills every slot; a real row then overrides it, so that is no mistake here. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
syscall_fn *const syscall_table[SYSCALL_COUNT] = {
	[0 ... SYSCALL_COUNT - 1] = syscall_unknown,
#include "syscalls/table.def"
};
#pragma GCC diagnostic pop
#undef SYSCALL

#define SYSCALL(number, sysname, arguments, lvl, missing) \
	[number] = {.name = #sysname, .args = arguments, .gap = missing, .level = SYSCALL_##lvl},
const struct syscall_info syscall_infos[SYSCALL_COUNT] = {
#include "syscalls/table.def"
};
#undef SYSCALL

/* A number given twice is an enumerator declared twice. */
#define SYSCALL(number, name, args, level, gap) SYSCALL_NUMBER_##number,
enum syscall_numbers_once {
#include "syscalls/table.def"
};
#undef SYSCALL

const char *syscall_name(uint64_t number)
{
	return number < SYSCALL_COUNT ? syscall_infos[number].name : NULL;
}

int64_t syscall_unknown(struct regs *regs)
{
	static uint8_t logged[SYSCALL_COUNT];
	uint64_t number = regs->orig_rax;

	if (number < SYSCALL_COUNT && !logged[number]) {
		logged[number] = 1;
		const char *name = syscall_infos[number].name;
		klog(LOG_WARNING, "system call %s (%lu) is not implemented; first used by %s[%d]", name ? name : "?",
			(unsigned long)number, current->comm, current->tid);
	}
	return -ENOSYS;
}
