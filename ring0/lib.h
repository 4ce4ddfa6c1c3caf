/*
 * The sentry's small C library: what a freestanding program must bring itself, plus
 * logging and the end of the world. Behaves as the C standard says where names match.
 */
#ifndef RING0_LIB_H
#define RING0_LIB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef RF_HOST_BUILD
#include <stdio.h>
#include <string.h>
#else
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int byte, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t n);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *part);
/* %d %i %u %x %X %o %c %s %p %% with - 0 width .precision and h hh l ll z j t. */
int vsnprintf(char *to, size_t size, const char *format, va_list args);
int snprintf(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
#endif
size_t rf_strlcpy(char *to, const char *from, size_t size); /* as strlcpy(3bsd) */

/* Zero one page by the fastest plain instructions. */
void page_zero(void *page);
void page_copy(void *to, const void *from);

enum log_level { LOG_ERROR = 0, LOG_WARNING = 1, LOG_INFO = 2, LOG_DEBUG = 3, LOG_STRACE = 4 };

/* One line (no newline) to the kernel log that dmesg shows, and to the host's debug log. Never sleeps. */
void klog(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The log's ring of text for syslog(2): copies up to n bytes from position *pos, advances it. */
size_t klog_read(uint64_t *pos, char *to, size_t n);
size_t klog_size(void);

/* The sandbox is about to end, with something to say first, and whoever holds the log will not go on. */
void klog_seize(void);

/* A broken invariant of isolation or memory safety: one line, and the sandbox ends. */
void panic(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#define BUG_ON(c)                                                        \
	do {                                                             \
		if (__builtin_expect(!!(c), 0))                          \
			panic("%s:%d: %s", __FILE__, __LINE__, #c);      \
	} while (0)
#ifdef RF_DEBUG
#define DEBUG_BUG_ON(c) BUG_ON(c)
#else
#define DEBUG_BUG_ON(c) ((void)sizeof(c))
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))
#define MIN(a, b) ({ __typeof__(a) min_a = (a); __typeof__(b) min_b = (b); min_a < min_b ? min_a : min_b; })
#define MAX(a, b) ({ __typeof__(a) max_a = (a); __typeof__(b) max_b = (b); max_a > max_b ? max_a : max_b; })

#endif
