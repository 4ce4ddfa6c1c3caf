/*
 * `ringfence update [OPTION]... ID`: other limits for a container that runs. They are set on
 * its control group, and inside. Memory and CPUs are given to a sandbox once: their limits can be lowered, and raised
 * again up to what it was made with.
 */
#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "cli/cgroup.h"
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/oci.h"
#include "cli/options.h"

/* "100", "64k", "100M", "1g"; -1: no limit. False: not a number. */
static bool parse(const char *text, int64_t *value)
{
	static const char units[] = "kmgt";
	char *end;

	errno = 0;
	long long number = strtoll(text, &end, 10);
	if (errno || end == text || number < -1)
		return false;
	const char *unit = *end ? strchr(units, *end | 0x20) : NULL;
	if (*end && (!unit || end[1]))
		return false;
	return !__builtin_mul_overflow(number, unit ? 1ll << 10 * (unit - units + 1) : 1ll, value);
}

static int parse_all(const char *const *texts, const char *const *names, int64_t *const *values)
{
	for (size_t i = 0; names[i]; i++) {
		if (texts[i] && !parse(texts[i], values[i]))
			return cli_error("--%s: %s: not a number", names[i], texts[i]);
	}
	return 0;
}

/* The JSON of --resources; "-" is standard input. */
static int load_file(const char *path, struct container *to)
{
	char name[32], bytes[65536];
	ssize_t n;

	if (strcmp(path, "-") != 0)
		return oci_load_resources_file(path, to);
	AUTO_FD int fd = memfd_create("resources", MFD_CLOEXEC);
	while (fd >= 0 && (n = read(0, bytes, sizeof(bytes))) > 0) {
		if (write(fd, bytes, (size_t)n) != n)
			return cli_error("--resources: %s", strerror(errno));
	}
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return fd < 0 ? cli_error("--resources: %s", strerror(errno)) : oci_load_resources_file(name, to);
}

static int check_memory(const struct container *made, const struct container_limits *wanted)
{
	if (wanted->memory == 0 || made->limits.memory <= 0)
		return 0;
	if (wanted->memory < 0 || wanted->memory > made->limits.memory)
		return cli_error("memory: the sandbox was made with %lld bytes and cannot grow", (long long)made->limits.memory);
	return 0;
}

/* What the sentry keeps, and what programs inside are to see. */
static int set_inside(const struct state *state, const struct container_limits *l)
{
	struct control_request request = {.op = CONTROL_UPDATE, .container = state->container};
	struct strings files = {0};
	char *text = NULL;
	size_t length = 0;
	struct control_reply reply;

	cgroup_shown(l, &files);
	cgroup_shown_rates(l, &files);
	FILE *stream = open_memstream(&text, &length);
	for (size_t i = 0; stream && i < files.count; i++)
		fwrite(files.items[i], 1, strlen(files.items[i]) + 1, stream);
	if (!stream || fclose(stream))
		return cli_error("limits: %s", strerror(errno));
	if (!length)
		return 0;
	request.payload = text;
	request.length = length;
	if (control_order(state, &request, CONTROL_PATIENCE_MS, "limits", &reply))
		return 1;
	control_reply_free(&reply);
	return 0;
}

/*
 * Quota and period are one file of version 2 and one property of systemd: where only one is to change, the other is what it was. As
 * runc does, that is what the configuration or an earlier `update` said. False: neither changes.
 */
static bool complete_bandwidth(const struct state *state, const struct container_limits *made, struct container_limits *l)
{
	if (!l->quota && !l->period)
		return false;
	if (!l->quota)
		l->quota = state->cpu_quota ? state->cpu_quota : made->quota;
	if (!l->period)
		l->period = state->cpu_period ? state->cpu_period : made->period;
	return true;
}

