/*
 * A container's program that looks for a file beside its root: by "..", symbolic links, renames that
 * race a walk, hard links, the links of /proc, device nodes, mounts and chroot. The file's
 * name is SECRET; whoever opens anything of that name, or reads its content, has got out.
 * Run by paths.sh, which moves a directory out of the root and back meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define SECRET "secret-beside-the-root"

static volatile int over;

static void reached(const char *how)
{
	printf("REACHED by %s\n", how);
	fflush(stdout);
	_exit(99);
}

static void try_at(int dir, const char *name, const char *how)
{
	char text[256];
	int fd = openat(dir, name, O_RDONLY | O_NONBLOCK);
	struct stat st;

	if (fd >= 0) {
		if (read(fd, text, sizeof(text)) > 0 || fstat(fd, &st) == 0)
			reached(how);
		close(fd);
	}
	if (fstatat(dir, name, &st, 0) == 0)
		reached(how);
}

static void try_name(const char *name)
{
	try_at(AT_FDCWD, name, name);
}

/* "../../…/SECRET" with so many steps, from a directory. */
static void climb(int dir, const char *how)
{
	char name[512] = "";

	for (int i = 0; i < 40; i++) {
		char whole[600];

		snprintf(whole, sizeof(whole), "%s%s", name, SECRET);
		try_at(dir, whole, how);
		strcat(name, "../");
	}
}

static void dots(const char *host_path)
{
	climb(AT_FDCWD, "..");
	try_name("/../" SECRET);
	try_name("/../../../../" SECRET);
	try_name("/tmp/../../" SECRET);
	try_name("/proc/../../" SECRET);
	try_name(host_path);
	mkdir("/d", 0755);
	mkdir("/d/e", 0755);
	for (int i = 0; i < 20; i++)
		chdir("..");
	climb(AT_FDCWD, "chdir ..");
	try_name(SECRET);
}

static void links(const char *host_path)
{
	static const char *const targets[] = {"../" SECRET, "../../" SECRET, "/../" SECRET, "/proc/self/root/../" SECRET,
		"/proc/1/root/../../" SECRET, "/proc/self/cwd/../../" SECRET, "d/e/../../../" SECRET};
	char name[64];

	for (unsigned i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		snprintf(name, sizeof(name), "/link%u", i);
		unlink(name);
		symlink(targets[i], name);
		try_name(name);
	}
	unlink("/host");
	symlink(host_path, "/host");
	try_name("/host");
	unlink("/up");
	symlink("..", "/up");
	try_name("/up/" SECRET);
	try_name("/up/up/up/" SECRET);
	link("../" SECRET, "/hard");
	linkat(AT_FDCWD, host_path, AT_FDCWD, "/hard", AT_SYMLINK_FOLLOW);
	try_name("/hard");
	rename("../" SECRET, "/moved-in");
	try_name("/moved-in");
}

static void magic_links(void)
{
	static const char *const doors[] = {"/proc/self/root", "/proc/1/root", "/proc/self/cwd", "/proc/1/cwd", "/proc/self/exe",
		"/proc/self/task/1/root", "/proc/thread-self/root", "/proc/self/ns/mnt", "/dev/fd", "/proc/self/map_files"};
	char name[128];

	for (unsigned i = 0; i < sizeof(doors) / sizeof(doors[0]); i++) {
		int fd = open(doors[i], O_PATH);
		climb(fd, doors[i]);
		for (int j = 0; j < 4; j++) {
			snprintf(name, sizeof(name), "%s/%s" SECRET, doors[i], "../../../" + 3 * (3 - (j < 3 ? j : 3)));
			try_name(name);
		}
		close(fd);
	}
	for (int fd = 0; fd < 64; fd++) {
		snprintf(name, sizeof(name), "/proc/self/fd/%d/../" SECRET, fd);
		try_name(name);
		snprintf(name, sizeof(name), "/proc/1/fd/%d/" SECRET, fd);
		try_name(name);
		climb(fd, "an inherited descriptor");
	}
}

/* A directory that was unlinked, moved, or left the root keeps no way up. */
static void lost_directories(void)
{
	mkdir("/x", 0755);
	mkdir("/x/y", 0755);
	int fd = open("/x/y", O_RDONLY | O_DIRECTORY);

	rename("/x/y", "/y");
	climb(fd, "a moved directory");
	rmdir("/y");
	climb(fd, "a removed directory");
	close(fd);
}

