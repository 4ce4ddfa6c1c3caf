/*
 * The system call table: one handler type, one array, made from syscalls/table.def.
 *
 * A handler fetches its arguments with ARG(regs, n), copies in, calls kernel/ or vfs/,
 * copies out, and returns a value or -errno. It keeps no state and takes no lock (the
 * kernel lock is held). It may sleep.
 */
#ifndef SYSCALLS_SYSCALLS_H
#define SYSCALLS_SYSCALLS_H

#include <stdint.h>

#include "kernel/syscall.h"
#include "platform/abi/regs.h"
#include "ring0/machine.h"

/* prctl(PR_SET_SECCOMP), in seccomp.c. */
int64_t seccomp_prctl(uint64_t mode, uaddr_t program);

#define ARG0(regs) ((regs)->rdi)
#define ARG1(regs) ((regs)->rsi)
#define ARG2(regs) ((regs)->rdx)
#define ARG3(regs) ((regs)->r10)
#define ARG4(regs) ((regs)->r8)
#define ARG5(regs) ((regs)->r9)
#define INT0(regs) ((int)(regs)->rdi)
#define INT1(regs) ((int)(regs)->rsi)
#define INT2(regs) ((int)(regs)->rdx)
#define INT3(regs) ((int)(regs)->r10)
#define INT4(regs) ((int)(regs)->r8)
#define INT5(regs) ((int)(regs)->r9)
#define PTR0(regs) UADDR((regs)->rdi)
#define PTR1(regs) UADDR((regs)->rsi)
#define PTR2(regs) UADDR((regs)->rdx)
#define PTR3(regs) UADDR((regs)->r10)
#define PTR4(regs) UADDR((regs)->r8)
#define PTR5(regs) UADDR((regs)->r9)

enum syscall_level { SYSCALL_NONE, SYSCALL_PARTIAL, SYSCALL_FULL };

struct syscall_info {
	const char *name;
	const char *args; /* letters, see table.def */
	const char *gap;
	uint8_t level; /* enum syscall_level */
};

extern const struct syscall_info syscall_infos[SYSCALL_COUNT];

#define SYSCALL_PROTO_FULL(name) syscall_fn sys_##name;
#define SYSCALL_PROTO_PARTIAL(name) syscall_fn sys_##name;
#define SYSCALL_PROTO_NONE(name)
#define SYSCALL(number, name, args, level, gap) SYSCALL_PROTO_##level(name)
#include "syscalls/table.def"
#undef SYSCALL

#endif
