/*
 * The container's configuration: decodes the records of platform/abi/config.h once, at boot.
 *
 * The records come from the runtime command by way of the VMM; lengths and counts are
 * checked all the same, and an unknown type is refused, so that a sentry older than its
 * command never ignores what it was asked to enforce.
 */
#include <linux/errno.h>

#include "kernel/config.h"
#include "kernel/mm.h"
#include "ring0/lib.h"

struct counts {
	unsigned args, envs, groups, rlimits, mounts, readonly, masked, sysctls, group_files, filters, devices, hooks, id_maps;
};

static int refuse(const struct config_record *record, const char *why)
{
	klog(LOG_ERROR, "container configuration: record type %u, length %u: %s", record->type, record->len, why);
	return -EINVAL;
}

static char *copy_string(const void *from, size_t len)
{
	char *s = kmalloc(len + 1);

	if (s) {
		memcpy(s, from, len);
		s[len] = 0;
	}
	return s;
}

/* Calls each(record, payload, arg) for every record; -EINVAL if one reaches past the end. */
static int for_each(const uint8_t *blob, uint64_t len,
	int (*each)(const struct config_record *, const uint8_t *, void *), void *arg)
{
	uint64_t at = 0;

	while (at < len) {
		struct config_record record;

		if (len - at < sizeof(record))
			return -EINVAL;
		memcpy(&record, blob + at, sizeof(record));
		at += sizeof(record);
		if (record.len > len - at)
			return refuse(&record, "longer than what is left");
		int rc = each(&record, blob + at, arg);
		if (rc)
			return rc;
		at += (record.len + 7ull) & ~7ull;
	}
	return 0;
}

static int count_record(const struct config_record *record, const uint8_t *payload, void *arg)
{
	struct counts *n = arg;

	switch (record->type) {
	case CONFIG_ARG:
		n->args++;
		break;
	case CONFIG_ENV:
		n->envs++;
		break;
	case CONFIG_GROUP:
		n->groups++;
		break;
	case CONFIG_RLIMIT:
		n->rlimits++;
		break;
	case CONFIG_MOUNT:
		n->mounts++;
		break;
	case CONFIG_READONLY_PATH:
		n->readonly++;
		break;
	case CONFIG_MASKED_PATH:
		n->masked++;
		break;
	case CONFIG_SYSCTL:
		n->sysctls++;
		break;
	case CONFIG_GROUP_FILE:
		n->group_files++;
		break;
	case CONFIG_SECCOMP:
		n->filters++;
		break;
	case CONFIG_DEVICE:
		n->devices++;
		break;
	case CONFIG_HOOK:
		n->hooks++;
		break;
	case CONFIG_ID_MAP:
		n->id_maps++;
		break;
	}
	return 0;
}

static int decode_mount(const struct config_record *record, const uint8_t *payload, struct container_mount *mount)
{
	struct config_mount head;

	if (record->len < sizeof(head))
		return refuse(record, "too short for a mount");
	memcpy(&head, payload, sizeof(head));
	const uint8_t *strings = payload + sizeof(head);
	uint64_t need = (uint64_t)head.type_len + head.source_len + head.target_len + head.data_len;
	if (need != record->len - sizeof(head))
		return refuse(record, "the mount's strings do not fill it");
	mount->flags = head.flags;
	mount->gofer = head.gofer;
	mount->type = copy_string(strings, head.type_len);
	strings += head.type_len;
	mount->source = copy_string(strings, head.source_len);
	strings += head.source_len;
	mount->target = copy_string(strings, head.target_len);
	strings += head.target_len;
	mount->data = copy_string(strings, head.data_len);
	return mount->type && mount->source && mount->target && mount->data ? 0 : -ENOMEM;
}

static int decode_filter(const struct config_record *record, const uint8_t *payload, struct container_filter *filter)
{
	struct config_seccomp head;

	if (record->len < sizeof(head))
		return refuse(record, "too short for a filter");
	memcpy(&head, payload, sizeof(head));
	if (head.count == 0 || head.count > BPF_MAXINSNS)
		return refuse(record, "a filter has 1 to 4096 instructions");
	size_t size = head.count * sizeof(struct sock_filter);
	if (record->len - sizeof(head) != size)
		return refuse(record, "the filter's instructions do not fill it");
	filter->count = head.count;
	filter->flags = head.flags;
	filter->program = kmalloc(size);
	if (!filter->program)
		return -ENOMEM;
	memcpy(filter->program, payload + sizeof(head), size);
	return 0;
}

static int decode_device(const struct config_record *record, const uint8_t *payload, struct container_device *device)
{
	if (record->len <= sizeof(device->is))
		return refuse(record, "shorter than its head");
	memcpy(&device->is, payload, sizeof(device->is));
	device->path = copy_string(payload + sizeof(device->is), record->len - sizeof(device->is));
	return device->path ? 0 : -ENOMEM;
}

/* Points `count` entries of `to` at strings that follow each other before `end`; NULL: there are fewer. */
static char *split(char *at, const char *end, uint32_t count, const char **to)
{
	for (uint32_t i = 0; i < count; i++) {
		if (at >= end)
			return NULL;
		to[i] = at;
		at += strlen(at) + 1;
	}
	return at;
}

