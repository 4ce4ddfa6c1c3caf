/*
 * The hooks of config.json (config.md, "POSIX-platform Hooks"): programs of the host that run
 * at points of a container's life with its state on standard input.
 */
#ifndef CLI_HOOKS_H
#define CLI_HOOKS_H

#include "cli/container.h"
#include "cli/state.h"

/*
 * Runs the hooks of one kind, one after another, with the state as `status`. 0, or 1 after a message: one could not be
 * run, returned another status than 0 or took longer than its timeout (then it is killed); the rest were not run.
 */
int hooks_run(const struct hook_list *hooks, const char *kind, const struct state *state, enum state_status status);
/* Those that only warn: all are run. */
void hooks_run_all(const struct hook_list *hooks, const char *kind, const struct state *state, enum state_status status);

#endif
