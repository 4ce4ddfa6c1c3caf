/*
 * --systemd-cgroup: the container's processes run in a transient scope unit, whose group systemd makes. See cgroup.h,
 * systemd.scope(5), systemd.resource-control(5), and cli/systemd, which speaks D-Bus for us.
 *
 * An ordinary user's container, and one of a user namespace's root, is its user's manager's.
 *
 * linux.cgroupsPath is then SLICE:PREFIX:NAME, for the unit PREFIX-NAME.scope in that slice. Limits are properties of
 * the unit, so that systemd keeps to them when it writes the group anew, and are set in the group by cgroup_set() too.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cgroup.h"
#include "cli/cgroup_parts.h"
#include "cli/cli.h"
#include "cli/launch.h"
#include "cli/rootless.h"

#define PROGRAM "ringfence-systemd"
#define RUNNING "/run/systemd/system" /* sd_booted(3) */
#define UNIT_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.\\-@"
#define CPUS_MAX 4096u

/* "a-b.slice" is in "a.slice": "/a.slice/a-b.slice", as systemd.slice(5) says. 0, or 1 after a message. */
static int expand_slice(const char *slice, char path[PATH_MAX])
{
	size_t length = strlen(slice), used = 0;
	const char *suffix = length > 6 ? slice + length - 6 : "";

	path[0] = '\0';
	if (strcmp(slice, "-.slice") == 0)
		return 0;
	if (strcmp(suffix, ".slice") != 0 || slice[0] == '-' || suffix[-1] == '-' || strstr(slice, "--") ||
	    strspn(slice, UNIT_CHARACTERS) != length || length > 200)
		return cli_error("invalid slice name: %.200s", slice);
	for (const char *dash = slice; dash <= suffix; dash++) {
		if (*dash != '-' && dash != suffix)
			continue;
		used += (size_t)snprintf(path + used, PATH_MAX - used, "/%.*s.slice", (int)(dash - slice), slice);
		if (used >= PATH_MAX)
			return cli_error("invalid slice name: %.200s: too long", slice);
	}
	return 0;
}

/* SLICE:PREFIX:NAME, or what runc takes if there is none. */
static int parse(const char *given, const char *id, struct cgroup *cgroup)
{
	char unit[256];
	const char *first, *second;

	if (!given || !given[0])
		given = "";
	first = strchr(given, ':');
	second = first ? strchr(first + 1, ':') : NULL;
	if (given[0] && (!second || strchr(second + 1, ':')))
		return cli_error("expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"%.200s\" instead",
			given);
	int n = given[0] ? snprintf(unit, sizeof(unit), "%.*s-%s.scope", (int)(second - first - 1), first + 1, second + 1) :
		snprintf(unit, sizeof(unit), "ringfence-%s.scope", id);
	if (n >= (int)sizeof(unit) || strspn(unit, UNIT_CHARACTERS) != (size_t)n)
		return cli_error("linux.cgroupsPath: %.100s...: not a name for a unit", unit);
	cgroup->unit = container_copy(unit);
	cgroup->slice = given[0] && first != given ? strndup(given, (size_t)(first - given)) :
		container_copy(rootless_is() ? "user.slice" : "system.slice");
	return cgroup->slice ? 0 : cli_error("out of memory");
}

/* Where its processes are once it runs: in each hierarchy. `group`: the unit's, as systemd has it. */
static int set_paths(struct cgroup *cgroup, const char *group)
{
	char path[PATH_MAX];

	for (unsigned i = 0; i < cgroup->count; i++) {
		if (snprintf(path, sizeof(path), "%s%s", cgroup->at[i].mount, group) >= (int)sizeof(path))
			return cli_error("linux.cgroupsPath: too long");
		cgroup->at[i].path = container_copy(path);
	}
	return 0;
}

int cgroup_systemd_plan(const struct container *container, const char *id, struct cgroup *cgroup)
{
	char slice[PATH_MAX], path[PATH_MAX];
	struct stat st;

	if (rootless_is() && !cgroup->unified)
		return cli_error("--systemd-cgroup: an ordinary user has no control groups of version 1, and this host has no others");
	if (lstat(RUNNING, &st) < 0 || !S_ISDIR(st.st_mode))
		return cli_error("systemd not running on this host, cannot use systemd cgroups manager");
	if (parse(container->limits.path, id, cgroup) || expand_slice(cgroup->slice, slice))
		return 1;
	if (snprintf(path, sizeof(path), "%s/%s", slice, cgroup->unit) >= (int)sizeof(path))
		return cli_error("linux.cgroupsPath: too long");
	return set_paths(cgroup, path);
}

