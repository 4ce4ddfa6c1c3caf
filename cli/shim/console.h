/*
 * A process's terminal: the socket on which the runtime hands its master side over, and the
 * copying between it and the client's FIFOs.
 */
#ifndef CLI_SHIM_CONSOLE_H
#define CLI_SHIM_CONSOLE_H

#include <stdint.h>

struct console;

/* Listens on `path`; takes `input` and `output` over (-1: none) if it succeeds. 0 or -errno. */
int console_open(struct console **out, const char *path, int input, int output);
const char *console_path(const struct console *console);
int console_resize(struct console *console, uint16_t columns, uint16_t rows); /* 0 or -errno */
/*
 * The process has gone: what the terminal still holds is written, then the console is freed,
 * later perhaps. `held`: the far end of the output, closed then.
 */
void console_end(struct console *console, int held);
unsigned console_count_ending(void); /* that still write */

#endif
