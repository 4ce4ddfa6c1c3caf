/*
 * VM objects: the pages of a file or of shared memory, by index (the page cache).
 *
 * vfs/ embeds a struct vm_object in a regular file's data and supplies ops->fill; shared
 * memory has no fill and starts as zeros. A page in the tree holds one reference for it
 * and has PAGE_CACHED set. A page that is in the tree without PAGE_UPTODATE is being
 * filled by somebody: wait on object->waiters and look again.
 *
 * Whoever calls something that may sleep holds a reference to the object. Pages may leave
 * the tree during any sleep (truncation, reclaim): a reference keeps only the page.
 */
#include "kernel/mm/account.h"
#include "kernel/mm/tree.h"
#include "ring0/upcall.h"
#include "ring0/usercopy.h"

#define FILL_RANDOM 16u     /* an aligned block around a lone miss */
#define FILL_SEQUENTIAL 32u /* ahead of a reader in sequence */
#define FILL_MAX 32u
#define DROP_AT_ONCE 1024u /* pages, between two breaths */

void object_init(struct vm_object *object, const struct vm_object_ops *ops, uint64_t size)
{
	memset(object, 0, sizeof(*object));
	object->ops = ops;
	object->refs = 1;
	object->size = size;
	TAILQ_INIT(&object->vmas);
	waitq_init(&object->waiters);
}

struct vm_object *object_create_shmem(uint64_t size)
{
	static const struct vm_object_ops shmem_ops;
	struct vm_object *object = kmalloc(sizeof(*object));

	if (!object)
		return NULL;
	object_init(object, &shmem_ops, size);
	object->shmem = true;
	return object;
}

void object_get(struct vm_object *object)
{
	BUG_ON(object->refs == 0);
	object->refs++;
}

static int object_add(struct vm_object *object, uint64_t index, struct page *page)
{
	int rc = tree_insert(object, index, page);

	if (rc < 0)
		return rc;
	page_get(page);
	page->object = object;
	page->index = index;
	page->flags |= PAGE_CACHED | (object->shmem ? PAGE_SHMEM : 0);
	object->nr_pages++;
	account_page(page, object->shmem ? ACCOUNT_SHMEM : ACCOUNT_FILE);
	if (object->shmem)
		shmem_pages++;
	cached_pages++;
	return 0;
}

/* Out of the tree; the tree's reference goes to the caller. */
static void object_detach(struct vm_object *object, struct page *page)
{
	tree_remove(object, page->index);
	if (page->flags & PAGE_DIRTY)
		object->nr_dirty--;
	account_drop(page, page->flags & PAGE_SHMEM ? ACCOUNT_SHMEM : ACCOUNT_FILE);
	if (page->flags & PAGE_SHMEM)
		shmem_pages--;
	cached_pages--;
	object->nr_pages--;
	page->flags &= (uint16_t)~(PAGE_CACHED | PAGE_DIRTY | PAGE_SHMEM);
	page->object = NULL;
}

static void object_drop_pages(struct vm_object *object, uint64_t first, uint64_t end)
{
	struct page *page;

	for (uint64_t index = first; (page = tree_next(object, &index)) != NULL && index < end; index++) {
		object_detach(object, page);
		page_put(page);
	}
}

void object_put(struct vm_object *object)
{
	BUG_ON(object->refs == 0);
	if (--object->refs > 0)
		return;
	BUG_ON(!TAILQ_EMPTY(&object->vmas));
	object_drop_pages(object, 0, UINT64_MAX);
	extent_forget(object);
	object_forget_policies(object);
	if (object->ops && object->ops->release)
		object->ops->release(object);
	else
		kfree(object);
}

struct page *object_find_page(struct vm_object *object, uint64_t index)
{
	struct page *page = tree_find(object, index);

	if (!page || !(page->flags & PAGE_UPTODATE))
		return NULL;
	page->flags |= PAGE_ACCESSED;
	page_get(page);
	return page;
}

uint64_t object_next_page(const struct vm_object *object, uint64_t index, uint64_t end)
{
	return tree_next(object, &index) ? MIN(index, end) : end;
}

struct page *object_add_zero_page(struct vm_object *object, uint64_t index)
{
	struct page *page = object->shmem ? NULL : extent_take(object, index);

	if (!page)
		page = page_alloc_zeroed(PAGE_USER);
	if (!page)
		return NULL;
	if (object_add(object, index, page) < 0) {
		page_put(page);
		return NULL;
	}
	page->flags |= PAGE_UPTODATE;
	return page;
}

