/*
 * Address spaces on the guest's MMU: roots, CR3, TLB shootdown.
 *
 * The kernel half of every root is a copy of the boot tables' top level, whose entries
 * never change. CR3 is kept lazily: a CPU without a user space goes on with the tables it
 * had. space.cpus has exactly the CPUs whose CR3 holds the space's root.
 *
 * Shootdown: one at a time, since the initiator holds the kernel lock. It describes the
 * range in `flush`, marks the targets, interrupts them and spins; a target answers from
 * the interrupt (user mode, idle) or from cpu_relax() (spinning for the kernel lock). The
 * interrupt that then comes late finds nothing to do.
 */
#include <linux/errno.h>

#include "ring0/guest/guest.h"
#include "ring0/lib.h"
#include "ring0/lock.h"
#include "ring0/memory.h"
#include "ring0/upcall.h"

#define FLUSH_PAGES_MAX 32 /* more: reload CR3 */
#define KERNEL_HALF 256    /* first PML4 entry of the sentry */

static uint64_t boot_root;
static uint64_t next_space_id = 1; /* kernel lock */

/* The shootdown under way; written by the initiator before any target is marked. */
static struct {
	uint64_t root, address, length;
	bool drop; /* the root is going away: load the boot tables */
	void *const *stacks; /* not NULL: no space's range, but so many kernel stacks lose their addresses */
	unsigned stack_count;
} flush;

static uint64_t cpus_begun; /* bit N: CPU N may have translations of kernel stacks */

static inline uint64_t read_cr3(void)
{
	uint64_t value;

	__asm__ volatile("movq %%cr3, %0" : "=r"(value)::"memory");
	return value;
}

static inline void write_cr3(uint64_t value)
{
	__asm__ volatile("movq %0, %%cr3" ::"r"(value) : "memory");
}

void space_boot(unsigned cpu)
{
	if (cpu == 0)
		boot_root = read_cr3() & PTE_ADDR;
	guest_this_cpu()->root = boot_root;
	__atomic_fetch_or(&cpus_begun, 1ull << cpu, __ATOMIC_SEQ_CST);
}

/* The top level's entry for an address of the sentry's. Spaces have copies: made once, before the first of them, it never changes. */
uint64_t *space_boot_entry(uint64_t address)
{
	uint64_t *entry = (uint64_t *)pa_to_va(boot_root) + (address >> 39 & 511);

	BUG_ON(!(*entry & PTE_P) && next_space_id != 1);
	return entry;
}

int guest_space_init(struct space *space)
{
	uint64_t root = kernel_alloc_table();

	if (!root)
		return -ENOMEM;
	memcpy((uint64_t *)pa_to_va(root) + KERNEL_HALF, (uint64_t *)pa_to_va(boot_root) + KERNEL_HALF,
		(512 - KERNEL_HALF) * sizeof(uint64_t));
	*space = (struct space){.id = next_space_id++, .root = root};
	return 0;
}

/* Load other tables; `space` is NULL for the boot tables. */
static void space_load(struct guest_cpu *cpu, struct space *space)
{
	uint64_t bit = 1ull << cpu->percpu->cpu;

	if (cpu->loaded)
		__atomic_fetch_and(&cpu->loaded->cpus, ~bit, __ATOMIC_RELEASE);
	if (space)
		__atomic_fetch_or(&space->cpus, bit, __ATOMIC_SEQ_CST);
	cpu->loaded = space;
	cpu->root = space ? space->root : boot_root;
	cpu->cr3_loads++;
	write_cr3(cpu->root);
}

void guest_space_switch(struct space *space)
{
	struct guest_cpu *cpu = guest_this_cpu();

	this_cpu()->space = space;
	if (space && cpu->loaded != space)
		space_load(cpu, space);
}

static void flush_local(uint64_t address, uint64_t length)
{
	if (length > FLUSH_PAGES_MAX * PAGE_SIZE) {
		guest_this_cpu()->cr3_loads++;
		write_cr3(read_cr3());
		return;
	}
	for (uint64_t at = address & PAGE_MASK; at < address + length; at += PAGE_SIZE)
		__asm__ volatile("invlpg (%0)" ::"r"(at) : "memory");
}

static void flush_stacks_local(void)
{
	for (unsigned i = 0; i < flush.stack_count; i++)
		for (uint64_t at = 0; at < KERNEL_STACK_SIZE; at += PAGE_SIZE)
			__asm__ volatile("invlpg (%0)" ::"r"((uint64_t)flush.stacks[i] + at) : "memory");
}

void guest_flush_serve(void)
{
	struct guest_cpu *cpu = guest_this_cpu();

	if (!__atomic_load_n(&this_cpu()->flush_pending, __ATOMIC_ACQUIRE))
		return;
	if (flush.stacks) {
		flush_stacks_local();
	} else if (cpu->root == flush.root) {
		if (flush.drop)
			space_load(cpu, NULL);
		else
			flush_local(flush.address, flush.length);
	}
	__atomic_store_n(&this_cpu()->flush_pending, 0, __ATOMIC_RELEASE);
}

/* `flush` is filled in. */
static void flush_send(uint64_t others)
{
	for (uint64_t left = others; left; left &= left - 1) {
		unsigned cpu = (unsigned)__builtin_ctzll(left);

		__atomic_store_n(&percpus[cpu].flush_pending, 1, __ATOMIC_SEQ_CST);
		apic_send(cpu, GUEST_VECTOR_FLUSH);
	}
	for (uint64_t left = others; left; left &= left - 1)
		while (__atomic_load_n(&percpus[__builtin_ctzll(left)].flush_pending, __ATOMIC_ACQUIRE))
			cpu_relax();
}

static void flush_others(struct space *space, uint64_t address, uint64_t length, bool drop)
{
	uint64_t others = __atomic_load_n(&space->cpus, __ATOMIC_SEQ_CST) & ~(1ull << this_cpu()->cpu);

	if (!others)
		return;
	flush.root = space->root;
	flush.address = address;
	flush.length = length;
	flush.drop = drop;
	flush_send(others);
}

void space_flush_stacks(void *const *stacks, unsigned n)
{
	flush.stacks = stacks;
	flush.stack_count = n;
	flush_stacks_local();
	flush_send(__atomic_load_n(&cpus_begun, __ATOMIC_SEQ_CST) & ~(1ull << this_cpu()->cpu));
	flush.stacks = NULL;
}

void guest_space_flush(struct space *space, uint64_t address, uint64_t length)
{
	if (guest_this_cpu()->root == space->root)
		flush_local(address, length);
	flush_others(space, address, length, false);
}

void guest_space_free(struct space *space)
{
	struct guest_cpu *cpu = guest_this_cpu();

	if (cpu->loaded == space) {
		space_load(cpu, NULL);
		if (this_cpu()->space == space)
			this_cpu()->space = NULL;
	}
	flush_others(space, 0, 0, true);
	kernel_free_table(space->root);
	space->root = 0;
}
