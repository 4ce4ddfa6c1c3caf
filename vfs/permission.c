/*
 * Who may do what: mode bits, capabilities, sticky directories (path_resolution(7),
 * capabilities(7), inode(7)). Checks only; nothing here changes anything.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/mount.h>

#include "kernel/device_filter.h"
#include "kernel/user_ns.h"
#include "vfs/internal.h"

bool cred_in_fsgroup(uint32_t gid)
{
	return cred_in_group(current->cred, gid);
}

/* A capability counts over what belongs to somebody in the namespace (user_namespaces(7)). */
bool capable_over(const struct inode *inode, int capability)
{
	const struct user_ns *user = user_ns_current();

	return capable_here(capability) && id_seen_from(user, ID_UID, inode->uid) != ID_NONE &&
		id_seen_from(user, ID_GID, inode->gid) != ID_NONE;
}

static bool capability_overrides(const struct inode *inode, unsigned mask)
{
	if (S_ISDIR(inode->mode)) {
		if (!(mask & MAY_WRITE) && capable_over(inode, CAP_DAC_READ_SEARCH))
			return true;
		return capable_over(inode, CAP_DAC_OVERRIDE);
	}
	if (mask == MAY_READ && capable_over(inode, CAP_DAC_READ_SEARCH))
		return true;
	/* Execution needs at least one x bit. */
	if (!(mask & MAY_EXEC) || inode->mode & 0111)
		return capable_over(inode, CAP_DAC_OVERRIDE);
	return false;
}

/* What a control group's programs say of a device. */
static int device_permission(const struct inode *inode, unsigned mask)
{
	uint32_t access = (mask & MAY_READ ? BPF_DEVCG_ACC_READ : 0) | (mask & MAY_WRITE ? BPF_DEVCG_ACC_WRITE : 0);

	return access ? device_filter_check(S_ISCHR(inode->mode) ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK, inode->rdev, access) : 0;
}

int inode_permission(struct inode *inode, unsigned mask)
{
	if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) {
		int rc = device_permission(inode, mask);

		if (rc)
			return rc;
	}
	return inode->ops && inode->ops->permission ? inode->ops->permission(inode, mask) : inode_permission_by_mode(inode, mask);
}

int inode_permission_by_mode(const struct inode *inode, unsigned mask)
{
	uint32_t mode = inode->mode;

	mask &= MAY_READ | MAY_WRITE | MAY_EXEC;
	/* Everyone may: the usual case for directories on the way. */
	if ((mode & (mode >> 3) & (mode >> 6) & mask) == mask)
		return 0;
	if (current->cred->fsuid == inode->uid)
		mode >>= 6;
	else if (((mode >> 3) ^ mode) & mask && cred_in_fsgroup(inode->gid))
		mode >>= 3;
	if ((mode & mask) == mask)
		return 0;
	return capability_overrides(inode, mask) ? 0 : -EACCES;
}

bool inode_owner_or_capable(const struct inode *inode)
{
	return current->cred->fsuid == inode->uid ||
		(capable_here(CAP_FOWNER) && id_seen_from(user_ns_current(), ID_UID, inode->uid) != ID_NONE);
}

int may_create(const struct path *dir)
{
	if (dentry_is_dead(dir->dentry))
		return -ENOENT;
	return inode_permission(dir->dentry->inode, MAY_WRITE | MAY_EXEC);
}

int may_delete(const struct path *dir, const struct dentry *victim, bool is_dir)
{
	struct inode *parent = dir->dentry->inode, *inode = victim->inode;
	int rc;

	if (!inode)
		return -ENOENT;
	rc = inode_permission(parent, MAY_WRITE | MAY_EXEC);
	if (rc)
		return rc;
	if (parent->mode & S_ISVTX && current->cred->fsuid != inode->uid && current->cred->fsuid != parent->uid &&
		!capable_over(inode, CAP_FOWNER))
		return -EPERM;
	if (is_dir && !S_ISDIR(inode->mode))
		return -ENOTDIR;
	if (!is_dir && S_ISDIR(inode->mode))
		return -EISDIR;
	if (dentry_is_dead(dir->dentry))
		return -ENOENT;
	return 0;
}
