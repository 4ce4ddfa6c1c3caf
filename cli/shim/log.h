/* The shim's log: one line at a time into the bundle's "log" FIFO, which containerd reads; never waits. */
#ifndef CLI_SHIM_LOG_H
#define CLI_SHIM_LOG_H

void shim_log_open(const char *path); /* after this, lines go there, or nowhere if it cannot be opened */
void shim_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
