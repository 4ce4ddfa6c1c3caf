/* The root file system's mounts: see mounts.h. Options are words of mount(8); what is not a flag is data. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "cli/shim/mounts.h"

#define DATA_MAX 4096u /* a page: the kernel's bound */
#define DEPTH_MAX 64u

static const struct flag {
	const char *name;
	unsigned long set, clear;
} flags[] = {
	{"bind", MS_BIND, 0},
	{"rbind", MS_BIND | MS_REC, 0},
	{"ro", MS_RDONLY, 0},
	{"rw", 0, MS_RDONLY},
	{"nosuid", MS_NOSUID, 0},
	{"suid", 0, MS_NOSUID},
	{"nodev", MS_NODEV, 0},
	{"dev", 0, MS_NODEV},
	{"noexec", MS_NOEXEC, 0},
	{"exec", 0, MS_NOEXEC},
	{"noatime", MS_NOATIME, 0},
	{"atime", 0, MS_NOATIME},
	{"nodiratime", MS_NODIRATIME, 0},
	{"relatime", MS_RELATIME, 0},
	{"strictatime", MS_STRICTATIME, 0},
	{"sync", MS_SYNCHRONOUS, 0},
	{"async", 0, MS_SYNCHRONOUS},
	{"dirsync", MS_DIRSYNC, 0},
	{"defaults", 0, 0},
};

static bool apply_flag(const char *option, unsigned long *set)
{
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (strcmp(flags[i].name, option) == 0) {
			*set = (*set & ~flags[i].clear) | flags[i].set;
			return true;
		}
	}
	return false;
}

static int parse_options(const Shim__Mount *m, unsigned long *set, char data[DATA_MAX])
{
	size_t used = 0;

	*set = 0;
	data[0] = '\0';
	for (size_t i = 0; i < m->n_options; i++) {
		if (apply_flag(m->options[i], set))
			continue;
		size_t length = strlen(m->options[i]);
		if (used + length + 2 > DATA_MAX)
			return -E2BIG;
		if (used > 0)
			data[used++] = ',';
		memcpy(data + used, m->options[i], length + 1);
		used += length;
	}
	return 0;
}

static int mount_one(const Shim__Mount *m, const char *target)
{
	char data[DATA_MAX];
	unsigned long set;
	int error = parse_options(m, &set, data);

	if (error)
		return error;
	if (mount(m->source, target, m->type, set, data) < 0)
		return -errno;
	/* A bind mount takes its flags in a second step only. */
	if (set & MS_BIND && set & ~(unsigned long)(MS_BIND | MS_REC) &&
	    mount(NULL, target, NULL, set | MS_REMOUNT, NULL) < 0) {
		error = -errno;
		umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
		return error;
	}
	return 0;
}

int mounts_apply(Shim__Mount *const *mounts, size_t count, const char *target, char why[256])
{
	for (size_t i = 0; i < count; i++) {
		int error = mounts[i]->target && mounts[i]->target[0] ? -EOPNOTSUPP : mount_one(mounts[i], target);
		if (!error)
			continue;
		snprintf(why, 256, "mount %s %s: %s", mounts[i]->type, mounts[i]->source,
			error == -EOPNOTSUPP ? "a target inside the root is not supported" : strerror(-error));
		while (i-- > 0)
			umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
		return error;
	}
	return 0;
}

void mounts_remove(const char *target)
{
	for (unsigned i = 0; i < DEPTH_MAX && umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) == 0; i++)
		;
}
