/* Inside vfs/mqueue: what the file system and its queues share. */
#ifndef VFS_MQUEUE_INTERNAL_H
#define VFS_MQUEUE_INTERNAL_H

#include <linux/errno.h>

#include "ring0/lib.h"
#include "vfs/internal.h"
#include "vfs/mqueue/mqueue.h"

struct mq_message {
	TAILQ_ENTRY(mq_message) link;
	unsigned priority;
	size_t len;
	uint8_t bytes[];
};

struct mq_queue {
	struct inode inode;
	TAILQ_ENTRY(mq_queue) link; /* in its file system, while it has a name */
	TAILQ_ENTRY(mq_queue) alive; /* in all there are: queue.c */
	char *name;
	struct mq_attr attr; /* flags unused: they belong to the open file */
	TAILQ_HEAD(, mq_message) messages; /* highest priority first, then the oldest */
	uint64_t bytes;   /* in messages */
	uint64_t charged; /* to the user that made it */
	uint32_t maker;
	struct waitq senders, receivers;
	unsigned waiting; /* receivers */
	struct mq_event event;
	struct netlink_datagram *reserved; /* for the cookie; NULL: none, or it was sent */
	struct process *notified; /* who is told, referenced: it may end before it closes; NULL: nobody */
};

struct mq_sb {
	TAILQ_HEAD(, mq_queue) queues;
	unsigned count;
};

extern const struct file_ops mqueue_file_ops;

static inline struct mq_queue *mqueue_of(struct inode *inode)
{
	return container_of(inode, struct mq_queue, inode);
}

void mqueue_inode_init(struct mq_queue *queue, struct superblock *sb, uint32_t mode); /* of the current task */
/* A queue without a name, one reference in its inode. 0, -EINVAL, -EMFILE: too much for RLIMIT_MSGQUEUE, -ENOMEM. */
int mqueue_queue_create(struct superblock *sb, uint32_t mode, const struct mq_attr *attr, struct mq_queue **queue);
void mqueue_queue_free(struct mq_queue *queue); /* its messages, its charge, its memory */

#endif
