/*
 * The process object of config.json, of a container's first program or of one that `exec`
 * starts: arguments, environment, user, capabilities, limits, terminal.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/resource.h>

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

int oci_capability(const char *name)
{
	int cap = 0;

	while (cap <= CAP_LAST_CAP && strcmp(capability_names[cap], name) != 0)
		cap++;
	return cap <= CAP_LAST_CAP ? cap : -1;
}

const char *oci_capability_name(int cap)
{
	return cap >= 0 && cap <= CAP_LAST_CAP ? capability_names[cap] : NULL;
}

static int load_capability_set(struct oci *oci, yajl_val caps, const char *key, uint64_t *set)
{
	struct strings names = {0};
	char property[100];

	snprintf(property, sizeof(property), "process.capabilities.%s", key);
	if (json_strings(&oci->json, caps, key, property, &names))
		return 1;
	for (size_t i = 0; i < names.count; i++) {
		int cap = oci_capability(names.items[i]);
		if (cap < 0)
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

static int load_size(struct oci *oci, yajl_val size)
{
	struct config_winsize *to = &oci->container->terminal_size;
	uint32_t height = 0, width = 0;

	if (json_u32(&oci->json, size, "height", "process.consoleSize.height", &height) ||
	    json_u32(&oci->json, size, "width", "process.consoleSize.width", &width))
		return 1;
	if (height > UINT16_MAX || width > UINT16_MAX)
		return json_error(&oci->json, "process.consoleSize", "out of range");
	to->rows = (uint16_t)height;
	to->columns = (uint16_t)width;
	return 0;
}

int oci_load_process(struct oci *oci, yajl_val process)
{
	static const char *const refused[] = {"apparmorProfile", "selinuxLabel", "commandLine", "execCPUAffinity",
		NULL};
	struct container *c = oci->container;
	struct json *json = &oci->json;
	yajl_val size;
	int64_t score = 0;

	if (!process)
		return json_error(json, "process", "missing");
	if (!YAJL_IS_OBJECT(process))
		return json_error(json, "process", "not an object");
	if (oci_refuse(oci, process, refused, "process.") ||
	    json_strings(json, process, "args", "process.args", &c->args) ||
	    json_strings(json, process, "env", "process.env", &c->env) ||
	    json_string(json, process, "cwd", "process.cwd", &c->cwd) ||
	    json_bool(json, process, "terminal", "process.terminal", &c->terminal) ||
	    json_bool(json, process, "noNewPrivileges", "process.noNewPrivileges", &c->no_new_privs) ||
	    load_user(oci, process) || load_capabilities(oci, process) || load_rlimits(oci, process) ||
	    oci_load_schedule(oci, process) || json_object(json, process, "consoleSize", "process.consoleSize", &size) || load_size(oci, size))
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
