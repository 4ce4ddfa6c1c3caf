/*
 * Directories: making, removing and renaming names, hard links, listings (mkdir(2),
 * rename(2), link(2), unlink(2), getdents64(2)).
 */
#include <dirent.h>
#include <linux/fs.h>
#include <sys/syscall.h>

#include "workdir.h"

static ino_t ino_of(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0 ? st.st_ino : 0;
}

static nlink_t links_of(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0 ? st.st_nlink : 0;
}

static void test_hard_links(void)
{
	struct stat st;
	int fd;

	CHECK(put("a", "text") == 0 && link("a", "b") == 0);
	CHECK(ino_of("a") == ino_of("b") && links_of("a") == 2 && links_of("b") == 2);
	CHECK_ERRNO(link("a", "b"), EEXIST);
	CHECK_ERRNO(link("none", "c"), ENOENT);
	CHECK(mkdir("dir", 0755) == 0);
	CHECK_ERRNO(link("dir", "dir2"), EPERM);
	CHECK(put("b", "changed") == 0 && holds("a", "changed"));
	CHECK(symlink("a", "l") == 0 && link("l", "l2") == 0 && ino_of("l2") == ino_of("l"));
	CHECK(linkat(AT_FDCWD, "l", AT_FDCWD, "l3", AT_SYMLINK_FOLLOW) == 0 && ino_of("l3") == ino_of("a"));
	CHECK(unlink("l3") == 0);
	CHECK((fd = open("a", O_RDONLY)) >= 0);
	CHECK(unlink("a") == 0 && links_of("b") == 1 && unlink("b") == 0);
	CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 7);
	char buf[8];
	CHECK(read(fd, buf, 8) == 7);
	close(fd);
	CHECK_ERRNO(unlink("a"), ENOENT);
	CHECK(rmdir("dir") == 0 && unlink("l") == 0 && unlink("l2") == 0);
}

static void test_rename(void)
{
	CHECK(put("a", "A") == 0 && put("b", "B") == 0);
	ino_t a = ino_of("a");
	CHECK(rename("a", "b") == 0 && ino_of("b") == a && holds("b", "A"));
	CHECK_ERRNO(rename("a", "c"), ENOENT);
	CHECK(rename("b", "b") == 0 && holds("b", "A"));
	CHECK(link("b", "c") == 0 && rename("b", "c") == 0 && access("b", F_OK) == 0);
	CHECK(unlink("c") == 0);
	CHECK(mkdir("d", 0755) == 0 && mkdir("d/sub", 0755) == 0 && mkdir("e", 0755) == 0);
	CHECK_ERRNO(rename("d", "d/sub/x"), EINVAL);
	CHECK_ERRNO(rename("e", "d"), ENOTEMPTY);
	CHECK_ERRNO(rename("d/sub", "d"), ENOTEMPTY);
	CHECK_ERRNO(rename("b", "d"), EISDIR);
	CHECK_ERRNO(rename("d", "b"), ENOTDIR);
	CHECK_ERRNO(rename("b", "e/"), ENOTDIR);
	CHECK_ERRNO(rename("d/.", "x"), EBUSY);
	CHECK(put("d/sub/deep", "deep") == 0);
	CHECK(rename("d", "e") == 0 && holds("e/sub/deep", "deep") && access("d", F_OK) != 0);
	CHECK(rename("e/sub/deep", "top") == 0 && holds("top", "deep"));
	CHECK(rename("e/sub", "moved/") == 0 && rmdir("e") == 0 && rmdir("moved") == 0);
	CHECK(unlink("top") == 0 && unlink("b") == 0);
}

