/*
 * NETLINK_GENERIC: the controller, which tells of the families there are, and TASKSTATS, what a thread or process has used.
 *
 * A request is a struct genlmsghdr and attributes. Of TASKSTATS there is the query by number, for those with
 * CAP_NET_ADMIN; listening to the ends of tasks is refused. Times that nothing here measures (delays, I/O) are 0.
 * Linux: Documentation/accounting/taskstats-struct.rst, linux/genetlink.h.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/genetlink.h>
#include <linux/taskstats.h>

#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/net/netlink_internal.h"
#include "kernel/process.h"
#include "kernel/user_ns.h"
#include "ring0/clock.h"
#include "ring0/lib.h"

#define TASKSTATS_ID (GENL_MIN_ID + 1)
#define US 1000ull /* ns */

static const struct family {
	uint16_t id;
	const char *name;
	uint32_t version, max_attribute, command, flags;
} families[] = {
	{GENL_ID_CTRL, "nlctrl", 2, CTRL_ATTR_MAX, CTRL_CMD_GETFAMILY, GENL_CMD_CAP_DO | GENL_CMD_CAP_DUMP | GENL_CMD_CAP_HASPOL},
	{TASKSTATS_ID, TASKSTATS_GENL_NAME, TASKSTATS_GENL_VERSION, 0, TASKSTATS_CMD_GET,
		GENL_ADMIN_PERM | GENL_CMD_CAP_DO | GENL_CMD_CAP_HASPOL},
};

#define FAMILIES (sizeof(families) / sizeof(families[0]))

static void begin(struct netlink_reply *reply, uint16_t type, uint8_t command, uint8_t version)
{
	struct genlmsghdr *header = reply_begin(reply, type, sizeof(*header));

	if (header)
		*header = (struct genlmsghdr){.cmd = command, .version = version};
}

/* ---- the controller ---- */

static void tell_family(struct netlink_reply *reply, const struct family *family)
{
	/* One operation: a list of one list of two numbers. */
	const struct {
		struct nlattr entry, id;
		uint32_t command;
		struct nlattr flags;
		uint32_t value;
	} operations = {{sizeof(operations), 1}, {NLA_HDRLEN + 4, CTRL_ATTR_OP_ID}, family->command,
		{NLA_HDRLEN + 4, CTRL_ATTR_OP_FLAGS}, family->flags};

	begin(reply, GENL_ID_CTRL, CTRL_CMD_NEWFAMILY, 2);
	reply_put_string(reply, CTRL_ATTR_FAMILY_NAME, family->name);
	reply_put(reply, CTRL_ATTR_FAMILY_ID, &family->id, sizeof(family->id));
	reply_put_u32(reply, CTRL_ATTR_VERSION, family->version);
	reply_put_u32(reply, CTRL_ATTR_HDRSIZE, 0);
	reply_put_u32(reply, CTRL_ATTR_MAXATTR, family->max_attribute);
	reply_put(reply, CTRL_ATTR_OPS, &operations, sizeof(operations));
	reply_end(reply);
}

static int controller(struct netlink_reply *reply, const struct nlmsghdr *request, size_t len)
{
	size_t id_len = 0, name_len = 0;
	const uint16_t *id = netlink_find_attribute(request, len, GENL_HDRLEN, CTRL_ATTR_FAMILY_ID, &id_len);
	const char *name = netlink_find_attribute(request, len, GENL_HDRLEN, CTRL_ATTR_FAMILY_NAME, &name_len);

	if (reply->multi) {
		for (unsigned i = 0; i < FAMILIES; i++)
			tell_family(reply, &families[i]);
		return 0;
	}
	if ((id && id_len < sizeof(*id)) || (!id && !name))
		return -EINVAL;
	for (unsigned i = 0; i < FAMILIES; i++) {
		size_t length = strlen(families[i].name);
		bool named = name && name_len >= length && !memcmp(name, families[i].name, length) &&
			(name_len == length || !name[length]);

		if (id ? *id == families[i].id : named) {
			tell_family(reply, &families[i]);
			return 0;
		}
	}
	return -ENOENT;
}

/* ---- TASKSTATS ---- */

