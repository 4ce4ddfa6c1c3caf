/*
 * memfd_secret(2): memory that only the programs which map it can read, each by its own loads and stores.
 *
 * A nameless tmpfs file that can be sized once and mapped shared, and nothing else: no read, write, second open or execution.
 * Its mappings are VM_SECRET and locked: ptrace(2), process_vm_readv(2), /proc/PID/mem and core dumps get nothing of
 * them (mm_get_user_page()). It keeps secrets from other programs of the sandbox, not from the sentry.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "kernel/files.h"
#include "kernel/mm.h"
#include "vfs/tmpfs/internal.h"

static int secret_fsync(struct file *file, bool data_only)
{
	return -EINVAL;
}

static const struct file_ops secret_file_ops = {
	.mmap_object = object_file_mmap,
	.fsync = secret_fsync,
};

static int secret_reopen(struct inode *inode, struct file *file)
{
	return -ENXIO;
}

static int secret_setattr(struct inode *inode, const struct attr_change *change)
{
	if (change->valid & ATTR_SIZE && inode->object->size)
		return -EINVAL;
	return tmpfs_setattr(inode, change);
}

static const struct inode_ops secret_inode_ops = {
	.open = secret_reopen,
	.setattr = secret_setattr,
	.getattr = tmpfs_getattr,
	.destroy = tmpfs_destroy,
};

int secret_open(unsigned flags, struct file **file)
{
	int rc = flags & ~(unsigned)O_CLOEXEC ? -EINVAL : memfd_file("secretmem", 0600, &secret_file_ops, file);

	if (rc)
		return rc;
	(*file)->mode |= FILE_STREAM;
	(*file)->inode->ops = &secret_inode_ops;
	return 0;
}

unsigned secret_map_rights(const struct file *file, unsigned rights)
{
	return file->ops == &secret_file_ops ? (rights & ~VM_MAYEXEC) | VM_SECRET : rights;
}
