/* The files of a hook that runs inside the container: see kernel/hook.h, which calls these through kernel/files.h. */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "vfs/internal.h"
#include "vfs/tmpfs/tmpfs.h"

/* A nameless file that holds the text, at its begin. */
static int text_file(const char *text, struct file **file)
{
	uint64_t at = 0;
	size_t len = strlen(text);
	int rc = memfd_open("state", 0, file);

	if (rc)
		return rc;
	while (at < len) {
		int64_t n = (*file)->ops->write_kernel(*file, text + at, len - (size_t)at, &at);

		if (n <= 0) {
			file_put(*file);
			*file = NULL;
			return n ? (int)n : -ENOSPC;
		}
	}
	return 0;
}

int vfs_hook_stdio(const char *text, struct file *stdio[3])
{
	stdio[1] = fd_file_any(1);
	stdio[2] = fd_file_any(2);
	return text_file(text, &stdio[0]);
}

int vfs_enter_hook(struct fs_context *fs, struct file *const stdio[3])
{
	struct task *task = current;
	int rc = fs_context_clone(fs, false, &task->fs);

	if (rc)
		return rc;
	task->files = fd_table_create();
	if (!task->files)
		return -ENOMEM;
	for (int i = 0; i < 3 && !rc; i++) {
		if (!stdio[i])
			continue;
		file_get(stdio[i]);
		int fd = fd_install(stdio[i], false, i);

		rc = fd < 0 ? fd : 0;
	}
	return rc;
}
