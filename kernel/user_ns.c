/* User namespaces: ids, capabilities and how namespaces begin. See kernel/user_ns.h; id_map.c has what programs write. */
#include <linux/errno.h>
#include <linux/securebits.h>

#include "kernel/container.h"
#include "kernel/cred.h"
#include "kernel/files.h"
#include "kernel/mm.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"


/* ---- of containers ---- */

static int extents_of(const struct container_config *config, enum id_kind kind, struct id_map *map)
{
	uint32_t wanted = kind == ID_UID ? CONFIG_ID_MAP_UID : CONFIG_ID_MAP_GID;

	map->extents = kzalloc((config->id_map_count + 1) * sizeof(struct id_extent));
	if (!map->extents)
		return -ENOMEM;
	for (unsigned i = 0; i < config->id_map_count; i++) {
		const struct config_id_map *from = &config->id_maps[i];

		if (from->kind == wanted)
			map->extents[map->count++] = (struct id_extent){from->inside, from->inside, from->size, from->host};
	}
	if (!config->id_map_count)
		map->extents[map->count++] = (struct id_extent){0, 0, UINT32_MAX, 0};
	return 0;
}

static bool maps_equal(const struct id_map *a, const struct id_map *b)
{
	return a->count == b->count && !memcmp(a->extents, b->extents, a->count * sizeof(struct id_extent));
}

/* One of a container that is there, with the same ids. */
static struct user_ns *find_equal(const struct user_ns *user)
{
	struct container *c;

	TAILQ_FOREACH(c, &containers, link) {
		struct user_ns *other = c->user_ns;

		if (other && other->configured == user->configured && maps_equal(&other->map[ID_UID], &user->map[ID_UID]) &&
			maps_equal(&other->map[ID_GID], &user->map[ID_GID]))
			return other;
	}
	return NULL;
}

struct user_ns *user_ns_for_container(const struct container_config *config)
{
	struct user_ns *user = ns_create(sizeof(*user), NS_USER, NULL), *other;

	if (!user)
		return NULL;
	user->configured = config->id_map_count;
	user->maker_had_setfcap = true;
	user->below_max = USER_NS_BELOW_MAX;
	if (extents_of(config, ID_UID, &user->map[ID_UID]) || extents_of(config, ID_GID, &user->map[ID_GID])) {
		ns_put(&user->ns);
		return NULL;
	}
	other = find_equal(user);
	if (!other)
		return user;
	ns_put(&user->ns);
	ns_get(&other->ns);
	return other;
}

/* ---- ids ---- */

uint32_t id_in(const struct user_ns *user, enum id_kind kind, uint32_t id)
{
	const struct id_map *map = &user->map[kind];

	for (unsigned i = 0; i < map->count; i++) {
		const struct id_extent *e = &map->extents[i];

		if (id - e->first < e->count)
			return e->lower + (id - e->first);
	}
	return ID_NONE;
}

uint32_t id_seen_from(const struct user_ns *user, enum id_kind kind, uint32_t id)
{
	const struct id_map *map = &user->map[kind];

	for (unsigned i = 0; id != ID_NONE && i < map->count; i++) {
		const struct id_extent *e = &map->extents[i];

		if (id - e->lower < e->count)
			return e->first + (id - e->lower);
	}
	return ID_NONE;
}

const struct user_ns *user_ns_current(void)
{
	return current->cred->user_ns;
}

uint32_t uid_from_user(uint32_t uid)
{
	return id_in(user_ns_current(), ID_UID, uid);
}

uint32_t gid_from_user(uint32_t gid)
{
	return id_in(user_ns_current(), ID_GID, gid);
}

bool id_wanted(enum id_kind kind, uint32_t number, uint32_t *id)
{
	*id = number == ID_KEEP ? ID_KEEP : id_in(user_ns_current(), kind, number);
	return number == ID_KEEP || *id != ID_NONE;
}

static uint32_t shown(const struct user_ns *user, enum id_kind kind, uint32_t id)
{
	uint32_t seen = id_seen_from(user, kind, id);

	return seen == ID_NONE ? ID_OVERFLOW : seen;
}

uint32_t uid_to_user(uint32_t uid)
{
	return shown(user_ns_current(), ID_UID, uid);
}

uint32_t gid_to_user(uint32_t gid)
{
	return shown(user_ns_current(), ID_GID, gid);
}

