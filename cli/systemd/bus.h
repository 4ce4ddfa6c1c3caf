/*
 * systemd's manager on D-Bus (org.freedesktop.systemd1(5)): the few calls that a container's unit needs.
 *
 * Order of use: bus_open(), then bus_start(), bus_set() and bus_stop(). Each returns 0, or 1 after a line on standard
 * error that names the unit. A process has one connection and ends with it.
 */
#ifndef CLI_SYSTEMD_BUS_H
#define CLI_SYSTEMD_BUS_H

/* The system's manager, over the system bus or, where there is none, its private socket. */
int bus_open(void);
/* Starts a transient unit and waits until that is done. `properties`: see property.h; ends with a NULL. */
int bus_start(const char *unit, char **properties);
/* Changes properties of a running unit, until it stops. */
int bus_set(const char *unit, char **properties);
/* Stops it and waits; a unit that is not there has stopped. */
int bus_stop(const char *unit);
/* Its control group's path, as the manager has it; the caller frees it. NULL after a line. */
char *bus_control_group(const char *unit);

#endif
