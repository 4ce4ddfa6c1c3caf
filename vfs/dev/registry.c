/*
 * The registry of character devices by number: see dev.h.
 */
#include <linux/errno.h>

#include "ring0/lib.h"
#include "vfs/dev/dev.h"
#include "vfs/vfs.h"

#define MAX_DEVICES 64

struct device {
	uint64_t rdev;
	const struct file_ops *ops;
	int (*open)(struct inode *inode, struct file *file);
};

static struct device devices[MAX_DEVICES];
static unsigned device_count;

static struct device *find(uint64_t rdev)
{
	for (unsigned i = 0; i < device_count; i++)
		if (devices[i].rdev == rdev)
			return &devices[i];
	return NULL;
}

int dev_register(uint64_t rdev, const struct file_ops *ops, int (*open)(struct inode *inode, struct file *file))
{
	if (find(rdev))
		return -EEXIST;
	if (device_count == MAX_DEVICES)
		return -ENOSPC;
	devices[device_count++] = (struct device){rdev, ops, open};
	return 0;
}

bool dev_exists(uint64_t rdev)
{
	return find(rdev) != NULL;
}

int dev_open(struct inode *inode, struct file *file)
{
	struct device *device = find(inode->rdev);

	if (!device)
		return -ENXIO;
	file->ops = device->ops;
	return device->open ? device->open(inode, file) : 0;
}
