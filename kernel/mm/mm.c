/*
 * Address spaces: creation, the copy that fork makes, and the end.
 *
 * mm_fork() copies only what cannot be faulted in again: page tables of areas that hold
 * private pages, write-protected on both sides, with one flush of the parent. mm_put()
 * of the last reference takes everything apart; it may close files and so may sleep. Both let others run in between
 * where there is much to do.
 */
#include "kernel/files.h"
#include "kernel/cred.h"
#include "kernel/mm/internal.h"
#include "kernel/user_ns.h"
#include "ring0/percpu.h"

#define FORK_AREAS 128u /* copied between two looks at the time */
#define FLUSH_GAP (64ull << 10)
#define FLUSH_PARTS 6u /* what a machine remembers of them is limited */

void mm_set_owner(struct mm *mm, struct user_ns *owner)
{
	struct user_ns *old = mm->user_ns;

	mm->user_ns = owner;
	if (owner)
		ns_get(&owner->ns);
	if (old)
		ns_put(&old->ns);
}

struct mm *mm_create(void)
{
	struct mm *mm = kzalloc(sizeof(*mm));

	if (!mm)
		return NULL;
	if (machine->space_init(&mm->space) < 0) {
		kfree(mm);
		return NULL;
	}
	mm->refs = 1;
	RB_INIT(&mm->vmas);
	rwsem_init(&mm->lock);
	waitq_init(&mm->busy_waiters);
	mm->mmap_base = USER_TOP - (128ull << 20);
	mm->dumpable = true;
	if (current->cred)
		mm_set_owner(mm, current->cred->user_ns);
	mm->space.tables = 1;
	return mm;
}

void mm_get(struct mm *mm)
{
	BUG_ON(mm->refs == 0);
	mm->refs++;
}

/*
 * Of what is large, most goes in parts, before the end. Nobody reaches the mm but by its areas' objects, whose truncation
 * and reclaim may take pages of it meanwhile. What its machine may keep for the next program stays (private pages of files
 * that nobody wrote to).
 */
static void empty_slowly(struct mm *mm)
{
	struct unmap unmap;
	struct vma *vma;

	unmap_begin(&unmap, mm);
	RB_FOREACH(vma, vma_tree, &mm->vmas) {
		if (!vma->object || vma->has_anon || vma->flags & VM_SHARED)
			unmap_range_slowly(&unmap, vma->start, vma->end);
	}
	unmap_finish_slowly(&unmap);
	RB_FOREACH(vma, vma_tree, &mm->vmas) {
		if (vma->object && vma->object->refs == 1)
			object_drop_slowly(vma->object, 0, UINT64_MAX & PAGE_MASK);
	}
}

void mm_put(struct mm *mm)
{
	struct unmap unmap;
	struct vma *vma;

	BUG_ON(mm->refs == 0);
	if (--mm->refs > 0)
		return;
	if (this_cpu()->space == &mm->space)
		machine->space_switch(NULL);
	if (mm->rss_anon + mm->rss_shmem > SLOW_SIZE >> PAGE_SHIFT)
		empty_slowly(mm);
	if (machine->space_keep)
		machine->space_keep(&mm->space);
	unmap_begin(&unmap, mm);
	RB_FOREACH(vma, vma_tree, &mm->vmas)
		unmap_range(&unmap, vma->start, vma->end, NULL);
	pt_take_all(mm, &unmap.tables);
	/* No CPU walks the tables from here on, so there is nothing to flush. */
	machine->space_free(&mm->space);
	unmap_release_slowly(&unmap);
	while ((vma = RB_MIN(vma_tree, &mm->vmas)) != NULL)
		vma_remove(vma, NULL);
	if (mm->exe)
		file_put(mm->exe);
	mm_set_owner(mm, NULL);
	kfree(mm);
}

/* Share one table's pages. The child's table exists. Returns whether the parent lost rights. */
static bool fork_table(struct mm *child, pte_t *from, pte_t *to, unsigned count)
{
	bool changed = false;

	for (unsigned i = 0; i < count; i++) {
		pte_t pte = from[i];
		struct page *page;

		if (!PTE_USED(pte))
			continue;
		page = pte_page(pte);
		if (pte & PTE_W) {
			pte &= ~PTE_W;
			from[i] = pte;
			changed = true;
		}
		page_get(page);
		to[i] = pte;
		mm_count_page(child, page, 1);
	}
	return changed;
}

struct fork_flush {
	struct unmap unmap; /* of the parent: the range that is not flushed yet */
	unsigned parts;     /* flushed before it */
};

/* Ranges come in ascending order. Where the machine can, those far apart are flushed each on its own. */
static void fork_flush_range(struct fork_flush *flush, uint64_t start, uint64_t end)
{
	struct unmap *unmap = &flush->unmap;

	if (machine->space_flush_part && unmap->start < unmap->end && start - unmap->end > FLUSH_GAP && flush->parts < FLUSH_PARTS) {
		machine->space_flush_part(&unmap->mm->space, unmap->start, unmap->end - unmap->start);
		flush->parts++;
		unmap->start = start;
		unmap->end = end;
		return;
	}
	unmap_flush_range(unmap, start, end);
}

/*
 * Faults in the parent wait until its copy is whole: what a thread wrote before something that the child has, the child
 * has, too. The copy belongs to nobody yet.
 */
static void fork_breathe(struct fork_flush *flush)
{
	if (unmap_breathe_quietly(&flush->unmap))
		flush->parts = 0;
}

