/*
 * The way up from clone3(CLONE_PIDFD): kernel/files.h declares these for kernel/fork.c,
 * which knows no files. The descriptor goes into the table of the current task.
 */
#include "kernel/files.h"
#include "vfs/anon/anon.h"

int files_install_pidfd(struct process *process)
{
	struct file *file;
	int rc = pidfd_create(process, 0, &file);

	return rc ? rc : fd_install(file, true, 0);
}

void files_close_fd(int fd)
{
	(void)fd_close(fd);
}
