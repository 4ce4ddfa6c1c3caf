/* `ringfence delete [--force] ID`: forget a container and whatever it holds on the host. */
#include "cli/cli.h"
#include "cli/lifecycle.h"
#include "cli/options.h"

int command_delete(int argc, char **argv)
{
	static struct state state;
	bool force = false;
	const struct option_entry options[] = {
		{"force", 'f', .help = "running or not, whatever is left of it", .flag = &force}, {0}};
	char **words;

	if (options_parse(argc, argv, options, 1, 1, &words))
		return 1;
	if (force && !state_exists(words[0]))
		return 0;
	if (force)
		return lifecycle_delete_forced(words[0]);
	return state_open(&state, words[0], STATE_LOCK) || lifecycle_delete(&state, false);
}
