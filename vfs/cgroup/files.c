/*
 * The files of a control group (Documentation/admin-guide/cgroup-v2). A text is made when it is read; what is written is checked and given to
 * kernel/cgroup.c. What would loosen the container's own limits, or undo what the host side ordered, is refused in its
 * topmost group, as Linux does for a group that was delegated (EPERM).
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/inotify.h>

#include "kernel/container.h"
#include "kernel/cred.h"
#include "kernel/process.h"
#include "kernel/user_ns.h"
#include "vfs/cgroup/internal.h"
#include "vfs/poll.h"

/* The text without the blanks around it, terminated. */
static const char *trimmed(const char *text, size_t n, char *buf, size_t size)
{
	while (n && (*text == ' ' || *text == '\t' || *text == '\n'))
		text++, n--;
	while (n && (text[n - 1] == ' ' || text[n - 1] == '\t' || text[n - 1] == '\n'))
		n--;
	n = MIN(n, size - 1);
	memcpy(buf, text, n);
	buf[n] = '\0';
	return buf;
}

/* Decimal digits alone: 0 or -EINVAL, -ERANGE. */
static int parse_number(const char *text, uint64_t *value)
{
	if (!*text)
		return -EINVAL;
	for (*value = 0; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		if (*value > (UINT64_MAX - 9) / 10)
			return -ERANGE;
		*value = *value * 10 + (uint64_t)(*text - '0');
	}
	return 0;
}

/* A number or "max", which becomes `max`. */
static int parse_limit(const char *text, size_t n, uint64_t max, uint64_t *value)
{
	char buf[32];

	text = trimmed(text, n, buf, sizeof(buf));
	if (!strcmp(text, "max")) {
		*value = max;
		return 0;
	}
	return *text == '-' && !parse_number(text + 1, value) ? -ERANGE : parse_number(text, value);
}

static void show_limit(struct seq *seq, uint64_t value, uint64_t max)
{
	if (value == max)
		seq_puts(seq, "max\n");
	else
		seq_printf(seq, "%lu\n", (unsigned long)value);
}

/* ---- processes ---- */

static int show_procs(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);
	const struct process *process;

	if (!group)
		return -ENODEV;
	TAILQ_FOREACH(process, &group->members, cgroup_link)
		seq_printf(seq, "%d\n", pid_vnr(process->pid));
	return 0;
}

static int show_threads(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);
	const struct process *process;
	const struct task *task;

	if (!group)
		return -ENODEV;
	TAILQ_FOREACH(process, &group->members, cgroup_link) {
		TAILQ_FOREACH(task, &process->tasks, sibling) {
			if (task->state != TASK_ZOMBIE)
				seq_printf(seq, "%d\n", pid_vnr(task->tid));
		}
	}
	return 0;
}

static bool owns_procs(const struct cgroup *group)
{
	const uint32_t *owner = group->owner[CGROUP_OWNED_PROCS];

	return owner[0] == current->cred->fsuid ||
		(capable_here(CAP_DAC_OVERRIDE) && id_seen_from(user_ns_current(), ID_UID, owner[0]) != ID_NONE &&
			id_seen_from(user_ns_current(), ID_GID, owner[1]) != ID_NONE);
}

/* cgroup-v2, "Delegation Containment": who moves a process may also write to where both groups hang together. */
static bool may_move(const struct cgroup *from, const struct cgroup *to)
{
	const struct cgroup *common;

	for (; to; to = to->parent) {
		for (common = from; common && common != to; common = common->parent)
			;
		if (common)
			return owns_procs(common);
	}
	return false;
}

static int64_t write_procs(struct pseudo_inode *p, const char *text, size_t n)
{
	struct cgroup *group = cgroup_of(p);
	struct task *task = current;
	uint64_t nr;
	char buf[32];
	int rc = parse_number(trimmed(text, n, buf, sizeof(buf)), &nr);

	if (!group)
		return -ENODEV;
	if (rc || nr > INT32_MAX)
		return -EINVAL;
	if (nr)
		task = task_find((int)nr);
	if (!task || !task->process)
		return -ESRCH;
	if (!may_move(task->process->cgroup, group))
		return -EACCES;
	rc = cgroup_move(group, task->process);
	return rc ? rc : (int64_t)n;
}

/* Single threads stay with their process. */
static int64_t refuse_threads(struct pseudo_inode *p, const char *text, size_t n)
{
	return -EOPNOTSUPP;
}

static int64_t refuse_write(struct pseudo_inode *p, const char *text, size_t n)
{
	return -EINVAL;
}

/* ---- the tree ---- */

