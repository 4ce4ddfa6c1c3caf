/*
 * add_key(2), request_key(2) and the operations of keyctl(2): look up, ask for permission, do.
 *
 * Each first collects what has been dead for long, before it looks anything up.
 */
#include <linux/capability.h>

#include "kernel/cred.h"
#include "kernel/keys/internal.h"
#include "kernel/mm.h"
#include "kernel/process.h"
#include "kernel/user_ns.h"

/* What add_key(2) gives a new key. */
static uint32_t first_permissions(const struct key_type *type)
{
	uint32_t possessor = NEED_VIEW | NEED_SEARCH | NEED_LINK | NEED_SETATTR | NEED_WRITE;

	if (type->readable)
		possessor |= NEED_READ;
	return PERM_POSSESSOR(possessor) | PERM_USER(NEED_VIEW);
}

static int64_t add_new(const struct key_type *type, const char *description, const void *payload, size_t n, struct key *ring)
{
	const struct cred *cred = current->cred;
	int64_t result;
	struct key *key;
	int rc;

	key = key_create(type, description, cred->fsuid, cred->fsgid, first_permissions(type), QUOTA_KEEP, &rc);
	if (!key)
		return rc;
	rc = key_set_payload(key, payload, n);
	if (rc == 0)
		rc = ring_link(ring, key);
	result = rc < 0 ? rc : key->serial;
	key_put(key);
	return result;
}

int64_t key_add(const char *type_name, const char *description, const void *payload, size_t n, int id)
{
	const struct key_type *type = key_type_find(type_name);
	struct key_ref ring;
	struct key *found;
	int rc;

	keys_collect();
	rc = key_lookup(id, true, NEED_WRITE, &ring);
	if (rc < 0)
		return rc;
	if (!type)
		return -ENODEV;
	if (!description || !*description)
		return -EINVAL;
	if (!ring.key->type->is_ring)
		return -ENOTDIR;
	found = type->is_ring ? NULL : ring_find(ring.key, type, description);
	if (!found || found->revoked || found->invalid)
		return add_new(type, description, payload, n, ring.key);
	if (key_permission(found, ring.possessed, NEED_WRITE))
		return -EACCES;
	rc = key_set_payload(found, payload, n);
	if (rc == 0)
		found->expiry = 0;
	return rc < 0 ? rc : found->serial;
}

/* Links what was found into the keyring that was named, if one was. */
static int64_t give(struct key *key, bool possessed, const struct key_ref *destination)
{
	int rc = 0;

	if (destination->key) {
		rc = key_permission(key, possessed, NEED_LINK);
		if (rc == 0)
			rc = ring_link(destination->key, key);
	}
	return rc < 0 ? rc : key->serial;
}

int64_t key_request(const char *type_name, const char *description, int id)
{
	struct ring_search search = {.type = key_type_find(type_name), .description = description, .skip_expired = true};
	struct key_ref destination = {.key = NULL};
	int rc = 0;

	keys_collect();
	if (id)
		rc = key_lookup(id, true, NEED_WRITE, &destination);
	if (rc < 0)
		return rc;
	if (!search.type)
		return -ENOKEY;
	rc = task_search(&search);
	if (rc < 0)
		return rc == -EAGAIN ? -ENOKEY : rc;
	return give(search.found, search.possessed, &destination);
}

int64_t key_search(int id, const char *type_name, const char *description, int destination_id)
{
	struct ring_search search = {.type = key_type_find(type_name), .description = description};
	struct key_ref ring, destination = {.key = NULL};
	int rc;

	keys_collect();
	rc = key_lookup(id, false, NEED_SEARCH, &ring);
	if (rc == 0 && destination_id)
		rc = key_lookup(destination_id, true, NEED_WRITE, &destination);
	if (rc < 0)
		return rc;
	if (!search.type)
		return -ENOKEY;
	rc = ring_search(ring, &search);
	if (rc < 0)
		return rc == -EAGAIN ? -ENOKEY : rc;
	return give(search.found, search.possessed, &destination);
}

/* ---- keyrings of the task ---- */

int64_t key_get_keyring_id(int id, bool create)
{
	struct key_ref ref;
	int rc;

	keys_collect();
	rc = key_lookup(id, create, NEED_SEARCH, &ref);
	return rc < 0 ? rc : ref.key->serial;
}

