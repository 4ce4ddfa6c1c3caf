/*
 * Advice and queries about ranges: madvise, msync, mlock, mincore.
 *
 * Advice that only asks for speed is taken note of by doing nothing; everything that has
 * a visible effect is done. madvise(2), msync(2), mlock(2), mincore(2).
 */
#include <linux/mman.h>
#include <asm-generic/resource.h>

#include "kernel/files.h"
#include "kernel/mm/internal.h"
#include "kernel/task.h"
#include "ring0/usercopy.h"

/* 1: change vma flags; fills set and clear. 0: not such advice. */
static int advice_flags(int advice, uint32_t *set, uint32_t *clear)
{
	static const struct {
		int advice;
		uint32_t set, clear;
	} table[] = {
		{MADV_DONTFORK, VM_DONTFORK, 0},
		{MADV_DOFORK, 0, VM_DONTFORK},
		{MADV_WIPEONFORK, VM_WIPEONFORK, 0},
		{MADV_KEEPONFORK, 0, VM_WIPEONFORK},
		{MADV_DONTDUMP, VM_DONTDUMP, 0},
		{MADV_DODUMP, 0, VM_DONTDUMP},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].advice == advice) {
			*set = table[i].set;
			*clear = table[i].clear;
			return 1;
		}
	return 0;
}

static int advise_flags(struct mm *mm, uint64_t start, uint64_t end, uint32_t set, uint32_t clear)
{
	struct vma *vma;
	int rc;

	for (vma = mm_find_vma(mm, start); vma && vma->start < end; vma = vma_next(vma))
		if (set & VM_WIPEONFORK && (vma->file || vma->flags & VM_SHARED))
			return -EINVAL;
	rc = vma_split_range(mm, start, end);
	if (rc < 0)
		return rc;
	for (vma = mm_find_vma(mm, start); vma && vma->start < end; vma = vma_next(vma)) {
		vma->flags = (vma->flags | set) & ~clear;
		vma = vma_merge(vma);
	}
	return 0;
}

/* Drop what is mapped in the range. Private memory loses its content. */
static int advise_drop(struct mm *mm, uint64_t start, uint64_t end, bool only_anonymous)
{
	struct unmap unmap;
	struct vma *vma;

	for (vma = mm_find_vma(mm, start); vma && vma->start < end; vma = vma_next(vma)) {
		if (vma->flags & (VM_LOCKED | VM_VDSO))
			return -EINVAL;
		if (only_anonymous && vma->object)
			return -EINVAL;
	}
	unmap_begin(&unmap, mm);
	unmap_range_slowly(&unmap, start, end);
	unmap_finish_slowly(&unmap);
	return 0;
}

static int advise_remove(struct mm *mm, uint64_t start, uint64_t end)
{
	struct vma *vma;

	for (vma = mm_find_vma(mm, start); vma && vma->start < end; vma = vma_next(vma)) {
		uint64_t from = MAX(start, vma->start), to = MIN(end, vma->end);

		if (vma->flags & VM_LOCKED || !vma->object)
			return -EINVAL;
		if ((vma->flags & (VM_SHARED | VM_WRITE)) != (VM_SHARED | VM_WRITE))
			return -EACCES;
		if (!vma->object->shmem)
			return -EOPNOTSUPP;
		object_drop_range(vma->object, vma->offset + (from - vma->start), vma->offset + (to - vma->start));
	}
	return 0;
}

static int advise_populate(struct mm *mm, uint64_t start, uint64_t end, bool write)
{
	for (uint64_t at = start; at < end; at += PAGE_SIZE) {
		const struct vma *vma = mm_find_vma(mm, at);
		struct page *page;

		if (!write && vma && vma->start <= at && !(vma->flags & VM_READ))
			return -EINVAL;
		int rc = mm_get_user_page(mm, at, write, false, &page);

		if (rc < 0)
			return rc == -EFAULT ? -ENOMEM : rc == -EACCES ? -EINVAL : rc == -EIO ? -EFAULT : rc;
		page_put(page);
		if (!(at % BREATH_BYTES) && task_breathe())
			return -EINTR;
	}
	return 0;
}

