/* Starting the processes of a sandbox: see launch.h. Decode first: every descriptor is open before the child exists. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cli/cli.h"
#include "cli/launch.h"
#include "cli/network.h"
#include "cli/preserve_fds.h"
#include "cli/rootless.h"
#include "cli/state.h"
#include "platform/platform.h"

#define JAIL_UID_BASE 0x70000000u /* no host's users are there; each sandbox has its own */
#define SELF "/proc/self/exe"
#define FIRST_FD 3
#define FATE_PATIENCE_MS 1000
#define SAID_AT_ONCE 65536u /* bytes: what a pipe holds */
#define DESCRIPTORS_MIN 256u
#define GOFER_DESCRIPTORS 132096u /* the gofer keeps one or two for each file that the sentry remembers */
#define MAX_FDS (CONTAINER_MAX_TREES + CONFIG_MAX_PASSED + 8u) /* of one process */
#define NETWORK_CAPS (1u << CAP_NET_BIND_SERVICE | 1u << CAP_NET_RAW) /* what sockets of the host ask for */

/* Beside the command (the build tree), or where it is installed, which is known from the command's own place. */
int program_find(const char *name, char path[PATH_MAX])
{
	static const char *const places[] = {"", RF_LIBEXEC "/"};
	ssize_t n = readlink(SELF, path, PATH_MAX - 1);

	if (n <= 0)
		return cli_error("%s: %s: %s", name, SELF, strerror(errno));
	path[n] = '\0';
	char *end = strrchr(path, '/') + 1;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(end, (size_t)(path + PATH_MAX - end), "%s%s", places[i], name);
		if (access(path, R_OK) == 0)
			return 0;
	}
	return cli_error("%s: neither beside the command nor at %s: %s", name, path, strerror(errno));
}

int sandbox_open_image(void)
{
	char path[PATH_MAX];
	int fd;

	if (program_find("sentry.elf", path))
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		cli_error("%s: %s", path, strerror(errno));
	return fd;
}

int sandbox_enter_group(const struct launch_options *options, int lifeline)
{
	char go;

	if (!options->cgroup)
		return 0;
	if (options->cgroup->unit && recv(lifeline, &go, 1, 0) != 1)
		return 1;
	return cgroup_enter(options->cgroup);
}

int sandbox_adopt(const struct launch_options *options, const struct container *container, pid_t pid, int lifeline)
{
	if (!options->cgroup || !options->cgroup->unit)
		return 0;
	return cgroup_adopt(options->cgroup, container, options->state, pid) || send(lifeline, "", 1, MSG_NOSIGNAL) != 1;
}

static int write_config(const struct container *container)
{
	size_t length;
	AUTO_FREE void *blob = config_blob(container, &length);
	int fd = memfd_create("ringfence-config", MFD_CLOEXEC);

	if (fd < 0 || write(fd, blob, length) != (ssize_t)length) {
		cli_error("configuration: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

/* Room for the descriptors that files of the container take; the limit is inherited by the children. */
static int raise_descriptor_limit(void)
{
	struct rlimit limit = {GOFER_DESCRIPTORS, GOFER_DESCRIPTORS};

	if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return 0;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) { /* what we may have, and never less than that */
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur < DESCRIPTORS_MIN)
		return cli_error("RLIMIT_NOFILE: %llu: at least %u are needed", (unsigned long long)limit.rlim_cur,
			DESCRIPTORS_MIN);
	return 0;
}

pid_t sandbox_fork(void)
{
	struct clone_args args = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid >= 0 || (errno != EPERM && errno != ENOSYS))
		return pid;
	return fork();
}

void sandbox_become(const int *fds, unsigned count, char **argv)
{
	int high = FIRST_FD + (int)count;
	int copies[MAX_FDS];
	sigset_t none;

	/* First out of the way, then into place. */
	for (unsigned i = 0; i < count; i++) {
		copies[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, high);
		if (copies[i] < 0)
			goto fail;
	}
	for (unsigned i = 0; i < count; i++) {
		if (dup2(copies[i], FIRST_FD + (int)i) < 0)
			goto fail;
	}
	syscall(SYS_close_range, FIRST_FD + count, ~0u, CLOSE_RANGE_CLOEXEC);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(SELF, argv);
fail:
	cli_error("starting the sandbox's processes: %s", strerror(errno));
}

/* In the child. */
static void become_gofer(const struct gofer_start *start, int socket)
{
	char words[CONTAINER_MAX_TREES][24], ids[CONTAINER_IDS_TEXT + 4];
	char *argv[CONTAINER_MAX_TREES + 6] = {"ringfence", "gofer", "3", ids};
	int fds[CONTAINER_MAX_TREES + 1] = {socket};
	unsigned argc = 4;

	snprintf(ids, sizeof(ids), "ids=%s", start->ids);
	if (start->left_network)
		argv[argc++] = "net=left";
	for (unsigned i = 0; i < start->count; i++) {
		snprintf(words[i], sizeof(words[i]), "%u:%s%s", FIRST_FD + 1 + i, start->readonly[i] ? "ro" : "rw",
			start->detached[i] ? ",detached" : "");
		argv[argc++] = words[i];
		fds[1 + i] = start->fds[i];
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	if (start->errors >= 0)
		dup2(start->errors, STDERR_FILENO);
	sandbox_become(fds, start->count + 1, argv);
}

pid_t sandbox_start_gofer(const struct gofer_start *start, int *socket)
{
	int p9[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p9) < 0)
		return cli_error("socketpair: %s", strerror(errno)), -1;
	pid_t pid = sandbox_fork();
	if (pid == 0) {
		become_gofer(start, p9[0]);
		_exit(1);
	}
	close(p9[0]);
	*socket = p9[1];
	if (pid > 0)
		return pid;
	close(p9[1]);
	return cli_error("gofer: fork: %s", strerror(errno)), -1;
}

/* The uid of the sandbox, by this process' number on the host, which /proc tells. */
static unsigned jail_uid(void)
{
	char pid[16] = "";
	ssize_t n = readlink("/proc/self", pid, sizeof(pid) - 1);

	unsigned number = (unsigned)(n > 0 ? atoi(pid) : getpid());

	return rootless_jail_id(JAIL_UID_BASE + number, number);
}

/* In the child: its terminal, its group, and whom it ends with. 0, or 1 after a message. */
static int take_place(const struct launch_options *options, int lifeline)
{
	for (int i = 0; i < 3 && options->console_fd >= 0; i++) {
		if (dup2(options->console_fd, i) < 0)
			return cli_error("the container's terminal: %s", strerror(errno));
	}
	if (sandbox_enter_group(options, lifeline))
		return 1;
	return options->detached ? 0 : prctl(PR_SET_PDEATHSIG, SIGKILL) < 0;
}

/* In the child: the network is there before the command goes on, and with it the hooks. What is wrong goes with what boot says. */
static int take_network(const struct container *c, const struct launch_options *options, int lifeline, int errors)
{
	if (!options->own_network)
		return 0;
	AUTO_FD int usual = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, FIRST_FD);
	const char *log = global.log;

	dup2(errors, STDERR_FILENO);
	global.log = NULL;
	int error = network_join(c->network_path);
	global.log = log;
	if (usual >= 0)
		dup2(usual, STDERR_FILENO);
	else
		close(STDERR_FILENO); /* it was closed */
	return error || send(lifeline, "", 1, MSG_NOSIGNAL) != 1;
}

