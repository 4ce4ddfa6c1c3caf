/*
 * What inotify(7) says when names go: the count of names changes (IN_ATTRIB), and the object itself ends (IN_DELETE_SELF,
 * IN_IGNORED) when its last name is gone and nobody has it open any more. Said to the object's watch and to its directory's.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "harness.h"

#define ALL (IN_ATTRIB | IN_DELETE | IN_DELETE_SELF | IN_MOVE | IN_MOVE_SELF | IN_CREATE)

static int queue, of_directory, of_object;

static void events(const char *when)
{
	char buffer[4096] __attribute__((aligned(8)));
	ssize_t n = read(queue, buffer, sizeof(buffer));

	printf("%s:", when);
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *e = (const struct inotify_event *)(buffer + at);

		printf(" %s %#x%s%s", e->wd == of_directory ? "directory" : e->wd == of_object ? "object" : "?", e->mask, e->len ? " " : "",
			e->len ? e->name : "");
		at += (ssize_t)(sizeof(*e) + e->len);
	}
	printf("\n");
}

static void touch(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0600);

	CHECK(fd >= 0);
	close(fd);
}

static void watch(const char *name)
{
	queue = inotify_init1(IN_NONBLOCK);
	CHECK(queue >= 0);
	of_directory = inotify_add_watch(queue, ".", ALL);
	of_object = inotify_add_watch(queue, name, ALL);
	CHECK(of_directory > 0 && of_object > 0);
}

static void of_a_file(void)
{
	touch("f");
	watch("f");
	CHECK(unlink("f") == 0);
	events("unlinked");
	close(queue);
}

static void of_an_open_file(void)
{
	touch("f");
	int fd = open("f", O_RDONLY);

	watch("f");
	CHECK(unlink("f") == 0);
	events("unlinked while open");
	CHECK(fchmod(fd, 0640) == 0);
	events("changed");
	close(fd);
	events("closed");
	close(queue);
}

static void of_a_second_name(void)
{
	touch("f");
	watch("f");
	CHECK(link("f", "g") == 0);
	events("linked");
	CHECK(unlink("f") == 0);
	events("the first name removed");
	CHECK(unlink("g") == 0);
	events("the second");
	close(queue);
}

static void of_a_directory(void)
{
	CHECK(mkdir("d", 0700) == 0);
	watch("d");
	CHECK(rmdir("d") == 0);
	events("directory removed");
	close(queue);
	CHECK(mkdir("d", 0700) == 0);
	int fd = open("d", O_RDONLY | O_DIRECTORY);

	watch("d");
	CHECK(rmdir("d") == 0);
	events("directory removed while open");
	close(fd);
	events("closed");
	close(queue);
}

static void of_what_is_replaced(void)
{
	touch("f");
	touch("g");
	watch("g");
	CHECK(rename("f", "g") == 0);
	events("replaced");
	close(queue);
	touch("f");
	int fd = open("g", O_RDONLY);

	watch("g");
	CHECK(rename("f", "g") == 0);
	events("replaced while open");
	close(fd);
	events("closed");
	CHECK(unlink("g") == 0);
	close(queue);
}

int main(void)
{
	char folder[] = "/tmp/deletions-XXXXXX";

	CHECK(mkdtemp(folder) && chdir(folder) == 0);
	RUN(of_a_file);
	RUN(of_an_open_file);
	RUN(of_a_second_name);
	RUN(of_a_directory);
	RUN(of_what_is_replaced);
	CHECK(chdir("/") == 0 && rmdir(folder) == 0);
	return CHECK_RESULT();
}
