/*
 * devpts: the file system at /dev/pts, where each pseudo-terminal's slave has its number as a name, and ptmx.
 *
 * Containers share one instance, which their configurations mount; a program that mounts one gets its own. A pair made by
 * opening a ptmx belongs to the instance that it is in or lies beside (devpts(5)), and holds it. An entry's inode lives
 * as long as the pty's number is taken, so what chown and chmod did to it stays. Names come and go without a call on the
 * directory: revalidate() compares a cached dentry with the table.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/magic.h>

#include "kernel/cred.h"
#include "kernel/task.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"
#include "vfs/dev/dev.h"
#include "vfs/fs_init.h"
#include "vfs/mount_options.h"
#include "vfs/tty/console.h"
#include "vfs/tty/tty.h"

#define INO_ROOT 1
#define INO_PTMX 2
#define INO_FIRST 3
#define COOKIE_PTMX 3
#define COOKIE_FIRST 4
#define TTY_NODE_MAJOR 5 /* tty, console, ptmx */
#define MAX_MOST (1u << 20) /* of the option max, as on Linux */

struct line {
	struct tty *tty;
	struct inode *inode;
};

struct devpts_options {
	uint32_t mode, ptmx_mode, max;
	uint32_t uid, gid; /* ID_NONE: of whoever opens the pair */
};

struct instance { /* a superblock's private data */
	struct inode *ptmx;
	struct devpts_options options;
	unsigned count;
	struct line lines[DEVPTS_MAX];
};

static struct superblock *first;

static struct fs_type devpts_type;
static const struct inode_ops devpts_dir_ops, devpts_node_ops;
static const struct file_ops devpts_dir_file_ops;

static struct instance *instance_of(const struct superblock *sb)
{
	return sb->private;
}

static uint32_t slave_mode(const struct instance *own)
{
	return S_IFCHR | (own->options.mode & 07777);
}

static struct inode *node_create(struct superblock *sb, uint64_t ino, uint32_t mode, uint64_t rdev)
{
	struct inode *inode = kzalloc(sizeof(*inode));

	if (!inode)
		return NULL;
	inode_init(inode, sb, mode);
	inode->ops = S_ISDIR(mode) ? &devpts_dir_ops : &devpts_node_ops;
	inode->file_ops = S_ISDIR(mode) ? &devpts_dir_file_ops : NULL;
	inode->ino = ino;
	inode->rdev = rdev;
	inode->nlink = S_ISDIR(mode) ? 2 : 1;
	inode->blksize = 1024;
	inode->atime = inode->mtime = inode->ctime = inode->btime = vfs_now();
	return inode;
}

int devpts_add(struct superblock *devpts, struct tty *tty)
{
	struct instance *own = instance_of(devpts);
	unsigned number = 0;
	struct inode *inode;

	while (number < DEVPTS_MAX && own->lines[number].tty)
		number++;
	if (number == DEVPTS_MAX || own->count >= own->options.max)
		return -ENOSPC;
	tty->rdev = DEV_MAKE(DEVPTS_MAJOR, number);
	inode = node_create(devpts, INO_FIRST + number, slave_mode(own), tty->rdev);
	if (!inode)
		return -ENOMEM;
	inode->file_ops = &tty_file_ops;
	inode->uid = own->options.uid == ID_NONE ? current->cred->fsuid : own->options.uid;
	inode->gid = own->options.gid == ID_NONE ? current->cred->fsgid : own->options.gid;
	own->lines[number] = (struct line){tty, inode};
	own->count++;
	devpts->refs++;
	return (int)number;
}

void devpts_remove(struct superblock *devpts, unsigned number)
{
	struct instance *own = instance_of(devpts);
	struct line *line = &own->lines[number];
	struct inode *inode = line->inode;

	*line = (struct line){NULL, NULL};
	own->count--;
	inode_put(inode);
	superblock_put(devpts);
}

struct tty *devpts_find(const struct inode *inode)
{
	return inode->sb->type == &devpts_type ? instance_of(inode->sb)->lines[DEV_MINOR(inode->rdev)].tty : NULL;
}

struct superblock *devpts_first(void)
{
	return first;
}

/* What is mounted at "pts" beside a ptmx that lies in an ordinary directory. */
static struct superblock *beside(const struct path *node)
{
	struct superblock *found = NULL;
	struct path pts = {node->mount, NULL};

	if (node->dentry->parent == node->dentry || dentry_lookup(node->dentry->parent, "pts", 3, &pts.dentry))
		return NULL;
	mount_get(pts.mount);
	path_follow_mounts(&pts);
	if (pts.mount->sb->type == &devpts_type)
		found = pts.mount->sb; /* the mount stays while the kernel lock is held */
	path_put(&pts);
	return found;
}

