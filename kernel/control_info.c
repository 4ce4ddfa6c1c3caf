/*
 * What the control channel tells of a container: its processes, what it uses, the sentry's own state; and kill.
 * See kernel/control.h. Only reading a command line sleeps.
 */
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <linux/errno.h>

#include "kernel/control.h"
#include "kernel/files.h"
#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/process.h"
#include "ring0/clock.h"
#include "ring0/lib.h"

#define CHUNK 16384u /* of an answer in several parts */
#define ARGUMENTS_MAX 2048u

int process_number(const struct process *process, const struct container *c)
{
	return process_nr(c->ns->pid_for_children, process);
}

/* ---- kill ---- */

static struct process *find_process(const struct container *c, uint32_t pid)
{
	struct process *process;

	TAILQ_FOREACH(process, &all_processes, all) {
		if (process->container == c && (uint32_t)process_number(process, c) == pid)
			return process;
	}
	return NULL;
}

static int kill_one(struct process *process, uint32_t signal)
{
	struct ksiginfo info = {.signo = (int)signal, .code = SI_USER};

	/* From outside the pid namespace: these two reach even its first process (pid_namespaces(7)). */
	info.forced = signal == SIGKILL || signal == SIGSTOP;
	return signal ? signal_send_process(process, &info) : 0;
}

int control_kill_process(struct container *c, const struct control_kill *order)
{
	struct process *process = order->pid ? find_process(c, order->pid) : c->init, *next;

	if (order->signal > KSIG_MAX || (order->flags & ~CONTROL_KILL_ALL))
		return -EINVAL;
	if (!(order->flags & CONTROL_KILL_ALL))
		return process && !process->zombie ? kill_one(process, order->signal) : -ESRCH;
	int rc = -ESRCH;
	TAILQ_FOREACH_SAFE(process, &all_processes, all, next) {
		if (process->container == c && !process->zombie)
			rc = kill_one(process, order->signal);
	}
	return rc;
}

/* ---- ps ---- */

static struct mm *mm_of(const struct process *process)
{
	struct task *task;

	TAILQ_FOREACH(task, &process->tasks, sibling) {
		if (task->mm)
			return task->mm;
	}
	return NULL;
}

static uint32_t state_letter(const struct process *process)
{
	const struct task *leader = process->leader;

	if (process->zombie)
		return 'Z';
	switch (leader->state) {
	case TASK_STOPPED:
		return 'T';
	case TASK_BLOCKED:
		return leader->block_interruptible ? 'S' : 'D';
	default:
		return 'R';
	}
}

static void fill_process(const struct process *process, const struct container *c, struct control_process *out)
{
	const struct process *parent = process->parent;
	const struct task *leader = process->leader;
	const struct mm *mm = mm_of(process);
	uint64_t user, system;

	memset(out, 0, sizeof(*out));
	process_cpu_times(process, &user, &system);
	out->pid = (uint32_t)process_number(process, c);
	out->ppid = parent && parent->container == c ? (uint32_t)process_number(parent, c) : 0;
	out->uid = leader->cred->euid;
	out->gid = leader->cred->egid;
	out->threads = process->threads;
	out->state = state_letter(process);
	out->start_ns = process->start_time > c->started ? process->start_time - c->started : 0;
	out->cpu_ns = user + system;
	out->rss = mm ? (mm->rss_anon + mm->rss_file + mm->rss_shmem) * PAGE_SIZE : 0;
	memcpy(out->comm, leader->comm, sizeof(out->comm));
	if (process->session->tty)
		out->tty = (uint32_t)tty_number(process->session->tty);
}

/* The container's process with the next higher number, referenced: the list may change while a command line is read. */
static struct process *next_process(const struct container *c, int after)
{
	struct process *process, *next = NULL;

	TAILQ_FOREACH(process, &all_processes, all) {
		if (process->container == c && process->leader && process->pid > after && (!next || process->pid < next->pid))
			next = process;
	}
	if (next)
		process_get(next);
	return next;
}

