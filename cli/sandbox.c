/*
 * Runs a container: starts the gofer and the VMM process, waits, passes signals on, and
 * leaves nothing behind. Called by run.c and do.c with everything decided.
 *
 * Two children, each in a pid namespace of its own and each dying with this process: the
 * gofer (files) and boot (the VMM and, hosted, the sentry). They share a socketpair for
 * 9P; the command keeps one end of a control socket to boot. Decode first: every
 * descriptor that is needed is open before the first child exists.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cli/cli.h"
#include "cli/container.h"
#include "cli/state.h"
#include "cli/terminal.h"
#include "platform/abi/abi.h"
#include "platform/platform.h"

#define JAIL_UID_BASE 0x70000000u /* no host's users are there; each sandbox has its own */
#define SELF "/proc/self/exe"
#define FIRST_FD 3
#define DESCRIPTORS_MIN 256u

struct sandbox {
	struct container *container;
	int image_fd, config_fd, log_fd;
	int p9[2];      /* gofer, boot */
	int control[2]; /* here, boot */
	int signals;
	sigset_t old_mask;
	pid_t gofer, boot;
};

static int open_image(void)
{
	char path[4096];
	ssize_t n = readlink(SELF, path, sizeof(path) - sizeof("/sentry.elf"));

	if (n > 0) {
		path[n] = '\0';
		char *slash = strrchr(path, '/');
		strcpy(slash ? slash : path, "/sentry.elf");
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	int fd = open(RF_LIBEXEC "/sentry.elf", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		cli_error("sentry.elf: neither beside the command nor in %s: %s", RF_LIBEXEC, strerror(errno));
	return fd;
}

static int open_log(void)
{
	int fd;

	if (global.debug_log) {
		fd = open(global.debug_log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		if (fd < 0)
			cli_error("--debug-log: %s: %s", global.debug_log, strerror(errno));
		return fd;
	}
	return global.debug || global.strace ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10) : -2;
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

#define GOFER_DESCRIPTORS 132096u /* the gofer keeps one or two for each file that the sentry remembers */

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

static int prepare(struct sandbox *s)
{
	sigset_t all;

	if (geteuid() != 0)
		return cli_error("must be run as root: running as another user is not supported yet");
	if (raise_descriptor_limit())
		return 1;
	s->image_fd = open_image();
	if (s->image_fd < 0)
		return 1;
	s->log_fd = open_log();
	if (s->log_fd == -1)
		return 1;
	s->config_fd = write_config(s->container);
	if (s->config_fd < 0)
		return 1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->p9) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->control) < 0)
		return cli_error("socketpair: %s", strerror(errno));
	signal(SIGCHLD, SIG_DFL); /* ignored, as some callers leave it, there would be no exit status to wait for */
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGABRT);
	sigprocmask(SIG_BLOCK, &all, &s->old_mask);
	s->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? cli_error("signalfd: %s", strerror(errno)) : 0;
}

/* A fork into a new pid namespace; where that is forbidden (a container without the right), a plain one. */
static pid_t fork_child(void)
{
	struct clone_args args = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid >= 0 || (errno != EPERM && errno != ENOSYS))
		return pid;
	return fork();
}

/* In a child: `fds` become FIRST_FD and up, everything else is closed on exec. Never returns. */
static void become(const struct sandbox *s, const int *fds, unsigned count, char **argv)
{
	int high = FIRST_FD + (int)count;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* First out of the way, then into place. */
	int copies[CONTAINER_MAX_TREES + 8];
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
	sigprocmask(SIG_SETMASK, &s->old_mask, NULL);
	execv(SELF, argv);
fail:
	cli_error("starting the sandbox's processes: %s", strerror(errno));
	_exit(1);
}

static int start_gofer(struct sandbox *s)
{
	struct container *c = s->container;
	char words[CONTAINER_MAX_TREES][16];
	char *argv[CONTAINER_MAX_TREES + 4] = {"ringfence", "gofer", "3"};
	int fds[CONTAINER_MAX_TREES + 1] = {s->p9[0]};

	for (size_t i = 0; i < c->tree_count; i++) {
		snprintf(words[i], sizeof(words[i]), "%zu:%s", FIRST_FD + 1 + i, c->trees[i].readonly ? "ro" : "rw");
		argv[3 + i] = words[i];
		fds[1 + i] = c->trees[i].fd;
	}
	s->gofer = fork_child();
	if (s->gofer == 0)
		become(s, fds, (unsigned)c->tree_count + 1, argv);
	return s->gofer < 0 ? cli_error("gofer: fork: %s", strerror(errno)) : 0;
}

