/*
 * Answers that a stub gives by itself: what the sentry would say to getpid(2) and its like.
 *
 * They stand on the page of orders, for the task that runs there next. A task's own calls change them between two
 * stretches. When somebody else does (a parent ends), the sentry calls strap_answers_drop(), which counts an epoch and
 * then takes them from every stub whose user code runs; a stub that is about to run looks at the epoch after it
 * has become visible as running. So one of the two sees the other. The same with strap_cpu_queued(), whose count is
 * that of the tasks which wait for the CPU: sched_yield(2) is answered while there are none.
 */
#include "platform/systrap/internal.h"

_Static_assert(ST_ANSWER_GETPGID == HOSTED_ANSWER_GETPGID && ST_ANSWER_GETCPU == HOSTED_ANSWER_GETCPU &&
	ST_ANSWER_YIELD == HOSTED_ANSWER_YIELD && ST_ANSWERS == HOSTED_ANSWERS, "stub_code.S");

volatile uint32_t st_answers_epoch = 1;

void strap_answers_give(struct stub *s, const struct hosted_answers *answers)
{
	uint64_t serial = answers ? answers->serial : 0;

	if (s->answers == serial)
		return;
	s->orders->answers = 0;
	if (serial) {
		for (unsigned i = 1; i < HOSTED_ANSWERS; i++)
			s->orders->answer[i - 1] = answers->value[i];
		__atomic_store_n(&s->orders->answers, answers->valid, __ATOMIC_RELEASE);
	}
	s->answers = serial;
}

void strap_answers_check(struct stub *s, const struct hosted_context *context)
{
	if (!s->answers)
		return;
	__atomic_store_n(&s->orders->alone, 1, __ATOMIC_SEQ_CST);
	if (*context->queued)
		s->orders->alone = 0;
	if (__atomic_load_n(&st_answers_epoch, __ATOMIC_SEQ_CST) == context->answers->epoch)
		return;
	s->orders->answers = 0;
	s->answers = 0;
}

void strap_cpu_queued(unsigned cpu)
{
	struct stub *s;

	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the count was written before */
	s = __atomic_load_n(&st_cpus[cpu].running, __ATOMIC_SEQ_CST);
	if (s)
		s->orders->alone = 0;
}

void strap_answers_drop(void)
{
	__atomic_add_fetch(&st_answers_epoch, 1, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < ABI_MAX_CPUS && st_cpus[i].vmm; i++) {
		struct stub *s = __atomic_load_n(&st_cpus[i].running, __ATOMIC_SEQ_CST);

		if (s)
			s->orders->answers = 0;
	}
}
