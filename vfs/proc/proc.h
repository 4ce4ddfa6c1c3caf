/*
 * proc(5): between the files of vfs/proc/. The tables' roots, and helpers about processes.
 */
#ifndef VFS_PROC_PROC_H
#define VFS_PROC_PROC_H

#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "vfs/proc/pseudo.h"

/* Who may not trace a process: sees all of it; its directory alone; not even that; nor who is in the group (hidepid=0, 1, 2, 4). */
enum proc_hide { PROC_HIDE_NOTHING, PROC_HIDE_CONTENT, PROC_HIDE_PROCESSES, PROC_HIDE_UNTRACEABLE = 4 };

struct proc_sb {
	struct pid_ns *ns; /* referenced */
	enum proc_hide hide;
	uint32_t gid;        /* whose members see all */
	bool processes_only; /* subset=pid */
};

#define PROC_USER_HZ_NS 10000000ull /* ns of a clock tick as programs see it (USER_HZ 100) */

extern const struct pseudo_entry proc_global_table[]; /* global.c: files at the root */
extern const struct pseudo_entry proc_sys_table[];    /* sysctl.c: below /proc/sys */
extern const struct pseudo_entry proc_net_table[];    /* net.c: below /proc/PID/net */
extern const struct pseudo_entry proc_pid_table[], proc_tid_table[]; /* The pid namespace of whoever mounted it: its numbers are the ones shown. */
static inline struct pid_ns *proc_pid_ns(const struct superblock *sb)
{
	return ((const struct proc_sb *)sb->private)->ns;
}
/* May the current task see `task` there, where what needs `least` or more is hidden? super.c */
bool proc_may_see(const struct superblock *sb, const struct task *task, enum proc_hide least);
extern const struct pseudo_entry proc_root_entry; /* root.c */
extern const struct file_ops proc_pid_file_ops;   /* of the directories /proc/PID, nothing else */

/* pid.c */
extern const struct inode_ops proc_fd_inode_ops, proc_task_inode_ops; /* pid_fd.c: fd, fdinfo; task */
extern const struct file_ops proc_fd_file_ops, proc_task_file_ops;

/* pid.c */
/* May the current task look into this one (ptrace(2), PTRACE_MODE_READ)? 0 or -EACCES. */
int proc_may_inspect(const struct task *task);
/* The mm of an inode's process, referenced (mm_put), or NULL with *error: 0 (no mm: kernel, zombie), -ESRCH, -EACCES. */
struct mm *proc_mm(const struct pseudo_inode *p, bool inspect, int *error);
bool proc_is_process(const struct pseudo_inode *p); /* the process as a whole, not one thread */

/* pid_stat.c, pid_maps.c, mounts.c, global.c, cpuinfo.c, net.c: show functions */
int proc_show_stat(struct seq *seq, struct pseudo_inode *p);
int proc_show_status(struct seq *seq, struct pseudo_inode *p);
int proc_show_statm(struct seq *seq, struct pseudo_inode *p);
int proc_show_sched(struct seq *seq, struct pseudo_inode *p);
int proc_show_io(struct seq *seq, struct pseudo_inode *p);
int proc_show_syscall(struct seq *seq, struct pseudo_inode *p);
int proc_show_limits(struct seq *seq, struct pseudo_inode *p);
int proc_show_maps(struct seq *seq, struct pseudo_inode *p);
int proc_show_numa_maps(struct seq *seq, struct pseudo_inode *p); /* pid_numa.c */
int proc_show_smaps(struct seq *seq, struct pseudo_inode *p);
int proc_show_smaps_rollup(struct seq *seq, struct pseudo_inode *p);
int proc_show_mounts(struct seq *seq, struct pseudo_inode *p);
int proc_show_mountinfo(struct seq *seq, struct pseudo_inode *p);
extern const struct file_ops proc_mounts_file_ops, proc_swaps_file_ops; /* can be polled */
int proc_show_mountstats(struct seq *seq, struct pseudo_inode *p);
int proc_show_keys(struct seq *seq, struct pseudo_inode *p);
int proc_show_key_users(struct seq *seq, struct pseudo_inode *p);
int proc_show_cpuinfo(struct seq *seq, struct pseudo_inode *p);

#endif
