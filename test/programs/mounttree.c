/*
 * The mount calls that work by descriptors: fsopen(2) and its kin with the messages they leave, open_tree(2),
 * move_mount(2), mount_setattr(2). In a mount namespace of its own; skipped without the right to mount.
 */
#include <sched.h>
#include <stdint.h>
#include <sys/mount.h>

#include "workdir.h"

static int set_attributes(int dirfd, const char *name, unsigned flags, uint64_t set, uint64_t clear, uint64_t propagation)
{
	struct mount_attr attr = {.attr_set = set, .attr_clr = clear, .propagation = propagation};

	return mount_setattr(dirfd, name, flags, &attr, sizeof(attr));
}

/* The oldest message is this, or -1: there is none. */
static int says(int fd, const char *text)
{
	char buf[256];
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	if (n < 0)
		return errno == ENODATA ? -1 : 0;
	buf[n] = '\0';
	return strcmp(buf, text) == 0;
}

/* The words of the mount's line in mountinfo, from its flags on; "" where there is none. */
static const char *line_of(const char *name)
{
	static char found[4096];
	char line[4096], place[4096], wanted[8192];
	FILE *file = fopen("/proc/self/mountinfo", "r");

	found[0] = '\0';
	snprintf(wanted, sizeof(wanted), "%s/%s", workdir_path, name);
	while (file && fgets(line, sizeof(line), file)) {
		int at = 0;

		if (sscanf(line, "%*s %*s %*s %*s %4095s %n", place, &at) == 1 && !strcmp(place, wanted))
			snprintf(found, sizeof(found), "%s", line + at);
	}
	if (file)
		fclose(file);
	return found;
}

static void test_parameters(void)
{
	int fd = fsopen("tmpfs", 0);
	char byte;

	CHECK(fd >= 0 && says(fd, "") == -1);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_SET_STRING, "size", "nonsense", 0), EINVAL);
	CHECK(says(fd, "e tmpfs: Bad value for 'size'\n") == 1 && says(fd, "") == -1);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_SET_STRING, "foo", "bar", 0), EINVAL);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_SET_FLAG, "nosuid", NULL, 0), EINVAL);
	CHECK_ERRNO(read(fd, &byte, 1), EMSGSIZE);
	CHECK(says(fd, "e tmpfs: Unknown parameter 'foo'\n") == 1 && says(fd, "e tmpfs: Unknown parameter 'nosuid'\n") == 1);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_SET_FLAG, "size", NULL, 0), EINVAL);
	CHECK(says(fd, "e tmpfs: Bad value for 'size'\n") == 1);
	CHECK(fsconfig(fd, FSCONFIG_SET_STRING, "source", "x", 0) == 0);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_SET_STRING, "source", "y", 0), EINVAL);
	CHECK(says(fd, "e Multiple sources\n") == 1);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_SET_FLAG, "source", NULL, 0), EINVAL);
	CHECK(says(fd, "e Non-string source\n") == 1);
	CHECK(fsconfig(fd, FSCONFIG_SET_STRING, "ro", "1", 0) == 0 && fsconfig(fd, FSCONFIG_SET_FLAG, "rw", NULL, 0) == 0);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_SET_STRING, "size", "1,2", 0), EINVAL);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_SET_PATH, "size", "/", AT_FDCWD), EINVAL);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_SET_FD, "size", NULL, 77), EBADF);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_SET_FD, "size", NULL, 0), EINVAL);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_SET_FLAG, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_SET_FLAG, "ro", "x", 0), EINVAL);
	CHECK_ERRNO(fsconfig(fd, 99, "size", NULL, 0), EOPNOTSUPP);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0), EBUSY);
	CHECK_ERRNO(fsconfig(1, FSCONFIG_SET_FLAG, "ro", NULL, 0), EINVAL);
	CHECK_ERRNO(fsconfig(-1, FSCONFIG_SET_FLAG, "ro", NULL, 0), EINVAL);
	CHECK_ERRNO(fsconfig(200, FSCONFIG_SET_FLAG, "ro", NULL, 0), EBADF);
	CHECK_ERRNO(fsmount(fd, 0, 0), EINVAL);
	CHECK_ERRNO(write(fd, "x", 1), EINVAL);
	close(fd);
	CHECK_ERRNO(fsopen("nosuchfs", 0), ENODEV);
	CHECK_ERRNO(fsopen("tmpfs", 8), EINVAL);
	CHECK_ERRNO(fsopen(NULL, 0), EFAULT);
	fd = fsopen("sysfs", 0);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_SET_STRING, "a", "9", 0), EINVAL);
	CHECK(says(fd, "e sysfs: Unknown parameter 'a'\n") == 1);
	close(fd);
	fd = fsopen("proc", 0);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_SET_STRING, "gid", "x", 0), EINVAL);
	CHECK(says(fd, "e proc: Bad value for 'gid'\n") == 1 && fsconfig(fd, FSCONFIG_SET_STRING, "hidepid", "2", 0) == 0);
	close(fd);
}

