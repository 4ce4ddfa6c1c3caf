/*
 * Which stub of a CPU shows which address space, and what it is to map.
 *
 * map() and unmap() only note orders; they are executed in one go, by the stub's mapping
 * thread, before user code runs there, when the page of orders is full, or by settle().
 * A stub's running thread may still run, whatever its area says: so what was taken from a
 * space is gone for it only once settle() has returned, and a stub is emptied before it is
 * dropped.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "platform/systrap/internal.h"

#define SHOWN_GAP 0x10000u /* ranges so near count as one */

static struct stub **space_bucket(struct st_cpu *c, uint64_t space)
{
	return &c->bucket[space % STUB_BUCKETS];
}

static struct stub *space_find(struct st_cpu *c, uint64_t space)
{
	struct stub *s = *space_bucket(c, space);

	while (s && s->space != space)
		s = s->next;
	return s;
}

struct stub *strap_stub(struct st_cpu *c, uint64_t space)
{
	struct stub *s = c->last;

	if (s && s->space == space)
		return s;
	s = space_find(c, space);
	if (s)
		c->last = s;
	return s;
}

static void stub_serve(struct st_cpu *c, struct stub *s, uint64_t space)
{
	s->space = space;
	s->next = *space_bucket(c, space);
	*space_bucket(c, space) = s;
	c->last = s;
}

struct stub *strap_make_stub(struct st_cpu *c, uint64_t space, int *error)
{
	struct stub *s = strap_take(c, error);

	if (s)
		stub_serve(c, s, space);
	return s;
}

void strap_forget(struct st_cpu *c, struct stub *s)
{
	struct stub **at = space_bucket(c, s->space);

	if (c->chain == s)
		strap_collect(c);
	while (*at && *at != s)
		at = &(*at)->next;
	if (*at)
		*at = s->next;
	if (c->last == s)
		c->last = NULL;
	if (c->on == s)
		c->on = NULL;
}

/* ---- what a stub may show ---- */

static void shown_add(struct stub *s, uint64_t start, uint64_t end)
{
	unsigned i, best = 0;
	uint64_t least = UINT64_MAX;

	for (i = 0; i < s->shown_count; i++) {
		uint64_t gap = start > s->shown[i].end ? start - s->shown[i].end : s->shown[i].start > end ? s->shown[i].start - end : 0;

		if (gap < least) {
			least = gap;
			best = i;
		}
	}
	if (least > SHOWN_GAP && s->shown_count < SHOWN_RANGES) {
		s->shown[s->shown_count].start = start;
		s->shown[s->shown_count++].end = end;
		return;
	}
	if (start < s->shown[best].start)
		s->shown[best].start = start;
	if (end > s->shown[best].end)
		s->shown[best].end = end;
}

/* True: something may have been there. */
static bool shown_take(struct stub *s, uint64_t start, uint64_t end)
{
	bool any = false;

	for (unsigned i = s->shown_count; i-- > 0;) {
		uint64_t *from = &s->shown[i].start, *to = &s->shown[i].end;

		if (end <= *from || start >= *to)
			continue;
		any = true;
		if (start <= *from && end >= *to)
			s->shown[i] = s->shown[--s->shown_count];
		else if (start <= *from)
			*from = end;
		else if (end >= *to)
			*to = start;
	}
	return any;
}

/* ---- orders ---- */

/* A place for one more order. NULL: those before it failed with *error. */
static struct st_order *order_add(struct stub *s, int *error)
{
	struct st_cpu *c = &st_cpus[s->cpu];

	if (c->chain == s)
		strap_collect(c); /* the page is in use */
	*error = s->order_count == ORDER_LIMIT ? strap_flush(s) : s->failed;
	return *error ? NULL : &s->orders->list[s->order_count++];
}

/* What is ordered last goes on, in the stub and in the file: one mapping. */
static bool order_extends(struct st_order *last, const struct st_order *wanted)
{
	if (last->nr != SYS_mmap || last->arg[0] + last->arg[1] != wanted->arg[0] || last->arg[2] != wanted->arg[2] ||
		last->arg[5] + last->arg[1] != wanted->arg[5])
		return false;
	last->arg[1] += wanted->arg[1];
	return true;
}

static int map_locked(struct st_cpu *c, uint64_t space, const struct st_order *wanted)
{
	struct stub *s = space_find(c, space);
	uint64_t address = wanted->arg[0], length = wanted->arg[1];
	struct st_order *order;
	int error = 0;

	if (!s)
		s = strap_make_stub(c, space, &error);
	if (!s)
		return error;
	/* An unmap of the very range just before is done by the new mapping. */
	if (s->order_count) {
		order = &s->orders->list[s->order_count - 1];
		if (order->nr == SYS_munmap && order->arg[0] >= address && order->arg[0] + order->arg[1] <= address + length)
			s->order_count--;
	}
	if (!s->order_count || !order_extends(&s->orders->list[s->order_count - 1], wanted)) {
		order = order_add(s, &error);
		if (!order)
			return error;
		*order = *wanted;
	}
	shown_add(s, address, address + length);
	return 0;
}

int strap_map(unsigned cpu, uint64_t space, uint64_t address, uint64_t length, uint64_t offset, unsigned prot)
{
	struct st_cpu *c = &st_cpus[cpu];
	struct st_order order;
	int error;

	error = hosted_check_mapping(c->vmm, address, length, offset);
	if (error)
		return error;
	order = (struct st_order){
		.nr = SYS_mmap,
		.arg = {address, length, hosted_host_prot(prot), MAP_SHARED | MAP_FIXED, ST_FD_USER, offset},
	};
	pthread_mutex_lock(&c->lock);
	error = map_locked(c, space, &order);
	pthread_mutex_unlock(&c->lock);
	return error;
}

