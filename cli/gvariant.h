/* One value as GVariant's text has it ("GVariant Text Format" of GLib's manual): what annotations give a unit of systemd. */
#ifndef CLI_GVARIANT_H
#define CLI_GVARIANT_H

#include <stdbool.h>

#include "cli/container.h"

struct gvariant {
	char type; /* as D-Bus writes it: one of "bynqiuxtds" */
	bool list; /* of that type */
	struct strings items; /* one, or the list's: true, false, a decimal number, or the string itself */
};

/*
 * Takes booleans, numbers, strings and lists of these, with or without their type before them. Tuples, dictionaries, byte
 * strings and lists of lists are not taken. NULL, or why not. The items are strings_free()'s in either case.
 */
const char *gvariant_parse(const char *text, struct gvariant *value);

#endif
