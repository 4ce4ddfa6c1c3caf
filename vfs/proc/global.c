/*
 * The files at the root of proc(5) that describe the whole system, from the sentry's own counts.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/time.h>

#include "kernel/container.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/time_ns.h"
#include "kernel/uts.h"
#include "ring0/clock.h"
#include "ring0/usercopy.h"
#include "vfs/proc/proc.h"

#define NS_PER_S 1000000000ull
#define KMSG_CHUNK 1024u

static int show_meminfo(struct seq *seq, struct pseudo_inode *p)
{
	struct mm_counters c;
	uint64_t available;

	mm_counters_read(&c);
	available = MIN(c.total, c.free + (c.cached > c.shmem ? c.cached - c.shmem : 0));
	const struct {
		const char *name;
		uint64_t bytes;
	} rows[] = {
		{"MemTotal:", c.total}, {"MemFree:", c.free}, {"MemAvailable:", available}, {"Buffers:", 0},
		{"Cached:", c.cached}, {"SwapCached:", 0}, {"Active:", c.anon + c.cached}, {"Inactive:", 0},
		{"Active(anon):", c.anon}, {"Inactive(anon):", 0},
		{"Active(file):", c.cached > c.shmem ? c.cached - c.shmem : 0}, {"Inactive(file):", 0},
		{"Unevictable:", 0}, {"Mlocked:", 0}, {"SwapTotal:", 0}, {"SwapFree:", 0}, {"Dirty:", 0},
		{"Writeback:", 0}, {"AnonPages:", c.anon}, {"Mapped:", 0}, {"Shmem:", c.shmem}, {"KReclaimable:", 0},
		{"Slab:", c.kernel}, {"SReclaimable:", 0}, {"SUnreclaim:", c.kernel}, {"KernelStack:", 0},
		{"PageTables:", c.page_tables}, {"NFS_Unstable:", 0}, {"Bounce:", 0}, {"WritebackTmp:", 0},
		{"CommitLimit:", c.total}, {"Committed_AS:", c.anon + c.shmem}, {"VmallocTotal:", 1ull << 45},
		{"VmallocUsed:", 0}, {"VmallocChunk:", 0}, {"Percpu:", 0}, {"AnonHugePages:", 0},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		seq_printf(seq, "%-16s%8lu kB\n", rows[i].name, (unsigned long)(rows[i].bytes / 1024));
	seq_puts(seq, "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\n"
		"HugePages_Surp:        0\nHugepagesize:       2048 kB\nHugetlb:               0 kB\n");
	return 0;
}

static uint64_t idle_total(void)
{
	uint64_t idle = 0;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		idle += sched_idle_ns(cpu);
	return idle;
}

static int show_uptime(struct seq *seq, struct pseudo_inode *p)
{
	uint64_t up = clock_boottime() + (uint64_t)time_ns_offset(CLOCK_BOOTTIME), idle = idle_total();

	seq_printf(seq, "%lu.%02lu %lu.%02lu\n", (unsigned long)(up / NS_PER_S),
		(unsigned long)(up % NS_PER_S / PROC_USER_HZ_NS), (unsigned long)(idle / NS_PER_S),
		(unsigned long)(idle % NS_PER_S / PROC_USER_HZ_NS));
	return 0;
}

static int show_loadavg(struct seq *seq, struct pseudo_inode *p)
{
	const struct process *process;
	unsigned threads = 0;
	int last = 0;

	TAILQ_FOREACH(process, &all_processes, all) {
		threads += process->threads;
		last = MAX(last, process->pid);
	}
	if (!current->process->pid_ns->identity)
		last = current->process->pid_ns->last;
	for (unsigned i = 0; i < 3; i++) {
		uint64_t load = sched_loadavg(i) + (1 << 11) / 200;

		seq_printf(seq, "%lu.%02lu ", (unsigned long)(load >> 11), (unsigned long)((load & 2047) * 100 >> 11));
	}
	seq_printf(seq, "%u/%u %d\n", sched_running(), threads, last);
	return 0;
}

static int show_version(struct seq *seq, struct pseudo_inode *p)
{
	seq_printf(seq, "Linux version " UTS_RELEASE " (ringfence@sandbox) (gcc) " UTS_VERSION "\n");
	return 0;
}

static int show_filesystems(struct seq *seq, struct pseudo_inode *p)
{
	const struct fs_type *type;

	TAILQ_FOREACH(type, &all_fs_types, link)
		seq_printf(seq, "%s\t%s\n", type->nodev ? "nodev" : "", type->name);
	return 0;
}

/* System and user time of everything that ran, as far as processes still account for it. */
static void cpu_times(uint64_t *user, uint64_t *system)
{
	struct process *process;

	*user = *system = 0;
	TAILQ_FOREACH(process, &all_processes, all) {
		uint64_t u, s;

		process_cpu_times(process, &u, &s);
		*user += u + process->cutime;
		*system += s + process->cstime;
	}
}

static unsigned count_blocked(void)
{
	const struct process *process;
	const struct task *task;
	unsigned blocked = 0;

	TAILQ_FOREACH(process, &all_processes, all)
		TAILQ_FOREACH(task, &process->tasks, sibling)
			blocked += task->state == TASK_BLOCKED && !task->block_interruptible;
	return blocked;
}

