/*
 * config.json: linux.seccomp, translated by libseccomp into the classic BPF program that
 * the sentry runs for every system call of the container.
 *
 * Names that libseccomp does not know are left out, as runc does: such calls get the
 * default action. Architectures beside x86-64 never run; those of x86 are named in the
 * program, the others are left out.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/oci_parts.h"

#define DEFAULT_ERRNO EPERM
#define PROGRAM_MAX 4096u /* instructions: platform/abi/config.h */
#define AT "linux.seccomp"

static int number(struct oci *oci, yajl_val object, const char *key, const char *property, uint64_t *out)
{
	yajl_val value = json_member(object, key);
	char *end;

	if (!value)
		return 0;
	if (!YAJL_IS_NUMBER(value))
		return json_error(&oci->json, property, "%s is not a number", key);
	errno = 0;
	*out = strtoull(YAJL_GET_NUMBER(value), &end, 10); /* the specification's uint64 is wider than yajl's integers */
	if (errno || *end || YAJL_GET_NUMBER(value)[0] == '-')
		return json_error(&oci->json, property, "%s is out of range", key);
	return 0;
}

/* `errno_key`: the member with what SCMP_ACT_ERRNO and SCMP_ACT_TRACE give. */
static int load_action(struct oci *oci, yajl_val object, const char *key, const char *errno_key, const char *property,
	uint32_t *action)
{
	static const struct {
		const char *name;
		uint32_t action;
	} actions[] = {{"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD}, {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
		{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS}, {"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
		{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW}, {"SCMP_ACT_LOG", SCMP_ACT_LOG}};
	uint64_t value = DEFAULT_ERRNO;
	char *name = NULL;

	if (json_string(&oci->json, object, key, property, &name) || number(oci, object, errno_key, property, &value))
		return 1;
	if (!name)
		return json_error(&oci->json, property, "%s: missing", key);
	if (value > 4095)
		return json_error(&oci->json, property, "%s: out of range", errno_key);
	if (strcmp(name, "SCMP_ACT_ERRNO") == 0 || strcmp(name, "SCMP_ACT_TRACE") == 0) {
		*action = name[9] == 'E' ? SCMP_ACT_ERRNO(value) : SCMP_ACT_TRACE(value);
		return 0;
	}
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(name, actions[i].name) == 0) {
			*action = actions[i].action;
			return 0;
		}
	}
	return json_error(&oci->json, property, "%s: %.60s", name,
		strcmp(name, "SCMP_ACT_NOTIFY") == 0 ? "not supported: nobody outside sees the container's calls" : "no such action");
}

static int load_arg(struct oci *oci, yajl_val v, const char *property, struct scmp_arg_cmp *arg)
{
	static const struct {
		const char *name;
		enum scmp_compare op;
	} operators[] = {{"SCMP_CMP_NE", SCMP_CMP_NE}, {"SCMP_CMP_LT", SCMP_CMP_LT}, {"SCMP_CMP_LE", SCMP_CMP_LE},
		{"SCMP_CMP_EQ", SCMP_CMP_EQ}, {"SCMP_CMP_GE", SCMP_CMP_GE}, {"SCMP_CMP_GT", SCMP_CMP_GT},
		{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}};
	uint64_t index = 0, value = 0, second = 0;
	char *name = NULL;
	size_t i = 0;

	if (number(oci, v, "index", property, &index) || number(oci, v, "value", property, &value) ||
	    number(oci, v, "valueTwo", property, &second) || json_string(&oci->json, v, "op", property, &name))
		return 1;
	while (i < sizeof(operators) / sizeof(operators[0]) && (!name || strcmp(name, operators[i].name) != 0))
		i++;
	if (index > 5 || i == sizeof(operators) / sizeof(operators[0]))
		return json_error(&oci->json, property, "%s: no such test of an argument", index > 5 ? "index" : name ? name : "op");
	*arg = (struct scmp_arg_cmp){(unsigned)index, operators[i].op, value, second};
	return 0;
}

static int add_rule(struct oci *oci, scmp_filter_ctx filter, const char *name, uint32_t action, unsigned count,
	const struct scmp_arg_cmp *args, const char *property)
{
	int call = seccomp_syscall_resolve_name(name);
	int error = call == __NR_SCMP_ERROR ? 0 : seccomp_rule_add_array(filter, action, call, count, args);

	if (!error)
		return 0;
	return json_error(&oci->json, property, "%s: %s", name, strerror(-error));
}

/* Tests of different arguments hold together; two of the same one are two rules, as runc has it. */
static int add_rules(struct oci *oci, scmp_filter_ctx filter, const char *name, uint32_t action, yajl_val list,
	const char *property)
{
	struct scmp_arg_cmp args[16];
	unsigned count = 0, seen = 0;
	bool again = false;

	if (list && list->u.array.len > 16)
		return json_error(&oci->json, property, "%s: more than 16 tests", name);
	for (; list && count < list->u.array.len; count++) {
		if (load_arg(oci, list->u.array.values[count], property, &args[count]))
			return 1;
		again |= seen >> args[count].arg & 1;
		seen |= 1u << args[count].arg;
	}
	if (!again)
		return add_rule(oci, filter, name, action, count, args, property);
	for (unsigned i = 0; i < count; i++) {
		if (add_rule(oci, filter, name, action, 1, &args[i], property))
			return 1;
	}
	return 0;
}

