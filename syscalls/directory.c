/*
 * System calls on directories and names: getdents, getcwd, chdir, chroot, rename, mkdir,
 * link, unlink, symlink, readlink, mknod.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "kernel/files.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/path.h"
#include "syscalls/syscalls.h"
#include "vfs/calls.h"
#include "vfs/vfs.h"

#define PATH_BUFFER 4096u
#define DIRENT_CHUNK 32768u
#define DIRENT64_HEAD 19u /* ino, off, reclen, type */
#define DIRENT_HEAD 18u   /* ino, off, reclen; the type is the record's last byte */

/* ---- getdents ---- */

struct listing {
	struct dir_emitter emitter;
	struct file *file;
	char *buffer;
	size_t size, used;
	bool old_form; /* getdents(2), not getdents64(2) */
};

static bool emit_entry(struct dir_emitter *emitter, const char *name, unsigned len, uint64_t ino, unsigned type,
	uint64_t next)
{
	struct listing *l = container_of(emitter, struct listing, emitter);
	size_t head = l->old_form ? DIRENT_HEAD : DIRENT64_HEAD;
	size_t record = (head + len + (l->old_form ? 2 : 1) + 7) & ~(size_t)7;
	uint16_t reclen = (uint16_t)record;
	char *at = l->buffer + l->used;

	if (record > l->size - l->used)
		return false;
	memset(at + record - 8, 0, 8);
	memcpy(at, &ino, 8);
	memcpy(at + 8, &next, 8);
	memcpy(at + 16, &reclen, 2);
	if (l->old_form)
		at[record - 1] = (char)type;
	else
		at[18] = (char)type;
	memcpy(at + head, name, len);
	at[head + len] = 0;
	l->used += record;
	l->file->pos = next;
	return true;
}

static int64_t list_directory(struct listing *l)
{
	struct file *file = l->file;
	uint64_t before;
	int rc;

	if (!file->ops->readdir)
		return -ENOTDIR;
	if (file->path.dentry && dentry_is_dead(file->path.dentry))
		return -ENOENT;
	mutex_lock(&file->pos_lock);
	before = file->pos;
	rc = file->ops->readdir(file, &l->emitter);
	if (!rc && !l->used && file->pos == before) {
		/* Nothing fitted, or nothing is left: one more entry would tell. */
		l->size = DIRENT_CHUNK;
		rc = file->ops->readdir(file, &l->emitter);
		file->pos = before;
		if (!rc)
			rc = l->used ? -EINVAL : 0;
		l->used = 0;
	}
	mutex_unlock(&file->pos_lock);
	if (!rc)
		file_accessed(file);
	return rc ? rc : (int64_t)l->used;
}

static int64_t getdents(int fd, uaddr_t user, uint64_t size, bool old_form)
{
	struct listing l = {.emitter.emit = emit_entry, .old_form = old_form};
	int64_t rc;

	l.file = fd_file(fd);
	if (!l.file)
		return -EBADF;
	l.buffer = kmalloc(DIRENT_CHUNK);
	l.size = size < DIRENT_CHUNK ? size : DIRENT_CHUNK;
	rc = l.buffer ? list_directory(&l) : -ENOMEM;
	if (rc > 0 && copy_to_user(user, l.buffer, (size_t)rc))
		rc = -EFAULT;
	kfree(l.buffer);
	file_put(l.file);
	return rc;
}

int64_t sys_getdents(struct regs *regs)
{
	return getdents(INT0(regs), PTR1(regs), (unsigned)ARG2(regs), true);
}

int64_t sys_getdents64(struct regs *regs)
{
	return getdents(INT0(regs), PTR1(regs), (unsigned)ARG2(regs), false);
}

/* ---- where we are ---- */

int64_t sys_getcwd(struct regs *regs)
{
	struct fs_context *fs = current->fs;
	int64_t rc = -ENAMETOOLONG;
	char *buffer, *text;
	size_t len;

	if (dentry_is_dead(fs->cwd.dentry))
		return -ENOENT;
	buffer = kmalloc(PATH_BUFFER);
	if (!buffer)
		return -ENOMEM;
	text = path_print(&fs->cwd, &fs->root, buffer, PATH_BUFFER);
	if (text) {
		len = (size_t)(buffer + PATH_BUFFER - text);
		rc = len > ARG1(regs) ? -ERANGE : copy_to_user(PTR0(regs), text, len);
		rc = rc ? rc : (int64_t)len;
	}
	kfree(buffer);
	return rc;
}

int64_t sys_chdir(struct regs *regs)
{
	struct path path;
	int rc = path_lookup_user(AT_FDCWD, PTR0(regs), LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &path);

	if (rc)
		return rc;
	rc = vfs_set_cwd(&path);
	path_put(&path);
	return rc;
}

int64_t sys_fchdir(struct regs *regs)
{
	struct file *file = fd_file_any(INT0(regs));
	int rc = -ENOTDIR;

	if (!file)
		return -EBADF;
	if (file->inode && S_ISDIR(file->inode->mode) && file->path.dentry)
		rc = vfs_set_cwd(&file->path);
	file_put(file);
	return rc;
}

int64_t sys_chroot(struct regs *regs)
{
	struct path path;
	int rc = path_lookup_user(AT_FDCWD, PTR0(regs), LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &path);

	if (rc)
		return rc;
	rc = vfs_set_root(&path);
	path_put(&path);
	return rc;
}

/* ---- names ---- */

static int64_t mkdir_at(int dirfd, uaddr_t name, uint64_t mode)
{
	int rc;
	char *text = path_from_user(name, false, &rc);

	if (!text)
		return rc;
	rc = vfs_mkdir(dirfd, text, (uint32_t)mode);
	kfree(text);
	return rc;
}

