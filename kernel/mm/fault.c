/*
 * Page faults: from an address and the CPU's error code to an installed page.
 *
 * mm_fault() never sleeps with anything of the address space in its hands. When a page
 * must be read, it takes a reference to the object, sleeps in object_get_page(), and then
 * starts over: the area may have gone meanwhile. So faults take no lock at all.
 *
 * Private anonymous memory comes in naturally aligned blocks of 64 KiB where a whole
 * block is inside the area and untouched: one fault, and one host mapping when hosted.
 * A page that is allocated here may make reclaim unmap others, so an old page is held
 * by a reference across an allocation, and PTEs are read after it.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm-generic/resource.h>

#include "kernel/files.h"
#include "kernel/mm/account.h"
#include "kernel/mm/internal.h"
#include "kernel/mm/oom.h"
#include "kernel/mm/tree.h"
#include "kernel/signal.h"
#include "kernel/task.h"
#include "ring0/clock.h"
#include "ring0/upcall.h"

#define BIG_AREA (256ull << 10)  /* in a smaller area memory comes in smaller blocks: programs' data, first heaps and stacks */
#define SMALL_BLOCK_ORDER 2u
#define RUN_ORDER 9u             /* the largest block, where an area is touched in order: 2 MiB, a page table's span */
#define COPY_AREA (2ull << 20) /* in areas up to this size: python writes most of its 1.2 MiB at the start */
#define EAGER_MIN 4u
#define EAGER_MAX 8u
#define EAGER_TURN 16u
#define OOM_RETRY_NS 5000000ull
#define FAULT_EXEC 2u
#define FAULT_FORCE 4u /* ptrace: not bound by the area's present rights */
#define FAULT_WAIT 1   /* fault_once(): bring wanted->page and call again */

struct wanted {
	struct vm_object *object; /* referenced */
	uint64_t index;
	struct page *page; /* referenced */
};

pte_t pte_bits(const struct vma *vma)
{
	pte_t bits = PTE_U | PTE_A | PTE_D;

	bits |= vma->flags & (VM_READ | VM_WRITE | VM_EXEC) ? PTE_P : PTE_HELD;
	if (!(vma->flags & VM_EXEC))
		bits |= PTE_NX;
	return bits;
}

/* May a present page of a shared area be writable without a fault that marks it dirty? */
static bool needs_no_dirty(const struct vm_object *object)
{
	return !object->ops || !object->ops->writeback;
}

static void install(struct vma *vma, pte_t *pte, struct page *page, pte_t bits)
{
	*pte = user_page_pa(page) | bits;
	mm_count_page(vma->mm, page, 1);
}

static void mark_anon(struct vma *vma, struct page *page)
{
	page->flags |= PAGE_ANON;
	anon_pages++;
	account_page(page, ACCOUNT_ANON);
	vma->has_anon = true;
}

/* ---- stack ---- */

/* Lower a stack's start to cover address: 0, -EFAULT (guard), -ENOMEM→EFAULT as Linux. */
static int stack_grow(struct vma *vma, uint64_t address)
{
	struct mm *mm = vma->mm;
	struct vma *prev = vma_prev(vma);
	uint64_t start = address & ~(BLOCK_SIZE - 1), lowest = MM_MIN_ADDRESS, pages;

	if (prev && (prev->flags & (VM_READ | VM_WRITE | VM_EXEC)))
		lowest = prev->end + (prev->flags & VM_GROWSDOWN ? 0 : STACK_GUARD);
	else if (prev)
		lowest = prev->end;
	if (start < lowest || vma->end - start > mm_rlimit(RLIMIT_STACK))
		start = address & PAGE_MASK;
	if (start < lowest || vma->end - start > mm_rlimit(RLIMIT_STACK))
		return -EFAULT;
	pages = (vma->start - start) >> PAGE_SHIFT;
	if (!mm_may_expand(mm, vma->flags, pages))
		return -EFAULT;
	vma_account(mm, vma->flags, (int64_t)pages);
	vma->start = start;
	return 0;
}

/* ---- private anonymous memory ---- */

