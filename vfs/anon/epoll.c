/*
 * epoll(7): a set of watched files and the list of those that may be ready.
 *
 * An item's waiters sit on the wait queues of its file; a wake-up puts the item on the ready list and wakes whoever
 * waits for the set. epoll_wait_events() takes items off that list, asks the file again, and puts level-triggered
 * ones back. Invariants:
 *  1. An item is in its set's tree and on its file's list (file->epoll_items) from epoll_add() to item_free().
 *  2. item->ready: it is on the ready list.
 *  3. The set's lock is held over everything that may sleep with an item in hand; epoll_forget() needs no lock,
 *     since an item's file can only go while nobody has a reference, and users of an item take one first.
 *  4. Sets watching sets form no cycle, no chain longer than EPOLL_MAX_DEPTH, and not more than EPOLL_MAX_WAYS ways up
 *     from any set: wake-ups take each way.
 */
#include <bsd/sys/tree.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "kernel/task.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "vfs/anon/anon.h"
#include "vfs/anon/epoll.h"
#include "vfs/poll.h"

#define EPOLL_MAX_DEPTH 5
#define EPOLL_MAX_WAYS 500u /* a wake-up of a set goes up that many ways at most, itself counted; Linux: about as many */
#define EPOLL_BATCH 16 /* events gathered before they are copied out */
#define EPOLL_PRIVATE (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
#define EPOLL_EXCLUSIVE_OK (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

struct epoll;

struct epoll_wait_entry {
	struct waiter waiter;
	struct epoll_item *item;
	struct epoll_wait_entry *next;
};

struct epoll_item {
	RB_ENTRY(epoll_item) node;
	struct file *file; /* no reference */
	int fd;
	struct epoll *set;
	struct epoll_event event; /* events 0 but for the private bits: disabled (oneshot) */
	bool ready;
	TAILQ_ENTRY(epoll_item) ready_link;
	struct epoll_item *file_next; /* file->epoll_items */
	struct epoll_wait_entry first, *waits;
	bool first_used, no_memory;
	struct poll_waiter poll; /* only during epoll_add() */
};

struct epoll {
	struct file *file; /* this set's own; no reference */
	RB_HEAD(epoll_tree, epoll_item) items;
	TAILQ_HEAD(, epoll_item) ready;
	unsigned ready_count;
	struct mutex lock;
	struct waitq wait;      /* epoll_wait(2) */
	struct waitq poll_wait; /* sets and polls that watch this set */
	uint64_t seen; /* the last round of a search among sets that came here, and what it found */
	int chain;
};

static uint64_t search_round;

static const struct file_ops epoll_file_ops;

static int epoll_item_compare(struct epoll_item *a, struct epoll_item *b)
{
	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	return a->fd < b->fd ? -1 : a->fd > b->fd;
}

RB_GENERATE_INTERNAL(epoll_tree, epoll_item, node, epoll_item_compare, __attribute__((unused)) static)

static void item_make_ready(struct epoll_item *item)
{
	if (item->ready)
		return;
	item->ready = true;
	item->set->ready_count++;
	TAILQ_INSERT_TAIL(&item->set->ready, item, ready_link);
}

static void item_make_unready(struct epoll_item *item)
{
	if (!item->ready)
		return;
	item->ready = false;
	item->set->ready_count--;
	TAILQ_REMOVE(&item->set->ready, item, ready_link);
}

static void epoll_wake(struct epoll *set)
{
	if (!waitq_empty(&set->wait))
		waitq_wake(&set->wait, 1, EPOLLIN);
	if (!waitq_empty(&set->poll_wait))
		waitq_wake(&set->poll_wait, UINT32_MAX, EPOLLIN);
}

static void item_wake(struct waiter *waiter, uint32_t events)
{
	struct epoll_item *item = container_of(waiter, struct epoll_wait_entry, waiter)->item;

	if (!(item->event.events & ~EPOLL_PRIVATE))
		return;
	if (!(events & (item->event.events | EPOLLERR | EPOLLHUP)))
		return;
	item_make_ready(item);
	epoll_wake(item->set);
}