static int unmap_locked(struct stub *s, uint64_t address, uint64_t length)
{
	struct st_order *order;
	int error;

	if (!shown_take(s, address, address + length))
		return 0;
	order = order_add(s, &error);
	if (!order)
		return error;
	*order = (struct st_order){.nr = SYS_munmap, .arg = {address, length}};
	s->taken = true;
	return 0;
}

int strap_unmap(unsigned cpu, uint64_t space, uint64_t address, uint64_t length)
{
	struct st_cpu *c = &st_cpus[cpu];
	int error = hosted_check_range(address, length);
	struct stub *s;

	if (error)
		return error;
	pthread_mutex_lock(&c->lock);
	s = space_find(c, space);
	if (s)
		error = unmap_locked(s, address, length);
	pthread_mutex_unlock(&c->lock);
	return error;
}

int strap_settle(unsigned cpu, uint64_t space)
{
	struct st_cpu *c = &st_cpus[cpu];
	struct stub *s;
	int error = 0;

	pthread_mutex_lock(&c->lock);
	s = space_find(c, space);
	if (s)
		error = s->taken ? strap_flush(s) : s->failed;
	pthread_mutex_unlock(&c->lock);
	return error;
}

/* Its running thread comes back to the sentry's core. */
static void core_return(struct st_cpu *c, struct stub *s)
{
	struct st_order *order;
	int error;

	if (!s->apart)
		return;
	s->apart = false;
	order = order_add(s, &error);
	if (!order)
		return;
	s->orders->mask = 1ull << c->host->core;
	*order = (struct st_order){.nr = SYS_sched_setaffinity, .arg = {(uint64_t)s->tid, 8, ST_ORDERS + ORD_MASK}};
}

void strap_empty(struct stub *s)
{
	unmap_locked(s, 0, USER_TOP);
	strap_flush(s);
	s->retired = 0;
}

/* It serves others from now on, or ends. */
static void stub_give_up(struct st_cpu *c, struct stub *s)
{
	bool room = c->spares + c->parked_count < SPARE_MAX;

	if (!s->retired || !room)
		unmap_locked(s, 0, USER_TOP);
	core_return(c, s);
	strap_flush(s);
	strap_forget(c, s);
	if (room)
		strap_park(c, s);
	else
		strap_end(s);
}

int strap_drop(unsigned cpu, uint64_t space)
{
	struct st_cpu *c = &st_cpus[cpu];
	struct stub *s;

	pthread_mutex_lock(&c->lock);
	s = space_find(c, space);
	if (s)
		stub_give_up(c, s);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

/* ---- what one space leaves to the next ---- */

int strap_retire(unsigned cpu, uint64_t space)
{
	struct st_cpu *c = &st_cpus[cpu];
	struct stub *s;

	pthread_mutex_lock(&c->lock);
	s = space_find(c, space);
	if (s) {
		s->retired = s->shown_count ? space : 0;
		stub_give_up(c, s);
	}
	pthread_mutex_unlock(&c->lock);
	return 0;
}

int strap_adopt(unsigned cpu, uint64_t space, uint64_t old)
{
	struct st_cpu *c = &st_cpus[cpu];
	struct stub *s = NULL;

	pthread_mutex_lock(&c->lock);
	if (!space_find(c, space))
		s = strap_take_retired(c, old);
	if (s)
		stub_serve(c, s, space);
	pthread_mutex_unlock(&c->lock);
	return s ? 0 : -ENOENT;
}

static struct stub *retired_in(struct stub *s, uint64_t old)
{
	while (s && s->retired != old)
		s = s->next;
	return s;
}

void strap_empty_retired(unsigned cpu, uint64_t old)
{
	struct st_cpu *c = &st_cpus[cpu];
	struct stub *s;

	pthread_mutex_lock(&c->lock);
	s = space_find(c, old); /* not given up yet */
	if (!s)
		s = retired_in(c->spare, old);
	if (!s)
		s = retired_in(c->parked, old);
	if (s)
		strap_empty(s);
	pthread_mutex_unlock(&c->lock);
}

int strap_fpu_get(unsigned cpu, uint64_t space, void *xsave)
{
	struct stub *s = strap_stub(&st_cpus[cpu], space);

	if (!s)
		return -ENOENT;
	int error = strap_fpu_settle(s);

	strap_frame_fpu_get(s, xsave);
	return error;
}

int strap_fpu_set(unsigned cpu, uint64_t space, const void *xsave)
{
	struct st_cpu *c = &st_cpus[cpu];
	struct stub *s = strap_stub(c, space);
	int error = 0;

	if (!s) {
		pthread_mutex_lock(&c->lock);
		s = strap_make_stub(c, space, &error);
		pthread_mutex_unlock(&c->lock);
	}
	if (!s)
		return error;
	error = strap_fpu_settle(s);
	s->live = false; /* it begins from what is written here */
	return error ? error : strap_frame_fpu_set(s, xsave);
}

/* There is time: stubs for the next spaces. */
void strap_idle(unsigned cpu, uint64_t deadline)
{
	struct st_cpu *c = &st_cpus[cpu];

	if ((c->parked || c->spares < c->spares_wanted) && !c->vmm->ended) {
		pthread_mutex_lock(&c->lock);
		strap_park_finish(c);
		strap_make_ahead(c);
		pthread_mutex_unlock(&c->lock);
	}
	wake_idle(cpu, deadline);
}
