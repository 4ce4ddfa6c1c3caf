/*
 * The page cache of regular files: filling pages from the host, and writing dirty ones back.
 *
 * On an exclusive mount writes stay in the cache until the file is closed, synced, a
 * second has gone by, or too much is dirty; an unlinked file's pages are never written. On
 * a shared mount every write goes through at once (file.c). Pages that lie one after the
 * other in memory are moved by one host call.
 */
#include "ring0/clock.h"
#include "vfs/p9/internal.h"

#define FLUSH_DELAY_NS 1000000000ull

static struct p9fs_inode *owner_of(struct vm_object *object)
{
	return container_of(object, struct p9fs_object, base)->inode;
}

/* How many of these pages lie one after the other in memory, and are as much touched as the first. */
static unsigned run_length(struct page **pages, unsigned count)
{
	unsigned n = 1;

	while (n < count && page_to_pa(pages[n]) == page_to_pa(pages[0]) + n * PAGE_SIZE &&
		!((pages[n]->flags ^ pages[0]->flags) & PAGE_UNTOUCHED))
		n++;
	return n;
}

static int object_fill_from_host(struct vm_object *object, uint64_t index, struct page **pages, unsigned count)
{
	struct p9fs_inode *pi = owner_of(object);
	unsigned done = 0;
	int rc = 0;

	if (!pi)
		return -EIO;
	inode_get(&pi->base);
	while (done < count) {
		unsigned run = run_length(pages + done, count - done);
		size_t bytes = run * PAGE_SIZE;
		void *to = page_address(pages[done]);
		uint64_t offset = (index + done) << PAGE_SHIFT;
		int64_t n = pages[done]->flags & PAGE_UNTOUCHED ? p9fs_fill(pi, to, bytes, offset) : p9fs_pread(pi, to, bytes, offset);

		if (n < 0) {
			rc = (int)n;
			break;
		}
		done += run;
		if (n < (int64_t)bytes) {
			done = count; /* the end of the host's file: the rest is zero already */
			break;
		}
	}
	inode_put(&pi->base);
	return done ? (int)done : rc;
}

/* Take the dirty pages that follow `page` in file and memory alike into one write; their number. */
static unsigned gather(struct vm_object *object, uint64_t index, struct page *page, struct page **pages, unsigned max)
{
	unsigned n = 1;

	pages[0] = page;
	while (n < max && (index + n) << PAGE_SHIFT < object->size) {
		struct page *next = object_find_page(object, index + n);

		if (!next)
			break;
		if (!(next->flags & PAGE_DIRTY) || next->flags & PAGE_WRITEBACK ||
			page_to_pa(next) != page_to_pa(page) + n * PAGE_SIZE) {
			page_put(next);
			break;
		}
		next->flags = (uint16_t)((next->flags & ~PAGE_DIRTY) | PAGE_WRITEBACK);
		object->nr_dirty--;
		pages[n++] = next;
	}
	return n;
}

static int object_write_to_host(struct vm_object *object, uint64_t index, struct page *page, unsigned length)
{
	struct p9fs_inode *pi = owner_of(object);
	struct page *pages[32];
	uint64_t start = index << PAGE_SHIFT, end;
	unsigned count;
	int64_t n;

	if (!pi)
		return -EIO;
	count = length == PAGE_SIZE ? gather(object, index, page, pages, ARRAY_SIZE(pages)) : 1;
	end = count == 1 ? start + length : MIN(start + count * PAGE_SIZE, object->size);
	inode_get(&pi->base);
	n = p9fs_pwrite(pi, page_address(page), end - start, start);
	pi->wrote = true;
	p9fs_changed(&pi->base);
	if (n >= 0 && (uint64_t)n < end - start)
		n = -EIO;
	for (unsigned i = 1; i < count; i++) {
		pages[i]->flags &= (uint16_t)~PAGE_WRITEBACK;
		if (n < 0)
			object_set_dirty(object, pages[i]);
		page_put(pages[i]);
	}
	if (count > 1)
		waitq_wake_all(&object->waiters);
	inode_put(&pi->base);
	return n < 0 ? (int)n : 0;
}

