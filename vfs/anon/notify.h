/*
 * What watches inodes: inotify(7) and dnotify (fcntl(2), F_NOTIFY), each with a struct inode_watch of its own.
 *
 * notify_inode() (vfs/vfs.h) tells every watch whose mask has one of the event's bits. Invariant: a watch is on its
 * inode's list (inode->watches), and one of all, from inode_watch_add() to inode_watch_remove(), and holds the inode as long.
 */
#ifndef VFS_ANON_NOTIFY_H
#define VFS_ANON_NOTIFY_H

#include "vfs/vfs.h"

struct inode_watch {
	struct inode_watch *next;
	TAILQ_ENTRY(inode_watch) all;
	struct inode *inode;
	uint32_t mask; /* IN_* and NOTIFY_* events that it wants */
	/* One happened; it may remove and free the watch, no other. name: of the entry, NULL for the inode itself. */
	void (*event)(struct inode_watch *watch, uint32_t event, uint32_t cookie, const char *name, unsigned len);
	/* The inode is deleted: removes and frees the watch. */
	void (*gone)(struct inode_watch *watch);
};

/* Takes a reference to the inode. */
void inode_watch_add(struct inode_watch *watch, struct inode *inode);
/* May sleep (inode_put). The caller frees the watch. */
void inode_watch_remove(struct inode_watch *watch);

#endif
