/*
 * Restartable sequences: tell a thread which CPU it runs on, and send it to its abort
 * handler if it was preempted or signalled inside a sequence.
 *
 * rseq_update() runs on the way to user mode while WORK_RSEQ is set (the scheduler sets
 * it after a switch) and before a signal frame is built. What it reads is user memory and
 * is believed in nothing: a bad descriptor is SIGSEGV, as on Linux. May sleep. rseq(2), <linux/rseq.h>.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/rseq.h>

#include "kernel/process.h"
#include "kernel/rseq.h"
#include "platform/abi/hosted.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"

static uaddr_t field(const struct task *task, size_t offset)
{
	return uaddr_add(task->rseq, offset);
}

/* If rip is inside the current sequence, go to its abort handler. 0, or -EFAULT/-EINVAL for a broken one. */
static int abort_sequence(struct task *task, struct regs *regs)
{
	struct rseq_cs cs;
	uint64_t pointer, zero = 0;
	uint32_t signature;

	if (get_user(pointer, field(task, offsetof(struct rseq, rseq_cs))))
		return -EFAULT;
	if (!pointer)
		return 0;
	if (get_user(cs, UADDR(pointer)))
		return -EFAULT;
	if (cs.version || cs.start_ip >= USER_TOP || cs.abort_ip >= USER_TOP || cs.post_commit_offset >= USER_TOP)
		return -EINVAL;
	if (cs.abort_ip - cs.start_ip < cs.post_commit_offset)
		return -EINVAL;
	if (regs->rip - cs.start_ip >= cs.post_commit_offset)
		return put_user(zero, field(task, offsetof(struct rseq, rseq_cs)));
	if (get_user(signature, UADDR(cs.abort_ip - 4)))
		return -EFAULT;
	if (signature != task->rseq_sig)
		return -EINVAL;
	if (put_user(zero, field(task, offsetof(struct rseq, rseq_cs))))
		return -EFAULT;
	regs->rip = cs.abort_ip;
	return 0;
}

static int write_cpu(struct task *task)
{
	uint32_t ids[2] = {this_cpu()->cpu, this_cpu()->cpu};

	return copy_to_user(field(task, 0), ids, sizeof(ids));
}

void rseq_update(struct regs *regs)
{
	struct task *task = current;

	__atomic_fetch_and(&task->work, ~WORK_RSEQ, __ATOMIC_SEQ_CST);
	if (!task->rseq.v || task->exiting)
		return;
	if (abort_sequence(task, regs) || write_cpu(task)) {
		struct ksiginfo info = {.signo = SIGSEGV, .code = SI_KERNEL};

		task->rseq = UADDR(0);
		signal_force(task, &info);
	}
}

int rseq_register(uaddr_t area, uint32_t len, uint32_t signature)
{
	struct task *task = current;

	if (task->rseq.v)
		return task->rseq.v != area.v || task->rseq_len != len ? -EINVAL : task->rseq_sig != signature ? -EPERM : -EBUSY;
	if ((area.v & 31) || len != sizeof(struct rseq))
		return -EINVAL;
	if (!user_range_ok(area, len))
		return -EFAULT;
	task->rseq = area;
	task->rseq_len = len;
	task->rseq_sig = signature;
	task_set_work(task, WORK_RSEQ);
	return 0;
}

int rseq_unregister(uaddr_t area, uint32_t len, uint32_t signature)
{
	struct task *task = current;
	uint32_t ids[2] = {0, (uint32_t)RSEQ_CPU_ID_UNINITIALIZED};

	if (!task->rseq.v || task->rseq.v != area.v || task->rseq_len != len)
		return -EINVAL;
	if (task->rseq_sig != signature)
		return -EPERM;
	if (copy_to_user(area, ids, sizeof(ids)))
		return -EFAULT;
	task->rseq = UADDR(0);
	task->rseq_len = task->rseq_sig = 0;
	return 0;
}
