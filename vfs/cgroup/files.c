/*
 * The files that every control group has (Documentation/admin-guide/cgroup-v2, "Core Interface Files"). A text is made when it is read; what is
 * written is checked and given to kernel/cgroup.h. What would undo what the host side ordered is refused in the topmost
 * group (EPERM).
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

/* Decimal digits alone: 0 or -EINVAL, -ERANGE. */
static int parse_digits(const char *text, uint64_t *value)
{
	return *text == '+' || *text == '-' ? -EINVAL : cgroup_parse_number(text, value);
}

/* A number or "max", which becomes UINT32_MAX. */
static int parse_limit(const char *text, size_t n, uint64_t *value)
{
	char buf[32];

	text = cgroup_trim(text, n, buf, sizeof(buf));
	if (text && !strcmp(text, "max")) {
		*value = UINT32_MAX;
		return 0;
	}
	if (!text)
		return -EINVAL;
	return *text == '-' && !parse_digits(text + 1, value) ? -ERANGE : parse_digits(text, value);
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

static bool owns_procs(const struct cgroup *group, const struct cred *cred)
{
	const uint32_t *owner = group->owner[CGROUP_OWNED_PROCS];

	return owner[0] == cred->fsuid ||
		(cred_capable(cred, CAP_DAC_OVERRIDE) && id_seen_from(cred->user_ns, ID_UID, owner[0]) != ID_NONE &&
			id_seen_from(cred->user_ns, ID_GID, owner[1]) != ID_NONE);
}

static bool is_within(const struct cgroup *group, const struct cgroup *top)
{
	while (group && group != top)
		group = group->parent;
	return group;
}

/*
 * cgroup-v2, "Delegation Containment": who moves a process may also write to where both groups hang together, and has both
 * in its namespace. That is the one who opened the file, whoever was brought to write to it. 0, -EACCES, -ENOENT.
 */
static int may_move(const struct cgroup *from, const struct cgroup *to, const struct file *opened)
{
	const struct cgroup *common = to, *root = cgroup_find(opened->version);

	while (common && !is_within(from, common))
		common = common->parent;
	if (!common || !owns_procs(common, opened->cred))
		return -EACCES;
	if (!opened->version || (root && root->container != to->container))
		return 0;
	return root && is_within(from, root) && is_within(to, root) ? 0 : -ENOENT;
}

static int64_t write_procs(struct pseudo_inode *p, const struct file *file, const char *text, size_t n)
{
	struct cgroup *group = cgroup_of(p);
	struct task *task = current;
	uint64_t nr;
	char buf[32];
	const char *trimmed = cgroup_trim(text, n, buf, sizeof(buf));
	int rc = trimmed ? parse_digits(trimmed, &nr) : -EINVAL;

	if (!group)
		return -ENODEV;
	if (rc || nr > INT32_MAX)
		return -EINVAL;
	if (nr)
		task = task_find((int)nr);
	if (!task || !task->process)
		return -ESRCH;
	rc = may_move(task->process->cgroup, group, file);
	if (!rc)
		rc = cgroup_move(group, task->process);
	return rc ? rc : (int64_t)n;
}

/* Single threads stay with their process. */
static int64_t refuse_threads(struct pseudo_inode *p, const char *text, size_t n)
{
	return -EOPNOTSUPP;
}

/* ---- the tree ---- */

static int show_type(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	seq_puts(seq, !cgroup_is_valid_domain(group) ? "domain invalid\n" : cgroup_is_thread_root(group) ? "domain threaded\n" : "domain\n");
	return 0;
}

static int64_t write_type(struct pseudo_inode *p, const char *text, size_t n)
{
	char buf[32];

	return !cgroup_trim(text, n, buf, sizeof(buf)) || strcmp(buf, "threaded") != 0 ? -EINVAL : -EOPNOTSUPP;
}

/* In the order of their bits. */
static const char *const controllers[] = {"cpuset", "cpu", "io", "memory", "pids"};
#define CONTROLLERS (sizeof(controllers) / sizeof(controllers[0]))

static void show_names(struct seq *seq, uint32_t mask)
{
	const char *between = "";

	for (unsigned i = 0; i < CONTROLLERS; i++) {
		if (!(mask & 1u << i))
			continue;
		seq_printf(seq, "%s%s", between, controllers[i]);
		between = " ";
	}
	seq_puts(seq, "\n");
}

static int show_controllers(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	show_names(seq, cgroup_controllers(group));
	return 0;
}

static int show_subtree_control(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	show_names(seq, group->gives);
	return 0;
}

/* Linux' other controllers: known, but not here. */
static bool is_known_controller(const char *name)
{
	static const char *const names[] = {"hugetlb", "rdma", "misc", "perf_event", NULL};
	unsigned i = 0;

	while (names[i] && strcmp(names[i], name) != 0)
		i++;
	return names[i];
}

/* One word of cgroup.subtree_control; the last for a controller counts. */
static int take_controller(const char *word, uint32_t *enable, uint32_t *disable)
{
	unsigned i = 0;

	if (word[0] != '+' && word[0] != '-')
		return -EINVAL;
	while (i < CONTROLLERS && strcmp(controllers[i], word + 1) != 0)
		i++;
	if (i == CONTROLLERS && !is_known_controller(word + 1))
		return -EINVAL;
	if (i == CONTROLLERS)
		return word[0] == '+' ? -ENOENT : 0;
	*(word[0] == '+' ? enable : disable) |= 1u << i;
	*(word[0] == '+' ? disable : enable) &= ~(1u << i);
	return 0;
}

static int64_t write_subtree_control(struct pseudo_inode *p, const char *text, size_t n)
{
	struct cgroup *group = cgroup_of(p);
	uint32_t enable = 0, disable = 0;
	bool missing = false;
	char word[32];

	for (size_t i = 0; i < n;) {
		size_t len = 0;

		while (i + len < n && text[i + len] != ' ' && text[i + len] != '\n')
			len++;
		if (!cgroup_trim(text + i, len, word, sizeof(word)))
			return -EINVAL;
		i += len + 1;
		int rc = word[0] ? take_controller(word, &enable, &disable) : 0;
		if (rc && rc != -ENOENT)
			return rc;
		missing |= rc != 0;
	}
	if (!group)
		return -ENODEV;
	int rc = missing ? -ENOENT : cgroup_give(group, enable, disable);
	return rc ? rc : (int64_t)n;
}

static int show_depth(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	cgroup_show_limit(seq, group->max_depth, UINT32_MAX);
	return 0;
}

static int show_max_descendants(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	cgroup_show_limit(seq, group->max_descendants, UINT32_MAX);
	return 0;
}

static int64_t write_tree_limit(struct pseudo_inode *p, const char *text, size_t n, bool depth)
{
	struct cgroup *group = cgroup_of(p);
	uint64_t value;
	int rc = parse_limit(text, n, &value);

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

static uint64_t version_of(const struct cgroup *group, const struct file *file)
{
	return group->notices[cgroup_notice_of(pseudo_of(file->inode)->entry)].version;
}

static int64_t watched_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	const struct cgroup *group = cgroup_of(pseudo_of(file->inode));

	if (group)
		file->version = version_of(group, file);
	return pseudo_read(file, to, n, pos);
}

/* As Linux says that a file changed: EPOLLPRI and EPOLLERR until it is read again. */
static uint32_t watched_poll(struct file *file, struct poll_waiter *waiter)
{
	const struct cgroup *group = cgroup_of(pseudo_of(file->inode));

	poll_add(waiter, &events_waiters);
	return POLL_ALWAYS_READY | (!group || version_of(group, file) != file->version ? EPOLLPRI | EPOLLERR : 0);
}

const struct file_ops cgroup_watched_file_ops = {PSEUDO_FILE_OPS_BUT_READ, .read = watched_read, .poll = watched_poll};

void files_cgroup_changed(struct inode *file)
{
	notify_inode(file, NULL, IN_MODIFY, 0);
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
	const char *trimmed = cgroup_trim(text, n, buf, sizeof(buf));
	int rc = trimmed ? parse_digits(trimmed, &value) : -EINVAL;

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

/* ---- tables ---- */

const struct pseudo_entry cgroup_core_table[] = {
	{.name = "cgroup.procs", .mode = S_IFREG | 0644, .show = show_procs, .write_as = write_procs, .iops = &cgroup_inode_ops},
	CGROUP_FILE_W("cgroup.subtree_control", show_subtree_control, write_subtree_control),
	CGROUP_FILE_W("cgroup.threads", show_threads, refuse_threads),
	CGROUP_FILE_R("cgroup.controllers", show_controllers),
	CGROUP_WATCHED("cgroup.events", show_events),
	CGROUP_FILE_W("cgroup.freeze", show_freeze, write_freeze),
	{.name = "cgroup.kill", .mode = S_IFREG | 0200, .write = write_kill, .iops = &cgroup_inode_ops},
	CGROUP_FILE_W("cgroup.max.depth", show_depth, write_depth),
	CGROUP_FILE_W("cgroup.max.descendants", show_max_descendants, write_max_descendants),
	CGROUP_FILE_R("cgroup.stat", show_stat),
	CGROUP_FILE_W("cgroup.type", show_type, write_type),
	CGROUP_FILE_R("cpu.stat", cgroup_show_cpu_stat),
	CGROUP_END,
};

int cgroup_owned_index(const struct pseudo_entry *entry)
{
	for (int i = CGROUP_OWNED_PROCS; i < CGROUP_OWNED_COUNT; i++) {
		if (entry == &cgroup_core_table[i - CGROUP_OWNED_PROCS])
			return i;
	}
	return -1;
}

int cgroup_notice_of(const struct pseudo_entry *entry)
{
	static const char *const names[CGROUP_NOTICES] = {"cgroup.events", "memory.events", "memory.events.local", "pids.events"};

	for (int i = 0; entry->fops == &cgroup_watched_file_ops && i < CGROUP_NOTICES; i++) {
		if (!strcmp(entry->name, names[i]))
			return i;
	}
	return -1;
}
