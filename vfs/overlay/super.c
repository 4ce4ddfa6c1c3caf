/*
 * The overlay's superblock: the two layers, free space, end.
 */
#include "vfs/overlay/internal.h"

#define OVERLAYFS_SUPER_MAGIC 0x794c7630

/* Room is the sandbox's memory. */
static int overlay_statfs(struct superblock *sb, struct statfs64_data *out)
{
	struct mm_counters memory;

	mm_counters_read(&memory);
	out->blocks = memory.total >> PAGE_SHIFT;
	out->bfree = out->bavail = (memory.free + memory.cached) >> PAGE_SHIFT;
	out->files = memory.total >> 10;
	out->ffree = memory.free >> 10;
	return 0;
}

static void overlay_show_options(struct superblock *sb, char *buf, size_t size)
{
	snprintf(buf, size, ",lowerdir=/,upperdir=memory");
}

static void overlay_sb_destroy(struct superblock *sb)
{
	struct overlay_sb *info = sb->private;
	struct overlay_index *entry;

	if (!info)
		return;
	while ((entry = LIST_FIRST(&info->index)) != NULL) {
		LIST_REMOVE(entry, link);
		inode_put(entry->upper);
		kfree(entry);
	}
	if (info->upper)
		superblock_put(info->upper);
	if (info->lower_mount)
		mount_put(info->lower_mount);
	kfree(info->inodes);
	kfree(info);
}

static const struct superblock_ops overlay_super_ops = {
	.statfs = overlay_statfs,
	.show_options = overlay_show_options,
	.destroy = overlay_sb_destroy,
	.dentry_release = overlay_dentry_release,
};

static int fill_root(struct superblock *sb, struct overlay_sb *info)
{
	struct inode *upper = info->upper->root->inode, *root;
	struct dentry *lower = info->lower_mount->root;

	upper->mode = lower->inode->mode;
	upper->uid = lower->inode->uid;
	upper->gid = lower->inode->gid;
	upper->atime = lower->inode->atime;
	upper->mtime = lower->inode->mtime;
	upper->ctime = lower->inode->ctime;
	inode_get(upper);
	dentry_get(lower);
	root = overlay_inode_get(sb, upper, lower);
	if (!root)
		return -ENOMEM;
	sb->root = dentry_make_root(sb, root);
	if (!sb->root) {
		inode_put(root);
		return -ENOMEM;
	}
	return 0;
}

static int fill(struct superblock *sb, struct overlay_sb *info, struct superblock *lower)
{
	int rc;

	mutex_init(&info->copy_up);
	LIST_INIT(&info->index);
	info->inodes = kzalloc(OVERLAY_BUCKETS * sizeof(*info->inodes));
	if (!info->inodes)
		return -ENOMEM;
	rc = tmpfs_create_unlimited(&info->upper);
	if (rc)
		return rc;
	lower->refs++;
	info->lower_mount = mount_create(lower, lower->root, "lower", 0);
	if (!info->lower_mount) {
		superblock_put(lower);
		return -ENOMEM;
	}
	return fill_root(sb, info);
}

static int overlay_mount(const struct fs_type *type, const struct mount_args *args, struct superblock **out)
{
	struct superblock *sb;
	int rc;

	if (!args->lower || !S_ISDIR(args->lower->root->inode->mode))
		return -EINVAL;
	sb = superblock_create(type, &overlay_super_ops, OVERLAYFS_SUPER_MAGIC);
	if (!sb)
		return -ENOMEM;
	sb->cache_exclusive = args->lower->cache_exclusive;
	sb->private = kzalloc(sizeof(struct overlay_sb));
	rc = sb->private ? fill(sb, sb->private, args->lower) : -ENOMEM;
	if (rc) {
		superblock_put(sb);
		return rc;
	}
	*out = sb;
	return 0;
}

static struct fs_type overlay_type = {.name = "overlay", .nodev = true, .internal = true, .mount = overlay_mount};

void overlay_register(void)
{
	if (!fs_find("overlay"))
		fs_register(&overlay_type);
}
