/* Between state.c and state_file.c. */
#ifndef CLI_STATE_PARTS_H
#define CLI_STATE_PARTS_H

#include "cli/state.h"

/* Names the directory of `id` and locks it if asked. 0, or 1 after a message. */
int state_lock_existing(struct state *state, const char *id, enum state_open how);

#endif
