/* Between cgroupfs.c (directories, the type "cgroup2") and files.c (what the files of a group say and take). */
#ifndef VFS_CGROUP_INTERNAL_H
#define VFS_CGROUP_INTERNAL_H

#include "kernel/cgroup.h"
#include "vfs/proc/pseudo.h"

/* An inode's group stands in `start`, by number; no reference is held. NULL: the group is gone. */
static inline struct cgroup *cgroup_of(const struct pseudo_inode *p)
{
	return cgroup_find(p->start);
}

extern const struct inode_ops cgroup_inode_ops; /* of directories and files */

/* Tables of files: of every group; of groups that have the pids controller. */
extern const struct pseudo_entry cgroup_core_table[], cgroup_pids_table[];
/* The files among them that may be given to others: whose owner is kept (CGROUP_OWNED_*); -1: not one of them. */
int cgroup_owned_index(const struct pseudo_entry *entry);
bool cgroup_is_events(const struct pseudo_entry *entry);

#endif
