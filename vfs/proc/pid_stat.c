/*
 * /proc/PID/stat, statm, status, sched, schedstat, io, limits (proc(5)): what ps and top read.
 *
 * The fields that a sandbox has nothing for are zero, as Linux prints them when a feature is off.
 */
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/resource.h>
#include <linux/time.h>

#include "kernel/process.h"
#include "kernel/time_ns.h"
#include "kernel/user_ns.h"
#include "vfs/proc/proc.h"
#include "vfs/tty/tty.h"

static char state_letter(const struct task *task)
{
	switch (task->state) {
	case TASK_RUNNABLE:
	case TASK_RUNNING:
	case TASK_NEW:
		return 'R';
	case TASK_BLOCKED:
		return task->block_interruptible ? 'S' : 'D';
	case TASK_STOPPED:
		return task->ptrace.stopped ? 't' : 'T';
	case TASK_ZOMBIE:
		return 'Z';
	default:
		return 'X';
	}
}

static const char *state_name(char letter)
{
	switch (letter) {
	case 'R':
		return "R (running)";
	case 't':
		return "t (tracing stop)";
	case 'S':
		return "S (sleeping)";
	case 'D':
		return "D (disk sleep)";
	case 'T':
		return "T (stopped)";
	case 'Z':
		return "Z (zombie)";
	default:
		return "X (dead)";
	}
}

struct signal_sets {
	sigset64 ignored, caught;
};

static struct signal_sets signal_sets(const struct process *process)
{
	struct signal_sets sets = {0, 0};

	for (unsigned i = 0; process->sighand && i < KSIG_MAX; i++) {
		uint64_t handler = process->sighand->action[i].handler;

		if (handler == 1)
			sets.ignored |= 1ull << i;
		else if (handler)
			sets.caught |= 1ull << i;
	}
	return sets;
}

static int parent_pid(const struct pid_ns *ns, const struct process *process)
{
	return process->parent ? process_nr(ns, process->parent) : 0;
}

struct task_times {
	uint64_t user, system, min_flt, maj_flt;
};

static struct task_times times_of(const struct pseudo_inode *p, struct task *task)
{
	struct process *process = task->process;
	struct task_times times = {.min_flt = task->min_flt, .maj_flt = task->maj_flt};
	const struct task *thread;

	if (!proc_is_process(p)) {
		task_cpu_times(task, &times.user, &times.system);
		return times;
	}
	process_cpu_times(process, &times.user, &times.system);
	times.min_flt = process->min_flt;
	times.maj_flt = process->maj_flt;
	TAILQ_FOREACH(thread, &process->tasks, sibling) {
		times.min_flt += thread->min_flt;
		times.maj_flt += thread->maj_flt;
	}
	return times;
}

static uint64_t mm_rss(const struct mm *mm)
{
	return mm ? mm->rss_anon + mm->rss_file + mm->rss_shmem : 0;
}

int proc_show_stat(struct seq *seq, struct pseudo_inode *p)
{
	const struct pid_ns *ns = proc_pid_ns(p->inode.sb);
	struct task *task = pseudo_task(p);
	struct signal_sets sets;
	struct task_times times;
	const struct process *process;
	const struct tty *tty;
	const struct mm *mm;
	struct mm none;

	if (!task)
		return -ESRCH;
	process = task->process;
	memset(&none, 0, sizeof(none));
	mm = task->mm ? task->mm : &none;
	tty = process->session ? process->session->tty : NULL;
	sets = signal_sets(process);
	times = times_of(p, task);
	seq_printf(seq, "%d (%s) %c %d %d %d %d %d 0 %lu %lu %lu %lu %lu %lu %ld %ld %d %d %u 0 %lu %lu %lu %lu",
		proc_is_process(p) ? process_nr(ns, process) : task_nr(ns, task), task->comm, state_letter(task),
		parent_pid(ns, process), pid_ns_nr(ns, process->pgid),
		process->session ? pid_ns_nr(ns, process->session->sid) : 0, tty ? (int)tty->rdev : 0,
		tty ? pid_ns_nr(ns, tty->pgrp) : -1, (unsigned long)times.min_flt, (unsigned long)process->cmin_flt,
		(unsigned long)times.maj_flt, (unsigned long)process->cmaj_flt,
		(unsigned long)(times.user / PROC_USER_HZ_NS), (unsigned long)(times.system / PROC_USER_HZ_NS),
		(long)(process->cutime / PROC_USER_HZ_NS), (long)(process->cstime / PROC_USER_HZ_NS),
		task->rt_priority ? -1 - task->rt_priority : 20 + task->nice, task->nice, process->threads,
		(unsigned long)((task->start_time + (uint64_t)time_ns_offset(CLOCK_BOOTTIME)) / PROC_USER_HZ_NS), (unsigned long)(mm->total_vm * PAGE_SIZE),
		(unsigned long)mm_rss(mm), (unsigned long)process->rlimit[RLIMIT_RSS].cur);
	seq_printf(seq, " %lu %lu %lu 0 0 %lu %lu %lu %lu 0 0 0 %d %u %u %u 0 0 0", (unsigned long)mm->start_code,
		(unsigned long)mm->end_code, (unsigned long)mm->start_stack, (unsigned long)task->pending.set & INT32_MAX,
		(unsigned long)task->blocked & INT32_MAX, (unsigned long)sets.ignored & INT32_MAX,
		(unsigned long)sets.caught & INT32_MAX, process->exit_signal, task->cpu, (unsigned)task->rt_priority,
		(unsigned)task->policy);
	seq_printf(seq, " %lu %lu %lu %lu %lu %lu %lu %d\n", (unsigned long)mm->start_data, (unsigned long)mm->end_data,
		(unsigned long)mm->start_brk, (unsigned long)mm->arg_start, (unsigned long)mm->arg_end,
		(unsigned long)mm->env_start, (unsigned long)mm->env_end, process->exiting ? process->exit_status : 0);
	return 0;
}

