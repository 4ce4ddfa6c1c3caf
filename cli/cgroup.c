/* Control groups: see cgroup.h; cgroups(7), and cgroup-v2 in the kernel's documentation. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/cgroup.h"
#include "cli/cgroup_parts.h"
#include "cli/cli.h"
#include "cli/rootless.h"

#define REMOVE_TRIES 200
#define REMOVE_PAUSE_NS 10000000

/* Version 1: the hierarchies that a container takes part in, the first four always, the others for a limit of theirs. */
static const char *const controllers[] = {"memory", "cpu", "cpuacct", "pids", "cpuset", "blkio", "hugetlb"};

bool cgroup_has(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (; list; list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL) {
		if (strncmp(list, word, length) == 0 && (list[length] == ',' || list[length] == '\0'))
			return true;
	}
	return false;
}

static bool is_wanted(const struct container_limits *limits, const char *controller)
{
	if (strcmp(controller, "cpuset") == 0)
		return limits->cpus || limits->mems;
	if (strcmp(controller, "blkio") == 0)
		return limits->block_io.count > 0;
	return strcmp(controller, "hugetlb") != 0 || limits->huge_pages.count > 0;
}

static void add_mount(const struct container_limits *limits, struct cgroup *cgroup, const struct mntent *mount)
{
	char used[64] = "";

	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
		if (!hasmntopt(mount, controllers[i]) || !is_wanted(limits, controllers[i]))
			continue;
		if (used[0])
			strcat(used, ",");
		strcat(used, controllers[i]);
	}
	if (!used[0] || cgroup->count >= CGROUP_CONTROLLERS)
		return;
	cgroup->at[cgroup->count].controllers = container_copy(used);
	cgroup->at[cgroup->count++].mount = container_copy(mount->mnt_dir);
}

/* Finds what the host has mounted. A version 2 beside version 1 (hybrid) has no controllers, and is not used. */
static int find_mounts(const struct container_limits *limits, struct cgroup *cgroup)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	char *unified = NULL;
	struct mntent *mount;

	if (!mounts)
		return cli_error("/proc/self/mounts: %s", strerror(errno));
	while ((mount = getmntent(mounts))) {
		if (strcmp(mount->mnt_type, "cgroup") == 0)
			add_mount(limits, cgroup, mount);
		else if (strcmp(mount->mnt_type, "cgroup2") == 0 && !unified)
			unified = container_copy(mount->mnt_dir);
	}
	endmntent(mounts);
	if (cgroup->count == 0 && unified) {
		cgroup->unified = true;
		cgroup->at[0].controllers = "";
		cgroup->at[0].mount = unified;
		cgroup->count = 1;
	}
	return cgroup->count ? 0 : cli_error("linux.cgroupsPath: no control groups are mounted on this host");
}

/* "/a/b" for the path of a configuration, or the container's ID. */
static int group_path(const struct container_limits *limits, const char *id, char path[PATH_MAX])
{
	const char *given = limits->path && limits->path[0] ? limits->path : id;

	if (snprintf(path, PATH_MAX, "%s%s", given[0] == '/' ? "" : "/", given) >= PATH_MAX)
		return cli_error("linux.cgroupsPath: too long");
	for (const char *part = path; part; part = strchr(part + 1, '/')) {
		if (strncmp(part, "/..", 3) == 0 && (part[3] == '/' || part[3] == '\0'))
			return cli_error("linux.cgroupsPath: %s: leads up", given);
	}
	return strspn(path, "/") == strlen(path) ? cli_error("linux.cgroupsPath: %s: names no group", given) : 0;
}

/* Calls `each` for every directory on the way from `mount` to `path`, outermost first; 0, or what it returned. */
static int walk(const char *mount, const char *path, int (*each)(const char *directory, void *arg), void *arg)
{
	char part[PATH_MAX];
	size_t at = strlen(mount);
	int result = 0;

	while (!result && path[at]) {
		at += strspn(path + at, "/");
		at += strcspn(path + at, "/");
		memcpy(part, path, at);
		part[at] = '\0';
		result = each(part, arg);
	}
	return result;
}

