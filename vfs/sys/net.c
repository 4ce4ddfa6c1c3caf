/*
 * /sys/class/net: a directory for each device. Links come after boot and may change, so the directory is made anew
 * whenever it is looked into.
 */
#include <linux/errno.h>

#include "kernel/mm.h"
#include "kernel/net/inet.h"
#include "ring0/lib.h"
#include "vfs/proc/pseudo.h"
#include "vfs/sys/net.h"

#define DEVICES_MAX 16u
#define FILES_MAX 12u
#define TEXT_SIZE 32u

struct device_files {
	char name[16];
	char texts[FILES_MAX][TEXT_SIZE];
	struct pseudo_entry files[FILES_MAX + 1];
	unsigned count;
};

static struct pseudo_entry devices[DEVICES_MAX + 1];
static unsigned device_count;

static void add_file(struct device_files *d, const char *name, const char *text)
{
	rf_strlcpy(d->texts[d->count], text, TEXT_SIZE);
	d->files[d->count] = (struct pseudo_entry){.name = name, .mode = S_IFREG | 0444, .show = pseudo_show_text,
		.text = d->texts[d->count]};
	d->count++;
}

static void add_number(struct device_files *d, const char *name, const char *format, unsigned value)
{
	char text[TEXT_SIZE];

	snprintf(text, sizeof(text), format, value);
	add_file(d, name, text);
}

/* ---- what changes: asked for when it is read ---- */

struct found {
	const char *name;
	struct inet_device device;
};

static void match(void *arg, const struct inet_device *device)
{
	struct found *found = arg;

	if (!strcmp(device->name, found->name))
		found->device = *device;
}

/* An entry's text is its device's name. */
static struct inet_device device_of(const struct pseudo_inode *p)
{
	struct found found = {.name = p->entry->text};

	inet_for_each_device(match, &found);
	return found.device;
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
	struct inet_device device = device_of(p);

	seq_printf(seq, "0x%x\n", (device.loopback ? 0x8u : 0x1002u) | device.up);
	return 0;
}

static int show_mtu(struct seq *seq, struct pseudo_inode *p)
{
	seq_printf(seq, "%u\n", device_of(p).mtu);
	return 0;
}

static int show_operstate(struct seq *seq, struct pseudo_inode *p)
{
	struct inet_device device = device_of(p);

	seq_puts(seq, device.loopback ? "unknown\n" : device.up ? "up\n" : "down\n");
	return 0;
}

static void add_live(struct device_files *d, const char *name, int (*show)(struct seq *seq, struct pseudo_inode *p))
{
	d->files[d->count++] = (struct pseudo_entry){.name = name, .mode = S_IFREG | 0444, .show = show, .text = d->name};
}

/* ---- the directory ---- */

/* The place of the next device: entries stay where they are, as inodes point to them. */
static struct device_files *next_device(void)
{
	struct pseudo_entry *entry = &devices[device_count];
	struct device_files *d;

	if (device_count == DEVICES_MAX)
		return NULL;
	d = entry->children ? container_of(entry->children, struct device_files, files[0]) : kzalloc(sizeof(*d));
	if (d)
		d->count = 0;
	return d;
}

static void add_device(void *arg, const struct inet_device *device)
{
	const uint8_t *mac = device->mac;
	struct device_files *d = next_device();
	char text[TEXT_SIZE];

	if (!d)
		return;
	memcpy(d->name, device->name, sizeof(d->name));
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x\n", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	add_file(d, "address", text);
	add_file(d, "broadcast", device->loopback ? "00:00:00:00:00:00\n" : "ff:ff:ff:ff:ff:ff\n");
	add_number(d, "addr_len", "%u\n", 6);
	add_live(d, "carrier", show_carrier);
	add_live(d, "flags", show_flags);
	add_number(d, "ifindex", "%u\n", (unsigned)device->index);
	add_number(d, "iflink", "%u\n", (unsigned)device->index);
	add_live(d, "mtu", show_mtu);
	add_live(d, "operstate", show_operstate);
	add_number(d, "tx_queue_len", "%u\n", 1000);
	add_number(d, "type", "%u\n", device->loopback ? 772 : 1);
	devices[device_count++] = (struct pseudo_entry){.name = d->name, .mode = S_IFDIR | 0555, .children = d->files};
}

static void refresh(void)
{
	device_count = 0;
	inet_for_each_device(add_device, NULL);
	for (unsigned i = device_count; i < DEVICES_MAX; i++)
		devices[i].name = NULL;
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
