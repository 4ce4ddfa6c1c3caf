/*
 * The tables of /proc/PID and /proc/PID/task/TID, and their small files (proc(5)).
 *
 * Files that look into a process' memory or say where it lies ask proc_may_inspect() first, as ptrace would.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "ring0/usercopy.h"
#include "kernel/container.h"
#include "kernel/time_ns.h"
#include "kernel/user_ns.h"
#include "vfs/anon/anon.h"
#include "vfs/proc/proc.h"

#define STRINGS_LIMIT (2u << 20)
#define MEM_CHUNK 4096u

bool proc_is_process(const struct pseudo_inode *p)
{
	return p->tid == 0;
}

int proc_may_inspect(const struct task *task)
{
	return ptrace_may_access(task, PTRACE_BY_FS_IDS) ? -EACCES : 0;
}

struct mm *proc_mm(const struct pseudo_inode *p, bool inspect, int *error)
{
	struct task *task = pseudo_task(p);
	struct task *thread;

	*error = task ? 0 : -ESRCH;
	if (!task)
		return NULL;
	if (inspect) {
		*error = proc_may_inspect(task);
		if (*error)
			return NULL;
	}
	if (task->mm) {
		mm_get(task->mm);
		return task->mm;
	}
	TAILQ_FOREACH(thread, &task->process->tasks, sibling) { /* the leader may have left before the others */
		if (thread->mm) {
			mm_get(thread->mm);
			return thread->mm;
		}
	}
	return NULL;
}

/* ---- strings of the process ---- */

static int show_memory(struct seq *seq, struct mm *mm, uint64_t start, uint64_t end)
{
	char *chunk;

	if (end <= start)
		return 0;
	end = MIN(end, start + STRINGS_LIMIT);
	chunk = kmalloc(MEM_CHUNK);
	if (!chunk)
		return -ENOMEM;
	while (start < end) {
		int64_t n = mm_access(mm, start, chunk, MIN(end - start, (uint64_t)MEM_CHUNK), false, true);

		if (n <= 0)
			break;
		seq_write(seq, chunk, (size_t)n);
		start += (uint64_t)n;
	}
	kfree(chunk);
	return 0;
}

static int show_cmdline(struct seq *seq, struct pseudo_inode *p)
{
	int rc;
	struct mm *mm = proc_mm(p, false, &rc);

	if (!mm)
		return rc;
	rc = show_memory(seq, mm, mm->arg_start, mm->arg_end);
	if (!rc && seq->used && seq->text[seq->used - 1] && mm->env_start == mm->arg_end) {
		/* setproctitle: the arguments were written over, on into the environment */
		rc = show_memory(seq, mm, mm->env_start, mm->env_end);
		seq->used = strnlen(seq->text, seq->used);
	}
	mm_put(mm);
	return rc;
}

static int show_environ(struct seq *seq, struct pseudo_inode *p)
{
	int rc;
	struct mm *mm = proc_mm(p, true, &rc);

	if (!mm)
		return rc;
	rc = show_memory(seq, mm, mm->env_start, mm->env_end);
	mm_put(mm);
	return rc;
}

static int show_auxv(struct seq *seq, struct pseudo_inode *p)
{
	int rc;
	struct mm *mm = proc_mm(p, true, &rc);
	unsigned i = 0;

	if (!mm)
		return rc;
	while (i + 2 < ARRAY_SIZE(mm->saved_auxv) && mm->saved_auxv[i])
		i += 2;
	seq_write(seq, (const char *)mm->saved_auxv, (i + 2) * sizeof(mm->saved_auxv[0]));
	mm_put(mm);
	return 0;
}

/* ---- one-line files ---- */

static int show_comm(struct seq *seq, struct pseudo_inode *p)
{
	struct task *task = pseudo_task(p);

	if (!task)
		return -ESRCH;
	seq_printf(seq, "%s\n", task->comm);
	return 0;
}

static int64_t write_comm(struct pseudo_inode *p, const char *text, size_t n)
{
	struct task *task = pseudo_task(p);
	const char *newline = strchr(text, '\n');
	size_t len = newline ? (size_t)(newline - text) : strlen(text);

	if (!task)
		return -ESRCH;
	if (task->process != current->process)
		return -EINVAL;
	len = MIN(len, sizeof(task->comm) - 1);
	memset(task->comm, 0, sizeof(task->comm));
	memcpy(task->comm, text, len);
	return (int64_t)n;
}

