/* /proc/keys and /proc/key-users (keyrings(7)): the keys that the reader may view, and what each user has. */
#include "kernel/keys/keys.h"
#include "kernel/user_ns.h"
#include "vfs/proc/proc.h"

#define MINUTE 60
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define WEEK (7 * DAY)

static void show_timeout(struct seq *seq, int64_t seconds)
{
	static const struct {
		int64_t below, unit;
		char name;
	} units[] = {{MINUTE, 1, 's'}, {HOUR, MINUTE, 'm'}, {DAY, HOUR, 'h'}, {WEEK, DAY, 'd'}, {INT64_MAX, WEEK, 'w'}};
	char text[24];
	unsigned i = 0;

	if (seconds == INT64_MAX || seconds < 0) {
		seq_puts(seq, seconds < 0 ? "expd" : "perm");
		return;
	}
	while (seconds >= units[i].below)
		i++;
	snprintf(text, sizeof(text), "%lu%c", (unsigned long)(seconds / units[i].unit), units[i].name);
	seq_printf(seq, "%4s", text);
}

int proc_show_keys(struct seq *seq, struct pseudo_inode *p)
{
	struct key_view view = {.serial = 0};

	while (!seq->error && key_view_next(view.serial + 1, &view)) {
		seq_printf(seq, "%08x I%c-%c--%c %5u ", view.serial, view.revoked ? 'R' : '-', view.in_quota ? 'Q' : '-',
			view.invalid ? 'i' : '-', view.refs);
		show_timeout(seq, view.seconds);
		seq_printf(seq, " %08x %5d %5d %-9s %s: ", view.permissions, (int)view.uid, (int)view.gid, view.type, view.description);
		if (view.is_ring && !view.count)
			seq_puts(seq, "empty\n");
		else
			seq_printf(seq, "%lu\n", (unsigned long)view.count);
	}
	return 0;
}

int proc_show_key_users(struct seq *seq, struct pseudo_inode *p)
{
	struct key_user_view view;

	for (int64_t uid = -1; !seq->error && key_user_view_next(uid, &view); uid = view.uid)
		seq_printf(seq, "%5u: %5u %u/%u %u/%u %u/%u\n", uid_to_user(view.uid), view.keys + 1, view.keys, view.keys, view.quota_keys,
			view.max_keys, view.quota_bytes, view.max_bytes);
	return 0;
}
