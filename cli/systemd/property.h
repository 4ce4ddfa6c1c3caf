/*
 * Properties of a unit as words: TYPE:NAME=VALUE.
 *
 *	s  a string           b  true or false       t  an unsigned 64-bit number
 *	u  a list of one process number               y  bytes in hexadecimal
 *	d  a device: PATH ACCESS; words of one name that follow each other make one list
 *	v  any other: D-Bus's signature of a basic type or of a list of one, a blank, and how many words follow that are its values
 */
#ifndef CLI_SYSTEMD_PROPERTY_H
#define CLI_SYSTEMD_PROPERTY_H

#include <dbus/dbus.h>
#include <stdbool.h>

/* Appends them as a(sv). False: a word is not one, or there is no memory. */
bool properties_append(DBusMessageIter *to, char **words);

#endif
