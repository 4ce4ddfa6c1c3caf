/* A process in a running container: see attach.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "cli/attach.h"
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/preserve_fds.h"
#include "cli/terminal.h"

#define GOFER_KILLED 255 /* as of a sandbox that has lost its own */

/* Numbers of requests: whose reply is whose. */
enum { REQUEST_EXEC = 1, REQUEST_WAIT, REQUEST_OTHER };

int attach_start(struct attach *attach, const struct state *state, const struct container *process)
{
	size_t length;
	AUTO_FREE void *blob = config_blob_process(process, &length);
	unsigned own = attach->terminal >= 0 ? 1 : 3;
	int fds[CONTROL_FDS];
	struct control_request request = {.op = CONTROL_EXEC, .flags = CONTROL_BOUND, .payload = blob, .length = length,
		.fds = fds, .fd_count = own + process->passed.count};
	struct control_started started = {0};
	struct control_reply reply;

	memcpy(fds, attach->fds, own * sizeof(int));
	for (unsigned i = 0; i < process->passed.count; i++)
		fds[own + i] = 3 + (int)i;
	attach->channel = control_open(state);
	if (attach->channel < 0)
		return 1;
	int error = control_ask(attach->channel, &request, CONTROL_FOREVER, &reply);
	if (error)
		cli_error("%s", control_reason(error, &reply));
	else if (reply.length >= sizeof(started))
		memcpy(&started, reply.payload, sizeof(started));
	control_reply_free(&reply);
	preserve_fds_close(&process->passed);
	attach->pid = started.pid;
	return error ? 1 : 0;
}

static void pass_on(const struct attach *attach, int signal_number)
{
	struct control_kill kill_order = {.pid = attach->pid, .signal = (uint32_t)signal_number};
	struct control_resize resize = {.pid = attach->pid};
	struct control_request request = {.op = CONTROL_KILL, .payload = &kill_order, .length = sizeof(kill_order)};
	struct winsize size;

	if (signal_number == SIGWINCH && attach->terminal < 0)
		return;
	if (signal_number == SIGWINCH) {
		if (ioctl(attach->terminal, TIOCGWINSZ, &size) < 0)
			return;
		resize.rows = size.ws_row;
		resize.columns = size.ws_col;
		resize.xpixel = size.ws_xpixel;
		resize.ypixel = size.ws_ypixel;
		request = (struct control_request){.op = CONTROL_RESIZE, .payload = &resize, .length = sizeof(resize)};
	}
	control_put(attach->channel, REQUEST_OTHER, &request); /* if the sandbox has gone, the wait says so */
}

/* A reply has come. True: the process has ended, with *status for the shell. */
static bool take_reply(struct attach *attach, int *status)
{
	struct control_exited exited;
	struct control_reply reply;
	int error = control_get(attach->channel, CONTROL_FOREVER, &reply);
	bool done = error || reply.number == REQUEST_WAIT;

	*status = 128 + SIGKILL; /* the sandbox ended, and the process with it */
	if (done && !error && reply.error && reply.length)
		cli_error("%s", control_reason(reply.error, &reply));
	if (done && !error && !reply.error && reply.length >= sizeof(exited)) {
		memcpy(&exited, reply.payload, sizeof(exited));
		*status = cli_shell_status((int)exited.status);
	}
	control_reply_free(&reply);
	return done;
}

/* A child has ended. True: the process's own gofer was killed, and with it whatever the process could do with files. */
static bool gofer_killed(struct attach *attach)
{
	int status;

	if (attach->gofer <= 0 || waitpid(attach->gofer, &status, WNOHANG) != attach->gofer)
		return false;
	attach->gofer = 0;
	if (!WIFSIGNALED(status))
		return false; /* the sandbox has let it go */
	cli_error("the gofer was killed by signal %d", WTERMSIG(status));
	return true;
}

int attach_wait(struct attach *attach)
{
	struct control_wait wait = {.pid = attach->pid};
	struct control_request request = {.op = CONTROL_WAIT, .payload = &wait, .length = sizeof(wait)};
	struct pollfd fds[2] = {{attach->channel, POLLIN, 0}, {attach->signals, POLLIN, 0}};
	struct signalfd_siginfo info;
	int status = 128 + SIGKILL;
	bool done = false;

	if (attach->terminal == 0)
		terminal_raw();
	if (control_put(attach->channel, REQUEST_WAIT, &request) < 0)
		done = true;
	while (!done) {
		if (poll(fds, 2, -1) < 0)
			continue;
		while (read(attach->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
			if (info.ssi_signo != SIGCHLD)
				pass_on(attach, (int)info.ssi_signo);
			else if (gofer_killed(attach)) {
				status = GOFER_KILLED;
				done = true;
			}
		}
		if (!done && fds[0].revents)
			done = take_reply(attach, &status);
	}
	terminal_restore();
	close(attach->channel);
	return status;
}
