/*
 * io_setup, io_submit, io_getevents, io_cancel, io_destroy, io_pgetevents: data, vectors, syncs, polls, eventfds, and every error.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "harness.h"
#include "workdir.h"

static long setup(unsigned n, aio_context_t *context)
{
	return syscall(SYS_io_setup, n, context);
}

static long destroy(aio_context_t context)
{
	return syscall(SYS_io_destroy, context);
}

static long submit(aio_context_t context, long n, struct iocb **list)
{
	return syscall(SYS_io_submit, context, n, list);
}

static long submit_one(aio_context_t context, struct iocb *cb)
{
	return submit(context, 1, &cb);
}

static long get(aio_context_t context, long least, long most, struct io_event *events, int ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l};

	return syscall(SYS_io_getevents, context, least, most, events, ms < 0 ? NULL : &t);
}

static long cancel(aio_context_t context, struct iocb *cb)
{
	struct io_event event;

	return syscall(SYS_io_cancel, context, cb, &event);
}

static struct iocb make(int op, int fd, void *buffer, size_t n, long long offset, uint64_t data)
{
	return (struct iocb){.aio_lio_opcode = (uint16_t)op, .aio_fildes = (uint32_t)fd, .aio_buf = (uintptr_t)buffer,
		.aio_nbytes = n, .aio_offset = offset, .aio_data = data};
}

static void contexts(void)
{
	aio_context_t a = 0, b = 0, stale = 1;
	struct io_event event;

	CHECK_ERRNO(setup(0, &a), EINVAL);
	CHECK_ERRNO(setup(1, &stale), EINVAL);
	CHECK_ERRNO(setup(1, NULL), EFAULT);
	CHECK_ERRNO(setup(0x7fffffff, &a), EINVAL);
	CHECK_ERRNO(setup(0x7ffffff, &a), EINVAL);
	CHECK_ERRNO(setup(100000, &a), EAGAIN);
	CHECK(setup(8, &a) == 0 && setup(1, &b) == 0 && a && b && a != b);
	CHECK(get(a, 0, 4, &event, 0) == 0);
	CHECK(get(a, 1, 4, &event, 20) == 0);
	CHECK_ERRNO(get(a, 2, 1, &event, 0), EINVAL);
	CHECK_ERRNO(get(a, -1, 1, &event, 0), EINVAL);
	CHECK_ERRNO(get(a + 8, 0, 1, &event, 0), EINVAL);
	CHECK_ERRNO(get(0, 0, 1, &event, 0), EINVAL);
	CHECK_ERRNO(submit(0, 0, NULL), EINVAL);
	CHECK_ERRNO(submit(a, -1, NULL), EINVAL);
	CHECK(submit(a, 0, NULL) == 0);
	CHECK_ERRNO(submit(a, 1, NULL), EFAULT);
	CHECK_ERRNO(submit(a, 1, (struct iocb *[]){NULL}), EFAULT);
	CHECK(destroy(a) == 0);
	CHECK_ERRNO(destroy(a), EINVAL);
	CHECK_ERRNO(get(a, 0, 1, &event, 0), EINVAL);
	CHECK(destroy(b) == 0);
}

static void data(void)
{
	struct iovec parts[2];
	char one[8] = "", two[8] = "";
	aio_context_t a = 0;
	struct io_event e[8];
	int fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct iocb w = make(IOCB_CMD_PWRITE, fd, "0123456789", 10, 4, 1), r = make(IOCB_CMD_PREAD, fd, one, 4, 6, 2),
		    rv = make(IOCB_CMD_PREADV, fd, parts, 2, 4, 3), wv = make(IOCB_CMD_PWRITEV, fd, parts, 2, 100, 4),
		    s = make(IOCB_CMD_FSYNC, fd, NULL, 0, 0, 5), ds = make(IOCB_CMD_FDSYNC, fd, NULL, 0, 0, 6);
	struct iocb *list[] = {&w, &r, &rv, &wv, &s, &ds};
	unsigned seen = 0;

	parts[0] = (struct iovec){.iov_base = two, .iov_len = 3};
	parts[1] = (struct iovec){.iov_base = two + 3, .iov_len = 4};
	w.aio_key = 77;
	CHECK(fd >= 0 && setup(8, &a) == 0);
	CHECK(submit(a, 6, list) == 6);
	CHECK(w.aio_key == 0);
	for (int n = 0; n < 6;) {
		long got = get(a, 1, 8, e + n, -1);

		CHECK(got > 0);
		if (got <= 0)
			break;
		n += (int)got;
	}
	for (int i = 0; i < 6; i++) {
		static const long results[] = {0, 10, 4, 7, 7, 0, 0};

		CHECK(e[i].data >= 1 && e[i].data <= 6 && e[i].res == results[e[i].data % 7] && e[i].res2 == 0);
		CHECK(e[i].obj == (uintptr_t)list[(e[i].data - 1) % 6]);
		seen |= 1u << e[i].data;
	}
	CHECK(seen == 0x7e);
	CHECK(memcmp(one, "2345", 4) == 0 && memcmp(two, "0123456", 7) == 0);
	CHECK(pread(fd, one, 7, 100) == 7 && memcmp(one, "0123456", 7) == 0);
	CHECK(lseek(fd, 0, SEEK_CUR) == 0);
	CHECK(destroy(a) == 0);
	close(fd);
}

static void errors(void)
{
	static char buffer[16];
	aio_context_t a = 0;
	struct io_event e[4];
	int fd = open("errors", O_RDWR | O_CREAT | O_TRUNC, 0600), read_only = open("errors", O_RDONLY), fds[2];
	struct iocb cb = make(IOCB_CMD_PREAD, 999, buffer, 1, 0, 0), good = make(IOCB_CMD_PREAD, fd, buffer, 1, 0, 0);

	CHECK(pipe(fds) == 0 && setup(2, &a) == 0);
	CHECK_ERRNO(submit_one(a, &cb), EBADF);
	cb = make(77, fd, buffer, 1, 0, 0);
	CHECK_ERRNO(submit_one(a, &cb), EINVAL);
	cb = make(IOCB_CMD_NOOP, fd, buffer, 1, 0, 0);
	CHECK_ERRNO(submit_one(a, &cb), EINVAL);
	cb = make(IOCB_CMD_PWRITE, read_only, buffer, 1, 0, 0);
	CHECK_ERRNO(submit_one(a, &cb), EBADF);
	cb = make(IOCB_CMD_PREAD, fds[1], buffer, 1, 0, 0);
	CHECK_ERRNO(submit_one(a, &cb), EBADF);
	cb = make(IOCB_CMD_PREAD, fd, buffer, 1, -1, 0);
	CHECK_ERRNO(submit_one(a, &cb), EINVAL);
	cb = make(IOCB_CMD_PREAD, fd, buffer, (size_t)-1, 0, 0);
	CHECK_ERRNO(submit_one(a, &cb), EINVAL);
	cb = make(IOCB_CMD_PREAD, fd, buffer, 1, 0, 0);
	cb.aio_reserved2 = 1;
	CHECK_ERRNO(submit_one(a, &cb), EINVAL);
	cb = make(IOCB_CMD_PREAD, fd, buffer, 1, 0, 0);
	cb.aio_rw_flags = 0x4000;
	CHECK_ERRNO(submit_one(a, &cb), EOPNOTSUPP);
	cb = make(IOCB_CMD_FSYNC, fd, buffer, 0, 0, 0);
	CHECK_ERRNO(submit_one(a, &cb), EINVAL);
	cb = make(IOCB_CMD_FSYNC, fds[0], NULL, 0, 0, 0);
	CHECK_ERRNO(submit_one(a, &cb), EINVAL);
	cb = make(IOCB_CMD_POLL, fd, (void *)POLLIN, 0, 0, 0);
	CHECK(submit_one(a, &cb) == 1 && get(a, 1, 4, e, -1) == 1 && e[0].res == POLLIN); /* what has no poll is always ready */
	cb = make(IOCB_CMD_POLL, fds[0], (void *)0x10001, 0, 0, 0);
	CHECK_ERRNO(submit_one(a, &cb), EINVAL);
	cb = make(IOCB_CMD_PREADV, fd, NULL, 2, 0, 0);
	CHECK_ERRNO(submit_one(a, &cb), EFAULT);
	cb = make(IOCB_CMD_PREADV, fd, buffer, 5000, 0, 0);
	CHECK_ERRNO(submit_one(a, &cb), EINVAL);
	cb = make(IOCB_CMD_PREAD, fd, buffer, 1, 0, 0);
	cb.aio_flags = IOCB_FLAG_RESFD;
	cb.aio_resfd = (uint32_t)fd;
	CHECK_ERRNO(submit_one(a, &cb), EINVAL);
	cb.aio_resfd = 999;
	CHECK_ERRNO(submit_one(a, &cb), EBADF);
	/* An error in the middle: what came before is taken. */
	cb = make(IOCB_CMD_PREAD, 999, buffer, 1, 0, 0);
	CHECK(submit(a, 2, (struct iocb *[]){&good, &cb}) == 1);
	CHECK(get(a, 1, 4, e, -1) == 1 && e[0].res == 0);
	/* Data that cannot go where it should is the event's result. */
	CHECK(write(fd, "x", 1) == 1);
	cb = make(IOCB_CMD_PREAD, fd, (void *)8, 1, 0, 0);
	CHECK(submit_one(a, &cb) == 1 && get(a, 1, 4, e, -1) == 1 && e[0].res == -EFAULT);
	/* Events that cannot be delivered stay. */
	CHECK(submit_one(a, &good) == 1);
	CHECK_ERRNO(get(a, 1, 1, (void *)8, -1), EFAULT);
	CHECK(get(a, 1, 4, e, -1) == 1 && e[0].res == 1);
	CHECK(destroy(a) == 0);
	close(fd), close(read_only), close(fds[0]), close(fds[1]);
}

