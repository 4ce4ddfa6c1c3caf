/* See rootless.h. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>

#include "cli/cli.h"
#include "cli/rootless.h"
#include "cli/state.h"

#define JAIL_IDS 1000u /* the last so many of a large range are for the sandboxes' own processes */
#define JAIL_SPARE 16u /* but not the very last: 65534 is nobody's */

/* A line of a uid_map or gid_map. */
struct range {
	uint32_t inside, host, count;
};

struct ranges {
	struct range at[CONTAINER_MAX_ID_MAPS + 1];
	size_t count;
	uint32_t next; /* the first id of the namespace that is free */
};

/* This process's own namespace: "uid_map". False: it has every id, as the host has. */
static bool read_map(const char *name, struct ranges *ranges)
{
	char path[40];
	struct range r;

	snprintf(path, sizeof(path), "/proc/self/%s", name);
	AUTO_FILE FILE *file = fopen(path, "re");
	ranges->count = 0;
	while (file && ranges->count <= CONTAINER_MAX_ID_MAPS && fscanf(file, "%u %u %u", &r.inside, &r.host, &r.count) == 3)
		ranges->at[ranges->count++] = r;
	return ranges->count && (ranges->count > 1 || ranges->at[0].count != UINT32_MAX);
}

bool rootless_is(void)
{
	static struct ranges own;

	if (global.rootless != ROOTLESS_AUTO)
		return global.rootless == ROOTLESS_YES;
	return geteuid() != 0 || read_map("uid_map", &own);
}

static bool has(const struct ranges *ranges, uint32_t id)
{
	for (size_t i = 0; i < ranges->count; i++) {
		if (id - ranges->at[i].inside < ranges->at[i].count)
			return true;
	}
	return false;
}

uint32_t rootless_jail_id(uint32_t wanted, uint32_t salt)
{
	static struct ranges own;
	const struct range *last = own.at;
	uint32_t id = wanted;

	if (read_map("uid_map", &own) && !has(&own, wanted)) {
		for (size_t i = 1; i < own.count; i++) {
			if (own.at[i].inside > last->inside)
				last = &own.at[i];
		}
		id = last->inside + last->count - (last->count > 2 * JAIL_IDS ? JAIL_SPARE + salt % JAIL_IDS : 1);
	}
	return read_map("gid_map", &own) && !has(&own, id) ? 0 : id; /* it is the group's too */
}

/* ---- the mappings of the new namespace ---- */

/* What a range of the host is in the namespace, which gets it if it has not. */
static uint32_t add_range(struct ranges *ranges, uint32_t host, uint32_t count)
{
	for (size_t i = 0; i < ranges->count; i++) {
		const struct range *r = &ranges->at[i];
		if (host >= r->host && host - r->host < r->count && count <= r->count - (host - r->host))
			return r->inside + (host - r->host);
	}
	struct range *r = &ranges->at[ranges->count++];
	*r = (struct range){ranges->next, host, count};
	ranges->next += count;
	return r->inside;
}

/* The user itself is 0; then come the other ids that the container's mappings name. */
static void plan_ranges(struct container *c, uint32_t kind, uint32_t own, struct ranges *ranges)
{
	*ranges = (struct ranges){.count = 0};
	add_range(ranges, own, 1);
	for (size_t i = 0; i < c->id_map_count; i++) {
		const struct config_id_map *map = &c->id_maps[i];
		if (map->kind == kind)
			c->id_here[i] = add_range(ranges, map->host, map->size);
	}
}

static int write_text(pid_t pid, const char *name, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return cli_error("user namespace: %s: %s", path, strerror(errno));
	return 0;
}

