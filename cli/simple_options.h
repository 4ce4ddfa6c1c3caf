/* The arguments of subcommands that take an ID, flags and options with a value, and nothing else. */
#ifndef CLI_SIMPLE_OPTIONS_H
#define CLI_SIMPLE_OPTIONS_H

#include <stdbool.h>

/* One option: `flag` is set, or `value` gets the argument. A table ends with a NULL name. */
struct simple_option {
	const char *name;
	char letter; /* 0: none */
	bool *flag;
	const char **value;
};

/*
 * Parses up to the first word that is no option. `min` and `max` words follow (max -1: any number); the first is
 * checked as an ID if max is not 0. 0 with *words at the first of them, or 1 after a message.
 */
int simple_options_parse(int argc, char **argv, const struct simple_option *options, int min, int max, char ***words);

#endif