/* Made, mounted, changed: in that order only. */
static void test_states(void)
{
	int fd = fsopen("tmpfs", FSOPEN_CLOEXEC), tree;
	char text[64];

	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && fsconfig(fd, FSCONFIG_SET_STRING, "mode", "700", 0) == 0);
	CHECK(fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EBUSY);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_SET_STRING, "size", "1m", 0), EBUSY);
	CHECK_ERRNO(fsmount(fd, 2, 0), EINVAL);
	CHECK_ERRNO(fsmount(fd, 0, 0x1000000), EINVAL);
	CHECK_ERRNO(fsmount(fd, 0, MOUNT_ATTR__ATIME), EINVAL);
	tree = fsmount(fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV);
	CHECK(tree >= 0 && fcntl(tree, F_GETFD) == FD_CLOEXEC && (fcntl(tree, F_GETFL) & O_PATH));
	CHECK_ERRNO(fsmount(fd, 0, 0), EBUSY);
	CHECK(fsconfig(fd, FSCONFIG_SET_STRING, "size", "1m", 0) == 0);
	CHECK(fsconfig(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) == 0);
	snprintf(text, sizeof(text), "/proc/self/fd/%d", fd);
	char link[64] = "";
	CHECK(readlink(text, link, sizeof(link) - 1) > 0 && !strcmp(link, "anon_inode:[fscontext]"));
	/* It has no place yet, but it can be used. */
	CHECK(mkdirat(tree, "d", 0755) == 0 && mkdir("t", 0755) == 0 && mkdir("u", 0755) == 0);
	snprintf(text, sizeof(text), "/proc/self/fd/%d/d", tree);
	CHECK_ERRNO(mount("none", text, "tmpfs", 0, NULL), EINVAL);
	CHECK_ERRNO(move_mount(tree, "", AT_FDCWD, "t", 0), ENOENT);
	CHECK_ERRNO(move_mount(tree, "d", AT_FDCWD, "t", 0), EINVAL);
	CHECK_ERRNO(move_mount(tree, "", AT_FDCWD, "t", 0x1000), EINVAL);
	CHECK(move_mount(tree, "", AT_FDCWD, "t", MOVE_MOUNT_F_EMPTY_PATH) == 0 && access("t/d", F_OK) == 0);
	CHECK(strstr(line_of("t"), "rw,nodev,relatime - tmpfs none rw,size=1024k,mode=700") != NULL);
	CHECK_ERRNO(move_mount(tree, "", AT_FDCWD, "t/d", MOVE_MOUNT_F_EMPTY_PATH), ELOOP);
	CHECK(move_mount(tree, "", AT_FDCWD, "u", MOVE_MOUNT_F_EMPTY_PATH) == 0 && access("u/d", F_OK) == 0 && !*line_of("t"));
	close(tree);
	close(fd);
	CHECK(access("u/d", F_OK) == 0);
	fd = fspick(AT_FDCWD, "u", 0);
	CHECK(fd >= 0 && fsconfig(fd, FSCONFIG_SET_FLAG, "ro", NULL, 0) == 0);
	CHECK(mkdir("u/w", 0700) == 0 && fsconfig(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) == 0);
	CHECK_ERRNO(mkdir("u/z", 0700), EROFS);
	CHECK_ERRNO(fsmount(fd, 0, 0), EBUSY);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EBUSY);
	CHECK(fsconfig(fd, FSCONFIG_SET_FLAG, "rw", NULL, 0) == 0 && fsconfig(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) == 0);
	int file = open("u/file", O_CREAT | O_WRONLY, 0600);
	CHECK(file >= 0 && fsconfig(fd, FSCONFIG_SET_FLAG, "ro", NULL, 0) == 0);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0), EBUSY);
	CHECK_ERRNO(fsconfig(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0), EBUSY);
	close(file);
	close(fd);
	CHECK_ERRNO(fspick(AT_FDCWD, "u/d", 0), EINVAL);
	CHECK_ERRNO(fspick(AT_FDCWD, "u", 0x100), EINVAL);
}

