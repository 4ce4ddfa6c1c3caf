/*
 * A container's life, as the OCI runtime specification has it: what create, start, run and
 * delete have in common. Each function works on a state that its caller has locked.
 */
#ifndef CLI_LIFECYCLE_H
#define CLI_LIFECYCLE_H

#include "cli/container.h"
#include "cli/launch.h"
#include "cli/state.h"

struct create_options {
	const char *bundle; /* as given */
	const char *pid_file, *console_socket;
	bool detached; /* the container outlives the command */
	bool keep;     /* run: do not delete it afterwards */
	struct passed_fds passed;
};

/*
 * Claims the ID, starts the sandbox and waits until the container is created. On return the state is recorded and
 * locked, and the sandbox still depends on this command. `signals`: as of foreground_signals(); one that asks to end
 * undoes it all. 0, or 1 after a message, with nothing left.
 */
int lifecycle_create(const char *id, const struct create_options *options, int signals, struct state *state,
	struct container *container, struct sandbox *sandbox);
/*
 * The created container's program begins. `signals`: as for lifecycle_create(), or -1. 0; 1 after the sandbox's own message
 * or when asked to end; -1 after a message that it has gone.
 */
int lifecycle_start(struct state *state, int signals);
/*
 * After a failed start: ends the container and waits until its parent has been told so, for a while at most. An engine
 * deletes it as soon as it hears of the failure, and Docker does so once: a shim that does not know yet that the process
 * has ended refuses.
 */
void lifecycle_end_failed(struct state *state);
/* Undoes whatever a container needs, running or not: processes, hooks, cgroups, the directory. 0 or 1. */
int lifecycle_delete(struct state *state, bool force);
/* The same whatever is left of it, also where another command is stuck on it or its file is damaged. */
int lifecycle_delete_forced(const char *id);
/* Waits until it has stopped, `timeout_ms` at most. False: it has not. */
bool lifecycle_wait_gone(const struct state *state, int timeout_ms);
/* Ends its processes: SIGKILL through the sandbox, which writes its files back, then to the sandbox. 0 or 1. */
int lifecycle_kill_all(struct state *state);

#endif
