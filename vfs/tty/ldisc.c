/*
 * The line discipline N_TTY: characters on their way in (editing, signals, echo) and out (termios(3)).
 *
 * Nothing here sleeps: input comes from a pty master's write or from a completion of the host. Echo that finds no
 * room in the far side is lost, as on a slow line. See vfs/tty/tty.h for the buffer's invariants.
 */
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <asm/termios.h>
#include <linux/eventpoll.h>
#include <linux/tty.h>

#include "ring0/lib.h"
#include "vfs/tty/tty.h"

#define DISABLED 0 /* _POSIX_VDISABLE */
#define TAB_STOP 8u

static bool is_special(const struct tty *tty, unsigned index, uint8_t c)
{
	return c == tty->termios.c_cc[index] && tty->termios.c_cc[index] != DISABLED;
}

/* ---- output ---- */

static void put_raw(struct tty *tty, const char *bytes, size_t n)
{
	(void)tty->ops->output(tty, bytes, n);
}

static void track_column(struct tty *tty, uint8_t c)
{
	if (c == '\r')
		tty->column = 0;
	else if (c == '\b')
		tty->column -= tty->column > 0;
	else if (c == '\t')
		tty->column = (tty->column | (TAB_STOP - 1)) + 1;
	else if (c >= ' ' && c != 0x7f && !(tty->termios.c_iflag & IUTF8 && (c & 0xc0) == 0x80))
		tty->column++;
}

/* One character through OPOST: 1 if it was taken, 0 if there is no room. */
static int output_char(struct tty *tty, uint8_t c)
{
	tcflag_t oflag = tty->termios.c_oflag;
	static const char spaces[TAB_STOP] = "        ";
	unsigned n;

	if (c == '\n' && oflag & ONLCR) {
		if (tty->ops->output(tty, "\r\n", 2) != 2)
			return 0;
		tty->column = 0;
		return 1;
	}
	if (c == '\r') {
		if (oflag & ONOCR && tty->column == 0)
			return 1;
		if (oflag & OCRNL)
			c = '\n';
	}
	if (c == '\t' && (oflag & TABDLY) == XTABS) {
		n = TAB_STOP - tty->column % TAB_STOP;
		if (tty->ops->output(tty, spaces, n) != n)
			return 0;
		tty->column += n;
		return 1;
	}
	if (tty->ops->output(tty, (const char *)&c, 1) != 1)
		return 0;
	if (c == '\n' && oflag & ONLRET)
		tty->column = 0;
	track_column(tty, c);
	return 1;
}

size_t tty_output(struct tty *tty, const char *bytes, size_t n)
{
	size_t done = 0;

	if (tty->stopped)
		return 0;
	if (!(tty->termios.c_oflag & OPOST))
		return tty->ops->output(tty, bytes, n);
	while (done < n) {
		size_t plain = done;

		while (plain < n && (uint8_t)bytes[plain] >= ' ')
			track_column(tty, (uint8_t)bytes[plain++]);
		if (plain > done) {
			size_t took = tty->ops->output(tty, bytes + done, plain - done);

			done += took;
			if (done < plain)
				break;
			continue;
		}
		if (!output_char(tty, (uint8_t)bytes[done]))
			break;
		done++;
	}
	return done;
}

/* ---- echo ---- */

static void echo_raw(struct tty *tty, const char *bytes)
{
	tty_output(tty, bytes, strlen(bytes));
}

static void echo_char(struct tty *tty, uint8_t c)
{
	if (tty->termios.c_lflag & ECHOCTL && (c < ' ' || c == 0x7f) && c != '\t' && c != '\n') {
		char shown[2] = {'^', (char)(c ^ 0100)};

		put_raw(tty, shown, 2);
		tty->column += 2;
	} else if (tty->termios.c_oflag & OPOST) {
		output_char(tty, c);
	} else {
		put_raw(tty, (const char *)&c, 1);
		track_column(tty, c);
	}
}

static void echo(struct tty *tty, uint8_t c)
{
	tcflag_t lflag = tty->termios.c_lflag;

	if (lflag & ECHO || (c == '\n' && lflag & ECHONL && lflag & ICANON)) {
		if (tty->in_head == tty->canon_head)
			tty->canon_column = tty->column;
		echo_char(tty, c);
	}
}

/* ---- the buffer ---- */

size_t tty_input_room(const struct tty *tty)
{
	uint32_t used = tty->in_head - tty->in_tail;

	return used < TTY_INPUT_SIZE - 1 ? TTY_INPUT_SIZE - 1 - used : 0; /* the last place is for a line's end */
}

unsigned tty_input_count(const struct tty *tty)
{
	return tty->termios.c_lflag & ICANON ? tty->canon_head - tty->in_tail : tty->in_head - tty->in_tail;
}

bool tty_input_ready(const struct tty *tty)
{
	unsigned minimum = 1;

	if (!(tty->termios.c_lflag & ICANON) && !tty->termios.c_cc[VTIME] && tty->termios.c_cc[VMIN])
		minimum = tty->termios.c_cc[VMIN];
	return tty_input_count(tty) >= minimum;
}

