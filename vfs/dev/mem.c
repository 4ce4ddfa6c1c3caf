/*
 * The memory devices: null, zero, full, random, urandom, kmsg (null(4), full(4), random(4)).
 */
#include <linux/errno.h>
#include <linux/random.h>

#include "kernel/random.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "vfs/dev/dev.h"
#include "vfs/vfs.h"

#define CHUNK 4096u

static int64_t null_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	return 0;
}

static int64_t null_write(struct file *file, uaddr_t from, size_t n, uint64_t *pos)
{
	return (int64_t)n;
}

static int64_t null_read_kernel(struct file *file, void *to, size_t n, uint64_t *pos)
{
	return 0;
}

static int64_t null_write_kernel(struct file *file, const void *from, size_t n, uint64_t *pos)
{
	return (int64_t)n;
}

static int64_t null_seek(struct file *file, int64_t offset, int whence)
{
	file->pos = 0;
	return 0;
}

static const struct file_ops null_ops = {
	.read = null_read,
	.write = null_write,
	.read_kernel = null_read_kernel,
	.write_kernel = null_write_kernel,
	.seek = null_seek,
};

/* A signal ends a long read early: what was done counts. */
static int64_t zero_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	size_t done = 0;

	while (done < n) {
		size_t part = MIN(n - done, BREATH_BYTES);

		if (clear_user(uaddr_add(to, done), part))
			return done ? (int64_t)done : -EFAULT;
		done += part;
		if (done < n && (signal_pending(current) || task_breathe()))
			break;
	}
	return (int64_t)done;
}

static int64_t zero_read_kernel(struct file *file, void *to, size_t n, uint64_t *pos)
{
	memset(to, 0, n);
	return (int64_t)n;
}

static int zero_open(struct inode *inode, struct file *file)
{
	file->mode |= FILE_ANON_MAP;
	return 0;
}

static const struct file_ops zero_ops = {
	.read = zero_read,
	.write = null_write,
	.read_kernel = zero_read_kernel,
	.write_kernel = null_write_kernel,
	.seek = null_seek,
};

static int64_t full_write(struct file *file, uaddr_t from, size_t n, uint64_t *pos)
{
	return -ENOSPC;
}

static int64_t full_write_kernel(struct file *file, const void *from, size_t n, uint64_t *pos)
{
	return -ENOSPC;
}

static const struct file_ops full_ops = {
	.read = zero_read,
	.write = full_write,
	.read_kernel = zero_read_kernel,
	.write_kernel = full_write_kernel,
	.seek = null_seek,
};

static int64_t random_read_kernel(struct file *file, void *to, size_t n, uint64_t *pos)
{
	random_bytes(to, n);
	return (int64_t)n;
}

static int64_t random_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	uint8_t *chunk = kmalloc(CHUNK);
	size_t done = 0;

	if (!chunk)
		return -ENOMEM;
	while (done < n) {
		size_t part = n - done < CHUNK ? n - done : CHUNK, left;

		random_bytes(chunk, part);
		left = copy_to_user_partial(uaddr_add(to, done), chunk, part);
		done += part - left;
		if (left) {
			kfree(chunk);
			return done ? (int64_t)done : -EFAULT;
		}
		if (done < n && (signal_pending(current) || (!(done % BREATH_BYTES) && task_breathe())))
			break;
	}
	memset(chunk, 0, CHUNK);
	kfree(chunk);
	return (int64_t)done;
}

/* RNDGETENTCNT is what programs ask; adding entropy needs privilege and is not offered. */
static int64_t random_ioctl(struct file *file, unsigned cmd, uint64_t arg)
{
	int bits = 256;

	if (cmd == RNDGETENTCNT)
		return copy_to_user(UADDR(arg), &bits, sizeof(bits));
	if (cmd == RNDADDTOENTCNT || cmd == RNDADDENTROPY || cmd == RNDZAPENTCNT || cmd == RNDCLEARPOOL)
		return -EPERM;
	return -EINVAL;
}

static const struct file_ops random_ops = {
	.read = random_read,
	.write = null_write,
	.read_kernel = random_read_kernel,
	.write_kernel = null_write_kernel,
	.ioctl = random_ioctl,
	.seek = null_seek,
};

void dev_mem_init(void)
{
	dev_register(DEV_MAKE(1, 3), &null_ops, NULL);
	dev_register(DEV_MAKE(1, 5), &zero_ops, zero_open);
	dev_register(DEV_MAKE(1, 7), &full_ops, NULL);
	dev_register(DEV_MAKE(1, 8), &random_ops, NULL);
	dev_register(DEV_MAKE(1, 9), &random_ops, NULL);
}
