/*
 * The jail of the VMM process: an empty root, namespaces of its own, its own uid, no
 * capabilities, no_new_privs, no core dumps, and a seccomp list for each thread.
 *
 * jail_prepare() comes first, while there is one thread (namespaces and no_new_privs are
 * then inherited by all). jail_walls() empties the root and changes the uid: hosted before
 * the platform starts, so that the stubs are inside too, and the old root goes on a thread
 * of its own meanwhile; in the guest after it, because it opens /dev/kvm, and for all threads.
 * Within the walls each thread puts its filter on when it is ready (jail_filter()) and waits
 * (jail_thread()) until jail_enter() on the main thread. After that no path can be opened.
 * The pid namespace is made by the command, because a process cannot move itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/internal.h"

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate = PTHREAD_COND_INITIALIZER;
static enum { STAGE_START, STAGE_WALLED, STAGE_OPEN } stage; /* under gate_lock */
static pthread_t sweeper;
static bool sweeping;
static int sweep_error; /* the sweeper's, until it is joined */
static bool own_mounts; /* this process has a mount namespace of its own */

static int fail(const char *what)
{
	int error = -errno;
	vmm_log(VMM_LOG_ERROR, "boot: jail: %s: %s", what, strerror(errno));
	return error;
}

static void reach(int reached)
{
	pthread_mutex_lock(&gate_lock);
	stage = reached;
	pthread_cond_broadcast(&gate);
	pthread_mutex_unlock(&gate_lock);
}

static void wait_for(int wanted)
{
	pthread_mutex_lock(&gate_lock);
	while ((int)stage < wanted)
		pthread_cond_wait(&gate, &gate_lock);
	pthread_mutex_unlock(&gate_lock);
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/*
 * The new mount namespace hears nothing of the host's any more, nor the host of it. In a chroot "/" is no mount and
 * cannot be told so; setns(2) into the own namespace then makes its real root the root, which the jail empties anyway.
 */
static int private_mounts(void)
{
	int fd, error;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		return 0;
	if (errno != EINVAL)
		return fail("private mounts");
	fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	error = fd < 0 || setns(fd, CLONE_NEWNS) < 0 ? fail("leaving the chroot (is /proc mounted in it?)") : 0;
	if (fd >= 0)
		close(fd);
	if (error == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fail("private mounts");
	return error;
}

/*
 * The network's is the container's, if the command has put us into that: whoever sets it up finds it by our number. As
 * root: plain namespaces. Otherwise inside a user namespace, where the own uid is the only one.
 */
static void make_namespaces(bool own_network)
{
	const int flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | (own_network ? 0 : CLONE_NEWNET);
	unsigned uid = getuid(), gid = getgid();
	char map[64];

	if (unshare(flags) == 0) {
		own_mounts = true;
		return;
	}
	if (unshare(CLONE_NEWUSER | flags) < 0) {
		vmm_log(VMM_LOG_WARNING, "jail: no namespaces of its own here: %s", strerror(errno));
		return;
	}
	own_mounts = true;
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	write_file("/proc/self/uid_map", map);
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	write_file("/proc/self/gid_map", map);
}

int jail_prepare(struct vmm *vmm)
{
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return fail("RLIMIT_CORE");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail("no_new_privs");
	if (vmm->options->network_caps && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) /* for every thread to come */
		return fail("PR_SET_KEEPCAPS");
	make_namespaces(vmm->options->own_network || vmm->options->host_network);
	return own_mounts ? private_mounts() : 0;
}

/* Lets go of the host's root, which waits for a grace period of the host's kernel, and seals the new one. */
static void *sweep(void *error)
{
	*(int *)error = 0;
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		*(int *)error = fail("leaving the host's root");
	else if (mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		*(int *)error = fail("read-only root");
	return NULL;
}

/* A tmpfs becomes the root. Where we are the only thread, another one lets all else go, for which jail_enter() waits. */
static int empty_root(bool alone)
{
	static const char *const places[] = {"/tmp", "/run", "/dev", "/proc", "/var", "/etc"};
	const char *place = NULL;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !place; i++) {
		if (mount("none", places[i], "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,nr_inodes=2,mode=555") == 0)
			place = places[i];
	}
	if (!place || chdir(place) < 0)
		return fail("tmpfs for the empty root");
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return fail("pivot_root");
	sweeping = alone && pthread_create(&sweeper, NULL, sweep, &sweep_error) == 0;
	if (!sweeping)
		sweep(&sweep_error);
	return sweeping ? 0 : sweep_error;
}

/* All but those that the host's sockets need (--network=host, and only what the container has). */
static int drop_capabilities(uint32_t kept)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct sets[2] = {{.effective = kept, .permitted = kept}};

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}

static int change_user(const struct vmm_options *options, bool alone)
{
	/* Nothing could regain one under no_new_privs; and nothing should be able to name one. */
	for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	if (options->uid == 0 || geteuid() != 0)
		return 0;
	if (alone) /* glibc's functions would change the sweeper too, and wait for it */
		return syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, options->gid, options->gid, options->gid) < 0 ||
			syscall(SYS_setresuid, options->uid, options->uid, options->uid) < 0 ? fail("the sandbox's user") : 0;
	/* glibc changes every thread of the process. */
	if (setgroups(0, NULL) < 0 || setresgid(options->gid, options->gid, options->gid) < 0 ||
	    setresuid(options->uid, options->uid, options->uid) < 0)
		return fail("the sandbox's user");
	return 0;
}

int jail_walls(struct vmm *vmm)
{
	bool alone = vmm->platform->machine == ABI_MACHINE_HOSTED; /* in the guest the CPUs' threads are there */
	int error;

	if (own_mounts && (error = empty_root(alone)) < 0)
		return error;
	if ((error = change_user(vmm->options, alone)) < 0)
		return error;
	/* Changing the uid cleared it. */
	if (!vmm->options->detached && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return fail("PR_SET_PDEATHSIG");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail("PR_SET_DUMPABLE");
	reach(STAGE_WALLED);
	return 0;
}

int jail_enter(struct vmm *vmm)
{
	if (sweeping) {
		pthread_join(sweeper, NULL);
		sweeping = false;
		if (sweep_error)
			return sweep_error;
	}
	reach(STAGE_OPEN);
	return jail_filter(vmm, JAIL_MAIN);
}

int jail_filter(struct vmm *vmm, enum jail_role role)
{
	int error;

	wait_for(STAGE_WALLED);
	error = drop_capabilities(role == JAIL_MAIN || role == JAIL_IO || role == JAIL_CONTROL ? 0 : vmm->options->network_caps);
	if (error == 0)
		error = filters_load(role, vmm->options->host_network);
	if (error) {
		vmm_log(VMM_LOG_ERROR, "boot: jail: filter: %s", strerror(-error));
		vmm_fail(vmm, 255 << 8);
	}
	return error;
}

int jail_thread(struct vmm *vmm, enum jail_role role)
{
	int error = jail_filter(vmm, role);

	if (error == 0)
		wait_for(STAGE_OPEN);
	return error;
}
