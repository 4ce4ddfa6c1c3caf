/*
 * Memory: physical pages, kernel heap, objects (what files and shared memory are made
 * of), address spaces.
 *
 * Physical pages come from two zones (platform/abi/abi.h): PAGE_KERNEL pages are never
 * mapped to user space, PAGE_USER pages may be. struct page is refcounted: one reference
 * for each holder (a page-table entry, an object's tree, a temporary user).
 *
 * Invariants of an address space (mm_check() tests them):
 *  1. VMAs are sorted, do not overlap, are page aligned, lie below USER_TOP.
 *  2. A present PTE lies inside a VMA and grants no more than the VMA does.
 *  3. A PTE is writable only if the page is shared by an object that allows it, or is
 *     private to this mm (its reference count is one).
 *  4. A PTE only ever points at a PAGE_USER page that it holds a reference to.
 */
#ifndef KERNEL_MM_H
#define KERNEL_MM_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/mm/policy.h"
#include "kernel/wait.h"
#include "ring0/machine.h"
#include "ring0/memory.h"

struct file; /* vfs/vfs.h; kernel/files.h tells what the kernel asks of it */
struct abi_boot;
struct regs;
struct ksiginfo;

/* ---- pages (kernel/mm/page.c) ---- */

enum page_zone { PAGE_KERNEL = 0, PAGE_USER = 1 };

#define MM_MIN_ADDRESS 0x10000ull /* vm.mmap_min_addr */

#define PAGE_DIRTY 1u     /* an object's page: must be written back */
#define PAGE_UPTODATE 2u  /* an object's page: filled */
#define PAGE_WRITEBACK 4u /* being written */
#define PAGE_ANON 8u      /* private anonymous memory */
#define PAGE_ZEROPAGE 16u /* the shared zero page: never written, never freed */
#define PAGE_FREE 32u     /* head of a free block */
#define PAGE_ZEROED 64u   /* free block: every byte is known to be zero */
#define PAGE_SLAB 128u    /* kernel heap: `object` is the slab */
#define PAGE_CACHED 256u  /* in an object's tree: object and index are valid */
#define PAGE_SHMEM 512u   /* in the tree of an object of shared memory */
#define PAGE_ACCESSED 1024u /* used since reclaim last looked */
#define PAGE_TABLE 2048u  /* a page table */
#define PAGE_UNTOUCHED 8192u /* zero, and as the host gave it: so told by page_alloc_fill() */
#define PAGE_HELD 4096u   /* in the cache, by kernel_page_hold(): the machine is told before it is something else */

struct memory_account;
struct vm_object;

struct page {
	uint32_t refs;
	uint8_t zone;  /* enum page_zone */
	uint8_t order; /* of the free block or the allocation this page heads */
	uint16_t flags;
	union {
		TAILQ_ENTRY(page) free; /* free blocks */
		struct {
			struct vm_object *object; /* that holds it in its tree, or NULL */
			uint64_t index;           /* page number in the object */
		};
	};
	struct memory_account *account; /* that is charged for it (kernel/mm/account.h); NULL: none */
};

void page_init(const struct abi_boot *boot);
/* 2^order pages, naturally aligned, one reference on the head; NULL: none (after reclaim was tried; does not sleep). */
struct page *page_alloc(enum page_zone zone, unsigned order);
struct page *page_alloc_zeroed(enum page_zone zone);
struct page *page_alloc_zeroed_order(enum page_zone zone, unsigned order);
/* As page_alloc_zeroed_order(), of the user zone; the head is marked PAGE_UNTOUCHED if it is. */
struct page *page_alloc_fill(unsigned order);
void page_split(struct page *page, unsigned order); /* a fresh block becomes 2^order pages with one reference each */
void page_get(struct page *page);
void page_put(struct page *page); /* frees the whole block with the last reference */
uint64_t page_to_pa(const struct page *page);
struct page *pa_to_page(uint64_t pa);
static inline void *page_address(const struct page *page)
{
	return pa_to_va(page_to_pa(page));
}
extern struct page *zero_page; /* the first of 16: PAGE_USER, all zero, shared */

