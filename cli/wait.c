/* `ringfence wait ID`: wait until the container's first process has ended, and return its exit status. */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/cli.h"
#include "cli/control.h"
#include "cli/options.h"

int command_wait(int argc, char **argv)
{
	static const struct control_wait wait;
	static const struct control_request request = {.op = CONTROL_WAIT, .payload = &wait, .length = sizeof(wait)};
	static struct state state;
	struct control_exited exited;
	struct control_reply reply;
	char **words;

	if (options_parse(argc, argv, NULL, 1, 1, &words) || state_open(&state, words[0], STATE_LOOK))
		return 1;
	if (state_status(&state) == STATE_STOPPED)
		return cli_error("container not running: its exit status went to the process that waited for it");
	if (control_order(&state, &request, CONTROL_FOREVER, "wait", &reply))
		return 1;
	if (reply.length < sizeof(exited)) {
		control_reply_free(&reply);
		return cli_error("the sandbox's answer is too short");
	}
	memcpy(&exited, reply.payload, sizeof(exited));
	control_reply_free(&reply);
	return cli_shell_status((int)exited.status);
}
