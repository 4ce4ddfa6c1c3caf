/*
 * Events about inodes, to whatever watches them (vfs/anon/notify.h).
 *
 * The file layer calls notify_inode() with the object that changed and its dentry: watches on the object get the
 * event without a name, watches on its directory get it with the name. For events about entries (IN_CREATE,
 * IN_DELETE, IN_MOVED_*, NOTIFY_RENAMED) it gives the directory and the entry's dentry.
 */
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "vfs/anon/notify.h"

#define ENTRY_EVENTS (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | NOTIFY_RENAMED)
#define SELF_EVENTS (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)

static TAILQ_HEAD(, inode_watch) all_watches = TAILQ_HEAD_INITIALIZER(all_watches);

void inode_watch_add(struct inode_watch *watch, struct inode *inode)
{
	inode_get(inode);
	watch->inode = inode;
	watch->next = inode->watches;
	inode->watches = watch;
	TAILQ_INSERT_TAIL(&all_watches, watch, all);
}

void inode_watch_remove(struct inode_watch *watch)
{
	struct inode_watch **at = &watch->inode->watches;

	while (*at != watch)
		at = &(*at)->next;
	*at = watch->next;
	TAILQ_REMOVE(&all_watches, watch, all);
	inode_put(watch->inode);
}

static void notify_watches(struct inode *inode, uint32_t mask, uint32_t cookie, const char *name, unsigned len)
{
	struct inode_watch *watch, *next;

	for (watch = inode->watches; watch; watch = next) {
		uint32_t event = mask & (watch->mask | IN_ISDIR | IN_UNMOUNT);

		next = watch->next;
		if (event & ~IN_ISDIR)
			watch->event(watch, event, cookie, name, len);
	}
}

/* The directory of an event about an object, or of an entry (then `inode` is the directory itself). */
static struct inode *event_directory(struct inode *inode, const struct dentry *dentry, uint32_t mask)
{
	if (mask & ENTRY_EVENTS)
		return inode;
	if (!dentry || mask & SELF_EVENTS || !dentry->parent || dentry->parent == dentry)
		return NULL;
	return dentry->parent->inode;
}

void notify_inode(struct inode *inode, struct dentry *dentry, uint32_t mask, uint32_t cookie)
{
	struct inode *directory = event_directory(inode, dentry, mask);

	if (!(directory && directory->watches) && !(inode && inode->watches))
		return;
	if (!(mask & ENTRY_EVENTS) && S_ISDIR(inode->mode))
		mask |= IN_ISDIR;
	if (directory && directory->watches && dentry)
		notify_watches(directory, mask, cookie, dentry->name, dentry->name_len);
	if (mask & ENTRY_EVENTS)
		return;
	notify_watches(inode, mask & SELF_EVENTS ? mask & ~(uint32_t)IN_ISDIR : mask, cookie, NULL, 0);
	if (mask & (IN_DELETE_SELF | IN_UNMOUNT)) {
		inode_get(inode);
		while (inode->watches)
			inode->watches->gone(inode->watches);
		inode_put(inode);
	}
}

/* Each round ends the watches of one inode, and may sleep: the list is gone through anew. */
void notify_superblock_gone(const struct superblock *sb)
{
	struct inode_watch *watch;

	do {
		TAILQ_FOREACH(watch, &all_watches, all) {
			if (watch->inode->sb == sb) {
				notify_inode(watch->inode, NULL, IN_UNMOUNT, 0);
				break;
			}
		}
	} while (watch);
}