struct mm_counters {
	uint64_t total, free, anon, cached, shmem, kernel, page_tables; /* bytes; meminfo */
	uint64_t taken; /* pages that were ever given out */
};
void mm_counters_read(struct mm_counters *counters);

/* ---- heap (kernel/mm/heap.c): any size; 16-byte aligned; NULL if none; does not sleep ---- */
void *kmalloc(size_t size);
void *kzalloc(size_t size);
void *krealloc(void *p, size_t size);
void kfree(void *p); /* NULL is fine */
char *kstrdup(const char *s);
/* Pages for one big buffer (rings, stacks, path buffers). */
void *kpages_alloc(unsigned order);
void kpages_free(void *p);

/* ---- objects (kernel/mm/object.c) ---- */

/*
 *	op         lock         may sleep  absent means
 *	fill       kernel lock  yes        pages start zeroed (tmpfs, shared anonymous memory)
 *	writeback  kernel lock  yes        nothing to write back
 *	release    kernel lock  yes        the object is just freed (kfree)
 *
 * fill() reads file data for `count` pages starting at `index` into freshly allocated,
 * zeroed pages; it returns how many were filled (>= 1) or -errno.
 */
struct vm_object_ops {
	int (*fill)(struct vm_object *object, uint64_t index, struct page **pages, unsigned count);
	int (*writeback)(struct vm_object *object, uint64_t index, struct page *page, unsigned length);
	void (*release)(struct vm_object *object);
};

struct radix_node;
struct vma;
struct vm_object {
	const struct vm_object_ops *ops;
	uint32_t refs;
	uint64_t size;               /* bytes; a mapping past it gives SIGBUS */
	struct radix_node *root;     /* pages by index */
	unsigned height;
	uint64_t nr_pages, nr_dirty;
	TAILQ_HEAD(, vma) vmas;      /* that map it, for truncation */
	struct waitq waiters;        /* for pages being filled or written */
	struct object_policy *policies; /* of shared memory: policy.c; NULL: none */
	bool shmem;                  /* counted as shared memory */
	bool has_extent;             /* room may be set aside for its pages */
};

void object_init(struct vm_object *object, const struct vm_object_ops *ops, uint64_t size);
struct vm_object *object_create_shmem(uint64_t size); /* one reference */
void object_get(struct vm_object *object);
void object_put(struct vm_object *object);
/*
 * Before much of it is truncated, dropped or ends: most pages from start to end (whole pages) go with breaths in between. The
 * caller keeps others from writing there; faults may bring pages back below the object's size. May sleep.
 */
void object_drop_slowly(struct vm_object *object, uint64_t start, uint64_t end);
/* As object_truncate(), for one who keeps others from writing. May sleep. */
void object_truncate_slowly(struct vm_object *object, uint64_t size);
/* The page at `index`, with a reference, filled; reads ahead when sequential. May sleep. 0; -EIO…; -ENOMEM. Does not look at size. */
int object_get_page(struct vm_object *object, uint64_t index, struct page **page);
/* The page if it is present and up to date, with a reference; else NULL. Does not sleep. */
struct page *object_find_page(struct vm_object *object, uint64_t index);
/* The first of the pages from `index` up to `end` that the object holds, or `end`; the others are gone past together. Does not sleep. */
uint64_t object_next_page(const struct vm_object *object, uint64_t index, uint64_t end);
void object_set_dirty(struct vm_object *object, struct page *page);
/* Copy between object and memory. Bytes copied or -errno. May sleep. Grows nothing: the caller handles size. */
int64_t object_read(struct vm_object *object, uint64_t offset, void *to, size_t n);
int64_t object_write(struct vm_object *object, uint64_t offset, const void *from, size_t n);
/* The same to and from user memory; a fault part way gives a partial count. */
int64_t object_read_user(struct vm_object *object, uint64_t offset, uaddr_t to, size_t n);
int64_t object_write_user(struct vm_object *object, uint64_t offset, uaddr_t from, size_t n);
/* New size: pages past it leave the tree and every mapping; the tail of the last page is zeroed. */
void object_truncate(struct vm_object *object, uint64_t size);
/* Drop the pages in [start, end) bytes (hole punching, invalidation); dirty ones are lost. */
void object_drop_range(struct vm_object *object, uint64_t start, uint64_t end);
int object_sync(struct vm_object *object, uint64_t start, uint64_t end); /* write back dirty pages; may sleep */

