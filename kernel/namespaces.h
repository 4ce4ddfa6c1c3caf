/*
 * Namespaces (namespaces(7)): what a task sees of process numbers, host names, System V objects and mounts.
 *
 * A task's set is shared with its children until one of them asks for another (clone, unshare, setns); a set that is
 * shared is never written. Each kind counts its own references. User namespaces are in a task's credentials and not in its
 * set: user_ns.h. Time namespaces: time_ns.h.
 *
 * Process numbers: a task's tid and a process' pid are unique in the sandbox and never shown. A pid namespace maps
 * them to its own; the first container's maps each to itself ("identity"). A process is seen from its namespace and
 * that one's ancestors; containers' own namespaces have none. All under the kernel lock; nothing here sleeps but
 * what copies or lets go of mounts.
 */
#ifndef KERNEL_NAMESPACES_H
#define KERNEL_NAMESPACES_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/sysctl.h"
#include "kernel/task.h"

struct cred;
struct fs_context;
struct mnt_ns; /* vfs */

enum ns_kind { NS_CGROUP, NS_IPC, NS_MNT, NS_NET, NS_PID, NS_TIME, NS_USER, NS_UTS, NS_KINDS };

struct user_ns; /* kernel/user_ns.h */
struct time_ns; /* kernel/time_ns.h */
#define NS_FIRST_INUM 4026531834u /* as Linux numbers the ones that are there from the start */

struct ns {
	uint32_t refs;
	uint32_t inum; /* its number in /proc/PID/ns */
	enum ns_kind kind;
	struct user_ns *owner; /* referenced: over whom its maker's capabilities count; a user namespace's parent; may be NULL */
};

struct uts_ns {
	struct ns ns;
	char nodename[65], domainname[65];
};

struct ipc_ns {
	struct ns ns; /* its objects point to it: ipc_shm.c, ipc_sem.c, ipc_msg.c */
	struct superblock *mqueue; /* its POSIX message queues (vfs/mqueue), or NULL: none yet */
};

/* Of those made inside only the loopback device is there; all links are the first's (kernel/net/inet.h). */
struct net_ns {
	struct ns ns;
	bool loop_up;              /* the loopback device is; then it has its addresses */
	uint64_t loop_packets, loop_bytes; /* that went by the loopback */
	bool loop_has4, loop_has6; /* 127.0.0.1 and ::1 are there */
	struct net_sysctls sysctls;
	struct stack_state *stack; /* kernel/net/lwip/stack_ns.c's */
	TAILQ_ENTRY(net_ns) link;
};
extern struct net_ns first_net_ns; /* all containers' */

/* What its members call the root of the control groups (cgroup_namespaces(7)). */
struct cgroup_ns {
	struct ns ns;
	uint64_t root; /* the group's number; 0, or gone by now: the container's own */
};

#define PID_NS_BUCKETS 64u
#define PID_NS_LEVELS 32u

struct superblock;
struct pid_entry;
struct pid_ns {
	struct ns ns;
	TAILQ_ENTRY(pid_ns) link; /* those with numbers of their own */
	struct pid_ns *parent;    /* referenced; NULL: a container's own */
	unsigned level;
	bool identity, dead; /* dead: its first process has ended, no other can begin */
	struct process *init; /* without a reference; NULL before and after */
	int last;
	TAILQ_HEAD(, pid_entry) by_number[PID_NS_BUCKETS], by_global[PID_NS_BUCKETS];
};

struct ns_set {
	uint32_t refs;
	struct uts_ns *uts;
	struct ipc_ns *ipc;
	struct net_ns *net;
	struct cgroup_ns *cgroup;
	struct pid_ns *pid_for_children;
	struct time_ns *time, *time_for_children;
	struct mnt_ns *mnt; /* NULL until the container's root is mounted */
};

