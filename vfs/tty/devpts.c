/*
 * devpts: the file system at /dev/pts, where each pseudo-terminal's slave has its number as a name, and ptmx.
 *
 * The container has one instance, shown by every mount of it. An entry's inode lives as long as the pty's number
 * is taken, so what chown and chmod did to it stays. Names come and go without a call on the directory: revalidate()
 * compares a cached dentry with the table.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/magic.h>

#include "kernel/cred.h"
#include "kernel/task.h"
#include "ring0/lib.h"
#include "vfs/dev/dev.h"
#include "vfs/fs_init.h"
#include "vfs/tty/console.h"
#include "vfs/tty/tty.h"

#define INO_ROOT 1
#define INO_PTMX 2
#define INO_FIRST 3
#define COOKIE_PTMX 3
#define COOKIE_FIRST 4
#define TTY_NODE_MAJOR 5 /* tty, console, ptmx */
#define NO_GID UINT32_MAX

static struct {
	struct tty *tty;
	struct inode *inode;
} lines[DEVPTS_MAX];

static struct superblock *devpts;
static struct inode *ptmx;
static uint32_t slave_mode = 0600, slave_gid = NO_GID;

static const struct inode_ops devpts_dir_ops, devpts_node_ops;
static const struct file_ops devpts_dir_file_ops;

static struct inode *node_create(uint64_t ino, uint32_t mode, uint64_t rdev)
{
	struct inode *inode = kzalloc(sizeof(*inode));

	if (!inode)
		return NULL;
	inode_init(inode, devpts, mode);
	inode->ops = S_ISDIR(mode) ? &devpts_dir_ops : &devpts_node_ops;
	inode->file_ops = S_ISDIR(mode) ? &devpts_dir_file_ops : NULL;
	inode->ino = ino;
	inode->rdev = rdev;
	inode->nlink = S_ISDIR(mode) ? 2 : 1;
	inode->blksize = 1024;
	inode->atime = inode->mtime = inode->ctime = inode->btime = vfs_now();
	return inode;
}

int devpts_add(struct tty *tty)
{
	unsigned number = 0;
	struct inode *inode;

	while (number < DEVPTS_MAX && lines[number].tty)
		number++;
	if (number == DEVPTS_MAX)
		return -ENOSPC;
	tty->rdev = DEV_MAKE(DEVPTS_MAJOR, number);
	inode = node_create(INO_FIRST + number, S_IFCHR | slave_mode, tty->rdev);
	if (!inode)
		return -ENOMEM;
	inode->file_ops = &tty_file_ops;
	inode->uid = current->cred->fsuid;
	inode->gid = slave_gid == NO_GID ? current->cred->fsgid : slave_gid;
	lines[number].tty = tty;
	lines[number].inode = inode;
	return (int)number;
}

void devpts_remove(unsigned number)
{
	struct inode *inode = lines[number].inode;

	lines[number].tty = NULL;
	lines[number].inode = NULL;
	inode_put(inode);
}

struct tty *devpts_find(unsigned number)
{
	return number < DEVPTS_MAX ? lines[number].tty : NULL;
}

int devpts_path(unsigned number, struct path *path)
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

static struct inode *entry_inode(const char *name, unsigned len)
{
	unsigned number = 0;

	if (len == 4 && !memcmp(name, "ptmx", 4))
		return ptmx;
	if (len == 0 || len > 4 || (len > 1 && name[0] == '0'))
		return NULL;
	for (unsigned i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return NULL;
		number = number * 10 + (unsigned)(name[i] - '0');
	}
	return number < DEVPTS_MAX ? lines[number].inode : NULL;
}

static int devpts_lookup(struct inode *dir, struct dentry *dentry, struct inode **inode)
{
	*inode = entry_inode(dentry->name, dentry->name_len);
	if (!*inode)
		return -ENOENT;
	inode_get(*inode);
	return 0;
}

static int devpts_revalidate(struct dentry *dentry)
{
	if (dentry->parent == dentry)
		return 1;
	return dentry->inode == entry_inode(dentry->name, dentry->name_len);
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

		if (!lines[i].tty)
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

static uint32_t parse_number(const char *at, unsigned base)
{
	uint32_t value = 0;

	while (*at >= '0' && (unsigned)(*at - '0') < base)
		value = value * base + (uint32_t)(*at++ - '0');
	return value;
}

static void parse_options(const char *data)
{
	while (*data) {
		if (!strncmp(data, "gid=", 4))
			slave_gid = parse_number(data + 4, 10);
		else if (!strncmp(data, "mode=", 5))
			slave_mode = parse_number(data + 5, 8) & 0777;
		else if (!strncmp(data, "ptmxmode=", 9))
			ptmx->mode = S_IFCHR | (parse_number(data + 9, 8) & 0777);
		data = strchr(data, ',');
		if (!data)
			return;
		data++;
	}
}

static void devpts_show_options(struct superblock *sb, char *buf, size_t size)
{
	if (slave_gid == NO_GID)
		snprintf(buf, size, ",mode=%03o,ptmxmode=%03o", slave_mode, ptmx->mode & 0777);
	else
		snprintf(buf, size, ",gid=%u,mode=%03o,ptmxmode=%03o", slave_gid, slave_mode, ptmx->mode & 0777);
}

static const struct superblock_ops devpts_super_ops = {
	.show_options = devpts_show_options,
};

static struct fs_type devpts_type;

static int devpts_mount(const struct fs_type *type, const struct mount_args *args, struct superblock **sb)
{
	if (!devpts)
		return -ENOMEM;
	parse_options(args->data);
	for (unsigned i = 0; i < DEVPTS_MAX; i++) { /* the console came before its options */
		if (lines[i].inode && slave_gid != NO_GID) {
			lines[i].inode->gid = slave_gid;
			lines[i].inode->mode = S_IFCHR | slave_mode;
		}
	}
	devpts->refs++;
	*sb = devpts;
	return 0;
}

static struct fs_type devpts_type = {.name = "devpts", .nodev = true, .mount = devpts_mount};

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
	struct inode *root;

	devpts = superblock_create(&devpts_type, &devpts_super_ops, DEVPTS_SUPER_MAGIC);
	if (devpts) {
		root = node_create(INO_ROOT, S_IFDIR | 0755, 0);
		ptmx = node_create(INO_PTMX, S_IFCHR, DEV_MAKE(TTY_NODE_MAJOR, 2));
		if (root && ptmx)
			devpts->root = dentry_make_root(devpts, root);
	}
	fs_register(&devpts_type);
}

void tty_devices_init(void)
{
	(void)dev_register(DEV_MAKE(TTY_NODE_MAJOR, 0), &tty_file_ops, open_current_tty);
	(void)dev_register(DEV_MAKE(TTY_NODE_MAJOR, 1), &tty_file_ops, console_open_device);
	(void)dev_register(DEV_MAKE(TTY_NODE_MAJOR, 2), &tty_file_ops, pty_open_master);
}
