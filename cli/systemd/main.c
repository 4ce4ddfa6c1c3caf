/*
 * ringfence-systemd: has systemd start, change or stop the unit that holds a container's processes on the host.
 * Internal: the command starts it for --systemd-cgroup (cli/cgroup_systemd.c). A program of its own, because
 * libdbus comes as a shared library only, and the command has none.
 *
 *	ringfence-systemd start UNIT PROPERTY...   prints the unit's control group
 *	ringfence-systemd set UNIT PROPERTY...     see property.h
 *	ringfence-systemd stop UNIT
 *
 * Exit status 0, or 1 after a line on standard error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/systemd/bus.h"

static int start(const char *unit, char **properties)
{
	char *group;

	if (bus_start(unit, properties))
		return 1;
	group = bus_control_group(unit);
	if (!group)
		return 1;
	puts(group);
	free(group);
	return fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return fprintf(stderr, "internal program: `ringfence --systemd-cgroup` starts it\n"), 1;
	if (bus_open())
		return 1;
	if (strcmp(argv[1], "start") == 0)
		return start(argv[2], argv + 3);
	if (strcmp(argv[1], "set") == 0)
		return bus_set(argv[2], argv + 3);
	if (strcmp(argv[1], "stop") == 0)
		return bus_stop(argv[2]);
	return fprintf(stderr, "%.100s: no such order\n", argv[1]), 1;
}
