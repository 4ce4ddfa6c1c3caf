/*
 * /proc/sys: the settings that programs ask for (proc(5), sysctl). They tell what the sentry does; those that it heeds
 * (kernel/sysctl.h and the names of uts) can be written, the others not: a setting without effect would be a lie.
 * A container's configuration sets them at its start; to set one to what it is anyway is fine.
 */
#include <linux/capability.h>
#include <linux/errno.h>

#include "kernel/namespaces.h"
#include "kernel/process.h"
#include "kernel/random.h"
#include "kernel/sysctl.h"
#include "kernel/user_ns.h"
#include "kernel/uts.h"
#include "ring0/clock.h"
#include "vfs/anon/aio.h"
#include "vfs/pipe/pipe.h"
#include "vfs/proc/proc.h"
#include "vfs/proc/sysctl.h"

static int64_t write_name(char *name, const char *text, size_t n)
{
	const char *newline = strchr(text, '\n');
	size_t len = newline ? (size_t)(newline - text) : strlen(text);

	if (!owner_capable(&current->ns->uts->ns, CAP_SYS_ADMIN))
		return -EPERM;
	if (len > 64)
		return -EINVAL;
	memcpy(name, text, len);
	name[len] = '\0';
	return (int64_t)n;
}

static int show_hostname(struct seq *seq, struct pseudo_inode *p)
{
	seq_printf(seq, "%s\n", uts_nodename);
	return 0;
}

static int64_t write_hostname(struct pseudo_inode *p, const char *text, size_t n)
{
	return write_name(uts_nodename, text, n);
}

static int show_domainname(struct seq *seq, struct pseudo_inode *p)
{
	seq_printf(seq, "%s\n", *uts_domainname ? uts_domainname : "(none)");
	return 0;
}

static int64_t write_domainname(struct pseudo_inode *p, const char *text, size_t n)
{
	return write_name(uts_domainname, text, n);
}

static void show_uuid(struct seq *seq, const uint8_t b[16])
{
	for (unsigned i = 0; i < 16; i++)
		seq_printf(seq, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
	seq_puts(seq, "\n");
}

static int show_new_uuid(struct seq *seq, struct pseudo_inode *p)
{
	uint8_t bytes[16];

	random_bytes(bytes, sizeof(bytes));
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	show_uuid(seq, bytes);
	return 0;
}

static int show_boot_id(struct seq *seq, struct pseudo_inode *p)
{
	static uint8_t bytes[16];
	static bool made;

	if (!made) {
		random_bytes(bytes, sizeof(bytes));
		bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
		bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
		made = true;
	}
	show_uuid(seq, bytes);
	return 0;
}

static int show_threads_max(struct seq *seq, struct pseudo_inode *p)
{
	seq_printf(seq, "%d\n", PID_MAX - 1);
	return 0;
}

static int show_pid_max(struct seq *seq, struct pseudo_inode *p)
{
	seq_printf(seq, "%d\n", PID_MAX);
	return 0;
}

static int show_aio_nr(struct seq *seq, struct pseudo_inode *p)
{
	seq_printf(seq, "%u\n", aio_events_reserved());
	return 0;
}

static int show_pipe_max_size(struct seq *seq, struct pseudo_inode *p)
{
	seq_printf(seq, "%u\n", PIPE_MAX_SIZE);
	return 0;
}

/* ---- numbers that can be changed ---- */

#define VALUES_MAX 4u

struct number {
	const char *name; /* of the file */
	uint64_t *value[VALUES_MAX];
	uint64_t max;
};

/* Of the network namespace that the task is in: where in its settings. */
struct net_number {
	const char *name;
	uint64_t max;
	unsigned offset;
	bool groups; /* this one and the next are a range of group ids */
};
#define NET_OFFSET(field) ((unsigned)offsetof(struct net_sysctls, field))

static const struct net_number net_numbers[] = {
	{"ip_unprivileged_port_start", 65535, NET_OFFSET(unprivileged_port_start), false},
	{"ping_group_range", UINT32_MAX - 1, NET_OFFSET(ping_group_min), true},
	{"somaxconn", INT32_MAX, NET_OFFSET(somaxconn), false},
	{"tcp_keepalive_intvl", 32767, NET_OFFSET(keepalive_interval), false},
	{"tcp_keepalive_probes", 127, NET_OFFSET(keepalive_probes), false},
	{"tcp_keepalive_time", 32767, NET_OFFSET(keepalive_time), false},
};

static const struct number numbers[] = {
	{"shmmax", {&sysctls.shmmax}, UINT64_MAX},
	{"shmall", {&sysctls.shmall}, UINT64_MAX},
	{"shmmni", {&sysctls.shmmni}, 4096},
	{"msgmax", {&sysctls.msgmax}, 65536},
	{"msgmnb", {&sysctls.msgmnb}, 1u << 24},
	{"msgmni", {&sysctls.msgmni}, 32000},
	{"max_map_count", {&sysctls.max_map_count}, INT32_MAX},
	{"queues_max", {&sysctls.mq_queues_max}, INT32_MAX},
	{"msg_max", {&sysctls.mq_msg_max}, 65536},
	{"msg_default", {&sysctls.mq_msg_default}, 65536},
	{"msgsize_max", {&sysctls.mq_msgsize_max}, 16u << 20},
	{"msgsize_default", {&sysctls.mq_msgsize_default}, 16u << 20},
	{"sem", {&sysctls.semmsl, &sysctls.semmns, &sysctls.semopm, &sysctls.semmni}, INT32_MAX},
};

static const struct number *number_of(const struct pseudo_inode *p)
{
	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (!strcmp(numbers[i].name, p->entry->name))
			return &numbers[i];
	}
	return NULL;
}

