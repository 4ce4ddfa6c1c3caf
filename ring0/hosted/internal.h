/*
 * ring0/hosted, internal: the sentry as a thread of a host process.
 *
 * run.c is the loop between user code and trap_dispatch(); mirror.c keeps what the stubs
 * show in step with the page tables; fpu.c, usercopy.c and machine.c are what their names
 * say. Host functions run on the host thread's own stack: HOST() in call.S's hands.
 */
#ifndef RING0_HOSTED_INTERNAL_H
#define RING0_HOSTED_INTERNAL_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stdint.h>

#include "platform/abi/hosted.h"
#include "ring0/lock.h"
#include "ring0/machine.h"
#include "ring0/memory.h"
#include "ring0/percpu.h"

#define MIRROR_RANGES 9u
#define MIRRORS_LIVE 64u /* stubs a CPU keeps; beyond it the least recently used goes */

/* One CPU's mirror of one space. */
struct hosted_mirror {
	struct spinlock lock; /* over count, overflow and range: any CPU queues, the own one drains */
	volatile uint32_t count;
	volatile uint32_t overflow; /* too many: drop every mapping */
	struct {
		uint64_t address, length;
	} range[MIRROR_RANGES];
	struct hosted_space *space;
	/* The own CPU alone. */
	bool live;            /* the platform has (or had) a stub for it */
	bool mapped;          /* something was mapped since it was made */
	bool keeps;           /* its space ends, and a record (keep.c) says what the stub shows on */
	bool refill;          /* it was emptied, or nearly: show the usual windows before it runs */
	uint32_t mappings;    /* of the host's that it has, at most */
	uint64_t cost;        /* of the host's memory, as last counted: in mappings (mirror_room()) */
	uint64_t generation;  /* changes when all it showed is gone: names its entries in hosted_cpu.shown */
	uint64_t run_end;     /* where the run ended that the last fault showed */
	uint64_t renewed;     /* the page shown last by mirror_renew() */
	uint64_t fpu_version; /* which saved FPU state the stub holds; 0: none known */
	TAILQ_ENTRY(hosted_mirror) link; /* CPU's list of live ones */
	struct hosted_mirror *next_dead; /* under the CPU's dead_lock */
};
_Static_assert(sizeof(struct hosted_mirror) <= 256, "15 a page, see hosted_space");

#define MIRRORS_A_PAGE 15u
#define MIRROR_PAGES ((ABI_MAX_CPUS + MIRRORS_A_PAGE - 1) / MIRRORS_A_PAGE)

/* Behind struct space.private: in the first of its pages; mirrors from byte 256 of each. */
struct hosted_space {
	uint64_t id;
	struct space *space;            /* NULL: freed */
	LIST_ENTRY(hosted_space) link;  /* of all that are not freed; kernel lock */
	uint32_t undropped;         /* freed: CPUs that still have a stub of it; atomic */
	struct hosted_space *next;  /* freed, all dropped: waits for the kernel lock */
	uint64_t pages[MIRROR_PAGES];
};
_Static_assert(sizeof(struct hosted_space) <= 256, "head of a page");

LIST_HEAD(space_list, hosted_space);

#define HINTS 64u
#define COPIED 24u
#define HOT_SLOTS 256u

/* A system call that came by signals, in whatever space: many are made once in each program's life. */
struct hot {
	uint64_t call; /* its physical address */
	int64_t place; /* and where that is relative to the space's text */
	int32_t count; /* calls by signal; below 0: it could not be helped */
};

#define SHOWN_SLOTS 1024u

/* Which pages of a window of 64 a mirror shows. A lost entry only costs showing a page again. */
struct shown {
	uint64_t window, generation;
	uint64_t pages;
};

struct hosted_cpu {
	struct hosted_context context; /* handed to run() */
	TAILQ_HEAD(mirror_list, hosted_mirror) live; /* most recently used first; own CPU alone */
	unsigned live_count;
	struct machine_task *fpu_task; /* whose FPU state is live in a stub of this CPU; NULL: nobody's */
	struct hosted_mirror *fpu_mirror;
	struct spinlock dead_lock;
	struct hosted_mirror *dead; /* of freed spaces: drop these. Any CPU, under dead_lock */
	volatile uint32_t dead_count;
	struct shown shown[SHOWN_SLOTS]; /* a cache, by window and generation */
	struct hot hot[HOT_SLOTS];       /* a cache, by call */
	/* The last call that came by a jump: while the same task goes on behind it in the same mirror, its stub knows where. */
	struct machine_task *call_task;
	struct hosted_mirror *call_mirror;
	uint64_t call_rip;
	uint64_t relax_begin, relax_last; /* TSC: the busy wait that cpu_relax() is in */
	uint64_t copied[COPIED]; /* pages copied for a write to shared ones, the latest first */
	uint64_t again_addr, again_rip; /* the last fault answered by mirroring alone */
	unsigned again;
};

extern struct hosted_cpu hosted_cpus[ABI_MAX_CPUS];

static inline struct hosted_cpu *this_hosted(void)
{
	return &hosted_cpus[this_cpu()->cpu];
}

/* call.S: fn(a0..a5) on the host thread's stack. */
int64_t hosted_on_host(uint64_t fn, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
/* call.S: hosted_loop(regs) on a stack that begins just below regs. */
void hosted_enter(struct regs *regs) __attribute__((noreturn));
void hosted_loop(struct regs *regs) __attribute__((noreturn));

#define HOST6(name, a, b, c, d, e, f)                                                                        \
	hosted_on_host((uint64_t)boot_info->hosted->name, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c),       \
		(uint64_t)(d), (uint64_t)(e), (uint64_t)(f))