int64_t sys_mkdir(struct regs *regs)
{
	return mkdir_at(AT_FDCWD, PTR0(regs), ARG1(regs));
}

int64_t sys_mkdirat(struct regs *regs)
{
	return mkdir_at(INT0(regs), PTR1(regs), ARG2(regs));
}

static int64_t mknod_at(int dirfd, uaddr_t name, uint64_t mode, uint64_t dev)
{
	int rc;
	char *text = path_from_user(name, false, &rc);

	if (!text)
		return rc;
	rc = vfs_mknod(dirfd, text, (uint32_t)mode & (S_IFMT | 07777), (uint32_t)dev);
	kfree(text);
	return rc;
}

int64_t sys_mknod(struct regs *regs)
{
	return mknod_at(AT_FDCWD, PTR0(regs), ARG1(regs), ARG2(regs));
}

int64_t sys_mknodat(struct regs *regs)
{
	return mknod_at(INT0(regs), PTR1(regs), ARG2(regs), ARG3(regs));
}

static int64_t remove_at(int dirfd, uaddr_t name, bool directory)
{
	int rc;
	char *text = path_from_user(name, false, &rc);

	if (!text)
		return rc;
	rc = directory ? vfs_rmdir(dirfd, text) : vfs_unlink(dirfd, text);
	kfree(text);
	return rc;
}

int64_t sys_rmdir(struct regs *regs)
{
	return remove_at(AT_FDCWD, PTR0(regs), true);
}

int64_t sys_unlink(struct regs *regs)
{
	return remove_at(AT_FDCWD, PTR0(regs), false);
}

int64_t sys_unlinkat(struct regs *regs)
{
	if (ARG2(regs) & ~(uint64_t)AT_REMOVEDIR)
		return -EINVAL;
	return remove_at(INT0(regs), PTR1(regs), ARG2(regs) & AT_REMOVEDIR);
}

/* Two paths copied in; on success both are the caller's to free. */
static int two_names(uaddr_t first, bool first_empty_ok, uaddr_t second, char **a, char **b)
{
	int rc;

	*a = path_from_user(first, first_empty_ok, &rc);
	if (!*a)
		return rc;
	*b = path_from_user(second, false, &rc);
	if (*b)
		return 0;
	kfree(*a);
	return rc;
}

static int64_t rename_at(int old_dirfd, uaddr_t old, int new_dirfd, uaddr_t new, unsigned flags)
{
	char *from, *to;
	int rc = two_names(old, false, new, &from, &to);

	if (rc)
		return rc;
	rc = vfs_rename(old_dirfd, from, new_dirfd, to, flags);
	kfree(from);
	kfree(to);
	return rc;
}

int64_t sys_rename(struct regs *regs)
{
	return rename_at(AT_FDCWD, PTR0(regs), AT_FDCWD, PTR1(regs), 0);
}

int64_t sys_renameat(struct regs *regs)
{
	return rename_at(INT0(regs), PTR1(regs), INT2(regs), PTR3(regs), 0);
}

int64_t sys_renameat2(struct regs *regs)
{
	return rename_at(INT0(regs), PTR1(regs), INT2(regs), PTR3(regs), (unsigned)ARG4(regs));
}

static int64_t link_at(int old_dirfd, uaddr_t old, int new_dirfd, uaddr_t new, unsigned flags)
{
	char *from, *to;
	int rc = two_names(old, flags & AT_EMPTY_PATH, new, &from, &to);

	if (rc)
		return rc;
	rc = vfs_link(old_dirfd, from, new_dirfd, to, flags);
	kfree(from);
	kfree(to);
	return rc;
}

int64_t sys_link(struct regs *regs)
{
	return link_at(AT_FDCWD, PTR0(regs), AT_FDCWD, PTR1(regs), 0);
}

int64_t sys_linkat(struct regs *regs)
{
	return link_at(INT0(regs), PTR1(regs), INT2(regs), PTR3(regs), (unsigned)ARG4(regs));
}

static int64_t symlink_at(uaddr_t target, int dirfd, uaddr_t name)
{
	char *text, *where;
	int rc = two_names(target, false, name, &text, &where);

	if (rc)
		return rc;
	rc = vfs_symlink(text, dirfd, where);
	kfree(text);
	kfree(where);
	return rc;
}

int64_t sys_symlink(struct regs *regs)
{
	return symlink_at(PTR0(regs), AT_FDCWD, PTR1(regs));
}

int64_t sys_symlinkat(struct regs *regs)
{
	return symlink_at(PTR0(regs), INT1(regs), PTR2(regs));
}

static int64_t readlink_at(int dirfd, uaddr_t name, uaddr_t user, int size)
{
	struct path path;
	char *buffer;
	int64_t rc;

	if (size <= 0)
		return -EINVAL;
	rc = path_lookup_user(dirfd, name, LOOKUP_EMPTY, &path);
	if (rc)
		return rc;
	buffer = kmalloc(PATH_BUFFER);
	if (!buffer) {
		path_put(&path);
		return -ENOMEM;
	}
	rc = vfs_readlink(&path, buffer, MIN((size_t)size, (size_t)PATH_BUFFER));
	path_put(&path);
	if (rc > 0 && copy_to_user(user, buffer, (size_t)rc))
		rc = -EFAULT;
	kfree(buffer);
	return rc;
}

int64_t sys_readlink(struct regs *regs)
{
	return readlink_at(AT_FDCWD, PTR0(regs), PTR1(regs), INT2(regs));
}

int64_t sys_readlinkat(struct regs *regs)
{
	return readlink_at(INT0(regs), PTR1(regs), PTR2(regs), INT3(regs));
}
