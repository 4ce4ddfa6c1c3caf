/*
 * /proc/PID/mounts, mountinfo, mountstats (proc(5)): the mount tree as the reader's root shows it.
 */
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/mount.h>

#include "vfs/anon/anon.h"
#include "vfs/dev/dev.h"
#include "vfs/poll.h"
#include "vfs/proc/proc.h"

#define PATH_SIZE 4096u
#define OPTIONS_SIZE 512u
#define ESCAPED " \t\n\\"

static void show_flags(struct seq *seq, unsigned long flags)
{
	static const struct {
		unsigned long flag;
		const char *text;
	} names[] = {
		{MS_NOSUID, ",nosuid"}, {MS_NODEV, ",nodev"}, {MS_NOEXEC, ",noexec"},
		{MS_NOATIME, ",noatime"}, {MS_NODIRATIME, ",nodiratime"}, {MS_RELATIME, ",relatime"},
	};

	seq_puts(seq, flags & MS_RDONLY ? "ro" : "rw");
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (flags & names[i].flag)
			seq_puts(seq, names[i].text);
}

static void show_super_options(struct seq *seq, struct superblock *sb)
{
	char *buf;

	if (!sb->ops || !sb->ops->show_options)
		return;
	buf = kzalloc(OPTIONS_SIZE);
	if (!buf)
		return;
	sb->ops->show_options(sb, buf, OPTIONS_SIZE);
	if (*buf && *buf != ',')
		seq_puts(seq, ",");
	seq_puts(seq, buf);
	kfree(buf);
}

/* Where a mount hangs, as that task's root shows it; NULL: outside of it. */
static char *mount_place(const struct task *task, const struct mount *mount, char *buf)
{
	struct path path = {(struct mount *)(uintptr_t)mount, mount->root};

	if (!task || !task->fs || !task->ns || mount->mnt_ns != task->ns->mnt)
		return NULL;
	char *text = path_print(&path, &task->fs->root, buf, PATH_SIZE);

	return text && *text == '/' ? text : NULL;
}

/* The mount's root inside its file system (bind mounts of a part of it). */
static void show_root(struct seq *seq, const struct mount *mount, char *buf)
{
	char *at = buf + PATH_SIZE - 1;

	if (nsfs_holds(mount->root)) {
		seq_escaped(seq, mount->root->name, ESCAPED);
		return;
	}
	*at = '\0';
	for (struct dentry *d = mount->root; d != mount->sb->root && d->parent != d; d = d->parent) {
		if ((size_t)(at - buf) < d->name_len + 1u)
			break;
		at -= d->name_len;
		memcpy(at, d->name, d->name_len);
		*--at = '/';
	}
	seq_escaped(seq, *at ? at : "/", ESCAPED);
}

static const char *source_of(const struct mount *mount)
{
	return mount->source && *mount->source ? mount->source : "none";
}

static void show_propagation(struct seq *seq, const struct mount *mount)
{
	if (mount->group)
		seq_printf(seq, " shared:%d", mount_group_id(mount->group));
	if (mount->master)
		seq_printf(seq, " master:%d", mount_group_id(mount->master));
	if (mount->unbindable)
		seq_puts(seq, " unbindable");
}

static void show_one(struct seq *seq, const struct mount *mount, char *place, bool info, char *buf)
{
	if (info) {
		seq_printf(seq, "%d %d %u:%u ", mount->id, mount->parent_id ? mount->parent_id : mount->id,
			DEV_MAJOR(mount->sb->dev), DEV_MINOR(mount->sb->dev));
		char *copy = kstrdup(place);

		show_root(seq, mount, buf);
		seq_puts(seq, " ");
		seq_escaped(seq, copy ? copy : "?", ESCAPED);
		kfree(copy);
		seq_puts(seq, " ");
		show_flags(seq, mount->flags);
		show_propagation(seq, mount);
		seq_printf(seq, " - %s ", mount->sb->type->name);
		seq_escaped(seq, source_of(mount), ESCAPED);
		seq_puts(seq, mount->sb->flags & MS_RDONLY ? " ro" : " rw");
		show_super_options(seq, mount->sb);
		seq_puts(seq, "\n");
		return;
	}
	seq_escaped(seq, source_of(mount), ESCAPED);
	seq_puts(seq, " ");
	seq_escaped(seq, place, ESCAPED);
	seq_printf(seq, " %s ", mount->sb->type->name);
	show_flags(seq, mount->flags);
	show_super_options(seq, mount->sb);
	seq_puts(seq, " 0 0\n");
}

static int show_mounts(struct seq *seq, const struct pseudo_inode *p, bool info)
{
	char *buf = kmalloc(PATH_SIZE);
	struct mount *mount;

	if (!buf)
		return -ENOMEM;
	TAILQ_FOREACH(mount, &all_mounts, link) {
		char *place = mount_place(pseudo_task(p), mount, buf);

		if (place)
			show_one(seq, mount, place, info, buf);
	}
	kfree(buf);
	return 0;
}

int proc_show_mounts(struct seq *seq, struct pseudo_inode *p)
{
	return show_mounts(seq, p, false);
}

int proc_show_mountinfo(struct seq *seq, struct pseudo_inode *p)
{
	return show_mounts(seq, p, true);
}

int proc_show_mountstats(struct seq *seq, struct pseudo_inode *p)
{
	char *buf = kmalloc(PATH_SIZE);
	struct mount *mount;

	if (!buf)
		return -ENOMEM;
	TAILQ_FOREACH(mount, &all_mounts, link) {
		char *place = mount_place(pseudo_task(p), mount, buf);

		if (!place)
			continue;
		seq_printf(seq, "device %s mounted on ", source_of(mount));
		seq_escaped(seq, place, ESCAPED);
		seq_printf(seq, " with fstype %s\n", mount->sb->type->name);
	}
	kfree(buf);
	return 0;
}

/* ---- waiting for changes: EPOLLPRI and EPOLLERR, once for each look ---- */

static uint32_t mounts_poll(struct file *file, struct poll_waiter *waiter)
{
	const struct task *task = pseudo_task(pseudo_of(file->inode));
	uint64_t changes = task && task->ns ? task->ns->mnt->changes : 0;
	uint32_t events = POLL_ALWAYS_READY;

	poll_add(waiter, &mounts_waiters);
	if (file->version && file->version != changes)
		events |= EPOLLPRI | EPOLLERR;
	file->version = changes;
	return events;
}

/* Nothing is ever swapped to: there is nothing to tell. */
static uint32_t swaps_poll(struct file *file, struct poll_waiter *waiter)
{
	return POLL_ALWAYS_READY;
}

const struct file_ops proc_mounts_file_ops = {PSEUDO_FILE_OPS_BUT_READ, .read = pseudo_read, .poll = mounts_poll};
const struct file_ops proc_swaps_file_ops = {PSEUDO_FILE_OPS_BUT_READ, .read = pseudo_read, .poll = swaps_poll};