static int show_oom_score_adj(struct seq *seq, struct pseudo_inode *p)
{
	struct task *task = pseudo_task(p);

	if (!task)
		return -ESRCH;
	seq_printf(seq, "%d\n", task->process->oom_score_adj);
	return 0;
}

static int show_oom_adj(struct seq *seq, struct pseudo_inode *p)
{
	struct task *task = pseudo_task(p);

	if (!task)
		return -ESRCH;
	seq_printf(seq, "%d\n", task->process->oom_score_adj * 17 / 1000);
	return 0;
}

static int64_t write_oom_score_adj(struct pseudo_inode *p, const char *text, size_t n)
{
	struct task *task = pseudo_task(p);
	bool negative = *text == '-';
	int value = 0;

	if (!task)
		return -ESRCH;
	text += negative;
	if (*text < '0' || *text > '9')
		return -EINVAL;
	while (*text >= '0' && *text <= '9' && value <= 1000)
		value = value * 10 + *text++ - '0';
	if (value > 1000 || (*text && *text != '\n'))
		return -EINVAL;
	value = negative ? -value : value;
	if (value < task->process->oom_score_adj && !capable(CAP_SYS_RESOURCE))
		return -EACCES;
	task->process->oom_score_adj = value;
	return (int64_t)n;
}

/* Share of memory in thousandths, moved by the adjustment: as Linux' badness. */
static int show_oom_score(struct seq *seq, struct pseudo_inode *p)
{
	struct task *task = pseudo_task(p);
	struct mm_counters counters;
	int64_t score = 0;

	if (!task)
		return -ESRCH;
	mm_counters_read(&counters);
	if (task->mm && counters.total) {
		uint64_t pages = task->mm->rss_anon + task->mm->rss_file + task->mm->rss_shmem + task->mm->space.tables;

		score = (int64_t)(pages * PAGE_SIZE * 1000 / counters.total);
	}
	score = 666 + (score + task->process->oom_score_adj) * 2 / 3;
	seq_printf(seq, "%ld\n", (long)(score < 0 ? 0 : score));
	return 0;
}

static int show_id_map(struct seq *seq, struct pseudo_inode *p, enum id_kind kind)
{
	const struct task *task = pseudo_task(p);
	uint32_t line[3];

	if (!task)
		return -ESRCH;
	for (unsigned i = 0; user_ns_map_line(task->cred->user_ns, kind, current->cred, i, line); i++)
		seq_printf(seq, "%10u %10u %10u\n", line[0], line[1], line[2]);
	return 0;
}

static int show_uid_map(struct seq *seq, struct pseudo_inode *p)
{
	return show_id_map(seq, p, ID_UID);
}

static int show_gid_map(struct seq *seq, struct pseudo_inode *p)
{
	return show_id_map(seq, p, ID_GID);
}

static int64_t write_uid_map(struct pseudo_inode *p, const struct file *file, const char *text, size_t n)
{
	const struct task *task = pseudo_task(p);

	return task ? user_ns_write_map(task->cred->user_ns, ID_UID, file->cred, text, n) : -ESRCH;
}

static int64_t write_gid_map(struct pseudo_inode *p, const struct file *file, const char *text, size_t n)
{
	const struct task *task = pseudo_task(p);

	return task ? user_ns_write_map(task->cred->user_ns, ID_GID, file->cred, text, n) : -ESRCH;
}

static int show_time_offsets(struct seq *seq, struct pseudo_inode *p)
{
	const struct task *task = pseudo_task(p);
	char text[128];

	if (!task || !task->ns)
		return -ESRCH;
	time_ns_show(task->ns->time_for_children, text, sizeof(text));
	seq_puts(seq, text);
	return 0;
}

static int64_t write_time_offsets(struct pseudo_inode *p, const struct file *file, const char *text, size_t n)
{
	const struct task *task = pseudo_task(p);

	return task && task->ns ? time_ns_write(task->ns->time_for_children, file->cred, text, n) : -ESRCH;
}

static int show_setgroups(struct seq *seq, struct pseudo_inode *p)
{
	const struct task *task = pseudo_task(p);

	if (!task)
		return -ESRCH;
	seq_puts(seq, task->cred->user_ns->setgroups_denied ? "deny\n" : "allow\n");
	return 0;
}

