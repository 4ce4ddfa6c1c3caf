/*
 * prctl(2): what a process says of itself. Its rights (securebits, capabilities, no_new_privs, seccomp), its parts in memory
 * (PR_SET_MM), and words that are kept and shown: names, signals, policies about what this kernel does for nobody.
 */
#include <linux/errno.h>
#include <linux/prctl.h>
#include <linux/securebits.h>

#include "kernel/mm.h"
#include "kernel/task.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/syscalls.h"

static int edit_securebits(uint32_t set, uint32_t clear)
{
	struct cred *cred = cred_copy(current->cred), *old = current->cred;

	if (!cred)
		return -ENOMEM;
	cred->securebits = (cred->securebits | set) & ~clear;
	current->cred = cred;
	cred_put(old);
	return 0;
}

static int set_securebits(uint32_t bits)
{
	uint32_t old = current->cred->securebits;
	uint32_t locked = (old & SECURE_ALL_LOCKS) >> 1;

	if (!capable_here(CAP_SETPCAP) || ((old & SECURE_ALL_LOCKS) & ~bits) || ((old ^ bits) & locked) ||
		(bits & ~(uint32_t)(SECURE_ALL_LOCKS | SECURE_ALL_BITS)))
		return -EPERM;
	return edit_securebits(bits, ~bits);
}

static int64_t set_comm(struct regs *regs)
{
	char name[16] = {0};
	int64_t rc = strncpy_from_user(name, PTR1(regs), sizeof(name) - 1);

	if (rc == -EFAULT)
		return rc;
	name[15] = 0;
	memcpy(current->comm, name, sizeof(name));
	return 0;
}

static int64_t prctl_capbset(uint64_t op, uint64_t cap)
{
	struct cred *cred;

	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	if (op == PR_CAPBSET_READ)
		return current->cred->cap_bounding >> cap & 1;
	if (!capable_here(CAP_SETPCAP))
		return -EPERM;
	cred = cred_copy(current->cred);
	if (!cred)
		return -ENOMEM;
	cred->cap_bounding &= ~(1ull << cap);
	cred_put(current->cred);
	current->cred = cred;
	return 0;
}

static int64_t prctl_ambient(struct regs *regs)
{
	const struct cred *old = current->cred;
	uint64_t op = ARG1(regs), cap = ARG2(regs), ambient = old->cap_ambient;

	if (op == PR_CAP_AMBIENT_CLEAR_ALL) {
		if (cap || ARG3(regs) || ARG4(regs))
			return -EINVAL;
		ambient = 0;
	} else {
		if (cap > CAP_LAST_CAP || ARG3(regs) || ARG4(regs))
			return -EINVAL;
		uint64_t bit = 1ull << cap;
		if (op == PR_CAP_AMBIENT_IS_SET)
			return !!(ambient & bit);
		if (op == PR_CAP_AMBIENT_RAISE) {
			if (!(old->cap_permitted & old->cap_inheritable & bit) ||
				(old->securebits & (1u << SECURE_NO_CAP_AMBIENT_RAISE)))
				return -EPERM;
			ambient |= bit;
		} else if (op == PR_CAP_AMBIENT_LOWER) {
			ambient &= ~bit;
		} else {
			return -EINVAL;
		}
	}
	struct cred *cred = cred_copy(old);
	if (!cred)
		return -ENOMEM;
	cred->cap_ambient = ambient;
	cred_put(current->cred);
	current->cred = cred;
	return 0;
}

static int64_t set_no_new_privs(struct regs *regs)
{
	struct cred *cred;

	if (ARG1(regs) != 1 || ARG2(regs) || ARG3(regs) || ARG4(regs))
		return -EINVAL;
	cred = cred_copy(current->cred);
	if (!cred)
		return -ENOMEM;
	cred->no_new_privs = true;
	cred_put(current->cred);
	current->cred = cred;
	return 0;
}

static int64_t prctl_keepcaps(uint64_t value)
{
	if (value > 1)
		return -EINVAL;
	if (current->cred->securebits & (1u << SECURE_KEEP_CAPS_LOCKED))
		return -EPERM;
	return value ? edit_securebits(1u << SECURE_KEEP_CAPS, 0) : edit_securebits(0, 1u << SECURE_KEEP_CAPS);
}

/* Those about credentials. What is not known is -EINVAL, PR_SET_VMA included (as without CONFIG_ANON_VMA_NAME). */
static int64_t prctl_identity(struct regs *regs)
{
	const struct cred *cred = current->cred;

	switch (ARG0(regs)) {
	case PR_GET_KEEPCAPS:
		return cred->securebits >> SECURE_KEEP_CAPS & 1;
	case PR_SET_KEEPCAPS:
		return prctl_keepcaps(ARG1(regs));
	case PR_GET_SECUREBITS:
		return cred->securebits;
	case PR_SET_SECUREBITS:
		return set_securebits((uint32_t)ARG1(regs));
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
		return prctl_capbset(ARG0(regs), ARG1(regs));
	case PR_CAP_AMBIENT:
		return prctl_ambient(regs);
	case PR_SET_NO_NEW_PRIVS:
		return set_no_new_privs(regs);
	case PR_GET_NO_NEW_PRIVS:
		return ARG1(regs) || ARG2(regs) || ARG3(regs) || ARG4(regs) ? -EINVAL : cred->no_new_privs;
	case PR_GET_SECCOMP:
		return current->seccomp.mode;
	case PR_SET_SECCOMP:
		return seccomp_prctl(ARG1(regs), PTR2(regs));
	}
	return -EINVAL;
}

