/*
 * /proc/PID/fd, fdinfo and task: directories whose entries come and go (proc(5)).
 *
 * The name of fd and fdinfo tells which of the two a directory is. A cached entry of fd is checked at each use:
 * the descriptor must still be open. Cookies are 3 + number, so a listing survives changes in between.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "vfs/proc/proc.h"

#define FIRST_COOKIE 3u
#define FDINFO_EXTRA 4096u

/* Number of a decimal name without leading zeros, or -1. */
static int parse_name(const char *name, unsigned len)
{
	int value = 0;

	if (len == 0 || len > 9 || (len > 1 && name[0] == '0'))
		return -1;
	for (unsigned i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		value = value * 10 + name[i] - '0';
	}
	return value;
}

static int emit_number(struct file *file, struct dir_emitter *emitter, int number, unsigned type)
{
	char name[12];
	int len = snprintf(name, sizeof(name), "%d", number);

	if (!emitter->emit(emitter, name, (unsigned)len, (uint64_t)number + 1, type, FIRST_COOKIE + (uint64_t)number))
		return -1;
	file->pos = FIRST_COOKIE + (uint64_t)number;
	return 0;
}

/* The table of a process that may be looked into; NULL with *error. Valid until the next sleep. */
static struct fd_table *files_of(const struct pseudo_inode *p, int *error)
{
	struct task *task = pseudo_task(p);

	*error = task ? proc_may_inspect(task) : -ENOENT;
	if (*error)
		return NULL;
	*error = task->files ? 0 : -ENOENT;
	return task->files;
}

/* A descriptor's file, referenced, or NULL with *error. */
static struct file *file_of(const struct pseudo_inode *p, int *error)
{
	struct fd_table *files = files_of(p, error);
	struct file *file = files ? fd_lookup_table(files, p->fd) : NULL;

	if (files && !file)
		*error = -ENOENT;
	return file;
}

/* ---- entries of fd ---- */

static int fd_getlink(struct pseudo_inode *p, struct path *path)
{
	int rc;
	struct file *file = file_of(p, &rc);

	if (!file)
		return rc;
	rc = file->path.dentry ? 0 : -ENOENT;
	if (!rc) {
		*path = file->path;
		path_get(path);
	}
	file_put(file);
	return rc;
}

static int64_t fd_readlink(struct pseudo_inode *p, char *buf, size_t size)
{
	int rc;
	struct file *file = file_of(p, &rc);
	int64_t n;

	if (!file)
		return rc;
	n = file_path(file, buf, size);
	file_put(file);
	return n;
}

static uint32_t fd_mode(unsigned mode)
{
	return S_IFLNK | (mode & FILE_READ ? 0500 : 0100) | (mode & FILE_WRITE ? 0300 : 0100);
}

/* Still open, and opened the same way. */
static bool fd_valid(struct pseudo_inode *p)
{
	int rc;
	struct file *file = file_of(p, &rc);
	bool same = file && (S_ISREG(p->inode.mode) || p->inode.mode == fd_mode(file->mode));

	if (file)
		file_put(file);
	return same;
}

static const struct pseudo_entry fd_entry = {
	.valid = fd_valid,
	.name = "fd entry",
	.mode = S_IFLNK | 0700,
	.readlink = fd_readlink,
	.getlink = fd_getlink,
};

static int show_fdinfo(struct seq *seq, struct pseudo_inode *p)
{
	int rc;
	struct file *file = file_of(p, &rc);
	char *extra;

	if (!file)
		return rc;
	seq_printf(seq, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t%d\nino:\t%lu\n", (unsigned long)file->pos, file->flags,
		file->path.mount ? file->path.mount->id : 0, (unsigned long)(file->inode ? file->inode->ino : 0));
	extra = file->ops && file->ops->show_fdinfo ? kzalloc(FDINFO_EXTRA) : NULL;
	if (extra) {
		file->ops->show_fdinfo(file, extra, FDINFO_EXTRA);
		seq_puts(seq, extra);
		kfree(extra);
	}
	file_put(file);
	return 0;
}

static const struct pseudo_entry fdinfo_entry = {
	.valid = fd_valid,
	.name = "fdinfo entry",
	.mode = S_IFREG | 0400,
	.show = show_fdinfo,
};