static int list_missing(const char *directory, void *arg)
{
	if (access(directory, F_OK) < 0)
		strings_add(arg, directory);
	return 0;
}

static int plan(const struct container *container, const char *id, bool systemd, struct cgroup *cgroup)
{
	const struct container_limits *limits = &container->limits;
	char path[PATH_MAX], whole[PATH_MAX];

	memset(cgroup, 0, sizeof(*cgroup));
	if (!systemd && !limits->path && !limits->any)
		return 0;
	if (find_mounts(limits, cgroup))
		return 1;
	if (systemd)
		return cgroup_systemd_plan(container, id, cgroup);
	if (group_path(limits, id, path))
		return 1;
	for (unsigned i = 0; i < cgroup->count; i++) {
		if (snprintf(whole, sizeof(whole), "%s%s", cgroup->at[i].mount, path) >= PATH_MAX)
			return cli_error("linux.cgroupsPath: too long");
		cgroup->at[i].path = container_copy(whole);
	}
	return 0;
}

int cgroup_plan(const struct container *container, struct state *state, struct cgroup *cgroup)
{
	memset(cgroup, 0, sizeof(*cgroup));
	if (global.no_cgroups && container->limits.any)
		cli_warning("linux.resources: without control groups only the container's own memory, tasks and CPU time are limited");
	if (global.no_cgroups)
		return 0;
	if (plan(container, state->id, global.systemd_cgroup, cgroup) || (cgroup->unit && cgroup_systemd_check(container)))
		return 1;
	for (unsigned i = 0; i < cgroup->count && !cgroup->unit; i++)
		walk(cgroup->at[i].mount, cgroup->at[i].path, list_missing, &state->cgroups);
	return 0;
}

int cgroup_find(const struct container *container, const struct state *state, struct cgroup *cgroup)
{
	if (plan(container, state->id, state->unit != NULL, cgroup))
		return 1;
	/* Where systemd put it: in the user's own part of the tree, if that is the user's. */
	for (unsigned i = 0; state->unit && i < cgroup->count && cgroup->count == state->cgroups.count; i++)
		cgroup->at[i].path = state->cgroups.items[i];
	/* It was made without (--cgroup-manager=disabled). */
	if (!state->unit && cgroup->count && access(cgroup->at[0].path, F_OK) < 0)
		cgroup->count = 0;
	return 0;
}

/* A new cpuset has no CPUs and no memory; it takes its parent's, so that processes may enter. */
static void inherit_cpuset(const char *directory, const char *name)
{
	char from[PATH_MAX], text[4096];
	const char *slash = strrchr(directory, '/');

	if (cgroup_read(directory, name, text, sizeof(text)) == 0 && text[0] != '\0' && text[0] != '\n')
		return;
	snprintf(from, sizeof(from), "%.*s", (int)(slash - directory), directory);
	if (cgroup_read(from, name, text, sizeof(text)) == 0)
		cgroup_write(directory, name, text);
}

static int make_one(const char *directory, void *arg)
{
	const char *used = arg;

	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return errno;
	if (cgroup_has(used, "cpuset")) {
		inherit_cpuset(directory, "cpuset.cpus");
		inherit_cpuset(directory, "cpuset.mems");
	}
	return 0;
}

/* Version 2: what the group is to have, its parents must hand on. One that fails shows when its limit is set. */
static int hand_on(const char *directory, void *arg)
{
	static const char *const words[] = {"+cpu", "+memory", "+pids", "+cpuset", "+io", "+hugetlb"};

	if (strcmp(directory, arg) == 0)
		return 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		cgroup_write(directory, "cgroup.subtree_control", words[i]);
	return 0;
}

