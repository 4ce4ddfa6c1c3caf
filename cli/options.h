/*
 * The arguments of subcommands: one table a command, from which they are parsed and `ringfence COMMAND --help` is printed.
 *
 * An option is done or refused with its reason; none is accepted and ignored.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>

#include "cli/container.h"

/* One option. A table ends with a NULL name. Exactly one of the last five is set. */
struct option_entry {
	const char *name;
	char letter;          /* 0: none */
	const char *argument; /* how the help calls its value; NULL: takes none */
	const char *help;
	bool *flag;           /* set */
	const char **value;   /* gets the argument */
	struct strings *list; /* gets one more */
	const char *nothing;  /* why there is nothing to do for it */
	const char *refused;  /* why it is not done */
};

/*
 * Parses up to the first word that is no option. `min` and `max` words follow (max -1: any number); the first is
 * checked as an ID if min is not 0. 0 with *words at the first of them (a NULL after the last), or 1 after a message.
 */
int options_parse(int argc, char **argv, const struct option_entry *options, int min, int max, char ***words);
/* What getopt_long(3) returned, '?' or ':', as a message. Returns 1. */
int options_wrong(int option, char *const *argv);
/* The help was asked for and printed instead: options_parse() said 1, but nothing is wrong. */
bool options_helped(void);
/* One line of a help text: an option, or with `letter` and `argument` 0 any word. */
void options_print(const char *name, char letter, const char *argument, const char *help);

#endif