/*
 * The next block of a program that touches an area in order is larger, up to four times what it
 * touched so far and only while memory is plenty. It is naturally aligned, so growth waits for that.
 */
static unsigned block_order(const struct vma *vma, uint64_t address, unsigned usual)
{
	unsigned order = usual;

	if (address - vma->run_end >= PAGE_SIZE << usual)
		return usual;
	while (order < RUN_ORDER && 1u << order <= 2 * vma->run_pages)
		order++;
	for (; order > usual; order--) {
		uint64_t size = PAGE_SIZE << order, block = address & ~(size - 1);

		if (block >= MAX(vma->start, vma->run_end) && vma->end - block >= size &&
			MIN(page_user_free(), account_left()) >= 32ull << order)
			break;
	}
	return order;
}

static bool block_untouched(const pte_t *first, unsigned count)
{
	uint64_t zero = user_page_pa(zero_page);

	for (unsigned i = 0; i < count; i++)
		if (PTE_USED(first[i]) && (first[i] & PTE_ADDR) - zero >= BLOCK_SIZE)
			return false;
	return true;
}

/* Reading: zero pages for what is absent around address. They are not counted and hold no references. */
static void anon_zero(struct vma *vma, uint64_t address, pte_t *pte, pte_t bits)
{
	uint64_t block = address & ~(BLOCK_SIZE - 1), zero = user_page_pa(zero_page);
	pte_t *first = pte - ((address - block) >> PAGE_SHIFT);

	for (unsigned i = 0; i < BLOCK_PAGES; i++) {
		uint64_t at = block + i * PAGE_SIZE;

		if (at >= vma->start && at < vma->end && !PTE_USED(first[i]))
			first[i] = (zero + i * PAGE_SIZE) | bits;
	}
	vma->has_anon = true;
}

/* A naturally aligned block, as far as it lies in the area, at once. False: not possible. */
static bool anon_block_order(struct vma *vma, uint64_t address, pte_t *pte, pte_t bits, unsigned order)
{
	uint64_t size = PAGE_SIZE << order, block = address & ~(size - 1);
	pte_t *first = pte - ((address - block) >> PAGE_SHIFT);
	unsigned low = block < vma->start ? (unsigned)((vma->start - block) >> PAGE_SHIFT) : 0;
	unsigned high = (unsigned)((MIN(block + size, vma->end) - block) >> PAGE_SHIFT);
	struct memory_account *account = account_current();
	bool flush = false;
	struct page *page;

	if (high - low < 2 || !block_untouched(first + low, high - low))
		return false;
	page = page_alloc_zeroed_order(PAGE_USER, order);
	if (!page)
		return false;
	page_split(page, order);
	for (unsigned i = 0; i < 1u << order; i++) {
		if (i < low || i >= high) {
			page_put(page + i);
			continue;
		}
		page[i].flags |= PAGE_ANON;
		page[i].account = account;
		flush |= first[i] & PTE_P;
		first[i] = user_page_pa(page + i) | bits;
	}
	anon_pages += high - low;
	account_charge(account, ACCOUNT_ANON, high - low);
	vma->mm->rss_anon += high - low;
	vma->has_anon = true;
	if (flush)
		machine->space_flush(&vma->mm->space, block, size);
	vma->run_pages = block + low * PAGE_SIZE == vma->run_end ? vma->run_pages + (high - low) : high - low;
	vma->run_end = block + high * PAGE_SIZE;
	return true;
}

/* False: take a single page. */
static bool anon_block(struct vma *vma, uint64_t address, pte_t *pte, pte_t bits)
{
	unsigned usual = vma->end - vma->start >= BIG_AREA ? BLOCK_ORDER : SMALL_BLOCK_ORDER;
	unsigned order = block_order(vma, address, usual);

	if (account_left() < 2 * BLOCK_PAGES)
		return false;
	return (order > usual && anon_block_order(vma, address, pte, bits, order)) ||
		anon_block_order(vma, address, pte, bits, usual);
}

/* See fault_new_area(). */
static void area_written(struct mm *mm, uint64_t address)
{
	if (mm->new_area == 0 || address - mm->new_area >= PAGE_SIZE << SMALL_BLOCK_ORDER)
		return;
	mm->new_area = 0;
	if (mm->eager < EAGER_MAX)
		mm->eager++;
}

