/*
 * `ringfence run [-b BUNDLE] ID`: create and start a container; wait for it, return its
 * exit status and delete it; or, with --detach, leave it running.
 */
#include <string.h>

#include "cli/cli.h"
#include "cli/create_options.h"
#include "cli/foreground.h"
#include "cli/lifecycle.h"

int command_run(int argc, char **argv)
{
	static struct container container;
	static struct state state;
	struct create_options create = {.bundle = "."};
	struct sandbox sandbox = SANDBOX_NONE;
	const char *id;
	int status = 1;

	if (create_options_parse(argc, argv, true, &create, &id))
		return 1;
	AUTO_FD int signals = foreground_signals();
	if (signals < 0 || lifecycle_create(id, &create, signals, &state, &container, &sandbox))
		return 1;
	int error = lifecycle_start(&state, signals);
	bool started = error == 0;
	if (error > 0)
		sandbox_hush(&sandbox);
	if (started && create.detached) {
		sandbox_release(&sandbox);
		state_close(&state);
		return 0;
	}
	state_close(&state);
	if (started)
		status = foreground_wait(&sandbox, signals, container.terminal);
	sandbox_end(&sandbox);
	if (!create.keep && state_open(&state, id, STATE_LOCK) == 0)
		lifecycle_delete(&state, true);
	return status;
}
