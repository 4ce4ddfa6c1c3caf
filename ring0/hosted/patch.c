/*
 * Hot system calls made by a jump instead of a signal.
 *
 * A call that came by a signal often enough gets a *slot* of code in the text pages that the kernel maps above the
 * vDSO (space.text), and the page that it stands in a *shadow*: a copy with a jump in place of the call, which
 * stubs are shown instead of the page (shape.c has the bytes). Page tables never know: whoever reads memory in
 * the sentry sees the program's own page. Only pages of files are taken, that are executable and not writable.
 *
 * Slots and jumps are relative, so a shadow serves every space that has the page at the same distance from its text:
 * programs of one kind, wherever they were loaded. A shadow that is shown is never written to: another takes its
 * place, by a new mapping. It goes before the page changes (hosted_page_changes()). Slots are not used again,
 * since user code may stand in one: when there are none left, calls stay as they are.
 *
 * What user code, tracers and handlers see are addresses in the program: patch_leave() on the way in,
 * patch_resume() on the way out. All under the kernel lock unless it says otherwise.
 */
#include <linux/errno.h>

#include "ring0/hosted/internal.h"
#include "ring0/hosted/shape.h"
#include "ring0/lib.h"
#include "ring0/upcall.h"

#define TEXT_PAGES 16u
#define TEXT_SIZE (TEXT_PAGES * PAGE_SIZE)
#define SLOTS (TEXT_SIZE / SHAPE_SLOT)
#define SHADOWS 256u
#define BUCKETS 256u
#define HOT 24            /* calls by signal from one place */
#define COLD (-4096)      /* of one that could not be helped: so many more until it is tried again */
#define JUMP_LENGTH 5
#define CALL_LENGTH 2

struct shadow {
	uint64_t pa, copy; /* the page, held; what is shown for it. 0: none */
	int64_t place;     /* its address relative to the space's text */
	uint16_t next;     /* index + 1, in bucket */
};

struct slot {
	int64_t call; /* address of the SYSCALL relative to the text */
	uint16_t shadow; /* index + 1; 0: the slot is free, or its shadow gone */
	uint16_t next;   /* index + 1, in bucket of the address behind the call */
	bool used;
	struct shape shape;
};

static struct shadow shadows[SHADOWS];
static struct slot slots[SLOTS];
static uint16_t shadow_bucket[BUCKETS], slot_bucket[BUCKETS];
static uint64_t text_pa[TEXT_PAGES];
static unsigned shadow_count; /* any; read without the lock, as "none at all" */
static struct space_list spaces = LIST_HEAD_INITIALIZER(spaces);

unsigned patch_text_size(void)
{
	return boot_info->hosted->call_entry ? TEXT_PAGES : 0;
}

void patch_text_page(unsigned index, uint64_t pa)
{
	text_pa[index] = pa;
}

void patch_space_init(struct space *space)
{
	struct hosted_space *s = space->private;

	s->space = space;
	LIST_INSERT_HEAD(&spaces, s, link);
}

void patch_space_free(struct space *space)
{
	struct hosted_space *s = space->private;

	LIST_REMOVE(s, link);
	s->space = NULL;
}

/* ---- looking things up ---- */

static unsigned bucket_of(uint64_t value)
{
	return (unsigned)((value * 0x9e3779b97f4a7c15ull) >> 56) % BUCKETS;
}

static struct shadow *shadow_find(uint64_t pa, int64_t place)
{
	for (unsigned i = shadow_bucket[bucket_of(pa)]; i; i = shadows[i - 1].next)
		if (shadows[i - 1].pa == pa && shadows[i - 1].place == place)
			return &shadows[i - 1];
	return NULL;
}

/* The slot of the call that ends at `behind`, relative to the text. */
static struct slot *slot_find(int64_t behind)
{
	for (unsigned i = slot_bucket[bucket_of((uint64_t)behind)]; i; i = slots[i - 1].next)
		if (slots[i - 1].call + CALL_LENGTH == behind && slots[i - 1].shadow)
			return &slots[i - 1];
	return NULL;
}

/* The page at an address whose shadow may be shown: its pa, or 0. */
static uint64_t page_plain_text(const struct space *space, uint64_t address)
{
	uint64_t size, *pte = address < USER_TOP ? hosted_pte(space->root, address, &size) : NULL;

	if (!pte || size != PAGE_SIZE || (*pte & (PTE_P | PTE_U | PTE_W | PTE_NX)) != (PTE_P | PTE_U))
		return 0;
	return *pte & PTE_ADDR;
}

static bool slot_holds(const struct slot *slot, const struct space *space)
{
	uint64_t address = space->text + (uint64_t)slot->call;

	return slot->shadow && page_plain_text(space, address) == shadows[slot->shadow - 1].pa;
}