static int start_boot(struct sandbox *s)
{
	struct container *c = s->container;
	int fds[] = {s->image_fd, s->config_fd, s->p9[1], s->control[1], s->log_fd};
	unsigned count = s->log_fd >= 0 ? 5 : 4;
	char platform[32], memory[40], cpus[32], user[32], root[4096], state[4120];
	unsigned uid = JAIL_UID_BASE + (unsigned)getpid();

	if (state_root(root, sizeof(root)))
		return 1;
	snprintf(platform, sizeof(platform), "--platform=%s", global.platform);
	snprintf(memory, sizeof(memory), "--memory=%llu", (unsigned long long)c->memory_limit);
	snprintf(cpus, sizeof(cpus), "--cpus=%u", c->cpus);
	snprintf(user, sizeof(user), "--user=%u", uid);
	snprintf(state, sizeof(state), "--state=%s", root);
	char *argv[] = {"ringfence", platform, "boot", "--image-fd=3", "--config-fd=4", "--gofer-fd=5", "--control-fd=6",
		memory, cpus, user, state, NULL, NULL, NULL};
	unsigned argc = 11;

	if (s->log_fd >= 0)
		argv[argc++] = "--log-fd=7";
	if (global.debug)
		argv[argc++] = "--debug";
	s->boot = fork_child();
	if (s->boot == 0)
		become(s, fds, count, argv);
	return s->boot < 0 ? cli_error("boot: fork: %s", strerror(errno)) : 0;
}

static void forward(struct sandbox *s, const struct signalfd_siginfo *info)
{
	struct vmm_control message = {ABI_EVENT_SIGNAL, info->ssi_signo};

	if (info->ssi_signo == SIGWINCH)
		message = (struct vmm_control){ABI_EVENT_WINCH, 0};
	/* Full or closed: boot is ending, or drowning in signals; a signal may be merged with others. */
	send(s->control[0], &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* True once boot has ended; its wait status in *status. A gofer that ends early is boot's to notice. */
static bool reap(struct sandbox *s, int *status)
{
	int one;
	pid_t pid;
	bool done = false;

	while ((pid = waitpid(-1, &one, WNOHANG)) > 0) {
		if (pid == s->boot) {
			*status = one;
			s->boot = 0;
			done = true;
		} else if (pid == s->gofer) {
			s->gofer = 0;
		}
	}
	return done;
}

static int wait_for_boot(struct sandbox *s)
{
	struct pollfd fd = {s->signals, POLLIN, 0};
	struct signalfd_siginfo info;
	int status = 0;

	while (!reap(s, &status)) {
		if (poll(&fd, 1, -1) < 0)
			continue;
		while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
			if (info.ssi_signo != SIGCHLD)
				forward(s, &info);
		}
	}
	return status;
}

static void end_child(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
		;
	*pid = 0;
}

static int exit_status(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	cli_error("the sandbox's process was killed by signal %d%s", WTERMSIG(status),
		WTERMSIG(status) == SIGSYS ? " (a host system call that its filter does not allow)" : "");
	return 128 + WTERMSIG(status);
}

int sandbox_run(struct container *container)
{
	struct sandbox s = {.container = container, .image_fd = -1, .config_fd = -1, .log_fd = -1, .signals = -1};
	int result = 1;

	if (prepare(&s))
		return 1;
	if (start_gofer(&s) || start_boot(&s))
		goto end;
	close(s.p9[0]);
	close(s.p9[1]);
	close(s.control[1]);
	if (container->terminal)
		terminal_raw();
	result = exit_status(wait_for_boot(&s));
	terminal_restore();
end:
	end_child(&s.boot);
	end_child(&s.gofer);
	sigprocmask(SIG_SETMASK, &s.old_mask, NULL);
	return result;
}
