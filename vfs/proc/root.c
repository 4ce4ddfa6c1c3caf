/*
 * The root of proc(5): processes by number, self, thread-self, and the files of global.c. Registers the type.
 */
#include <linux/errno.h>
#include <linux/magic.h>

#include "vfs/fs_init.h"
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
	{.name = "sys", .mode = S_IFDIR | 0555, .children = proc_sys_table},
	{.name = NULL},
};

static const struct pseudo_entry pid_entry = {
	.name = "process entry",
	.mode = S_IFDIR | 0555,
	.children = proc_pid_table,
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
	const struct pseudo_entry *entry = pseudo_find(self_table, dentry->name, dentry->name_len);
	int pid = parse_pid(dentry->name, dentry->name_len);

	if (!entry)
		entry = pseudo_find(proc_global_table, dentry->name, dentry->name_len);
	if (entry) {
		*inode = pseudo_inode_create(dir->sb, entry, NULL, 0, 0);
		return *inode ? 0 : -ENOMEM;
	}
	if (pid) {
		const struct pid_ns *ns = proc_pid_ns(dir->sb);
		struct task *task = task_find_global(pid_ns_global(ns, pid)); /* a thread's number works, unlisted */

		if (!task || !task->process || task->kernel_task || !task_nr(ns, task))
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
	if (!pseudo_emit_table(file, emitter, self_table, PSEUDO_FIRST_COOKIE))
		return 0;
	if (!pseudo_emit_table(file, emitter, proc_global_table, PSEUDO_FIRST_COOKIE + ARRAY_SIZE(self_table)))
		return 0;
	for (;;) {
		char name[12];
		int next = 0, len;

		TAILQ_FOREACH(process, &all_processes, all) {
			int nr = process_nr(proc_pid_ns(file->inode->sb), process);

			if (nr > 0 && (uint64_t)nr + PID_COOKIE > file->pos && (!next || nr < next))
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

static const struct pseudo_entry root_entry = {
	.name = "/",
	.mode = S_IFDIR | 0555,
	.iops = &root_inode_ops,
	.fops = &root_file_ops,
};

static void procfs_destroy(struct superblock *sb)
{
	ns_put(&proc_pid_ns(sb)->ns);
}

static const struct superblock_ops procfs_ops = {.destroy = procfs_destroy};

static int procfs_mount(const struct fs_type *type, const struct mount_args *args, struct superblock **sb)
{
	struct pid_ns *ns = current->process->pid_ns;

	*sb = pseudo_superblock(type, &root_entry, PROC_SUPER_MAGIC);
	if (!*sb)
		return -ENOMEM;
	(*sb)->private = ns;
	(*sb)->ops = &procfs_ops;
	ns_get(&ns->ns);
	return 0;
}

static const struct user_ns *procfs_owner(void)
{
	return current->process->pid_ns->ns.owner;
}

static struct fs_type procfs_type = {.name = "proc", .nodev = true, .in_user_ns = true, .unmasked = true,
	.owner = procfs_owner, .mount = procfs_mount};

void procfs_init(void)
{
	fs_register(&procfs_type);
}