static int show_number(struct seq *seq, struct pseudo_inode *p)
{
	const struct number *number = number_of(p);

	for (unsigned i = 0; number && i < VALUES_MAX && number->value[i]; i++)
		seq_printf(seq, "%s%lu", i ? "\t" : "", (unsigned long)*number->value[i]);
	seq_puts(seq, "\n");
	return 0;
}

/* The next number of a text; false: there is none, or it is no number. */
static bool take_number(const char **text, uint64_t *value)
{
	const char *at = *text;

	while (*at == ' ' || *at == '\t' || *at == '\n')
		at++;
	if (*at < '0' || *at > '9')
		return false;
	for (*value = 0; *at >= '0' && *at <= '9'; at++) {
		if (__builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, (uint64_t)(*at - '0'), value))
			return false;
	}
	*text = at;
	return !*at || *at == ' ' || *at == '\t' || *at == '\n';
}

/* As many values as are given and wanted; their count, or -EINVAL where there are none, more, or one is too large. */
static int take_numbers(const char *text, uint64_t *value, unsigned wanted, uint64_t max)
{
	unsigned count = 0;

	while (count < wanted && take_number(&text, &value[count])) {
		if (value[count] > max)
			return -EINVAL;
		count++;
	}
	while (*text == ' ' || *text == '\t' || *text == '\n')
		text++;
	return !count || *text ? -EINVAL : (int)count;
}

/* As Linux does: as many values as are given, from the first on. */
static int64_t write_number(struct pseudo_inode *p, const char *text, size_t n)
{
	const struct number *number = number_of(p);
	uint64_t value[VALUES_MAX];
	unsigned wanted = 0;
	int count;

	/* The whole sandbox has one of each: a namespace made inside may not change it. */
	if (!capable(CAP_SYS_ADMIN) && !capable(CAP_NET_ADMIN))
		return -EPERM;
	while (wanted < VALUES_MAX && number && number->value[wanted])
		wanted++;
	count = take_numbers(text, value, wanted, number ? number->max : 0);
	if (count < 0)
		return count;
	for (int i = 0; i < count; i++)
		*number->value[i] = value[i];
	return (int64_t)n;
}

static const struct net_number *net_number_of(const struct pseudo_inode *p)
{
	const struct net_number *number = net_numbers;

	while (strcmp(number->name, p->entry->name)) /* every entry that asks has one */
		number++;
	return number;
}

static uint64_t *net_values(const struct net_number *number)
{
	return (uint64_t *)((char *)sysctl_net() + number->offset);
}

static int show_net_number(struct seq *seq, struct pseudo_inode *p)
{
	const struct net_number *number = net_number_of(p);
	const uint64_t *value = net_values(number);

	if (number->groups)
		seq_printf(seq, "%u\t%u\n", gid_to_user((uint32_t)value[0]), gid_to_user((uint32_t)value[1]));
	else
		seq_printf(seq, "%lu\n", (unsigned long)value[0]);
	return 0;
}

