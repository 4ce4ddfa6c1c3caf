/* Waiting for a sandbox in the foreground: see foreground.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "cli/cli.h"
#include "cli/foreground.h"
#include "cli/terminal.h"
#include "platform/abi/abi.h"
#include "platform/platform.h"

int foreground_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGABRT);
	sigprocmask(SIG_BLOCK, &all, NULL);
	int fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		cli_error("signalfd: %s", strerror(errno));
	return fd;
}

static void forward(struct sandbox *sandbox, const struct signalfd_siginfo *info)
{
	struct vmm_control message = {ABI_EVENT_SIGNAL, info->ssi_signo};

	if (info->ssi_signo == SIGWINCH)
		message = (struct vmm_control){ABI_EVENT_WINCH, 0};
	/* Full or closed: boot is ending, or drowning in signals; a signal may be merged with others. */
	send(sandbox->lifeline, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int exit_status(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	sandbox_say_killed(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

int foreground_wait(struct sandbox *sandbox, int signals, bool terminal)
{
	struct pollfd fds[2] = {{signals, POLLIN, 0}, {sandbox->errors, POLLIN, 0}};
	struct signalfd_siginfo info;
	int status = 0;

	if (terminal)
		terminal_raw();
	while (waitpid(sandbox->boot, &status, WNOHANG) == 0) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents && !sandbox_errors(sandbox))
			fds[1].fd = -1;
		while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
			if (info.ssi_signo != SIGCHLD)
				forward(sandbox, &info);
		}
	}
	sandbox->boot = 0;
	terminal_restore();
	sandbox_end(sandbox); /* its last lines */
	return exit_status(status);
}

int foreground_run(const struct container *container)
{
	struct launch_options options = {.listen_fd = -1, .console_fd = -1};
	struct sandbox sandbox = SANDBOX_NONE;
	AUTO_FD int signals = foreground_signals();

	if (signals < 0 || sandbox_launch(&sandbox, container, &options))
		return 1;
	return foreground_wait(&sandbox, signals, container->terminal);
}
