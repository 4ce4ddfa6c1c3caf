/*
 * Access to any address space from the sentry's side: other processes' memory (ptrace,
 * /proc/PID/mem, process_vm_readv) and the keys of futexes.
 *
 * The caller holds a reference to the mm; each page is held while it is copied.
 */
#include "kernel/mm/internal.h"
#include "kernel/task.h"

int64_t mm_access(struct mm *mm, uint64_t address, void *buffer, size_t n, bool write, bool force)
{
	size_t done = 0;

	while (done < n) {
		uint64_t at = address + done, in = at & ~PAGE_MASK;
		size_t part = MIN(n - done, PAGE_SIZE - in);
		struct page *page;
		char *from;
		int rc = mm_get_user_page(mm, at, write, force, &page);

		if (rc < 0)
			return done ? (int64_t)done : rc == -ENOMEM || rc == -EINTR ? rc : -EFAULT;
		from = (char *)page_address(page) + in;
		if (write)
			memcpy(from, (char *)buffer + done, part);
		else
			memcpy((char *)buffer + done, from, part);
		page_put(page);
		done += part;
	}
	return (int64_t)done;
}

/* A part that lies in one page of each. The destination is looked up last: if that sleeps, nothing after it does. */
static size_t copy_part(struct mm *mm, uint64_t to, uint64_t from, size_t n)
{
	struct page *source, *target;

	n = MIN(n, PAGE_SIZE - MAX(to & ~PAGE_MASK, from & ~PAGE_MASK));
	if (mm_get_user_page(current->mm, from, false, false, &source))
		return 0;
	if (mm_get_user_page(mm, to, true, false, &target)) {
		page_put(source);
		return 0;
	}
	memcpy((char *)page_address(target) + (to & ~PAGE_MASK), (char *)page_address(source) + (from & ~PAGE_MASK), n);
	page_put(target);
	page_put(source);
	return n;
}

size_t mm_copy_from_current(struct mm *mm, uint64_t to, uaddr_t from, size_t n)
{
	size_t done = 0, part;

	for (; done < n; done += part) {
		part = copy_part(mm, to + done, from.v + done, n - done);
		if (!part)
			break;
	}
	return done;
}

int mm_futex_key(struct mm *mm, uaddr_t address, bool shared, uint64_t key[2])
{
	struct vma *vma;

	if (address.v >= USER_TOP)
		return -EFAULT;
	key[0] = (uint64_t)mm;
	key[1] = address.v;
	if (!shared)
		return 0;
	vma = mm_find_vma(mm, address.v);
	if (!vma || vma->start > address.v)
		return -EFAULT;
	if (vma->flags & VM_SHARED && vma->object) {
		key[0] = (uint64_t)vma->object | 1; /* never equal to an mm */
		key[1] = vma->offset + (address.v - vma->start);
	}
	return 0;
}
