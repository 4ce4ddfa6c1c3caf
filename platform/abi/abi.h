/*
 * The contract between the sentry and the VMM: boot information, calls and the ring.
 *
 * Both sides include this header and nothing else of each other. Everything the sentry
 * writes here is hostile to the VMM: it copies an entry once, checks the copy, uses the
 * copy. Change a layout or a meaning: raise ABI_VERSION; both sides refuse another.
 */
#ifndef RF_ABI_H
#define RF_ABI_H

#include <stddef.h>
#include <stdint.h>

#include "platform/abi/types.h"

#define ABI_MAGIC 0x454346474e495221ull
#define ABI_VERSION 4u
#define ABI_MAX_CPUS 64u
#define ABI_MAX_FDS 8192u /* donated descriptors open at once */
#define ABI_MAX_DONATED 16u /* that come with one reply of a gofer */
#define ABI_EXIT_PANIC 0x10006u /* given to exit: SIGABRT, and the sentry has failed */
#define ABI_NO_FD 0xffffffffu /* in the place of one that was refused */

/* Guest port I/O: a 32-bit OUT to a port is the doorbell. */
#define ABI_PORT_CALL 0x510u /* value: ignored; the call is in this CPU's struct abi_call */
#define ABI_PORT_RING 0x514u /* ioeventfd: entries were added to the submission ring */

/* Interrupt vector of ring completions in the guest (irqfd, MSI to CPU 0). */
#define ABI_VECTOR_RING 0xf0u

enum abi_call_op {
#define HOST_CALL(number, name, args, why) ABI_CALL_##name = number,
#include "platform/abi/calls.def"
};

enum abi_ring_op {
#define HOST_RING(number, name, why) ABI_RING_##name = number,
#include "platform/abi/calls.def"
};

/* One per CPU, in memory that the VMM reads: the sentry fills it and rings the doorbell. */
struct abi_call {
	uint32_t op;
	uint32_t task; /* its number, of whatever this CPU last switched to; 0: none. For the watchdog's report */
	uint64_t arg[6];
	int64_t ret;
};
_Static_assert(sizeof(struct abi_call) == 64, "one cache line");

#define ABI_RING_ENTRIES 256u /* a power of two; at most so many in flight */

struct abi_sqe {
	uint32_t op; /* enum abi_ring_op */
	uint32_t fd; /* donated descriptor, or gofer number for p9 */
	uint64_t gpa;
	uint64_t len;
	uint64_t gpa2;
	uint64_t len2;
	uint64_t offset; /* -1: the file's own position */
	uint64_t arg;
	uint64_t cookie; /* returned in the completion */
};
_Static_assert(sizeof(struct abi_sqe) == 64, "one cache line");

struct abi_cqe {
	uint64_t cookie;
	int64_t res; /* >= 0, or -errno */
	uint64_t extra;
	uint64_t pad;
};
_Static_assert(sizeof(struct abi_cqe) == 32, "two a cache line");

/*
 * Single producer and single consumer each way; free-running 32-bit indices, masked on
 * use. Release on publishing, acquire on reading. The sentry never has more than
 * ABI_RING_ENTRIES requests in flight, so the completion side cannot overflow.
 *
 * In the guest, who waits says so and looks once more: then only the other side's next word has to wake it. Whoever
 * rings the doorbell, or interrupts, takes the flag to 0.
 */
struct abi_ring {
	uint32_t sq_head; /* written by the VMM */
	uint32_t sq_wait; /* 1: the VMM waits for the doorbell; 0: it looks at sq_tail without */
	uint32_t pad0[14];
	uint32_t sq_tail; /* written by the sentry */
	uint32_t pad1[15];
	uint32_t cq_head; /* written by the sentry */
	uint32_t pad2[15];
	uint32_t cq_tail; /* written by the VMM */
	uint32_t cq_wait; /* 1: the sentry waits for an interrupt; 0: it looks at cq_tail without */
	uint32_t pad3[14];
	struct abi_sqe sq[ABI_RING_ENTRIES];
	struct abi_cqe cq[ABI_RING_ENTRIES];
};
_Static_assert(offsetof(struct abi_ring, sq) == 256, "ring layout");
_Static_assert(offsetof(struct abi_ring, cq) == 256 + 64 * ABI_RING_ENTRIES, "ring layout");

