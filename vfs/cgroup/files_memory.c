/*
 * The files of the memory controller (cgroup-v2, "Memory"), over kernel/mm/account.h. There is no swap: what limits it is kept and shown, and holds
 * by itself. What a group is charged for and how it is held to its limits, kernel/mm/pressure.c tells.
 */
#include <linux/errno.h>

#include "kernel/mm/account.h"
#include "vfs/cgroup/internal.h"

static unsigned long bytes(uint64_t pages)
{
	return (unsigned long)(pages * PAGE_SIZE);
}

static void show_pages(struct seq *seq, uint64_t pages)
{
	if (pages == ACCOUNT_NO_LIMIT)
		seq_puts(seq, "max\n");
	else
		seq_printf(seq, "%lu\n", bytes(pages));
}

/* A number with a suffix of K to E, as Linux' memparse() takes it: bytes. False: something else follows. */
static bool parse_bytes(char *text, uint64_t *value)
{
	static const char units[] = "kmgtpe";
	size_t n = strlen(text), unit = 0;

	*value = 0;
	if (!n)
		return true;
	while (units[unit] && units[unit] != (text[n - 1] | 0x20))
		unit++;
	/* In 0x1e the e is a digit. */
	if (units[unit] && !(text[0] == '0' && (text[1] | 0x20) == 'x' && units[unit] == 'e'))
		text[--n] = '\0';
	else
		unit = sizeof(units);
	if (n && cgroup_parse_number(text, value) == -EINVAL)
		return false;
	if (unit < sizeof(units) && __builtin_mul_overflow(*value, 1ull << (10 * (unit + 1)), value))
		*value = UINT64_MAX;
	return true;
}

/* "max" or bytes, in pages; -EINVAL: something else, and *pages stays. */
static int parse_pages(char *text, uint64_t *pages)
{
	bool max = !strcmp(text, "max");
	uint64_t value;

	if (!max && !parse_bytes(text, &value))
		return -EINVAL;
	*pages = max ? ACCOUNT_NO_LIMIT : MIN(value / PAGE_SIZE, (uint64_t)ACCOUNT_NO_LIMIT);
	return 0;
}

/* ---- numbers ---- */

#define SHOW(name, expression)                                           \
	static int name(struct seq *seq, struct pseudo_inode *p)         \
	{                                                                \
		const struct cgroup *group = cgroup_of(p);               \
		const struct memory_account *m = group ? group->memory : NULL; \
                                                                         \
		if (!m)                                                  \
			return -ENODEV;                                  \
		show_pages(seq, expression);                             \
		return 0;                                                \
	}

SHOW(show_current, m->pages)
SHOW(show_peak, m->peak)
SHOW(show_min, m->min)
SHOW(show_low, m->low)
SHOW(show_high, m->high)
SHOW(show_max, m->max)
SHOW(show_swap_max, m->swap_max)
SHOW(show_swap_high, m->swap_high)
#undef SHOW

#define SET(name, field)                                        \
	static int name(struct cgroup *group, char *text)       \
	{                                                       \
		return parse_pages(text, &group->memory->field); \
	}

SET(keep_min, min)
SET(keep_low, low)
SET(keep_swap_max, swap_max)
SET(keep_swap_high, swap_high)
#undef SET

static int set_max(struct cgroup *group, char *text)
{
	uint64_t pages;
	int rc = parse_pages(text, &pages);

	if (rc)
		return rc;
	account_set_max(group->memory, pages);
	account_shrink(group->number);
	return 0;
}

static int set_high(struct cgroup *group, char *text)
{
	uint64_t pages;
	int rc = parse_pages(text, &pages);

	if (rc)
		return rc;
	account_set_high(group->memory, pages);
	if (group->memory->pages > pages)
		(void)account_reclaim(group->memory, group->memory->pages - pages);
	return 0;
}

static int show_oom_group(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	seq_printf(seq, "%d\n", group->memory->oom_group);
	return 0;
}

static int set_oom_group(struct cgroup *group, char *text)
{
	return cgroup_parse_switch(text, &group->memory->oom_group);
}