/* ---- the program that speaks to systemd ---- */

static void be_program(const char *path, char **words, int out)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execv(path, words);
	dprintf(STDERR_FILENO, "%s: %s\n", path, strerror(errno));
	_exit(1);
}

/* Runs it: 0 with the first line of what it printed, or 1 after its line as a message. */
static int run(struct strings *words, char *line, size_t size)
{
	char path[PATH_MAX];
	size_t used = 0;
	int ends[2], status = 0;
	ssize_t n;

	strings_end(words);
	if (program_find(PROGRAM, path))
		return 1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return cli_error(PROGRAM ": pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0)
		be_program(path, words->items, ends[1]);
	close(ends[1]);
	while (pid > 0 && used + 1 < size && ((n = read(ends[0], line + used, size - 1 - used)) > 0 || (n < 0 && errno == EINTR)))
		used += n > 0 ? (size_t)n : 0;
	close(ends[0]);
	line[used] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (pid < 0)
		return cli_error(PROGRAM ": fork: %s", strerror(errno));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0 ? 0 : cli_error("systemd: %s", line[0] ? line : PROGRAM " ended without saying why");
}

/* An ordinary user's own manager is asked. */
static void begin(struct strings *words, const char *order, const char *unit)
{
	strings_add(words, PROGRAM);
	strings_add(words, rootless_is() ? "user" : "system");
	strings_add(words, order);
	strings_add(words, unit);
}

/* ---- properties (cli/systemd/property.h) ---- */

__attribute__((format(printf, 2, 3))) static void add(struct strings *words, const char *format, ...)
{
	char word[2 * CPUS_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(word, sizeof(word), format, args);
	va_end(args);
	strings_add(words, word);
}

/* As GVariant's text has a string. */
static void add_string(struct strings *words, const char *name, const char *value)
{
	char text[2 * PATH_MAX];
	size_t used = 0;

	for (; *value && used + 3 < sizeof(text); value++) {
		if (*value == '\'' || *value == '\\')
			text[used++] = '\\';
		text[used++] = *value;
	}
	text[used] = '\0';
	add(words, "%s='%s'", name, text);
}

/* Negative is no limit, for systemd the largest number. 0: not given. */
static void add_limit(struct strings *words, const char *name, int64_t value)
{
	if (value)
		add(words, "%s=uint64 %llu", name, value < 0 ? ~0ull : (unsigned long long)value);
}

/* CPU time a second, in steps of 10 ms as systemd wants it; a group's quota is set exactly by cgroup_set(). */
static void add_quota(struct strings *words, const struct container_limits *l)
{
	uint64_t period = l->period ? (uint64_t)l->period : 100000, second;

	if (l->period)
		add_limit(words, "CPUQuotaPeriodUSec", l->period);
	if (!l->quota && !l->period)
		return;
	if (l->quota <= 0 || __builtin_mul_overflow((uint64_t)l->quota, 1000000u, &second)) {
		add_limit(words, "CPUQuotaPerSecUSec", -1);
		return;
	}
	second /= period;
	add_limit(words, "CPUQuotaPerSecUSec", (int64_t)((second + 9999) / 10000 * 10000));
}

/* A list of CPUs or memory nodes, "0-2,4", as the bytes of a mask. What is no list cgroup_set() finds out. */
static void add_set(struct strings *words, const char *name, const char *list)
{
	unsigned char mask[CPUS_MAX / 8] = {0};
	char text[6 * sizeof(mask) + 1] = "";
	unsigned highest = 0;

	while (list && *list) {
		char *end;
		unsigned long from = strtoul(list, &end, 10), to = *end == '-' ? strtoul(end + 1, &end, 10) : from;
		if (end == list || to >= CPUS_MAX || (*end && *end != ','))
			return;
		for (; from <= to; from++)
			mask[from / 8] |= (unsigned char)(1u << from % 8);
		highest = to / 8 > highest ? (unsigned)to / 8 : highest;
		list = end + (*end == ',');
	}
	for (unsigned i = 0; i <= highest; i++)
		snprintf(text + 5 * i, 6, "0x%02x,", mask[i]);
	text[5 * highest + 4] = '\0'; /* no comma after the last */
	add(words, "%s=@ay [%s]", name, text);
}

static void add_limits(struct strings *words, const struct cgroup *g, const struct container_limits *l)
{
	add_limit(words, g->unified ? "MemoryMax" : "MemoryLimit", l->memory ? cgroup_memory(l->memory) : 0);
	if (g->unified) {
		add_limit(words, "MemoryLow", l->reservation);
		add_limit(words, "MemorySwapMax", l->swap > 0 && l->memory > 0 ? l->swap - l->memory : l->swap);
	}
	if (l->shares)
		add_limit(words, g->unified ? "CPUWeight" : "CPUShares", g->unified ? cgroup_weight(l->shares) : l->shares);
	add_quota(words, l);
	add_limit(words, "TasksMax", l->pids ? cgroup_tasks(l->pids) : 0);
	if (g->unified && l->cpus)
		add_set(words, "AllowedCPUs", l->cpus);
	if (g->unified && l->mems)
		add_set(words, "AllowedMemoryNodes", l->mems);
}

/* The host's devices that a sandbox's own processes open; a container has the sentry's. Users' managers cannot keep to such a list. */
static void add_devices(struct strings *words)
{
	static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty",
		"/dev/kvm", "/dev/net/tun"};

	char list[512] = "";
	size_t used = 0;

	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		if (access(devices[i], F_OK) == 0)
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s('%s', 'rwm')", used ? ", " : "", devices[i]);
	}
	add_string(words, "DevicePolicy", "strict");
	add(words, "DeviceAllow=@a(ss) [%s]", list);
}

