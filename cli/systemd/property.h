/*
 * Properties of a unit as words: NAME=VALUE, the value in GVariant's text format ("uint64 5", "['a', 'b']": GLib's manual).
 *
 * A name may be an annotation's, org.systemd.property.NAME, as runc has them (its docs/systemd-properties.md): letters alone, and what
 * systemd documents as ...Sec, a number of seconds, becomes the ...USec that it is on the bus. Any such name is handed on; what systemd does
 * not know, or does not let be set, it refuses.
 */
#ifndef CLI_SYSTEMD_PROPERTY_H
#define CLI_SYSTEMD_PROPERTY_H

#include <glib.h>

/* a(sv), floating; NULL after a line on standard error. `words` ends with a NULL. */
GVariant *properties_parse(char **words);

#endif