static int show_type(struct seq *seq, struct pseudo_inode *p)
{
	seq_puts(seq, "domain\n");
	return 0;
}

static int64_t write_type(struct pseudo_inode *p, const char *text, size_t n)
{
	char buf[32];

	return strcmp(trimmed(text, n, buf, sizeof(buf)), "threaded") ? -EINVAL : -EOPNOTSUPP;
}

static int show_controllers(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	seq_puts(seq, cgroup_has_pids(group) ? "pids\n" : "\n");
	return 0;
}

static int show_subtree_control(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	seq_puts(seq, group->gives_pids ? "pids\n" : "\n");
	return 0;
}

/* Linux' other controllers: known, but not here. */
static bool is_known_controller(const char *name)
{
	static const char *const names[] = {"cpu", "cpuset", "io", "memory", "hugetlb", "rdma", "misc", NULL};
	unsigned i = 0;

	while (names[i] && strcmp(names[i], name) != 0)
		i++;
	return names[i];
}

static int64_t write_subtree_control(struct pseudo_inode *p, const char *text, size_t n)
{
	struct cgroup *group = cgroup_of(p);
	int give = -1, rc;
	char word[32];

	for (size_t i = 0; i < n;) {
		size_t len = 0;

		while (i + len < n && text[i + len] != ' ' && text[i + len] != '\n')
			len++;
		trimmed(text + i, len, word, sizeof(word));
		i += len + 1;
		if (!word[0])
			continue;
		if (word[0] != '+' && word[0] != '-')
			return -EINVAL;
		if (strcmp(word + 1, "pids") != 0)
			return is_known_controller(word + 1) ? word[0] == '+' ? -ENOENT : 0 : -EINVAL;
		give = word[0] == '+';
	}
	if (!group)
		return -ENODEV;
	rc = give < 0 ? 0 : cgroup_give_pids(group, give);
	return rc ? rc : (int64_t)n;
}

static int show_depth(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	show_limit(seq, group->max_depth, UINT32_MAX);
	return 0;
}

static int show_max_descendants(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	show_limit(seq, group->max_descendants, UINT32_MAX);
	return 0;
}

static int64_t write_tree_limit(struct pseudo_inode *p, const char *text, size_t n, bool depth)
{
	struct cgroup *group = cgroup_of(p);
	uint64_t value;
	int rc = parse_limit(text, n, UINT32_MAX, &value);

	if (!group)
		return -ENODEV;
	if (!rc && value > UINT32_MAX)
		rc = -ERANGE;
	if (rc)
		return rc;
	*(depth ? &group->max_depth : &group->max_descendants) = (uint32_t)value;
	return (int64_t)n;
}

static int64_t write_depth(struct pseudo_inode *p, const char *text, size_t n)
{
	return write_tree_limit(p, text, n, true);
}

static int64_t write_max_descendants(struct pseudo_inode *p, const char *text, size_t n)
{
	return write_tree_limit(p, text, n, false);
}

static int show_stat(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	seq_printf(seq, "nr_descendants %u\nnr_dying_descendants 0\n", cgroup_descendants(group));
	return 0;
}

/* ---- events, freezing, killing ---- */

static struct waitq events_waiters = WAITQ_INIT(events_waiters); /* of all groups: changes are rare */

static int show_events(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	seq_printf(seq, "populated %d\nfrozen %d\n", group->populated != 0,
		cgroup_is_frozen(group) && cgroup_is_stopped(group));
	return 0;
}

static int64_t events_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	const struct cgroup *group = cgroup_of(pseudo_of(file->inode));

	if (group)
		file->version = group->events_version;
	return pseudo_read(file, to, n, pos);
}

/* As Linux says that a file changed: EPOLLPRI and EPOLLERR until it is read again. */
static uint32_t events_poll(struct file *file, struct poll_waiter *waiter)
{
	const struct cgroup *group = cgroup_of(pseudo_of(file->inode));

	poll_add(waiter, &events_waiters);
	return POLL_ALWAYS_READY | (!group || group->events_version != file->version ? EPOLLPRI | EPOLLERR : 0);
}

static const struct file_ops events_file_ops = {PSEUDO_FILE_OPS_BUT_READ, .read = events_read, .poll = events_poll};

void files_cgroup_changed(struct inode *events)
{
	notify_inode(events, NULL, IN_MODIFY, 0);
	waitq_wake(&events_waiters, UINT32_MAX, EPOLLPRI | EPOLLERR);
}

static int show_freeze(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	seq_printf(seq, "%d\n", group->parent && group->freeze);
	return 0;
}