static void full(void)
{
	struct iocb cb[4096], *list[4096];
	aio_context_t a = 0;
	struct io_event e[64];
	int fds[2];
	long taken;

	CHECK(pipe(fds) == 0 && setup(4, &a) == 0);
	for (int i = 0; i < 4096; i++) {
		cb[i] = make(IOCB_CMD_POLL, fds[0], (void *)POLLIN, 0, 0, (uint64_t)i);
		list[i] = &cb[i];
	}
	taken = submit(a, 4096, list);
	CHECK(taken >= 4 && taken < 4096); /* Linux rounds up */
	CHECK_ERRNO(submit_one(a, &cb[4095]), EAGAIN);
	CHECK(write(fds[1], "x", 1) == 1);
	for (long n = 0; n < taken;) {
		long got = get(a, 1, 64, e, 2000);

		CHECK(got > 0);
		if (got <= 0)
			break;
		n += got;
	}
	CHECK(submit_one(a, &cb[4095]) == 1 && get(a, 1, 4, e, -1) == 1 && e[0].data == 4095 && e[0].res & POLLIN);
	CHECK(destroy(a) == 0);
	close(fds[0]), close(fds[1]);
}

static void *write_later(void *fd)
{
	sleep_ms(30);
	CHECK(write((int)(intptr_t)fd, "y", 1) == 1);
	return NULL;
}

