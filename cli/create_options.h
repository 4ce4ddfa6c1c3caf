/* The options that `create` and `run` share, as runc spells them. */
#ifndef CLI_CREATE_OPTIONS_H
#define CLI_CREATE_OPTIONS_H

#include <stdbool.h>

#include "cli/lifecycle.h"

/* `run` also has --detach and --keep. 0 with the ID, or 1 after a message. */
int create_options_parse(int argc, char **argv, bool run, struct create_options *options, const char **id);

#endif
