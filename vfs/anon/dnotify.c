/*
 * dnotify: a signal to the owner of an open directory when something happens in it. fcntl(2), F_NOTIFY.
 *
 * What was asked for by one descriptor table through one open file is one watch on the directory; asking again adds to
 * it. It ends when that table closes the file, when asked for nothing, or with its first event if DN_MULTISHOT was
 * not given. The signal and its owner are the file's (F_SETSIG, F_SETOWN; whoever asks first otherwise): file_signal_owner().
 */
#include <asm/siginfo.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "kernel/task.h"
#include "ring0/lib.h"
#include "vfs/anon/dnotify.h"
#include "vfs/anon/notify.h"
#include "vfs/sigio.h"

struct dnotify {
	struct inode_watch base;
	struct file *file;             /* not referenced: dnotify_closed() comes before it goes */
	const struct fd_table *files;  /* who asked: compared only */
	int fd;
	bool multishot;
};

static struct dnotify *dnotify_of(struct inode_watch *watch)
{
	return container_of(watch, struct dnotify, base);
}

static void dnotify_remove(struct inode_watch *watch)
{
	inode_watch_remove(watch);
	kfree(dnotify_of(watch));
}

static void dnotify_event(struct inode_watch *watch, uint32_t event, uint32_t cookie, const char *name, unsigned len)
{
	struct dnotify *dnotify = dnotify_of(watch);

	file_signal_owner(dnotify->file, dnotify->fd, POLL_MSG);
	if (!dnotify->multishot)
		dnotify_remove(watch);
}

static uint32_t events_of(unsigned long bits)
{
	uint32_t mask = 0;

	mask |= bits & DN_ACCESS ? IN_ACCESS : 0;
	mask |= bits & DN_MODIFY ? IN_MODIFY : 0;
	mask |= bits & DN_ATTRIB ? IN_ATTRIB : 0;
	mask |= bits & DN_CREATE ? IN_CREATE | IN_MOVED_TO : 0;
	mask |= bits & DN_DELETE ? IN_DELETE | IN_MOVED_FROM : 0;
	mask |= bits & DN_RENAME ? NOTIFY_RENAMED : 0;
	return mask;
}

/* The next watch, from `watch` on, that was asked for through the file by this table (NULL: by any). */
static struct dnotify *dnotify_find(struct inode_watch *watch, const struct file *file, const struct fd_table *files)
{
	for (; watch; watch = watch->next) {
		struct dnotify *dnotify = dnotify_of(watch);

		if (watch->event == dnotify_event && dnotify->file == file && (!files || dnotify->files == files))
			return dnotify;
	}
	return NULL;
}

void dnotify_closed(struct file *file, const struct fd_table *files)
{
	struct dnotify *dnotify;

	while ((dnotify = dnotify_find(file->inode->watches, file, files)))
		dnotify_remove(&dnotify->base);
}

int dnotify_set(struct file *file, int fd, unsigned long bits)
{
	struct dnotify *dnotify;

	if (!(bits & ~DN_MULTISHOT)) {
		if (file->mode & FILE_DNOTIFY)
			dnotify_closed(file, current->files);
		return 0;
	}
	if (!file->inode || !S_ISDIR(file->inode->mode))
		return -ENOTDIR;
	dnotify = dnotify_find(file->inode->watches, file, current->files);
	if (!dnotify) {
		dnotify = kzalloc(sizeof(*dnotify));
		if (!dnotify)
			return -ENOMEM;
		*dnotify = (struct dnotify){.base = {.event = dnotify_event, .gone = dnotify_remove}, .file = file,
			.files = current->files};
		file_own_if_free(file);
		file->mode |= FILE_DNOTIFY;
		inode_watch_add(&dnotify->base, file->inode);
	}
	dnotify->fd = fd;
	dnotify->base.mask |= events_of(bits);
	dnotify->multishot |= !!(bits & DN_MULTISHOT);
	return 0;
}
