/*
 * What the control channel tells of a container: its processes and what it uses; and kill. See kernel/control.h.
 * Only reading a command line sleeps.
 */
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <linux/errno.h>

#include "kernel/control.h"
#include "kernel/files.h"
#include "kernel/mm/account.h"
#include "kernel/namespaces.h"
#include "kernel/net/inet.h"
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

struct mm *control_mm_of(const struct process *process)
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

static void fill_process(struct process *process, const struct container *c, struct control_process *out)
{
	const struct process *parent = process->parent;
	const struct task *leader = process->leader;
	const struct mm *mm = control_mm_of(process);
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
	struct mm *mm = control_mm_of(process);
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

static void add_process(struct process *process, struct control_stats *stats)
{
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
}

/*
 * Alone in its sandbox a container has what the sandbox uses, cached files and the sentry's structures too; one of several has what
 * its control groups are charged for. memory_file contains memory_shared.
 */
static void fill_memory(struct container *c, struct control_stats *stats)
{
	const struct memory_account *account = c->cgroup.memory;
	const uint64_t *kinds = account->kinds;
	struct mm_counters all;

	mm_counters_read(&all);
	if (TAILQ_NEXT(TAILQ_FIRST(&containers), link) == NULL) {
		stats->memory_anon = all.anon;
		stats->memory_file = all.cached;
		stats->memory_shared = all.shmem;
		stats->memory_kernel = all.kernel + all.page_tables;
		stats->memory_limit = all.total;
	} else {
		stats->memory_anon = kinds[ACCOUNT_ANON] * PAGE_SIZE;
		stats->memory_file = (kinds[ACCOUNT_FILE] + kinds[ACCOUNT_SHMEM]) * PAGE_SIZE;
		stats->memory_shared = kinds[ACCOUNT_SHMEM] * PAGE_SIZE;
		stats->memory_kernel = account_kernel_pages(account) * PAGE_SIZE;
		stats->memory_limit = account->max == ACCOUNT_NO_LIMIT ? 0 : account->max * PAGE_SIZE;
	}
	stats->memory = stats->memory_anon + stats->memory_file + stats->memory_kernel;
	c->memory_peak = MAX(c->memory_peak, stats->memory);
	stats->memory_peak = c->memory_peak;
}

static void add_device(void *arg, const struct inet_device *device)
{
	struct control_stats *stats = arg;

	if (device->loopback)
		return;
	stats->received_bytes += device->received_bytes;
	stats->received_packets += device->received;
	stats->received_dropped += device->receive_dropped;
	stats->sent_bytes += device->sent_bytes;
	stats->sent_packets += device->sent;
	stats->sent_dropped += device->send_dropped;
}

static void fill_sandbox(struct control_stats *stats)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		stats->host_calls += percpus[cpu].host_calls;
	stats->ring_operations = hostring_counters.requests;
	stats->gofer_messages = hostring_counters.gofer_messages;
	stats->gofer_ns = hostring_counters.gofer_ns;
	memcpy(stats->gofer_latency, hostring_counters.gofer_latency, sizeof(stats->gofer_latency));
	inet_for_each_device(add_device, stats);
}

void control_fill_stats(struct container *c, struct control_stats *stats)
{
	struct process *process;

	memset(stats, 0, sizeof(*stats));
	stats->user_ns = c->user_time;
	stats->system_ns = c->system_time;
	stats->page_faults = c->page_faults;
	stats->major_faults = c->major_faults;
	stats->context_switches = c->switches;
	TAILQ_FOREACH(process, &all_processes, all) {
		if (process->container == c)
			add_process(process, stats);
	}
	fill_memory(c, stats);
	stats->tasks = c->cgroup.tasks;
	stats->tasks_limit = c->cgroup.tasks_limit == CGROUP_NO_LIMIT ? 0 : c->cgroup.tasks_limit;
	stats->oom_kills = c->oom_kills;
	stats->exits_success = c->exits_success;
	stats->exits_failure = c->exits_failure;
	stats->exits_signal = c->exits_signal;
	stats->exits_oom = c->exits_oom;
	fill_sandbox(stats);
	stats->uptime_ns = c->started ? clock_monotonic() - c->started : 0;
}
