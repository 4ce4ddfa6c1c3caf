/*
 * config.json: linux.devices. The sentry has the devices that every container has (config-linux.md, Default Devices)
 * and drives them itself; one of the host's can't be reached from a sandbox, so other numbers are refused by the
 * sentry, by name. Only where a container may reach every device there is (an engine's --privileged, which lists all
 * that the host has) those that a sandbox lacks are left out. Pipes can be made anywhere.
 */
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/oci_parts.h"

#define DEFAULT_MODE 0666

static int load_type(struct oci *oci, const char *path, const char *type, uint32_t *mode)
{
	switch (type && strlen(type) == 1 ? type[0] : 0) {
	case 'c':
	case 'u':
		*mode |= S_IFCHR;
		return 0;
	case 'b':
		*mode |= S_IFBLK;
		return 0;
	case 'p':
		*mode |= S_IFIFO;
		return 0;
	}
	return json_error(&oci->json, "linux.devices", "%s: type: %s: not one of c, u, b and p", path, type ? type : "missing");
}

static int load_device(struct oci *oci, yajl_val v)
{
	struct container *c = oci->container;
	struct container_device device = {.is = {.mode = DEFAULT_MODE}};
	char *type = NULL;
	int64_t major = 0, minor = 0;

	if (!YAJL_IS_OBJECT(v))
		return json_error(&oci->json, "linux.devices", "not an object");
	if (json_string(&oci->json, v, "path", "linux.devices.path", &device.path) ||
	    json_string(&oci->json, v, "type", "linux.devices.type", &type) ||
	    json_integer(&oci->json, v, "major", "linux.devices.major", &major) ||
	    json_integer(&oci->json, v, "minor", "linux.devices.minor", &minor) ||
	    json_u32(&oci->json, v, "fileMode", "linux.devices.fileMode", &device.is.mode) ||
	    json_u32(&oci->json, v, "uid", "linux.devices.uid", &device.is.uid) ||
	    json_u32(&oci->json, v, "gid", "linux.devices.gid", &device.is.gid))
		return 1;
	if (!device.path || device.path[0] != '/' || strlen(device.path) >= 4096)
		return json_error(&oci->json, "linux.devices.path", "%.100s: not an absolute path", device.path ? device.path : "missing");
	if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff)
		return json_error(&oci->json, "linux.devices", "%s: major or minor: out of range", device.path);
	device.is.mode &= 07777;
	device.is.major = (uint32_t)major;
	device.is.minor = (uint32_t)minor;
	if (load_type(oci, device.path, type, &device.is.mode))
		return 1;
	c->devices = reallocarray(c->devices, c->device_count + 1, sizeof(*c->devices));
	if (!c->devices)
		return cli_error("out of memory");
	c->devices[c->device_count++] = device;
	return 0;
}

/* resources.devices allows all of them: a rule of no type, or of "a". */
static bool all_are_allowed(yajl_val linux_part)
{
	yajl_val list = json_member(json_member(linux_part, "resources"), "devices");

	for (size_t i = 0; YAJL_IS_ARRAY(list) && i < list->u.array.len; i++) {
		yajl_val rule = list->u.array.values[i];
		const char *type = YAJL_GET_STRING(json_member(rule, "type")), *access = YAJL_GET_STRING(json_member(rule, "access"));

		if (YAJL_IS_TRUE(json_member(rule, "allow")) && (!type || strcmp(type, "a") == 0) && access &&
		    strcmp(access, "rwm") == 0 && !json_member(rule, "major") && !json_member(rule, "minor"))
			return true;
	}
	return false;
}

int oci_load_devices(struct oci *oci, yajl_val linux_part)
{
	struct container *c = oci->container;
	yajl_val list;

	if (json_array(&oci->json, linux_part, "devices", "linux.devices", &list))
		return 1;
	for (size_t i = 0; list && i < list->u.array.len; i++) {
		if (load_device(oci, list->u.array.values[i]))
			return 1;
	}
	for (size_t i = 0; i < c->device_count && all_are_allowed(linux_part); i++)
		c->devices[i].is.mode |= CONFIG_DEVICE_IF_THERE;
	return 0;
}
