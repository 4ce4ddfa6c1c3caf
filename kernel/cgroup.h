/*
 * Control groups inside the sandbox (cgroups(7), Documentation/admin-guide/cgroup-v2): a tree a container, whose top is what the container's
 * own /sys/fs/cgroup shows. By it the sentry counts and limits tasks (pids), memory (kernel/mm/account.h), CPU time (kernel/bandwidth.h),
 * reads and writes (kernel/cgroup_io.h) and the CPUs to run on, and freezes. What the container's configuration limits stands in the topmost group.
 *
 * A process is in one group with all its threads, from its start until its last thread is gone; its children begin where it
 * is. Invariants, under the kernel lock:
 *  1. `tasks` and `populated` count the group and all below; so they are never less than a child's.
 *  2. A group with members or children is not removed; one that was removed has a number that no other ever gets.
 *  3. A task whose group, or a group above it, is asked to freeze has WORK_FREEZE set, or is on its way out.
 *  4. A group has a controller's own state only while its parent gives it (`gives`); else it uses the nearest one's above.
 * cgroup.c is the tree and its members, cgroup_control.c the controllers, cgroup_freeze.c freezing; vfs/cgroup/ shows it as a file system.
 */
#ifndef KERNEL_CGROUP_H
#define KERNEL_CGROUP_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/bandwidth.h"
#include "kernel/cgroup_io.h"

struct container;
struct inode;
struct process;
struct memory_account;
struct superblock;
struct task;

#define CGROUP_NO_LIMIT UINT64_MAX
#define CGROUP_DEPTH 64u /* of a tree: paths are made and trees walked on small stacks */

/* What of a group can be given to another owner: its directory, cgroup.procs, cgroup.subtree_control, cgroup.threads. */
enum { CGROUP_OWNED_DIR, CGROUP_OWNED_PROCS, CGROUP_OWNED_SUBTREE, CGROUP_OWNED_THREADS, CGROUP_OWNED_COUNT };

/* Controllers, in the order in which Linux names them. */
#define CGROUP_CPUSET 1u
#define CGROUP_CPU 2u
#define CGROUP_IO 4u
#define CGROUP_MEMORY 8u
#define CGROUP_PIDS 16u
#define CGROUP_CONTROLLERS 31u
#define CGROUP_THREADED (CGROUP_CPUSET | CGROUP_CPU | CGROUP_PIDS) /* that count threads, not processes */

/* Files that tell those who watch them of changes. */
enum cgroup_notice { CGROUP_NOTICE_EVENTS, CGROUP_NOTICE_MEMORY, CGROUP_NOTICE_MEMORY_LOCAL, CGROUP_NOTICE_PIDS, CGROUP_NOTICES };

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
	uint32_t gives;            /* CGROUP_*: the controllers that its children have */
	struct cpu_group cpu;      /* valid with CGROUP_CPU */
	struct memory_account *memory; /* that its processes are charged to: its own with CGROUP_MEMORY, else its parent's */
	struct io_devices devices; /* with CGROUP_IO */
	uint64_t cpus, mems;       /* cpuset.cpus, cpuset.mems; 0: none given */
	bool freeze;               /* asked for */
	bool was_populated, was_frozen; /* what cgroup.events said last */
	uint32_t owner[CGROUP_OWNED_COUNT][2]; /* uid and gid, as chown left them */
	struct superblock *superblock; /* a top: what shows it, while it is mounted; without a reference */
	struct {
		struct inode *inode; /* the file, while anybody has it: vfs/cgroup's, without a reference */
		uint64_t version;
	} notices[CGROUP_NOTICES];
	uint32_t max_depth, max_descendants; /* UINT32_MAX: none */
};

/* The top of a container's tree. Never ends before its processes. 0 or -ENOMEM. */
int cgroup_init(struct cgroup *group, struct container *container);
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
/* A living process to another group of its container. -EBUSY: the group gives controllers; -ESRCH; -EOPNOTSUPP: another container's, or not for processes. */
int cgroup_move(struct cgroup *group, struct process *process);
/* Something that a file tells is another: wakes those who watch it. */
void cgroup_notify(struct cgroup *group, enum cgroup_notice notice);

/* ---- cgroup_control.c ---- */

uint32_t cgroup_controllers(const struct cgroup *group); /* that it has; the top has all */
/*
 * What cgroup.subtree_control asks for. -EBUSY: processes are in it (cgroup-v2, "No Internal Process Constraint"), or used below;
 * -ENOENT: it has not what it is to give; -EOPNOTSUPP: not below a threaded domain; -ENOMEM. All or nothing.
 */
int cgroup_give(struct cgroup *group, uint32_t enable, uint32_t disable);
/* cgroup.type, as far as groups become so by themselves: single threads do not move. */
bool cgroup_is_thread_root(const struct cgroup *group);
bool cgroup_is_valid_domain(const struct cgroup *group);
bool cgroup_may_hold_processes(const struct cgroup *group, int *error);
/* The CPUs that its processes may use: never none. */
uint64_t cgroup_cpus(const struct cgroup *group);
void cgroup_set_cpus(struct cgroup *group, uint64_t cpus);
uint64_t cgroup_task_affinity(const struct task *task, uint64_t wanted); /* of what it asks for, what its group has */
/* Its nearest group with a share of its own; NULL: it competes as one task among all. */
struct cpu_group *cgroup_cpu_of(struct cgroup *group);
/* How the tasks of a container are scheduled may have changed: their groups are looked up again. */
void cgroup_refresh_cpu(struct container *container);
void cgroup_refresh_all(void);

/* ---- cgroup_freeze.c ---- */

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
