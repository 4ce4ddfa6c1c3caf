/*
 * What is done to one file system object through its O_PATH descriptor: find a child,
 * open it, describe it.
 *
 * Called by the handlers. Children are found by openat2(2) of one component, beneath
 * the directory, never through a symbolic link. A node is opened by its own descriptor ("." of a directory, else through
 * /proc/self/fd), so no name is looked up twice; since the descriptor pins the inode, its type is the one
 * seen when the node was made. Only regular files and directories are ever opened.
 */
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "gofer/internal.h"

#define MAX_DEPTH 4096

struct fd_name gofer_fd_name(int fd)
{
	struct fd_name name;

	snprintf(name.text, sizeof(name.text), "%d", fd);
	return name;
}

void gofer_name_copy(struct name_buf *to, struct p9_str from)
{
	memcpy(to->text, from.data, from.len);
	to->text[from.len] = 0;
}

static bool is_root(const struct node *node)
{
	return node->ino == node->tree->root_ino && node->dev == node->tree->devices[0];
}

static int open_child(int dir, const char *name, uint64_t flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = flags | O_NOFOLLOW | O_CLOEXEC,
		.resolve = resolve | RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
	};
	long fd;

	do
		fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN);
	return fd < 0 ? -errno : (int)fd;
}

/* Whether the root is above (or is) `dir`, asked of the file system step by step. Takes nothing. */
static int check_beneath(struct tree *tree, int dir)
{
	int at = dir;
	int error = -EXDEV;

	for (int depth = 0; depth < MAX_DEPTH; depth++) {
		struct statx stx;
		int up;

		if (statx(at, "", AT_EMPTY_PATH, STATX_INO, &stx))
			break;
		if (stx.stx_ino == tree->root_ino &&
			((uint64_t)stx.stx_dev_major << 32 | stx.stx_dev_minor) == tree->devices[0]) {
			error = 0;
			break;
		}
		up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (at != dir)
			close(at);
		at = up;
		if (at < 0)
			return -errno;
	}
	if (at != dir)
		close(at);
	return error;
}

/* The parent: the root's is the root; and one that does not lie beneath the root (moved by others) is refused. */
static int find_parent(struct node *dir, struct node **found)
{
	int fd, error = 0;

	if (is_root(dir)) {
		*found = gofer_node_get(dir);
		return 0;
	}
	fd = openat(dir->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = check_beneath(dir->tree, fd);
	if (error) {
		close(fd);
		return error;
	}
	*found = gofer_node_new(dir->tree, fd, &error);
	return error;
}

int gofer_node_lookup(struct node *dir, struct p9_str name, struct node **found)
{
	struct name_buf text;
	int fd, error = 0;

	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	if (p9_str_equal(name, ".."))
		return find_parent(dir, found);
	if (dir->sealed)
		return -EACCES;
	if (!p9_name_ok(name))
		return name.len > P9_MAX_NAME ? -ENAMETOOLONG : -EINVAL;
	gofer_name_copy(&text, name);
	fd = open_child(dir->fd, text.text, O_PATH, 0);
	if (fd < 0)
		return fd;
	*found = gofer_node_new(dir->tree, fd, &error);
	return error;
}

int gofer_node_lookup_dir(struct node *dir, struct p9_str name, struct node **found)
{
	struct name_buf text;
	struct statx stx;
	int fd, error = 0;

	if (dir->sealed)
		return -EACCES;
	if (!p9_name_ok(name))
		return -EINVAL;
	gofer_name_copy(&text, name);
	if (statx(dir->fd, text.text, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &stx))
		return -errno;
	if (!S_ISDIR(stx.stx_mode))
		return -ENOTDIR;
	if (stx.stx_attributes & STATX_ATTR_AUTOMOUNT || ((uint64_t)stx.stx_dev_major << 32 | stx.stx_dev_minor) != dir->dev)
		return -EXDEV;
	fd = open_child(dir->fd, text.text, O_RDONLY | O_DIRECTORY, RESOLVE_NO_XDEV);
	if (fd < 0)
		return fd;
	*found = gofer_node_new(dir->tree, fd, &error);
	return error;
}

int gofer_node_open(struct gofer *g, const struct node *node, int flags)
{
	int fd;

	if (!S_ISREG(node->mode) && !S_ISDIR(node->mode))
		return S_ISLNK(node->mode) ? -ELOOP : -ENXIO;
	if (node->sealed)
		return -EACCES;
	if (node->tree->readonly && ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC)))
		return -EROFS;
	flags &= O_ACCMODE | O_TRUNC | O_APPEND | O_SYNC | O_DSYNC | O_DIRECTORY | O_NOATIME;
	flags |= O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	/* A directory has a name for itself, which costs less than the link, but wants the right to search it. */
	fd = S_ISDIR(node->mode) ? openat(node->fd, ".", flags) : -1;
	if (fd < 0)
		fd = openat(g->proc_fd, gofer_fd_name(node->fd).text, flags);
	return fd < 0 ? -errno : fd;
}

/* Where a device stands in the tree's table; GOFER_MAX_DEVICES: the table is full. */
static unsigned device_index(struct tree *tree, uint64_t dev)
{
	unsigned i;

	for (i = 0; i < tree->device_count; i++)
		if (tree->devices[i] == dev)
			return i;
	if (i < GOFER_MAX_DEVICES)
		tree->devices[tree->device_count++] = dev;
	return i;
}

