/*
 * Copy-up: the first change of a lower object makes its upper one.
 *
 * A regular file is copied into a nameless upper inode, which gets its name at the end, so
 * nobody sees a half copy. Parents are copied up first, from the top. One copy-up runs at
 * a time (copy_up mutex); what may have changed while it slept is looked at again.
 */
#include <linux/fcntl.h>

#include "vfs/overlay/internal.h"

#define CHUNK 65536u
#define XATTR_LIST_MAX 4096u
#define XATTR_VALUE_MAX 65536u

int overlay_open_lower(struct overlay_inode *oi)
{
	struct path path = {overlay_sb_of(&oi->inode)->lower_mount, oi->lower};
	struct file *file;
	int rc;

	if (oi->lower_file)
		return 0;
	rc = vfs_open_trusted(&path, O_RDONLY | O_LARGEFILE | O_NOATIME, &file);
	if (rc)
		return rc;
	if (oi->lower_file || oi->upper) { /* somebody came first */
		file_put(file);
		return 0;
	}
	oi->lower_file = file;
	if (!oi->inode.object && file->inode->object) {
		oi->inode.object = file->inode->object;
		object_get(oi->inode.object);
	}
	return oi->inode.object ? 0 : -EIO;
}

static int copy_data(struct vm_object *from, struct inode *upper)
{
	struct vm_object *to = upper->object;
	char *buffer = kmalloc(CHUNK);
	uint64_t at = 0, size = from->size;
	int64_t n = 0;

	if (!buffer)
		return -ENOMEM;
	while (at < size) {
		n = object_read(from, at, buffer, MIN(size - at, (uint64_t)CHUNK));
		if (n <= 0)
			break;
		n = object_write(to, at, buffer, (size_t)n);
		if (n <= 0)
			break;
		at += (uint64_t)n;
	}
	kfree(buffer);
	if (n < 0)
		return n == -ENOMEM ? -ENOSPC : (int)n;
	to->size = size;
	return at < size ? -EIO : 0;
}

/* One attribute; what the upper layer cannot hold is left out, as Linux does for foreign name spaces. */
static int copy_xattr(struct inode *from, struct inode *upper, const char *name, void *value)
{
	int64_t size = from->ops->getxattr(from, name, value, XATTR_VALUE_MAX);
	int rc;

	if (size < 0)
		return size == -ENOMEM ? -ENOMEM : 0;
	rc = upper->ops->setxattr(upper, name, value, (size_t)size, 0);
	return rc == -ENOMEM || rc == -ENOSPC ? rc : 0;
}

static int copy_xattrs(struct inode *from, struct inode *upper)
{
	char *list, *value;
	int64_t size;
	int rc = 0;

	if (!from->ops->listxattr || !from->ops->getxattr)
		return 0;
	list = kmalloc(XATTR_LIST_MAX);
	if (!list)
		return -ENOMEM;
	size = from->ops->listxattr(from, list, XATTR_LIST_MAX);
	if (size > 0) {
		value = kmalloc(XATTR_VALUE_MAX);
		rc = value ? 0 : -ENOMEM;
		list[size - 1] = 0;
		for (char *name = list; !rc && name < list + size; name += strlen(name) + 1)
			rc = copy_xattr(from, upper, name, value);
		kfree(value);
	}
	kfree(list);
	return rc;
}

static struct overlay_inode *parent_of(const struct overlay_inode *oi)
{
	if (!oi->alias || !oi->alias->hashed)
		return NULL;
	return overlay_of(oi->alias->parent->inode);
}

/* The new upper inode becomes the overlay inode's. Takes over the reference. Does not sleep but for the puts at the end. */
static void adopt(struct overlay_inode *oi, struct inode *upper)
{
	struct inode *inode = &oi->inode;
	struct vm_object *old = inode->object;
	struct file *lower_file = oi->lower_file;

	tmpfs_note(upper)->origin = inode->ino;
	oi->upper = upper;
	overlay_sync_upper(oi);
	overlay_inode_rekey(oi);
	inode->object = upper->object;
	if (upper->object)
		object_get(upper->object);
	oi->lower_file = NULL;
	if (old)
		object_put(old);
	if (lower_file)
		file_put(lower_file);
}

