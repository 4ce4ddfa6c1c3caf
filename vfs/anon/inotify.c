/*
 * inotify(7): a queue of events about watched inodes.
 *
 * Events come from notify_inode() (notify.c). A watch lasts until its inode is deleted (IN_DELETE_SELF), the watch is
 * removed or the instance is closed. Invariants:
 *  1. A watch is on its instance's list and on its inode's (vfs/anon/notify.h), or freed.
 *  2. The queue holds at most INOTIFY_MAX_QUEUED events, then one IN_Q_OVERFLOW.
 */
#include <asm/ioctls.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "kernel/cred.h"
#include "kernel/task.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "vfs/anon/anon.h"
#include "vfs/anon/notify.h"

#define INOTIFY_MAX_QUEUED 16384u
#define INOTIFY_MAX_WATCHES 65536u
#define INOTIFY_MAX_INSTANCES 128u /* of one user: fs.inotify.max_user_instances (vfs/proc/sysctl.c) */

struct queued_event {
	TAILQ_ENTRY(queued_event) link;
	uint32_t name_len; /* with the terminator, padded; 0: no name */
	struct inotify_event event;
	char name[];
};

struct inotify;

struct inotify_watch {
	struct inode_watch base;
	TAILQ_ENTRY(inotify_watch) link; /* of the instance */
	struct inotify *instance;
	int number;
};

struct inotify {
	TAILQ_ENTRY(inotify) all;
	uint32_t uid; /* of whoever made it */
	TAILQ_HEAD(, inotify_watch) watches;
	TAILQ_HEAD(event_queue, queued_event) queue;
	unsigned watch_count, queued;
	uint32_t queued_bytes;
	int next_number;
	struct waitq wait;
};

static TAILQ_HEAD(, inotify) instances = TAILQ_HEAD_INITIALIZER(instances); /* kernel lock */
static const struct file_ops inotify_file_ops;

static bool same_event(const struct queued_event *last, int wd, uint32_t mask, uint32_t cookie, const char *name)
{
	return last && last->event.wd == wd && last->event.mask == mask && last->event.cookie == cookie &&
	       (name ? last->name_len && !strcmp(last->name, name) : !last->name_len);
}

static void queue_event(struct inotify *instance, int wd, uint32_t mask, uint32_t cookie, const char *name, unsigned len)
{
	uint32_t padded = name ? (uint32_t)((len + sizeof(struct inotify_event)) & ~(sizeof(struct inotify_event) - 1)) : 0;
	struct queued_event *last = TAILQ_LAST(&instance->queue, event_queue), *event;

	if (same_event(last, wd, mask, cookie, name))
		return;
	if (instance->queued > INOTIFY_MAX_QUEUED)
		return;
	if (instance->queued == INOTIFY_MAX_QUEUED) {
		wd = -1;
		mask = IN_Q_OVERFLOW;
		padded = 0;
	}
	event = kzalloc(sizeof(*event) + padded);
	if (!event)
		return;
	event->event = (struct inotify_event){.wd = wd, .mask = mask, .cookie = cookie, .len = padded};
	event->name_len = padded;
	if (padded)
		memcpy(event->name, name, len);
	TAILQ_INSERT_TAIL(&instance->queue, event, link);
	instance->queued++;
	instance->queued_bytes += (uint32_t)sizeof(struct inotify_event) + padded;
	waitq_wake(&instance->wait, UINT32_MAX, EPOLLIN | EPOLLRDNORM);
}

/* Takes the watch out and frees it; its number is said to be ignored from now on. May sleep (inode_put). */
static void watch_remove(struct inotify_watch *watch)
{
	struct inotify *instance = watch->instance;

	TAILQ_REMOVE(&instance->watches, watch, link);
	instance->watch_count--;
	queue_event(instance, watch->number, IN_IGNORED, 0, NULL, 0);
	inode_watch_remove(&watch->base);
	kfree(watch);
}

static void watch_event(struct inode_watch *base, uint32_t event, uint32_t cookie, const char *name, unsigned len)
{
	struct inotify_watch *watch = container_of(base, struct inotify_watch, base);

	queue_event(watch->instance, watch->number, event, cookie, name, len);
	if (base->mask & IN_ONESHOT)
		watch_remove(watch);
}

static void watch_gone(struct inode_watch *base)
{
	watch_remove(container_of(base, struct inotify_watch, base));
}

/* The instance's watch on the inode, or NULL. */
static struct inotify_watch *watch_find(const struct inotify *instance, const struct inode *inode)
{
	struct inotify_watch *watch;

	for (struct inode_watch *base = inode->watches; base; base = base->next) {
		watch = container_of(base, struct inotify_watch, base);
		if (base->event == watch_event && watch->instance == instance)
			return watch;
	}
	return NULL;
}

