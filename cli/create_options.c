/*
 * Options of `create` and `run`. --no-pivot is done by nature: the container's root is
 * mounted by a kernel of its own, and the host's root is never there to leave.
 */
#include "cli/cli.h"
#include "cli/create_options.h"
#include "cli/options.h"
#include "cli/preserve_fds.h"

int create_options_parse(int argc, char **argv, bool run, struct create_options *create, const char **id)
{
	const char *preserve = "0";
	char **words;
	const struct option_entry options[] = {
		{"bundle", 'b', "DIR", "the bundle (this directory)", .value = &create->bundle},
		{"pid-file", .argument = "FILE", .help = "gets the number of the container's process on the host", .value = &create->pid_file},
		{"console-socket", .argument = "SOCKET", .help = "gets the master end of the container's terminal",
			.value = &create->console_socket},
		{"no-pivot", .help = "as in runc; the root is mounted by a kernel of its own in any case",
			.nothing = "the host's root is never there to leave"},
		{"preserve-fds", .argument = "N", .help = "the program gets N further descriptors, from 3 on", .value = &preserve},
		{"no-new-keyring", .refused = "the container has a kernel of its own and cannot have the caller's keyring"},
		/* The rest is for run alone. */
		{run ? "detach" : NULL, 'd', .help = "leave it running", .flag = &create->detached},
		{"keep", .help = "do not delete it afterwards", .flag = &create->keep},
		{"no-subreaper", .help = "as in runc", .nothing = "run is none"},
		{0}};

	if (options_parse(argc, argv, options, 1, 1, &words))
		return 1;
	if (!create->bundle[0])
		return cli_error("--bundle: empty: a folder with a config.json is wanted");
	*id = words[0];
	return preserve_fds_take(preserve, true, CONFIG_MAX_PASSED, &create->passed);
}