static int advise_do(struct mm *mm, uint64_t start, uint64_t end, int advice)
{
	uint32_t set, clear;

	if (advice_flags(advice, &set, &clear))
		return advise_flags(mm, start, end, set, clear);
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_FREE:
		return advise_drop(mm, start, end, advice == MADV_FREE);
	case MADV_REMOVE:
		return advise_remove(mm, start, end);
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
		return 0; /* hints about speed only */
	default:
		return -EINVAL;
	}
}

int mm_madvise(struct mm *mm, uint64_t address, uint64_t length, int advice)
{
	uint64_t end;
	bool holes;
	int rc;

	if (address & ~PAGE_MASK)
		return -EINVAL;
	if (length > USER_TOP || address > USER_TOP - PAGE_ALIGN(length))
		return -EINVAL;
	end = address + PAGE_ALIGN(length);
	if (end == address)
		return 0;
	if (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE)
		return advise_populate(mm, address, end, advice == MADV_POPULATE_WRITE);
	rwsem_write_lock(&mm->lock);
	holes = !vma_range_mapped(mm, address, end);
	rc = advise_do(mm, address, end, advice);
	rwsem_write_unlock(&mm->lock);
	/* Holes are reported after the rest was done. */
	return rc == 0 && holes ? -ENOMEM : rc;
}