/* The run of absent pages around index that is worth reading at once. */
static unsigned fill_window(struct vm_object *object, uint64_t index, uint64_t *first)
{
	uint64_t limit = MAX(PAGE_ALIGN(object->size) >> PAGE_SHIFT, index + 1);
	uint64_t low = index, high;

	if (index == 0 || tree_find(object, index - 1)) {
		high = MIN(limit, index + FILL_SEQUENTIAL);
	} else {
		uint64_t block = index & ~(uint64_t)(FILL_RANDOM - 1);

		while (low > block && !tree_find(object, low - 1))
			low--;
		high = MIN(limit, block + FILL_RANDOM);
	}
	*first = low;
	while (index + 1 < high && !tree_find(object, index + 1))
		index++;
	return (unsigned)(index + 1 - low);
}

/* Fresh zeroed pages for the file's from `first` on: beside those that it has, else in blocks so that the host reads them in one piece. */
static unsigned fill_alloc(struct vm_object *object, uint64_t first, struct page **pages, unsigned count)
{
	unsigned have = 0;

	while (have < count) {
		struct page *page = extent_take(object, first + have);

		if (page) {
			pages[have++] = page;
			continue;
		}
		if (count - have >= BLOCK_PAGES && (page = page_alloc_fill(BLOCK_ORDER)) != NULL) {
			page_split(page, BLOCK_ORDER);
			for (unsigned i = 0; i < BLOCK_PAGES; i++)
				pages[have++] = page + i;
			continue;
		}
		page = page_alloc_fill(0);
		if (!page)
			break;
		pages[have++] = page;
	}
	return have;
}

/* Read a run of pages that holds index. 0: some were filled, look again; -errno. */
static int object_fill(struct vm_object *object, uint64_t index)
{
	struct page *pages[FILL_MAX];
	uint64_t first;
	unsigned count = fill_window(object, index, &first), added, i;
	int rc;

	count = fill_alloc(object, first, pages, count);
	/* Allocation may have evicted pages, never added any: the run is still absent. */
	for (added = 0; added < count; added++)
		if (object_add(object, first + added, pages[added]) < 0)
			break;
	for (i = added; i < count; i++)
		page_put(pages[i]);
	if (first + added <= index) {
		rc = -ENOMEM;
		i = 0;
	} else {
		rc = object->ops->fill(object, first, pages, added);
		if (rc > (int)added)
			rc = (int)added;
		i = rc > 0 ? (unsigned)rc : 0;
	}
	for (unsigned j = 0; j < added; j++) {
		struct page *page = pages[j];
		page->flags &= (uint16_t)~PAGE_UNTOUCHED;
		bool ours = page->object == object && (page->flags & PAGE_CACHED);

		if (j < i) {
			page->flags |= PAGE_UPTODATE | PAGE_ACCESSED;
		} else if (ours) {
			object_detach(object, page);
			page_put(page);
		}
		page_put(page);
	}
	waitq_wake_all(&object->waiters);
	if (rc < 0)
		return rc;
	return rc == 0 ? -EIO : 0;
}

int object_get_page(struct vm_object *object, uint64_t index, struct page **result)
{
	for (;;) {
		struct page *page = tree_find(object, index);
		int rc;

		if (page && (page->flags & PAGE_UPTODATE)) {
			page->flags |= PAGE_ACCESSED;
			page_get(page);
			*result = page;
			return 0;
		}
		if (page) {
			/* page is only looked into while the tree still holds it. */
			rc = wait_event(&object->waiters,
				tree_find(object, index) != page || (page->flags & PAGE_UPTODATE), DEADLINE_NONE, false);
		} else if (object->ops && object->ops->fill) {
			rc = account_is_pressed() ? account_enforce_in_call() : 0;
			if (rc == 0)
				rc = object_fill(object, index);
		} else {
			page = object_add_zero_page(object, index);
			*result = page;
			return page ? 0 : -ENOMEM;
		}
		if (rc < 0)
			return rc;
	}
}

void object_set_dirty(struct vm_object *object, struct page *page)
{
	if (page->flags & PAGE_DIRTY || page->object != object || !object->ops || !object->ops->writeback)
		return;
	page->flags |= PAGE_DIRTY;
	object->nr_dirty++;
}

