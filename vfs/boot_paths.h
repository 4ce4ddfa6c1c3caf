/* Paths that boot makes, masks or write-protects (vfs/boot_paths.c). Only vfs_boot.c calls these. */
#ifndef VFS_BOOT_PATHS_H
#define VFS_BOOT_PATHS_H

#include "kernel/config.h"
#include "vfs/vfs.h"

/* The object at an absolute path, made with its parents if it is missing (0755). References in *path. May sleep. */
int boot_path_make(const char *name, bool directory, struct path *path);
int boot_path_readonly(const char *name); /* 0 too if it does not exist */
int boot_path_mask(const char *name);     /* likewise */
int boot_path_device(const struct container_device *device); /* 0 too if the name is taken; -ENODEV: nothing drives it */
int boot_path_copy(const struct path *from, const struct path *to); /* what a directory holds; vfs/boot_copy.c */

#endif
