/* Settings of /proc/sys by name, for a container's configuration: vfs/proc/sysctl.c. */
#ifndef VFS_PROC_SYSCTL_H
#define VFS_PROC_SYSCTL_H

/*
 * "name=value", the name's parts separated by dots or slashes, as the current task. 0; -ENOENT: no such setting;
 * -EROFS: it cannot be changed to that; what a write gives. Does not sleep.
 */
int sysctl_apply(const char *assignment);

#endif
