/*
 * config.json: the top level, root and process. Mounts and the linux part are in
 * oci_mounts.c and oci_linux.c.
 *
 * Source: OCI runtime specification 1.1, config.md and config-linux.md. A property whose
 * absence would weaken the container or change what it does is refused by name until the
 * sentry has it; nothing known is ignored.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/oci_parts.h"

static const char *const capability_names[] = {
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
	"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
	"CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE"};
_Static_assert(sizeof(capability_names) / sizeof(capability_names[0]) == CAP_LAST_CAP + 1, "linux/capability.h");

static const struct {
	const char *name;
	uint32_t resource;
} rlimit_names[] = {{"RLIMIT_CPU", RLIMIT_CPU}, {"RLIMIT_FSIZE", RLIMIT_FSIZE}, {"RLIMIT_DATA", RLIMIT_DATA},
	{"RLIMIT_STACK", RLIMIT_STACK}, {"RLIMIT_CORE", RLIMIT_CORE}, {"RLIMIT_RSS", RLIMIT_RSS},
	{"RLIMIT_NPROC", RLIMIT_NPROC}, {"RLIMIT_NOFILE", RLIMIT_NOFILE}, {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
	{"RLIMIT_AS", RLIMIT_AS}, {"RLIMIT_LOCKS", RLIMIT_LOCKS}, {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
	{"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE}, {"RLIMIT_NICE", RLIMIT_NICE}, {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
	{"RLIMIT_RTTIME", RLIMIT_RTTIME}};

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
	c->trees[*tree] = (struct container_tree){fd, readonly};
	return 0;
}

static int load_capability_set(struct oci *oci, yajl_val caps, const char *key, uint64_t *set)
{
	struct strings names = {0};
	char property[100];

	snprintf(property, sizeof(property), "process.capabilities.%s", key);
	if (json_strings(&oci->json, caps, key, property, &names))
		return 1;
	for (size_t i = 0; i < names.count; i++) {
		unsigned cap = 0;
		while (cap <= CAP_LAST_CAP && strcmp(capability_names[cap], names.items[i]) != 0)
			cap++;
		if (cap > CAP_LAST_CAP)
			return json_error(&oci->json, property, "no such capability: %s", names.items[i]);
		*set |= 1ull << cap;
	}
	return 0;
}

static int load_capabilities(struct oci *oci, yajl_val process)
{
	struct config_caps *caps = &oci->container->caps;
	yajl_val v;

	return json_object(&oci->json, process, "capabilities", "process.capabilities", &v) ||
		load_capability_set(oci, v, "effective", &caps->effective) ||
		load_capability_set(oci, v, "permitted", &caps->permitted) ||
		load_capability_set(oci, v, "inheritable", &caps->inheritable) ||
		load_capability_set(oci, v, "bounding", &caps->bounding) ||
		load_capability_set(oci, v, "ambient", &caps->ambient);
}

static int load_limit(struct oci *oci, yajl_val v, const char *key, uint64_t *out)
{
	yajl_val value = json_member(v, key);
	char *end = NULL;

	/* The specification's uint64 is wider than yajl's integers. */
	if (!YAJL_IS_NUMBER(value))
		return json_error(&oci->json, "process.rlimits", "%s is not a number", key);
	errno = 0;
	*out = strtoull(YAJL_GET_NUMBER(value), &end, 10);
	if (errno || *end || YAJL_GET_NUMBER(value)[0] == '-')
		return json_error(&oci->json, "process.rlimits", "%s is out of range", key);
	return 0;
}

static int load_rlimits(struct oci *oci, yajl_val process)
{
	struct container *c = oci->container;
	yajl_val list;

	if (json_array(&oci->json, process, "rlimits", "process.rlimits", &list))
		return 1;
	for (size_t i = 0; list && i < list->u.array.len; i++) {
		yajl_val v = list->u.array.values[i];
		char *type = NULL;
		struct config_rlimit limit = {0};
		size_t k = 0;
		if (json_string(&oci->json, v, "type", "process.rlimits.type", &type) ||
		    load_limit(oci, v, "soft", &limit.soft) || load_limit(oci, v, "hard", &limit.hard))
			return 1;
		while (k < 16 && (!type || strcmp(rlimit_names[k].name, type) != 0))
			k++;
		if (k == 16)
			return json_error(&oci->json, "process.rlimits", "no such limit: %s", type ? type : "(no type)");
		limit.resource = rlimit_names[k].resource;
		for (size_t n = 0; n < c->rlimit_count; n++) {
			if (c->rlimits[n].resource == limit.resource)
				return json_error(&oci->json, "process.rlimits", "%s twice", type);
		}
		if (limit.soft > limit.hard)
			return json_error(&oci->json, "process.rlimits", "%s: soft is above hard", type);
		c->rlimits[c->rlimit_count++] = limit;
	}
	return 0;
}

