/*
 * `ringfence boot`: the VMM process. Internal: sandbox.c starts it with its descriptors
 * open at the numbers that the options name. Calls platform_boot() and turns the wait
 * status of the container's init into an exit status.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cli/cli.h"
#include "platform/platform.h"

enum { OPT_IMAGE = 256, OPT_GOFER, OPT_LOG, OPT_CONFIG, OPT_CONTROL, OPT_CPUS, OPT_MEMORY, OPT_USER, OPT_STATE, OPT_DEBUG };

static const struct option options[] = {
	{"image-fd", required_argument, NULL, OPT_IMAGE},
	{"gofer-fd", required_argument, NULL, OPT_GOFER},
	{"log-fd", required_argument, NULL, OPT_LOG},
	{"config-fd", required_argument, NULL, OPT_CONFIG},
	{"control-fd", required_argument, NULL, OPT_CONTROL},
	{"cpus", required_argument, NULL, OPT_CPUS},
	{"memory", required_argument, NULL, OPT_MEMORY},
	{"user", required_argument, NULL, OPT_USER},
	{"state", required_argument, NULL, OPT_STATE},
	{"debug", no_argument, NULL, OPT_DEBUG},
	{NULL, 0, NULL, 0},
};

static void set(struct vmm_options *vmm, int option, int *config_fd)
{
	unsigned long long value = optarg ? strtoull(optarg, NULL, 10) : 0;

	switch (option) {
	case OPT_IMAGE:
		vmm->image_fd = (int)value;
		break;
	case OPT_GOFER:
		vmm->gofer_fd = (int)value;
		break;
	case OPT_LOG:
		vmm->log_fd = (int)value;
		break;
	case OPT_CONFIG:
		*config_fd = (int)value;
		break;
	case OPT_CONTROL:
		vmm->control_fd = (int)value;
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
	case OPT_STATE:
		vmm->state_dir = optarg;
		break;
	case OPT_DEBUG:
		vmm->debug = true;
		break;
	}
}

int command_boot(int argc, char **argv)
{
	struct vmm_options vmm = {.platform = global.platform, .image_fd = -1, .gofer_fd = -1, .log_fd = -1,
		.control_fd = -1, .stdio = {0, 1, 2}};
	int option, config_fd = -1;
	struct stat st;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (option == '?')
			return 1;
		set(&vmm, option, &config_fd);
	}
	if (vmm.image_fd < 0 || config_fd < 0 || fstat(config_fd, &st) < 0)
		return cli_error("internal command: `ringfence run` starts it");
	vmm.config_len = (size_t)st.st_size;
	vmm.config = mmap(NULL, vmm.config_len, PROT_READ, MAP_PRIVATE, config_fd, 0);
	if (vmm.config == MAP_FAILED)
		return cli_error("configuration: %s", strerror(errno));
	close(config_fd);
	setsid(); /* keys typed at the terminal are for the command, which passes them on */
	int status = platform_boot(&vmm);
	if (status < 0)
		_exit(1);
	_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}
