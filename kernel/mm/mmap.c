/*
 * mmap, munmap, mprotect, brk: changes of an address space's areas.
 *
 * Each decodes first (a list of questions with early returns), then performs. mm->lock is
 * held as writer so that readers that sleep (/proc) see whole changes; nothing in between
 * sleeps. Files are put after the lock is dropped. mmap(2), mprotect(2), brk(2).
 */
#include <linux/mman.h>
#include <linux/personality.h>
#include <asm-generic/resource.h>

#include "kernel/files.h"
#include "kernel/mm/account.h"
#include "kernel/mm/internal.h"
#include "kernel/sysctl.h"
#include "kernel/task.h"

#define FIRST_HEAP (64ull << 10) /* up to so much a heap is written to as soon as it grows */
#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)
#define MAP_LEGACY (MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE | \
	MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_32BIT)

/* Of these, memory that is read and written alone, from its begin. */
#define AREA_USED_UPWARDS (VM_READ | VM_WRITE | VM_EXEC | VM_SHARED | VM_GROWSDOWN | VM_NORESERVE)

uint64_t mm_rlimit(unsigned resource)
{
	if (!current || !current->process)
		return UINT64_MAX;
	return current->process->rlimit[resource].cur;
}

bool mm_may_expand(struct mm *mm, uint32_t flags, uint64_t pages)
{
	uint64_t as = mm_rlimit(RLIMIT_AS), data = mm_rlimit(RLIMIT_DATA);

	if (as != UINT64_MAX && mm->total_vm + pages > as >> PAGE_SHIFT)
		return false;
	if ((flags & (VM_WRITE | VM_SHARED | VM_STACK | VM_GROWSDOWN)) == VM_WRITE && data != UINT64_MAX &&
		mm->data_vm + pages > data >> PAGE_SHIFT)
		return false;
	/* Heuristic overcommit refuses only what can never fit. */
	if ((flags & (VM_WRITE | VM_SHARED | VM_NORESERVE)) == VM_WRITE && pages > page_user_total())
		return false;
	return true;
}

/* An area of the free room, near a hint if given. 0: none. */
uint64_t mm_place(struct mm *mm, uint64_t hint, uint64_t length)
{
	uint64_t found;

	hint = PAGE_ALIGN(hint);
	if (hint) {
		hint = MAX(hint, MM_MIN_ADDRESS);
		if (hint <= USER_TOP && length <= USER_TOP - hint && vma_range_free(mm, hint, hint + length))
			return hint;
	}
	found = vma_find_gap(mm, length, MM_MIN_ADDRESS, mm->mmap_base);
	if (!found) /* the room above the base, as Linux' bottom-up second try */
		found = vma_find_gap(mm, length, MM_MIN_ADDRESS, USER_TOP);
	return found;
}

#define LOW_START 0x40000000ull /* where MAP_32BIT puts things: the second GiB */
#define LOW_END 0x80000000ull

static uint64_t place_low(struct mm *mm, uint64_t length)
{
	uint64_t hint = mm->hole_hint, max = mm->hole_max, found;

	/* The search for ordinary mappings keeps its place. */
	mm->hole_hint = 0;
	found = vma_find_gap(mm, length, LOW_START, LOW_END);
	mm->hole_hint = hint;
	mm->hole_max = max;
	return found;
}

struct map_request {
	uint64_t address, length, offset;
	unsigned prot, flags;
	uint32_t vm_flags;
	struct file *file;
	struct vm_object *object;
};

/* Rights by the file's open mode; 0 or -errno. */
static int map_file_rights(struct map_request *map)
{
	unsigned may = file_may_map(map->file);
	bool shared = map->vm_flags & VM_SHARED;

	if (!(may & VM_MAYREAD))
		return -EACCES;
	if (shared && map->prot & PROT_WRITE && !(may & VM_MAYWRITE))
		return -EACCES;
	if (map->prot & PROT_EXEC && !(may & VM_MAYEXEC))
		return -EPERM;
	if (may & VM_SECRET && !shared)
		return -EINVAL;
	if (may & VM_SECRET)
		map->vm_flags |= VM_SECRET | VM_LOCKED | VM_DONTDUMP;
	map->vm_flags |= VM_MAYREAD | (may & VM_MAYEXEC);
	if (!shared || may & VM_MAYWRITE)
		map->vm_flags |= VM_MAYWRITE;
	return map->flags & MAP_GROWSDOWN ? -EINVAL : 0;
}

