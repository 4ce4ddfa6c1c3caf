/*
 * The keyrings that a task and a user have, and what a number in a call stands for.
 *
 * A user's keyrings belong to a user namespace and last as long as it. A task possesses what its thread, process and session
 * keyrings lead to; where it has no session keyring the user's takes its place.
 */
#include <linux/sched.h>

#include "kernel/cred.h"
#include "kernel/keys/internal.h"
#include "kernel/task.h"
#include "kernel/user_ns.h"

#define NAME_SIZE 32u
#define ANCHORS_MAX 16384u /* users of all namespaces that ever asked for theirs */

/* Of a user in a user namespace. */
struct anchors {
	LIST_ENTRY(anchors) link;
	const struct user_ns *ns;
	uint32_t uid;
	struct key *user, *session, *persistent; /* referenced; NULL: not asked for yet */
};
static LIST_HEAD(, anchors) all_anchors = LIST_HEAD_INITIALIZER(all_anchors);

static unsigned anchor_count;

static struct anchors *anchors_of(uint32_t uid)
{
	struct anchors *anchors;

	LIST_FOREACH(anchors, &all_anchors, link)
		if (anchors->uid == uid && anchors->ns == user_ns_current())
			return anchors;
	anchors = anchor_count < ANCHORS_MAX ? kzalloc(sizeof(*anchors)) : NULL;
	if (!anchors)
		return NULL;
	anchor_count++;
	anchors->ns = user_ns_current();
	anchors->uid = uid;
	LIST_INSERT_HEAD(&all_anchors, anchors, link);
	return anchors;
}

static void put_and_forget(struct key **key)
{
	struct key *old = *key;

	*key = NULL;
	if (old)
		key_put(old);
}

void keys_forget_ns(const struct user_ns *user)
{
	struct anchors *anchors, *next;
	struct key *key;

	LIST_FOREACH_SAFE(anchors, &all_anchors, link, next) {
		if (anchors->ns != user)
			continue;
		LIST_REMOVE(anchors, link);
		anchor_count--;
		put_and_forget(&anchors->user);
		put_and_forget(&anchors->session);
		put_and_forget(&anchors->persistent);
		kfree(anchors);
	}
	RB_FOREACH(key, key_tree, &all_keys)
		if (key->ns == user)
			key->ns = NULL;
}

/* "_uid.1000": the number as the namespace has it. */
static struct key *make_named(const char *prefix, uint32_t uid, uint32_t permissions, enum key_quota quota, int *error)
{
	char name[NAME_SIZE];

	snprintf(name, sizeof(name), "%s%u", prefix, uid_to_user(uid));
	return key_create(&key_type_keyring, name, uid, ID_NONE, permissions, quota, error);
}

int user_keyrings(struct key **user, struct key **session)
{
	const uint32_t permissions = PERM_POSSESSOR(PERM_ALL & ~NEED_SETATTR) | PERM_USER(PERM_ALL);
	struct anchors *anchors = anchors_of(current->cred->uid);
	int rc = -ENOMEM;

	if (!anchors)
		return rc;
	if (!anchors->user) {
		anchors->user = make_named("_uid.", anchors->uid, permissions, QUOTA_KEEP, &rc);
		if (!anchors->user)
			return rc;
		anchors->user->of_user = true;
	}
	if (!anchors->session) {
		struct key *made = make_named("_uid_ses.", anchors->uid, permissions, QUOTA_KEEP, &rc);

		if (!made)
			return rc;
		rc = ring_link(made, anchors->user);
		if (rc < 0) {
			key_put(made);
			return rc;
		}
		made->of_user = true;
		anchors->session = made;
	}
	if (user)
		*user = anchors->user;
	if (session)
		*session = anchors->session;
	return 0;
}

struct key *persistent_keyring(uint32_t uid, int *error)
{
	struct anchors *anchors = anchors_of(uid);

	*error = -ENOMEM;
	if (!anchors)
		return NULL;
	if (anchors->persistent && key_validate(anchors->persistent))
		put_and_forget(&anchors->persistent);
	if (!anchors->persistent)
		anchors->persistent = make_named("_persistent.", uid,
			PERM_POSSESSOR(PERM_ALL & ~NEED_SETATTR) | PERM_USER(NEED_VIEW | NEED_READ), QUOTA_NONE, error);
	return anchors->persistent;
}

static int make_own(struct key **where, const char *name, const struct cred *cred)
{
	int rc = 0;

	if (!*where)
		*where = key_create(&key_type_keyring, name, cred->uid, cred->gid,
			PERM_POSSESSOR(PERM_ALL) | PERM_USER(NEED_VIEW), QUOTA_OVERRUN, &rc);
	return *where ? 0 : rc;
}

