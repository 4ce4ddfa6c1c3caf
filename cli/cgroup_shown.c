/*
 * The limits of a container as the files of control groups inside it tell them, in the words of version 2 whatever the host has; the
 * sentry keeps those that it can (vfs/cgroup/), the rest is the host's alone. CPUs and memory nodes are left out:
 * a sandbox has its own numbers for them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cgroup.h"
#include "cli/cgroup_parts.h"

static void add_text(struct strings *files, const char *name, const char *text)
{
	char setting[4096];

	if (snprintf(setting, sizeof(setting), "%s=%s", name, text) < (int)sizeof(setting))
		strings_add(files, setting);
}

/* Negative is "max". */
static void add_value(struct strings *files, const char *name, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	add_text(files, name, value < 0 ? "max" : text);
}

/* The same, but nothing for 0: not given. */
static void add_number(struct strings *files, const char *name, int64_t value)
{
	if (value)
		add_value(files, name, value);
}

static void add_bandwidth(struct strings *files, const struct container_limits *l)
{
	char text[64], quota[24];

	if (!l->quota && !l->period)
		return;
	snprintf(quota, sizeof(quota), "%" PRId64, l->quota);
	snprintf(text, sizeof(text), "%s %" PRId64, l->quota > 0 ? quota : "max", l->period ? l->period : 100000);
	add_text(files, "cpu.max", text);
}

/* Shares, 2 to 262144, on the scale of weights, 1 to 10000. */
int64_t cgroup_weight(int64_t shares)
{
	shares = shares < 2 ? 2 : shares > 262144 ? 262144 : shares;
	return 1 + (shares - 2) * 9999 / 262142;
}

/* Of the kinds of linux.resources.blockIO: the word of io.max. NULL: a weight, which nothing inside shares by. */
static const char *word_of_rate(const char *kind)
{
	static const char *const words[][2] = {{"throttleReadBpsDevice", "rbps"}, {"throttleWriteBpsDevice", "wbps"},
		{"throttleReadIOPSDevice", "riops"}, {"throttleWriteIOPSDevice", "wiops"}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(kind, words[i][0]) == 0)
			return words[i][1];
	}
	return NULL;
}

/* "MAJOR:MINOR NUMBER" each; 0 is none. */
void cgroup_shown_rates(const struct container_limits *l, struct strings *files)
{
	for (size_t i = 0; i + 1 < l->block_io.count; i += 2) {
		const char *word = word_of_rate(l->block_io.items[i]), *device = l->block_io.items[i + 1], *space = strchr(device, ' ');
		char text[120];

		if (!word || !space || strcmp(space, " 1") == 0) /* io.max takes no 1 */
			continue;
		snprintf(text, sizeof(text), "%.*s %s=%s", (int)(space - device), device, word, strcmp(space, " 0") == 0 ? "max" : space + 1);
		add_text(files, "io.max", text);
	}
}

void cgroup_shown(const struct container_limits *l, struct strings *files)
{
	add_number(files, "memory.max", l->memory);
	add_number(files, "memory.low", l->reservation);
	if (l->swap < 0)
		add_text(files, "memory.swap.max", "max");
	else if (l->memory > 0 && l->swap >= l->memory)
		add_value(files, "memory.swap.max", l->swap - l->memory);
	add_number(files, "pids.max", l->pids);
	add_number(files, "cpu.weight", l->shares ? cgroup_weight(l->shares) : 0);
	add_bandwidth(files, l);
	add_number(files, "cpu.max.burst", l->burst);
	add_number(files, "cpu.idle", l->idle);
	for (size_t i = 0; i + 1 < l->unified.count; i += 2) {
		if (strncmp(l->unified.items[i], "cpuset.", 7) != 0)
			add_text(files, l->unified.items[i], l->unified.items[i + 1]);
	}
}
