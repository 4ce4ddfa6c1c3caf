/* /sys/class/net, for sysfs.c. */
#ifndef VFS_SYS_NET_H
#define VFS_SYS_NET_H

struct pseudo_entry;
struct inode_ops;
struct file_ops;

/* The directory's entries and operations, which make them. */
const struct pseudo_entry *sysfs_net_table(void);
extern const struct inode_ops sysfs_net_inode_ops;
extern const struct file_ops sysfs_net_file_ops;

#endif
