/*
 * The gofer's jail: what it gives up before it reads the first request.
 *
 * gofer_jail_prepare() always runs: it opens /proc/self/fd and the trees.
 * gofer_jail_enter() then makes copies of the trees as mounts of their own, so that ".."
 * cannot leave them even for a gofer that was taken over; puts an empty root below;
 * drops capabilities; and turns the filter on. It runs in its caller's pid namespace: the
 * command (cli/) makes one. Nothing here runs after the first request.
 * Sources: open_tree(2), mount_setattr(2), pivot_root(2), capabilities(7), seccomp(2).
 */
#include <linux/capability.h>
#include <linux/mount.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "gofer/internal.h"

/* <sys/mount.h> has it, but clashes with <linux/mount.h> in older C libraries. */
#define MNT_DETACH 2

static int fail(const char *operation, const char *object)
{
	int error = errno;

	fprintf(stderr, "gofer: %s %s: %s\n", operation, object, strerror(error));
	return -error;
}

static int open_tree_copy(int fd, const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
}

static int record_root(struct tree *tree)
{
	struct statx stx;

	if (statx(tree->fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_INO, &stx))
		return fail("look at tree", tree->name);
	if (S_ISLNK(stx.stx_mode)) {
		errno = ELOOP;
		return fail("look at tree", tree->name);
	}
	tree->root_ino = stx.stx_ino;
	tree->devices[0] = (uint64_t)stx.stx_dev_major << 32 | stx.stx_dev_minor;
	tree->device_count = 1;
	return 0;
}

int gofer_jail_prepare(struct gofer *g, const struct gofer_options *options)
{
	for (size_t i = 0; i < options->tree_count; i++) {
		struct tree *tree = &g->trees[i];
		int error;

		*tree = (struct tree){.name = options->trees[i].name, .readonly = options->trees[i].readonly, .detached = options->trees[i].detached,
			.uids = &g->uids, .gids = &g->gids};
		tree->fd = fcntl(options->trees[i].fd, F_DUPFD_CLOEXEC, 3);
		if (tree->fd < 0)
			return fail("take tree", tree->name);
		g->tree_count++;
		error = record_root(tree);
		if (error)
			return error;
	}
	g->proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (g->proc_fd < 0)
		return fail("open", "/proc/self/fd");
	if (fchdir(g->proc_fd))
		return fail("enter", "/proc/self/fd");
	return 0;
}

/* Each tree and /proc/self/fd become mounts of their own, with nothing above them. */
static int detach_trees(struct gofer *g)
{
	struct mount_attr attr = {.propagation = MS_PRIVATE};
	int fd;

	for (size_t i = 0; i < g->tree_count; i++) {
		struct tree *tree = &g->trees[i];

		if (!tree->detached) {
			fd = open_tree_copy(tree->fd, "", AT_EMPTY_PATH | AT_RECURSIVE);
			if (fd < 0)
				return fail("copy tree", tree->name);
			close(tree->fd);
			tree->fd = fd;
		}
		fd = tree->fd;
		/* No device in the tree can be opened, neither one that is there nor one that a taken-over gofer makes. */
		attr.attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | (tree->readonly ? MOUNT_ATTR_RDONLY : 0);
		if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)))
			return fail("set mount attributes of tree", tree->name);
	}
	/* Recursion off: nothing is mounted in there. */
	fd = open_tree_copy(AT_FDCWD, "/proc/self/fd", 0);
	if (fd < 0)
		return fail("copy", "/proc/self/fd");
	close(g->proc_fd);
	g->proc_fd = fd;
	return 0;
}

/* An empty, read-only root. */
static int empty_root(void)
{
	CLEANUP_FD context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	CLEANUP_FD root = -1;

	if (context < 0 || syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "size", "4k", 0) ||
		syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return fail("make", "an empty tmpfs");
	root = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC,
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (root < 0)
		return fail("mount", "an empty tmpfs");
	if (syscall(SYS_move_mount, root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH))
		return fail("put the empty root over", "/");
	if (fchdir(root))
		return fail("enter", "the empty root");
	/* Where the old root cannot be moved (an initramfs), chroot alone must do. */
	if (syscall(SYS_pivot_root, ".", ".") == 0) {
		if (syscall(SYS_umount2, ".", MNT_DETACH))
			return fail("let go of", "the old root");
	} else if (chroot(".")) {
		return fail("change root to", "the empty root");
	}
	return 0;
}

/*
 * The new mount namespace hears nothing of the host's any more. In a chroot "/" is no mount and cannot be told so;
 * setns(2) into the own namespace then makes its real root the root, which is emptied next anyway.
 */
static int private_mounts(void)
{
	CLEANUP_FD fd = -1;

	if (syscall(SYS_mount, "none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		return 0;
	if (errno != EINVAL)
		return fail("make private", "/");
	fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_setns, fd, CLONE_NEWNS))
		return fail("leave", "the chroot (is /proc mounted in it?)");
	return syscall(SYS_mount, "none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ? fail("make private", "/") : 0;
}

static int enter_namespaces(struct gofer *g, const struct gofer_options *options)
{
	int error;

	/* First, since only mounts of our own namespace can be copied. */
	error = detach_trees(g);
	if (error)
		return error;
	if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | (options->left_network ? 0 : CLONE_NEWNET)))
		return fail("leave", "the host's namespaces");
	error = private_mounts();
	if (error)
		return error;
	error = empty_root();
	if (error)
		return error;
	return fchdir(g->proc_fd) ? fail("enter", "/proc/self/fd") : 0;
}

