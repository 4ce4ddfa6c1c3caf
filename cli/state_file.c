/*
 * state.json: writing it so that a command that is killed leaves the old or the new one (a host that crashes may leave
 * an empty one, and no sandbox: delete --force takes it away), reading it back, and the OCI state (runtime.md, "State")
 * as `state`, `list` and the hooks get it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "cli/cli.h"
#include "cli/json.h"
#include "cli/oci.h"
#include "cli/state.h"
#include "cli/state_parts.h"

#define FORMAT 1 /* of state.json; another is refused */

static const char *const status_names[] = {"creating", "created", "running", "paused", "stopped"};

const char *state_status_name(enum state_status status)
{
	return status_names[status];
}

uint64_t process_start(pid_t pid)
{
	char path[64], text[1024];
	unsigned long long start = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	AUTO_FD int fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	char *at = strrchr(text, ')'); /* fields after the name: state is the 3rd, the start time the 22nd */
	if (!at || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X')
		return 0;
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (at)
		start = strtoull(at + 1, NULL, 10);
	return start;
}

void state_set_process(struct state *state, pid_t pid)
{
	state->pid = pid;
	state->pid_start = process_start(pid);
}

enum state_status state_status(const struct state *state)
{
	bool alive = state->pid > 0 && process_start(state->pid) == state->pid_start && state->pid_start != 0;

	if (alive || (state->recorded == STATE_CREATING && state->pid == 0))
		return state->recorded;
	return STATE_STOPPED;
}

static void put_string(yajl_gen gen, const char *key, const char *value)
{
	yajl_gen_string(gen, (const unsigned char *)key, strlen(key));
	yajl_gen_string(gen, (const unsigned char *)value, strlen(value));
}

static void put_integer(yajl_gen gen, const char *key, long long value)
{
	yajl_gen_string(gen, (const unsigned char *)key, strlen(key));
	yajl_gen_integer(gen, value);
}

static void put_annotations(yajl_gen gen, const struct strings *list)
{
	yajl_gen_string(gen, (const unsigned char *)"annotations", 11);
	yajl_gen_map_open(gen);
	for (size_t i = 0; i + 1 < list->count; i += 2)
		put_string(gen, list->items[i], list->items[i + 1]);
	yajl_gen_map_close(gen);
}

static void put_oci(yajl_gen gen, const struct state *state, enum state_status status)
{
	put_string(gen, "ociVersion", OCI_VERSION);
	put_string(gen, "id", state->id);
	put_integer(gen, "pid", status == STATE_STOPPED ? 0 : state->pid);
	put_string(gen, "status", state_status_name(status));
	put_string(gen, "bundle", state->bundle);
	put_string(gen, "rootfs", state->rootfs);
	put_string(gen, "created", state->created);
	if (state->annotations.count)
		put_annotations(gen, &state->annotations);
	put_string(gen, "owner", state->owner);
}

static void put_private(yajl_gen gen, const struct state *state)
{
	yajl_gen_string(gen, (const unsigned char *)"ringfence", 9);
	yajl_gen_map_open(gen);
	put_integer(gen, "format", FORMAT);
	put_integer(gen, "pidStart", (long long)state->pid_start);
	yajl_gen_string(gen, (const unsigned char *)"terminal", 8);
	yajl_gen_bool(gen, state->terminal);
	yajl_gen_string(gen, (const unsigned char *)"debugLog", 8);
	yajl_gen_bool(gen, state->debug_log);
	yajl_gen_string(gen, (const unsigned char *)"takesNetwork", 12);
	yajl_gen_bool(gen, state->takes_network);
	yajl_gen_string(gen, (const unsigned char *)"networkManaged", 14);
	yajl_gen_bool(gen, state->network_managed);
	yajl_gen_string(gen, (const unsigned char *)"showsNetwork", 12);
	yajl_gen_bool(gen, state->shows_network);
	yajl_gen_string(gen, (const unsigned char *)"cgroups", 7);
	yajl_gen_array_open(gen);
	for (size_t i = 0; i < state->cgroups.count; i++)
		yajl_gen_string(gen, (const unsigned char *)state->cgroups.items[i], strlen(state->cgroups.items[i]));
	yajl_gen_array_close(gen);
	if (state->unit)
		put_string(gen, "unit", state->unit);
	if (state->sandbox) {
		put_string(gen, "sandbox", state->sandbox);
		put_integer(gen, "container", state->container);
	}
	if (state->cpu_quota || state->cpu_period) {
		put_integer(gen, "cpuQuota", state->cpu_quota);
		put_integer(gen, "cpuPeriod", state->cpu_period);
	}
	yajl_gen_map_close(gen);
}

static char *generate(const struct state *state, enum state_status status, bool private_part)
{
	yajl_gen gen = yajl_gen_alloc(NULL);
	const unsigned char *text;
	size_t length;
	char *copy;

	if (!gen)
		exit(cli_error("out of memory"));
	yajl_gen_config(gen, yajl_gen_beautify, 1);
	yajl_gen_config(gen, yajl_gen_indent_string, "  ");
	yajl_gen_map_open(gen);
	put_oci(gen, state, status);
	if (private_part)
		put_private(gen, state);
	yajl_gen_map_close(gen);
	yajl_gen_get_buf(gen, &text, &length);
	copy = container_copy((const char *)text);
	yajl_gen_free(gen);
	return copy;
}

char *state_json(const struct state *state, enum state_status status)
{
	return generate(state, status, false);
}

/*
 * `fresh` becomes `path` at one stroke. The old one is exchanged and then removed: over a plain rename some file systems
 * write the new one to the disk at once, which takes longer than the rest of a container's start.
 */
static int replace(const char *fresh, const char *path)
{
	if (renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_EXCHANGE) == 0)
		return unlink(fresh);
	return rename(fresh, path); /* there is no old one, or the file system cannot */
}

