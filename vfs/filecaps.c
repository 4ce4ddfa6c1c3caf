/*
 * Capabilities of a program's file (capabilities(7), "File capabilities"): the attribute security.capability as programs
 * see it and as it is stored, and what it gives at execve(2).
 *
 * Stored, revision 3 names the user whose namespaces it counts in: one that such a namespace's root sets is made that, and
 * is shown to it as the revision 2 that it wrote. What revision 2 says counts in the file system's own namespace.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/xattr.h>

#include "kernel/cred.h"
#include "kernel/user_ns.h"
#include "vfs/filecaps.h"
#include "vfs/internal.h"

_Static_assert(sizeof(struct vfs_ns_cap_data) == XATTR_CAPS_SZ_3 && XATTR_CAPS_SZ_2 == XATTR_CAPS_SZ_3 - 4, "as it is stored");

/* Ids as the file system has them, which belongs to a user namespace or to the container as a whole. */
static uint32_t id_on(const struct superblock *sb, uint32_t uid)
{
	return sb->user_ns ? id_seen_from(sb->user_ns, ID_UID, uid) : uid;
}

static uint32_t id_from(const struct superblock *sb, uint32_t uid)
{
	return sb->user_ns ? id_in(sb->user_ns, ID_UID, uid) : uid;
}

/* 2, 3, or 0: it is none of those. */
static unsigned revision(const struct vfs_ns_cap_data *data, size_t size)
{
	uint32_t magic = data->magic_etc & VFS_CAP_REVISION_MASK;

	if (size == XATTR_CAPS_SZ_2 && magic == VFS_CAP_REVISION_2)
		return 2;
	return size == XATTR_CAPS_SZ_3 && magic == VFS_CAP_REVISION_3 ? 3 : 0;
}

static void set_revision(struct vfs_ns_cap_data *data, uint32_t magic, uint32_t root)
{
	data->magic_etc = (data->magic_etc & ~VFS_CAP_REVISION_MASK) | magic;
	data->rootid = root;
}

int filecaps_to_store(const struct inode *inode, const void *value, size_t *size, struct vfs_ns_cap_data *data)
{
	const struct user_ns *user = user_ns_current();
	unsigned how = 0;
	uint32_t root;

	if (*size && *size <= sizeof(*data)) {
		memcpy(data, value, *size);
		how = revision(data, *size);
	}
	if (!how)
		return -EINVAL;
	if (!capable_over(inode, CAP_SETFCAP))
		return -EPERM;
	if (how == 2 && (inode->sb->user_ns ? ns_capable(inode->sb->user_ns, CAP_SETFCAP) : capable(CAP_SETFCAP)))
		return 0;
	root = how == 2 ? user_ns_root(user) : uid_from_user(data->rootid);
	if (root != ID_NONE)
		root = id_on(inode->sb, root);
	if (root == ID_NONE)
		return -EINVAL;
	set_revision(data, VFS_CAP_REVISION_3, root);
	*size = XATTR_CAPS_SZ_3;
	return 0;
}

/* Whom it counts for: the sandbox' uid; ID_NONE: nobody here. */
static uint32_t root_of(const struct inode *inode, const struct vfs_ns_cap_data *data, size_t size)
{
	return id_from(inode->sb, revision(data, size) == 3 ? data->rootid : 0);
}

/* The root of the current task's namespace, or of one above it. */
static bool counts_here(uint32_t root)
{
	const struct user_ns *user = user_ns_current();

	while (user && id_seen_from(user, ID_UID, root) != 0)
		user = user_ns_parent(user);
	return root != ID_NONE && user;
}

/* The attribute itself: its size, or -errno. The inode's lock is taken. May sleep. */
static int64_t fetch(struct inode *inode, struct vfs_ns_cap_data *data)
{
	int64_t n;

	if (!inode->ops->getxattr)
		return -EOPNOTSUPP;
	rwsem_read_lock(&inode->lock);
	n = inode->ops->getxattr(inode, XATTR_NAME_CAPS, data, sizeof(*data));
	rwsem_read_unlock(&inode->lock);
	if (n == -ERANGE || (n >= 0 && !revision(data, (size_t)n)))
		return -EINVAL;
	return n;
}

int64_t filecaps_show(struct inode *inode, void *value, size_t size)
{
	struct vfs_ns_cap_data data;
	int64_t n = fetch(inode, &data);
	uint32_t root, mapped;

	if (n < 0)
		return n;
	root = root_of(inode, &data, (size_t)n);
	mapped = root == ID_NONE ? ID_NONE : id_seen_from(user_ns_current(), ID_UID, root);
	if (mapped != ID_NONE && mapped != 0) {
		set_revision(&data, VFS_CAP_REVISION_3, mapped);
		n = XATTR_CAPS_SZ_3;
	} else if (counts_here(root)) {
		set_revision(&data, VFS_CAP_REVISION_2, 0);
		n = XATTR_CAPS_SZ_2;
	} else {
		return -EOVERFLOW;
	}
	if (size && size < (size_t)n)
		return -ERANGE;
	if (size)
		memcpy(value, &data, (size_t)n);
	return n;
}

void filecaps_for_exec(struct inode *inode, struct exec_ids *ids)
{
	struct vfs_ns_cap_data data;
	int64_t n = fetch(inode, &data);

	if (n < 0 || !counts_here(root_of(inode, &data, (size_t)n)))
		return;
	ids->caps = true;
	ids->caps_effective = data.magic_etc & VFS_CAP_FLAGS_EFFECTIVE;
	ids->caps_permitted = ((uint64_t)data.data[1].permitted << 32 | data.data[0].permitted) & CAP_ALL;
	ids->caps_inheritable = ((uint64_t)data.data[1].inheritable << 32 | data.data[0].inheritable) & CAP_ALL;
}
