/*
 * Namespaces as files (namespaces(7), ioctl_ns(2)): what the links in /proc/PID/ns lead to, and what setns(2) takes.
 * Each has a reference to its namespace; the inode's number is the namespace's.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
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

/* A descriptor for a namespace; takes over the reference. */
static int64_t open_ns(struct ns *ns)
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
	rc = fd_install(file, true, 0);
	if (rc < 0)
		file_put(file);
	return rc;
}

/* The user namespace that it belongs to, a user namespace's parent. Only what the caller may see: its own and those below. */
static int64_t open_owner(const struct ns *ns)
{
	struct user_ns *owner = ns->owner;

	if (!owner || !user_ns_contains(user_ns_current(), owner))
		return -EPERM;
	ns_get(&owner->ns);
	return open_ns(&owner->ns);
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
	return open_ns(&parent->ns);
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

static const struct inode_ops nsfs_inode_ops = {.open = nsfs_open, .destroy = nsfs_destroy};

int nsfs_path(struct ns *ns, struct path *path)
{
	struct nsfs_inode *n = kzalloc(sizeof(*n));
	char name[32];

	if (!n) {
		ns_put(ns);
		return -ENOMEM;
	}
	inode_init(&n->inode, anon_mount()->sb, S_IFREG | 0444);
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
	path->mount = anon_mount();
	mount_get(path->mount);
	return 0;
}

struct ns *nsfs_namespace(const struct file *file)
{
	return file->ops == &nsfs_file_ops ? container_of(file->inode, struct nsfs_inode, inode)->ns : NULL;
}

uint64_t nsfs_clone_flag(const struct ns *ns)
{
	return clone_flag[ns->kind];
}
