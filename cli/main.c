/*
 * ringfence: the command. Reads the global options (global_options.h), which stand before the subcommand, as in
 * runc, and calls the subcommand (commands.def).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/global_options.h"
#include "cli/options.h"

#ifdef RF_SANITIZE
/* The jail has no /proc to look symbols up in, and lets nobody start the process that a search for leaks needs. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0:symbolize=0";
}
#endif

/* 0, 1 and 2 must be something: a closed one would be taken by the next descriptor that is opened. */
static int fill_stdio(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return cli_error("/dev/null: %s", strerror(errno));
	} while (fd < 3);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	char *const alone[] = {argc > 0 ? argv[0] : "ringfence", NULL};
	bool help = false, version = false;

	if (fill_stdio())
		return 1;
	signal(SIGCHLD, SIG_DFL); /* ignored, as some callers leave it, no child would have an exit status to wait for */
	if (argc > 0)
		argv[0] = "ringfence"; /* in getopt's messages */
	if (global_parse(argc, argv, &help, &version))
		return 1;
	argc -= optind;
	argv += optind;
	optind = 0; /* glibc: start again */
	if (help || version)
		return help ? command_help(1, (char **)alone) : command_version(1, (char **)alone);
	if (argc < 1)
		return cli_error("no command (see ringfence help)");
	const struct subcommand *command = command_find(argv[0]);
	if (!command)
		return cli_error("%.100s: no such command (see ringfence help)", argv[0]);
	if (command->help && global_load_config())
		return 1;
	global.operation = command->name;
	int status = command->run(argc, argv);
	return options_helped() ? fflush(stdout) || ferror(stdout) : status;
}
