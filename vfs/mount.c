/*
 * Mounts: trees of superblocks (mnt_ns.c keeps them apart), and
 * mount(2) and umount2(2). Boot uses the same functions (vfs_boot.c).
 *
 * A mount references its superblock, its root dentry, its parent and its mountpoint; the
 * tree's list holds one reference to each attached mount. propagation.c carries what is mounted here to where else it belongs.
 */
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/mount.h>

#include "kernel/user_ns.h"
#include "vfs/anon/anon.h"
#include "vfs/internal.h"

#define MNT_FORCE 1
#define MNT_DETACH 2
#define MNT_EXPIRE 4
#define UMOUNT_NOFOLLOW 8
#define MOUNT_FLAGS                                                                                              \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME | \
		MS_NOSYMFOLLOW)
#define ATIME_FLAGS (MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME)
#define MOUNTS_MAX 20000u /* in the sandbox: finding one walks a list. Linux has 100,000 a namespace */

struct mount_list all_mounts = TAILQ_HEAD_INITIALIZER(all_mounts);
struct waitq mounts_waiters = WAITQ_INIT(mounts_waiters);
static int next_mount_id = 20;
static unsigned mounts_count;

struct mount *mount_create(struct superblock *sb, struct dentry *root, const char *source, unsigned long flags)
{
	struct mount *mount = mounts_count < MOUNTS_MAX ? kzalloc(sizeof(*mount)) : NULL;

	if (!mount)
		return NULL;
	mount->source = kstrdup(source ? source : "none");
	if (!mount->source) {
		kfree(mount);
		return NULL;
	}
	mount->refs = 1;
	mount->id = next_mount_id++;
	mount->sb = sb;
	mount->root = root;
	dentry_get(root);
	mount->flags = flags & MOUNT_FLAGS;
	mounts_count++;
	return mount;
}

unsigned mounts_left(void)
{
	return MOUNTS_MAX - mounts_count;
}

void mount_get(struct mount *mount)
{
	mount->refs++;
}

static bool dentry_has_mount(const struct dentry *dentry)
{
	struct mount *m;

	TAILQ_FOREACH(m, &all_mounts, link)
		if (m->mountpoint == dentry)
			return true;
	return false;
}

static void unlist(struct mount *mount)
{
	TAILQ_REMOVE(&all_mounts, mount, link);
	if (mount->mountpoint && !dentry_has_mount(mount->mountpoint))
		mount->mountpoint->mounted = false;
}

/* Where only those that stayed on it have it any more, nobody looks at it: they are to go. */
static void take_staying(struct mount *mount, struct mount_list *going)
{
	struct mount *m, *next;

	if (!mount->staying || mount->refs != mount->staying)
		return;
	for (m = TAILQ_FIRST(&all_mounts); m; m = next) {
		next = TAILQ_NEXT(m, link);
		if (m->parent != mount || m->attached)
			continue;
		unlist(m);
		m->cut_off = true;
		TAILQ_INSERT_TAIL(going, m, link);
	}
	mount->staying = 0;
}

/* Its last reference has gone. Its parent, which has one less to come. */
static struct mount *mount_end(struct mount *mount)
{
	struct mount *parent = mount->parent;

	mount_leave_groups(mount);
	if (mount->mountpoint)
		dentry_put(mount->mountpoint);
	dentry_put(mount->root);
	superblock_put(mount->sb);
	kfree((void *)mount->source);
	kfree(mount);
	mounts_count--;
	return parent;
}

void mount_put(struct mount *mount)
{
	struct mount_list going = TAILQ_HEAD_INITIALIZER(going);

	while (mount) {
		mount->refs--;
		take_staying(mount, &going);
		mount = mount->refs ? NULL : mount_end(mount);
		if (!mount) {
			mount = TAILQ_FIRST(&going);
			if (mount)
				TAILQ_REMOVE(&going, mount, link);
		}
	}
}

void path_get(const struct path *path)
{
	if (path->mount)
		path->mount->refs++;
	if (path->dentry)
		path->dentry->refs++;
}

