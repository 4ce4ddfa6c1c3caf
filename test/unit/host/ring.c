/*
 * The host calls and the ring, as a hostile sentry would use them: a machine without a
 * CPU (the test is the sentry), a gofer that the test plays, no I/O thread. What must
 * hold: no bad entry harms the VMM, every request is answered once, replies find theirs.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/io.h"

#define PAGE(n) (vmm.memory.kernel.base + 65536 * (n))

static struct vmm vmm;
static struct vmm_options options;
static struct abi_ring *ring;
static int gofer; /* the test's end */
static int stdin_pipe[2], stdout_pipe[2], file;

static void fake_completion(struct vmm *v)
{
}

static int interrupts;

static void count_completion(struct vmm *v)
{
	interrupts++;
}

static void fake_stop(struct vmm *v)
{
}

static const struct platform_ops fake = {
	.name = "fake", .machine = ABI_MACHINE_HOSTED, .completion = fake_completion, .stop = fake_stop};

static void setup(void)
{
	static struct abi_boot boot;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	ck_assert_int_eq(pipe(stdin_pipe) | pipe(stdout_pipe), 0);
	gofer = pair[0];
	file = memfd_create("file", 0);
	ck_assert_int_eq(write(file, "0123456789", 10), 10);
	options = (struct vmm_options){.gofer_fd = pair[1], .control_fd = -1, .log_fd = -1,
		.stdio = {stdin_pipe[0], stdout_pipe[1], file}};
	vmm = (struct vmm){.options = &options, .platform = &fake, .cpus = 1};
	ck_assert_int_eq(vmm_memory_init(&vmm.memory, ABI_MACHINE_HOSTED, 64 << 20), 0);
	boot.ring_gpa = vmm_kernel_alloc(&vmm, sizeof(struct abi_ring), 4096);
	vmm.boot = &boot;
	ring = vmm_gpa(&vmm.memory, GPA(boot.ring_gpa), sizeof(*ring));
	ck_assert_int_eq(calls_init(), 0);
	ck_assert_int_eq(fds_init(&vmm), 0);
	ck_assert_int_eq(io_init(&vmm), 0);
}

static void submit(struct abi_sqe sqe)
{
	ring->sq[ring->sq_tail % ABI_RING_ENTRIES] = sqe;
	__atomic_store_n(&ring->sq_tail, ring->sq_tail + 1, __ATOMIC_RELEASE);
	io_doorbell(&vmm);
}

static struct abi_cqe answer(void)
{
	ck_assert_uint_ne(ring->cq_head, ring->cq_tail);
	return ring->cq[ring->cq_head++ % ABI_RING_ENTRIES];
}

static int64_t once(struct abi_sqe sqe)
{
	sqe.cookie = 99;
	submit(sqe);
	struct abi_cqe cqe = answer();
	ck_assert_uint_eq(cqe.cookie, 99);
	ck_assert_uint_eq(ring->cq_head, ring->cq_tail);
	return cqe.res;
}

static int64_t call(uint32_t op, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	struct abi_call block = {.op = op, .arg = {a, b, c, d}};
	return vmm_call(&vmm, 0, &block);
}

static void *at(unsigned page)
{
	return vmm_gpa(&vmm.memory, GPA(PAGE(page)), 65536);
}

/* A T-message of `size` bytes in page 1, its reply to page 2. */
static struct abi_sqe p9(uint16_t tag, uint32_t size, uint8_t type)
{
	uint8_t *message = at(1);

	memcpy(message, &size, 4);
	message[4] = type;
	memcpy(message + 5, &tag, 2);
	return (struct abi_sqe){.op = ABI_RING_p9, .gpa = PAGE(1), .len = size, .gpa2 = PAGE(2), .len2 = 4096, .cookie = tag};
}

