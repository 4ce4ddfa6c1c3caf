/*
 * Between the files of vfs/cgroup: cgroupfs.c has the directories and the type "cgroup2", files.c what every group has,
 * files_*.c the files of a controller each, settings.c the way of what is written to a limit.
 */
#ifndef VFS_CGROUP_INTERNAL_H
#define VFS_CGROUP_INTERNAL_H

#include "kernel/cgroup.h"
#include "vfs/proc/pseudo.h"

/* An inode's group stands in `start`, by number; no reference is held. NULL: the group is gone. */
static inline struct cgroup *cgroup_of(const struct pseudo_inode *p)
{
	return cgroup_find(p->start);
}

int cgroup_show_cpu_stat(struct seq *seq, struct pseudo_inode *p); /* files_cpu.c */
extern const struct inode_ops cgroup_inode_ops; /* of directories and files */
extern const struct file_ops cgroup_watched_file_ops; /* of files that tell of changes: poll and inotify */

/* Tables of files: of every group; of groups that have a controller. */
extern const struct pseudo_entry cgroup_core_table[], cgroup_cpuset_table[], cgroup_cpu_table[], cgroup_io_table[],
	cgroup_memory_table[], cgroup_pids_table[];
/* The files among them that may be given to others: whose owner is kept (CGROUP_OWNED_*); -1: not one of them. */
int cgroup_owned_index(const struct pseudo_entry *entry);
/* CGROUP_NOTICE_* of a file; -1: none. */
int cgroup_notice_of(const struct pseudo_entry *entry);

/* ---- settings.c ---- */

/* A limit. set: text without the blanks around it; may change it, and may sleep as its last act. 0 or -errno. */
struct cgroup_setting {
	const char *name;
	int (*set)(struct cgroup *group, char *text);
	bool blanks; /* it gets those around the text too */
	bool free; /* the top's may be written to inside: it loosens nothing */
};
extern const struct cgroup_setting cgroup_cpuset_settings[], cgroup_cpu_settings[], cgroup_io_settings[],
	cgroup_memory_settings[], cgroup_pids_settings[]; /* each ended by one without a name */

/* write() of all of them, and of files that take nothing. */
int64_t cgroup_write_setting(struct pseudo_inode *p, const char *text, size_t n);
int64_t cgroup_refuse_write(struct pseudo_inode *p, const char *text, size_t n);
#define CGROUP_FILE_R(n, fn) {.name = (n), .mode = S_IFREG | 0444, .show = (fn), .write = cgroup_refuse_write, .iops = &cgroup_inode_ops}
#define CGROUP_FILE_W(n, fn, take) {.name = (n), .mode = S_IFREG | 0644, .show = (fn), .write = (take), .iops = &cgroup_inode_ops}
#define CGROUP_SETTING(n, fn) CGROUP_FILE_W(n, fn, cgroup_write_setting)
#define CGROUP_WATCHED(n, fn) {.name = (n), .mode = S_IFREG | 0444, .show = (fn), .write = cgroup_refuse_write, \
	.iops = &cgroup_inode_ops, .fops = &cgroup_watched_file_ops}
#define CGROUP_END {.name = NULL}

/* The text without the blanks around it, terminated, in buf. NULL: longer than that. */
char *cgroup_trim(const char *text, size_t n, char *buf, size_t size);
/* A number as Linux' kstrtoull takes it, base 0: 0 or -EINVAL, -ERANGE. */
int cgroup_parse_number(const char *text, uint64_t *value);
int cgroup_parse_signed(const char *text, int64_t *value);
/* 0 or 1: 0; else -EINVAL or -ERANGE, and *value stays. */
int cgroup_parse_switch(const char *text, bool *value);
void cgroup_show_limit(struct seq *seq, uint64_t value, uint64_t max); /* max: "max" */

#endif
