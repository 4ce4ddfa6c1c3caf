/*
 * The files of the cpu controller (cgroup-v2, "CPU") and cpu.stat, which every group has. What they take and refuse is what Linux does.
 */
#include <linux/errno.h>

#include "vfs/cgroup/internal.h"

#define WEIGHT_MIN 1
#define WEIGHT_MAX 10000
#define WEIGHT_DEFAULT 100u /* of cpu.weight: CPU_WEIGHT_DEFAULT */
#define QUOTA_MIN 1000000ull
#define PERIOD_MAX 1000000000ull
#define QUOTA_MAX (((1ull << 44) - 1) * 1000)

int cgroup_show_cpu_stat(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);
	uint64_t user, system;

	if (!group)
		return -ENODEV;
	const struct cpu_group *cpu = &group->cpu;
	cgroup_times(group, &user, &system);
	seq_printf(seq, "usage_usec %lu\nuser_usec %lu\nsystem_usec %lu\n", (unsigned long)((user + system) / 1000),
		(unsigned long)(user / 1000), (unsigned long)(system / 1000));
	if (cgroup_controllers(group) & CGROUP_CPU)
		seq_printf(seq, "nr_periods %lu\nnr_throttled %lu\nthrottled_usec %lu\nnr_bursts %lu\nburst_usec %lu\n",
			(unsigned long)cpu->periods, (unsigned long)cpu->throttled_periods,
			(unsigned long)(cpu_group_throttled_ns(cpu) / 1000), (unsigned long)cpu->bursts,
			(unsigned long)(cpu->burst_ns / 1000));
	return 0;
}

/* ---- weights ---- */

static int show_weight(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	seq_printf(seq, "%u\n", (group->cpu.weight * WEIGHT_DEFAULT + CPU_WEIGHT_DEFAULT / 2) / CPU_WEIGHT_DEFAULT);
	return 0;
}

static int set_weight(struct cgroup *group, char *text)
{
	uint64_t value;
	int rc = cgroup_parse_number(text, &value);

	if (rc)
		return rc;
	if (value < WEIGHT_MIN || value > WEIGHT_MAX)
		return -ERANGE;
	if (group->cpu.idle)
		return -EINVAL;
	cpu_group_set_weight(&group->cpu, (uint32_t)(value * CPU_WEIGHT_DEFAULT + WEIGHT_DEFAULT / 2) / WEIGHT_DEFAULT);
	return 0;
}

static int show_nice(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	seq_printf(seq, "%d\n", cpu_nice_of_weight(group->cpu.weight));
	return 0;
}

static int set_nice(struct cgroup *group, char *text)
{
	int64_t value;
	int rc = cgroup_parse_signed(text, &value);

	if (rc)
		return rc;
	if (value < -20 || value > 19)
		return -ERANGE;
	if (group->cpu.idle)
		return -EINVAL;
	cpu_group_set_weight(&group->cpu, cpu_weight_of_nice((int)value));
	return 0;
}

static int show_idle(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	seq_printf(seq, "%d\n", group->cpu.idle);
	return 0;
}

static int set_idle(struct cgroup *group, char *text)
{
	bool idle;
	int rc = cgroup_parse_switch(text, &idle);

	if (rc || group->cpu.idle == idle)
		return rc;
	group->cpu.idle = idle;
	cpu_group_set_weight(&group->cpu, idle ? CPU_WEIGHT_IDLE : CPU_WEIGHT_DEFAULT);
	return 0;
}

/* ---- bandwidth ---- */

static int show_max(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	if (group->cpu.quota == CPU_NO_QUOTA)
		seq_puts(seq, "max");
	else
		seq_printf(seq, "%lu", (unsigned long)(group->cpu.quota / 1000));
	seq_printf(seq, " %lu\n", (unsigned long)(group->cpu.period / 1000));
	return 0;
}

/* Linux' checks; all in ns. */
static int set_bandwidth(struct cgroup *group, uint64_t quota, uint64_t period, uint64_t burst)
{
	if (quota < QUOTA_MIN || period < QUOTA_MIN || period > PERIOD_MAX)
		return -EINVAL;
	if (quota != CPU_NO_QUOTA && (quota > QUOTA_MAX || burst > quota || burst + quota > QUOTA_MAX))
		return -EINVAL;
	cpu_group_set_quota(&group->cpu, quota, period, burst);
	cgroup_refresh_cpu(group->container);
	return 0;
}

/* Decimal digits at the begin, as scanf's %llu takes them: how many; 0: none, or too large. In µs; *ns is what they are. */
static size_t take_us(const char *text, uint64_t *ns)
{
	size_t n = 0;

	for (*ns = 0; text[n] >= '0' && text[n] <= '9'; n++) {
		if (*ns > QUOTA_MAX)
			return 0;
		*ns = *ns * 10 + (uint64_t)(text[n] - '0');
	}
	*ns *= 1000;
	return n;
}

static int set_max(struct cgroup *group, char *text)
{
	uint64_t quota = CPU_NO_QUOTA, period = group->cpu.period;
	char *second = text;

	while (*second && *second != ' ' && *second != '\t')
		second++;
	if (*second)
		*second++ = '\0';
	while (*second == ' ' || *second == '\t')
		second++;
	if (strcmp(text, "max") != 0 && !take_us(text, &quota))
		return -EINVAL;
	if (*second && *second >= '0' && *second <= '9' && !take_us(second, &period))
		return -EINVAL;
	return set_bandwidth(group, quota, period, group->cpu.burst);
}

static int show_burst(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	seq_printf(seq, "%lu\n", (unsigned long)(group->cpu.burst / 1000));
	return 0;
}

static int set_burst(struct cgroup *group, char *text)
{
	uint64_t value;
	int rc = cgroup_parse_number(text, &value);

	if (rc)
		return rc;
	if (value > QUOTA_MAX / 1000)
		return -EINVAL;
	return set_bandwidth(group, group->cpu.quota, group->cpu.period, value * 1000);
}

const struct pseudo_entry cgroup_cpu_table[] = {
	CGROUP_SETTING("cpu.idle", show_idle),
	CGROUP_SETTING("cpu.max", show_max),
	CGROUP_SETTING("cpu.max.burst", show_burst),
	CGROUP_SETTING("cpu.weight", show_weight),
	CGROUP_SETTING("cpu.weight.nice", show_nice),
	CGROUP_END,
};

const struct cgroup_setting cgroup_cpu_settings[] = {
	{.name = "cpu.idle", .set = set_idle},
	{.name = "cpu.max", .set = set_max},
	{.name = "cpu.max.burst", .set = set_burst},
	{.name = "cpu.weight", .set = set_weight},
	{.name = "cpu.weight.nice", .set = set_nice},
	{.name = NULL},
};