static bool is_kept(const struct gofer *g, int fd)
{
	if (fd == STDERR_FILENO || fd == g->socket || fd == g->proc_fd)
		return true;
	for (size_t i = 0; i < g->tree_count; i++)
		if (fd == g->trees[i].fd)
			return true;
	return false;
}

/* Whatever else was inherited: above all the caller's descriptors of the trees, from which ".." leads out. */
static int close_others(const struct gofer *g)
{
	int first = 0, last = STDERR_FILENO;

	last = g->socket > last ? g->socket : last;
	last = g->proc_fd > last ? g->proc_fd : last;
	for (size_t i = 0; i < g->tree_count; i++)
		last = g->trees[i].fd > last ? g->trees[i].fd : last;
	for (; first <= last; first++)
		if (!is_kept(g, first))
			close(first);
	return syscall(SYS_close_range, last + 1, ~0u, 0) ? fail("close", "what was inherited") : 0;
}

static int drop_privileges(const struct gofer *g, const struct gofer_options *options)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}, {0}};
	uint32_t keep = 1u << CAP_DAC_READ_SEARCH | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER;
	bool writable = false;

	for (size_t i = 0; i < g->tree_count; i++)
		writable |= !g->trees[i].readonly;
	if (writable)
		keep |= 1u << CAP_CHOWN | 1u << CAP_FSETID | 1u << CAP_MKNOD;
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) && errno != EINVAL)
			return fail("drop", "the bounding set");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		return fail("drop", "ambient capabilities");
	if (options->uid && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
		return fail("keep", "capabilities");
	if (syscall(SYS_setgroups, 0, NULL) && errno != EPERM)
		return fail("drop", "groups");
	if (options->gid && syscall(SYS_setresgid, options->gid, options->gid, options->gid))
		return fail("become", "the gofer's group");
	if (options->uid && syscall(SYS_setresuid, options->uid, options->uid, options->uid))
		return fail("become", "the gofer's user");
	data[0].effective = data[0].permitted = keep;
	if (syscall(SYS_capset, &header, data))
		return fail("drop", "capabilities");
	return 0;
}



static int add_fcntl(scmp_filter_ctx filter)
{
	static const unsigned commands[] = {F_OFD_SETLK, F_OFD_GETLK, F_DUPFD_CLOEXEC};

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, commands[i], 0));
		if (error)
			return error;
	}
	return 0;
}

enum check { check_none, check_no_exec, check_lock_or_dup, check_to_stderr, check_itself };

static const struct {
	int number;
	enum check check;
	const char *name, *reason;
} allowed[] = {
#define GOFER_ALLOW(call, reason) {SCMP_SYS(call), check_none, #call, reason},
#define GOFER_ALLOW_IF(call, check, reason) {SCMP_SYS(call), check_##check, #call, reason},
#include "gofer/filter.def"
#undef GOFER_ALLOW
#undef GOFER_ALLOW_IF
};

#define ALLOWED_COUNT (sizeof(allowed) / sizeof(*allowed))
#ifdef RF_SANITIZE
#define SANITIZER_CALLS 5
#else
#define SANITIZER_CALLS 0
#endif
_Static_assert(ALLOWED_COUNT <= 45 + SANITIZER_CALLS, "keep the list short");

static int add_rule(scmp_filter_ctx filter, int number, enum check check)
{
	switch (check) {
	case check_no_exec:
		return seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, number, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	case check_to_stderr:
		return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1, SCMP_A0(SCMP_CMP_EQ, 2, 0));
	case check_itself:
		return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1, SCMP_A0(SCMP_CMP_EQ, 0, 0));
	case check_lock_or_dup:
		return add_fcntl(filter);
	case check_none:
		break;
	}
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
}

static int filter_on(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int error = filter ? 0 : -ENOMEM;

	for (size_t i = 0; i < ALLOWED_COUNT && !error; i++)
		error = add_rule(filter, allowed[i].number, allowed[i].check);
	if (!error)
		error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!error)
		error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	errno = -error;
	return error ? fail("turn on", "the filter") : 0;
}

int gofer_jail_enter(struct gofer *g, const struct gofer_options *options)
{
	int error;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return fail("prepare", "the process");
	error = enter_namespaces(g, options);
	if (!error)
		error = close_others(g);
	if (!error)
		error = drop_privileges(g, options);
	if (error)
		return error;
	/* A change of user resets both. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fail("prepare", "the process");
	return filter_on();
}

void gofer_print_filter(FILE *to)
{
	for (size_t i = 0; i < ALLOWED_COUNT; i++)
		fprintf(to, "%-10s %-18s %s\n", "gofer", allowed[i].name, allowed[i].reason);
	fprintf(to, "# gofer: %zu calls in %zu lines\n", ALLOWED_COUNT, ALLOWED_COUNT);
}