/* The text pages are a program's to write to, by way of ptrace: its own copy has no later slots. */
static bool text_page_replaced(const struct space *space, unsigned index)
{
	uint64_t size, *pte = hosted_pte(space->root, space->text + index * PAGE_SIZE, &size);

	return pte && *pte & PTE_P && (*pte & PTE_ADDR) != text_pa[index];
}

bool patch_text_whole(const struct space *space)
{
	for (unsigned i = 0; i < TEXT_PAGES; i++) {
		if (text_page_replaced(space, i))
			return false;
	}
	return true;
}

/* ---- showing ---- */

bool patch_shows(const struct hosted_mirror *m, uint64_t pte)
{
	return shadow_count && !(pte & (PTE_W | PTE_NX)) && m->space->space && m->space->space->text && !m->space->space->plain;
}

uint64_t patch_shadow(const struct hosted_mirror *m, uint64_t address, uint64_t pa)
{
	const struct space *space = m->space->space;
	const struct shadow *s = shadow_find(pa, (int64_t)(address - space->text));

	return s && patch_text_whole(space) ? s->copy : 0;
}

/* Stubs of every space that show the page, or its shadow, show what is right now. */
static void shadow_flush(uint64_t pa, int64_t place)
{
	struct hosted_space *s;

	keep_drop_page(pa);
	LIST_FOREACH(s, &spaces, link) {
		uint64_t address = s->space->text + (uint64_t)place;

		if (s->space->text && page_plain_text(s->space, address) == pa)
			hosted_space_flush(s->space, address, PAGE_SIZE);
	}
}

/* ---- making ---- */

static struct slot *slot_take(int64_t from, bool guard)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		int64_t distance = (int64_t)(i * SHAPE_SLOT) - from - JUMP_LENGTH;

		if (!slots[i].used && (!guard || shape_jump_guards(distance)))
			return &slots[i];
	}
	return NULL;
}

static struct shadow *shadow_make(uint64_t pa, int64_t place)
{
	struct shadow *s = shadows;
	unsigned bucket = bucket_of(pa);

	while (s < shadows + SHADOWS && s->pa)
		s++;
	if (s == shadows + SHADOWS || !kernel_page_hold(pa))
		return NULL;
	*s = (struct shadow){.pa = pa, .place = place, .next = shadow_bucket[bucket]};
	shadow_bucket[bucket] = (uint16_t)(s - shadows + 1);
	shadow_count++;
	return s;
}

static void shadow_drop(struct shadow *s)
{
	uint16_t *at = &shadow_bucket[bucket_of(s->pa)], index = (uint16_t)(s - shadows + 1);
	uint64_t pa = s->pa, copy = s->copy;

	while (*at != index)
		at = &shadows[*at - 1].next;
	*at = s->next;
	for (unsigned i = 0; i < SLOTS; i++)
		if (slots[i].shadow == index)
			slots[i].shadow = 0;
	s->pa = 0;
	shadow_count--;
	shadow_flush(pa, s->place);
	if (copy)
		kernel_user_page_free(copy);
	kernel_page_release(pa);
}

/* The jump goes into a fresh copy, which is then shown instead of the last one. */
static bool shadow_add(struct shadow *s, struct slot *slot, const struct shape *shape, int64_t call)
{
	unsigned index = (unsigned)(slot - slots), bucket = bucket_of((uint64_t)(call + CALL_LENGTH));
	uint64_t old = s->copy, fresh = kernel_user_page_alloc();
	int64_t from = s->place + shape->from, at = (int64_t)(index * SHAPE_SLOT);
	uint8_t *code = (uint8_t *)pa_to_va(text_pa[index * SHAPE_SLOT / PAGE_SIZE]) + index * SHAPE_SLOT % PAGE_SIZE;

	if (!fresh)
		return false;
	page_copy(pa_to_va(fresh), pa_to_va(old ? old : s->pa));
	shape_slot_write(code, shape, call + CALL_LENGTH - at, boot_info->hosted->call_entry);
	shape_jump_write((uint8_t *)pa_to_va(fresh) + shape->from, at - from - JUMP_LENGTH);
	*slot = (struct slot){.call = call, .shadow = (uint16_t)(s - shadows + 1), .next = slot_bucket[bucket], .used = true,
		.shape = *shape};
	__atomic_store_n(&slot_bucket[bucket], (uint16_t)(index + 1), __ATOMIC_RELEASE);
	s->copy = fresh;
	shadow_flush(s->pa, s->place);
	if (old)
		kernel_user_page_free(old);
	return true;
}

