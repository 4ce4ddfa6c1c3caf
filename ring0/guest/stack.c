/*
 * Kernel stacks at addresses of their own, with nothing mapped around them.
 *
 * In the direct map a stack lies between other memory in pages of 2 MiB, and an overrun would silently change what is
 * below. So stacks are used in a window: slots of twice a stack's size, whose upper half shows the stack by pages of
 * 4 KiB and whose lower half shows nothing. An overrun is a page fault that finds no stack to be told on, thus a double
 * fault, which has a stack of its own (trap.c). The host knows physical addresses only: what it reads and writes must not
 * lie on a stack, as va_to_pa() holds for the direct map alone.
 *
 * The window is one entry of the top level, made for the first stack, before any space copies it. Its tables stay. A
 * slot that is free keeps the number of the next one in its first entry, which is not present. Kernel lock.
 */
#include "ring0/guest/guest.h"
#include "ring0/lib.h"
#include "ring0/memory.h"
#include "ring0/upcall.h"

#define WINDOW 0xffffc90000000000ull
#define SLOT_SIZE (2 * KERNEL_STACK_SIZE)
#define SLOTS ((1ull << 39) / SLOT_SIZE)
#define STACK_PAGES (KERNEL_STACK_SIZE / PAGE_SIZE)
#define NEXT_SHIFT 12 /* of a free slot's entry */

static uint64_t slots_used; /* ever */
static uint64_t free_slot;  /* 0: none; else a slot's number + 1 */

bool guest_stack_is_guard(uint64_t address)
{
	return address >= WINDOW && address < WINDOW + SLOTS * SLOT_SIZE && (address - WINDOW) % SLOT_SIZE < KERNEL_STACK_SIZE;
}

/* The entries of the slot's stack, in one table; NULL: no memory for the tables above. */
static uint64_t *slot_entries(uint64_t slot)
{
	uint64_t address = WINDOW + slot * SLOT_SIZE + KERNEL_STACK_SIZE;
	uint64_t *entry = space_boot_entry(address);

	for (int shift = 30; ; shift -= 9) {
		if (!(*entry & PTE_P)) {
			uint64_t table = kernel_alloc_table();

			if (!table)
				return NULL;
			*entry = table | PTE_P | PTE_W | PTE_A;
		}
		entry = (uint64_t *)pa_to_va(*entry & PTE_ADDR) + (address >> shift & 511);
		if (shift == 12)
			return entry;
	}
}

void *guest_stack_map(uint64_t pa)
{
	uint64_t slot = free_slot ? free_slot - 1 : slots_used, *entries;

	if (slot == SLOTS)
		return NULL;
	entries = slot_entries(slot);
	if (!entries)
		return NULL;
	if (free_slot)
		free_slot = entries[0] >> NEXT_SHIFT;
	else
		slots_used++;
	for (unsigned i = 0; i < STACK_PAGES; i++)
		entries[i] = (pa + i * PAGE_SIZE) | PTE_P | PTE_W | PTE_A | PTE_D | PTE_G | PTE_NX;
	return (void *)(WINDOW + slot * SLOT_SIZE + KERNEL_STACK_SIZE);
}

void guest_stacks_unmap(void *const *stacks, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t slot = ((uint64_t)stacks[i] - WINDOW) / SLOT_SIZE, *entries = slot_entries(slot);

		for (unsigned page = 1; page < STACK_PAGES; page++)
			entries[page] = 0;
		entries[0] = free_slot << NEXT_SHIFT;
		free_slot = slot + 1;
	}
	space_flush_stacks(stacks, n);
}
