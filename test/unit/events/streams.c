/*
 * Unit tests of pipes, unix sockets, epoll and the line discipline in sentry memory, against simple models, with random
 * steps. Everything is non-blocking, since nothing sleeps here. The seed is fixed, so a failure repeats.
 */
#include <asm/ioctls.h>
#include <linux/eventpoll.h>
#include <linux/limits.h>
#include <stdlib.h>

#include "test/unit/vfs/setup.h"
#include "vfs/anon/anon.h"
#include "vfs/anon/socket.h"
#include "vfs/pipe/pipe.h"
#include "vfs/poll.h"
#include "vfs/tty/tty.h"

#define MODEL_SIZE (2u << 20)

static char model[MODEL_SIZE]; /* bytes written and not read: [tail, head) */
static size_t model_head, model_tail;
static char scratch[300000];

static void setup(void)
{
	test_vfs_boot();
	srand(4711);
	model_head = model_tail = 0;
}

static size_t pick(size_t limit)
{
	size_t n = (size_t)rand() % 4 ? (size_t)rand() % 200 : (size_t)rand();

	return n % limit;
}

static void fill_scratch(size_t n)
{
	for (size_t i = 0; i < n; i++)
		scratch[i] = (char)rand();
}

/* Write some, then read some; what comes out must be what went in. */
static void stream_step(struct file *in, struct file *out)
{
	uint64_t pos = 0;
	size_t n = pick(sizeof(scratch)) + 1;
	int64_t done;

	if (rand() % 2) {
		fill_scratch(n);
		done = in->ops->write_kernel(in, scratch, n, &pos);
		if (done < 0) {
			ck_assert_int_eq(done, -EAGAIN);
			return;
		}
		if (model_head + (size_t)done > MODEL_SIZE) {
			memmove(model, model + model_tail, model_head - model_tail);
			model_head -= model_tail;
			model_tail = 0;
		}
		memcpy(model + model_head, scratch, (size_t)done);
		model_head += (size_t)done;
		return;
	}
	done = out->ops->read_kernel(out, scratch, n, &pos);
	if (done < 0) {
		ck_assert_int_eq(done, -EAGAIN);
		ck_assert_uint_eq(model_head, model_tail);
		return;
	}
	ck_assert_uint_le((size_t)done, model_head - model_tail);
	ck_assert_mem_eq(scratch, model + model_tail, (size_t)done);
	model_tail += (size_t)done;
}

START_TEST(pipe_bytes)
{
	struct file *ends[2];

	ck_assert_int_eq(pipe_create(ends, O_NONBLOCK), 0);
	for (unsigned i = 0; i < 20000; i++) {
		stream_step(ends[1], ends[0]);
		if (i % 500 == 0) {
			int64_t rc = pipe_set_size(ends[0], 4096u << rand() % 7);

			ck_assert(rc > 0 || rc == -EBUSY);
		}
		uint32_t in = file_poll(ends[0], NULL), out = file_poll(ends[1], NULL);

		ck_assert_int_eq((in & EPOLLIN) != 0, model_head != model_tail);
		ck_assert_int_eq((out & EPOLLOUT) != 0,
			pipe_get_size(ends[0]) - (int64_t)(model_head - model_tail) >= PIPE_BUF);
	}
	file_put(ends[1]);
	ck_assert(file_poll(ends[0], NULL) & EPOLLHUP);
	file_put(ends[0]);
}
END_TEST