/* The directories of all hierarchies. 0, or 1 after a message. */
static int make_all(const struct cgroup *cgroup)
{
	for (unsigned i = 0; i < cgroup->count; i++) {
		const char *mount = cgroup->at[i].mount, *path = cgroup->at[i].path;
		int error = ENOENT;
		/* Somebody else who removes a common parent just now is given way to. */
		for (int tries = 0; tries < 10 && error == ENOENT; tries++)
			error = walk(mount, path, make_one, (void *)cgroup->at[i].controllers);
		if (error)
			return cli_error("control group %s: %s", path, strerror(error));
		if (cgroup->unified) {
			hand_on(mount, (void *)path);
			walk(mount, path, hand_on, (void *)path);
		}
	}
	return 0;
}

/* An ordinary user's container without limits needs no group: whether one can be made there. */
static bool forbidden(const struct cgroup *cgroup, const struct container *container)
{
	char nearest[PATH_MAX];

	if (cgroup->count == 0 || container->limits.any || container->limits.memory || !rootless_is())
		return false;
	for (unsigned i = 0; i < cgroup->count; i++) {
		snprintf(nearest, sizeof(nearest), "%s", cgroup->at[i].path);
		while (access(nearest, F_OK) < 0 && strrchr(nearest, '/') != nearest)
			*strrchr(nearest, '/') = '\0';
		if (access(nearest, W_OK) < 0)
			return true;
	}
	return false;
}

int cgroup_make(struct cgroup *cgroup, const struct container *container)
{
	if (cgroup->unit)
		return 0;
	if (forbidden(cgroup, container)) {
		cgroup->count = 0;
		return 0;
	}
	return make_all(cgroup) || cgroup_set(cgroup, &container->limits);
}

/* Of version 1 systemd keeps some hierarchies only: the group is made in the others too. */
int cgroup_adopt(struct cgroup *cgroup, const struct container *container, struct state *state, pid_t pid)
{
	char number[16];

	if (!cgroup->unit)
		return 0;
	if (cgroup_systemd_start(cgroup, state->id, container, pid))
		return 1;
	state->unit = container_copy(cgroup->unit); /* not before: a unit of that name may be somebody else's */
	for (unsigned i = 0; i < cgroup->count; i++)
		strings_add(&state->cgroups, cgroup->at[i].path);
	if (!cgroup->unified && make_all(cgroup))
		return 1;
	snprintf(number, sizeof(number), "%d", (int)pid);
	for (unsigned i = 0; i < cgroup->count; i++) {
		int error = cgroup_write(cgroup->at[i].path, "cgroup.procs", number);
		if (error)
			return cli_error("enter control group %s: %s", cgroup->at[i].path, strerror(-error));
	}
	return cgroup_set_group(cgroup, &container->limits);
}

int cgroup_enter(const struct cgroup *cgroup)
{
	for (unsigned i = 0; i < cgroup->count && !cgroup->unit; i++) {
		int error = cgroup_write(cgroup->at[i].path, "cgroup.procs", "0");
		if (error)
			return cli_error("enter control group %s: %s", cgroup->at[i].path, strerror(-error));
	}
	return 0;
}

static void kill_members(const char *directory)
{
	char path[PATH_MAX + 16];
	int pid;

	snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
	AUTO_FILE FILE *file = fopen(path, "re");
	while (file && fscanf(file, "%d", &pid) == 1) {
		if (pid > 1 && pid != getpid())
			kill(pid, SIGKILL);
	}
}

void cgroup_remove(const struct state *state)
{
	const struct strings *made = &state->cgroups;
	const struct timespec pause = {0, REMOVE_PAUSE_NS};

	if (state->unit)
		cgroup_systemd_stop(state->unit);
	for (size_t i = made->count; i-- > 0;) {
		const char *directory = made->items[i];
		bool innermost = i + 1 == made->count ||
			strncmp(made->items[i + 1], directory, strlen(directory)) != 0;
		for (int tries = 0; rmdir(directory) < 0 && errno == EBUSY && innermost && tries < REMOVE_TRIES; tries++) {
			kill_members(directory);
			nanosleep(&pause, NULL);
		}
	}
}
