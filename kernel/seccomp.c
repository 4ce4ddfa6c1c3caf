/*
 * seccomp filters: installing, inheriting, running them (seccomp(2)).
 *
 * A filter is immutable and refers to the one installed before it, so tasks share tails of a tree. Each carries a
 * bitmap of the system calls that it and all before it allow whatever the arguments are: found once, when it is
 * installed, by following the program for each number with nothing else known. Such a call costs one bit test.
 * All under the kernel lock; only seccomp_enter() may not return.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/errno.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>

#include "kernel/bpf.h"
#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/process.h"
#include "kernel/seccomp.h"
#include "kernel/seccomp_notify.h"
#include "kernel/syscall.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"

#define MODE_DEAD 3u           /* a filter has condemned the task */
#define PATH_MAX_INSNS 32768u  /* of all the filters of a task together */
#define FILTER_PENALTY 4u
struct seccomp_filter {
	uint32_t refs;
	bool log;
	struct seccomp_filter *prev;
	struct seccomp_listener *listener; /* referenced, or NULL */
	uint64_t always[SYSCALL_COUNT / 64];
	unsigned count;
	struct sock_filter program[];
};

struct call_data {
	struct bpf_data base;
	struct seccomp_data data;
};

/* ---- filters as objects ---- */

static void filter_put(struct seccomp_filter *filter)
{
	while (filter && --filter->refs == 0) {
		struct seccomp_filter *prev = filter->prev;

		if (filter->listener)
			seccomp_listener_filter_gone(filter->listener);
		seccomp_listener_put(filter->listener);
		kfree(filter);
		filter = prev;
	}
}

/* What a filter may use of classic BPF: no packets, words of struct seccomp_data only. */
static bool insn_is_allowed(const struct sock_filter *insn)
{
	switch (insn->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return insn->k < sizeof(struct seccomp_data) && !(insn->k & 3);
	case BPF_LD | BPF_LEN:
	case BPF_LDX | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
		return true;
	}
	switch (BPF_CLASS(insn->code)) {
	case BPF_LD:
	case BPF_LDX:
		return false;
	case BPF_ALU:
		return BPF_OP(insn->code) != BPF_MOD;
	}
	return true;
}

/* Does the program allow this call, whatever its arguments? "No" if that is not plain from the number. */
static bool always_allows(const struct seccomp_filter *filter, uint32_t number)
{
	uint32_t a = 0;

	for (const struct sock_filter *insn = filter->program;; insn++) {
		bool yes;

		switch (insn->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (insn->k == offsetof(struct seccomp_data, nr))
				a = number;
			else if (insn->k == offsetof(struct seccomp_data, arch))
				a = AUDIT_ARCH_X86_64;
			else
				return false;
			continue;
		case BPF_RET | BPF_K:
			return insn->k == SECCOMP_RET_ALLOW;
		case BPF_JMP | BPF_JA:
			insn += insn->k;
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= insn->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			yes = a == insn->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			yes = a >= insn->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			yes = a > insn->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			yes = a & insn->k;
			break;
		default:
			return false;
		}
		insn += yes ? insn->jt : insn->jf;
	}
}

static void fill_always(struct seccomp_filter *filter)
{
	for (unsigned i = 0; i < SYSCALL_COUNT; i++) {
		if (filter->prev && !(filter->prev->always[i / 64] >> i % 64 & 1))
			continue;
		if (always_allows(filter, i))
			filter->always[i / 64] |= 1ull << i % 64;
	}
}

/* A checked copy of a program, on nothing yet. NULL with the reason in *error. */
static struct seccomp_filter *filter_create(const struct sock_filter *program, unsigned count, unsigned flags, int *error)
{
	*error = bpf_check(program, count);
	for (unsigned i = 0; !*error && i < count; i++) {
		if (!insn_is_allowed(&program[i]))
			*error = -EINVAL;
	}
	if (*error)
		return NULL;
	struct seccomp_filter *filter = kzalloc(sizeof(*filter) + count * sizeof(*program));
	if (!filter) {
		*error = -ENOMEM;
		return NULL;
	}
	filter->refs = 1;
	filter->log = flags & SECCOMP_FILTER_FLAG_LOG;
	filter->count = count;
	memcpy(filter->program, program, count * sizeof(*program));
	return filter;
}

