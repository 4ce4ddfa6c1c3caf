/* Metrics of containers as Prometheus' text format: what metrics.c gathers and metrics_text.c prints. */
#ifndef CLI_METRICS_H
#define CLI_METRICS_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/state.h"
#include "platform/abi/control.h"

/* Why a container's program ended; LOST: the sandbox went without saying. */
enum metrics_exit { EXIT_SUCCEEDED, EXIT_FAILED, EXIT_SIGNALLED, EXIT_LOST, EXIT_REASONS };

struct metrics_container {
	char *id;
	enum state_status status;
	struct state state; /* as it was read last */
	struct state_version version;
	bool answers;  /* stats are of now */
	bool sandbox;  /* it is its sandbox's first container: the sandbox's own figures are told with it */
	bool seen;     /* by the last look at the state directory */
	bool ended;    /* its end was counted */
	int channel;   /* to its sandbox, with its events; -1: none */
	struct control_stats stats;
};

struct metrics {
	struct metrics_container *containers;
	size_t count;
	uint32_t round; /* of asking: a late answer is not taken for a new one */
	bool counting; /* events were followed: the totals mean something */
	unsigned long long exits[EXIT_REASONS], ooms, stuck;
};

/* All of it, as the format's version 0.0.4 has it. */
void metrics_print(FILE *to, const struct metrics *metrics);

#endif
