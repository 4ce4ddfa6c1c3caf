/* Running hooks: see hooks.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cli/cli.h"
#include "cli/hooks.h"

#define OUTPUT_MAX 400 /* of a failed hook, in the message */

/* The state as a file to read: no hook can make us wait by not reading it. */
static int state_file(const struct state *state, enum state_status status)
{
	AUTO_FREE char *json = state_json(state, status);
	int fd = memfd_create("state", MFD_CLOEXEC);

	if (fd >= 0 && (write(fd, json, strlen(json)) != (ssize_t)strlen(json) || lseek(fd, 0, SEEK_SET) != 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void become_hook(const struct hook *hook, const struct state *state, int in, int out)
{
	char *no_args[] = {hook->path, NULL};
	char *no_env[] = {NULL};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (chdir(state->bundle) < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(127);
	execve(hook->path, hook->args.count ? hook->args.items : no_args, hook->env.count ? hook->env.items : no_env);
	dprintf(2, "%s", strerror(errno));
	_exit(127);
}

/* Until it has ended or its time is over. False: it was killed. */
static bool wait_for(pid_t pid, int64_t seconds, int *status)
{
	AUTO_FD int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ended = {pidfd, POLLIN, 0};
	bool in_time = true;

	if (seconds > 0 && pidfd >= 0 && poll(&ended, 1, seconds > 1000000 ? -1 : (int)seconds * 1000) == 0) {
		in_time = false;
		kill(pid, SIGKILL);
	}
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
	return in_time;
}

/* 0, or 1 with the reason. */
static int run(const struct hook *hook, const struct state *state, enum state_status status, char *why, size_t size)
{
	AUTO_FD int in = state_file(state, status);
	AUTO_FD int out = memfd_create("hook", MFD_CLOEXEC);
	char output[OUTPUT_MAX];
	int wait_status = 0;

	fflush(NULL);
	pid_t pid = in < 0 || out < 0 ? -1 : fork();
	if (pid == 0)
		become_hook(hook, state, in, out);
	if (pid < 0) {
		snprintf(why, size, "%s", strerror(errno));
		return 1;
	}
	if (!wait_for(pid, hook->timeout, &wait_status)) {
		snprintf(why, size, "took longer than its %lld s", (long long)hook->timeout);
		return 1;
	}
	if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0)
		return 0;
	ssize_t n = pread(out, output, sizeof(output) - 1, 0);
	output[n > 0 ? n : 0] = '\0';
	snprintf(why, size, "%s %d%s%s", WIFEXITED(wait_status) ? "exit status" : "killed by signal",
		WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : WTERMSIG(wait_status), output[0] ? ": " : "", output);
	return 1;
}

int hooks_run(const struct hook_list *hooks, const char *kind, const struct state *state, enum state_status status)
{
	char why[OUTPUT_MAX + 64];

	for (size_t i = 0; i < hooks->count; i++) {
		if (run(&hooks->items[i], state, status, why, sizeof(why)))
			return cli_error("error running %s hook #%zu: %s: %s", kind, i, hooks->items[i].path, why);
	}
	return 0;
}

void hooks_run_all(const struct hook_list *hooks, const char *kind, const struct state *state, enum state_status status)
{
	char why[OUTPUT_MAX + 64];

	for (size_t i = 0; i < hooks->count; i++) {
		if (run(&hooks->items[i], state, status, why, sizeof(why)))
			cli_warning("%s hook #%zu: %s: %s", kind, i, hooks->items[i].path, why);
	}
}