static int set_reclaim(struct cgroup *group, char *text)
{
	uint64_t value;

	if (!parse_bytes(text, &value))
		return -EINVAL;
	return value && account_reclaim(group->memory, (value + PAGE_SIZE - 1) / PAGE_SIZE) < value / PAGE_SIZE ? -EAGAIN : 0;
}

/* ---- texts ---- */

static void show_counts(struct seq *seq, const uint64_t *events)
{
	static const char *const names[ACCOUNT_EVENTS] = {"low", "high", "max", "oom", "oom_kill", "oom_group_kill"};

	for (unsigned i = 0; i < ACCOUNT_EVENTS; i++)
		seq_printf(seq, "%s %lu\n", names[i], (unsigned long)events[i]);
}

static int show_events(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	show_counts(seq, group->memory->events);
	return 0;
}

static int show_events_local(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	show_counts(seq, group->memory->local_events);
	return 0;
}

/* What is told of Linux' many lines; cached files are on one list, private and shared memory on another. */
static int show_stat(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	const struct memory_account *m = group->memory;
	uint64_t anon = m->kinds[ACCOUNT_ANON], file = m->kinds[ACCOUNT_FILE], shmem = m->kinds[ACCOUNT_SHMEM];
	uint64_t tables = m->kinds[ACCOUNT_TABLES], stacks = m->kinds[ACCOUNT_STACKS];
	seq_printf(seq, "anon %lu\nfile %lu\nkernel %lu\nkernel_stack %lu\npagetables %lu\nshmem %lu\n", bytes(anon), bytes(file + shmem),
		bytes(account_kernel_pages(m)), bytes(stacks), bytes(tables), bytes(shmem));
	seq_printf(seq, "inactive_anon 0\nactive_anon %lu\ninactive_file %lu\nactive_file 0\nunevictable 0\n", bytes(anon + shmem), bytes(file));
	seq_printf(seq, "slab_reclaimable 0\nslab_unreclaimable %lu\nslab %lu\n", bytes(m->kinds[ACCOUNT_HEAP]), bytes(m->kinds[ACCOUNT_HEAP]));
	seq_printf(seq, "pgfault %lu\npgmajfault %lu\n", (unsigned long)m->faults, (unsigned long)m->major_faults);
	return 0;
}

const struct pseudo_entry cgroup_memory_table[] = {
	CGROUP_FILE_R("memory.current", show_current),
	CGROUP_WATCHED("memory.events", show_events),
	CGROUP_WATCHED("memory.events.local", show_events_local),
	CGROUP_SETTING("memory.high", show_high),
	CGROUP_SETTING("memory.low", show_low),
	CGROUP_SETTING("memory.max", show_max),
	CGROUP_SETTING("memory.min", show_min),
	CGROUP_SETTING("memory.oom.group", show_oom_group),
	CGROUP_FILE_R("memory.peak", show_peak),
	{.name = "memory.reclaim", .mode = S_IFREG | 0200, .write = cgroup_write_setting, .iops = &cgroup_inode_ops},
	CGROUP_FILE_R("memory.stat", show_stat),
	{.name = "memory.swap.current", .mode = S_IFREG | 0444, .show = pseudo_show_text, .text = "0\n", .write = cgroup_refuse_write, .iops = &cgroup_inode_ops},
	{.name = "memory.swap.events", .mode = S_IFREG | 0444, .show = pseudo_show_text, .text = "high 0\nmax 0\nfail 0\n", .write = cgroup_refuse_write, .iops = &cgroup_inode_ops},
	CGROUP_SETTING("memory.swap.high", show_swap_high),
	CGROUP_SETTING("memory.swap.max", show_swap_max),
	CGROUP_END,
};

const struct cgroup_setting cgroup_memory_settings[] = {
	{.name = "memory.high", .set = set_high},
	{.name = "memory.low", .set = keep_low},
	{.name = "memory.max", .set = set_max},
	{.name = "memory.min", .set = keep_min},
	{.name = "memory.oom.group", .set = set_oom_group},
	{.name = "memory.reclaim", .set = set_reclaim, .free = true},
	{.name = "memory.swap.high", .set = keep_swap_high},
	{.name = "memory.swap.max", .set = keep_swap_max},
	{.name = NULL},
};
