/*
 * The VMM loop's shared state and the services that every platform uses. Internal to
 * platform/; the public header is platform/platform.h.
 *
 * Order of use: vmm_init() (memory, image, rings, I/O thread, all threads), then the
 * platform's start(), then jail_enter() applies the filters, then the platform's run().
 * After jail_enter() no path is opened, no thread and no mapping of a new kind is made.
 */
#ifndef PLATFORM_VMM_H
#define PLATFORM_VMM_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "platform/abi/abi.h"
#include "platform/platform.h"

static inline uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The sentry's virtual addresses in the guest: gpa 0, and the image. Hosted: host addresses. */
#define VMM_GUEST_DIRECT_BASE 0xffff888000000000ull
#define VMM_GUEST_IMAGE_BASE 0xffffffff80000000ull

struct vmm;
struct fd_table; /* platform/fds.c */
struct io_service; /* platform/io.c */
struct control; /* platform/control.c */

/* Guest-physical memory: one host mapping of base..base+size covering both zones. */
struct vmm_memory {
	uint8_t *host;      /* host address of gpa 0 */
	uint64_t size;      /* of the whole reservation; gpa < size */
	struct abi_zone kernel, user;
	uint64_t kernel_used; /* bytes at the head of the kernel zone already taken; boot->kernel_used at the end */
	int user_memfd;     /* hosted: backs the user zone (MAP_SHARED); guest: -1 */
};

struct loaded_image {
	uint64_t base, size, entry, gpa;
	uint8_t build_id[20];
	struct { uint64_t offset, size; uint32_t prot; } segments[8]; /* page aligned, for page table rights */
	unsigned segment_count;
};

struct vmm {
	const struct vmm_options *options;
	const struct platform_ops *platform;
	struct vmm_memory memory;
	struct abi_boot *boot;  /* inside the kernel zone, written before the start only */
	uint64_t boot_gpa;
	uint64_t entry;         /* virtual address of sentry_entry */
	struct loaded_image image;
	unsigned cpus;
	struct fd_table *fds;
	struct io_service *io;
	struct control *control; /* NULL: none */
	struct abi_call *calls; /* abi_call[cpus], which the sentry writes */
	int exit_status;        /* wait status of the container's init, once `ended` */
	volatile int ended;
	bool failed;            /* the VMM ended it, and not the sentry */
	bool gofer_gone;        /* because its gofer has gone */
	void *platform_private; /* kvm/ or ptrace/ */
};

/* What a machine kind must do. One static instance a platform. */
struct platform_ops {
	const char *name;
	enum abi_machine machine;
	/* Usable here? 0, or -errno with the reason in why. Called before vmm_init(). */
	int (*probe)(char *why, size_t size);
	/* Create the VM or the CPU threads' stubs; everything that needs what the jail takes away. */
	int (*start)(struct vmm *vmm);
	/* Run until vmm->ended. Called inside the jail, on the main thread. Threads exist already. */
	int (*run)(struct vmm *vmm);
	/* A completion was posted: interrupt CPU 0. Called by the I/O thread. */
	void (*completion)(struct vmm *vmm);
	void (*cpu_start)(struct vmm *vmm, unsigned cpu);
	/* The container ended (vmm_end() was called): make every CPU leave. Any thread. */
	void (*stop)(struct vmm *vmm);
};

extern const struct platform_ops kvm_platform, ptrace_platform, systrap_platform;

/* memory.c. Host pointer for [gpa, gpa+len), NULL if any byte is outside one zone. The bytes stay hostile. */
void *vmm_gpa(const struct vmm_memory *memory, gpa_t gpa, uint64_t len);
int vmm_memory_init(struct vmm_memory *memory, enum abi_machine machine, uint64_t limit);
int vmm_memory_release(struct vmm_memory *memory, gpa_t gpa, uint64_t len);
/* Zeroed bytes at the head of the kernel zone (page tables of the start, ...); the gpa, or 0. Before run() only. */
uint64_t vmm_kernel_alloc(struct vmm *vmm, uint64_t size, uint64_t align);

/* loader.c. Loads sentry.elf: guest into the kernel zone at image->gpa, relocated for `base`; hosted into private memory. */
int loader_load(int fd, struct vmm_memory *memory, enum abi_machine machine, uint64_t base, uint64_t *kernel_used,
	struct loaded_image *image);

/* calls.c. One host call of `cpu`: `call` is the VMM's own copy. Returns the result for call->ret. Never waits. */
int64_t vmm_call(struct vmm *vmm, unsigned cpu, const struct abi_call *call);

/* io.c. The I/O thread: serves the ring by io_uring or by a thread pool. */
int io_init(struct vmm *vmm);
void io_doorbell(struct vmm *vmm); /* hosted; the guest's doorbell is io_eventfd() as ioeventfd */
/* Hosted: the calling thread is pinned to this core of the host (-1: to none), and its requests come from there. */
void io_thread_core(int core);
int io_eventfd(struct vmm *vmm);
void io_event(struct vmm *vmm, enum abi_event event, uint64_t extra); /* async-signal-safe */
/*
 * Hosted only: an idle CPU's thread waits here, so that it reads a gofer's reply itself and no other thread
 * has to wake up for it. Returns true if completions were posted, false when wake_fd (-1: none) became readable
 * (it is not read), a signal of `mask` (NULL: as it is) came, or `deadline` (CLOCK_MONOTONIC ns) passed.
 */
bool io_wait(struct vmm *vmm, int wake_fd, uint64_t deadline, const sigset_t *mask);
/*
 * Hosted only: call before user code runs. If replies are awaited, the I/O thread takes over. Cheap; never waits.
 * True: completions wait for the sentry already, so run() should return TRAP_INTERRUPT instead of running
 * (what io_doorbell() or io_wait() could serve at once is posted without platform->completion()).
 */
bool io_busy(struct vmm *vmm);

/* fds.c. Donated descriptors, by index. Takes ownership of fd on success. */
int fds_add(struct vmm *vmm, int fd);             /* index or -errno; regular files only */
int fds_get(struct vmm *vmm, uint32_t index);     /* host fd, or -EBADF */
int fds_close(struct vmm *vmm, uint32_t index);

/* jail.c. Empty root, own uid, no capabilities, no_new_privs; then the main thread's filter. */
enum jail_role { JAIL_MAIN, JAIL_IO, JAIL_VCPU, JAIL_PTRACE_CPU, JAIL_SYSTRAP_CPU, JAIL_CONTROL, JAIL_ROLES };
int jail_enter(struct vmm *vmm);
/* Puts this thread's filter on, once the walls are there: it is ready. 0 or -errno, and the sandbox ends. */
int jail_filter(struct vmm *vmm, enum jail_role role);
/* Every other thread calls this first, unless something else tells it when to begin: that, and waits for jail_enter(). */
int jail_thread(struct vmm *vmm, enum jail_role role);

/* boot.c. The container ended: status is a wait status. Any thread. */
void vmm_end(struct vmm *vmm, int status);
/* The sandbox failed, and a line has said why. The same otherwise. */
void vmm_fail(struct vmm *vmm, int status);
enum vmm_log_level { VMM_LOG_ERROR, VMM_LOG_WARNING, VMM_LOG_INFO, VMM_LOG_DEBUG, VMM_LOG_STRACE }; /* as ring0/lib.h */
/* One line to the debug log and, for LOG level error, to stderr. printf-like; no newline. */
void vmm_log(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
