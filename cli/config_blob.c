/*
 * Writes the records of platform/abi/config.h that tell the sentry what the container is.
 * kernel/config.c is the reader; an option that the format lacks must be refused before.
 */
#include <string.h>

#include "cli/cgroup.h"
#include "cli/cli.h"
#include "cli/container.h"

struct blob {
	uint8_t *bytes;
	size_t length, room;
};

static void put_bytes(struct blob *blob, const void *bytes, size_t length)
{
	if (blob->length + length > blob->room) {
		blob->room = (blob->length + length) * 2 + 4096;
		blob->bytes = realloc(blob->bytes, blob->room);
		if (!blob->bytes)
			exit(cli_error("out of memory"));
	}
	if (length)
		memcpy(blob->bytes + blob->length, bytes, length);
	blob->length += length;
}

static void put_padding(struct blob *blob)
{
	static const uint8_t zeros[8];
	put_bytes(blob, zeros, (8 - blob->length % 8) % 8);
}

static void put(struct blob *blob, enum config_type type, const void *payload, size_t length)
{
	struct config_record record = {type, (uint32_t)length};

	put_bytes(blob, &record, sizeof(record));
	put_bytes(blob, payload, length);
	put_padding(blob);
}

static void put_string(struct blob *blob, enum config_type type, const char *text)
{
	if (text)
		put(blob, type, text, strlen(text));
}

static void put_strings(struct blob *blob, enum config_type type, const struct strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		put_string(blob, type, strings->items[i]);
}

static void put_mount(struct blob *blob, const struct container_mount *mount)
{
	struct config_mount head = {
		.flags = mount->flags,
		.gofer = mount->tree,
		.type_len = (uint16_t)strlen(mount->type),
		.source_len = (uint16_t)strlen(mount->source),
		.target_len = (uint16_t)strlen(mount->target),
		.data_len = (uint16_t)strlen(mount->data),
	};
	struct config_record record = {CONFIG_MOUNT,
		(uint32_t)(sizeof(head) + head.type_len + head.source_len + head.target_len + head.data_len)};

	put_bytes(blob, &record, sizeof(record));
	put_bytes(blob, &head, sizeof(head));
	put_bytes(blob, mount->type, head.type_len);
	put_bytes(blob, mount->source, head.source_len);
	put_bytes(blob, mount->target, head.target_len);
	put_bytes(blob, mount->data, head.data_len);
	put_padding(blob);
}

static void put_flag(struct blob *blob, enum config_type type, bool set)
{
	if (set)
		put(blob, type, NULL, 0);
}

static void put_device(struct blob *blob, const struct container_device *device)
{
	struct config_record record = {CONFIG_DEVICE, (uint32_t)(sizeof(device->is) + strlen(device->path))};

	put_bytes(blob, &record, sizeof(record));
	put_bytes(blob, &device->is, sizeof(device->is));
	put_bytes(blob, device->path, strlen(device->path));
	put_padding(blob);
}

static size_t strings_length(const struct strings *strings)
{
	size_t length = 0;

	for (size_t i = 0; i < strings->count; i++)
		length += strlen(strings->items[i]) + 1;
	return length;
}

/* Each with its end. */
static void put_terminated(struct blob *blob, const struct strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		put_bytes(blob, strings->items[i], strlen(strings->items[i]) + 1);
}

static void put_hook(struct blob *blob, const struct hook *hook)
{
	struct config_hook head = {(uint32_t)(hook->timeout > UINT32_MAX ? UINT32_MAX : hook->timeout),
		(uint32_t)hook->args.count, (uint32_t)hook->env.count};
	struct config_record record = {CONFIG_HOOK,
		(uint32_t)(sizeof(head) + strlen(hook->path) + 1 + strings_length(&hook->args) + strings_length(&hook->env))};

	put_bytes(blob, &record, sizeof(record));
	put_bytes(blob, &head, sizeof(head));
	put_bytes(blob, hook->path, strlen(hook->path) + 1);
	put_terminated(blob, &hook->args);
	put_terminated(blob, &hook->env);
	put_padding(blob);
}

