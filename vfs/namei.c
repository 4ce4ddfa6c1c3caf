/*
 * From a path string to a dentry: path_resolution(7), symlink(7), openat2(2).
 *
 * A walk holds references to where it is and to its root. walk_parent() stops before the
 * last component (for calls that create or remove it), walk_all() goes to the end. A
 * symbolic link is put in front of the rest of the string and the walk goes on. A warm
 * walk allocates nothing and never sleeps.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>

#include "kernel/user_ns.h"
#include "ring0/usercopy.h"
#include "vfs/anon/anon.h"
#include "vfs/internal.h"

char *path_from_user(uaddr_t user, bool empty_ok, int *error)
{
	char *name = kmalloc(PATH_MAX_LEN);
	int64_t len;

	if (!name) {
		*error = -ENOMEM;
		return NULL;
	}
	len = strncpy_from_user(name, user, PATH_MAX_LEN);
	if (len == 0 && !empty_ok)
		len = -ENOENT;
	if (len < 0) {
		kfree(name);
		*error = (int)len;
		return NULL;
	}
	*error = 0;
	return name;
}

static void walk_set(struct walk *walk, const struct path *to)
{
	struct path old = walk->cur;

	walk->cur = *to;
	path_get(&walk->cur);
	path_put(&old);
}

static int walk_start_at(struct walk *walk, int dirfd, bool named)
{
	struct file *file;

	if (dirfd == AT_FDCWD) {
		walk->cur = current->fs->cwd;
		path_get(&walk->cur);
		return 0;
	}
	file = fd_file_any(dirfd);
	if (!file)
		return -EBADF;
	if (!file->path.dentry || (named && !S_ISDIR(file->inode->mode))) {
		file_put(file);
		return -ENOTDIR;
	}
	walk->cur = file->path;
	path_get(&walk->cur);
	file_put(file);
	return 0;
}

int walk_start(struct walk *walk, int dirfd, const char *name, unsigned flags)
{
	int rc = 0;

	walk->flags = flags;
	walk->links = 0;
	walk->ahead = 0;
	walk->buffer = NULL;
	walk->at = name;
	walk->has_last = false;
	walk->cur = (struct path){NULL, NULL};
	walk->root = (struct path){NULL, NULL};
	if (!*name && !(flags & LOOKUP_EMPTY))
		return -ENOENT;
	if (*name == '/' && flags & LOOKUP_BENEATH)
		return -EXDEV;
	if (*name == '/' && !(flags & LOOKUP_IN_ROOT)) {
		walk->cur = current->fs->root;
		path_get(&walk->cur);
	} else {
		rc = walk_start_at(walk, dirfd, *name != 0);
		if (rc)
			return rc;
	}
	walk->root = flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT) ? walk->cur : current->fs->root;
	path_get(&walk->root);
	return 0;
}

void walk_end(struct walk *walk)
{
	path_put(&walk->cur);
	path_put(&walk->root);
	kfree(walk->buffer);
	walk->buffer = NULL;
}

/* One step to "..": stays at the root, leaves mounts upwards. */
static int walk_up(struct walk *walk)
{
	struct path to = walk->cur;

	for (;;) {
		if (to.dentry == walk->root.dentry && to.mount == walk->root.mount)
			return walk->flags & LOOKUP_BENEATH ? -EXDEV : 0;
		if (to.dentry != to.mount->root)
			break;
		if (!to.mount->parent || to.mount->cut_off)
			return 0;
		if (walk->flags & LOOKUP_NO_XDEV)
			return -EXDEV;
		to.dentry = to.mount->mountpoint;
		to.mount = to.mount->parent;
	}
	to.dentry = to.dentry->parent;
	walk_set(walk, &to);
	path_follow_mounts(&walk->cur);
	return 0;
}

/* Puts the link's text in front of what is left to walk. */
static int walk_push(struct walk *walk, struct inode *link)
{
	size_t rest = strlen(walk->at);
	char *buffer = kmalloc(PATH_MAX_LEN + rest + 1);
	int64_t len;

	if (!buffer)
		return -ENOMEM;
	len = link->ops->readlink ? link->ops->readlink(link, buffer, PATH_MAX_LEN - 1) : -EINVAL;
	if (len <= 0) {
		kfree(buffer);
		return len ? (int)len : -ENOENT;
	}
	memcpy(buffer + len, walk->at, rest + 1);
	kfree(walk->buffer);
	walk->buffer = buffer;
	walk->at = buffer;
	if (*buffer != '/')
		return 0;
	if (walk->flags & LOOKUP_BENEATH)
		return -EXDEV;
	if (walk->flags & LOOKUP_NO_XDEV && walk->cur.mount != walk->root.mount)
		return -EXDEV;
	walk_set(walk, &walk->root);
	return 0;
}

