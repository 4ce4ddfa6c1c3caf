/* Files of /proc/net (net.c) that have a file of their own. */
#ifndef VFS_PROC_NET_H
#define VFS_PROC_NET_H

#include "vfs/proc/pseudo.h"

/* net_groups.c */
int proc_show_igmp(struct seq *seq, struct pseudo_inode *p);
int proc_show_igmp6(struct seq *seq, struct pseudo_inode *p);
int proc_show_dev_mcast(struct seq *seq, struct pseudo_inode *p);

/* net_counters.c */
int proc_show_snmp(struct seq *seq, struct pseudo_inode *p);
int proc_show_snmp6(struct seq *seq, struct pseudo_inode *p);
int proc_show_netstat(struct seq *seq, struct pseudo_inode *p);

#endif
