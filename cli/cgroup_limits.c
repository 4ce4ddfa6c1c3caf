/* The limits of a control group, in the words of version 1 and 2: see cgroup.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "cli/cgroup.h"
#include "cli/cgroup_parts.h"
#include "cli/cli.h"
#include "cli/rootless.h"

int cgroup_write(const char *directory, const char *name, const char *text)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int cgroup_read(const char *directory, const char *name, char *text, size_t size)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return 0;
}

/* Where a controller's files are; NULL after a message: the host does not have it. */
static const char *place(const struct cgroup *cgroup, const char *controller, const char *property)
{
	for (unsigned i = 0; i < cgroup->count; i++) {
		if (cgroup->unified || cgroup_has(cgroup->at[i].controllers, controller))
			return cgroup->at[i].path;
	}
	cli_error("linux.resources.%s: the host has no control groups of kind %s, or the container was made without one",
		property, controller);
	return NULL;
}

/* Version 2: the group is not given the controller. */
static bool lacks(const char *directory, const char *controller)
{
	char names[256], *rest = names, *name;

	if (cgroup_read(directory, "cgroup.controllers", names, sizeof(names)))
		return false;
	while ((name = strsep(&rest, " \n"))) {
		if (strcmp(name, controller) == 0)
			return false;
	}
	return true;
}

int cgroup_set_text(const struct cgroup *cgroup, const char *controller, const char *property, const char *name, const char *text)
{
	const char *directory = place(cgroup, controller, property);
	int error;

	if (!directory)
		return 1;
	error = cgroup_write(directory, name, text);
	if (error == -ENOENT && cgroup->unified && controller[0] && lacks(directory, controller))
		return cli_error("linux.resources.%s: the host's control group %s has no controller %s%s", property, directory, controller,
			rootless_is() ? ": it is not delegated to the user" : "");
	return error ? cli_error("linux.resources.%s: %s/%s: %s", property, directory, name, strerror(-error)) : 0;
}

/* Negative is "no limit". */
static int set_number(const struct cgroup *cgroup, const char *controller, const char *property, const char *name,
	int64_t value)
{
	char text[32];

	if (value < 0 && (cgroup->unified || strcmp(controller, "pids") == 0))
		strcpy(text, "max");
	else
		snprintf(text, sizeof(text), "%" PRId64, value < 0 ? -1 : value);
	return cgroup_set_text(cgroup, controller, property, name, text);
}

int64_t cgroup_memory(int64_t bytes)
{
	int64_t part = bytes / CGROUP_MEMORY_PART & ~(int64_t)4095, sum; /* whole pages, as the host has them */

	if (bytes < 0 || __builtin_add_overflow(bytes, (int64_t)CGROUP_MEMORY_OVERHEAD + part, &sum))
		return -1;
	return sum;
}

static int set_memory(const struct cgroup *g, const struct container_limits *l)
{
	int64_t swap = l->swap; /* memory and swap together */

	if (l->memory && set_number(g, "memory", "memory.limit",
		g->unified ? "memory.max" : "memory.limit_in_bytes", cgroup_memory(l->memory)))
		return 1;
	if (l->reservation && set_number(g, "memory", "memory.reservation",
		g->unified ? "memory.low" : "memory.soft_limit_in_bytes", l->reservation))
		return 1;
	if (!swap)
		return 0;
	if (swap > 0 && l->memory > 0 && swap < l->memory)
		return cli_error("linux.resources.memory.swap: less than memory.limit");
	if (!g->unified)
		return set_number(g, "memory", "memory.swap", "memory.memsw.limit_in_bytes", cgroup_memory(swap));
	if (swap > 0 && l->memory <= 0)
		return cli_error("linux.resources.memory.swap: without memory.limit");
	return set_number(g, "memory", "memory.swap", "memory.swap.max", swap < 0 ? -1 : swap - l->memory);
}

static int set_bandwidth(const struct cgroup *g, const struct container_limits *l)
{
	char text[64], quota[24];

	if (g->unified) {
		snprintf(quota, sizeof(quota), "%" PRId64, l->quota);
		snprintf(text, sizeof(text), "%s %" PRId64, l->quota > 0 ? quota : "max", l->period ? l->period : 100000);
		return l->quota || l->period ? cgroup_set_text(g, "cpu", "cpu.quota", "cpu.max", text) : 0;
	}
	return (l->period && set_number(g, "cpu", "cpu.period", "cpu.cfs_period_us", l->period)) ||
		(l->quota && set_number(g, "cpu", "cpu.quota", "cpu.cfs_quota_us", l->quota));
}

static int set_cpu(const struct cgroup *g, const struct container_limits *l)
{
	if (l->shares && set_number(g, "cpu", "cpu.shares", g->unified ? "cpu.weight" : "cpu.shares",
		g->unified ? cgroup_weight(l->shares) : l->shares))
		return 1;
	if (set_bandwidth(g, l))
		return 1;
	if (l->burst && set_number(g, "cpu", "cpu.burst", g->unified ? "cpu.max.burst" : "cpu.cfs_burst_us", l->burst))
		return 1;
	if (l->idle && set_number(g, "cpu", "cpu.idle", "cpu.idle", l->idle))
		return 1;
	if (l->mems && cgroup_set_text(g, "cpuset", "cpu.mems", "cpuset.mems", l->mems))
		return 1;
	return l->cpus && cgroup_set_text(g, "cpuset", "cpu.cpus", "cpuset.cpus", l->cpus);
}

int64_t cgroup_tasks(int64_t wanted)
{
	int64_t cpus = sysconf(_SC_NPROCESSORS_ONLN), limit;

	if (wanted < 0 || __builtin_mul_overflow(wanted, cpus + 1, &limit) ||
	    __builtin_add_overflow(limit, CGROUP_TASKS_OVERHEAD, &limit) || limit > 1 << 22)
		limit = -1;
	return limit;
}

static int set_pids(const struct cgroup *g, const struct container_limits *l)
{
	return l->pids ? set_number(g, "pids", "pids.limit", "pids.max", cgroup_tasks(l->pids)) : 0;
}

static int set_unified(const struct cgroup *g, const struct container_limits *l)
{
	for (size_t i = 0; i < l->unified.count; i += 2) {
		const char *name = l->unified.items[i];
		if (!g->unified)
			return cli_error("linux.resources.unified.%s: this host has control groups of version 1", name);
		if (strchr(name, '/') || strncmp(name, "cgroup.", 7) == 0)
			return cli_error("linux.resources.unified.%s: not a controller's file", name);
		if (cgroup_set_text(g, "", "unified", name, l->unified.items[i + 1]))
			return 1;
	}
	return 0;
}

int cgroup_set_group(const struct cgroup *cgroup, const struct container_limits *limits)
{
	if (cgroup->count == 0)
		return 0;
	return set_memory(cgroup, limits) || set_cpu(cgroup, limits) || set_pids(cgroup, limits) ||
		cgroup_set_block_io(cgroup, limits) || cgroup_set_huge_pages(cgroup, limits) || set_unified(cgroup, limits);
}

int cgroup_set(const struct cgroup *cgroup, const struct container_limits *limits)
{
	return (cgroup->unit && cgroup_systemd_set(cgroup, limits)) || cgroup_set_group(cgroup, limits);
}