void path_put(struct path *path)
{
	if (path->dentry)
		dentry_put(path->dentry);
	if (path->mount)
		mount_put(path->mount);
	path->dentry = NULL;
	path->mount = NULL;
}

struct mount *mount_find_child(struct mount *mount, struct dentry *dentry)
{
	struct mount *m;

	TAILQ_FOREACH_REVERSE(m, &all_mounts, mount_list, link) {
		if (m->parent == mount && m->mountpoint == dentry) {
			mount_get(m);
			return m;
		}
	}
	return NULL;
}

void path_follow_mounts(struct path *path)
{
	while (path->dentry->mounted) {
		struct mount *child = mount_find_child(path->mount, path->dentry);

		if (!child)
			return;
		dentry_get(child->root);
		dentry_put(path->dentry);
		mount_put(path->mount);
		path->mount = child;
		path->dentry = child->root;
	}
}

void mounts_changed(struct mnt_ns *mnt)
{
	if (!mnt)
		return;
	mnt->changes++;
	waitq_wake(&mounts_waiters, UINT32_MAX, EPOLLPRI | EPOLLERR);
}

/* Into the tree, at a place that was found good; NULL: the root of a tree. */
static void mount_hang(struct mount *mount, const struct path *at)
{
	if (at) {
		mount->parent = at->mount;
		mount->parent_id = at->mount->id;
		mount_get(at->mount);
		mount->mountpoint = at->dentry;
		dentry_get(at->dentry);
		at->dentry->mounted = true;
		mount->mnt_ns = at->mount->mnt_ns;
	} else {
		mount->parent_id = mount->id;
	}
	mount->attached = true;
	TAILQ_INSERT_TAIL(&all_mounts, mount, link);
	mounts_changed(mount->mnt_ns);
}

int mount_attach(struct mount *mount, const struct path *at)
{
	if (at && !!S_ISDIR(at->dentry->inode->mode) != !!S_ISDIR(mount->root->inode->mode))
		return -ENOTDIR;
	if (at && dentry_is_dead(at->dentry))
		return -ENOENT;
	if (at && !at->mount->attached)
		return -EINVAL; /* it was unmounted while its caller slept: nothing would ever take down what hangs on it */
	mount_hang(mount, at);
	return 0;
}

void mount_detach(struct mount *mount)
{
	struct mount *parent = mount->parent;

	mount->attached = false;
	mounts_changed(mount->mnt_ns);
	mount->mnt_ns = NULL;
	if (parent && mount->locked) {
		mount_leave_groups(mount);
		mount_get(parent);
		parent->staying++;
		mount_put(parent); /* it may have been gone already but for this one */
		return;
	}
	unlist(mount);
	mount_put(mount);
}

void mount_unhang(struct mount *mount)
{
	struct mount *parent = mount->parent;
	struct dentry *point = mount->mountpoint;

	mount->parent = NULL;
	mount->mountpoint = NULL;
	if (!dentry_has_mount(point))
		point->mounted = false;
	dentry_put(point);
	mount_put(parent);
}

int mount_want_write(const struct mount *mount)
{
	if (mount && (mount->flags & MS_RDONLY || mount->sb->flags & MS_RDONLY))
		return -EROFS;
	return 0;
}

int mount_get_tree(const struct fs_type *type, const struct mount_args *args, struct path *tree)
{
	struct superblock *sb = NULL;
	int rc = type->mount ? type->mount(type, args, &sb) : -ENODEV;

	if (rc)
		return rc;
	tree->dentry = sb->root;
	rc = type->root ? type->root(sb, &tree->dentry) : 0;
	if (rc) {
		superblock_put(sb);
		return rc;
	}
	if (!type->root)
		dentry_get(tree->dentry);
	tree->mount = mount_create(sb, tree->dentry, args->source, args->flags);
	if (!tree->mount) {
		dentry_put(tree->dentry);
		superblock_put(sb);
		return -ENOMEM;
	}
	tree->mount->locked_flags = args->locked_flags;
	return 0;
}

