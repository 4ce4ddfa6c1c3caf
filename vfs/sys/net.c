/*
 * /sys/class/net: a directory for each device, whose files are made when they are read. Links come after boot, so
 * whenever the directory is looked into, those that are new get theirs. What is there of one that has gone is kept for
 * the next of its name, and not shown.
 */
#include <linux/errno.h>

#include "kernel/mm.h"
#include "kernel/net/inet.h"
#include "ring0/lib.h"
#include "vfs/proc/pseudo.h"
#include "vfs/sys/net.h"

#define DEVICES_MAX 64u /* names, in all */

/* An entry's text is its device's name. */
static struct inet_device device_of(const struct pseudo_inode *p)
{
	struct inet_device device;

	(void)inet_find_device(0, p->entry->text, &device);
	return device;
}

static int show_address(struct seq *seq, struct pseudo_inode *p)
{
	const struct inet_device device = device_of(p);
	const uint8_t *mac = device.mac;

	seq_printf(seq, "%02x:%02x:%02x:%02x:%02x:%02x\n", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return 0;
}

static int show_broadcast(struct seq *seq, struct pseudo_inode *p)
{
	seq_puts(seq, device_of(p).loopback ? "00:00:00:00:00:00\n" : "ff:ff:ff:ff:ff:ff\n");
	return 0;
}

static int show_addr_len(struct seq *seq, struct pseudo_inode *p)
{
	seq_puts(seq, "6\n");
	return 0;
}

static int show_carrier(struct seq *seq, struct pseudo_inode *p)
{
	if (!device_of(p).up)
		return -EINVAL; /* as Linux of a link that is down */
	seq_puts(seq, "1\n");
	return 0;
}

static int show_flags(struct seq *seq, struct pseudo_inode *p)
{
	const struct inet_device device = device_of(p);

	seq_printf(seq, "0x%x\n", inet_device_flags(&device));
	return 0;
}

static int show_index(struct seq *seq, struct pseudo_inode *p)
{
	seq_printf(seq, "%d\n", device_of(p).index);
	return 0;
}

static int show_mtu(struct seq *seq, struct pseudo_inode *p)
{
	seq_printf(seq, "%u\n", device_of(p).mtu);
	return 0;
}

static int show_operstate(struct seq *seq, struct pseudo_inode *p)
{
	const struct inet_device device = device_of(p);

	seq_puts(seq, device.loopback ? "unknown\n" : device.up ? "up\n" : "down\n");
	return 0;
}

static int show_queue_len(struct seq *seq, struct pseudo_inode *p)
{
	seq_puts(seq, "1000\n");
	return 0;
}

static int show_type(struct seq *seq, struct pseudo_inode *p)
{
	seq_puts(seq, device_of(p).loopback ? "772\n" : "1\n");
	return 0;
}

/* What makes it a device for udev's libraries. */
static int show_uevent(struct seq *seq, struct pseudo_inode *p)
{
	const struct inet_device device = device_of(p);

	seq_printf(seq, "INTERFACE=%s\nIFINDEX=%d\n", device.name, device.index);
	return 0;
}

static const struct {
	const char *name;
	int (*show)(struct seq *seq, struct pseudo_inode *p);
} kinds[] = {{"address", show_address}, {"broadcast", show_broadcast}, {"addr_len", show_addr_len}, {"carrier", show_carrier},
	{"flags", show_flags}, {"ifindex", show_index}, {"iflink", show_index}, {"mtu", show_mtu}, {"operstate", show_operstate},
	{"tx_queue_len", show_queue_len}, {"type", show_type},
	{"uevent", show_uevent}};

/* ---- the directory ---- */

struct device_files {
	char name[16];
	struct pseudo_entry files[ARRAY_SIZE(kinds) + 1];
};

static struct pseudo_entry devices[DEVICES_MAX + 1];
static unsigned device_count;

static bool is_present(const struct pseudo_entry *entry)
{
	struct inet_device device;

	return inet_find_device(0, entry->name, &device);
}

static void add_device(void *arg, const struct inet_device *device)
{
	struct device_files *d = NULL;

	for (unsigned i = 0; i < device_count; i++)
		if (!strcmp(devices[i].name, device->name))
			return;
	if (device_count < DEVICES_MAX)
		d = kzalloc(sizeof(*d));
	if (!d)
		return;
	memcpy(d->name, device->name, sizeof(d->name));
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		d->files[i] = (struct pseudo_entry){.name = kinds[i].name, .mode = S_IFREG | 0444, .show = kinds[i].show, .text = d->name};
	devices[device_count++] = (struct pseudo_entry){.name = d->name, .mode = S_IFDIR | 0555, .children = d->files, .present = is_present};
}

static void refresh(void)
{
	inet_for_each_device(add_device, NULL);
}

static int net_lookup(struct inode *dir, struct dentry *dentry, struct inode **inode)
{
	refresh();
	return pseudo_inode_ops.lookup(dir, dentry, inode);
}

static int net_readdir(struct file *file, struct dir_emitter *emitter)
{
	refresh();
	return pseudo_dir_file_ops.readdir(file, emitter);
}

const struct inode_ops sysfs_net_inode_ops = {
	.lookup = net_lookup,
	.getattr = pseudo_getattr,
	.setattr = pseudo_setattr,
	.revalidate = pseudo_revalidate,
	.destroy = pseudo_destroy,
};

const struct file_ops sysfs_net_file_ops = {
	.readdir = net_readdir,
};

const struct pseudo_entry *sysfs_net_table(void)
{
	return devices;
}