static int map_decode_flags(struct map_request *map)
{
	unsigned type = map->flags & MAP_TYPE;

	if (map->prot & PROT_READ && current && current->process && current->process->personality & READ_IMPLIES_EXEC)
		map->prot |= PROT_EXEC;
	map->vm_flags = map->prot & PROT_ALL;
	if (type == MAP_SHARED_VALIDATE && map->file) {
		if (map->flags & ~(unsigned)(MAP_LEGACY | MAP_TYPE | MAP_FIXED_NOREPLACE))
			return -EOPNOTSUPP;
		type = MAP_SHARED;
	}
	if (type != MAP_SHARED && type != MAP_PRIVATE)
		return -EINVAL;
	if (map->flags & MAP_HUGETLB)
		return -ENOMEM; /* no huge pages are reserved */
	if (type == MAP_SHARED)
		map->vm_flags |= VM_SHARED;
	if (map->flags & MAP_NORESERVE)
		map->vm_flags |= VM_NORESERVE;
	if (map->flags & MAP_GROWSDOWN)
		map->vm_flags |= VM_GROWSDOWN;
	if (map->file)
		return map_file_rights(map);
	map->vm_flags |= VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
	if (map->vm_flags & VM_SHARED && map->vm_flags & VM_GROWSDOWN)
		return -EINVAL;
	return 0;
}

static int map_decode(struct mm *mm, struct map_request *map)
{
	uint64_t end;
	int rc;

	if (map->length == 0)
		return -EINVAL;
	if (map->length > USER_TOP)
		return -ENOMEM;
	map->length = PAGE_ALIGN(map->length);
	if (map->flags & MAP_FIXED_NOREPLACE)
		map->flags |= MAP_FIXED;
	if (map->offset & ~PAGE_MASK)
		return -EINVAL;
	if (__builtin_add_overflow(map->offset, map->length, &end))
		return -EOVERFLOW;
	rc = map_decode_flags(map);
	if (rc < 0)
		return rc;
	if (map->flags & MAP_FIXED) {
		if (map->address & ~PAGE_MASK)
			return -EINVAL;
		if (map->length > USER_TOP || map->address > USER_TOP - map->length)
			return -ENOMEM;
		if (map->address < MM_MIN_ADDRESS)
			return -EPERM;
	}
	if (mm->locked_future || map->flags & MAP_LOCKED || map->vm_flags & VM_LOCKED) {
		uint64_t limit = mm_rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;

		map->vm_flags |= VM_LOCKED;
		if (mm->locked_vm + (map->length >> PAGE_SHIFT) > limit && !capable(CAP_IPC_LOCK))
			return -EAGAIN;
	}
	return 0;
}

/* Grow a neighbour instead of making an area, the common case of a growing heap. */
static bool map_extend(struct mm *mm, const struct map_request *map)
{
	struct vma *below;

	if (map->object || map->vm_flags & VM_GROWSDOWN || map->address == 0)
		return false;
	below = mm_find_vma(mm, map->address - 1);
	if (!below || below->end != map->address || below->flags != map->vm_flags || below->object ||
		below->file || below->name || below->policy.mode)
		return false;
	vma_account(mm, below->flags, (int64_t)(map->length >> PAGE_SHIFT));
	below->end += map->length;
	vma_merge(below);
	return true;
}

/* Everything is decided and the range is free: only memory can be missing. */
static int map_perform(struct mm *mm, const struct map_request *map)
{
	struct vma *vma;

	if (map_extend(mm, map))
		return 0;
	if (mm->vma_count >= sysctls.max_map_count)
		return -ENOMEM;
	vma = vma_create(mm, map->address, map->address + map->length, map->vm_flags);
	if (!vma)
		return -ENOMEM;
	vma_attach(vma, map->object, map->object ? map->offset : 0, map->file);
	mm->has_secret |= !!(map->vm_flags & VM_SECRET);
	vma_insert(vma);
	vma_merge(vma);
	return 0;
}

/* REQUIRES(mm->lock as writer). Address or -errno. */
static int64_t map_locked(struct mm *mm, struct map_request *map)
{
	uint64_t end;
	int rc;

	if (map->flags & MAP_FIXED) {
		end = map->address + map->length;
		if (!vma_range_free(mm, map->address, end)) {
			if (map->flags & MAP_FIXED_NOREPLACE)
				return -EEXIST;
			rc = mm_unmap_locked(mm, map->address, end);
			if (rc < 0)
				return rc;
		}
	} else {
		if (map->flags & MAP_32BIT)
			map->address = place_low(mm, map->length);
		else
			map->address = mm_place(mm, map->address, map->length);
		if (map->address == 0)
			return -ENOMEM;
	}
	if (!mm_may_expand(mm, map->vm_flags, map->length >> PAGE_SHIFT))
		return -ENOMEM;
	rc = map_perform(mm, map);
	return rc < 0 ? rc : (int64_t)map->address;
}

