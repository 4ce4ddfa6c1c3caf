/*
 * eventfd(2): a counter to wait on.
 *
 * Invariant: count <= 2^64 - 2, so that a blocked writer's value always fits some day.
 */
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "vfs/anon/anon.h"

/* eventfd(2); the kernel's headers do not export them. */
#define EFD_SEMAPHORE 1u
#define EFD_CLOEXEC O_CLOEXEC
#define EFD_NONBLOCK O_NONBLOCK

#define EVENTFD_MAX (UINT64_MAX - 1)

struct eventfd {
	uint64_t count;
	bool semaphore;
	unsigned id; /* tells one from another in fdinfo */
	struct waitq wait;
};

static int64_t eventfd_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	struct eventfd *e = file->private;
	uint64_t value;

	if (n < sizeof(value))
		return -EINVAL;
	if (!e->count) {
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event(&e->wait, e->count, DEADLINE_NONE, true))
			return -ERESTARTSYS;
	}
	value = e->semaphore ? 1 : e->count;
	e->count -= value;
	if (!waitq_empty(&e->wait))
		waitq_wake(&e->wait, UINT32_MAX, EPOLLOUT);
	return put_user(value, to) ? -EFAULT : (int64_t)sizeof(value);
}

static int64_t eventfd_write(struct file *file, uaddr_t from, size_t n, uint64_t *pos)
{
	struct eventfd *e = file->private;
	uint64_t value;

	if (n < sizeof(value))
		return -EINVAL;
	if (get_user(value, from))
		return -EFAULT;
	if (value == UINT64_MAX)
		return -EINVAL;
	if (value > EVENTFD_MAX - e->count) {
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event(&e->wait, value <= EVENTFD_MAX - e->count, DEADLINE_NONE, true))
			return -ERESTARTSYS;
	}
	e->count += value;
	if (!waitq_empty(&e->wait))
		waitq_wake(&e->wait, UINT32_MAX, EPOLLIN);
	return sizeof(value);
}

static uint32_t eventfd_poll(struct file *file, struct poll_waiter *waiter)
{
	struct eventfd *e = file->private;

	poll_add(waiter, &e->wait);
	return (e->count ? EPOLLIN : 0) | (e->count < EVENTFD_MAX ? EPOLLOUT : 0);
}

static void eventfd_release(struct file *file)
{
	kfree(file->private);
}

static void eventfd_show_fdinfo(struct file *file, char *buf, size_t size)
{
	struct eventfd *e = file->private;

	snprintf(buf, size, "eventfd-count: %16lx\neventfd-id: %u\n", (unsigned long)e->count, e->id);
}

static const struct file_ops eventfd_file_ops = {
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.release = eventfd_release,
	.show_fdinfo = eventfd_show_fdinfo,
};

bool eventfd_is(const struct file *file)
{
	return file->ops == &eventfd_file_ops;
}

void eventfd_signal(struct file *file)
{
	struct eventfd *e = file->private;

	if (e->count < EVENTFD_MAX)
		e->count++;
	if (!waitq_empty(&e->wait))
		waitq_wake(&e->wait, UINT32_MAX, EPOLLIN);
}

int eventfd_create(unsigned count, unsigned flags, struct file **file)
{
	static unsigned last_id;
	struct eventfd *e;

	if (flags & ~(unsigned)(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
		return -EINVAL;
	e = kzalloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->count = count;
	e->id = last_id++;
	e->semaphore = flags & EFD_SEMAPHORE;
	waitq_init(&e->wait);
	*file = file_create_anon("eventfd", &eventfd_file_ops, O_RDWR | (flags & EFD_NONBLOCK), e);
	if (!*file) {
		kfree(e);
		return -ENOMEM;
	}
	(*file)->mode |= FILE_STREAM;
	return 0;
}
