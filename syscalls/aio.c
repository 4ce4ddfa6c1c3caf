/*
 * io_setup, io_submit, io_getevents and their kin (io_setup(2), io_submit(2)). Shells only; the work is in vfs/anon/aio.c.
 */
#include <linux/errno.h>

#include "kernel/files.h"
#include "kernel/ktime.h"
#include "kernel/signal.h"
#include "ring0/usercopy.h"
#include "syscalls/syscalls.h"
#include "vfs/anon/aio.h"

int64_t sys_io_setup(struct regs *regs)
{
	uint64_t context;
	int64_t address;

	if (get_user(context, PTR1(regs)))
		return -EFAULT;
	if (context || !(uint32_t)ARG0(regs))
		return -EINVAL;
	address = aio_context_create((uint32_t)ARG0(regs));
	if (address < 0)
		return address;
	if (put_user((uint64_t)address, PTR1(regs))) {
		struct file *file = aio_context_find((uint64_t)address);

		if (file) {
			(void)aio_context_destroy(file, (uint64_t)address);
			file_put(file);
		}
		return -EFAULT;
	}
	return 0;
}

int64_t sys_io_destroy(struct regs *regs)
{
	struct file *file = aio_context_find(ARG0(regs));
	int rc;

	if (!file)
		return -EINVAL;
	rc = aio_context_destroy(file, ARG0(regs));
	file_put(file);
	return rc;
}

int64_t sys_io_submit(struct regs *regs)
{
	struct file *file = aio_context_find(ARG0(regs));
	int64_t count = (int64_t)ARG1(regs), done;
	int rc = 0;

	if (!file)
		return -EINVAL;
	for (done = 0; done < count && !rc; done++) {
		uint64_t iocb;

		rc = get_user(iocb, uaddr_add(PTR2(regs), (uint64_t)done * sizeof(iocb))) ? -EFAULT : aio_submit(file, UADDR(iocb));
		if (rc)
			break;
	}
	file_put(file);
	if (count < 0)
		return -EINVAL;
	return done ? done : rc;
}

int64_t sys_io_cancel(struct regs *regs)
{
	struct file *file = aio_context_find(ARG0(regs));
	int rc;

	if (!file)
		return -EINVAL;
	rc = aio_cancel(file, PTR1(regs));
	file_put(file);
	return rc;
}

static int64_t get_events(struct regs *regs, uint64_t deadline)
{
	int64_t least = (int64_t)ARG1(regs), most = (int64_t)ARG2(regs);
	struct file *file = aio_context_find(ARG0(regs));
	int64_t rc = -EINVAL;

	if (!file)
		return rc;
	if (least >= 0 && least <= most)
		rc = aio_wait_events(file, (uint64_t)least, (uint64_t)most, PTR3(regs), deadline);
	file_put(file);
	return rc;
}

int64_t sys_io_getevents(struct regs *regs)
{
	uint64_t deadline;
	int rc = ktime_deadline_from_user(PTR4(regs), &deadline);

	return rc ? rc : get_events(regs, deadline);
}

int64_t sys_io_pgetevents(struct regs *regs)
{
	struct {
		uint64_t mask, size;
	} set = {0};
	uint64_t deadline;
	int64_t rc = ktime_deadline_from_user(PTR4(regs), &deadline);

	if (!rc && PTR5(regs).v && copy_from_user(&set, PTR5(regs), sizeof(set)))
		rc = -EFAULT;
	if (!rc)
		rc = signal_mask_set_temporary_user(UADDR(set.mask), set.size);
	if (rc)
		return rc;
	rc = get_events(regs, deadline);
	signal_mask_restore(rc == -EINTR);
	return rc == -EINTR ? -ERESTARTNOHAND : rc;
}
