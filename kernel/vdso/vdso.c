/*
 * The vDSO's pages and their mapping: [vvar], one page with struct clock_base, and above
 * it [vdso], the image that vdso_image.S carries. Both are objects of user-zone pages that
 * every program shares, made at the first execve; ring0/clock.c writes the clock page
 * through clock_page from then on. No program can write to either.
 */
#include <linux/errno.h>

#include "kernel/mm/internal.h"
#include "kernel/time_ns.h"
#include "kernel/vdso/vdso.h"
#include "ring0/clock.h"

static struct vm_object *code_object, *clock_object;
static struct vm_object *no_clock_object; /* a page whose time is never valid */

/* `size` bytes as at `from` (NULL: zeros), and so many pages of zeros. */
static struct vm_object *pages_create(const char *from, uint64_t size, unsigned more)
{
	struct vm_object *object = kmalloc(sizeof(*object));

	if (!object)
		return NULL;
	object_init(object, NULL, PAGE_ALIGN(size) + more * PAGE_SIZE);
	for (uint64_t at = 0; at < object->size; at += PAGE_SIZE) {
		struct page *page = object_add_zero_page(object, at >> PAGE_SHIFT);

		if (!page) {
			object_put(object);
			return NULL;
		}
		if (from && at < size)
			memcpy(page_address(page), from + at, MIN(PAGE_SIZE, size - at));
		page_put(page);
	}
	return object;
}

/* The image, and above it what the machine wants of code. */
static struct vm_object *code_create(void)
{
	uint64_t size = (uint64_t)(vdso_image_end - vdso_image_start), first = PAGE_ALIGN(size) >> PAGE_SHIFT;
	unsigned count = machine->text_size ? machine->text_size() : 0;
	struct vm_object *object = pages_create(vdso_image_start, size, count);

	for (unsigned i = 0; object && i < count; i++) {
		struct page *page = object_find_page(object, first + i);

		machine->text_page(i, page_to_pa(page));
		page_put(page);
	}
	return object;
}

static int vdso_setup(void)
{
	struct page *page;

	if (!code_object)
		code_object = code_create();
	if (!code_object)
		return -ENOMEM;
	if (!no_clock_object)
		no_clock_object = pages_create(NULL, PAGE_SIZE, 0);
	if (!no_clock_object)
		return -ENOMEM;
	clock_object = pages_create(NULL, PAGE_SIZE, 0);
	if (!clock_object)
		return -ENOMEM;
	page = object_find_page(clock_object, 0);
	clock_page_set(page_address(page)); /* this reference is kept for ever */
	return 0;
}

static int vdso_map_object(struct mm *mm, uint64_t at, struct vm_object *object, uint32_t flags, const char *name)
{
	struct vma *vma = vma_create(mm, at, at + object->size, flags | VM_VDSO | VM_DONTDUMP);

	if (!vma)
		return -ENOMEM;
	vma->name = name;
	vma_attach(vma, object, 0, NULL);
	vma_insert(vma);
	return 0;
}

static int vdso_map_clocks(struct mm *mm, uint64_t at, const struct time_ns *time)
{
	return vdso_map_object(mm, at, time == &first_time_ns ? clock_object : no_clock_object, VM_READ | VM_MAYREAD, "[vvar]");
}

int vdso_follow_time(struct mm *mm, const struct time_ns *time)
{
	uint64_t at = mm->vdso - PAGE_SIZE;
	struct vma *vma = mm->vdso ? mm_find_vma(mm, at) : NULL;
	int rc;

	if (!vma || vma->start != at || (vma->object != clock_object && vma->object != no_clock_object))
		return 0;
	rwsem_write_lock(&mm->lock);
	rc = mm_unmap_locked(mm, at, at + PAGE_SIZE);
	if (!rc)
		rc = vdso_map_clocks(mm, at, time);
	rwsem_write_unlock(&mm->lock);
	return rc;
}

int vdso_map(struct mm *mm, uint64_t near)
{
	uint64_t at, image = PAGE_ALIGN((uint64_t)(vdso_image_end - vdso_image_start));
	int rc;

	if (!clock_object) {
		rc = vdso_setup();
		if (rc < 0)
			return rc;
	}
	at = mm_place(mm, machine->text_size && machine->text_size() ? near : 0, clock_object->size + code_object->size);
	if (!at)
		return -ENOMEM;
	rc = vdso_map_clocks(mm, at, current->ns ? current->ns->time : &first_time_ns);
	if (rc == 0)
		rc = vdso_map_object(mm, at + clock_object->size, code_object,
			VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYEXEC | VM_MAYWRITE, "[vdso]");
	if (rc < 0)
		return rc;
	mm->vdso = at + clock_object->size;
	if (code_object->size > image)
		mm->space.text = mm->vdso + image;
	return 0;
}