/* The mount of a tree just made goes to its place; its references are taken over. */
static int mount_place_tree(struct path *tree, const struct path *at)
{
	int rc = mount_propagation_fits(at, 1) ? mount_attach(tree->mount, at) : -ENOSPC;

	dentry_put(tree->dentry);
	if (rc)
		mount_put(tree->mount);
	return rc ? rc : mount_propagate(tree->mount);
}

int vfs_mount_fs(const struct fs_type *type, const struct mount_args *args, const struct path *at)
{
	struct path tree;
	int rc = mount_get_tree(type, args, &tree);

	return rc ? rc : mount_place_tree(&tree, at);
}

struct mount *mount_clone(const struct mount *from, struct dentry *root)
{
	struct mount *mount;

	from->sb->refs++;
	mount = mount_create(from->sb, root, from->source, from->flags);
	if (!mount) {
		superblock_put(from->sb);
		return NULL;
	}
	mount->locked_flags = from->locked_flags;
	mount->locked = from->locked;
	mount_follow_groups(mount, from);
	return mount;
}

/* Copies (m->copy) of what is mounted below a place, counted. Before the new mount is in the tree: it is not below itself. */
static int clone_below(const struct path *from, unsigned *count)
{
	struct mount *m;

	TAILQ_FOREACH(m, &all_mounts, link) {
		struct path at = {m->parent, m->mountpoint};

		if (!m->parent || m->mnt_ns != from->mount->mnt_ns || !path_is_below(&at, from))
			continue;
		if (m->unbindable && m->locked)
			return -EPERM; /* what it covers would be seen */
		if (m->unbindable)
			continue;
		m->copy = mount_clone(m, m->root);
		if (!m->copy)
			return -ENOMEM;
		++*count;
	}
	return 0;
}

void mount_attach_copies(const struct mount *outer, struct mnt_ns *ns)
{
	struct mount *last = TAILQ_LAST(&all_mounts, mount_list), *m, *next;

	for (m = TAILQ_FIRST(&all_mounts); m; m = next) {
		struct path at = {m->parent ? m->parent->copy : NULL, m->mountpoint};

		next = m == last ? NULL : TAILQ_NEXT(m, link);
		if (!m->copy || m == outer || (m->parent && !at.mount))
			continue;
		mount_hang(m->copy, m->parent ? &at : NULL);
		m->copy->mnt_ns = ns; /* the parent may come later in the list */
	}
}

void mount_forget_copies(void)
{
	struct mount *m;

	TAILQ_FOREACH(m, &all_mounts, link) {
		if (m->copy && !m->copy->attached)
			mount_put(m->copy); /* its superblock and root are held by the original: nothing ends here */
		m->copy = NULL;
	}
}

int mount_copy(const struct path *from, const struct path *at, struct mnt_ns *ns, bool recursive)
{
	struct mount *top;
	unsigned count = 1;
	int rc;

	if (from->mount->unbindable || (!recursive && mount_hides_below(from)))
		return -EINVAL;
	top = mount_clone(from->mount, from->dentry);
	if (!top)
		return -ENOMEM;
	top->locked = false;
	rc = recursive ? clone_below(from, &count) : 0;
	if (!rc && at && !mount_propagation_fits(at, count))
		rc = -ENOSPC;
	if (!rc) {
		top->mnt_ns = ns;
		rc = mount_attach(top, at);
	}
	if (rc)
		mount_put(top);
	if (!rc && recursive) {
		from->mount->copy = top;
		mount_attach_copies(from->mount, top->mnt_ns);
	}
	mount_forget_copies();
	if (!rc && ns)
		ns->root = top;
	return rc ? rc : mount_propagate(top);
}

int vfs_mount_bind(const struct path *from, const struct path *at, bool recursive)
{
	return superblock_is_anon(from->mount->sb) ? -EINVAL : mount_copy(from, at, NULL, recursive);
}

