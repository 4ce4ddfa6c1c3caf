/* `ringfence create [-b BUNDLE] ID`: a container that is ready and waits for `start`. */
#include <getopt.h>

#include "cli/cli.h"
#include "cli/create_options.h"
#include "cli/foreground.h"
#include "cli/lifecycle.h"

int command_create(int argc, char **argv)
{
	static struct container container;
	static struct state state;
	struct create_options create = {.bundle = ".", .detached = true};
	struct sandbox sandbox = SANDBOX_NONE;
	const char *id;

	if (create_options_parse(argc, argv, false, &create, &id))
		return 1;
	AUTO_FD int signals = foreground_signals();
	if (signals < 0 || lifecycle_create(id, &create, signals, &state, &container, &sandbox))
		return 1;
	sandbox_release(&sandbox);
	state_close(&state);
	return 0;
}
