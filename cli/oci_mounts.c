/*
 * config.json: mounts. Options become MS_* flags and the file system's own data, as
 * mount(8) has them; bind mounts become trees that the gofer serves.
 */
#include <limits.h>
#include <linux/mount.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/oci_parts.h"

static const struct {
	const char *name;
	uint64_t set, clear;
} mount_options[] = {
	{"defaults", 0, 0}, {"ro", MS_RDONLY, 0}, {"rw", 0, MS_RDONLY}, {"nosuid", MS_NOSUID, 0},
	{"suid", 0, MS_NOSUID}, {"nodev", MS_NODEV, 0}, {"dev", 0, MS_NODEV}, {"noexec", MS_NOEXEC, 0},
	{"exec", 0, MS_NOEXEC}, {"sync", MS_SYNCHRONOUS, 0}, {"async", 0, MS_SYNCHRONOUS},
	{"dirsync", MS_DIRSYNC, 0}, {"noatime", MS_NOATIME, 0}, {"atime", 0, MS_NOATIME},
	{"nodiratime", MS_NODIRATIME, 0}, {"diratime", 0, MS_NODIRATIME}, {"relatime", MS_RELATIME, 0},
	{"norelatime", 0, MS_RELATIME}, {"strictatime", MS_STRICTATIME, 0}, {"nostrictatime", 0, MS_STRICTATIME},
	{"bind", MS_BIND, 0}, {"rbind", MS_BIND | MS_REC, 0}, {"private", MS_PRIVATE, 0},
	{"rprivate", MS_PRIVATE | MS_REC, 0}, {"slave", MS_SLAVE, 0}, {"rslave", MS_SLAVE | MS_REC, 0},
	{"shared", MS_SHARED, 0}, {"rshared", MS_SHARED | MS_REC, 0}, {"unbindable", MS_UNBINDABLE, 0},
	{"runbindable", MS_UNBINDABLE | MS_REC, 0}, {"tmpcopyup", CONFIG_MOUNT_COPY_UP, 0}, {"silent", MS_SILENT, 0}, {"loud", 0, MS_SILENT},
};

static const char *const refused_options[] = {"remount", "idmap", "ridmap", "rro", "rrw", "rnosuid",
	"rsuid", "rnodev", "rdev", "rnoexec", "rexec", "rnoatime", "ratime", "rnodiratime", "rdiratime", "rrelatime",
	"rnorelatime", "rstrictatime", "rnostrictatime", "rnosymfollow", "nosymfollow", "iversion", "mand"};

const char *oci_mount_option(int index)
{
	return index < (int)(sizeof(mount_options) / sizeof(mount_options[0])) ? mount_options[index].name : NULL;
}

static bool is_refused(const char *option)
{
	for (size_t i = 0; i < sizeof(refused_options) / sizeof(refused_options[0]); i++) {
		if (strcmp(refused_options[i], option) == 0)
			return true;
	}
	return false;
}

static int add_option(struct oci *oci, struct container_mount *mount, const char *option, const char *property)
{
	for (size_t i = 0; i < sizeof(mount_options) / sizeof(mount_options[0]); i++) {
		if (strcmp(mount_options[i].name, option) != 0)
			continue;
		mount->flags = (mount->flags | mount_options[i].set) & ~mount_options[i].clear;
		return 0;
	}
	if (is_refused(option))
		return json_error(&oci->json, property, "%s: not supported yet", option);
	char *data = NULL;
	int length = asprintf(&data, "%s%s%s", mount->data, mount->data[0] ? "," : "", option);
	if (length < 0 || length >= PATH_MAX)
		return json_error(&oci->json, property, "too long");
	mount->data = data;
	return 0;
}

static int bind_source(struct oci *oci, struct container_mount *mount, const char *property)
{
	char path[PATH_MAX];

	if (!mount->source[0])
		return json_error(&oci->json, property, "source: missing");
	bool relative = mount->source[0] != '/';
	if (snprintf(path, sizeof(path), "%s%s%s", relative ? oci->bundle : "", relative ? "/" : "", mount->source) >=
		(int)sizeof(path))
		return json_error(&oci->json, property, "source: too long");
	mount->type = container_copy("bind");
	return oci_open_tree(oci, path, mount->flags & MS_RDONLY, property, &mount->tree);
}

static int load_mount(struct oci *oci, yajl_val v, size_t index)
{
	static const char *const refused[] = {"uidMappings", "gidMappings", NULL};
	struct container_mount *mount = container_mount_add(oci->container);
	struct strings options = {0};
	char property[128];

	snprintf(property, sizeof(property), "mounts[%zu]", index);
	mount->type = mount->source = mount->data = container_copy("");
	if (!YAJL_IS_OBJECT(v))
		return json_error(&oci->json, property, "not an object");
	if (json_string(&oci->json, v, "destination", property, &mount->target) ||
	    json_string(&oci->json, v, "type", property, &mount->type) ||
	    json_string(&oci->json, v, "source", property, &mount->source) ||
	    json_strings(&oci->json, v, "options", property, &options))
		return 1;
	if (!mount->target || mount->target[0] != '/')
		return json_error(&oci->json, property, "destination: not an absolute path");
	if (strlen(mount->target) >= PATH_MAX || strlen(mount->source) >= PATH_MAX || strlen(mount->type) > 64)
		return json_error(&oci->json, property, "too long");
	snprintf(property, sizeof(property), "mounts[%zu]: %.40s", index, mount->target);
	if (oci_refuse(oci, v, refused, "mounts."))
		return 1;
	for (size_t i = 0; i < options.count; i++) {
		if (add_option(oci, mount, options.items[i], property))
			return 1;
	}
	if ((mount->flags & MS_BIND) || strcmp(mount->type, "bind") == 0)
		return bind_source(oci, mount, property);
	if (strcmp(mount->type, "overlay") == 0)
		return oci_open_overlay(oci, mount, property);
	if (!mount->type[0])
		return json_error(&oci->json, property, "type: missing");
	if ((mount->flags & CONFIG_MOUNT_COPY_UP) && strcmp(mount->type, "tmpfs") != 0)
		return json_error(&oci->json, property, "tmpcopyup: only for tmpfs");
	return 0;
}

int oci_load_mounts(struct oci *oci)
{
	yajl_val list;

	if (json_array(&oci->json, oci->json.root, "mounts", "mounts", &list))
		return 1;
	for (size_t i = 0; list && i < list->u.array.len; i++) {
		if (load_mount(oci, list->u.array.values[i], i))
			return 1;
	}
	return 0;
}
