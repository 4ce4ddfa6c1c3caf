/*
 * Mount namespaces (mount_namespaces(7)) and pivot_root(2): trees of mounts that are independent of each other.
 *
 * Every attached mount belongs to one tree. A copy has a mount for each of the original's, on the same superblocks
 * and at the same places, and a peer of it if it is shared (propagation.c). Everything may sleep where a mount's last
 * reference goes.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>

#include "kernel/user_ns.h"
#include "vfs/anon/anon.h"
#include "vfs/internal.h"

struct ns *mnt_ns_base(struct mnt_ns *mnt)
{
	return &mnt->ns;
}

struct ending_ns {
	struct mnt_ns mnt;
	TAILQ_ENTRY(ending_ns) link; /* while it ends */
};
static TAILQ_HEAD(, ending_ns) ending = TAILQ_HEAD_INITIALIZER(ending);

struct mnt_ns *mnt_ns_create(struct mount *root, struct user_ns *owner)
{
	struct mnt_ns *mnt = ns_create(sizeof(struct ending_ns), NS_MNT, owner);

	if (!mnt)
		return NULL;
	mnt->root = root;
	mnt->changes = 1;
	return mnt;
}

static void end_mounts(struct mnt_ns *mnt)
{
	struct mount *m;

	for (;;) {
		TAILQ_FOREACH_REVERSE(m, &all_mounts, mount_list, link) {
			if (m->mnt_ns == mnt)
				break;
		}
		if (!m)
			break;
		mount_detach(m);
	}
}

void mnt_ns_destroy(struct ns *ns)
{
	struct ending_ns *e = container_of(ns, struct ending_ns, mnt.ns);
	static bool busy;

	if (ns->owner)
		ns_get(&ns->owner->ns); /* its caller lets go of that one */
	TAILQ_INSERT_TAIL(&ending, e, link);
	if (busy) /* one that was mounted in another, and so on: whoever ends that one goes on with this, on no more stack */
		return;
	busy = true;
	while ((e = TAILQ_FIRST(&ending))) {
		struct user_ns *owner = e->mnt.ns.owner;

		TAILQ_REMOVE(&ending, e, link);
		end_mounts(&e->mnt);
		kfree(e);
		if (owner)
			ns_put(&owner->ns);
	}
	busy = false;
}

/* Copies of all its mounts, reachable through m->copy; nothing is attached yet. weaker: what is done in them stays there. */
static int copy_mounts(const struct mnt_ns *from, bool weaker)
{
	struct mount *m;

	TAILQ_FOREACH(m, &all_mounts, link) {
		if (m->mnt_ns != from || nsfs_is_mnt_ns(m->root)) /* it might be held by itself */
			continue;
		m->copy = mount_clone(m, m->root);
		if (!m->copy)
			return -ENOMEM;
		if (weaker)
			mount_follow(m->copy);
	}
	return 0;
}

static void follow_copy(struct path *path)
{
	struct mount *copy = path->mount->copy;

	if (!copy)
		return;
	mount_get(copy);
	mount_put(path->mount);
	path->mount = copy;
}

struct mnt_ns *mnt_ns_copy(struct mnt_ns *from, struct user_ns *owner, struct fs_context *fs, int *error)
{
	struct mnt_ns *to = mnt_ns_create(NULL, owner);

	*error = to ? copy_mounts(from, owner != from->ns.owner) : -ENOMEM;
	if (*error) {
		mount_forget_copies();
		if (to)
			ns_put(&to->ns); /* without mounts yet */
		return NULL;
	}
	mount_attach_copies(NULL, to);
	to->root = from->root->copy;
	if (owner != from->ns.owner)
		mount_lock_tree(to->root);
	follow_copy(&fs->root);
	follow_copy(&fs->cwd);
	mount_forget_copies();
	return to;
}

int mnt_ns_enter(struct ns *ns, struct fs_context *fs)
{
	struct mnt_ns *mnt = container_of(ns, struct mnt_ns, ns);
	struct path root = {mnt->root, mnt->root->root}, old_root = fs->root, old_cwd = fs->cwd;

	if (fs->refs > 1)
		return -EINVAL;
	path_get(&root);
	path_follow_mounts(&root);
	fs->root = fs->cwd = root;
	path_get(&root);
	path_put(&old_root);
	path_put(&old_cwd);
	return 0;
}

/* ---- pivot_root(2) ---- */

bool dentry_is_below(const struct dentry *dentry, const struct dentry *top)
{
	while (dentry != top && dentry->parent != dentry)
		dentry = dentry->parent;
	return dentry == top;
}