static void reply(uint16_t tag, uint32_t size, uint8_t type, int fd)
{
	uint8_t message[300] = {(uint8_t)size, (uint8_t)(size >> 8), 0, 0, type, (uint8_t)tag, (uint8_t)(tag >> 8)};
	union {
		struct cmsghdr head;
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
	} control = {.head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct iovec iov = {message, size};
	struct msghdr head = {.msg_iov = &iov, .msg_iovlen = 1};

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	if (fd >= 0) {
		head.msg_control = &control;
		head.msg_controllen = sizeof(control);
	}
	ck_assert_int_eq(sendmsg(gofer, &head, 0), (ssize_t)size);
}

START_TEST(bad_entries_get_an_errno)
{
	ck_assert_int_eq(once((struct abi_sqe){.op = 0}), -ENOSYS);
	ck_assert_int_eq(once((struct abi_sqe){.op = ~0u}), -ENOSYS);
	ck_assert_int_eq(once((struct abi_sqe){.op = ABI_RING_read, .fd = 3, .gpa = PAGE(1), .len = 1}), -EBADF);
	ck_assert_int_eq(once((struct abi_sqe){.op = ABI_RING_read, .fd = ~0u, .gpa = PAGE(1), .len = 1}), -EBADF);
	ck_assert_int_eq(once((struct abi_sqe){.op = ABI_RING_read, .gpa = 0, .len = 1}), -EFAULT);
	ck_assert_int_eq(once((struct abi_sqe){.op = ABI_RING_read, .gpa = PAGE(1), .len = ~0ull}), -EFAULT);
	ck_assert_int_eq(once((struct abi_sqe){.op = ABI_RING_write, .fd = 1, .gpa = ~0ull, .len = 2}), -EFAULT);
	ck_assert_int_eq(
		once((struct abi_sqe){.op = ABI_RING_read, .fd = 2, .gpa = PAGE(1), .len = 2, .offset = (uint64_t)-5}), -EINVAL);
	ck_assert_int_eq(once((struct abi_sqe){.op = ABI_RING_fsync, .fd = 77}), -EBADF);
	ck_assert_int_eq(once((struct abi_sqe){.op = ABI_RING_poll, .fd = 77}), -EBADF);
	ck_assert_int_eq(vmm.ended, 0);
}
END_TEST

START_TEST(bad_messages_get_an_errno)
{
	struct abi_sqe sqe = p9(1, 20, 100);

	sqe.len = 6;
	ck_assert_int_eq(once(sqe), -EINVAL);
	sqe.len = 1 << 30;
	ck_assert_int_eq(once(sqe), -EINVAL);
	sqe.len = 21; /* not what the message says */
	ck_assert_int_eq(once(sqe), -EINVAL);
	sqe = p9(1, 20, 100);
	sqe.fd = 1;
	ck_assert_int_eq(once(sqe), -EINVAL);
	sqe.fd = 0;
	sqe.len2 = 3;
	ck_assert_int_eq(once(sqe), -EINVAL);
	sqe.len2 = 1ull << 60;
	ck_assert_int_eq(once(sqe), -EFAULT);
	sqe = p9(1, 20, 100);
	submit(sqe);
	sqe.cookie = 5; /* the tag is in use */
	submit(sqe);
	ck_assert_uint_eq(ring->cq_tail - ring->cq_head, 1);
	ck_assert_int_eq(answer().res, -EINVAL);
	ck_assert_int_eq(vmm.ended, 0);
}
END_TEST

START_TEST(replies_find_their_requests)
{
	uint8_t message[64];

	submit(p9(1, 20, 110));
	submit(p9(257, 21, 110)); /* the same slot of the table */
	submit(p9(2, 22, 110));
	ck_assert_int_eq(recv(gofer, message, sizeof(message), 0), 20);
	ck_assert_int_eq(recv(gofer, message, sizeof(message), 0), 21);
	ck_assert_int_eq(recv(gofer, message, sizeof(message), 0), 22);
	reply(257, 50, 111, -1);
	reply(2, 60, 111, -1);
	reply(1, 70, 111, -1);
	ck_assert(io_wait(&vmm, -1, UINT64_MAX, NULL));
	struct abi_cqe cqe = answer();
	ck_assert(cqe.cookie == 257 && cqe.res == 50 && cqe.extra == 0);
	cqe = answer();
	ck_assert(cqe.cookie == 2 && cqe.res == 60);
	cqe = answer();
	ck_assert(cqe.cookie == 1 && cqe.res == 70);
}
END_TEST

START_TEST(a_reply_that_does_not_fit_is_an_error)
{
	struct abi_sqe sqe = p9(1, 20, 110);

	sqe.len2 = 40;
	memset(at(2), 0, 65536);
	submit(sqe);
	reply(1, 41, 111, file);
	ck_assert(io_wait(&vmm, -1, UINT64_MAX, NULL));
	struct abi_cqe cqe = answer();
	ck_assert_int_eq(cqe.res, -EMSGSIZE);
	ck_assert_uint_eq(cqe.extra, 0);
	ck_assert_uint_eq(((uint8_t *)at(2))[40], 0);
}
END_TEST

START_TEST(a_donated_file_can_be_used_and_others_not)
{
	int directory = open("/", O_RDONLY | O_DIRECTORY);

	submit(p9(1, 20, 12));
	reply(1, 20, 13, file);
	ck_assert(io_wait(&vmm, -1, UINT64_MAX, NULL));
	ck_assert_uint_eq(answer().extra, 1);
	uint64_t index = *(uint32_t *)((uint8_t *)at(2) + 20); /* behind the reply */
	ck_assert_uint_eq(index, 3);
	ck_assert_int_eq(call(ABI_CALL_fd_pread, index, PAGE(3), 4, 3), 4);
	ck_assert_int_eq(memcmp(at(3), "3456", 4), 0);
	ck_assert_int_eq(call(ABI_CALL_fd_pread, index, PAGE(3), ~0ull, 0), -EFAULT);
	ck_assert_int_eq(call(ABI_CALL_fd_pread, index, PAGE(3), 4, ~0ull), -EINVAL);
	ck_assert_int_eq(call(ABI_CALL_fd_pread, index | 1ull << 32, PAGE(3), 4, 0), -EBADF);
	ck_assert_int_eq(call(ABI_CALL_fd_fill, index, vmm.memory.user.base, 8192, 2), 8);
	ck_assert_int_eq(memcmp(vmm_gpa(&vmm.memory, GPA(vmm.memory.user.base), 9), "23456789", 9), 0);
	ck_assert_int_eq(call(ABI_CALL_fd_fill, index, vmm.memory.user.base + vmm.memory.user.size - 4, 8, 0), -EFAULT);
	ck_assert_int_eq(call(ABI_CALL_fd_stat, index, PAGE(3), 0, 0), 0);
	ck_assert_uint_eq(((struct abi_stat *)at(3))->size, 10);
	ck_assert_int_eq(call(ABI_CALL_fd_truncate, index, 5, 0, 0), 0);
	ck_assert_int_eq(call(ABI_CALL_fd_truncate, index, ~0ull, 0, 0), -EINVAL);
	ck_assert_int_eq(call(ABI_CALL_fd_close, index, 0, 0, 0), 0);
	ck_assert_int_eq(call(ABI_CALL_fd_close, index, 0, 0, 0), -EBADF);
	ck_assert_int_eq(call(ABI_CALL_fd_close, 0, 0, 0, 0), -EBADF); /* stdio stays */
	submit(p9(1, 20, 12));
	reply(1, 20, 13, directory);
	ck_assert(io_wait(&vmm, -1, UINT64_MAX, NULL));
	struct abi_cqe cqe = answer();
	ck_assert(cqe.res == 20 && cqe.extra == 0);
}
END_TEST

START_TEST(the_gofer_is_told_where_its_requests_come_from)
{
	uint8_t message[64];
	unsigned told = 0;

	io_thread_core(300);
	for (uint16_t i = 0; i < 20; i++)
		submit(p9(i, 20, 110));
	for (unsigned i = 0; i < 21; i++) {
		ck_assert_int_gt(recv(gofer, message, sizeof(message), 0), 0);
		if (message[4] == 224) { /* Tplace */
			ck_assert_int_eq(memcmp(message + 7, "\x2c\x01\0\0", 4), 0);
			told++;
		}
	}
	ck_assert_uint_eq(told, 1);
	/* The answer is nobody's; a second one is an answer to no request. */
	reply(0xfffe, 7, 225, -1);
	reply(3, 20, 111, -1);
	ck_assert(io_wait(&vmm, -1, UINT64_MAX, NULL));
	ck_assert_int_eq(answer().cookie, 3);
	ck_assert_int_eq(vmm.ended, 0);
	reply(0xfffe, 7, 225, -1);
	io_wait(&vmm, -1, UINT64_MAX, NULL);
	ck_assert_int_eq(vmm.ended, 1);
}
END_TEST

START_TEST(a_flush_ends_the_request_that_it_names)
{
	struct abi_sqe sqe;

	submit(p9(7, 20, 110));
	sqe = p9(8, 9, 108);
	memcpy((uint8_t *)at(1) + 7, (uint16_t[]){7}, 2);
	submit(sqe);
	reply(8, 7, 109, -1);
	ck_assert(io_wait(&vmm, -1, UINT64_MAX, NULL));
	struct abi_cqe cqe = answer();
	ck_assert(cqe.cookie == 7 && cqe.res == -EINTR);
	cqe = answer();
	ck_assert(cqe.cookie == 8 && cqe.res == 7);
}
END_TEST

START_TEST(a_gofer_that_breaks_the_rules_ends_the_sandbox)
{
	submit(p9(2, 20, 110)); /* an idle CPU watches the socket only while it waits for a reply */
	if (_i == 0)
		reply(1, 20, 111, -1); /* to no request */
	else if (_i == 1)
		ck_assert_int_eq(send(gofer, "abc", 3, 0), 3); /* no header */
	else if (_i == 2)
		ck_assert_int_eq(send(gofer, "\xff\0\0\0\x01\0\0\0", 8, 0), 8); /* another size */
	else
		close(gofer);
	io_wait(&vmm, -1, UINT64_MAX, NULL);
	ck_assert_int_eq(vmm.ended, 1);
	ck_assert_int_eq(vmm.exit_status, 255 << 8);
}
END_TEST

START_TEST(a_sentry_that_overruns_a_ring_ends_the_sandbox)
{
	if (_i == 0) {
		ring->sq_tail = ABI_RING_ENTRIES + 1;
		io_doorbell(&vmm);
	} else {
		for (unsigned i = 0; i <= ABI_RING_ENTRIES; i++)
			submit((struct abi_sqe){.op = 0}); /* never reaps */
	}
	ck_assert_int_eq(vmm.ended, 1);
}
END_TEST

START_TEST(more_requests_than_entries_are_refused)
{
	for (unsigned i = 0; i < ABI_RING_ENTRIES; i++)
		submit(p9((uint16_t)i, 20, 110));
	ck_assert_uint_eq(ring->cq_tail, 0);
	ck_assert_int_eq(once(p9(999, 20, 110)), -EBUSY);
}
END_TEST

START_TEST(streams_are_served_at_once_when_they_can_be)
{
	char text[6] = "";

	memcpy(at(1), "hello", 5);
	ck_assert_int_eq(once((struct abi_sqe){.op = ABI_RING_write, .fd = 1, .gpa = PAGE(1), .len = 5, .offset = ~0ull}), 5);
	ck_assert_int_eq(read(stdout_pipe[0], text, 5), 5);
	ck_assert_str_eq(text, "hello");
	ck_assert_int_eq(write(stdin_pipe[1], "abc", 3), 3);
	ck_assert_int_eq(once((struct abi_sqe){.op = ABI_RING_poll, .fd = 0, .arg = 1}), 1);
	ck_assert_int_eq(once((struct abi_sqe){.op = ABI_RING_read, .fd = 0, .gpa = PAGE(1), .len = 9, .offset = ~0ull}), 3);
	ck_assert_int_eq(call(ABI_CALL_fd_pread, 0, PAGE(1), 3, 0), -ESPIPE);
	ck_assert_int_eq(call(ABI_CALL_tty_get, 0, PAGE(1), 0, 0), -ENOTTY);
}
END_TEST

START_TEST(frames_come_in_order_into_the_newest_buffers)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	uint32_t fd = (uint32_t)fds_add_kind(&vmm, pair[1], ABI_FILE_FRAMES);
	for (unsigned i = 0; i < 3; i++)
		submit((struct abi_sqe){.op = ABI_RING_read, .fd = fd, .gpa = PAGE(i + 1), .len = 64, .offset = UINT64_MAX, .cookie = i});
	ck_assert_uint_eq(ring->cq_head, ring->cq_tail);
	ck_assert_int_eq(send(pair[0], "one", 3, 0), 3);
	ck_assert_int_eq(send(pair[0], "three", 5, 0), 5);
	frame_reads_ready(vmm.io);
	for (unsigned i = 0; i < 2; i++) {
		struct abi_cqe cqe = answer();
		ck_assert_uint_eq(cqe.cookie, 2 - i);
		ck_assert_int_eq(cqe.res, i ? 5 : 3);
		ck_assert_int_eq(memcmp(at(3 - i), i ? "three" : "one", (size_t)cqe.res), 0);
	}
	ck_assert_uint_eq(ring->cq_head, ring->cq_tail);
	frame_reads_cancel(vmm.io, pair[1]);
	struct abi_cqe cqe = answer();
	ck_assert_uint_eq(cqe.cookie, 0);
	ck_assert_int_eq(cqe.res, -ECANCELED);
	close(pair[0]);
}
END_TEST

