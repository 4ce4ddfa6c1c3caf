/*
 * Memory: mmap, munmap, mprotect, brk, mremap, msync, mincore, madvise, mlock, membarrier,
 * shmget and friends.
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
	return mm_mlock(current->mm, ARG0(regs), ARG1(regs), MM_LOCK);
}

int64_t sys_mlock2(struct regs *regs)
{
	if (ARG2(regs) & ~(uint64_t)MLOCK_ONFAULT)
		return -EINVAL;
	return mm_mlock(current->mm, ARG0(regs), ARG1(regs), ARG2(regs) ? MM_LOCK_ON_FAULT : MM_LOCK);
}

int64_t sys_munlock(struct regs *regs)
{
	return mm_mlock(current->mm, ARG0(regs), ARG1(regs), MM_UNLOCK);
}

int64_t sys_mlockall(struct regs *regs)
{
	int flags = INT0(regs);

	if (flags == 0 || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags == MCL_ONFAULT)
		return -EINVAL;
	return mm_mlock_all(current->mm, flags & MCL_CURRENT, flags & MCL_FUTURE, flags & MCL_ONFAULT ? MM_LOCK_ON_FAULT : MM_LOCK);
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
