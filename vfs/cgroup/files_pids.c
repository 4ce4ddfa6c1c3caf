/* The files of the pids controller (cgroup-v2, "PID"): how many tasks a group and all below it may have. */
#include <linux/errno.h>

#include "vfs/cgroup/internal.h"

static int show_max(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	cgroup_show_limit(seq, group->tasks_limit, CGROUP_NO_LIMIT);
	return 0;
}

static int set_max(struct cgroup *group, char *text)
{
	int64_t value;

	if (!strcmp(text, "max")) {
		group->tasks_limit = CGROUP_NO_LIMIT;
		return 0;
	}
	int rc = cgroup_parse_signed(text, &value);
	if (rc)
		return rc;
	if (value < 0 || value > INT32_MAX)
		return -EINVAL;
	group->tasks_limit = (uint64_t)value;
	return 0;
}

static int show_current(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	seq_printf(seq, "%lu\n", (unsigned long)group->tasks);
	return 0;
}

static int show_peak(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	seq_printf(seq, "%lu\n", (unsigned long)group->tasks_peak);
	return 0;
}

static int show_events(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	seq_printf(seq, "max %lu\n", (unsigned long)group->limit_hits);
	return 0;
}

const struct pseudo_entry cgroup_pids_table[] = {
	CGROUP_FILE_R("pids.current", show_current),
	CGROUP_WATCHED("pids.events", show_events),
	CGROUP_SETTING("pids.max", show_max),
	CGROUP_FILE_R("pids.peak", show_peak),
	CGROUP_END,
};

const struct cgroup_setting cgroup_pids_settings[] = {
	{.name = "pids.max", .set = set_max},
	{.name = NULL},
};