static void put_process(struct blob *blob, const struct container *c)
{
	uint32_t mask = (uint32_t)c->umask, passed = c->passed.count;

	put_strings(blob, CONFIG_ARG, &c->args);
	put_strings(blob, CONFIG_ENV, &c->env);
	put_string(blob, CONFIG_CWD, c->cwd);
	put(blob, CONFIG_USER, &c->user, sizeof(c->user));
	for (size_t i = 0; i < c->group_count; i++)
		put(blob, CONFIG_GROUP, &c->groups[i], sizeof(c->groups[i]));
	put(blob, CONFIG_CAPS, &c->caps, sizeof(c->caps));
	for (size_t i = 0; i < c->rlimit_count; i++)
		put(blob, CONFIG_RLIMIT, &c->rlimits[i], sizeof(c->rlimits[i]));
	if (c->seccomp.count) {
		struct config_seccomp head = {c->seccomp.flags, c->seccomp.count};
		struct config_record record = {CONFIG_SECCOMP, (uint32_t)(sizeof(head) + head.count * 8)};
		put_bytes(blob, &record, sizeof(record));
		put_bytes(blob, &head, sizeof(head));
		put_bytes(blob, c->seccomp.program, (size_t)head.count * 8);
		put_padding(blob);
	}
	put_flag(blob, CONFIG_TERMINAL, c->terminal);
	if (c->terminal && c->terminal_size.rows && c->terminal_size.columns)
		put(blob, CONFIG_TERMINAL_SIZE, &c->terminal_size, sizeof(c->terminal_size));
	put_flag(blob, CONFIG_NO_NEW_PRIVS, c->no_new_privs);
	if (c->umask >= 0)
		put(blob, CONFIG_UMASK, &mask, sizeof(mask));
	if (c->io_priority)
		put(blob, CONFIG_IO_PRIORITY, &c->io_priority, sizeof(c->io_priority));
	if (c->has_scheduler)
		put(blob, CONFIG_SCHEDULER, &c->scheduler, sizeof(c->scheduler));
	if (c->passed.count)
		put(blob, CONFIG_PASSED_FDS, &passed, sizeof(passed));
	if (c->has_oom_score_adj)
		put(blob, CONFIG_OOM_SCORE_ADJ, &c->oom_score_adj, sizeof(c->oom_score_adj));
}

void *config_blob(const struct container *c, size_t *length)
{
	const uint32_t host_sockets = 3 + c->passed.count; /* the first donated descriptor after those of the container */
	struct blob blob = {0};
	struct config_container id = {c->number, c->share};
	struct config_root root = {0, c->root_flags};
	struct strings group_files = {0};

	/* The host's group holds a sandbox to its quota; it knows nothing of the containers that join. */
	if (c->number || c->cpu_inside)
		id.flags |= CONFIG_CPU_INSIDE;
	if (id.id || id.flags)
		put(&blob, CONFIG_CONTAINER, &id, sizeof(id));
	put_process(&blob, c);
	put_string(&blob, CONFIG_HOSTNAME, c->hostname);
	put_string(&blob, CONFIG_DOMAINNAME, c->domainname);
	put(&blob, CONFIG_ROOT, &root, sizeof(root));
	for (size_t i = 0; i < c->mount_count; i++)
		put_mount(&blob, &c->mounts[i]);
	put_flag(&blob, CONFIG_STRACE, global.strace);
	put_flag(&blob, CONFIG_DEBUG, global.debug);
	put_flag(&blob, CONFIG_WAIT_START, c->wait_start);
	put_strings(&blob, CONFIG_READONLY_PATH, &c->readonly_paths);
	put_strings(&blob, CONFIG_MASKED_PATH, &c->masked_paths);
	put_strings(&blob, CONFIG_SYSCTL, &c->sysctls);
	cgroup_shown(&c->limits, &group_files);
	if (!c->cpu_inside)
		cgroup_shown_rates(&c->limits, &group_files);
	put_strings(&blob, CONFIG_GROUP_FILE, &group_files);
	if (strcmp(global.network, "host") == 0)
		put(&blob, CONFIG_HOST_SOCKETS, &host_sockets, sizeof(host_sockets));
	for (size_t i = 0; i < c->device_count; i++)
		put_device(&blob, &c->devices[i]);
	for (size_t i = 0; i < c->id_map_count; i++)
		put(&blob, CONFIG_ID_MAP, &c->id_maps[i], sizeof(c->id_maps[i]));
	for (size_t i = 0; i < c->time_offset_count; i++)
		put(&blob, CONFIG_TIME_OFFSET, &c->time_offsets[i], sizeof(c->time_offsets[i]));
	if (c->personality)
		put(&blob, CONFIG_PERSONALITY, &c->personality, sizeof(c->personality));
	for (size_t i = 0; i < c->hooks[HOOK_START_CONTAINER].count; i++)
		put_hook(&blob, &c->hooks[HOOK_START_CONTAINER].items[i]);
	put_string(&blob, CONFIG_HOOK_STATE, c->hook_state);
	*length = blob.length;
	return blob.bytes;
}

void *config_blob_process(const struct container *c, size_t *length)
{
	struct blob blob = {0};

	put_process(&blob, c);
	*length = blob.length;
	return blob.bytes;
}
