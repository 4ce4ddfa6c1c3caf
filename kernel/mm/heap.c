/*
 * The kernel heap: slabs of equal objects for small sizes, page blocks for large ones.
 *
 * A slab is one block of kernel-zone pages that begins with its header; each page's
 * struct page points at the slab, so kfree() finds it from any object. Objects are
 * 16-byte aligned. Anything above 2 KiB is a block of its own. Nothing here sleeps; NULL
 * means that the kernel zone is full.
 */
#include "kernel/mm/internal.h"

static const uint16_t class_size[] = {16, 32, 48, 64, 96, 128, 192, 256, 384, 576, 768, 1024, 1536, 2048};
#define CLASSES ARRAY_SIZE(class_size)
#define CLASS_MAX 2048u
#define KEEP_EMPTY 2u /* empty slabs kept a class */

struct slab {
	TAILQ_ENTRY(slab) link; /* on partial while it has a free object */
	void *free;             /* chain of freed objects */
	uint16_t class, used, total, fresh; /* fresh: objects never handed out yet, at the end */
};
#define SLAB_HEADER 64u
_Static_assert(sizeof(struct slab) <= SLAB_HEADER, "objects start behind it");

static struct {
	TAILQ_HEAD(, slab) partial;
	unsigned empty;
	bool ready;
} classes[CLASSES];

/* Size class by (size + 15) / 16; filled on first use. */
static uint8_t class_of[CLASS_MAX / 16 + 1];

static void heap_setup(void)
{
	unsigned class = 0;

	for (unsigned i = 0; i <= CLASS_MAX / 16; i++) {
		while (class_size[class] < i * 16)
			class++;
		class_of[i] = (uint8_t)class;
	}
	for (class = 0; class < CLASSES; class++)
		TAILQ_INIT(&classes[class].partial);
	classes[0].ready = true;
}

static unsigned slab_order(unsigned class)
{
	return class_size[class] <= 256 ? 0 : class_size[class] <= 1024 ? 1 : 3;
}

static struct slab *slab_create(unsigned class)
{
	unsigned order = slab_order(class);
	struct page *page = page_alloc(PAGE_KERNEL, order);
	struct slab *slab;

	if (!page)
		return NULL;
	slab = page_address(page);
	for (uint64_t i = 0; i < 1ull << order; i++) {
		page[i].flags = PAGE_SLAB;
		page[i].object = (struct vm_object *)slab;
	}
	memset(slab, 0, sizeof(*slab));
	slab->class = (uint16_t)class;
	slab->total = (uint16_t)(((PAGE_SIZE << order) - SLAB_HEADER) / class_size[class]);
	slab->fresh = slab->total;
	TAILQ_INSERT_HEAD(&classes[class].partial, slab, link);
	classes[class].empty++;
	return slab;
}

static void slab_destroy(struct slab *slab)
{
	unsigned order = slab_order(slab->class);
	struct page *page = pa_to_page(va_to_pa(slab));

	TAILQ_REMOVE(&classes[slab->class].partial, slab, link);
	classes[slab->class].empty--;
	for (uint64_t i = 0; i < 1ull << order; i++) {
		page[i].flags = 0;
		page[i].object = NULL;
	}
	page_put(page);
}

static void *slab_alloc(unsigned class)
{
	struct slab *slab = TAILQ_FIRST(&classes[class].partial);
	void *object;

	if (!slab) {
		slab = slab_create(class);
		if (!slab)
			return NULL;
	}
	if (slab->free) {
		object = slab->free;
		slab->free = *(void **)object;
	} else {
		object = (char *)slab + SLAB_HEADER + (uint32_t)(slab->total - slab->fresh) * class_size[class];
		slab->fresh--;
	}
	if (slab->used++ == 0)
		classes[class].empty--;
	if (slab->used == slab->total)
		TAILQ_REMOVE(&classes[class].partial, slab, link);
	return object;
}

static unsigned order_of(size_t size)
{
	unsigned order = 0;

	while ((PAGE_SIZE << order) < size)
		order++;
	return order;
}

void *kmalloc(size_t size)
{
	struct page *page;

	if (!classes[0].ready)
		heap_setup();
	if (size <= CLASS_MAX)
		return slab_alloc(class_of[(size + 15) / 16]);
	if (size > (1ull << 40))
		return NULL;
	page = page_alloc(PAGE_KERNEL, order_of(size));
	return page ? page_address(page) : NULL;
}

void *kzalloc(size_t size)
{
	void *p;

	if (size > CLASS_MAX) {
		struct page *page = size > (1ull << 40) ? NULL : page_alloc_zeroed_order(PAGE_KERNEL, order_of(size));

		return page ? page_address(page) : NULL;
	}
	p = kmalloc(size);
	if (p)
		memset(p, 0, size);
	return p;
}

void kfree(void *p)
{
	struct page *page;
	struct slab *slab;

	if (!p)
		return;
	page = pa_to_page(va_to_pa(p));
	if (!(page->flags & PAGE_SLAB)) {
		BUG_ON((uint64_t)p & ~PAGE_MASK || page->refs != 1);
		page_put(page);
		return;
	}
	slab = (struct slab *)page->object;
	DEBUG_BUG_ON(((uint64_t)p - (uint64_t)slab - SLAB_HEADER) % class_size[slab->class]);
	BUG_ON(slab->used == 0);
#ifdef RF_DEBUG
	memset(p, 0x5a, class_size[slab->class]);
#endif
	*(void **)p = slab->free;
	slab->free = p;
	if (slab->used-- == slab->total)
		TAILQ_INSERT_HEAD(&classes[slab->class].partial, slab, link);
	if (slab->used == 0 && ++classes[slab->class].empty > KEEP_EMPTY)
		slab_destroy(slab);
}

void *krealloc(void *p, size_t size)
{
	size_t have;
	struct page *page;
	void *to;

	if (!p)
		return kmalloc(size);
	page = pa_to_page(va_to_pa(p));
	if (page->flags & PAGE_SLAB)
		have = class_size[((struct slab *)page->object)->class];
	else
		have = PAGE_SIZE << page->order;
	if (size <= have)
		return p;
	to = kmalloc(size);
	if (!to)
		return NULL;
	memcpy(to, p, have);
	kfree(p);
	return to;
}

char *kstrdup(const char *s)
{
	size_t size = strlen(s) + 1;
	char *to = kmalloc(size);

	if (to)
		memcpy(to, s, size);
	return to;
}

void *kpages_alloc(unsigned order)
{
	struct page *page = page_alloc(PAGE_KERNEL, order);

	return page ? page_address(page) : NULL;
}

void kpages_free(void *p)
{
	if (p)
		page_put(pa_to_page(va_to_pa(p)));
}
