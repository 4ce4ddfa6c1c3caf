/*
 * The files of the io controller (cgroup-v2, "IO"): what was read and written, and how much may be in a second. What io.max takes and
 * refuses is what Linux does; its devices are the mounts whose data comes from the host. io.weight is not there: nothing here would share by it,
 * and Linux without CONFIG_BLK_CGROUP_IOCOST has none.
 */
#include <linux/errno.h>

#include "vfs/cgroup/internal.h"
#include "vfs/dev/dev.h"
#include "vfs/p9/p9fs.h"

#define TOKEN_MAX 26u /* Linux reads words of io.max so long */
#define KINDS 4u

/* In the order in which they are shown. */
static const struct {
	const char *name, *moved;
	enum io_direction direction;
	enum io_limit limit;
} kinds[KINDS] = {
	{"rbps", "rbytes", IO_READ, IO_BYTES},
	{"wbps", "wbytes", IO_WRITE, IO_BYTES},
	{"riops", "rios", IO_READ, IO_OPERATIONS},
	{"wiops", "wios", IO_WRITE, IO_OPERATIONS},
};

static void show_device(struct seq *seq, const struct io_device *device)
{
	seq_printf(seq, "%u:%u", DEV_MAJOR(device->number), DEV_MINOR(device->number));
}

/* ---- what has moved ---- */

static int show_stat(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);
	const struct io_device *device;

	if (!group)
		return -ENODEV;
	LIST_FOREACH(device, &group->devices, link) {
		show_device(seq, device);
		seq_puts(seq, " ");
		if (device->moved[IO_READ][IO_OPERATIONS] || device->moved[IO_WRITE][IO_OPERATIONS]) {
			for (unsigned i = 0; i < KINDS; i++)
				seq_printf(seq, "%s=%lu ", kinds[i].moved, (unsigned long)device->moved[kinds[i].direction][kinds[i].limit]);
			seq_puts(seq, "dbytes=0 dios=0");
		}
		seq_puts(seq, "\n");
	}
	return 0;
}

/* ---- limits ---- */

static bool is_limited(const struct io_device *device)
{
	for (unsigned i = 0; i < KINDS; i++) {
		if (device->limit[kinds[i].direction][kinds[i].limit] != IO_NO_LIMIT)
			return true;
	}
	return false;
}

static int show_max(struct seq *seq, struct pseudo_inode *p)
{
	const struct cgroup *group = cgroup_of(p);
	const struct io_device *device;

	if (!group)
		return -ENODEV;
	LIST_FOREACH(device, &group->devices, link) {
		if (!is_limited(device))
			continue;
		show_device(seq, device);
		for (unsigned i = 0; i < KINDS; i++) {
			uint64_t limit = device->limit[kinds[i].direction][kinds[i].limit];

			if (limit == IO_NO_LIMIT)
				seq_printf(seq, " %s=max", kinds[i].name);
			else
				seq_printf(seq, " %s=%lu", kinds[i].name, (unsigned long)limit);
		}
		seq_puts(seq, "\n");
	}
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static char *skip_blanks(char *text)
{
	while (is_blank(*text))
		text++;
	return text;
}

/* Decimal digits at *at, which moves past them, modulo 2^64 as Linux counts. False: none. */
static bool take_digits(char **at, uint64_t *value)
{
	const char *begin = *at;

	for (*value = 0; **at >= '0' && **at <= '9'; (*at)++)
		*value = *value * 10 + (uint64_t)(**at - '0');
	return *at > begin;
}

/* "MAJOR:MINOR" and a blank. 0, -EINVAL, -ENODEV; *at is at what follows. The topmost group's devices are the host's. */
static int take_device(const struct cgroup *group, char **at, uint64_t *number)
{
	uint64_t major, minor;

	*at = skip_blanks(*at);
	if (!take_digits(at, &major) || *(*at)++ != ':' || !take_digits(at, &minor) || (**at && !is_blank(**at)))
		return -EINVAL;
	if (!**at && group->parent)
		return -EINVAL; /* nothing follows, not even the end of a line */
	*at = skip_blanks(*at);
	*number = DEV_MAKE(major, minor);
	return !group->parent || p9fs_has_device(*number) ? 0 : -ENODEV;
}

/* The next word, cut at TOKEN_MAX; its length. */
static unsigned take_word(char **at, char *word)
{
	unsigned len = 0;

	*at = skip_blanks(*at);
	while (len < TOKEN_MAX && **at && !is_blank(**at))
		word[len++] = *(*at)++;
	word[len] = '\0';
	return len;
}

/* "KIND=NUMBER", "KIND=max". */
static int take_limit(char *word, uint64_t limit[IO_DIRECTIONS][IO_LIMITS])
{
	uint64_t value = IO_NO_LIMIT;
	char *number = word;
	unsigned i = 0;

	while (*number && *number != '=')
		number++;
	if (!*number)
		return -EINVAL;
	*number++ = '\0';
	if (strcmp(number, "max") != 0 && !take_digits(&number, &value))
		return -EINVAL;
	if (!value)
		return -ERANGE;
	while (i < KINDS && strcmp(kinds[i].name, word) != 0)
		i++;
	if (i == KINDS || value == 1)
		return -EINVAL;
	if (kinds[i].limit == IO_OPERATIONS && value >= UINT32_MAX)
		value = IO_NO_LIMIT;
	limit[kinds[i].direction][kinds[i].limit] = value;
	return 0;
}

static int set_max(struct cgroup *group, char *text)
{
	uint64_t number, limit[IO_DIRECTIONS][IO_LIMITS] = {{IO_NO_LIMIT, IO_NO_LIMIT}, {IO_NO_LIMIT, IO_NO_LIMIT}};
	char word[TOKEN_MAX + 1];
	int rc = take_device(group, &text, &number);
	const struct io_device *device = rc ? NULL : cgroup_io_find(group, number);

	if (device)
		memcpy(limit, device->limit, sizeof(limit));
	while (!rc && take_word(&text, word))
		rc = take_limit(word, limit);
	return rc ? rc : cgroup_io_set(group, number, limit);
}

const struct pseudo_entry cgroup_io_table[] = {
	CGROUP_SETTING("io.max", show_max),
	CGROUP_FILE_R("io.stat", show_stat),
	CGROUP_END,
};

const struct cgroup_setting cgroup_io_settings[] = {
	{.name = "io.max", .set = set_max, .blanks = true},
	{.name = NULL},
};
