/* `ringfence version`: the version and the OCI specification it follows. */
#include "cli/cli.h"
#include "cli/oci.h"
#include "cli/options.h"

int command_version(int argc, char **argv)
{
	char **words;

	if (options_parse(argc, argv, NULL, 0, 0, &words))
		return 1;
	printf("ringfence version %s\nspec: %s\n", RF_VERSION, OCI_VERSION);
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