/* ---- address spaces (kernel/mm/mm.c, vma.c, fault.c) ---- */

#define VM_READ 1u
#define VM_WRITE 2u
#define VM_EXEC 4u
#define VM_SHARED 8u
#define VM_GROWSDOWN 0x10u
#define VM_MAYREAD 0x20u
#define VM_MAYWRITE 0x40u
#define VM_MAYEXEC 0x80u
#define VM_LOCKED 0x100u
#define VM_DONTFORK 0x200u
#define VM_WIPEONFORK 0x400u
#define VM_NORESERVE 0x800u
#define VM_VDSO 0x1000u
#define VM_STACK 0x2000u
#define VM_DONTDUMP 0x4000u
#define VM_SECRET 0x8000u /* memfd_secret(2): only by the CPU that runs the program, never through mm_get_user_page() */

struct mm;

struct vma {
	RB_ENTRY(vma) node;
	uint64_t start, end;      /* bytes, page aligned */
	uint32_t flags;           /* VM_* */
	struct mm *mm;
	struct vm_object *object; /* NULL: private anonymous */
	uint64_t offset;          /* bytes into object at start */
	struct file *file;        /* for /proc/PID/maps and msync; may be NULL */
	TAILQ_ENTRY(vma) object_link;
	const char *name;         /* "[heap]", "[stack]", "[vdso]" … or NULL */
	struct mempolicy policy;  /* see vma_policy_at() */
	bool has_anon;            /* private pages may be mapped here (fork must copy them) */
	uint32_t run_pages;       /* touched in order so far, up to run_end: what lets blocks grow */
	uint64_t run_end;
};

struct user_ns;

struct mm {
	uint32_t refs;  /* tasks and temporary users */
	struct space space;
	RB_HEAD(vma_tree, vma) vmas;
	bool busy;                 /* between two breaths of what goes through its page tables and takes turns with nobody: faults wait */
	struct waitq busy_waiters;
	struct rwsem lock; /* writer: VMAs change; reader: faults. Taken before any sleep in them. */
	uint64_t mmap_base;
	uint64_t start_brk, brk, start_code, end_code, start_data, end_data, start_stack;
	uint64_t arg_start, arg_end, env_start, env_end;
	uint64_t total_vm, locked_vm, stack_vm, data_vm; /* pages */
	uint64_t rss_anon, rss_file, rss_shmem, hiwater_rss; /* pages */
	uint64_t vdso; /* address of the vDSO, or 0 */
	uint64_t saved_auxv[48]; /* pairs, for /proc/PID/auxv */
	struct file *exe;
	bool dumpable;
	bool no_huge_pages; /* PR_SET_THP_DISABLE: kept and told */
	struct user_ns *user_ns; /* referenced: over whose memory CAP_SYS_PTRACE is asked when it is not dumpable; NULL: the kernel's */
	uint64_t membarrier; /* registrations */
	uint64_t vma_count;
	struct vma *vma_last;       /* found last; NULL after a change */
	uint64_t hole_hint, hole_max; /* where the last top-down search ended; no larger hole above it */
	bool locked_future;         /* mlockall(MCL_FUTURE) */
	bool locked_on_fault;       /* with MCL_ONFAULT */
	bool has_secret;            /* some area is, or once was, VM_SECRET */
	uint64_t new_area;          /* the anonymous area mapped last, until its begin is written to or another follows; or 0 */
	unsigned eager;             /* how often of late areas were written to soon after they were mapped */
	unsigned eager_turn;
};