static void wake_reader(struct tty *tty)
{
	if (!waitq_empty(&tty->read_wait))
		waitq_wake(&tty->read_wait, UINT32_MAX, EPOLLIN | EPOLLRDNORM);
}

static void store(struct tty *tty, uint16_t c)
{
	if (tty->in_head - tty->in_tail == TTY_INPUT_SIZE)
		return;
	tty->in[tty->in_head++ % TTY_INPUT_SIZE] = c;
	if (!(tty->termios.c_lflag & ICANON) || c & (TTY_CHAR_LINE | TTY_CHAR_EOF)) {
		tty->canon_head = tty->in_head;
		wake_reader(tty);
	}
}

void tty_flush_input(struct tty *tty)
{
	tty->in_tail = tty->canon_head = tty->in_head;
	tty->literal_next = false;
	if (tty->ops->input_space)
		tty->ops->input_space(tty);
}

size_t tty_input_take(struct tty *tty, char *to, size_t n, bool *end)
{
	bool canonical = tty->termios.c_lflag & ICANON;
	uint32_t limit = canonical ? tty->canon_head : tty->in_head;
	size_t done = 0;

	*end = false;
	while (tty->in_tail != limit && !*end) {
		uint16_t c = tty->in[tty->in_tail % TTY_INPUT_SIZE];

		if (canonical && c & TTY_CHAR_EOF) {
			tty->in_tail++;
			*end = true;
			break;
		}
		if (done == n)
			break;
		tty->in_tail++;
		to[done++] = (char)c;
		*end = canonical && c & TTY_CHAR_LINE;
	}
	if (tty->ops->input_space)
		tty->ops->input_space(tty);
	return done;
}

/* ---- line editing ---- */

/* Columns that the line being edited takes up to `upto`, counted from where it began. */
static unsigned edit_column(const struct tty *tty, uint32_t upto)
{
	unsigned column = tty->canon_column;

	for (uint32_t at = tty->canon_head; at != upto; at++) {
		uint8_t c = (uint8_t)tty->in[at % TTY_INPUT_SIZE];

		if (c == '\t')
			column = (column | (TAB_STOP - 1)) + 1;
		else if (c < ' ' || c == 0x7f)
			column += tty->termios.c_lflag & ECHOCTL ? 2 : 0;
		else if (!(tty->termios.c_iflag & IUTF8 && (c & 0xc0) == 0x80))
			column++;
	}
	return column;
}

static void erase_shown(struct tty *tty, uint32_t from)
{
	unsigned target = edit_column(tty, from);

	while (tty->column > target) {
		put_raw(tty, "\b \b", 3);
		tty->column--;
	}
}

static uint32_t char_start(const struct tty *tty, uint32_t at)
{
	do
		at--;
	while (at != tty->canon_head && tty->termios.c_iflag & IUTF8 && (tty->in[at % TTY_INPUT_SIZE] & 0xc0) == 0x80);
	return at;
}