/* A keyring of that name which the task may join; NULL: none. */
static struct key *find_named(const char *name)
{
	struct key *key;

	RB_FOREACH(key, key_tree, &all_keys)
		if (key->ns == user_ns_current() && key->type->is_ring && !key->revoked && !strcmp(key->description, name) &&
			!key_permission(key, false, NEED_SEARCH))
			return key;
	return NULL;
}

int64_t key_join_session(const char *name)
{
	const struct cred *cred = current->cred;
	struct task_keyrings *own = &current->keyrings;
	struct key *key = name ? find_named(name) : NULL, *old = own->session;
	uint32_t permissions = PERM_POSSESSOR(PERM_ALL) | PERM_USER(NEED_VIEW | NEED_READ);
	int rc;

	if (key && key == old)
		return 0;
	if (key)
		key_get(key);
	else if (name)
		key = key_create(&key_type_keyring, name, cred->uid, cred->gid, permissions | PERM_USER(NEED_LINK), QUOTA_KEEP, &rc);
	else
		key = key_create(&key_type_keyring, "_ses", cred->uid, cred->gid, permissions, old ? QUOTA_KEEP : QUOTA_OVERRUN, &rc);
	if (!key)
		return rc;
	own->session = key;
	if (old)
		key_put(old);
	return key->serial;
}

int64_t key_session_to_parent(void)
{
	const struct process *parent = current->process->parent;
	const struct cred *mine = current->cred, *theirs;
	struct task_keyrings *to;
	struct key_ref ref;
	int rc = key_lookup(KEY_SPEC_SESSION_KEYRING, false, NEED_LINK, &ref);

	if (rc < 0)
		return rc;
	/* A process of one thread, which is and stays who we are. */
	if (!parent || parent->threads != 1 || !parent->leader || !parent->leader->mm)
		return -EPERM;
	to = &parent->leader->keyrings;
	if (to->session == ref.key)
		return 0;
	theirs = parent->leader->cred;
	if (theirs->uid != mine->euid || theirs->euid != mine->euid || theirs->suid != mine->euid || theirs->gid != mine->egid ||
		theirs->egid != mine->egid || theirs->sgid != mine->egid || theirs->user_ns != mine->user_ns)
		return -EPERM;
	if (ref.key->uid != mine->euid || (to->session && to->session->uid != mine->euid))
		return -EPERM;
	key_get(ref.key);
	if (to->session)
		key_put(to->session);
	to->session = ref.key;
	return 0;
}

int64_t key_set_request_default(int which)
{
	struct task_keyrings *own = &current->keyrings;
	int old = own->request_default, rc = 0;

	switch (which) {
	case KEY_REQKEY_DEFL_NO_CHANGE:
		return old;
	case KEY_REQKEY_DEFL_THREAD_KEYRING:
		rc = thread_keyring_make(current);
		break;
	case KEY_REQKEY_DEFL_PROCESS_KEYRING:
		rc = process_keyring_make(current);
		break;
	case KEY_REQKEY_DEFL_DEFAULT:
	case KEY_REQKEY_DEFL_SESSION_KEYRING:
	case KEY_REQKEY_DEFL_USER_KEYRING:
	case KEY_REQKEY_DEFL_USER_SESSION_KEYRING:
	case KEY_REQKEY_DEFL_REQUESTOR_KEYRING:
		break;
	default:
		return -EINVAL;
	}
	if (rc < 0)
		return rc;
	own->request_default = (uint8_t)which;
	return old;
}

int64_t key_get_persistent(uint32_t uid, int id)
{
	const struct cred *cred = current->cred;
	struct key_ref ring;
	struct key *key;
	int rc;

	keys_collect();
	if (uid == ID_KEEP)
		uid = cred->uid;
	else if (uid != cred->uid && uid != cred->euid && !capable_here(CAP_SETUID))
		return -EPERM;
	rc = key_lookup(id, true, NEED_WRITE, &ring);
	if (rc < 0)
		return rc;
	if (!ring.key->type->is_ring)
		return -ENOTDIR;
	key = persistent_keyring(uid, &rc);
	if (!key)
		return rc;
	rc = key_permission(key, true, NEED_LINK);
	if (rc == 0)
		rc = ring_link(ring.key, key);
	if (rc < 0)
		return rc;
	key->expiry = key_now() + KEYS_PERSISTENT_EXPIRY;
	key_will_die(key);
	return key->serial;
}