/* Gives a nameless upper inode its place: a name in the parent's upper directory, or a line in the index. */
static int give_name(struct overlay_inode *oi, struct inode *upper)
{
	struct overlay_sb *info = overlay_sb_of(&oi->inode);
	struct overlay_inode *parent = parent_of(oi);
	struct timestamp mtime, ctime;
	struct overlay_index *entry;
	int rc;

	upper->nlink = 0;
	if (oi->lower->inode->nlink > 1) {
		entry = kmalloc(sizeof(*entry));
		if (!entry)
			return -ENOMEM;
		upper->nlink = oi->inode.nlink;
		entry->ino = oi->lower->inode->ino;
		entry->upper = upper;
		inode_get(upper);
		LIST_INSERT_HEAD(&info->index, entry, link);
		return 0;
	}
	if (!parent)
		return 0; /* its name is gone: it lives until it is closed */
	mtime = parent->upper->mtime;
	ctime = parent->upper->ctime;
	rc = parent->upper->ops->link(parent->upper, oi->alias, upper);
	parent->upper->mtime = mtime;
	parent->upper->ctime = ctime;
	return rc;
}

static int copy_up_file(struct overlay_inode *oi, bool data)
{
	struct inode *root = overlay_sb_of(&oi->inode)->upper->root->inode, *upper;
	int rc = root->ops->tmpfile(root, oi->inode.mode, &upper);

	if (rc)
		return rc;
	rc = copy_xattrs(oi->lower->inode, upper);
	if (!rc && data && inode_size(&oi->inode)) {
		rc = overlay_open_lower(oi);
		if (!rc)
			rc = copy_data(oi->inode.object, upper);
	}
	if (!rc)
		rc = give_name(oi, upper);
	if (rc)
		inode_put(upper);
	else
		adopt(oi, upper);
	return rc;
}

static int make_upper(struct overlay_inode *oi, struct inode *parent, const char *target, struct inode **upper)
{
	struct inode *inode = &oi->inode;

	if (S_ISDIR(inode->mode))
		return parent->ops->mkdir(parent, oi->alias, inode->mode, upper);
	if (S_ISLNK(inode->mode))
		return parent->ops->symlink(parent, oi->alias, target, upper);
	return parent->ops->mknod(parent, oi->alias, inode->mode, inode->rdev, upper);
}

/* Directories, links, devices: made under their name at once, since they have no content to copy. */
static int copy_up_node(struct overlay_inode *oi)
{
	struct inode *real = oi->lower->inode, *upper;
	struct overlay_inode *parent;
	char *target = NULL;
	int64_t len;
	int rc;

	if (S_ISLNK(oi->inode.mode)) {
		target = kmalloc(4097);
		len = target ? real->ops->readlink(real, target, 4096) : -ENOMEM;
		if (len < 0) {
			kfree(target);
			return (int)len;
		}
		target[len] = 0;
	}
	parent = parent_of(oi);
	rc = -EIO;
	if (parent && parent->upper) {
		struct timestamp mtime = parent->upper->mtime, ctime = parent->upper->ctime;

		rc = make_upper(oi, parent->upper, target, &upper);
		parent->upper->mtime = mtime;
		parent->upper->ctime = ctime;
	}
	kfree(target);
	if (rc)
		return rc;
	adopt(oi, upper);
	if (S_ISDIR(oi->inode.mode))
		oi->inode.nlink = 1;
	return copy_xattrs(real, upper);
}

static int copy_up_one(struct overlay_inode *oi, bool data)
{
	return S_ISREG(oi->inode.mode) ? copy_up_file(oi, data) : copy_up_node(oi);
}

/* The highest ancestor (or oi itself) that has no upper inode yet. */
static struct overlay_inode *next_to_copy(struct overlay_inode *oi)
{
	struct overlay_inode *found = oi, *at = oi;

	while ((at = parent_of(at)) != NULL && !at->upper)
		found = at;
	return found;
}

int overlay_copy_up(struct overlay_inode *oi, bool data)
{
	struct overlay_sb *info = overlay_sb_of(&oi->inode);
	int rc = 0;

	if (oi->upper)
		return 0;
	inode_get(&oi->inode);
	mutex_lock(&info->copy_up);
	while (!oi->upper && !rc) {
		struct overlay_inode *next = next_to_copy(oi);

		inode_get(&next->inode);
		rc = copy_up_one(next, data);
		inode_put(&next->inode);
	}
	mutex_unlock(&info->copy_up);
	inode_put(&oi->inode);
	return rc;
}
