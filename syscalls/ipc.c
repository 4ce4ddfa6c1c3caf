/*
 * System V semaphores and message queues: semget, semop, semtimedop, semctl; msgget, msgsnd, msgrcv, msgctl.
 */
#include <linux/errno.h>
#include <linux/ipc.h>
#include <linux/sem.h>
#include <linux/time.h>

#include "kernel/ipc.h"
#include "kernel/mm.h"
#include "kernel/sysctl.h"
#include "ring0/clock.h"
#include "syscalls/syscalls.h"

int64_t sys_semget(struct regs *regs)
{
	return sem_get(INT0(regs), INT1(regs), INT2(regs));
}

static int64_t operate(struct regs *regs, uint64_t deadline)
{
	uint32_t count = (uint32_t)ARG2(regs);

	if (count < 1 || INT0(regs) < 0)
		return -EINVAL;
	if (count > sysctls.semopm)
		return -E2BIG;
	struct sembuf *ops = kmalloc(count * sizeof(*ops));
	if (!ops)
		return -ENOMEM;
	int64_t rc = -EFAULT;
	if (!copy_from_user(ops, PTR1(regs), count * sizeof(*ops)))
		rc = sem_operate(INT0(regs), ops, count, deadline);
	kfree(ops);
	return rc;
}

int64_t sys_semop(struct regs *regs)
{
	return operate(regs, DEADLINE_NONE);
}

int64_t sys_semtimedop(struct regs *regs)
{
	struct {
		int64_t sec, nsec;
	} timeout;

	if (!ARG3(regs))
		return operate(regs, DEADLINE_NONE);
	if (copy_from_user(&timeout, PTR3(regs), sizeof(timeout)))
		return -EFAULT;
	if (timeout.sec < 0 || timeout.nsec < 0 || timeout.nsec >= 1000000000)
		return -EINVAL;
	if (timeout.sec > INT32_MAX)
		return operate(regs, DEADLINE_NONE);
	return operate(regs, clock_monotonic() + (uint64_t)timeout.sec * 1000000000u + (uint64_t)timeout.nsec);
}

int64_t sys_semctl(struct regs *regs)
{
	return sem_control(INT0(regs), INT1(regs), INT2(regs), ARG3(regs));
}

int64_t sys_msgget(struct regs *regs)
{
	return msg_get(INT0(regs), INT1(regs));
}

int64_t sys_msgsnd(struct regs *regs)
{
	return msg_send(INT0(regs), PTR1(regs), ARG2(regs), INT3(regs));
}

int64_t sys_msgrcv(struct regs *regs)
{
	return msg_receive(INT0(regs), PTR1(regs), ARG2(regs), (int64_t)ARG3(regs), INT4(regs));
}

int64_t sys_msgctl(struct regs *regs)
{
	return msg_control(INT0(regs), INT1(regs), PTR2(regs));
}
