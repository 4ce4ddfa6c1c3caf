/*
 * The list of file system types, superblocks, and the internal superblock and mount on
 * which anonymous files (pipes, eventfds …) live.
 */
#include <linux/errno.h>
#include <linux/mount.h>

#include "kernel/user_ns.h"
#include "vfs/dev/dev.h"
#include "vfs/internal.h"

#define ANON_INODE_FS_MAGIC_NUMBER 0x09041934

struct fs_type_list all_fs_types = TAILQ_HEAD_INITIALIZER(all_fs_types);
static uint64_t next_anon_dev = 1;
static struct superblock *anon_sb;
static struct mount *anon_mnt;

void fs_register(struct fs_type *type)
{
	BUG_ON(fs_find(type->name) != NULL);
	TAILQ_INSERT_TAIL(&all_fs_types, type, link);
}

struct fs_type *fs_find(const char *name)
{
	struct fs_type *type;

	TAILQ_FOREACH(type, &all_fs_types, link)
		if (!strcmp(type->name, name))
			return type;
	return NULL;
}

struct superblock *superblock_create(const struct fs_type *type, const struct superblock_ops *ops, uint64_t magic)
{
	struct superblock *sb = kzalloc(sizeof(*sb));

	if (!sb)
		return NULL;
	sb->refs = 1;
	sb->type = type;
	sb->ops = ops;
	sb->magic = magic;
	sb->dev = DEV_MAKE(0, next_anon_dev);
	next_anon_dev++;
	if (current && current->cred) {
		sb->user_ns = (struct user_ns *)(uintptr_t)(type->owner ? type->owner() : user_ns_current());
		ns_get(&sb->user_ns->ns);
	}
	return sb;
}

void superblock_put(struct superblock *sb)
{
	struct dentry *root = sb->root;

	if (--sb->refs)
		return;
	if (sb->ops && sb->ops->sync)
		sb->ops->sync(sb);
	notify_superblock_gone(sb);
	dentry_shrink_superblock(sb);
	sb->root = NULL;
	if (root)
		dentry_put(root);
	if (sb->ops && sb->ops->destroy)
		sb->ops->destroy(sb);
	if (sb->user_ns)
		ns_put(&sb->user_ns->ns);
	kfree(sb);
}

static struct fs_type anon_type = {.name = "anon_inodefs", .nodev = true, .internal = true};
/* Sockets and pipes have owners and permissions to be looked at, though nothing asks them. */
static int anon_setattr(struct inode *inode, const struct attr_change *change)
{
	if (!S_ISSOCK(inode->mode) && !S_ISFIFO(inode->mode))
		return -EPERM;
	inode_take_attributes(inode, change);
	return 0;
}

static const struct inode_ops anon_inode_ops = {.setattr = anon_setattr};

void fs_types_init(void)
{
	struct inode *inode;

	if (anon_sb)
		return;
	fs_register(&anon_type);
	anon_sb = superblock_create(&anon_type, NULL, ANON_INODE_FS_MAGIC_NUMBER);
	inode = anon_sb ? anon_inode_create(S_IFDIR | 0700) : NULL;
	if (inode)
		anon_sb->root = dentry_make_root(anon_sb, inode);
	if (inode && anon_sb->root)
		anon_mnt = mount_create(anon_sb, anon_sb->root, "anon_inodefs", 0);
	if (!anon_mnt)
		panic("vfs: no memory for the anonymous file system");
}

bool superblock_has_no_devices(const struct superblock *sb)
{
	return !sb->type->own_devices && sb->user_ns && user_ns_parent(sb->user_ns);
}

bool superblock_is_anon(const struct superblock *sb)
{
	return sb == anon_sb;
}

struct mount *anon_mount(void)
{
	return anon_mnt;
}

struct inode *anon_inode_create(uint32_t mode)
{
	struct inode *inode = kzalloc(sizeof(*inode));

	if (!inode)
		return NULL;
	inode_init(inode, anon_sb, mode);
	inode->ops = &anon_inode_ops;
	inode->ino = inode_next_ino();
	if (current && current->cred) {
		inode->uid = current->cred->fsuid;
		inode->gid = current->cred->fsgid;
	}
	inode->atime = inode->mtime = inode->ctime = inode->btime = vfs_now();
	return inode;
}
