/*
 * config.json: the top level and root. The process, mounts and the linux part are in
 * oci_process.c, oci_mounts.c and oci_linux.c.
 *
 * Source: OCI runtime specification 1.1, config.md and config-linux.md. A property whose
 * absence would weaken the container or change what it does is refused by name until the
 * sentry has it; nothing known is ignored.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/annotations.h"
#include "cli/cli.h"
#include "cli/home.h"
#include "cli/oci_parts.h"
#include "cli/rootless.h"

int oci_refuse(struct oci *oci, yajl_val parent, const char *const *keys, const char *prefix)
{
	char property[200];

	for (; *keys; keys++) {
		if (!json_present(parent, *keys))
			continue;
		snprintf(property, sizeof(property), "%s%s", prefix, *keys);
		return json_error(&oci->json, property, "not supported yet");
	}
	return 0;
}

int oci_open_tree(struct oci *oci, const char *path, bool readonly, const char *property, uint32_t *tree)
{
	struct container *c = oci->container;

	if (c->tree_count == CONTAINER_MAX_TREES)
		return json_error(&oci->json, property, "more than %u bind mounts", CONTAINER_MAX_TREES - 1);
	int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return json_error(&oci->json, property, "%s: %s", path, strerror(errno));
	*tree = (uint32_t)c->tree_count++;
	c->trees[*tree] = (struct container_tree){fd, readonly, false};
	return 0;
}

static int load_root(struct oci *oci)
{
	struct json *json = &oci->json;
	char path[PATH_MAX];
	char *given = NULL;
	bool readonly = false;
	struct stat st;
	yajl_val root;
	uint32_t tree;

	if (json_object(json, json->root, "root", "root", &root))
		return 1;
	if (!root)
		return json_error(json, "root", "missing");
	if (json_string(json, root, "path", "root.path", &given) ||
	    json_bool(json, root, "readonly", "root.readonly", &readonly))
		return 1;
	if (!given || !given[0])
		return json_error(json, "root.path", "missing");
	if (snprintf(path, sizeof(path), "%s%s%s", given[0] == '/' ? "" : oci->bundle, given[0] == '/' ? "" : "/",
		    given) >= (int)sizeof(path))
		return json_error(json, "root.path", "too long");
	if (stat(path, &st) < 0)
		return json_error(json, "root.path", "%s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return json_error(json, "root.path", "%s: %s", path, strerror(ENOTDIR));
	if (readonly)
		oci->container->root_flags |= CONFIG_ROOT_READONLY;
	if (global.overlay)
		oci->container->root_flags |= CONFIG_ROOT_OVERLAY;
	oci->container->rootfs = container_copy(path);
	return oci_open_tree(oci, path, readonly || global.overlay, "root.path", &tree);
}

static int load_annotations(struct oci *oci)
{
	yajl_val map;

	if (json_object(&oci->json, oci->json.root, "annotations", "annotations", &map))
		return 1;
	for (size_t i = 0; map && i < map->u.object.len; i++) {
		const char *value = YAJL_GET_STRING(map->u.object.values[i]);
		if (!value)
			return json_error(&oci->json, "annotations", "%.100s is not a string", map->u.object.keys[i]);
		strings_add(&oci->container->annotations, map->u.object.keys[i]);
		strings_add(&oci->container->annotations, value);
	}
	return 0;
}

/* sethostname(2) and setdomainname(2) would not take it. */
static int check_name(const struct json *json, const char *key)
{
	char *name = NULL;

	if (json_string(json, json->root, key, key, &name))
		return 1;
	return name && strlen(name) > HOST_NAME_MAX ? json_error(json, key, "longer than %d characters", HOST_NAME_MAX) : 0;
}

static int load_top(struct oci *oci)
{
	static const char *const refused[] = {"vm", "windows", "solaris", "zos", "freebsd", NULL};
	struct json *json = &oci->json;
	char *version = NULL;

	if (json_string(json, json->root, "ociVersion", "ociVersion", &version))
		return 1;
	if (!version)
		return json_error(json, "ociVersion", "missing");
	if (strncmp(version, "1.", 2) != 0)
		return json_error(json, "ociVersion", "%s: not supported: 1.x is", version);
	if (check_name(json, "hostname") || check_name(json, "domainname"))
		return 1;
	return oci_refuse(oci, json->root, refused, "") || load_annotations(oci) ||
		annotations_apply(json, oci->container) || oci_load_hooks(oci) ||
		json_string(json, json->root, "hostname", "hostname", &oci->container->hostname) ||
		json_string(json, json->root, "domainname", "domainname", &oci->container->domainname);
}

int oci_load(const char *bundle, struct container *container)
{
	struct oci oci = {.bundle = bundle, .container = container};
	char path[PATH_MAX];

	container->umask = -1;
	if (snprintf(path, sizeof(path), "%s/config.json", bundle) >= (int)sizeof(path))
		return cli_error("%.100s...: too long", bundle);
	if (json_read(&oci.json, path) || load_top(&oci) || oci_load_process(&oci, json_member(oci.json.root, "process")) || oci_load_linux(&oci) ||
		rootless_enter(container) || load_root(&oci) || oci_load_mounts(&oci))
		return 1;
	home_add(container, container->trees[0].fd);
	return 0;
}

int oci_load_process_file(const char *path, const char *process, struct container *container)
{
	struct oci oci = {.bundle = "/", .container = container};

	container->umask = -1;
	if (json_read(&oci.json, path) || oci_load_seccomp(&oci, json_member(oci.json.root, "linux")))
		return 1;
	if (process && json_read_as(&oci.json, process, "process"))
		return 1;
	return oci_load_process(&oci, process ? oci.json.root : json_member(oci.json.root, "process"));
}

int oci_load_hooks_file(const char *path, struct container *container)
{
	struct oci oci = {.bundle = "/", .container = container};

	return json_read(&oci.json, path) || oci_load_hooks(&oci);
}