/* What the `event` ring operation completes with (res); extra carries the detail. */
enum abi_event {
	ABI_EVENT_SIGNAL = 1, /* extra: a signal for the container's init (kill, stop request) */
	ABI_EVENT_WINCH = 2,  /* the terminal's size changed: tty_get tells */
};

/*
 * The host's clocks at one instant. The sentry extrapolates by the TSC (guest) or asks
 * again (hosted reads the TSC too). Nanoseconds. `tsc` was read between the others.
 */
struct abi_clock {
	uint64_t tsc;
	int64_t monotonic_ns;
	int64_t boottime_ns;
	int64_t realtime_ns;
	uint64_t tsc_hz; /* measured rate; 0 if the TSC is unusable */
};

enum abi_file_kind {
	ABI_FILE_REGULAR = 1,
	ABI_FILE_TTY = 2,
	ABI_FILE_STREAM = 3,
	ABI_FILE_FRAMES = 4, /* one read or write is one packet */
	ABI_FILE_SOCKET = 5,
	/* The same for several links: which one, by the host's number, is a read's `extra` and a write's `arg`. */
	ABI_FILE_LINKS = 6,
	ABI_FILE_NEWS = 7, /* rtnetlink(7)'s messages about the container's network namespace: to read, one at a time */
	ABI_FILE_NULL = 8, /* the host's /dev/null */
};

struct abi_stat {
	uint32_t kind;  /* enum abi_file_kind */
	uint32_t flags; /* open(2) access mode, O_APPEND */
	/* Of a regular file only: stat(2)'s. */
	uint64_t size;
	int64_t mtime_ns;
	int64_t ctime_ns;
	int64_t atime_ns;
	uint64_t blocks;
};

struct abi_tty {
	uint32_t iflag, oflag, cflag, lflag;
	uint8_t line, cc[19];
	uint16_t rows, cols, xpixel, ypixel;
};

/*
 * Guest-physical memory has two zones, each sparse and populated on touch:
 * the kernel zone (the image, heap, page tables, kernel stacks: mapped by no stub) and
 * the user zone (pages that user mappings may show; hosted: the memfd the stubs hold).
 */
struct abi_zone {
	uint64_t base; /* gpa, 2 MiB aligned */
	uint64_t size; /* bytes */
};

enum abi_machine { ABI_MACHINE_GUEST = 1, ABI_MACHINE_HOSTED = 2 };

struct abi_hosted; /* platform/abi/hosted.h */

/* Passed in rdi to sentry_entry(); rsi is the CPU number. Lives in the kernel zone. */
struct abi_boot {
	uint64_t magic;
	uint32_t version;
	uint32_t machine; /* enum abi_machine */
	uint32_t cpus;    /* vCPUs that exist; CPU 0 runs, the others wait for cpu_start */
	uint32_t stub_mappings; /* hosted: mappings that the host lets a stub have */
	struct abi_zone kernel;
	struct abi_zone user;
	uint64_t kernel_used; /* bytes at the head of the kernel zone already taken (image, this, rings) */
	uint64_t direct_base; /* virtual address where gpa 0 is mapped, in the sentry */
	uint64_t image_base;  /* virtual address of the loaded image */
	uint64_t image_size;
	uint64_t image_gpa;  /* guest: where the image lies; hosted: 0 (private memory) */
	uint64_t call_gpa;   /* struct abi_call[cpus] */
	uint64_t ring_gpa;   /* struct abi_ring */
	uint64_t config_gpa; /* platform/abi/config.h records */
	uint64_t config_len;
	uint64_t mem_limit; /* bytes of user memory the container may use; 0: the zone's size */
	uint8_t seed[32];   /* entropy for the first moments */
	uint8_t image_id[20]; /* build-id of the image, to show in the log */
	uint32_t xsave_size;  /* bytes of the XSAVE area for the enabled features */
	uint32_t hwcap2;      /* what programs are told as AT_HWCAP2: bit 1, WRFSBASE and its like work in ring 3 */
	uint64_t xcr0;        /* features enabled by the VMM */
	struct abi_clock clock;
	const struct abi_hosted *hosted; /* hosted only, else NULL */
};

#endif
