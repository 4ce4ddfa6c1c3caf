/* `ringfence version`: the version and the OCI specification it follows. */
#include "cli/cli.h"
#include "cli/oci.h"

int command_version(int argc, char **argv)
{
	printf("ringfence version %s\nspec: %s\n", RF_VERSION, OCI_VERSION);
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
