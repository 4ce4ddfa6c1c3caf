/*
 * systemd's manager on D-Bus (org.freedesktop.systemd1(5)): the few calls that a container's unit needs.
 *
 * Order of use: bus_open(), then bus_start(), bus_set() and bus_stop(). Each returns 0, or 1 after a line on standard
 * error that names the unit. A process has one connection and ends with it.
 */
#ifndef CLI_SYSTEMD_BUS_H
#define CLI_SYSTEMD_BUS_H

#include <glib.h>

/*
 * The manager of the system, or of the user: over its bus, or, where there is none, its private socket. The user's are found by
 * DBUS_SESSION_BUS_ADDRESS and XDG_RUNTIME_DIR, also from a user namespace.
 */
enum bus_whose { BUS_SYSTEM, BUS_USER };
int bus_open(enum bus_whose whose);
/* Starts a transient unit and waits until that is done. `properties`: a(sv), taken over if floating. */
int bus_start(const char *unit, GVariant *properties);
/* Changes properties of a running unit, until it stops. */
int bus_set(const char *unit, GVariant *properties);
/* Stops it and waits; a unit that is not there has stopped. */
int bus_stop(const char *unit);
/* Its control group's path, as the manager has it; the caller frees it. NULL after a line. */
char *bus_control_group(const char *unit);

#endif