uint32_t uid_seen_by(const struct cred *cred, uint32_t uid)
{
	return shown(cred->user_ns, ID_UID, uid);
}

uint32_t user_ns_root(const struct user_ns *user)
{
	return id_in(user, ID_UID, 0);
}

/* ---- capabilities ---- */

/* user_namespaces(7), "Capabilities": those of a namespace count in it and below; its maker's, from outside, are all. */
bool cred_ns_capable(const struct cred *cred, const struct user_ns *user, int capability)
{
	for (; user; user = user_ns_parent(user)) {
		if (user == cred->user_ns)
			return cred_capable(cred, capability);
		if (user->level <= cred->user_ns->level)
			return false;
		if (user_ns_parent(user) == cred->user_ns && user->uid == cred->euid)
			return true;
	}
	return false;
}

bool ns_capable(const struct user_ns *user, int capability)
{
	return cred_ns_capable(current->cred, user, capability);
}

bool capable_here(int capability)
{
	return cred_capable(current->cred, capability);
}

bool owner_capable(const struct ns *ns, int capability)
{
	return ns_capable(ns->owner, capability);
}

bool net_capable(int capability)
{
	return owner_capable(&current->ns->net->ns, capability);
}

bool user_ns_contains(const struct user_ns *outer, const struct user_ns *inner)
{
	while (inner && inner != outer)
		inner = user_ns_parent(inner);
	return inner;
}

bool may_set_groups(void)
{
	const struct user_ns *user = user_ns_current();

	return capable_here(CAP_SETGID) && user->map[ID_GID].count && !user->setgroups_denied;
}

/* ---- new ones ---- */

/* As a member who came in from outside: all capabilities, and nothing kept. Takes over the reference. */
static void become_member(struct cred *cred, struct user_ns *user)
{
	struct user_ns *old = cred->user_ns;

	cred->user_ns = user;
	cred->cap_effective = cred->cap_permitted = cred->cap_bounding = CAP_ALL;
	cred->cap_inheritable = cred->cap_ambient = 0;
	cred->securebits = SECUREBITS_DEFAULT;
	ns_put(&old->ns);
}

static bool may_have_another(const struct user_ns *parent)
{
	for (; parent; parent = user_ns_parent(parent)) {
		if (parent->below >= parent->below_max)
			return false;
	}
	return true;
}

static void count_below(struct user_ns *parent, int change)
{
	for (; parent; parent = user_ns_parent(parent))
		parent->below += (uint32_t)change;
}

int user_ns_enter_new(struct cred *cred)
{
	struct user_ns *parent = cred->user_ns, *user;

	if (parent->level > USER_NS_LEVELS || !may_have_another(parent))
		return -ENOSPC;
	if (files_root_is_changed(current))
		return -EPERM; /* unshare(2): chroot would be escaped from */
	if (id_seen_from(parent, ID_UID, cred->euid) == ID_NONE || id_seen_from(parent, ID_GID, cred->egid) == ID_NONE)
		return -EPERM;
	user = ns_create(sizeof(*user), NS_USER, parent);
	if (!user)
		return -ENOMEM;
	user->level = parent->level + 1;
	user->uid = cred->euid;
	user->gid = cred->egid;
	user->setgroups_denied = parent->setgroups_denied;
	user->maker_had_setfcap = cred_capable(cred, CAP_SETFCAP);
	user->below_max = INT32_MAX;
	count_below(parent, 1);
	become_member(cred, user);
	return 0;
}

int user_ns_join(struct user_ns *user)
{
	if (user == current->cred->user_ns || current->process->threads > 1 || files_root_is_shared(current))
		return -EINVAL;
	if (!ns_capable(user, CAP_SYS_ADMIN))
		return -EPERM;
	struct cred *cred = cred_copy(current->cred);
	if (!cred)
		return -ENOMEM;
	ns_get(&user->ns);
	become_member(cred, user);
	cred_commit(cred);
	return 0;
}

void user_ns_destroy(struct ns *ns)
{
	struct user_ns *user = container_of(ns, struct user_ns, ns);

	keys_forget_ns(user);
	if (ns->owner)
		count_below(ns->owner, -1);
	kfree(user->map[ID_UID].extents);
	kfree(user->map[ID_GID].extents);
	kfree(user);
}
