/* `ringfence run [-b BUNDLE] ID`: create and start the container of a bundle, wait, return its exit status. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/oci.h"
#include "cli/state.h"

int command_run(int argc, char **argv)
{
	static const struct option options[] = {{"bundle", required_argument, NULL, 'b'}, {NULL, 0, NULL, 0}};
	static struct container container;
	static struct state state;
	const char *given = ".";
	char bundle[PATH_MAX];
	int option;

	while ((option = getopt_long(argc, argv, "b:", options, NULL)) != -1) {
		if (option == '?')
			return 1;
		given = optarg;
	}
	if (argc - optind != 1)
		return cli_error(argc == optind ? "which container? ringfence run [-b BUNDLE] ID" : "more than one ID");
	if (state_check_id(argv[optind]))
		return 1;
	if (!realpath(given, bundle))
		return cli_error("%s: %s", given, strerror(errno));
	if (oci_load(bundle, &container) || state_create(&state, argv[optind], bundle))
		return 1;
	int status = sandbox_run(&container);
	state_remove(&state);
	return status;
}
