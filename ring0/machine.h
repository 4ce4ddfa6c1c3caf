/*
 * The machine under the sentry: the one thing that differs between the KVM guest and
 * the hosted process. ring0/guest/ and ring0/hosted/ each fill one struct machine, and
 * ring0/start.c picks it from boot->machine. kernel/, vfs/ and syscalls/ use it through
 * the inline functions below and never ask which one it is.
 *
 *   op              lock on entry     may block   touches user memory
 *   host_call       any               no          no
 *   ring_notify     any               no          no
 *   enter_user      none              –           –  (does not return)
 *   space_init      kernel lock       no          no
 *   space_free      kernel lock       no          no
 *   space_switch    kernel lock       no          no
 *   space_flush     kernel lock       spins for other CPUs
 *   space_flush_part kernel lock      no          no
 *   space_protect   kernel lock       spins for other CPUs
 *   space_keep, spaces_trim  kernel lock  no      no
 *   space_show      kernel lock       no          no
 *   space_plain     kernel lock       no          no
 *   stack_map       kernel lock       no          no
 *   stacks_unmap    kernel lock       spins for other CPUs
 *   text_…, page_changes, answers_changed, cpu_queued  kernel lock  no  no
 *   copy_*          kernel lock       YES (page faults may read files)   yes
 *   fpu_*           kernel lock       no          no
 *   idle            none              yes         no
 *   kick, set_timer any               no          no
 *   cpu_init        none              no          no  (once on each CPU, before any other op there)
 *   flush_serve     any               no          no  (cpu_relax() calls it while percpu.flush_pending is set)
 *
 * All members are required but counters, stack_map and stacks_unmap (together), space_flush_part, space_protect, space_keep and spaces_trim, and the last six, which go together.
 */
#ifndef RING0_MACHINE_H
#define RING0_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/abi/abi.h"
#include "platform/abi/hosted.h"
#include "platform/abi/regs.h"

/* A user address. Only the copy functions of ring0/usercopy.h take one. */
typedef struct {
	uint64_t v;
} uaddr_t;

#define UADDR(x) ((uaddr_t){(uint64_t)(x)})

/* The machine's part of an address space. Page tables are x86 4-level on both machines. */
struct space {
	uint64_t id;       /* never reused; names the hosted mirrors */
	uint64_t root;     /* physical address of the PML4 */
	uint64_t cpus;     /* bit N: CPU N may hold translations (TLB or mirror) */
	uint64_t running;  /* bit N: CPU N is in user mode in this space */
	uint64_t text;     /* user address of the machine's own code (text_size()), or 0: it may not be used */
	uint64_t tables;   /* pages of its page tables, the root too; kernel/'s to count */
	bool alike;        /* spaces to come are likely to have its files' pages at the same addresses */
	bool begins;       /* a program's first pages are present that nobody has touched yet: a mirror had better show them */
	bool plain;        /* user code runs as it stands in memory: see space_plain() */
	void *private;     /* of the machine */
};

/*
 * Kernel stacks: their top is 8 modulo 16, so that the frame which the CPU pushes (its
 * start is aligned to 16) lies where struct regs has it.
 */
#define KERNEL_STACK_SIZE 16384ull
#define KERNEL_STACK_TOP(stack) ((uint64_t)(stack) + KERNEL_STACK_SIZE - 8)

/* The machine's part of a task: switched with it. */
struct machine_task {
	uint64_t fs_base, gs_base; /* current after machine_save(); written, then machine_load() */
	void *fpu;                 /* XSAVE area, boot->xsave_size bytes, 64-byte aligned */
	uint64_t kernel_stack_top; /* KERNEL_STACK_TOP(stack); regs lie just below it */
	uint64_t fpu_flags;        /* private to the machine */
	struct hosted_answers answers; /* of the machine that uses them; see kernel_answers() */
};

struct machine {
	const char *name;

	/* First step of a CPU: descriptor tables, MSRs, private data. percpu is set up; nothing can be allocated yet. */
	void (*cpu_init)(unsigned cpu);
	/* Answer a pending shootdown (clears percpu.flush_pending). */
	void (*flush_serve)(void);

	int64_t (*host_call)(uint32_t op, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3);
	/* Entries were published; `seen`: the VMM is at work and looks for them before it waits. */
	void (*ring_notify)(bool seen);
	bool serves_ring; /* ring_notify() serves the entries itself, at once: nothing is gained by saying it later */

