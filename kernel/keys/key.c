/*
 * Keys as objects: their numbers, owners, quotas, payloads, and their end.
 *
 * What has been revoked, or has expired, stays for a while for its links to tell so, and is collected by the next call after
 * that (keys_collect()); there is no timer. The last reference may be the only one to a whole chain of keyrings: they are
 * freed one after the other and not by recursion.
 */
#include "kernel/cred.h"
#include "kernel/keys/internal.h"
#include "kernel/random.h"
#include "kernel/task.h"
#include "kernel/user_ns.h"
#include "ring0/clock.h"

#define PAYLOAD_MAX 32767u /* of types user and logon */
#define NS_PER_S 1000000000ll

const struct key_type key_type_keyring = {"keyring", true, true};
static const struct key_type key_type_user = {"user", false, true}, key_type_logon = {"logon", false, false};

struct key_tree all_keys = RB_INITIALIZER(&all_keys);
static LIST_HEAD(, key_user) users = LIST_HEAD_INITIALIZER(users);
static int64_t collect_at; /* when the first of the dead is to go; 0: there is none */

static int key_compare(const struct key *a, const struct key *b)
{
	return a->serial < b->serial ? -1 : a->serial > b->serial;
}

RB_GENERATE(key_tree, key, node, key_compare)

int64_t key_now(void)
{
	return clock_realtime() / NS_PER_S;
}

const struct key_type *key_type_find(const char *name)
{
	const struct key_type *const types[] = {&key_type_keyring, &key_type_user, &key_type_logon};

	for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(name, types[i]->name))
			return types[i];
	return NULL;
}

/* ---- quotas ---- */

static struct key_user *user_of(uint32_t uid)
{
	struct key_user *user, *before = NULL, *fresh;

	LIST_FOREACH(user, &users, link) {
		if (user->uid == uid)
			return user;
		if (user->uid > uid)
			break;
		before = user;
	}
	fresh = kzalloc(sizeof(*fresh));
	if (!fresh)
		return NULL;
	fresh->uid = uid;
	if (before)
		LIST_INSERT_AFTER(before, fresh, link);
	else
		LIST_INSERT_HEAD(&users, fresh, link);
	return fresh;
}

static void user_put_key(struct key_user *user)
{
	if (--user->keys)
		return;
	LIST_REMOVE(user, link);
	kfree(user);
}

static bool has_room(const struct key_user *user, unsigned keys, unsigned bytes)
{
	unsigned max_keys = user->uid ? KEYS_MAX : KEYS_ROOT_MAX, max_bytes = user->uid ? KEYS_BYTES_MAX : KEYS_ROOT_BYTES_MAX;

	return user->quota_keys + keys <= max_keys && user->quota_bytes + bytes <= max_bytes;
}

int key_set_quota(struct key *key, unsigned bytes)
{
	if (!key->in_quota)
		return 0;
	if (bytes > key->quota && !has_room(key->user, 0, bytes - key->quota))
		return -EDQUOT;
	key->user->quota_bytes += bytes - key->quota;
	key->quota = bytes;
	return 0;
}

int key_give_to(struct key *key, uint32_t uid)
{
	struct key_user *from = key->user, *to = uid == from->uid ? NULL : user_of(uid);

	if (uid != from->uid && !to)
		return -ENOMEM;
	key->uid = uid;
	if (!to)
		return 0;
	if (key->in_quota && !has_room(to, 1, key->quota)) {
		key->uid = from->uid;
		to->keys++;
		user_put_key(to);
		return -EDQUOT;
	}
	if (key->in_quota) {
		to->quota_keys++;
		to->quota_bytes += key->quota;
		from->quota_keys--;
		from->quota_bytes -= key->quota;
	}
	to->keys++;
	key->user = to;
	user_put_key(from);
	return 0;
}

/* ---- their lives ---- */

struct key *key_by_serial(int serial)
{
	struct key wanted = {.serial = serial};

	return RB_FIND(key_tree, &all_keys, &wanted);
}

static void insert(struct key *key)
{
	do
		key->serial = (int)(random_u64() & 0x7fffffff);
	while (key->serial < 3 || RB_INSERT(key_tree, &all_keys, key));
}

/* logon: "service:name" */
static bool is_description(const struct key_type *type, const char *description)
{
	const char *colon = strchr(description, ':');

	return *description && (type != &key_type_logon || (colon && colon != description));
}

struct key *key_create(const struct key_type *type, const char *description, uint32_t uid, uint32_t gid, uint32_t permissions,
	enum key_quota quota, int *error)
{
	unsigned bytes = (unsigned)strlen(description) + 1;
	struct key_user *user;
	struct key *key;

	*error = -EINVAL;
	if (!is_description(type, description))
		return NULL;
	*error = -ENOMEM;
	user = user_of(uid);
	if (!user)
		return NULL;
	user->keys++;
	key = kzalloc(sizeof(*key));
	if (key)
		key->description = kstrdup(description);
	if (!key || !key->description)
		goto fail;
	*error = -EDQUOT;
	if (quota == QUOTA_KEEP && !has_room(user, 1, bytes))
		goto fail;
	key->in_quota = quota != QUOTA_NONE;
	if (key->in_quota) {
		user->quota_keys++;
		user->quota_bytes += bytes;
		key->quota = bytes;
	}
	key->refs = 1;
	key->type = type;
	key->user = user;
	key->ns = type->is_ring && *description != '.' ? user_ns_current() : NULL;
	key->uid = uid;
	key->gid = gid;
	key->permissions = permissions;
	insert(key);
	return key;
fail:
	if (key)
		kfree(key->description);
	kfree(key);
	user_put_key(user);
	return NULL;
}