static void devices(void)
{
	static const struct {
		mode_t type;
		unsigned major, minor;
	} nodes[] = {{S_IFCHR, 1, 1}, {S_IFCHR, 1, 2}, {S_IFCHR, 1, 4}, {S_IFCHR, 1, 11}, {S_IFBLK, 8, 0}, {S_IFBLK, 253, 0},
		{S_IFBLK, 254, 0}, {S_IFBLK, 259, 0}, {S_IFBLK, 7, 0}, {S_IFCHR, 10, 232}, {S_IFCHR, 10, 229}, {S_IFCHR, 10, 200}};

	for (unsigned i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		char name[32], text[64];

		snprintf(name, sizeof(name), "/node%u", i);
		unlink(name);
		if (mknod(name, nodes[i].type | 0600, makedev(nodes[i].major, nodes[i].minor)))
			continue;
		int fd = open(name, O_RDWR | O_NONBLOCK);
		if (fd >= 0 && read(fd, text, sizeof(text)) > 0)
			reached(name);
		close(fd);
		unlink(name);
	}
}

static void handles(void)
{
	struct {
		struct file_handle head;
		unsigned char bytes[128];
	} handle = {.head = {.handle_bytes = 128}};
	int mount_id;

	if (name_to_handle_at(AT_FDCWD, "/", &handle.head, &mount_id, 0))
		return;
	for (uint32_t inode = 2; inode < 300; inode++) { /* ext4's: inode and generation */
		uint32_t words[2] = {inode, 0};
		memcpy(handle.head.f_handle, words, 8);
		handle.head.handle_bytes = 8;
		handle.head.handle_type = 1;
		int fd = open_by_handle_at(open("/", O_RDONLY), &handle.head, O_RDONLY);
		if (fd >= 0)
			climb(fd, "a forged handle");
		close(fd);
	}
}

static void *swap(void *arg)
{
	(void)arg;
	while (!over) {
		rename("/race/a/b", "/race/b");
		rename("/race/b", "/race/a/b");
		renameat2(AT_FDCWD, "/race/s", AT_FDCWD, "/race/t", RENAME_EXCHANGE);
	}
	return NULL;
}

/* Walks over directories that another thread moves up and down, and over a name that is now a directory, now a link. */
static void races(double seconds)
{
	struct timespec begin, now;
	pthread_t thread;

	mkdir("/race", 0755);
	mkdir("/race/a", 0755);
	mkdir("/race/a/b", 0755);
	mkdir("/race/a/b/c", 0755);
	mkdir("/race/s", 0755);
	symlink("/proc/self/root/..", "/race/t");
	if (pthread_create(&thread, NULL, swap, NULL))
		exit(3);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		int fd = open("/race/a/b/c", O_PATH), moved = open("/moved", O_PATH);

		try_name("/race/a/b/c/../../../../" SECRET);
		try_name("/race/a/b/../../../" SECRET);
		try_name("/race/b/c/../../../" SECRET);
		try_name("/race/s/../../" SECRET);
		try_name("/race/t/../" SECRET);
		try_name("/moved/../" SECRET);
		try_name("/moved/deep/../../../" SECRET);
		climb(fd, "a directory that moves");
		climb(moved, "a directory that leaves the root");
		close(fd);
		close(moved);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((double)(now.tv_sec - begin.tv_sec) < seconds);
	over = 1;
	pthread_join(thread, NULL);
}

/* Each leaves the container's own view in ruins, so each is a process of its own. */
static void roots(void)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY);

	mkdir("/jail", 0755);
	if (chroot("/jail") == 0) {
		fchdir(fd);
		climb(fd, "chroot and fchdir");
		for (int i = 0; i < 30; i++)
			chdir("..");
		chroot(".");
		try_name("/" SECRET);
		climb(AT_FDCWD, "chroot twice");
	}
}

static void mounts(void)
{
	mkdir("/m", 0755);
	mount("/", "/m", NULL, MS_BIND | MS_REC, NULL);
	climb(open("/m", O_PATH), "a bind mount of the root");
	mount("/m", "/", NULL, MS_MOVE, NULL);
	climb(open("/", O_PATH), "a moved mount");
	syscall(SYS_pivot_root, "/m", "/m");
	climb(open("/", O_PATH), "pivot_root");
	for (int i = 0; i < 10; i++)
		umount2("/", MNT_DETACH);
	climb(AT_FDCWD, "no root at all");
	try_name("/" SECRET);
	try_name("/../" SECRET);
}

int main(int argc, char **argv)
{
	const char *host_path = argc > 1 ? argv[1] : "/none";

	dots(host_path);
	links(host_path);
	magic_links();
	lost_directories();
	devices();
	handles();
	races(argc > 2 ? atof(argv[2]) : 2);
	if (fork() == 0) {
		roots();
		_exit(0);
	}
	if (fork() == 0) {
		mounts();
		_exit(0);
	}
	sleep(1);
	puts("the root holds");
	return 0;
}
