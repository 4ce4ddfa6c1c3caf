/* A sandbox in the foreground: this command waits for it, with its terminal and its signals. */
#ifndef CLI_FOREGROUND_H
#define CLI_FOREGROUND_H

#include "cli/launch.h"

/*
 * Blocks every signal but those of faults and gives a descriptor to read them from, or -1
 * after a message. Before the first child: none is lost then.
 */
int foreground_signals(void);
/*
 * Waits until the sandbox has ended; passes signals and its lines on. The exit status for the shell. With a terminal
 * ours is raw meanwhile, if it is the container's too.
 */
int foreground_wait(struct sandbox *sandbox, int signals, bool terminal);

/* Runs a container without a state directory and returns its exit status; 1 after a message if it did not start. */
int foreground_run(const struct container *container);

#endif
