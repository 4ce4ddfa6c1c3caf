/*
 * Virtual memory areas: the sorted tree of an address space, splitting, merging and the
 * search for free room. Only kernel/mm calls it, with mm->lock held as writer, or from
 * code that does not sleep (the kernel is not preempted).
 *
 * vma_account() must see every change of an area's length, or the totals drift.
 */
#include "kernel/files.h"
#include "kernel/mm/internal.h"
#include "kernel/sysctl.h"

int vma_compare(struct vma *a, struct vma *b)
{
	return a->start < b->start ? -1 : a->start > b->start;
}

RB_GENERATE(vma_tree, vma, node, vma_compare)

struct vma *mm_find_vma(struct mm *mm, uint64_t address)
{
	struct vma *vma = mm->vma_last, *found = NULL;

	if (vma && vma->start <= address && address < vma->end)
		return vma;
	vma = RB_ROOT(&mm->vmas);
	while (vma) {
		if (vma->end > address) {
			found = vma;
			if (vma->start <= address)
				break;
			vma = RB_LEFT(vma, node);
		} else {
			vma = RB_RIGHT(vma, node);
		}
	}
	if (found)
		mm->vma_last = found;
	return found;
}

struct vma *vma_next(struct vma *vma)
{
	return RB_NEXT(vma_tree, NULL, vma);
}

struct vma *vma_prev(struct vma *vma)
{
	return RB_PREV(vma_tree, NULL, vma);
}

void vma_account(struct mm *mm, uint32_t flags, int64_t pages)
{
	mm->total_vm += (uint64_t)pages;
	if (flags & (VM_STACK | VM_GROWSDOWN))
		mm->stack_vm += (uint64_t)pages;
	else if ((flags & (VM_WRITE | VM_SHARED)) == VM_WRITE)
		mm->data_vm += (uint64_t)pages;
	if (flags & VM_LOCKED)
		mm->locked_vm += (uint64_t)pages;
}

static int64_t vma_pages(const struct vma *vma)
{
	return (int64_t)((vma->end - vma->start) >> PAGE_SHIFT);
}

struct vma *vma_create(struct mm *mm, uint64_t start, uint64_t end, uint32_t flags)
{
	struct vma *vma = kzalloc(sizeof(*vma));

	if (!vma)
		return NULL;
	vma->mm = mm;
	vma->start = start;
	vma->end = end;
	vma->flags = flags;
	return vma;
}

void vma_attach(struct vma *vma, struct vm_object *object, uint64_t offset, struct file *file)
{
	vma->offset = offset;
	if (object) {
		object_get(object);
		vma->object = object;
		TAILQ_INSERT_TAIL(&object->vmas, vma, object_link);
	}
	if (file) {
		file_get(file);
		vma->file = file;
	}
}

void vma_insert(struct vma *vma)
{
	BUG_ON(RB_INSERT(vma_tree, &vma->mm->vmas, vma) != NULL);
	vma->mm->vma_count++;
	vma_account(vma->mm, vma->flags, vma_pages(vma));
}

static void vma_detach_object(struct vma *vma)
{
	if (!vma->object)
		return;
	TAILQ_REMOVE(&vma->object->vmas, vma, object_link);
	object_put(vma->object);
	vma->object = NULL;
}

void vma_remove(struct vma *vma, struct file **file)
{
	struct mm *mm = vma->mm;

	RB_REMOVE(vma_tree, &mm->vmas, vma);
	mm->vma_count--;
	mm->vma_last = NULL;
	vma_account(mm, vma->flags, -vma_pages(vma));
	vma_detach_object(vma);
	if (vma->file) {
		if (file)
			*file = vma->file;
		else
			file_put(vma->file);
	}
	kfree(vma);
}

struct vma *vma_split(struct vma *vma, uint64_t address)
{
	struct vma *upper;

	if (vma->mm->vma_count >= sysctls.max_map_count)
		return NULL;
	upper = vma_create(vma->mm, address, vma->end, vma->flags);
	if (!upper)
		return NULL;
	upper->name = vma->name;
	upper->has_anon = vma->has_anon;
	upper->policy = vma->policy;
	vma_attach(upper, vma->object, vma->offset + (address - vma->start), vma->file);
	vma_account(vma->mm, vma->flags, -(int64_t)((vma->end - address) >> PAGE_SHIFT));
	vma->end = address;
	vma_insert(upper);
	return upper;
}

