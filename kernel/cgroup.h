/*
 * Control groups inside the sandbox (cgroups(7), Documentation/admin-guide/cgroup-v2): a tree a container, whose top is what the container's
 * own /sys/fs/cgroup shows. The sentry counts tasks and CPU time by it, limits tasks (pids.max) and freezes.
 *
 * A process is in one group with all its threads, from its start until its last thread is gone; its children begin where it
 * is. Invariants, under the kernel lock:
 *  1. `tasks` and `populated` count the group and all below; so they are never less than a child's.
 *  2. A group with members or children is not removed; one that was removed has a number that no other ever gets.
 *  3. A task whose group, or a group above it, is asked to freeze has WORK_FREEZE set, or is on its way out.
 * vfs/cgroup/ shows it as a file system.
 */
#ifndef KERNEL_CGROUP_H
#define KERNEL_CGROUP_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stdint.h>

struct container;
struct inode;
struct process;
struct superblock;
struct task;

#define CGROUP_NO_LIMIT UINT64_MAX
#define CGROUP_DEPTH 64u /* of a tree: paths are made and trees walked on small stacks */

/* What of a group can be given to another owner: its directory, cgroup.procs, cgroup.subtree_control, cgroup.threads. */
enum { CGROUP_OWNED_DIR, CGROUP_OWNED_PROCS, CGROUP_OWNED_SUBTREE, CGROUP_OWNED_THREADS, CGROUP_OWNED_COUNT };

TAILQ_HEAD(cgroup_list, cgroup);
TAILQ_HEAD(cgroup_members, process);

struct cgroup {
	RB_ENTRY(cgroup) node;     /* by number */
	uint64_t number;
	struct container *container;
	struct cgroup *parent;     /* NULL: the container's own */
	struct cgroup_list children;
	TAILQ_ENTRY(cgroup) sibling;
	char *name;
	struct cgroup_members members;
	uint64_t tasks, tasks_peak, tasks_limit, limit_hits; /* limit_hits: forks that this limit refused */
	uint64_t populated;        /* processes */
	uint64_t user_ns, system_ns; /* of processes that have ended in it or left it, and below */
	bool gives_pids;           /* its children have the pids controller */
	bool freeze;               /* asked for */
	bool was_populated, was_frozen; /* what cgroup.events said last */
	uint64_t events_version;
	uint32_t owner[CGROUP_OWNED_COUNT][2]; /* uid and gid, as chown left them */
	struct superblock *superblock; /* a top: what shows it, while it is mounted; without a reference */
	struct inode *events;      /* cgroup.events, while anybody has it: vfs/cgroup's, without a reference */
	uint32_t max_depth, max_descendants; /* UINT32_MAX: none */
};

/* The top of a container's tree. Never ends before its processes. */
void cgroup_init(struct cgroup *group, struct container *container);
/* A child. -EEXIST, -EAGAIN (a limit on depth or number), -ENOMEM. Copies the name. */
int cgroup_create(struct cgroup *parent, const char *name, unsigned len, struct cgroup **child);
int cgroup_remove(struct cgroup *group); /* 0 or -EBUSY; frees it */
/* All below the top, once no process is left. */
void cgroup_remove_all(struct cgroup *top);
/* NULL: it is gone. */
struct cgroup *cgroup_find(uint64_t number);
struct cgroup *cgroup_find_child(const struct cgroup *parent, const char *name, unsigned len);
unsigned cgroup_descendants(const struct cgroup *group);

/* Whether one more task may start in it; counts the refusal. */
bool cgroup_may_fork(struct cgroup *group);
/* A new process with its first thread; a thread more; a thread less; the last thread is gone. None sleeps. */
void cgroup_enter(struct cgroup *group, struct process *process);
void cgroup_add_task(struct task *task);
void cgroup_drop_task(struct task *task);
void cgroup_leave(struct process *process);
/* A living process to another group of its container. -EBUSY: the group gives controllers; -ESRCH; -EOPNOTSUPP: another container's. */
int cgroup_move(struct cgroup *group, struct process *process);
/* What cgroup.subtree_control asks for: -EBUSY with processes in it (cgroup-v2, "No Internal Process Constraint"), or used below. */
int cgroup_give_pids(struct cgroup *group, bool give);
bool cgroup_has_pids(const struct cgroup *group); /* the top has */

/* Asked of it or of one above. */
bool cgroup_is_frozen(const struct cgroup *group);
/* No task of it or below runs user code any more, and none will. */
bool cgroup_is_stopped(const struct cgroup *group);
/* freeze: returns once all have stopped, or it was thawed again; may sleep. */
void cgroup_set_freeze(struct cgroup *group, bool freeze);
/* Exit path, WORK_FREEZE set: sleeps until the group goes on, or the task is killed. */
void cgroup_freeze_here(struct task *task);
void cgroup_kill(struct cgroup *group); /* SIGKILL to all in it and below */

/* ns of CPU time of all that is or was in it and below. */
void cgroup_times(const struct cgroup *group, uint64_t *user, uint64_t *system);
/* The root that the current task's cgroup namespace has: of its container. */
struct cgroup *cgroup_ns_root(void);
/* As that root sees it: "/", "/a/b", or "/../b" for one that is not below; cut to size. */
void cgroup_path(const struct cgroup *group, const struct cgroup *root, char *buf, unsigned size);

#endif
