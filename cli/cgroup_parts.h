/* Inside cgroup.c and cgroup_limits.c. */
#ifndef CLI_CGROUP_PARTS_H
#define CLI_CGROUP_PARTS_H

#include <stdbool.h>
#include <stddef.h>

bool cgroup_has(const char *list, const char *word); /* in a list separated by commas */
/* A file of a group. 0 or -errno. */
int cgroup_write(const char *directory, const char *name, const char *text);
int cgroup_read(const char *directory, const char *name, char *text, size_t size);

#endif
