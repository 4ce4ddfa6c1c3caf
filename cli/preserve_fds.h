/*
 * Descriptors of the command's caller that a container's program gets: --preserve-fds, and what systemd's socket
 * activation passes (sd_listen_fds(3)), as runc passes both on.
 */
#ifndef CLI_PRESERVE_FDS_H
#define CLI_PRESERVE_FDS_H

#include "cli/container.h"

/*
 * `text`: the option's argument, so many from 3 on. With `activation` those that LISTEN_FDS tells come first. At most
 * `room` in all. Each must be of a kind that the sandbox can carry. They are closed on exec from here on. 0, or 1 after a message.
 */
int preserve_fds_take(const char *text, bool activation, unsigned room, struct passed_fds *passed);
/* The program is told of those of socket activation. */
void preserve_fds_tell(const struct passed_fds *passed, struct strings *env);
/* This process has handed them on. */
void preserve_fds_close(const struct passed_fds *passed);

#endif
