/*
 * Trees of mounts that have no place yet, and what is done to mounts by descriptor: open_tree(2), move_mount(2),
 * mount_setattr(2). syscalls/mounttree.c and mount_setup.c call these.
 *
 * A detached tree is the tree of a mount namespace that no task can be in. One open file holds it (FILE_HOLDS_TREE): with that file's
 * end the tree ends, unless move_mount(2) has put it into the caller's namespace; its own namespace is gone from then on.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>

#include "kernel/user_ns.h"
#include "vfs/anon/anon.h"
#include "vfs/internal.h"

#define ATIME_FLAGS (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)
#define SETATTR_ATTRIBUTES (MOUNT_ATTR_PLAIN | MOUNT_ATTR__ATIME | MOUNT_ATTR_IDMAP)

/* ---- their life ---- */

struct mnt_ns *mount_detached_create(void)
{
	struct mnt_ns *ns = mnt_ns_create(NULL, current->ns->mnt->ns.owner);

	if (ns)
		ns->detached = true;
	return ns;
}

int mount_detached_open(struct mnt_ns *ns, bool cloexec)
{
	struct path top = {ns->root, ns->root->root};
	struct file *file;
	int rc = vfs_open_path(&top, O_PATH, &file);

	if (rc) {
		ns_put(&ns->ns);
		return rc;
	}
	file->mode |= FILE_HOLDS_TREE;
	return fd_install(file, cloexec, 0);
}

void mount_detached_close(struct mount *top)
{
	if (top->mnt_ns && top->mnt_ns->detached)
		ns_put(&top->mnt_ns->ns);
}

/* ---- open_tree(2) ---- */

static int copy_detached(const struct path *from, bool recursive, bool cloexec)
{
	struct mnt_ns *ns;
	int rc;

	if (!nsfs_holds(from->dentry) && from->mount->mnt_ns != current->ns->mnt)
		return -EINVAL;
	ns = mount_detached_create();
	if (!ns)
		return -ENOMEM;
	rc = mount_copy(from, NULL, ns, recursive);
	if (!rc)
		return mount_detached_open(ns, cloexec);
	ns_put(&ns->ns);
	return rc;
}

static int open_place(const struct path *path, bool cloexec)
{
	struct file *file;
	int rc = vfs_open_path(path, O_PATH, &file);

	return rc ? rc : fd_install(file, cloexec, 0);
}

int vfs_open_tree(int dirfd, const char *name, unsigned flags)
{
	unsigned lookup = (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0) | (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW);
	bool cloexec = flags & OPEN_TREE_CLOEXEC;
	struct path path;
	int rc;

	rc = path_lookup(dirfd, name, lookup, &path);
	if (rc)
		return rc;
	rc = flags & OPEN_TREE_CLONE ? copy_detached(&path, flags & AT_RECURSIVE, cloexec) : open_place(&path, cloexec);
	path_put(&path);
	return rc;
}

/* ---- move_mount(2), and mount(2) with MS_MOVE ---- */

static bool has_unbindable(const struct mount *top)
{
	struct mount *m;

	TAILQ_FOREACH(m, &all_mounts, link) {
		if (m->unbindable && mount_is_below(m, top))
			return true;
	}
	return false;
}

static bool has_namespace_around(const struct mount *top)
{
	struct mount *m;

	TAILQ_FOREACH(m, &all_mounts, link) {
		if (mount_is_below(m, top) && nsfs_would_loop(m->root))
			return true;
	}
	return false;
}

static unsigned count_below(const struct mount *top)
{
	const struct mount *m;
	unsigned count = 0;

	TAILQ_FOREACH(m, &all_mounts, link)
		count += mount_is_below(m, top);
	return count;
}

