/*
 * A process's standard streams, as containerd names them: FIFOs (paths), files ("file:///…"),
 * or nothing (""); or a terminal, which the runtime hands over through a console socket.
 *
 * Without a terminal the process gets the FIFOs themselves: the shim copies nothing. It only
 * keeps the far end of each open, so that a containerd that goes away and comes back is neither
 * an end of file on standard input nor a broken pipe on the others.
 * With one, the shim copies between the terminal and the FIFOs.
 */
#ifndef CLI_SHIM_STDIO_H
#define CLI_SHIM_STDIO_H

#include <stdbool.h>
#include <stdint.h>

struct stdio;

/*
 * Opens the streams. Without a terminal, `fds` are the process's, the caller's to close with
 * stdio_close_fds(). With one, `fds` are -1 and the runtime is to connect to stdio_console().
 * 0 or -errno, after which *out is NULL and `why` names the object.
 */
int stdio_open(struct stdio **out, const char *const paths[3], bool terminal, const char *console_path, int fds[3],
	char why[256]);
void stdio_close_fds(int fds[3]);
const char *stdio_console(const struct stdio *stdio); /* NULL without a terminal */

void stdio_close_stdin(struct stdio *stdio);                                  /* an end of file once the client has closed */
int stdio_resize(struct stdio *stdio, uint16_t columns, uint16_t rows);       /* 0 or -errno */
/* The process has gone. What its terminal still holds is written in the background, then all is closed and freed. */
void stdio_end(struct stdio *stdio);
/* Is output of a terminal still being written in the background? */
bool stdio_pending(void);

#endif
