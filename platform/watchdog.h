/*
 * The watchdog: is the sentry alive? Used by the control channel's thread (control.c), which sends the pings.
 *
 *	RESTING --a period--> PINGED --answered--> RESTING
 *	                        \--four quarters without an answer: reported once--> PINGED --answered: told--> RESTING
 *
 * Quarters are counted, not time: a host that was suspended, or a sandbox that its control group froze, passes one at most.
 */
#ifndef PLATFORM_WATCHDOG_H
#define PLATFORM_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

struct vmm;

struct watchdog {
	unsigned seconds; /* the period; 0: off */
	bool pinged, answered, reported;
	unsigned quarters;
	uint64_t next_ms; /* monotonic: when watchdog_turn() has something to do */
};

enum watchdog_verdict { WATCHDOG_NOTHING, WATCHDOG_PING, WATCHDOG_STUCK, WATCHDOG_ANSWERS };

void watchdog_init(struct watchdog *watchdog, unsigned seconds);
/* How long poll(2) may wait: milliseconds, or -1. */
int watchdog_patience(const struct watchdog *watchdog);
/* Whatever is due: WATCHDOG_PING asks for a ping, the last two for an event (the log has been told). */
enum watchdog_verdict watchdog_turn(struct watchdog *watchdog, const struct vmm *vmm);
/* A task that is on a CPU, as the sentry says; 0: none. */
uint32_t watchdog_task(const struct vmm *vmm);

#endif