static int load_user(struct oci *oci, yajl_val process)
{
	struct container *c = oci->container;
	yajl_val user, groups;
	int64_t mask = -1;

	if (json_object(&oci->json, process, "user", "process.user", &user) ||
	    json_u32(&oci->json, user, "uid", "process.user.uid", &c->user.uid) ||
	    json_u32(&oci->json, user, "gid", "process.user.gid", &c->user.gid) ||
	    json_integer(&oci->json, user, "umask", "process.user.umask", &mask) ||
	    json_array(&oci->json, user, "additionalGids", "process.user.additionalGids", &groups))
		return 1;
	if (mask > 0777)
		return json_error(&oci->json, "process.user.umask", "out of range");
	c->umask = mask;
	if (!groups)
		return 0;
	c->groups = calloc(groups->u.array.len + 1, sizeof(uint32_t));
	for (size_t i = 0; i < groups->u.array.len; i++) {
		yajl_val v = groups->u.array.values[i];
		if (!c->groups || !YAJL_IS_INTEGER(v) || YAJL_GET_INTEGER(v) < 0 || YAJL_GET_INTEGER(v) > UINT32_MAX)
			return json_error(&oci->json, "process.user.additionalGids", "element %zu is not a group id", i);
		c->groups[c->group_count++] = (uint32_t)YAJL_GET_INTEGER(v);
	}
	return 0;
}

static int load_process(struct oci *oci)
{
	static const char *const refused[] = {"apparmorProfile", "selinuxLabel", "scheduler", "ioPriority",
		"commandLine", "execCPUAffinity", NULL};
	struct container *c = oci->container;
	struct json *json = &oci->json;
	yajl_val process;
	int64_t score = 0;

	if (json_object(json, json->root, "process", "process", &process))
		return 1;
	if (!process)
		return json_error(json, "process", "missing");
	if (oci_refuse(oci, process, refused, "process.") ||
	    json_strings(json, process, "args", "process.args", &c->args) ||
	    json_strings(json, process, "env", "process.env", &c->env) ||
	    json_string(json, process, "cwd", "process.cwd", &c->cwd) ||
	    json_bool(json, process, "terminal", "process.terminal", &c->terminal) ||
	    json_bool(json, process, "noNewPrivileges", "process.noNewPrivileges", &c->no_new_privs) ||
	    load_user(oci, process) || load_capabilities(oci, process) || load_rlimits(oci, process))
		return 1;
	if (c->args.count == 0)
		return json_error(json, "process.args", json_member(process, "args") ? "empty" : "missing");
	if (!c->cwd)
		return json_error(json, "process.cwd", "missing");
	if (c->cwd[0] != '/')
		return json_error(json, "process.cwd", "%s: not an absolute path", c->cwd);
	if (json_member(process, "oomScoreAdj")) {
		if (json_integer(json, process, "oomScoreAdj", "process.oomScoreAdj", &score))
			return 1;
		if (score < -1000 || score > 1000)
			return json_error(json, "process.oomScoreAdj", "out of range");
		c->has_oom_score_adj = true;
		c->oom_score_adj = (int32_t)score;
	}
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
	oci->container->rootfs = container_copy(path);
	return oci_open_tree(oci, path, readonly, "root.path", &tree);
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

static int load_top(struct oci *oci)
{
	static const char *const refused[] = {"hooks", "vm", "windows", "solaris", "zos", "freebsd", NULL};
	struct json *json = &oci->json;
	char *version = NULL;

	if (json_string(json, json->root, "ociVersion", "ociVersion", &version))
		return 1;
	if (!version)
		return json_error(json, "ociVersion", "missing");
	if (strncmp(version, "1.", 2) != 0)
		return json_error(json, "ociVersion", "%s: not supported: 1.x is", version);
	return oci_refuse(oci, json->root, refused, "") || load_annotations(oci) ||
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
	return json_read(&oci.json, path) || load_top(&oci) || load_process(&oci) || oci_load_linux(&oci) ||
		load_root(&oci) || oci_load_mounts(&oci);
}
