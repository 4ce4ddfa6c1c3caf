/*
 * Statistics in the messages that containerd's clients know: io.containerd.cgroups.v1.Metrics or v2.Metrics.
 *
 * Of a container alone in its sandbox: what its control group on the host says, in which its first process is (proc(5),
 * cgroups(7)), so with what the sandbox itself costs. A file that is missing leaves its figures at 0, as where a controller is not
 * enabled. Containers of a pod share the sandbox's processes: of each what the sandbox's kernel has counted for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/shim/sandbox.h"
#include "cli/shim/task.h"

#define MOUNT "/sys/fs/cgroup"
#define PATH_SIZE 1024u
#define VERSION1 "io.containerd.cgroups.v1.Metrics"
#define VERSION2 "io.containerd.cgroups.v2.Metrics"
#define UNLIMITED1 0x7ffffffffffff000u /* what version 1 says where there is no limit */

struct groups {
	char unified[PATH_SIZE]; /* paths below /sys/fs/cgroup; "": none */
	char memory[PATH_SIZE], cpu[PATH_SIZE], cpuacct[PATH_SIZE], pids[PATH_SIZE];
};

static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	while (list) {
		if (strncmp(list, word, length) == 0 && (list[length] == ',' || list[length] == '\0'))
			return true;
		list = strchr(list, ',');
		if (list)
			list++;
	}
	return false;
}

/* One line of /proc/PID/cgroup: ID:CONTROLLERS:PATH. */
static void take_group(struct groups *groups, char *line)
{
	char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!path)
		return;
	*controllers++ = '\0';
	*path++ = '\0';
	path[strcspn(path, "\n")] = '\0';
	if (!*controllers && access(MOUNT "/cgroup.controllers", F_OK) == 0)
		snprintf(groups->unified, PATH_SIZE, "%s", path);
	if (has_word(controllers, "memory"))
		snprintf(groups->memory, PATH_SIZE, "memory%s", path);
	if (has_word(controllers, "cpu"))
		snprintf(groups->cpu, PATH_SIZE, "cpu%s", path);
	if (has_word(controllers, "cpuacct"))
		snprintf(groups->cpuacct, PATH_SIZE, "cpuacct%s", path);
	if (has_word(controllers, "pids"))
		snprintf(groups->pids, PATH_SIZE, "pids%s", path);
}

static int find_groups(struct groups *groups, uint32_t pid)
{
	char path[64], line[PATH_SIZE];

	memset(groups, 0, sizeof(*groups));
	snprintf(path, sizeof(path), "/proc/%u/cgroup", pid);
	AUTO_FILE FILE *file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		take_group(groups, line);
	return 0;
}

/* The text of a group's file in `text`; "" if there is none. */
static void read_text(const char *group, const char *name, char *text, size_t size)
{
	char path[PATH_SIZE * 2];

	text[0] = '\0';
	snprintf(path, sizeof(path), MOUNT "/%s/%s", group, name);
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);
	text[n > 0 ? n : 0] = '\0';
}

/* A file of one number; "max" is the largest one. */
static uint64_t read_number(const char *group, const char *name)
{
	char text[64];

	read_text(group, name, text, sizeof(text));
	return strncmp(text, "max", 3) == 0 ? UINT64_MAX : strtoull(text, NULL, 10);
}

struct field {
	const char *key;
	uint64_t *value;
};

/* Lines of "key number". */
static void parse_fields(char *text, const struct field *fields, size_t count)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, ' ');
		if (!value)
			continue;
		*value++ = '\0';
		for (size_t i = 0; i < count; i++) {
			if (strcmp(fields[i].key, line) == 0)
				*fields[i].value = strtoull(value, NULL, 10);
		}
	}
}

#define PARSE(group, name, fields) \
	do { \
		char text[8192]; \
		read_text(group, name, text, sizeof(text)); \
		parse_fields(text, fields, sizeof(fields) / sizeof((fields)[0])); \
	} while (0)

static void reply(struct call *call, const char *type, const ProtobufCMessage *metrics)
{
	Shim__StatsResponse response = SHIM__STATS_RESPONSE__INIT;
	Shim__Any any = SHIM__ANY__INIT;

	any.type_url = (char *)type;
	any.value.len = wire_pack(metrics, 0, &any.value.data);
	response.stats = &any;
	call_reply(call, &response.base);
	free(any.value.data);
}

static void read_pids(const char *group, Shim__PidsStat *pids)
{
	pids->current = read_number(group, "pids.current");
	pids->limit = read_number(group, "pids.max");
	if (pids->limit == UINT64_MAX)
		pids->limit = 0;
}

/* memory.usage_in_bytes and those beside it. */
static void read_entry(const char *group, const char *prefix, Shim__MemoryEntry *entry)
{
	const struct {
		const char *name;
		uint64_t *value;
	} files[] = {{"usage_in_bytes", &entry->usage}, {"max_usage_in_bytes", &entry->max}, {"limit_in_bytes", &entry->limit},
		{"failcnt", &entry->failcnt}};
	char name[64];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", prefix, files[i].name);
		*files[i].value = read_number(group, name);
	}
}