static bool fits_behind(const struct seccomp_filter *filter, const struct seccomp_filter *prev)
{
	uint64_t total = filter->count;

	for (; prev; prev = prev->prev)
		total += prev->count + FILTER_PENALTY;
	return total <= PATH_MAX_INSNS;
}

/* The task's newest filter from now on. Takes over the reference. */
static void attach(struct task *task, struct seccomp_filter *filter)
{
	filter->prev = task->seccomp.filter;
	fill_always(filter);
	task->seccomp.filter = filter;
	task->seccomp.count++;
	task->seccomp.mode = SECCOMP_MODE_FILTER;
	task_set_work(task, WORK_SECCOMP);
}

/* ---- threads together ---- */

static bool is_ancestor(const struct seccomp_filter *older, const struct seccomp_filter *newer)
{
	if (!older)
		return true;
	for (; newer; newer = newer->prev) {
		if (newer == older)
			return true;
	}
	return false;
}

/* A thread that has other filters than the current one, by the number that this sees; 0: none. */
static int thread_that_differs(const struct task *task)
{
	const struct task *other;

	TAILQ_FOREACH(other, &task->process->tasks, sibling) {
		if (other == task || other->exiting || other->state == TASK_ZOMBIE || other->seccomp.mode == SECCOMP_MODE_DISABLED)
			continue;
		if (other->seccomp.mode != SECCOMP_MODE_FILTER || !is_ancestor(other->seccomp.filter, task->seccomp.filter))
			return pid_vnr(other->tid);
	}
	return 0;
}

/* What the current thread may no longer do, its fellows may not either. False: no memory. */
static bool share_no_new_privs(const struct task *task)
{
	struct task *other;

	TAILQ_FOREACH(other, &task->process->tasks, sibling) {
		struct cred *cred;

		if (!task->cred->no_new_privs || other->exiting || !other->cred || other->cred->no_new_privs)
			continue;
		cred = cred_copy(other->cred);
		if (!cred)
			return false;
		cred->no_new_privs = true;
		cred->replaced = other->cred; /* it may be using that, asleep in a system call */
		other->cred = cred;
	}
	return true;
}

static void share_filters(const struct task *task)
{
	struct task *other;

	TAILQ_FOREACH(other, &task->process->tasks, sibling) {
		struct seccomp_filter *old = other->seccomp.filter;

		if (other == task || other->exiting || other->state == TASK_ZOMBIE)
			continue;
		task->seccomp.filter->refs++;
		other->seccomp = task->seccomp;
		filter_put(old);
		task_set_work(other, WORK_SECCOMP);
	}
}

/* ---- what seccomp(2) and prctl(2) ask ---- */

bool seccomp_permitted(void)
{
	return current->cred->no_new_privs || capable_here(CAP_SYS_ADMIN);
}

bool seccomp_action_known(uint32_t action)
{
	switch (action) {
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_USER_NOTIF:
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW:
		return true;
	}
	return false;
}

int seccomp_set_strict(void)
{
	struct task *task = current;

	if (task->seccomp.mode && task->seccomp.mode != SECCOMP_MODE_STRICT)
		return -EINVAL;
	task->seccomp.mode = SECCOMP_MODE_STRICT;
	task_set_work(task, WORK_SECCOMP);
	return 0;
}

/* A filter that can stand before those that the task has; NULL with the reason in *error. */
static struct seccomp_filter *filter_for(const struct task *task, const struct sock_filter *program, unsigned count, unsigned flags,
	int *error)
{
	*error = -EINVAL;
	if (flags & ~SECCOMP_KNOWN_FLAGS)
		return NULL;
	struct seccomp_filter *filter = filter_create(program, count, flags, error);
	if (!filter || fits_behind(filter, task->seccomp.filter))
		return filter;
	filter_put(filter);
	*error = -ENOMEM;
	return NULL;
}

