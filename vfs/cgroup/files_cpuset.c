/*
 * The files of the cpuset controller (cgroup-v2, "Cpuset"): on which of the sandbox's CPUs a group's tasks run. There is one memory
 * node; and no partitions.
 */
#include <linux/errno.h>

#include "vfs/cgroup/internal.h"

/* "0-2,4"; nothing for an empty mask. */
static void show_list(struct seq *seq, uint64_t mask)
{
	const char *between = "";

	for (unsigned cpu = 0; cpu < 64; cpu++) {
		unsigned first = cpu;

		if (!(mask >> cpu & 1))
			continue;
		while (cpu < 63 && mask >> (cpu + 1) & 1)
			cpu++;
		seq_printf(seq, cpu > first ? "%s%u-%u" : "%s%u", between, first, cpu);
		between = ",";
	}
	seq_puts(seq, "\n");
}

/* A number below 65536 at *at, which moves past it; -1: none. */
static int take_number(char **at)
{
	int value = -1;

	while (**at >= '0' && **at <= '9' && value < 65536)
		value = MAX(value, 0) * 10 + (*(*at)++ - '0');
	return value;
}

static int parse_list(char *text, unsigned count, uint64_t *mask)
{
	for (*mask = 0; *text;) {
		int first = take_number(&text), last = first;

		if (*text == '-') {
			text++;
			last = take_number(&text);
		}
		if (first < 0 || last < first || (*text && *text != ','))
			return -EINVAL;
		if ((unsigned)last >= count)
			return -ERANGE;
		*mask |= (last == 63 ? ~0ull : (1ull << (last + 1)) - 1) & ~((1ull << first) - 1);
		text += *text == ',';
	}
	return 0;
}

static int show_cpus(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	show_list(seq, group->cpus);
	return 0;
}

static int set_cpus(struct cgroup *group, char *text)
{
	uint64_t mask;
	int rc = parse_list(text, cpu_count, &mask);

	if (rc)
		return rc;
	cgroup_set_cpus(group, mask);
	return 0;
}

static int show_effective_cpus(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	show_list(seq, cgroup_cpus(group));
	return 0;
}

static int show_mems(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	show_list(seq, group->mems);
	return 0;
}

static int set_mems(struct cgroup *group, char *text)
{
	uint64_t mask;
	int rc = parse_list(text, 1, &mask);

	if (rc)
		return rc;
	group->mems = mask;
	return 0;
}

static int show_effective_mems(struct seq *seq, struct pseudo_inode *p)
{
	seq_puts(seq, "0\n");
	return 0;
}

const struct pseudo_entry cgroup_cpuset_table[] = {
	CGROUP_SETTING("cpuset.cpus", show_cpus),
	CGROUP_FILE_R("cpuset.cpus.effective", show_effective_cpus),
	CGROUP_SETTING("cpuset.mems", show_mems),
	CGROUP_FILE_R("cpuset.mems.effective", show_effective_mems),
	CGROUP_END,
};

const struct cgroup_setting cgroup_cpuset_settings[] = {
	{.name = "cpuset.cpus", .set = set_cpus},
	{.name = "cpuset.mems", .set = set_mems},
	{.name = NULL},
};
