/*
 * The container's terminal: a tty whose far side is the host's terminal, see vfs/tty/console.h.
 *
 * The runtime command puts the host's terminal into raw mode; the line discipline here does the rest. One read of
 * the host is always under way; what the line cannot take yet stays in the buffer until a reader makes room. Output
 * goes to a ring that one write at a time empties, and write(2) returns when it has been written, so nothing is
 * lost when the sandbox ends. The console has number 0 in devpts, so that ttyname(3) finds it.
 */
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "kernel/config.h"
#include "platform/abi/abi.h"
#include "ring0/lib.h"
#include "ring0/memory.h"
#include "vfs/tty/console.h"
#include "vfs/tty/tty.h"

#define CONSOLE_IN 0u
#define CONSOLE_OUT 1u
#define CONSOLE_RING_ORDER 4
#define CONSOLE_RING (4096u << CONSOLE_RING_ORDER)
#define CONSOLE_READ 4096u
#define CONSOLE_EOF 4 /* VEOF, as the line starts with */
#define CONSOLE_PATH "/dev/pts/0"

struct console {
	struct tty tty;
	struct hostring_request read_request, write_request;
	char *in, *out;
	uint32_t in_start, in_end; /* of `in`: not yet taken by the line */
	uint32_t head, tail;       /* of `out`, running freely */
	uint32_t writing;          /* bytes with the host */
	bool reading, feeding;
	bool from_terminal; /* the host's standard input is a terminal; else its end is an end of file, no hang-up */
	bool ended;         /* ... and it came */
	struct abi_tty *host; /* for tty_get and tty_set */
};

static struct console *console;

static void console_read_more(struct console *c)
{
	struct abi_sqe sqe = {.op = ABI_RING_read, .fd = CONSOLE_IN, .gpa = va_to_pa(c->in), .len = CONSOLE_READ,
		.offset = ~0ull};

	if (c->reading || c->ended || c->tty.hung_up || c->in_start != c->in_end)
		return;
	c->reading = hostring_submit(&sqe, &c->read_request) == 0;
}

/* Give the line what it takes, then ask for more. Called again from inside tty_input() through input_space. */
static void console_feed(struct console *c)
{
	if (c->feeding)
		return;
	c->feeding = true;
	c->in_start += (uint32_t)tty_input(&c->tty, c->in + c->in_start, c->in_end - c->in_start);
	c->feeding = false;
	console_read_more(c);
}

static void console_read_done(struct hostring_request *request, int64_t res, uint64_t extra)
{
	struct console *c = container_of(request, struct console, read_request);

	c->reading = false;
	if (res == -EINTR || res == -EAGAIN) {
		console_read_more(c);
		return;
	}
	if (res < 0 || (res == 0 && c->from_terminal)) {
		tty_hangup(&c->tty);
		return;
	}
	if (res == 0) {
		c->ended = true;
		c->in[0] = CONSOLE_EOF;
		res = 1;
	}
	c->in_start = 0;
	c->in_end = (uint32_t)MIN(res, (int64_t)CONSOLE_READ);
	console_feed(c);
}

static void console_write_more(struct console *c)
{
	uint32_t at = c->tail % CONSOLE_RING, n = MIN(c->head - c->tail, CONSOLE_RING - at);
	struct abi_sqe sqe = {.op = ABI_RING_write, .fd = CONSOLE_OUT, .gpa = va_to_pa(c->out + at), .len = n, .offset = ~0ull};

	if (c->writing || !n)
		return;
	if (hostring_submit(&sqe, &c->write_request) == 0)
		c->writing = n;
	else
		c->tail = c->head; /* no request to be had: the bytes are lost rather than the terminal stuck */
}

static void console_write_done(struct hostring_request *request, int64_t res, uint64_t extra)
{
	struct console *c = container_of(request, struct console, write_request);

	if (res > 0)
		c->tail += (uint32_t)MIN(res, (int64_t)c->writing);
	else if (res != -EINTR && res != -EAGAIN)
		c->tail += c->writing;
	c->writing = 0;
	console_write_more(c);
	if (c->head == c->tail)
		waitq_wake(&c->tty.write_wait, UINT32_MAX, EPOLLOUT | EPOLLWRNORM);
}

