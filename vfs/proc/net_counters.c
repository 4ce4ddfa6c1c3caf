/*
 * /proc/net/snmp, snmp6 and netstat: what kernel/net/inet.h has counted, in Linux's two forms.
 */
#include "kernel/net/inet.h"
#include "vfs/proc/net.h"

static void show_name(void *seq, const char *name, int64_t value)
{
	seq_printf(seq, " %s", name);
}

static void show_value(void *seq, const char *name, int64_t value)
{
	seq_printf(seq, " %ld", (long)value);
}

/* A line of names, a line of values. */
static void show_group(struct seq *seq, const char *group)
{
	seq_printf(seq, "%s:", group);
	inet_for_each_counter(group, show_name, seq);
	seq_printf(seq, "\n%s:", group);
	inet_for_each_counter(group, show_value, seq);
	seq_puts(seq, "\n");
}

int proc_show_snmp(struct seq *seq, struct pseudo_inode *p)
{
	show_group(seq, "Ip");
	show_group(seq, "Icmp");
	show_group(seq, "Tcp");
	show_group(seq, "Udp");
	return 0;
}

int proc_show_netstat(struct seq *seq, struct pseudo_inode *p)
{
	show_group(seq, "IpExt");
	return 0;
}

struct listing {
	struct seq *seq;
	const char *group;
};

static void show_line(void *arg, const char *name, int64_t value)
{
	const struct listing *listing = arg;
	char whole[40];

	snprintf(whole, sizeof(whole), "%s%s", listing->group, name);
	seq_printf(listing->seq, "%-32s\t%ld\n", whole, (long)value);
}

int proc_show_snmp6(struct seq *seq, struct pseudo_inode *p)
{
	static const char *const groups[] = {"Ip6", "Icmp6", "Udp6"};

	for (unsigned i = 0; i < ARRAY_SIZE(groups); i++) {
		struct listing listing = {seq, groups[i]};

		inet_for_each_counter(groups[i], show_line, &listing);
	}
	return 0;
}
