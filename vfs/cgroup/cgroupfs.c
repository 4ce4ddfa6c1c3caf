/*
 * The file system "cgroup2": a directory a control group, over the tree of kernel/cgroup.c, whose top is the container's own
 * group. All mounts of a container show one superblock, as on Linux.
 *
 * Inodes hold a group's number, not the group: what is left open when a group is removed answers ENODEV. The inode of a group's
 * cgroup.events, and of others that tell of changes, is one while anybody has it (group->notices), because watches sit on inodes.
 */
#include <linux/errno.h>
#include <linux/magic.h>

#include "kernel/container.h"
#include "kernel/cred.h"
#include "kernel/namespaces.h"
#include "kernel/process.h"
#include "vfs/cgroup/cgroupfs.h"
#include "vfs/cgroup/internal.h"
#include "vfs/fs_init.h"
#include "vfs/internal.h"

#define TABLE_FILES 40u    /* no table has more */
#define CHILD_COOKIE 1000u /* + number of the group; the files come before */

static const struct pseudo_entry dir_entry;

/* Where a group's files stand, and what it must have for each. */
static const struct {
	const struct pseudo_entry *files;
	uint32_t controller; /* 0: every group has them */
} tables[] = {
	{cgroup_core_table, 0},
	{cgroup_cpuset_table, CGROUP_CPUSET},
	{cgroup_cpu_table, CGROUP_CPU},
	{cgroup_io_table, CGROUP_IO},
	{cgroup_memory_table, CGROUP_MEMORY},
	{cgroup_pids_table, CGROUP_PIDS},
};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

static bool has_table(const struct cgroup *group, unsigned table)
{
	return (cgroup_controllers(group) & tables[table].controller) == tables[table].controller;
}

static const struct pseudo_entry *find_file(const struct cgroup *group, const char *name, unsigned len)
{
	const struct pseudo_entry *entry = NULL;

	for (unsigned i = 0; i < TABLES && !entry; i++)
		entry = has_table(group, i) ? pseudo_find(tables[i].files, name, len) : NULL;
	return entry;
}

/* 1 to 255: of a file among all that a group may have; 0: of the group. */
static uint64_t file_number(const struct pseudo_entry *entry)
{
	for (unsigned i = 0; i < TABLES; i++) {
		for (unsigned j = 0; tables[i].files[j].name; j++) {
			if (&tables[i].files[j] == entry)
				return i * TABLE_FILES + j + 1;
		}
	}
	return 0;
}

/* The inode of `entry` in a group (dir_entry: of the group). One reference; NULL: no memory. */
static struct inode *inode_of(struct superblock *sb, struct cgroup *group, const struct pseudo_entry *entry)
{
	int owned = entry == &dir_entry ? CGROUP_OWNED_DIR : cgroup_owned_index(entry);
	int notice = cgroup_notice_of(entry);
	struct inode *inode;

	if (notice >= 0 && group->notices[notice].inode && group->notices[notice].inode->sb == sb) {
		inode_get(group->notices[notice].inode);
		return group->notices[notice].inode;
	}
	inode = pseudo_inode_create(sb, entry, NULL, 0, 0);
	if (!inode)
		return NULL;
	pseudo_of(inode)->start = group->number;
	inode->ino = group->number << 8 | file_number(entry);
	if (owned >= 0) {
		inode->uid = group->owner[owned][0];
		inode->gid = group->owner[owned][1];
	}
	if (notice >= 0)
		group->notices[notice].inode = inode;
	return inode;
}

static void destroy(struct inode *inode)
{
	struct cgroup *group = cgroup_of(pseudo_of(inode));
	int notice = cgroup_notice_of(pseudo_of(inode)->entry);

	if (group && notice >= 0 && group->notices[notice].inode == inode)
		group->notices[notice].inode = NULL;
	pseudo_destroy(inode);
}

