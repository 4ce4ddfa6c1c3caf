/*
 * The kernel log and the end of the world.
 *
 * klog() formats one line, keeps it in a ring that syslog(2) reads (levels error to info;
 * debug and strace lines would drown it) and sends it to the host's debug log. It may be
 * called with any lock but the log's own, and before memory is set up: then the line is
 * only kept. Positions in the ring count all bytes ever written, so a reader sees
 * whether it was overtaken.
 */
#include "ring0/lib.h"
#include "ring0/clock.h"
#include "ring0/lock.h"
#include "ring0/machine.h"
#include "ring0/memory.h"
#include "ring0/percpu.h"
#include "ring0/start.h"

#define KLOG_SIZE 65536u

static struct spinlock log_lock = SPINLOCK(LOCK_LOG);
static char log_ring[KLOG_SIZE];
static uint64_t log_end;                 /* bytes ever written */
static char log_line[START_LOG_SIZE];    /* the line being made, under log_lock */
static const uint8_t syslog_levels[] = {3, 4, 6, 7, 7};

static void ring_put(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		log_ring[log_end++ % KLOG_SIZE] = text[i];
}

static void klog_ring_line(enum log_level level, uint64_t now, size_t n)
{
	char head[40];
	int len = snprintf(head, sizeof(head), "<%u>[%5llu.%06llu] ", syslog_levels[level],
		(unsigned long long)(now / 1000000000u), (unsigned long long)(now % 1000000000u / 1000));

	ring_put(head, (size_t)len);
	ring_put(log_line, n);
	ring_put("\n", 1);
}

static __attribute__((format(printf, 2, 0))) void klog_args(enum log_level level, const char *format, va_list args)
{
	uint64_t now = machine ? clock_monotonic() : 0;
	int len;
	size_t n;

	spin_lock(&log_lock);
	len = vsnprintf(log_line, sizeof(log_line), format, args);
	n = (size_t)len < sizeof(log_line) ? (size_t)len : sizeof(log_line) - 1;
	if (level <= LOG_INFO)
		klog_ring_line(level, now, n);
	if (start_page) {
		memcpy(start_page->log, log_line, n);
		machine->host_call(ABI_CALL_log, va_to_pa(start_page->log), n, level, 0);
	}
	spin_unlock(&log_lock);
}

void klog(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	klog_args(level, format, args);
	va_end(args);
}

size_t klog_read(uint64_t *pos, char *to, size_t n)
{
	size_t got = 0;

	spin_lock(&log_lock);
	if (log_end > KLOG_SIZE && *pos < log_end - KLOG_SIZE)
		*pos = log_end - KLOG_SIZE;
	while (got < n && *pos < log_end)
		to[got++] = log_ring[(*pos)++ % KLOG_SIZE];
	spin_unlock(&log_lock);
	return got;
}

size_t klog_size(void)
{
	return log_end < KLOG_SIZE ? (size_t)log_end : KLOG_SIZE;
}

void klog_seize(void)
{
	log_lock = (struct spinlock)SPINLOCK(LOCK_LOG);
}

void panic(const char *format, ...)
{
	static volatile uint32_t panicking;
	va_list args;

	/* The first to fail tells why; whoever fails while that goes on has nothing to add. */
	if (!__atomic_exchange_n(&panicking, 1, __ATOMIC_ACQ_REL)) {
		klog_seize();
		va_start(args, format);
		klog_args(LOG_ERROR, format, args);
		va_end(args);
	}
	for (;;) {
		if (machine)
			machine->host_call(ABI_CALL_exit, ABI_EXIT_PANIC, 0, 0, 0);
#ifdef RF_HOST_BUILD
		abort();
#endif
	}
}