static int walk_magic(struct walk *walk, struct inode *link)
{
	struct path to = {NULL, NULL};
	int rc;

	if (walk->flags & LOOKUP_NO_MAGICLINKS)
		return -ELOOP;
	if (walk->flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT))
		return -EXDEV;
	rc = link->ops->getlink(link, &to.mount, &to.dentry);
	if (rc)
		return rc;
	if (walk->flags & LOOKUP_NO_XDEV && to.mount != walk->cur.mount) {
		path_put(&to);
		return -EXDEV;
	}
	path_put(&walk->cur);
	walk->cur = to;
	return 0;
}

int walk_follow_link(struct walk *walk, struct mount *mount, struct dentry *link)
{
	struct inode *inode = link->inode;
	int rc;

	walk->ahead = 0;
	if (++walk->links > MAX_LINKS || walk->flags & LOOKUP_NO_SYMLINKS || mount->flags & MS_NOSYMFOLLOW)
		return -ELOOP;
	inode_get(inode);
	rc = inode->ops->getlink ? walk_magic(walk, inode) : walk_push(walk, inode);
	inode_put(inode);
	return rc;
}

static int check_search(const struct path *dir)
{
	struct inode *inode = dir->dentry->inode;

	if (!S_ISDIR(inode->mode))
		return -ENOTDIR;
	if ((inode->mode & 0111) == 0111 && !inode->ops->permission)
		return 0;
	return inode_permission(inode, MAY_EXEC);
}

/* Looks up a name in the current directory; mounts on it are followed. References in *to. */
static int walk_child(struct walk *walk, const char *name, unsigned len, struct path *to)
{
	struct dentry *child;
	int rc = dentry_lookup_path(walk->cur.dentry, name, len, walk->at, &walk->ahead, &child);

	if (rc)
		return rc;
	to->mount = walk->cur.mount;
	to->dentry = child;
	mount_get(to->mount);
	if (child->mounted) {
		path_follow_mounts(to);
		if (walk->flags & LOOKUP_NO_XDEV && to->mount != walk->cur.mount) {
			path_put(to);
			return -EXDEV;
		}
	}
	return 0;
}

/* One ordinary component. */
static int walk_step(struct walk *walk, const char *name, unsigned len, bool follow)
{
	struct path to;
	int rc = walk_child(walk, name, len, &to);

	if (rc)
		return rc;
	if (!to.dentry->inode) {
		path_put(&to);
		return -ENOENT;
	}
	if (S_ISLNK(to.dentry->inode->mode) && follow) {
		rc = walk_follow_link(walk, to.mount, to.dentry);
		path_put(&to);
		return rc;
	}
	path_put(&walk->cur);
	walk->cur = to;
	return 0;
}

static uint8_t name_kind(const char *name, unsigned len)
{
	if (name[0] != '.' || len > 2)
		return LAST_NORMAL;
	if (len == 1)
		return LAST_DOT;
	return name[1] == '.' ? LAST_DOTDOT : LAST_NORMAL;
}

/*
 * Walks while components are left. stop_before_last: the last one goes to walk->last,
 * unless there is none ("/").
 */
static int walk_run(struct walk *walk, bool stop_before_last)
{
	walk->has_last = false;
	walk->last = (struct last_name){.name = walk->at, .kind = LAST_ROOT};
	for (;;) {
		const char *name, *end, *next;
		unsigned len;
		uint8_t kind;
		int rc;

		while (*walk->at == '/')
			walk->at++;
		name = walk->at;
		if (!*name)
			return 0;
		rc = check_search(&walk->cur);
		if (rc)
			return rc;
		for (end = name; *end && *end != '/'; end++)
			;
		for (next = end; *next == '/'; next++)
			;
		len = (unsigned)(end - name);
		kind = name_kind(name, len);
		if (!*next)
			walk->last = (struct last_name){name, len, *end == '/', kind};
		if (!*next && stop_before_last) {
			walk->has_last = true;
			walk->at = next;
			return 0;
		}
		walk->at = end;
		if (kind == LAST_DOT)
			continue;
		if (kind == LAST_DOTDOT)
			rc = walk_up(walk);
		else
			rc = walk_step(walk, name, len, *end || walk->flags & LOOKUP_FOLLOW);
		if (rc)
			return rc;
	}
}