/* newuidmap PID INSIDE HOST COUNT..., outside the namespace. */
static int run_mapper(const char *program, pid_t pid, const struct ranges *ranges)
{
	struct strings words = {0};
	char number[16];
	int status = 1;

	strings_add(&words, program);
	snprintf(number, sizeof(number), "%d", (int)pid);
	strings_add(&words, number);
	for (size_t i = 0; i < ranges->count; i++) {
		const uint32_t values[] = {ranges->at[i].inside, ranges->at[i].host, ranges->at[i].count};
		for (size_t j = 0; j < 3; j++) {
			snprintf(number, sizeof(number), "%u", values[j]);
			strings_add(&words, number);
		}
	}
	strings_end(&words);
	pid_t child = fork();
	if (child == 0) {
		execvp(program, words.items);
		cli_error("user namespace: %s: %s", program, strerror(errno));
		_exit(1);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return child < 0 || status != 0 ? cli_error("user namespace: %s did not set its ids", program) : 0;
}

/* One id alone the kernel takes from the user itself; groups cannot be changed then. */
static int write_maps(pid_t pid, const struct ranges *uids, const struct ranges *gids)
{
	char text[64];

	if (uids->count > 1 || gids->count > 1)
		return run_mapper("newuidmap", pid, uids) || run_mapper("newgidmap", pid, gids);
	snprintf(text, sizeof(text), "0 %u 1", uids->at[0].host);
	if (write_text(pid, "uid_map", text) || write_text(pid, "setgroups", "deny"))
		return 1;
	snprintf(text, sizeof(text), "0 %u 1", gids->at[0].host);
	return write_text(pid, "gid_map", text);
}

/* What is mounted here is heard of by nobody outside; in a chroot "/" is no mount and cannot be told so. */
static int own_mounts(void)
{
	return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 && errno != EINVAL ?
		cli_error("user namespace: its mounts: %s", strerror(errno)) : 0;
}

/* Root of somebody else's user namespace needs a mount namespace that belongs to that. */
static int enter_mounts(void)
{
	static struct ranges own;

	if (!read_map("uid_map", &own))
		return 0;
	return unshare(CLONE_NEWNS) < 0 ? cli_error("user namespace: its mounts: %s", strerror(errno)) : own_mounts();
}

/* A child stays outside and writes the maps once we are in. */
static int enter(const struct ranges *uids, const struct ranges *gids)
{
	pid_t self = getpid();
	int ends[2], status = 1;
	char go;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return cli_error("user namespace: pipe: %s", strerror(errno));
	pid_t child = fork();
	if (child == 0) {
		close(ends[1]);
		_exit(read(ends[0], &go, 1) == 1 ? write_maps(self, uids, gids) : 1);
	}
	close(ends[0]);
	int error = child < 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ? errno : 0;
	if (!error && write(ends[1], "", 1) != 1)
		error = EPIPE;
	close(ends[1]);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (error)
		return cli_error("user namespace: %s", strerror(error));
	if (status)
		return 1; /* it has said why */
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return cli_error("user namespace: becoming its root: %s", strerror(errno));
	return own_mounts();
}

/* The state stays where it is for the user, whatever we are called from here on. */
static int keep_root(void)
{
	char root[4096];

	if (state_root(root, sizeof(root)))
		return 1;
	global.root = container_copy(root);
	return 0;
}

int rootless_enter(struct container *c)
{
	static struct ranges uids, gids;

	if (geteuid() == 0)
		return enter_mounts();
	if (global.rootless == ROOTLESS_NO)
		return cli_error("--rootless=false: must be run as root");
	if (!c->user_namespace)
		return cli_error("rootless container requires user namespaces");
	plan_ranges(c, CONFIG_ID_MAP_UID, geteuid(), &uids);
	plan_ranges(c, CONFIG_ID_MAP_GID, getegid(), &gids);
	return keep_root() || enter(&uids, &gids);
}

int rootless_enter_alone(void)
{
	struct ranges uids = {.at = {{0, geteuid(), 1}}, .count = 1}, gids = {.at = {{0, getegid(), 1}}, .count = 1};

	return geteuid() == 0 ? enter_mounts() : keep_root() || enter(&uids, &gids);
}