static int update(struct state *state, struct container *wanted)
{
	static struct container made;
	struct cgroup cgroup;
	char path[4200];
	bool alone = !state->sandbox; /* in its sandbox: its share is one among the host's processes */
	bool only_inside = !wanted->limits.cpus && !wanted->limits.mems && !wanted->limits.unified.count && !wanted->limits.block_io.count &&
		!(alone && (wanted->limits.shares || wanted->limits.idle));

	state_path(state, "config.json", path, sizeof(path));
	if (oci_load_limits_file(path, &made) || (!state->sandbox && check_memory(&made, &wanted->limits)) ||
	    cgroup_find(&made, state, &cgroup))
		return 1;
	if (cgroup.count == 0 && !only_inside)
		return cli_error("container %s has no control group: its CPUs, %smemory nodes and unified files cannot be changed", state->id,
			alone ? "share of them, " : "");
	bool bandwidth = complete_bandwidth(state, &made.limits, &wanted->limits);
	/* Inside first: what a lower limit frees there is given back to the host. */
	if (set_inside(state, &wanted->limits) || cgroup_set(&cgroup, &wanted->limits))
		return 1;
	state->cpu_quota = bandwidth ? wanted->limits.quota : state->cpu_quota;
	state->cpu_period = bandwidth ? wanted->limits.period : state->cpu_period;
	return bandwidth ? state_save(state) : 0;
}

int command_update(int argc, char **argv)
{
	static struct container wanted;
	static struct state state;
	struct container_limits *l = &wanted.limits;
	int64_t weight = 0;
	static const char *const names[] = {"memory", "memory-reservation", "memory-swap", "cpu-quota", "cpu-period", "cpu-share",
		"pids-limit", "blkio-weight", NULL};
	int64_t *const values[] = {&l->memory, &l->reservation, &l->swap, &l->quota, &l->period, &l->shares, &l->pids, &weight};
	const char *texts[8] = {NULL}, *cpus = NULL, *mems = NULL, *file = NULL;
	static const char no_rdt[] = "Intel RDT is not supported",
		no_realtime[] = "realtime scheduling is not supported";
	const struct option_entry options[] = {
		{"memory", .argument = "BYTES", .help = "memory (k, m, g, t may follow)", .value = &texts[0]},
		{"memory-reservation", .argument = "BYTES", .help = "what it should stay below when the host is short", .value = &texts[1]},
		{"memory-swap", .argument = "BYTES", .help = "memory and swap together; -1: no limit", .value = &texts[2]},
		{"cpu-quota", .argument = "MICROSECONDS", .help = "CPU time in a period; -1: no limit", .value = &texts[3]},
		{"cpu-period", .argument = "MICROSECONDS", .help = "that period", .value = &texts[4]},
		{"cpu-share", .argument = "N", .help = "weight beside other groups", .value = &texts[5]},
		{"pids-limit", .argument = "N", .help = "tasks; -1: no limit", .value = &texts[6]},
		{"cpuset-cpus", .argument = "LIST", .help = "CPUs to run on: 0-2,4", .value = &cpus},
		{"cpuset-mems", .argument = "LIST", .help = "memory nodes", .value = &mems},
		{"resources", 'r', "FILE", "linux.resources as JSON from a file, or - for standard input", .value = &file},
		{"blkio-weight", .argument = "N", .help = "weight of reads and writes beside other groups, 10 to 1000", .value = &texts[7]},
		{"cpu-rt-period", .argument = "N", .refused = no_realtime},
		{"cpu-rt-runtime", .argument = "N", .refused = no_realtime},
		{"l3-cache-schema", .argument = "TEXT", .refused = no_rdt},
		{"mem-bw-schema", .argument = "TEXT", .refused = no_rdt},
		{0}};
	char **words;

	if (options_parse(argc, argv, options, 1, 1, &words) || (file && load_file(file, &wanted)) ||
	    parse_all(texts, names, values))
		return 1;
	if (l->period < 0 || l->shares < 0)
		return cli_error("--%s: negative", l->period < 0 ? "cpu-period" : "cpu-share");
	if (weight && limits_set_weight(l, weight))
		return cli_error("--blkio-weight: %" PRId64 ": not from 10 to 1000", weight);
	if (cpus)
		l->cpus = container_copy(cpus);
	if (mems)
		l->mems = container_copy(mems);
	if (state_open(&state, words[0], STATE_LOCK))
		return 1;
	if (state_status(&state) == STATE_STOPPED)
		return cli_error("container not running");
	return update(&state, &wanted);
}