#define HOST4(name, a, b, c, d) HOST6(name, a, b, c, d, 0, 0)
#define HOST3(name, a, b, c) HOST6(name, a, b, c, 0, 0, 0)
#define HOST2(name, a, b) HOST6(name, a, b, 0, 0, 0, 0)

/* mirror.c */
int hosted_space_init(struct space *space);
void hosted_space_free(struct space *space);
void hosted_space_switch(struct space *space);
void hosted_space_flush(struct space *space, uint64_t address, uint64_t length);
void hosted_space_flush_part(struct space *space, uint64_t address, uint64_t length);
void hosted_space_protect(struct space *space, uint64_t address, uint64_t length);
void hosted_space_show(struct space *space, uint64_t address);
struct hosted_mirror *mirror_of(const struct space *space, unsigned cpu);
/* Before user code runs: the stub is counted live and the least used may go. */
void mirror_use(struct hosted_mirror *m);
void mirror_lost(struct hosted_mirror *m);   /* its stub is gone */
void mirror_drop(struct hosted_mirror *m);   /* end its stub */
void mirror_drain(struct hosted_mirror *m);  /* queued ranges become unmap orders */
void mirror_serve_dead(void);                /* stubs of freed spaces end */
/*
 * Kernel lock held. Show the page at address, and present neighbours. `again`: it is shown, but with too few rights.
 * The number of orders made; 0: it is absent.
 */
unsigned mirror_show(struct space *space, struct hosted_mirror *m, uint64_t address, bool again);
void mirror_hint(uint64_t address); /* a fault there was answered by showing it */
/* Kernel lock held. As mirror_drain(), and small ranges are shown again with their new rights (mprotect). */
void mirror_renew(struct space *space, struct hosted_mirror *m);
/* Kernel lock held. An empty stub gets what the task at (rip, rsp) will touch first. */
void mirror_refill(struct space *space, struct hosted_mirror *m, uint64_t rip, uint64_t rsp);

/* 64 pages: which of them the mirror shows, as far as it is remembered. */
#define MIRROR_WINDOW (64 * PAGE_SIZE)
uint64_t mirror_get_shown(const struct hosted_mirror *m, uint64_t address);
void mirror_set_shown(const struct hosted_mirror *m, uint64_t address, uint64_t pages);

/* keep.c: stubs that keep pages of files for the next space. Kernel lock held. */
void hosted_space_keep(struct space *space);
void hosted_spaces_trim(void);
void keep_unmap(struct hosted_mirror *m); /* all of an ended space's on this CPU, but what is kept */
void keep_adopt(struct space *space, struct hosted_mirror *m); /* a mirror that shows nothing: of what was kept, what the space has */
void keep_drop_page(uint64_t pa); /* no stub that is kept shows it, or what stands for it, any more */

/* walk.c: the leaf entry of a user address, present or not; NULL: a table is missing. Kernel lock held. */
uint64_t *hosted_pte(uint64_t root, uint64_t address, uint64_t *size);
/* The first entry at or above *address in a table that exists, *address being moved there; NULL: there is none. Kernel lock held. */
uint64_t *hosted_next_table(uint64_t root, uint64_t *address);
/* Offset of a page in the user zone; ends the sandbox when it is not there. */
uint64_t hosted_user_offset(uint64_t pa);

/* fpu.c */
int hosted_fpu_enter(struct hosted_mirror *m, struct machine_task *task); /* -errno: the host refused the state */
void hosted_fpu_leave(void); /* bring the live state home */
void hosted_fpu_lost(void);
void hosted_task_save(struct machine_task *task);
void hosted_task_load(struct machine_task *task);
void hosted_fpu_sync(struct machine_task *task);
void hosted_fpu_reload(struct machine_task *task);

/* patch.c: hot calls by a jump instead of a signal. */
unsigned patch_text_size(void);
void patch_text_page(unsigned index, uint64_t pa);
void patch_space_init(struct space *space); /* kernel lock */
void patch_space_free(struct space *space);
/* A page of this entry may be shown as another. */
bool patch_shows(const struct hosted_mirror *m, uint64_t pte);
uint64_t patch_shadow(const struct hosted_mirror *m, uint64_t address, uint64_t pa); /* what is shown for it, or 0. Kernel lock */
void patch_seen(const struct regs *regs); /* a call of the current task came by a signal. Takes the kernel lock */
/*
 * A trap that is no system call. In a slot: the registers are made what they are in the program, and it may turn out
 * to be a call after all. True: there was a trap only because of us, user code goes on. Takes the kernel lock.
 */
bool patch_text_whole(const struct space *space); /* nobody has put pages of his own in place of the text's */
bool patch_leave(struct regs *regs);
/* Where user code goes on that is to go on at regs->rip, if not there; or 0. Takes the kernel lock. */
uint64_t patch_resume(const struct regs *regs);
void hosted_page_changes(uint64_t pa);
void hosted_space_plain(struct space *space);

/* usercopy.c */
size_t hosted_copy_from_user(void *to, uaddr_t from, size_t n);
size_t hosted_copy_to_user(uaddr_t to, const void *from, size_t n);
size_t hosted_clear_user(uaddr_t to, size_t n);
int64_t hosted_strncpy_from_user(char *to, uaddr_t from, size_t n);
int hosted_cmpxchg_user32(uaddr_t address, uint32_t expect, uint32_t value, uint32_t *old);

#endif