/* A page to read from: a hole of an object that is its own store reads as the zero page and stays a hole. */
static int object_read_page(struct vm_object *object, uint64_t index, struct page **page)
{
	if (object->ops && object->ops->fill)
		return object_get_page(object, index, page);
	*page = object_find_page(object, index);
	if (!*page) {
		*page = zero_page;
		page_get(zero_page);
	}
	return 0;
}

int64_t object_read(struct vm_object *object, uint64_t offset, void *to, size_t n)
{
	size_t done = 0;

	while (done < n) {
		uint64_t at = offset + done, in = at & ~PAGE_MASK;
		size_t part = MIN(n - done, PAGE_SIZE - in);
		struct page *page;
		int rc = object_read_page(object, at >> PAGE_SHIFT, &page);

		if (rc < 0)
			return done ? (int64_t)done : rc;
		memcpy((char *)to + done, (char *)page_address(page) + in, part);
		page_put(page);
		done += part;
	}
	return (int64_t)done;
}

/* A copy that goes on page by page has come past another BREATH_BYTES. */
static bool is_breath_due(size_t done)
{
	return done % BREATH_BYTES < PAGE_SIZE && done >= BREATH_BYTES;
}

int64_t object_read_user(struct vm_object *object, uint64_t offset, uaddr_t to, size_t n)
{
	size_t done = 0;

	while (done < n) {
		uint64_t at = offset + done, in = at & ~PAGE_MASK;
		size_t part = MIN(n - done, PAGE_SIZE - in), left;
		struct page *page;
		int rc = object_read_page(object, at >> PAGE_SHIFT, &page);

		if (rc < 0)
			return done ? (int64_t)done : rc;
		left = copy_to_user_partial(uaddr_add(to, done), (char *)page_address(page) + in, part);
		page_put(page);
		done += part - left;
		if (left)
			return done ? (int64_t)done : -EFAULT;
		if (is_breath_due(done) && task_breathe())
			break;
	}
	return (int64_t)done;
}

/* A page to write into: one past the end of the object needs no filling. */
static int object_write_page(struct vm_object *object, uint64_t index, struct page **page)
{
	int rc = account_is_pressed() ? account_enforce_in_call() : 0;

	if (rc < 0)
		return rc;
	if (index >= PAGE_ALIGN(object->size) >> PAGE_SHIFT && !tree_find(object, index)) {
		*page = object_add_zero_page(object, index);
		return *page ? 0 : -ENOMEM;
	}
	return object_get_page(object, index, page);
}

int64_t object_write(struct vm_object *object, uint64_t offset, const void *from, size_t n)
{
	size_t done = 0;

	while (done < n) {
		uint64_t at = offset + done, in = at & ~PAGE_MASK;
		size_t part = MIN(n - done, PAGE_SIZE - in);
		struct page *page;
		int rc = object_write_page(object, at >> PAGE_SHIFT, &page);

		if (rc < 0)
			return done ? (int64_t)done : rc;
		memcpy((char *)page_address(page) + in, (const char *)from + done, part);
		page_changed(page);
		object_set_dirty(object, page);
		page_put(page);
		done += part;
	}
	return (int64_t)done;
}

/*
 * A whole page that is not cached and would be overwritten entirely: take the data into
 * a fresh page first, so that nothing is read. 1: done; 0: the usual way; -ENOMEM.
 */
static int object_write_fresh(struct vm_object *object, uint64_t index, uaddr_t from)
{
	struct page *page;

	if (!object->ops || !object->ops->fill || tree_find(object, index) || account_is_pressed())
		return 0;
	page = page_alloc(PAGE_USER, 0);
	if (!page)
		return -ENOMEM;
	if (copy_from_user_partial(page_address(page), from, PAGE_SIZE) || tree_find(object, index) ||
		object_add(object, index, page) < 0) {
		page_put(page);
		return 0;
	}
	page->flags |= PAGE_UPTODATE;
	object_set_dirty(object, page);
	page_put(page);
	return 1;
}