static void item_poll_add(struct poll_waiter *self, struct waitq *queue)
{
	struct epoll_item *item = container_of(self, struct epoll_item, poll);
	struct epoll_wait_entry *entry = &item->first;

	if (item->first_used) {
		entry = kmalloc(sizeof(*entry));
		if (!entry) {
			item->no_memory = true;
			return;
		}
		entry->next = item->waits;
		item->waits = entry;
	}
	item->first_used = true;
	waiter_init(&entry->waiter);
	entry->waiter.wake = item_wake;
	entry->waiter.exclusive = item->event.events & EPOLLEXCLUSIVE;
	entry->item = item;
	waitq_add(queue, &entry->waiter);
}

/* Out of everything. Does not sleep. */
static void item_free(struct epoll_item *item)
{
	struct epoll_item **at = (struct epoll_item **)&item->file->epoll_items;

	while (*at != item)
		at = &(*at)->file_next;
	*at = item->file_next;
	RB_REMOVE(epoll_tree, &item->set->items, item);
	item_make_unready(item);
	if (item->first_used)
		waitq_remove(&item->first.waiter);
	while (item->waits) {
		struct epoll_wait_entry *entry = item->waits;

		item->waits = entry->next;
		waitq_remove(&entry->waiter);
		kfree(entry);
	}
	kfree(item);
}

void epoll_forget(struct file *file)
{
	while (file->epoll_items)
		item_free(file->epoll_items);
}

/* What the item's file has that the item wants. May sleep; the caller holds a file reference. */
static uint32_t item_events(struct epoll_item *item)
{
	return file_poll(item->file, NULL) & (item->event.events | EPOLLERR | EPOLLHUP);
}

static void epoll_release(struct file *file)
{
	struct epoll *set = file->private;

	while (!RB_EMPTY(&set->items))
		item_free(RB_ROOT(&set->items));
	kfree(set);
}

static uint32_t epoll_poll(struct file *file, struct poll_waiter *waiter)
{
	struct epoll *set = file->private;
	uint32_t events = 0;
	unsigned left;

	poll_add(waiter, &set->poll_wait);
	mutex_lock(&set->lock);
	for (left = set->ready_count; left && !events && !TAILQ_EMPTY(&set->ready); left--) {
		struct epoll_item *item = TAILQ_FIRST(&set->ready);
		struct file *watched = item->file;

		file_get(watched);
		item_make_unready(item);
		if (item->event.events & ~EPOLL_PRIVATE && item_events(item)) {
			item_make_ready(item);
			events = EPOLLIN | EPOLLRDNORM;
		}
		file_put(watched);
	}
	mutex_unlock(&set->lock);
	return events;
}

static void epoll_show_fdinfo(struct file *file, char *buf, size_t size)
{
	struct epoll *set = file->private;
	struct epoll_item *item;
	size_t used = 0;

	RB_FOREACH(item, epoll_tree, &set->items) {
		if (used + 1 >= size)
			return;
		used += (size_t)snprintf(buf + used, size - used, "tfd: %8d events: %8x data: %16llx\n", item->fd,
			item->event.events, item->event.data);
	}
}

static const struct file_ops epoll_file_ops = {
	.poll = epoll_poll,
	.release = epoll_release,
	.show_fdinfo = epoll_show_fdinfo,
};

int epoll_set_create(unsigned flags, struct file **file)
{
	struct epoll *set;

	if (flags & ~(unsigned)EPOLL_CLOEXEC)
		return -EINVAL;
	set = kzalloc(sizeof(*set));
	if (!set)
		return -ENOMEM;
	RB_INIT(&set->items);
	TAILQ_INIT(&set->ready);
	mutex_init(&set->lock);
	waitq_init(&set->wait);
	waitq_init(&set->poll_wait);
	*file = file_create_anon("eventpoll", &epoll_file_ops, O_RDWR, set);
	if (!*file) {
		kfree(set);
		return -ENOMEM;
	}
	(*file)->mode |= FILE_STREAM;
	set->file = *file;
	return 0;
}

/*
 * Longest chain of sets below `set`, counting it; -1 if it leads to `target` or is too long. Each set is looked into once
 * in a round: there may be very many ways down to it.
 */