int state_save(const struct state *state)
{
	char path[4200], temporary[4200];
	AUTO_FREE char *text = generate(state, state->recorded, true);
	size_t length = strlen(text);

	state_path(state, "state.json", path, sizeof(path));
	state_path(state, "state.json.new", temporary, sizeof(temporary));
	AUTO_FD int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	errno = fd < 0 ? errno : 0;
	if (fd < 0 || write(fd, text, length) != (ssize_t)length || replace(temporary, path) < 0) {
		int error = errno ? errno : ENOSPC;
		unlink(temporary);
		return cli_error("%s: %s", path, strerror(error));
	}
	return 0;
}

static int load_status(struct state *state, const struct json *json)
{
	char *name = NULL;

	if (json_string(json, json->root, "status", "status", &name))
		return 1;
	for (state->recorded = STATE_CREATING; state->recorded < STATE_STOPPED; state->recorded++) {
		if (name && strcmp(name, status_names[state->recorded]) == 0)
			return 0;
	}
	return json_error(json, "status", "%s: not one", name ? name : "(none)");
}

static int load_annotations(struct state *state, const struct json *json)
{
	yajl_val map;

	if (json_object(json, json->root, "annotations", "annotations", &map))
		return 1;
	for (size_t i = 0; map && i < map->u.object.len; i++) {
		const char *value = YAJL_GET_STRING(map->u.object.values[i]);
		strings_add(&state->annotations, map->u.object.keys[i]);
		strings_add(&state->annotations, value ? value : "");
	}
	return 0;
}

static int load(struct state *state, const struct json *json)
{
	int64_t format = 0, pid = 0, start = 0;
	yajl_val mine;

	if (json_object(json, json->root, "ringfence", "ringfence", &mine) ||
	    json_integer(json, mine, "format", "ringfence.format", &format))
		return 1;
	if (format != FORMAT)
		return json_error(json, "ringfence.format", "%lld: written by another version", (long long)format);
	if (json_string(json, json->root, "bundle", "bundle", &state->bundle) ||
	    json_string(json, json->root, "rootfs", "rootfs", &state->rootfs) ||
	    json_string(json, json->root, "created", "created", &state->created) ||
	    json_string(json, json->root, "owner", "owner", &state->owner) ||
	    json_integer(json, json->root, "pid", "pid", &pid) ||
	    json_integer(json, mine, "pidStart", "ringfence.pidStart", &start) ||
	    json_bool(json, mine, "terminal", "ringfence.terminal", &state->terminal) ||
	    json_bool(json, mine, "debugLog", "ringfence.debugLog", &state->debug_log) ||
	    json_bool(json, mine, "takesNetwork", "ringfence.takesNetwork", &state->takes_network) ||
	    json_bool(json, mine, "networkManaged", "ringfence.networkManaged", &state->network_managed) ||
	    json_bool(json, mine, "showsNetwork", "ringfence.showsNetwork", &state->shows_network) ||
	    json_strings(json, mine, "cgroups", "ringfence.cgroups", &state->cgroups) ||
	    json_string(json, mine, "unit", "ringfence.unit", &state->unit) ||
	    json_string(json, mine, "sandbox", "ringfence.sandbox", &state->sandbox) ||
	    json_u32(json, mine, "container", "ringfence.container", &state->container) ||
	    json_integer(json, mine, "cpuQuota", "ringfence.cpuQuota", &state->cpu_quota) ||
	    json_integer(json, mine, "cpuPeriod", "ringfence.cpuPeriod", &state->cpu_period) || load_status(state, json) ||
	    load_annotations(state, json))
		return 1;
	if (state->sandbox && state_check_id(state->sandbox))
		return 1;
	if (!state->bundle || !state->rootfs || !state->created || !state->owner)
		return json_error(json, "", "incomplete");
	state->pid = (pid_t)pid;
	state->pid_start = (uint64_t)start;
	return 0;
}

static int open_loudly(struct state *state, const char *id, enum state_open how)
{
	char path[4200];
	struct json json;

	if (state_lock_existing(state, id, how))
		return 1;
	state_path(state, "state.json", path, sizeof(path));
	if (access(path, F_OK) < 0 && errno == ENOENT) {
		state_close(state);
		return cli_error("container \"%s\" does not exist: its creation was not completed", id);
	}
	int error = json_read_as(&json, path, "state") || load(state, &json);
	yajl_tree_free(json.root);
	if (error)
		state_close(state);
	return error;
}

int state_open(struct state *state, const char *id, enum state_open how)
{
	cli_mute(how == STATE_PEEK);
	int error = open_loudly(state, id, how);
	cli_mute(false);
	return error;
}
