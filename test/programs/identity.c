/*
 * Who a process is and what it may: user and group ids, capabilities, securebits, limits,
 * prctl, scheduling attributes, uname and its neighbours. The parts that need root are skipped without it.
 */
#include <linux/capability.h>
#include <linux/securebits.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "harness.h"

static int cap_get(uint64_t *effective, uint64_t *permitted)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -1;
	*effective = data[0].effective | (uint64_t)data[1].effective << 32;
	*permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return 0;
}

static int cap_set(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {
		{(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
		{(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)},
	};

	return (int)syscall(SYS_capset, &header, data);
}

static void drop_for_good(void)
{
	uint64_t effective, permitted;
	uid_t r, e, s;

	CHECK(setgid(1000) == 0);
	CHECK(setuid(1000) == 0);
	CHECK(getresuid(&r, &e, &s) == 0 && r == 1000 && e == 1000 && s == 1000);
	CHECK(cap_get(&effective, &permitted) == 0 && effective == 0 && permitted == 0);
	CHECK_ERRNO(setuid(0), EPERM);
	CHECK_ERRNO(setresuid(-1, 0, -1), EPERM);
	CHECK_ERRNO(setgid(0), EPERM);
	CHECK_ERRNO(setgroups(0, NULL), EPERM);
	CHECK(setuid(1000) == 0);
}

static void drop_for_a_while(void)
{
	uint64_t effective, permitted, all;
	uid_t r, e, s;

	CHECK(cap_get(&effective, &all) == 0);
	CHECK(seteuid(1000) == 0);
	CHECK(getresuid(&r, &e, &s) == 0 && r == 0 && e == 1000 && s == 0);
	CHECK(cap_get(&effective, &permitted) == 0 && effective == 0 && permitted == all);
	CHECK_ERRNO(setresuid(2000, -1, -1), EPERM);
	CHECK(seteuid(0) == 0);
	CHECK(cap_get(&effective, &permitted) == 0 && effective == all);
	CHECK(setresuid(1, 2, 3) == 0);
	CHECK(getresuid(&r, &e, &s) == 0 && r == 1 && e == 2 && s == 3);
	CHECK(setresuid(3, 1, 2) == 0);
	CHECK_ERRNO(setresuid(4, -1, -1), EPERM);
	CHECK(setreuid(-1, 3) == 0 && geteuid() == 3);
}

static void group_lists(void)
{
	gid_t list[4] = {5, 6, 7}, got[10];

	CHECK(setgroups(3, list) == 0);
	CHECK(getgroups(0, NULL) == 3);
	CHECK_ERRNO(getgroups(2, got), EINVAL);
	CHECK(getgroups(10, got) == 3 && got[0] == 5 && got[2] == 7);
	CHECK(setresgid(1, 2, 3) == 0);
	CHECK(setfsgid(3) == 2 && setfsgid(-1) == 3);
	CHECK(setfsuid(1000) == 0 && setfsuid(-1) == 1000);
	CHECK(setgroups(0, NULL) == 0 && getgroups(0, NULL) == 0);
}

static void capabilities(void)
{
	uint64_t effective, permitted, kill_bit = 1ull << CAP_KILL;

	CHECK(cap_get(&effective, &permitted) == 0 && (permitted & kill_bit));
	CHECK(cap_set(kill_bit, kill_bit, kill_bit) == 0);
	CHECK(cap_get(&effective, &permitted) == 0 && effective == kill_bit && permitted == kill_bit);
	CHECK_ERRNO(cap_set(kill_bit, kill_bit | 1, 0), EPERM);
	CHECK_ERRNO(cap_set(kill_bit | 1, kill_bit, 0), EPERM);
	CHECK_ERRNO(setuid(5), EPERM);
	CHECK(prctl(PR_CAPBSET_READ, CAP_KILL) == 1);
	CHECK_ERRNO(prctl(PR_CAPBSET_READ, 64), EINVAL);
	CHECK_ERRNO(prctl(PR_CAPBSET_DROP, CAP_KILL), EPERM);
	CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) == 0);
	CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0) == 1);
	CHECK_ERRNO(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0), EPERM);
	CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0);
	CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0) == 0);
}