/* False: it cannot be done, now at least: a page may become plain, and memory may come back. */
static bool patch_call(struct space *space, uint64_t call, uint64_t number)
{
	uint64_t pa = page_plain_text(space, call);
	int64_t place = (int64_t)((call & PAGE_MASK) - space->text), at = (int64_t)(call - space->text);
	struct shadow *s = pa ? shadow_find(pa, place) : NULL;
	struct shape shape;
	struct slot *slot;

	if (!pa || !patch_text_whole(space) || place > INT32_MAX / 2 || place < INT32_MIN / 2)
		return false;
	slot = slot_find(at + CALL_LENGTH);
	if (s && slot && slot->shadow == s - shadows + 1) { /* this stub shows an older state of the page */
		hosted_space_flush(space, call & PAGE_MASK, PAGE_SIZE);
		return true;
	}
	if (slot || shape_find(pa_to_va(s ? s->copy : pa), call & ~PAGE_MASK, number, &shape))
		return false;
	slot = slot_take(place + shape.from, shape.after);
	if (slot && !s)
		s = shadow_make(pa, place);
	if (!slot || !s)
		return false;
	if (shadow_add(s, slot, &shape, at))
		return true;
	if (!s->copy)
		shadow_drop(s);
	return false;
}

void patch_seen(const struct regs *regs)
{
	struct space *space = this_cpu()->space;
	uint64_t call = regs->rip - CALL_LENGTH, pa;
	int64_t place = (int64_t)(call - space->text);
	struct hot *hot;

	if (!space->text || space->plain)
		return;
	kernel_lock();
	pa = page_plain_text(space, call) | (call & ~PAGE_MASK);
	hot = &this_hosted()->hot[bucket_of(pa) % HOT_SLOTS];
	if (hot->call != pa || hot->place != place)
		*hot = (struct hot){.call = pa, .place = place};
	if (++hot->count >= HOT)
		hot->count = patch_call(space, call, regs->orig_rax) ? 0 : COLD;
	kernel_unlock();
}

/* ---- ends ---- */

void hosted_page_changes(uint64_t pa)
{
	for (unsigned i = shadow_bucket[bucket_of(pa)], next; i; i = next) {
		next = shadows[i - 1].next;
		if (shadows[i - 1].pa == pa)
			shadow_drop(&shadows[i - 1]);
	}
}

void hosted_space_plain(struct space *space)
{
	if (space->plain)
		return;
	space->plain = true;
	if (space->text && shadow_count)
		hosted_space_flush(space, 0, USER_TOP);
}

/* ---- addresses ---- */

/* Without the lock: a slot that was used once keeps its contents. */
static bool leave_slot(struct regs *regs, const struct space *space, const struct slot *slot, unsigned offset)
{
	uint64_t call = space->text + (uint64_t)slot->call;
	bool gone = space->plain && regs->trap == TRAP_PAGE_FAULT && regs->addr == regs->rip; /* the slot, under its feet */

	switch (shape_where(&slot->shape, offset)) {
	case SHAPE_BEFORE:
		regs->rip = call - slot->shape.before;
		return gone;
	case SHAPE_AFTER:
		regs->rip = call + CALL_LENGTH;
		return gone;
	case SHAPE_BEHIND:
		regs->rip = call + CALL_LENGTH + slot->shape.after;
		return gone;
	case SHAPE_CALLS:
		break;
	}
	regs->rip = regs->rcx = call + CALL_LENGTH;
	regs->r11 = regs->rflags;
	regs->orig_rax = regs->rax;
	regs->rax = (uint64_t)-ENOSYS;
	regs->trap = TRAP_SYSCALL;
	this_hosted()->context.by_signal = 0;
	return false;
}

/* A program may have taken the text away, and put code of its own there. */
static bool text_replaced(const struct space *space, uint64_t offset)
{
	bool replaced;

	if (!space->plain)
		return false;
	kernel_lock();
	replaced = text_page_replaced(space, (unsigned)(offset / PAGE_SIZE));
	kernel_unlock();
	return replaced;
}

bool patch_leave(struct regs *regs)
{
	const struct space *space = this_cpu()->space;
	uint64_t offset = regs->rip - space->text;
	const struct slot *slot = &slots[offset % TEXT_SIZE / SHAPE_SLOT];

	if (!space->text)
		return false;
	if (offset < TEXT_SIZE && slot->used)
		return !text_replaced(space, offset) && leave_slot(regs, space, slot, offset % SHAPE_SLOT);
	return regs->trap == TRAP_INVALID_OPCODE && patch_resume(regs);
}

uint64_t patch_resume(const struct regs *regs)
{
	const struct space *space = this_cpu()->space;
	const struct slot *slot;
	uint64_t at = 0;

	if (!shadow_count || !space->text || space->plain)
		return 0;
	slot = slot_find((int64_t)(regs->rip - space->text));
	if (!slot || !slot->shape.after)
		return 0;
	kernel_lock();
	if (slot_holds(slot, space))
		at = space->text + (uint64_t)(slot - slots) * SHAPE_SLOT + SHAPE_TAIL;
	kernel_unlock();
	return at;
}
