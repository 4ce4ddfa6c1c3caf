/*
 * Requests on terminals (ioctl_tty(2)): settings, window size, queues, flow. Sessions and groups are in job.c.
 */
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <asm/termios.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/tty.h>

#include "kernel/signal.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "vfs/tty/tty.h"

/* Bytes taken that do not count as sent yet. */
static size_t unsent(struct tty *tty)
{
	return tty->ops->drains ? tty->ops->output_used(tty) : 0;
}

int tty_wait_drained(struct tty *tty)
{
	if (wait_event(&tty->write_wait, tty->hung_up || unsent(tty) == 0, DEADLINE_NONE, true))
		return -ERESTARTSYS;
	return 0;
}

void tty_default_settings(struct termios2 *t)
{
	static const uint8_t characters[NCCS] = {
		[VINTR] = 'C' & 0x1f, [VQUIT] = '\\' & 0x1f, [VERASE] = 0x7f, [VKILL] = 'U' & 0x1f, [VEOF] = 'D' & 0x1f,
		[VMIN] = 1, [VSTART] = 'Q' & 0x1f, [VSTOP] = 'S' & 0x1f, [VSUSP] = 'Z' & 0x1f, [VREPRINT] = 'R' & 0x1f,
		[VDISCARD] = 'O' & 0x1f, [VWERASE] = 'W' & 0x1f, [VLNEXT] = 'V' & 0x1f,
	};

	*t = (struct termios2){
		.c_iflag = ICRNL | IXON,
		.c_oflag = OPOST | ONLCR,
		.c_cflag = B38400 | CS8 | CREAD | HUPCL,
		.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
		.c_ispeed = 38400,
		.c_ospeed = 38400,
	};
	memcpy(t->c_cc, characters, sizeof(characters));
}

static void flush(struct tty *tty, unsigned which)
{
	if (which == TCIFLUSH || which == TCIOFLUSH)
		tty_flush_input(tty);
	if (which == TCOFLUSH || which == TCIOFLUSH) {
		if (tty->ops->flush_output)
			tty->ops->flush_output(tty);
		waitq_wake_all(&tty->write_wait);
	}
}

/* struct termios is the head of struct termios2. how: TCSETS, TCSETSW (drain first), TCSETSF (and flush input).
 * The master does not wait for itself. */
static int64_t set_settings(struct tty *tty, bool master, uaddr_t arg, size_t size, unsigned how)
{
	struct termios2 old, new = tty->termios;
	int rc = tty_check_background(tty, SIGTTOU);

	if (rc)
		return rc;
	if (copy_from_user(&new, arg, size))
		return -EFAULT;
	if (how != TCSETS && !master) {
		rc = tty_wait_drained(tty);
		if (rc)
			return rc;
	}
	if (how == TCSETSF)
		tty_flush_input(tty);
	old = tty->termios;
	tty->termios = new;
	tty_settings_changed(tty, &old);
	return 0;
}

/* The old struct termio: 16-bit flags and 8 characters. */
static int64_t termio_ioctl(struct tty *tty, unsigned cmd, uaddr_t arg)
{
	struct termio io = {.c_iflag = 0};
	struct termios2 old = tty->termios;

	if (cmd == TCGETA) {
		io.c_iflag = (uint16_t)tty->termios.c_iflag;
		io.c_oflag = (uint16_t)tty->termios.c_oflag;
		io.c_cflag = (uint16_t)tty->termios.c_cflag;
		io.c_lflag = (uint16_t)tty->termios.c_lflag;
		memcpy(io.c_cc, tty->termios.c_cc, NCC);
		return copy_to_user(arg, &io, sizeof(io));
	}
	if (copy_from_user(&io, arg, sizeof(io)))
		return -EFAULT;
	tty->termios.c_iflag = (old.c_iflag & 0xffff0000) | io.c_iflag;
	tty->termios.c_oflag = (old.c_oflag & 0xffff0000) | io.c_oflag;
	tty->termios.c_cflag = (old.c_cflag & 0xffff0000) | io.c_cflag;
	tty->termios.c_lflag = (old.c_lflag & 0xffff0000) | io.c_lflag;
	memcpy(tty->termios.c_cc, io.c_cc, NCC);
	tty_settings_changed(tty, &old);
	return 0;
}

