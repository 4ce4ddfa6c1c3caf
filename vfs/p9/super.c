/*
 * Mounting a tree of the gofer: attach, the root inode, file system figures, the end.
 *
 * mount_args.gofer is the attach number. 0, the container's root, is exclusive: only this
 * sandbox changes it, so nothing is ever asked twice. Bind mounts are shared.
 */
#include <linux/mount.h>

#include "kernel/container.h"
#include "kernel/files.h"
#include "vfs/p9/internal.h"

#define P9_SUPER_MAGIC 0x01021997ull

static LIST_HEAD(, p9fs_super) supers = LIST_HEAD_INITIALIZER(supers);

bool p9fs_has_device(uint64_t dev)
{
	const struct p9fs_super *super;

	LIST_FOREACH(super, &supers, link) {
		if (super->sb->dev == dev)
			return true;
	}
	return false;
}

void files_cgroup_gone(uint64_t number, uint64_t parent)
{
	const struct p9fs_super *super;
	struct p9fs_inode *pi;

	LIST_FOREACH(super, &supers, link) {
		TAILQ_FOREACH(pi, &super->writers, writer_link) {
			if (pi->writer == number)
				pi->writer = parent;
		}
	}
}

static int p9fs_statfs(struct superblock *sb, struct statfs64_data *out)
{
	struct p9_rstatfs r;
	struct p9fs_call *call;
	uint32_t fid;
	int rc = p9fs_inode_fid(sb->root->inode, &fid);

	if (!rc)
		rc = P9FS_CALL(&call, tstatfs, fid);
	if (rc)
		return rc;
	if (p9_get_rstatfs(&call->in, &r))
		*out = (struct statfs64_data){
			.type = sb->magic,
			.bsize = r.bsize,
			.blocks = r.blocks,
			.bfree = r.bfree,
			.bavail = r.bavail,
			.files = r.files,
			.ffree = r.ffree,
			.namelen = r.namelen,
			.frsize = r.bsize,
		};
	else
		rc = -EIO;
	p9fs_call_end(call);
	return rc;
}

static int p9fs_sync(struct superblock *sb)
{
	return p9fs_flush_all(sb->private);
}

static void p9fs_super_destroy(struct superblock *sb)
{
	struct p9fs_super *super = sb->private;

	LIST_REMOVE(super, link);
	kfree(super->hash);
	super->hash = NULL;
	p9fs_flush_end(super);
}

/* A name is forgotten: an inode without a fid must not look for itself there any more. */
static void p9fs_dentry_release(struct dentry *dentry)
{
	struct p9fs_inode *pi = dentry->inode ? p9fs_i(dentry->inode) : NULL;

	if (pi && pi->alias == dentry)
		pi->alias = NULL;
	if (pi && pi->settled_name == dentry)
		pi->settled_name = NULL;
}

static const struct superblock_ops p9fs_super_ops = {
	.statfs = p9fs_statfs,
	.sync = p9fs_sync,
	.destroy = p9fs_super_destroy,
	.dentry_release = p9fs_dentry_release,
};

static int super_create(const struct fs_type *type, uint32_t channel, uint32_t gofer, struct superblock **result)
{
	struct p9fs_super *super = kzalloc(sizeof(*super));
	struct superblock *sb;

	if (!super)
		return -ENOMEM;
	sb = p9fs_hash_init(super) == 0 ? superblock_create(type, &p9fs_super_ops, P9_SUPER_MAGIC) : NULL;
	if (!sb) {
		kfree(super->hash);
		kfree(super);
		return -ENOMEM;
	}
	p9fs_flush_init(super);
	super->sb = sb;
	LIST_INSERT_HEAD(&supers, super, link);
	super->channel = channel;
	sb->private = super;
	sb->cache_exclusive = gofer == 0;
	sb->create_finds = !sb->cache_exclusive;
	*result = sb;
	return 0;
}

/* Another server than the gofer names its trees by path: the mount's source. */
static int attach(struct superblock *sb, uint32_t gofer, const char *source)
{
	struct p9fs_super *super = sb->private;
	struct p9_rattachattr r;
	struct p9fs_inode *pi;
	struct p9fs_call *call;
	char name[12];
	uint32_t fid;
	int rc = p9fs_fid_alloc(super->channel, &fid);

	if (rc)
		return rc;
	snprintf(name, sizeof(name), "%u", gofer);
	rc = P9FS_CALL(&call, tattachattr, fid, p9_str_from(p9fs_is_plain(super->channel) ? source : name));
	if (rc) {
		p9fs_fid_free(fid);
		return rc;
	}
	rc = p9_get_rattachattr(&call->in, &r) && p9fs_attr_ok(&r.attr) ? 0 : -EIO;
	p9fs_call_end(call);
	if (rc) {
		p9fs_fid_clunk(fid);
		return rc;
	}
	super->readonly = r.readonly;
	if (r.readonly)
		sb->flags |= MS_RDONLY;
	pi = p9fs_inode_get(sb, &r.attr, fid, 0);
	if (!pi)
		return -ENOMEM;
	sb->root = dentry_make_root(sb, &pi->base);
	if (!sb->root) {
		inode_put(&pi->base);
		return -ENOMEM;
	}
	return 0;
}

static int p9fs_mount(const struct fs_type *type, const struct mount_args *args, struct superblock **result)
{
	struct superblock *sb;
	uint32_t channel = current->process ? current->process->container->gofer : 0;
	int rc = p9fs_connect(channel);

	if (!rc)
		rc = super_create(type, channel, args->gofer, &sb);
	if (rc)
		return rc;
	rc = attach(sb, args->gofer, args->source);
	if (rc) {
		superblock_put(sb);
		return rc;
	}
	*result = sb;
	return 0;
}

static struct fs_type p9fs_type = {.name = "9p", .nodev = true, .internal = true, .mount = p9fs_mount};

void p9fs_init(void)
{
	if (!fs_find(p9fs_type.name))
		fs_register(&p9fs_type);
}
