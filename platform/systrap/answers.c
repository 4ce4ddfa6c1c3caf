/*
 * Answers that a stub gives by itself: what the sentry would say to getpid(2) and its like.
 *
 * They stand on the page of orders, for the task that runs there next. A task's own calls change them between two
 * stretches. When somebody else does (a parent ends), the sentry calls strap_answers_drop(), which counts an epoch and
 * then takes them from every stub whose user code runs; a stub that is about to run looks at the epoch after it
 * has become visible as running. So one of the two sees the other.
 */
#include "platform/systrap/internal.h"

volatile uint32_t st_answers_epoch = 1;

void strap_answers_give(struct stub *s, const struct hosted_answers *answers)
{
	uint64_t serial = answers ? answers->serial : 0;

	if (s->answers == serial)
		return;
	s->orders->answers = 0;
	if (serial) {
		for (unsigned i = 1; i < 8; i++)
			s->orders->answer[i - 1] = answers->value[i];
		__atomic_store_n(&s->orders->answers, answers->valid, __ATOMIC_RELEASE);
	}
	s->answers = serial;
}

void strap_answers_check(struct stub *s, const struct hosted_answers *answers)
{
	if (!s->answers || __atomic_load_n(&st_answers_epoch, __ATOMIC_SEQ_CST) == answers->epoch)
		return;
	s->orders->answers = 0;
	s->answers = 0;
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
