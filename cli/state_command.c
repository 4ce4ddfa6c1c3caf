/* `ringfence state ID`: the OCI state as JSON. */
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/state.h"

int command_state(int argc, char **argv)
{
	static struct state state;
	char **words;

	if (options_parse(argc, argv, NULL, 1, 1, &words) || state_open(&state, words[0], STATE_LOOK))
		return 1;
	AUTO_FREE char *json = state_json(&state, state_status(&state));
	fputs(json, stdout);
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
