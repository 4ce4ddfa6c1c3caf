/*
 * A gofer that was taken over: code of the test's own runs inside the jail and tries to
 * reach something. Each attempt is named by the property it attacks, and runs in a process
 * of its own that ends with what came of it; a system call off the list ends it by SIGSYS.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "gofer/internal.h"

#define HELD 0       /* the jail held */
#define ESCAPED 1
#define NOT_JAILED 2 /* the jail could not be entered: no test */

static char dir[64];

static int in_jail(int (*attempt)(struct gofer *g))
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		static struct gofer g;
		struct gofer_tree trees[3];
		char path[128];

		snprintf(path, sizeof(path), "%s/tree", dir);
		trees[0] = (struct gofer_tree){.name = "0", .fd = open(path, O_PATH | O_DIRECTORY)};
		trees[1] = (struct gofer_tree){.name = "1", .fd = open(path, O_PATH | O_DIRECTORY), .readonly = true};
		trees[2] = (struct gofer_tree){.name = "2", .fd = open("/", O_PATH | O_DIRECTORY), .readonly = true};
		struct gofer_options options = {.socket_fd = open("/dev/null", O_RDWR), .trees = trees, .tree_count = 3};
		g.socket = options.socket_fd;
		g.proc_fd = -1;
		if (gofer_jail_prepare(&g, &options) || gofer_jail_enter(&g, &options))
			_exit(NOT_JAILED);
		_exit(attempt(&g));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? HELD : ESCAPED;
	return WEXITSTATUS(status);
}

/* Whether this descriptor's directory has the sentinel that lies beside the tree. */
static bool sees_outside(int fd)
{
	return openat(fd, "sentinel", O_PATH) >= 0 || openat(fd, "etc/passwd", O_PATH) >= 0;
}

static int above_the_tree(struct gofer *g)
{
	char up[64] = "";
	int works = openat(g->trees[0].fd, "inside", O_RDONLY);

	if (works < 0)
		return NOT_JAILED;
	for (unsigned i = 0; i < 10; i++) {
		strcat(up, i ? "/.." : "..");
		int fd = openat(g->trees[0].fd, up, O_PATH);
		if (fd >= 0 && sees_outside(fd))
			return ESCAPED;
	}
	return HELD;
}

static int root_of_the_host(struct gofer *g)
{
	return open("/etc/passwd", O_PATH) >= 0 || open("/proc/self", O_PATH) >= 0 || open("/tmp", O_PATH) >= 0;
}

static int above_proc(struct gofer *g)
{
	int fd = openat(g->proc_fd, "..", O_PATH);

	if (fd >= 0 && (openat(fd, "root", O_PATH) >= 0 || openat(fd, "status", O_RDONLY) >= 0))
		return ESCAPED;
	return openat(g->proc_fd, "../../sys/kernel", O_PATH) >= 0;
}

static int inherited_descriptors(struct gofer *g)
{
	for (int fd = 0; fd < 1024; fd++) {
		if (fd == STDERR_FILENO || fd == g->socket || fd == g->proc_fd || fd == g->trees[0].fd || fd == g->trees[1].fd ||
			fd == g->trees[2].fd)
			continue;
		if (close(fd) == 0)
			return ESCAPED;
	}
	return HELD;
}

static int change_in_a_readonly_tree(struct gofer *g)
{
	if (openat(g->trees[1].fd, "new", O_WRONLY | O_CREAT, 0644) >= 0)
		return ESCAPED;
	return mkdirat(g->trees[1].fd, "newdir", 0755) == 0;
}

static int absolute_link_in_the_tree(struct gofer *g)
{
	int fd = openat(g->trees[0].fd, "absolute", O_RDONLY);

	return fd >= 0;
}

/* By the handlers' own functions: the whole host's root is served, its /proc is not. */
static int kernel_of_the_host(struct gofer *g)
{
	struct p9_str version = p9_str_from("version");
	struct node *root, *proc, *found;
	int error = 0;

	root = gofer_node_new(&g->trees[2], fcntl(g->trees[2].fd, F_DUPFD_CLOEXEC, 3), &error);
	if (!root || gofer_node_lookup(root, p9_str_from("proc"), &proc))
		return NOT_JAILED;
	if (gofer_node_lookup(proc, version, &found) == 0)
		return ESCAPED;
	/* Nor may it be changed where the tree is writable: a directory made in a cgroup is a cgroup. */
	struct fid fid = {.node = proc, .open_fd = -1, .dir_fd = -1};
	g->fids = &fid;
	g->trees[2].readonly = false;
	if (gofer_dir_find(g, 0, true, &found) != -EACCES)
		return ESCAPED;
	return gofer_node_open(g, proc, O_RDONLY) >= 0;
}