static int check_move(const struct path *from, const struct path *at)
{
	const struct mount *m = from->mount, *parent = m->parent;

	if (at->mount->mnt_ns != current->ns->mnt || !m->mnt_ns)
		return -EINVAL;
	if (parent ? m->mnt_ns != current->ns->mnt : !m->mnt_ns->detached)
		return -EINVAL;
	if (m->locked || from->dentry != m->root || (parent && parent->group))
		return -EINVAL;
	if (!!S_ISDIR(at->dentry->inode->mode) != !!S_ISDIR(m->root->inode->mode))
		return -EINVAL;
	if (at->mount->group && has_unbindable(m))
		return -EINVAL;
	if (has_namespace_around(m) || mount_is_below(at->mount, m))
		return -ELOOP;
	if (!mount_propagation_fits(at, count_below(m)))
		return -ENOSPC;
	return dentry_is_dead(at->dentry) ? -ENOENT : 0;
}

/* A detached tree joins the namespace where its top has got its place. */
static void end_detached(struct mnt_ns *detached, struct mnt_ns *to)
{
	struct mount *m;

	TAILQ_FOREACH(m, &all_mounts, link) {
		if (m->mnt_ns == detached)
			m->mnt_ns = to;
	}
	ns_put(&detached->ns);
}

int mount_move(const struct path *from, const struct path *at)
{
	struct mount *m = from->mount;
	struct path old = {m->parent, m->mountpoint};
	struct mnt_ns *detached = m->parent ? NULL : m->mnt_ns;
	int rc = check_move(from, at);

	if (rc)
		return rc;
	/* From here nothing may fail, nor sleep before the mount is at its new place. */
	mount_get(m); /* the list's reference goes with detach */
	mount_detach(m);
	m->parent = NULL;
	m->mountpoint = NULL;
	BUG_ON(mount_attach(m, at));
	if (detached)
		end_detached(detached, m->mnt_ns);
	rc = mount_propagate(m);
	path_put(&old);
	return rc;
}