static int64_t write_setgroups(struct pseudo_inode *p, const struct file *file, const char *text, size_t n)
{
	const struct task *task = pseudo_task(p);

	if (!task)
		return -ESRCH;
	if (!cred_ns_capable(file->cred, task->cred->user_ns, CAP_SYS_ADMIN))
		return -EACCES;
	return user_ns_write_setgroups(task->cred->user_ns, text, n);
}

static int show_personality(struct seq *seq, struct pseudo_inode *p)
{
	struct task *task = pseudo_task(p);

	if (!task)
		return -ESRCH;
	seq_printf(seq, "%08x\n", task->process->personality);
	return 0;
}

static int show_timerslack(struct seq *seq, struct pseudo_inode *p)
{
	struct task *task = pseudo_task(p);

	if (!task)
		return -ESRCH;
	seq_printf(seq, "%lu\n", (unsigned long)task->timer_slack);
	return 0;
}

static int show_schedstat(struct seq *seq, struct pseudo_inode *p)
{
	struct task *task = pseudo_task(p);

	if (!task)
		return -ESRCH;
	seq_printf(seq, "%lu 0 %lu\n", (unsigned long)task->runtime, (unsigned long)(task->nvcsw + task->nivcsw));
	return 0;
}

/* The calls that wait are not told apart. */
static int show_wchan(struct seq *seq, struct pseudo_inode *p)
{
	if (!pseudo_task(p))
		return -ESRCH;
	seq_puts(seq, "0");
	return 0;
}

static int show_children(struct seq *seq, struct pseudo_inode *p)
{
	struct task *task = pseudo_task(p);
	const struct process *child;

	if (!task)
		return -ESRCH;
	TAILQ_FOREACH(child, &task->process->children, sibling)
		seq_printf(seq, "%d ", process_nr(proc_pid_ns(p->inode.sb), child));
	return 0;
}

/* ---- mem ---- */

/*
 * The descriptor is for the memory that the process has now. After an execve it reads and writes nothing: a set-id
 * program could be made to write its output over its own memory.
 */
static int mem_open(struct inode *inode, struct file *file)
{
	int rc;
	struct mm *mm = proc_mm(pseudo_of(inode), true, &rc);

	if (!mm)
		return rc;
	file->private = (void *)(uintptr_t)mm->space.id;
	mm_put(mm);
	return 0;
}

static int64_t mem_access(struct file *file, uaddr_t user, size_t n, uint64_t *pos, bool write)
{
	int rc;
	struct mm *mm = proc_mm(pseudo_of(file->inode), true, &rc);
	char *chunk;
	size_t done = 0;
	int64_t got = 0;

	if (mm && mm->space.id != (uint64_t)(uintptr_t)file->private) {
		mm_put(mm);
		return 0;
	}
	chunk = kmalloc(MEM_CHUNK);
	if (!mm || !chunk)
		got = mm ? -ENOMEM : rc;
	while (got >= 0 && mm && done < n) {
		size_t part = MIN(n - done, (size_t)MEM_CHUNK);

		if (write && copy_from_user(chunk, uaddr_add(user, done), part)) {
			got = -EFAULT;
			break;
		}
		got = mm_access(mm, *pos, chunk, part, write, true);
		if (got <= 0)
			break;
		if (!write && copy_to_user(uaddr_add(user, done), chunk, (size_t)got)) {
			got = -EFAULT;
			break;
		}
		done += (size_t)got;
		*pos += (uint64_t)got;
		if (!(done % BREATH_BYTES) && task_breathe())
			break;
	}
	kfree(chunk);
	if (mm)
		mm_put(mm);
	if (done)
		return (int64_t)done;
	return got == -EFAULT ? -EIO : got;
}

static int64_t mem_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	return mem_access(file, to, n, pos, false);
}

static int64_t mem_write(struct file *file, uaddr_t from, size_t n, uint64_t *pos)
{
	return mem_access(file, from, n, pos, true);
}

static int64_t mem_seek(struct file *file, int64_t offset, int whence)
{
	if (whence == 0)
		file->pos = (uint64_t)offset;
	else if (whence == 1)
		file->pos += (uint64_t)offset;
	else
		return -EINVAL;
	return (int64_t)file->pos;
}

