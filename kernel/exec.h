/*
 * Running a program: execve(2), execveat(2) and the container's first program.
 *
 * The caller opens the file (file_open_exec), exec_program() builds the new address
 * space aside and, past one commit point, gives it to the current task. On success
 * current->regs hold the new program's first instruction and stack: the caller just goes
 * back (or first goes) to user mode. On failure nothing has changed. kernel/exec.c.
 */
#ifndef KERNEL_EXEC_H
#define KERNEL_EXEC_H

#include <stdint.h>

#include "ring0/machine.h"

struct file;

/* A vector of strings: a NULL-terminated array in the sentry, or one in user memory (address 0: empty). */
struct exec_vector {
	const char *const *kernel; /* NULL: use user */
	uaddr_t user;
};

/*
 * Replace the current task's program. `file` stays the caller's; `path` (sentry memory,
 * as the caller named it) becomes AT_EXECFN, the script's argument and the source of comm.
 * The task may have no mm yet (init). May sleep. 0; -ENOEXEC, -E2BIG, -ENOMEM, -EFAULT,
 * -ELIBBAD, -ELOOP, and what opening an interpreter gives (execve(2)).
 */
int exec_program(struct file *file, const char *path, const struct exec_vector *argv, const struct exec_vector *envp);

#endif