/* What nobody is in becomes the range that has none. */
static int64_t write_net_number(struct pseudo_inode *p, const char *text, size_t n)
{
	const struct net_number *number = net_number_of(p);
	uint64_t *to = net_values(number), value[2] = {to[0], number->groups ? gid_to_user((uint32_t)to[1]) : 0};
	int count = take_numbers(text, value, number->groups ? 2 : 1, number->max);

	if (count < 0)
		return count;
	if (!number->groups) {
		to[0] = value[0];
		return (int64_t)n;
	}
	uint32_t low = gid_from_user((uint32_t)value[0]), high = gid_from_user((uint32_t)value[1]);
	if (low == ID_NONE || high == ID_NONE)
		return -EINVAL;
	to[0] = high < low ? 1 : low;
	to[1] = high < low ? 0 : high;
	return (int64_t)n;
}

/* Who administers the network namespace may what its root may. */
static int net_number_permission(struct inode *inode, unsigned mask)
{
	const struct ns *ns = &current->ns->net->ns;

	if (!(mask & MAY_EXEC) && (ns->owner ? owner_capable(ns, CAP_NET_ADMIN) : capable(CAP_NET_ADMIN)))
		return 0;
	return inode_permission_by_mode(inode, mask);
}

static const struct inode_ops net_number_inode_ops = {
	.permission = net_number_permission,
	.getattr = pseudo_getattr,
	.setattr = pseudo_setattr,
	.revalidate = pseudo_revalidate,
	.destroy = pseudo_destroy,
};

/* Of the reader's namespace, and everything below it. */
static int show_max_user_namespaces(struct seq *seq, struct pseudo_inode *p)
{
	seq_printf(seq, "%u\n", user_ns_current()->below_max);
	return 0;
}

static int64_t write_max_user_namespaces(struct pseudo_inode *p, const char *text, size_t n)
{
	uint64_t value;

	if (!capable_here(CAP_SYS_RESOURCE))
		return -EPERM;
	if (!take_number(&text, &value) || value > INT32_MAX)
		return -EINVAL;
	current->cred->user_ns->below_max = (uint32_t)value;
	return (int64_t)n;
}

#define NUMBER(n) {.name = (n), .mode = S_IFREG | 0644, .show = show_number, .write = write_number}
#define NET_NUMBER(n) \
	{.name = (n), .mode = S_IFREG | 0644, .show = show_net_number, .write = write_net_number, .iops = &net_number_inode_ops}
#define FILE_R(n, fn) {.name = (n), .mode = S_IFREG | 0444, .show = (fn)}
#define TEXT(n, s) {.name = (n), .mode = S_IFREG | 0444, .show = pseudo_show_text, .text = s "\n"}
#define DIR(n, table) {.name = (n), .mode = S_IFDIR | 0555, .children = (table)}
#define END {.name = NULL}

static const struct pseudo_entry random_table[] = {
	FILE_R("boot_id", show_boot_id),
	TEXT("entropy_avail", "256"),
	TEXT("poolsize", "256"),
	FILE_R("uuid", show_new_uuid),
	END,
};

static const struct pseudo_entry seccomp_table[] = {
	TEXT("actions_avail", "kill_process kill_thread trap errno user_notif trace log allow"),
	TEXT("actions_logged", "kill_process kill_thread log"),
	END,
};

static const struct pseudo_entry pty_table[] = {
	TEXT("max", "1024"),
	END,
};

/* The limits that kernel/keys/ heeds. */
#define KEYS_TEXT(n, value) {.name = (n), .mode = S_IFREG | 0444, .show = pseudo_show_text, .text = STRING_OF(value) "\n"}
#define STRING_OF(value) STRING(value)
#define STRING(value) #value

static const struct pseudo_entry keys_table[] = {
	KEYS_TEXT("gc_delay", KEYS_GC_DELAY),
	KEYS_TEXT("maxbytes", KEYS_BYTES_MAX),
	KEYS_TEXT("maxkeys", KEYS_MAX),
	KEYS_TEXT("persistent_keyring_expiry", KEYS_PERSISTENT_EXPIRY),
	KEYS_TEXT("root_maxbytes", KEYS_ROOT_BYTES_MAX),
	KEYS_TEXT("root_maxkeys", KEYS_ROOT_MAX),
	END,
};

