/* `ringfence help [COMMAND]`: what the command can do, or one of its subcommands, on standard output. */
#include "cli/cli.h"
#include "cli/global_options.h"
#include "cli/options.h"

static int help_of(const char *name)
{
	const struct subcommand *command = command_find(name);
	char *words[] = {(char *)name, "--help", NULL};

	if (!command || !command->help)
		return cli_error("no such command: %.100s", name);
	global.operation = command->name;
	optind = 0; /* glibc: start again */
	command->run(2, words);
	return 0;
}

int command_help(int argc, char **argv)
{
	const struct subcommand *command;
	char **words, line[120];

	if (options_parse(argc, argv, NULL, 0, 1, &words))
		return 1;
	if (words[0] && help_of(words[0]))
		return 1;
	if (words[0])
		return ferror(stdout) || fflush(stdout) ? 1 : 0;
	puts("Usage: ringfence [OPTION]... COMMAND [ARGUMENT]...\n"
	     "Runs containers on a kernel of their own.\n"
	     "\n"
	     "Commands (each has --help):");
	for (size_t i = 0; (command = command_at(i)); i++) {
		snprintf(line, sizeof(line), "%s %s", command->name, command->help ? command->words : "");
		if (command->help)
			printf("  %-44s %s\n", line, command->help);
	}
	puts("\nOptions:");
	global_print_help();
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
