/*
 * Copies to and from user memory: the range check here, the copy by the machine.
 *
 * Every access of the sentry to a user address goes through this file. The machine's
 * functions only ever see ranges below USER_TOP.
 */
#include <linux/errno.h>

#include "platform/abi/hosted.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"

bool user_range_ok(uaddr_t address, uint64_t n)
{
	return n <= USER_TOP && address.v <= USER_TOP - n;
}

size_t copy_from_user_partial(void *to, uaddr_t from, size_t n)
{
	if (!user_range_ok(from, n))
		return n;
	return machine->copy_from_user(to, from, n);
}

size_t copy_to_user_partial(uaddr_t to, const void *from, size_t n)
{
	if (!user_range_ok(to, n))
		return n;
	return machine->copy_to_user(to, from, n);
}

int copy_from_user(void *to, uaddr_t from, size_t n)
{
	return copy_from_user_partial(to, from, n) ? -EFAULT : 0;
}

int copy_to_user(uaddr_t to, const void *from, size_t n)
{
	return copy_to_user_partial(to, from, n) ? -EFAULT : 0;
}

int clear_user(uaddr_t to, size_t n)
{
	if (!user_range_ok(to, n))
		return -EFAULT;
	return machine->clear_user(to, n) ? -EFAULT : 0;
}

int copy_struct_from_user(void *to, size_t known, uaddr_t from, uint64_t size)
{
	for (uint64_t at = known; at < size; at++) {
		uint8_t byte;

		if (get_user(byte, uaddr_add(from, at)))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	if (size < known)
		memset((char *)to + size, 0, known - size);
	return copy_from_user(to, from, size < known ? size : known);
}

int64_t strncpy_from_user(char *to, uaddr_t from, size_t n)
{
	size_t room = n;
	int64_t len;

	if (n == 0)
		return -ENAMETOOLONG;
	if (from.v >= USER_TOP)
		return -EFAULT;
	if (room > USER_TOP - from.v)
		room = USER_TOP - from.v;
	len = machine->strncpy_from_user(to, from, room);
	if (len < 0)
		return len;
	if ((size_t)len < room)
		return len;
	/* No terminator: too long, or the string ran into the end of user space. */
	return room < n ? -EFAULT : -ENAMETOOLONG;
}

int cmpxchg_user32(uaddr_t address, uint32_t expect, uint32_t value, uint32_t *old)
{
	if (!user_range_ok(address, sizeof(uint32_t)))
		return -EFAULT;
	return machine->cmpxchg_user32(address, expect, value, old);
}
