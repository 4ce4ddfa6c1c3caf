/* Global options, from wherever they come: see global_options.h. */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/global_options.h"
#include "cli/json.h"
#include "cli/options.h"

#define CONFIG_FILE "/etc/ringfence/config.json"
#define FIRST 256

/* What an option's setter says of a value: NULL if it is taken, else why not. Flags get "true" or "false". */
typedef const char *setter(const char *value);

static const char *config_path; /* --config */

static bool is(const char *value, const char *word)
{
	return strcmp(value, word) == 0;
}

static const char *set_flag(bool *flag, const char *value)
{
	if (!is(value, "true") && !is(value, "false"))
		return "not true or false";
	*flag = is(value, "true");
	return NULL;
}

static const char *set_path(const char **path, const char *value)
{
	if (!value[0])
		return "an empty path";
	*path = value;
	return NULL;
}

static const char *set_platform(const char *value)
{
	if (!is(value, "auto") && !is(value, "kvm") && !is(value, "systrap") && !is(value, "ptrace"))
		return "not a platform: auto, kvm, systrap or ptrace";
	global.platform = value;
	return NULL;
}

static const char *set_network(const char *value)
{
	if (!is(value, "none") && !is(value, "sandbox") && !is(value, "host"))
		return "not a network: sandbox, host or none";
	global.network = value;
	return NULL;
}

static const char *set_patching(const char *value)
{
	if (!is(value, "on") && !is(value, "off"))
		return "not on or off";
	global.no_patching = is(value, "off");
	return NULL;
}

static const char *set_root(const char *value)
{
	return set_path(&global.root, value);
}

static const char *set_log(const char *value)
{
	return set_path(&global.log, value);
}

static const char *set_log_format(const char *value)
{
	if (!is(value, "text") && !is(value, "json"))
		return "unknown log-format: text or json";
	global.log_json = is(value, "json");
	return NULL;
}

static const char *set_debug(const char *value)
{
	return set_flag(&global.debug, value);
}

static const char *set_debug_log(const char *value)
{
	return set_path(&global.debug_log, value);
}

static const char *set_strace(const char *value)
{
	return set_flag(&global.strace, value);
}

static const char *set_overlay(const char *value)
{
	return set_flag(&global.overlay, value);
}

static const char *set_watchdog(const char *value)
{
	char *end;
	unsigned long seconds = strtoul(value, &end, 10);

	if (end == value || *end || value[0] == '-' || seconds > 86400)
		return "not a number of seconds up to 86400";
	global.watchdog = (unsigned)seconds;
	return NULL;
}

static const char *set_file_access(const char *value)
{
	return is(value, "exclusive") ? NULL : "not supported: exclusive is";
}

static const char *set_cgroup_manager(const char *value)
{
	if (!is(value, "cgroupfs") && !is(value, "systemd") && !is(value, "disabled"))
		return "not supported: cgroupfs, systemd or disabled";
	global.no_cgroups = is(value, "disabled");
	global.systemd_cgroup = is(value, "systemd");
	return NULL;
}

static const char *set_systemd(const char *value)
{
	return set_flag(&global.systemd_cgroup, value);
}

static const char *set_rootless(const char *value)
{
	if (!is(value, "auto") && !is(value, "true") && !is(value, "false"))
		return "not true, false or auto";
	global.rootless = is(value, "auto") ? ROOTLESS_AUTO : is(value, "true") ? ROOTLESS_YES : ROOTLESS_NO;
	return NULL;
}

static const char *set_config(const char *value)
{
	return set_path(&config_path, value);
}

static const char *set_criu(const char *value)
{
	return "not supported: there is no checkpoint and no restore";
}

enum { LINE_ONLY = 1, HIDDEN = 2 };

static const struct global_option {
	const char *name, *argument; /* argument NULL: a flag */
	const char *help;
	setter *set;
	unsigned kind;
	const char *order; /* values from weak to strict, for annotations; NULL: they may not set it */
} table[] = {
	{"platform", "auto|kvm|systrap|ptrace", "the machine under the sandbox's kernel (auto)", set_platform, 0,
		"auto kvm|systrap kvm|ptrace kvm"},
	{"network", "sandbox|host|none", "sandbox (the default): the network namespace that config.json names is\n"
		"taken over; host: its sockets are used; none, or a container\nwithout one: loopback only", set_network, 0, "host sandbox none"},
	{"systrap-patching", "on|off", "on systrap, hot system calls become jumps in what programs execute,\n"
		"though not in what they are seen to have in memory (on)", set_patching, 0, "on off"},
	{"root", "DIR", "where state is kept (/run/ringfence)", set_root, 0, NULL},
	{"log", "FILE", "errors go there too, for an engine", set_log, 0, NULL},
	{"log-format", "text|json", "of that file (text)", set_log_format, 0, NULL},
	{"debug", NULL, "debug lines in the debug log", set_debug, 0, NULL},
	{"debug-log", "FILE", "the debug log (%ID% %COMMAND% %TIMESTAMP%) instead of standard error", set_debug_log, 0, NULL},
	{"strace", NULL, "the container's system calls in the debug log", set_strace, 0, NULL},
	{"watchdog", "SECONDS", "report a sandbox whose kernel does not answer for so long (60; 0: never)", set_watchdog, 0, NULL},
	{"overlay", NULL, "changes of the root stay in the sandbox's memory", set_overlay, 0, "false true"},
	{"file-access", "exclusive", "nobody else changes the container's root meanwhile (the default)", set_file_access, 0, NULL},
	{"cgroup-manager", "cgroupfs|systemd|disabled", "the host's control groups (cgroupfs)", set_cgroup_manager, 0, NULL},
	{"systemd-cgroup", NULL, "systemd makes them: linux.cgroupsPath is SLICE:PREFIX:NAME", set_systemd, 0, NULL},
	{"rootless", "auto|true|false", "do without what an ordinary user may not do (auto: for such a user)", set_rootless, 0, NULL},
	{"criu", "FILE", "", set_criu, LINE_ONLY | HIDDEN, NULL},
	{"config", "FILE", "options as JSON (" CONFIG_FILE ", if it is there)", set_config, LINE_ONLY, NULL},
};