START_TEST(socket_bytes)
{
	struct file *ends[2];

	ck_assert_int_eq(socket_make_pair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	for (unsigned i = 0; i < 20000; i++) {
		stream_step(ends[1], ends[0]);
		ck_assert_int_eq((file_poll(ends[0], NULL) & EPOLLIN) != 0, model_head != model_tail);
	}
	file_put(ends[1]);
	ck_assert(file_poll(ends[0], NULL) & EPOLLHUP);
	file_put(ends[0]);
}
END_TEST

START_TEST(packets)
{
	struct file *ends[2];
	unsigned lengths[4096], head = 0, tail = 0;
	uint64_t pos = 0;

	ck_assert_int_eq(pipe_create(ends, O_NONBLOCK | O_DIRECT), 0);
	for (unsigned i = 0; i < 20000; i++) {
		size_t n = pick(PIPE_BUF) + 1;
		int64_t done;

		if (rand() % 2) {
			fill_scratch(n);
			done = ends[1]->ops->write_kernel(ends[1], scratch, n, &pos);
			ck_assert(done == (int64_t)n || done == -EAGAIN);
			if (done > 0)
				lengths[head++ % 4096] = (unsigned)n;
			ck_assert_uint_lt(head - tail, 4096);
		} else {
			done = ends[0]->ops->read_kernel(ends[0], scratch, n, &pos);
			ck_assert_int_eq(done, head == tail ? -EAGAIN : (int64_t)MIN(n, (size_t)lengths[tail % 4096]));
			tail += head != tail;
		}
	}
	file_put(ends[0]);
	file_put(ends[1]);
}
END_TEST

/* ---- the line discipline ---- */

static char sent[1 << 16];
static size_t sent_used;

static size_t sink(struct tty *tty, const char *bytes, size_t n)
{
	if (n <= sizeof(sent) - sent_used)
		memcpy(sent + sent_used, bytes, n);
	else
		sent_used = n = 0;
	sent_used += n;
	return n;
}

static size_t sink_used(struct tty *tty)
{
	return 0;
}

static const struct tty_ops sink_ops = {.output = sink, .output_used = sink_used};

static void line_is(struct tty *tty, const char *typed, const char *line)
{
	char buf[256];
	bool end;
	size_t n;

	sent_used = 0;
	ck_assert_uint_eq(tty_input(tty, typed, strlen(typed)), strlen(typed));
	n = tty_input_take(tty, buf, sizeof(buf) - 1, &end);
	buf[n] = '\0';
	ck_assert_str_eq(buf, line);
}

START_TEST(editing)
{
	static struct tty tty;

	tty_init(&tty, &sink_ops, 0);
	line_is(&tty, "plain\r", "plain\n");
	ck_assert_uint_eq(sent_used, 7);
	ck_assert_mem_eq(sent, "plain\r\n", 7);
	line_is(&tty, "ab\177c\n", "ac\n");
	line_is(&tty, "a b\027c\n", "a c\n");
	line_is(&tty, "gone\025x\n", "x\n");
	line_is(&tty, "\026\003\n", "\003\n"); /* literal next */
	line_is(&tty, "half\004", "half");
	line_is(&tty, "x\003y\n", "y\n");
	tty.termios.c_iflag |= IUTF8;
	line_is(&tty, "\xc3\xa4\xc3\xb6\177\n", "\xc3\xa4\n");
}
END_TEST

/* Any bytes at any settings: the buffer's invariants hold, and what can be read ends. */
START_TEST(line_noise)
{
	static struct tty tty;
	char buf[512];
	bool end;

	tty_init(&tty, &sink_ops, 0);
	for (unsigned i = 0; i < 20000; i++) {
		size_t n = (size_t)rand() % sizeof(buf), taken;

		if (rand() % 20 == 0) {
			struct termios2 old = tty.termios;

			tty.termios.c_lflag ^= 1u << rand() % 16;
			tty.termios.c_iflag ^= 1u << rand() % 15;
			tty.termios.c_oflag ^= 1u << rand() % 13;
			tty.termios.c_cc[rand() % NCCS] = (uint8_t)rand();
			tty_settings_changed(&tty, &old);
		}
		for (size_t k = 0; k < n; k++)
			buf[k] = (char)(rand() % 3 ? rand() : rand() % 32);
		taken = tty_input(&tty, buf, n);
		ck_assert_uint_le(taken, n);
		ck_assert_uint_le(tty.in_head - tty.in_tail, TTY_INPUT_SIZE);
		ck_assert_uint_le(tty.canon_head - tty.in_tail, tty.in_head - tty.in_tail);
		if (rand() % 3 == 0)
			while (tty_input_count(&tty)) {
				size_t got = tty_input_take(&tty, buf, sizeof(buf), &end);

				ck_assert(got || end);
			}
		tty.stopped = false;
	}
}
END_TEST

/* ---- epoll ---- */

/* Level-triggered sets over pipes: ready exactly when a pipe has bytes, whatever is added, removed and closed. */
START_TEST(epoll_levels)
{
	enum { N = 12 };
	struct file *set, *ends[N][2];
	int fds[N];
	bool added[N] = {false};
	uint64_t pos = 0;
	unsigned filled[N] = {0};

	ck_assert_int_eq(epoll_set_create(0, &set), 0);
	for (unsigned i = 0; i < N; i++) {
		ck_assert_int_eq(pipe_create(ends[i], O_NONBLOCK), 0);
		file_get(ends[i][0]);
		fds[i] = fd_install(ends[i][0], false, 0);
	}
	for (unsigned step = 0; step < 20000; step++) {
		unsigned i = (unsigned)rand() % N;
		struct epoll_event event = {.events = EPOLLIN, .data = i};
		bool any = false;

		switch (rand() % 4) {
		case 0:
			ck_assert_int_eq(epoll_control(set, EPOLL_CTL_ADD, fds[i], &event), added[i] ? -EEXIST : 0);
			added[i] = true;
			break;
		case 1:
			ck_assert_int_eq(epoll_control(set, EPOLL_CTL_DEL, fds[i], &event), added[i] ? 0 : -ENOENT);
			added[i] = false;
			break;
		case 2:
			ck_assert_int_eq(ends[i][1]->ops->write_kernel(ends[i][1], "x", 1, &pos), 1);
			filled[i]++;
			break;
		case 3:
			if (filled[i])
				ck_assert_int_eq(ends[i][0]->ops->read_kernel(ends[i][0], scratch, filled[i], &pos), filled[i]);
			filled[i] = 0;
			break;
		}
		for (unsigned k = 0; k < N; k++)
			any |= added[k] && filled[k];
		ck_assert_int_eq((file_poll(set, NULL) & EPOLLIN) != 0, any);
	}
	for (unsigned i = 0; i < N; i++) {
		fd_close(fds[i]);
		file_put(ends[i][0]); /* leaves the set */
		file_put(ends[i][1]);
	}
	ck_assert_uint_eq(file_poll(set, NULL), 0);
	file_put(set);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("events/streams");
	TCase *tcase = tcase_create("streams");
	SRunner *runner = srunner_create(suite);

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, pipe_bytes);
	tcase_add_test(tcase, socket_bytes);
	tcase_add_test(tcase, packets);
	tcase_add_test(tcase, editing);
	tcase_add_test(tcase, line_noise);
	tcase_add_test(tcase, epoll_levels);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
