/*
 * config.json: the linux part. The sentry is a kernel of its own, so every namespace of
 * the container is new whether listed or not; joining one of the host's is refused.
 */
#include <limits.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/oci_parts.h"

/* A namespace of the pod's sandbox, as pod.c checks. False: of a kind that cannot be shared. */
static bool join(struct container *container, const char *type, const char *path)
{
	static const struct {
		const char *type;
		uint32_t share;
	} kinds[] = {{"ipc", CONFIG_SHARE_IPC}, {"uts", CONFIG_SHARE_UTS}, {"pid", CONFIG_SHARE_PID}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].type, type) != 0)
			continue;
		container->share |= kinds[i].share;
		strings_add(&container->joined, path);
		return true;
	}
	return false;
}

/* The bit of a type; 0: there is no such type. */
static unsigned namespace_bit(const char *type)
{
	static const char *const types[] = {"pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time", NULL};
	size_t i = 0;

	while (types[i] && strcmp(types[i], type) != 0)
		i++;
	return types[i] ? 1u << i : 0;
}

static int check_namespaces(struct oci *oci, yajl_val linux_part)
{
	yajl_val list;
	char *path = NULL, *type = NULL;
	unsigned seen = 0;

	if (json_array(&oci->json, linux_part, "namespaces", "linux.namespaces", &list))
		return 1;
	for (size_t i = 0; list && i < list->u.array.len; i++) {
		yajl_val v = list->u.array.values[i];
		path = type = NULL;
		if (json_string(&oci->json, v, "type", "linux.namespaces.type", &type) ||
		    json_string(&oci->json, v, "path", "linux.namespaces.path", &path))
			return 1;
		if (!type)
			return json_error(&oci->json, "linux.namespaces", "element %zu has no type", i);
		if (!namespace_bit(type) || (seen & namespace_bit(type)))
			return json_error(&oci->json, "linux.namespaces", "%.60s: %s", type,
				namespace_bit(type) ? "twice" : "no such type");
		seen |= namespace_bit(type);
		if (strcmp(type, "network") == 0) {
			oci->container->own_network = true;
			oci->container->network_path = path && path[0] ? container_copy(path) : NULL;
			continue;
		}
		if (path && path[0] && !join(oci->container, type, path))
			return json_error(&oci->json, "linux.namespaces.path", "%s: not supported yet", path);
		if (strcmp(type, "time") == 0)
			oci->time_namespace = true;
		if (strcmp(type, "user") == 0)
			oci->container->user_namespace = true;
	}
	if (!(seen & namespace_bit("uts")) && !oci->container->hostname) { /* the host's name, as it is now */
		char name[HOST_NAME_MAX + 1] = "";
		if (gethostname(name, sizeof(name)) == 0)
			oci->container->hostname = container_copy(name);
	}
	return 0;
}

/* Of the container's own time namespace, which it must be given. */
static int load_time_offsets(struct oci *oci, yajl_val linux_part)
{
	static const struct {
		const char *name, *property;
		uint32_t clock;
	} clocks[CONFIG_TIME_OFFSETS] = {{"monotonic", "linux.timeOffsets.monotonic", CLOCK_MONOTONIC},
		{"boottime", "linux.timeOffsets.boottime", CLOCK_BOOTTIME}};
	struct container *c = oci->container;
	yajl_val map, v;

	if (json_object(&oci->json, linux_part, "timeOffsets", "linux.timeOffsets", &map))
		return 1;
	if (!map || !map->u.object.len)
		return 0;
	if (!oci->time_namespace)
		return json_error(&oci->json, "linux.timeOffsets", "time namespace isn't enabled in linux.namespaces");
	for (size_t i = 0; i < CONFIG_TIME_OFFSETS; i++) {
		struct config_time_offset *offset = &c->time_offsets[c->time_offset_count];
		if (json_object(&oci->json, map, clocks[i].name, clocks[i].property, &v) ||
		    json_integer(&oci->json, v, "secs", clocks[i].property, &offset->secs) ||
		    json_u32(&oci->json, v, "nanosecs", clocks[i].property, &offset->nanosecs))
			return 1;
		if (offset->nanosecs >= 1000000000)
			return json_error(&oci->json, clocks[i].property, "nanosecs: %u: not below a second", offset->nanosecs);
		offset->clock = clocks[i].clock;
		c->time_offset_count += v != NULL;
	}
	for (size_t i = 0; i < map->u.object.len; i++) {
		const char *name = map->u.object.keys[i];
		if (strcmp(name, clocks[0].name) != 0 && strcmp(name, clocks[1].name) != 0)
			return json_error(&oci->json, "linux.timeOffsets", "%.60s: not a clock that has one", name);
	}
	return 0;
}

static int load_sysctls(struct oci *oci, yajl_val linux_part)
{
	yajl_val list;

	if (json_object(&oci->json, linux_part, "sysctl", "linux.sysctl", &list))
		return 1;
	for (size_t i = 0; list && i < list->u.object.len; i++) {
		const char *value = YAJL_GET_STRING(list->u.object.values[i]);
		char line[1024];
		if (!value)
			return json_error(&oci->json, "linux.sysctl", "%s is not a string", list->u.object.keys[i]);
		if (snprintf(line, sizeof(line), "%s=%s", list->u.object.keys[i], value) >= (int)sizeof(line))
			return json_error(&oci->json, "linux.sysctl", "too long");
		strings_add(&oci->container->sysctls, line);
	}
	return 0;
}

int oci_load_linux(struct oci *oci)
{
	static const char *const refused[] = {"mountLabel", "intelRdt",
		"netDevices", "memoryPolicy", NULL};
	struct container *c = oci->container;
	char *propagation = NULL;
	yajl_val v;

	if (json_object(&oci->json, oci->json.root, "linux", "linux", &v))
		return 1;
	if (!v)
		return json_error(&oci->json, "linux", "missing");
	if (oci_refuse(oci, v, refused, "linux.") || check_namespaces(oci, v) || oci_load_ids(oci, v) || oci_check_user(oci) ||
	    oci_load_devices(oci, v) || oci_load_personality(oci, v) || load_time_offsets(oci, v) ||
	    oci_load_resources(oci, v) || oci_load_seccomp(oci, v) || load_sysctls(oci, v) ||
	    json_strings(&oci->json, v, "maskedPaths", "linux.maskedPaths", &c->masked_paths) ||
	    json_strings(&oci->json, v, "readonlyPaths", "linux.readonlyPaths", &c->readonly_paths) ||
	    json_string(&oci->json, v, "rootfsPropagation", "linux.rootfsPropagation", &propagation))
		return 1;
	if (propagation && strstr(propagation, "shared"))
		return json_error(&oci->json, "linux.rootfsPropagation", "%s: not supported", propagation);
	return 0;
}
