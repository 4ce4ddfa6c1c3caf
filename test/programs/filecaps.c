/*
 * Capabilities of program files (capabilities(7)): what execve(2) gives of them, and to whom the attribute shows as what,
 * from inside and outside a user namespace. Without CAP_SETFCAP nothing is looked at.
 */
#include <elf.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "harness.h"

#define NAME "security.capability"
#define USER 4321
#define NET_RAW (1u << CAP_NET_RAW)

static char program[] = "/tmp/filecaps-XXXXXX";

static int copy_program(void)
{
	static char bytes[1 << 20];
	int from = open("/proc/self/exe", O_RDONLY), to = mkstemp(program);
	ssize_t n;

	while ((n = read(from, bytes, sizeof(bytes))) > 0)
		if (write(to, bytes, (size_t)n) != n)
			return -1;
	fchmod(to, 0755);
	close(to);
	return close(from);
}

static int set_caps(uint32_t permitted, uint32_t flags)
{
	struct vfs_cap_data caps = {.magic_etc = VFS_CAP_REVISION_2 | flags, .data = {{.permitted = permitted}}};

	return setxattr(program, NAME, &caps, sizeof(caps), 0);
}

/* In the program that was executed. */
static int tell(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2];

	if (syscall(SYS_capget, &head, caps))
		return 99;
	return (caps[0].permitted == NET_RAW) + (caps[0].effective == NET_RAW) * 2 + (getauxval(AT_SECURE) != 0) * 4 +
		(caps[0].permitted == 0) * 8;
}

static int executed(bool limited)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgroups(0, NULL) || setresgid(USER, USER, USER) || setresuid(USER, USER, USER))
			_exit(98);
		if (limited)
			prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		execl(program, program, "tell", NULL);
		_exit(errno == EPERM ? 96 : 97);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void given(void)
{
	CHECK(executed(false) == 8);
	CHECK(set_caps(NET_RAW, VFS_CAP_FLAGS_EFFECTIVE) == 0);
	CHECK(executed(false) == 7);
	CHECK(executed(true) == 12);
	CHECK(set_caps(NET_RAW, 0) == 0);
	CHECK(executed(false) == 5);
	CHECK(removexattr(program, NAME) == 0);
	CHECK(executed(false) == 8);
}

static void refused(void)
{
	struct vfs_ns_cap_data caps = {.magic_etc = VFS_CAP_REVISION_2};

	CHECK_ERRNO(setxattr(program, NAME, &caps, XATTR_CAPS_SZ_1, 0), EINVAL);
	CHECK_ERRNO(setxattr(program, NAME, &caps, XATTR_CAPS_SZ_3, 0), EINVAL);
	pid_t pid = fork();
	if (pid == 0) {
		if (chown(program, USER, USER) || setresuid(USER, USER, USER))
			_exit(98);
		_exit(set_caps(NET_RAW, 0) == -1 && errno == EPERM ? 7 : 1);
	}
	int status;
	CHECK(waitpid(pid, &status, 0) == pid && status == 7 << 8);
}

/* What is written to or given away has none any more, whoever does it. */
static void dropped(void)
{
	int fd = open(program, O_WRONLY);

	CHECK(set_caps(NET_RAW, 0) == 0 && pwrite(fd, "\177", 1, 0) == 1);
	CHECK_ERRNO(getxattr(program, NAME, NULL, 0), ENODATA);
	CHECK(set_caps(NET_RAW, 0) == 0 && ftruncate(fd, lseek(fd, 0, SEEK_END)) == 0);
	CHECK_ERRNO(getxattr(program, NAME, NULL, 0), ENODATA);
	CHECK(set_caps(NET_RAW, 0) == 0 && chown(program, 0, 0) == 0);
	CHECK_ERRNO(getxattr(program, NAME, NULL, 0), ENODATA);
	CHECK(set_caps(NET_RAW, 0) == 0 && chmod(program, 0755) == 0 && getxattr(program, NAME, NULL, 0) == XATTR_CAPS_SZ_2);
	CHECK(close(fd) == 0 && removexattr(program, NAME) == 0);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(50);
	close(fd);
}

/* As root of a namespace of the user's own: what it writes is its own, and it sees it as it wrote it. */
static int inside(void)
{
	char got[64];

	if (setgroups(0, NULL) || setresgid(USER, USER, USER) || setresuid(USER, USER, USER) || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) ||
		unshare(CLONE_NEWUSER))
		return 2;
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", "0 4321 1");
	write_file("/proc/self/gid_map", "0 4321 1");
	if (set_caps(NET_RAW, VFS_CAP_FLAGS_EFFECTIVE))
		return 3;
	if (getxattr(program, NAME, got, sizeof(got)) != XATTR_CAPS_SZ_2 || getxattr(program, NAME, NULL, 0) != XATTR_CAPS_SZ_2)
		return 4;
	return getxattr(program, NAME, got, 8) == -1 && errno == ERANGE ? 7 : 5;
}

static void in_a_user_namespace(void)
{
	struct vfs_ns_cap_data caps;
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(inside());
	CHECK(waitpid(pid, &status, 0) == pid);
	if (status == 2 << 8)
		return;
	CHECK(status == 7 << 8);
	CHECK(getxattr(program, NAME, &caps, sizeof(caps)) == XATTR_CAPS_SZ_3 && caps.rootid == USER);
	CHECK(executed(false) == 8); /* it counts for nobody here */
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "tell") == 0)
		return tell();
	harness_start();
	CHECK(copy_program() == 0);
	if (set_caps(0, 0) == 0) {
		CHECK(removexattr(program, NAME) == 0);
		RUN(given);
		RUN(dropped);
		RUN(refused);
		RUN(in_a_user_namespace);
	}
	CHECK(unlink(program) == 0);
	return CHECK_RESULT();
}
