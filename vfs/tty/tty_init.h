/* The terminal drivers' start: called once at boot, after the file layer's own initialisation and before any open. */
#ifndef VFS_TTY_TTY_INIT_H
#define VFS_TTY_TTY_INIT_H

/* Registers devpts and the devices tty, console and ptmx. */
void tty_drivers_init(void);

#endif