static void fill_task(struct taskstats *stats, struct task *task)
{
	const struct process *process = task->process;
	uint64_t age = clock_boottime() - task->start_time;
	const struct mm *mm = task->mm;
	uint64_t user, system;

	task_cpu_times(task, &user, &system);
	rf_strlcpy(stats->ac_comm, task->comm, sizeof(stats->ac_comm));
	stats->ac_nice = (uint8_t)task->nice;
	stats->ac_sched = task->policy;
	stats->ac_uid = uid_to_user(task->cred->uid);
	stats->ac_gid = gid_to_user(task->cred->gid);
	stats->ac_pid = (uint32_t)pid_vnr(task->tid);
	stats->ac_tgid = (uint32_t)pid_vnr(process->pid);
	stats->ac_ppid = process->parent ? (uint32_t)pid_vnr(process->parent->pid) : 0;
	stats->ac_etime = stats->ac_tgetime = age / US;
	stats->ac_btime64 = (uint64_t)(clock_realtime() - (int64_t)age) / 1000000000u;
	stats->ac_btime = (uint32_t)stats->ac_btime64;
	stats->ac_utime = stats->ac_utimescaled = user / US;
	stats->ac_stime = stats->ac_stimescaled = system / US;
	stats->ac_minflt = task->min_flt;
	stats->ac_majflt = task->maj_flt;
	stats->cpu_run_real_total = stats->cpu_run_virtual_total = stats->cpu_scaled_run_real_total = user + system;
	stats->nvcsw = task->nvcsw;
	stats->nivcsw = task->nivcsw;
	if (mm) {
		uint64_t rss = mm->rss_anon + mm->rss_file + mm->rss_shmem;

		stats->hiwater_rss = MAX(mm->hiwater_rss, rss) * (PAGE_SIZE / 1024);
		stats->hiwater_vm = mm->total_vm * (PAGE_SIZE / 1024);
	}
}

/* Of a process: the sums alone. */
static void fill_process(struct taskstats *stats, struct process *process)
{
	const struct task *task;
	uint64_t user, system;

	process_cpu_times(process, &user, &system);
	stats->ac_utime = user / US;
	stats->ac_stime = system / US;
	stats->cpu_run_real_total = stats->cpu_run_virtual_total = user + system;
	stats->nvcsw = process->nvcsw;
	stats->nivcsw = process->nivcsw;
	TAILQ_FOREACH(task, &process->tasks, sibling) {
		stats->nvcsw += task->nvcsw;
		stats->nivcsw += task->nivcsw;
	}
}

/* The nested attribute: the number that was asked for and the statistics. */
struct statistics {
	struct taskstats value;
	struct {
		struct nlattr id;
		uint32_t number;
		struct nlattr stats;
		char value[sizeof(struct taskstats)];
	} message;
};

static void tell_statistics(struct netlink_reply *reply, struct statistics *s, uint32_t nr, bool one)
{
	s->value.version = TASKSTATS_VERSION;
	s->message.id = (struct nlattr){NLA_HDRLEN + sizeof(nr), one ? TASKSTATS_TYPE_PID : TASKSTATS_TYPE_TGID};
	s->message.number = nr;
	s->message.stats = (struct nlattr){NLA_HDRLEN + sizeof(s->value), TASKSTATS_TYPE_STATS};
	memcpy(s->message.value, &s->value, sizeof(s->value));
	begin(reply, TASKSTATS_ID, TASKSTATS_CMD_NEW, TASKSTATS_GENL_VERSION);
	reply_put(reply, one ? TASKSTATS_TYPE_AGGR_PID : TASKSTATS_TYPE_AGGR_TGID, &s->message, sizeof(s->message));
	reply_end(reply);
}

static int taskstats(struct netlink_reply *reply, const struct nlmsghdr *request, size_t len)
{
	size_t size = 0;
	const void *number = netlink_find_attribute(request, len, GENL_HDRLEN, TASKSTATS_CMD_ATTR_PID, &size);
	bool one = number;
	struct statistics *s;
	struct process *process;
	struct task *task;
	uint32_t nr;

	if (!one)
		number = netlink_find_attribute(request, len, GENL_HDRLEN, TASKSTATS_CMD_ATTR_TGID, &size);
	if (!number && netlink_find_attribute(request, len, GENL_HDRLEN, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, &size))
		return -EOPNOTSUPP;
	if (!number || size < sizeof(nr))
		return -EINVAL;
	memcpy(&nr, number, sizeof(nr));
	task = task_find((int)nr);
	process = process_find((int)nr);
	if (one ? !task : !process)
		return -ESRCH;
	s = kzalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	if (one)
		fill_task(&s->value, task);
	else
		fill_process(&s->value, process);
	tell_statistics(reply, s, nr, one);
	kfree(s);
	return 0;
}

int netlink_generic_request(struct netlink_reply *reply, const struct nlmsghdr *request, size_t len)
{
	const struct genlmsghdr *header = NLMSG_DATA(request);

	if (request->nlmsg_type != GENL_ID_CTRL && request->nlmsg_type != TASKSTATS_ID)
		return -ENOENT;
	if (len < NLMSG_LENGTH(GENL_HDRLEN))
		return -EINVAL;
	if (request->nlmsg_type == GENL_ID_CTRL)
		return header->cmd == CTRL_CMD_GETFAMILY ? controller(reply, request, len) : -EOPNOTSUPP;
	if (header->cmd != TASKSTATS_CMD_GET || reply->multi)
		return -EOPNOTSUPP;
	return net_capable(CAP_NET_ADMIN) ? taskstats(reply, request, len) : -EPERM;
}
