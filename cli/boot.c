/*
 * `ringfence boot`: the VMM process. Internal: launch.c starts it, with the image, the
 * configuration, the lifeline and the pipe for error lines at descriptors 3 to 6 and the
 * others where the options say. Starts the gofer below itself, so that it dies with this
 * process, calls platform_boot() and turns the wait status of the container's init into
 * an exit status.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cli/cli.h"
#include "cli/launch.h"
#include "platform/platform.h"

enum { IMAGE_FD = 3, CONFIG_FD, LIFELINE_FD, ERROR_FD };
enum { OPT_LOG = 256, OPT_LISTEN, OPT_OWNER, OPT_CPUS, OPT_MEMORY, OPT_USER, OPT_STATE, OPT_DEBUG, OPT_DETACHED, OPT_HELD,
	OPT_CONSOLE, OPT_WATCHDOG, OPT_TREES_FD, OPT_TREES, OPT_IDS, OPT_OWN_NETWORK, OPT_HOST_NETWORK,
	OPT_PASSED_FD, OPT_PASSED };

static const struct option options[] = {
	{"log-fd", required_argument, NULL, OPT_LOG},
	{"listen-fd", required_argument, NULL, OPT_LISTEN},
	{"owner", required_argument, NULL, OPT_OWNER},
	{"cpus", required_argument, NULL, OPT_CPUS},
	{"memory", required_argument, NULL, OPT_MEMORY},
	{"user", required_argument, NULL, OPT_USER},
	{"state", required_argument, NULL, OPT_STATE},
	{"watchdog", required_argument, NULL, OPT_WATCHDOG},
	{"debug", no_argument, NULL, OPT_DEBUG},
	{"held", no_argument, NULL, OPT_HELD},
	{"detached", no_argument, NULL, OPT_DETACHED},
	{"console", no_argument, NULL, OPT_CONSOLE},
	{"trees-fd", required_argument, NULL, OPT_TREES_FD},
	{"trees", required_argument, NULL, OPT_TREES},
	{"ids", required_argument, NULL, OPT_IDS},
	{"own-network", no_argument, NULL, OPT_OWN_NETWORK},
	{"host-network", required_argument, NULL, OPT_HOST_NETWORK},
	{"passed-fd", required_argument, NULL, OPT_PASSED_FD},
	{"passed", required_argument, NULL, OPT_PASSED},
	{NULL, 0, NULL, 0},
};

struct boot {
	struct vmm_options vmm;
	bool console, held;
	int trees_fd;      /* the first; the others follow */
	const char *trees; /* a letter a tree: r read-only, w writable; R, W: detached ones */
	const char *ids;   /* the container's mappings, for the gofer */
};

/* One without an argument. */
static void set_flag(struct boot *boot, int option)
{
	switch (option) {
	case OPT_DEBUG:
		boot->vmm.debug = true;
		break;
	case OPT_DETACHED:
		boot->vmm.detached = true;
		break;
	case OPT_HELD:
		boot->held = true;
		break;
	case OPT_CONSOLE:
		boot->console = true;
		break;
	case OPT_OWN_NETWORK:
		boot->vmm.own_network = true;
		break;
	}
}

static void set(struct boot *boot, int option)
{
	unsigned long long value = optarg ? strtoull(optarg, NULL, 10) : 0;
	struct vmm_options *vmm = &boot->vmm;

	switch (option) {
	case OPT_LOG:
		vmm->log_fd = (int)value;
		break;
	case OPT_LISTEN:
		vmm->listen_fd = (int)value;
		break;
	case OPT_OWNER:
		vmm->owner = (uint32_t)value;
		break;
	case OPT_CPUS:
		vmm->cpus = (unsigned)value;
		break;
	case OPT_MEMORY:
		vmm->memory_limit = value;
		break;
	case OPT_USER:
		vmm->uid = vmm->gid = (uint32_t)value;
		break;
	case OPT_WATCHDOG:
		vmm->watchdog = (unsigned)value;
		break;
	case OPT_STATE:
		vmm->state_dir = optarg;
		break;
	case OPT_TREES_FD:
		boot->trees_fd = (int)value;
		break;
	case OPT_HOST_NETWORK:
		vmm->host_network = true;
		vmm->network_caps = (uint32_t)value;
		break;
	case OPT_PASSED_FD:
		vmm->passed_fd = (int)value;
		break;
	case OPT_PASSED:
		vmm->passed_count = (unsigned)value;
		break;
	case OPT_TREES:
		boot->trees = optarg;
		break;
	case OPT_IDS:
		boot->ids = optarg;
		break;
	}
}

static int start_gofer(struct boot *boot)
{
	struct gofer_start start = {.count = (unsigned)strlen(boot->trees), .ids = boot->ids, .errors = ERROR_FD,
		.left_network = boot->vmm.own_network};

	if (start.count > CONTAINER_MAX_TREES)
		return cli_error("too many trees");
	for (unsigned i = 0; i < start.count; i++) {
		start.fds[i] = boot->trees_fd + (int)i;
		start.readonly[i] = tolower((unsigned char)boot->trees[i]) == 'r';
		start.detached[i] = isupper((unsigned char)boot->trees[i]);
	}
	pid_t pid = sandbox_start_gofer(&start, &boot->vmm.gofer_fd);
	for (unsigned i = 0; i < start.count; i++)
		close(start.fds[i]);
	boot->vmm.gofer_pid = pid;
	return pid < 0;
}

int command_boot(int argc, char **argv)
{
	struct boot boot = {.trees = "", .ids = "", .vmm = {.platform = global.platform, .no_patching = global.no_patching,
		.image_fd = IMAGE_FD, .gofer_fd = -1,
		.log_fd = -1, .control_fd = LIFELINE_FD, .error_fd = ERROR_FD, .listen_fd = -1, .stdio = {0, 1, 2}}};
	int option;
	struct stat st;

	mallopt(M_ARENA_MAX, 1); /* its threads allocate next to nothing */
	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (option == '?')
			return 1;
		(optarg ? set : set_flag)(&boot, option);
	}
	if (argc < 2 || fstat(CONFIG_FD, &st) < 0)
		return cli_error("internal command: `ringfence run` starts it");
	boot.vmm.config_len = (size_t)st.st_size;
	boot.vmm.config = mmap(NULL, boot.vmm.config_len, PROT_READ, MAP_PRIVATE, CONFIG_FD, 0);
	if (boot.vmm.config == MAP_FAILED)
		return cli_error("configuration: %s", strerror(errno));
	close(CONFIG_FD);
	if (!boot.vmm.own_network && !boot.vmm.host_network)
		boot.vmm.own_network = unshare(CLONE_NEWNET) == 0; /* one for both: making one takes long */
	if (start_gofer(&boot))
		return 1;
	setsid(); /* keys typed at the command's terminal are for the command, which passes them on */
	if (boot.console)
		ioctl(0, TIOCSCTTY, 0); /* nobody else has it: changes of its size come here */
	char go;
	if (boot.held && recv(LIFELINE_FD, &go, 1, 0) != 1)
		_exit(1); /* the command has gone */
	int status = platform_boot(&boot.vmm);
	if (status < 0)
		_exit(1);
	_exit(cli_shell_status(status));
}
