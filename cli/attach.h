/*
 * A process that was started in a running container, and this process as its face on the
 * host: signals and terminal sizes go in, its exit status comes out. It ends with us.
 */
#ifndef CLI_ATTACH_H
#define CLI_ATTACH_H

#include "cli/container.h"
#include "cli/state.h"
#include "platform/abi/control.h"

#define ATTACH_MAX_PASSED (CONTROL_FDS - 3u)

struct attach {
	int signals;  /* of foreground_signals() */
	int terminal; /* its terminal, or -1; then fds[0] is that, alone */
	int fds[3];   /* its standard input, output and error */
	int channel;  /* the rest is attach_start()'s */
	uint32_t pid; /* in the container */
	pid_t gofer;  /* our child that serves its files, or 0: without it the process is nothing */
};

/* Starts it; its passed descriptors are closed here then. 0 once its program runs, or 1 after a message. */
int attach_start(struct attach *attach, const struct state *state, const struct container *process);
/* Until it has ended: its exit status. */
int attach_wait(struct attach *attach);

#endif