static int fd_lookup(struct inode *dir, struct dentry *dentry, struct inode **inode)
{
	struct pseudo_inode *p = pseudo_of(dir);
	bool info = !strcmp(p->entry->name, "fdinfo");
	int rc, fd = parse_name(dentry->name, dentry->name_len);
	struct fd_table *files = files_of(p, &rc);
	struct file *file;
	unsigned mode;

	if (!files)
		return rc;
	file = fd < 0 ? NULL : fd_lookup_table(files, fd);
	if (!file)
		return -ENOENT;
	mode = file->mode;
	*inode = pseudo_inode_create(dir->sb, info ? &fdinfo_entry : &fd_entry, pseudo_task(p), p->tid, fd);
	file_put(file);
	if (!*inode)
		return -ENOMEM;
	if (!info) /* the owner's bits tell how it was opened */
		(*inode)->mode = fd_mode(mode);
	pseudo_getattr(*inode);
	return 0;
}

static int fd_readdir(struct file *file, struct dir_emitter *emitter)
{
	struct pseudo_inode *p = pseudo_of(file->inode);
	unsigned type = strcmp(p->entry->name, "fdinfo") ? S_IFLNK >> 12 : S_IFREG >> 12;
	struct fd_table *files;
	int rc;

	if (!dir_emit_dots(file, emitter))
		return 0;
	files = files_of(p, &rc);
	if (!files)
		return rc;
	for (uint64_t fd = file->pos < FIRST_COOKIE ? 0 : file->pos - FIRST_COOKIE + 1; fd < files->size; fd++)
		if (files->entries[fd].file && emit_number(file, emitter, (int)fd, type))
			break;
	return 0;
}

/* The entries' dentries: the descriptor must still be there. */
static int fd_permission(struct inode *inode, unsigned mask)
{
	const struct task *task = pseudo_task(pseudo_of(inode));

	if (!task)
		return -ENOENT;
	return proc_may_inspect(task);
}

const struct inode_ops proc_fd_inode_ops = {
	.lookup = fd_lookup,
	.getattr = pseudo_getattr,
	.setattr = pseudo_setattr,
	.permission = fd_permission,
	.revalidate = pseudo_revalidate,
	.destroy = pseudo_destroy,
};

const struct file_ops proc_fd_file_ops = {
	.readdir = fd_readdir,
};

/* ---- task ---- */

static const struct pseudo_entry tid_entry = {
	.name = "task entry",
	.mode = S_IFDIR | 0555,
	.children = proc_tid_table,
};

static int task_lookup(struct inode *dir, struct dentry *dentry, struct inode **inode)
{
	struct task *leader = pseudo_task(pseudo_of(dir));
	int tid = parse_name(dentry->name, dentry->name_len);
	const struct pid_ns *ns = proc_pid_ns(dir->sb);
	struct task *task = tid > 0 ? task_find_global(pid_ns_global(ns, tid)) : NULL;

	if (!leader || !task || task->process != leader->process)
		return -ENOENT;
	*inode = pseudo_inode_create(dir->sb, &tid_entry, task, task->tid, 0);
	if (!*inode)
		return -ENOMEM;
	pseudo_getattr(*inode);
	return 0;
}

static int task_readdir(struct file *file, struct dir_emitter *emitter)
{
	struct task *leader = pseudo_task(pseudo_of(file->inode));
	const struct task *task;

	if (!dir_emit_dots(file, emitter))
		return 0;
	if (!leader)
		return -ENOENT;
	for (;;) { /* the lowest number not shown yet; threads come and go between calls */
		int next = 0;

		TAILQ_FOREACH(task, &leader->process->tasks, sibling) {
			int nr = task_nr(proc_pid_ns(file->inode->sb), task);

			if ((uint64_t)nr + FIRST_COOKIE > file->pos && (!next || nr < next))
				next = nr;
		}
		if (!next || emit_number(file, emitter, next, S_IFDIR >> 12))
			return 0;
	}
}

static int task_getattr(struct inode *inode)
{
	const struct task *leader = pseudo_task(pseudo_of(inode));

	if (leader)
		inode->nlink = 2 + leader->process->threads;
	return pseudo_getattr(inode);
}

const struct inode_ops proc_task_inode_ops = {
	.lookup = task_lookup,
	.getattr = task_getattr,
	.setattr = pseudo_setattr,
	.revalidate = pseudo_revalidate,
	.destroy = pseudo_destroy,
};

const struct file_ops proc_task_file_ops = {
	.readdir = task_readdir,
};
