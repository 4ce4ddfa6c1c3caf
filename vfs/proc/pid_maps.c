/*
 * /proc/PID/maps, smaps, smaps_rollup (proc(5)): an address space as its owner sees it.
 *
 * The map's lock is held as reader while the list is walked; printing a file's path may sleep.
 */
#include <linux/errno.h>

#include "kernel/vsyscall.h"
#include "vfs/dev/dev.h"
#include "vfs/proc/proc.h"

#define PATH_SIZE 4096u
#define NAME_COLUMN 73

struct page_counts {
	uint64_t rss, shared_clean, shared_dirty, private_clean, private_dirty, anon, referenced;
};

static void show_vma(struct seq *seq, const struct vma *vma, char *path)
{
	uint64_t dev = 0, ino = 0;
	size_t start = seq->used;
	const char *name = vma->name;

	if (vma->file) {
		file_identity(vma->file, &dev, &ino);
		if (file_path(vma->file, path, PATH_SIZE) > 0)
			name = path;
	}
	seq_printf(seq, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", (unsigned long)vma->start, (unsigned long)vma->end,
		vma->flags & VM_READ ? 'r' : '-', vma->flags & VM_WRITE ? 'w' : '-', vma->flags & VM_EXEC ? 'x' : '-',
		vma->flags & VM_SHARED ? 's' : 'p', (unsigned long)(vma->file ? vma->offset : 0), DEV_MAJOR(dev),
		DEV_MINOR(dev), (unsigned long)ino);
	if (name) {
		while (!seq->error && seq->used - start < NAME_COLUMN)
			seq_puts(seq, " ");
		seq_escaped(seq, name, "\n");
	}
	seq_puts(seq, "\n");
}

static void count_pages(struct mm *mm, const struct vma *vma, struct page_counts *counts)
{
	uint64_t at = vma->start;

	for (; (at = mm_next_present(mm, at, vma->end)) < vma->end; at += PAGE_SIZE) {
		uint64_t pte, pa = mm_translate(mm, at, &pte);
		const struct page *page;
		bool dirty;

		if (!pa)
			continue;
		page = pa_to_page(pa & PAGE_MASK);
		if (!page || page == zero_page)
			continue;
		dirty = pte & PTE_D;
		counts->rss++;
		counts->referenced += (pte & PTE_A) != 0;
		counts->anon += (page->flags & PAGE_ANON) != 0;
		if (page->refs > (page->flags & PAGE_CACHED ? 2 : 1)) {
			counts->shared_dirty += dirty;
			counts->shared_clean += !dirty;
		} else {
			counts->private_dirty += dirty;
			counts->private_clean += !dirty;
		}
	}
}

static void show_counts(struct seq *seq, const struct page_counts *counts)
{
	static const unsigned long kib = PAGE_SIZE / 1024;
	const struct {
		const char *name;
		uint64_t pages;
	} rows[] = {
		{"Rss:", counts->rss},
		{"Pss:", counts->rss},
		{"Pss_Dirty:", counts->private_dirty},
		{"Shared_Clean:", counts->shared_clean},
		{"Shared_Dirty:", counts->shared_dirty},
		{"Private_Clean:", counts->private_clean},
		{"Private_Dirty:", counts->private_dirty},
		{"Referenced:", counts->referenced},
		{"Anonymous:", counts->anon},
		{"LazyFree:", 0},
		{"AnonHugePages:", 0},
		{"ShmemPmdMapped:", 0},
		{"FilePmdMapped:", 0},
		{"Shared_Hugetlb:", 0},
		{"Private_Hugetlb:", 0},
		{"Swap:", 0},
		{"SwapPss:", 0},
		{"Locked:", 0},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		seq_printf(seq, "%-16s%8lu kB\n", rows[i].name, (unsigned long)rows[i].pages * kib);
}

static void show_flags(struct seq *seq, uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} names[] = {
		{VM_READ, "rd"}, {VM_WRITE, "wr"}, {VM_EXEC, "ex"}, {VM_SHARED, "sh"}, {VM_MAYREAD, "mr"},
		{VM_MAYWRITE, "mw"}, {VM_MAYEXEC, "me"}, {VM_GROWSDOWN, "gd"}, {VM_LOCKED, "lo"}, {VM_DONTFORK, "dc"},
		{VM_NORESERVE, "nr"}, {VM_DONTDUMP, "dd"}, {VM_WIPEONFORK, "wf"},
	};

	seq_puts(seq, "VmFlags: ");
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (flags & names[i].flag)
			seq_printf(seq, "%s ", names[i].name);
	seq_puts(seq, "\n");
}

enum maps_kind { MAPS, SMAPS, ROLLUP };

static void show_size(struct seq *seq, uint64_t bytes)
{
	seq_printf(seq, "Size:           %8lu kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n",
		(unsigned long)bytes / 1024);
}

static void show_vsyscall(struct seq *seq, enum maps_kind kind)
{
	static const struct page_counts none;

	seq_printf(seq, "%08lx-%08lx --xp 00000000 00:00 0                  [vsyscall]\n", (unsigned long)VSYSCALL_PAGE,
		(unsigned long)(VSYSCALL_PAGE + PAGE_SIZE));
	if (kind == MAPS)
		return;
	show_size(seq, PAGE_SIZE);
	show_counts(seq, &none);
	seq_puts(seq, "THPeligible:    0\n");
	show_flags(seq, VM_EXEC);
}

static int show_maps(struct seq *seq, struct pseudo_inode *p, enum maps_kind kind)
{
	struct page_counts total = {.rss = 0};
	struct vma *vma, *first;
	int rc;
	struct mm *mm = proc_mm(p, true, &rc);
	char *path;

	if (!mm)
		return rc;
	path = kmalloc(PATH_SIZE);
	if (!path) {
		mm_put(mm);
		return -ENOMEM;
	}
	rwsem_read_lock(&mm->lock);
	first = RB_MIN(vma_tree, &mm->vmas);
	for (vma = first; vma && !seq->error; vma = RB_NEXT(vma_tree, &mm->vmas, vma)) {
		struct page_counts counts = {.rss = 0};

		if (kind == ROLLUP) {
			count_pages(mm, vma, &total);
			continue;
		}
		show_vma(seq, vma, path);
		if (kind == MAPS)
			continue;
		count_pages(mm, vma, &counts);
		show_size(seq, vma->end - vma->start);
		show_counts(seq, &counts);
		seq_puts(seq, "THPeligible:    0\n");
		show_flags(seq, vma->flags);
	}
	if (first && kind != ROLLUP) /* no area of the map's: the same for all */
		show_vsyscall(seq, kind);
	if (kind == ROLLUP && first) {
		vma = RB_MAX(vma_tree, &mm->vmas);
		seq_printf(seq, "%08lx-%08lx ---p 00000000 00:00 0                          [rollup]\n",
			(unsigned long)first->start, (unsigned long)vma->end);
		show_counts(seq, &total);
	}
	rwsem_read_unlock(&mm->lock);
	kfree(path);
	mm_put(mm);
	return 0;
}

int proc_show_maps(struct seq *seq, struct pseudo_inode *p)
{
	return show_maps(seq, p, MAPS);
}

int proc_show_smaps(struct seq *seq, struct pseudo_inode *p)
{
	return show_maps(seq, p, SMAPS);
}

int proc_show_smaps_rollup(struct seq *seq, struct pseudo_inode *p)
{
	return show_maps(seq, p, ROLLUP);
}