int fault_anon(struct vma *vma, uint64_t address, pte_t *pte, unsigned flags)
{
	pte_t bits = pte_bits(vma);
	struct page *page;

	if (!(flags & FAULT_WRITE)) {
		anon_zero(vma, address, pte, bits);
		return 0;
	}
	if (vma->flags & VM_WRITE)
		bits |= PTE_W;
	area_written(vma->mm, address);
	if (anon_block(vma, address, pte, bits))
		return 0;
	page = page_alloc_zeroed(PAGE_USER);
	if (!page)
		return -ENOMEM;
	mark_anon(vma, page);
	install(vma, pte, page, bits);
	return 0;
}

/*
 * Many programs write to memory as soon as they have mapped it (malloc does to a large block's head). One that did so
 * EAGER_MIN times of late has the first pages of an area made present by mmap() itself, which saves the
 * fault; every EAGER_TURN-th area is left alone, to see whether it still does.
 */
bool fault_ahead(struct mm *mm, uint64_t address)
{
	struct vma *vma = mm_find_vma(mm, address);
	pte_t *pte = vma && vma->start <= address && current && current->mm == mm ? pt_make(mm, address) : NULL;

	if (!pte || PTE_USED(*pte) || fault_anon(vma, address, pte, FAULT_WRITE) < 0)
		return false;
	machine->space_show(&mm->space, address);
	return true;
}

void fault_new_area(struct mm *mm, uint64_t address)
{
	if (mm->new_area)
		mm->eager /= 2;
	mm->new_area = address;
	if (mm->eager >= EAGER_MIN && ++mm->eager_turn % EAGER_TURN && fault_ahead(mm, address))
		mm->new_area = 0;
}

/* ---- writing to a page that is shared so far ---- */

/* Pages around that only this mm holds (after a fork whose child is gone) become writable along. */
static void reuse_block(struct vma *vma, uint64_t address, pte_t *pte)
{
	uint64_t block = address & ~(BLOCK_SIZE - 1);
	pte_t *first = pte - ((address - block) >> PAGE_SHIFT);

	for (unsigned i = 0; i < BLOCK_PAGES; i++) {
		uint64_t at = block + i * PAGE_SIZE;
		struct page *page;

		if (at < vma->start || at >= vma->end || !(first[i] & PTE_P) || first[i] & PTE_W)
			continue;
		page = pte_page(first[i]);
		if (page->refs == 1 && (page->flags & (PAGE_ANON | PAGE_ZEROPAGE)) == PAGE_ANON)
			first[i] |= PTE_W;
	}
}

/*
 * A write to private data of a file: the pages around that are cached get their copies
 * along. Whether the page at address itself got one is for the caller to see.
 */
void fault_copy_block(struct vma *vma, uint64_t address, pte_t *pte)
{
	uint64_t block = address & ~((PAGE_SIZE << COPY_ORDER) - 1);
	pte_t *first = pte - ((address - block) >> PAGE_SHIFT), bits = pte_bits(vma) | PTE_W;
	struct page *fresh = page_alloc(PAGE_USER, COPY_ORDER);
	struct unmap unmap;

	if (!fresh)
		return;
	page_split(fresh, COPY_ORDER);
	unmap_begin(&unmap, vma->mm);
	for (unsigned i = 0; i < 1u << COPY_ORDER; i++) {
		uint64_t at = block + i * PAGE_SIZE, offset = vma->offset + (at - vma->start);
		struct page *old = NULL;

		if (at >= vma->start && at < vma->end && offset < vma->object->size &&
			(!PTE_USED(first[i]) || pte_page(first[i])->flags & PAGE_CACHED))
			old = tree_find(vma->object, offset >> PAGE_SHIFT);
		if (!old || !(old->flags & PAGE_UPTODATE) || (PTE_USED(first[i]) && pte_page(first[i]) != old)) {
			page_put(fresh + i);
			continue;
		}
		page_copy(page_address(fresh + i), page_address(old));
		if (PTE_USED(first[i]))
			unmap_range(&unmap, at, at + PAGE_SIZE, NULL);
		mark_anon(vma, fresh + i);
		install(vma, &first[i], fresh + i, bits);
	}
	unmap_finish(&unmap);
}