void key_get(struct key *key)
{
	key->refs++;
}

static void destroy(struct key *key)
{
	RB_REMOVE(key_tree, &all_keys, key);
	if (key->in_quota) {
		key->user->quota_keys--;
		key->user->quota_bytes -= key->quota;
	}
	user_put_key(key->user);
	kfree(key->description);
	if (key->type->is_ring)
		kfree(key->links);
	else
		kfree(key->payload);
	kfree(key);
}

void key_put(struct key *key)
{
	struct key *doomed = NULL;

	BUG_ON(key->refs == 0);
	if (--key->refs)
		return;
	key->doomed = NULL;
	for (doomed = key; doomed;) {
		key = doomed;
		doomed = key->doomed;
		for (unsigned i = 0; key->type->is_ring && i < key->count; i++) {
			struct key *linked = key->links[i];

			if (--linked->refs == 0) {
				linked->doomed = doomed;
				doomed = linked;
			}
		}
		destroy(key);
	}
}

int key_set_payload(struct key *key, const void *payload, size_t n)
{
	char *copy;
	int rc;

	if (key->type->is_ring)
		return n ? -EINVAL : 0;
	if (n == 0 || n > PAYLOAD_MAX)
		return -EINVAL;
	copy = kmalloc(n);
	if (!copy)
		return -ENOMEM;
	rc = key_set_quota(key, (unsigned)(strlen(key->description) + 1 + n));
	if (rc < 0) {
		kfree(copy);
		return rc;
	}
	memcpy(copy, payload, n);
	kfree(key->payload);
	key->payload = copy;
	key->size = (unsigned)n;
	return 0;
}

int key_validate(const struct key *key)
{
	if (key->invalid)
		return -ENOKEY;
	if (key->revoked)
		return -EKEYREVOKED;
	return key->expiry && key_now() >= key->expiry ? -EKEYEXPIRED : 0;
}

int key_permission(const struct key *key, bool possessed, uint32_t need)
{
	const struct cred *cred = current->cred;
	uint32_t granted = key->permissions;

	if (key->uid == cred->fsuid)
		granted >>= 16;
	else if (key->gid != ID_NONE && key->permissions & PERM_GROUP(PERM_ALL) && cred_in_group(cred, key->gid))
		granted >>= 8;
	if (possessed)
		granted |= key->permissions >> 24;
	return (granted & need) == need ? 0 : -EACCES;
}

/* ---- collecting ---- */

/* When links to it are to go; 0: never. */
static int64_t dead_at(const struct key *key)
{
	if (key->invalid)
		return 1;
	if (key->revoked)
		return key->revoked_at + KEYS_GC_DELAY;
	return key->expiry ? key->expiry + KEYS_GC_DELAY : 0;
}

void key_will_die(const struct key *key)
{
	int64_t at = dead_at(key);

	if (at && (!collect_at || at < collect_at))
		collect_at = at;
}

void keys_collect(void)
{
	int64_t now = key_now();
	struct key *key, *next;

	if (!collect_at || now < collect_at)
		return;
	collect_at = 0;
	for (key = RB_MIN(key_tree, &all_keys); key; key = next) {
		key_get(key); /* what its links let go of may be the next, but not itself */
		for (unsigned i = 0; key->type->is_ring && i < key->count;) {
			struct key *linked = key->links[i];
			int64_t at = dead_at(linked);

			if (at && at <= now)
				ring_unlink(key, linked);
			else
				i++;
		}
		if (dead_at(key) > now) /* what is dead and has no links any more is somebody's own */
			key_will_die(key);
		next = RB_NEXT(key_tree, &all_keys, key);
		key_put(key);
	}
}

/* ---- as /proc shows them ---- */

bool key_view_next(uint32_t serial, struct key_view *view)
{
	struct key wanted = {.serial = (int)serial}, *key;

	keys_collect();
	for (key = RB_NFIND(key_tree, &all_keys, &wanted); key; key = RB_NEXT(key_tree, &all_keys, key)) {
		struct ring_search search = {.wanted = key, .any_state = true};
		bool possessed = key->permissions & PERM_POSSESSOR(NEED_VIEW) && task_search(&search) == 0;

		if (id_seen_from(user_ns_current(), ID_UID, key->user->uid) != ID_NONE && !key_permission(key, possessed, NEED_VIEW))
			break;
	}
	if (!key)
		return false;
	*view = (struct key_view){.serial = (uint32_t)key->serial, .permissions = key->permissions, .refs = key->refs,
		.revoked = key->revoked, .invalid = key->invalid, .in_quota = key->in_quota,
		.seconds = key->expiry ? key->expiry - key_now() : INT64_MAX, .uid = uid_to_user(key->uid), .gid = gid_to_user(key->gid),
		.type = key->type->name, .description = key->description, .is_ring = key->type->is_ring,
		.count = key->type->is_ring ? key->count : key->size};
	if (view->seconds <= 0)
		view->seconds = -1;
	return true;
}

bool key_user_view_next(int64_t uid, struct key_user_view *view)
{
	const struct key_user *user;

	LIST_FOREACH(user, &users, link) {
		if (user->uid <= uid || id_seen_from(user_ns_current(), ID_UID, user->uid) == ID_NONE)
			continue;
		*view = (struct key_user_view){.uid = user->uid, .keys = user->keys, .quota_keys = user->quota_keys,
			.quota_bytes = user->quota_bytes, .max_keys = user->uid ? KEYS_MAX : KEYS_ROOT_MAX,
			.max_bytes = user->uid ? KEYS_BYTES_MAX : KEYS_ROOT_BYTES_MAX};
		return true;
	}
	return false;
}
