/*
 * The gofer's files as a file system of the sentry: "9p".
 *
 * Boot calls p9fs_init() once, which registers the type; each configured mount then
 * mounts it with mount_args.gofer, the attach number (0: the root, which is exclusive).
 */
#ifndef VFS_P9_P9FS_H
#define VFS_P9_P9FS_H

#include <stdbool.h>
#include <stdint.h>

void p9fs_init(void);
/* Whether this is stat(2)'s device number of files of such a mount. */
bool p9fs_has_device(uint64_t dev);

#endif
