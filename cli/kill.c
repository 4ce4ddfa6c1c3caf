/* `ringfence kill ID [SIGNAL]`: a signal for the container's first process, or for all of them. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/control.h"
#include "cli/lifecycle.h"
#include "cli/signals.h"
#include "cli/options.h"

#define ENDING_MS 2000

static int send_signal(struct state *state, int number, bool all)
{
	struct control_kill order = {.signal = (uint32_t)number, .flags = all ? CONTROL_KILL_ALL : 0};
	struct control_request request = {
		.op = CONTROL_KILL, .container = state->container, .payload = &order, .length = sizeof(order)};
	struct control_reply reply = {0};
	AUTO_FD int fd = state_connect(state, CONTROL_PATIENCE_MS);

	int error = fd < 0 ? errno == EAGAIN ? -ETIMEDOUT : -EPIPE : control_ask(fd, &request, CONTROL_PATIENCE_MS, &reply);
	if (error == -EPIPE) /* it is ending: whoever asks for its state next hears so */
		lifecycle_wait_gone(state, ENDING_MS);
	if (error == -ETIMEDOUT && number == SIGKILL && kill(state->pid, SIGKILL) == 0)
		error = 0; /* stuck: its process goes, and all that is in it */
	if (error && state_status(state) == STATE_STOPPED)
		error = number == SIGKILL ? 0 : cli_error("container not running");
	else if (error)
		cli_error("signal %d: %s", number, control_reason(error, &reply));
	control_reply_free(&reply);
	return error ? 1 : 0;
}

int command_kill(int argc, char **argv)
{
	static struct state state;
	bool all = false;
	const struct option_entry options[] = {
		{"all", 'a', .help = "to every process of the container", .flag = &all}, {0}};
	char **words;

	if (options_parse(argc, argv, options, 1, 2, &words))
		return 1;
	const char *name = words[1] ? words[1] : "SIGTERM";
	int number = strcmp(name, "0") == 0 ? 0 : signal_parse(name);
	if (state_open(&state, words[0], STATE_LOOK))
		return 1;
	if (number < 0)
		return cli_error("unknown signal %s", name);
	if (state_status(&state) == STATE_STOPPED)
		return all ? 0 : cli_error("container not running");
	return number ? send_signal(&state, number, all) : 0; /* 0 asks only whether it is there, as kill(2) has it */
}
