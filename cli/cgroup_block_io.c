/*
 * Weights and rates of block devices, and limits of huge pages, in the words of version 1 and 2: see cgroup.h. They hold what the
 * sandbox's processes do on the host: the gofer's reads and writes for the container. The container itself has no huge pages.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cgroup.h"
#include "cli/cgroup_parts.h"
#include "cli/cli.h"

static const struct {
	const char *name; /* in linux.resources.blockIO */
	const char *file; /* of version 1 */
	const char *bfq;  /* the same where that scheduler has it; NULL: it has none */
	const char *key;  /* in io.max of version 2; NULL: a weight */
} kinds[] = {
	{"weight", "blkio.weight", "blkio.bfq.weight", NULL},
	{"weightDevice", "blkio.weight_device", "blkio.bfq.weight_device", NULL},
	{"throttleReadBpsDevice", "blkio.throttle.read_bps_device", NULL, "rbps"},
	{"throttleWriteBpsDevice", "blkio.throttle.write_bps_device", NULL, "wbps"},
	{"throttleReadIOPSDevice", "blkio.throttle.read_iops_device", NULL, "riops"},
	{"throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", NULL, "wiops"},
};

static bool has_file(const struct cgroup *g, const char *name)
{
	char text[PATH_MAX];

	for (unsigned i = 0; i < g->count; i++) {
		if (cgroup_read(g->at[i].path, name, text, sizeof(text)) == 0)
			return true;
	}
	return false;
}

/* "MAJOR:MINOR NUMBER", or the number alone; the scheduler that has the old scale (10 to 1000) takes it, else it is put on 1 to 10000. */
static int set_weight(const struct cgroup *g, const char *property, const char *text)
{
	const char *space = strchr(text, ' '), *number = space ? space + 1 : text;
	char own[80];

	if (has_file(g, "io.bfq.weight"))
		return cgroup_set_text(g, "io", property, "io.bfq.weight", text);
	snprintf(own, sizeof(own), "%.*s%" PRId64, (int)(number - text), text, (int64_t)(1 + (strtoll(number, NULL, 10) - 10) * 9999 / 990));
	return cgroup_set_text(g, "io", property, "io.weight", own);
}

/* A rate of 0 is none. */
static int set_rate(const struct cgroup *g, const char *property, const char *key, const char *text)
{
	const char *space = strchr(text, ' ');
	char own[120];

	snprintf(own, sizeof(own), "%.*s %s=%s", (int)(space - text), text, key, strcmp(space, " 0") == 0 ? "max" : space + 1);
	return cgroup_set_text(g, "io", property, "io.max", own);
}

static int set_one(const struct cgroup *g, const char *name, const char *text)
{
	char property[80];

	snprintf(property, sizeof(property), "blockIO.%s", name);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(name, kinds[i].name) != 0)
			continue;
		if (!g->unified) {
			bool bfq = kinds[i].bfq && !has_file(g, kinds[i].file);
			return cgroup_set_text(g, "blkio", property, bfq ? kinds[i].bfq : kinds[i].file, text);
		}
		return kinds[i].key ? set_rate(g, property, kinds[i].key, text) : set_weight(g, property, text);
	}
	return cli_error("linux.resources.%s: not known", property);
}

int cgroup_set_block_io(const struct cgroup *cgroup, const struct container_limits *limits)
{
	for (size_t i = 0; i + 1 < limits->block_io.count; i += 2) {
		if (set_one(cgroup, limits->block_io.items[i], limits->block_io.items[i + 1]))
			return 1;
	}
	return 0;
}

int cgroup_set_huge_pages(const struct cgroup *g, const struct container_limits *limits)
{
	char file[64];

	for (size_t i = 0; i + 1 < limits->huge_pages.count; i += 2) {
		snprintf(file, sizeof(file), "hugetlb.%s.%s", limits->huge_pages.items[i], g->unified ? "max" : "limit_in_bytes");
		/* Where the host does not count them the limit holds as well: there are none in a sandbox. */
		if (has_file(g, file) && cgroup_set_text(g, "hugetlb", "hugepageLimits", file, limits->huge_pages.items[i + 1]))
			return 1;
	}
	return 0;
}
