/*
 * Stubs that serve one space after another.
 *
 * When a space ends, its stub's mapping thread has taken every page away, and says so where nobody else can; or every page but
 * read-only ones of files that are held for as long as it shows them, for a space that has the same. What is
 * left to show is that the running thread is in no user code's hands any more: it may have been told to spin, to come
 * back later, or to have a signal's frame written over what comes next. So it is asked to write two numbers,
 * which stand on the page of orders that no other stub can see, into a pipe. Its filter allows that at two
 * addresses of the stub's code, one for each number, and nowhere else:
 *
 *   the first   before: anything. After: code that needs no register and no memory but the orders leads to rt_sigreturn
 *               with a frame of ours, which lies in the orders. A signal in between ends in our handler, and that leads here.
 *   the second  reached behind that frame alone, once the first was written: all signals are blocked, the signal stack is
 *               ours, so nothing is written any more but by code of ours.
 *
 * Only both, in this order, count. Then the area is cleared, and the stub is as good as one just made. One that does
 * not answer is ended. The numbers are never used twice; without a question they are 0.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/systrap/internal.h"

#define PARKED_MAX 10u /* asked, and no answer yet: beyond, the first is ended */
#define READS_MAX 64u  /* of the pipe in a row: a stub may write zeros into it all day */
#define ANSWER_MS 2	/* what a thread that has nothing to do waits for an answer */

static int park_fd[ABI_MAX_CPUS][2];

int strap_park_create(unsigned cpu)
{
	return pipe2(park_fd[cpu], O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
}

int strap_park_end(unsigned cpu)
{
	return park_fd[cpu][1];
}

static void end_first(struct st_cpu *c)
{
	struct stub *s = c->parked;

	c->parked = s->next;
	c->parked_count--;
	if (s->retired)
		strap_empty(s); /* nobody waits for its end */
	strap_end(s);
}

void strap_park(struct st_cpu *c, struct stub *s)
{
	struct stub **end;

	if (s->failed || s->dead) {
		strap_end(s);
		return;
	}
	c->park_number += 2;
	s->orders->park[1] = c->park_number + 1;
	__atomic_store_n(&s->orders->park[0], c->park_number, __ATOMIC_SEQ_CST);
	s->orders->spin = 0;
	s->orders->kick = 1; /* it waits for nothing on its way */
	s->park_shown = 0;
	s->next = NULL;
	for (end = &c->parked; *end; end = &(*end)->next)
		;
	*end = s;
	c->parked_count++;
	__atomic_add_fetch(&s->orders->run_go, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&s->area->sleeps, __ATOMIC_SEQ_CST))
		st_futex(&s->orders->run_go, FUTEX_WAKE, 1, NULL);
	if (c->parked_count > PARKED_MAX)
		end_first(c);
}

/* At rest, in code of ours: nothing of what it served is left to be seen. */
static void make_new(struct st_cpu *c, struct stub *s)
{
	struct st_area *a = s->area;

	s->orders->park[0] = s->orders->park[1] = 0;
	memset(s->orders->list, 0, sizeof(s->orders->list));
	s->orders->frame = s->orders->fs_base = s->orders->gs_base = 0;
	strap_answers_give(s, NULL);
	memset((void *)s->orders->answer, 0, sizeof(s->orders->answer));
	s->orders->rax = s->orders->rip = s->orders->rsp = s->orders->rflags = 0;
	memset((void *)s->orders->regs, 0, sizeof(s->orders->regs));
	a->state = 1; /* it has handed over, whatever it says */
	a->done = s->orders->map_go;
	memset((void *)&a->kind, 0, sizeof(*a) - offsetof(struct st_area, kind));
	s->bases_known = false;
	s->late = 0;
	strap_frame_init(s);
	s->next = c->spare;
	c->spare = s;
	c->spares++;
}

static void number_shown(struct st_cpu *c, uint64_t number)
{
	struct stub **at = &c->parked, *s;

	while (*at && (*at)->orders->park[0] != (number & ~1ull))
		at = &(*at)->next;
	s = *at;
	if (!s)
		return;
	if (!(number & 1)) {
		s->park_shown = 1;
	} else if (s->park_shown) {
		*at = s->next;
		c->parked_count--;
		make_new(c, s);
	}
}

void strap_park_collect(struct st_cpu *c)
{
	uint64_t numbers[64];
	ssize_t n = sizeof(numbers);

	if (!c->parked)
		return;
	for (unsigned reads = 0; reads < READS_MAX && n == (ssize_t)sizeof(numbers); reads++) {
		n = read(park_fd[c->cpu][0], numbers, sizeof(numbers));
		for (ssize_t i = 0; i < n / 8; i++)
			number_shown(c, numbers[i]);
	}
}

bool strap_park_wait(struct st_cpu *c)
{
	struct pollfd fd = {.fd = park_fd[c->cpu][0], .events = POLLIN};
	unsigned before = c->parked_count;
	uint64_t end = monotonic_ns() + ANSWER_MS * 1000000ull;

	strap_park_collect(c);
	/* The host may let this thread run after the first number already: an answer is both. */
	while (c->parked && before == c->parked_count && monotonic_ns() < end && poll(&fd, 1, ANSWER_MS) > 0)
		strap_park_collect(c);
	return c->parked_count < before;
}

void strap_park_finish(struct st_cpu *c)
{
	while (c->parked && strap_park_wait(c))
		;
	while (c->parked)
		end_first(c);
}