static int decode_hook(const struct config_record *record, const uint8_t *payload, struct container_hook *hook)
{
	struct config_hook head;

	if (record->len < sizeof(head))
		return refuse(record, "shorter than its head");
	memcpy(&head, payload, sizeof(head));
	uint32_t len = record->len - (uint32_t)sizeof(head);
	if (head.args > len || head.envs > len)
		return refuse(record, "more strings than bytes");
	char *text = copy_string(payload + sizeof(head), len);
	hook->timeout = head.timeout;
	hook->path = text; /* the strings are one piece of memory, which this frees */
	hook->argv = kzalloc((head.args + 1ull) * sizeof(char *));
	hook->envp = kzalloc((head.envs + 1ull) * sizeof(char *));
	if (!text || !hook->argv || !hook->envp)
		return -ENOMEM;
	char *at = len ? split(text, text + len, 1, &hook->path) : NULL;
	at = at ? split(at, text + len, head.args, hook->argv) : NULL;
	at = at ? split(at, text + len, head.envs, hook->envp) : NULL;
	return at ? 0 : refuse(record, "fewer strings than it says");
}

static int fixed(const struct config_record *record, const uint8_t *payload, void *to, size_t size)
{
	if (record->len != size)
		return refuse(record, "wrong length for its type");
	memcpy(to, payload, size);
	return 0;
}

static int string(const struct config_record *record, const uint8_t *payload, const char **to)
{
	*to = copy_string(payload, record->len);
	return *to ? 0 : -ENOMEM;
}

static int decode_time_offset(const struct config_record *record, const uint8_t *payload, struct container_config *config)
{
	if (config->time_offset_count == CONFIG_TIME_OFFSETS)
		return refuse(record, "more than there are clocks");
	return fixed(record, payload, &config->time_offsets[config->time_offset_count++], sizeof(struct config_time_offset));
}

static int flag(const struct config_record *record, bool *to)
{
	*to = true;
	return record->len == 0 ? 0 : refuse(record, "a flag carries nothing");
}

static int decode_record(const struct config_record *record, const uint8_t *payload, void *arg)
{
	struct container_config *config = arg;

	switch (record->type) {
	case CONFIG_ARG:
		return string(record, payload, (const char **)&config->argv[config->argc++]);
	case CONFIG_ENV:
		return string(record, payload, (const char **)&config->envp[config->envc++]);
	case CONFIG_CWD:
		config->has_cwd = true;
		return string(record, payload, &config->cwd);
	case CONFIG_USER:
		return fixed(record, payload, &config->user, sizeof(config->user));
	case CONFIG_GROUP:
		return fixed(record, payload, &config->groups[config->group_count++], sizeof(uint32_t));
	case CONFIG_CAPS:
		config->has_caps = true;
		return fixed(record, payload, &config->caps, sizeof(config->caps));
	case CONFIG_RLIMIT:
		return fixed(record, payload, &config->rlimits[config->rlimit_count++], sizeof(struct config_rlimit));
	case CONFIG_HOSTNAME:
		return string(record, payload, &config->hostname);
	case CONFIG_DOMAINNAME:
		return string(record, payload, &config->domainname);
	case CONFIG_ROOT:
		return fixed(record, payload, &config->root, sizeof(config->root));
	case CONFIG_MOUNT:
		return decode_mount(record, payload, &config->mounts[config->mount_count++]);
	case CONFIG_TERMINAL:
		return flag(record, &config->terminal);
	case CONFIG_STRACE:
		return flag(record, &config->strace);
	case CONFIG_NO_NEW_PRIVS:
		return flag(record, &config->no_new_privs);
	case CONFIG_DEBUG:
		return flag(record, &config->debug);
	case CONFIG_UMASK:
		config->has_umask = true;
		return fixed(record, payload, &config->umask, sizeof(config->umask));
	case CONFIG_READONLY_PATH:
		return string(record, payload, &config->readonly_paths[config->readonly_count++]);
	case CONFIG_MASKED_PATH:
		return string(record, payload, &config->masked_paths[config->masked_count++]);
	case CONFIG_OOM_SCORE_ADJ:
		return fixed(record, payload, &config->oom_score_adj, sizeof(int32_t));
	case CONFIG_SYSCTL:
		return string(record, payload, &config->sysctls[config->sysctl_count++]);
	case CONFIG_CONTAINER:
		return fixed(record, payload, &config->id, sizeof(config->id));
	case CONFIG_GROUP_FILE:
		return string(record, payload, &config->group_files[config->group_file_count++]);
	case CONFIG_TERMINAL_SIZE:
		config->has_terminal_size = true;
		return fixed(record, payload, &config->terminal_size, sizeof(config->terminal_size));
	case CONFIG_WAIT_START:
		return flag(record, &config->wait_start);
	case CONFIG_HOST_SOCKETS:
		return fixed(record, payload, &config->host_sockets, sizeof(config->host_sockets));
	case CONFIG_PASSED_FDS:
		return fixed(record, payload, &config->passed_fds, sizeof(config->passed_fds));
	case CONFIG_DEVICE:
		return decode_device(record, payload, &config->devices[config->device_count++]);
	case CONFIG_ID_MAP:
		return fixed(record, payload, &config->id_maps[config->id_map_count++], sizeof(struct config_id_map));
	case CONFIG_TIME_OFFSET:
		return decode_time_offset(record, payload, config);
	case CONFIG_HOOK:
		return decode_hook(record, payload, &config->hooks[config->hook_count++]);
	case CONFIG_HOOK_STATE:
		return string(record, payload, &config->hook_state);
	case CONFIG_PERSONALITY:
		return fixed(record, payload, &config->personality, sizeof(uint32_t));
	case CONFIG_IO_PRIORITY:
		return fixed(record, payload, &config->io_priority, sizeof(uint32_t));
	case CONFIG_SCHEDULER:
		config->has_scheduler = true;
		return fixed(record, payload, &config->scheduler, sizeof(config->scheduler));
	case CONFIG_SECCOMP:
		return decode_filter(record, payload, &config->filters[config->filter_count++]);
	}
	return refuse(record, "unknown type");
}