int proc_show_statm(struct seq *seq, struct pseudo_inode *p)
{
	struct task *task = pseudo_task(p);
	const struct mm *mm;

	if (!task)
		return -ESRCH;
	mm = task->mm;
	if (!mm)
		seq_puts(seq, "0 0 0 0 0 0 0\n");
	else
		seq_printf(seq, "%lu %lu %lu %lu 0 %lu 0\n", (unsigned long)mm->total_vm, (unsigned long)mm_rss(mm),
			(unsigned long)(mm->rss_file + mm->rss_shmem),
			(unsigned long)((PAGE_ALIGN(mm->end_code) - (mm->start_code & PAGE_MASK)) / PAGE_SIZE),
			(unsigned long)(mm->data_vm + mm->stack_vm));
	return 0;
}

static void status_memory(struct seq *seq, const struct mm *mm)
{
	static const uint64_t kib = PAGE_SIZE / 1024;
	uint64_t text = (PAGE_ALIGN(mm->end_code) - (mm->start_code & PAGE_MASK)) / 1024;
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{"VmPeak", mm->total_vm * kib},
		{"VmSize", mm->total_vm * kib},
		{"VmLck", mm->locked_vm * kib},
		{"VmPin", 0},
		{"VmHWM", MAX(mm->hiwater_rss, mm_rss(mm)) * kib},
		{"VmRSS", mm_rss(mm) * kib},
		{"RssAnon", mm->rss_anon * kib},
		{"RssFile", mm->rss_file * kib},
		{"RssShmem", mm->rss_shmem * kib},
		{"VmData", mm->data_vm * kib},
		{"VmStk", mm->stack_vm * kib},
		{"VmExe", text},
		{"VmLib", 0},
		{"VmPTE", mm->space.tables * kib},
		{"VmSwap", 0},
		{"HugetlbPages", 0},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		seq_printf(seq, "%s:\t%8lu kB\n", rows[i].name, (unsigned long)rows[i].value);
	seq_printf(seq, "CoreDumping:\t0\nTHP_enabled:\t%d\n", !mm->no_huge_pages);
}

/* From the namespace of the mount to the innermost. */
static void status_numbers(struct seq *seq, const struct pid_ns *outer, const struct pid_ns *inner, const char *name, int global)
{
	seq_printf(seq, "%s:", name);
	for (unsigned level = outer->level; level <= inner->level; level++) {
		const struct pid_ns *ns = inner;

		while (ns->level > level)
			ns = ns->parent;
		seq_printf(seq, "\t%d", pid_ns_nr(ns, global));
	}
	seq_puts(seq, "\n");
}

