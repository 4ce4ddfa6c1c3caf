/*
 * Mirrors: what the stubs show of the page tables.
 *
 * A mirror is filled on faults from present page table entries (mirror_show) and emptied
 * by ranges that space_flush() queues for it. The rule that no stale mapping is used:
 *   - an entry changes first, then its range is queued, then `running` is read;
 *   - a CPU sets its bit in `running` first, then reads its queue, and runs user code
 *     only with the queue empty. So one of the two sees the other.
 *   - mapping orders are made under the kernel lock, and a drain after them adds unmap
 *     orders behind them, so what a later flush named cannot come back.
 * A CPU found in user mode is kicked and waited for: it clears its bit before it wants
 * the kernel lock. Stubs belong to one CPU's thread, so a freed space waits on each
 * CPU's list of dead ones until that CPU passes by.
 */
#include <linux/errno.h>

#include "ring0/hosted/internal.h"
#include "ring0/lib.h"
#include "ring0/upcall.h"

#define SHOW_PAGES 64u /* aligned window around a fault */
#define SHOW_RUNS 12u  /* orders made for one fault */
#define WINDOW_SHIFT 18 /* of SHOW_PAGES pages */
#define TABLE_SPAN (2ull << 20) /* of a page table */
#define REFILL_ORDERS 100u /* of what a page of orders holds */
#define MAPPING_BYTES 256u /* about what the host's kernel keeps for a mapping of a stub */
#define TABLE_COST 16u     /* a page table of the host's, in mappings */
#define COSTS_MIN (4ull << 20) /* bytes of the host's that all stubs' mappings may take, and what that grows by: a 32nd of the container's memory */
#define COSTS_SHIFT 5u
#define COST_SHIFT 3u      /* a mirror that has an 8th of that is the one to empty */
#define RENEW_RANGE (64ull << 10) /* a flush up to this size: what is still present there is shown again at once */
#define REFILL_RANGE (1ull << 20) /* a flush of so much counts as emptying (fork) */

/* Windows shown by faults, latest first: likely wanted by an emptied stub too, and by a fork's child. Kernel lock. */
static uint64_t hints[HINTS];
static uint64_t last_id;            /* kernel lock */
static uint64_t last_generation;    /* atomic */
static uint64_t all_costs;          /* of all mirrors; atomic */
static struct hosted_space *unused; /* freed and dropped everywhere; pushed with atomics, popped under the kernel lock */

struct hosted_mirror *mirror_of(const struct space *space, unsigned cpu)
{
	const struct hosted_space *s = space->private;
	char *page = pa_to_va(s->pages[cpu / MIRRORS_A_PAGE]);

	return (struct hosted_mirror *)(page + 256u * (1 + cpu % MIRRORS_A_PAGE));
}

static void free_pages(struct hosted_space *s)
{
	for (unsigned i = MIRROR_PAGES; i-- > 1;)
		if (s->pages[i])
			kernel_free_table(s->pages[i]);
	kernel_free_table(s->pages[0]); /* holds s itself */
}

static void free_unused(void)
{
	struct hosted_space *s = __atomic_exchange_n(&unused, NULL, __ATOMIC_ACQUIRE), *next;

	for (; s; s = next) {
		next = s->next;
		free_pages(s);
	}
}

static void push_unused(struct hosted_space *s)
{
	s->next = __atomic_load_n(&unused, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&unused, &s->next, s, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

int hosted_space_init(struct space *space)
{
	uint64_t first = kernel_alloc_table();
	struct hosted_space *s;

	free_unused();
	if (!first)
		return -ENOMEM;
	s = pa_to_va(first);
	s->pages[0] = first;
	for (unsigned i = 1; i * MIRRORS_A_PAGE < cpu_count; i++) {
		s->pages[i] = kernel_alloc_table();
		if (!s->pages[i])
			goto no_memory;
	}
	*space = (struct space){.id = ++last_id, .private = s};
	s->id = space->id;
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		mirror_of(space, cpu)->space = s;
		mirror_of(space, cpu)->lock.rank = LOCK_MACHINE;
	}
	space->root = kernel_alloc_table();
	if (space->root) {
		patch_space_init(space);
		return 0;
	}
no_memory:
	free_pages(s);
	return -ENOMEM;
}

void hosted_space_free(struct space *space)
{
	struct hosted_space *s = space->private;

	if (this_cpu()->space == space)
		hosted_space_switch(NULL);
	patch_space_free(space);
	for (uint64_t cpus = boot_info->hosted->settle ? space->cpus : 0; cpus; cpus &= cpus - 1) {
		unsigned cpu = (unsigned)__builtin_ctzll(cpus);

		if (cpu == this_cpu()->cpu)
			keep_unmap(mirror_of(space, cpu));
		else
			HOST4(unmap, cpu, space->id, 0, USER_TOP);
		HOST2(settle, cpu, space->id);
	}
	s->undropped = 1;
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		struct hosted_mirror *m = mirror_of(space, cpu);
		struct hosted_cpu *h = &hosted_cpus[cpu];

		if (!(space->cpus & 1ull << cpu))
			continue;
		__atomic_add_fetch(&s->undropped, 1, __ATOMIC_SEQ_CST);
		spin_lock(&h->dead_lock);
		m->next_dead = h->dead;
		h->dead = m;
		h->dead_count++;
		spin_unlock(&h->dead_lock);
	}
	kernel_free_table(space->root);
	space->root = 0;
	space->private = NULL;
	if (!__atomic_sub_fetch(&s->undropped, 1, __ATOMIC_SEQ_CST))
		free_pages(s);
}

