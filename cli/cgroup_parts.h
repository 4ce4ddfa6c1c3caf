/* Inside cgroup.c, cgroup_limits.c, cgroup_block_io.c and cgroup_systemd.c. */
#ifndef CLI_CGROUP_PARTS_H
#define CLI_CGROUP_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/cgroup.h"

bool cgroup_has(const char *list, const char *word); /* in a list separated by commas */
/* A file of a group. 0 or -errno. */
int cgroup_write(const char *directory, const char *name, const char *text);
int cgroup_read(const char *directory, const char *name, char *text, size_t size);

/* cgroup_limits.c: what the host's group gets for a container's own limit; negative: none. */
int64_t cgroup_memory(int64_t bytes);
int64_t cgroup_tasks(int64_t limit);
int64_t cgroup_weight(int64_t shares); /* on the scale of version 2 */

/* A controller's file of the group; `property` is linux.resources' for the message. 0, or 1 after it. */
int cgroup_set_text(const struct cgroup *cgroup, const char *controller, const char *property, const char *name, const char *text);

/* cgroup_block_io.c: 0, or 1 after a message. */
int cgroup_set_block_io(const struct cgroup *cgroup, const struct container_limits *limits);
int cgroup_set_huge_pages(const struct cgroup *cgroup, const struct container_limits *limits);

/* Without telling systemd. */
int cgroup_set_group(const struct cgroup *cgroup, const struct container_limits *limits);

/* cgroup_systemd.c: see there. 0, or 1 after a message. */
int cgroup_systemd_plan(const struct container *container, const char *id, struct cgroup *cgroup);
int cgroup_systemd_check(const struct container *container); /* its annotations for the unit */
int cgroup_systemd_start(struct cgroup *cgroup, const char *id, const struct container *container, pid_t pid);
int cgroup_systemd_set(const struct cgroup *cgroup, const struct container_limits *limits);
void cgroup_systemd_stop(const char *unit);

#endif
