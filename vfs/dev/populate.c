/*
 * The nodes and links that a runtime makes on a fresh tmpfs at /dev (OCI runtime
 * specification, "Default Devices" and "Dev symbolic links").
 */
#include <linux/errno.h>

#include "ring0/lib.h"
#include "vfs/calls.h"
#include "vfs/dev/dev.h"
#include "vfs/vfs.h"

static const struct {
	const char *name;
	uint64_t rdev;
} nodes[] = {
	{"null", DEV_MAKE(1, 3)},
	{"zero", DEV_MAKE(1, 5)},
	{"full", DEV_MAKE(1, 7)},
	{"random", DEV_MAKE(1, 8)},
	{"urandom", DEV_MAKE(1, 9)},
	{"tty", DEV_MAKE(5, 0)},
};

static const struct {
	const char *name, *target;
} links[] = {
	{"fd", "/proc/self/fd"},
	{"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"},
	{"ptmx", "pts/ptmx"},
};

int dev_populate(struct mount *mount, unsigned with_console)
{
	struct path dir = {mount, mount->root};
	int rc = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(nodes) && !rc; i++)
		rc = vfs_mknod_in(&dir, nodes[i].name, S_IFCHR | 0666, nodes[i].rdev);
	for (unsigned i = 0; i < ARRAY_SIZE(links) && !rc; i++)
		rc = vfs_symlink_in(&dir, links[i].name, links[i].target);
	if (!rc && with_console)
		rc = vfs_mknod_in(&dir, "console", S_IFCHR | 0600, DEV_MAKE(5, 1));
	return rc == -EEXIST ? 0 : rc;
}
