/*
 * Keys and keyrings (keyrings(7), add_key(2), request_key(2), keyctl(2)).
 *
 * A key has a type, a description, an owner, four sets of permissions (possessor, user, group, others) and a payload; a keyring's
 * payload are links to keys. A key lives as long as something refers to it: a link, a task's own keyrings, those of a user.
 * Types are keyring, user and logon. There is no helper that makes keys on demand: what is not there is ENOKEY.
 *
 * Ids in keys are the container's (user_ns.h); quotas go by them. What a call takes from a program is
 * copied before it comes here, so nothing here sleeps.
 */
#ifndef KERNEL_KEYS_KEYS_H
#define KERNEL_KEYS_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEY_TYPE_MAX 32u                 /* a type's name, with its end */
#define KEY_DESCRIPTION_MAX 4096u        /* likewise */
#define KEY_PAYLOAD_MAX ((1u << 20) - 1) /* of add_key(2) */

/* /proc/sys/kernel/keys: Linux's defaults, which cannot be changed */
#define KEYS_MAX 200
#define KEYS_BYTES_MAX 20000
#define KEYS_ROOT_MAX 1000000
#define KEYS_ROOT_BYTES_MAX 25000000
#define KEYS_GC_DELAY 300 /* seconds a key that has expired or was revoked can still be seen */
#define KEYS_PERSISTENT_EXPIRY 259200

struct cred;
struct key;
struct task;
struct user_ns;

/* Of a task: its threads have each their own set, as Linux keeps them with credentials. */
struct task_keyrings {
	struct key *thread, *process, *session; /* referenced; or NULL */
	uint8_t request_default; /* KEY_REQKEY_DEFL_* */
};

/* A new task's, of the current one's: a session is shared, a process keyring by threads. 0 or -ENOMEM, -EDQUOT. */
int keyrings_fork(struct task *child, bool thread);
void keyrings_exec(struct task *task); /* the session stays */
void keyrings_drop(struct task *task); /* it is freed */
void keyrings_ids_changed(const struct cred *cred); /* the current task gets these credentials */
void keys_forget_ns(const struct user_ns *user);    /* it ends */

/* ---- calls: a serial number, another result, or -errno as their manual pages have it ---- */
int64_t key_add(const char *type, const char *description, const void *payload, size_t n, int ring);
int64_t key_request(const char *type, const char *description, int ring); /* ring 0: none */

int64_t key_get_keyring_id(int id, bool create);
int64_t key_join_session(const char *name); /* NULL: an anonymous one */
int64_t key_session_to_parent(void);
int64_t key_update(int id, const void *payload, size_t n);
int64_t key_revoke(int id);
int64_t key_invalidate(int id);
int64_t key_clear(int ring);
int64_t key_link(int id, int ring);
int64_t key_unlink(int id, int ring);
int64_t key_move(int id, int from, int to, uint64_t flags);
int64_t key_search(int ring, const char *type, const char *description, int destination);
int64_t key_set_permissions(int id, uint32_t permissions);
int64_t key_chown(int id, uint32_t uid, uint32_t gid); /* ids as in keys, or ID_KEEP */
int64_t key_set_timeout(int id, uint32_t seconds);
int64_t key_set_request_default(int which);
int64_t key_restrict(int ring, const char *type, bool restricted_by); /* type NULL: nothing may be linked any more */
int64_t key_get_persistent(uint32_t uid, int ring);                   /* ID_KEEP: the caller's */
int64_t key_may_view(int id); /* for its security label, which nobody gives: 0 */

/*
 * Description or content, as the program gets it, in *text (kfree; NULL if empty): its length, or -errno.
 */
int64_t key_describe(int id, char **text);
int64_t key_read(int id, char **text);

/* ---- /proc/keys, /proc/key-users ---- */
struct key_view {
	uint32_t serial, permissions;
	unsigned refs;
	bool revoked, invalid, in_quota;
	int64_t seconds; /* until it expires; INT64_MAX: never; negative: it has */
	uint32_t uid, gid; /* as the current task sees them */
	const char *type, *description; /* until the next call */
	bool is_ring;
	uint64_t count; /* links, or bytes */
};
/* The first key from `serial` on that the current task may view: false: no more. */
bool key_view_next(uint32_t serial, struct key_view *view);
struct key_user_view {
	uint32_t uid;
	unsigned keys, quota_keys, quota_bytes, max_keys, max_bytes;
};
/* The user after `uid` (-1: the first) by number. */
bool key_user_view_next(int64_t uid, struct key_user_view *view);

#endif
