/* Finding a sentry that does not answer: see watchdog.h. What the sentry says of its CPUs is only printed, as numbers. */
#include <stdio.h>
#include <time.h>

#include "platform/internal.h"
#include "platform/watchdog.h"

#define QUARTERS 4u

static uint64_t now_ms(void)
{
	return monotonic_ns() / 1000000;
}

static void rest(struct watchdog *watchdog)
{
	watchdog->pinged = watchdog->answered = watchdog->reported = false;
	watchdog->next_ms = now_ms() + watchdog->seconds * 1000ull;
}

void watchdog_init(struct watchdog *watchdog, unsigned seconds)
{
	*watchdog = (struct watchdog){.seconds = seconds};
	rest(watchdog);
}

int watchdog_patience(const struct watchdog *watchdog)
{
	uint64_t now = now_ms();

	if (!watchdog->seconds)
		return -1;
	return watchdog->next_ms > now ? (int)(watchdog->next_ms - now) : 0;
}

uint32_t watchdog_task(const struct vmm *vmm)
{
	uint32_t task = 0;

	for (unsigned cpu = 0; cpu < vmm->cpus && !task; cpu++)
		task = __atomic_load_n(&vmm->calls[cpu].task, __ATOMIC_RELAXED);
	return task;
}

static void report(const struct watchdog *watchdog, const struct vmm *vmm)
{
	char text[400];
	int n = 0;

	for (unsigned cpu = 0; cpu < vmm->cpus && n + 40 < (int)sizeof(text); cpu++) {
		uint32_t task = __atomic_load_n(&vmm->calls[cpu].task, __ATOMIC_RELAXED);
		n += snprintf(text + n, sizeof(text) - (size_t)n, task ? "%s CPU %u: task %u" : "%s CPU %u: none", n ? "," : "", cpu, task);
	}
	vmm_log(VMM_LOG_ERROR, "watchdog: the sandbox's kernel has not answered for %u s; on its%s", watchdog->seconds, text);
}

enum watchdog_verdict watchdog_turn(struct watchdog *watchdog, const struct vmm *vmm)
{
	if (!watchdog->seconds || now_ms() < watchdog->next_ms)
		return WATCHDOG_NOTHING;
	if (watchdog->answered) {
		bool reported = watchdog->reported;
		if (reported)
			vmm_log(VMM_LOG_ERROR, "watchdog: the sandbox's kernel answers again");
		rest(watchdog);
		return reported ? WATCHDOG_ANSWERS : WATCHDOG_NOTHING;
	}
	watchdog->next_ms = now_ms() + watchdog->seconds * 1000ull / QUARTERS;
	if (!watchdog->pinged) {
		watchdog->pinged = true;
		watchdog->quarters = 0;
		return WATCHDOG_PING;
	}
	if (++watchdog->quarters < QUARTERS || watchdog->reported)
		return WATCHDOG_NOTHING;
	watchdog->reported = true;
	report(watchdog, vmm);
	return WATCHDOG_STUCK;
}
