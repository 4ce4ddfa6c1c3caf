/*
 * See fate.h. Until a process is reaped its status stands in /proc/PID/stat (proc(5), field 52), afterwards its pidfd tells it
 * (PIDFD_GET_INFO, pidfd.h of Linux 6.15, whose names Debian's headers do not have yet).
 */
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/fate.h"

#define PATIENCE_MS 1000
#define TRIES 20
#define PAUSE_NS 5000000
#define INFO_EXIT (1u << 3)
#define STAT_EXIT_CODE 52

struct pidfd_info {
	uint64_t mask, cgroup;
	uint32_t ids[11];
	int32_t exit_code;
};
_Static_assert(sizeof(struct pidfd_info) == 64, "PIDFD_INFO_SIZE_VER0");
#define GET_INFO _IOWR(0xff, 11, struct pidfd_info)

static bool of_reaped(int pidfd, int *status)
{
	struct pidfd_info info = {.mask = INFO_EXIT};

	if (ioctl(pidfd, GET_INFO, &info) < 0 || !(info.mask & INFO_EXIT))
		return false;
	*status = info.exit_code;
	return true;
}

static bool of_zombie(pid_t pid, int *status)
{
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	AUTO_FILE FILE *file = fopen(path, "re");
	const char *at = file && fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
	if (!at || strncmp(at, ") Z ", 4) != 0)
		return false;
	for (int field = 2; at && field < STAT_EXIT_CODE; field++)
		at = strchr(at + 1, ' ');
	return at && sscanf(at, "%d", status) == 1;
}

bool fate_learn(int pidfd, pid_t pid, int *status)
{
	const struct timespec pause = {0, PAUSE_NS};
	struct pollfd ended = {pidfd, POLLIN, 0};

	if (pidfd < 0 || poll(&ended, 1, PATIENCE_MS) <= 0)
		return false;
	for (int i = 0; i < TRIES; i++) {
		if (of_zombie(pid, status) || of_reaped(pidfd, status))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}
