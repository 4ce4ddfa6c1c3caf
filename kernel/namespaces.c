/*
 * Sets of namespaces, and the kinds that are nothing but a few fields. See kernel/namespaces.h.
 */
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/sched.h>

#include "kernel/container.h"
#include "kernel/files.h"
#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/net/inet.h"
#include "kernel/process.h"
#include "kernel/time_ns.h"
#include "kernel/user_ns.h"
#include "kernel/vdso/vdso.h"
#include "ring0/lib.h"

struct net_ns first_net_ns = {.ns = {.refs = 1, .inum = NS_FIRST_INUM + NS_NET, .kind = NS_NET}, .loop_up = true, .loop_has4 = true, .loop_has6 = true,
	.sysctls = {NET_SYSCTLS(0)}};
static uint32_t next_inum = NS_FIRST_INUM + 366;

const char *ns_kind_name(enum ns_kind kind)
{
	static const char *const names[NS_KINDS] = {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"};

	return names[kind];
}

void ns_get(struct ns *ns)
{
	ns->refs++;
}

static void pid_ns_destroy(struct pid_ns *pid);

static void ns_destroy(struct ns *ns)
{
	switch (ns->kind) {
	case NS_PID:
		pid_ns_destroy(container_of(ns, struct pid_ns, ns));
		return;
	case NS_MNT:
		mnt_ns_destroy(ns);
		return;
	case NS_IPC:
		ipc_ns_destroy(container_of(ns, struct ipc_ns, ns));
		if (container_of(ns, struct ipc_ns, ns)->mqueue)
			files_ipc_ns_gone(container_of(ns, struct ipc_ns, ns)->mqueue);
		kfree(container_of(ns, struct ipc_ns, ns));
		return;
	case NS_UTS:
		kfree(container_of(ns, struct uts_ns, ns));
		return;
	case NS_CGROUP:
		kfree(container_of(ns, struct cgroup_ns, ns));
		return;
	case NS_USER:
		user_ns_destroy(ns);
		return;
	case NS_NET:
		inet_ns_end(container_of(ns, struct net_ns, ns));
		kfree(container_of(ns, struct net_ns, ns));
		return;
	case NS_TIME:
		kfree(container_of(ns, struct time_ns, ns));
		return;
	default:
		BUG_ON(true);
	}
}

void ns_put(struct ns *ns)
{
	while (ns && --ns->refs == 0) { /* owners may be the last to hold theirs */
		struct user_ns *owner = ns->owner;

		ns_destroy(ns);
		ns = owner ? &owner->ns : NULL;
	}
}

void *ns_create(size_t size, enum ns_kind kind, struct user_ns *owner)
{
	struct ns *ns = kzalloc(size);

	if (!ns)
		return NULL;
	*ns = (struct ns){.refs = 1, .inum = next_inum++, .kind = kind, .owner = owner};
	if (owner)
		ns_get(&owner->ns);
	return ns;
}

/* ---- sets ---- */

void ns_set_get(struct ns_set *set)
{
	set->refs++;
}

void ns_set_put(struct ns_set *set)
{
	if (!set || --set->refs)
		return;
	if (set->uts)
		ns_put(&set->uts->ns);
	if (set->ipc)
		ns_put(&set->ipc->ns);
	if (set->net)
		ns_put(&set->net->ns);
	if (set->cgroup)
		ns_put(&set->cgroup->ns);
	if (set->pid_for_children)
		ns_put(&set->pid_for_children->ns);
	if (set->time)
		ns_put(&set->time->ns);
	if (set->time_for_children)
		ns_put(&set->time_for_children->ns);
	if (set->mnt)
		ns_put(mnt_ns_base(set->mnt));
	kfree(set);
}

struct ns_set *ns_set_create(struct user_ns *owner)
{
	struct ns_set *set = kzalloc(sizeof(*set));

	if (!set)
		return NULL;
	set->refs = 1;
	set->uts = ns_create(sizeof(*set->uts), NS_UTS, owner);
	set->ipc = ns_create(sizeof(*set->ipc), NS_IPC, owner);
	set->net = &first_net_ns;
	ns_get(&first_net_ns.ns);
	set->time = set->time_for_children = &first_time_ns;
	first_time_ns.ns.refs += 2;
	set->pid_for_children = pid_ns_create(NULL, owner);
	set->cgroup = ns_create(sizeof(*set->cgroup), NS_CGROUP, owner);
	if (!set->uts || !set->ipc || !set->cgroup || !set->pid_for_children) {
		ns_set_put(set);
		return NULL;
	}
	return set;
}

int ns_check_flags(uint64_t flags, const struct cred *cred)
{
	flags &= CLONE_ALL_NAMESPACES & ~(uint64_t)CLONE_NEWUSER;
	if (flags && !cred_capable(cred, CAP_SYS_ADMIN))
		return -EPERM;
	return 0;
}

struct ns_set *ns_set_copy(const struct ns_set *from)
{
	struct ns_set *set = kmalloc(sizeof(*set));

	if (!set)
		return NULL;
	*set = *from;
	set->refs = 1;
	set->uts->ns.refs++;
	set->ipc->ns.refs++;
	set->net->ns.refs++;
	set->cgroup->ns.refs++;
	set->pid_for_children->ns.refs++;
	set->time->ns.refs++;
	set->time_for_children->ns.refs++;
	if (set->mnt)
		mnt_ns_base(set->mnt)->refs++;
	return set;
}

static int renew_uts(struct ns_set *set, struct user_ns *owner)
{
	struct uts_ns *uts = ns_create(sizeof(*uts), NS_UTS, owner);

	if (!uts)
		return -ENOMEM;
	memcpy(uts->nodename, set->uts->nodename, sizeof(uts->nodename));
	memcpy(uts->domainname, set->uts->domainname, sizeof(uts->domainname));
	ns_put(&set->uts->ns);
	set->uts = uts;
	return 0;
}

static int renew_ipc(struct ns_set *set, struct user_ns *owner)
{
	struct ipc_ns *ipc = ns_create(sizeof(*ipc), NS_IPC, owner);

	if (!ipc)
		return -ENOMEM;
	ns_put(&set->ipc->ns);
	set->ipc = ipc;
	return 0;
}

static int renew_cgroup(struct ns_set *set, struct user_ns *owner)
{
	struct cgroup_ns *cgroup = ns_create(sizeof(*cgroup), NS_CGROUP, owner);

	if (!cgroup)
		return -ENOMEM;
	cgroup->root = current->process->cgroup->number;
	ns_put(&set->cgroup->ns);
	set->cgroup = cgroup;
	return 0;
}

static int renew_net(struct ns_set *set, struct user_ns *owner)
{
	struct net_ns *net = ns_create(sizeof(*net), NS_NET, owner);

	if (!net)
		return -ENOMEM;
	net->sysctls = net_sysctls_default;
	int rc = inet_ns_begin(net);
	if (rc) {
		ns_put(&net->ns);
		return rc;
	}
	ns_put(&set->net->ns);
	set->net = net;
	return 0;
}

static int renew_pid(struct ns_set *set, struct user_ns *owner)
{
	struct pid_ns *active = current->process->pid_ns;

	if (set->pid_for_children != active)
		return -EINVAL; /* pid_namespaces(7): only once */
	if (!user_ns_contains(active->ns.owner, owner))
		return -EINVAL;
	if (active->level + 1 >= PID_NS_LEVELS)
		return -ENOSPC;
	struct pid_ns *pid = pid_ns_create(active, owner);
	if (!pid)
		return -ENOMEM;
	ns_put(&set->pid_for_children->ns);
	set->pid_for_children = pid;
	return 0;
}

static int renew_time(struct ns_set *set, struct user_ns *owner)
{
	struct time_ns *time = time_ns_create(set->time_for_children, owner);

	if (!time)
		return -ENOMEM;
	ns_put(&set->time_for_children->ns);
	set->time_for_children = time;
	return 0;
}

static int renew_mnt(struct ns_set *set, struct user_ns *owner, struct fs_context *fs)
{
	int error;
	struct mnt_ns *mnt = mnt_ns_copy(set->mnt, owner, fs, &error);

	if (!mnt)
		return error;
	ns_put(mnt_ns_base(set->mnt));
	set->mnt = mnt;
	return 0;
}

int ns_set_clone(struct ns_set *from, uint64_t flags, struct user_ns *owner, struct fs_context *fs, struct ns_set **to)
{
	int rc = 0;

	if (!(flags & CLONE_KNOWN_NAMESPACES)) {
		from->refs++;
		*to = from;
		return 0;
	}
	struct ns_set *set = ns_set_copy(from);
	if (!set)
		return -ENOMEM;
	if (flags & CLONE_NEWUTS)
		rc = renew_uts(set, owner);
	if (!rc && (flags & CLONE_NEWIPC))
		rc = renew_ipc(set, owner);
	if (!rc && (flags & CLONE_NEWCGROUP))
		rc = renew_cgroup(set, owner);
	if (!rc && (flags & CLONE_NEWNET))
		rc = renew_net(set, owner);
	if (!rc && (flags & CLONE_NEWPID))
		rc = renew_pid(set, owner);
	if (!rc && (flags & CLONE_NEWTIME))
		rc = renew_time(set, owner);
	if (!rc && (flags & CLONE_NEWNS))
		rc = renew_mnt(set, owner, fs);
	if (rc) {
		ns_set_put(set);
		return rc;
	}
	*to = set;
	return 0;
}

static int check_enter(const struct ns *ns)
{
	if (ns->kind == NS_TIME && !task_is_single(current))
		return -EUSERS;
	if (!capable_here(CAP_SYS_ADMIN) || !(ns->owner ? owner_capable(ns, CAP_SYS_ADMIN) : capable(CAP_SYS_ADMIN)))
		return -EPERM;
	if (ns->kind == NS_MNT && !capable_here(CAP_SYS_CHROOT))
		return -EPERM;
	if (ns->kind == NS_PID &&
		!pid_ns_contains(current->process->pid_ns, container_of(ns, const struct pid_ns, ns)))
		return -EINVAL;
	return 0;
}

int ns_enter(struct ns *ns)
{
	struct task *task = current;

	if (ns->kind == NS_USER)
		return user_ns_join(container_of(ns, struct user_ns, ns));
	int rc = check_enter(ns);
	if (rc)
		return rc;
	struct ns_set *set = ns_set_copy(task->ns), *old = task->ns;
	if (!set)
		return -ENOMEM;
	ns_get(ns);
	switch (ns->kind) {
	case NS_UTS:
		ns_put(&set->uts->ns);
		set->uts = container_of(ns, struct uts_ns, ns);
		break;
	case NS_IPC:
		ns_put(&set->ipc->ns);
		set->ipc = container_of(ns, struct ipc_ns, ns);
		break;
	case NS_CGROUP:
		ns_put(&set->cgroup->ns);
		set->cgroup = container_of(ns, struct cgroup_ns, ns);
		break;
	case NS_NET:
		ns_put(&set->net->ns);
		set->net = container_of(ns, struct net_ns, ns);
		break;
	case NS_PID:
		ns_put(&set->pid_for_children->ns);
		set->pid_for_children = container_of(ns, struct pid_ns, ns);
		break;
	case NS_MNT:
		rc = mnt_ns_enter(ns, task->fs);
		if (rc) {
			ns_put(ns);
			ns_set_put(set);
			return rc;
		}
		ns_put(mnt_ns_base(set->mnt));
		set->mnt = (struct mnt_ns *)ns; /* it begins with its struct ns */
		break;
	case NS_TIME:
		ns_put(&set->time->ns);
		ns_put(&set->time_for_children->ns);
		set->time = set->time_for_children = container_of(ns, struct time_ns, ns);
		ns_get(ns);
		set->time->entered = true;
		rc = vdso_follow_time(task->mm, set->time);
		break;
	default:
		BUG_ON(true); /* users' are entered above */
	}
	if (rc) {
		ns_set_put(set);
		return rc;
	}
	task->ns = set;
	ns_set_put(old);
	return 0;
}

struct ns *ns_of_task(const struct task *task, enum ns_kind kind, bool for_children)
{
	struct ns *ns = NULL;

	if (kind == NS_PID && !for_children)
		ns = task->state == TASK_ZOMBIE ? NULL : &task->process->pid_ns->ns;
	else if (!task->ns)
		ns = NULL;
	else if (kind == NS_PID)
		ns = &task->ns->pid_for_children->ns;
	else if (kind == NS_USER)
		ns = &task->cred->user_ns->ns;
	else if (kind == NS_UTS)
		ns = &task->ns->uts->ns;
	else if (kind == NS_IPC)
		ns = &task->ns->ipc->ns;
	else if (kind == NS_CGROUP)
		ns = &task->ns->cgroup->ns;
	else if (kind == NS_NET)
		ns = &task->ns->net->ns;
	else if (kind == NS_MNT)
		ns = task->ns->mnt ? mnt_ns_base(task->ns->mnt) : NULL;
	else
		ns = for_children ? &task->ns->time_for_children->ns : &task->ns->time->ns;
	if (ns)
		ns->refs++;
	return ns;
}

/* ---- process numbers ---- */

struct pid_entry {
	TAILQ_ENTRY(pid_entry) by_number, by_global;
	int number, global;
};

struct pid_ns first_pid_ns = {.ns = {.refs = 1, .inum = NS_FIRST_INUM + NS_PID, .kind = NS_PID}, .identity = true};
static TAILQ_HEAD(, pid_ns) numbered = TAILQ_HEAD_INITIALIZER(numbered);

struct pid_ns *pid_ns_create(struct pid_ns *parent, struct user_ns *owner)
{
	struct pid_ns *pid = ns_create(sizeof(*pid), NS_PID, owner);

	if (!pid)
		return NULL;
	for (unsigned i = 0; i < PID_NS_BUCKETS; i++) {
		TAILQ_INIT(&pid->by_number[i]);
		TAILQ_INIT(&pid->by_global[i]);
	}
	pid->parent = parent;
	if (parent) {
		parent->ns.refs++;
		pid->level = parent->level + 1;
	}
	TAILQ_INSERT_TAIL(&numbered, pid, link);
	return pid;
}

static void entry_remove(struct pid_ns *pid, struct pid_entry *entry)
{
	TAILQ_REMOVE(&pid->by_number[(unsigned)entry->number % PID_NS_BUCKETS], entry, by_number);
	TAILQ_REMOVE(&pid->by_global[(unsigned)entry->global % PID_NS_BUCKETS], entry, by_global);
	kfree(entry);
}

static void pid_ns_destroy(struct pid_ns *pid)
{
	struct pid_ns *parent = pid->parent;
	struct pid_entry *entry;

	for (unsigned i = 0; i < PID_NS_BUCKETS; i++) {
		while ((entry = TAILQ_FIRST(&pid->by_number[i])))
			entry_remove(pid, entry);
	}
	TAILQ_REMOVE(&numbered, pid, link);
	kfree(pid);
	if (parent)
		ns_put(&parent->ns);
}

static struct pid_entry *find_number(const struct pid_ns *pid, int number)
{
	struct pid_entry *entry;

	TAILQ_FOREACH(entry, &pid->by_number[(unsigned)number % PID_NS_BUCKETS], by_number) {
		if (entry->number == number)
			return entry;
	}
	return NULL;
}

static struct pid_entry *find_global(const struct pid_ns *pid, int global)
{
	struct pid_entry *entry;

	TAILQ_FOREACH(entry, &pid->by_global[(unsigned)global % PID_NS_BUCKETS], by_global) {
		if (entry->global == global)
			return entry;
	}
	return NULL;
}

int pid_ns_nr(const struct pid_ns *pid, int global)
{
	if (pid->identity)
		return global;
	const struct pid_entry *entry = find_global(pid, global);
	return entry ? entry->number : 0;
}

int pid_ns_global(const struct pid_ns *pid, int number)
{
	if (pid->identity)
		return number;
	const struct pid_entry *entry = find_number(pid, number);
	return entry ? entry->global : 0;
}

int process_nr(const struct pid_ns *pid, const struct process *process)
{
	return pid_ns_contains(pid, process->pid_ns) ? pid_ns_nr(pid, process->pid) : 0;
}

int task_nr(const struct pid_ns *pid, const struct task *task)
{
	return pid_ns_contains(pid, task->process->pid_ns) ? pid_ns_nr(pid, task->tid) : 0;
}

void pid_ns_forget(int global)
{
	struct pid_ns *pid;

	TAILQ_FOREACH(pid, &numbered, link) {
		struct pid_entry *entry = find_global(pid, global);

		if (entry)
			entry_remove(pid, entry);
	}
}

/* The next number that nobody uses; one whose task, group and session have gone is free. -EAGAIN: none. */
static int free_number(struct pid_ns *pid)
{
	for (int tries = 0; tries < TASK_ID_MAX; tries++) {
		if (++pid->last >= TASK_ID_MAX)
			pid->last = TASK_ID_FIRST_REUSED;
		struct pid_entry *entry = find_number(pid, pid->last);

		if (entry && tid_in_use(entry->global))
			continue;
		if (entry)
			entry_remove(pid, entry);
		return pid->last;
	}
	return -EAGAIN;
}

static int number_in(struct pid_ns *pid, int global)
{
	struct pid_entry *entry = kzalloc(sizeof(*entry));
	int number = free_number(pid);

	if (!entry || number < 0) {
		kfree(entry);
		return entry ? number : -ENOMEM;
	}
	entry->number = number;
	entry->global = global;
	TAILQ_INSERT_HEAD(&pid->by_number[(unsigned)number % PID_NS_BUCKETS], entry, by_number);
	TAILQ_INSERT_HEAD(&pid->by_global[(unsigned)global % PID_NS_BUCKETS], entry, by_global);
	return number;
}

int pid_ns_number_task(struct task *task)
{
	struct pid_ns *own = task->process->pid_ns;

	task->vtid = task->tid;
	for (struct pid_ns *pid = own; pid && !pid->identity; pid = pid->parent) {
		int number = number_in(pid, task->tid);

		if (number < 0) {
			pid_ns_forget(task->tid);
			return number;
		}
		if (pid == own)
			task->vtid = number;
	}
	return 0;
}

int pid_ns_reboot(bool restart)
{
	struct process *init = current->process->pid_ns->init;

	if (!init)
		return -EINVAL;
	signal_kill_process(init, WAIT_SIGNALED(restart ? SIGHUP : SIGINT));
	if (init != current->process)
		task_exit(WAIT_EXITED(0));
	return 0;
}
