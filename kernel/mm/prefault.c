/*
 * Pages that are mapped before they are touched, because that is cheaper than the faults: where a machine is hosted a fault
 * costs two stops of the program, some 20 us, and a page more in a batch of mappings next to nothing.
 *
 * A program that begins has the cached pages of its files, its own small data and its first zeros; a space that the
 * machine has to fill anew gets cached pages where others faulted of late. Nothing is read from files and nothing sleeps.
 * Kernel lock held.
 */
#include "kernel/mm/internal.h"
#include "kernel/mm/tree.h"
#include "kernel/task.h"
#include "ring0/upcall.h"

#define SMALL_DATA (64ull << 10) /* an area of so much that can be written is taken whole */
#define ZEROS_END (32ull << 10)
#define FILE_MOST (2ull << 20)   /* of an area: what a large program needs of its text, faults tell better */
#define FREE_PAGES 4096u         /* never while memory is short */

static void prefault_file(struct vma *vma, uint64_t address, uint64_t end)
{
	uint64_t limit = vma->offset < vma->object->size ? vma->start + (PAGE_ALIGN(vma->object->size) - vma->offset) : 0;
	bool any = vma->flags & (VM_READ | VM_WRITE | VM_EXEC), copies = fault_copies_blocks(vma) && vma->end - vma->start <= SMALL_DATA;
	uint64_t step = copies ? PAGE_SIZE << COPY_ORDER : AROUND_SIZE;

	for (end = any ? MIN(end, limit) : 0; address < end; address = (address & ~(step - 1)) + step) {
		pte_t *pte = pt_make(vma->mm, address);

		if (!pte)
			return;
		if (copies)
			fault_copy_block(vma, address, pte);
		else
			fault_map_around(vma, address, pte);
	}
}

static void prefault_zeros(struct vma *vma, uint64_t at, uint64_t end)
{
	for (; at < end; at += PAGE_SIZE) {
		pte_t *pte = pt_make(vma->mm, at);

		if (!pte || (!PTE_USED(*pte) && fault_anon(vma, at, pte, FAULT_WRITE) < 0))
			return;
	}
}

/* A small area whole; of a larger one the ends, where the C library's variables lie. */
static void prefault_variables(struct vma *vma)
{
	if (vma->end - vma->start <= SMALL_DATA) {
		prefault_zeros(vma, vma->start, vma->end);
	} else {
		prefault_zeros(vma, vma->start, vma->start + ZEROS_END);
		prefault_zeros(vma, vma->end - ZEROS_END, vma->end);
	}
}

void mm_prefault_program(struct mm *mm)
{
	struct vma *vma;

	if (page_user_free() < FREE_PAGES)
		return;
	RB_FOREACH(vma, vma_tree, &mm->vmas) {
		if (vma->object)
			prefault_file(vma, vma->start, MIN(vma->end, vma->start + FILE_MOST));
		else if ((vma->flags & (VM_WRITE | VM_GROWSDOWN | VM_LOCKED)) == VM_WRITE)
			prefault_variables(vma);
	}
	mm->space.begins = true;
}

void kernel_prefault(uint64_t start, uint64_t end)
{
	struct mm *mm = current->mm;

	for (struct vma *vma = mm && !mm->busy ? mm_find_vma(mm, start) : NULL; vma && vma->start < end; vma = vma_next(vma)) {
		if (vma->object && !(vma->flags & VM_WRITE))
			prefault_file(vma, MAX(start, vma->start), MIN(end, vma->end));
	}
}
