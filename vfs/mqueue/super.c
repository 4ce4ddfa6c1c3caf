/*
 * The file system of message queues: a directory with a sticky bit, whose names come and go by mq_open(2) and
 * mq_unlink(2) or as those of any directory. The ipc namespace holds its superblock until it ends.
 */
#include <linux/fcntl.h>
#include <linux/magic.h>

#include "kernel/files.h"
#include "kernel/sysctl.h"
#include "vfs/mqueue/internal.h"

#define MQUEUE_FS_MAGIC 0x19800202
#define COOKIE_FIRST 2

static struct fs_type mqueue_type;

static struct mq_sb *sb_of(const struct inode *dir)
{
	return dir->sb->private;
}

static struct mq_queue *find(const struct inode *dir, const char *name, unsigned len)
{
	struct mq_queue *queue;

	TAILQ_FOREACH(queue, &sb_of(dir)->queues, link) {
		if (strlen(queue->name) == len && !memcmp(queue->name, name, len))
			return queue;
	}
	return NULL;
}

static int mqueue_lookup(struct inode *dir, struct dentry *dentry, struct inode **inode)
{
	struct mq_queue *queue = find(dir, dentry->name, dentry->name_len);

	if (!queue)
		return -ENOENT;
	inode_get(&queue->inode);
	*inode = &queue->inode;
	return 0;
}

static int add(struct inode *dir, struct dentry *dentry, uint32_t mode, const struct mq_attr *attr, struct inode **inode)
{
	struct mq_sb *info = sb_of(dir);
	struct mq_queue *queue;

	if (info->count >= sysctls.mq_queues_max && !capable(CAP_SYS_RESOURCE))
		return -ENOSPC;
	int rc = mqueue_queue_create(dir->sb, mode, attr, &queue);
	if (rc)
		return rc;
	queue->name = kstrdup(dentry->name);
	if (!queue->name) {
		inode_put(&queue->inode);
		return -ENOMEM;
	}
	inode_get(&queue->inode); /* the name's */
	TAILQ_INSERT_TAIL(&info->queues, queue, link);
	info->count++;
	dir->size += 20;
	dir->mtime = dir->ctime = vfs_now();
	*inode = &queue->inode;
	return 0;
}

static int mqueue_create(struct inode *dir, struct dentry *dentry, uint32_t mode, struct inode **inode)
{
	return add(dir, dentry, mode, NULL, inode);
}

static void take_name(struct mq_sb *info, struct mq_queue *queue)
{
	TAILQ_REMOVE(&info->queues, queue, link);
	info->count--;
	kfree(queue->name);
	queue->name = NULL;
	queue->inode.nlink = 0;
	inode_put(&queue->inode);
}

static int mqueue_unlink_name(struct inode *dir, struct dentry *dentry)
{
	struct mq_queue *queue = find(dir, dentry->name, dentry->name_len);

	if (!queue)
		return -ENOENT;
	dir->size -= dir->size < 20 ? dir->size : 20;
	dir->mtime = dir->ctime = queue->inode.ctime = vfs_now();
	take_name(sb_of(dir), queue);
	return 0;
}

static int mqueue_readdir(struct file *file, struct dir_emitter *emitter)
{
	const struct mq_queue *queue;
	uint64_t at = COOKIE_FIRST;

	if (!dir_emit_dots(file, emitter))
		return 0;
	TAILQ_FOREACH(queue, &sb_of(file->inode)->queues, link) {
		if (at++ < file->pos)
			continue;
		if (!emitter->emit(emitter, queue->name, (unsigned)strlen(queue->name), queue->inode.ino, 8 /* DT_REG */, at))
			return 0;
		file->pos = at;
	}
	return 0;
}

static int mqueue_setattr(struct inode *inode, const struct attr_change *change)
{
	inode_take_attributes(inode, change);
	return 0;
}

static void queue_destroy(struct inode *inode)
{
	struct mq_queue *queue = mqueue_of(inode);

	inode_release(inode);
	mqueue_queue_free(queue);
}

static const struct inode_ops dir_ops = {
	.lookup = mqueue_lookup,
	.create = mqueue_create,
	.unlink = mqueue_unlink_name,
	.setattr = mqueue_setattr,
};
static const struct inode_ops queue_ops = {.setattr = mqueue_setattr, .destroy = queue_destroy};
static const struct file_ops dir_file_ops = {.readdir = mqueue_readdir};

void mqueue_inode_init(struct mq_queue *queue, struct superblock *sb, uint32_t mode)
{
	inode_init(&queue->inode, sb, S_IFREG | (mode & 0777));
	inode_init_owner(&queue->inode, NULL, S_IFREG | (mode & 0777));
	queue->inode.ops = &queue_ops;
	queue->inode.file_ops = &mqueue_file_ops;
	queue->inode.ino = inode_next_ino();
	queue->inode.nlink = 1;
	queue->inode.size = 80; /* as Linux: what a read gives at most */
	queue->inode.blksize = 4096;
}

static void sb_destroy(struct superblock *sb)
{
	kfree(sb->private);
}

static const struct superblock_ops super_ops = {.destroy = sb_destroy};

static struct superblock *make(void)
{
	struct superblock *sb = superblock_create(&mqueue_type, &super_ops, MQUEUE_FS_MAGIC);
	struct mq_sb *info = kzalloc(sizeof(*info));
	struct inode *root = sb && info ? anon_inode_create(S_IFDIR | 01777) : NULL;