static void keep_capabilities(void)
{
	uint64_t effective, permitted, all;

	CHECK(cap_get(&effective, &all) == 0);
	CHECK(prctl(PR_SET_KEEPCAPS, 1) == 0 && prctl(PR_GET_KEEPCAPS) == 1);
	CHECK(setresuid(1000, 1000, 1000) == 0);
	CHECK(cap_get(&effective, &permitted) == 0 && effective == 0 && permitted == all);
	CHECK_ERRNO(prctl(PR_SET_KEEPCAPS, 2), EINVAL);
}

static void who_may_kill(void)
{
	int status;
	pid_t root = fork();

	if (root == 0)
		for (;;)
			pause();
	CHECK(setresuid(1000, 1000, 1000) == 0);
	CHECK_ERRNO(kill(root, SIGTERM), EPERM);
	CHECK_ERRNO(kill(root, 0), EPERM);
	pid_t own = fork();
	if (own == 0)
		for (;;)
			pause();
	CHECK(kill(own, SIGTERM) == 0);
	CHECK(waitpid(own, &status, 0) == own);
	CHECK(kill(root, SIGCONT) == 0); /* the same session */
	if (fork() == 0)
		_exit(0);
	wait(&status);
	/* Only somebody with the right can end it now: our parent's exit does not. */
	FILE *out = fopen("/dev/null", "r");
	if (out)
		fclose(out);
	_exit(CHECK_RESULT() ? 1 : 100 + (root > 0 ? 0 : 1));
}

static void cleanup_kill(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		who_may_kill();
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 100);
	CHECK(kill(-pid, SIGKILL) == 0);
}

static void limits(void)
{
	struct rlimit value, old;

	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0 && old.rlim_cur <= old.rlim_max);
	value = (struct rlimit){100, old.rlim_max};
	CHECK(setrlimit(RLIMIT_NOFILE, &value) == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &value) == 0 && value.rlim_cur == 100 && value.rlim_max == old.rlim_max);
	value = (struct rlimit){200, 100};
	CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &value), EINVAL);
	CHECK_ERRNO(getrlimit(99, &value), EINVAL);
	CHECK(prlimit(getpid(), RLIMIT_NOFILE, NULL, &value) == 0 && value.rlim_cur == 100);
	CHECK_ERRNO(prlimit(999999, RLIMIT_NOFILE, NULL, &value), ESRCH);
	CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
	CHECK(getrlimit(RLIMIT_STACK, &value) == 0 && value.rlim_cur >= 1 << 20);
	/* Lowering the hard limit is for good without the capability. */
	pid_t pid = fork();
	int status;
	if (pid == 0) {
		if (getuid() == 0 && setuid(1000))
			_exit(1);
		value = (struct rlimit){10, 10};
		if (setrlimit(RLIMIT_CORE, &value) == 0) {
			value = (struct rlimit){10, 20};
			_exit(setrlimit(RLIMIT_CORE, &value) == -1 && errno == EPERM ? 0 : 2);
		}
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void process_controls(void)
{
	char name[17] = "";
	int value = -1;

	CHECK(prctl(PR_SET_NAME, "a-rather-long-name-it-is") == 0);
	CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "a-rather-long-n") == 0);
	CHECK(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0 && prctl(PR_GET_PDEATHSIG, &value) == 0 && value == SIGUSR1);
	CHECK(prctl(PR_SET_PDEATHSIG, 0) == 0);
	CHECK_ERRNO(prctl(PR_SET_PDEATHSIG, 100), EINVAL);
	CHECK(prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_GET_DUMPABLE) == 0);
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0 && prctl(PR_GET_DUMPABLE) == 1);
	CHECK_ERRNO(prctl(PR_SET_DUMPABLE, 7), EINVAL);
	CHECK(prctl(PR_SET_TIMERSLACK, 12345) == 0 && prctl(PR_GET_TIMERSLACK) == 12345);
	CHECK(prctl(PR_SET_TIMERSLACK, 0) == 0);
	CHECK_ERRNO(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK_ERRNO(prctl(9999), EINVAL);
}