static int64_t set_size(struct tty *tty, uaddr_t arg)
{
	struct tty_size size;

	if (copy_from_user(&size, arg, sizeof(size)))
		return -EFAULT;
	if (!memcmp(&size, &tty->size, sizeof(size)))
		return 0;
	tty->size = size;
	if (tty->ops->resized)
		tty->ops->resized(tty);
	tty_signal_foreground(tty, SIGWINCH);
	return 0;
}

static int64_t fake_input(struct tty *tty, uaddr_t arg)
{
	char c;

	if ((!tty->session || tty->session != current->process->session) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(c, arg))
		return -EFAULT;
	tty_input(tty, &c, 1);
	return 0;
}

static int64_t flow(struct tty *tty, uint64_t arg)
{
	char c;

	switch (arg) {
	case TCOOFF:
		tty_stop(tty);
		return 0;
	case TCOON:
		tty_start(tty);
		return 0;
	case TCIOFF:
	case TCION:
		c = (char)tty->termios.c_cc[arg == TCION ? VSTART : VSTOP];
		if (c)
			tty->ops->output(tty, &c, 1);
		return 0;
	default:
		return -EINVAL;
	}
}

static int64_t settings_ioctl(struct tty *tty, bool master, unsigned cmd, uaddr_t arg)
{
	switch (cmd) {
	case TCGETS:
		return copy_to_user(arg, &tty->termios, sizeof(struct termios));
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set_settings(tty, master, arg, sizeof(struct termios), cmd);
	case TCGETS2:
		return copy_to_user(arg, &tty->termios, sizeof(struct termios2));
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
		return set_settings(tty, master, arg, sizeof(struct termios2),
			cmd == TCSETS2 ? TCSETS : cmd == TCSETSW2 ? TCSETSW : TCSETSF);
	case TCGETA:
	case TCSETA:
	case TCSETAW:
	case TCSETAF:
		return termio_ioctl(tty, cmd, arg);
	case TIOCGWINSZ:
		return copy_to_user(arg, &tty->size, sizeof(tty->size));
	case TIOCSWINSZ:
		return set_size(tty, arg);
	default:
		return -ENOTTY;
	}
}

static int64_t queue_ioctl(struct tty *tty, bool master, unsigned cmd, uint64_t arg)
{
	int64_t rc;

	switch (cmd) {
	case FIONREAD:
		return put_user((int)tty_input_count(tty), UADDR(arg));
	case TIOCOUTQ:
		return put_user((int)(master ? tty_input_count(tty) : unsent(tty)), UADDR(arg));
	case TCFLSH:
		rc = tty_check_background(tty, SIGTTOU);
		if (rc)
			return rc;
		if (arg > TCIOFLUSH)
			return -EINVAL;
		flush(tty, (unsigned)arg);
		return 0;
	case TCXONC:
		rc = tty_check_background(tty, SIGTTOU);
		return rc ? rc : flow(tty, arg);
	case TCSBRK:
	case TCSBRKP:
		rc = tty_check_background(tty, SIGTTOU);
		return rc || master ? rc : tty_wait_drained(tty);
	case TIOCSTI:
		return fake_input(tty, UADDR(arg));
	default:
		return -ENOTTY;
	}
}

int64_t tty_ioctl(struct tty *tty, struct file *file, bool master, unsigned cmd, uint64_t arg)
{
	int64_t rc;
	int discipline;

	if (tty->hung_up)
		return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	rc = settings_ioctl(tty, master, cmd, UADDR(arg));
	if (rc == -ENOTTY)
		rc = queue_ioctl(tty, master, cmd, arg);
	if (rc == -ENOTTY)
		rc = tty_job_ioctl(tty, master, cmd, UADDR(arg));
	if (rc != -ENOTTY)
		return rc;
	switch (cmd) {
	case TIOCGETD:
		return put_user(N_TTY, UADDR(arg));
	case TIOCSETD:
		if (get_user(discipline, UADDR(arg)))
			return -EFAULT;
		return discipline == N_TTY ? 0 : -EINVAL;
	case TIOCEXCL:
		tty->exclusive = true;
		return 0;
	case TIOCNXCL:
		tty->exclusive = false;
		return 0;
	case TIOCGEXCL:
		return put_user((int)tty->exclusive, UADDR(arg));
	case TIOCGDEV:
		return put_user((unsigned)tty->rdev, UADDR(arg));
	default:
		return -ENOTTY;
	}
}
