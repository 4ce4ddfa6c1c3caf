/*
 * Waiting for children: the search and the take-over that wait4(2) and waitid(2) share.
 *
 * task_wait() looks at the children of the current process; what is found is reported
 * once (unless WNOWAIT). A zombie is released here and its times are added to the
 * parent's. May sleep; woken by process_notify_parent(). wait(2).
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/wait.h>

#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/process.h"
#include "ring0/lib.h"

int wait_end_code(int status)
{
	if (!(status & 0x7f))
		return CLD_EXITED;
	return status & 0x80 ? CLD_DUMPED : CLD_KILLED;
}

int wait_end_value(int status)
{
	return status & 0x7f ? status & 0x7f : status >> 8 & 0xff;
}

static bool matches(const struct process *child, int which, int id, int options)
{
	if (which == P_PID && child->pid != id)
		return false;
	if (which == P_PGID && child->pgid != id)
		return false;
	/* "Clone" children tell their parent by another signal than SIGCHLD, or not at all. */
	bool clone_child = child->exit_signal != SIGCHLD;
	if (options & __WALL)
		return true;
	return clone_child == !!(options & __WCLONE);
}

static void fill_usage(struct process *child, struct wait_result *result)
{
	result->pid = pid_vnr(child->pid);
	result->uid = child->leader->cred->uid;
	process_cpu_times(child, &result->utime, &result->stime);
	result->utime += child->cutime;
	result->stime += child->cstime;
	result->rusage_maxrss = child->maxrss > child->cmaxrss ? child->maxrss : child->cmaxrss;
	result->rusage_minflt = child->min_flt + child->cmin_flt;
	result->rusage_majflt = child->maj_flt + child->cmaj_flt;
	result->rusage_nvcsw = child->nvcsw;
	result->rusage_nivcsw = child->nivcsw;
}

/* The zombie's and its own children's use becomes ours. */
static void add_usage(struct process *parent, const struct wait_result *result)
{
	parent->cutime += result->utime;
	parent->cstime += result->stime;
	parent->cmin_flt += result->rusage_minflt;
	parent->cmaj_flt += result->rusage_majflt;
	if (result->rusage_maxrss > parent->cmaxrss)
		parent->cmaxrss = result->rusage_maxrss;
}

static void take_zombie(struct process *child, int options, struct wait_result *result)
{
	fill_usage(child, result);
	result->status = child->exit_status;
	result->code = wait_end_code(child->exit_status);
	if (options & WNOWAIT)
		return;
	add_usage(current->process, result);
	process_release(child);
}

/* Is there something to report about this child? Reports and consumes it. */
static bool take(struct process *child, int options, struct wait_result *result)
{
	const struct task *tracer = child->leader ? child->leader->ptrace.tracer : NULL;

	if (child->zombie) {
		if (!(options & WEXITED) || !process_is_waitable(child))
			return false;
		take_zombie(child, options, result);
		return true;
	}
	/* One that we trace tells of each stop itself. */
	bool traced = tracer && tracer->process == child->parent;
	if ((options & WSTOPPED) && child->stop_unreported && !traced) {
		fill_usage(child, result);
		result->status = WAIT_STOPPED(child->stop_signal);
		result->code = CLD_STOPPED;
		if (!(options & WNOWAIT))
			child->stop_unreported = false;
		return true;
	}
	if ((options & WCONTINUED) && child->continued_unreported) {
		fill_usage(child, result);
		result->status = WAIT_CONTINUED;
		result->code = CLD_CONTINUED;
		if (!(options & WNOWAIT))
			child->continued_unreported = false;
		return true;
	}
	return false;
}

int task_wait(int which, int id, int options, struct wait_result *result)
{
	struct process *process = current->process;
	struct waiter waiter;
	int rc;

	memset(result, 0, sizeof(*result));
	waiter_init(&waiter);
	waitq_add(&process->child_waiters, &waiter);
	for (;;) {
		struct process *child;
		bool any = false;

		if (ptrace_wait(which, id, options, result, &any)) {
			rc = result->pid;
			break;
		}
		rc = any ? 0 : -ECHILD;
		TAILQ_FOREACH(child, &process->children, sibling) {
			if (!matches(child, which, id, options))
				continue;
			rc = 0;
			if (take(child, options, result)) {
				rc = result->pid;
				break;
			}
		}
		if (rc || (options & WNOHANG))
			break;
		rc = task_block(DEADLINE_NONE, true);
		if (rc) {
			rc = -ERESTARTSYS;
			break;
		}
	}
	waitq_remove(&waiter);
	return rc;
}