static int device_of_the_host(struct gofer *g)
{
	/* Making one is allowed (overlay white-outs, as runc allows it); the handlers never open one. */
	struct node *node;
	int error = 0;
	int fd;

	if (mknodat(g->trees[0].fd, "disk", S_IFBLK | 0600, 0x800))
		return HELD;
	fd = openat(g->trees[0].fd, "disk", O_PATH | O_NOFOLLOW);
	node = gofer_node_new(&g->trees[0], fd, &error);
	fd = node ? gofer_node_open(g, node, O_RDONLY) : -1;
	unlinkat(g->trees[0].fd, "disk", 0);
	return fd >= 0;
}

/* By raw calls: one that it makes itself, and one that was there before. */
static int device_by_name(struct gofer *g)
{
	bool opened;

	if (mknodat(g->trees[0].fd, "null", S_IFCHR | 0600, makedev(1, 3)))
		return NOT_JAILED;
	opened = openat(g->trees[0].fd, "null", O_RDWR) >= 0 || errno != EACCES;
	unlinkat(g->trees[0].fd, "null", 0);
	return opened || openat(g->trees[2].fd, "dev/null", O_RDWR) >= 0 ? ESCAPED : HELD;
}

#define ATTEMPT(name, expression)              \
	static int name(struct gofer *g)       \
	{                                      \
		return (expression) < 0 ? HELD : ESCAPED; \
	}

ATTEMPT(new_socket, socket(AF_INET, SOCK_STREAM, 0))
ATTEMPT(new_program, execl("/bin/sh", "sh", "-c", "true", (char *)NULL))
ATTEMPT(new_process, fork())
ATTEMPT(new_mount, syscall(SYS_open_tree, AT_FDCWD, "/", 1))
ATTEMPT(old_namespace, syscall(SYS_setns, 3, 0))
ATTEMPT(other_process, syscall(SYS_kill, 1, 0))
ATTEMPT(other_memory, syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0))
ATTEMPT(handles, syscall(SYS_open_by_handle_at, 3, NULL, 0))
ATTEMPT(dumpable_again, prctl(PR_SET_DUMPABLE, 1))
ATTEMPT(executable_memory, (long)syscall(SYS_mmap, NULL, 4096, 7, 0x22, -1, 0))
ATTEMPT(a_new_ring, syscall(SYS_io_uring_setup, 1, NULL))

static const struct {
	const char *name;
	int (*attempt)(struct gofer *g);
} attempts[] = {
#define A(name) {#name, name}
	A(above_the_tree), A(root_of_the_host), A(above_proc), A(inherited_descriptors), A(change_in_a_readonly_tree),
	A(absolute_link_in_the_tree), A(kernel_of_the_host), A(device_of_the_host), A(device_by_name),
	A(new_socket), A(new_program), A(new_process), A(new_mount),
	A(old_namespace), A(other_process), A(other_memory), A(handles), A(dumpable_again), A(executable_memory),
	A(a_new_ring),
};

#define ATTEMPTS ((int)(sizeof(attempts) / sizeof(*attempts)))

static void setup(void)
{
	char path[128];

	strcpy(dir, "/tmp/gofer-jail-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sentinel", dir);
	close(open(path, O_WRONLY | O_CREAT, 0644));
	snprintf(path, sizeof(path), "%s/tree", dir);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/tree/inside", dir);
	close(open(path, O_WRONLY | O_CREAT, 0644));
	snprintf(path, sizeof(path), "%s/tree/absolute", dir);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
}

static void teardown(void)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(escape)
{
	int outcome = in_jail(attempts[_i].attempt);

	ck_assert_msg(outcome != NOT_JAILED, "%s: the jail could not be entered", attempts[_i].name);
	ck_assert_msg(outcome == HELD, "%s: got out", attempts[_i].name);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gofer jail");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	if (geteuid()) {
		fprintf(stderr, "skipped: the jail needs root\n");
		return 77;
	}
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	fprintf(stderr, "skipped: sanitizers need more system calls than the filter has\n");
	return 77;
#endif
	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_loop_test(all, escape, 0, ATTEMPTS);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