struct superblock *devpts_for(const struct file *file)
{
	struct superblock *sb = NULL;

	if (file->inode && file->inode->sb->type == &devpts_type)
		sb = file->inode->sb;
	else if (file->path.dentry)
		sb = beside(&file->path);
	return sb ? sb : first;
}

int devpts_path(const struct superblock *devpts, unsigned number, struct path *path)
{
	struct mount *mount;
	char name[12];
	int rc, len = snprintf(name, sizeof(name), "%u", number);

	TAILQ_FOREACH(mount, &all_mounts, link)
		if (mount->sb == devpts)
			break;
	if (!mount)
		return -EIO;
	mount_get(mount);
	path->mount = mount;
	rc = dentry_lookup(mount->root, name, (unsigned)len, &path->dentry);
	if (!rc && !path->dentry->inode) {
		dentry_put(path->dentry);
		rc = -EIO;
	}
	if (rc)
		mount_put(mount);
	return rc;
}

/* ---- the directory ---- */

static struct inode *entry_inode(const struct instance *own, const char *name, unsigned len)
{
	unsigned number = 0;

	if (len == 4 && !memcmp(name, "ptmx", 4))
		return own->ptmx;
	if (len == 0 || len > 4 || (len > 1 && name[0] == '0'))
		return NULL;
	for (unsigned i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return NULL;
		number = number * 10 + (unsigned)(name[i] - '0');
	}
	return number < DEVPTS_MAX ? own->lines[number].inode : NULL;
}

static int devpts_lookup(struct inode *dir, struct dentry *dentry, struct inode **inode)
{
	*inode = entry_inode(instance_of(dir->sb), dentry->name, dentry->name_len);
	if (!*inode)
		return -ENOENT;
	inode_get(*inode);
	return 0;
}

static int devpts_revalidate(struct dentry *dentry)
{
	if (dentry->parent == dentry)
		return 1;
	return dentry->inode == entry_inode(instance_of(dentry->inode->sb), dentry->name, dentry->name_len);
}

static int devpts_setattr(struct inode *inode, const struct attr_change *change)
{
	if (change->valid & ATTR_SIZE)
		return 0; /* O_TRUNC on a device means nothing */
	inode_take_attributes(inode, change);
	return 0;
}

static int devpts_open(struct inode *inode, struct file *file)
{
	return DEV_MAJOR(inode->rdev) == DEVPTS_MAJOR ? pty_open_slave(inode, file) : 0;
}

static int devpts_readdir(struct file *file, struct dir_emitter *emitter)
{
	const struct instance *own = instance_of(file->inode->sb);
	char name[12];

	if (!dir_emit_dots(file, emitter))
		return 0;
	if (file->pos < COOKIE_PTMX) {
		if (!emitter->emit(emitter, "ptmx", 4, INO_PTMX, S_IFCHR >> 12, COOKIE_PTMX))
			return 0;
		file->pos = COOKIE_PTMX;
	}
	for (uint64_t i = file->pos - COOKIE_PTMX; i < DEVPTS_MAX; i++) {
		int len;

		if (!own->lines[i].tty)
			continue;
		len = snprintf(name, sizeof(name), "%u", (unsigned)i);
		if (!emitter->emit(emitter, name, (unsigned)len, INO_FIRST + i, S_IFCHR >> 12, COOKIE_FIRST + i))
			return 0;
		file->pos = COOKIE_FIRST + i;
	}
	return 0;
}

static const struct inode_ops devpts_dir_ops = {
	.lookup = devpts_lookup,
	.revalidate = devpts_revalidate,
	.setattr = devpts_setattr,
};

static const struct inode_ops devpts_node_ops = {
	.open = devpts_open,
	.revalidate = devpts_revalidate,
	.setattr = devpts_setattr,
};

static const struct file_ops devpts_dir_file_ops = {
	.readdir = devpts_readdir,
};

/* ---- mounting ---- */

static int parse_option(struct devpts_options *o, const struct mount_option *option)
{
	uint32_t number;

	if (mount_option_is_word(option, "newinstance"))
		return 0; /* every mount of a program's is one */
	if (mount_option_is(option, "mode"))
		return mount_option_number(option, 8, UINT32_MAX, &o->mode) ? 0 : -EINVAL;
	if (mount_option_is(option, "ptmxmode"))
		return mount_option_number(option, 8, UINT32_MAX, &o->ptmx_mode) ? 0 : -EINVAL;
	if (!mount_option_number(option, 10, INT32_MAX, &number))
		return -EINVAL;
	if (mount_option_is(option, "uid"))
		return (o->uid = uid_from_user(number)) == ID_NONE ? -EINVAL : 0;
	if (mount_option_is(option, "gid"))
		return (o->gid = gid_from_user(number)) == ID_NONE ? -EINVAL : 0;
	o->max = number;
	return mount_option_is(option, "max") && number <= MAX_MOST ? 0 : -EINVAL;
}

