/*
 * Memory: mmap, munmap, mprotect, brk, mremap, msync, mincore, madvise, mlock, membarrier,
 * process_vm_readv and process_vm_writev, shmget and friends.
 */
#include <linux/errno.h>
#include <linux/membarrier.h>
#include <linux/mman.h>

#include "kernel/files.h"
#include "kernel/ipc_shm.h"
#include "kernel/mm.h"
#include "kernel/task.h"
#include "ring0/lib.h"
#include "syscalls/syscalls.h"
#include "vfs/vfs.h"

#define IOV_MAX_COUNT 1024u

int64_t sys_mmap(struct regs *regs)
{
	unsigned flags = (unsigned)ARG3(regs), prot = (unsigned)ARG2(regs);
	struct vm_object *object = NULL;
	struct file *file = NULL;
	int64_t result;
	int error = 0;

	if (ARG5(regs) & ~PAGE_MASK)
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS)) {
		file = fd_file(INT4(regs));
		if (!file)
			return -EBADF;
		if (prot & PROT_WRITE && (flags & MAP_TYPE) != MAP_PRIVATE && file->mode & FILE_WRITE &&
			!(file_may_map(file) & VM_MAYWRITE)) {
			file_put(file); /* open for writing, but sealed */
			return -EPERM;
		}
		if (!file_maps_anonymous(file)) {
			object = file_vm_object(file, &error);
			if (!object) {
				file_put(file);
				return error ? error : -ENODEV;
			}
		}
	}
	result = mm_mmap(current->mm, ARG0(regs), ARG1(regs), prot, flags, file, object, file ? ARG5(regs) : 0);
	if (file)
		file_put(file);
	return result;
}

int64_t sys_munmap(struct regs *regs)
{
	return mm_munmap(current->mm, ARG0(regs), ARG1(regs));
}

int64_t sys_mprotect(struct regs *regs)
{
	return mm_mprotect(current->mm, ARG0(regs), ARG1(regs), (unsigned)ARG2(regs));
}

int64_t sys_brk(struct regs *regs)
{
	return (int64_t)mm_brk(current->mm, ARG0(regs));
}

int64_t sys_mremap(struct regs *regs)
{
	return mm_mremap(current->mm, ARG0(regs), ARG1(regs), ARG2(regs), (unsigned)ARG3(regs), ARG4(regs));
}

int64_t sys_msync(struct regs *regs)
{
	return mm_msync(current->mm, ARG0(regs), ARG1(regs), INT2(regs));
}

int64_t sys_mincore(struct regs *regs)
{
	return mm_mincore(current->mm, ARG0(regs), ARG1(regs), PTR2(regs));
}

int64_t sys_madvise(struct regs *regs)
{
	return mm_madvise(current->mm, ARG0(regs), ARG1(regs), INT2(regs));
}

int64_t sys_mlock(struct regs *regs)
{
	return mm_mlock(current->mm, ARG0(regs), ARG1(regs), true);
}

int64_t sys_mlock2(struct regs *regs)
{
	if (ARG2(regs) & ~1ull) /* MLOCK_ONFAULT */
		return -EINVAL;
	return mm_mlock(current->mm, ARG0(regs), ARG1(regs), true);
}

int64_t sys_munlock(struct regs *regs)
{
	return mm_mlock(current->mm, ARG0(regs), ARG1(regs), false);
}

int64_t sys_mlockall(struct regs *regs)
{
	int flags = INT0(regs);

	if (flags == 0 || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags == MCL_ONFAULT)
		return -EINVAL;
	return mm_mlock_all(current->mm, flags & MCL_CURRENT, flags & MCL_FUTURE);
}

int64_t sys_munlockall(struct regs *regs)
{
	return mm_munlock_all(current->mm);
}

/* ---- membarrier(2) ---- */

#define MEMBARRIER_ALL (MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED | \
	MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED | \
	MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE | \
	MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)

/* Every other CPU that runs in this space passes through the sentry, which is a full barrier. */
static void barrier_space(struct mm *mm)
{
	machine->space_flush(&mm->space, 0, PAGE_SIZE);
}

static void barrier_all(void)
{
	struct process *process;
	struct task *task;

	TAILQ_FOREACH(process, &all_processes, all)
		TAILQ_FOREACH(task, &process->tasks, sibling)
			if (task->mm && (task->mm->space.running & ~(1ull << this_cpu()->cpu)))
				barrier_space(task->mm);
}

int64_t sys_membarrier(struct regs *regs)
{
	int command = INT0(regs);
	struct mm *mm = current->mm;

	if (ARG1(regs))
		return -EINVAL;
	switch (command) {
	case MEMBARRIER_CMD_QUERY:
		return MEMBARRIER_ALL;
	case MEMBARRIER_CMD_GLOBAL:
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		barrier_all();
		return 0;
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
		mm->membarrier |= (uint64_t)command;
		return 0;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
		/* The command that registers is the next bit. */
		if (!(mm->membarrier & (uint64_t)command << 1))
			return -EPERM;
		barrier_space(mm);
		return 0;
	default:
		return -EINVAL;
	}
}

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
	int rc;

	while ((rc = iov_next(local)) > 0 && (rc = iov_next(remote)) > 0) {
		uint64_t part = MIN(local->now.len, remote->now.len);
		int64_t got;

		part = MIN(part, PAGE_SIZE - (remote->now.base & ~PAGE_MASK));
		if (write && copy_from_user(buffer, UADDR(local->now.base), part) < 0)
			return done ? done : -EFAULT;
		got = mm_access(mm, remote->now.base, buffer, part, write, false);
		if (got < 0)
			return done ? done : got;
		if (!write && copy_to_user(UADDR(local->now.base), buffer, (size_t)got) < 0)
			return done ? done : -EFAULT;
		done += got;
		if ((uint64_t)got < part)
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

int64_t sys_shmget(struct regs *regs)
{
	return shm_get(INT0(regs), ARG1(regs), INT2(regs));
}

int64_t sys_shmat(struct regs *regs)
{
	return shm_attach(INT0(regs), ARG1(regs), INT2(regs));
}

int64_t sys_shmdt(struct regs *regs)
{
	return shm_detach(ARG0(regs));
}

int64_t sys_shmctl(struct regs *regs)
{
	return shm_control(INT0(regs), INT1(regs), PTR2(regs));
}
