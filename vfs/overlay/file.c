/*
 * Regular files of an overlay: the generic object file on whichever layer's object the
 * inode shows. Opening for writing copies up; the lower file stays open while any file is,
 * so that its pages can be filled.
 */
#include "vfs/overlay/internal.h"

int overlay_open(struct inode *inode, struct file *file)
{
	struct overlay_inode *oi = overlay_of(inode);
	int rc = 0;

	if (!S_ISREG(inode->mode))
		return 0;
	if (file->mode & FILE_WRITE)
		rc = overlay_copy_up(oi, !(file->mode & FILE_TRUNCATING));
	else if (!oi->upper)
		rc = overlay_open_lower(oi);
	if (rc)
		return rc;
	file->ops = &overlay_file_ops;
	oi->opens++;
	return 0;
}

static void overlay_file_release(struct file *file)
{
	struct overlay_inode *oi = overlay_of(file->inode);
	struct file *lower;

	if (--oi->opens)
		return;
	lower = oi->lower_file;
	oi->lower_file = NULL;
	if (lower)
		file_put(lower);
}

/* The upper layer is memory, the lower one is never written: nothing is kept back. */
static int overlay_fsync(struct file *file, bool data_only)
{
	return 0;
}

const struct file_ops overlay_file_ops = {
	.read = object_file_read,
	.write = object_file_write,
	.read_kernel = object_file_read_kernel,
	.write_kernel = object_file_write_kernel,
	.seek = object_file_seek,
	.mmap_object = object_file_mmap,
	.fallocate = object_file_fallocate,
	.fsync = overlay_fsync,
	.release = overlay_file_release,
};
