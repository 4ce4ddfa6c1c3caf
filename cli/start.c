/* `ringfence start ID`: the program of a created container begins. */
#include "cli/cli.h"
#include "cli/lifecycle.h"
#include "cli/options.h"

int command_start(int argc, char **argv)
{
	static struct state state;
	char **words;

	if (options_parse(argc, argv, NULL, 1, 1, &words) || state_open(&state, words[0], STATE_LOCK))
		return 1;
	switch (state_status(&state)) {
	case STATE_CREATED:
		if (lifecycle_start(&state, -1) == 0)
			return 0;
		lifecycle_end_failed(&state);
		return 1;
	case STATE_STOPPED:
		return cli_error("cannot start a container that has stopped");
	case STATE_CREATING:
		return cli_error("cannot start a container that is not created yet");
	default:
		return cli_error("cannot start an already running container");
	}
}
