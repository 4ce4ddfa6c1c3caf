/*
 * What the files of kernel/mm share with each other and with nobody else.
 *
 * struct unmap gathers what an operation takes out of page tables: PTEs are cleared
 * first, then unmap_finish() flushes the range once and only then frees the pages.
 * Between unmap_begin() and unmap_finish() nothing may sleep but by unmap_breathe() and its kin, which finish and begin.
 */
#ifndef KERNEL_MM_INTERNAL_H
#define KERNEL_MM_INTERNAL_H

#include <linux/errno.h>

#include "kernel/mm.h"
#include "platform/abi/hosted.h" /* USER_TOP */
#include "ring0/lib.h"

/* A PTE that is not present but holds a page: PROT_NONE. */
#define PTE_HELD PTE_SW1
#define PTE_USED(pte) ((pte) & (PTE_P | PTE_HELD))
#define PT_SPAN (1ull << 21) /* bytes that one page table covers */
#define BLOCK_ORDER 4u
#define BLOCK_PAGES (1u << BLOCK_ORDER)
#define BLOCK_SIZE (PAGE_SIZE << BLOCK_ORDER)
#define STACK_GUARD (256ull << PAGE_SHIFT)

TAILQ_HEAD(page_list, page);

/* page.c */
extern struct page *user_map; /* descriptors of the user zone */
extern uint64_t user_base, user_size; /* bytes */
extern uint64_t anon_pages, cached_pages, shmem_pages, table_pages; /* of the whole sandbox */
uint64_t page_user_total(void); /* pages that the container may use */
uint64_t page_user_free(void);
bool page_kernel_is_short(void); /* less than a 16th of the kernel zone is left */
struct page *page_user_map(uint64_t *count); /* descriptors of the user zone, as far as it was ever used */
void page_free_list(struct page_list *list, unsigned most); /* the first so many; they have no references left */
/* Gives up a reference; true: it was the last, the caller frees it (page_free_list). */
static inline bool page_drop(struct page *page)
{
	if (page->flags & PAGE_ZEROPAGE)
		return false;
	BUG_ON(page->refs == 0);
	return --page->refs == 0;
}

/* Room for 2^order pages of the user zone, naturally aligned, which counts as free memory; NULL: none. For extent.c. */
struct page *page_reserve(unsigned order);
struct page *page_take_reserved(struct page *page); /* one of its pages: zeroed, referenced; NULL: not now, memory is short */
void page_unreserve(struct page *page);             /* one of its pages goes back */

/* extent.c */
struct page *extent_take(struct vm_object *object, uint64_t index); /* beside its neighbours: zeroed, referenced; NULL: no room there */
void extent_forget(struct vm_object *object); /* it ends */
bool extent_drop_all(void);                   /* what is set aside goes back; false: nothing was */

/* object.c, reclaim.c */
uint64_t reclaim_pages(uint64_t count); /* drops clean cached pages; how many. Does not sleep */
uint64_t reclaim_pages_of(struct memory_account *account, uint64_t count); /* of one account and those below */
/* Takes back private pages that nobody wrote to; how many. Only where nothing of an address space is in the caller's hands. */
uint64_t reclaim_untouched(const struct memory_account *only); /* NULL: of all processes */
bool object_evict(struct page *page);   /* takes a clean, unused page out of its object: true if it did */
struct page *object_add_zero_page(struct vm_object *object, uint64_t index); /* up to date, referenced; NULL: no memory */

/* pagetable.c */
typedef uint64_t pte_t;
pte_t *pt_find(struct mm *mm, uint64_t address);  /* NULL: no table there */
pte_t *pt_make(struct mm *mm, uint64_t address);  /* NULL: no memory */
/* The first table at or above *address, below end; moves *address up to what it covers. NULL: none. */
pte_t *pt_next(struct mm *mm, uint64_t *address, uint64_t end);
void pt_take_all(struct mm *mm, struct page_list *list); /* all tables out of the root; every leaf entry is clear */
void pt_free_range(struct mm *mm, uint64_t floor, uint64_t ceiling, struct page_list *list);
/* User pages only, which is all that a PTE ever holds. */
static inline struct page *pte_page(pte_t pte)
{
	DEBUG_BUG_ON((pte & PTE_ADDR) - user_base >= user_size);
	return user_map + (((pte & PTE_ADDR) - user_base) >> PAGE_SHIFT);
}
/* It was written to, or a mapping is about to allow it. */
static inline void page_changed(struct page *page)
{
	if (__builtin_expect(page->flags & PAGE_HELD, 0))
		machine->page_changes(page_to_pa(page));
}
static inline uint64_t user_page_pa(const struct page *page)
{
	return user_base + ((uint64_t)(page - user_map) << PAGE_SHIFT);
}

