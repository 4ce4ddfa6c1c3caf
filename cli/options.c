/* Arguments of subcommands: see options.h. */
#include <getopt.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/state.h"

#define OPTIONS_MAX 24
#define FIRST 256
#define HELP_COLUMN 38

static bool helped;

bool options_helped(void)
{
	return helped;
}

void options_print(const char *name, char letter, const char *argument, const char *help)
{
	char words[80], dash[8] = "";

	if (letter)
		snprintf(dash, sizeof(dash), "-%c, ", letter);
	snprintf(words, sizeof(words), "%s--%s%s%s", dash, name, argument ? "=" : "", argument ? argument : "");
	for (const char *line = help; line; line = *line ? line + 1 : NULL) {
		int length = (int)strcspn(line, "\n");
		printf("  %-*s %.*s\n", HELP_COLUMN, line == help ? words : "", length, line);
		line += length;
	}
}

static void print_help(const struct option_entry *table)
{
	const struct subcommand *command = command_find(global.operation);

	helped = true;
	printf("Usage: ringfence [GLOBAL OPTION]... %s%s%s\n%s.\n\nOptions:\n", command->name, command->words[0] ? " " : "",
		command->words, command->help);
	options_print("help", 'h', NULL, "print this text");
	for (; table && table->name; table++) {
		if (!table->refused)
			options_print(table->name, table->letter, table->argument, table->help);
	}
}

/* 0, or 1 after a message. */
static int set(const struct option_entry *entry, const char *value)
{
	if (entry->refused)
		return cli_error("--%s: %s", entry->name, entry->refused);
	if (entry->flag)
		*entry->flag = true;
	else if (entry->value)
		*entry->value = value;
	else if (entry->list)
		strings_add(entry->list, value);
	return 0;
}

int options_wrong(int option, char *const *argv)
{
	const char *word = argv[optind - 1];
	char letter[3] = {'-', (char)optopt, '\0'};

	if (optopt > 0 && optopt < FIRST && strncmp(word, "--", 2) != 0)
		word = letter; /* one of several in a word */
	if (option == ':')
		return cli_error("%.100s: its value is missing", word);
	return cli_error("%.100s: %s", word, optopt >= FIRST ? "takes no value" : "no such option");
}

/* The table as getopt wants it; `h` is its last entry. */
static void prepare(const struct option_entry *table, struct option *options, char *letters)
{
	size_t count = 0;

	*letters++ = '+';
	*letters++ = ':';
	for (; table && table[count].name; count++) {
		const struct option_entry *entry = &table[count];
		options[count] = (struct option){entry->name, entry->argument ? required_argument : no_argument, NULL,
			FIRST + (int)count};
		if (entry->letter)
			*letters++ = entry->letter;
		if (entry->letter && entry->argument)
			*letters++ = ':';
	}
	options[count] = (struct option){"help", no_argument, NULL, 'h'};
	*letters = 'h';
}

int options_parse(int argc, char **argv, const struct option_entry *table, int min, int max, char ***words)
{
	struct option options[OPTIONS_MAX + 2] = {{0}};
	char letters[OPTIONS_MAX * 2 + 4] = "";
	int option;

	prepare(table, options, letters);
	opterr = 0; /* what is wrong is said as anything is, in the log too */
	while ((option = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		int i = option - FIRST;
		if (option == '?' || option == ':')
			return options_wrong(option, argv);
		if (option == 'h') {
			print_help(table);
			return 1;
		}
		if (option < FIRST) {
			for (i = 0; table[i].letter != option; i++)
				;
		}
		if (set(&table[i], optarg))
			return 1;
	}
	if (argc - optind < min)
		return cli_error("container id cannot be empty");
	if (max >= 0 && argc - optind > max)
		return cli_error("%s: one argument too many", argv[optind + max]);
	*words = argv + optind;
	return min > 0 ? state_check_id(argv[optind]) : 0;
}
