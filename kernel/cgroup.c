/*
 * The sentry's own control groups, the tree and its members: see kernel/cgroup.h.
 */
#include <linux/errno.h>

#include "kernel/cgroup_parts.h"
#include "kernel/container.h"
#include "kernel/device_filter.h"
#include "kernel/files.h"
#include "kernel/mm/account.h"
#include "kernel/namespaces.h"
#include "kernel/process.h"
#include "ring0/lib.h"

static uint64_t last_number;

static int group_compare(const struct cgroup *a, const struct cgroup *b)
{
	return a->number < b->number ? -1 : a->number > b->number;
}

static RB_HEAD(group_tree, cgroup) groups = RB_INITIALIZER(&groups);
RB_GENERATE_INTERNAL(group_tree, cgroup, node, group_compare, __attribute__((unused)) static)

/* ---- the tree ---- */

static int group_prepare(struct cgroup *group, struct container *container)
{
	bool charged = cgroup_controllers(group) & CGROUP_MEMORY;

	group->memory = group->parent ? group->parent->memory : NULL;
	if (charged)
		group->memory = account_create(group->memory, group);
	if (charged && !group->memory)
		return -ENOMEM;
	group->container = container;
	group->number = ++last_number;
	group->tasks_limit = CGROUP_NO_LIMIT;
	group->max_depth = group->max_descendants = UINT32_MAX;
	TAILQ_INIT(&group->children);
	TAILQ_INIT(&group->members);
	LIST_INIT(&group->devices);
	cpu_group_init(&group->cpu, group->parent ? &group->parent->cpu : NULL);
	RB_INSERT(group_tree, &groups, group);
	return 0;
}

int cgroup_init(struct cgroup *group, struct container *container)
{
	memset(group, 0, sizeof(*group));
	return group_prepare(group, container);
}

unsigned cgroup_descendants(const struct cgroup *group)
{
	const struct cgroup *child;
	unsigned count = 0;

	TAILQ_FOREACH(child, &group->children, sibling)
		count += 1 + cgroup_descendants(child);
	return count;
}

/* One more group below `parent` is within the limits of all above it. */
static bool may_create(const struct cgroup *parent)
{
	uint32_t depth = 1;

	for (; parent; parent = parent->parent, depth++) {
		if (depth > parent->max_depth)
			return false;
		if (parent->max_descendants != UINT32_MAX && cgroup_descendants(parent) >= parent->max_descendants)
			return false;
		if (depth > CGROUP_DEPTH)
			return false;
	}
	return true;
}

int cgroup_create(struct cgroup *parent, const char *name, unsigned len, struct cgroup **child)
{
	struct cgroup *group;

	if (cgroup_find_child(parent, name, len))
		return -EEXIST;
	if (!may_create(parent))
		return -EAGAIN;
	group = kzalloc(sizeof(*group));
	if (!group)
		return -ENOMEM;
	group->name = kmalloc(len + 1);
	if (!group->name) {
		kfree(group);
		return -ENOMEM;
	}
	memcpy(group->name, name, len);
	group->name[len] = '\0';
	group->parent = parent;
	if (group_prepare(group, parent->container)) {
		kfree(group->name);
		kfree(group);
		return -ENOMEM;
	}
	group->was_frozen = cgroup_is_frozen(parent);
	TAILQ_INSERT_TAIL(&parent->children, group, sibling);
	*child = group;
	return 0;
}

/* What stands outside of it goes with it. */
static void group_close(struct cgroup *group)
{
	device_filter_forget(group);
	if (!group->parent || group->memory != group->parent->memory)
		account_close(group->memory);
	cpu_group_close(&group->cpu);
	cgroup_io_close(group);
	RB_REMOVE(group_tree, &groups, group);
}

int cgroup_remove(struct cgroup *group)
{
	if (group->populated || !TAILQ_EMPTY(&group->children) || !group->parent)
		return -EBUSY;
	files_cgroup_gone(group->number, group->parent->number);
	group_close(group);
	TAILQ_REMOVE(&group->parent->children, group, sibling);
	kfree(group->name);
	kfree(group);
	return 0;
}

void cgroup_remove_all(struct cgroup *top)
{
	struct cgroup *child;

	while ((child = TAILQ_FIRST(&top->children))) {
		cgroup_remove_all(child);
		BUG_ON(cgroup_remove(child));
	}
	if (!top->parent)
		group_close(top);
}

struct cgroup *cgroup_find(uint64_t number)
{
	struct cgroup key = {.number = number};

	return RB_FIND(group_tree, &groups, &key);
}

struct cgroup *cgroup_find_child(const struct cgroup *parent, const char *name, unsigned len)
{
	struct cgroup *child;

	TAILQ_FOREACH(child, &parent->children, sibling) {
		if (strlen(child->name) == len && memcmp(child->name, name, len) == 0)
			return child;
	}
	return NULL;
}

struct cgroup *cgroup_ns_root(void)
{
	struct cgroup *root = cgroup_find(current->ns->cgroup->root), *top = &current->process->container->cgroup;

	return root && root->container == current->process->container ? root : top;
}

static bool is_below(const struct cgroup *group, const struct cgroup *top)
{
	while (group && group != top)
		group = group->parent;
	return group;
}

