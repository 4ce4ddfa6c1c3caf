/*
 * Options of `create` and `run`. --no-pivot is done by nature: the container's root is
 * mounted by a kernel of its own, and the host's root is never there to leave.
 */
#include <getopt.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/create_options.h"

enum { OPT_PID_FILE = 256, OPT_CONSOLE, OPT_NO_PIVOT, OPT_NO_KEYRING, OPT_PRESERVE, OPT_NO_SUBREAPER, OPT_KEEP };

static const struct option options[] = {
	{"bundle", required_argument, NULL, 'b'},
	{"pid-file", required_argument, NULL, OPT_PID_FILE},
	{"console-socket", required_argument, NULL, OPT_CONSOLE},
	{"no-pivot", no_argument, NULL, OPT_NO_PIVOT},
	{"no-new-keyring", no_argument, NULL, OPT_NO_KEYRING},
	{"preserve-fds", required_argument, NULL, OPT_PRESERVE},
	{"detach", no_argument, NULL, 'd'},
	{"keep", no_argument, NULL, OPT_KEEP},
	{"no-subreaper", no_argument, NULL, OPT_NO_SUBREAPER},
	{NULL, 0, NULL, 0},
};

static int set(struct create_options *create, int option, bool run)
{
	char *end;

	switch (option) {
	case 'b':
		create->bundle = optarg;
		return 0;
	case OPT_PID_FILE:
		create->pid_file = optarg;
		return 0;
	case OPT_CONSOLE:
		create->console_socket = optarg;
		return 0;
	case OPT_NO_PIVOT:
		return 0;
	case OPT_NO_KEYRING:
		return cli_error("--no-new-keyring: the container has a kernel of its own and cannot have the caller's keyring");
	case OPT_PRESERVE:
		if (strtoul(optarg, &end, 10) == 0 && end != optarg && !*end)
			return 0;
		return cli_error("--preserve-fds: %s: not supported yet", optarg);
	case 'd':
		create->detached = true;
		return run ? 0 : cli_error("--detach: create always does");
	case OPT_KEEP:
		create->keep = true;
		return run ? 0 : cli_error("--keep: create always does");
	case OPT_NO_SUBREAPER:
		return run ? 0 : cli_error("--no-subreaper: only for run"); /* run is none */
	default:
		return 1; /* getopt has said which */
	}
}

int create_options_parse(int argc, char **argv, bool run, struct create_options *create, const char **id)
{
	int option;

	while ((option = getopt_long(argc, argv, run ? "b:d" : "b:", options, NULL)) != -1) {
		if (set(create, option, run))
			return 1;
	}
	if (argc - optind != 1)
		return cli_error(argc == optind ? "which container? ringfence %s [-b BUNDLE] ID" : "%s: more than one ID",
			global.operation);
	*id = argv[optind];
	return 0;
}
