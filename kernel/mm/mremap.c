/*
 * mremap(2): resize a mapping, in place or by moving its page table entries.
 *
 * The pages themselves never move: a moved entry keeps its reference. After the last
 * check the move cannot fail but for memory for page tables, which are made beforehand.
 */
#include <linux/mman.h>
#include <asm-generic/resource.h>

#include "kernel/files.h"
#include "kernel/mm/internal.h"
#include "kernel/sysctl.h"
#include "kernel/task.h"

struct move {
	uint64_t old, old_len, new_len, address;
	unsigned flags;
	struct vma *vma;
};

static int remap_decode(struct mm *mm, struct move *move)
{
	if (move->flags & ~(unsigned)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	if (move->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(move->flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if (move->old & ~PAGE_MASK || move->new_len == 0)
		return -EINVAL;
	if (move->new_len > USER_TOP || move->old_len > USER_TOP || move->old > USER_TOP - PAGE_ALIGN(move->old_len))
		return -EINVAL;
	move->old_len = PAGE_ALIGN(move->old_len);
	move->new_len = PAGE_ALIGN(move->new_len);
	if (move->flags & MREMAP_DONTUNMAP && move->old_len != move->new_len)
		return -EINVAL;
	if (move->flags & MREMAP_FIXED) {
		if (move->address & ~PAGE_MASK || move->address > USER_TOP - move->new_len)
			return -EINVAL;
		if (move->address < MM_MIN_ADDRESS)
			return -EPERM;
		if (move->address < move->old + move->old_len && move->old < move->address + move->new_len)
			return -EINVAL;
	}
	return 0;
}

static int remap_check_vma(struct mm *mm, struct move *move)
{
	struct vma *vma = mm_find_vma(mm, move->old);
	uint64_t grow = move->new_len > move->old_len ? (move->new_len - move->old_len) >> PAGE_SHIFT : 0;
	uint64_t end;

	if (!vma || vma->start > move->old)
		return -EFAULT;
	if (move->old_len == 0 && !(vma->flags & VM_SHARED))
		return -EINVAL;
	if (move->flags & MREMAP_DONTUNMAP && vma->flags & VM_VDSO)
		return -EINVAL;
	if (move->old + move->old_len > vma->end)
		return -EFAULT;
	if (vma->object && __builtin_add_overflow(vma->offset + (move->old - vma->start), move->new_len, &end))
		return -EINVAL;
	if (vma->flags & VM_VDSO && move->new_len > move->old_len)
		return -EFAULT;
	if (vma->flags & VM_LOCKED && mm->locked_vm + grow > mm_rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT &&
		!capable(CAP_IPC_LOCK))
		return -EAGAIN;
	if (!mm_may_expand(mm, vma->flags, move->flags & MREMAP_DONTUNMAP ? move->new_len >> PAGE_SHIFT : grow))
		return -ENOMEM;
	move->vma = vma;
	return 0;
}

/* Make the tables of the target that the source's tables need. */
static int move_tables(struct mm *mm, uint64_t from, uint64_t to, uint64_t length)
{
	for (uint64_t at = from; pt_next(mm, &at, from + length); at = (at & ~(PT_SPAN - 1)) + PT_SPAN) {
		uint64_t last = MIN((at & ~(PT_SPAN - 1)) + PT_SPAN, from + length) - PAGE_SIZE;

		if (!pt_make(mm, at - from + to) || !pt_make(mm, last - from + to))
			return -ENOMEM;
	}
	return 0;
}

static void move_ptes(struct mm *mm, uint64_t from, uint64_t to, uint64_t length, struct unmap *flush)
{
	uint64_t at = from;
	pte_t *pte;

	for (; (pte = pt_next(mm, &at, from + length)) != NULL; at += PAGE_SIZE) {
		pte_t *target;

		/* Faults wait from then on, so that neither half changes. */
		if (!(at % PT_SPAN) && at > from) {
			flush->work += PT_SPAN >> PAGE_SHIFT;
			if (unmap_breathe_quietly(flush))
				pte = pt_find(mm, at);
		}

		if (!PTE_USED(*pte))
			continue;
		target = pt_find(mm, at - from + to);
		BUG_ON(!target || PTE_USED(*target));
		*target = *pte;
		*pte = 0;
		unmap_flush_range(flush, at, at + PAGE_SIZE);
	}
}

/* REQUIRES(mm->lock as writer). Move [old, old+old_len) of move->vma to a free range. */
static int64_t remap_move(struct mm *mm, struct move *move)
{
	uint64_t keep = MIN(move->old_len, move->new_len);
	struct vma *vma = move->vma, *fresh;
	struct unmap flush;
	int rc;

	if (move->flags & MREMAP_FIXED) {
		rc = mm_unmap_locked(mm, move->address, move->address + move->new_len);
		if (rc < 0)
			return rc;
	} else {
		move->address = mm_place(mm, move->flags & MREMAP_DONTUNMAP ? move->address : 0, move->new_len);
		if (!move->address)
			return -ENOMEM;
	}
	/* The unmap may have slept or split: look again. */
	vma = mm_find_vma(mm, move->old);
	if (!vma || vma->start > move->old || move->old + move->old_len > vma->end)
		return -EFAULT;
	if (mm->vma_count + 3 > sysctls.max_map_count)
		return -ENOMEM;
	rc = move_tables(mm, move->old, move->address, keep);
	if (rc < 0)
		return rc;
	fresh = vma_create(mm, move->address, move->address + move->new_len, vma->flags);
	if (!fresh)
		return -ENOMEM;
	fresh->name = vma->name;
	fresh->has_anon = vma->has_anon;
	fresh->policy = vma->policy;
	vma_attach(fresh, vma->object, vma->object ? vma->offset + (move->old - vma->start) : 0, vma->file);
	vma_insert(fresh);
	unmap_begin(&flush, mm);
	move_ptes(mm, move->old, move->address, keep, &flush);
	unmap_finish(&flush);
	mm_quiet_end(mm);
	if (vma->flags & VM_VDSO && mm->vdso == move->old)
		mm->vdso = move->address;
	if (!(move->flags & MREMAP_DONTUNMAP) && move->old_len)
		mm_unmap_locked(mm, move->old, move->old + move->old_len);
	fresh = mm_find_vma(mm, move->address);
	if (fresh && fresh->start == move->address)
		vma_merge(fresh);
	return (int64_t)move->address;
}

static bool remap_grow(struct mm *mm, struct move *move)
{
	struct vma *vma = move->vma;
	uint64_t grow = move->new_len - move->old_len, end = vma->end;

	if (move->old + move->old_len != end || end + grow > USER_TOP || end + grow < end ||
		!vma_range_free(mm, end, end + grow))
		return false;
	vma_account(mm, vma->flags, (int64_t)(grow >> PAGE_SHIFT));
	vma->end += grow;
	vma_merge(vma);
	return true;
}

static int64_t remap_locked(struct mm *mm, struct move *move)
{
	int rc;

	if (move->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
		rc = remap_check_vma(mm, move);
		return rc < 0 ? rc : remap_move(mm, move);
	}
	if (move->old_len >= move->new_len && move->old_len > 0) {
		struct vma *vma = mm_find_vma(mm, move->old);

		if (!vma || vma->start > move->old)
			return -EFAULT;
		if (move->old_len > move->new_len)
			rc = mm_unmap_locked(mm, move->old + move->new_len, move->old + move->old_len);
		else
			rc = 0;
		return rc < 0 ? rc : (int64_t)move->old;
	}
	rc = remap_check_vma(mm, move);
	if (rc < 0)
		return rc;
	if (move->old_len > 0 && remap_grow(mm, move))
		return (int64_t)move->old;
	if (!(move->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	return remap_move(mm, move);
}

int64_t mm_mremap(struct mm *mm, uint64_t old, uint64_t old_len, uint64_t new_len, unsigned flags, uint64_t new_address)
{
	struct move move = {.old = old, .old_len = old_len, .new_len = new_len, .address = new_address, .flags = flags};
	int64_t result = remap_decode(mm, &move);
	bool locked = false;

	if (result < 0)
		return result;
	rwsem_write_lock(&mm->lock);
	result = remap_locked(mm, &move);
	if (result >= 0) {
		struct vma *vma = mm_find_vma(mm, (uint64_t)result);

		locked = vma && vma->flags & VM_LOCKED;
	}
	rwsem_write_unlock(&mm->lock);
	if (locked)
		mm_populate(mm, (uint64_t)result, (uint64_t)result + move.new_len, true);
	return result;
}
