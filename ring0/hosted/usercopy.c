/*
 * User copies by a walk of the page tables and the direct map.
 *
 * The pages are looked up one by one under the kernel lock; one that is absent or lacks
 * the right is asked for with kernel_user_fault(), which may sleep, and looked up again:
 * nothing found before a sleep is used after it.
 */
#include <linux/errno.h>

#include "ring0/hosted/internal.h"
#include "ring0/lib.h"
#include "ring0/upcall.h"

/*
 * How many bytes from `address` on, n at most, lie in a row in memory as its page and those behind it are mapped now: most
 * user memory is in blocks of many pages, and one copy of them costs less than one of each.
 */
static size_t row(uint64_t *pte, uint64_t address, uint64_t need, uint64_t accessed, size_t n)
{
	size_t room = PAGE_SIZE - (address & ~PAGE_MASK);

	for (uint64_t at = address >> PAGE_SHIFT; room < n && (++at & 511); room += PAGE_SIZE, pte++) {
		if ((pte[1] & need) != need || (pte[1] & PTE_ADDR) != (*pte & PTE_ADDR) + PAGE_SIZE)
			break;
		pte[1] |= accessed;
	}
	hosted_user_offset((*pte & PTE_ADDR) + PAGE_SIZE - 1);
	return room;
}

/* Direct-map address of a user byte, faulted in; *room: n, or fewer if memory goes on elsewhere. NULL: -EFAULT. */
static void *user_bytes(uint64_t address, bool write, size_t n, size_t *room)
{
	uint64_t need = PTE_P | PTE_U | (write ? PTE_W : 0), accessed = PTE_A | (write ? PTE_D : 0);

	for (unsigned tries = 0; tries < 16; tries++) {
		struct space *space = this_cpu()->space;
		uint64_t size, *pte;

		if (!space)
			return NULL;
		pte = hosted_pte(space->root, address, &size);
		if (pte && (*pte & need) == need) {
			uint64_t within = address & (size - 1), begin = *pte & PTE_ADDR & ~(size - 1);

			hosted_user_offset(begin + within);
			*pte |= accessed;
			if (size > PAGE_SIZE) {
				*room = MIN(n, (size_t)(size - within));
				hosted_user_offset(begin + within + *room - 1);
			} else {
				*room = MIN(n, row(pte, address, need, accessed, n));
			}
			return (char *)pa_to_va(begin) + within;
		}
		if (kernel_user_fault(address, PF_USER | (write ? PF_WRITE : 0) | (pte && *pte & PTE_P ? PF_PRESENT : 0)))
			return NULL;
	}
	return NULL;
}

size_t hosted_copy_from_user(void *to, uaddr_t from, size_t n)
{
	char *at = to;

	while (n) {
		size_t room;
		const void *byte = user_bytes(from.v, false, n, &room);

		if (!byte)
			break;
		memcpy(at, byte, room);
		at += room;
		from.v += room;
		n -= room;
	}
	return n;
}

size_t hosted_copy_to_user(uaddr_t to, const void *from, size_t n)
{
	const char *at = from;

	while (n) {
		size_t room;
		void *byte = user_bytes(to.v, true, n, &room);

		if (!byte)
			break;
		memcpy(byte, at, room);
		at += room;
		to.v += room;
		n -= room;
	}
	return n;
}

size_t hosted_clear_user(uaddr_t to, size_t n)
{
	while (n) {
		size_t room;
		void *byte = user_bytes(to.v, true, n, &room);

		if (!byte)
			break;
		memset(byte, 0, room);
		to.v += room;
		n -= room;
	}
	return n;
}

/* User memory may change under us, so the terminator is looked for in our copy. */
int64_t hosted_strncpy_from_user(char *to, uaddr_t from, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t room;
		size_t page_rest = PAGE_SIZE - ((from.v + done) & ~PAGE_MASK);
		const char *byte = user_bytes(from.v + done, false, MIN(n - done, page_rest), &room);
		const char *end;

		if (!byte)
			return -EFAULT;
		memcpy(to + done, byte, room);
		end = memchr(to + done, 0, room);
		if (end)
			return end - to;
		done += room;
	}
	return (int64_t)n;
}

int hosted_cmpxchg_user32(uaddr_t address, uint32_t expect, uint32_t value, uint32_t *old)
{
	size_t room;
	uint32_t *word;

	if (address.v & 3)
		return -EFAULT;
	word = user_bytes(address.v, true, sizeof(*word), &room);
	if (!word)
		return -EFAULT;
	__atomic_compare_exchange_n(word, &expect, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	*old = expect;
	return 0;
}