/* 0, or 1 after the child's message. */
static int await_network(struct sandbox *sandbox, const struct launch_options *options)
{
	ssize_t n = 1;
	char done;

	while (options->own_network && (n = recv(sandbox->lifeline, &done, 1, 0)) < 0 && errno == EINTR)
		;
	if (n != 1)
		sandbox_say_fate(sandbox);
	return n != 1;
}

/* In the child. `fds`: the image, the configuration, the lifeline, errors, [log], [control], then the trees. */
static void become_boot(const struct container *c, const struct launch_options *options, const int *fixed, int log_fd)
{
	int fds[MAX_FDS];
	char words[14][48], state[4120], trees[CONTAINER_MAX_TREES + 16] = "--trees=", root[4096];
	char ids[CONTAINER_IDS_TEXT + 6] = "--ids=";
	char *argv[26] = {"ringfence"};
	unsigned count = 4, argc = 1, word = 0;

	memcpy(fds, fixed, 4 * sizeof(int));
#define ADD(...) (snprintf(words[word], sizeof(words[0]), __VA_ARGS__), argv[argc++] = words[word++])
	ADD("--platform=%s", global.platform);
	if (global.no_patching)
		argv[argc++] = "--systrap-patching=off";
	argv[argc++] = "boot";
	if (log_fd >= 0) {
		ADD("--log-fd=%u", FIRST_FD + count);
		fds[count++] = log_fd;
	}
	if (options->listen_fd >= 0) {
		ADD("--listen-fd=%u", FIRST_FD + count);
		fds[count++] = options->listen_fd;
		ADD("--owner=%u", (unsigned)geteuid());
	}
	if (strcmp(global.network, "host") == 0)
		ADD("--host-network=%u", (unsigned)c->caps.bounding & NETWORK_CAPS);
	ADD("--memory=%llu", (unsigned long long)c->memory_limit);
	ADD("--cpus=%u", c->cpus);
	ADD("--user=%u", jail_uid());
	ADD("--watchdog=%u", global.watchdog);
	if (c->passed.count) {
		ADD("--passed-fd=%u", FIRST_FD + count);
		ADD("--passed=%u", c->passed.count);
	}
	for (unsigned i = 0; i < c->passed.count; i++)
		fds[count++] = FIRST_FD + (int)i;
	ADD("--trees-fd=%u", FIRST_FD + count);
	for (size_t i = 0; i < c->tree_count; i++) {
		fds[count++] = c->trees[i].fd;
		strcat(trees, c->trees[i].detached ? c->trees[i].readonly ? "R" : "W" : c->trees[i].readonly ? "r" : "w");
	}
	argv[argc++] = trees;
	container_ids(c, ids + 6, sizeof(ids) - 6);
	argv[argc++] = ids;
	if (global.debug)
		argv[argc++] = "--debug";
	if (options->held)
		argv[argc++] = "--held";
	if (options->own_network)
		argv[argc++] = "--own-network";
	if (options->detached)
		argv[argc++] = "--detached";
	if (c->terminal && options->console_fd >= 0)
		argv[argc++] = "--console";
	if (state_root(root, sizeof(root)))
		return;
	snprintf(state, sizeof(state), "--state=%s", root);
	argv[argc++] = state;
#undef ADD
	if (take_place(options, fixed[2]) == 0 && take_network(c, options, fixed[2], fixed[3]) == 0)
		sandbox_become(fds, count, argv);
}