int mm_msync(struct mm *mm, uint64_t address, uint64_t length, int flags)
{
	uint64_t end, at;
	bool holes = false;

	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || address & ~PAGE_MASK ||
		(flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	if (length > USER_TOP || address > USER_TOP - PAGE_ALIGN(length))
		return -ENOMEM;
	end = address + PAGE_ALIGN(length);
	for (at = address; at < end;) {
		struct vma *vma = mm_find_vma(mm, at);
		struct vm_object *object;
		uint64_t from, to;
		int rc;

		if (!vma || vma->start >= end)
			return -ENOMEM;
		if (vma->start > at) {
			holes = true;
			at = vma->start;
		}
		if (flags & MS_INVALIDATE && vma->flags & VM_LOCKED)
			return -EBUSY;
		to = MIN(end, vma->end);
		object = vma->flags & VM_SHARED ? vma->object : NULL;
		from = vma->offset + (at - vma->start);
		at = to;
		if (!object || !(flags & MS_SYNC))
			continue;
		/* Sleeps: the area may be gone afterwards, the next one is found by address. */
		to = vma->offset + (to - vma->start);
		object_get(object);
		rc = object_sync(object, from, to);
		object_put(object);
		if (rc < 0)
			return rc;
	}
	return holes ? -ENOMEM : 0;
}

static int lock_limit(struct mm *mm, uint64_t start, uint64_t end)
{
	uint64_t pages = mm->locked_vm;
	struct vma *vma;

	for (vma = mm_find_vma(mm, start); vma && vma->start < end; vma = vma_next(vma))
		if (!(vma->flags & VM_LOCKED))
			pages += (MIN(end, vma->end) - MAX(start, vma->start)) >> PAGE_SHIFT;
	if (capable(CAP_IPC_LOCK))
		return 0;
	return pages > mm_rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT ? -ENOMEM : 0;
}

static void lock_areas(struct mm *mm, uint64_t start, uint64_t end, bool lock)
{
	struct vma *vma;

	for (vma = mm_find_vma(mm, start); vma && vma->start < end; vma = vma_next(vma)) {
		int64_t pages = (int64_t)((vma->end - vma->start) >> PAGE_SHIFT);

		if (!(vma->flags & VM_VDSO)) {
			vma_account(mm, vma->flags, -pages);
			vma->flags = lock ? vma->flags | VM_LOCKED : vma->flags & ~VM_LOCKED;
			vma_account(mm, vma->flags, pages);
		}
		vma = vma_merge(vma);
	}
}

int mm_mlock(struct mm *mm, uint64_t address, uint64_t length, enum mm_lock lock)
{
	uint64_t start = address & PAGE_MASK, end = start + PAGE_ALIGN(length + (address & ~PAGE_MASK));
	int rc;

	if (lock && !capable(CAP_IPC_LOCK)) {
		if (mm_rlimit(RLIMIT_MEMLOCK) == 0)
			return -EPERM;
		if (end < start && (end - start) >> PAGE_SHIFT > mm_rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT)
			return -ENOMEM; /* the limit is looked at before the range */
	}
	if (end == start) /* so it is, too, for a length that comes round to nothing */
		return 0;
	if (end < start)
		return -EINVAL;
	if (end > USER_TOP)
		return -ENOMEM;
	rwsem_write_lock(&mm->lock);
	rc = lock ? lock_limit(mm, start, end) : 0;
	if (rc == 0 && !vma_range_mapped(mm, start, end))
		rc = -ENOMEM;
	if (rc == 0)
		rc = vma_split_range(mm, start, end);
	if (rc == 0)
		lock_areas(mm, start, end, lock);
	rwsem_write_unlock(&mm->lock);
	if (rc == 0 && lock == MM_LOCK) {
		rc = mm_populate(mm, start, end, true);
		if (rc == -EACCES || rc == -EFAULT || rc == -EIO)
			rc = -ENOMEM;
	}
	return rc;
}

int mm_mlock_all(struct mm *mm, bool now, bool future, enum mm_lock lock)
{
	uint64_t at = 0;
	struct vma *vma;

	if (!capable(CAP_IPC_LOCK)) {
		if (mm_rlimit(RLIMIT_MEMLOCK) == 0)
			return -EPERM;
		if (now && mm->total_vm > mm_rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT)
			return -ENOMEM;
	}
	rwsem_write_lock(&mm->lock);
	mm->locked_future = future;
	mm->locked_on_fault = future && lock == MM_LOCK_ON_FAULT;
	if (now)
		lock_areas(mm, 0, USER_TOP, true);
	rwsem_write_unlock(&mm->lock);
	/* Populating sleeps: the next area is found by address. What cannot be brought in stays out. */
	while (now && lock == MM_LOCK && (vma = mm_find_vma(mm, at)) != NULL) {
		uint64_t start = MAX(at, vma->start);

		at = vma->end;
		if (vma->flags & VM_LOCKED)
			mm_populate(mm, start, at, true);
	}
	return 0;
}

int mm_munlock_all(struct mm *mm)
{
	rwsem_write_lock(&mm->lock);
	mm->locked_future = mm->locked_on_fault = false;
	lock_areas(mm, 0, USER_TOP, false);
	rwsem_write_unlock(&mm->lock);
	return 0;
}

static uint8_t core_byte(struct mm *mm, const struct vma *vma, uint64_t address)
{
	pte_t *pte = pt_find(mm, address);
	struct page *page;

	if (pte && PTE_USED(*pte))
		return 1;
	if (!vma->object)
		return 0;
	page = object_find_page(vma->object, (vma->offset + (address - vma->start)) >> PAGE_SHIFT);
	if (!page)
		return 0;
	page_put(page);
	return 1;
}

int mm_mincore(struct mm *mm, uint64_t address, uint64_t length, uaddr_t vec)
{
	uint8_t bytes[128];
	uint64_t end;

	if (address & ~PAGE_MASK)
		return -EINVAL;
	if (length > USER_TOP || address > USER_TOP - length)
		return -ENOMEM;
	end = address + PAGE_ALIGN(length);
	if (!user_range_ok(vec, (end - address) >> PAGE_SHIFT))
		return -EFAULT;
	while (address < end) {
		unsigned count = 0;

		for (; address < end && count < sizeof(bytes); address += PAGE_SIZE) {
			struct vma *vma = mm_find_vma(mm, address);

			if (!vma || vma->start > address)
				return -ENOMEM;
			bytes[count++] = core_byte(mm, vma, address);
		}
		if (copy_to_user(vec, bytes, count) < 0)
			return -EFAULT;
		vec = uaddr_add(vec, count);
		if (task_breathe())
			return -EINTR;
	}
	return 0;
}
