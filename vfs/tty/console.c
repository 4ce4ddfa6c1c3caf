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

#include "kernel/container.h"
#include "platform/abi/abi.h"
#include "ring0/lib.h"
#include "ring0/memory.h"
#include "vfs/tty/console.h"
#include "vfs/tty/tty.h"

#define CONSOLE_RING_ORDER 4
#define CONSOLE_RING (4096u << CONSOLE_RING_ORDER)
#define CONSOLE_READ 4096u
#define CONSOLE_EOF 4 /* VEOF, as the line starts with */

struct console {
	struct tty tty;
	uint32_t in_fd, out_fd; /* donated descriptors */
	unsigned number;        /* in devpts */
	struct hostring_request read_request, write_request;
	char *in, *out;
	uint32_t in_start, in_end; /* of `in`: not yet taken by the line */
	uint32_t head, tail;       /* of `out`, running freely */
	uint32_t writing;          /* bytes with the host */
	bool reading, feeding;
	bool released; /* its process has gone */
	bool from_terminal; /* the host's standard input is a terminal; else its end is an end of file, no hang-up */
	bool ended;         /* ... and it came */
	struct abi_tty *host; /* for tty_get and tty_set */
};

static void console_read_more(struct console *c)
{
	struct abi_sqe sqe = {.op = ABI_RING_read, .fd = c->in_fd, .gpa = va_to_pa(c->in), .len = CONSOLE_READ,
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
	if (c->released) {
		tty_put(&c->tty);
		return;
	}
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
	struct abi_sqe sqe = {.op = ABI_RING_write, .fd = c->out_fd, .gpa = va_to_pa(c->out + at), .len = n, .offset = ~0ull};

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
	(void)machine->host_call(ABI_CALL_tty_set, c->in_fd, va_to_pa(c->host), 2, 0);
}

static void console_destroy(struct tty *tty)
{
	struct console *c = container_of(tty, struct console, tty);

	kpages_free(c->in);
	kpages_free(c->out);
	kfree(c->host);
	kfree(c);
}

static const struct tty_ops console_ops = {
	.destroy = console_destroy,
	.output = console_output,
	.output_used = console_output_used,
	.drains = true,
	.input_space = console_input_space,
	.flush_output = console_flush_output,
	.resized = console_resized,
};

static bool console_get_size(struct console *c, struct tty_size *size)
{
	if (machine->host_call(ABI_CALL_tty_get, c->in_fd, va_to_pa(c->host), 0, 0) < 0)
		return false;
	*size = (struct tty_size){c->host->rows, c->host->cols, c->host->xpixel, c->host->ypixel};
	return true;
}

static void console_resize(struct console *c, const struct tty_size *size)
{
	if (!memcmp(size, &c->tty.size, sizeof(*size)))
		return;
	c->tty.size = *size;
	tty_signal_foreground(&c->tty, SIGWINCH);
}

void console_winch(void)
{
	struct console *c = first_container.console;
	struct tty_size size;

	if (c && console_get_size(c, &size))
		console_resize(c, &size);
}

void console_set_size(struct console *c, const struct config_winsize *size)
{
	struct tty_size new_size = {size->rows, size->columns, size->xpixel, size->ypixel};

	console_resize(c, &new_size);
}

struct console *console_of(const struct process *process)
{
	struct tty *tty = process->session ? process->session->tty : NULL;

	return tty && tty->ops == &console_ops ? container_of(tty, struct console, tty) : NULL;
}

int console_create(unsigned in_fd, unsigned out_fd, const struct config_winsize *size, struct console **console)
{
	struct console *c = kzalloc(sizeof(*c));
	int number = -ENOMEM;

	if (!c)
		return -ENOMEM;
	c->in_fd = in_fd;
	c->out_fd = out_fd;
	c->in = kpages_alloc(0);
	c->out = kpages_alloc(CONSOLE_RING_ORDER);
	c->host = kzalloc(sizeof(*c->host));
	if (!c->in || !c->out || !c->host)
		goto fail;
	tty_init(&c->tty, &console_ops, 0);
	c->tty.sync_output = true;
	c->read_request.done = console_read_done;
	c->write_request.done = console_write_done;
	number = devpts_first() ? devpts_add(devpts_first(), &c->tty) : -ENOMEM;
	if (number < 0)
		goto fail;
	c->number = (unsigned)number;
	c->from_terminal = console_get_size(c, &c->tty.size);
	if (!c->from_terminal)
		klog(LOG_INFO, "console: the host's standard input is no terminal");
	if (size)
		c->tty.size = (struct tty_size){size->rows, size->columns, size->xpixel, size->ypixel};
	*console = c;
	console_read_more(c);
	return 0;
fail:
	console_destroy(&c->tty);
	return number;
}

void console_release(struct console *c)
{
	(void)wait_event(&c->tty.write_wait, c->head == c->tail, DEADLINE_NONE, false);
	devpts_remove(devpts_first(), c->number);
	tty_hangup(&c->tty);
	(void)machine->host_call(ABI_CALL_fd_close, c->in_fd, 0, 0, 0);
	if (!c->reading)
		tty_put(&c->tty);
	c->released = true; /* else the read that is under way lets go of it */
}

int console_open_device(struct inode *inode, struct file *file)
{
	struct console *c = current->process->container->console;

	file->private = NULL;
	return c ? tty_attach_file(&c->tty, file) : -ENXIO;
}

int console_open(struct console *c, struct file **file)
{
	char path[32];
	int rc;

	snprintf(path, sizeof(path), "/dev/pts/%u", c->number);
	if (vfs_open(AT_FDCWD, path, O_RDWR, 0, 0, file) == 0)
		return 0;
	*file = file_create_anon("/dev/console", &tty_file_ops, O_RDWR, NULL);
	if (!*file)
		return -ENOMEM;
	(*file)->inode->mode = S_IFCHR | 0620;
	rc = tty_attach_file(&c->tty, *file);
	if (rc)
		file_put(*file);
	return rc;
}