static void add_annotations(struct strings *words, const struct strings *annotations)
{
	for (size_t i = 0; i + 1 < annotations->count; i += 2) {
		if (strncmp(annotations->items[i], SCOPE_PROPERTY_PREFIX, strlen(SCOPE_PROPERTY_PREFIX)) != 0)
			continue;
		AUTO_FREE char *word = NULL;
		if (asprintf(&word, "%s=%s", annotations->items[i], annotations->items[i + 1]) >= 0)
			strings_add(words, word);
	}
}

int cgroup_systemd_check(const struct container *container)
{
	struct strings words = {0};
	char nothing[1024];
	size_t before;

	begin(&words, "check", "-");
	before = words.count;
	add_annotations(&words, &container->annotations);
	return words.count > before ? run(&words, nothing, sizeof(nothing)) : 0;
}

int cgroup_systemd_start(struct cgroup *cgroup, const char *id, const struct container *container, pid_t pid)
{
	struct strings words = {0};
	char group[PATH_MAX];

	begin(&words, "start", cgroup->unit);
	add(&words, "Description='ringfence container %s'", id);
	add_string(&words, "Slice", cgroup->slice);
	add(&words, "Delegate=true");
	add(&words, "PIDs=[uint32 %d]", (int)pid);
	add(&words, "MemoryAccounting=true");
	add(&words, "CPUAccounting=true");
	add(&words, "%s=true", cgroup->unified ? "IOAccounting" : "BlockIOAccounting");
	add(&words, "TasksAccounting=true");
	add(&words, "DefaultDependencies=false");
	add_annotations(&words, &container->annotations);
	if (!rootless_is())
		add_devices(&words);
	add_limits(&words, cgroup, &container->limits);
	return run(&words, group, sizeof(group)) || set_paths(cgroup, group);
}

int cgroup_systemd_set(const struct cgroup *cgroup, const struct container_limits *limits)
{
	struct strings words = {0};
	char nothing[1024];
	size_t before;

	begin(&words, "set", cgroup->unit);
	before = words.count;
	add_limits(&words, cgroup, limits);
	return words.count > before ? run(&words, nothing, sizeof(nothing)) : 0;
}

void cgroup_systemd_stop(const char *unit)
{
	struct strings words = {0};
	char nothing[1024];

	begin(&words, "stop", unit);
	run(&words, nothing, sizeof(nothing)); /* it has said what is left */
}
