/*
 * The options before the subcommand: one table, from which the command line, the configuration file and the help come.
 *
 * Order of use: global_parse(); then, but for internal commands, global_load_config(): what the command line said wins,
 * then the file (/etc/ringfence/config.json, or --config), then the defaults. Annotations of a container come last and may
 * only tighten (annotations.h).
 */
#ifndef CLI_GLOBAL_OPTIONS_H
#define CLI_GLOBAL_OPTIONS_H

#include <stdbool.h>

/* Parses up to the subcommand, at argv[optind]. 0, or 1 after a message. *help, *version: asked for. */
int global_parse(int argc, char **argv, bool *help, bool *version);
/* The configuration file, for what the command line did not say. 0, or 1 after a message with file, key and reason. */
int global_load_config(void);
/* One option tightened: NULL, or why not. `name` as on the command line. */
const char *global_tighten(const char *name, const char *value);
/* The options' part of `ringfence help`. */
void global_print_help(void);

#endif