static void object_free(struct vm_object *object)
{
	kfree(container_of(object, struct p9fs_object, base));
}

static const struct vm_object_ops p9fs_object_ops = {
	.fill = object_fill_from_host,
	.writeback = object_write_to_host,
	.release = object_free,
};

int p9fs_object_create(struct p9fs_inode *pi)
{
	struct p9fs_object *object;

	if (pi->base.object)
		return 0;
	object = kzalloc(sizeof(*object));
	if (!object)
		return -ENOMEM;
	object_init(&object->base, &p9fs_object_ops, pi->base.size);
	object->inode = pi;
	pi->base.object = &object->base;
	return 0;
}

void p9fs_object_detach(struct p9fs_inode *pi)
{
	if (pi->base.object)
		container_of(pi->base.object, struct p9fs_object, base)->inode = NULL;
}

int p9fs_flush(struct p9fs_inode *pi)
{
	struct vm_object *object = pi->base.object;
	int rc;

	if (!object || !object->nr_dirty)
		return 0;
	object_get(object);
	rc = object_sync(object, 0, object->size);
	object_put(object);
	return rc;
}

/* ---- who may have something to write ---- */

void p9fs_writer_add(struct p9fs_inode *pi)
{
	if (pi->on_writers)
		return;
	TAILQ_INSERT_TAIL(&p9fs_s(&pi->base)->writers, pi, writer_link);
	pi->on_writers = true;
}

void p9fs_writer_remove_idle(struct p9fs_inode *pi)
{
	bool dirty = pi->base.object && pi->base.object->nr_dirty && pi->base.nlink;

	if (!pi->on_writers || pi->write_opens || (dirty && pi->base.refs))
		return;
	TAILQ_REMOVE(&p9fs_s(&pi->base)->writers, pi, writer_link);
	pi->on_writers = false;
}

/* Each inode that is on the list now, once: moved to the end as it is taken, for the list changes while we sleep. */
int p9fs_flush_all(struct p9fs_super *super)
{
	struct p9fs_inode *pi;
	unsigned count = 0;
	int result = 0;

	TAILQ_FOREACH(pi, &super->writers, writer_link)
		count++;
	while (count-- && (pi = TAILQ_FIRST(&super->writers)) != NULL) {
		int rc;

		TAILQ_REMOVE(&super->writers, pi, writer_link);
		TAILQ_INSERT_TAIL(&super->writers, pi, writer_link);
		if (!pi->base.refs || !pi->base.nlink)
			continue;
		inode_get(&pi->base);
		rc = p9fs_flush(pi);
		if (rc)
			result = rc;
		p9fs_writer_remove_idle(pi);
		inode_put(&pi->base);
	}
	return result;
}

static void flush_work(struct kwork *work)
{
	struct p9fs_super *super = container_of(work, struct p9fs_super, flush_work);
	int rc;

	if (!super->sb) {
		kfree(super); /* unmounted while this was queued */
		return;
	}
	rc = p9fs_flush_all(super);
	if (rc)
		klog(LOG_WARNING, "9p: write-back: error %d", -rc);
}

static void flush_timer(struct ktimer *timer)
{
	struct p9fs_super *super = container_of(timer, struct p9fs_super, flush_timer);

	super->flush_armed = false;
	kwork_queue(&super->flush_work);
}

void p9fs_flush_soon(struct p9fs_super *super)
{
	if (super->flush_armed)
		return;
	super->flush_armed = true;
	ktimer_start(&super->flush_timer, clock_monotonic() + FLUSH_DELAY_NS);
}

void p9fs_flush_init(struct p9fs_super *super)
{
	super->flush_work.fn = flush_work;
	ktimer_init(&super->flush_timer, flush_timer);
	TAILQ_INIT(&super->writers);
}

void p9fs_flush_end(struct p9fs_super *super)
{
	ktimer_cancel(&super->flush_timer);
	super->sb = NULL;
	if (!super->flush_work.queued)
		kfree(super);
}