/* 0 or 1 for a group below the top: its value, or -errno. */
static int order_for(const struct cgroup *group, const char *text, size_t n)
{
	uint64_t value;
	char buf[32];
	int rc = parse_number(trimmed(text, n, buf, sizeof(buf)), &value);

	if (!group)
		return -ENODEV;
	if (!group->parent)
		return -EPERM;
	return rc ? rc : value > 1 ? -ERANGE : (int)value;
}

static int64_t write_freeze(struct pseudo_inode *p, const char *text, size_t n)
{
	struct cgroup *group = cgroup_of(p);
	int value = order_for(group, text, n);

	if (value < 0)
		return value;
	cgroup_set_freeze(group, value);
	return (int64_t)n;
}

static int64_t write_kill(struct pseudo_inode *p, const char *text, size_t n)
{
	struct cgroup *group = cgroup_of(p);
	int value = order_for(group, text, n);

	if (value != 1)
		return value < 0 ? value : -ERANGE;
	cgroup_kill(group);
	return (int64_t)n;
}

/* ---- CPU time, and the pids controller ---- */

static int show_cpu_stat(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);
	uint64_t user, system;

	if (!group)
		return -ENODEV;
	cgroup_times(group, &user, &system);
	seq_printf(seq, "usage_usec %lu\nuser_usec %lu\nsystem_usec %lu\n", (unsigned long)((user + system) / 1000),
		(unsigned long)(user / 1000), (unsigned long)(system / 1000));
	return 0;
}

static int show_pids_max(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	show_limit(seq, group->tasks_limit, CGROUP_NO_LIMIT);
	return 0;
}

static int64_t write_pids_max(struct pseudo_inode *p, const char *text, size_t n)
{
	struct cgroup *group = cgroup_of(p);
	uint64_t value;
	int rc = parse_limit(text, n, CGROUP_NO_LIMIT, &value);

	if (!group)
		return -ENODEV;
	if (!group->parent)
		return -EPERM;
	if (rc || (value != CGROUP_NO_LIMIT && value > INT32_MAX))
		return -EINVAL;
	group->tasks_limit = value;
	return (int64_t)n;
}

static int show_pids_current(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	seq_printf(seq, "%lu\n", (unsigned long)group->tasks);
	return 0;
}

static int show_pids_peak(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	seq_printf(seq, "%lu\n", (unsigned long)group->tasks_peak);
	return 0;
}

static int show_pids_events(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	seq_printf(seq, "max %lu\n", (unsigned long)group->limit_hits);
	return 0;
}

/* ---- tables ---- */

#define FILE_R(n, fn) {.name = (n), .mode = S_IFREG | 0444, .show = (fn), .write = refuse_write, .iops = &cgroup_inode_ops}
#define FILE_W(n, fn, take) {.name = (n), .mode = S_IFREG | 0644, .show = (fn), .write = (take), .iops = &cgroup_inode_ops}
#define END {.name = NULL}

const struct pseudo_entry cgroup_core_table[] = {
	FILE_W("cgroup.procs", show_procs, write_procs),
	FILE_W("cgroup.subtree_control", show_subtree_control, write_subtree_control),
	FILE_W("cgroup.threads", show_threads, refuse_threads),
	FILE_R("cgroup.controllers", show_controllers),
	{.name = "cgroup.events", .mode = S_IFREG | 0444, .show = show_events, .write = refuse_write, .iops = &cgroup_inode_ops, .fops = &events_file_ops},
	FILE_W("cgroup.freeze", show_freeze, write_freeze),
	{.name = "cgroup.kill", .mode = S_IFREG | 0200, .write = write_kill, .iops = &cgroup_inode_ops},
	FILE_W("cgroup.max.depth", show_depth, write_depth),
	FILE_W("cgroup.max.descendants", show_max_descendants, write_max_descendants),
	FILE_R("cgroup.stat", show_stat),
	FILE_W("cgroup.type", show_type, write_type),
	FILE_R("cpu.stat", show_cpu_stat),
	END,
};

const struct pseudo_entry cgroup_pids_table[] = {
	FILE_R("pids.current", show_pids_current),
	FILE_R("pids.events", show_pids_events),
	FILE_W("pids.max", show_pids_max, write_pids_max),
	FILE_R("pids.peak", show_pids_peak),
	END,
};

int cgroup_owned_index(const struct pseudo_entry *entry)
{
	for (int i = CGROUP_OWNED_PROCS; i < CGROUP_OWNED_COUNT; i++) {
		if (entry == &cgroup_core_table[i - CGROUP_OWNED_PROCS])
			return i;
	}
	return -1;
}

bool cgroup_is_events(const struct pseudo_entry *entry)
{
	return entry->show == show_events;
}
