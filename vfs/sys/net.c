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
	add_number(d, "carrier", "%u\n", 1);
	add_number(d, "flags", "0x%x\n", device->loopback ? 0x9 : 0x1003);
	add_number(d, "ifindex", "%u\n", (unsigned)device->index);
	add_number(d, "iflink", "%u\n", (unsigned)device->index);
	add_number(d, "mtu", "%u\n", device->mtu);
	add_file(d, "operstate", device->loopback ? "unknown\n" : "up\n");
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
