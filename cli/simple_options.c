/* Arguments of the simpler subcommands: see simple_options.h. */
#include <getopt.h>

#include "cli/cli.h"
#include "cli/simple_options.h"
#include "cli/state.h"

#define OPTIONS_MAX 16
#define FIRST 256

int simple_options_parse(int argc, char **argv, const struct simple_option *table, int min, int max, char ***words)
{
	struct option options[OPTIONS_MAX + 1] = {{0}};
	char letters[OPTIONS_MAX * 2 + 2] = "+";
	int option, n = 1;

	for (int i = 0; table && table[i].name; i++) {
		options[i] = (struct option){table[i].name, table[i].value ? required_argument : no_argument, NULL, FIRST + i};
		if (table[i].letter)
			letters[n++] = table[i].letter;
		if (table[i].letter && table[i].value)
			letters[n++] = ':';
	}
	while ((option = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		int i = option - FIRST;
		if (option == '?')
			return 1; /* getopt has said which */
		if (option < FIRST) {
			for (i = 0; table[i].letter != option; i++)
				;
		}
		if (table[i].value)
			*table[i].value = optarg;
		else
			*table[i].flag = true;
	}
	if (argc - optind < min)
		return cli_error("container id cannot be empty");
	if (max >= 0 && argc - optind > max)
		return cli_error("%s: one argument too many", argv[optind + max]);
	*words = argv + optind;
	return max != 0 && argc > optind ? state_check_id(argv[optind]) : 0;
}
