/*
 * The VMM's log: one line a call, to the debug log (--debug-log, --debug) and, for
 * errors, to the command that started the sandbox as well.
 *
 * Called by every thread. log_init() comes first; before it errors go to stderr only.
 * A line is one write(2), so that lines of several threads do not mix. Text that the
 * guest chose must have passed log_guest(), which escapes it and limits its rate.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "platform/internal.h"

#define LINE_MAX_BYTES 1024
#define GUEST_LINES_PER_SECOND 20000
#define GUEST_ERRORS_PER_SECOND 20

static int log_fd = -1, error_fd = STDERR_FILENO;
static struct timespec log_start;
static pthread_mutex_t last_lock = PTHREAD_MUTEX_INITIALIZER;
static char last_error[LOG_REASON] = "the sandbox failed";

void log_init(int fd, int errors)
{
	log_fd = fd;
	error_fd = errors;
	clock_gettime(CLOCK_MONOTONIC, &log_start);
}

static void log_write(int fd, const char *line, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, line, length);
		if (n <= 0)
			return;
		line += n;
		length -= (size_t)n;
	}
}

static void log_line(int level, const char *from, const char *text)
{
	static const char letters[] = "EWIDS";
	char line[LINE_MAX_BYTES + 64];
	int length;

	if (level == VMM_LOG_ERROR) {
		pthread_mutex_lock(&last_lock);
		snprintf(last_error, sizeof(last_error), "%s", text);
		pthread_mutex_unlock(&last_lock);
		length = snprintf(line, sizeof(line), "ringfence: %s\n", text);
		log_write(error_fd, line, (size_t)length);
	}
	if (log_fd < 0)
		return;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	long us = (now.tv_sec - log_start.tv_sec) * 1000000L + (now.tv_nsec - log_start.tv_nsec) / 1000;
	if (level < 0 || level > VMM_LOG_STRACE)
		level = VMM_LOG_DEBUG;
	length = snprintf(line, sizeof(line), "%3ld.%06ld %c %s%s\n", us / 1000000, us % 1000000, letters[level], from,
		text);
	log_write(log_fd, line, (size_t)length);
}

void log_last_error(char *to, size_t size)
{
	pthread_mutex_lock(&last_lock);
	snprintf(to, size, "%s", last_error);
	pthread_mutex_unlock(&last_lock);
}

void vmm_log(int level, const char *format, ...)
{
	char text[LINE_MAX_BYTES];
	va_list args;

	if (level != VMM_LOG_ERROR && log_fd < 0)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_line(level, "vmm: ", text);
}

/* One second's allowance of lines; returns how many were dropped before this one, or -1: drop this one too. */
static long rate_allow(struct log_rate *rate, unsigned limit)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (now.tv_sec != rate->second) {
		long dropped = rate->lines > limit ? (long)(rate->lines - limit) : 0;
		rate->second = now.tv_sec;
		rate->lines = 1;
		return dropped;
	}
	return ++rate->lines > limit ? -1 : 0;
}

size_t log_escape(char *to, size_t size, const char *from, size_t length)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < length && n + 5 < size; i++) {
		unsigned char c = (unsigned char)from[i];
		if (c >= 0x20 && c < 0x7f) {
			to[n++] = (char)c;
		} else if (c == '\t') {
			to[n++] = ' ';
		} else {
			to[n++] = '\\';
			to[n++] = 'x';
			to[n++] = hex[c >> 4];
			to[n++] = hex[c & 15];
		}
	}
	to[n] = '\0';
	return n;
}

void log_guest(int level, const char *bytes, size_t length)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct log_rate all, errors;
	char text[LINE_MAX_BYTES];
	long dropped;

	if (level != VMM_LOG_ERROR && log_fd < 0)
		return;
	pthread_mutex_lock(&lock);
	dropped = level == VMM_LOG_ERROR ? rate_allow(&errors, GUEST_ERRORS_PER_SECOND)
					 : rate_allow(&all, GUEST_LINES_PER_SECOND);
	pthread_mutex_unlock(&lock);
	if (dropped < 0)
		return;
	if (dropped > 0)
		vmm_log(VMM_LOG_WARNING, "%ld lines of the sentry were dropped", dropped);
	log_escape(text, sizeof(text), bytes, length);
	log_line(level, "", text);
}
