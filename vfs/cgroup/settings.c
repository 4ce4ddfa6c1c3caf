/*
 * What is written to the limits of a control group, by programs inside or from the host side (config.json, `update`): found by the file's
 * name, so that both take one way.
 *
 * The topmost group's limits are the container's own: inside they are refused, as Linux does for a group that was
 * delegated (EPERM), and only the host side sets them.
 */
#include <linux/errno.h>

#include "kernel/container.h"
#include "kernel/files.h"
#include "vfs/cgroup/internal.h"

#define TEXT_MAX 256u

char *cgroup_trim(const char *text, size_t n, char *buf, size_t size)
{
	while (n && (*text == ' ' || *text == '\t' || *text == '\n'))
		text++, n--;
	while (n && (text[n - 1] == ' ' || text[n - 1] == '\t' || text[n - 1] == '\n'))
		n--;
	if (n >= size)
		return NULL;
	memcpy(buf, text, n);
	buf[n] = '\0';
	return buf;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

int cgroup_parse_number(const char *text, uint64_t *value)
{
	int base = 10;

	text += *text == '+';
	if (*text == '0' && (text[1] == 'x' || text[1] == 'X') && digit(text[2]) < 16) {
		base = 16;
		text += 2;
	} else if (*text == '0') {
		base = 8;
	}
	if (!*text)
		return -EINVAL;
	for (*value = 0; *text; text++) {
		if (digit(*text) >= base)
			return -EINVAL;
		if (__builtin_mul_overflow(*value, (uint64_t)base, value) || __builtin_add_overflow(*value, (uint64_t)digit(*text), value))
			return -ERANGE;
	}
	return 0;
}

int cgroup_parse_signed(const char *text, int64_t *value)
{
	bool negative = *text == '-';
	uint64_t number;
	int rc = cgroup_parse_number(text + negative, &number);

	if (rc)
		return rc;
	if (negative && text[1] == '+')
		return -EINVAL;
	if (number > (uint64_t)INT64_MAX + negative)
		return -ERANGE;
	*value = negative ? (int64_t)(0 - number) : (int64_t)number;
	return 0;
}

int cgroup_parse_switch(const char *text, bool *value)
{
	int64_t number;
	int rc = cgroup_parse_signed(text, &number);

	if (rc)
		return rc;
	if (number != 0 && number != 1)
		return -EINVAL;
	*value = number;
	return 0;
}

void cgroup_show_limit(struct seq *seq, uint64_t value, uint64_t max)
{
	if (value == max)
		seq_puts(seq, "max\n");
	else
		seq_printf(seq, "%lu\n", (unsigned long)value);
}

static int take(const struct cgroup_setting *setting, struct cgroup *group, const char *text, size_t n)
{
	char buf[TEXT_MAX];

	if (setting->blanks && n < sizeof(buf)) {
		memcpy(buf, text, n);
		buf[n] = '\0';
	} else if (!cgroup_trim(text, n, buf, sizeof(buf))) {
		return -EINVAL;
	}
	return setting->set(group, buf);
}

static const struct cgroup_setting *find(const char *name, size_t len)
{
	static const struct cgroup_setting *const tables[] = {cgroup_cpuset_settings, cgroup_cpu_settings, cgroup_io_settings,
		cgroup_memory_settings, cgroup_pids_settings};

	for (unsigned i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (const struct cgroup_setting *s = tables[i]; s->name; s++) {
			if (strlen(s->name) == len && memcmp(s->name, name, len) == 0)
				return s;
		}
	}
	return NULL;
}

int64_t cgroup_write_setting(struct pseudo_inode *p, const char *text, size_t n)
{
	const struct cgroup_setting *setting = find(p->entry->name, strlen(p->entry->name));
	struct cgroup *group = cgroup_of(p);
	int rc;

	if (!group)
		return -ENODEV;
	if (!n)
		return 0;
	if (!group->parent && !setting->free)
		return -EPERM;
	rc = take(setting, group, text, n);
	return rc ? rc : (int64_t)n;
}

int64_t cgroup_refuse_write(struct pseudo_inode *p, const char *text, size_t n)
{
	return -EINVAL;
}

int files_cgroup_set(struct cgroup *group, const char *text)
{
	size_t name = 0;
	int rc = -EINVAL;

	while (text[name] && text[name] != '=')
		name++;
	const struct cgroup_setting *setting = find(text, name);
	if (!setting && text[name]) {
		klog(LOG_DEBUG, "control groups: %s is not kept inside", text);
		return 0;
	}
	if (setting)
		rc = take(setting, group, text + name + 1, strlen(text + name + 1));
	if (rc)
		klog(LOG_ERROR, "control groups: %s: error %d", text, -rc);
	return rc;
}