/* The private pages of an area. */
static int fork_pages(struct mm *parent, struct mm *child, const struct vma *vma, struct fork_flush *flush)
{
	uint64_t address = vma->start;

	while (pt_next(parent, &address, vma->end)) {
		uint64_t stop = MIN(vma->end, (address & ~(PT_SPAN - 1)) + PT_SPAN);
		pte_t *to = pt_make(child, address), *from;

		if (!to)
			return -ENOMEM;
		/* Making a table may have reclaimed pages: look at the parent's entries only now. */
		from = pt_find(parent, address);
		if (fork_table(child, from, to, (unsigned)((stop - address) >> PAGE_SHIFT)))
			fork_flush_range(flush, address, stop);
		flush->unmap.work += (unsigned)((stop - address) >> PAGE_SHIFT);
		address = stop;
		if (stop < vma->end)
			fork_breathe(flush);
	}
	return 0;
}

static int fork_vma(struct mm *parent, struct mm *child, const struct vma *vma, struct fork_flush *flush)
{
	struct vma *copy;

	if (vma->flags & VM_DONTFORK)
		return 0;
	copy = vma_create(child, vma->start, vma->end, vma->flags & ~VM_LOCKED);
	if (!copy)
		return -ENOMEM;
	copy->name = vma->name;
	copy->policy = vma->policy;
	vma_attach(copy, vma->object, vma->offset, vma->file);
	vma_insert(copy);
	if (vma->flags & (VM_SHARED | VM_WIPEONFORK) || !vma->has_anon)
		return 0;
	copy->has_anon = true;
	return fork_pages(parent, child, vma, flush);
}

static void fork_fields(const struct mm *from, struct mm *to)
{
	to->mmap_base = from->mmap_base;
	to->has_secret = from->has_secret;
	to->start_brk = from->start_brk;
	to->brk = from->brk;
	to->start_code = from->start_code;
	to->end_code = from->end_code;
	to->start_data = from->start_data;
	to->end_data = from->end_data;
	to->start_stack = from->start_stack;
	to->arg_start = from->arg_start;
	to->arg_end = from->arg_end;
	to->env_start = from->env_start;
	to->env_end = from->env_end;
	to->vdso = from->vdso;
	to->space.text = from->space.text;
	to->space.plain = from->space.plain;
	to->space.alike = true;
	to->dumpable = from->dumpable;
	to->no_huge_pages = from->no_huge_pages;
	mm_set_owner(to, from->user_ns);
	to->membarrier = from->membarrier;
	to->hole_hint = from->hole_hint;
	to->hole_max = from->hole_max;
	memcpy(to->saved_auxv, from->saved_auxv, sizeof(to->saved_auxv));
}

int mm_fork(struct mm *parent, struct mm **result)
{
	struct mm *child = mm_create();
	struct fork_flush flush = {.parts = 0};
	struct vma *vma;
	unsigned areas = 0;
	int rc = 0;

	if (!child)
		return -ENOMEM;
	rwsem_write_lock(&parent->lock);
	unmap_begin(&flush.unmap, parent);
	flush.unmap.kept = true;
	fork_fields(parent, child);
	RB_FOREACH(vma, vma_tree, &parent->vmas) {
		rc = fork_vma(parent, child, vma, &flush);
		if (rc < 0)
			break;
		if (!(++areas % FORK_AREAS))
			fork_breathe(&flush);
	}
	if (parent->exe) {
		file_get(parent->exe);
		child->exe = parent->exe;
	}
	child->hiwater_rss = child->rss_anon + child->rss_file + child->rss_shmem;
	unmap_finish(&flush.unmap);
	mm_quiet_end(parent);
	rwsem_write_unlock(&parent->lock);
	if (rc < 0) {
		mm_put(child);
		return rc;
	}
	*result = child;
	return 0;
}

static void check_table(struct mm *mm, const struct vma *vma, uint64_t address, pte_t pte, uint64_t rss[3])
{
	struct page *page = pte_page(pte);

	BUG_ON(page->zone != PAGE_USER);
	BUG_ON(!(page->flags & PAGE_ZEROPAGE) && page->refs == 0);
	BUG_ON(pte & PTE_W && !(vma->flags & VM_WRITE));
	BUG_ON(!(pte & PTE_NX) && !(vma->flags & VM_EXEC));
	BUG_ON(pte & PTE_P && !(vma->flags & (VM_READ | VM_WRITE | VM_EXEC)));
	BUG_ON(pte & PTE_W && page->flags & PAGE_ZEROPAGE);
	BUG_ON(pte & PTE_W && !(vma->flags & VM_SHARED) && page->flags & PAGE_CACHED);
	BUG_ON(address < vma->start);
	if (page->flags & PAGE_ANON)
		rss[0]++;
	else if (page->flags & PAGE_SHMEM)
		rss[1]++;
	else if (!(page->flags & PAGE_ZEROPAGE))
		rss[2]++;
}

void mm_check(struct mm *mm)
{
	uint64_t end = 0, total = 0, count = 0, rss[3] = {0, 0, 0}, address = 0;
	struct vma *vma;
	pte_t *pte;

	RB_FOREACH(vma, vma_tree, &mm->vmas) {
		BUG_ON(vma->start < end || vma->start >= vma->end || vma->end > USER_TOP);
		BUG_ON((vma->start | vma->end | vma->offset) & ~PAGE_MASK);
		BUG_ON(vma->mm != mm);
		end = vma->end;
		total += (vma->end - vma->start) >> PAGE_SHIFT;
		count++;
	}
	BUG_ON(total != mm->total_vm || count != mm->vma_count);
	for (; (pte = pt_next(mm, &address, USER_TOP)) != NULL; address += PAGE_SIZE) {
		if (!PTE_USED(*pte))
			continue;
		vma = mm_find_vma(mm, address);
		BUG_ON(!vma);
		check_table(mm, vma, address, *pte, rss);
	}
	BUG_ON(rss[0] != mm->rss_anon || rss[1] != mm->rss_shmem || rss[2] != mm->rss_file);
}
