/*
 * Copies between the sentry and the current task's user memory.
 *
 * All may sleep (a page may have to be read from a file), so no spin lock may be held
 * and whatever was looked up before must be looked at again. Addresses outside user
 * space fail with -EFAULT. Copy once, check the copy, use the copy.
 */
#ifndef RING0_USERCOPY_H
#define RING0_USERCOPY_H

#include "ring0/machine.h"

/* 0 or -EFAULT. A fault part way leaves what was copied before it. */
int copy_from_user(void *to, uaddr_t from, size_t n);
int copy_to_user(uaddr_t to, const void *from, size_t n);
int clear_user(uaddr_t to, size_t n);

/* The number of bytes NOT copied, for calls that return a partial count (read, write). */
size_t copy_from_user_partial(void *to, uaddr_t from, size_t n);
size_t copy_to_user_partial(uaddr_t to, const void *from, size_t n);

/* A struct that grows from version to version: `known` bytes of it, zeros where the user's is shorter. -E2BIG: there is more than zeros behind. */
int copy_struct_from_user(void *to, size_t known, uaddr_t from, uint64_t size);

/* Length without the terminator; -ENAMETOOLONG if there is none within n bytes; -EFAULT. `to` is terminated on success. */
int64_t strncpy_from_user(char *to, uaddr_t from, size_t n);

int cmpxchg_user32(uaddr_t address, uint32_t expect, uint32_t value, uint32_t *old);

#define get_user(dst, address) copy_from_user(&(dst), (address), sizeof(dst))
#define put_user(src, address)                                     \
	({                                                         \
		__typeof__(src) put_user_tmp = (src);              \
		copy_to_user((address), &put_user_tmp, sizeof(put_user_tmp)); \
	})

/* Whether [address, address+n) lies in user space; does not say that it is mapped. */
bool user_range_ok(uaddr_t address, uint64_t n);

static inline uaddr_t uaddr_add(uaddr_t a, uint64_t n)
{
	return UADDR(a.v + n);
}

#endif