static const struct pseudo_entry kernel_table[] = {
	TEXT("cap_last_cap", "40"),
	TEXT("core_pattern", "core"),
	TEXT("core_uses_pid", "0"),
	TEXT("dmesg_restrict", "0"),
	{.name = "domainname", .mode = S_IFREG | 0644, .show = show_domainname, .write = write_domainname},
	{.name = "hostname", .mode = S_IFREG | 0644, .show = show_hostname, .write = write_hostname},
	TEXT("kptr_restrict", "1"),
	NUMBER("msgmax"),
	NUMBER("msgmnb"),
	NUMBER("msgmni"),
	TEXT("ngroups_max", "65536"),
	TEXT("osrelease", UTS_RELEASE),
	TEXT("ostype", "Linux"),
	DIR("keys", keys_table),
	TEXT("overflowgid", "65534"),
	TEXT("overflowuid", "65534"),
	TEXT("panic", "0"),
	FILE_R("pid_max", show_pid_max),
	TEXT("printk", "4\t4\t1\t7"),
	DIR("pty", pty_table),
	DIR("random", random_table),
	TEXT("randomize_va_space", "2"),
	TEXT("sched_child_runs_first", "0"),
	DIR("seccomp", seccomp_table),
	NUMBER("sem"),
	NUMBER("shmall"),
	NUMBER("shmmax"),
	NUMBER("shmmni"),
	TEXT("sysrq", "0"),
	TEXT("tainted", "0"),
	FILE_R("threads-max", show_threads_max),
	TEXT("version", UTS_VERSION),
	END,
};

static const struct pseudo_entry vm_table[] = {
	TEXT("dirty_background_ratio", "10"),
	TEXT("dirty_ratio", "20"),
	NUMBER("max_map_count"),
	TEXT("mmap_min_addr", "65536"),
	TEXT("nr_hugepages", "0"),
	TEXT("overcommit_memory", "0"),
	TEXT("overcommit_ratio", "50"),
	TEXT("panic_on_oom", "0"),
	TEXT("swappiness", "60"),
	END,
};

static const struct pseudo_entry inotify_table[] = {
	TEXT("max_queued_events", "16384"),
	TEXT("max_user_instances", "128"),
	TEXT("max_user_watches", "65536"),
	END,
};

static const struct pseudo_entry epoll_table[] = {
	TEXT("max_user_watches", "1048576"),
	END,
};

static const struct pseudo_entry mqueue_table[] = {
	NUMBER("msg_default"),
	NUMBER("msg_max"),
	NUMBER("msgsize_default"),
	NUMBER("msgsize_max"),
	NUMBER("queues_max"),
	END,
};

static const struct pseudo_entry fs_table[] = {
	TEXT("aio-max-nr", "65536"),
	FILE_R("aio-nr", show_aio_nr),
	DIR("epoll", epoll_table),
	TEXT("dir-notify-enable", "1"),
	TEXT("file-max", "9223372036854775807"),
	TEXT("file-nr", "0\t0\t9223372036854775807"),
	DIR("inotify", inotify_table),
	TEXT("lease-break-time", "45"),
	DIR("mqueue", mqueue_table),
	TEXT("nr_open", "1048576"),
	FILE_R("pipe-max-size", show_pipe_max_size),
	TEXT("protected_hardlinks", "1"),
	TEXT("protected_symlinks", "1"),
	TEXT("suid_dumpable", "0"),
	END,
};

static const struct pseudo_entry core_table[] = {
	TEXT("optmem_max", "131072"),
	TEXT("rmem_default", "212992"),
	TEXT("rmem_max", "212992"),
	NET_NUMBER("somaxconn"),
	TEXT("wmem_default", "212992"),
	TEXT("wmem_max", "212992"),
	END,
};

static const struct pseudo_entry unix_table[] = {
	TEXT("max_dgram_qlen", "512"),
	END,
};

static const struct pseudo_entry conf4_table[] = {
	TEXT("accept_redirects", "0"),
	TEXT("accept_source_route", "0"),
	TEXT("forwarding", "0"),
	TEXT("rp_filter", "0"),
	TEXT("send_redirects", "0"),
	END,
};

static const struct pseudo_entry confs4_table[] = {
	DIR("all", conf4_table),
	DIR("default", conf4_table),
	END,
};

