/*
 * Fuzz target: the VMM against a hostile sentry. An input is a sequence of steps: ring
 * entries and host calls made of its bytes (addresses are brought near the zones' edges
 * often enough to matter), bytes written over the shared ring, and the gofer's replies.
 * The service is put back between inputs.
 *
 * Run as: fuzz_ring -max_total_time=60 CORPUS-DIRECTORY
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "platform/io.h"

static struct vmm vmm;
static struct vmm_options options;
static struct abi_boot boot;
static struct abi_ring *ring;
static int gofer, file;
static int ether[2], link_index; /* a link's socket: the other end, ours; ours in the VMM's table */

void vmm_log(int level, const char *format, ...)
{
}

void vmm_end(struct vmm *v, int status)
{
	v->ended = 1;
}

void vmm_fail(struct vmm *v, int status)
{
	v->ended = 1;
}

int jail_thread(struct vmm *v, enum jail_role role)
{
	return -ENOSYS;
}

void log_guest(int level, const char *bytes, size_t length)
{
	static char line[4096];

	if (length > sizeof(line))
		abort();
	memcpy(line, bytes, length);
}

static void nothing(struct vmm *v)
{
}

static void no_cpu(struct vmm *v, unsigned cpu)
{
	if (cpu == 0 || cpu >= v->cpus)
		abort();
}

static const struct platform_ops fake = {
	.name = "fake", .machine = ABI_MACHINE_HOSTED, .completion = nothing, .stop = nothing, .cpu_start = no_cpu};

static void start(void)
{
	int pair[2], null = open("/dev/null", O_RDWR);

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) || null < 0)
		abort();
	gofer = pair[0];
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ether))
		abort();
	file = memfd_create("file", 0);
	options = (struct vmm_options){.gofer_fd = pair[1], .control_fd = -1, .log_fd = -1, .stdio = {null, null, null}};
	vmm = (struct vmm){.options = &options, .platform = &fake, .cpus = 2};
	if (vmm_memory_init(&vmm.memory, ABI_MACHINE_HOSTED, 16 << 20))
		abort();
	boot.ring_gpa = vmm_kernel_alloc(&vmm, sizeof(struct abi_ring), 4096);
	vmm.boot = &boot;
	ring = vmm_gpa(&vmm.memory, GPA(boot.ring_gpa), sizeof(*ring));
	if (calls_init() || fds_init(&vmm) || io_init(&vmm))
		abort();
}

/* As after io_init(). */
static void put_back(void)
{
	struct io_service *io = vmm.io;
	uint8_t drop[8];

	vmm.ended = 0;
	memset(ring, 0, sizeof(*ring));
	io->sq_head = io->cq_tail = 0;
	io->event_waiting = false;
	io->free_requests = NULL;
	for (unsigned i = 0; i < ABI_RING_ENTRIES; i++) {
		io->requests[i].next = io->free_requests;
		io->free_requests = &io->requests[i];
	}
	io->handoff = (struct io_list){NULL, &io->handoff.head};
	memset(io->gofers[0].pending, 0, sizeof(io->gofers[0].pending));
	io->gofers[0].unsent = (struct io_list){NULL, &io->gofers[0].unsent.head};
	atomic_store(&io->gofers[0].outstanding, 0);
	while (recv(gofer, drop, sizeof(drop), MSG_DONTWAIT) > 0)
		;
	while (recv(options.gofer_fd, drop, sizeof(drop), MSG_DONTWAIT) > 0)
		;
	for (uint32_t i = 3; i < 1024; i++) /* more than one input can donate */
		fds_close(&vmm, i);
	memset(io->frame_lines, 0, sizeof(io->frame_lines));
	while (recv(ether[0], drop, sizeof(drop), MSG_DONTWAIT) >= 0 || recv(ether[1], drop, sizeof(drop), MSG_DONTWAIT) >= 0)
		;
	link_index = fds_add_kind(&vmm, dup(ether[1]), ABI_FILE_FRAMES);
}

