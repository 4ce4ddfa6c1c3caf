/* Capabilities of a program's file, the attribute security.capability: capabilities(7). */
#ifndef VFS_FILECAPS_H
#define VFS_FILECAPS_H

#include <stddef.h>
#include <stdint.h>

struct exec_ids;
struct inode;
struct vfs_ns_cap_data;

/*
 * The current task sets it: `data`, of *size bytes then, is what is to be stored. 0, -EINVAL (it is none, or its root has no number
 * here), -EPERM. Does not sleep.
 */
int filecaps_to_store(const struct inode *inode, const void *value, size_t *size, struct vfs_ns_cap_data *data);
/* As the current task sees it; size 0 only asks. Its size, -ENODATA, -EOVERFLOW: of others' namespaces, -errno. May sleep. */
int64_t filecaps_show(struct inode *inode, void *value, size_t size);
/* What it gives the program that the current task executes: sets the fields of `ids` that are about it, or none. May sleep. */
void filecaps_for_exec(struct inode *inode, struct exec_ids *ids);

#endif
