/* /sys/class/net, for sysfs.c. */
#ifndef VFS_SYS_NET_H
#define VFS_SYS_NET_H

struct pseudo_entry;

void sysfs_net_init(void); /* once, at boot, when the network is configured */
/* The directory's entries; they appear with sysfs_net_init(). */
const struct pseudo_entry *sysfs_net_table(void);

#endif
