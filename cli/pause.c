/* `ringfence pause ID` and `ringfence resume ID`: no program of the container runs in between. */
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/options.h"

static int change(int argc, char **argv, uint32_t op, enum state_status from, enum state_status to)
{
	const struct control_request request = {.op = op};
	static struct state state;
	struct control_reply reply;
	char **words;

	if (options_parse(argc, argv, NULL, 1, 1, &words) || state_open(&state, words[0], STATE_LOCK))
		return 1;
	enum state_status status = state_status(&state);
	if (status != from)
		return cli_error("container not %s: %s", state_status_name(from), state_status_name(status));
	if (control_order(&state, &request, CONTROL_PATIENCE_MS, words[0], &reply))
		return 1;
	control_reply_free(&reply);
	state.recorded = to;
	return state_save(&state);
}

int command_pause(int argc, char **argv)
{
	return change(argc, argv, CONTROL_PAUSE, STATE_RUNNING, STATE_PAUSED);
}

int command_resume(int argc, char **argv)
{
	return change(argc, argv, CONTROL_RESUME, STATE_PAUSED, STATE_RUNNING);
}