int sandbox_launch(struct sandbox *sandbox, const struct container *container, const struct launch_options *options)
{
	AUTO_FD int image = -1;
	AUTO_FD int config = -1;
	AUTO_FD int log_fd = -1;
	int lifeline[2], errors[2];

	if (raise_descriptor_limit() || (image = sandbox_open_image()) < 0 || cli_open_debug_log(&log_fd) ||
	    (config = write_config(container)) < 0)
		return 1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, lifeline) < 0)
		return cli_error("socketpair: %s", strerror(errno));
	if (pipe2(errors, O_CLOEXEC) < 0) {
		close(lifeline[0]);
		close(lifeline[1]);
		return cli_error("pipe: %s", strerror(errno));
	}
	fcntl(errors[0], F_SETFL, O_NONBLOCK);
	fflush(NULL);
	pid_t pid = sandbox_fork();
	if (pid == 0) {
		int fixed[] = {image, config, lifeline[1], errors[1]};
		close(lifeline[0]);
		become_boot(container, options, fixed, log_fd);
		_exit(1);
	}
	preserve_fds_close(&container->passed);
	close(lifeline[1]);
	close(errors[1]);
	*sandbox = (struct sandbox){.boot = pid, .lifeline = lifeline[0], .errors = errors[0]};
	if (pid < 0) {
		sandbox->boot = 0;
		sandbox_end(sandbox);
		return cli_error("boot: fork: %s", strerror(errno));
	}
	if (sandbox_adopt(options, container, pid, sandbox->lifeline) || await_network(sandbox, options)) {
		sandbox_end(sandbox);
		return 1;
	}
	return 0;
}

bool sandbox_errors(struct sandbox *sandbox)
{
	size_t end = sandbox->said + SAID_AT_ONCE;
	char text[4096];

	while (sandbox->said < end) {
		ssize_t n = read(sandbox->errors, text, sizeof(text) - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		sandbox->said += (size_t)n;
		text[n] = '\0';
		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
			cli_pass_on(line);
	}
	return true;
}

void sandbox_hush(struct sandbox *sandbox)
{
	close(sandbox->errors);
	sandbox->errors = -1;
}

bool sandbox_child_ended(pid_t pid, int *status)
{
	AUTO_FD int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	struct pollfd ended = {pidfd, POLLIN, 0};

	return pidfd >= 0 && poll(&ended, 1, FATE_PATIENCE_MS) > 0 && waitpid(pid, status, WNOHANG) == pid;
}

void sandbox_say_killed(int number)
{
	cli_error("the sandbox's process was killed by signal %d%s", number,
		number == SIGSYS ? " (a host system call that its filter does not allow)" : "");
}

bool sandbox_say_fate(struct sandbox *sandbox)
{
	int status;

	if (!sandbox_child_ended(sandbox->boot, &status))
		return false;
	sandbox->boot = 0;
	if (!WIFSIGNALED(status))
		return false;
	sandbox_say_killed(WTERMSIG(status));
	return true;
}

static void close_ends(struct sandbox *sandbox)
{
	if (sandbox->lifeline >= 0)
		close(sandbox->lifeline);
	if (sandbox->errors >= 0)
		close(sandbox->errors);
	sandbox->lifeline = sandbox->errors = -1;
}

void sandbox_go(struct sandbox *sandbox)
{
	send(sandbox->lifeline, "", 1, MSG_NOSIGNAL); /* if it has gone, the next who asks it hears so */
}

void sandbox_release(struct sandbox *sandbox)
{
	struct vmm_control message = {VMM_CONTROL_DETACH, 0};

	if (send(sandbox->lifeline, &message, sizeof(message), MSG_NOSIGNAL) < 0)
		cli_error("boot: %s", strerror(errno)); /* it has ended already */
	sandbox_errors(sandbox);
	close_ends(sandbox);
}

void sandbox_end(struct sandbox *sandbox)
{
	if (sandbox->boot > 0) {
		kill(sandbox->boot, SIGKILL);
		while (waitpid(sandbox->boot, NULL, 0) < 0 && errno == EINTR)
			;
		sandbox->boot = 0;
	}
	if (sandbox->errors >= 0)
		sandbox_errors(sandbox);
	close_ends(sandbox);
}