static void polls(void)
{
	aio_context_t a = 0;
	struct io_event e[4];
	int fds[2], pair[2], event = eventfd(0, EFD_NONBLOCK);
	struct iocb in, out, other;
	pthread_t thread;
	uint64_t count;
	char c;

	CHECK(pipe(fds) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && setup(8, &a) == 0);
	in = make(IOCB_CMD_POLL, fds[0], (void *)POLLIN, 0, 0, 1);
	out = make(IOCB_CMD_POLL, fds[1], (void *)POLLOUT, 0, 0, 2);
	in.aio_flags = IOCB_FLAG_RESFD;
	in.aio_resfd = (uint32_t)event;
	CHECK(submit(a, 2, (struct iocb *[]){&in, &out}) == 2);
	CHECK(get(a, 1, 4, e, 1000) == 1 && e[0].data == 2 && e[0].res == POLLOUT);
	CHECK_ERRNO(read(event, &count, 8), EAGAIN);
	CHECK(pthread_create(&thread, NULL, write_later, (void *)(intptr_t)fds[1]) == 0);
	CHECK(get(a, 1, 4, e, -1) == 1 && e[0].data == 1 && e[0].res & POLLIN && e[0].obj == (uintptr_t)&in);
	pthread_join(thread, NULL);
	CHECK(read(event, &count, 8) == 8 && count == 1);
	/* once only */
	CHECK(read(fds[0], &c, 1) == 1 && write(fds[1], "z", 1) == 1 && get(a, 1, 4, e, 20) == 0);
	/* the end of the other side */
	other = make(IOCB_CMD_POLL, pair[0], (void *)POLLIN, 0, 0, 3);
	CHECK(submit_one(a, &other) == 1 && get(a, 1, 1, e, 20) == 0);
	close(pair[1]);
	CHECK(get(a, 1, 1, e, 2000) == 1 && e[0].res & POLLHUP);
	/* cancelled */
	CHECK(read(fds[0], &c, 1) == 1);
	in.aio_flags = 0;
	CHECK(submit_one(a, &in) == 1);
	CHECK_ERRNO(cancel(a, &out), EINVAL);
	CHECK_ERRNO(cancel(a, &in), EINPROGRESS);
	CHECK(get(a, 1, 1, e, 2000) == 1 && e[0].data == 1 && e[0].res == 0);
	CHECK_ERRNO(cancel(a, &in), EINVAL);
	in.aio_key = 5;
	CHECK_ERRNO(cancel(a, &in), EINVAL);
	/* closing the file does not end the request */
	CHECK(submit_one(a, &in) == 1 && close(fds[0]) == 0 && get(a, 1, 1, e, 20) == 0);
	CHECK(write(fds[1], "w", 1) == 1 && get(a, 1, 1, e, 2000) == 1 && e[0].res & POLLIN);
	CHECK(destroy(a) == 0);
	close(fds[1]), close(pair[0]), close(event);
}

