/*
 * Stubs that keep what they show of files from one space to the next.
 *
 * A fork's child shows the same pages of the same files at the same addresses as the one before it, and so does a
 * program that is linked to fixed addresses. When such a space ends (hosted_space_keep(), then hosted_space_free()), its
 * stub on this CPU is emptied of all but read-only pages of files, and a *record* says which these are. A new space
 * whose page tables have them, too, adopts the stub (keep_adopt()); what differs is taken out before it runs.
 *
 * A record holds its pages, so none is used for anything else while a stub shows it. It goes, and the stub's pages
 * first, when another needs its place, when memory is short, and when a page gets another shadow (patch.c).
 * Kernel lock; records of another CPU may be dropped, not adopted.
 */
#include <linux/errno.h>

#include "ring0/hosted/internal.h"
#include "ring0/lib.h"
#include "ring0/upcall.h"

#define RUNS 24u
#define RECORDS 6u /* a CPU */

struct run {
	uint64_t address, pa;
	uint32_t pages;
	bool runs; /* its code may be executed */
};

struct record {
	uint64_t space; /* id of the one that ended; 0: no record */
	uint64_t text;  /* as space.text: what is shown depends on it */
	uint64_t generation;
	uint64_t made;
	uint32_t mappings;
	uint32_t count;
	struct run run[RUNS];
};
_Static_assert(RECORDS * sizeof(struct record) <= PAGE_SIZE, "a CPU's are one page");

static struct record *records[ABI_MAX_CPUS]; /* NULL: it never had one */
static uint64_t made;

static uint64_t run_end(const struct run *r)
{
	return r->address + r->pages * PAGE_SIZE;
}

static void record_release(struct record *r)
{
	for (unsigned i = 0; i < r->count; i++)
		for (uint64_t n = 0; n < r->run[i].pages; n++)
			kernel_page_release(r->run[i].pa + n * PAGE_SIZE);
	r->space = 0;
}

/* Its stub shows nothing any more. */
static void record_drop(unsigned cpu, struct record *r)
{
	HOST2(empty, cpu, r->space);
	record_release(r);
}

static struct record *record_find(unsigned cpu, uint64_t space)
{
	for (unsigned i = 0; records[cpu] && i < RECORDS; i++)
		if (records[cpu][i].space == space)
			return &records[cpu][i];
	return NULL;
}

void keep_drop_page(uint64_t pa)
{
	for (unsigned i = 0; i < RECORDS * cpu_count; i++) {
		struct record *r = records[i / RECORDS] ? &records[i / RECORDS][i % RECORDS] : NULL;

		for (unsigned n = 0; r && r->space && n < r->count; n++)
			if (pa - r->run[n].pa < r->run[n].pages * PAGE_SIZE)
				record_drop(i / RECORDS, r);
	}
}

void hosted_spaces_trim(void)
{
	for (unsigned i = 0; i < RECORDS * cpu_count; i++)
		if (records[i / RECORDS] && records[i / RECORDS][i % RECORDS].space)
			record_drop(i / RECORDS, &records[i / RECORDS][i % RECORDS]);
}

/* ---- a space ends ---- */

static struct record *record_new(unsigned cpu)
{
	struct record *r;

	if (!records[cpu]) {
		uint64_t page = kernel_alloc_table();

		if (!page)
			return NULL;
		records[cpu] = pa_to_va(page);
	}
	r = records[cpu];
	for (unsigned i = 0; i < RECORDS && r->space; i++)
		if (!records[cpu][i].space || records[cpu][i].made < r->made)
			r = &records[cpu][i];
	if (r->space)
		record_drop(cpu, r);
	r->count = 0;
	return r;
}

/* False: there is no room for it. */
static bool record_add(struct record *r, uint64_t address, uint64_t pte)
{
	struct run *last = r->count ? &r->run[r->count - 1] : NULL;
	uint64_t pa = pte & PTE_ADDR;
	bool runs = !(pte & PTE_NX);

	if (last && run_end(last) == address && last->pa + last->pages * PAGE_SIZE == pa && last->runs == runs) {
		last->pages++;
		return true;
	}
	if (r->count == RUNS)
		return false;
	r->run[r->count++] = (struct run){address, pa, 1, runs};
	return true;
}