/* What the stack does (kernel/net/lwip), whatever it is told. A flood of SYNs shuts nobody out, though not by cookies. */
static const struct pseudo_entry ipv4_table[] = {
	DIR("conf", confs4_table),
	TEXT("ip_default_ttl", "64"),
	TEXT("ip_forward", "0"),
	TEXT("ip_local_port_range", "32768\t60999"),
	TEXT("ip_nonlocal_bind", "0"),
	NET_NUMBER("ip_unprivileged_port_start"),
	NET_NUMBER("ping_group_range"),
	TEXT("tcp_available_congestion_control", "reno"),
	TEXT("tcp_congestion_control", "reno"),
	TEXT("tcp_ecn", "0"),
	TEXT("tcp_fastopen", "0"),
	NET_NUMBER("tcp_keepalive_intvl"),
	NET_NUMBER("tcp_keepalive_probes"),
	NET_NUMBER("tcp_keepalive_time"),
	TEXT("tcp_rmem", "4096\t393216\t6291456"),
	TEXT("tcp_sack", "1"),
	TEXT("tcp_syncookies", "1"),
	TEXT("tcp_timestamps", "1"),
	TEXT("tcp_window_scaling", "1"),
	TEXT("tcp_wmem", "4096\t524288\t4194304"),
	END,
};

static const struct pseudo_entry conf6_table[] = {
	TEXT("disable_ipv6", "0"),
	TEXT("forwarding", "0"),
	END,
};

static const struct pseudo_entry confs6_table[] = {
	DIR("all", conf6_table),
	DIR("default", conf6_table),
	END,
};

static const struct pseudo_entry ipv6_table[] = {
	TEXT("bindv6only", "0"),
	DIR("conf", confs6_table),
	END,
};

static const struct pseudo_entry net_table[] = {
	DIR("core", core_table),
	DIR("ipv4", ipv4_table),
	DIR("ipv6", ipv6_table),
	DIR("unix", unix_table),
	END,
};

static const struct pseudo_entry user_table[] = {
	{.name = "max_user_namespaces", .mode = S_IFREG | 0644, .show = show_max_user_namespaces,
		.write = write_max_user_namespaces},
	END,
};

const struct pseudo_entry proc_sys_table[] = {
	DIR("fs", fs_table),
	DIR("kernel", kernel_table),
	DIR("net", net_table),
	DIR("user", user_table),
	DIR("vm", vm_table),
	END,
};

/* ---- a container's configuration ---- */

/* "net.core.somaxconn" or "net/core/somaxconn". */
static const struct pseudo_entry *find_setting(const char *name, size_t len)
{
	const struct pseudo_entry *table = proc_sys_table, *entry = NULL;
	const char *end = name + len;

	while (name < end) {
		const char *stop = name;

		while (stop < end && *stop != '.' && *stop != '/')
			stop++;
		entry = pseudo_find(table, name, (unsigned)(stop - name));
		if (!entry)
			return NULL;
		table = entry->children;
		name = stop + (stop < end);
	}
	return entry && entry->show ? entry : NULL;
}

/* Whether a text is the one that the file shows, blanks and the end of the line aside. */
static bool is_shown(const char *shown, size_t used, const char *value)
{
	size_t at = 0;

	for (; *value; value++) {
		bool blank = *value == ' ' || *value == '\t';

		if (at >= used || (blank ? shown[at] != ' ' && shown[at] != '\t' : shown[at] != *value))
			return false;
		at++;
	}
	return at == used || (at + 1 == used && shown[at] == '\n');
}

static int set_to_what_it_is(struct pseudo_inode *p, const char *value)
{
	struct seq *seq = kzalloc(sizeof(*seq));
	int rc = seq ? p->entry->show(seq, p) : -ENOMEM;

	if (!rc && !is_shown(seq->text, seq->used, value))
		rc = -EROFS;
	if (seq)
		seq_free(seq);
	return rc;
}

int sysctl_apply(const char *assignment)
{
	const char *value = strchr(assignment, '=');
	const struct pseudo_entry *entry = value ? find_setting(assignment, (size_t)(value - assignment)) : NULL;
	struct pseudo_inode p = {.entry = entry};

	if (!entry)
		return -ENOENT;
	value++;
	if (!entry->write)
		return set_to_what_it_is(&p, value);
	int64_t rc = entry->write(&p, value, strlen(value));
	return rc < 0 ? (int)rc : 0;
}
