/*
 * The common part of proc and sysfs: inodes made from tables, generated files, directories (see pseudo.h).
 *
 * Dentries below a process are checked at each use (pseudo_revalidate()), since processes go without a word to the
 * file layer. Nothing here keeps a reference to a task.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "kernel/user_ns.h"
#include "ring0/usercopy.h"
#include "vfs/proc/pseudo.h"

#define WRITE_LIMIT 4096u

struct task *pseudo_task(const struct pseudo_inode *p)
{
	struct task *task;

	if (!p->pid)
		return NULL;
	if (p->tid) {
		task = task_find_global(p->tid);
	} else {
		struct process *process = process_find_global(p->pid);

		task = process ? process->leader : NULL;
	}
	return task && task->start_time == p->start && task->process && task->process->pid == p->pid ? task : NULL;
}

static uint64_t make_ino(const struct pseudo_entry *entry, int pid, int tid, int fd)
{
	uint64_t h = (uint64_t)(uintptr_t)entry >> 3;

	h = (h ^ (uint64_t)pid << 40 ^ (uint64_t)tid << 20 ^ (uint64_t)fd) * 0x9e3779b97f4a7c15ull;
	return (h >> 16) | 1;
}

static const struct inode_ops pseudo_magic_ops;

struct inode *pseudo_inode_create(struct superblock *sb, const struct pseudo_entry *entry, struct task *task, int tid, int fd)
{
	struct pseudo_inode *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	inode_init(&p->inode, sb, entry->mode);
	p->entry = entry;
	p->tid = tid;
	p->fd = fd;
	if (task) {
		p->pid = task->process->pid;
		p->start = task->start_time;
	}
	p->inode.ops = entry->iops ? entry->iops : entry->getlink ? &pseudo_magic_ops : &pseudo_inode_ops;
	p->inode.file_ops = entry->fops ? entry->fops :
	                    S_ISDIR(entry->mode) ? &pseudo_dir_file_ops : &pseudo_file_ops;
	p->inode.ino = make_ino(entry, p->pid, tid, fd);
	p->inode.nlink = S_ISDIR(entry->mode) ? 2 : 1;
	p->inode.blksize = 1024;
	p->inode.always_empty = S_ISDIR(entry->mode) && !entry->iops && (!entry->children || !entry->children->name);
	p->inode.atime = p->inode.mtime = p->inode.ctime = p->inode.btime = vfs_now();
	pseudo_getattr(&p->inode);
	return &p->inode;
}

struct inode *pseudo_child(struct inode *parent, const struct pseudo_entry *entry)
{
	struct pseudo_inode *p = pseudo_of(parent);
	struct task *task = pseudo_task(p);

	if (p->pid && !task)
		return NULL;
	return pseudo_inode_create(parent->sb, entry, task, p->tid, 0);
}

void pseudo_destroy(struct inode *inode)
{
	inode_release(inode);
	kfree(pseudo_of(inode));
}

/* ---- directories ---- */

const struct pseudo_entry *pseudo_find(const struct pseudo_entry *table, const char *name, unsigned len)
{
	for (; table && table->name; table++)
		if (strlen(table->name) == len && !memcmp(table->name, name, len))
			return table;
	return NULL;
}

int pseudo_lookup(struct inode *dir, struct dentry *dentry, struct inode **inode)
{
	const struct pseudo_entry *entry = pseudo_find(pseudo_of(dir)->entry->children, dentry->name, dentry->name_len);

	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	if (!entry || (entry->present && !entry->present(entry)))
		return -ENOENT;
	*inode = pseudo_child(dir, entry);
	return *inode ? 0 : -ENOENT;
}

bool pseudo_emit_table(struct file *file, struct dir_emitter *emitter, const struct pseudo_entry *table, uint64_t base)
{
	for (uint64_t i = 0; table && table[i].name; i++) {
		const struct pseudo_entry *entry = &table[i];
		const struct pseudo_inode *dir = pseudo_of(file->inode);
		uint64_t cookie = base + i + 1;

		if (file->pos >= cookie || (entry->present && !entry->present(entry)))
			continue;
		if (!emitter->emit(emitter, entry->name, (unsigned)strlen(entry->name),
			    make_ino(entry, dir->pid, dir->tid, 0), entry->mode >> 12 & 15, cookie))
			return false;
		file->pos = cookie;
	}
	return true;
}

int pseudo_readdir(struct file *file, struct dir_emitter *emitter)
{
	if (dir_emit_dots(file, emitter))
		pseudo_emit_table(file, emitter, pseudo_of(file->inode)->entry->children, PSEUDO_FIRST_COOKIE);
	return 0;
}

const struct file_ops pseudo_dir_file_ops = {
	.readdir = pseudo_readdir,
};

/* ---- attributes ---- */

static uint32_t hidden_owner(const struct mm *mm, enum id_kind kind)
{
	uint32_t root = mm->user_ns ? id_in(mm->user_ns, kind, 0) : 0;

	return root == ID_NONE ? 0 : root;
}

int pseudo_getattr(struct inode *inode)
{
	const struct pseudo_inode *p = pseudo_of(inode);
	const struct task *task = pseudo_task(p);

	if (!p->pid)
		return 0;
	if (!task || !task->cred)
		return 0;
	/* Who may not be looked into is root's: proc(5). The directory itself stays its owner's. */
	bool hidden = task->mm && !task->mm->dumpable && p->entry->mode != (S_IFDIR | 0555);

	inode->uid = hidden ? hidden_owner(task->mm, ID_UID) : task->cred->euid;
	inode->gid = hidden ? hidden_owner(task->mm, ID_GID) : task->cred->egid;
	return 0;
}