static int dir_lookup(struct inode *dir, struct dentry *dentry, struct inode **inode)
{
	struct cgroup *group = cgroup_of(pseudo_of(dir)), *child;
	const struct pseudo_entry *entry;

	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	if (!group)
		return -ENOENT;
	entry = find_file(group, dentry->name, dentry->name_len);
	child = entry ? NULL : cgroup_find_child(group, dentry->name, dentry->name_len);
	if (!entry && !child)
		return -ENOENT;
	*inode = entry ? inode_of(dir->sb, group, entry) : inode_of(dir->sb, child, &dir_entry);
	return *inode ? 0 : -ENOMEM;
}

static int revalidate(struct dentry *dentry)
{
	const struct pseudo_inode *p = pseudo_of(dentry->inode);
	const struct cgroup *group = cgroup_of(p);

	return group && (p->entry == &dir_entry || find_file(group, dentry->name, dentry->name_len));
}

static int dir_mkdir(struct inode *dir, struct dentry *dentry, uint32_t mode, struct inode **inode)
{
	struct cgroup *group = cgroup_of(pseudo_of(dir)), *child;
	int rc;

	if (!group)
		return -ENODEV;
	if (memchr(dentry->name, '\n', dentry->name_len))
		return -EINVAL;
	rc = cgroup_create(group, dentry->name, dentry->name_len, &child);
	if (rc)
		return rc;
	for (int i = 0; i < CGROUP_OWNED_COUNT; i++) {
		child->owner[i][0] = current->cred->fsuid;
		child->owner[i][1] = current->cred->fsgid;
	}
	*inode = inode_of(dir->sb, child, &dir_entry);
	if (*inode)
		return 0;
	cgroup_remove(child);
	return -ENOMEM;
}

static int dir_rmdir(struct inode *dir, struct dentry *dentry)
{
	struct cgroup *group = cgroup_of(pseudo_of(dentry->inode));

	return group ? cgroup_remove(group) : 0;
}

/* The owner of a group and of the files by which it is managed may change (delegation); modes may not. */
static int setattr(struct inode *inode, const struct attr_change *change)
{
	struct pseudo_inode *p = pseudo_of(inode);
	int owned = p->entry == &dir_entry ? CGROUP_OWNED_DIR : cgroup_owned_index(p->entry);
	struct cgroup *group = cgroup_of(p);

	if (!group)
		return -ENODEV;
	if (!(change->valid & (ATTR_UID | ATTR_GID)))
		return pseudo_setattr(inode, change);
	if (owned < 0)
		return -EPERM;
	if (change->valid & ATTR_UID)
		group->owner[owned][0] = inode->uid = change->uid;
	if (change->valid & ATTR_GID)
		group->owner[owned][1] = inode->gid = change->gid;
	return 0;
}

static int dir_readdir(struct file *file, struct dir_emitter *emitter)
{
	const struct cgroup *group = cgroup_of(pseudo_of(file->inode)), *child;

	if (!group || !dir_emit_dots(file, emitter))
		return 0;
	for (unsigned i = 0; i < TABLES; i++) {
		if (has_table(group, i) && !pseudo_emit_table(file, emitter, tables[i].files, PSEUDO_FIRST_COOKIE + i * TABLE_FILES))
			return 0;
	}
	TAILQ_FOREACH(child, &group->children, sibling) {
		uint64_t cookie = CHILD_COOKIE + child->number;

		if (file->pos >= cookie)
			continue;
		if (!emitter->emit(emitter, child->name, (unsigned)strlen(child->name), child->number << 8, S_IFDIR >> 12, cookie))
			return 0;
		file->pos = cookie;
	}
	return 0;
}

/* What asks who opened it also asks for the root of the opener's namespace: its number, 0 for the container's first. */
static int open_group(struct inode *inode, struct file *file)
{
	if (pseudo_of(inode)->entry->write_as)
		file->version = current->ns->cgroup->root;
	return 0;
}

const struct inode_ops cgroup_inode_ops = {
	.open = open_group,
	.lookup = dir_lookup,
	.mkdir = dir_mkdir,
	.rmdir = dir_rmdir,
	.setattr = setattr,
	.revalidate = revalidate,
	.destroy = destroy,
};

static const struct file_ops dir_file_ops = {
	.readdir = dir_readdir,
};