struct unmap {
	struct mm *mm;
	uint64_t start, end; /* range to flush; start >= end: none */
	unsigned work;       /* entries gone through; for unmap_breathe() */
	bool kept;           /* nothing goes: private pages lose rights, and stay present in the mm */
	struct page_list pages;
	struct page_list tables; /* empty page tables, taken out */
};
void unmap_begin(struct unmap *unmap, struct mm *mm);
void unmap_flush_range(struct unmap *unmap, uint64_t start, uint64_t end);
/* Clears the PTEs of a range. only: pages of this object's tree, or NULL for any. */
void unmap_range(struct unmap *unmap, uint64_t start, uint64_t end, const struct vm_object *only);
/*
 * The same with breaths in between, for what may be huge. Whoever calls holds mm->lock as writer, or nobody else has the mm:
 * areas stay as they are, but faults may bring pages back. Sleeps.
 */
void unmap_range_slowly(struct unmap *unmap, uint64_t start, uint64_t end);
/*
 * Where that may sleep and nothing of the page tables is in hand: finishes what was gathered, if that is much, and lets others
 * run, if it is time. Whether it did anything.
 */
bool unmap_breathe(struct unmap *unmap);
/* The same, and from the first time on, until mm_quiet_end(), faults wait. */
bool unmap_breathe_quietly(struct unmap *unmap);
void unmap_finish_slowly(struct unmap *unmap); /* as unmap_finish(), with breaths once nobody can reach what was gathered */
void unmap_release_slowly(struct unmap *unmap);
void mm_quiet_end(struct mm *mm);
#define SLOW_SIZE (16ull << 20) /* a range below this is gone through at once */
void unmap_finish(struct unmap *unmap);
void unmap_release(struct unmap *unmap); /* without the flush: the space is gone */
void mm_count_page(struct mm *mm, const struct page *page, int64_t n); /* rss */

/* vma.c */
struct vma *vma_create(struct mm *mm, uint64_t start, uint64_t end, uint32_t flags);
void vma_insert(struct vma *vma);
struct vma *vma_split(struct vma *vma, uint64_t address); /* the upper part; NULL: no memory or too many */
struct vma *vma_merge(struct vma *vma); /* with its neighbours, where they allow it; what it is now part of */
void vma_account(struct mm *mm, uint32_t flags, int64_t pages);
void vma_attach(struct vma *vma, struct vm_object *object, uint64_t offset, struct file *file); /* takes references */
/* Out of the tree and freed. Its file goes to *file when that is not NULL (file_put may sleep), else is put. */
void vma_remove(struct vma *vma, struct file **file);
int vma_split_range(struct mm *mm, uint64_t start, uint64_t end); /* VMAs begin and end at both */
struct vma *vma_next(struct vma *vma);
struct vma *vma_prev(struct vma *vma);
uint64_t vma_find_gap(struct mm *mm, uint64_t length, uint64_t low, uint64_t high); /* top down; 0: none */
bool vma_range_free(struct mm *mm, uint64_t start, uint64_t end);
bool vma_range_mapped(struct mm *mm, uint64_t start, uint64_t end); /* without holes */

/* policy.c */
bool vma_same_policy(const struct vma *a, const struct vma *b);

/* mmap.c */
int mm_unmap_locked(struct mm *mm, uint64_t start, uint64_t end); /* REQUIRES(mm->lock as writer); may sleep at its end */
uint64_t mm_rlimit(unsigned resource); /* soft limit of the current process, bytes */
bool mm_may_expand(struct mm *mm, uint32_t flags, uint64_t pages);
uint64_t mm_place(struct mm *mm, uint64_t hint, uint64_t length);
int mm_populate(struct mm *mm, uint64_t start, uint64_t end, bool write_private);

/* fault.c */
#define FAULT_WRITE 1u
#define AROUND_SIZE (256ull << 10) /* of cached file pages mapped with the one that faulted: below a page table's span */
#define COPY_ORDER 3u /* of private file data, copied together: a loader writes most of it */
/* Parts of a fault that nothing sleeps in. pte: of address, which lies in the area (and below its object's end). */
void fault_map_around(struct vma *vma, uint64_t address, pte_t *pte);
bool fault_copies_blocks(const struct vma *vma);
void fault_copy_block(struct vma *vma, uint64_t address, pte_t *pte); /* only with fault_copies_blocks() */
int fault_anon(struct vma *vma, uint64_t address, pte_t *pte, unsigned flags); /* 0 or -ENOMEM */
pte_t pte_bits(const struct vma *vma); /* what a PTE of this VMA has, without PTE_W */
bool fault_ahead(struct mm *mm, uint64_t address); /* private anonymous memory there is about to be written to: false: it faults */
void fault_new_area(struct mm *mm, uint64_t address); /* private anonymous writable memory was mapped at address */
#endif