void hosted_space_switch(struct space *space)
{
	/* execve: the same task goes on in another space, its FPU state is still in the old one's stub. */
	hosted_fpu_leave();
	this_cpu()->space = space;
	if (space)
		__atomic_or_fetch(&space->cpus, 1ull << this_cpu()->cpu, __ATOMIC_SEQ_CST);
}

/* ---- what a mirror shows, as far as it is remembered; own CPU alone ---- */

static struct shown *shown_slot(const struct hosted_mirror *m, uint64_t window)
{
	return &this_hosted()->shown[(window ^ window >> 10 ^ m->generation * 37) % SHOWN_SLOTS];
}

static uint64_t shown_pages(const struct hosted_mirror *m, uint64_t window)
{
	const struct shown *slot = shown_slot(m, window);

	return slot->window == window && slot->generation == m->generation ? slot->pages : 0;
}

/*
 * Another window of the mirror has the slot: more are in use than can be remembered, so what is around a fault may
 * well be shown already, and is not likely to be wanted.
 */
static bool shown_crowded(const struct hosted_mirror *m, uint64_t window)
{
	const struct shown *slot = shown_slot(m, window);

	return slot->window != window && slot->generation == m->generation;
}

static void shown_set(const struct hosted_mirror *m, uint64_t window, uint64_t pages)
{
	*shown_slot(m, window) = (struct shown){window, m->generation, pages};
}

uint64_t mirror_get_shown(const struct hosted_mirror *m, uint64_t address)
{
	return shown_pages(m, address >> WINDOW_SHIFT);
}

void mirror_set_shown(const struct hosted_mirror *m, uint64_t address, uint64_t pages)
{
	shown_set(m, address >> WINDOW_SHIFT, pages);
}

static void shown_none(struct hosted_mirror *m)
{
	m->generation = __atomic_add_fetch(&last_generation, 1, __ATOMIC_RELAXED);
	m->mapped = false;
}

static void shown_clear(const struct hosted_mirror *m, uint64_t address, uint64_t length)
{
	uint64_t first = address >> WINDOW_SHIFT, last = (address + length - 1) >> WINDOW_SHIFT;

	if (last - first >= SHOWN_SLOTS) {
		struct hosted_cpu *h = this_hosted();

		for (unsigned i = 0; i < SHOWN_SLOTS; i++)
			if (h->shown[i].generation == m->generation && h->shown[i].window - first <= last - first)
				h->shown[i].generation = 0;
		return;
	}
	for (uint64_t window = first; window <= last; window++) {
		uint64_t from = MAX(address, window << WINDOW_SHIFT), to = MIN(address + length, (window + 1) << WINDOW_SHIFT);
		unsigned bit = (from >> PAGE_SHIFT) % SHOW_PAGES, n = (unsigned)((to - from) >> PAGE_SHIFT);
		uint64_t pages = shown_pages(m, window);

		if (pages)
			shown_set(m, window, pages & ~((n == SHOW_PAGES ? ~0ull : (1ull << n) - 1) << bit));
	}
}

/* ---- the queue of ranges ---- */