int vfs_remount(const struct path *at, unsigned long flags, const char *data)
{
	struct superblock *sb = at->mount->sb;

	if (at->dentry != at->mount->root)
		return -EINVAL;
	if (!mount_flags_may_be(at->mount, flags))
		return -EPERM;
	if (!(flags & MS_BIND) && !(sb->user_ns ? ns_capable(sb->user_ns, CAP_SYS_ADMIN) : capable(CAP_SYS_ADMIN)))
		return -EPERM;
	if (flags & ~(flags & MS_BIND ? at->mount->flags : sb->flags) & MS_RDONLY &&
		(flags & MS_BIND ? at->mount->writers != 0 : sb->writers != 0))
		return -EBUSY;
	mounts_changed(at->mount->mnt_ns);
	if (flags & MS_BIND) {
		at->mount->flags = flags & MOUNT_FLAGS;
		return 0;
	}
	if (data && sb->ops && sb->ops->reconfigure) {
		int rc = sb->ops->reconfigure(sb, data);

		if (rc)
			return rc;
	}
	at->mount->flags = flags & MOUNT_FLAGS;
	sb->flags = (sb->flags & ~(unsigned)MS_RDONLY) | (unsigned)(flags & MS_RDONLY);
	return 0;
}

static int mount_bind_path(const char *source, const struct path *at, unsigned long flags)
{
	struct path from;
	int rc;

	if (!source || !*source)
		return -EINVAL;
	rc = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &from);
	if (rc)
		return rc;
	/* Only of one's own: in another's tree something may be covered that must stay so. */
	if (nsfs_would_loop(from.dentry))
		rc = -EINVAL;
	else
		rc = from.mount->mnt_ns == current->ns->mnt || nsfs_holds(from.dentry) ? vfs_mount_bind(&from, at, flags & MS_REC) : -EINVAL;
	path_put(&from);
	return rc;
}

bool vfs_may_mount(void)
{
	return owner_capable(mnt_ns_base(current->ns->mnt), CAP_SYS_ADMIN);
}

bool mount_type_allowed(const struct fs_type *type)
{
	return type->in_user_ns ? ns_capable(type->owner ? type->owner() : user_ns_current(), CAP_SYS_ADMIN) : capable(CAP_SYS_ADMIN);
}

static int mount_new(const char *source, const char *type, const struct path *at, unsigned long flags, const char *data)
{
	struct mount_args args = {.source = source ? source : "none", .data = data ? data : "", .flags = flags};
	struct fs_type *fs = type ? fs_find(type) : NULL;
	struct path tree;
	int rc;

	if (!type)
		return -EINVAL;
	if (!fs || fs->internal)
		return -ENODEV;
	if (!mount_type_allowed(fs))
		return -EPERM;
	if (fs->unmasked && mount_too_revealing(fs, args.flags, &args.locked_flags))
		return -EPERM;
	rc = mount_get_tree(fs, &args, &tree);
	if (rc)
		return rc;
	if (tree.mount->sb->refs == 1)
		tree.mount->sb->flags |= (unsigned)(flags & MS_RDONLY);
	return mount_place_tree(&tree, at);
}

/* Move a mount: MS_MOVE. */
static int mount_move_path(const char *source, const struct path *at)
{
	struct path from;
	int rc = path_lookup(AT_FDCWD, source ? source : "", LOOKUP_FOLLOW, &from);

	if (rc)
		return rc;
	rc = mount_move(&from, at);
	path_put(&from);
	return rc;
}

