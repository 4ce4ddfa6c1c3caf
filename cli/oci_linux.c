/*
 * config.json: the linux part. The sentry is a kernel of its own, so every namespace of
 * the container is new whether listed or not; joining one of the host's is refused.
 */
#include <string.h>

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

static int check_namespaces(struct oci *oci, yajl_val linux_part)
{
	yajl_val list;
	char *path = NULL, *type = NULL;

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
		if (path && path[0] && strcmp(type, "network") == 0) {
			oci->container->network_path = container_copy(path);
			continue;
		}
		if (path && path[0] && !join(oci->container, type, path))
			return json_error(&oci->json, "linux.namespaces.path", "%s: not supported yet", path);
		if (strcmp(type, "user") == 0)
			return json_error(&oci->json, "linux.namespaces", "user: not supported yet");
	}
	return 0;
}

/* The devices that every container has anyway (config-linux.md, Default Devices). */
static int check_devices(struct oci *oci, yajl_val linux_part)
{
	static const char *const defaults[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
		"/dev/tty", "/dev/console", "/dev/ptmx", NULL};
	yajl_val list;

	if (json_array(&oci->json, linux_part, "devices", "linux.devices", &list))
		return 1;
	for (size_t i = 0; list && i < list->u.array.len; i++) {
		char *path = NULL;
		size_t k = 0;
		if (json_string(&oci->json, list->u.array.values[i], "path", "linux.devices.path", &path))
			return 1;
		while (defaults[k] && (!path || strcmp(defaults[k], path) != 0))
			k++;
		if (!defaults[k])
			return json_error(&oci->json, "linux.devices", "%s: not supported yet", path ? path : "(no path)");
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
	static const char *const refused[] = {"uidMappings", "gidMappings", "mountLabel", "intelRdt",
		"timeOffsets", "netDevices", "memoryPolicy", NULL};
	struct container *c = oci->container;
	yajl_val v, personality;
	char *propagation = NULL, *domain = NULL;

	if (json_object(&oci->json, oci->json.root, "linux", "linux", &v))
		return 1;
	if (!v)
		return json_error(&oci->json, "linux", "missing");
	if (oci_refuse(oci, v, refused, "linux.") || check_namespaces(oci, v) || check_devices(oci, v) ||
	    oci_load_resources(oci, v) || oci_load_seccomp(oci, v) || load_sysctls(oci, v) ||
	    json_strings(&oci->json, v, "maskedPaths", "linux.maskedPaths", &c->masked_paths) ||
	    json_strings(&oci->json, v, "readonlyPaths", "linux.readonlyPaths", &c->readonly_paths) ||
	    json_string(&oci->json, v, "rootfsPropagation", "linux.rootfsPropagation", &propagation) ||
	    json_object(&oci->json, v, "personality", "linux.personality", &personality) ||
	    json_string(&oci->json, personality, "domain", "linux.personality.domain", &domain))
		return 1;
	if (propagation && strstr(propagation, "shared"))
		return json_error(&oci->json, "linux.rootfsPropagation", "%s: not supported", propagation);
	if ((domain && strcmp(domain, "LINUX") != 0) || json_present(personality, "flags"))
		return json_error(&oci->json, "linux.personality", "not supported yet");
	return 0;
}