int64_t object_write_user(struct vm_object *object, uint64_t offset, uaddr_t from, size_t n)
{
	size_t done = 0;

	while (done < n) {
		uint64_t at = offset + done, in = at & ~PAGE_MASK;
		size_t part = MIN(n - done, PAGE_SIZE - in), left;
		struct page *page;
		int rc = part == PAGE_SIZE ? object_write_fresh(object, at >> PAGE_SHIFT, uaddr_add(from, done)) : 0;

		if (rc > 0) {
			done += part;
			if (is_breath_due(done) && task_breathe())
				break;
			continue;
		}
		if (rc == 0)
			rc = object_write_page(object, at >> PAGE_SHIFT, &page);
		if (rc < 0)
			return done ? (int64_t)done : rc;
		left = copy_from_user_partial((char *)page_address(page) + in, uaddr_add(from, done), part);
		if (left < part) {
			page_changed(page);
			object_set_dirty(object, page);
		}
		page_put(page);
		done += part - left;
		if (left)
			return done ? (int64_t)done : -EFAULT;
		if (is_breath_due(done) && task_breathe())
			break;
	}
	return (int64_t)done;
}

/* Unmap [start, end) of the object wherever it is mapped; even_private: private copies too. */
static void object_unmap(struct vm_object *object, uint64_t start, uint64_t end, bool even_private)
{
	struct vma *vma;

	TAILQ_FOREACH(vma, &object->vmas, object_link) {
		uint64_t last = vma->offset + (vma->end - vma->start), from = MAX(start, vma->offset);
		uint64_t to = MIN(end, last);
		struct unmap unmap;

		if (from >= to)
			continue;
		unmap_begin(&unmap, vma->mm);
		unmap_range(&unmap, vma->start + (from - vma->offset), vma->start + (to - vma->offset),
			even_private ? NULL : object);
		unmap_finish(&unmap);
	}
}

/* even_private: copies in private mappings, too. */
static void drop_slowly(struct vm_object *object, uint64_t first, uint64_t end, bool even_private)
{
	if (object->nr_pages < DROP_AT_ONCE)
		return;
	for (uint64_t index = first; tree_next(object, &index) && index < end;) {
		uint64_t stop = MIN(index + DROP_AT_ONCE, end);

		object_unmap(object, index << PAGE_SHIFT, stop << PAGE_SHIFT, even_private);
		object_drop_pages(object, index, stop);
		index = stop;
		(void)task_breathe();
	}
}

void object_drop_slowly(struct vm_object *object, uint64_t start, uint64_t end)
{
	drop_slowly(object, start >> PAGE_SHIFT, end >> PAGE_SHIFT, false);
}

static void truncate_with(struct vm_object *object, uint64_t size, bool slowly)
{
	uint64_t first = PAGE_ALIGN(size);
	struct page *page;
	bool shrinks = size < object->size;

	object->size = size; /* from here on faults bring nothing back */
	if (shrinks && slowly)
		drop_slowly(object, first >> PAGE_SHIFT, UINT64_MAX >> PAGE_SHIFT, true);
	if (!shrinks && object->nr_pages == 0)
		return;
	object_unmap(object, first, UINT64_MAX & PAGE_MASK, true);
	object_drop_pages(object, first >> PAGE_SHIFT, UINT64_MAX);
	if (shrinks && size & ~PAGE_MASK && (page = tree_find(object, size >> PAGE_SHIFT)) != NULL) {
		memset((char *)page_address(page) + (size & ~PAGE_MASK), 0, PAGE_SIZE - (size & ~PAGE_MASK));
		page_changed(page);
	}
	waitq_wake_all(&object->waiters);
}

void object_truncate(struct vm_object *object, uint64_t size)
{
	truncate_with(object, size, false);
}

void object_truncate_slowly(struct vm_object *object, uint64_t size)
{
	truncate_with(object, size, true);
}

void object_drop_range(struct vm_object *object, uint64_t start, uint64_t end)
{
	uint64_t first = PAGE_ALIGN(start), last = end == UINT64_MAX ? end & PAGE_MASK : end & PAGE_MASK;

	if (first < last) {
		object_unmap(object, first, last, false);
		object_drop_pages(object, first >> PAGE_SHIFT, last >> PAGE_SHIFT);
	}
	/* Parts of a page at the edges become zero. */
	for (unsigned edge = 0; edge < 2; edge++) {
		uint64_t from = edge == 0 ? start : MAX(start, last);
		uint64_t to = edge == 0 ? MIN(end, first) : end;
		struct page *page;

		if (from >= to || (edge == 1 && last < first))
			continue;
		page = tree_find(object, from >> PAGE_SHIFT);
		if (page && (page->flags & PAGE_UPTODATE)) {
			memset((char *)page_address(page) + (from & ~PAGE_MASK), 0, to - from);
			page_changed(page);
			object_set_dirty(object, page);
		}
	}
	waitq_wake_all(&object->waiters);
}

