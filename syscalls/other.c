/*
 * What one process does to another's memory, descriptors and bonds: process_vm_readv, process_madvise, pidfd_getfd, kcmp.
 * Whether it may is ptrace_may_access() in every case.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/kcmp.h>
#include <linux/mman.h>

#include "kernel/cred.h"
#include "kernel/files.h"
#include "kernel/mm.h"
#include "kernel/ptrace.h"
#include "kernel/random.h"
#include "kernel/task.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/syscalls.h"
#include "vfs/anon/anon.h"
#include "vfs/vector.h"

#define IOV_MAX_COUNT 1024u
#define VM_COPY_MAX 0x7ffff000 /* bytes of one call */

/* ---- process_vm_readv(2) ---- */

struct user_iovec {
	uint64_t base, len;
};

struct iov_walk {
	uaddr_t vector;
	uint64_t left; /* vectors not yet fetched */
	struct user_iovec now;
};

/* The next bytes of a vector list: 1, 0 at the end, -EFAULT. */
static int iov_next(struct iov_walk *walk)
{
	while (walk->now.len == 0) {
		if (walk->left == 0)
			return 0;
		if (copy_from_user(&walk->now, walk->vector, sizeof(walk->now)) < 0)
			return -EFAULT;
		if ((int64_t)walk->now.len < 0)
			return -EINVAL;
		walk->vector = uaddr_add(walk->vector, sizeof(walk->now));
		walk->left--;
	}
	return 1;
}

static int64_t vm_copy(struct mm *mm, struct iov_walk *local, struct iov_walk *remote, bool write, char *buffer)
{
	int64_t done = 0;
	unsigned parts = 0;
	int rc;

	while ((rc = iov_next(local)) > 0 && (rc = iov_next(remote)) > 0) {
		uint64_t part = MIN(local->now.len, remote->now.len);
		int64_t got;

		part = MIN(part, (uint64_t)(VM_COPY_MAX - done));
		part = MIN(part, PAGE_SIZE - (remote->now.base & ~PAGE_MASK));
		if (write && copy_from_user(buffer, UADDR(local->now.base), part) < 0)
			return done ? done : -EFAULT;
		got = mm_access(mm, remote->now.base, buffer, part, write, false);
		if (got < 0)
			return done ? done : got;
		if (!write && copy_to_user(UADDR(local->now.base), buffer, (size_t)got) < 0)
			return done ? done : -EFAULT;
		done += got;
		if ((uint64_t)got < part || done == VM_COPY_MAX || (!(++parts % (BREATH_BYTES / PAGE_SIZE)) && task_breathe()))
			return done;
		local->now.base += part;
		local->now.len -= part;
		remote->now.base += part;
		remote->now.len -= part;
	}
	return done ? done : rc;
}

static int64_t process_vm(struct regs *regs, bool write)
{
	struct iov_walk local = {.vector = PTR1(regs), .left = ARG2(regs)};
	struct iov_walk remote = {.vector = PTR3(regs), .left = ARG4(regs)};
	struct task *task;
	struct mm *mm;
	char *buffer;
	int64_t result;

	if (ARG5(regs))
		return -EINVAL;
	if (local.left > IOV_MAX_COUNT || remote.left > IOV_MAX_COUNT)
		return -EINVAL;
	if (!local.left) /* nothing is asked of anybody */
		return 0;
	task = task_find(INT0(regs));
	if (!task || !task->mm)
		return -ESRCH;
	mm = task->mm;
	if (ptrace_may_access(task, PTRACE_BY_REAL_IDS))
		return -EPERM;
	buffer = kmalloc(PAGE_SIZE);
	if (!buffer)
		return -ENOMEM;
	mm_get(mm);
	result = vm_copy(mm, &local, &remote, write, buffer);
	mm_put(mm);
	kfree(buffer);
	return result;
}

int64_t sys_process_vm_readv(struct regs *regs)
{
	return process_vm(regs, false);
}

int64_t sys_process_vm_writev(struct regs *regs)
{
	return process_vm(regs, true);
}

/* ---- by pidfd ---- */

