/* Signals by name or number. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

/* "9", "KILL", "SIGKILL", "RTMIN+3": the number, or -1 for none. */
int signal_parse(const char *text);

#endif