/* Not while the file may change: what is written to it shows in the pages that have no copy yet. */
bool fault_copies_blocks(const struct vma *vma)
{
	return vma->object && (vma->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE && vma->end - vma->start <= COPY_AREA &&
		vma->file && !file_has_writers(vma->file);
}

static int fault_copy(struct vma *vma, uint64_t address, pte_t *pte, unsigned flags)
{
	struct page *old = pte_page(*pte), *fresh;
	pte_t bits = pte_bits(vma) | (vma->flags & VM_WRITE ? PTE_W : 0);
	struct unmap unmap;

	if (old->flags & PAGE_ZEROPAGE && anon_block(vma, address, pte, bits))
		return 0;
	if (old->refs == 1 && (old->flags & (PAGE_ANON | PAGE_ZEROPAGE)) == PAGE_ANON) {
		if (vma->flags & VM_WRITE)
			reuse_block(vma, address, pte);
		return 0;
	}
	if (old->flags & PAGE_CACHED && fault_copies_blocks(vma)) {
		fault_copy_block(vma, address, pte);
		if (*pte & PTE_W)
			return 0;
		if (!PTE_USED(*pte))
			return 0; /* reclaim took it: the access faults again */
		old = pte_page(*pte);
	}
	page_get(old);
	fresh = old->flags & PAGE_ZEROPAGE ? page_alloc_zeroed(PAGE_USER) : page_alloc(PAGE_USER, 0);
	if (!fresh) {
		page_put(old);
		return -ENOMEM;
	}
	if (!(old->flags & PAGE_ZEROPAGE))
		page_copy(page_address(fresh), page_address(old));
	mark_anon(vma, fresh);
	unmap_begin(&unmap, vma->mm);
	if (PTE_USED(*pte))
		unmap_range(&unmap, address, address + PAGE_SIZE, NULL);
	install(vma, pte, fresh, bits);
	unmap_finish(&unmap);
	page_put(old);
	return 0;
}

/* ---- objects ---- */

/* Cached pages around, so that a program's text takes few faults. */
void fault_map_around(struct vma *vma, uint64_t address, pte_t *pte)
{
	uint64_t block = address & ~(AROUND_SIZE - 1), end = MIN(vma->end, block + AROUND_SIZE);
	struct vm_object *object = vma->object;
	pte_t bits = pte_bits(vma);

	if (vma->flags & VM_SHARED && vma->flags & VM_WRITE && needs_no_dirty(object))
		bits |= PTE_W;
	uint64_t at = MAX(block, vma->start), limit = vma->start + (PAGE_ALIGN(object->size) - vma->offset);
	uint64_t mapped = 0;

	/* fault_object() has seen that vma->offset is below the object's size. */
	for (end = MIN(end, limit); at < end;) {
		pte_t *slot = pte + (int64_t)(at - (address & PAGE_MASK)) / (int64_t)PAGE_SIZE;
		unsigned count;
		struct page *const *run = tree_run(object, (vma->offset + (at - vma->start)) >> PAGE_SHIFT, &count);

		count = (unsigned)MIN(count, (end - at) >> PAGE_SHIFT);
		at += count * PAGE_SIZE;
		for (unsigned i = 0; run && i < count; i++) {
			struct page *page = run[i];

			if (!page || !(page->flags & PAGE_UPTODATE) || PTE_USED(slot[i]))
				continue;
			if (bits & PTE_W)
				page_changed(page);
			page->flags |= PAGE_ACCESSED;
			page->refs++;
			slot[i] = user_page_pa(page) | bits;
			mapped++;
		}
	}
	*(object->shmem ? &vma->mm->rss_shmem : &vma->mm->rss_file) += mapped;
}

/* The object's page for a fault, with a reference, or FAULT_WAIT. */
static int fault_find(struct vma *vma, uint64_t index, struct wanted *wanted, struct page **page)
{
	struct vm_object *object = vma->object;

	*page = object_find_page(object, index);
	if (*page)
		return 0;
	if (!object->ops || !object->ops->fill) {
		if (!tree_find(object, index))
			*page = object_add_zero_page(object, index);
		return *page ? 0 : -ENOMEM;
	}
	object_get(object);
	wanted->object = object;
	wanted->index = index;
	return FAULT_WAIT;
}

static int fault_object(struct vma *vma, uint64_t address, pte_t *pte, unsigned flags, struct wanted *wanted)
{
	struct vm_object *object = vma->object;
	uint64_t offset = vma->offset + ((address & PAGE_MASK) - vma->start);
	pte_t bits = pte_bits(vma);
	struct page *page, *copy;
	int rc;

	if (offset >= object->size)
		return -EIO;
	rc = fault_find(vma, offset >> PAGE_SHIFT, wanted, &page);
	if (rc != 0)
		return rc;
	/* A program's data is read (by its loader) only to be written soon: it is copied at once. */
	if (fault_copies_blocks(vma) && (flags & FAULT_WRITE || vma->end - vma->start <= BLOCK_SIZE)) {
		fault_copy_block(vma, address & PAGE_MASK, pte);
		if (*pte & PTE_W) {
			page_put(page);
			return 0;
		}
	}
	if (flags & FAULT_WRITE && !(vma->flags & VM_SHARED)) {
		copy = page_alloc(PAGE_USER, 0);
		if (!copy) {
			page_put(page);
			return -ENOMEM;
		}
		page_copy(page_address(copy), page_address(page));
		page_put(page);
		mark_anon(vma, copy);
		install(vma, pte, copy, bits | (vma->flags & VM_WRITE ? PTE_W : 0));
		return 0;
	}
	if (vma->flags & VM_SHARED) {
		if (flags & FAULT_WRITE)
			object_set_dirty(object, page);
		if (vma->flags & VM_WRITE && (flags & FAULT_WRITE || needs_no_dirty(object)))
			bits |= PTE_W;
		if (bits & PTE_W)
			page_changed(page);
	}
	install(vma, pte, page, bits);
	if (!(flags & FAULT_WRITE))
		fault_map_around(vma, address, pte);
	return 0;
}

/* A write to a present page without the right to write. */
static int fault_present(struct vma *vma, uint64_t address, pte_t *pte, unsigned flags)
{
	struct page *page;

	if (!(flags & FAULT_WRITE) || *pte & PTE_W)
		return 0; /* somebody else was faster, or a stale translation */
	if (!(vma->flags & VM_SHARED))
		return fault_copy(vma, address & PAGE_MASK, pte, flags);
	page = pte_page(*pte);
	page_changed(page);
	object_set_dirty(vma->object, page);
	if (vma->flags & VM_WRITE)
		*pte |= PTE_W;
	return 0;
}

static int fault_rights(const struct vma *vma, unsigned flags)
{
	if (flags & FAULT_FORCE) {
		if (flags & FAULT_WRITE)
			return vma->flags & VM_WRITE || (!(vma->flags & VM_SHARED) && vma->flags & VM_MAYWRITE) ?
				0 : -EACCES;
		return vma->flags & (VM_READ | VM_MAYREAD) ? 0 : -EACCES;
	}
	if (flags & FAULT_WRITE)
		return vma->flags & VM_WRITE ? 0 : -EACCES;
	if (flags & FAULT_EXEC)
		return vma->flags & VM_EXEC ? 0 : -EACCES;
	return vma->flags & (VM_READ | VM_WRITE | VM_EXEC) ? 0 : -EACCES;
}

static int fault_once(struct mm *mm, uint64_t address, unsigned flags, struct wanted *wanted)
{
	struct vma *vma = mm_find_vma(mm, address);
	pte_t *pte;
	int rc;

	if (!vma)
		return -EFAULT;
	if (address < vma->start) {
		if (!(vma->flags & VM_GROWSDOWN))
			return -EFAULT;
		rc = stack_grow(vma, address);
		if (rc < 0)
			return rc;
	}
	rc = fault_rights(vma, flags);
	if (rc < 0)
		return rc;
	pte = pt_make(mm, address);
	if (!pte)
		return -ENOMEM;
	if (PTE_USED(*pte))
		return fault_present(vma, address, pte, flags);
	if (vma->object)
		return fault_object(vma, address, pte, flags, wanted);
	return fault_anon(vma, address, pte, flags);
}

/* Out of line: it would cost each fault some of its registers. */
static __attribute__((noinline)) int wait_until_quiet(struct mm *mm)
{
	return wait_event(&mm->busy_waiters, !mm->busy, DEADLINE_NONE, false);
}

static int fault_handle(struct mm *mm, uint64_t address, unsigned flags)
{
	struct wanted wanted = {0};
	struct page *page;
	bool major = false;
	int rc;

	for (;;) {
		rc = __builtin_expect(mm->busy, 0) ? wait_until_quiet(mm) : 0;
		if (rc < 0)
			return rc;
		rc = fault_once(mm, address, flags, &wanted);
		if (rc != FAULT_WAIT)
			break;
		major = true;
		rc = object_get_page(wanted.object, wanted.index, &page);
		object_put(wanted.object);
		if (rc < 0)
			break;
		page_put(page); /* it stays in the tree; fault_once() finds it there */
	}
	if (current) {
		if (major)
			current->maj_flt++;
		else
			current->min_flt++;
		account_fault(major);
	}
	return rc;
}

int mm_fault(struct mm *mm, uint64_t address, unsigned pf_error)
{
	if (address >= USER_TOP)
		return -EFAULT;
	return fault_handle(mm, address,
		pf_error & PF_WRITE ? FAULT_WRITE : pf_error & PF_FETCH ? FAULT_EXEC : 0);
}

static bool is_secret(struct mm *mm, uint64_t address)
{
	const struct vma *vma = mm_find_vma(mm, address);

	return vma && vma->start <= address && vma->flags & VM_SECRET;
}

int mm_get_user_page(struct mm *mm, uint64_t address, bool write, bool force, struct page **result)
{
	unsigned flags = (write ? FAULT_WRITE : 0) | (force ? FAULT_FORCE : 0);

	if (address >= USER_TOP || (mm->has_secret && is_secret(mm, address)))
		return -EFAULT;
	for (unsigned tries = 0; tries < 16; tries++) {
		pte_t *pte = pt_find(mm, address);
		int rc;

		if (pte && (*pte & PTE_P || (force && *pte & PTE_HELD))) {
			struct page *page = pte_page(*pte);
			bool own = (page->flags & (PAGE_ANON | PAGE_ZEROPAGE)) == PAGE_ANON && page->refs == 1;

			if (!write || *pte & PTE_W || (force && own)) {
				page_get(page);
				*result = page;
				return 0;
			}
		}
		rc = fault_handle(mm, address, flags);
		if (rc < 0)
			return rc;
	}
	return -EFAULT;
}

int kernel_user_fault(uint64_t address, unsigned pf_error)
{
	int rc;

	if (!current || !current->mm)
		return -EFAULT;
	/* Out of memory: the victim needs the kernel lock to end, so wait for it asleep. */
	while ((rc = mm_fault(current->mm, address, pf_error)) == -ENOMEM) {
		oom_kill();
		if (signal_fatal_pending(current) ||
			task_block(clock_monotonic() + OOM_RETRY_NS, false) == -EINTR)
			return -EFAULT;
	}
	if (rc == 0 && account_is_pressed() && account_enforce_in_call() == -EINTR)
		return -EFAULT;
	return rc < 0 ? -EFAULT : 0;
}

int mm_handle_trap(struct regs *regs, struct ksiginfo *info)
{
	int rc = current->mm ? mm_fault(current->mm, regs->addr, (unsigned)regs->error) : -EFAULT;

	if (rc == 0 || rc == -EINTR)
		return 0;
	if (rc == -ENOMEM) {
		oom_kill();
		return 0;
	}
	memset(info, 0, sizeof(*info));
	info->signo = rc == -EFAULT || rc == -EACCES ? SIGSEGV : SIGBUS;
	info->code = rc == -EFAULT ? SEGV_MAPERR : rc == -EACCES ? SEGV_ACCERR : BUS_ADRERR;
	info->addr = regs->addr;
	return rc;
}
