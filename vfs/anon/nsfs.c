/*
 * Namespaces as files (namespaces(7), ioctl_ns(2)): what the links in /proc/PID/ns lead to, and what setns(2) takes.
 * Each has a reference to its namespace; the inode's number is the namespace's.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/sched.h>

#include "kernel/namespaces.h"
#include "kernel/user_ns.h"
#include "ring0/usercopy.h"
#include "vfs/anon/anon.h"
#include "vfs/internal.h"

static const uint64_t clone_flag[NS_KINDS] = {
	[NS_CGROUP] = CLONE_NEWCGROUP, [NS_IPC] = CLONE_NEWIPC, [NS_MNT] = CLONE_NEWNS, [NS_NET] = CLONE_NEWNET,
	[NS_PID] = CLONE_NEWPID, [NS_TIME] = CLONE_NEWTIME, [NS_USER] = CLONE_NEWUSER, [NS_UTS] = CLONE_NEWUTS,
};

struct nsfs_inode {
	struct inode inode;
	struct ns *ns;
};

static void nsfs_destroy(struct inode *inode)
{
	struct nsfs_inode *n = container_of(inode, struct nsfs_inode, inode);

	inode_release(inode);
	ns_put(n->ns);
	kfree(n);
}

int64_t nsfs_install(struct ns *ns)
{
	struct path path;
	struct file *file;
	int rc = nsfs_path(ns, &path);

	if (rc)
		return rc;
	rc = open_found(&path, O_RDONLY, false, &file);
	path_put(&path);
	if (rc)
		return rc;
	return fd_install(file, true, 0);
}

/* The user namespace that it belongs to, a user namespace's parent. Only what the caller may see: its own and those below. */
static int64_t open_owner(const struct ns *ns)
{
	struct user_ns *owner = ns->owner;

	if (!owner || !user_ns_contains(user_ns_current(), owner))
		return -EPERM;
	ns_get(&owner->ns);
	return nsfs_install(&owner->ns);
}

static int64_t open_parent(const struct ns *ns)
{
	if (ns->kind == NS_USER)
		return open_owner(ns);
	if (ns->kind != NS_PID)
		return -EINVAL;
	struct pid_ns *parent = container_of(ns, const struct pid_ns, ns)->parent;
	if (!parent || !pid_ns_contains(current->process->pid_ns, parent))
		return -EPERM;
	ns_get(&parent->ns);
	return nsfs_install(&parent->ns);
}

static int64_t nsfs_ioctl(struct file *file, unsigned cmd, uint64_t arg)
{
	const struct ns *ns = container_of(file->inode, struct nsfs_inode, inode)->ns;
	uint32_t uid;

	switch (cmd) {
	case NS_GET_NSTYPE:
		return (int64_t)clone_flag[ns->kind];
	case NS_GET_USERNS:
		return open_owner(ns);
	case NS_GET_PARENT:
		return open_parent(ns);
	case NS_GET_OWNER_UID:
		if (ns->kind != NS_USER)
			return -EINVAL;
		uid = uid_to_user(container_of(ns, const struct user_ns, ns)->uid);
		return put_user(uid, UADDR(arg));
	}
	return -ENOTTY;
}

static const struct file_ops nsfs_file_ops = {.ioctl = nsfs_ioctl};

static int nsfs_open(struct inode *inode, struct file *file)
{
	file->ops = &nsfs_file_ops;
	file->mode |= FILE_STREAM;
	return 0;
}

/* Where they lie, so that they can be mounted on files: made with the first of them, and there for ever. */
static struct fs_type nsfs_type = {.name = "nsfs", .nodev = true, .internal = true};

static struct mount *nsfs_mount(void)
{
	static struct mount *mount;
	struct superblock *sb = mount ? NULL : superblock_create(&nsfs_type, NULL, NSFS_MAGIC);
	struct inode *root = sb ? anon_inode_create(S_IFDIR | 0700) : NULL;

	if (mount)
		return mount;
	if (root) {
		root->sb = sb;
		sb->root = dentry_make_root(sb, root);
		mount = sb->root ? mount_create(sb, sb->root, "nsfs", 0) : NULL;
	}
	if (!mount && sb)
		superblock_put(sb); /* with its root, if it has one */
	return mount;
}

static const struct inode_ops nsfs_inode_ops = {.open = nsfs_open, .destroy = nsfs_destroy};

int nsfs_path(struct ns *ns, struct path *path)
{
	struct mount *mount = nsfs_mount();
	struct nsfs_inode *n = mount ? kzalloc(sizeof(*n)) : NULL;
	char name[32];

	if (!n) {
		ns_put(ns);
		return -ENOMEM;
	}
	inode_init(&n->inode, mount->sb, S_IFREG | 0444);
	n->ns = ns;
	n->inode.ino = ns->inum;
	n->inode.ops = &nsfs_inode_ops;
	n->inode.file_ops = &nsfs_file_ops;
	n->inode.nlink = 1;
	n->inode.atime = n->inode.mtime = n->inode.ctime = n->inode.btime = vfs_now();
	snprintf(name, sizeof(name), "%s:[%u]", ns_kind_name(ns->kind), ns->inum);
	path->dentry = dentry_make_loose(n->inode.sb, name, &n->inode);
	if (!path->dentry) {
		inode_put(&n->inode);
		return -ENOMEM;
	}
	path->mount = mount;
	mount_get(path->mount);
	return 0;
}

bool nsfs_holds(const struct dentry *dentry)
{
	return dentry->inode && dentry->inode->ops == &nsfs_inode_ops;
}

bool nsfs_is_mnt_ns(const struct dentry *dentry)
{
	return nsfs_holds(dentry) && container_of(dentry->inode, const struct nsfs_inode, inode)->ns->kind == NS_MNT;
}

bool nsfs_would_loop(const struct dentry *dentry)
{
	return nsfs_is_mnt_ns(dentry) &&
		container_of(dentry->inode, const struct nsfs_inode, inode)->ns->inum <= mnt_ns_base(current->ns->mnt)->inum;
}

struct ns *nsfs_namespace(const struct file *file)
{
	return file->ops == &nsfs_file_ops ? container_of(file->inode, struct nsfs_inode, inode)->ns : NULL;
}

uint64_t nsfs_clone_flag(const struct ns *ns)
{
	return clone_flag[ns->kind];
}