/* ---- links ---- */

int64_t key_clear(int id)
{
	struct key_ref ring;
	int rc;

	keys_collect();
	rc = key_lookup(id, true, NEED_WRITE, &ring);
	if (rc < 0)
		return rc;
	if (!ring.key->type->is_ring)
		return -ENOTDIR;
	ring_clear(ring.key);
	return 0;
}

int64_t key_link(int id, int ring_id)
{
	struct key_ref ring, ref;
	int rc;

	keys_collect();
	rc = key_lookup(ring_id, true, NEED_WRITE, &ring);
	if (rc == 0)
		rc = key_lookup(id, true, NEED_LINK, &ref);
	return rc < 0 ? rc : ring_link(ring.key, ref.key);
}

int64_t key_unlink(int id, int ring_id)
{
	struct key_ref ring, ref;
	int rc;

	keys_collect();
	rc = key_lookup(ring_id, false, NEED_WRITE, &ring);
	if (rc == 0)
		rc = key_lookup(id, false, NEED_NOTHING, &ref);
	if (rc < 0)
		return rc;
	if (!ring.key->type->is_ring)
		return -ENOTDIR;
	return ring_unlink(ring.key, ref.key) ? 0 : -ENOENT;
}

int64_t key_move(int id, int from_id, int to_id, uint64_t flags)
{
	struct key_ref ref, from, to;
	int rc;

	if (flags & ~(uint64_t)KEYCTL_MOVE_EXCL)
		return -EINVAL;
	keys_collect();
	rc = key_lookup(id, true, NEED_LINK, &ref);
	if (rc == 0)
		rc = key_lookup(from_id, false, NEED_WRITE, &from);
	if (rc == 0)
		rc = key_lookup(to_id, true, NEED_WRITE, &to);
	if (rc < 0 || from.key == to.key)
		return rc;
	if (!from.key->type->is_ring || !to.key->type->is_ring)
		return -ENOTDIR;
	if (!ring_has(from.key, ref.key))
		return -ENOENT;
	if (flags & KEYCTL_MOVE_EXCL && ring_find(to.key, ref.key->type, ref.key->description))
		return -EEXIST;
	rc = ring_link(to.key, ref.key);
	if (rc == 0)
		ring_unlink(from.key, ref.key);
	return rc;
}

int64_t key_restrict(int id, const char *type, bool restricted_by)
{
	struct key_ref ring;
	int rc;

	keys_collect();
	rc = key_lookup(id, false, NEED_SETATTR, &ring);
	if (rc < 0)
		return rc;
	if (type || restricted_by) /* by a key of that type: none of ours restricts */
		return -EINVAL;
	if (!ring.key->type->is_ring)
		return -ENOTDIR;
	if (ring.key->closed)
		return -EEXIST;
	ring.key->closed = true;
	return 0;
}

/* ---- keys ---- */

int64_t key_update(int id, const void *payload, size_t n)
{
	struct key_ref ref;
	int rc;

	keys_collect();
	rc = key_lookup(id, false, NEED_WRITE, &ref);
	if (rc < 0)
		return rc;
	if (ref.key->type->is_ring)
		return -EOPNOTSUPP;
	rc = key_set_payload(ref.key, payload, n);
	if (rc == 0)
		ref.key->expiry = 0;
	return rc;
}

int64_t key_revoke(int id)
{
	struct key_ref ref;
	int rc;

	keys_collect();
	rc = key_lookup(id, false, NEED_WRITE, &ref);
	if (rc == -EACCES)
		rc = key_lookup(id, false, NEED_SETATTR, &ref);
	if (rc < 0)
		return rc;
	ref.key->revoked = true;
	ref.key->revoked_at = key_now();
	if (ref.key->type->is_ring) {
		ring_clear(ref.key);
	} else {
		kfree(ref.key->payload);
		key_set_quota(ref.key, (unsigned)strlen(ref.key->description) + 1);
		ref.key->payload = NULL;
		ref.key->size = 0;
	}
	key_will_die(ref.key);
	return 0;
}