static void scheduling(void)
{
	struct sched_param param = {0};
	cpu_set_t set;

	CHECK(sched_yield() == 0);
	CHECK(sched_getscheduler(0) == SCHED_OTHER);
	CHECK(sched_getparam(0, &param) == 0 && param.sched_priority == 0);
	CHECK(sched_setscheduler(0, SCHED_BATCH, &param) == 0 && sched_getscheduler(0) == SCHED_BATCH);
	CHECK(sched_setscheduler(0, SCHED_OTHER, &param) == 0);
	param.sched_priority = 5;
	CHECK_ERRNO(sched_setscheduler(0, SCHED_OTHER, &param), EINVAL);
	CHECK_ERRNO(sched_setscheduler(0, 77, &param), EINVAL);
	CHECK_ERRNO(sched_getscheduler(999999), ESRCH);
	CHECK(sched_get_priority_max(SCHED_FIFO) == 99 && sched_get_priority_min(SCHED_RR) == 1);
	CHECK(sched_get_priority_max(SCHED_OTHER) == 0);
	CHECK_ERRNO(sched_get_priority_max(77), EINVAL);
	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) >= 1);
	int cpus = CPU_COUNT(&set), first = -1;
	cpu_set_t one;
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &set))
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		first = i;
		CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
		CHECK(sched_getcpu() == i);
		unsigned cpu = 9999;
		CHECK(syscall(SYS_getcpu, &cpu, NULL, NULL) == 0 && (int)cpu == i);
	}
	CHECK(first >= 0);
	CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
	CPU_ZERO(&one);
	CHECK_ERRNO(sched_setaffinity(0, sizeof(one), &one), EINVAL);
	CHECK(sysconf(_SC_NPROCESSORS_CONF) >= cpus || cpus > 0);
	errno = 0;
	int nice_before = getpriority(PRIO_PROCESS, 0);
	CHECK(setpriority(PRIO_PROCESS, 0, nice_before + 3) == 0 && getpriority(PRIO_PROCESS, 0) == nice_before + 3);
	CHECK_ERRNO(setpriority(PRIO_PROCESS, 999999, 0), ESRCH);
	CHECK_ERRNO(setpriority(9, 0, 0), EINVAL);
}

static void system_names(void)
{
	struct utsname name;
	struct sysinfo info;
	unsigned char a[64] = {0}, b[64] = {0};

	CHECK(uname(&name) == 0 && strcmp(name.sysname, "Linux") == 0 && strcmp(name.machine, "x86_64") == 0);
	CHECK(name.nodename[0] && atoi(name.release) >= 5);
	CHECK(sysinfo(&info) == 0 && info.totalram > 0 && info.freeram <= info.totalram && info.procs > 0 && info.mem_unit > 0);
	CHECK(getrandom(a, sizeof(a), 0) == sizeof(a) && getrandom(b, sizeof(b), GRND_NONBLOCK) == sizeof(b));
	CHECK(memcmp(a, b, sizeof(a)) != 0);
	CHECK_ERRNO(getrandom(a, sizeof(a), 0x100), EINVAL);
	CHECK((personality(0xffffffff) & 0xff) == 0);
	CHECK(syscall(SYS_gettid) == getpid());
	CHECK(unshare(CLONE_FILES | CLONE_FS) == 0);
}

int main(void)
{
	harness_start();
	if (getuid() == 0) {
		uint64_t effective, permitted, needed = 1ull << CAP_SETUID | 1ull << CAP_SETGID | 1ull << CAP_KILL;

		if (cap_get(&effective, &permitted) == 0 && (effective & needed) == needed) {
			ISOLATED(drop_for_good);
			ISOLATED(drop_for_a_while);
			ISOLATED(group_lists);
			ISOLATED(capabilities);
			ISOLATED(keep_capabilities);
			ISOLATED(cleanup_kill);
		}
	}
	ISOLATED(limits);
	ISOLATED(process_controls);
	ISOLATED(scheduling);
	ISOLATED(system_names);
	return CHECK_RESULT();
}
