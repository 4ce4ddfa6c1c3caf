/* `ringfence filters` and `ringfence platform`: what the host side would do here. */
#include <string.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/state.h"
#include "gofer/gofer.h"
#include "platform/platform.h"

int command_filters(int argc, char **argv)
{
	char **words;

	if (options_parse(argc, argv, NULL, 0, 0, &words))
		return 1;
	platform_print_filters(strcmp(global.network, "host") == 0);
	gofer_print_filter(stdout);
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}

int command_platform(int argc, char **argv)
{
	char name[16], why[256], root[4096], **words;

	if (options_parse(argc, argv, NULL, 0, 0, &words) || state_root(root, sizeof(root)) != 0)
		return 1;
	if (platform_select(global.platform, root, name, sizeof(name), why, sizeof(why)) < 0)
		return cli_error("%s: %s", global.platform, why);
	printf("%s: %s\n", name, why);
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