static void mirror_queue(struct hosted_mirror *m, uint64_t address, uint64_t length)
{
	spin_lock(&m->lock);
	if (m->count && m->range[m->count - 1].address + m->range[m->count - 1].length == address) {
		m->range[m->count - 1].length += length;
	} else if (m->count < MIRROR_RANGES) {
		m->range[m->count].address = address;
		m->range[m->count].length = length;
		__atomic_store_n(&m->count, m->count + 1, __ATOMIC_SEQ_CST);
	} else {
		__atomic_store_n(&m->overflow, 1, __ATOMIC_SEQ_CST);
	}
	spin_unlock(&m->lock);
}

static void set_cost(struct hosted_mirror *m, uint64_t cost)
{
	__atomic_add_fetch(&all_costs, cost - m->cost, __ATOMIC_RELAXED);
	m->cost = cost;
}

/* All that it shows goes. */
static void mirror_empty(struct hosted_mirror *m)
{
	HOST4(unmap, this_cpu()->cpu, m->space->id, 0, USER_TOP);
	shown_none(m);
	m->mappings = 0;
	set_cost(m, 0);
	m->refill = true;
}

void mirror_drain(struct hosted_mirror *m)
{
	unsigned cpu = this_cpu()->cpu;

	spin_lock(&m->lock);
	if (m->live && m->mapped) {
		bool done = boot_info->hosted->settle; /* flush_now() has unmapped it */

		if (m->overflow)
			mirror_empty(m);
		for (unsigned i = 0; i < m->count && !m->overflow; i++) {
			if (!done)
				HOST4(unmap, cpu, m->space->id, m->range[i].address, m->range[i].length);
			shown_clear(m, m->range[i].address, m->range[i].length);
			m->mappings++; /* it may have been taken out of one */
			m->refill |= m->range[i].length >= REFILL_RANGE;
		}
	}
	m->overflow = 0;
	__atomic_store_n(&m->count, 0, __ATOMIC_SEQ_CST);
	spin_unlock(&m->lock);
}

/*
 * Where a stub's code may run on whatever it says, nothing is left for later: the range is gone from every stub
 * on return. In the stub of this CPU what a small range has now is shown in the same go (a copied page); if the
 * pages are `kept` by the space, it is done there before user code is next run.
 */
static void flush_now(struct space *space, uint64_t address, uint64_t length, bool kept)
{
	unsigned self = this_cpu()->cpu;

	for (uint64_t cpus = space->cpus; cpus; cpus &= cpus - 1) {
		unsigned cpu = (unsigned)__builtin_ctzll(cpus);

		HOST4(unmap, cpu, space->id, address, length);
		if (cpu == self)
			mirror_renew(space, mirror_of(space, self));
		if (cpu != self || !kept)
			HOST2(settle, cpu, space->id);
	}
}

static void space_flush(struct space *space, uint64_t address, uint64_t length, bool kept)
{
	uint64_t end, self = 1ull << this_cpu()->cpu, wait;

	if (__builtin_add_overflow(address, length, &end) || end > USER_TOP)
		end = USER_TOP;
	address &= PAGE_MASK;
	end = PAGE_ALIGN(end);
	if (address >= end)
		return;
	for (uint64_t cpus = space->cpus; cpus; cpus &= cpus - 1)
		mirror_queue(mirror_of(space, (unsigned)__builtin_ctzll(cpus)), address, end - address);
	if (boot_info->hosted->settle) {
		flush_now(space, address, end - address, kept);
		return;
	}
	wait = __atomic_load_n(&space->running, __ATOMIC_SEQ_CST) & ~self;
	for (uint64_t cpus = wait; cpus; cpus &= cpus - 1)
		HOST2(kick, __builtin_ctzll(cpus), 0);
	for (; wait; wait &= wait - 1) {
		const struct hosted_mirror *m = mirror_of(space, (unsigned)__builtin_ctzll(wait));

		while ((__atomic_load_n(&space->running, __ATOMIC_SEQ_CST) & wait & -wait) && (m->count || m->overflow))
			cpu_relax();
	}
}

void hosted_space_flush(struct space *space, uint64_t address, uint64_t length)
{
	space_flush(space, address, length, false);
}

void hosted_space_protect(struct space *space, uint64_t address, uint64_t length)
{
	space_flush(space, address, length, true);
}

void hosted_space_flush_part(struct space *space, uint64_t address, uint64_t length)
{
	for (uint64_t cpus = space->cpus; cpus; cpus &= cpus - 1) {
		unsigned cpu = (unsigned)__builtin_ctzll(cpus);

		mirror_queue(mirror_of(space, cpu), address, length);
		if (boot_info->hosted->settle)
			HOST4(unmap, cpu, space->id, address, length);
		if (cpu == this_cpu()->cpu)
			mirror_of(space, cpu)->refill = true;
	}
}