#define CLONE_KNOWN_NAMESPACES (0x00020000ull /* NEWNS */ | 0x04000000ull /* NEWUTS */ | 0x08000000ull /* NEWIPC */ | 0x20000000ull /* NEWPID */ | 0x40000000ull /* NEWNET */ | 0x02000000ull /* NEWCGROUP */ | 0x80ull /* NEWTIME */)
#define CLONE_ALL_NAMESPACES (CLONE_KNOWN_NAMESPACES | 0x10000000ull /* NEWUSER */)

/* ---- sets ---- */
/* For a container, whose user namespace owns them: new ones, no mounts; NULL: no memory. */
struct ns_set *ns_set_create(struct user_ns *owner);
void ns_set_get(struct ns_set *set);
struct ns_set *ns_set_copy(const struct ns_set *from); /* with one reference; NULL: no memory */
void ns_set_put(struct ns_set *set); /* may sleep */
/* May a task with these credentials (those that it is to have) have these CLONE_NEW* flags? 0 or -EPERM. */
int ns_check_flags(uint64_t flags, const struct cred *cred);
/* The set of a new task or of unshare(2): `from` shared, or a copy with new ones of the owner's for the flags. fs: moved into the new mounts. */
int ns_set_clone(struct ns_set *from, uint64_t flags, struct user_ns *owner, struct fs_context *fs, struct ns_set **to); /* may sleep */
/* setns(2): the current task's set with one namespace replaced. 0 or -errno. May sleep. */
int ns_enter(struct ns *ns);
/* The namespace of a task of that kind, as /proc/PID/ns shows it, with a reference; NULL: the task has none any more. */
struct ns *ns_of_task(const struct task *task, enum ns_kind kind, bool for_children);
void ns_get(struct ns *ns);
void ns_put(struct ns *ns); /* may sleep */
/* `size` zeroed bytes that begin with their struct ns: one reference, a new number. Takes a reference to the owner. NULL: no memory. */
void *ns_create(size_t size, enum ns_kind kind, struct user_ns *owner);
const char *ns_kind_name(enum ns_kind kind);

/* ---- process numbers ---- */
struct pid_ns *pid_ns_create(struct pid_ns *parent, struct user_ns *owner); /* NULL: no memory */
extern struct pid_ns first_pid_ns;
static inline bool pid_ns_contains(const struct pid_ns *outer, const struct pid_ns *inner)
{
	while (inner && inner != outer)
		inner = inner->parent;
	return inner;
}
/* Numbers for a task that is about to be published, in its process' namespace and that one's ancestors. 0 or -errno. */
int pid_ns_number_task(struct task *task);
void pid_ns_forget(int global); /* the number is used anew */
/*
 * reboot(2) inside: the first process of current's namespace ends as if by SIGHUP (restart) or SIGINT (else), everybody with
 * it. Returns 0 where that is current's own; it ends on its way out.
 */
int pid_ns_reboot(bool restart);
/* A number of the sandbox as a namespace sees it: 0 if it does not; and back: 0 if there is none. */
int pid_ns_nr(const struct pid_ns *ns, int global);
int pid_ns_global(const struct pid_ns *ns, int nr);
int process_nr(const struct pid_ns *ns, const struct process *process); /* 0: not in it */
int task_nr(const struct pid_ns *ns, const struct task *task);

/* As the current process sees it. Session and group numbers too. */
static inline int pid_vnr(int global)
{
	const struct pid_ns *ns = current->process->pid_ns;

	return ns->identity ? global : pid_ns_nr(ns, global);
}
static inline int pid_from_user(int nr)
{
	const struct pid_ns *ns = current->process->pid_ns;

	return ns->identity || nr <= 0 ? nr : pid_ns_global(ns, nr);
}

/* ---- what vfs/ and the others do for their kind ---- */
struct mnt_ns *mnt_ns_copy(struct mnt_ns *from, struct user_ns *owner, struct fs_context *fs, int *error); /* fs follows; may sleep */
struct ns *mnt_ns_base(struct mnt_ns *mnt);
void mnt_ns_destroy(struct ns *ns); /* its last reference has gone; may sleep */
int mnt_ns_enter(struct ns *ns, struct fs_context *fs); /* root and cwd become its root */
void ipc_ns_destroy(struct ipc_ns *ipc);

#endif
