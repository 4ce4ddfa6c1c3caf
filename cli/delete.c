/* `ringfence delete [--force] ID`: forget a container and whatever it holds on the host. */
#include "cli/cli.h"
#include "cli/lifecycle.h"
#include "cli/simple_options.h"

int command_delete(int argc, char **argv)
{
	static struct state state;
	bool force = false;
	const struct simple_option options[] = {{"force", 'f', &force, NULL}, {NULL, 0, NULL, NULL}};
	char **words;

	if (simple_options_parse(argc, argv, options, 1, 1, &words))
		return 1;
	if (force && !state_exists(words[0]))
		return 0;
	if (force)
		return lifecycle_delete_forced(words[0]);
	return state_open(&state, words[0], STATE_LOCK) || lifecycle_delete(&state, false);
}