static uint32_t read_arguments(struct process *process, uint8_t *to)
{
	struct mm *mm = mm_of(process);
	int64_t got = 0;

	if (!mm || mm->arg_end <= mm->arg_start)
		return 0;
	mm_get(mm);
	got = mm_access(mm, mm->arg_start, to, MIN(mm->arg_end - mm->arg_start, (uint64_t)ARGUMENTS_MAX), false, true);
	mm_put(mm);
	return got > 0 ? (uint32_t)got : 0;
}

void control_list_processes(const struct control_target *to)
{
	uint8_t *buffer = kzalloc(CHUNK);
	struct process *process;
	uint32_t used = 0;
	int last = 0;

	if (!buffer) {
		control_refuse(to, -ENOMEM, NULL);
		return;
	}
	while ((process = next_process(to->container, last))) {
		struct control_process entry;

		last = process->pid;
		if (used + sizeof(entry) + ARGUMENTS_MAX > CHUNK) {
			control_reply(to, 0, CONTROL_MORE, buffer, used);
			memset(buffer, 0, CHUNK);
			used = 0;
		}
		fill_process(process, to->container, &entry);
		entry.args_len = read_arguments(process, buffer + used + sizeof(entry));
		memcpy(buffer + used, &entry, sizeof(entry));
		used += (uint32_t)(sizeof(entry) + ((entry.args_len + 7u) & ~7u));
		process_put(process);
	}
	control_reply(to, 0, 0, buffer, used);
	kfree(buffer);
}

/* ---- stats ---- */

/* An address space is counted once, for the first process that has it. */
static bool shared_with_earlier(const struct process *process, const struct mm *mm)
{
	const struct process *earlier = process;

	if (mm->refs == 1)
		return false;
	while ((earlier = TAILQ_PREV(earlier, process_list, all))) {
		if (mm_of(earlier) == mm)
			return true;
	}
	return false;
}

static void add_process(const struct process *process, struct control_stats *stats)
{
	const struct mm *mm = mm_of(process);
	const struct task *task;
	uint64_t user, system;

	if (process->zombie)
		return; /* counted when it ended */
	process_cpu_times(process, &user, &system);
	stats->user_ns += user;
	stats->system_ns += system;
	stats->page_faults += process->min_flt + process->maj_flt;
	stats->major_faults += process->maj_flt;
	stats->context_switches += process->nvcsw + process->nivcsw;
	TAILQ_FOREACH(task, &process->tasks, sibling) {
		stats->page_faults += task->min_flt + task->maj_flt;
		stats->major_faults += task->maj_flt;
		stats->context_switches += task->nvcsw + task->nivcsw;
	}
	if (!mm || shared_with_earlier(process, mm))
		return;
	stats->memory_anon += mm->rss_anon * PAGE_SIZE;
	stats->memory_file += mm->rss_file * PAGE_SIZE;
	stats->memory_shared += mm->rss_shmem * PAGE_SIZE;
	stats->memory_kernel += mm->pt_pages * PAGE_SIZE;
}

void control_fill_stats(struct container *c, struct control_stats *stats)
{
	const struct process *process;
	struct mm_counters all;

	memset(stats, 0, sizeof(*stats));
	stats->user_ns = c->user_ns;
	stats->system_ns = c->system_ns;
	stats->page_faults = c->page_faults;
	stats->major_faults = c->major_faults;
	stats->context_switches = c->switches;
	TAILQ_FOREACH(process, &all_processes, all) {
		if (process->container == c)
			add_process(process, stats);
	}
	mm_counters_read(&all);
	if (TAILQ_NEXT(TAILQ_FIRST(&containers), link) == NULL) {
		/* Alone in its sandbox: what the sandbox uses is its own, cached files and the sentry's structures too. */
		stats->memory_anon = all.anon;
		stats->memory_file = all.cached;
		stats->memory_shared = all.shmem;
		stats->memory_kernel = all.kernel + all.page_tables;
		stats->memory_limit = all.total;
	}
	stats->memory = stats->memory_anon + stats->memory_file + stats->memory_kernel;
	c->memory_peak = MAX(c->memory_peak, stats->memory);
	stats->memory_peak = c->memory_peak;
	stats->tasks = c->tasks;
	stats->tasks_limit = c->tasks_limit;
	stats->oom_kills = c->oom_kills;
	stats->uptime_ns = c->started ? clock_monotonic() - c->started : 0;
}

