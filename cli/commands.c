/* The table of subcommands, from commands.def; and those that are only there to be refused. */
#include <string.h>

#include "cli/cli.h"
#include "cli/options.h"

static const struct subcommand commands[] = {
#define COMMAND(name, words, help) {#name, words, help, command_##name},
#define INTERNAL(name) {#name, NULL, NULL, command_##name},
#include "cli/commands.def"
#undef COMMAND
#undef INTERNAL
};

const struct subcommand *command_at(size_t index)
{
	return index < sizeof(commands) / sizeof(commands[0]) ? &commands[index] : NULL;
}

const struct subcommand *command_find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	}
	return NULL;
}

static int refuse(int argc, char **argv)
{
	char **words;

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return options_parse(argc, argv, NULL, 0, -1, &words);
	return cli_error("not supported: the state of a sandbox's kernel cannot be written to a file");
}

int command_checkpoint(int argc, char **argv)
{
	return refuse(argc, argv);
}

int command_restore(int argc, char **argv)
{
	return refuse(argc, argv);
}