/* ---- memory ---- */

/* Where PR_SET_MM's number says, or NULL. */
static uint64_t *mm_field(struct mm *mm, uint64_t what)
{
	switch (what) {
	case PR_SET_MM_START_CODE:
		return &mm->start_code;
	case PR_SET_MM_END_CODE:
		return &mm->end_code;
	case PR_SET_MM_START_DATA:
		return &mm->start_data;
	case PR_SET_MM_END_DATA:
		return &mm->end_data;
	case PR_SET_MM_START_STACK:
		return &mm->start_stack;
	case PR_SET_MM_START_BRK:
		return &mm->start_brk;
	case PR_SET_MM_BRK:
		return &mm->brk;
	case PR_SET_MM_ARG_START:
		return &mm->arg_start;
	case PR_SET_MM_ARG_END:
		return &mm->arg_end;
	case PR_SET_MM_ENV_START:
		return &mm->env_start;
	case PR_SET_MM_ENV_END:
		return &mm->env_end;
	}
	return NULL;
}

static bool mm_in_order(const struct mm *mm)
{
	return mm->start_code < mm->end_code && mm->start_data <= mm->end_data && mm->start_brk <= mm->brk &&
		mm->arg_start <= mm->arg_end && mm->env_start <= mm->env_end;
}

/* The stack, the arguments and the environment: only where a mapping lies there or above (prctl(2)). */
static bool must_be_mapped(uint64_t what)
{
	return what == PR_SET_MM_START_STACK || (what >= PR_SET_MM_ARG_START && what <= PR_SET_MM_ENV_END);
}

/* The addresses that /proc/PID/stat and cmdline tell, one at a time: programs move their argument list so (setproctitle). */
static int64_t set_mm(struct regs *regs)
{
	struct mm *mm = current->mm;
	uint64_t *field, old, address = ARG2(regs), what = ARG1(regs);
	int rc = 0;

	if (ARG4(regs) || ARG3(regs) || what == PR_SET_MM_MAP || what == PR_SET_MM_MAP_SIZE)
		return -EINVAL;
	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	field = mm_field(mm, what);
	if (!field || address >= USER_TOP || address < MM_MIN_ADDRESS)
		return -EINVAL;
	old = *field;
	*field = address;
	if (!mm_in_order(mm))
		rc = -EINVAL;
	else if (must_be_mapped(what) && !mm_find_vma(mm, address))
		rc = -EFAULT;
	if (rc)
		*field = old;
	return rc;
}

/* No memory comes in huge pages here, so it is kept and told (PR_GET_THP_DISABLE, THP_enabled of /proc/PID/status). */
static int64_t huge_pages(struct regs *regs)
{
	bool get = ARG0(regs) == PR_GET_THP_DISABLE;

	if ((get && ARG1(regs)) || ARG2(regs) || ARG3(regs) || ARG4(regs))
		return -EINVAL;
	if (get)
		return current->mm->no_huge_pages;
	current->mm->no_huge_pages = ARG1(regs) != 0;
	return 0;
}

/* Those about the process. */
static int64_t prctl_process(struct regs *regs)
{
	struct process *process = current->process;
	int value;

	switch (ARG0(regs)) {
	case PR_SET_PDEATHSIG:
		if (ARG1(regs) > KSIG_MAX)
			return -EINVAL;
		process->pdeath_signal = (int)ARG1(regs);
		return 0;
	case PR_GET_PDEATHSIG:
		value = process->pdeath_signal;
		return put_user(value, PTR1(regs));
	case PR_GET_DUMPABLE:
		return current->mm->dumpable;
	case PR_SET_DUMPABLE:
		if (ARG1(regs) > 1)
			return -EINVAL;
		current->mm->dumpable = ARG1(regs);
		return 0;
	case PR_SET_CHILD_SUBREAPER:
		process->subreaper = ARG1(regs) != 0;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		value = process->subreaper;
		return put_user(value, PTR1(regs));
	case PR_SET_NAME:
		return set_comm(regs);
	case PR_GET_NAME:
		return copy_to_user(PTR1(regs), current->comm, sizeof(current->comm));
	case PR_SET_TIMERSLACK:
		current->timer_slack = (int64_t)ARG1(regs) <= 0 ? 50000 : ARG1(regs);
		return 0;
	case PR_GET_TIMERSLACK:
		return (int64_t)MIN(current->timer_slack, (uint64_t)INT64_MAX);
	case PR_GET_TSC:
		value = PR_TSC_ENABLE;
		return put_user(value, PTR1(regs));
	case PR_GET_TIMING:
		return PR_TIMING_STATISTICAL;
	case PR_SET_TIMING:
		return ARG1(regs) == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_GET_TID_ADDRESS:
		return put_user(current->clear_child_tid.v, PTR1(regs));
	case PR_SET_TSC:
		return ARG1(regs) == PR_TSC_ENABLE ? 0 : -EINVAL;
	case PR_SET_MM:
		return set_mm(regs);
	case PR_SET_THP_DISABLE:
	case PR_GET_THP_DISABLE:
		return huge_pages(regs);
	}
	return prctl_identity(regs);
}

int64_t sys_prctl(struct regs *regs)
{
	return prctl_process(regs);
}