void cgroup_path(const struct cgroup *group, const struct cgroup *root, char *buf, unsigned size)
{
	const struct cgroup *up[CGROUP_DEPTH];
	unsigned count = 0, used = 0;

	rf_strlcpy(buf, "/", size);
	for (; !is_below(group, root) && used < size; root = root->parent)
		used += (unsigned)snprintf(buf + used, size - used, "/..");
	for (; group != root && count < CGROUP_DEPTH; group = group->parent)
		up[count++] = group;
	while (count && used < size)
		used += (unsigned)snprintf(buf + used, size - used, "/%s", up[--count]->name);
}

void cgroup_notify(struct cgroup *group, enum cgroup_notice notice)
{
	group->notices[notice].version++;
	if (group->notices[notice].inode)
		files_cgroup_changed(group->notices[notice].inode);
}

/* "populated" may be another than it was. */
void cgroup_check_events(struct cgroup *group)
{
	bool populated = group->populated != 0, frozen = cgroup_is_frozen(group) && cgroup_is_stopped(group);

	if (populated == group->was_populated && frozen == group->was_frozen)
		return;
	group->was_populated = populated;
	group->was_frozen = frozen;
	cgroup_notify(group, CGROUP_NOTICE_EVENTS);
}

/* ---- members ---- */

static void count_tasks(struct cgroup *group, int64_t tasks, int64_t processes)
{
	struct cgroup *up;

	for (up = group; up; up = up->parent) {
		up->tasks += (uint64_t)tasks;
		up->populated += (uint64_t)processes;
		up->tasks_peak = MAX(up->tasks_peak, up->tasks);
		if (processes)
			cgroup_check_events(up);
	}
}

bool cgroup_may_fork(struct cgroup *group)
{
	for (; group; group = group->parent) {
		if (group->tasks < group->tasks_limit)
			continue;
		group->limit_hits++;
		cgroup_notify(group, CGROUP_NOTICE_PIDS);
		return false;
	}
	return true;
}

void cgroup_enter(struct cgroup *group, struct process *process)
{
	process->cgroup = group;
	TAILQ_INSERT_TAIL(&group->members, process, cgroup_link);
	count_tasks(group, 0, 1);
}

void cgroup_add_task(struct task *task)
{
	struct cgroup *group = task->process->cgroup;

	count_tasks(group, 1, 0);
	account_page_to(group->memory, task->stack_page, ACCOUNT_STACKS);
	cpu_group_set(task, cgroup_cpu_of(group));
	task->affinity = cgroup_task_affinity(task, task->affinity_wanted);
	if (cgroup_is_frozen(task->process->cgroup))
		task->work |= WORK_FREEZE;
}

void cgroup_drop_task(struct task *task)
{
	count_tasks(task->process->cgroup, -1, 0);
}

/* Its CPU time stays with the group that it leaves. */
static void keep_times(struct cgroup *group, int64_t user, int64_t system)
{
	for (; group; group = group->parent) {
		group->user_ns += (uint64_t)user;
		group->system_ns += (uint64_t)system;
	}
}

void cgroup_leave(struct process *process)
{
	struct cgroup *group = process->cgroup;
	uint64_t user, system;

	TAILQ_REMOVE(&group->members, process, cgroup_link);
	process_cpu_times(process, &user, &system);
	keep_times(group, (int64_t)user - process->cgroup_times[0], (int64_t)system - process->cgroup_times[1]);
	process->cgroup = &process->container->cgroup; /* a zombie's own may go before it */
	count_tasks(group, 0, -1);
}

int cgroup_move(struct cgroup *group, struct process *process)
{
	struct cgroup *from = process->cgroup;
	uint64_t user, system;
	int rc;

	if (!process->threads)
		return -ESRCH;
	if (from->container != group->container)
		return -EOPNOTSUPP;
	if (!cgroup_may_hold_processes(group, &rc))
		return rc;
	if (from == group)
		return 0;
	process_cpu_times(process, &user, &system);
	keep_times(from, (int64_t)user - process->cgroup_times[0], (int64_t)system - process->cgroup_times[1]);
	process->cgroup_times[0] = (int64_t)user;
	process->cgroup_times[1] = (int64_t)system;
	TAILQ_REMOVE(&from->members, process, cgroup_link);
	process->cgroup = group;
	TAILQ_INSERT_TAIL(&group->members, process, cgroup_link);
	count_tasks(group, process->threads, 1);
	count_tasks(from, -(int64_t)process->threads, -1);
	cgroup_refresh_process(process);
	cgroup_freeze_moved(process);
	return 0;
}

void cgroup_times(const struct cgroup *group, uint64_t *user, uint64_t *system)
{
	struct process *process;
	const struct cgroup *up;
	int64_t u = (int64_t)group->user_ns, s = (int64_t)group->system_ns;

	TAILQ_FOREACH(process, &all_processes, all) {
		uint64_t now[2];

		for (up = process->threads ? process->cgroup : NULL; up && up != group; up = up->parent)
			;
		if (!up)
			continue;
		process_cpu_times(process, &now[0], &now[1]);
		u += (int64_t)now[0] - process->cgroup_times[0];
		s += (int64_t)now[1] - process->cgroup_times[1];
	}
	*user = (uint64_t)MAX(u, (int64_t)0);
	*system = (uint64_t)MAX(s, (int64_t)0);
}
