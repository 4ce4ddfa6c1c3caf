/*
 * The sentry's own control groups: see kernel/cgroup.h.
 */
#include <asm/signal.h>
#include <linux/errno.h>

#include "kernel/cgroup.h"
#include "kernel/container.h"
#include "kernel/files.h"
#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/process.h"
#include "ring0/clock.h"
#include "ring0/lib.h"

#define FREEZE_LOOK_NS 500000ull /* how often to look whether the others have stopped */

static uint64_t last_number;

static int group_compare(const struct cgroup *a, const struct cgroup *b)
{
	return a->number < b->number ? -1 : a->number > b->number;
}

static RB_HEAD(group_tree, cgroup) groups = RB_INITIALIZER(&groups);
RB_GENERATE_INTERNAL(group_tree, cgroup, node, group_compare, __attribute__((unused)) static)

/* ---- the tree ---- */

static void group_prepare(struct cgroup *group, struct container *container)
{
	group->container = container;
	group->number = ++last_number;
	group->tasks_limit = CGROUP_NO_LIMIT;
	group->max_depth = group->max_descendants = UINT32_MAX;
	TAILQ_INIT(&group->children);
	TAILQ_INIT(&group->members);
	RB_INSERT(group_tree, &groups, group);
}

void cgroup_init(struct cgroup *group, struct container *container)
{
	memset(group, 0, sizeof(*group));
	group_prepare(group, container);
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
	group_prepare(group, parent->container);
	group->was_frozen = cgroup_is_frozen(parent);
	TAILQ_INSERT_TAIL(&parent->children, group, sibling);
	*child = group;
	return 0;
}

int cgroup_remove(struct cgroup *group)
{
	if (group->populated || !TAILQ_EMPTY(&group->children) || !group->parent)
		return -EBUSY;
	TAILQ_REMOVE(&group->parent->children, group, sibling);
	RB_REMOVE(group_tree, &groups, group);
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
		RB_REMOVE(group_tree, &groups, top);
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

/* ---- what cgroup.events says ---- */

/* Tells whoever watches it when "populated" or "frozen" is another than it was. */
static void events_check(struct cgroup *group)
{
	bool populated = group->populated != 0, frozen = cgroup_is_frozen(group) && cgroup_is_stopped(group);

	if (populated == group->was_populated && frozen == group->was_frozen)
		return;
	group->was_populated = populated;
	group->was_frozen = frozen;
	group->events_version++;
	if (group->events)
		files_cgroup_changed(group->events);
}

/* Of a group that was frozen or thawed, and with it those below. */
static void events_check_below(struct cgroup *group)
{
	struct cgroup *child;

	events_check(group);
	TAILQ_FOREACH(child, &group->children, sibling)
		events_check_below(child);
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
			events_check(up);
	}
}

bool cgroup_may_fork(struct cgroup *group)
{
	for (; group; group = group->parent) {
		if (group->tasks < group->tasks_limit)
			continue;
		group->limit_hits++;
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
	count_tasks(task->process->cgroup, 1, 0);
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

	TAILQ_REMOVE(&group->members, process, cgroup_link);
	keep_times(group, (int64_t)process->utime - process->cgroup_times[0], (int64_t)process->stime - process->cgroup_times[1]);
	process->cgroup = &process->container->cgroup; /* a zombie's own may go before it */
	count_tasks(group, 0, -1);
}

static void set_freeze_work(struct process *process)
{
	struct task *task;

	TAILQ_FOREACH(task, &process->tasks, sibling) {
		task_set_work(task, WORK_FREEZE);
		if (task->state == TASK_RUNNING && task != current)
			machine->kick(task->cpu);
	}
}

static void wake_frozen(struct process *process)
{
	struct task *task;

	TAILQ_FOREACH(task, &process->tasks, sibling) {
		if (task->frozen)
			task_wake(task);
	}
}

int cgroup_move(struct cgroup *group, struct process *process)
{
	struct cgroup *from = process->cgroup;
	uint64_t user, system;

	if (!process->threads)
		return -ESRCH;
	if (from->container != group->container)
		return -EOPNOTSUPP;
	if (group->gives_pids)
		return -EBUSY;
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
	if (cgroup_is_frozen(group))
		set_freeze_work(process);
	else
		wake_frozen(process);
	return 0;
}

bool cgroup_has_pids(const struct cgroup *group)
{
	return !group->parent || group->parent->gives_pids;
}

int cgroup_give_pids(struct cgroup *group, bool give)
{
	struct cgroup *child;

	if (give == group->gives_pids)
		return 0;
	if (give && !cgroup_has_pids(group))
		return -ENOENT;
	if (give && !TAILQ_EMPTY(&group->members))
		return -EBUSY;
	TAILQ_FOREACH(child, &group->children, sibling) {
		if (!give && child->gives_pids)
			return -EBUSY;
	}
	group->gives_pids = give;
	TAILQ_FOREACH(child, &group->children, sibling)
		child->tasks_limit = CGROUP_NO_LIMIT;
	return 0;
}

void cgroup_times(const struct cgroup *group, uint64_t *user, uint64_t *system)
{
	const struct process *process;
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

/* ---- freezing: a killed task leaves it, other signals wait ---- */

bool cgroup_is_frozen(const struct cgroup *group)
{
	for (; group; group = group->parent) {
		if (group->freeze)
			return true;
	}
	return false;
}

bool cgroup_is_stopped(const struct cgroup *group)
{
	const struct process *process;
	const struct cgroup *child;
	const struct task *task;

	TAILQ_FOREACH(process, &group->members, cgroup_link) {
		TAILQ_FOREACH(task, &process->tasks, sibling) {
			if (task->state == TASK_RUNNING && task != current && !task->exiting)
				return false;
		}
	}
	TAILQ_FOREACH(child, &group->children, sibling) {
		if (!cgroup_is_stopped(child))
			return false;
	}
	return true;
}

/* To every process in it and below. Does not sleep; `fn` may not move processes. */
static void for_each_process(struct cgroup *group, void (*fn)(struct process *process))
{
	struct process *process;
	struct cgroup *child;

	TAILQ_FOREACH(process, &group->members, cgroup_link)
		fn(process);
	TAILQ_FOREACH(child, &group->children, sibling)
		for_each_process(child, fn);
}

void cgroup_set_freeze(struct cgroup *group, bool freeze)
{
	uint64_t number = group->number;

	group->freeze = freeze;
	if (freeze)
		for_each_process(group, set_freeze_work);
	else if (!cgroup_is_frozen(group))
		for_each_process(group, wake_frozen);
	/* Whoever is not on a CPU is in the kernel, and comes by the exit path. */
	while (freeze && group->freeze && !cgroup_is_stopped(group)) {
		(void)task_block(clock_monotonic() + FREEZE_LOOK_NS, false);
		group = cgroup_find(number);
		if (!group || current->killed)
			return;
	}
	events_check_below(group);
}

void cgroup_freeze_here(struct task *task)
{
	task->frozen = true;
	while (cgroup_is_frozen(task->process->cgroup) && task_block(DEADLINE_NONE, false) == 0)
		;
	task->frozen = false;
	__atomic_fetch_and(&task->work, ~WORK_FREEZE, __ATOMIC_SEQ_CST);
}

static void kill_one(struct process *process)
{
	signal_kill_process(process, WAIT_SIGNALED(SIGKILL));
}

void cgroup_kill(struct cgroup *group)
{
	for_each_process(group, kill_one);
}