int vma_split_range(struct mm *mm, uint64_t start, uint64_t end)
{
	struct vma *vma = mm_find_vma(mm, start);

	if (vma && vma->start < start) {
		if (start >= vma->end)
			return 0;
		if (!vma_split(vma, start))
			return -ENOMEM;
	}
	vma = mm_find_vma(mm, end - 1);
	if (vma && vma->start < end && end < vma->end && !vma_split(vma, end))
		return -ENOMEM;
	return 0;
}

static bool vma_joins(const struct vma *lower, const struct vma *upper)
{
	if (lower->end != upper->start || lower->flags != upper->flags || lower->object != upper->object ||
		lower->file != upper->file || lower->name != upper->name || !vma_same_policy(lower, upper))
		return false;
	if (lower->flags & (VM_GROWSDOWN | VM_VDSO))
		return false;
	return !lower->object || lower->offset + (lower->end - lower->start) == upper->offset;
}

struct vma *vma_merge(struct vma *vma)
{
	struct vma *prev = vma_prev(vma), *next = vma_next(vma);
	struct mm *mm = vma->mm;

	for (unsigned i = 0; i < 2; i++) {
		struct vma *lower = i == 0 ? vma : prev, *upper = i == 0 ? next : vma;
		uint64_t end;

		if (!lower || !upper || !vma_joins(lower, upper))
			continue;
		end = upper->end;
		lower->has_anon |= upper->has_anon;
		/* lower refers to the same file and object: neither put is the last, so nothing sleeps. */
		vma_remove(upper, NULL);
		vma_account(mm, lower->flags, (int64_t)((end - lower->end) >> PAGE_SHIFT));
		lower->end = end;
		vma = lower;
	}
	return vma;
}

bool vma_range_free(struct mm *mm, uint64_t start, uint64_t end)
{
	struct vma *vma = mm_find_vma(mm, start);
	uint64_t guard = vma && vma->flags & VM_GROWSDOWN ? STACK_GUARD : 0;

	return !vma || end + guard <= vma->start;
}

bool vma_range_mapped(struct mm *mm, uint64_t start, uint64_t end)
{
	struct vma *vma = mm_find_vma(mm, start);

	while (vma && vma->start <= start) {
		if (vma->end >= end)
			return true;
		start = vma->end;
		vma = vma_next(vma);
	}
	return false;
}

/* Where the free room below `from` begins to be considered: the area that ends the search's top. */
static uint64_t gap_top(const struct vma *above, uint64_t limit)
{
	uint64_t top;

	if (!above)
		return limit;
	top = above->start;
	if (above->flags & VM_GROWSDOWN)
		top = top > STACK_GUARD ? top - STACK_GUARD : 0;
	return MIN(top, limit);
}

static uint64_t gap_search(struct mm *mm, uint64_t length, uint64_t low, uint64_t from)
{
	struct vma *above = mm_find_vma(mm, from), *below;
	uint64_t top;

	below = above ? vma_prev(above) : RB_MAX(vma_tree, &mm->vmas);
	top = gap_top(above, from);
	for (;;) {
		uint64_t floor = below ? MAX(below->end, low) : low;

		if (top > floor && top - floor >= length)
			return top - length;
		if (top > floor)
			mm->hole_max = MAX(mm->hole_max, top - floor);
		if (!below || below->start <= low)
			return 0;
		top = gap_top(below, top);
		below = vma_prev(below);
	}
}

uint64_t vma_find_gap(struct mm *mm, uint64_t length, uint64_t low, uint64_t high)
{
	uint64_t from = mm->hole_hint, found;

	if (length <= mm->hole_max || from == 0 || from > high) {
		from = high;
		mm->hole_max = 0;
	}
	found = gap_search(mm, length, low, from);
	if (!found && from != high) {
		mm->hole_max = 0;
		found = gap_search(mm, length, low, high);
	}
	if (found)
		mm->hole_hint = found;
	return found;
}