/* ---- debug ---- */

struct text {
	char *at, *end;
};

static __attribute__((format(printf, 2, 3))) void put(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(text->at, (size_t)(text->end - text->at), format, args);
	va_end(args);
	if (n > 0)
		text->at += MIN(n, (int)(text->end - text->at) - 1);
}

static const char *state_name(const struct task *task)
{
	static const char *const names[] = {"new", "runnable", "running", "blocked", "stopped", "zombie", "dead"};

	return task->state < ARRAY_SIZE(names) ? names[task->state] : "?";
}

static void debug_tasks(struct text *text)
{
	const struct process *process;
	const struct task *task;

	put(text, "%7s %7s %4s %-9s %8s %-16s %s\n", "pid", "tid", "ctr", "state", "cpu ms", "comm", "in call");
	TAILQ_FOREACH(process, &all_processes, all) {
		TAILQ_FOREACH(task, &process->tasks, sibling)
			put(text, "%7d %7d %4u %-9s %8lu %-16s %ld\n", process->pid, task->tid, process->container->id,
				state_name(task), (unsigned long)(task_cpu_ns(task) / 1000000), task->comm,
				task->regs && task->state != TASK_RUNNING ? (long)task->regs->orig_rax : -1);
	}
}

static void debug_counters(struct text *text)
{
	struct mm_counters all;

	mm_counters_read(&all);
	put(text, "memory: total %lu free %lu anon %lu cached %lu shmem %lu kernel %lu page tables %lu\n",
		(unsigned long)all.total, (unsigned long)all.free, (unsigned long)all.anon, (unsigned long)all.cached,
		(unsigned long)all.shmem, (unsigned long)all.kernel, (unsigned long)all.page_tables);
	size_t room = (size_t)(text->end - text->at);
	if (machine->counters && room > 256) {
		machine->counters(text->at, room);
		text->at += strlen(text->at);
		put(text, "\n");
	}
}

static void set_strace(const struct container *c, bool on)
{
	struct process *process;
	struct task *task;

	first_container.config.strace = on;
	TAILQ_FOREACH(process, &all_processes, all) {
		if (process->container != c)
			continue;
		TAILQ_FOREACH(task, &process->tasks, sibling) {
			if (on)
				task_set_work(task, WORK_STRACE);
			else
				__atomic_fetch_and(&task->work, ~WORK_STRACE, __ATOMIC_SEQ_CST);
		}
	}
}

static bool is(const char *what, uint32_t len, const char *name)
{
	return len == strlen(name) && memcmp(what, name, len) == 0;
}

void control_debug(const struct control_target *to, const char *what, uint32_t len)
{
	char *buffer = kmalloc(CHUNK);
	struct text text = {buffer, buffer + CHUNK};

	if (!buffer) {
		control_refuse(to, -ENOMEM, NULL);
		return;
	}
	if (is(what, len, "tasks")) {
		debug_tasks(&text);
	} else if (is(what, len, "mounts") && to->container->ns && to->container->ns->mnt) {
		text.at += files_show_mounts(to->container->ns->mnt, text.at, CHUNK);
	} else if (is(what, len, "counters")) {
		debug_counters(&text);
	} else if (is(what, len, "strace on") || is(what, len, "strace off")) {
		set_strace(to->container, is(what, len, "strace on"));
	} else {
		kfree(buffer);
		control_refuse(to, -EOPNOTSUPP, "known are: tasks, mounts, counters, strace on, strace off");
		return;
	}
	control_reply(to, 0, 0, buffer, (uint32_t)(text.at - buffer));
	kfree(buffer);
}
