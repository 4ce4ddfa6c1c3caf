/*
 * Control groups by descriptor: vfs/cgroup/cgroupfs.c.
 */
#ifndef VFS_CGROUP_CGROUPFS_H
#define VFS_CGROUP_CGROUPFS_H

struct cgroup;
struct file;

/* The group of an open directory; NULL: it is none, or the group has gone. */
struct cgroup *cgroupfs_group(const struct file *file);

#endif
