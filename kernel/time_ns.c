/*
 * Time namespaces: see kernel/time_ns.h. ktime.c adds the offsets where programs read or name a time, so everything
 * else in the kernel goes on with the sandbox' own clocks; the vDSO of a member is given no clock page to read, so that it asks.
 */
#include <linux/errno.h>
#include <linux/time.h>

#include "kernel/config.h"
#include "kernel/ktime.h"
#include "kernel/process.h"
#include "kernel/time_ns.h"
#include "kernel/user_ns.h"
#include "kernel/vdso/vdso.h"
#include "ring0/clock.h"
#include "ring0/lib.h"

#define SECONDS_MAX (INT64_MAX / (int64_t)NS_PER_S)
#define LINES_MAX 2u

struct time_ns first_time_ns = {.ns = {.refs = 1, .inum = NS_FIRST_INUM + NS_TIME, .kind = NS_TIME}, .entered = true};

struct time_ns *time_ns_create(const struct time_ns *like, struct user_ns *owner)
{
	struct time_ns *time = ns_create(sizeof(*time), NS_TIME, owner);

	if (time) {
		time->monotonic = like->monotonic;
		time->boottime = like->boottime;
	}
	return time;
}

int64_t time_ns_offset(int clock)
{
	const struct time_ns *time = current->ns ? current->ns->time : &first_time_ns;

	switch (clock) {
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
		return time->monotonic;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		return time->boottime;
	}
	return 0;
}

int time_ns_begin(struct task *task)
{
	struct ns_set *set = task->ns;

	if (set->time == set->time_for_children)
		return 0;
	set = ns_set_copy(set);
	if (!set)
		return -ENOMEM;
	ns_put(&set->time->ns);
	set->time = set->time_for_children;
	ns_get(&set->time->ns);
	set->time->entered = true;
	ns_set_put(task->ns);
	task->ns = set;
	return vdso_follow_time(task->mm, set->time);
}

/* ---- /proc/PID/timens_offsets ---- */

/* Whole seconds towards the past, and what is left of the next. */
static int64_t seconds(int64_t ns)
{
	return ns / (int64_t)NS_PER_S - (ns % (int64_t)NS_PER_S < 0);
}

void time_ns_show(const struct time_ns *time, char *text, size_t size)
{
	int64_t m = seconds(time->monotonic), b = seconds(time->boottime);

	snprintf(text, size, "%-10s %10lld %9lld\n%-10s %10lld %9lld\n", "monotonic", (long long)m,
		(long long)(time->monotonic - m * (int64_t)NS_PER_S), "boottime", (long long)b,
		(long long)(time->boottime - b * (int64_t)NS_PER_S));
}

static const char *skip_blanks(const char *at)
{
	while (*at == ' ' || *at == '\t')
		at++;
	return at;
}

/* A decimal number, after blanks; NULL: there is none, or it is too long. */
static const char *parse_number(const char *at, int64_t *number)
{
	bool negative;
	int64_t n = 0;

	at = skip_blanks(at);
	negative = *at == '-';
	at += negative;
	if (*at < '0' || *at > '9')
		return NULL;
	for (; *at >= '0' && *at <= '9'; at++) {
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *at - '0', &n))
			return NULL;
	}
	*number = negative ? -n : n;
	return at;
}

struct offset_line {
	int clock;
	int64_t sec, nsec;
};

static const char *parse_clock(const char *at, int *clock)
{
	static const struct {
		const char *name;
		int clock;
	} names[] = {{"monotonic", CLOCK_MONOTONIC}, {"boottime", CLOCK_BOOTTIME}, {"1", CLOCK_MONOTONIC}, {"7", CLOCK_BOOTTIME}};

	at = skip_blanks(at);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		size_t len = strlen(names[i].name);

		if (!strncmp(at, names[i].name, len) && (at[len] == ' ' || at[len] == '\t')) {
			*clock = names[i].clock;
			return at + len;
		}
	}
	return NULL;
}

/* "clock seconds nanoseconds", to the end of the line; NULL: something else. */
static const char *parse_line(const char *at, struct offset_line *line)
{
	at = parse_clock(at, &line->clock);
	if (at)
		at = parse_number(at, &line->sec);
	if (at)
		at = parse_number(at, &line->nsec);
	if (!at || line->nsec < 0 || line->nsec >= (int64_t)NS_PER_S)
		return NULL;
	at = skip_blanks(at);
	if (*at && *at != '\n')
		return NULL;
	return *at ? at + 1 : at;
}

/* A clock with that offset neither begins before zero nor comes near the end of what a time can be. */
static bool is_in_range(const struct offset_line *line)
{
	uint64_t now = line->clock == CLOCK_MONOTONIC ? clock_monotonic() : clock_boottime();
	int64_t sec;

	if (line->sec > SECONDS_MAX || line->sec < -SECONDS_MAX)
		return false;
	sec = seconds((int64_t)now + line->nsec) + line->sec;
	return sec >= 0 && sec <= SECONDS_MAX / 2;
}

static void set_offset(struct time_ns *time, const struct offset_line *line)
{
	*(line->clock == CLOCK_MONOTONIC ? &time->monotonic : &time->boottime) = line->sec * (int64_t)NS_PER_S + line->nsec;
}

int64_t time_ns_write(struct time_ns *time, const struct cred *opener, const char *text, size_t n)
{
	struct offset_line lines[LINES_MAX];
	unsigned count = 0;

	while (*text) {
		if (count == LINES_MAX)
			return -EINVAL;
		text = parse_line(text, &lines[count++]);
		if (!text)
			return -EINVAL;
	}
	if (time->ns.owner ? !cred_ns_capable(opener, time->ns.owner, CAP_SYS_TIME) : !capable(CAP_SYS_TIME))
		return -EPERM;
	for (unsigned i = 0; i < count; i++) {
		if (!is_in_range(&lines[i]))
			return -ERANGE;
	}
	if (time->entered)
		return -EACCES;
	for (unsigned i = 0; i < count; i++)
		set_offset(time, &lines[i]);
	return (int64_t)n;
}

/* ---- config.json ---- */

int time_ns_configure(struct ns_set *set, struct user_ns *owner, const struct container_config *config)
{
	struct time_ns *time;

	for (unsigned i = 0; i < config->time_offset_count; i++) {
		const struct config_time_offset *o = &config->time_offsets[i];

		if ((o->clock != CLOCK_MONOTONIC && o->clock != CLOCK_BOOTTIME) || o->nanosecs >= NS_PER_S)
			return -EINVAL;
		if (!is_in_range(&(struct offset_line){(int)o->clock, o->secs, o->nanosecs}))
			return -ERANGE;
	}
	if (!config->time_offset_count)
		return 0;
	time = time_ns_create(set->time, owner);
	if (!time)
		return -ENOMEM;
	for (unsigned i = 0; i < config->time_offset_count; i++) {
		const struct config_time_offset *o = &config->time_offsets[i];

		set_offset(time, &(struct offset_line){(int)o->clock, o->secs, o->nanosecs});
	}
	time->entered = true;
	ns_put(&set->time->ns);
	ns_put(&set->time_for_children->ns);
	set->time = set->time_for_children = time;
	ns_get(&time->ns);
	return 0;
}
