/* POSIX message queues: mq_open(2), mq_unlink(2), mq_timedsend(2), mq_timedreceive(2), mq_notify(2), mq_getsetattr(2). */
#include <asm/siginfo.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/time.h>

#include "kernel/files.h"
#include "kernel/ktime.h"
#include "kernel/mm.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/path.h"
#include "syscalls/syscalls.h"
#include "vfs/mqueue/mqueue.h"

int64_t sys_mq_open(struct regs *regs)
{
	unsigned flags = (unsigned)ARG1(regs);
	struct mq_attr attr;
	struct file *file;
	int rc;

	if (ARG3(regs) && get_user(attr, PTR3(regs)))
		return -EFAULT;
	char *name = path_from_user(PTR0(regs), false, &rc);
	if (!name)
		return rc;
	rc = mqueue_open(name, flags, (uint32_t)ARG2(regs) & 07777, ARG3(regs) ? &attr : NULL, &file);
	kfree(name);
	return rc ? rc : fd_install(file, true, 0); /* as Linux: always close-on-exec */
}

int64_t sys_mq_unlink(struct regs *regs)
{
	int rc;
	char *name = path_from_user(PTR0(regs), false, &rc);

	if (!name)
		return rc;
	rc = mqueue_unlink(name);
	kfree(name);
	return rc;
}

/* An absolute time of the realtime clock; NULL: none. */
static int deadline_from_user(uaddr_t user, uint64_t *deadline)
{
	int64_t ns;

	*deadline = DEADLINE_NONE;
	if (!user.v)
		return 0;
	int rc = ktime_from_user(user, &ns);
	return rc ? rc : ktime_to_monotonic(CLOCK_REALTIME, ns, true, deadline);
}

int64_t sys_mq_timedsend(struct regs *regs)
{
	uint64_t deadline;
	int rc = deadline_from_user(PTR4(regs), &deadline);

	if (rc)
		return rc;
	struct file *file = fd_file(INT0(regs));
	if (!file)
		return -EBADF;
	rc = mqueue_send(file, PTR1(regs), ARG2(regs), (unsigned)ARG3(regs), deadline);
	file_put(file);
	return rc;
}

int64_t sys_mq_timedreceive(struct regs *regs)
{
	uint64_t deadline;
	unsigned priority;
	int64_t rc = deadline_from_user(PTR4(regs), &deadline);

	if (rc)
		return rc;
	struct file *file = fd_file(INT0(regs));
	if (!file)
		return -EBADF;
	rc = mqueue_receive(file, PTR1(regs), ARG2(regs), &priority, deadline);
	file_put(file);
	if (rc >= 0 && ARG3(regs) && put_user(priority, PTR3(regs)))
		return -EFAULT;
	return rc;
}

int64_t sys_mq_notify(struct regs *regs)
{
	struct {
		uint64_t value;
		int32_t signo, notify;
	} user; /* the head of struct sigevent */
	struct mq_event event;

	if (ARG1(regs)) {
		if (get_user(user, PTR1(regs)))
			return -EFAULT;
		event = (struct mq_event){.notify = user.notify, .signo = user.signo, .value = user.value};
		if (user.notify == SIGEV_THREAD) {
			if (copy_from_user(event.cookie, UADDR(user.value), sizeof(event.cookie)))
				return -EFAULT;
			event.socket = fd_file(user.signo);
			if (!event.socket)
				return -EBADF;
		}
	}
	struct file *file = fd_file(INT0(regs));
	int rc = file ? mqueue_notify(file, ARG1(regs) ? &event : NULL) : -EBADF;
	if (file)
		file_put(file);
	if (ARG1(regs) && event.socket)
		file_put(event.socket);
	return rc;
}

int64_t sys_mq_getsetattr(struct regs *regs)
{
	struct mq_attr set, old;

	if (ARG1(regs) && get_user(set, PTR1(regs)))
		return -EFAULT;
	struct file *file = fd_file(INT0(regs));
	if (!file)
		return -EBADF;
	int rc = mqueue_attributes(file, ARG1(regs) ? &set : NULL, &old);
	file_put(file);
	return rc || !ARG2(regs) ? rc : copy_to_user(PTR2(regs), &old, sizeof(old));
}