	/* First entry of a task to user mode: regs at the top of its kernel stack. */
	void (*enter_user)(struct regs *regs) __attribute__((noreturn));

	int (*space_init)(struct space *space); /* allocates the root; 0 or -ENOMEM */
	void (*space_free)(struct space *space); /* frees the root and drops mirrors; tables below are the caller's */
	void (*space_switch)(struct space *space); /* NULL: no user space (idle, kernel task) */
	/* PTEs in [address, address+length) lost rights or changed page: no CPU may use the old ones after this. */
	void (*space_flush)(struct space *space, uint64_t address, uint64_t length);
	/*
	 * Optional: as space_flush() of whole pages, which follows for another range before the lock is dropped and completes
	 * this one too. For what a fork takes the right to write from: the mappings in between stay.
	 */
	void (*space_flush_part)(struct space *space, uint64_t address, uint64_t length);
	/*
	 * Optional: as space_flush(), for private pages that lost rights and stay the space's own: where user code
	 * can only write by force what it could a moment ago, the old rights may last until it is next run.
	 */
	void (*space_protect)(struct space *space, uint64_t address, uint64_t length);
	/* Optional, before the tables of a space that ends are cleared: what of it may serve the next one? space_free() follows. */
	void (*space_keep)(struct space *space);
	/* Optional: memory is short. Nothing is kept any more. */
	void (*spaces_trim)(void);
	/* A hint: the PTE of address is present since just now, and the task that runs here is about to use it. */
	void (*space_show)(struct space *space, uint64_t address);

	/*
	 * Optional: an address for a block of KERNEL_STACK_SIZE, with nothing below it; the direct map still has the block.
	 * NULL: no memory for tables. Unmapping is for many at once, and no CPU uses those addresses any more afterwards.
	 */
	void *(*stack_map)(uint64_t pa);
	void (*stacks_unmap)(void *const *stacks, unsigned n);

	/* Bytes not copied (0: all). Fault in pages of the current space by kernel_user_fault(). */
	size_t (*copy_from_user)(void *to, uaddr_t from, size_t n);
	size_t (*copy_to_user)(uaddr_t to, const void *from, size_t n);
	size_t (*clear_user)(uaddr_t to, size_t n);
	/* Length without the terminator; n if none within n bytes; -EFAULT. */
	int64_t (*strncpy_from_user)(char *to, uaddr_t from, size_t n);
	/* Atomically: *old = *address; if equal to expect, store value. 0 or -EFAULT. */
	int (*cmpxchg_user32)(uaddr_t address, uint32_t expect, uint32_t value, uint32_t *old);

	/* Context switch halves. save: bring task->fs_base, gs_base, fpu up to date; load: put them on the CPU. */
	void (*task_save)(struct machine_task *task);
	void (*task_load)(struct machine_task *task);
	/* fpu_sync: make task->fpu current for the running task; fpu_reload: a task's was changed, use it. */
	void (*fpu_sync)(struct machine_task *task);
	void (*fpu_reload)(struct machine_task *task);

	/* Wait for an interrupt, a kick or a completion, or `deadline` (monotonic ns). Returns with interrupts handled. */
	void (*idle)(uint64_t deadline);
	void (*kick)(unsigned cpu);         /* make it pass through trap_dispatch or leave idle soon */
	void (*set_timer)(uint64_t deadline); /* this CPU; monotonic ns; UINT64_MAX: none */
	int (*cpu_start)(unsigned cpu);     /* 0 or -errno; idempotent */
	/* One line for the debug log: what the machine counted. Optional: absent, it counts nothing. Kernel lock. */
	void (*counters)(char *line, size_t size);

	/* Pages of code of the machine's own that each program has to have above its vDSO; 0: none. */
	unsigned (*text_size)(void);
	void (*text_page)(unsigned index, uint64_t pa); /* each, once made: user zone, zeroed, for ever */
	/* A page with kernel_page_hold() has changed, or may be written to by user code from now on. */
	void (*page_changes)(uint64_t pa);
	/* From now on user code is executed as it stands in memory, instruction by instruction (it is traced). */
	void (*space_plain)(struct space *space);
	/* What kernel_answers() said of some task is no longer true. */
	void (*answers_changed)(void);
	/* Another CPU, which runs a task, has got one that waits: *kernel_queued() there is no longer 0. */
	void (*cpu_queued)(unsigned cpu);
};

extern const struct machine *machine; /* set once at boot */
extern const struct machine guest_machine, hosted_machine; /* ring0/guest, ring0/hosted */

#endif