int walk_parent(struct walk *walk)
{
	return walk_run(walk, true);
}

int walk_all(struct walk *walk)
{
	int rc = walk_run(walk, false);

	if (rc)
		return rc;
	if ((walk->flags & LOOKUP_DIRECTORY || walk->last.trailing_slash) && !S_ISDIR(walk->cur.dentry->inode->mode))
		return -ENOTDIR;
	return 0;
}

int walk_last(struct walk *walk, struct path *path)
{
	return walk_child(walk, walk->last.name, walk->last.len, path);
}

int path_lookup(int dirfd, const char *name, unsigned flags, struct path *path)
{
	struct walk walk;
	int rc = walk_start(&walk, dirfd, name, flags);

	if (!rc)
		rc = walk_all(&walk);
	if (!rc) {
		*path = walk.cur;
		walk.cur = (struct path){NULL, NULL};
	}
	walk_end(&walk);
	return rc;
}

int path_lookup_parent(int dirfd, const char *name, unsigned flags, struct path *parent, struct last_name *last)
{
	struct walk walk;
	int rc = walk_start(&walk, dirfd, name, flags);

	if (!rc)
		rc = walk_parent(&walk);
	if (!rc) {
		/* The last component is the same at the end of the caller's string, whatever links came before. */
		*last = walk.last;
		last->name = name + strlen(name) - strlen(walk.last.name);
		*parent = walk.cur;
		walk.cur = (struct path){NULL, NULL};
	}
	walk_end(&walk);
	return rc;
}

static char *prepend(char *at, char *buf, const char *text, size_t len)
{
	if (!at || (size_t)(at - buf) < len)
		return NULL;
	memcpy(at - len, text, len);
	return at - len;
}

static const char deleted_suffix[] = " (deleted)";

char *path_print(const struct path *path, const struct path *root, char *buf, size_t size)
{
	struct dentry *dentry = path->dentry;
	struct mount *mount = path->mount;
	char *at = buf + size;

	at = prepend(at, buf, "", 1);
	if (superblock_is_anon(dentry->sb) || (nsfs_holds(dentry) && dentry != mount->root))
		return prepend(at, buf, dentry->name, dentry->name_len);
	if (!dentry->hashed && dentry->parent != dentry)
		at = prepend(at, buf, deleted_suffix, sizeof(deleted_suffix) - 1);
	if (dentry->parent == dentry && dentry != mount->root) { /* O_TMPFILE, memfd */
		at = prepend(at, buf, deleted_suffix, sizeof(deleted_suffix) - 1);
		at = prepend(at, buf, dentry->name, dentry->name_len);
		return prepend(at, buf, "/", 1);
	}
	if (dentry == root->dentry && mount == root->mount)
		return prepend(at, buf, "/", 1);
	while (dentry != root->dentry || mount != root->mount) {
		if (dentry == mount->root) {
			if (!mount->parent)
				return prepend(at, buf, at && *at == '/' ? "(unreachable)" : "(unreachable)/",
					at && *at == '/' ? 13 : 14);
			dentry = mount->mountpoint;
			mount = mount->parent;
			continue;
		}
		if (dentry->parent == dentry)
			break;
		at = prepend(at, buf, dentry->name, dentry->name_len);
		at = prepend(at, buf, "/", 1);
		dentry = dentry->parent;
	}
	if (at && *at != '/') /* only mount roots were passed: the root itself is mounted on */
		at = prepend(at, buf, "/", 1);
	return at;
}

char *path_print_reached(const struct path *path, const struct path *root, char *buf, size_t size)
{
	static const char outside[] = "(unreachable)";
	char *text = path_print(path, root, buf, size);

	return text && !strncmp(text, outside, sizeof(outside) - 1) ? text + sizeof(outside) - 1 : text;
}

int vfs_set_cwd(const struct path *path)
{
	struct path old = current->fs->cwd;
	int rc = inode_permission(path->dentry->inode, MAY_EXEC);

	if (rc)
		return rc;
	current->fs->cwd = *path;
	path_get(path);
	path_put(&old);
	return 0;
}

int vfs_set_root(const struct path *path)
{
	struct path old = current->fs->root;
	int rc = inode_permission(path->dentry->inode, MAY_EXEC);

	if (rc)
		return rc;
	if (!capable_here(CAP_SYS_CHROOT))
		return -EPERM;
	current->fs->root = *path;
	path_get(path);
	path_put(&old);
	return 0;
}
