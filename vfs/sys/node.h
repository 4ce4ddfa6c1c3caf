/* /sys/devices/system/node, for sysfs.c, and what both show of the CPUs. */
#ifndef VFS_SYS_NODE_H
#define VFS_SYS_NODE_H

struct pseudo_entry;
struct pseudo_inode;
struct seq;

/* The directory's entries, with a link for each CPU. Once, when their number is known. */
const struct pseudo_entry *sysfs_node_table(void);

/* sysfs.c: all CPUs, as a list and as a mask. */
int sysfs_show_cpus(struct seq *seq, struct pseudo_inode *p);
int sysfs_show_cpu_mask(struct seq *seq, struct pseudo_inode *p);

#endif