static bool is_word(uint16_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static void edit_erase(struct tty *tty, unsigned index)
{
	uint32_t from = tty->in_head;
	bool in_word = false;

	if (from == tty->canon_head)
		return;
	if (index == VKILL) {
		from = tty->canon_head;
	} else if (index == VERASE) {
		from = char_start(tty, from);
	} else {
		while (from != tty->canon_head) {
			uint32_t before = char_start(tty, from);
			bool word = is_word(tty->in[before % TTY_INPUT_SIZE] & 0xff);

			if (in_word && !word)
				break;
			in_word |= word;
			from = before;
		}
	}
	if (tty->termios.c_lflag & ECHO) {
		if (index == VKILL && !(tty->termios.c_lflag & ECHOKE)) {
			echo_char(tty, tty->termios.c_cc[VKILL]);
			if (tty->termios.c_lflag & ECHOK)
				output_char(tty, '\n');
		} else if (index != VKILL && !(tty->termios.c_lflag & ECHOE)) {
			echo_char(tty, tty->termios.c_cc[VERASE]);
		} else {
			erase_shown(tty, from);
		}
	}
	tty->in_head = from;
}

static void edit_reprint(struct tty *tty)
{
	echo_char(tty, tty->termios.c_cc[VREPRINT]);
	output_char(tty, '\n');
	tty->canon_column = tty->column;
	for (uint32_t at = tty->canon_head; at != tty->in_head; at++)
		echo_char(tty, (uint8_t)tty->in[at % TTY_INPUT_SIZE]);
}

/* ---- input ---- */

static void packet_status(struct tty *tty, unsigned set, unsigned clear)
{
	if (!tty->packet_mode)
		return;
	tty->packet = (uint8_t)((tty->packet & ~clear) | set);
	if (tty->ops->far_wake)
		tty->ops->far_wake(tty);
}

void tty_start(struct tty *tty)
{
	tty->stopped = false;
	packet_status(tty, TIOCPKT_START, TIOCPKT_STOP);
	waitq_wake_all(&tty->write_wait);
}

void tty_stop(struct tty *tty)
{
	tty->stopped = true;
	packet_status(tty, TIOCPKT_STOP, TIOCPKT_START);
}

/* A character that makes a signal: true if it was one. */
static bool input_signal(struct tty *tty, uint8_t c)
{
	static const struct {
		uint8_t index, signo;
	} signals[] = {{VINTR, SIGINT}, {VQUIT, SIGQUIT}, {VSUSP, SIGTSTP}};

	for (unsigned i = 0; i < ARRAY_SIZE(signals); i++) {
		if (!is_special(tty, signals[i].index, c))
			continue;
		if (!(tty->termios.c_lflag & NOFLSH)) {
			tty_flush_input(tty);
			if (tty->ops->flush_output)
				tty->ops->flush_output(tty);
		}
		if (tty->stopped)
			tty_start(tty);
		if (tty->termios.c_lflag & ECHO)
			echo_char(tty, c);
		tty_signal_foreground(tty, signals[i].signo);
		return true;
	}
	return false;
}

static bool input_flow(struct tty *tty, uint8_t c)
{
	if (is_special(tty, VSTART, c)) {
		tty_start(tty);
		return true;
	}
	if (is_special(tty, VSTOP, c)) {
		tty_stop(tty);
		return true;
	}
	if (tty->stopped && tty->termios.c_iflag & IXANY)
		tty_start(tty);
	return false;
}

/* Canonical editing: true if the character was used up. */
static bool input_edit(struct tty *tty, uint8_t c)
{
	bool extended = tty->termios.c_lflag & IEXTEN;

	if (is_special(tty, VERASE, c))
		edit_erase(tty, VERASE);
	else if (is_special(tty, VKILL, c))
		edit_erase(tty, VKILL);
	else if (extended && is_special(tty, VWERASE, c))
		edit_erase(tty, VWERASE);
	else if (extended && is_special(tty, VREPRINT, c) && tty->termios.c_lflag & ECHO)
		edit_reprint(tty);
	else if (is_special(tty, VEOF, c))
		store(tty, TTY_CHAR_EOF);
	else
		return false;
	return true;
}

static bool ends_line(const struct tty *tty, uint8_t c)
{
	return c == '\n' || is_special(tty, VEOL, c) || (tty->termios.c_lflag & IEXTEN && is_special(tty, VEOL2, c));
}

static void input_char(struct tty *tty, uint8_t c)
{
	const struct termios2 *t = &tty->termios;
	bool canonical = t->c_lflag & ICANON;

	if (t->c_iflag & ISTRIP)
		c &= 0x7f;
	if (tty->literal_next) {
		tty->literal_next = false;
		goto plain;
	}
	if (t->c_lflag & ISIG && input_signal(tty, c))
		return;
	if (t->c_iflag & IXON && input_flow(tty, c))
		return;
	if (c == '\r') {
		if (t->c_iflag & IGNCR)
			return;
		if (t->c_iflag & ICRNL)
			c = '\n';
	} else if (c == '\n' && t->c_iflag & INLCR) {
		c = '\r';
	}
	if (canonical && t->c_lflag & IEXTEN && is_special(tty, VLNEXT, c)) {
		tty->literal_next = true;
		if (t->c_lflag & ECHO && t->c_lflag & ECHOCTL)
			put_raw(tty, "^\b", 2);
		return;
	}
	if (canonical && input_edit(tty, c))
		return;
	if (canonical && ends_line(tty, c)) {
		if (tty->in_head - tty->in_tail < TTY_INPUT_SIZE)
			echo(tty, c);
		store(tty, c | TTY_CHAR_LINE);
		return;
	}
plain:
	if (tty_input_room(tty) == 0) { /* a line too long: the rest of it is lost, as on Linux */
		if (t->c_iflag & IMAXBEL)
			echo_raw(tty, "\a");
		return;
	}
	echo(tty, c);
	store(tty, c);
}

size_t tty_input(struct tty *tty, const char *bytes, size_t n)
{
	size_t done = 0;

	while (done < n) {
		bool whole_lines = tty->canon_head != tty->in_tail;

		if (tty_input_room(tty) == 0 && (!(tty->termios.c_lflag & ICANON) || whole_lines))
			break;
		input_char(tty, (uint8_t)bytes[done++]);
	}
	return done;
}

void tty_settings_changed(struct tty *tty, const struct termios2 *old)
{
	tcflag_t changed = tty->termios.c_lflag ^ old->c_lflag;

	if (changed & ICANON) { /* what is there becomes readable; it keeps no line ends from raw mode */
		tty->canon_head = tty->in_head;
		if (tty->termios.c_lflag & ICANON && tty->in_head != tty->in_tail)
			tty->in[(tty->in_head - 1) % TTY_INPUT_SIZE] |= TTY_CHAR_LINE;
		wake_reader(tty);
	}
	if (old->c_iflag & IXON && !(tty->termios.c_iflag & IXON) && tty->stopped)
		tty_start(tty);
	if (changed & EXTPROC || (old->c_iflag ^ tty->termios.c_iflag) & IXON) {
		bool flow = tty->termios.c_iflag & IXON;

		packet_status(tty, flow ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP, flow ? TIOCPKT_NOSTOP : TIOCPKT_DOSTOP);
	}
}