	if (!root) {
		if (sb)
			superblock_put(sb);
		kfree(info);
		return NULL;
	}
	TAILQ_INIT(&info->queues);
	sb->private = info;
	sb->cache_exclusive = true;
	root->sb = sb;
	root->ops = &dir_ops;
	root->file_ops = &dir_file_ops;
	root->nlink = 2;
	root->uid = root->gid = 0;
	root->atime = root->mtime = root->ctime = root->btime = vfs_now();
	sb->root = dentry_make_root(sb, root);
	if (!sb->root) {
		inode_put(root);
		superblock_put(sb);
		return NULL;
	}
	return sb;
}

/* The namespace's own, without a reference; NULL: no memory. */
static struct superblock *of_namespace(struct ipc_ns *ns)
{
	if (!ns->mqueue)
		ns->mqueue = make();
	return ns->mqueue;
}

void files_ipc_ns_gone(struct superblock *sb)
{
	struct mq_sb *info = sb->private;
	struct mq_queue *queue;

	while ((queue = TAILQ_FIRST(&info->queues)))
		take_name(info, queue);
	superblock_put(sb);
}

static int mqueue_mount(const struct fs_type *type, const struct mount_args *args, struct superblock **sb)
{
	*sb = of_namespace(current->ns->ipc);
	if (!*sb)
		return -ENOMEM;
	(*sb)->refs++;
	return 0;
}

static const struct user_ns *mqueue_owner(void)
{
	return current->ns->ipc->ns.owner;
}

static struct fs_type mqueue_type = {.name = "mqueue", .nodev = true, .in_user_ns = true, .owner = mqueue_owner,
	.mount = mqueue_mount};

void mqueue_init(void)
{
	fs_register(&mqueue_type);
}

/* ---- mq_open(2), mq_unlink(2) ---- */

/* The directory as a path that belongs to no tree. */
static int directory(struct path *dir)
{
	struct superblock *sb = of_namespace(current->ns->ipc);

	if (!sb)
		return -ENOMEM;
	sb->refs++;
	dir->mount = mount_create(sb, sb->root, "mqueue", 0);
	if (!dir->mount) {
		superblock_put(sb);
		return -ENOMEM;
	}
	dir->dentry = sb->root;
	dentry_get(dir->dentry);
	return 0;
}

static int check_name(const char *name)
{
	if (!*name || !strcmp(name, ".") || !strcmp(name, "..") || strchr(name, '/'))
		return *name ? -EACCES : -ENOENT;
	return strlen(name) > NAME_MAX_LEN ? -ENAMETOOLONG : 0;
}

static int create_locked(const struct path *dir, struct dentry *dentry, uint32_t mode, const struct mq_attr *attr)
{
	struct inode *inode;
	int rc = may_create(dir);

	if (!rc)
		rc = add(dir->dentry->inode, dentry, mode & ~current->fs->umask, attr, &inode);
	if (!rc)
		dentry_instantiate(dentry, inode);
	return rc;
}

static int open_in(const struct path *dir, const char *name, unsigned flags, uint32_t mode, const struct mq_attr *attr,
	struct file **file)
{
	struct inode *parent = dir->dentry->inode;
	struct path path = {.mount = dir->mount};
	bool created = false;
	int rc;

	rwsem_write_lock(&parent->lock);
	rc = dentry_lookup_locked(dir->dentry, name, (unsigned)strlen(name), &path.dentry);
	if (!rc && !path.dentry->inode) {
		rc = flags & O_CREAT ? create_locked(dir, path.dentry, mode, attr) : -ENOENT;
		created = !rc;
		if (rc)
			dentry_put(path.dentry);
	} else if (!rc && (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
		rc = -EEXIST;
		dentry_put(path.dentry);
	}
	rwsem_write_unlock(&parent->lock);
	if (rc)
		return rc;
	rc = open_found(&path, flags & (O_ACCMODE | O_NONBLOCK), created, file);
	dentry_put(path.dentry);
	return rc;
}

int mqueue_open(const char *name, unsigned flags, uint32_t mode, const struct mq_attr *attr, struct file **file)
{
	struct path dir;
	int rc = check_name(name);

	if ((flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	if (!rc)
		rc = directory(&dir);
	if (rc)
		return rc;
	rc = open_in(&dir, name, flags, mode, attr, file);
	path_put(&dir);
	return rc;
}

int mqueue_unlink(const char *name)
{
	struct dentry *dentry;
	struct path dir;
	int rc = check_name(name);

	if (!rc)
		rc = directory(&dir);
	if (rc)
		return rc;
	struct inode *parent = dir.dentry->inode;
	rwsem_write_lock(&parent->lock);
	rc = dentry_lookup_locked(dir.dentry, name, (unsigned)strlen(name), &dentry);
	if (!rc) {
		rc = dentry->inode ? may_delete(&dir, dentry, false) : -ENOENT;
		if (!rc)
			rc = mqueue_unlink_name(parent, dentry);
		if (!rc)
			dentry_unhash(dentry);
		dentry_put(dentry);
	}
	rwsem_write_unlock(&parent->lock);
	path_put(&dir);
	return rc;
}
