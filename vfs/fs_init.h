/*
 * What boot calls once, before anything is mounted, so that file systems and devices
 * register themselves. Each is defined in the folder that its comment names.
 */
#ifndef VFS_FS_INIT_H
#define VFS_FS_INIT_H

void p9fs_init(void);        /* vfs/p9: type "9p" */
void procfs_init(void);     /* vfs/proc: type "proc" */
void sysfs_init(void);      /* vfs/sys: type "sysfs" */
void cgroupfs_init(void);   /* vfs/cgroup: type "cgroup2" */
void devpts_init(void);     /* vfs/tty: type "devpts" */
void tty_devices_init(void); /* vfs/tty: /dev/tty, /dev/console, /dev/ptmx by dev_register() */

#endif