/* The process's first thread, if it may be looked into: 0, -EBADF, -ESRCH or -EPERM. No reference is taken. */
static int task_of_pidfd(int fd, struct task **task)
{
	struct file *file = fd_file(fd);
	struct process *process;
	int rc = 0;

	if (!file)
		return -EBADF;
	process = pidfd_process(file);
	if (!process)
		rc = -EBADF;
	else if (!process->leader || !process->leader->mm)
		rc = -ESRCH;
	else if (ptrace_may_access(process->leader, PTRACE_BY_REAL_IDS))
		rc = -EPERM;
	else
		*task = process->leader;
	file_put(file);
	return rc;
}

int64_t sys_pidfd_getfd(struct regs *regs)
{
	struct file *file;
	struct task *task;
	int rc;

	if (ARG2(regs))
		return -EINVAL;
	rc = task_of_pidfd(INT0(regs), &task);
	if (rc)
		return rc;
	file = fd_lookup_table(task->files, INT1(regs));
	return file ? fd_install(file, true, 0) : -EBADF;
}

/* What may be asked for another's memory too: hints that change no content. */
static bool advice_is_hint(int advice)
{
	return advice == MADV_COLD || advice == MADV_PAGEOUT || advice == MADV_WILLNEED;
}

int64_t sys_process_madvise(struct regs *regs)
{
	int advice = INT3(regs);
	struct task *task;
	struct vector v;
	struct mm *mm;
	int64_t done = 0;
	int rc;

	if (ARG4(regs))
		return -EINVAL;
	rc = vector_get(&v, PTR1(regs), ARG2(regs));
	if (!rc)
		rc = task_of_pidfd(INT0(regs), &task);
	if (!rc && !advice_is_hint(advice))
		rc = -EINVAL;
	if (!rc && task->mm != current->mm && !capable(CAP_SYS_NICE))
		rc = -EPERM;
	if (rc) {
		vector_put(&v);
		return rc;
	}
	mm = task->mm;
	mm_get(mm);
	for (unsigned i = 0; i < v.count && !rc; i++) {
		rc = mm_madvise(mm, (uintptr_t)v.parts[i].iov_base, v.parts[i].iov_len, advice);
		if (!rc)
			done += (int64_t)v.parts[i].iov_len;
	}
	mm_put(mm);
	vector_put(&v);
	return done ? done : rc;
}

/* ---- kcmp(2) ---- */

/* Equal, or an order that is stable while the sandbox runs and tells nothing about addresses. */
static int64_t compare(const void *a, const void *b, int type)
{
	static uint64_t secret[KCMP_TYPES][2];
	uint64_t *s = secret[type], x, y;

	if (!s[1]) {
		s[0] = random_u64();
		s[1] = random_u64() | 1;
	}
	x = ((uintptr_t)a ^ s[0]) * s[1];
	y = ((uintptr_t)b ^ s[0]) * s[1];
	return x == y ? 0 : x < y ? 1 : 2;
}

/* References are dropped before the comparison: it is of addresses, and no one sleeps in between. */
static int64_t compare_files(const struct task *a, const struct task *b, int fd_a, int fd_b)
{
	struct file *file_a = fd_lookup_table(a->files, fd_a), *file_b = fd_lookup_table(b->files, fd_b);
	int64_t rc = file_a && file_b ? compare(file_a, file_b, KCMP_FILE) : -EBADF;

	if (file_a)
		file_put(file_a);
	if (file_b)
		file_put(file_b);
	return rc;
}

int64_t sys_kcmp(struct regs *regs)
{
	struct task *a = task_find(INT0(regs)), *b = task_find(INT1(regs));
	int type = INT2(regs);

	if (!a || !b)
		return -ESRCH;
	if (ptrace_may_access(a, PTRACE_BY_REAL_IDS) || ptrace_may_access(b, PTRACE_BY_REAL_IDS))
		return -EPERM;
	switch (type) {
	case KCMP_FILE:
		return a->files && b->files ? compare_files(a, b, INT3(regs), INT4(regs)) : -EBADF;
	case KCMP_VM:
		return compare(a->mm, b->mm, type);
	case KCMP_FILES:
		return compare(a->files, b->files, type);
	case KCMP_FS:
		return compare(a->fs, b->fs, type);
	case KCMP_SIGHAND:
		return compare(a->process->sighand, b->process->sighand, type);
	case KCMP_SYSVSEM:
		return compare(a->process->sem_undos, b->process->sem_undos, type);
	case KCMP_IO: /* nobody has an I/O context: all share none */
		return 0;
	case KCMP_EPOLL_TFD:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}