int64_t key_invalidate(int id)
{
	struct key_ref ref;
	int rc;

	keys_collect();
	rc = key_lookup(id, false, NEED_SEARCH, &ref);
	if (rc < 0)
		return rc;
	ref.key->invalid = true;
	key_will_die(ref.key);
	keys_collect();
	return 0;
}

int64_t key_set_permissions(int id, uint32_t permissions)
{
	struct key_ref ref;
	int rc;

	if (permissions & ~(PERM_POSSESSOR(PERM_ALL) | PERM_USER(PERM_ALL) | PERM_GROUP(PERM_ALL) | PERM_ALL))
		return -EINVAL;
	keys_collect();
	rc = key_lookup(id, true, NEED_SETATTR, &ref);
	if (rc < 0)
		return rc;
	if (ref.key->uid != current->cred->fsuid && !capable(CAP_SYS_ADMIN))
		return -EACCES;
	ref.key->permissions = permissions;
	return 0;
}

int64_t key_chown(int id, uint32_t uid, uint32_t gid)
{
	struct key_ref ref;
	int rc;

	if (uid == ID_KEEP && gid == ID_KEEP)
		return 0;
	keys_collect();
	rc = key_lookup(id, true, NEED_SETATTR, &ref);
	if (rc < 0)
		return rc;
	if (!capable(CAP_SYS_ADMIN)) {
		if (uid != ID_KEEP && uid != ref.key->uid)
			return -EACCES;
		if (gid != ID_KEEP && gid != ref.key->gid && !cred_in_group(current->cred, gid))
			return -EACCES;
	}
	if (uid != ID_KEEP && uid != ref.key->uid)
		rc = key_give_to(ref.key, uid);
	if (rc == 0 && gid != ID_KEEP)
		ref.key->gid = gid;
	return rc;
}

int64_t key_set_timeout(int id, uint32_t seconds)
{
	struct key_ref ref;
	int rc;

	keys_collect();
	rc = key_lookup(id, true, NEED_SETATTR, &ref);
	if (rc < 0)
		return rc;
	ref.key->expiry = seconds ? key_now() + seconds : 0;
	key_will_die(ref.key);
	return 0;
}

int64_t key_may_view(int id)
{
	struct key_ref ref;

	keys_collect();
	return key_lookup(id, false, NEED_VIEW, &ref);
}

/* ---- what they hold ---- */

int64_t key_describe(int id, char **text)
{
	struct key_ref ref;
	size_t size;
	int rc;

	*text = NULL;
	keys_collect();
	rc = key_lookup(id, false, NEED_VIEW, &ref);
	if (rc < 0)
		return rc;
	size = KEY_TYPE_MAX + 40 + strlen(ref.key->description); /* three numbers with their semicolons */
	*text = kmalloc(size);
	if (!*text)
		return -ENOMEM;
	return snprintf(*text, size, "%s;%d;%d;%08x;%s", ref.key->type->name, (int)uid_to_user(ref.key->uid),
		(int)gid_to_user(ref.key->gid), ref.key->permissions, ref.key->description) + 1;
}

int64_t key_read(int id, char **text)
{
	struct key_ref ref;
	size_t n;
	int rc;

	*text = NULL;
	keys_collect();
	if (key_lookup(id, false, NEED_NOTHING, &ref) < 0)
		return -ENOKEY;
	/* Who possesses a key may read it, if only it can be found. */
	if (key_permission(ref.key, ref.possessed, NEED_READ) && !ref.possessed)
		return -EACCES;
	if (!ref.key->type->readable)
		return -EOPNOTSUPP;
	rc = key_validate(ref.key);
	if (rc < 0)
		return rc;
	n = ref.key->type->is_ring ? ref.key->count * sizeof(int) : ref.key->size;
	if (n == 0)
		return 0;
	*text = kmalloc(n);
	if (!*text)
		return -ENOMEM;
	if (!ref.key->type->is_ring) {
		memcpy(*text, ref.key->payload, n);
		return (int64_t)n;
	}
	for (unsigned i = 0; i < ref.key->count; i++)
		memcpy(*text + i * sizeof(int), &ref.key->links[i]->serial, sizeof(int));
	return (int64_t)n;
}
