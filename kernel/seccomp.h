/*
 * seccomp(2): system call filters of a task. The rules of inheritance: a fork and an execve keep them, nothing
 * takes one away. A task without filters has no WORK_SECCOMP, and pays nothing. kernel/seccomp.c.
 */
#ifndef KERNEL_SECCOMP_H
#define KERNEL_SECCOMP_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

#define SECCOMP_KNOWN_FLAGS \
	(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_TSYNC_ESRCH | \
		SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)

struct regs;
struct task;
struct seccomp_filter;
struct seccomp_listener;

struct seccomp_state {
	struct seccomp_filter *filter; /* the newest; each refers to the one before it. NULL: none */
	unsigned count;
	uint8_t mode; /* SECCOMP_MODE_* */
};

/* A system call is about to be made (WORK_SECCOMP is set). False: it is not; regs are as the filter wants them. May end the task. */
bool seccomp_enter(struct task *task, struct regs *regs);
/* seccomp(SECCOMP_SET_MODE_STRICT). */
int seccomp_set_strict(void);
/*
 * seccomp(SECCOMP_SET_MODE_FILTER) with the program copied in; the caller frees it. 0, a thread's id (TSYNC, that
 * thread cannot follow) or -errno. listener: of the new filter (a reference is taken), or NULL.
 */
int seccomp_set_filter(const struct sock_filter *program, unsigned count, unsigned flags, struct seccomp_listener *listener);
/* The container's own, at its start: no privilege is asked for. 0 or -errno. */
int seccomp_install(struct task *task, const struct sock_filter *program, unsigned count, unsigned flags);
/* May the current task set a filter at all (no_new_privs or CAP_SYS_ADMIN)? */
bool seccomp_permitted(void);
void seccomp_inherit(struct task *child, const struct task *parent); /* the child is not yet published */
void seccomp_drop(struct task *task); /* the task ends: lets go of its filters, keeps the mode */
bool seccomp_action_known(uint32_t action);

#endif
