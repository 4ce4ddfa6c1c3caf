/*
 * futex(2), futex_waitv(2), robust lists (get_robust_list(2)).
 */
#include <linux/errno.h>
#include <linux/futex.h>
#include <linux/time.h>

#include "kernel/futex.h"
#include "kernel/ktime.h"
#include "kernel/mm.h"
#include "kernel/ptrace.h"
#include "kernel/task.h"
#include "ring0/lib.h"
#include "syscalls/syscalls.h"

static bool takes_timeout(int cmd)
{
	return cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_LOCK_PI || cmd == FUTEX_LOCK_PI2 ||
		cmd == FUTEX_WAIT_REQUEUE_PI;
}

/* FUTEX_WAIT's timeout is relative; the others' absolute, on the realtime clock if asked for or for LOCK_PI. */
static int get_deadline(uaddr_t timeout, int op, uint64_t *deadline)
{
	int cmd = op & FUTEX_CMD_MASK;
	bool realtime = (op & FUTEX_CLOCK_REALTIME) || cmd == FUTEX_LOCK_PI;
	int64_t ns;

	*deadline = DEADLINE_NONE;
	if (!timeout.v || !takes_timeout(cmd))
		return 0;
	int rc = ktime_from_user(timeout, &ns);
	if (rc)
		return rc;
	return ktime_to_monotonic(realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC, ns, cmd != FUTEX_WAIT, deadline);
}

int64_t sys_futex(struct regs *regs)
{
	int op = INT1(regs), cmd = op & FUTEX_CMD_MASK;
	uint64_t deadline;

	if ((op & FUTEX_CLOCK_REALTIME) && cmd != FUTEX_WAIT && cmd != FUTEX_WAIT_BITSET && cmd != FUTEX_LOCK_PI2 &&
		cmd != FUTEX_WAIT_REQUEUE_PI)
		return -ENOSYS;
	int rc = get_deadline(PTR3(regs), op, &deadline);
	if (rc)
		return rc;
	return futex_do(PTR0(regs), op, (uint32_t)ARG2(regs), deadline, PTR4(regs), (uint32_t)ARG3(regs),
		(uint32_t)ARG5(regs));
}

int64_t sys_futex_waitv(struct regs *regs)
{
	unsigned n = (unsigned)ARG1(regs);
	int clock = INT4(regs);
	uint64_t deadline = DEADLINE_NONE;
	int64_t ns, rc = 0;

	if (ARG2(regs) || !n || n > FUTEX_WAITV_MAX || !ARG0(regs))
		return -EINVAL;
	if (ARG3(regs)) {
		if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
			return -EINVAL;
		rc = ktime_from_user(PTR3(regs), &ns);
		if (!rc)
			rc = ktime_to_monotonic(clock, ns, true, &deadline);
		if (rc)
			return rc;
	}
	struct futex_waitv *words = kmalloc(n * sizeof(*words));
	if (!words)
		return -ENOMEM;
	if (copy_from_user(words, PTR0(regs), n * sizeof(*words)))
		rc = -EFAULT;
	for (unsigned i = 0; !rc && i < n; i++) {
		if ((words[i].flags & ~(unsigned)FUTEX_PRIVATE_FLAG) != FUTEX_32 || words[i].__reserved)
			rc = -EINVAL;
	}
	if (!rc)
		rc = futex_wait_multiple(words, n, deadline);
	kfree(words);
	return rc;
}

int64_t sys_set_robust_list(struct regs *regs)
{
	if (ARG1(regs) != sizeof(struct robust_list_head))
		return -EINVAL;
	current->robust_list = PTR0(regs);
	return 0;
}

int64_t sys_get_robust_list(struct regs *regs)
{
	const struct task *task = INT0(regs) ? task_find(INT0(regs)) : current;
	uint64_t size = sizeof(struct robust_list_head);

	if (!task)
		return -ESRCH;
	int rc = ptrace_may_access(task, PTRACE_BY_REAL_IDS);
	if (rc)
		return rc;
	uint64_t list = task->robust_list.v;
	if (put_user(size, PTR2(regs)))
		return -EFAULT;
	return put_user(list, PTR1(regs));
}
