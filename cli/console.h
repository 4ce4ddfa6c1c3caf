/* A terminal for a container that outlives the command: made here, its master sent away. See runc's docs/terminals. */
#ifndef CLI_CONSOLE_H
#define CLI_CONSOLE_H

/* Makes a pseudo-terminal in raw mode and sends its master over the unix socket at `path`. 0 with its slave, or 1. */
int console_make(const char *path, int *slave);

#endif