/* ---- life of stubs; own CPU alone ---- */

void mirror_lost(struct hosted_mirror *m)
{
	struct hosted_cpu *h = this_hosted();

	if (!m->live)
		return;
	TAILQ_REMOVE(&h->live, m, link);
	h->live_count--;
	m->live = false;
	set_cost(m, 0);
	m->fpu_version = 0;
	if (h->fpu_task && h->fpu_mirror == m)
		hosted_fpu_lost();
}

void mirror_drop(struct hosted_mirror *m)
{
	if (!m->live)
		return;
	if (m->keeps)
		HOST2(retire, this_cpu()->cpu, m->space->id);
	else
		HOST2(drop, this_cpu()->cpu, m->space->id);
	mirror_lost(m);
}

void mirror_use(struct hosted_mirror *m)
{
	struct hosted_cpu *h = this_hosted();

	if (__builtin_expect(TAILQ_FIRST(&h->live) == m, 1))
		return;
	if (m->live) {
		TAILQ_REMOVE(&h->live, m, link);
	} else {
		if (h->live_count >= MIRRORS_LIVE)
			mirror_drop(TAILQ_LAST(&h->live, mirror_list));
		m->live = m->refill = true;
		m->mappings = 0;
		shown_none(m);
		h->live_count++;
	}
	TAILQ_INSERT_HEAD(&h->live, m, link);
}

void mirror_serve_dead(void)
{
	struct hosted_cpu *h = this_hosted();

	while (h->dead_count) {
		struct hosted_mirror *m;

		spin_lock(&h->dead_lock);
		m = h->dead;
		h->dead = m->next_dead;
		h->dead_count--;
		spin_unlock(&h->dead_lock);
		if (h->fpu_task && h->fpu_mirror == m)
			hosted_fpu_lost();
		mirror_drop(m);
		if (!__atomic_sub_fetch(&m->space->undropped, 1, __ATOMIC_SEQ_CST))
			push_unused(m->space);
	}
}

/* ---- filling ---- */

static unsigned pte_prot(uint64_t pte)
{
	return HOSTED_READ | (pte & PTE_W ? HOSTED_WRITE : 0) | (pte & PTE_NX ? 0 : HOSTED_EXEC);
}

/* Those of a run that are shown as others. */
static void show_shadows(struct hosted_mirror *m, uint64_t address, unsigned pages, uint64_t pte)
{
	for (unsigned i = 0; i < pages; i++) {
		uint64_t pa = patch_shadow(m, address + i * PAGE_SIZE, (pte & PTE_ADDR) + i * PAGE_SIZE);

		if (!pa)
			continue;
		HOST6(map, this_cpu()->cpu, m->space->id, address + i * PAGE_SIZE, PAGE_SIZE, hosted_user_offset(pa),
			pte_prot(pte));
		m->mappings += 2; /* in the middle of one */
	}
}

static void show_run(struct hosted_mirror *m, uint64_t address, unsigned pages, uint64_t pte)
{
	HOST6(map, this_cpu()->cpu, m->space->id, address, pages * PAGE_SIZE, hosted_user_offset(pte & PTE_ADDR), pte_prot(pte));
	if (patch_shows(m, pte))
		show_shadows(m, address, pages, pte);
	m->mapped = true;
	m->mappings++;
}

/*
 * What stubs show costs the host's kernel mappings and page tables, which the container is not charged for; they are
 * only a cache. Where all together take more than their part, a mirror with much of it begins anew, else the one of this CPU that was used
 * longest ago goes. Counted is what it may be at most: a table for each mapping, but no more than the space has.
 */
static bool costs_too_much(struct hosted_mirror *m)
{
	uint64_t all = (COSTS_MIN + (boot_info->mem_limit >> COSTS_SHIFT)) / MAPPING_BYTES;
	struct hosted_mirror *last;

	set_cost(m, m->mappings + TABLE_COST * MIN((uint64_t)m->mappings, m->space->space->tables));
	if (__builtin_expect(__atomic_load_n(&all_costs, __ATOMIC_RELAXED) <= all, 1))
		return false;
	if (m->cost > all >> COST_SHIFT)
		return true;
	last = TAILQ_LAST(&this_hosted()->live, mirror_list);
	if (last != m)
		mirror_drop(last);
	return false;
}

