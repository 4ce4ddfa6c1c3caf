/*
 * A look into the sentry for people: the CONTROL_DEBUG answers, as text in as many parts as needed. See kernel/control.h.
 *
 * Kernel stacks are walked by their frame pointers, inside the task's own stack only. User stacks are read from the
 * container's memory, which may hold anything: a bounded number of frames, each above the one before. That sleeps, so tasks
 * are gone through by number, each with a reference.
 */
#include <linux/errno.h>

#include "kernel/control.h"
#include "kernel/files.h"
#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/process.h"
#include "kernel/syscall.h"
#include "ring0/lib.h"
#include "ring0/memory.h"

#define CHUNK 16384u /* of an answer in several parts */
#define LINE 512u
#define FRAMES 24u
#define SAVED_WORDS 7u /* that context_switch() leaves: r15, r14, r13, r12, rbx, rbp, the return address */
#define SAVED_RBP 5u

struct text {
	const struct control_target *to;
	char *buffer;
	uint32_t used;
};

static __attribute__((format(printf, 2, 3))) void put(struct text *text, const char *format, ...)
{
	va_list args;

	if (text->used > CHUNK - LINE) {
		control_reply(text->to, 0, CONTROL_MORE, text->buffer, text->used);
		text->used = 0;
	}
	va_start(args, format);
	int n = vsnprintf(text->buffer + text->used, LINE, format, args);
	va_end(args);
	if (n > 0)
		text->used += MIN((uint32_t)n, LINE - 1);
}

/* ---- tasks ---- */

static const char *state_name(const struct task *task)
{
	static const char *const names[] = {"new", "runnable", "running", "blocked", "stopped", "zombie", "dead"};

	return task->state < ARRAY_SIZE(names) ? names[task->state] : "?";
}

/* The system call that the task is in, as far as its registers tell. */
static const char *call_name(const struct task *task)
{
	const char *name = NULL;

	if (task->regs && task->state == TASK_BLOCKED)
		name = syscall_name(task->regs->orig_rax);
	return name ? name : "-";
}

static void show_task(struct text *text, const struct task *task)
{
	put(text, "%7d %7d %4u %3u %-9s %8lu %-16s %s\n", task->process->pid, task->tid, task->process->container->id, task->cpu,
		state_name(task), (unsigned long)(task_cpu_ns(task) / 1000000), task->comm, call_name(task));
}

static void show_tasks(struct text *text)
{
	const struct process *process;
	const struct task *task;

	put(text, "%7s %7s %4s %3s %-9s %8s %-16s %s\n", "pid", "tid", "ctr", "cpu", "state", "cpu ms", "comm", "in call");
	TAILQ_FOREACH(process, &all_processes, all) {
		TAILQ_FOREACH(task, &process->tasks, sibling)
			show_task(text, task);
	}
}

/* ---- stacks ---- */

static void show_kernel_address(struct text *text, uint64_t address)
{
	put(text, "    kernel sentry+%#lx\n", (unsigned long)(address - boot_info->image_base));
}

static void show_kernel_stack(struct text *text, const struct task *task)
{
	uint64_t low = (uint64_t)task->kernel_stack, high = low + KERNEL_STACK_SIZE - 2 * sizeof(uint64_t);
	const uint64_t *saved = (const uint64_t *)task->context;

	if (task->context < low || task->context > high - SAVED_WORDS * sizeof(uint64_t))
		return;
	show_kernel_address(text, saved[SAVED_WORDS - 1]);
	for (uint64_t frame = saved[SAVED_RBP], last = task->context, n = 0; n < FRAMES; n++) {
		if (frame <= last || frame > high || frame % sizeof(uint64_t))
			break;
		show_kernel_address(text, ((const uint64_t *)frame)[1]);
		last = frame;
		frame = *(const uint64_t *)frame;
	}
}

/* May sleep. */
static void show_user_address(struct text *text, struct mm *mm, uint64_t address, char *path, size_t size)
{
	const struct vma *vma = mm_find_vma(mm, address);
	const char *place = "?";
	uint64_t offset = address;

	if (vma && vma->start <= address) {
		offset = address - vma->start + vma->offset;
		place = vma->file && file_path(vma->file, path, size) > 0 ? path : vma->name ? vma->name : "anonymous memory";
	}
	put(text, "    user   %#lx %.300s+%#lx\n", (unsigned long)address, place, (unsigned long)offset);
}

static void show_user_stack(struct text *text, const struct task *task, struct mm *mm)
{
	uint64_t frame[2], at = task->regs->rbp, last = task->regs->rsp;
	char *path = kmalloc(PAGE_SIZE);

	if (!path)
		return;
	show_user_address(text, mm, task->regs->rip, path, PAGE_SIZE);
	for (unsigned n = 0; n < FRAMES && at > last; n++) {
		last = at;
		if (mm_access(mm, at, frame, sizeof(frame), false, true) != (int64_t)sizeof(frame) || !frame[1])
			break;
		show_user_address(text, mm, frame[1], path, PAGE_SIZE);
		at = frame[0];
	}
	kfree(path);
}

/* The task with the next higher number, referenced. */
static struct task *next_task(int after)
{
	struct process *process;
	struct task *task, *next = NULL;

	TAILQ_FOREACH(process, &all_processes, all) {
		TAILQ_FOREACH(task, &process->tasks, sibling) {
			if (task->tid > after && (!next || task->tid < next->tid))
				next = task;
		}
	}
	if (next)
		task_get(next);
	return next;
}

