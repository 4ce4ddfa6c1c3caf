/*
 * The vDSO's pages and their mapping: [vvar], one page with struct clock_base, and above
 * it [vdso], the image that vdso_image.S carries. Both are objects of user-zone pages that
 * every program shares, made at the first execve; ring0/clock.c writes the clock page
 * through clock_page from then on. No program can write to either.
 */
#include <linux/errno.h>

#include "kernel/mm/internal.h"
#include "kernel/vdso/vdso.h"
#include "ring0/clock.h"

static struct vm_object *code_object, *clock_object;

static struct vm_object *pages_create(const char *from, uint64_t size)
{
	struct vm_object *object = kmalloc(sizeof(*object));

	if (!object)
		return NULL;
	object_init(object, NULL, PAGE_ALIGN(size));
	for (uint64_t at = 0; at < size; at += PAGE_SIZE) {
		struct page *page = object_add_zero_page(object, at >> PAGE_SHIFT);

		if (!page) {
			object_put(object);
			return NULL;
		}
		if (from)
			memcpy(page_address(page), from + at, MIN(PAGE_SIZE, size - at));
		page_put(page);
	}
	return object;
}

static int vdso_setup(void)
{
	struct page *page;

	if (!code_object)
		code_object = pages_create(vdso_image_start, (uint64_t)(vdso_image_end - vdso_image_start));
	if (!code_object)
		return -ENOMEM;
	clock_object = pages_create(NULL, PAGE_SIZE);
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

int vdso_map(struct mm *mm)
{
	uint64_t at;
	int rc;

	if (!clock_object) {
		rc = vdso_setup();
		if (rc < 0)
			return rc;
	}
	at = mm_place(mm, 0, clock_object->size + code_object->size);
	if (!at)
		return -ENOMEM;
	rc = vdso_map_object(mm, at, clock_object, VM_READ | VM_MAYREAD, "[vvar]");
	if (rc == 0)
		rc = vdso_map_object(mm, at + clock_object->size, code_object,
			VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYEXEC | VM_MAYWRITE, "[vdso]");
	if (rc == 0)
		mm->vdso = at + clock_object->size;
	return rc;
}