struct mm *mm_create(void);
void mm_set_owner(struct mm *mm, struct user_ns *owner); /* its user_ns */
void mm_get(struct mm *mm);
void mm_put(struct mm *mm); /* may sleep */
int mm_fork(struct mm *parent, struct mm **child); /* copy-on-write copy */

/* Decode, then perform. Address or -errno. `prot`/`flags` are the PROT_* and MAP_* of mmap(2). object may be NULL. Takes its own references. */
int64_t mm_mmap(struct mm *mm, uint64_t address, uint64_t length, unsigned prot, unsigned flags,
	struct file *file, struct vm_object *object, uint64_t offset);
int mm_munmap(struct mm *mm, uint64_t address, uint64_t length);
int mm_mprotect(struct mm *mm, uint64_t address, uint64_t length, unsigned prot);
int64_t mm_mremap(struct mm *mm, uint64_t old, uint64_t old_len, uint64_t new_len, unsigned flags, uint64_t new_address);
int mm_madvise(struct mm *mm, uint64_t address, uint64_t length, int advice);
int mm_msync(struct mm *mm, uint64_t address, uint64_t length, int flags);
enum mm_lock { MM_UNLOCK, MM_LOCK, MM_LOCK_ON_FAULT /* nothing is brought in for it */ };
int mm_mlock(struct mm *mm, uint64_t address, uint64_t length, enum mm_lock lock);
int mm_mlock_all(struct mm *mm, bool now, bool future, enum mm_lock lock);
int mm_munlock_all(struct mm *mm);
int mm_mincore(struct mm *mm, uint64_t address, uint64_t length, uaddr_t vec);
uint64_t mm_brk(struct mm *mm, uint64_t brk);
/* exec: what the program in this new address space is likely to touch first is mapped, as far as it is cached. */
void mm_prefault_program(struct mm *mm);
struct vma *mm_find_vma(struct mm *mm, uint64_t address); /* first with end > address; or NULL */
/* Handle a fault: 0, or a -errno that the trap code turns into a signal: -EFAULT SEGV_MAPERR, -EACCES SEGV_ACCERR, -EIO SIGBUS, -ENOMEM. */
int mm_fault(struct mm *mm, uint64_t address, unsigned pf_error);
/* Another process' memory (ptrace, /proc/PID/mem, process_vm_readv): bytes done or -errno. May sleep. force: ptrace's right to write read-only text. */
int64_t mm_access(struct mm *mm, uint64_t address, void *buffer, size_t n, bool write, bool force);
/* n bytes of the current task's memory to `to` in mm's: how many; fewer, if a page of either cannot be had. May sleep. */
size_t mm_copy_from_current(struct mm *mm, uint64_t to, uaddr_t from, size_t n);
/* The page behind a user address for futex keys: pins nothing. */
int mm_futex_key(struct mm *mm, uaddr_t address, bool shared, uint64_t key[2]);
/*
 * A page fault trap of the current task: 0 when handled, else *info tells the signal to
 * force. Out of memory: the OOM killer was called; 0 (the access is tried again). May sleep.
 */
int mm_handle_trap(struct regs *regs, struct ksiginfo *info);
/* The page at a user address, with a reference, faulted in. May sleep. force as in mm_access. 0 or as mm_fault. */
int mm_get_user_page(struct mm *mm, uint64_t address, bool write, bool force, struct page **page);
void mm_check(struct mm *mm);
/* Physical address of a present page, for hosted user copies and mirrors; 0 if absent. */
uint64_t mm_translate(struct mm *mm, uint64_t address, uint64_t *pte);
/* The first address from `address` up to `end` where a page may be present, or `end`: what has no page tables is gone past at once. */
uint64_t mm_next_present(struct mm *mm, uint64_t address, uint64_t end);

int vma_compare(struct vma *a, struct vma *b);
RB_PROTOTYPE(vma_tree, vma, node, vma_compare)


#endif