static int epoll_depth(struct epoll *set, const struct epoll *target, int level)
{
	struct epoll_item *item;
	int deepest = 0;

	if (set == target || level > EPOLL_MAX_DEPTH)
		return -1;
	if (set->seen == search_round)
		return set->chain;
	RB_FOREACH(item, epoll_tree, &set->items) {
		int below;

		if (item->file->ops != &epoll_file_ops)
			continue;
		below = epoll_depth(item->file->private, target, level + 1);
		if (below < 0)
			return -1;
		deepest = MAX(deepest, below);
	}
	set->seen = search_round;
	set->chain = deepest + 1;
	return set->chain;
}

/* Longest chain of sets above the one of `file`, counting it. Each set once in a round. */
static int epoll_height(const struct file *file)
{
	struct epoll *set = file->private;
	const struct epoll_item *item;
	int highest = 0;

	if (set->seen == search_round)
		return set->chain;
	for (item = file->epoll_items; item; item = item->file_next)
		highest = MAX(highest, epoll_height(item->set->file));
	set->seen = search_round;
	set->chain = highest + 1;
	return set->chain;
}

/* Ways up from the set of `file`, counting itself; counts no further than `limit`. */
static unsigned epoll_ways_up(const struct file *file, unsigned limit)
{
	const struct epoll_item *item;
	unsigned ways = 1;

	for (item = file->epoll_items; item && ways <= limit; item = item->file_next)
		ways += epoll_ways_up(item->set->file, limit - ways);
	return ways;
}

/* Whether a wake-up of `file`'s set or of one below it would go up too many ways. Each set once in a round. */
static bool epoll_too_many_ways(const struct file *file)
{
	struct epoll *set = file->private;
	struct epoll_item *item;

	if (set->seen == search_round)
		return false;
	set->seen = search_round;
	if (epoll_ways_up(file, EPOLL_MAX_WAYS) > EPOLL_MAX_WAYS)
		return true;
	RB_FOREACH(item, epoll_tree, &set->items)
		if (item->file->ops == &epoll_file_ops && epoll_too_many_ways(item->file))
			return true;
	return false;
}

static int epoll_add(struct file *file, struct file *watched, int fd, const struct epoll_event *event)
{
	struct epoll *set = file->private;
	struct epoll_item *item;
	uint32_t events;

	if (watched->ops == &epoll_file_ops) {
		search_round++;
		int depth = epoll_depth(watched->private, set, 1);

		search_round++;
		if (depth < 0 || depth + epoll_height(file) > EPOLL_MAX_DEPTH)
			return -ELOOP;
	}
	item = kzalloc(sizeof(*item));
	if (!item)
		return -ENOMEM;
	item->file = watched;
	item->fd = fd;
	item->set = set;
	item->event = *event;
	item->poll.add = item_poll_add;
	RB_INSERT(epoll_tree, &set->items, item);
	item->file_next = watched->epoll_items;
	watched->epoll_items = item;
	if (watched->ops == &epoll_file_ops) {
		search_round++;
		if (epoll_too_many_ways(watched)) {
			item_free(item);
			return -EINVAL;
		}
	}
	events = file_poll(watched, &item->poll) & item->event.events;
	if (item->no_memory) {
		item_free(item);
		return -ENOMEM;
	}
	if (events) {
		item_make_ready(item);
		epoll_wake(set);
	}
	return 0;
}

static int epoll_modify(struct epoll_item *item, const struct epoll_event *event)
{
	if (item->event.events & EPOLLEXCLUSIVE)
		return -EINVAL;
	item->event = *event;
	if (item_events(item)) {
		item_make_ready(item);
		epoll_wake(item->set);
	}
	return 0;
}

/* The set's lock is held. */
static int epoll_control_locked(struct file *file, int op, struct file *watched, int fd, struct epoll_event *event)
{
	struct epoll *set = file->private;
	struct epoll_item key = {.file = watched, .fd = fd}, *item = RB_FIND(epoll_tree, &set->items, &key);

	if (op == EPOLL_CTL_ADD) {
		if (item)
			return -EEXIST;
		event->events |= EPOLLERR | EPOLLHUP;
		return epoll_add(file, watched, fd, event);
	}
	if (!item)
		return -ENOENT;
	if (op == EPOLL_CTL_DEL) {
		item_free(item);
		return 0;
	}
	event->events |= EPOLLERR | EPOLLHUP;
	return epoll_modify(item, event);
}