static int64_t inotify_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	struct inotify *instance = file->private;
	size_t done = 0;

	if (TAILQ_EMPTY(&instance->queue)) {
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event(&instance->wait, !TAILQ_EMPTY(&instance->queue), DEADLINE_NONE, true))
			return -ERESTARTSYS;
	}
	for (;;) {
		struct queued_event *event = TAILQ_FIRST(&instance->queue);
		size_t size;
		int rc;

		if (!event)
			return (int64_t)done;
		size = sizeof(event->event) + event->name_len;
		if (size > n - done)
			return done ? (int64_t)done : -EINVAL;
		TAILQ_REMOVE(&instance->queue, event, link);
		instance->queued--;
		instance->queued_bytes -= (uint32_t)size;
		rc = copy_to_user(uaddr_add(to, done), &event->event, sizeof(event->event));
		if (!rc && event->name_len)
			rc = copy_to_user(uaddr_add(to, done + sizeof(event->event)), event->name, event->name_len);
		kfree(event);
		if (rc)
			return done ? (int64_t)done : rc;
		done += size;
	}
}

static uint32_t inotify_poll(struct file *file, struct poll_waiter *waiter)
{
	struct inotify *instance = file->private;

	poll_add(waiter, &instance->wait);
	return TAILQ_EMPTY(&instance->queue) ? 0 : EPOLLIN | EPOLLRDNORM;
}

static int64_t inotify_ioctl(struct file *file, unsigned cmd, uint64_t arg)
{
	struct inotify *instance = file->private;

	return cmd == FIONREAD ? put_user((int)instance->queued_bytes, UADDR(arg)) : -ENOTTY;
}

static void inotify_release(struct file *file)
{
	struct inotify *instance = file->private;
	struct queued_event *event;

	while (!TAILQ_EMPTY(&instance->watches))
		watch_remove(TAILQ_FIRST(&instance->watches));
	while ((event = TAILQ_FIRST(&instance->queue))) {
		TAILQ_REMOVE(&instance->queue, event, link);
		kfree(event);
	}
	TAILQ_REMOVE(&instances, instance, all);
	kfree(instance);
}

static void inotify_show_fdinfo(struct file *file, char *buf, size_t size)
{
	struct inotify *instance = file->private;
	const struct inotify_watch *watch;
	size_t used = 0;

	TAILQ_FOREACH(watch, &instance->watches, link) {
		if (used + 1 >= size)
			return;
		used += (size_t)snprintf(buf + used, size - used, "inotify wd:%x ino:%lx sdev:%lx mask:%x ignored_mask:0\n",
			(unsigned)watch->number, (unsigned long)watch->base.inode->ino,
			(unsigned long)(watch->base.inode->sb ? watch->base.inode->sb->dev : 0), watch->base.mask);
	}
}

static const struct file_ops inotify_file_ops = {
	.read = inotify_read,
	.poll = inotify_poll,
	.async = true,
	.ioctl = inotify_ioctl,
	.release = inotify_release,
	.show_fdinfo = inotify_show_fdinfo,
};

int inotify_create(unsigned flags, struct file **file)
{
	struct inotify *instance;
	unsigned own = 0;

	if (flags & ~(unsigned)(IN_CLOEXEC | IN_NONBLOCK))
		return -EINVAL;
	TAILQ_FOREACH(instance, &instances, all)
		own += instance->uid == current->cred->uid;
	if (own >= INOTIFY_MAX_INSTANCES)
		return -EMFILE;
	instance = kzalloc(sizeof(*instance));
	if (!instance)
		return -ENOMEM;
	TAILQ_INIT(&instance->watches);
	TAILQ_INIT(&instance->queue);
	instance->next_number = 1;
	waitq_init(&instance->wait);
	*file = file_create_anon("anon_inode:inotify", &inotify_file_ops, O_RDONLY | (flags & IN_NONBLOCK), instance);
	if (!*file) {
		kfree(instance);
		return -ENOMEM;
	}
	(*file)->mode |= FILE_STREAM;
	instance->uid = current->cred->uid;
	TAILQ_INSERT_TAIL(&instances, instance, all);
	return 0;
}

int inotify_watch_add(struct file *file, struct inode *inode, uint32_t mask)
{
	struct inotify *instance = file->private;
	uint32_t events = mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK);
	struct inotify_watch *watch;

	if (file->ops != &inotify_file_ops || !(mask & IN_ALL_EVENTS))
		return -EINVAL;
	if (mask & IN_MASK_ADD && mask & IN_MASK_CREATE)
		return -EINVAL;
	watch = watch_find(instance, inode);
	if (watch) {
		if (mask & IN_MASK_CREATE)
			return -EEXIST;
		watch->base.mask = mask & IN_MASK_ADD ? watch->base.mask | events : events;
		return watch->number;
	}
	if (instance->watch_count >= INOTIFY_MAX_WATCHES)
		return -ENOSPC;
	watch = kzalloc(sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	watch->base = (struct inode_watch){.mask = events, .event = watch_event, .gone = watch_gone};
	watch->instance = instance;
	watch->number = instance->next_number++;
	inode_watch_add(&watch->base, inode);
	TAILQ_INSERT_TAIL(&instance->watches, watch, link);
	instance->watch_count++;
	return watch->number;
}

int inotify_watch_remove(struct file *file, int number)
{
	struct inotify *instance = file->private;
	struct inotify_watch *watch;

	if (file->ops != &inotify_file_ops)
		return -EINVAL;
	TAILQ_FOREACH(watch, &instance->watches, link) {
		if (watch->number == number) {
			watch_remove(watch);
			return 0;
		}
	}
	return -EINVAL;
}