static int renameat2_(const char *from, const char *to, unsigned flags)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void test_rename_flags(void)
{
	CHECK(put("a", "A") == 0 && put("b", "B") == 0 && mkdir("d", 0755) == 0 && put("d/in", "in") == 0);
	CHECK_ERRNO(renameat2_("a", "b", RENAME_NOREPLACE), EEXIST);
	CHECK(renameat2_("a", "c", RENAME_NOREPLACE) == 0 && holds("c", "A"));
	CHECK(renameat2_("b", "c", RENAME_EXCHANGE) == 0 && holds("c", "B") && holds("b", "A"));
	CHECK(renameat2_("b", "d", RENAME_EXCHANGE) == 0 && holds("d", "A") && holds("b/in", "in"));
	CHECK_ERRNO(renameat2_("b", "none", RENAME_EXCHANGE), ENOENT);
	CHECK_ERRNO(renameat2_("b", "x", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
	CHECK_ERRNO(renameat2_("b", "x", 0x100), EINVAL);
	CHECK(unlink("b/in") == 0 && rmdir("b") == 0 && unlink("c") == 0 && unlink("d") == 0);
}

static void test_directory_links(void)
{
	CHECK(mkdir("p", 0755) == 0);
	nlink_t empty = links_of("p");
	CHECK(mkdir("p/q", 0755) == 0 && mkdir("p/r", 0755) == 0);
	CHECK(links_of("p") == empty || links_of("p") == empty + 2);
	CHECK(rmdir("p/q") == 0 && rmdir("p/r") == 0 && links_of("p") == empty);
	CHECK(rmdir("p") == 0);
	CHECK_ERRNO(rmdir("p"), ENOENT);
}

static int count_entries(const char *name)
{
	DIR *dir = opendir(name);
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

#define MANY 2000

static void test_listing(void)
{
	static char seen[MANY];
	char name[32], buf[8];
	struct dirent *e;
	int dots = 0, unknown = 0;

	CHECK(mkdir("many", 0755) == 0 && chdir("many") == 0);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "file-with-a-name-%d", i);
		int fd = open(name, O_CREAT | O_WRONLY, 0600);
		CHECK(fd >= 0);
		close(fd);
	}
	DIR *dir = opendir(".");
	long middle = 0;
	for (int n = 0; (e = readdir(dir)) != NULL; n++) {
		int i;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			dots++;
		else if (sscanf(e->d_name, "file-with-a-name-%d", &i) == 1 && i >= 0 && i < MANY && !seen[i]++) {
			unknown += e->d_type != DT_REG && e->d_type != DT_UNKNOWN;
			if (n % 3 == 0)
				unknown += e->d_ino != ino_of(e->d_name);
		} else
			unknown++;
		if (n == MANY / 2)
			middle = telldir(dir);
	}
	CHECK(dots == 2 && unknown == 0);
	for (int i = 0; i < MANY; i++)
		CHECK(seen[i] == 1);
	/* From a remembered place, after removals, the rest still comes exactly once. */
	seekdir(dir, middle);
	int rest = 0;
	while (readdir(dir))
		rest++;
	CHECK(rest == MANY + 2 - MANY / 2 - 1);
	rewinddir(dir);
	int removed = 0;
	while ((e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.')
			removed += unlink(e->d_name) == 0;
	CHECK(removed == MANY);
	closedir(dir);
	CHECK(count_entries(".") == 2);
	int fd = open(".", O_RDONLY);
	CHECK_ERRNO(syscall(SYS_getdents64, fd, buf, 8), EINVAL);
	CHECK(chdir("..") == 0 && rmdir("many") == 0);
	CHECK_ERRNO(syscall(SYS_getdents64, fd, name, sizeof(name)), ENOENT);
	close(fd);
	CHECK(put("f", "") == 0 && (fd = open("f", O_RDONLY)) >= 0);
	CHECK_ERRNO(syscall(SYS_getdents64, fd, name, sizeof(name)), ENOTDIR);
	close(fd);
	unlink("f");
}

static void test_nodes(void)
{
	struct stat st;

	CHECK(mkfifo("fifo", 0644) == 0 && lstat("fifo", &st) == 0 && S_ISFIFO(st.st_mode));
	CHECK_ERRNO(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
	int r = open("fifo", O_RDONLY | O_NONBLOCK), w = open("fifo", O_WRONLY);
	char c;
	CHECK(r >= 0 && w >= 0 && write(w, "x", 1) == 1 && read(r, &c, 1) == 1 && c == 'x');
	CHECK_ERRNO(lseek(r, 0, SEEK_SET), ESPIPE);
	close(r);
	close(w);
	CHECK(mknod("reg", S_IFREG | 0600, 0) == 0 && lstat("reg", &st) == 0 && S_ISREG(st.st_mode));
	CHECK(mknod("sock", S_IFSOCK | 0600, 0) == 0);
	CHECK_ERRNO(open("sock", O_RDWR), ENXIO);
	CHECK_ERRNO(mknod("x", S_IFDIR | 0600, 0), EPERM);
	CHECK_ERRNO(mknod("x", S_IFLNK | 0600, 0), EINVAL);
	CHECK(unlink("fifo") == 0 && unlink("reg") == 0 && unlink("sock") == 0);
}

int main(void)
{
	harness_start();
	if (workdir_enter())
		return 1;
	RUN(test_hard_links);
	RUN(test_rename);
	RUN(test_rename_flags);
	RUN(test_directory_links);
	RUN(test_listing);
	RUN(test_nodes);
	CHECK(count_entries(".") == 2);
	workdir_leave();
	return CHECK_RESULT();
}
