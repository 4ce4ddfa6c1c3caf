/*
 * The state directory: one directory a container under --root, locked by the command
 * that runs it, so that what a killed command left behind is recognised and reused.
 */
#ifndef CLI_STATE_H
#define CLI_STATE_H

#include <stddef.h>

struct state {
	char directory[4096];
	int lock_fd; /* held locked while the container exists */
};

/* The state directory itself (not created). 0, or 1 after a message. */
int state_root(char *path, size_t size);
/* 0, or 1 after a message: not a name for a container. */
int state_check_id(const char *id);
/* Claims `id`, which is checked. 0, or 1 after a message (in use). */
int state_create(struct state *state, const char *id, const char *bundle);
/* Gives it up: nothing is left. */
void state_remove(struct state *state);

#endif
