/* The command's own terminal: raw while the container has one, and restored whatever happens. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

/* Puts standard input's terminal into raw mode, if it is one. */
void terminal_raw(void);
/* Back to what it was. Harmless if terminal_raw() did nothing. */
void terminal_restore(void);

#endif
