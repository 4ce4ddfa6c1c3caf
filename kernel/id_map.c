/*
 * What programs write to /proc/PID/uid_map, gid_map and setgroups, and read there (user_namespaces(7)).
 *
 * A map is written once, whole: decoded and checked aside, then set. Numbers in it are of the namespace and of its
 * parent; what is kept are the sandbox' own.
 */
#include <linux/errno.h>

#include "kernel/cred.h"
#include "kernel/mm.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

/* A number that ends at a blank or the end of the line; NULL: none. */
static const char *parse_number(const char *at, uint32_t *number)
{
	uint64_t n = 0;

	if (*at < '0' || *at > '9')
		return NULL;
	for (; *at >= '0' && *at <= '9'; at++) {
		n = n * 10 + (uint64_t)(*at - '0');
		if (n > UINT32_MAX)
			return NULL;
	}
	*number = (uint32_t)n;
	return at;
}

/* "first lower count", to the end of the line; NULL: something else. */
static const char *parse_line(const char *at, struct id_extent *e)
{
	uint32_t *const numbers[3] = {&e->first, &e->lower, &e->count};

	for (unsigned i = 0; i < 3; i++) {
		at = parse_number(skip_blanks(at), numbers[i]);
		if (!at || (i < 2 && !is_blank(*at)))
			return NULL;
	}
	at = skip_blanks(at);
	if (*at && *at != '\n')
		return NULL;
	return *at ? at + 1 : at;
}

static bool is_valid(const struct id_extent *e)
{
	uint32_t end;

	return e->first != ID_NONE && e->lower != ID_NONE && e->count && !__builtin_add_overflow(e->first, e->count, &end) &&
		!__builtin_add_overflow(e->lower, e->count, &end);
}

static bool overlaps(const struct id_map *map, const struct id_extent *e)
{
	for (unsigned i = 0; i < map->count; i++) {
		const struct id_extent *other = &map->extents[i];

		if ((e->first < other->first + other->count && other->first < e->first + e->count) ||
			(e->lower < other->lower + other->count && other->lower < e->lower + e->count))
			return true;
	}
	return false;
}

/* The lines of the text, numbers as they stand there. 0 or -EINVAL. */
static int parse(const char *text, struct id_map *map)
{
	while (*text) {
		struct id_extent e = {0};

		text = parse_line(text, &e);
		if (!text || !is_valid(&e) || overlaps(map, &e) || map->count == ID_MAP_EXTENTS)
			return -EINVAL;
		map->extents[map->count++] = e;
	}
	return map->count ? 0 : -EINVAL;
}

/* The parent's user 0 may be mapped by those who could give files capabilities there. */
static bool root_is_permitted(const struct user_ns *user, const struct cred *opener, const struct id_map *map)
{
	for (unsigned i = 0; i < map->count; i++) {
		if (map->extents[i].lower)
			continue;
		return opener->user_ns == user ? user->maker_had_setfcap : cred_ns_capable(opener, user_ns_parent(user), CAP_SETFCAP);
	}
	return true;
}

static bool is_permitted(const struct user_ns *user, enum id_kind kind, const struct cred *opener, const struct id_map *map)
{
	const struct user_ns *parent = user_ns_parent(user);
	const struct id_extent *e = map->extents;
	int capability = kind == ID_UID ? CAP_SETUID : CAP_SETGID;

	if (kind == ID_UID && !root_is_permitted(user, opener, map))
		return false;
	if (map->count == 1 && e->count == 1 && user->uid == opener->euid) { /* one's own id */
		uint32_t id = id_in(parent, kind, e->lower);

		if (kind == ID_UID ? id == opener->euid : user->setgroups_denied && id == opener->egid)
			return true;
	}
	return ns_capable(parent, capability) && cred_ns_capable(opener, parent, capability);
}

/* Every lower number becomes the sandbox' own: a range must lie in one of the parent's. */
static int lower_map(const struct user_ns *parent, enum id_kind kind, struct id_map *map)
{
	for (unsigned i = 0; i < map->count; i++) {
		struct id_extent *e = &map->extents[i];
		uint32_t first = id_in(parent, kind, e->lower);
		const struct id_extent *in = parent->map[kind].extents;

		if (first == ID_NONE)
			return -EPERM;
		while (e->lower - in->first >= in->count)
			in++;
		if (e->count > in->count - (e->lower - in->first))
			return -EPERM;
		e->lower = first;
	}
	return 0;
}

static int check_map(const struct user_ns *user, enum id_kind kind, const struct cred *opener, const char *text,
	struct id_map *map)
{
	int rc = parse(text, map);

	if (!rc && !is_permitted(user, kind, opener, map))
		rc = -EPERM;
	return rc ? rc : lower_map(user_ns_parent(user), kind, map);
}

int64_t user_ns_write_map(struct user_ns *user, enum id_kind kind, const struct cred *opener, const char *text, size_t n)
{
	struct id_map map = {0};

	if (!user_ns_parent(user) || (opener->user_ns != user && opener->user_ns != user_ns_parent(user)))
		return -EPERM;
	if (user->map[kind].count || !cred_ns_capable(opener, user, CAP_SYS_ADMIN))
		return -EPERM;
	map.extents = kmalloc(ID_MAP_EXTENTS * sizeof(struct id_extent));
	if (!map.extents)
		return -ENOMEM;
	int rc = check_map(user, kind, opener, text, &map);
	if (rc) {
		kfree(map.extents);
		return rc;
	}
	user->map[kind] = map;
	task_answers_changed();
	return (int64_t)n;
}

int64_t user_ns_write_setgroups(struct user_ns *user, const char *text, size_t n)
{
	bool deny = !strncmp(text, "deny", 4);
	const char *rest = text + (deny ? 4 : 5);

	if (n >= 8 || (!deny && strncmp(text, "allow", 5)))
		return -EINVAL;
	while (is_blank(*rest) || *rest == '\n')
		rest++;
	if (*rest)
		return -EINVAL;
	if (deny ? user->map[ID_GID].count : user->setgroups_denied)
		return -EPERM;
	user->setgroups_denied = deny;
	return (int64_t)n;
}

bool user_ns_map_line(const struct user_ns *user, enum id_kind kind, const struct cred *opener, unsigned index,
	uint32_t line[3])
{
	const struct user_ns *from = opener->user_ns, *parent = user_ns_parent(user);
	const struct id_extent *e;

	if (index >= user->map[kind].count)
		return false;
	e = &user->map[kind].extents[index];
	if (from == user && parent)
		from = parent;
	line[0] = e->first;
	line[1] = parent ? id_seen_from(from, kind, e->lower) : e->outside;
	line[2] = e->count;
	return true;
}
