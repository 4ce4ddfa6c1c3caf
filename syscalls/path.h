/*
 * Path arguments for the families that take them: copied in once, freed by PATH_FREE.
 * Internal to syscalls/.
 */
#ifndef SYSCALLS_PATH_H
#define SYSCALLS_PATH_H

#include <linux/errno.h>

#include "ring0/usercopy.h"
#include "vfs/vfs.h"

/* Looks up a path given in user memory: 0 with references in *path, or -errno. May sleep. */
static inline int path_lookup_user(int dirfd, uaddr_t name, unsigned flags, struct path *path)
{
	int rc;
	char *text = path_from_user(name, flags & LOOKUP_EMPTY, &rc);

	if (!text)
		return rc;
	rc = path_lookup(dirfd, text, flags, path);
	kfree(text);
	return rc;
}

#endif
