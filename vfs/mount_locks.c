/*
 * What a mount namespace that belongs to a less privileged user namespace may not undo (mount_namespaces(7), "Restrictions
 * on mount namespaces"): mounts that came with it stay where they are, so that what they cover stays covered, and keep
 * the flags that protect them; a new proc or sysfs shows no more than one that is there. Asked by mount.c and mnt_ns.c.
 */
#include <linux/mount.h>

#include "kernel/user_ns.h"
#include "vfs/internal.h"

#define ATIME_FLAGS (MS_NOATIME | MS_NODIRATIME | MS_STRICTATIME)
#define ATIME_LOCKED MS_RELATIME /* in locked_flags: those above stay as they are */
#define PROTECTING (MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC)

void mount_lock_tree(struct mount *top)
{
	struct mount *m;

	TAILQ_FOREACH(m, &all_mounts, link) {
		if (m->mnt_ns != top->mnt_ns || !mount_is_below(m, top))
			continue;
		m->locked_flags |= (m->flags & PROTECTING) | ATIME_LOCKED;
		m->locked = m != top;
	}
}

static bool atime_may_be(const struct mount *mount, unsigned long flags)
{
	return !(mount->locked_flags & ATIME_LOCKED) || !((mount->flags ^ flags) & ATIME_FLAGS);
}

bool mount_flags_may_be(const struct mount *mount, unsigned long flags)
{
	return !(mount->locked_flags & PROTECTING & ~flags) && atime_may_be(mount, flags);
}

bool mount_hides_below(const struct path *top)
{
	struct mount *m;

	TAILQ_FOREACH(m, &all_mounts, link) {
		if (m->locked && m->parent == top->mount && dentry_is_below(m->mountpoint, top->dentry))
			return true;
	}
	return false;
}

/* Does a mount that must stay cover something of this one? */
static bool is_covered(const struct mount *mount)
{
	struct mount *m;

	TAILQ_FOREACH(m, &all_mounts, link) {
		if (m->locked && m->parent == mount && !m->mountpoint->inode->always_empty)
			return true;
	}
	return false;
}

bool mount_too_revealing(const struct fs_type *type, unsigned long flags, unsigned long *locked)
{
	const struct mnt_ns *mnt = current->ns->mnt;
	struct mount *m;

	if (!user_ns_parent(mnt->ns.owner))
		return false;
	TAILQ_FOREACH(m, &all_mounts, link) {
		bool read_only = m->locked_flags & MS_RDONLY || m->sb->flags & MS_RDONLY;

		if (m->mnt_ns != mnt || m->sb->type != type || m->root != m->sb->root)
			continue;
		if ((!read_only || flags & MS_RDONLY) && atime_may_be(m, flags) && !is_covered(m)) {
			*locked = (read_only ? MS_RDONLY : 0) | (m->locked_flags & ATIME_LOCKED);
			return false;
		}
	}
	return true;
}