static int load_calls(struct oci *oci, scmp_filter_ctx filter, yajl_val profile, uint32_t default_action)
{
	yajl_val list, args;

	if (json_array(&oci->json, profile, "syscalls", AT ".syscalls", &list))
		return 1;
	for (size_t i = 0; list && i < list->u.array.len; i++) {
		yajl_val v = list->u.array.values[i];
		struct strings names = {0};
		char property[64];
		uint32_t action;
		snprintf(property, sizeof(property), AT ".syscalls[%zu]", i);
		if (json_strings(&oci->json, v, "names", property, &names) ||
		    load_action(oci, v, "action", "errnoRet", property, &action) ||
		    json_array(&oci->json, v, "args", property, &args))
			return 1;
		if (names.count == 0)
			return json_error(&oci->json, property, "names: missing");
		for (size_t k = 0; k < names.count && action != default_action; k++) {
			if (add_rules(oci, filter, names.items[k], action, args, property))
				return 1;
		}
	}
	return 0;
}

static int load_architectures(struct oci *oci, scmp_filter_ctx filter, yajl_val profile)
{
	struct strings names = {0};

	if (json_strings(&oci->json, profile, "architectures", AT ".architectures", &names))
		return 1;
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.items[i];
		if (strncmp(name, "SCMP_ARCH_", 10) != 0)
			return json_error(&oci->json, AT ".architectures", "%s: no such architecture", name);
		if (strcmp(name, "SCMP_ARCH_X86") == 0)
			seccomp_arch_add(filter, SCMP_ARCH_X86);
		else if (strcmp(name, "SCMP_ARCH_X32") == 0)
			seccomp_arch_add(filter, SCMP_ARCH_X32);
	}
	return 0;
}

static int load_flags(struct oci *oci, yajl_val profile, uint32_t *flags)
{
	struct strings names = {0};

	if (json_strings(&oci->json, profile, "flags", AT ".flags", &names))
		return 1;
	for (size_t i = 0; i < names.count; i++) {
		if (strcmp(names.items[i], "SECCOMP_FILTER_FLAG_LOG") == 0)
			*flags |= SECCOMP_FILTER_FLAG_LOG;
		else if (strcmp(names.items[i], "SECCOMP_FILTER_FLAG_SPEC_ALLOW") == 0)
			*flags |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
		else if (strcmp(names.items[i], "SECCOMP_FILTER_FLAG_TSYNC") != 0) /* there is one thread yet */
			return json_error(&oci->json, AT ".flags", "%s: not supported", names.items[i]);
	}
	return 0;
}

/* The program out of libseccomp, by a file in memory. */
static int export(struct oci *oci, scmp_filter_ctx filter, struct container_seccomp *out)
{
	AUTO_FD int fd = memfd_create("seccomp", MFD_CLOEXEC);
	int error = fd < 0 ? -errno : seccomp_export_bpf(filter, fd);
	struct stat st;

	if (error || fstat(fd, &st) < 0)
		return json_error(&oci->json, AT, "%s", strerror(error ? -error : errno));
	out->count = (uint32_t)((size_t)st.st_size / sizeof(struct sock_filter));
	if (out->count == 0 || out->count > PROGRAM_MAX)
		return json_error(&oci->json, AT, "a program of %u instructions: at most %u", out->count, PROGRAM_MAX);
	out->program = malloc((size_t)st.st_size);
	if (!out->program || pread(fd, out->program, (size_t)st.st_size, 0) != st.st_size)
		return json_error(&oci->json, AT, "cannot be read back");
	return 0;
}

/* An agent outside would look at the process that made the call, in /proc and its memory: on the host there is none. */
static int refuse_listener(struct oci *oci, yajl_val profile)
{
	static const char *const keys[] = {"listenerPath", "listenerMetadata"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (json_present(profile, keys[i]))
			return json_error(&oci->json, AT, "%s: not supported: the container's processes are none of the host's, where an "
				"agent would look at them", keys[i]);
	}
	return 0;
}

int oci_load_seccomp(struct oci *oci, yajl_val linux_part)
{
	struct container_seccomp *out = &oci->container->seccomp;
	uint32_t action;
	yajl_val profile;

	if (json_object(&oci->json, linux_part, "seccomp", AT, &profile))
		return 1;
	if (!profile)
		return 0;
	if (refuse_listener(oci, profile) || load_flags(oci, profile, &out->flags) ||
	    load_action(oci, profile, "defaultAction", "defaultErrnoRet", AT, &action))
		return 1;
	scmp_filter_ctx filter = seccomp_init(action);
	if (!filter)
		return json_error(&oci->json, AT, "libseccomp does not take the default action");
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree: it runs for every call */
	int result = load_architectures(oci, filter, profile) || load_calls(oci, filter, profile, action) ||
		export(oci, filter, out);
	seccomp_release(filter);
	return result;
}
