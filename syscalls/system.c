/*
 * The system as a whole: uname, sysinfo, getrandom, prctl, arch_prctl, syslog, unshare
 * (uname(2), sysinfo(2), getrandom(2), prctl(2), arch_prctl(2), syslog(2), unshare(2)).
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

/* ---- prctl ---- */

static int edit_securebits(uint32_t set, uint32_t clear)
{
	struct cred *cred = cred_copy(current->cred), *old = current->cred;

	if (!cred)
		return -ENOMEM;
	cred->securebits = (cred->securebits | set) & ~clear;
	current->cred = cred;
	cred_put(old);
	return 0;
}

static int set_securebits(uint32_t bits)
{
	uint32_t old = current->cred->securebits;
	uint32_t locked = (old & SECURE_ALL_LOCKS) >> 1;

	if (!capable_here(CAP_SETPCAP) || ((old & SECURE_ALL_LOCKS) & ~bits) || ((old ^ bits) & locked) ||
		(bits & ~(uint32_t)(SECURE_ALL_LOCKS | SECURE_ALL_BITS)))
		return -EPERM;
	return edit_securebits(bits, ~bits);
}

static int64_t set_comm(struct regs *regs)
{
	char name[16] = {0};
	int64_t rc = strncpy_from_user(name, PTR1(regs), sizeof(name) - 1);

	if (rc == -EFAULT)
		return rc;
	name[15] = 0;
	memcpy(current->comm, name, sizeof(name));
	return 0;
}

static int64_t prctl_capbset(uint64_t op, uint64_t cap)
{
	struct cred *cred;

	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	if (op == PR_CAPBSET_READ)
		return current->cred->cap_bounding >> cap & 1;
	if (!capable_here(CAP_SETPCAP))
		return -EPERM;
	cred = cred_copy(current->cred);
	if (!cred)
		return -ENOMEM;
	cred->cap_bounding &= ~(1ull << cap);
	cred_put(current->cred);
	current->cred = cred;
	return 0;
}

static int64_t prctl_ambient(struct regs *regs)
{
	const struct cred *old = current->cred;
	uint64_t op = ARG1(regs), cap = ARG2(regs), ambient = old->cap_ambient;

	if (op == PR_CAP_AMBIENT_CLEAR_ALL) {
		if (cap || ARG3(regs) || ARG4(regs))
			return -EINVAL;
		ambient = 0;
	} else {
		if (cap > CAP_LAST_CAP || ARG3(regs) || ARG4(regs))
			return -EINVAL;
		uint64_t bit = 1ull << cap;
		if (op == PR_CAP_AMBIENT_IS_SET)
			return !!(ambient & bit);
		if (op == PR_CAP_AMBIENT_RAISE) {
			if (!(old->cap_permitted & old->cap_inheritable & bit) ||
				(old->securebits & (1u << SECURE_NO_CAP_AMBIENT_RAISE)))
				return -EPERM;
			ambient |= bit;
		} else if (op == PR_CAP_AMBIENT_LOWER) {
			ambient &= ~bit;
		} else {
			return -EINVAL;
		}
	}
	struct cred *cred = cred_copy(old);
	if (!cred)
		return -ENOMEM;
	cred->cap_ambient = ambient;
	cred_put(current->cred);
	current->cred = cred;
	return 0;
}

static int64_t set_no_new_privs(struct regs *regs)
{
	struct cred *cred;

	if (ARG1(regs) != 1 || ARG2(regs) || ARG3(regs) || ARG4(regs))
		return -EINVAL;
	cred = cred_copy(current->cred);
	if (!cred)
		return -ENOMEM;
	cred->no_new_privs = true;
	cred_put(current->cred);
	current->cred = cred;
	return 0;
}

static int64_t prctl_keepcaps(uint64_t value)
{
	if (value > 1)
		return -EINVAL;
	if (current->cred->securebits & (1u << SECURE_KEEP_CAPS_LOCKED))
		return -EPERM;
	return value ? edit_securebits(1u << SECURE_KEEP_CAPS, 0) : edit_securebits(0, 1u << SECURE_KEEP_CAPS);
}

/* Those about credentials. What is not known is -EINVAL, PR_SET_VMA included (as without CONFIG_ANON_VMA_NAME). */
static int64_t prctl_identity(struct regs *regs)
{
	const struct cred *cred = current->cred;

	switch (ARG0(regs)) {
	case PR_GET_KEEPCAPS:
		return cred->securebits >> SECURE_KEEP_CAPS & 1;
	case PR_SET_KEEPCAPS:
		return prctl_keepcaps(ARG1(regs));
	case PR_GET_SECUREBITS:
		return cred->securebits;
	case PR_SET_SECUREBITS:
		return set_securebits((uint32_t)ARG1(regs));
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
		return prctl_capbset(ARG0(regs), ARG1(regs));
	case PR_CAP_AMBIENT:
		return prctl_ambient(regs);
	case PR_SET_NO_NEW_PRIVS:
		return set_no_new_privs(regs);
	case PR_GET_NO_NEW_PRIVS:
		return ARG1(regs) || ARG2(regs) || ARG3(regs) || ARG4(regs) ? -EINVAL : cred->no_new_privs;
	case PR_GET_SECCOMP:
		return current->seccomp.mode;
	case PR_SET_SECCOMP:
		return seccomp_prctl(ARG1(regs), PTR2(regs));
	}
	return -EINVAL;
}

/* Those about the process. */
static int64_t prctl_process(struct regs *regs)
{
	struct process *process = current->process;
	int value;

	switch (ARG0(regs)) {
	case PR_SET_PDEATHSIG:
		if (ARG1(regs) > KSIG_MAX)
			return -EINVAL;
		process->pdeath_signal = (int)ARG1(regs);
		return 0;
	case PR_GET_PDEATHSIG:
		value = process->pdeath_signal;
		return put_user(value, PTR1(regs));
	case PR_GET_DUMPABLE:
		return current->mm->dumpable;
	case PR_SET_DUMPABLE:
		if (ARG1(regs) > 1)
			return -EINVAL;
		current->mm->dumpable = ARG1(regs);
		return 0;
	case PR_SET_CHILD_SUBREAPER:
		process->subreaper = ARG1(regs) != 0;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		value = process->subreaper;
		return put_user(value, PTR1(regs));
	case PR_SET_NAME:
		return set_comm(regs);
	case PR_GET_NAME:
		return copy_to_user(PTR1(regs), current->comm, sizeof(current->comm));
	case PR_SET_TIMERSLACK:
		current->timer_slack = (int64_t)ARG1(regs) <= 0 ? 50000 : ARG1(regs);
		return 0;
	case PR_GET_TIMERSLACK:
		return (int64_t)MIN(current->timer_slack, (uint64_t)INT64_MAX);
	case PR_GET_TSC:
		value = PR_TSC_ENABLE;
		return put_user(value, PTR1(regs));
	case PR_GET_TIMING:
		return PR_TIMING_STATISTICAL;
	case PR_SET_TIMING:
		return ARG1(regs) == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_GET_TID_ADDRESS:
		return put_user(current->clear_child_tid.v, PTR1(regs));
	case PR_GET_THP_DISABLE:
		return 0;
	}
	return prctl_identity(regs);
}

int64_t sys_prctl(struct regs *regs)
{
	return prctl_process(regs);
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