static int show_stat(struct seq *seq, struct pseudo_inode *p)
{
	uint64_t user, system, boot = (uint64_t)clock_realtime() - clock_boottime() - (uint64_t)time_ns_offset(CLOCK_BOOTTIME);
	const struct process *process;
	int processes = 0;

	cpu_times(&user, &system);
	seq_printf(seq, "cpu  %lu 0 %lu %lu 0 0 0 0 0 0\n", (unsigned long)(user / PROC_USER_HZ_NS),
		(unsigned long)(system / PROC_USER_HZ_NS), (unsigned long)(idle_total() / PROC_USER_HZ_NS));
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		seq_printf(seq, "cpu%u %lu 0 %lu %lu 0 0 0 0 0 0\n", cpu,
			(unsigned long)(user / cpu_count / PROC_USER_HZ_NS),
			(unsigned long)(system / cpu_count / PROC_USER_HZ_NS),
			(unsigned long)(sched_idle_ns(cpu) / PROC_USER_HZ_NS));
	TAILQ_FOREACH(process, &all_processes, all)
		processes = MAX(processes, process->pid);
	seq_printf(seq, "intr 0\nctxt 0\nbtime %lu\nprocesses %d\nprocs_running %u\nprocs_blocked %u\n",
		(unsigned long)(boot / NS_PER_S), processes, sched_running(), count_blocked());
	seq_puts(seq, "softirq 0 0 0 0 0 0 0 0 0 0 0\n");
	return 0;
}

static int show_vmstat(struct seq *seq, struct pseudo_inode *p)
{
	struct mm_counters c;
	const struct process *process;
	uint64_t faults = 0, major = 0;

	mm_counters_read(&c);
	TAILQ_FOREACH(process, &all_processes, all) {
		faults += process->min_flt + process->maj_flt;
		major += process->maj_flt;
	}
	seq_printf(seq, "nr_free_pages %lu\nnr_anon_pages %lu\nnr_file_pages %lu\nnr_shmem %lu\nnr_page_table_pages %lu\n",
		(unsigned long)(c.free / PAGE_SIZE), (unsigned long)(c.anon / PAGE_SIZE),
		(unsigned long)(c.cached / PAGE_SIZE), (unsigned long)(c.shmem / PAGE_SIZE),
		(unsigned long)(c.page_tables / PAGE_SIZE));
	seq_printf(seq, "pgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault %lu\npgmajfault %lu\noom_kill 0\n",
		(unsigned long)faults, (unsigned long)major);
	return 0;
}

/* ---- kmsg: the sentry's log, a record a line ---- */

static int64_t kmsg_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	char *chunk = kmalloc(KMSG_CHUNK);
	uint64_t at = file->version;
	int64_t rc;
	size_t got;

	if (!chunk)
		return -ENOMEM;
	got = klog_read(&at, chunk, MIN(n, (size_t)KMSG_CHUNK));
	if (!got) {
		kfree(chunk);
		return file->flags & O_NONBLOCK ? -EAGAIN : 0;
	}
	rc = copy_to_user(to, chunk, got);
	kfree(chunk);
	if (rc)
		return rc;
	file->version = at;
	return (int64_t)got;
}

static const struct file_ops kmsg_file_ops = {
	.read = kmsg_read,
};

static int64_t readlink_self_mounts(struct pseudo_inode *p, char *buf, size_t size)
{
	return snprintf(buf, size, "self/mounts");
}

static int64_t readlink_self_net(struct pseudo_inode *p, char *buf, size_t size)
{
	return snprintf(buf, size, "self/net");
}

/* All in the one hierarchy of version 2. cpuacct is cpu.stat there: runtimes look for it. */
static int show_cgroups(struct seq *seq, struct pseudo_inode *p)
{
	static const char *const names[] = {"cpuset", "cpu", "cpuacct", "blkio", "memory", "pids"};
	unsigned groups = 1 + cgroup_descendants(&current->process->container->cgroup);

	seq_puts(seq, "#subsys_name\thierarchy\tnum_cgroups\tenabled\n");
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		seq_printf(seq, "%s\t0\t%u\t1\n", names[i], groups);
	return 0;
}

#define FILE_R(n, fn) {.name = (n), .mode = S_IFREG | 0444, .show = (fn)}
#define TEXT(n, s) {.name = (n), .mode = S_IFREG | 0444, .show = pseudo_show_text, .text = (s)}

const struct pseudo_entry proc_global_table[] = {
	FILE_R("cgroups", show_cgroups),
	TEXT("cmdline", "ringfence\n"),
	TEXT("consoles", ""),
	FILE_R("cpuinfo", proc_show_cpuinfo),
	TEXT("devices", "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n\n"
		"Block devices:\n"),
	TEXT("diskstats", ""),
	FILE_R("filesystems", show_filesystems),
	FILE_R("key-users", proc_show_key_users),
	FILE_R("keys", proc_show_keys),
	TEXT("interrupts", "           CPU0\n"),
	{.name = "kmsg", .mode = S_IFREG | 0400, .fops = &kmsg_file_ops},
	FILE_R("loadavg", show_loadavg),
	FILE_R("meminfo", show_meminfo),
	TEXT("misc", ""),
	TEXT("modules", ""),
	{.name = "mounts", .mode = S_IFLNK | 0777, .readlink = readlink_self_mounts},
	{.name = "net", .mode = S_IFLNK | 0777, .readlink = readlink_self_net},
	TEXT("partitions", "major minor  #blocks  name\n\n"),
	FILE_R("stat", show_stat),
	{.name = "swaps", .mode = S_IFREG | 0444, .show = pseudo_show_text, .fops = &proc_swaps_file_ops,
		.text = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"},
	FILE_R("uptime", show_uptime),
	FILE_R("version", show_version),
	FILE_R("vmstat", show_vmstat),
	{.name = NULL},
};