static const struct pseudo_entry dir_entry = {
	.name = "group",
	.mode = S_IFDIR | 0755,
	.iops = &cgroup_inode_ops,
	.fops = &dir_file_ops,
};

/* ---- the type ---- */

static void sb_destroy(struct superblock *sb)
{
	struct cgroup *top = cgroup_find((uint64_t)(uintptr_t)sb->private);

	if (top && top->superblock == sb)
		top->superblock = NULL;
}

static const struct superblock_ops sb_ops = {.destroy = sb_destroy};

/* Linux' options that say how groups behave here anyway. */
static bool options_known(const char *data)
{
	static const char *const known[] = {"nsdelegate", "memory_recursiveprot", "favordynmods", "nofavordynmods", NULL};

	while (*data) {
		size_t len = 0;
		unsigned i = 0;

		while (data[len] && data[len] != ',')
			len++;
		while (known[i] && (strlen(known[i]) != len || memcmp(known[i], data, len) != 0))
			i++;
		if (len && !known[i])
			return false;
		data += data[len] ? len + 1 : len;
	}
	return true;
}

static int cgroupfs_mount(const struct fs_type *type, const struct mount_args *args, struct superblock **sb)
{
	struct cgroup *top = &current->process->container->cgroup;
	struct inode *inode;

	if (!options_known(args->data))
		return -EINVAL;
	if (top->superblock && top->superblock->refs) {
		*sb = top->superblock;
		(*sb)->refs++;
		return 0;
	}
	*sb = superblock_create(type, &sb_ops, CGROUP2_SUPER_MAGIC);
	if (!*sb)
		return -ENOMEM;
	(*sb)->private = (void *)(uintptr_t)top->number;
	inode = inode_of(*sb, top, &dir_entry);
	(*sb)->root = inode ? dentry_make_root(*sb, inode) : NULL;
	if (!(*sb)->root) {
		if (inode)
			inode_put(inode);
		superblock_put(*sb);
		return -ENOMEM;
	}
	top->superblock = *sb;
	return 0;
}

/* The directory of the root that the mounter's namespace has. */
static int cgroupfs_root(struct superblock *sb, struct dentry **root)
{
	const struct cgroup *group = cgroup_ns_root();
	uint64_t up[CGROUP_DEPTH]; /* numbers: a lookup may sleep */
	char name[NAME_MAX_LEN + 1];
	unsigned count = 0;
	int rc = 0;

	for (; group->parent; group = group->parent)
		up[count++] = group->number;
	*root = sb->root;
	dentry_get(*root);
	while (count && !rc) {
		struct dentry *parent = *root;

		group = cgroup_find(up[--count]);
		rf_strlcpy(name, group ? group->name : "", sizeof(name));
		rc = group ? dentry_lookup(parent, name, (unsigned)strlen(name), root) : -ENOENT;
		if (!rc && !(*root)->inode) {
			dentry_put(*root);
			rc = -ENOENT; /* removed meanwhile */
		}
		dentry_put(parent);
	}
	return rc;
}

struct cgroup *cgroupfs_group(const struct file *file)
{
	const struct inode *inode = file->inode;

	return inode && inode->sb->ops == &sb_ops && S_ISDIR(inode->mode) ? cgroup_of(pseudo_of((struct inode *)(uintptr_t)inode)) : NULL;
}

static int cgroupfs_check_option(const char *key, const char *value)
{
	static const char *const known[] = {"nsdelegate", "favordynmods", "memory_localevents", "memory_recursiveprot"};

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
		if (!strcmp(key, known[i]))
			return value ? -EINVAL : 0;
	}
	return -ENOENT;
}

static const struct user_ns *cgroupfs_owner(void)
{
	return current->ns->cgroup->ns.owner;
}

static struct fs_type cgroupfs_type = {.name = "cgroup2", .nodev = true, .in_user_ns = true, .owner = cgroupfs_owner,
	.check_option = cgroupfs_check_option, .mount = cgroupfs_mount, .root = cgroupfs_root};

void cgroupfs_init(void)
{
	fs_register(&cgroupfs_type);
}