/* Whether a new area's pages are there when the call returns. What mlockall(2) locks on fault waits for its faults. */
static bool is_brought_in(const struct mm *mm, uint32_t vm_flags, unsigned flags)
{
	if (vm_flags & VM_LOCKED && (flags & MAP_LOCKED || !mm->locked_on_fault))
		return true;
	return (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
}

int64_t mm_mmap(struct mm *mm, uint64_t address, uint64_t length, unsigned prot, unsigned flags,
	struct file *file, struct vm_object *object, uint64_t offset)
{
	struct map_request map = {.address = address, .length = length, .offset = offset, .prot = prot,
		.flags = flags, .file = file, .object = object};
	struct vm_object *made = NULL;
	int64_t result = map_decode(mm, &map);

	if (result < 0)
		return result;
	if (!object && map.vm_flags & VM_SHARED) {
		made = object_create_shmem(map.length);
		if (!made)
			return -ENOMEM;
		map.object = made;
		map.offset = 0;
	} else if (!object) {
		map.file = NULL; /* /dev/zero, private: plain memory */
	}
	rwsem_write_lock(&mm->lock);
	result = map_locked(mm, &map);
	rwsem_write_unlock(&mm->lock);
	if (made)
		object_put(made);
	if (result >= 0 && is_brought_in(mm, map.vm_flags, flags))
		mm_populate(mm, (uint64_t)result, (uint64_t)result + map.length, true);
	else if (result >= 0 && !map.object && !(flags & MAP_STACK) &&
		(map.vm_flags & AREA_USED_UPWARDS) == (VM_READ | VM_WRITE))
		fault_new_area(mm, (uint64_t)result);
	return result;
}

int mm_populate(struct mm *mm, uint64_t start, uint64_t end, bool write_private)
{
	for (uint64_t at = start; at < end;) {
		struct vma *vma = mm_find_vma(mm, at);
		bool write;
		struct page *page;
		int rc;

		if (!vma || vma->start > at)
			return -ENOMEM;
		if (!(vma->flags & (VM_READ | VM_WRITE | VM_EXEC)))
			return -EACCES;
		write = write_private && vma->flags & VM_WRITE && !(vma->flags & VM_SHARED);
		rc = mm_get_user_page(mm, at, write, false, &page);
		if (rc < 0)
			return rc;
		page_put(page);
		at += PAGE_SIZE;
		rc = account_is_pressed() ? account_enforce_in_call() : 0;
		if (rc < 0)
			return rc;
		if (!(at % BREATH_BYTES) && task_breathe())
			return -EINTR;
	}
	return 0;
}

/* ---- munmap ---- */

#define PUT_BATCH 16

/* REQUIRES(mm->lock as writer). The areas lie wholly inside. Files are put at the end of a batch. */
static void unmap_areas(struct mm *mm, uint64_t start, uint64_t end)
{
	struct vma *vma = mm_find_vma(mm, start);
	struct file *files[PUT_BATCH];
	unsigned count = 0;

	while (vma && vma->start < end && count < PUT_BATCH) {
		struct vma *next = vma_next(vma);
		struct file *file = NULL;

		vma_remove(vma, &file);
		if (file)
			files[count++] = file;
		vma = next;
	}
	if (vma && vma->start < end) {
		/* Rare: more mapped files than a batch. Puts may sleep, the range is found anew. */
		while (count > 0)
			file_put(files[--count]);
		unmap_areas(mm, start, end);
		return;
	}
	while (count > 0)
		file_put(files[--count]);
}

/* The program takes away or changes what the machine runs of its own there. */
static void text_given_up(struct mm *mm, uint64_t start, uint64_t end)
{
	uint64_t text = mm->space.text;

	if (text && start < text + machine->text_size() * PAGE_SIZE && end > text)
		machine->space_plain(&mm->space);
}

/* Of a huge range most goes first, in parts, while nobody may bring anything back. */
static void unmap_first(struct mm *mm, uint64_t start, uint64_t end)
{
	struct unmap unmap;
	struct vma *vma;

	if (end - start < SLOW_SIZE)
		return;
	for (vma = mm_find_vma(mm, start); vma && vma->start < end; vma = vma_next(vma)) {
		int64_t pages = (int64_t)((vma->end - vma->start) >> PAGE_SHIFT);

		vma_account(mm, vma->flags, -pages);
		vma->flags &= ~(uint32_t)(PROT_ALL | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_GROWSDOWN);
		vma_account(mm, vma->flags, pages);
	}
	unmap_begin(&unmap, mm);
	unmap_range_slowly(&unmap, start, end);
	unmap_finish_slowly(&unmap);
	for (vma = mm_find_vma(mm, start); vma && vma->start < end; vma = vma_next(vma)) {
		if (vma->object && vma->object->refs == 1)
			object_drop_slowly(vma->object, 0, UINT64_MAX & PAGE_MASK);
	}
}

int mm_unmap_locked(struct mm *mm, uint64_t start, uint64_t end)
{
	struct vma *vma = mm_find_vma(mm, start), *above, *below;
	uint64_t floor, ceiling;
	struct unmap unmap;
	int rc;

	if (!vma || vma->start >= end)
		return 0;
	rc = vma_split_range(mm, start, end);
	if (rc < 0)
		return rc;
	/* From here nothing may fail. */
	text_given_up(mm, start, end);
	unmap_first(mm, start, end);
	vma = mm_find_vma(mm, start);
	below = vma ? vma_prev(vma) : NULL;
	above = mm_find_vma(mm, end);
	floor = MAX(start & ~(PT_SPAN - 1), below ? below->end : 0);
	ceiling = MIN((end + PT_SPAN - 1) & ~(PT_SPAN - 1), above ? above->start : USER_TOP);
	unmap_begin(&unmap, mm);
	unmap_range(&unmap, start, end, NULL);
	if (ceiling - floor >= PT_SPAN) {
		pt_free_range(mm, floor, ceiling, &unmap.tables);
		if (!TAILQ_EMPTY(&unmap.tables))
			unmap_flush_range(&unmap, start, end);
	}
	if (end - start < SLOW_SIZE)
		unmap_finish(&unmap);
	else
		unmap_finish_slowly(&unmap);
	if (end > mm->hole_hint)
		mm->hole_hint = MIN(mm->mmap_base, above ? above->start : mm->mmap_base);
	unmap_areas(mm, start, end);
	return 0;
}

int mm_munmap(struct mm *mm, uint64_t address, uint64_t length)
{
	int rc;

	if (address & ~PAGE_MASK || length == 0 || address > USER_TOP || length > USER_TOP - address)
		return -EINVAL;
	length = PAGE_ALIGN(length);
	if (length > USER_TOP - address)
		return -EINVAL;
	rwsem_write_lock(&mm->lock);
	rc = mm_unmap_locked(mm, address, address + length);
	rwsem_write_unlock(&mm->lock);
	return rc;
}

/* ---- mprotect ---- */

/* The PTE with the rights of its area's new flags. */
static pte_t protect_pte(const struct vma *vma, pte_t pte)
{
	pte_t fresh = (pte & PTE_ADDR) | pte_bits(vma);
	struct page *page = pte_page(pte);

	if (!(vma->flags & VM_WRITE) || !(fresh & PTE_P))
		return fresh;
	if (pte & PTE_W)
		return fresh | PTE_W;
	if (!(vma->flags & VM_SHARED) && page->refs == 1 &&
		(page->flags & (PAGE_ANON | PAGE_ZEROPAGE)) == PAGE_ANON)
		return fresh | PTE_W;
	return fresh;
}

static void protect_range(struct unmap *flush, struct vma *vma)
{
	uint64_t address = vma->start;
	pte_t *pte;

	while ((pte = pt_next(vma->mm, &address, vma->end)) != NULL) {
		uint64_t stop = MIN(vma->end, (address & ~(PT_SPAN - 1)) + PT_SPAN);

		for (; address < stop; address += PAGE_SIZE, pte++) {
			pte_t old = *pte;

			if (!PTE_USED(old))
				continue;
			*pte = protect_pte(vma, old);
			if (old & PTE_P && *pte != old)
				unmap_flush_range(flush, address, address + PAGE_SIZE);
			flush->kept &= !!(*pte & PTE_P); /* what is not present goes without another flush */
		}
		flush->work += PT_SPAN >> PAGE_SHIFT;
		if (stop < vma->end)
			(void)unmap_breathe(flush);
	}
}

static int protect_decode(struct mm *mm, uint64_t start, uint64_t end, unsigned prot)
{
	struct vma *vma;

	if (!vma_range_mapped(mm, start, end))
		return -ENOMEM;
	for (vma = mm_find_vma(mm, start); vma && vma->start < end; vma = vma_next(vma)) {
		if ((prot & PROT_READ && !(vma->flags & VM_MAYREAD)) ||
			(prot & PROT_WRITE && !(vma->flags & VM_MAYWRITE)) ||
			(prot & PROT_EXEC && !(vma->flags & VM_MAYEXEC)))
			return -EACCES;
		if (prot & PROT_WRITE && !(vma->flags & (VM_WRITE | VM_SHARED)) &&
			!mm_may_expand(mm, VM_WRITE, 0))
			return -ENOMEM;
	}
	return vma_split_range(mm, start, end);
}

static void protect_perform(struct mm *mm, uint64_t start, uint64_t end, unsigned prot)
{
	struct unmap flush;
	struct vma *vma;

	text_given_up(mm, start, end);
	unmap_begin(&flush, mm);
	flush.kept = true;
	for (vma = mm_find_vma(mm, start); vma && vma->start < end; vma = vma_next(vma)) {
		int64_t pages = (int64_t)((vma->end - vma->start) >> PAGE_SHIFT);

		if ((vma->flags & PROT_ALL) != prot) {
			flush.kept &= !(vma->flags & VM_SHARED);
			vma_account(mm, vma->flags, -pages);
			vma->flags = (vma->flags & ~(uint32_t)PROT_ALL) | prot;
			vma_account(mm, vma->flags, pages);
			protect_range(&flush, vma);
		}
		vma = vma_merge(vma);
	}
	/* The last one may have become equal to the one above. */
	vma = mm_find_vma(mm, end);
	if (vma && vma->start == end)
		vma_merge(vma);
	unmap_finish(&flush);
}

int mm_mprotect(struct mm *mm, uint64_t address, uint64_t length, unsigned prot)
{
	uint64_t end;
	struct vma *vma;
	int rc;

	if (address & ~PAGE_MASK || prot & ~(unsigned)(PROT_ALL | PROT_SEM | PROT_GROWSDOWN | PROT_GROWSUP) ||
		(prot & PROT_GROWSDOWN && prot & PROT_GROWSUP))
		return -EINVAL;
	if (length == 0)
		return 0;
	if (length > USER_TOP || address > USER_TOP - PAGE_ALIGN(length))
		return -ENOMEM;
	end = address + PAGE_ALIGN(length);
	if (prot & PROT_READ && current && current->process && current->process->personality & READ_IMPLIES_EXEC)
		prot |= PROT_EXEC;
	rwsem_write_lock(&mm->lock);
	vma = mm_find_vma(mm, address);
	rc = prot & PROT_GROWSUP || (prot & PROT_GROWSDOWN && (!vma || !(vma->flags & VM_GROWSDOWN))) ? -EINVAL : 0;
	if (rc == 0 && prot & PROT_GROWSDOWN)
		address = vma->start;
	if (rc == 0)
		rc = protect_decode(mm, address, end, prot & PROT_ALL);
	/* From here nothing may fail. */
	if (rc == 0)
		protect_perform(mm, address, end, prot & PROT_ALL);
	rwsem_write_unlock(&mm->lock);
	return rc;
}

/* ---- brk ---- */

static bool brk_grow(struct mm *mm, uint64_t old, uint64_t new)
{
	uint32_t flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC |
		(mm->locked_future ? VM_LOCKED : 0);
	struct vma *vma;

	if (new > USER_TOP || !vma_range_free(mm, old, new) || !mm_may_expand(mm, flags, (new - old) >> PAGE_SHIFT))
		return false;
	if (mm->vma_count >= sysctls.max_map_count)
		return false;
	vma = vma_create(mm, old, new, flags);
	if (!vma)
		return false;
	vma->name = "[heap]";
	vma_insert(vma);
	/* One name, one pointer: the compiler keeps one copy of the literal here. */
	vma_merge(vma);
	return true;
}

uint64_t mm_brk(struct mm *mm, uint64_t brk)
{
	uint64_t limit = mm_rlimit(RLIMIT_DATA), old, new;
	bool ok;

	if (brk < mm->start_brk || brk > USER_TOP)
		return mm->brk;
	if (limit != UINT64_MAX && brk - mm->start_brk + (mm->end_data - mm->start_data) > limit)
		return mm->brk;
	old = PAGE_ALIGN(mm->brk);
	new = PAGE_ALIGN(brk);
	rwsem_write_lock(&mm->lock);
	if (new < old)
		ok = mm_unmap_locked(mm, new, old) == 0;
	else
		ok = new == old || brk_grow(mm, old, new);
	if (ok)
		mm->brk = brk;
	rwsem_write_unlock(&mm->lock);
	if (ok && new > old && mm->locked_future && !mm->locked_on_fault)
		mm_populate(mm, old, new, true);
	else if (ok && new > old && old - mm->start_brk < FIRST_HEAP)
		fault_ahead(mm, old);
	return mm->brk;
}
