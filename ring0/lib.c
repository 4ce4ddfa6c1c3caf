/*
 * Memory and string functions of the sentry. Semantics: the C standard, where names match.
 *
 * Blocks go by 8 bytes with `rep movsq`/`rep stosq` when they are large enough to pay
 * for its start-up, and by plain moves otherwise: most copies in a kernel are small.
 * Written with explicit moves, since the compiler turns a simple loop into a call to the
 * very function that it stands in. Not built into host programs, which have their libc.
 */
#include "ring0/lib.h"

size_t rf_strlcpy(char *to, const char *from, size_t size)
{
	size_t len = strlen(from), n;

	if (size == 0)
		return len;
	n = len < size - 1 ? len : size - 1;
	memcpy(to, from, n);
	to[n] = '\0';
	return len;
}

void page_zero(void *page)
{
	size_t words = 4096 / 8;

	__asm__ volatile("rep stosq" : "+D"(page), "+c"(words) : "a"(0ul) : "memory");
}

void page_copy(void *to, const void *from)
{
	size_t words = 4096 / 8;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words)::"memory");
}

#ifndef RF_HOST_BUILD

typedef uint64_t __attribute__((may_alias, aligned(1))) word_t;
typedef uint32_t __attribute__((may_alias, aligned(1))) half_t;
typedef uint16_t __attribute__((may_alias, aligned(1))) quarter_t;

#define STRING_MIN 128 /* below this plain moves are cheaper than the string instruction's start-up */

/* Up to 16 bytes by two moves that may overlap each other; all loads before all stores. */
static inline void move_small(char *to, const char *from, size_t n)
{
	if (n >= 8) {
		uint64_t a = *(const word_t *)from, b = *(const word_t *)(from + n - 8);

		*(word_t *)to = a;
		*(word_t *)(to + n - 8) = b;
	} else if (n >= 4) {
		uint32_t a = *(const half_t *)from, b = *(const half_t *)(from + n - 4);

		*(half_t *)to = a;
		*(half_t *)(to + n - 4) = b;
	} else if (n >= 2) {
		uint16_t a = *(const quarter_t *)from, b = *(const quarter_t *)(from + n - 2);

		*(quarter_t *)to = a;
		*(quarter_t *)(to + n - 2) = b;
	} else if (n == 1) {
		*to = *from;
	}
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	char *d = to;
	const char *s = from;

	if (n >= STRING_MIN) {
		size_t words = n >> 3;

		__asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words)::"memory");
		n &= 7;
	}
	while (n > 16) {
		uint64_t a = *(const word_t *)s, b = *(const word_t *)(s + 8);

		*(word_t *)d = a;
		*(word_t *)(d + 8) = b;
		d += 16;
		s += 16;
		n -= 16;
	}
	move_small(d, s, n);
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	char *d = to;
	const char *s = from;

	if (n <= 16) {
		move_small(d, s, n);
		return to;
	}
	if (d == s)
		return to;
	if (d < s || d >= s + n) {
		/* Forward, a word at a time: the source is read before the target reaches it. */
		while (n >= 8) {
			*(word_t *)d = *(const word_t *)s;
			d += 8;
			s += 8;
			n -= 8;
			__asm__ volatile("" ::: "memory");
		}
		move_small(d, s, n);
		return to;
	}
	while (n >= 8) {
		n -= 8;
		*(word_t *)(d + n) = *(const word_t *)(s + n);
		__asm__ volatile("" ::: "memory");
	}
	move_small(d, s, n);
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	uint64_t pattern = 0x0101010101010101ull * (uint8_t)byte;
	char *d = to;

	if (n >= STRING_MIN) {
		size_t words = n >> 3;

		__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
		n &= 7;
	}
	while (n >= 8) {
		*(word_t *)d = pattern;
		__asm__ volatile("" ::: "memory");
		d += 8;
		n -= 8;
	}
	while (n > 0) {
		*d++ = (char)byte;
		__asm__ volatile("" ::: "memory");
		n--;
	}
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	while (n >= 8 && *(const word_t *)x == *(const word_t *)y) {
		x += 8;
		y += 8;
		n -= 8;
	}
	for (; n > 0; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

void *memchr(const void *s, int byte, size_t n)
{
	const uint8_t *p = s;

	for (; n > 0; n--, p++)
		if (*p == (uint8_t)byte)
			return (void *)p;
	return NULL;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p) {
		p++;
		__asm__ volatile("");
	}
	return (size_t)(p - s);
}

size_t strnlen(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && s[i])
		i++;
	return i;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n > 0; n--, a++, b++) {
		if (*a != *b)
			return (uint8_t)*a - (uint8_t)*b;
		if (!*a)
			break;
	}
	return 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	for (;; s++) {
		if (*s == (char)c)
			found = s;
		if (!*s)
			return (char *)found;
	}
}

char *strstr(const char *s, const char *part)
{
	size_t n = strlen(part);

	for (; *s || n == 0; s++) {
		if (strncmp(s, part, n) == 0)
			return (char *)s;
		if (n == 0)
			break;
	}
	return NULL;
}

/* The guard of -fstack-protector found a broken canary. Only the compiler calls it. */
__attribute__((noreturn)) void __stack_chk_fail(void);
__attribute__((noreturn)) void __stack_chk_fail(void)
{
	panic("stack smashed near %p", __builtin_return_address(0));
}

#endif

/* What gcc calls for __builtin_popcountl() on CPUs that may lack POPCNT. */
int __popcountdi2(long value);
int __popcountdi2(long value)
{
	uint64_t v = (uint64_t)value;

	v -= (v >> 1) & 0x5555555555555555ull;
	v = (v & 0x3333333333333333ull) + ((v >> 2) & 0x3333333333333333ull);
	v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (int)((v * 0x0101010101010101ull) >> 56);
}
