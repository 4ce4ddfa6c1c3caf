/*
 * memfd_create(2): a nameless tmpfs file on an internal superblock (secret.c has another kind),
 * and its seals (fcntl(2), F_ADD_SEALS).
 */
#include <linux/fcntl.h>
#include <linux/memfd.h>

#include "kernel/files.h"
#include "vfs/tmpfs/internal.h"

#define MEMFD_NAME_MAX 249u
#define SEALS_ALL (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

static struct superblock *memfd_sb;
static struct mount *memfd_mount;

static int memfd_setup(void)
{
	int rc;

	if (memfd_mount)
		return 0;
	rc = tmpfs_create_unlimited(&memfd_sb);
	if (rc)
		return rc;
	memfd_mount = mount_create(memfd_sb, memfd_sb->root, "tmpfs", 0);
	return memfd_mount ? 0 : -ENOMEM;
}

int memfd_file(const char *path, uint32_t mode, const struct file_ops *ops, struct file **out)
{
	struct inode *inode;
	struct file *file;
	int rc = memfd_setup();

	if (!rc)
		rc = tmpfs_inode_new(memfd_sb, NULL, S_IFREG | mode, &inode);
	if (rc)
		return rc;
	file = file_create(ops, inode, O_RDWR | O_LARGEFILE, NULL);
	if (file)
		file->path.dentry = dentry_make_loose(memfd_sb, path, inode);
	if (!file || !file->path.dentry) {
		if (file)
			file_put(file);
		inode_put(inode);
		return -ENOMEM;
	}
	file->path.mount = memfd_mount;
	mount_get(memfd_mount);
	*out = file;
	return 0;
}

int memfd_open(const char *name, unsigned flags, struct file **out)
{
	char *path;
	int rc;

	if (flags & ~(unsigned)(MFD_CLOEXEC | MFD_ALLOW_SEALING) || strlen(name) > MEMFD_NAME_MAX)
		return -EINVAL;
	path = kmalloc(MEMFD_NAME_MAX + 8);
	if (!path)
		return -ENOMEM;
	snprintf(path, MEMFD_NAME_MAX + 8, "memfd:%s", name);
	rc = memfd_file(path, 0777, &tmpfs_file_ops, out);
	kfree(path);
	if (rc)
		return rc;
	(*out)->inode->nlink = 0;
	if (flags & MFD_ALLOW_SEALING)
		tmpfs_of((*out)->inode)->seals = 0;
	return 0;
}

static bool is_tmpfs_file(const struct file *file)
{
	return file->inode && file->inode->ops == &tmpfs_inode_ops && S_ISREG(file->inode->mode);
}

static bool mapped_for_writing(const struct inode *inode)
{
	struct vma *vma;

	TAILQ_FOREACH(vma, &inode->object->vmas, object_link)
		if ((vma->flags & (VM_SHARED | VM_MAYWRITE)) == (VM_SHARED | VM_MAYWRITE))
			return true;
	return false;
}

int64_t memfd_seals(struct file *file, unsigned cmd, unsigned seals)
{
	struct tmpfs_inode *node;

	if (!is_tmpfs_file(file))
		return -EINVAL;
	node = tmpfs_of(file->inode);
	if (cmd == F_GET_SEALS)
		return node->seals;
	if (!(file->mode & FILE_WRITE))
		return -EPERM;
	if (seals & ~(unsigned)SEALS_ALL)
		return -EINVAL;
	if (node->seals & F_SEAL_SEAL)
		return -EPERM;
	if (seals & F_SEAL_WRITE && !(node->seals & F_SEAL_WRITE) && mapped_for_writing(file->inode))
		return -EBUSY;
	node->seals |= seals;
	return 0;
}

unsigned memfd_map_rights(struct file *file, unsigned rights)
{
	if (is_tmpfs_file(file) && tmpfs_of(file->inode)->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		rights &= ~VM_MAYWRITE;
	return rights;
}
