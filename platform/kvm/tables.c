/*
 * The page tables that the sentry starts on, written into the kernel zone.
 *
 * They map two things in the upper half: both zones at boot->direct_base (writable, not
 * executable, by pages of 2 MiB or 1 GiB), and the image at its base with each segment's
 * own rights. All entries are global. From the first instruction on they belong to the
 * sentry, which copies the upper half into every address space.
 */
#include <errno.h>
#include <sys/mman.h>

#include "platform/kvm/kvm.h"

#define ENTRY_PRESENT (1ull << 0)
#define ENTRY_WRITE (1ull << 1)
#define ENTRY_ACCESSED (1ull << 5)
#define ENTRY_DIRTY (1ull << 6)
#define ENTRY_LARGE (1ull << 7)
#define ENTRY_GLOBAL (1ull << 8)
#define ENTRY_NX (1ull << 63)
#define ENTRY_ADDRESS 0x000ffffffffff000ull
#define SMALL (4096ull)
#define LARGE (2ull << 20)

/* The table's entry for `address` at `level` (4: PML4 … 1: page), making tables on the way; NULL: no memory. */
static uint64_t *table_entry(struct vmm *vmm, uint64_t root, uint64_t address, int level)
{
	uint64_t table = root;

	for (int at = 4;; at--) {
		uint64_t *entries = vmm_gpa(&vmm->memory, GPA(table), SMALL);
		uint64_t *entry = &entries[address >> (12 + 9 * (at - 1)) & 511];

		if (at == level)
			return entry;
		if (!(*entry & ENTRY_PRESENT)) {
			uint64_t page = vmm_kernel_alloc(vmm, SMALL, SMALL);

			if (!page)
				return NULL;
			*entry = page | ENTRY_PRESENT | ENTRY_WRITE | ENTRY_ACCESSED;
		}
		table = *entry & ENTRY_ADDRESS;
	}
}

static int map_range(struct vmm *vmm, uint64_t root, uint64_t address, uint64_t gpa, uint64_t size, uint64_t page,
	uint64_t rights)
{
	for (uint64_t done = 0; done < size; done += page) {
		uint64_t *entry = table_entry(vmm, root, address + done, page == SMALL ? 1 : 2);

		if (!entry)
			return -ENOMEM;
		*entry = (gpa + done) | ENTRY_PRESENT | ENTRY_ACCESSED | ENTRY_DIRTY | ENTRY_GLOBAL | rights |
			(page == SMALL ? 0 : ENTRY_LARGE);
	}
	return 0;
}

static int map_image(struct vmm *vmm, uint64_t root)
{
	const struct loaded_image *image = &vmm->image;

	for (unsigned i = 0; i < image->segment_count; i++) {
		uint64_t rights = (image->segments[i].prot & PROT_WRITE ? ENTRY_WRITE : 0) |
			(image->segments[i].prot & PROT_EXEC ? 0 : ENTRY_NX);
		uint64_t offset = image->segments[i].offset;
		int rc = map_range(vmm, root, image->base + offset, image->gpa + offset, image->segments[i].size, SMALL,
			rights);

		if (rc < 0)
			return rc;
	}
	return 0;
}

int kvm_tables_build(struct vmm *vmm, uint64_t *root)
{
	const struct abi_zone *zones[] = {&vmm->memory.kernel, &vmm->memory.user};
	int rc;

	*root = vmm_kernel_alloc(vmm, SMALL, SMALL);
	if (!*root)
		return -ENOMEM;
	for (int i = 0; i < 2; i++) {
		rc = map_range(vmm, *root, vmm->boot->direct_base + zones[i]->base, zones[i]->base, zones[i]->size, LARGE,
			ENTRY_WRITE | ENTRY_NX);
		if (rc < 0)
			return rc;
	}
	return map_image(vmm, *root);
}