int pseudo_setattr(struct inode *inode, const struct attr_change *change)
{
	/* O_TRUNC, with the times that go with it, is what a shell says before it writes. */
	return change->valid & (ATTR_MODE | ATTR_UID | ATTR_GID) || !(change->valid & ATTR_SIZE) ? -EPERM : 0;
}

int pseudo_revalidate(struct dentry *dentry)
{
	struct pseudo_inode *p = pseudo_of(dentry->inode);

	if (p->pid)
		pseudo_getattr(dentry->inode);
	if ((p->entry->valid && !p->entry->valid(p)) || (p->entry->present && !p->entry->present(p->entry)))
		return 0;
	return !p->pid || pseudo_task(p);
}

/* ---- links ---- */

static int64_t pseudo_readlink(struct inode *inode, char *buf, size_t size)
{
	struct pseudo_inode *p = pseudo_of(inode);

	return p->entry->readlink ? p->entry->readlink(p, buf, size) : -EINVAL;
}

static int pseudo_getlink(struct inode *inode, struct mount **mount, struct dentry **dentry)
{
	struct pseudo_inode *p = pseudo_of(inode);
	struct path path;
	int rc;

	rc = p->entry->getlink(p, &path);
	if (rc)
		return rc;
	*mount = path.mount;
	*dentry = path.dentry;
	return 0;
}

const struct inode_ops pseudo_inode_ops = {
	.lookup = pseudo_lookup,
	.readlink = pseudo_readlink,
	.getattr = pseudo_getattr,
	.setattr = pseudo_setattr,
	.revalidate = pseudo_revalidate,
	.destroy = pseudo_destroy,
};

/* Links that lead to a file whatever its name: the core follows getlink where there is one. */
static const struct inode_ops pseudo_magic_ops = {
	.readlink = pseudo_readlink,
	.getlink = pseudo_getlink,
	.getattr = pseudo_getattr,
	.setattr = pseudo_setattr,
	.revalidate = pseudo_revalidate,
	.destroy = pseudo_destroy,
};

/* ---- generated files ---- */

int pseudo_show_text(struct seq *seq, struct pseudo_inode *p)
{
	seq_puts(seq, p->entry->text);
	return 0;
}

/* The text as of now; kept for reads that go on from it. */
static int pseudo_generate(struct file *file)
{
	struct pseudo_inode *p = pseudo_of(file->inode);
	struct seq *seq = kzalloc(sizeof(*seq)), *old;
	int rc;

	if (!seq)
		return -ENOMEM;
	rc = p->entry->show(seq, p);
	if (!rc)
		rc = seq->error;
	if (rc) {
		seq_free(seq);
		return rc;
	}
	old = file->private;
	file->private = seq;
	if (old)
		seq_free(old);
	return 0;
}

/* One part of the text from *pos into memory of either kind: `to` NULL: user. */
static int64_t pseudo_do_read(struct file *file, char *to, uaddr_t user, size_t n, uint64_t *pos)
{
	struct seq *seq;
	char *part;
	int rc;

	if (!pseudo_of(file->inode)->entry->show)
		return -EINVAL;
	if (*pos == 0 || !file->private) {
		rc = pseudo_generate(file);
		if (rc)
			return rc;
	}
	seq = file->private;
	if (*pos >= seq->used)
		return 0;
	n = MIN(n, seq->used - (size_t)*pos);
	if (to) {
		memcpy(to, seq->text + *pos, n);
		*pos += n;
		return (int64_t)n;
	}
	part = kmalloc(n); /* the copy sleeps, and another thread may make the text anew meanwhile */
	if (!part)
		return -ENOMEM;
	memcpy(part, seq->text + *pos, n);
	rc = copy_to_user(user, part, n);
	kfree(part);
	if (rc)
		return rc;
	*pos += n;
	return (int64_t)n;
}

int64_t pseudo_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	return pseudo_do_read(file, NULL, to, n, pos);
}

int64_t pseudo_read_kernel(struct file *file, void *to, size_t n, uint64_t *pos)
{
	return pseudo_do_read(file, to, UADDR(0), n, pos);
}

int64_t pseudo_write(struct file *file, uaddr_t from, size_t n, uint64_t *pos)
{
	struct pseudo_inode *p = pseudo_of(file->inode);
	char *text;
	int64_t rc;

	if (!p->entry->write && !p->entry->write_as)
		return -EIO;
	if (n > WRITE_LIMIT || (p->entry->from_start && *pos))
		return -EINVAL;
	text = kmalloc(n + 1);
	if (!text)
		return -ENOMEM;
	rc = copy_from_user(text, from, n);
	text[n] = '\0';
	if (!rc)
		rc = p->entry->write ? p->entry->write(p, text, n) : p->entry->write_as(p, file, text, n);
	kfree(text);
	if (rc > 0)
		*pos += (uint64_t)rc;
	return rc;
}

int64_t pseudo_seek(struct file *file, int64_t offset, int whence)
{
	return file_seek_generic(file, offset, whence, 0);
}

void pseudo_release(struct file *file)
{
	if (file->private)
		seq_free(file->private);
}

const struct file_ops pseudo_file_ops = {
	PSEUDO_FILE_OPS_BUT_READ,
	.read = pseudo_read,
};

struct superblock *pseudo_superblock(const struct fs_type *type, const struct pseudo_entry *root, uint64_t magic)
{
	struct superblock *sb = superblock_create(type, NULL, magic);
	struct inode *inode = sb ? pseudo_inode_create(sb, root, NULL, 0, 0) : NULL;

	if (inode)
		sb->root = dentry_make_root(sb, inode);
	if (!sb || !sb->root)
		return NULL;
	inode->ino = 1;
	return sb;
}