int vfs_move_mount(int from_fd, const char *from_name, int to_fd, const char *to_name, unsigned flags)
{
	unsigned from_lookup = (flags & MOVE_MOUNT_F_SYMLINKS ? LOOKUP_FOLLOW : 0) | (flags & MOVE_MOUNT_F_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	unsigned to_lookup = (flags & MOVE_MOUNT_T_SYMLINKS ? LOOKUP_FOLLOW : 0) | (flags & MOVE_MOUNT_T_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	struct path from, to;
	int rc;

	rc = path_lookup(from_fd, from_name, from_lookup, &from);
	if (rc)
		return rc;
	rc = path_lookup(to_fd, to_name, to_lookup, &to);
	if (!rc) {
		path_follow_mounts(&to);
		rc = flags & MOVE_MOUNT_SET_GROUP ? mount_set_group(&from, &to) : mount_move(&from, &to);
		path_put(&to);
	}
	path_put(&from);
	return rc;
}

/* ---- attributes ---- */

unsigned long mount_flags_of_attributes(uint64_t attributes)
{
	static const struct {
		uint64_t attribute;
		unsigned long flag;
	} plain[] = {{MOUNT_ATTR_RDONLY, MS_RDONLY}, {MOUNT_ATTR_NOSUID, MS_NOSUID}, {MOUNT_ATTR_NODEV, MS_NODEV},
		{MOUNT_ATTR_NOEXEC, MS_NOEXEC}, {MOUNT_ATTR_NODIRATIME, MS_NODIRATIME}, {MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW}};
	unsigned long flags = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(plain); i++)
		flags |= attributes & plain[i].attribute ? plain[i].flag : 0;
	return flags;
}

int mount_atime_of_attributes(uint64_t attributes, unsigned long *flags)
{
	switch (attributes & MOUNT_ATTR__ATIME) {
	case MOUNT_ATTR_RELATIME:
		*flags |= MS_RELATIME;
		return 0;
	case MOUNT_ATTR_NOATIME:
		*flags |= MS_NOATIME;
		return 0;
	case MOUNT_ATTR_STRICTATIME:
		*flags |= MS_STRICTATIME;
		return 0;
	}
	return -EINVAL;
}

/* Which flags to set and to clear. */
struct flag_change {
	unsigned long set, clear;
};

static int decode_change(const struct mount_attr *attr, struct flag_change *change)
{
	if (attr->propagation & ~(uint64_t)MOUNT_PROPAGATION || attr->propagation & (attr->propagation - 1))
		return -EINVAL;
	if ((attr->attr_set | attr->attr_clr) & ~(uint64_t)SETATTR_ATTRIBUTES)
		return -EINVAL;
	change->set = mount_flags_of_attributes(attr->attr_set);
	change->clear = mount_flags_of_attributes(attr->attr_clr);
	if (!(attr->attr_clr & MOUNT_ATTR__ATIME))
		return attr->attr_set & MOUNT_ATTR__ATIME ? -EINVAL : 0;
	if ((attr->attr_clr & MOUNT_ATTR__ATIME) != MOUNT_ATTR__ATIME)
		return -EINVAL;
	change->clear |= ATIME_FLAGS;
	return mount_atime_of_attributes(attr->attr_set, &change->set);
}

/* Ids are mapped by no file system of ours: what Linux looks at before it says so of one. */
static int check_idmap(const struct mount_attr *attr)
{
	struct file *file;
	struct ns *ns;
	int rc = -EINVAL;

	if (!((attr->attr_set | attr->attr_clr) & MOUNT_ATTR_IDMAP))
		return 0;
	if (attr->attr_clr & MOUNT_ATTR_IDMAP || attr->userns_fd > INT32_MAX)
		return -EINVAL;
	file = fd_file((int)attr->userns_fd);
	if (!file)
		return -EBADF;
	ns = nsfs_namespace(file);
	if (ns && ns->kind == NS_USER) {
		const struct user_ns *user = container_of(ns, const struct user_ns, ns);

		rc = user_ns_parent(user) && ns_capable(user, CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
	}
	file_put(file);
	return rc;
}

static unsigned long changed_flags(const struct mount *m, const struct flag_change *change)
{
	return (m->flags & ~change->clear) | change->set;
}

static int set_attributes(const struct path *at, const struct mount_attr *attr, const struct flag_change *change, bool recursive)
{
	struct mount *top = at->mount, *m;

	if (at->dentry != top->root || !top->mnt_ns || (top->mnt_ns != current->ns->mnt && (top->parent || !top->mnt_ns->detached)))
		return -EINVAL;
	TAILQ_FOREACH(m, &all_mounts, link) {
		if (m != top && (!recursive || !mount_is_below(m, top)))
			continue;
		if (!mount_flags_may_be(m, changed_flags(m, change)))
			return -EPERM;
		if (changed_flags(m, change) & ~m->flags & MS_RDONLY && m->writers)
			return -EBUSY;
	}
	if (attr->propagation) {
		int rc = mount_set_propagation(top, (unsigned long)attr->propagation | (recursive ? MS_REC : 0));

		if (rc)
			return rc;
	}
	TAILQ_FOREACH(m, &all_mounts, link) {
		if (m == top || (recursive && mount_is_below(m, top)))
			m->flags = changed_flags(m, change);
	}
	mounts_changed(top->mnt_ns);
	return 0;
}

int vfs_mount_setattr(int dirfd, const char *name, unsigned flags, const struct mount_attr *attr)
{
	unsigned lookup = (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0) | (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW);
	struct flag_change change = {0, 0};
	struct path path;
	int rc = decode_change(attr, &change);

	if (!rc)
		rc = check_idmap(attr);
	if (!rc)
		rc = path_lookup(dirfd, name, lookup, &path);
	if (rc)
		return rc;
	rc = set_attributes(&path, attr, &change, flags & AT_RECURSIVE);
	path_put(&path);
	return rc;
}