static void test_trees(void)
{
	int all, top, other;

	CHECK(mount("none", "u/d", "tmpfs", 0, NULL) == 0 && mkdir("u/d/x", 0755) == 0);
	CHECK_ERRNO(open_tree(AT_FDCWD, "u", AT_RECURSIVE), EINVAL);
	CHECK_ERRNO(open_tree(AT_FDCWD, "u", 0x4000000), EINVAL);
	CHECK_ERRNO(open_tree(AT_FDCWD, "nonesuch", 0), ENOENT);
	other = open_tree(AT_FDCWD, "u", OPEN_TREE_CLOEXEC);
	CHECK(other >= 0 && fcntl(other, F_GETFD) == FD_CLOEXEC && faccessat(other, "d/x", F_OK, 0) == 0);
	close(other);
	top = open_tree(AT_FDCWD, "u", OPEN_TREE_CLONE);
	all = open_tree(AT_FDCWD, "u", OPEN_TREE_CLONE | AT_RECURSIVE);
	CHECK(top >= 0 && all >= 0);
	CHECK(faccessat(all, "d/x", F_OK, 0) == 0 && faccessat(top, "d", F_OK, 0) == 0);
	CHECK_ERRNO(faccessat(top, "d/x", F_OK, 0), ENOENT);
	/* Attributes: of one, of all below, and what is refused. */
	CHECK(set_attributes(all, "", AT_EMPTY_PATH | AT_RECURSIVE, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0) == 0);
	CHECK_ERRNO(mkdirat(all, "d/y", 0755), EROFS);
	CHECK_ERRNO(set_attributes(all, "d", 0, 0, MOUNT_ATTR_RDONLY, 0), EINVAL);
	CHECK_ERRNO(mkdirat(all, "y", 0755), EROFS);
	CHECK_ERRNO(set_attributes(all, "d/x", 0, MOUNT_ATTR_RDONLY, 0, 0), EINVAL);
	CHECK_ERRNO(set_attributes(all, "", AT_EMPTY_PATH, MOUNT_ATTR_NOATIME, 0, 0), EINVAL);
	CHECK_ERRNO(set_attributes(all, "", AT_EMPTY_PATH, 0, MOUNT_ATTR_NOATIME, 0), EINVAL);
	CHECK(set_attributes(all, "", AT_EMPTY_PATH, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, 0) == 0);
	CHECK_ERRNO(set_attributes(all, "", AT_EMPTY_PATH, 0x1000000, 0, 0), EINVAL);
	CHECK_ERRNO(set_attributes(all, "", 0x1000000, 1, 0, 0), EINVAL);
	CHECK_ERRNO(set_attributes(all, "", AT_EMPTY_PATH, 0, 0, MS_SHARED | MS_PRIVATE), EINVAL);
	CHECK_ERRNO(set_attributes(AT_FDCWD, "nonesuch", 0, MOUNT_ATTR_RDONLY, 0, 0), ENOENT);
	CHECK(set_attributes(AT_FDCWD, "nonesuch", 0, 0, 0, 0) == 0);
	/* It is not in this namespace, until it is moved there. */
	CHECK(mkdir("v", 0755) == 0 && !*line_of("v"));
	CHECK(move_mount(all, "", AT_FDCWD, "v", MOVE_MOUNT_F_EMPTY_PATH) == 0);
	CHECK(strncmp(line_of("v"), "ro,nosuid,nodev,noatime - tmpfs", 31) == 0);
	CHECK(strncmp(line_of("v/d"), "ro,nosuid,relatime - tmpfs", 26) == 0);
	CHECK(umount2("v/d", 0) == 0 && umount2("v", MNT_DETACH) == 0);
	/* One that nobody placed is gone with its descriptor. */
	close(top);
	close(all);
	CHECK(umount2("u/d", 0) == 0);
}

