/*
 * execve, execveat (execve(2)).
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "kernel/exec.h"
#include "kernel/files.h"
#include "kernel/mm.h"
#include "kernel/task.h"
#include "ring0/lib.h"
#include "syscalls/syscalls.h"
#include "vfs/vfs.h"

#define FD_NAME_SIZE 24u

/* What the program is called: as given, or by its descriptor (/dev/fd/N, /dev/fd/N/path). kmalloc'ed. */
static char *exec_name(int dirfd, const char *path)
{
	size_t size = FD_NAME_SIZE + strlen(path);
	char *name;

	if (dirfd == AT_FDCWD || path[0] == '/')
		return kstrdup(path);
	name = kmalloc(size);
	if (name)
		snprintf(name, size, path[0] ? "/dev/fd/%d/%s" : "/dev/fd/%d", dirfd, path);
	return name;
}

static int64_t do_execve(int dirfd, uaddr_t user_path, uaddr_t argv, uaddr_t envp, unsigned flags)
{
	struct exec_vector arguments = {.user = argv}, environment = {.user = envp};
	struct file *file;
	char *path, *name;
	int rc;

	path = path_from_user(user_path, flags & AT_EMPTY_PATH, &rc);
	if (!path)
		return rc;
	if (flags & ~(unsigned)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) {
		kfree(path);
		return -EINVAL;
	}
	rc = file_open_exec(dirfd, path, flags, &file);
	if (rc < 0) {
		kfree(path);
		return rc;
	}
	name = exec_name(dirfd, path);
	rc = name ? exec_program(file, name, &arguments, &environment) : -ENOMEM;
	file_put(file);
	kfree(name);
	kfree(path);
	return rc;
}

int64_t sys_execve(struct regs *regs)
{
	return do_execve(AT_FDCWD, PTR0(regs), PTR1(regs), PTR2(regs), 0);
}

int64_t sys_execveat(struct regs *regs)
{
	return do_execve(INT0(regs), PTR1(regs), PTR2(regs), PTR3(regs), (unsigned)ARG4(regs));
}