/* devpts' own options; the rest of a superblock's stays as it is on an error. */
static int take_options(struct superblock *sb, const char *data)
{
	struct instance *own = instance_of(sb);
	struct devpts_options changed = own->options;
	struct mount_option option;
	int rc = 0;

	while (!rc && mount_option_next(&data, &option))
		rc = parse_option(&changed, &option);
	if (rc)
		return rc;
	own->options = changed;
	own->ptmx->mode = S_IFCHR | (changed.ptmx_mode & 07777);
	return 0;
}

static int devpts_check_option(const char *key, const char *value)
{
	static const char *const known[] = {"newinstance", "mode", "ptmxmode", "uid", "gid", "max"};
	const struct mount_option option = mount_option_of(key, value);
	struct devpts_options scratch;

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(key, known[i]))
			return parse_option(&scratch, &option);
	return -ENOENT;
}

static void devpts_show_options(struct superblock *sb, char *buf, size_t size)
{
	const struct devpts_options *o = &instance_of(sb)->options;
	size_t used = 0;

	if (o->uid != ID_NONE)
		used += (size_t)snprintf(buf, size, ",uid=%u", uid_to_user(o->uid));
	if (o->gid != ID_NONE)
		used += (size_t)snprintf(buf + used, size - used, ",gid=%u", gid_to_user(o->gid));
	used += (size_t)snprintf(buf + used, size - used, ",mode=%03o,ptmxmode=%03o", o->mode, o->ptmx_mode);
	if (o->max < MAX_MOST)
		snprintf(buf + used, size - used, ",max=%u", o->max);
}

static void devpts_destroy(struct superblock *sb)
{
	struct instance *own = instance_of(sb);

	if (own->ptmx)
		inode_put(own->ptmx);
	kfree(own);
}

static const struct superblock_ops devpts_super_ops = {
	.show_options = devpts_show_options,
	.reconfigure = take_options,
	.destroy = devpts_destroy,
};

static struct superblock *create(void);

static int devpts_mount(const struct fs_type *type, const struct mount_args *args, struct superblock **sb)
{
	bool configured = current->launch;
	struct instance *own;
	int rc;

	*sb = configured ? first : create();
	if (!*sb)
		return -ENOMEM;
	if (configured)
		first->refs++;
	rc = take_options(*sb, args->data);
	if (rc) {
		superblock_put(*sb);
		return rc;
	}
	own = instance_of(*sb);
	for (unsigned i = 0; i < DEVPTS_MAX; i++) { /* the console came before its options */
		if (own->lines[i].inode && own->options.gid != ID_NONE) {
			own->lines[i].inode->gid = own->options.gid;
			own->lines[i].inode->mode = slave_mode(own);
		}
	}
	return 0;
}

static struct fs_type devpts_type = {.name = "devpts", .nodev = true, .in_user_ns = true, .own_devices = true,
	.check_option = devpts_check_option, .mount = devpts_mount};

static struct superblock *create(void)
{
	struct superblock *sb = superblock_create(&devpts_type, &devpts_super_ops, DEVPTS_SUPER_MAGIC);
	struct instance *own = kzalloc(sizeof(*own));
	struct inode *root = NULL;

	if (sb && own) {
		sb->private = own;
		own->options = (struct devpts_options){.mode = 0600, .uid = ID_NONE, .gid = ID_NONE, .max = MAX_MOST};
		root = node_create(sb, INO_ROOT, S_IFDIR | 0755, 0);
		own->ptmx = node_create(sb, INO_PTMX, S_IFCHR, DEV_MAKE(TTY_NODE_MAJOR, 2));
		if (root && own->ptmx)
			sb->root = dentry_make_root(sb, root);
	}
	if (sb && sb->root)
		return sb;
	if (root)
		inode_put(root);
	if (sb && sb->private)
		superblock_put(sb); /* with what it has */
	else
		kfree(own);
	return NULL;
}

static int open_current_tty(struct inode *inode, struct file *file)
{
	struct session *session = current->process->session;

	file->private = NULL;
	if (!session || !session->tty)
		return -ENXIO;
	return tty_attach_file(session->tty, file);
}

void devpts_init(void)
{
	first = create();
	fs_register(&devpts_type);
}

void tty_devices_init(void)
{
	(void)dev_register(DEV_MAKE(TTY_NODE_MAJOR, 0), &tty_file_ops, open_current_tty);
	(void)dev_register(DEV_MAKE(TTY_NODE_MAJOR, 1), &tty_file_ops, console_open_device);
	(void)dev_register(DEV_MAKE(TTY_NODE_MAJOR, 2), &tty_file_ops, pty_open_master);
}
