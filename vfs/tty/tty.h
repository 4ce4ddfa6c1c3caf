/*
 * Terminals (tty(4), termios(3), ioctl_tty(2)): internal to vfs/tty/.
 *
 * A struct tty is one terminal line with the N_TTY line discipline. Its far side, struct tty_ops, is a pty master
 * (pty.c) or the host's terminal (console.c): it takes output() and brings input by tty_input(). Files: tty.c
 * (open files), ioctl.c, job.c (sessions and signals), ldisc.c (characters in and out), devpts.c (names).
 *
 * Life: tty_init() with one reference; each open file has one; the far side has one until tty_hangup().
 * Invariants:
 *  1. in_tail <= canon_head <= in_head <= in_tail + TTY_INPUT_SIZE: [in_tail, canon_head) are whole lines.
 *  2. session->tty == tty exactly when tty->session == session.
 *
 *	op            may sleep  absent    note
 *	output        no         required  takes bytes; how many (fewer: no room)
 *	output_used   no         required  bytes taken and not yet delivered
 *	input_space   no         (nothing) the reader made room
 *	flush_output  no         (nothing) drop what was not delivered
 *	resized       no         (nothing) the window's size was set from our side
 *	far_wake      no         (nothing) the last file closed, or packet status: wake the far side
 *	destroy       no         kfree     the last reference went
 *
 * drains: output counts as sent when it was delivered (a line); else once it was taken (a pty, as on Linux).
 */
#ifndef VFS_TTY_TTY_H
#define VFS_TTY_TTY_H

#include <asm/termbits.h>

#include "kernel/files.h"
#include "kernel/task.h"
#include "vfs/vfs.h"

#define TTY_INPUT_SIZE 4096u
#define TTY_CHAR_LINE 0x100u /* ends a line */
#define TTY_CHAR_EOF 0x200u  /* ends a line and is not read */

struct tty;

struct tty_ops {
	size_t (*output)(struct tty *tty, const char *bytes, size_t n);
	size_t (*output_used)(struct tty *tty);
	void (*input_space)(struct tty *tty);
	void (*flush_output)(struct tty *tty);
	void (*resized)(struct tty *tty);
	void (*far_wake)(struct tty *tty);
	void (*destroy)(struct tty *tty);
	bool drains;
};

struct tty_size {
	uint16_t rows, cols, xpixel, ypixel;
};

struct tty {
	uint32_t refs;
	const struct tty_ops *ops;
	uint64_t rdev;
	unsigned opens;       /* files on this side, the master not counted */
	struct termios2 termios;
	struct tty_size size;
	struct session *session; /* it is its controlling terminal; referenced */
	int pgrp;                /* foreground process group; 0: none */
	bool hung_up;            /* the far side is gone */
	bool stopped;            /* XOFF */
	bool exclusive;
	bool closed;             /* was open and is not any more: a pty's master sees a hang-up */
	bool sync_output;        /* write(2) returns once the far side has everything */

	uint16_t in[TTY_INPUT_SIZE]; /* characters, TTY_CHAR_* */
	uint32_t in_head, canon_head, in_tail;
	bool literal_next;
	unsigned column, canon_column; /* of the output; where the line being edited began */
	struct mutex read_lock, write_lock;
	struct waitq read_wait, write_wait; /* also for poll: input, output room */
	uint8_t packet;       /* pty master in packet mode: TIOCPKT_* status not read yet */
	bool packet_mode;
};

/* tty.c */
extern const struct file_ops tty_file_ops;
void tty_init(struct tty *tty, const struct tty_ops *ops, uint64_t rdev);
void tty_get(struct tty *tty);
void tty_put(struct tty *tty);
/* Makes `file` an open file on the tty: ops and private, a reference, perhaps the controlling terminal. 0; -EIO; -EBUSY. */
int tty_attach_file(struct tty *tty, struct file *file);
/* The far side is gone: readers see the end, writers -EIO, the session SIGHUP. */
void tty_hangup(struct tty *tty);

/* ldisc.c. Neither sleeps. */
/* Characters from the far side: how many were taken (fewer: the reader must make room). */
size_t tty_input(struct tty *tty, const char *bytes, size_t n);
size_t tty_input_room(const struct tty *tty);
/* Output processing: how many of n were taken. */
size_t tty_output(struct tty *tty, const char *bytes, size_t n);
bool tty_input_ready(const struct tty *tty); /* a read with the current settings would not wait for the first byte */
unsigned tty_input_count(const struct tty *tty);
/* Take up to n readable characters to `to`; *end: the line or the buffer ended here. */
size_t tty_input_take(struct tty *tty, char *to, size_t n, bool *end);
void tty_flush_input(struct tty *tty);
void tty_start(struct tty *tty);
void tty_stop(struct tty *tty);
void tty_settings_changed(struct tty *tty, const struct termios2 *old);

/* job.c */
int tty_check_background(struct tty *tty, int signo); /* 0; -ERESTARTSYS (signal sent); -EIO */
void tty_signal_foreground(struct tty *tty, int signo);
void tty_set_controlling(struct tty *tty); /* for the current session */
void tty_disassociate(struct session *session); /* its controlling terminal is given up; the foreground group is told */
int64_t tty_job_ioctl(struct tty *tty, bool master, unsigned cmd, uaddr_t arg); /* -ENOTTY: not one of these */

/* ioctl.c */
int64_t tty_ioctl(struct tty *tty, struct file *file, bool master, unsigned cmd, uint64_t arg);
int tty_wait_drained(struct tty *tty); /* 0 or -ERESTARTSYS; may sleep */
void tty_default_settings(struct termios2 *termios);

/* pty.c */
int pty_open_master(struct inode *inode, struct file *file); /* open(2) of ptmx: a new pair */
int pty_open_slave(struct inode *inode, struct file *file);  /* open(2) of a number in devpts */

/* devpts.c: numbers and their names. */
#define DEVPTS_MAX 1024u
#define DEVPTS_MAJOR 136u
/* The lowest free number, or -ENOSPC, -ENOMEM. No reference to the tty is taken: devpts_remove() comes before it ends; that holds devpts. */
int devpts_add(struct superblock *devpts, struct tty *tty);
void devpts_remove(struct superblock *devpts, unsigned number); /* may sleep */
struct tty *devpts_find(const struct inode *inode); /* of an entry; no reference; NULL */
struct superblock *devpts_first(void); /* of the containers; NULL: no memory */
struct superblock *devpts_for(const struct file *file); /* for a ptmx being opened; no reference; NULL: no memory */
int devpts_path(const struct superblock *devpts, unsigned number, struct path *path); /* its name where that is mounted first, referenced; -EIO; may sleep */

#endif