static const struct inode_ops mem_inode_ops = {
	.open = mem_open,
	.getattr = pseudo_getattr,
	.setattr = pseudo_setattr,
	.revalidate = pseudo_revalidate,
	.destroy = pseudo_destroy,
};

static const struct file_ops mem_file_ops = {
	.read = mem_read,
	.write = mem_write,
	.seek = mem_seek,
};

/* ---- links ---- */

static int64_t print_path(const struct path *path, char *buf, size_t size)
{
	char *text = path_print_reached(path, &current->fs->root, buf, size);
	size_t len;

	if (!text)
		return -ENAMETOOLONG;
	len = strlen(text);
	memmove(buf, text, len);
	return (int64_t)len;
}

static int link_exe(struct pseudo_inode *p, struct path *path)
{
	int rc;
	struct mm *mm = proc_mm(p, true, &rc);

	if (!mm)
		return rc ? rc : -ENOENT;
	rc = mm->exe && mm->exe->path.dentry ? 0 : -ENOENT;
	if (!rc) {
		*path = mm->exe->path;
		path_get(path);
	}
	mm_put(mm);
	return rc;
}

static int link_place(struct pseudo_inode *p, struct path *path, bool root)
{
	struct task *task = pseudo_task(p);
	int rc = task ? proc_may_inspect(task) : -ENOENT;

	if (rc)
		return rc;
	if (!task->fs)
		return -ENOENT;
	*path = root ? task->fs->root : task->fs->cwd;
	path_get(path);
	return 0;
}

static int link_cwd(struct pseudo_inode *p, struct path *path)
{
	return link_place(p, path, false);
}

static int link_root(struct pseudo_inode *p, struct path *path)
{
	return link_place(p, path, true);
}

static int64_t readlink_path(struct pseudo_inode *p, char *buf, size_t size)
{
	struct path path;
	int64_t rc = p->entry->getlink(p, &path);

	if (rc)
		return rc;
	rc = print_path(&path, buf, size);
	path_put(&path);
	return rc;
}

/* The namespace that the link's name tells, referenced. */
static int find_ns(struct pseudo_inode *p, struct ns **ns)
{
	const char *name = p->entry->name;
	bool for_children = strstr(name, "_for_children");
	struct task *task = pseudo_task(p);
	unsigned kind = 0;
	int rc = task ? proc_may_inspect(task) : -ENOENT;

	if (rc)
		return rc;
	while (kind < NS_KINDS - 1 && strncmp(name, ns_kind_name(kind), strlen(ns_kind_name(kind))))
		kind++;
	*ns = ns_of_task(task, kind, for_children);
	return *ns ? 0 : -ENOENT;
}

static int64_t readlink_ns(struct pseudo_inode *p, char *buf, size_t size)
{
	struct ns *ns;
	int64_t rc = find_ns(p, &ns);

	if (rc)
		return rc;
	rc = snprintf(buf, size, "%s:[%u]", ns_kind_name(ns->kind), ns->inum);
	ns_put(ns);
	return rc;
}

static int link_ns(struct pseudo_inode *p, struct path *path)
{
	struct ns *ns;
	int rc = find_ns(p, &ns);

	return rc ? rc : nsfs_path(ns, path);
}

static int show_cgroup(struct seq *seq, struct pseudo_inode *p)
{
	const struct task *task = pseudo_task(p);
	char path[512];

	if (!task)
		return -ESRCH;
	cgroup_path(task->process->cgroup, task->process->container == current->process->container ? cgroup_ns_root() :
		&task->process->container->cgroup, path, sizeof(path));
	seq_printf(seq, "0::%s\n", path);
	return 0;
}

#define LINK(n, get) {.name = (n), .mode = S_IFLNK | 0777, .readlink = readlink_path, .getlink = (get)}
#define FILE_R(n, m, fn) {.name = (n), .mode = S_IFREG | (m), .show = (fn)}
#define TEXT(n, s) {.name = (n), .mode = S_IFREG | 0444, .show = pseudo_show_text, .text = (s)}
#define NS(n) {.name = (n), .mode = S_IFLNK | 0777, .readlink = readlink_ns, .getlink = link_ns}