/*
 * Before a window is shown. The host gives a stub so many mappings; one more, and the stub is lost. What it has
 * is not known exactly, since neighbours that join count as one, but never more than counted here. Emptied, it begins
 * anew as after a fork: that costs half a microsecond for each mapping made since.
 */
static void mirror_room(struct hosted_mirror *m)
{
	if (__builtin_expect(m->mappings + 2 * (SHOW_RUNS + SHOW_PAGES) > boot_info->stub_mappings || costs_too_much(m), 0))
		mirror_empty(m);
}

/* Whole windows that go on where a run ended at the end of one: the pages of theirs that join it. */
static unsigned run_ahead(struct hosted_mirror *m, uint64_t *window, uint64_t start, uint64_t expect)
{
	const uint64_t part = PTE_ADDR | PTE_P | PTE_U | PTE_W | PTE_NX;
	unsigned pages = 0;

	for (; start % TABLE_SPAN && !shown_pages(m, start >> WINDOW_SHIFT); start += SHOW_PAGES * PAGE_SIZE) {
		for (unsigned i = 0; i < SHOW_PAGES; i++)
			if ((window[pages + i] & part) != expect + (pages + i) * PAGE_SIZE)
				return pages;
		for (unsigned i = 0; i < SHOW_PAGES; i++)
			window[pages + i] |= PTE_A | (expect & PTE_W ? PTE_D : 0);
		shown_set(m, start >> WINDOW_SHIFT, ~0ull);
		pages += SHOW_PAGES;
	}
	return pages;
}

/* The run of pages that a fault is about. Memory that is written in order is shown as far as it is there. */
static void show_fault_run(struct hosted_mirror *m, uint64_t *pte, uint64_t address, unsigned pages)
{
	const uint64_t part = PTE_ADDR | PTE_P | PTE_U | PTE_W | PTE_NX;
	uint64_t end = address + pages * PAGE_SIZE;
	bool in_order = address == m->run_end && *pte & PTE_W && pages > 1;

	if (in_order && !(end & ((1ull << WINDOW_SHIFT) - 1)))
		pages += run_ahead(m, pte + pages, end, (*pte & part) + pages * PAGE_SIZE);
	m->run_end = address + pages * PAGE_SIZE;
	show_run(m, address, pages, *pte);
}

static unsigned show_large(struct hosted_mirror *m, uint64_t address, uint64_t pte, uint64_t size)
{
	uint64_t offset = hosted_user_offset(pte & PTE_ADDR & ~(size - 1));

	hosted_user_offset((pte & PTE_ADDR & ~(size - 1)) + size - 1);
	HOST6(map, this_cpu()->cpu, m->space->id, address & ~(size - 1), size, offset, pte_prot(pte));
	m->mapped = true;
	m->mappings++;
	return 1;
}

/*
 * The present pages of one window that are not shown yet; at: the page whose run comes first, whatever else is
 * left out. `again`: that run is shown anew, as far as its rights are alike.
 */
static unsigned show_window(struct hosted_mirror *m, uint64_t *window, uint64_t start, unsigned at, bool again)
{
	const uint64_t present = PTE_P | PTE_U, same = PTE_W | PTE_NX;
	uint64_t old = shown_pages(m, start >> WINDOW_SHIFT), shown = old;
	unsigned runs = 0, passes = shown_crowded(m, start >> WINDOW_SHIFT) && at < SHOW_PAGES ? 1 : 2;

	if (at < SHOW_PAGES)
		shown &= again ? 0 : ~(1ull << at);
	for (unsigned pass = 0; pass < passes; pass++) {
		for (unsigned i = 0, n; i < SHOW_PAGES && runs < SHOW_RUNS; i += n) {
			uint64_t first = window[i];

			n = 1;
			if ((first & present) != present || shown >> i & 1)
				continue;
			while (i + n < SHOW_PAGES && (window[i + n] & present) == present && !(shown >> (i + n) & 1) &&
				(window[i + n] & PTE_ADDR) == (first & PTE_ADDR) + n * PAGE_SIZE &&
				(window[i + n] & same) == (first & same))
				n++;
			if ((pass == 0) != (i <= at && at < i + n))
				continue;
			for (unsigned k = i; k < i + n; k++) {
				window[k] |= PTE_A | (first & PTE_W ? PTE_D : 0);
				shown |= 1ull << k;
			}
			if (pass == 0)
				show_fault_run(m, window + i, start + i * PAGE_SIZE, n);
			else
				show_run(m, start + i * PAGE_SIZE, n, first);
			runs++;
		}
		if (pass == 0)
			shown |= old; /* the others' rights did not change */
	}
	shown_set(m, start >> WINDOW_SHIFT, shown);
	return runs;
}