static size_t console_output(struct tty *tty, const char *bytes, size_t n)
{
	struct console *c = container_of(tty, struct console, tty);
	size_t at = c->head % CONSOLE_RING, first;

	n = MIN(n, (size_t)(CONSOLE_RING - (c->head - c->tail)));
	first = MIN(n, CONSOLE_RING - at);
	memcpy(c->out + at, bytes, first);
	memcpy(c->out, bytes + first, n - first);
	c->head += (uint32_t)n;
	console_write_more(c);
	return n;
}

static size_t console_output_used(struct tty *tty)
{
	struct console *c = container_of(tty, struct console, tty);

	return c->head - c->tail;
}

static void console_input_space(struct tty *tty)
{
	console_feed(container_of(tty, struct console, tty));
}

static void console_flush_output(struct tty *tty)
{
	struct console *c = container_of(tty, struct console, tty);

	c->head = c->tail + c->writing;
}

static void console_resized(struct tty *tty)
{
	struct console *c = container_of(tty, struct console, tty);

	c->host->rows = tty->size.rows;
	c->host->cols = tty->size.cols;
	c->host->xpixel = tty->size.xpixel;
	c->host->ypixel = tty->size.ypixel;
	(void)machine->host_call(ABI_CALL_tty_set, CONSOLE_IN, va_to_pa(c->host), 2, 0);
}

static const struct tty_ops console_ops = {
	.output = console_output,
	.output_used = console_output_used,
	.input_space = console_input_space,
	.flush_output = console_flush_output,
	.resized = console_resized,
};

static bool console_get_size(struct console *c, struct tty_size *size)
{
	if (machine->host_call(ABI_CALL_tty_get, CONSOLE_IN, va_to_pa(c->host), 0, 0) < 0)
		return false;
	*size = (struct tty_size){c->host->rows, c->host->cols, c->host->xpixel, c->host->ypixel};
	return true;
}

void console_winch(void)
{
	struct tty_size size;

	if (!console || !console_get_size(console, &size) || !memcmp(&size, &console->tty.size, sizeof(size)))
		return;
	console->tty.size = size;
	tty_signal_foreground(&console->tty, SIGWINCH);
}

static int console_create(void)
{
	struct console *c = kzalloc(sizeof(*c));
	int number = -ENOMEM;

	if (!c)
		return -ENOMEM;
	c->in = kpages_alloc(0);
	c->out = kpages_alloc(CONSOLE_RING_ORDER);
	c->host = kzalloc(sizeof(*c->host));
	if (!c->in || !c->out || !c->host)
		goto fail;
	tty_init(&c->tty, &console_ops, 0);
	c->tty.sync_output = true;
	c->read_request.done = console_read_done;
	c->write_request.done = console_write_done;
	number = devpts_add(&c->tty);
	if (number < 0)
		goto fail;
	c->from_terminal = console_get_size(c, &c->tty.size);
	if (!c->from_terminal)
		klog(LOG_WARNING, "console: the host's standard input is no terminal");
	console = c;
	console_read_more(c);
	return 0;
fail:
	kpages_free(c->in);
	kpages_free(c->out);
	kfree(c->host);
	kfree(c);
	return number;
}

static int console_ready(void)
{
	if (!container.terminal)
		return -ENXIO;
	return console ? 0 : console_create();
}

int console_open_device(struct inode *inode, struct file *file)
{
	int rc = console_ready();

	file->private = NULL;
	return rc ? rc : tty_attach_file(&console->tty, file);
}

int console_open(struct file **file)
{
	int rc = console_ready();

	if (rc)
		return rc;
	if (vfs_open(AT_FDCWD, CONSOLE_PATH, O_RDWR, 0, 0, file) == 0)
		return 0;
	*file = file_create_anon("/dev/console", &tty_file_ops, O_RDWR, NULL);
	if (!*file)
		return -ENOMEM;
	(*file)->inode->mode = S_IFCHR | 0620;
	rc = tty_attach_file(&console->tty, *file);
	if (rc)
		file_put(*file);
	return rc;
}