/* A message with its parts, which begin_v1() and begin_v2() put together. */
struct metrics1 {
	Shim__Metrics1 all;
	Shim__PidsStat pids;
	Shim__CpuStat1 cpu;
	Shim__CpuUsage usage;
	Shim__Throttle throttle;
	Shim__MemoryStat1 memory;
	Shim__MemoryEntry entry, kernel;
	Shim__MemoryOomControl oom;
};

struct metrics2 {
	Shim__Metrics2 all;
	Shim__PidsStat pids;
	Shim__CpuStat2 cpu;
	Shim__MemoryStat2 memory;
	Shim__MemoryEvents events;
};

static void begin_v1(struct metrics1 *m)
{
	*m = (struct metrics1){SHIM__METRICS1__INIT, SHIM__PIDS_STAT__INIT, SHIM__CPU_STAT1__INIT, SHIM__CPU_USAGE__INIT,
		SHIM__THROTTLE__INIT, SHIM__MEMORY_STAT1__INIT, SHIM__MEMORY_ENTRY__INIT, SHIM__MEMORY_ENTRY__INIT,
		SHIM__MEMORY_OOM_CONTROL__INIT};
	m->memory.usage = &m->entry;
	m->memory.kernel = &m->kernel;
	m->cpu.usage = &m->usage;
	m->cpu.throttling = &m->throttle;
	m->all.pids = &m->pids;
	m->all.cpu = &m->cpu;
	m->all.memory = &m->memory;
	m->all.memory_oom_control = &m->oom;
}

static void begin_v2(struct metrics2 *m)
{
	*m = (struct metrics2){SHIM__METRICS2__INIT, SHIM__PIDS_STAT__INIT, SHIM__CPU_STAT2__INIT, SHIM__MEMORY_STAT2__INIT,
		SHIM__MEMORY_EVENTS__INIT};
	m->all.pids = &m->pids;
	m->all.cpu = &m->cpu;
	m->all.memory = &m->memory;
	m->all.memory_events = &m->events;
}

static void stats_v1(struct call *call, const struct groups *g)
{
	struct metrics1 m;
	const struct field throttled[] = {{"nr_periods", &m.throttle.periods},
		{"nr_throttled", &m.throttle.throttled_periods}, {"throttled_time", &m.throttle.throttled_time}};
	Shim__MemoryEntry swap = SHIM__MEMORY_ENTRY__INIT;
	/* A group's own and, with those below it, "total_" */
#define BOTH(key, name) {key, &m.memory.name}, {"total_" key, &m.memory.total_##name}
	const struct field parts[] = {BOTH("cache", cache), BOTH("rss", rss), BOTH("rss_huge", rss_huge),
		BOTH("mapped_file", mapped_file), BOTH("dirty", dirty), BOTH("writeback", writeback), BOTH("pgpgin", pg_pg_in),
		BOTH("pgpgout", pg_pg_out), BOTH("pgfault", pg_fault), BOTH("pgmajfault", pg_maj_fault),
		BOTH("inactive_anon", inactive_anon), BOTH("active_anon", active_anon), BOTH("inactive_file", inactive_file),
		BOTH("active_file", active_file), BOTH("unevictable", unevictable),
		{"hierarchical_memory_limit", &m.memory.hierarchical_memory_limit},
		{"hierarchical_memsw_limit", &m.memory.hierarchical_swap_limit}};
#undef BOTH
	const struct field control[] = {{"oom_kill_disable", &m.oom.oom_kill_disable}, {"under_oom", &m.oom.under_oom},
		{"oom_kill", &m.oom.oom_kill}};

	begin_v1(&m);
	read_pids(g->pids, &m.pids);
	m.usage.total = read_number(g->cpuacct, "cpuacct.usage");
	m.usage.user = read_number(g->cpuacct, "cpuacct.usage_user");
	m.usage.kernel = read_number(g->cpuacct, "cpuacct.usage_sys");
	PARSE(g->cpu, "cpu.stat", throttled);
	PARSE(g->memory, "memory.stat", parts);
	PARSE(g->memory, "memory.oom_control", control);
	read_entry(g->memory, "memory.", &m.entry);
	read_entry(g->memory, "memory.memsw.", &swap);
	read_entry(g->memory, "memory.kmem.", &m.kernel);
	m.memory.swap = &swap;
	reply(call, VERSION1, &m.all.base);
}