/* May the filters of current become those of all its threads? 0, -ENOMEM, or as seccomp(2) says who differs. */
static int may_share(const struct task *task, unsigned flags)
{
	int tid = thread_that_differs(task);

	if (tid)
		return flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : tid;
	return share_no_new_privs(task) ? 0 : -ENOMEM;
}

static bool has_listener(const struct task *task)
{
	for (const struct seccomp_filter *filter = task->seccomp.filter; filter; filter = filter->prev) {
		if (filter->listener)
			return true;
	}
	return false;
}

int seccomp_set_filter(const struct sock_filter *program, unsigned count, unsigned flags, struct seccomp_listener *listener)
{
	struct task *task = current;
	int rc;

	if (task->seccomp.mode && task->seccomp.mode != SECCOMP_MODE_FILTER)
		return -EINVAL;
	/* Another thread's program must not keep rights that it is about to lose with the filter. */
	if (flags & SECCOMP_FILTER_FLAG_TSYNC && task_await_exec(task->process))
		return -ERESTARTNOINTR;
	struct seccomp_filter *filter = filter_for(task, program, count, flags, &rc);
	if (!filter)
		return rc;
	rc = flags & SECCOMP_FILTER_FLAG_TSYNC ? may_share(task, flags) : 0;
	if (!rc && listener && has_listener(task))
		rc = -EBUSY;
	if (rc) {
		filter_put(filter);
		return rc;
	}
	if (listener) {
		seccomp_listener_get(listener);
		filter->listener = listener;
	}
	attach(task, filter);
	if (flags & SECCOMP_FILTER_FLAG_TSYNC)
		share_filters(task);
	return 0;
}

int seccomp_install(struct task *task, const struct sock_filter *program, unsigned count, unsigned flags)
{
	int rc;
	struct seccomp_filter *filter = filter_for(task, program, count, flags, &rc);

	if (!filter)
		return rc;
	attach(task, filter);
	return 0;
}

void seccomp_inherit(struct task *child, const struct task *parent)
{
	child->seccomp = parent->seccomp;
	if (child->seccomp.filter)
		child->seccomp.filter->refs++;
	if (child->seccomp.mode)
		child->work |= WORK_SECCOMP;
}

void seccomp_drop(struct task *task)
{
	struct seccomp_filter *filter = task->seccomp.filter;

	task->seccomp.filter = NULL;
	filter_put(filter);
}

/* ---- running them ---- */

static bool load_word(const struct bpf_data *base, uint32_t offset, unsigned size, uint32_t *value)
{
	const struct call_data *call = (const struct call_data *)base;

	memcpy(value, (const uint8_t *)&call->data + offset, sizeof(*value)); /* checked when it was installed */
	return true;
}

static void fill_data(struct seccomp_data *data, const struct regs *regs)
{
	*data = (struct seccomp_data){(int)regs->orig_rax, AUDIT_ARCH_X86_64, regs->rip,
		{regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9}};
}

/* The strictest of what the filters say; the newest's data where they agree. */
static uint32_t run_filters(const struct task *task, const struct regs *regs, const struct seccomp_filter **match)
{
	struct call_data call = {.base = {load_word, sizeof(struct seccomp_data)}};
	uint32_t strictest = SECCOMP_RET_ALLOW;

	fill_data(&call.data, regs);

	for (const struct seccomp_filter *filter = task->seccomp.filter; filter; filter = filter->prev) {
		uint32_t verdict = bpf_run(filter->program, &call.base);

		if ((int32_t)(verdict & SECCOMP_RET_ACTION_FULL) < (int32_t)(strictest & SECCOMP_RET_ACTION_FULL)) {
			strictest = verdict;
			*match = filter;
		}
	}
	return strictest;
}

static void log_verdict(const struct task *task, const struct regs *regs, const char *what)
{
	klog(LOG_WARNING, "seccomp: %s[%d]: system call %d at %lx: %s", task->comm, task->tid, (int)regs->orig_rax,
		(unsigned long)regs->rip, what);
}

