/* How a process ended that is no child of this command: what start and exec say of a sandbox that was killed. */
#ifndef CLI_FATE_H
#define CLI_FATE_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * The wait status of the process that `pidfd` was opened for, once it has ended, for which this waits a second at most. False: not
 * to be learnt. A host before Linux 6.15 tells only until somebody has reaped it.
 */
bool fate_learn(int pidfd, pid_t pid, int *status);

#endif
