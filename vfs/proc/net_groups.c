/*
 * /proc/net/igmp, igmp6 and dev_mcast: the multicast groups of each link (kernel/net/inet.h), and the Ethernet addresses
 * that they have.
 */
#include <linux/errno.h>

#include "kernel/mm.h"
#include "kernel/net/inet.h"
#include "vfs/proc/net.h"

#define MACS_MAX 128u /* of a link, that are shown */

static void count_group(void *arg, const struct inet_group *group)
{
	++*(unsigned *)arg;
}

static void show_group4(void *seq, const struct inet_group *group)
{
	uint32_t address;

	memcpy(&address, group->address, sizeof(address));
	seq_printf(seq, "\t\t\t\t%08X %5u 0:00000000\t\t0\n", address, group->users);
}

static void show_device4(void *seq, const struct inet_device *d)
{
	unsigned count = 0;

	inet_for_each_group(d->index, AF_INET, count_group, &count);
	seq_printf(seq, "%d\t%-10s: %5u      V2\n", d->index, d->name, count);
	inet_for_each_group(d->index, AF_INET, show_group4, seq);
}

int proc_show_igmp(struct seq *seq, struct pseudo_inode *p)
{
	seq_puts(seq, "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
	inet_for_each_device(show_device4, seq);
	return 0;
}

struct listing {
	struct seq *seq;
	const struct inet_device *device;
};

static void show_group6(void *arg, const struct inet_group *group)
{
	const struct listing *listing = arg;

	seq_printf(listing->seq, "%-4d %-15s ", group->index, listing->device->name);
	for (unsigned i = 0; i < 16; i++)
		seq_printf(listing->seq, "%02x", group->address[i]);
	seq_printf(listing->seq, " %5u %08X 0\n", group->users, 4u); /* the last report was ours */
}

static void show_device6(void *seq, const struct inet_device *d)
{
	struct listing listing = {seq, d};

	inet_for_each_group(d->index, AF_INET6, show_group6, &listing);
}

int proc_show_igmp6(struct seq *seq, struct pseudo_inode *p)
{
	inet_for_each_device(show_device6, seq);
	return 0;
}

/* ---- Ethernet addresses ---- */

struct macs {
	unsigned count;
	struct {
		uint8_t mac[6];
		uint16_t groups; /* that share it */
	} entries[MACS_MAX];
};

/* RFC 1112, 6.4; RFC 2464, 7 */
static void add_mac(void *arg, const struct inet_group *group)
{
	const uint8_t *a = group->address;
	const uint8_t mac4[6] = {1, 0, 0x5e, a[1] & 0x7f, a[2], a[3]}, mac6[6] = {0x33, 0x33, a[12], a[13], a[14], a[15]};
	const uint8_t *mac = group->family == AF_INET ? mac4 : mac6;
	struct macs *macs = arg;
	unsigned i = 0;

	while (i < macs->count && memcmp(macs->entries[i].mac, mac, sizeof(mac4)))
		i++;
	if (i == MACS_MAX)
		return;
	if (i == macs->count)
		memcpy(macs->entries[macs->count++].mac, mac, sizeof(mac4));
	macs->entries[i].groups++;
}

/* ff01::/16 stays in the host. */
static void add_mac6(void *arg, const struct inet_group *group)
{
	if ((group->address[1] & 15) > 1)
		add_mac(arg, group);
}

static void show_macs(void *seq, const struct inet_device *d)
{
	struct macs *macs = d->loopback ? NULL : kzalloc(sizeof(*macs));

	if (!macs)
		return;
	inet_for_each_group(d->index, AF_INET6, add_mac6, macs);
	inet_for_each_group(d->index, AF_INET, add_mac, macs);
	for (unsigned i = 0; i < macs->count; i++) {
		const uint8_t *mac = macs->entries[i].mac;

		seq_printf(seq, "%-4d %-15s %-5u 0     %02x%02x%02x%02x%02x%02x\n", d->index, d->name, macs->entries[i].groups, mac[0],
			mac[1], mac[2], mac[3], mac[4], mac[5]);
	}
	kfree(macs);
}

int proc_show_dev_mcast(struct seq *seq, struct pseudo_inode *p)
{
	inet_for_each_device(show_macs, seq);
	return 0;
}
