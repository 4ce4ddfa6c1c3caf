/*
 * The root of proc(5): processes by number, self, thread-self, and the files of global.c.
 */
#include <linux/errno.h>

#include "vfs/proc/proc.h"

#define PID_COOKIE 1000u /* + pid; the fixed entries come before */

static int64_t readlink_self(struct pseudo_inode *p, char *buf, size_t size)
{
	int nr = process_nr(proc_pid_ns(p->inode.sb), current->process);

	return nr ? snprintf(buf, size, "%d", nr) : -ENOENT;
}

static int64_t readlink_thread_self(struct pseudo_inode *p, char *buf, size_t size)
{
	const struct pid_ns *ns = proc_pid_ns(p->inode.sb);
	int nr = process_nr(ns, current->process);

	return nr ? snprintf(buf, size, "%d/task/%d", nr, task_nr(ns, current)) : -ENOENT;
}

static const struct pseudo_entry self_table[] = {
	{.name = "self", .mode = S_IFLNK | 0777, .readlink = readlink_self},
	{.name = "thread-self", .mode = S_IFLNK | 0777, .readlink = readlink_thread_self},
	{.name = NULL},
};

static const struct pseudo_entry sys_table[] = {
	{.name = "sys", .mode = S_IFDIR | 0555, .children = proc_sys_table},
	{.name = NULL},
};

/* What is there beside the processes, and where the cookies of each table begin. subset=pid leaves the first. */
static const struct {
	const struct pseudo_entry *table;
	uint64_t base;
} fixed[] = {
	{self_table, PSEUDO_FIRST_COOKIE},
	{sys_table, PSEUDO_FIRST_COOKIE + ARRAY_SIZE(self_table)},
	{proc_global_table, PSEUDO_FIRST_COOKIE + ARRAY_SIZE(self_table) + ARRAY_SIZE(sys_table)},
};

static unsigned fixed_tables(const struct superblock *sb)
{
	return ((const struct proc_sb *)sb->private)->processes_only ? 1 : ARRAY_SIZE(fixed);
}

/* ---- /proc/PID, where hidepid is asked ---- */

static int pid_dir_getattr(struct inode *inode)
{
	const struct task *task = pseudo_task(pseudo_of(inode));

	if (task && !proc_may_see(inode->sb, task, PROC_HIDE_PROCESSES))
		return -ENOENT;
	return pseudo_getattr(inode);
}

static int pid_dir_permission(struct inode *inode, unsigned mask)
{
	const struct task *task = pseudo_task(pseudo_of(inode));

	if (task && !proc_may_see(inode->sb, task, PROC_HIDE_CONTENT))
		return ((const struct proc_sb *)inode->sb->private)->hide == PROC_HIDE_PROCESSES ? -ENOENT : -EPERM;
	return inode_permission_by_mode(inode, mask);
}

static const struct inode_ops pid_dir_inode_ops = {
	.lookup = pseudo_lookup,
	.getattr = pid_dir_getattr,
	.setattr = pseudo_setattr,
	.permission = pid_dir_permission,
	.revalidate = pseudo_revalidate,
	.destroy = pseudo_destroy,
};

const struct file_ops proc_pid_file_ops = {.readdir = pseudo_readdir};

static const struct pseudo_entry pid_entry = {
	.name = "process entry",
	.mode = S_IFDIR | 0555,
	.children = proc_pid_table,
	.iops = &pid_dir_inode_ops,
	.fops = &proc_pid_file_ops,
};

static int parse_pid(const char *name, unsigned len)
{
	int pid = 0;

	if (len == 0 || len > 9 || name[0] == '0')
		return 0;
	for (unsigned i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return 0;
		pid = pid * 10 + name[i] - '0';
	}
	return pid;
}

static int root_lookup(struct inode *dir, struct dentry *dentry, struct inode **inode)
{
	const struct pseudo_entry *entry = NULL;
	int pid = parse_pid(dentry->name, dentry->name_len);

	const struct proc_sb *info = dir->sb->private;

	for (unsigned i = 0; !entry && i < fixed_tables(dir->sb); i++)
		entry = pseudo_find(fixed[i].table, dentry->name, dentry->name_len);
	if (entry) {
		*inode = pseudo_inode_create(dir->sb, entry, NULL, 0, 0);
		return *inode ? 0 : -ENOMEM;
	}
	if (pid) {
		const struct pid_ns *ns = proc_pid_ns(dir->sb);
		struct task *task = task_find_global(pid_ns_global(ns, pid)); /* a thread's number works, unlisted */

		if (!task || !task->process || task->kernel_task || !task_nr(ns, task))
			return -ENOENT;
		if (info->hide == PROC_HIDE_UNTRACEABLE && !proc_may_see(dir->sb, task, PROC_HIDE_CONTENT))
			return -ENOENT;
		*inode = pseudo_inode_create(dir->sb, &pid_entry, task, task == task->process->leader ? 0 : task->tid, 0);
		if (*inode)
			pseudo_getattr(*inode);
		return *inode ? 0 : -ENOMEM;
	}
	return -ENOENT;
}

static int root_readdir(struct file *file, struct dir_emitter *emitter)
{
	const struct process *process;

	if (!dir_emit_dots(file, emitter))
		return 0;
	for (unsigned i = 0; i < fixed_tables(file->inode->sb); i++) {
		if (!pseudo_emit_table(file, emitter, fixed[i].table, fixed[i].base))
			return 0;
	}
	for (;;) {
		char name[12];
		int next = 0, len;

		TAILQ_FOREACH(process, &all_processes, all) {
			int nr = process_nr(proc_pid_ns(file->inode->sb), process);

			if (nr > 0 && (uint64_t)nr + PID_COOKIE > file->pos && (!next || nr < next) &&
				proc_may_see(file->inode->sb, process->leader, PROC_HIDE_PROCESSES))
				next = nr;
		}
		if (!next)
			return 0;
		len = snprintf(name, sizeof(name), "%d", next);
		if (!emitter->emit(emitter, name, (unsigned)len, (uint64_t)next + PID_COOKIE, S_IFDIR >> 12,
			    (uint64_t)next + PID_COOKIE))
			return 0;
		file->pos = (uint64_t)next + PID_COOKIE;
	}
}

static const struct inode_ops root_inode_ops = {
	.lookup = root_lookup,
	.getattr = pseudo_getattr,
	.setattr = pseudo_setattr,
	.destroy = pseudo_destroy,
};

static const struct file_ops root_file_ops = {
	.readdir = root_readdir,
};

const struct pseudo_entry proc_root_entry = {
	.name = "/",
	.mode = S_IFDIR | 0555,
	.iops = &root_inode_ops,
	.fops = &root_file_ops,
};
