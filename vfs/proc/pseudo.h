/*
 * Pseudo file systems: trees of small generated files (proc and sysfs).
 *
 * A tree is made of tables of struct pseudo_entry, ended by an entry without a name. A file's content is made by
 * show() into a struct seq when it is read from its start, and served from there. Entries below a process are the
 * same tables with the process' number in the inode; pseudo_task() gives the task again, or NULL once it has gone.
 */
#ifndef VFS_PROC_PSEUDO_H
#define VFS_PROC_PSEUDO_H

#include "kernel/files.h"
#include "kernel/task.h"
#include "ring0/lib.h"
#include "vfs/vfs.h"

/* Text being made. After `error` (-ENOMEM) everything else is ignored. */
struct seq {
	char *text;
	size_t used, size;
	int error;
};
void seq_printf(struct seq *seq, const char *format, ...) __attribute__((format(printf, 2, 3)));
void seq_write(struct seq *seq, const char *bytes, size_t n);
void seq_puts(struct seq *seq, const char *text);
void seq_escaped(struct seq *seq, const char *text, const char *escape); /* those characters as \ooo */
void seq_free(struct seq *seq);

struct pseudo_entry;

struct pseudo_inode {
	struct inode inode;
	const struct pseudo_entry *entry;
	int pid;        /* process; 0: none */
	int tid;        /* thread below task/; 0: the process */
	int fd;         /* below fd/ and fdinfo/ */
	uint64_t start; /* start time of the task, to know it again */
};

/*
 * mode tells the kind. All may sleep.
 *	S_IFREG  show (required), write or write_as (absent: -EPERM; text is terminated)
 *	S_IFDIR  children, or iops and fops of its own
 *	S_IFLNK  readlink, and getlink for magic links (new references in *path)
 */
struct pseudo_entry {
	const char *name;
	uint32_t mode;
	int (*show)(struct seq *seq, struct pseudo_inode *p);
	int64_t (*write)(struct pseudo_inode *p, const char *text, size_t n);
	/* instead of write, for what asks who opened it */
	int64_t (*write_as)(struct pseudo_inode *p, const struct file *file, const char *text, size_t n);
	bool from_start; /* is written to at position 0 alone; else -EINVAL */
	int64_t (*readlink)(struct pseudo_inode *p, char *buf, size_t size);
	int (*getlink)(struct pseudo_inode *p, struct path *path);
	const struct pseudo_entry *children;
	const struct inode_ops *iops;
	const struct file_ops *fops;
	bool (*valid)(struct pseudo_inode *p); /* absent: as long as the task lives */
	bool (*present)(const struct pseudo_entry *entry); /* absent: it always is in its directory */
	const char *text; /* show(): pseudo_show_text prints it */
};

int pseudo_show_text(struct seq *seq, struct pseudo_inode *p);

static inline struct pseudo_inode *pseudo_of(struct inode *inode)
{
	return container_of(inode, struct pseudo_inode, inode);
}

/* An inode for `entry`; task NULL: below no process. One reference; NULL: no memory. */
struct inode *pseudo_inode_create(struct superblock *sb, const struct pseudo_entry *entry, struct task *task, int tid, int fd);
/* The same place as `parent` one level down. */
struct inode *pseudo_child(struct inode *parent, const struct pseudo_entry *entry);
const struct pseudo_entry *pseudo_find(const struct pseudo_entry *table, const char *name, unsigned len);
int pseudo_lookup(struct inode *dir, struct dentry *dentry, struct inode **inode);
int pseudo_readdir(struct file *file, struct dir_emitter *emitter);
/* Lists a table from the directory's position on; cookies are base + index + 1. false: no more room. */
bool pseudo_emit_table(struct file *file, struct dir_emitter *emitter, const struct pseudo_entry *table, uint64_t base);
struct superblock *pseudo_superblock(const struct fs_type *type, const struct pseudo_entry *root, uint64_t magic);

/* The task of an inode below a process: the thread, or the process' leader. NULL: gone. No reference. */
struct task *pseudo_task(const struct pseudo_inode *p);

/* Inode ops of plain entries; special directories use some of them too. */
extern const struct inode_ops pseudo_inode_ops;
extern const struct file_ops pseudo_file_ops, pseudo_dir_file_ops;
/* For files that add a poll, or something to reading: pseudo_read and these. */
int64_t pseudo_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos);
int64_t pseudo_read_kernel(struct file *file, void *to, size_t n, uint64_t *pos);
int64_t pseudo_write(struct file *file, uaddr_t from, size_t n, uint64_t *pos);
int64_t pseudo_seek(struct file *file, int64_t offset, int whence);
void pseudo_release(struct file *file);
#define PSEUDO_FILE_OPS_BUT_READ \
	.read_kernel = pseudo_read_kernel, .write = pseudo_write, .seek = pseudo_seek, .release = pseudo_release
int pseudo_getattr(struct inode *inode);
int pseudo_revalidate(struct dentry *dentry);
int pseudo_setattr(struct inode *inode, const struct attr_change *change);
void pseudo_destroy(struct inode *inode);

#define PSEUDO_FIRST_COOKIE 2u /* after "." and ".." */

#endif
