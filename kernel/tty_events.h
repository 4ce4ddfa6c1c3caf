/* What the console (vfs/tty/) is told by kernel/hostring.c: the second small way up, beside kernel/files.h. */
#ifndef KERNEL_TTY_EVENTS_H
#define KERNEL_TTY_EVENTS_H

/* The host terminal's size changed. Kernel lock held; must not sleep. Nothing if there is no console. */
void console_winch(void);

#endif