/* Which image this is, by its build-id. */
static void show_image(struct text *text)
{
	put(text, "image ");
	for (unsigned i = 0; i < sizeof(boot_info->image_id); i++)
		put(text, "%02x", boot_info->image_id[i]);
	put(text, "\n");
}

static void show_stacks(struct text *text)
{
	struct task *task;
	int last = 0;

	show_image(text);
	while ((task = next_task(last))) {
		struct mm *mm = task->mm;

		last = task->tid;
		show_task(text, task);
		if (task->state == TASK_RUNNING) {
			put(text, "    on its CPU\n");
		} else {
			show_kernel_stack(text, task);
			if (mm && task->regs) {
				mm_get(mm);
				show_user_stack(text, task, mm);
				mm_put(mm);
			}
		}
		task_put(task);
	}
}

/* ---- the rest ---- */

static void show_mounts(struct text *text, struct mnt_ns *mnt)
{
	if (text->used)
		control_reply(text->to, 0, CONTROL_MORE, text->buffer, text->used);
	text->used = (uint32_t)files_show_mounts(mnt, text->buffer, CHUNK);
}

#define N(x) ((unsigned long)(x))

static void show_counters(struct text *text)
{
	struct control_stats *s = kmalloc(sizeof(*s));
	uint64_t limit = CONTROL_LATENCY_FIRST_NS;
	char line[256];

	if (!s)
		return;
	control_fill_stats(text->to->container, s);
	put(text, "container: %lu page faults (%lu from files), %lu task switches, %lu processes ended well, %lu with an error, "
		"%lu by a signal, %lu out of memory\n", N(s->page_faults), N(s->major_faults), N(s->context_switches),
		N(s->exits_success), N(s->exits_failure), N(s->exits_signal), N(s->exits_oom));
	put(text, "sandbox: %lu host calls, %lu ring requests, %lu gofer messages in %lu us\n", N(s->host_calls), N(s->ring_operations),
		N(s->gofer_messages), N(s->gofer_ns / 1000));
	put(text, "gofer messages by time:");
	for (unsigned i = 0; i < CONTROL_LATENCY_BUCKETS; i++, limit *= 2) {
		bool longest = i == CONTROL_LATENCY_BUCKETS - 1;

		put(text, " %s%lu us: %lu", longest ? "over " : "to ", N((longest ? limit / 2 : limit) / 1000), N(s->gofer_latency[i]));
	}
	put(text, "\nnetwork: %lu bytes in %lu packets received, %lu dropped; %lu bytes in %lu packets sent, %lu dropped\n",
		N(s->received_bytes), N(s->received_packets), N(s->received_dropped), N(s->sent_bytes), N(s->sent_packets), N(s->sent_dropped));
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		put(text, "cpu %u: %lu ticks, %lu host calls\n", cpu, N(percpus[cpu].ticks), N(percpus[cpu].host_calls));
	kfree(s);
	if (machine->counters) {
		machine->counters(line, sizeof(line));
		put(text, "%s\n", line);
	}
}

static void show_memory(struct text *text)
{
	const struct process *process;
	struct mm_counters all;

	mm_counters_read(&all);
	put(text, "sandbox, KiB: total %lu free %lu anonymous %lu files %lu shared %lu kernel %lu page tables %lu\n", N(all.total / 1024),
		N(all.free / 1024), N(all.anon / 1024), N(all.cached / 1024), N(all.shmem / 1024), N(all.kernel / 1024),
		N(all.page_tables / 1024));
	put(text, "%7s %4s %10s %10s %10s %10s %10s %s\n", "pid", "ctr", "virtual", "anonymous", "files", "shared", "tables", "comm");
	TAILQ_FOREACH(process, &all_processes, all) {
		const struct mm *mm = control_mm_of(process);

		if (mm)
			put(text, "%7d %4u %10lu %10lu %10lu %10lu %10lu %s\n", process->pid, process->container->id,
				N(mm->total_vm * (PAGE_SIZE / 1024)), N(mm->rss_anon * (PAGE_SIZE / 1024)), N(mm->rss_file * (PAGE_SIZE / 1024)),
				N(mm->rss_shmem * (PAGE_SIZE / 1024)), N(mm->space.tables * (PAGE_SIZE / 1024)),
				process->leader ? process->leader->comm : "?");
	}
}
#undef N

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
	struct text text = {to, kmalloc(CHUNK), 0};
	const struct container *c = to->container;

	if (!text.buffer) {
		control_refuse(to, -ENOMEM, NULL);
		return;
	}
	if (is(what, len, "tasks"))
		show_tasks(&text);
	else if (is(what, len, "stacks"))
		show_stacks(&text);
	else if (is(what, len, "mounts") && c->ns && c->ns->mnt)
		show_mounts(&text, c->ns->mnt);
	else if (is(what, len, "counters"))
		show_counters(&text);
	else if (is(what, len, "memory"))
		show_memory(&text);
	else if (is(what, len, "strace on") || is(what, len, "strace off"))
		set_strace(c, is(what, len, "strace on"));
	else
		to = NULL;
	if (to)
		control_reply(to, 0, 0, text.buffer, text.used);
	else
		control_refuse(text.to, -EOPNOTSUPP, "known are: tasks, stacks, mounts, counters, memory, strace on, strace off");
	kfree(text.buffer);
}