int config_decode(const void *blob, uint64_t len, struct container_config *config)
{
	struct counts n = {0};
	int rc = for_each(blob, len, count_record, &n);

	if (rc)
		return rc;
	memset(config, 0, sizeof(*config));
	config->cwd = "/";
	config->hostname = "ringfence";
	config->domainname = "(none)";
	config->umask = 022;
	config->argv = kzalloc((n.args + 1) * sizeof(char *));
	config->envp = kzalloc((n.envs + 1) * sizeof(char *));
	config->groups = kzalloc((n.groups + 1) * sizeof(uint32_t));
	config->rlimits = kzalloc((n.rlimits + 1) * sizeof(struct config_rlimit));
	config->mounts = kzalloc((n.mounts + 1) * sizeof(struct container_mount));
	config->readonly_paths = kzalloc((n.readonly + 1) * sizeof(char *));
	config->masked_paths = kzalloc((n.masked + 1) * sizeof(char *));
	config->sysctls = kzalloc((n.sysctls + 1) * sizeof(char *));
	config->group_files = kzalloc((n.group_files + 1) * sizeof(char *));
	config->filters = kzalloc((n.filters + 1) * sizeof(struct container_filter));
	config->devices = kzalloc((n.devices + 1) * sizeof(struct container_device));
	config->hooks = kzalloc((n.hooks + 1) * sizeof(struct container_hook));
	config->id_maps = kzalloc((n.id_maps + 1) * sizeof(struct config_id_map));
	if (!config->devices || !config->hooks || !config->id_maps || !config->filters || !config->argv || !config->envp || !config->groups || !config->rlimits || !config->mounts ||
		!config->readonly_paths || !config->masked_paths || !config->sysctls || !config->group_files)
		return -ENOMEM;
	rc = for_each(blob, len, decode_record, config);
	if (rc == 0 && config->argc == 0) {
		klog(LOG_ERROR, "container configuration: no program to run");
		rc = -EINVAL;
	}
	return rc;
}

static void free_strings(const char **strings, unsigned count)
{
	for (unsigned i = 0; strings && i < count; i++)
		kfree((void *)(uintptr_t)strings[i]);
	kfree(strings);
}

void config_free(struct container_config *config)
{
	free_strings((const char **)config->argv, config->argc);
	free_strings((const char **)config->envp, config->envc);
	free_strings(config->readonly_paths, config->readonly_count);
	free_strings(config->masked_paths, config->masked_count);
	free_strings(config->sysctls, config->sysctl_count);
	free_strings(config->group_files, config->group_file_count);
	for (unsigned i = 0; config->filters && i < config->filter_count; i++)
		kfree(config->filters[i].program);
	for (unsigned i = 0; config->mounts && i < config->mount_count; i++) {
		kfree((void *)(uintptr_t)config->mounts[i].type);
		kfree((void *)(uintptr_t)config->mounts[i].source);
		kfree((void *)(uintptr_t)config->mounts[i].target);
		kfree((void *)(uintptr_t)config->mounts[i].data);
	}
	for (unsigned i = 0; config->devices && i < config->device_count; i++)
		kfree((void *)(uintptr_t)config->devices[i].path);
	for (unsigned i = 0; config->hooks && i < config->hook_count; i++) {
		kfree((void *)(uintptr_t)config->hooks[i].path);
		kfree(config->hooks[i].argv);
		kfree(config->hooks[i].envp);
	}
	kfree((void *)(uintptr_t)config->hook_state);
	kfree(config->devices);
	kfree(config->hooks);
	kfree(config->id_maps);
	kfree(config->filters);
	kfree(config->mounts);
	kfree(config->groups);
	kfree(config->rlimits);
	if (config->has_cwd)
		kfree((void *)(uintptr_t)config->cwd);
	memset(config, 0, sizeof(*config));
}