static void *destroy_later(void *context)
{
	sleep_ms(30);
	CHECK(destroy((aio_context_t)context) == 0);
	return NULL;
}

static void on_signal(int number)
{
}

static void waits(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct itimerval timer = {.it_value.tv_usec = 30000}, every = {.it_value.tv_usec = 30000, .it_interval.tv_usec = 30000};
	struct {
		const sigset_t *set;
		size_t size;
	} mask;
	struct iocb cb;
	aio_context_t a = 0;
	struct io_event e;
	pthread_t thread;
	sigset_t all, none;
	long long before;
	int fds[2];

	CHECK(pipe(fds) == 0 && setup(8, &a) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
	cb = make(IOCB_CMD_POLL, fds[0], (void *)POLLIN, 0, 0, 1);
	CHECK(submit_one(a, &cb) == 1);
	CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
	CHECK_ERRNO(get(a, 1, 1, &e, -1), EINTR);
	before = now_ns(CLOCK_MONOTONIC);
	CHECK(get(a, 1, 1, &e, 50) == 0 && now_ns(CLOCK_MONOTONIC) - before >= 50000000);
	/* io_pgetevents: the mask is in force while it waits */
	sigemptyset(&none);
	sigfillset(&all);
	mask.set = &none;
	mask.size = 8;
	CHECK(sigprocmask(SIG_BLOCK, &all, NULL) == 0 && setitimer(ITIMER_REAL, &timer, NULL) == 0);
	sleep_ms(60);
	CHECK_ERRNO(syscall(SYS_io_pgetevents, a, 1l, 1l, &e, NULL, &mask), EINTR);
	CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
	sigprocmask(SIG_SETMASK, &none, NULL);
	mask.set = &all;
	CHECK(syscall(SYS_io_pgetevents, a, 1l, 1l, &e, &(struct timespec){.tv_nsec = 80000000}, &mask) == 0);
	mask.size = 7;
	CHECK_ERRNO(syscall(SYS_io_pgetevents, a, 1l, 1l, &e, NULL, &mask), EINVAL);
	CHECK(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL) == 0);
	CHECK(pthread_create(&thread, NULL, destroy_later, (void *)a) == 0);
	CHECK_ERRNO(get(a, 1, 1, &e, -1), EINVAL);
	pthread_join(thread, NULL);
	close(fds[0]), close(fds[1]);
}

static void inherited(void)
{
	char path[] = "/proc/self/maps", line[256];
	aio_context_t a = 0;
	struct io_event e;
	FILE *maps = fopen(path, "r");
	int status = 0, found = 0, before;
	pid_t pid;

	CHECK(setup(8, &a) == 0);
	while (maps && fgets(line, sizeof(line), maps))
		found += strtoull(line, NULL, 16) == a && strstr(line, "[aio]");
	CHECK(found == 1);
	if (maps)
		fclose(maps);
	before = harness_failures;
	pid = fork();
	if (pid == 0) {
		CHECK_ERRNO(get(a, 0, 1, &e, 0), EINVAL);
		CHECK_ERRNO(destroy(a), EINVAL);
		_exit(harness_failures != before);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(get(a, 0, 1, &e, 0) == 0);
	/* left to the exit, with a request that waits */
	struct iocb *cb = calloc(1, sizeof(*cb));
	int fds[2];

	CHECK(pipe(fds) == 0);
	*cb = make(IOCB_CMD_POLL, fds[0], (void *)POLLIN, 0, 0, 1);
	CHECK(submit_one(a, cb) == 1);
}

int main(void)
{
	harness_start();
	if (workdir_enter())
		return 1;
	RUN(contexts);
	RUN(data);
	RUN(errors);
	RUN(full);
	RUN(polls);
	RUN(waits);
	RUN(inherited);
	workdir_leave();
	return CHECK_RESULT();
}
