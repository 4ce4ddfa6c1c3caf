/*
 * /proc/PID/numa_maps (numa(7)): an address space's areas with their memory policies, and how many pages they have where.
 *
 * As /proc/PID/maps does, it holds the map's lock as reader; printing a path and counting pages may sleep.
 */
#include <linux/errno.h>
#include <linux/mempolicy.h>

#include "kernel/mm/policy.h"
#include "vfs/proc/proc.h"

#define PATH_SIZE 4096u

struct numa_counts {
	uint64_t pages, anon, dirty, active, most_mapped;
};

static int count_area(struct mm *mm, uint64_t start, uint64_t end, struct numa_counts *counts)
{
	for (uint64_t at = start; (at = mm_next_present(mm, at, end)) < end; at += PAGE_SIZE) {
		uint64_t pte, pa = mm_translate(mm, at, &pte), mapped;
		const struct page *page = pa ? pa_to_page(pa & PAGE_MASK) : NULL;

		if (!(at % BREATH_BYTES) && task_breathe())
			return -EINTR;
		if (!page || page->flags & PAGE_ZEROPAGE)
			continue;
		mapped = page->refs - (page->flags & PAGE_CACHED ? 1 : 0);
		counts->pages++;
		counts->anon += (page->flags & PAGE_ANON) != 0;
		if ((page->flags & (PAGE_CACHED | PAGE_SHMEM)) == PAGE_CACHED)
			counts->dirty += (page->flags & PAGE_DIRTY) != 0;
		else
			counts->dirty += (pte & PTE_D) != 0;
		counts->active += (pte & PTE_A) != 0;
		counts->most_mapped = MAX(counts->most_mapped, mapped);
	}
	return 0;
}

static void show_policy(struct seq *seq, const struct mempolicy *policy)
{
	static const char *const names[] = {"default", "prefer", "bind", "interleave", "local", "prefer (many)"};

	seq_puts(seq, policy->mode < ARRAY_SIZE(names) ? names[policy->mode] : "unknown");
	if (policy->flags)
		seq_puts(seq, "=");
	if (policy->flags & MPOL_F_STATIC_NODES)
		seq_puts(seq, "static");
	else if (policy->flags & MPOL_F_RELATIVE_NODES)
		seq_puts(seq, "relative");
	if (policy->has_nodes)
		seq_puts(seq, ":0");
}

static void show_counts(struct seq *seq, const struct numa_counts *counts)
{
	if (counts->anon)
		seq_printf(seq, " anon=%lu", (unsigned long)counts->anon);
	if (counts->dirty)
		seq_printf(seq, " dirty=%lu", (unsigned long)counts->dirty);
	if (counts->pages != counts->anon && counts->pages != counts->dirty)
		seq_printf(seq, " mapped=%lu", (unsigned long)counts->pages);
	if (counts->most_mapped > 1)
		seq_printf(seq, " mapmax=%lu", (unsigned long)counts->most_mapped);
	if (counts->active < counts->pages)
		seq_printf(seq, " active=%lu", (unsigned long)counts->active);
	seq_printf(seq, " N0=%lu kernelpagesize_kB=4", (unsigned long)counts->pages);
}

/* fallback: the policy of the task, where the area has none. */
static int show_area(struct seq *seq, const struct vma *vma, const struct mempolicy *fallback, char *path)
{
	struct mempolicy policy = vma_policy_at(vma, vma->start);
	struct numa_counts counts = {.pages = 0};
	int rc;

	seq_printf(seq, "%08lx ", (unsigned long)vma->start);
	show_policy(seq, policy.mode != MPOL_DEFAULT ? &policy : fallback);
	if (vma->file && file_path(vma->file, path, PATH_SIZE) > 0) {
		seq_puts(seq, " file=");
		seq_escaped(seq, path, "\n\t= ");
	} else if (vma->name && vma->name[0] == '/') { /* a segment of System V's */
		seq_printf(seq, " file=%s", vma->name);
	} else if (vma->name && !strcmp(vma->name, "[heap]")) {
		seq_puts(seq, " heap");
	} else if (vma->name && !strcmp(vma->name, "[stack]")) {
		seq_puts(seq, " stack");
	}
	rc = count_area(vma->mm, vma->start, vma->end, &counts);
	if (counts.pages)
		show_counts(seq, &counts);
	seq_puts(seq, "\n");
	return rc;
}

int proc_show_numa_maps(struct seq *seq, struct pseudo_inode *p)
{
	struct mempolicy fallback;
	const struct task *task;
	struct vma *vma;
	int rc;
	struct mm *mm = proc_mm(p, true, &rc);
	char *path;

	if (!mm)
		return rc;
	task = pseudo_task(p);
	fallback = task ? task->mempolicy : (struct mempolicy){.mode = MPOL_DEFAULT};
	path = kmalloc(PATH_SIZE);
	if (!path) {
		mm_put(mm);
		return -ENOMEM;
	}
	rc = 0;
	rwsem_read_lock(&mm->lock);
	for (vma = RB_MIN(vma_tree, &mm->vmas); rc == 0 && vma && !seq->error; vma = RB_NEXT(vma_tree, &mm->vmas, vma))
		rc = show_area(seq, vma, &fallback, path);
	rwsem_read_unlock(&mm->lock);
	kfree(path);
	mm_put(mm);
	return rc;
}