static void stats_v2(struct call *call, const struct groups *g)
{
	struct metrics2 m;
	const struct field times[] = {{"usage_usec", &m.cpu.usage_usec}, {"user_usec", &m.cpu.user_usec},
		{"system_usec", &m.cpu.system_usec}, {"nr_periods", &m.cpu.nr_periods}, {"nr_throttled", &m.cpu.nr_throttled},
		{"throttled_usec", &m.cpu.throttled_usec}};
	const struct field parts[] = {{"anon", &m.memory.anon}, {"file", &m.memory.file},
		{"kernel_stack", &m.memory.kernel_stack}, {"slab", &m.memory.slab}, {"sock", &m.memory.sock},
		{"shmem", &m.memory.shmem}, {"file_mapped", &m.memory.file_mapped}, {"file_dirty", &m.memory.file_dirty},
		{"file_writeback", &m.memory.file_writeback}, {"inactive_anon", &m.memory.inactive_anon},
		{"active_anon", &m.memory.active_anon}, {"inactive_file", &m.memory.inactive_file},
		{"active_file", &m.memory.active_file}, {"unevictable", &m.memory.unevictable},
		{"pgfault", &m.memory.pgfault}, {"pgmajfault", &m.memory.pgmajfault}};
	const struct field counts[] = {{"low", &m.events.low}, {"high", &m.events.high}, {"max", &m.events.max},
		{"oom", &m.events.oom}, {"oom_kill", &m.events.oom_kill}};

	begin_v2(&m);
	read_pids(g->unified, &m.pids);
	PARSE(g->unified, "cpu.stat", times);
	PARSE(g->unified, "memory.stat", parts);
	PARSE(g->unified, "memory.events", counts);
	m.memory.usage = read_number(g->unified, "memory.current");
	m.memory.usage_limit = read_number(g->unified, "memory.max");
	m.memory.swap_usage = read_number(g->unified, "memory.swap.current");
	m.memory.swap_limit = read_number(g->unified, "memory.swap.max");
	reply(call, VERSION2, &m.all.base);
}

/* ---- of a container in a pod: what its sandbox's kernel has counted ---- */

static void own_stats_v1(struct call *call, const struct control_stats *s)
{
	struct metrics1 m;

	begin_v1(&m);
	m.pids.current = s->tasks;
	m.pids.limit = s->tasks_limit;
	m.usage.user = s->user_ns;
	m.usage.kernel = s->system_ns;
	m.usage.total = s->user_ns + s->system_ns;
	m.memory.cache = m.memory.total_cache = s->memory_file;
	m.memory.rss = m.memory.total_rss = s->memory_anon;
	m.memory.pg_fault = m.memory.total_pg_fault = s->page_faults;
	m.memory.pg_maj_fault = m.memory.total_pg_maj_fault = s->major_faults;
	m.entry.usage = s->memory;
	m.entry.max = s->memory_peak;
	m.entry.limit = m.memory.hierarchical_memory_limit = s->memory_limit ? s->memory_limit : UNLIMITED1;
	m.kernel.usage = s->memory_kernel;
	m.kernel.limit = UNLIMITED1;
	m.oom.oom_kill = s->oom_kills;
	reply(call, VERSION1, &m.all.base);
}

static void own_stats_v2(struct call *call, const struct control_stats *s)
{
	struct metrics2 m;

	begin_v2(&m);
	m.pids.current = s->tasks;
	m.pids.limit = s->tasks_limit;
	m.cpu.user_usec = s->user_ns / 1000;
	m.cpu.system_usec = s->system_ns / 1000;
	m.cpu.usage_usec = (s->user_ns + s->system_ns) / 1000;
	m.memory.anon = s->memory_anon;
	m.memory.file = s->memory_file;
	m.memory.shmem = s->memory_shared;
	m.memory.slab = s->memory_kernel;
	m.memory.pgfault = s->page_faults;
	m.memory.pgmajfault = s->major_faults;
	m.memory.usage = s->memory;
	m.memory.usage_limit = s->memory_limit ? s->memory_limit : UINT64_MAX;
	m.memory.swap_limit = UINT64_MAX;
	m.events.oom = m.events.oom_kill = s->oom_kills;
	reply(call, VERSION2, &m.all.base);
}

static void own_stats(struct call *call, const struct control_stats *stats)
{
	if (!stats)
		call_fail(call, RPC_UNKNOWN, "stats: the sandbox does not tell them");
	else if (access(MOUNT "/cgroup.controllers", F_OK) == 0)
		own_stats_v2(call, stats);
	else
		own_stats_v1(call, stats);
}

void task_stats(struct call *call, const void *data)
{
	const Shim__ProcessRequest *request = data;
	struct process *p = task_find(call, request->id, "");
	struct groups groups;

	if (!p)
		return;
	if (p->child.pid <= 0) {
		call_fail(call, RPC_FAILED_PRECONDITION, "stats: the container is not running: failed precondition");
		return;
	}
	if (p->container->pod) {
		if (!sandbox_ask_stats(p->container, call, own_stats))
			call_fail(call, RPC_UNKNOWN, "stats: the sandbox cannot be asked");
		return;
	}
	int error = find_groups(&groups, p->pid);
	if (error)
		call_fail(call, RPC_UNKNOWN, "stats: /proc/%u/cgroup: %s", p->pid, strerror(-error));
	else if (groups.unified[0])
		stats_v2(call, &groups);
	else if (groups.memory[0] || groups.cpuacct[0] || groups.pids[0])
		stats_v1(call, &groups);
	else
		call_fail(call, RPC_UNKNOWN, "stats: the container is in no control group under " MOUNT);
}