static uint64_t near(uint64_t word)
{
	const struct vmm_memory *m = &vmm.memory;
	const uint64_t edges[] = {0, m->kernel.base, m->user.base, m->size, m->kernel.base + 65536, m->user.base + 65536,
		~0ull, 1ull << 32};

	return word & 8 ? edges[word & 7] + (uint64_t)(int8_t)(word >> 8) : word;
}

static void step_entry(const uint64_t *w)
{
	struct abi_sqe sqe = {.op = (uint32_t)w[0] & 7, .fd = (uint32_t)w[1] & 15, .gpa = near(w[2]), .len = near(w[3]),
		.gpa2 = near(w[4]), .len2 = w[5] & 0xffff, .offset = w[6], .arg = w[6] >> 3, .cookie = w[7]};
	uint8_t *message = vmm_gpa(&vmm.memory, GPA(sqe.gpa), 16);

	if (sqe.op == ABI_RING_p9 && message && (w[1] & 16)) { /* a head that is right */
		uint32_t size = sqe.len = 7 + (w[3] & 0xff);

		memcpy(message, &size, 4);
		message[4] = w[1] & 32 ? 108 : 100;
		message[5] = (uint8_t)w[7];
		message[6] = 0;
	}
	if (w[1] & 64)
		sqe.fd = (uint32_t)link_index;
	ring->sq[ring->sq_tail % ABI_RING_ENTRIES] = sqe;
	ring->sq_tail++;
	io_doorbell(&vmm);
}

static void step_call(const uint64_t *w)
{
	struct abi_call call = {.op = (uint32_t)w[0] & 15, .arg = {near(w[1]), near(w[2]), near(w[3]), near(w[4])}};

	if (call.op == ABI_CALL_fd_truncate || call.op == ABI_CALL_fd_pwrite)
		call.arg[call.op == ABI_CALL_fd_truncate ? 1 : 3] &= 0x800000000000ffffull; /* not the disk */
	vmm_call(&vmm, 0, &call);
}

static void step_reply(const uint64_t *w)
{
	uint8_t message[256] = {(uint8_t)(7 + (w[0] & 63)), 0, 0, 0, (uint8_t)w[1], (uint8_t)w[2]};
	union {
		struct cmsghdr head;
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
	} control = {.head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct iovec iov = {message, w[3] & 1 ? w[4] & 127 : message[0]};
	struct msghdr head = {.msg_iov = &iov, .msg_iovlen = 1};

	if (w[3] & 2) {
		memcpy(CMSG_DATA(&control.head), &file, sizeof(file));
		head.msg_control = &control;
		head.msg_controllen = sizeof(control);
	}
	sendmsg(gofer, &head, MSG_DONTWAIT | MSG_NOSIGNAL);
	channel_receive(&vmm.io->gofers[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t words[8];

	if (!vmm.io)
		start();
	put_back();
	for (; size > sizeof(words) && !vmm.ended; data += sizeof(words) + 1, size -= sizeof(words) + 1) {
		memcpy(words, data + 1, sizeof(words));
		switch (data[0] & 7) {
		case 0:
			step_call(words);
			break;
		case 1:
			step_reply(words);
			break;
		case 2: /* anything over the shared ring, heads and tails too */
			memcpy((uint8_t *)ring + words[0] % (sizeof(*ring) - 8), &words[1], 8);
			io_doorbell(&vmm);
			break;
		case 3:
			ring->cq_head = ring->cq_tail;
			if (words[0] & 1)
				send(ether[0], words, words[1] & 63, MSG_DONTWAIT);
			if (words[0] & 2)
				frame_reads_ready(vmm.io);
			if (words[0] & 4)
				frame_reads_cancel(vmm.io, fds_get(&vmm, (uint32_t)link_index));
			break;
		default:
			step_entry(words);
		}
	}
	return 0;
}