/*
 * Interfaces to the host's kernel are no files of a container, even if they are mounted below its root (the whole
 * host's root is served by `ringfence do`): the mount point can be seen, so that the sandbox can mount its own there.
 */
static bool is_kernel_interface(const struct statfs *fs)
{
	switch ((unsigned long)fs->f_type) {
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case DEBUGFS_MAGIC:
	case TRACEFS_MAGIC:
	case SECURITYFS_MAGIC:
	case CGROUP_SUPER_MAGIC:
	case CGROUP2_SUPER_MAGIC:
	case BPF_FS_MAGIC:
	case EFIVARFS_MAGIC:
	case DEVPTS_SUPER_MAGIC:
	case BINFMTFS_MAGIC:
	case NSFS_MAGIC:
		return true;
	}
	return false;
}

/*
 * Which file systems keep P9_GEN_TELLS. Not overlayfs: it takes a name of a lower file away without a word to the
 * file. Not FAT: a rename leaves the ctime. Not NFS, FUSE and their like: others change files there.
 */
static bool is_telling(const struct statfs *fs)
{
	switch ((unsigned long)fs->f_type) {
	case EXT4_SUPER_MAGIC: /* ext2 and ext3 too */
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case TMPFS_MAGIC:
		return true;
	}
	return false;
}

_Static_assert(GOFER_MAX_DEVICES <= 64, "a bit each in plain_devices");

bool gofer_is_sealed(struct tree *tree, uint64_t dev, int fd)
{
	unsigned i = device_index(tree, dev);
	struct statfs fs;

	if (i < GOFER_MAX_DEVICES && tree->plain_devices >> i & 1)
		return false;
	if (fstatfs(fd, &fs) || is_kernel_interface(&fs))
		return true;
	if (i < GOFER_MAX_DEVICES) {
		tree->plain_devices |= 1ull << i;
		if (is_telling(&fs))
			tree->telling_devices |= 1ull << i;
	}
	return false;
}

uint64_t gofer_qid_path(struct tree *tree, uint64_t dev, uint64_t ino)
{
	unsigned i = device_index(tree, dev);

	/* Inode numbers use the low bits; the root's own device leaves them as they are. Past the table: a hash. */
	return i < GOFER_MAX_DEVICES ? ino ^ (uint64_t)i << 56 : ino ^ dev * 0x9e3779b97f4a7c15ull;
}

static bool tells(struct tree *tree, const struct statx *stx)
{
	unsigned i = device_index(tree, (uint64_t)stx->stx_dev_major << 32 | stx->stx_dev_minor);

	return i < GOFER_MAX_DEVICES && tree->telling_devices >> i & 1 && S_ISREG(stx->stx_mode);
}

static struct p9_qid qid_from_statx(struct tree *tree, const struct statx *stx)
{
	uint64_t dev = (uint64_t)stx->stx_dev_major << 32 | stx->stx_dev_minor;
	struct p9_qid qid = {.path = gofer_qid_path(tree, dev, stx->stx_ino)};

	if (S_ISDIR(stx->stx_mode))
		qid.type = P9_QID_DIR;
	else if (S_ISLNK(stx->stx_mode))
		qid.type = P9_QID_SYMLINK;
	qid.version = (uint32_t)stx->stx_mtime.tv_sec ^ stx->stx_mtime.tv_nsec << 2 ^ (uint32_t)stx->stx_size;
	return qid;
}

void gofer_attr_from_statx(struct tree *tree, const struct statx *stx, struct p9_attr *attr)
{
	*attr = (struct p9_attr){
		.qid = qid_from_statx(tree, stx),
		.mode = stx->stx_mode,
		.uid = gofer_id_inside(tree->uids, stx->stx_uid),
		.gid = gofer_id_inside(tree->gids, stx->stx_gid),
		.nlink = stx->stx_nlink,
		.rdev = makedev(stx->stx_rdev_major, stx->stx_rdev_minor),
		.size = stx->stx_size,
		.blksize = stx->stx_blksize,
		.blocks = stx->stx_blocks,
		.atime_sec = (uint64_t)stx->stx_atime.tv_sec,
		.atime_nsec = stx->stx_atime.tv_nsec,
		.mtime_sec = (uint64_t)stx->stx_mtime.tv_sec,
		.mtime_nsec = stx->stx_mtime.tv_nsec,
		.ctime_sec = (uint64_t)stx->stx_ctime.tv_sec,
		.ctime_nsec = stx->stx_ctime.tv_nsec,
		.btime_sec = (uint64_t)stx->stx_btime.tv_sec,
		.btime_nsec = stx->stx_btime.tv_nsec,
		.gen = tells(tree, stx) ? P9_GEN_TELLS : 0,
	};
}

int gofer_node_attr(const struct node *node, struct p9_attr *attr)
{
	struct statx stx;

	if (statx(node->fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME, &stx))
		return -errno;
	gofer_attr_from_statx(node->tree, &stx, attr);
	return 0;
}

int gofer_node_qid(const struct node *node, struct p9_qid *qid)
{
	struct p9_attr attr;
	int error = gofer_node_attr(node, &attr);

	if (!error)
		*qid = attr.qid;
	return error;
}
