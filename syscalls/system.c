/*
 * The system as a whole: uname, sysinfo, getrandom, arch_prctl, syslog, unshare
 * (uname(2), sysinfo(2), getrandom(2), arch_prctl(2), syslog(2), unshare(2)).
 */
#include <asm/prctl.h>
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/personality.h>
#include <linux/prctl.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <linux/sysinfo.h>
#include <linux/time.h>
#include <linux/utsname.h>

#include "kernel/files.h"
#include "kernel/mm.h"
#include "kernel/random.h"
#include "kernel/task.h"
#include "kernel/time_ns.h"
#include "kernel/user_ns.h"
#include "kernel/uts.h"
#include "platform/abi/hosted.h"
#include "ring0/clock.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/syscalls.h"

int64_t sys_uname(struct regs *regs)
{
	struct new_utsname name = {0};

	rf_strlcpy(name.sysname, "Linux", sizeof(name.sysname));
	rf_strlcpy(name.nodename, uts_nodename, sizeof(name.nodename));
	rf_strlcpy(name.release, UTS_RELEASE, sizeof(name.release));
	rf_strlcpy(name.version, UTS_VERSION, sizeof(name.version));
	rf_strlcpy(name.machine, (current->process->personality & PER_MASK) == PER_LINUX32 ? "i686" : "x86_64", sizeof(name.machine));
	rf_strlcpy(name.domainname, uts_domainname, sizeof(name.domainname));
	return copy_to_user(PTR0(regs), &name, sizeof(name));
}

static int64_t set_name(struct regs *regs, char name[65])
{
	char buf[65] = {0};
	int64_t len = (int32_t)ARG1(regs);

	if (!owner_capable(&current->ns->uts->ns, CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len > 64)
		return -EINVAL;
	if (copy_from_user(buf, PTR0(regs), (size_t)len))
		return -EFAULT;
	memcpy(name, buf, sizeof(buf));
	return 0;
}

int64_t sys_sethostname(struct regs *regs)
{
	return set_name(regs, uts_nodename);
}

int64_t sys_setdomainname(struct regs *regs)
{
	return set_name(regs, uts_domainname);
}

int64_t sys_sysinfo(struct regs *regs)
{
	const struct process *process;
	struct mm_counters memory;
	unsigned threads = 0;
	struct sysinfo info = {0};

	mm_counters_read(&memory);
	TAILQ_FOREACH(process, &all_processes, all)
		threads += process->threads;
	info.uptime = ((int64_t)clock_boottime() + time_ns_offset(CLOCK_BOOTTIME)) / 1000000000;
	for (unsigned i = 0; i < 3; i++)
		info.loads[i] = sched_loadavg(i) << (SI_LOAD_SHIFT - 11);
	info.totalram = memory.total;
	info.freeram = memory.free;
	info.sharedram = memory.shmem;
	info.procs = (uint16_t)threads;
	info.mem_unit = 1;
	return copy_to_user(PTR0(regs), &info, sizeof(info));
}

int64_t sys_getrandom(struct regs *regs)
{
	unsigned flags = (unsigned)ARG2(regs);
	uint64_t n = MIN(ARG1(regs), (uint64_t)INT32_MAX), done = 0;
	uint8_t buf[256];

	if (flags & ~(unsigned)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
		(flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	while (done < n) {
		size_t part = MIN(n - done, sizeof(buf));

		random_bytes(buf, part);
		size_t left = copy_to_user_partial(uaddr_add(PTR0(regs), done), buf, part);
		done += part - left;
		if (left)
			return done ? (int64_t)done : -EFAULT;
		if (done < n && (signal_pending(current) || (!(done % BREATH_BYTES) && task_breathe())))
			break;
	}
	memset(buf, 0, sizeof(buf));
	return (int64_t)done;
}

int64_t sys_arch_prctl(struct regs *regs)
{
	struct machine_task *task = &current->machine;

	switch (INT0(regs)) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (ARG1(regs) >= USER_TOP)
			return -EPERM;
		machine->task_save(task);
		if (INT0(regs) == ARCH_SET_FS)
			task->fs_base = ARG1(regs);
		else
			task->gs_base = ARG1(regs);
		machine->task_load(task);
		return 0;
	case ARCH_GET_FS:
		machine->task_save(task);
		return put_user(task->fs_base, PTR1(regs));
	case ARCH_GET_GS:
		machine->task_save(task);
		return put_user(task->gs_base, PTR1(regs));
	case ARCH_GET_CPUID:
		return 1;
	}
	return -EINVAL;
}

/* ---- syslog ---- */

enum syslog_action {
	SYSLOG_CLOSE = 0,
	SYSLOG_OPEN = 1,
	SYSLOG_READ = 2,
	SYSLOG_READ_ALL = 3,
	SYSLOG_READ_CLEAR = 4,
	SYSLOG_CLEAR = 5,
	SYSLOG_SIZE_UNREAD = 9,
	SYSLOG_SIZE_BUFFER = 10,
};

static uint64_t syslog_clear_at, syslog_read_at;

static int64_t syslog_read(uaddr_t to, int size, uint64_t *pos)
{
	char buf[256];
	int64_t done = 0;

	while (done < size) {
		size_t n = klog_read(pos, buf, MIN((size_t)(size - done), sizeof(buf)));

		if (!n)
			break;
		if (copy_to_user(uaddr_add(to, (uint64_t)done), buf, n))
			return -EFAULT;
		done += (int64_t)n;
	}
	return done;
}

int64_t sys_syslog(struct regs *regs)
{
	int size = INT2(regs);
	uint64_t pos = syslog_clear_at;

	if (INT0(regs) != SYSLOG_READ_ALL && INT0(regs) != SYSLOG_SIZE_BUFFER && !capable(CAP_SYSLOG))
		return -EPERM;
	switch (INT0(regs)) {
	case SYSLOG_CLOSE:
	case SYSLOG_OPEN:
		return 0;
	case SYSLOG_READ:
		return size < 0 || !ARG1(regs) ? -EINVAL : syslog_read(PTR1(regs), size, &syslog_read_at);
	case SYSLOG_READ_ALL:
	case SYSLOG_READ_CLEAR: {
		if (size < 0 || !ARG1(regs))
			return -EINVAL;
		int64_t n = syslog_read(PTR1(regs), size, &pos);
		if (n >= 0 && INT0(regs) == SYSLOG_READ_CLEAR)
			syslog_clear_at = pos;
		return n;
	}
	case SYSLOG_CLEAR: {
		char skip[256];

		while (klog_read(&syslog_clear_at, skip, sizeof(skip)))
			;
		return 0;
	}
	case SYSLOG_SIZE_UNREAD:
	case SYSLOG_SIZE_BUFFER:
		return (int64_t)klog_size();
	}
	return -EINVAL;
}
