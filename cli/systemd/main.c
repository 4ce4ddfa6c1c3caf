/*
 * ringfence-systemd: has systemd start, change or stop the unit that holds a container's processes on the host.
 * Internal: the command starts it for --systemd-cgroup (cli/cgroup_systemd.c). A program of its own, because
 * GLib, which speaks D-Bus for us, comes as a shared library only, and the command has none.
 *
 *	ringfence-systemd system|user start UNIT PROPERTY...   prints the unit's control group
 *	ringfence-systemd system|user set UNIT PROPERTY...     see property.h
 *	ringfence-systemd system|user check UNIT PROPERTY...   whether they can be read; asks nobody
 *	ringfence-systemd system|user stop UNIT
 *
 * Exit status 0, or 1 after a line on standard error.
 */
#include <stdio.h>
#include <string.h>

#include "cli/systemd/bus.h"
#include "cli/systemd/property.h"

static int start(const char *unit, GVariant *properties)
{
	g_autofree char *group = NULL;

	if (bus_start(unit, properties))
		return 1;
	group = bus_control_group(unit);
	if (!group)
		return 1;
	puts(group);
	return fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
	enum bus_whose whose = argc > 1 && strcmp(argv[1], "user") == 0 ? BUS_USER : BUS_SYSTEM;
	const char *order = argc > 2 ? argv[2] : "", *unit = argc > 3 ? argv[3] : "";
	GVariant *properties;

	if (argc < 4)
		return fprintf(stderr, "internal program: `ringfence --systemd-cgroup` starts it\n"), 1;
	properties = properties_parse(argv + 4);
	if (!properties)
		return 1;
	if (strcmp(order, "check") == 0)
		return 0;
	if (bus_open(whose))
		return 1;
	if (strcmp(order, "start") == 0)
		return start(unit, properties);
	if (strcmp(order, "set") == 0)
		return bus_set(unit, properties);
	if (strcmp(order, "stop") == 0)
		return bus_stop(unit);
	return fprintf(stderr, "%.100s: no such order\n", order), 1;
}
