/*
 * The kernel heap: slabs of equal objects for small sizes, page blocks for large ones.
 *
 * A slab is one block of kernel-zone pages that begins with its header; each page's
 * struct page points at the slab, so kfree() finds it from any object. Objects are
 * 16-byte aligned. Anything above 2 KiB is a block of its own. Nothing here sleeps; NULL
 * means that the kernel zone is full.
 *
 * Control groups pay for it (kernel/mm/account.h): each account has slabs of its own, and is charged for them whole, so that an object costs
 * nothing to charge. What the kernel's own tasks take is in slabs that nobody pays for. An account that was closed keeps no empty
 * slab, so that it goes with its last object. Each slab and block is also counted for the process that made it be there (`heap_pages`),
 * until it is freed: for the OOM killer to see who has taken it.
 */
#include "kernel/mm/account.h"
#include "kernel/mm/internal.h"
#include "kernel/process.h"

static const uint16_t class_size[HEAP_CLASSES] = {16, 32, 48, 64, 96, 128, 192, 256, 384, 576, 768, 1024, 1536, 2048};
#define CLASS_MAX 2048u
#define KEEP_EMPTY 2u /* empty slabs kept a class */

struct slab {
	TAILQ_ENTRY(slab) link; /* on partial while it has a free object */
	void *free;             /* chain of freed objects */
	uint16_t class, used, total, fresh; /* fresh: objects never handed out yet, at the end */
	struct heap_lists *lists; /* of the account that pays for it */
	int maker;              /* process number; 0: none */
};
#define SLAB_HEADER 64u
_Static_assert(sizeof(struct slab) <= SLAB_HEADER, "objects start behind it");

static struct heap_lists unpaid;
static bool ready;

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
	heap_lists_init(&unpaid);
	ready = true;
}

void heap_lists_init(struct heap_lists *lists)
{
	for (unsigned class = 0; class < HEAP_CLASSES; class++)
		TAILQ_INIT(&lists->classes[class].partial);
	lists->keep = KEEP_EMPTY;
}

/* ---- who pays ---- */

/* A block of pages for the heap. Returns the number of the process that it is counted for; 0: none. */
static int block_charge(struct page *page)
{
	struct process *process = current ? current->process : NULL;

	if (!process)
		return 0;
	account_page(page, ACCOUNT_HEAP);
	process->heap_pages += 1ull << page->order;
	return process->pid;
}

static void block_uncharge(struct page *page, int maker)
{
	const struct task *task = maker ? task_find_global(maker) : NULL;
	uint64_t pages = 1ull << page->order;

	/* Its number may be another's by now. */
	if (task && task->process)
		task->process->heap_pages -= MIN(pages, task->process->heap_pages);
	account_drop(page, ACCOUNT_HEAP);
}

/* ---- slabs ---- */

static unsigned slab_order(unsigned class)
{
	return class_size[class] <= 256 ? 0 : class_size[class] <= 1024 ? 1 : 3;
}

static struct slab *slab_create(struct heap_lists *lists, unsigned class)
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
	slab->lists = lists;
	if (lists != &unpaid)
		slab->maker = block_charge(page);
	TAILQ_INSERT_HEAD(&lists->classes[class].partial, slab, link);
	lists->classes[class].empty++;
	return slab;
}

static void slab_destroy(struct slab *slab)
{
	unsigned order = slab_order(slab->class);
	struct page *page = pa_to_page(va_to_pa(slab));

	TAILQ_REMOVE(&slab->lists->classes[slab->class].partial, slab, link);
	slab->lists->classes[slab->class].empty--;
	block_uncharge(page, slab->maker); /* the account may go with it, and the lists */
	for (uint64_t i = 0; i < 1ull << order; i++) {
		page[i].flags = 0;
		page[i].object = NULL;
	}
	page_put(page);
}

void heap_lists_close(struct heap_lists *lists)
{
	lists->keep = 0;
	for (unsigned class = 0; class < HEAP_CLASSES; class++) {
		struct slab *slab, *next;

		TAILQ_FOREACH_SAFE(slab, &lists->classes[class].partial, link, next) {
			if (!slab->used)
				slab_destroy(slab);
		}
	}
}

static struct heap_lists *current_lists(void)
{
	struct memory_account *account = account_current();

	return account ? &account->heap : &unpaid;
}

static void *slab_alloc(unsigned class)
{
	struct heap_lists *lists = current_lists();
	struct slab *slab = TAILQ_FIRST(&lists->classes[class].partial);
	void *object;

	if (!slab) {
		slab = slab_create(lists, class);
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
		lists->classes[class].empty--;
	if (slab->used == slab->total)
		TAILQ_REMOVE(&lists->classes[class].partial, slab, link);
	return object;
}

static unsigned order_of(size_t size)
{
	unsigned order = 0;

	while ((PAGE_SIZE << order) < size)
		order++;
	return order;
}

/* What is too large for slabs. */
static void *block_alloc(size_t size, struct page *(*alloc)(enum page_zone zone, unsigned order))
{
	struct page *page = size > (1ull << 40) ? NULL : alloc(PAGE_KERNEL, order_of(size));

	if (!page)
		return NULL;
	page->index = (uint32_t)block_charge(page);
	return page_address(page);
}

void *kmalloc(size_t size)
{
	if (!ready)
		heap_setup();
	if (size <= CLASS_MAX)
		return slab_alloc(class_of[(size + 15) / 16]);
	return block_alloc(size, page_alloc);
}

void *kzalloc(size_t size)
{
	void *p;

	if (size > CLASS_MAX)
		return block_alloc(size, page_alloc_zeroed_order);
	p = kmalloc(size);
	if (p)
		memset(p, 0, size);
	return p;
}

void kfree(void *p)
{
	struct heap_lists *lists;
	struct page *page;
	struct slab *slab;

	if (!p)
		return;
	page = pa_to_page(va_to_pa(p));
	if (!(page->flags & PAGE_SLAB)) {
		BUG_ON((uint64_t)p & ~PAGE_MASK || page->refs != 1);
		block_uncharge(page, (int)page->index);
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
	lists = slab->lists;
	if (slab->used-- == slab->total)
		TAILQ_INSERT_HEAD(&lists->classes[slab->class].partial, slab, link);
	if (slab->used == 0 && ++lists->classes[slab->class].empty > lists->keep)
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
