/*
 * Descriptor tables and the per-process file system context (root, cwd, umask).
 *
 * A table is shared by CLONE_FILES and copied otherwise. `next` is a lower bound for the
 * lowest free descriptor. Closing takes the entry out first and puts the file after, so
 * a close that sleeps never shows a dying file. RLIMIT_NOFILE bounds new descriptors.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <asm/resource.h>

#include "ring0/usercopy.h"
#include "vfs/anon/dnotify.h"
#include "vfs/internal.h"

#define FD_INITIAL 64u
#define FD_MAX (1u << 20)

struct fd_table *fd_table_create(void)
{
	struct fd_table *files = kzalloc(sizeof(*files));

	if (!files)
		return NULL;
	files->refs = 1;
	files->entries = kzalloc(FD_INITIAL * sizeof(*files->entries));
	files->size = FD_INITIAL;
	if (!files->entries) {
		kfree(files);
		return NULL;
	}
	return files;
}

static int fd_table_grow(struct fd_table *files, unsigned want)
{
	unsigned size = files->size;
	struct fd_entry *entries;

	while (size <= want)
		size *= 2;
	entries = krealloc(files->entries, size * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	memset(entries + files->size, 0, (size - files->size) * sizeof(*entries));
	files->entries = entries;
	files->size = size;
	return 0;
}

struct file *fd_lookup_table(struct fd_table *files, int fd)
{
	struct file *file;

	if (!files || (unsigned)fd >= files->size)
		return NULL;
	file = files->entries[fd].file;
	if (file)
		file->refs++;
	return file;
}

struct file *fd_file_any(int fd)
{
	return fd_lookup_table(current->files, fd);
}

struct file *fd_file(int fd)
{
	struct fd_table *files = current->files;
	struct file *file;

	if ((unsigned)fd >= files->size)
		return NULL;
	file = files->entries[fd].file;
	if (!file || file->mode & FILE_PATH)
		return NULL;
	file->refs++;
	return file;
}

static uint64_t nofile_limit(void)
{
	uint64_t limit = current->process->rlimit[RLIMIT_NOFILE].cur;

	return limit < FD_MAX ? limit : FD_MAX;
}

int fd_install(struct file *file, bool cloexec, int min)
{
	struct fd_table *files = current->files;
	unsigned fd = (unsigned)min > files->next ? (unsigned)min : files->next;
	bool from_lowest = fd == files->next;
	int rc = 0;

	while (fd < files->size && files->entries[fd].file)
		fd++;
	if (fd >= nofile_limit())
		rc = -EMFILE;
	else if (fd >= files->size)
		rc = fd_table_grow(files, fd);
	if (rc) {
		file_put(file);
		return rc;
	}
	files->entries[fd] = (struct fd_entry){file, cloexec};
	if (from_lowest)
		files->next = fd + 1;
	return (int)fd;
}

int fd_install_pair(struct file *files[2], bool cloexec, uaddr_t user)
{
	int fds[2];

	fds[0] = fd_install(files[0], cloexec, 0);
	if (fds[0] < 0) {
		file_put(files[1]);
		return fds[0];
	}
	fds[1] = fd_install(files[1], cloexec, 0);
	if (fds[1] < 0) {
		fd_close(fds[0]);
		return fds[1];
	}
	if (copy_to_user(user, fds, sizeof(fds))) {
		fd_close(fds[0]);
		fd_close(fds[1]);
		return -EFAULT;
	}
	return 0;
}

static int close_file(struct fd_table *files, struct file *file)
{
	int rc = 0;

	if (!(file->mode & FILE_PATH)) {
		if (file->ops && file->ops->flush)
			rc = file->ops->flush(file);
		locks_remove_posix(file, files);
		if (file->mode & FILE_DNOTIFY)
			dnotify_closed(file, files);
	}
	file_put(file);
	return rc;
}

int fd_install_at(struct file *file, bool cloexec, int fd)
{
	struct fd_table *files = current->files;
	struct file *old;
	int rc = 0;

	if (fd < 0 || (unsigned)fd >= nofile_limit())
		rc = -EBADF;
	else if ((unsigned)fd >= files->size)
		rc = fd_table_grow(files, (unsigned)fd);
	if (rc) {
		file_put(file);
		return rc;
	}
	old = files->entries[fd].file;
	files->entries[fd] = (struct fd_entry){file, cloexec};
	if (old)
		close_file(files, old);
	return fd;
}

static int close_entry(struct fd_table *files, unsigned fd)
{
	struct file *file = files->entries[fd].file;

	files->entries[fd] = (struct fd_entry){NULL, false};
	if (fd < files->next)
		files->next = fd;
	return close_file(files, file);
}

int fd_close(int fd)
{
	struct fd_table *files = current->files;

	if ((unsigned)fd >= files->size || !files->entries[fd].file)
		return -EBADF;
	return close_entry(files, (unsigned)fd);
}

/* ---- life cycle: kernel/files.h ---- */

int files_clone(struct fd_table *from, bool share, struct fd_table **to)
{
	struct fd_table *files;
	unsigned used;

	if (share) {
		from->refs++;
		*to = from;
		return 0;
	}
	files = kzalloc(sizeof(*files));
	if (!files)
		return -ENOMEM;
	for (used = from->size; used > FD_INITIAL && !from->entries[used - 1].file; used--)
		;
	files->refs = 1;
	files->size = used > FD_INITIAL ? used : FD_INITIAL;
	files->next = from->next;
	files->entries = kmalloc(files->size * sizeof(*files->entries));
	if (!files->entries) {
		kfree(files);
		return -ENOMEM;
	}
	memcpy(files->entries, from->entries, files->size * sizeof(*files->entries));
	for (unsigned i = 0; i < files->size; i++)
		if (files->entries[i].file)
			files->entries[i].file->refs++;
	*to = files;
	return 0;
}

void files_put(struct fd_table *files)
{
	if (!files || --files->refs)
		return;
	for (unsigned fd = 0; fd < files->size; fd++)
		if (files->entries[fd].file)
			close_entry(files, fd);
	kfree(files->entries);
	kfree(files);
}

int files_unshare_for_exec(struct task *task)
{
	struct fd_table *files = task->files;

	if (files->refs > 1) {
		int rc = files_clone(task->files, false, &files);

		if (rc)
			return rc;
		files_put(task->files);
		task->files = files;
	}
	for (unsigned fd = 0; fd < files->size; fd++)
		if (files->entries[fd].file && files->entries[fd].cloexec)
			close_entry(files, fd);
	return 0;
}

int fs_context_clone(struct fs_context *from, bool share, struct fs_context **to)
{
	struct fs_context *fs;

	if (share) {
		from->refs++;
		*to = from;
		return 0;
	}
	fs = kmalloc(sizeof(*fs));
	if (!fs)
		return -ENOMEM;
	*fs = *from;
	fs->refs = 1;
	path_get(&fs->root);
	path_get(&fs->cwd);
	*to = fs;
	return 0;
}

void fs_context_put(struct fs_context *fs)
{
	if (!fs || --fs->refs)
		return;
	path_put(&fs->cwd);
	path_put(&fs->root);
	kfree(fs);
}