#define COUNT (sizeof(table) / sizeof(table[0]))
static bool given[COUNT]; /* on the command line */

int global_parse(int argc, char **argv, bool *help, bool *version)
{
	struct option options[COUNT + 3] = {{0}};
	int option;

	for (size_t i = 0; i < COUNT; i++)
		options[i] = (struct option){table[i].name, table[i].argument ? required_argument : optional_argument, NULL,
			FIRST + (int)i};
	options[COUNT] = (struct option){"help", no_argument, NULL, 'h'};
	options[COUNT + 1] = (struct option){"version", no_argument, NULL, 'v'};
	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:hv", options, NULL)) != -1) {
		*help |= option == 'h';
		*version |= option == 'v';
		if (option == '?' || option == ':')
			return options_wrong(option, argv);
		if (option < FIRST)
			continue;
		const struct global_option *entry = &table[option - FIRST];
		const char *value = optarg ? optarg : "true", *reason = entry->set(value);
		if (reason)
			return cli_error("--%s: %.200s: %s (see ringfence help)", entry->name, value, reason);
		given[option - FIRST] = true;
	}
	return 0;
}

static const struct global_option *find(const char *name)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	}
	return NULL;
}

static bool is_of_groups(const struct global_option *entry)
{
	return entry->set == set_cgroup_manager || entry->set == set_systemd;
}

/* Has the command line said it: two options say who makes control groups. */
static bool is_given(const struct global_option *entry)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (given[i] && (&table[i] == entry || (is_of_groups(&table[i]) && is_of_groups(entry))))
			return true;
	}
	return false;
}

/* One key of the file. 0 or 1. */
static int load_key(const struct json *json, const char *key, yajl_val value)
{
	const struct global_option *entry = find(key);
	const char *text = YAJL_IS_TRUE(value) ? "true" : YAJL_IS_FALSE(value) ? "false" : YAJL_GET_STRING(value);

	if (!entry || entry->kind & LINE_ONLY)
		return json_error(json, key, entry ? "not in a configuration file" : "no such option");
	if (entry->argument ? !YAJL_IS_STRING(value) : !YAJL_IS_TRUE(value) && !YAJL_IS_FALSE(value))
		return json_error(json, key, entry->argument ? "not a string" : "not true or false");
	if (is_given(entry))
		return 0;
	const char *reason = entry->set(container_copy(text));
	return reason ? json_error(json, key, "%.200s: %s", text, reason) : 0;
}

int global_load_config(void)
{
	struct json json;

	if (!config_path && access(CONFIG_FILE, F_OK) < 0 && errno == ENOENT)
		return 0;
	if (json_read_as(&json, config_path ? config_path : CONFIG_FILE, "configuration"))
		return 1;
	for (size_t i = 0; i < json.root->u.object.len; i++) {
		if (load_key(&json, json.root->u.object.keys[i], json.root->u.object.values[i]))
			return 1;
	}
	yajl_tree_free(json.root);
	return 0;
}

static const char *current(const char *name)
{
	if (is(name, "platform"))
		return global.platform;
	if (is(name, "network"))
		return global.network;
	if (is(name, "systrap-patching"))
		return global.no_patching ? "off" : "on";
	return global.overlay ? "true" : "false";
}

/* Does `strict` come after `weak` in one of the chains "a b c|d c". */
static bool stricter(const char *order, const char *weak, const char *strict)
{
	AUTO_FREE char *copy = strdup(order);
	char *chains = copy, *chain;

	while (copy && (chain = strsep(&chains, "|"))) {
		bool seen = false;
		for (char *word; (word = strsep(&chain, " "));) {
			if (seen && is(word, strict))
				return true;
			seen |= is(word, weak);
		}
	}
	return false;
}

const char *global_tighten(const char *name, const char *value)
{
	const struct global_option *entry = find(name);

	if (!entry)
		return "no such option";
	if (!entry->order)
		return "an annotation may not set this option";
	if (is(value, current(name)))
		return NULL;
	if (!stricter(entry->order, current(name), value))
		return "an annotation may only tighten";
	return entry->set(value);
}

void global_print_help(void)
{
	options_print("help", 'h', NULL, "print this text");
	options_print("version", 'v', NULL, "print the version");
	for (size_t i = 0; i < COUNT; i++) {
		if (!(table[i].kind & HIDDEN))
			options_print(table[i].name, 0, table[i].argument, table[i].help);
	}
}