int vfs_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)
{
	struct path at;
	int rc;

	if (!vfs_may_mount())
		return -EPERM;
	rc = path_lookup(AT_FDCWD, target, LOOKUP_FOLLOW, &at);
	if (rc)
		return rc;
	if (at.mount->mnt_ns != current->ns->mnt) {
		path_put(&at);
		return -EINVAL;
	}
	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~(unsigned long)MS_MGC_MSK;
	if (flags & MS_REMOUNT && !(flags & ATIME_FLAGS))
		flags |= at.mount->flags & ATIME_FLAGS;
	if (!(flags & (MS_NOATIME | MS_STRICTATIME)))
		flags |= MS_RELATIME;
	if (flags & MS_REMOUNT)
		rc = vfs_remount(&at, flags, data);
	else if (flags & MS_BIND)
		rc = mount_bind_path(source, &at, flags);
	else if (flags & MOUNT_PROPAGATION)
		rc = at.dentry == at.mount->root ? mount_set_propagation(at.mount, flags) : -EINVAL;
	else if (flags & MS_MOVE)
		rc = mount_move_path(source, &at);
	else
		rc = mount_new(source, type, &at, flags, data);
	path_put(&at);
	return rc;
}

struct mount *mount_child(const struct mount *mount)
{
	struct mount *m;

	TAILQ_FOREACH_REVERSE(m, &all_mounts, mount_list, link)
		if (m->parent == mount && m->attached)
			return m;
	return NULL;
}

void mount_detach_tree(struct mount *mount, bool propagate)
{
	struct mount *child, *at;

	mount_get(mount);
	mount->locked = false; /* it leaves its parent, whatever stays on it */
	while (mount->attached) {
		for (at = mount; (child = mount_child(at)); at = child)
			;
		mount_get(at); /* it may be a copy of itself */
		if (propagate)
			(void)mount_propagate_detach(at, true); /* for want of memory, copies stay */
		if (at->attached)
			mount_detach(at);
		mount_put(at);
	}
	mount_put(mount);
}

int vfs_umount(const char *target, int flags)
{
	struct path at;
	int rc;

	if (flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
		return -EINVAL;
	if (flags & MNT_EXPIRE)
		return -EINVAL;
	if (!vfs_may_mount())
		return -EPERM;
	rc = path_lookup(AT_FDCWD, target, flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW, &at);
	if (rc)
		return rc;
	path_follow_mounts(&at); /* "." may be covered: pivot_root(2) */
	rc = -EINVAL;
	if (at.dentry != at.mount->root || !at.mount->parent || at.mount->mnt_ns != current->ns->mnt || at.mount->locked)
		goto out;
	rc = -EPERM;
	/* No file system here has requests to break off (Linux: umount_begin()). */
	if (flags & MNT_FORCE && !capable(CAP_SYS_ADMIN))
		goto out;
	if (flags & MNT_DETACH) {
		mount_detach_tree(at.mount, true);
		rc = 0;
		goto out;
	}
	rc = -EBUSY;
	/* The list's reference and ours are the only ones when nobody uses it. */
	if (mount_child(at.mount) || at.mount->refs > 2)
		goto out;
	rc = mount_propagate_detach(at.mount, false);
	if (!rc)
		mount_detach(at.mount);
out:
	path_put(&at);
	return rc;
}

int vfs_statfs(const struct path *path, struct statfs64_data *out)
{
	struct superblock *sb = path->dentry ? path->dentry->sb : NULL;

	memset(out, 0, sizeof(*out));
	if (!sb)
		return -ENOSYS;
	out->type = sb->magic;
	out->bsize = out->frsize = 4096;
	out->namelen = NAME_MAX_LEN;
	if (sb->ops && sb->ops->statfs)
		return sb->ops->statfs(sb, out);
	return 0;
}

static bool wants_sync(const struct mount *m, unsigned round)
{
	return m->attached && m->sb->ops && m->sb->ops->sync && (int)(m->synced - round) < 0;
}

int vfs_sync_all(void)
{
	static unsigned rounds;
	unsigned round = ++rounds;
	struct mount *m = TAILQ_FIRST(&all_mounts);
	int rc = 0;

	while (m) {
		bool there = true;

		if (wants_sync(m, round)) {
			mount_get(m);
			m->synced = round;
			int failed = m->sb->ops->sync(m->sb);

			rc = rc ? rc : failed;
			there = m->attached;
			mount_put(m);
		}
		m = there ? TAILQ_NEXT(m, link) : TAILQ_FIRST(&all_mounts); /* it went while we slept */
	}
	return rc;
}