static uint64_t keep_window(struct record *r, const uint64_t *pte, uint64_t address, uint64_t shown)
{
	uint64_t kept = 0;

	for (uint64_t left = shown; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);

		if ((pte[i] & (PTE_P | PTE_U | PTE_W)) != (PTE_P | PTE_U) || !kernel_page_keep(pte[i] & PTE_ADDR))
			continue;
		if (record_add(r, address + i * PAGE_SIZE, pte[i]))
			kept |= 1ull << i;
		else
			kernel_page_release(pte[i] & PTE_ADDR);
	}
	return kept;
}

void hosted_space_keep(struct space *space)
{
	unsigned cpu = this_cpu()->cpu;
	struct hosted_mirror *m = mirror_of(space, cpu);
	struct record *r;
	uint64_t at = 0;

	if (!boot_info->hosted->adopt || !space->alike || !m->live || !m->mapped || !patch_text_whole(space))
		return;
	mirror_drain(m);
	r = m->mapped ? record_new(cpu) : NULL;
	if (!r)
		return;
	for (const uint64_t *pte; (pte = hosted_next_table(space->root, &at)); at += MIRROR_WINDOW)
		mirror_set_shown(m, at, keep_window(r, pte, at, mirror_get_shown(m, at)));
	if (!r->count)
		return;
	r->space = space->id;
	r->text = space->text;
	r->generation = m->generation;
	r->mappings = m->mappings;
	r->made = ++made;
	m->keeps = true;
}

void keep_unmap(struct hosted_mirror *m)
{
	unsigned cpu = this_cpu()->cpu;
	const struct record *r = m->keeps ? record_find(cpu, m->space->id) : NULL;
	uint64_t at = 0;

	for (unsigned i = 0; r && i < r->count; i++) {
		if (at < r->run[i].address)
			HOST4(unmap, cpu, m->space->id, at, r->run[i].address - at);
		at = run_end(&r->run[i]);
	}
	HOST4(unmap, cpu, m->space->id, at, USER_TOP - at);
}

/* ---- another begins ---- */

static bool run_has(const struct space *space, const struct run *r, uint64_t address)
{
	uint64_t size, *pte = hosted_pte(space->root, address, &size);

	return pte && size == PAGE_SIZE && (*pte & (PTE_P | PTE_U | PTE_W)) == (PTE_P | PTE_U) &&
		!(*pte & PTE_NX) == r->runs && (*pte & PTE_ADDR) == r->pa + (address - r->address);
}

/* How many pages are in runs that the space seems to have. */
static uint64_t record_score(const struct space *space, const struct record *r)
{
	uint64_t score = 0;

	if (!r->space || r->text != space->text)
		return 0;
	for (unsigned i = 0; i < r->count; i++) {
		kernel_prefault(r->run[i].address, r->run[i].address + PAGE_SIZE);
		if (run_has(space, &r->run[i], r->run[i].address))
			score += r->run[i].pages;
	}
	return score;
}

/* True: a page was there that the space has not. */
static bool take_out_others(const struct space *space, struct hosted_mirror *m, const struct run *r)
{
	bool any = false;

	kernel_prefault(r->address, run_end(r));
	for (uint64_t at = r->address; at < run_end(r); at += PAGE_SIZE) {
		if (run_has(space, r, at))
			continue;
		HOST4(unmap, this_cpu()->cpu, space->id, at, PAGE_SIZE);
		m->mappings++; /* it may have been taken out of one */
		mirror_set_shown(m, at, mirror_get_shown(m, at) & ~(1ull << (at >> PAGE_SHIFT) % 64));
		any = true;
	}
	return any;
}

void keep_adopt(struct space *space, struct hosted_mirror *m)
{
	unsigned cpu = this_cpu()->cpu;
	struct record *best = NULL;
	uint64_t most = 0;
	bool others = false;

	if (!records[cpu] || m->mapped || space->plain || !patch_text_whole(space))
		return;
	for (unsigned i = 0; i < RECORDS; i++) {
		uint64_t score = record_score(space, &records[cpu][i]);

		if (score > most) {
			most = score;
			best = &records[cpu][i];
		}
	}
	if (!best)
		return;
	mirror_serve_dead(); /* its stub may wait for that */
	if (!best->space)
		return;
	if (HOST3(adopt, cpu, space->id, best->space) < 0) {
		record_drop(cpu, best);
		return;
	}
	best->space = 0; /* ours: what follows may run short of memory, and drop records */
	m->generation = best->generation;
	m->mappings = best->mappings + best->count; /* what lay between was taken out */
	m->mapped = true;
	for (unsigned i = 0; i < best->count; i++)
		others |= take_out_others(space, m, &best->run[i]);
	if (others)
		HOST2(settle, cpu, space->id);
	record_release(best);
}