static void test_attributes(void)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = 100};
	int file = open("u/file", O_WRONLY), user = open("/proc/self/ns/user", O_RDONLY), tree;
	static union {
		struct mount_attr attr;
		char bytes[8192];
	} large;

	CHECK_ERRNO(mount_setattr(AT_FDCWD, "u", 0, &attr, 16), EINVAL);
	CHECK_ERRNO(mount_setattr(AT_FDCWD, "u", 0, &large.attr, sizeof(large)), E2BIG);
	large.bytes[64] = 1;
	CHECK_ERRNO(mount_setattr(AT_FDCWD, "u", 0, &large.attr, 100), E2BIG);
	CHECK_ERRNO(mount_setattr(AT_FDCWD, "u", 0, &attr, sizeof(attr)), EBADF);
	attr.userns_fd = (uint64_t)file;
	CHECK_ERRNO(mount_setattr(AT_FDCWD, "u", 0, &attr, sizeof(attr)), EINVAL);
	attr.userns_fd = (uint64_t)user;
	CHECK_ERRNO(mount_setattr(AT_FDCWD, "u", 0, &attr, sizeof(attr)), EPERM);
	CHECK_ERRNO(set_attributes(AT_FDCWD, "u", 0, MOUNT_ATTR_RDONLY, 0, 0), EBUSY);
	CHECK_ERRNO(mount(NULL, "u", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), EBUSY);
	close(file);
	CHECK(set_attributes(AT_FDCWD, "u", 0, MOUNT_ATTR_RDONLY, 0, MS_SHARED) == 0);
	CHECK(strncmp(line_of("u"), "ro,nodev,relatime shared:", 25) == 0);
	CHECK(set_attributes(AT_FDCWD, "u", AT_RECURSIVE, 0, MOUNT_ATTR_RDONLY, MS_UNBINDABLE) == 0);
	CHECK(strncmp(line_of("u"), "rw,nodev,relatime unbindable - ", 31) == 0);
	CHECK_ERRNO(open_tree(AT_FDCWD, "u", OPEN_TREE_CLONE), EINVAL);
	CHECK(set_attributes(AT_FDCWD, "u", 0, MOUNT_ATTR_NOSYMFOLLOW, 0, MS_PRIVATE) == 0);
	CHECK(symlink("file", "u/link") == 0);
	CHECK_ERRNO(open("u/link", O_RDONLY), ELOOP);
	/* A group is given to a mount that has none. */
	CHECK(mkdir("w", 0755) == 0 && mount("u", "w", NULL, MS_BIND, NULL) == 0);
	CHECK_ERRNO(move_mount(AT_FDCWD, "u", AT_FDCWD, "w", MOVE_MOUNT_SET_GROUP), EINVAL);
	CHECK(set_attributes(AT_FDCWD, "u", 0, 0, 0, MS_SHARED) == 0);
	CHECK(move_mount(AT_FDCWD, "u", AT_FDCWD, "w", MOVE_MOUNT_SET_GROUP) == 0 && strstr(line_of("w"), " shared:"));
	/* What is mounted from a detached tree on a shared place shows on its peers. */
	tree = open_tree(AT_FDCWD, "/dev", OPEN_TREE_CLONE);
	CHECK(tree >= 0 && move_mount(tree, "", AT_FDCWD, "u/d", MOVE_MOUNT_F_EMPTY_PATH) == 0);
	CHECK(access("u/d/null", F_OK) == 0 && access("w/d/null", F_OK) == 0 && umount2("w/d", MNT_DETACH) == 0 && access("u/d/null", F_OK) != 0);
	close(tree);
	CHECK(umount2("w", MNT_DETACH) == 0 && umount2("u", MNT_DETACH) == 0);
	close(user);
}

static void test_files(void)
{
	int tree;

	CHECK(put("one", "first") == 0 && put("two", "second") == 0 && symlink("two", "to-two") == 0);
	tree = open_tree(AT_FDCWD, "one", OPEN_TREE_CLONE);
	CHECK_ERRNO(move_mount(tree, "", AT_FDCWD, "t", MOVE_MOUNT_F_EMPTY_PATH), EINVAL);
	CHECK(move_mount(tree, "", AT_FDCWD, "to-two", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) == 0 && holds("two", "first"));
	CHECK(umount2("two", 0) != 0 && errno == EBUSY && close(tree) == 0 && umount2("two", 0) == 0 && holds("two", "second"));
}

static void part_without_right(void)
{
	int fd = open_tree(AT_FDCWD, ".", 0);

	CHECK(setuid(12345) == 0 && fd >= 0);
	CHECK_ERRNO(fsopen("tmpfs", 0), EPERM);
	CHECK_ERRNO(fsmount(fd, 0, 0), EPERM);
	CHECK_ERRNO(fspick(AT_FDCWD, "/", 0), EPERM);
	CHECK_ERRNO(open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE), EPERM);
	CHECK_ERRNO(move_mount(AT_FDCWD, "/", AT_FDCWD, "/", 0), EPERM);
	CHECK_ERRNO(set_attributes(AT_FDCWD, "/", 0, MOUNT_ATTR_RDONLY, 0, 0), EPERM);
}

static void test_without_right(void)
{
	ISOLATED(part_without_right);
}

int main(void)
{
	harness_start();
	if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return SKIP;
	if (workdir_enter())
		return 1;
	RUN(test_parameters);
	RUN(test_states);
	RUN(test_trees);
	RUN(test_attributes);
	RUN(test_files);
	RUN(test_without_right);
	workdir_leave();
	return CHECK_RESULT();
}