static int epoll_check(int op, const struct file *watched, const struct epoll_event *event)
{
	if (op != EPOLL_CTL_ADD && op != EPOLL_CTL_DEL && op != EPOLL_CTL_MOD)
		return -EINVAL;
	if (!watched->ops || !watched->ops->poll)
		return -EPERM;
	if (op != EPOLL_CTL_DEL && event->events & EPOLLEXCLUSIVE) {
		if (op == EPOLL_CTL_MOD || watched->ops == &epoll_file_ops || event->events & ~EPOLL_EXCLUSIVE_OK)
			return -EINVAL;
	}
	return 0;
}

int epoll_control(struct file *file, int op, int fd, const struct epoll_event *event)
{
	struct file *watched = fd_file(fd);
	struct epoll_event wanted = {.events = 0};
	struct epoll *set = file->private;
	int rc;

	if (!watched)
		return -EBADF;
	if (event)
		wanted = *event;
	rc = epoll_check(op, watched, &wanted);
	if (!rc && (file->ops != &epoll_file_ops || watched == file))
		rc = -EINVAL;
	if (!rc) {
		mutex_lock(&set->lock);
		rc = epoll_control_locked(file, op, watched, fd, &wanted);
		mutex_unlock(&set->lock);
	}
	file_put(watched);
	return rc;
}

/* Take up to EPOLL_BATCH ready events, looking at no more than *left items. The lock is held. May sleep. */
static unsigned epoll_gather(struct epoll *set, struct epoll_event *out, unsigned max, unsigned *left)
{
	unsigned count = 0;

	while (*left && count < max && !TAILQ_EMPTY(&set->ready)) {
		struct epoll_item *item = TAILQ_FIRST(&set->ready);
		struct file *watched = item->file;
		uint32_t events;

		--*left;
		file_get(watched);
		item_make_unready(item);
		events = item->event.events & ~EPOLL_PRIVATE ? item_events(item) : 0;
		if (events) {
			out[count].events = events;
			out[count].data = item->event.data;
			count++;
			if (item->event.events & EPOLLONESHOT)
				item->event.events &= EPOLL_PRIVATE;
			else if (!(item->event.events & EPOLLET))
				item_make_ready(item);
		}
		file_put(watched);
	}
	return count;
}

/* Events that are there, copied to user memory: how many; -EFAULT. */
static int64_t epoll_send(struct epoll *set, uaddr_t user, int max)
{
	struct epoll_event batch[EPOLL_BATCH];
	unsigned left, total = 0;
	int64_t rc = 0;

	mutex_lock(&set->lock);
	left = set->ready_count;
	while (total < (unsigned)max) {
		unsigned n = epoll_gather(set, batch, MIN((unsigned)max - total, (unsigned)EPOLL_BATCH), &left);

		if (!n)
			break;
		if (copy_to_user(uaddr_add(user, total * sizeof(batch[0])), batch, n * sizeof(batch[0]))) {
			rc = -EFAULT;
			break;
		}
		total += n;
	}
	if (!TAILQ_EMPTY(&set->ready) && !waitq_empty(&set->wait))
		waitq_wake(&set->wait, 1, EPOLLIN);
	mutex_unlock(&set->lock);
	return total ? (int64_t)total : rc;
}

int64_t epoll_wait_events(struct file *file, uaddr_t events, int max, uint64_t deadline)
{
	struct epoll *set = file->private;
	struct waiter waiter;
	int64_t n = 0;
	int rc = 0;

	if (file->ops != &epoll_file_ops || max <= 0 || max > INT32_MAX / (int)sizeof(struct epoll_event))
		return -EINVAL;
	if (!user_range_ok(events, (uint64_t)max * sizeof(struct epoll_event)))
		return -EFAULT;
	for (;;) {
		if (!TAILQ_EMPTY(&set->ready))
			n = epoll_send(set, events, max);
		if (n || rc || deadline == 0)
			break;
		waiter_init(&waiter);
		waiter.exclusive = true;
		waitq_add(&set->wait, &waiter);
		while (!rc && TAILQ_EMPTY(&set->ready))
			rc = task_block(deadline, true);
		waitq_remove(&waiter);
	}
	if (rc == -EINTR && !TAILQ_EMPTY(&set->ready))
		waitq_wake(&set->wait, 1, EPOLLIN); /* the wake-up that was meant for us */
	return n || rc == -ETIMEDOUT ? n : rc;
}