int thread_keyring_make(struct task *task)
{
	return make_own(&task->keyrings.thread, "_tid", current->cred);
}

int process_keyring_make(struct task *task)
{
	return make_own(&task->keyrings.process, "_pid", current->cred);
}

/* ---- a task's life ---- */

int keyrings_fork(struct task *child, bool thread)
{
	const struct task_keyrings *from = &current->keyrings;
	struct task_keyrings *to = &child->keyrings;

	to->request_default = from->request_default;
	to->session = from->session;
	if (to->session)
		key_get(to->session);
	if (!thread)
		return 0;
	to->process = from->process;
	if (to->process)
		key_get(to->process);
	return from->thread ? thread_keyring_make(child) : 0;
}

void keyrings_exec(struct task *task)
{
	put_and_forget(&task->keyrings.thread);
	put_and_forget(&task->keyrings.process);
}

void keyrings_drop(struct task *task)
{
	keyrings_exec(task);
	put_and_forget(&task->keyrings.session);
}

void keyrings_ids_changed(const struct cred *cred)
{
	struct key *thread = current->keyrings.thread;

	if (!thread)
		return;
	thread->uid = cred->fsuid;
	thread->gid = cred->fsgid;
}

/* ---- names ---- */

/* The task's session keyring, or that of its user where it has none. NULL: that one was never asked for. */
static struct key *session_keyring(void)
{
	const struct anchors *anchors;

	if (current->keyrings.session)
		return current->keyrings.session;
	LIST_FOREACH(anchors, &all_anchors, link)
		if (anchors->uid == current->cred->uid && anchors->ns == user_ns_current())
			return anchors->session;
	return NULL;
}

int task_search(struct ring_search *search)
{
	struct key *const rings[] = {current->keyrings.thread, current->keyrings.process, session_keyring()};
	int rc = -EACCES, other = -EAGAIN;
	bool searched = false;

	for (unsigned i = 0; i < ARRAY_SIZE(rings); i++) {
		int error = rings[i] ? ring_search((struct key_ref){rings[i], true}, search) : -ENOENT;

		if (error == 0)
			return 0;
		if (error == -EAGAIN)
			searched = true;
		else if (error != -ENOENT)
			other = error;
	}
	/* What was found and may not be had tells more than that there is nothing. */
	if (searched)
		rc = -EAGAIN;
	return other == -EACCES ? rc : other;
}

/* A session keyring of the task's own where it has none, or only the user's and wants to add to it. */
static int need_session(bool create)
{
	struct task_keyrings *own = &current->keyrings;
	struct key *session;
	int rc;

	if (own->session && !(own->session->of_user && create))
		return 0;
	if (create) {
		int64_t serial = key_join_session(NULL);

		return serial < 0 ? (int)serial : 0;
	}
	rc = user_keyrings(NULL, &session);
	if (rc < 0)
		return rc;
	key_get(session);
	own->session = session;
	return 0;
}

/* One of the KEY_SPEC_* */
static int find_special(int id, bool create, struct key **key)
{
	int rc = 0;

	switch (id) {
	case KEY_SPEC_THREAD_KEYRING:
		rc = create ? thread_keyring_make(current) : 0;
		*key = current->keyrings.thread;
		break;
	case KEY_SPEC_PROCESS_KEYRING:
		rc = create ? process_keyring_make(current) : 0;
		*key = current->keyrings.process;
		break;
	case KEY_SPEC_SESSION_KEYRING:
		rc = need_session(create);
		*key = current->keyrings.session;
		break;
	case KEY_SPEC_USER_KEYRING:
		return user_keyrings(key, NULL);
	case KEY_SPEC_USER_SESSION_KEYRING:
		return user_keyrings(NULL, key);
	case KEY_SPEC_REQKEY_AUTH_KEY:
	case KEY_SPEC_REQUESTOR_KEYRING:
		return -ENOKEY; /* nobody is asked to make keys */
	default:
		return -EINVAL;
	}
	return rc < 0 ? rc : *key ? 0 : -ENOKEY;
}

int key_lookup(int id, bool create, uint32_t need, struct key_ref *ref)
{
	int rc;

	*ref = (struct key_ref){.possessed = true};
	if (id > 0) {
		struct ring_search search = {.any_state = true};

		ref->key = key_by_serial(id);
		if (!ref->key)
			return -ENOKEY;
		search.wanted = ref->key;
		ref->possessed = task_search(&search) == 0;
	} else {
		rc = find_special(id, create, &ref->key);
		if (rc < 0)
			return rc;
	}
	if (need == NEED_NOTHING)
		return 0;
	rc = key_validate(ref->key);
	return rc < 0 ? rc : key_permission(ref->key, ref->possessed, need);
}