/* In the guest: of many completions that it has not looked at yet, and of none that nobody waits for. */
START_TEST(the_sentry_is_told_once)
{
	static struct platform_ops guest;
	int pair[2];

	guest = fake;
	guest.completion = count_completion;
	vmm.platform = &guest;
	vmm.io->hosted = false;
	ring->cq_wait = 1;
	interrupts = 0;
	io_notify(vmm.io);
	io_notify(vmm.io);
	ck_assert_int_eq(interrupts, 1);
	ck_assert_uint_eq(ring->cq_wait, 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	uint32_t fd = (uint32_t)fds_add_kind(&vmm, pair[1], ABI_FILE_FRAMES), before = vmm.io->worth_telling;
	struct abi_sqe sqe = {.op = ABI_RING_write, .fd = fd, .gpa = PAGE(1), .len = 3, .offset = UINT64_MAX};
	for (unsigned i = 0; i < ABI_RING_ENTRIES / 2 - 1; i++) {
		char drop[8];

		submit(sqe);
		ck_assert_int_eq(recv(pair[0], drop, sizeof(drop), 0), 3);
	}
	ck_assert_uint_eq(vmm.io->worth_telling, before);
	submit(sqe); /* the sentry is about to have no room */
	ck_assert_uint_eq(vmm.io->worth_telling, before + 1);
	close(pair[0]);
}
END_TEST

START_TEST(events_are_kept_until_asked_for)
{
	io_event(&vmm, ABI_EVENT_SIGNAL, 15);
	io_event(&vmm, ABI_EVENT_SIGNAL, 2);
	io_event(&vmm, ABI_EVENT_SIGNAL, 65); /* no such signal */
	submit((struct abi_sqe){.op = ABI_RING_event, .cookie = 1});
	struct abi_cqe cqe = answer();
	ck_assert(cqe.res == ABI_EVENT_SIGNAL && cqe.extra == 2);
	submit((struct abi_sqe){.op = ABI_RING_event, .cookie = 1});
	cqe = answer();
	ck_assert(cqe.res == ABI_EVENT_SIGNAL && cqe.extra == 15);
	submit((struct abi_sqe){.op = ABI_RING_event, .cookie = 1});
	ck_assert_uint_eq(ring->cq_head, ring->cq_tail);
	ck_assert_int_eq(once((struct abi_sqe){.op = ABI_RING_event}), -EBUSY);
}
END_TEST

START_TEST(bad_calls_get_an_errno)
{
	ck_assert_int_eq(call(0, 0, 0, 0, 0), -ENOSYS);
	ck_assert_int_eq(call(~0u, 0, 0, 0, 0), -ENOSYS);
	ck_assert_int_eq(call(ABI_CALL_log, 0, 10, 0, 0), -EFAULT);
	ck_assert_int_eq(call(ABI_CALL_log, PAGE(1), ~0ull, 1, 0), 0); /* cut to a line */
	ck_assert_int_eq(call(ABI_CALL_clock, 1, 0, 0, 0), -EFAULT);
	ck_assert_int_eq(call(ABI_CALL_entropy, PAGE(1), 4097, 0, 0), -EFAULT);
	ck_assert_int_eq(call(ABI_CALL_entropy, PAGE(1), 4096, 0, 0), 4096);
	ck_assert_int_eq(call(ABI_CALL_mem_release, 0, 4096, 0, 0), -EFAULT);
	ck_assert_int_eq(call(ABI_CALL_cpu_start, 1, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(call(ABI_CALL_cpu_start, ~0ull, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(call(ABI_CALL_fd_stat, 0, 0, 0, 0), -EFAULT);
	ck_assert_int_eq(call(ABI_CALL_tty_set, 99, PAGE(1), 1, 0), -ENOTTY);
}
END_TEST

START_TEST(clocks_agree_with_the_host)
{
	struct abi_clock *clock = at(1);
	struct timespec now;

	ck_assert_int_eq(call(ABI_CALL_clock, PAGE(1), 0, 0, 0), 0);
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t behind = now.tv_sec * 1000000000ll + now.tv_nsec - clock->realtime_ns;
	ck_assert(behind >= 0 && behind < 1000000000);
	ck_assert(clock->tsc_hz > 100000000 && clock->tsc_hz < 10000000000ull);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ring");
	TCase *tests = tcase_create("ring");

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, bad_entries_get_an_errno);
	tcase_add_test(tests, bad_messages_get_an_errno);
	tcase_add_test(tests, replies_find_their_requests);
	tcase_add_test(tests, a_reply_that_does_not_fit_is_an_error);
	tcase_add_test(tests, a_donated_file_can_be_used_and_others_not);
	tcase_add_test(tests, the_gofer_is_told_where_its_requests_come_from);
	tcase_add_test(tests, a_flush_ends_the_request_that_it_names);
	tcase_add_loop_test(tests, a_gofer_that_breaks_the_rules_ends_the_sandbox, 0, 4);
	tcase_add_loop_test(tests, a_sentry_that_overruns_a_ring_ends_the_sandbox, 0, 2);
	tcase_add_test(tests, more_requests_than_entries_are_refused);
	tcase_add_test(tests, streams_are_served_at_once_when_they_can_be);
	tcase_add_test(tests, frames_come_in_order_into_the_newest_buffers);
	tcase_add_test(tests, the_sentry_is_told_once);
	tcase_add_test(tests, events_are_kept_until_asked_for);
	tcase_add_test(tests, bad_calls_get_an_errno);
	tcase_add_test(tests, clocks_agree_with_the_host);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