static void skip(struct regs *regs, uint64_t result)
{
	regs->rax = result;
	regs->orig_rax = UINT64_MAX;
}

static void trap(struct task *task, struct regs *regs, uint32_t data)
{
	struct ksiginfo info = {.signo = SIGSYS, .code = 1 /* SYS_SECCOMP */, .err = (int32_t)data, .addr = regs->rip,
		.syscall = (int32_t)regs->orig_rax, .arch = AUDIT_ARCH_X86_64};

	skip(regs, regs->orig_rax);
	signal_force(task, &info);
}

static __attribute__((noreturn)) void condemn(struct task *task, int signo, bool whole_group)
{
	task->seccomp.mode = MODE_DEAD;
	if (whole_group)
		process_exit_group(WAIT_SIGNALED(signo));
	task_exit(WAIT_SIGNALED(signo));
}

static bool strict_enter(struct task *task, const struct regs *regs)
{
	switch ((uint32_t)regs->orig_rax) {
	case __NR_read:
	case __NR_write:
	case __NR_exit:
	case __NR_rt_sigreturn:
		return true;
	}
	log_verdict(task, regs, "killed (strict mode)");
	condemn(task, SIGKILL, false);
}

static bool trace(struct task *task, struct regs *regs, uint32_t data);

static bool notify(struct regs *regs, const struct seccomp_filter *match)
{
	struct seccomp_data data;

	if (!match->listener) {
		skip(regs, (uint64_t)-ENOSYS);
		return false;
	}
	fill_data(&data, regs);
	return seccomp_notify(match->listener, regs, &data);
}

static bool act(struct task *task, struct regs *regs, uint32_t verdict, const struct seccomp_filter *match)
{
	uint32_t data = verdict & SECCOMP_RET_DATA;
	bool log = match && match->log;

	switch (verdict & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
		return true;
	case SECCOMP_RET_LOG:
		log_verdict(task, regs, "logged");
		return true;
	case SECCOMP_RET_ERRNO:
		if (log)
			log_verdict(task, regs, "refused");
		skip(regs, (uint64_t)-(int64_t)(data > 4095 ? 4095 : data));
		return false;
	case SECCOMP_RET_TRACE:
		return trace(task, regs, data);
	case SECCOMP_RET_USER_NOTIF:
		return notify(regs, match);
	case SECCOMP_RET_TRAP:
		if (log)
			log_verdict(task, regs, "trapped");
		trap(task, regs, data);
		return false;
	case SECCOMP_RET_KILL_THREAD:
		log_verdict(task, regs, "thread killed");
		condemn(task, SIGSYS, task->process->threads == 1);
	}
	log_verdict(task, regs, "process killed");
	condemn(task, SIGSYS, true);
}

/* The tracer may change the call, so the filters judge it again; now this verdict lets it pass. */
static bool trace(struct task *task, struct regs *regs, uint32_t data)
{
	const struct seccomp_filter *match = NULL;
	uint32_t verdict;

	if (!ptrace_event_wanted(task, PTRACE_EVENT_SECCOMP)) {
		skip(regs, (uint64_t)-ENOSYS);
		return false;
	}
	regs->rax = (uint64_t)-ENOSYS;
	ptrace_event(task, PTRACE_EVENT_SECCOMP, data);
	if (task->killed || (int64_t)regs->orig_rax == -1)
		return false;
	verdict = run_filters(task, regs, &match);
	return (verdict & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRACE || act(task, regs, verdict, match);
}

bool seccomp_enter(struct task *task, struct regs *regs)
{
	const struct seccomp_filter *filter = task->seccomp.filter, *match = NULL;
	uint64_t number = regs->orig_rax;

	if (task->seccomp.mode == SECCOMP_MODE_STRICT)
		return strict_enter(task, regs);
	if (!filter || (number < SYSCALL_COUNT && (filter->always[number / 64] >> number % 64 & 1)))
		return true;
	uint32_t verdict = run_filters(task, regs, &match);
	return act(task, regs, verdict, match);
}