static const struct pseudo_entry ns_table[] = {
	NS("cgroup"), NS("ipc"), NS("mnt"), NS("net"), NS("pid"), NS("pid_for_children"), NS("time"),
	NS("time_for_children"), NS("user"), NS("uts"), {.name = NULL},
};

/* What a process and a thread both have. */
#define COMMON_ENTRIES \
	FILE_R("auxv", 0400, show_auxv), \
	FILE_R("cgroup", 0444, show_cgroup), \
	FILE_R("cmdline", 0444, show_cmdline), \
	{.name = "comm", .mode = S_IFREG | 0644, .show = show_comm, .write = write_comm}, \
	TEXT("coredump_filter", "00000033\n"), \
	TEXT("cpuset", "/\n"), \
	LINK("cwd", link_cwd), \
	FILE_R("environ", 0400, show_environ), \
	LINK("exe", link_exe), \
	{.name = "gid_map", .mode = S_IFREG | 0644, .show = show_gid_map, .write_as = write_gid_map, .from_start = true}, \
	FILE_R("io", 0400, proc_show_io), \
	FILE_R("limits", 0444, proc_show_limits), \
	TEXT("loginuid", "4294967295"), \
	FILE_R("maps", 0444, proc_show_maps), \
	{.name = "mem", .mode = S_IFREG | 0600, .iops = &mem_inode_ops, .fops = &mem_file_ops}, \
	{.name = "mountinfo", .mode = S_IFREG | 0444, .show = proc_show_mountinfo, .fops = &proc_mounts_file_ops}, \
	{.name = "mounts", .mode = S_IFREG | 0444, .show = proc_show_mounts, .fops = &proc_mounts_file_ops}, \
	{.name = "net", .mode = S_IFDIR | 0555, .children = proc_net_table}, \
	{.name = "ns", .mode = S_IFDIR | 0511, .children = ns_table}, \
	FILE_R("oom_adj", 0444, show_oom_adj), \
	FILE_R("oom_score", 0444, show_oom_score), \
	{.name = "oom_score_adj", .mode = S_IFREG | 0644, .show = show_oom_score_adj, .write = write_oom_score_adj}, \
	FILE_R("personality", 0400, show_personality), \
	TEXT("projid_map", "         0          0 4294967295\n"), \
	LINK("root", link_root), \
	FILE_R("sched", 0444, proc_show_sched), \
	FILE_R("schedstat", 0444, show_schedstat), \
	TEXT("sessionid", "4294967295"), \
	{.name = "setgroups", .mode = S_IFREG | 0644, .show = show_setgroups, .write_as = write_setgroups, .from_start = true}, \
	FILE_R("numa_maps", 0444, proc_show_numa_maps), \
	FILE_R("smaps", 0444, proc_show_smaps), \
	FILE_R("smaps_rollup", 0444, proc_show_smaps_rollup), \
	FILE_R("stat", 0444, proc_show_stat), \
	FILE_R("statm", 0444, proc_show_statm), \
	FILE_R("status", 0444, proc_show_status), \
	FILE_R("syscall", 0400, proc_show_syscall), \
	{.name = "uid_map", .mode = S_IFREG | 0644, .show = show_uid_map, .write_as = write_uid_map, .from_start = true}, \
	FILE_R("wchan", 0444, show_wchan), \
	{.name = "fd", .mode = S_IFDIR | 0500, .iops = &proc_fd_inode_ops, .fops = &proc_fd_file_ops}, \
	{.name = "fdinfo", .mode = S_IFDIR | 0555, .iops = &proc_fd_inode_ops, .fops = &proc_fd_file_ops}

const struct pseudo_entry proc_pid_table[] = {
	COMMON_ENTRIES,
	FILE_R("mountstats", 0400, proc_show_mountstats),
	{.name = "timens_offsets", .mode = S_IFREG | 0644, .show = show_time_offsets, .write_as = write_time_offsets, .from_start = true},
	FILE_R("timerslack_ns", 0444, show_timerslack),
	{.name = "task", .mode = S_IFDIR | 0555, .iops = &proc_task_inode_ops, .fops = &proc_task_file_ops},
	{.name = NULL},
};

const struct pseudo_entry proc_tid_table[] = {
	COMMON_ENTRIES,
	FILE_R("children", 0444, show_children),
	{.name = NULL},
};