/* Shared mappings of a range lose their right to write, so that the next write marks the page dirty again. */
static void object_protect(struct vm_object *object, uint64_t start, uint64_t end)
{
	struct vma *vma;

	TAILQ_FOREACH(vma, &object->vmas, object_link) {
		uint64_t from = MAX(start, vma->offset), to = MIN(end, vma->offset + (vma->end - vma->start));
		struct mm *mm = vma->mm;
		uint64_t address, stop;
		bool changed = false;
		pte_t *pte;

		if (from >= to || !(vma->flags & VM_SHARED) || !(vma->flags & VM_MAYWRITE))
			continue;
		stop = vma->start + (to - vma->offset);
		for (address = vma->start + (from - vma->offset); (pte = pt_next(mm, &address, stop)) != NULL;
			address += PAGE_SIZE)
			if (*pte & PTE_W) {
				*pte &= ~PTE_W;
				changed = true;
			}
		if (changed)
			machine->space_flush(&mm->space, vma->start + (from - vma->offset), to - from);
	}
}

int object_sync(struct vm_object *object, uint64_t start, uint64_t end)
{
	uint64_t last = end > UINT64_MAX - PAGE_SIZE ? UINT64_MAX >> PAGE_SHIFT : PAGE_ALIGN(end) >> PAGE_SHIFT;
	struct page *page;
	int result = 0;

	if (!object->ops || !object->ops->writeback || object->nr_dirty == 0)
		return 0;
	object_protect(object, start & PAGE_MASK, last << PAGE_SHIFT);
	for (uint64_t index = start >> PAGE_SHIFT; (page = tree_next(object, &index)) != NULL && index < last; index++) {
		uint64_t at = index << PAGE_SHIFT;
		int rc;

		if (page->flags & PAGE_WRITEBACK) {
			page_get(page);
			rc = wait_event(&object->waiters, !(page->flags & PAGE_WRITEBACK), DEADLINE_NONE, false);
			page_put(page);
			if (rc < 0)
				return rc;
			index--; /* look at it again: it may be dirty, or gone */
			continue;
		}
		if (!(page->flags & PAGE_DIRTY) || at >= object->size)
			continue;
		page_get(page);
		page->flags = (uint16_t)((page->flags & ~PAGE_DIRTY) | PAGE_WRITEBACK);
		object->nr_dirty--;
		rc = object->ops->writeback(object, index, page, (unsigned)MIN(PAGE_SIZE, object->size - at));
		page->flags &= (uint16_t)~PAGE_WRITEBACK;
		if (rc < 0) {
			result = rc;
			object_set_dirty(object, page);
		}
		page_put(page);
		waitq_wake_all(&object->waiters);
	}
	return result;
}

bool kernel_page_hold(uint64_t pa)
{
	struct page *page = pa_to_page(pa);
	struct vma *vma;

	if ((page->flags & (PAGE_CACHED | PAGE_UPTODATE)) != (PAGE_CACHED | PAGE_UPTODATE))
		return false;
	TAILQ_FOREACH(vma, &page->object->vmas, object_link)
		if ((vma->flags & (VM_SHARED | VM_WRITE)) == (VM_SHARED | VM_WRITE))
			return false;
	page_get(page);
	page->flags |= PAGE_HELD;
	return true;
}

bool kernel_page_keep(uint64_t pa)
{
	struct page *page = pa_to_page(pa);

	if ((page->flags & (PAGE_CACHED | PAGE_UPTODATE | PAGE_SHMEM)) != (PAGE_CACHED | PAGE_UPTODATE))
		return false;
	page_get(page);
	return true;
}

/* PAGE_HELD stays: another may hold it, and a needless word to the machine costs little. */
void kernel_page_release(uint64_t pa)
{
	page_put(pa_to_page(pa));
}

bool object_evict(struct page *page)
{
	struct vm_object *object = page->object;

	if (page->flags & (PAGE_DIRTY | PAGE_WRITEBACK | PAGE_SHMEM) || !(page->flags & PAGE_UPTODATE) ||
		!object->ops || !object->ops->fill)
		return false;
	if (page->refs > 1)
		object_unmap(object, page->index << PAGE_SHIFT, (page->index + 1) << PAGE_SHIFT, false);
	if (page->refs > 1)
		return false;
	object_detach(object, page);
	page_put(page);
	return true;
}