bool mount_is_below(const struct mount *mount, const struct mount *top)
{
	while (mount && mount != top)
		mount = mount->parent;
	return mount;
}

bool path_is_below(const struct path *at, const struct path *top)
{
	const struct mount *mount = at->mount;
	const struct dentry *dentry = at->dentry;

	while (mount != top->mount) {
		if (!mount->parent)
			return false;
		dentry = mount->mountpoint;
		mount = mount->parent;
	}
	return dentry_is_below(dentry, top->dentry);
}

static int check_pivot(const struct path *new_root, const struct path *put_old, const struct path *root)
{
	const struct mnt_ns *mnt = current->ns->mnt;

	if (new_root->mount->mnt_ns != mnt || put_old->mount->mnt_ns != mnt || root->mount->mnt_ns != mnt)
		return -EINVAL;
	if (put_old->mount->group || (new_root->mount->parent && new_root->mount->parent->group) ||
		(root->mount->parent && root->mount->parent->group))
		return -EINVAL;
	if (new_root->mount->locked)
		return -EINVAL;
	if (new_root->mount == root->mount || put_old->mount == root->mount)
		return -EBUSY;
	if (root->dentry != root->mount->root || new_root->dentry != new_root->mount->root || !new_root->mount->parent)
		return -EINVAL;
	if (!path_is_below(put_old, new_root) || !mount_is_below(new_root->mount, root->mount))
		return -EINVAL;
	return 0;
}

static void replace(struct path *path, const struct path *from, const struct path *to)
{
	if (path->mount != from->mount || path->dentry != from->dentry)
		return;
	path_get(to);
	path_put(path);
	*path = *to;
}

/* Everybody whose root or working directory was the old root goes to the new one. */
static void replace_everywhere(const struct path *from, const struct path *to)
{
	struct process *process;
	struct task *task;

	TAILQ_FOREACH(process, &all_processes, all) {
		TAILQ_FOREACH(task, &process->tasks, sibling) {
			if (!task->fs)
				continue;
			replace(&task->fs->root, from, to);
			replace(&task->fs->cwd, from, to);
		}
	}
}

static int pivot(struct path *new_root, struct path *put_old)
{
	struct path root = current->fs->root;
	struct mnt_ns *mnt = current->ns->mnt;
	struct mount *old = root.mount, *mount = new_root->mount, *parent = old->parent;
	struct dentry *point = old->mountpoint;
	int rc = check_pivot(new_root, put_old, &root);

	if (rc)
		return rc;
	path_get(&root);
	/* From here nothing may fail. The old root's place, if it has one, goes to the new one. */
	mount->locked = old->locked;
	old->locked = false;
	mount_unhang(mount);
	old->parent = NULL;
	old->mountpoint = NULL;
	mount->parent = parent;
	mount->mountpoint = point;
	mount->parent_id = parent ? parent->id : mount->id;
	old->parent = put_old->mount;
	mount_get(old->parent);
	old->parent_id = old->parent->id;
	old->mountpoint = put_old->dentry;
	dentry_get(old->mountpoint);
	old->mountpoint->mounted = true;
	if (mnt->root == old)
		mnt->root = mount;
	replace_everywhere(&root, new_root);
	path_put(&root);
	return 0;
}

int vfs_pivot_root(const char *new_root, const char *put_old)
{
	struct path to, old;
	int rc;

	if (!vfs_may_mount())
		return -EPERM;
	rc = path_lookup(AT_FDCWD, new_root, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &to);
	if (rc)
		return rc;
	rc = path_lookup(AT_FDCWD, put_old, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &old);
	if (!rc) {
		rc = pivot(&to, &old);
		path_put(&old);
	}
	path_put(&to);
	return rc;
}

/* ---- for the host side ---- */

size_t files_show_mounts(struct mnt_ns *mnt, char *text, size_t size)
{
	const struct path root = {mnt->root, mnt->root->root};
	char *buf = kmalloc(PATH_MAX_LEN);
	struct mount *m;
	size_t used = 0;

	TAILQ_FOREACH(m, &all_mounts, link) {
		const struct path path = {m, m->root};
		const char *place = m->mnt_ns == mnt && buf ? path_print(&path, &root, buf, PATH_MAX_LEN) : NULL;

		if (!place || used + 1 >= size)
			continue;
		int n = snprintf(text + used, size - used, "%d %d %s %s %s%s\n", m->id, m->parent_id, place, m->sb->type->name,
			m->source, m->flags & MS_RDONLY || m->sb->flags & MS_RDONLY ? " ro" : "");
		used += MIN((size_t)n, size - used - 1);
	}
	kfree(buf);
	return used;
}