static void status_ids(struct seq *seq, const struct pid_ns *ns, const struct task *task)
{
	const struct process *process = task->process;
	const struct cred *cred = task->cred;
	int sid = process->session ? process->session->sid : 0;

	const struct task *tracer = task->ptrace.tracer;

	seq_printf(seq, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n", process_nr(ns, process),
		task_nr(ns, task), parent_pid(ns, process), tracer ? process_nr(ns, tracer->process) : 0);
	if (cred)
		seq_printf(seq, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", uid_to_user(cred->uid),
			uid_to_user(cred->euid), uid_to_user(cred->suid), uid_to_user(cred->fsuid), gid_to_user(cred->gid),
			gid_to_user(cred->egid), gid_to_user(cred->sgid), gid_to_user(cred->fsgid));
	seq_printf(seq, "FDSize:\t%u\nGroups:\t", task->files ? task->files->size : 0);
	for (unsigned i = 0; cred && cred->groups && i < cred->groups->count; i++)
		seq_printf(seq, "%u ", gid_to_user(cred->groups->gid[i]));
	seq_puts(seq, "\n");
	status_numbers(seq, ns, process->pid_ns, "NStgid", process->pid);
	status_numbers(seq, ns, process->pid_ns, "NSpid", task->tid);
	status_numbers(seq, ns, process->pid_ns, "NSpgid", process->pgid);
	status_numbers(seq, ns, process->pid_ns, "NSsid", sid);
}

static void status_signals(struct seq *seq, const struct task *task)
{
	const struct process *process = task->process;
	struct signal_sets sets = signal_sets(process);

	seq_printf(seq, "Threads:\t%u\nSigQ:\t%u/%lu\n", process->threads, process->sigqueue_count,
		(unsigned long)process->rlimit[RLIMIT_SIGPENDING].cur);
	seq_printf(seq, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n",
		(unsigned long)task->pending.set, (unsigned long)process->pending.set, (unsigned long)task->blocked,
		(unsigned long)sets.ignored, (unsigned long)sets.caught);
}

static void status_capabilities(struct seq *seq, const struct task *task, const struct cred *cred)
{
	seq_printf(seq, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016lx\n",
		(unsigned long)cred->cap_inheritable, (unsigned long)cred->cap_permitted,
		(unsigned long)cred->cap_effective, (unsigned long)cred->cap_bounding, (unsigned long)cred->cap_ambient);
	seq_printf(seq, "NoNewPrivs:\t%d\nSeccomp:\t%u\nSeccomp_filters:\t%u\n", cred->no_new_privs, task->seccomp.mode,
		task->seccomp.count);
}

/* A CPU mask as a list of ranges. */
static void cpu_list(struct seq *seq, uint64_t mask)
{
	const char *comma = "";

	for (unsigned first = 0; first < 64; first++) {
		unsigned last = first;

		if (!(mask >> first & 1))
			continue;
		while (last + 1 < 64 && mask >> (last + 1) & 1)
			last++;
		if (last > first)
			seq_printf(seq, "%s%u-%u", comma, first, last);
		else
			seq_printf(seq, "%s%u", comma, first);
		comma = ",";
		first = last;
	}
}

/* Node 0, in a mask of as many nodes as MAX_NODES. Programs learn from its length how long a mask may be. */
#define NO_NODES "00000000,00000000,00000000,00000000,00000000,00000000,00000000,"
#define NODE_MASK NO_NODES "00000000," NO_NODES "00000000," NO_NODES "00000000," NO_NODES "00000001"