unsigned mirror_show(struct space *space, struct hosted_mirror *m, uint64_t address, bool again)
{
	const uint64_t present = PTE_P | PTE_U;
	uint64_t size, *pte;
	unsigned at;

	if (address >= USER_TOP)
		return 0;
	pte = hosted_pte(space->root, address, &size);
	if (!pte || (*pte & present) != present)
		return 0;
	mirror_room(m);
	if (again)
		m->mappings++; /* out of the middle of one */
	if (size != PAGE_SIZE)
		return show_large(m, address, *pte, size);
	at = (unsigned)(address >> PAGE_SHIFT) % SHOW_PAGES;
	return show_window(m, pte - at, (address & PAGE_MASK) - at * PAGE_SIZE, at, again);
}

void hosted_space_show(struct space *space, uint64_t address)
{
	struct hosted_mirror *m = mirror_of(space, this_cpu()->cpu);

	if (!m->live || !m->mapped || space != this_cpu()->space)
		return;
	mirror_drain(m);
	mirror_show(space, m, address, false);
}

/* Whatever is present in the window at `start`. */
static unsigned show_hinted(struct space *space, struct hosted_mirror *m, uint64_t start)
{
	uint64_t size, *pte = start < USER_TOP ? hosted_pte(space->root, start, &size) : NULL;

	mirror_room(m);
	return pte && size == PAGE_SIZE ? show_window(m, pte, start, SHOW_PAGES, false) : 0;
}

void mirror_hint(uint64_t address)
{
	uint64_t window = address >> WINDOW_SHIFT;
	unsigned i = 0;

	while (i < HINTS - 1 && hints[i] != window)
		i++;
	memmove(hints + 1, hints, i * sizeof(*hints));
	hints[0] = window;
}

void mirror_renew(struct space *space, struct hosted_mirror *m)
{
	struct {
		uint64_t address, length;
	} range[MIRROR_RANGES];
	unsigned n = 0;

	spin_lock(&m->lock);
	for (unsigned i = 0; i < m->count && !m->overflow; i++) {
		if (m->range[i].length > RENEW_RANGE)
			continue;
		range[n].address = m->range[i].address;
		range[n++].length = m->range[i].length;
	}
	spin_unlock(&m->lock);
	mirror_drain(m);
	if (!m->live || !m->mapped)
		return;
	for (unsigned i = 0; i < n; i++) {
		for (uint64_t at = range[i].address; at < range[i].address + range[i].length; at += PAGE_SIZE)
			if (!m->refill && !(shown_pages(m, at >> WINDOW_SHIFT) >> (at >> PAGE_SHIFT) % SHOW_PAGES & 1) &&
				mirror_show(space, m, at, false))
				m->renewed = at;
	}
}

/* A program that begins: what is present, in order, in full windows. */
static unsigned show_beginning(struct space *space, struct hosted_mirror *m)
{
	unsigned orders = 0;
	uint64_t at = 0;

	for (uint64_t *pte; orders < REFILL_ORDERS && (pte = hosted_next_table(space->root, &at)); at += SHOW_PAGES * PAGE_SIZE) {
		mirror_room(m);
		orders += show_window(m, pte, at, SHOW_PAGES, false);
	}
	space->begins = false;
	return orders;
}

static unsigned show_missing(struct space *space, struct hosted_mirror *m, uint64_t address)
{
	bool shown = shown_pages(m, address >> WINDOW_SHIFT) >> (address >> PAGE_SHIFT) % SHOW_PAGES & 1;

	return shown ? 0 : mirror_show(space, m, address, false);
}

void mirror_refill(struct space *space, struct hosted_mirror *m, uint64_t rip, uint64_t rsp)
{
	unsigned orders;

	mirror_drain(m);
	m->refill = false;
	keep_adopt(space, m);
	orders = show_missing(space, m, rip) + show_missing(space, m, rsp);
	if (space->begins)
		orders += show_beginning(space, m);
	for (unsigned i = 0; i < HINTS && orders < REFILL_ORDERS; i++) {
		uint64_t window = hints[i];

		if (window)
			kernel_prefault(window << WINDOW_SHIFT, (window + 1) << WINDOW_SHIFT);
		if (window && window != rip >> WINDOW_SHIFT && window != rsp >> WINDOW_SHIFT)
			orders += show_hinted(space, m, window << WINDOW_SHIFT);
	}
}
