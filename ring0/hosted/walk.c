/*
 * Reading the 4-level page tables in software, for user copies and mirrors.
 *
 * Only the user half is walked. A leaf that points outside the user zone is a broken
 * invariant: showing it would show the sentry's own memory, so it ends the sandbox.
 */
#include "ring0/hosted/internal.h"
#include "ring0/lib.h"

uint64_t *hosted_pte(uint64_t root, uint64_t address, uint64_t *size)
{
	uint64_t *table = pa_to_va(root);

	for (unsigned shift = 39;; shift -= 9) {
		uint64_t *entry = &table[(address >> shift) & 511];

		if (shift == PAGE_SHIFT || (shift == 21 && *entry & PTE_PS)) {
			*size = 1ull << shift;
			return entry;
		}
		if (!(*entry & PTE_P))
			return NULL;
		table = pa_to_va(*entry & PTE_ADDR);
	}
}

uint64_t *hosted_next_table(uint64_t root, uint64_t *address)
{
	while (*address < USER_TOP) {
		uint64_t *table = pa_to_va(root), *entry;
		unsigned shift = 39;

		for (; shift > PAGE_SHIFT; shift -= 9) {
			entry = &table[(*address >> shift) & 511];
			if (!(*entry & PTE_P) || *entry & PTE_PS)
				break;
			table = pa_to_va(*entry & PTE_ADDR);
		}
		if (shift == PAGE_SHIFT)
			return table + ((*address >> PAGE_SHIFT) & 511);
		*address = ((*address >> shift) + 1) << shift;
	}
	return NULL;
}

uint64_t hosted_user_offset(uint64_t pa)
{
	uint64_t offset = pa - boot_info->user.base;

	BUG_ON(pa < boot_info->user.base || offset >= boot_info->user.size);
	return offset;
}