int proc_show_status(struct seq *seq, struct pseudo_inode *p)
{
	struct task *task = pseudo_task(p);
	uint64_t cpus;

	if (!task)
		return -ESRCH;
	seq_puts(seq, "Name:\t");
	seq_escaped(seq, task->comm, "\n\\");
	seq_printf(seq, "\nUmask:\t%04o\nState:\t%s\n", task->fs ? task->fs->umask : 0, state_name(state_letter(task)));
	status_ids(seq, proc_pid_ns(p->inode.sb), task);
	if (task->mm)
		status_memory(seq, task->mm);
	status_signals(seq, task);
	if (task->cred)
		status_capabilities(seq, task, task->cred);
	seq_puts(seq, "Speculation_Store_Bypass:\tunknown\nSpeculationIndirectBranch:\tunknown\n");
	cpus = task->affinity & (cpu_count >= 64 ? ~0ull : (1ull << cpu_count) - 1);
	seq_printf(seq, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t", (unsigned long)cpus);
	cpu_list(seq, cpus);
	seq_printf(seq, "\nMems_allowed:\t" NODE_MASK "\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t%lu\n",
		(unsigned long)task->nvcsw);
	seq_printf(seq, "nonvoluntary_ctxt_switches:\t%lu\n", (unsigned long)task->nivcsw);
	return 0;
}

int proc_show_sched(struct seq *seq, struct pseudo_inode *p)
{
	struct task *task = pseudo_task(p);

	if (!task)
		return -ESRCH;
	seq_printf(seq, "%s (%d, #threads: %u)\n", task->comm, task_nr(proc_pid_ns(p->inode.sb), task), task->process->threads);
	seq_puts(seq, "-------------------------------------------------------------------\n");
	seq_printf(seq, "se.exec_start                                : %20lu.%06lu\n",
		(unsigned long)(task->exec_start / 1000000), (unsigned long)(task->exec_start % 1000000));
	seq_printf(seq, "se.vruntime                                  : %20lu.%06lu\n",
		(unsigned long)(task->vruntime / 1000000), (unsigned long)(task->vruntime % 1000000));
	seq_printf(seq, "se.sum_exec_runtime                          : %20lu.%06lu\n",
		(unsigned long)(task->runtime / 1000000), (unsigned long)(task->runtime % 1000000));
	seq_printf(seq, "nr_switches                                  : %20lu\n", (unsigned long)(task->nvcsw + task->nivcsw));
	seq_printf(seq, "nr_voluntary_switches                        : %20lu\n", (unsigned long)task->nvcsw);
	seq_printf(seq, "nr_involuntary_switches                      : %20lu\n", (unsigned long)task->nivcsw);
	seq_printf(seq, "policy                                       : %20u\n", (unsigned)task->policy);
	seq_printf(seq, "prio                                         : %20d\n", 120 + task->nice);
	return 0;
}

/* Bytes read and written are not counted; the file says so by zeros, as a kernel without that accounting. */
int proc_show_io(struct seq *seq, struct pseudo_inode *p)
{
	struct task *task = pseudo_task(p);
	int rc = task ? proc_may_inspect(task) : -ESRCH;

	if (!rc)
		seq_puts(seq, "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\n"
			"cancelled_write_bytes: 0\n");
	return rc;
}

int proc_show_limits(struct seq *seq, struct pseudo_inode *p)
{
	static const struct {
		const char *name, *unit;
		unsigned resource;
	} rows[] = {
		{"Max cpu time", "seconds", RLIMIT_CPU},
		{"Max file size", "bytes", RLIMIT_FSIZE},
		{"Max data size", "bytes", RLIMIT_DATA},
		{"Max stack size", "bytes", RLIMIT_STACK},
		{"Max core file size", "bytes", RLIMIT_CORE},
		{"Max resident set", "bytes", RLIMIT_RSS},
		{"Max processes", "processes", RLIMIT_NPROC},
		{"Max open files", "files", RLIMIT_NOFILE},
		{"Max locked memory", "bytes", RLIMIT_MEMLOCK},
		{"Max address space", "bytes", RLIMIT_AS},
		{"Max file locks", "locks", RLIMIT_LOCKS},
		{"Max pending signals", "signals", RLIMIT_SIGPENDING},
		{"Max msgqueue size", "bytes", RLIMIT_MSGQUEUE},
		{"Max nice priority", "", RLIMIT_NICE},
		{"Max realtime priority", "", RLIMIT_RTPRIO},
		{"Max realtime timeout", "us", RLIMIT_RTTIME},
	};
	struct task *task = pseudo_task(p);
	char value[2][24];

	if (!task)
		return -ESRCH;
	seq_puts(seq, "Limit                     Soft Limit           Hard Limit           Units     \n");
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct rlimit64_pair *limit = &task->process->rlimit[rows[i].resource];
		const uint64_t numbers[2] = {limit->cur, limit->max};

		for (unsigned k = 0; k < 2; k++) {
			if (numbers[k] == UINT64_MAX)
				snprintf(value[k], sizeof(value[k]), "unlimited");
			else
				snprintf(value[k], sizeof(value[k]), "%lu", (unsigned long)numbers[k]);
		}
		seq_printf(seq, "%-25s %-20s %-20s %-10s\n", rows[i].name, value[0], value[1], rows[i].unit);
	}
	return 0;
}

/* What a sleeping or stopped task is at: its call, the arguments, the stack and instruction pointers. */
int proc_show_syscall(struct seq *seq, struct pseudo_inode *p)
{
	const struct task *task = pseudo_task(p);
	int rc = task ? proc_may_inspect(task) : -ESRCH;

	if (rc)
		return rc;
	const struct regs *regs = task->regs;
	if (task != current && (task->state == TASK_RUNNING || task->state == TASK_RUNNABLE)) {
		seq_puts(seq, "running\n");
	} else if ((int64_t)regs->orig_rax < 0) {
		seq_printf(seq, "-1 0x%lx 0x%lx\n", (unsigned long)regs->rsp, (unsigned long)regs->rip);
	} else {
		seq_printf(seq, "%lu 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx\n", (unsigned long)regs->orig_rax,
			(unsigned long)regs->rdi, (unsigned long)regs->rsi, (unsigned long)regs->rdx, (unsigned long)regs->r10,
			(unsigned long)regs->r8, (unsigned long)regs->r9, (unsigned long)regs->rsp, (unsigned long)regs->rip);
	}
	return 0;
}
