/*
 * ringfence: the command. Reads the global options and calls the subcommand.
 *
 * Global options stand before the subcommand, as in runc. An option is either done or
 * refused by name; none is accepted and ignored.
 */
#include <fcntl.h>
#include <getopt.h>
#include <string.h>

#include "cli/cli.h"

#ifdef RF_SANITIZE
/* The jail has no /proc to look symbols up in, and lets nobody start the process that a search for leaks needs. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0:symbolize=0";
}
#endif

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
#define COMMAND_ENTRY(name) {#name, command_##name},
	COMMANDS(COMMAND_ENTRY)
};

enum { OPT_PLATFORM = 256, OPT_NETWORK, OPT_ROOT, OPT_DEBUG, OPT_DEBUG_LOG, OPT_STRACE, OPT_LOG,
	OPT_LOG_FORMAT,
	OPT_CGROUP_MANAGER, OPT_SYSTEMD, OPT_ROOTLESS, OPT_FILE_ACCESS, OPT_OVERLAY };

static const struct option options[] = {
	{"platform", required_argument, NULL, OPT_PLATFORM},
	{"network", required_argument, NULL, OPT_NETWORK},
	{"root", required_argument, NULL, OPT_ROOT},
	{"debug", no_argument, NULL, OPT_DEBUG},
	{"debug-log", required_argument, NULL, OPT_DEBUG_LOG},
	{"strace", no_argument, NULL, OPT_STRACE},
	{"cgroup-manager", required_argument, NULL, OPT_CGROUP_MANAGER},
	{"systemd-cgroup", no_argument, NULL, OPT_SYSTEMD},
	{"rootless", required_argument, NULL, OPT_ROOTLESS},
	{"file-access", required_argument, NULL, OPT_FILE_ACCESS},
	{"overlay", no_argument, NULL, OPT_OVERLAY},
	{"log", required_argument, NULL, OPT_LOG},
	{"log-format", required_argument, NULL, OPT_LOG_FORMAT},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'v'},
	{NULL, 0, NULL, 0},
};

static int usage_error(const char *what, const char *which)
{
	fprintf(stderr, "ringfence: %s: %s (see ringfence help)\n", which, what);
	return 1;
}

static int set_option(int option)
{
	switch (option) {
	case OPT_PLATFORM:
		if (strcmp(optarg, "auto") != 0 && strcmp(optarg, "kvm") != 0 && strcmp(optarg, "systrap") != 0 &&
		    strcmp(optarg, "ptrace") != 0)
			return usage_error("not a platform: auto, kvm, systrap or ptrace", optarg);
		global.platform = optarg;
		return 0;
	case OPT_NETWORK:
		if (strcmp(optarg, "none") != 0 && strcmp(optarg, "sandbox") != 0)
			return usage_error("not supported yet: --network=none and sandbox are", optarg);
		global.network = optarg;
		return 0;
	case OPT_ROOT:
		global.root = optarg;
		return 0;
	case OPT_CGROUP_MANAGER:
		if (strcmp(optarg, "cgroupfs") != 0 && strcmp(optarg, "disabled") != 0)
			return usage_error("not supported: cgroupfs or disabled", optarg);
		global.no_cgroups = optarg[0] == 'd';
		return 0;
	case OPT_SYSTEMD:
		return usage_error("not supported: control groups are made without systemd", "--systemd-cgroup");
	case OPT_ROOTLESS:
		if (strcmp(optarg, "auto") != 0 && strcmp(optarg, "false") != 0)
			return usage_error("not supported: auto or false", optarg);
		return 0; /* whoever is not root is told so */
	case OPT_FILE_ACCESS:
		if (strcmp(optarg, "exclusive") != 0)
			return usage_error("not supported: exclusive is", optarg);
		return 0;
	case OPT_OVERLAY:
		global.overlay = true;
		return 0;
	case OPT_LOG:
		global.log = optarg;
		return 0;
	case OPT_LOG_FORMAT:
		if (strcmp(optarg, "text") != 0 && strcmp(optarg, "json") != 0)
			return usage_error("unknown log-format: text or json", optarg);
		global.log_json = optarg[0] == 'j';
		return 0;
	case OPT_DEBUG:
		global.debug = true;
		return 0;
	case OPT_DEBUG_LOG:
		global.debug_log = optarg;
		return 0;
	default:
		global.strace = true;
		return 0;
	}
}

/* 0, 1 and 2 must be something: a closed one would be taken by the next descriptor that is opened. */
static int fill_stdio(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return usage_error("cannot be opened", "/dev/null");
	} while (fd < 3);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	int option;

	if (fill_stdio())
		return 1;
	if (argc > 0)
		argv[0] = "ringfence"; /* in getopt's messages */
	while ((option = getopt_long(argc, argv, "+hv", options, NULL)) != -1) {
		if (option == 'h')
			return command_help(1, argv);
		if (option == 'v')
			return command_version(1, argv);
		if (option == '?')
			return 1; /* getopt has said which */
		if (set_option(option) != 0)
			return 1;
	}
	if (optind >= argc)
		return usage_error("no command", "ringfence");
	argc -= optind;
	argv += optind;
	optind = 0; /* glibc: start again */
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[0], commands[i].name) != 0)
			continue;
		global.operation = commands[i].name;
		return commands[i].run(argc, argv);
	}
	return usage_error("no such command", argv[0]);
}
