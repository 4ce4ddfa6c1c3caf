/*
 * Between the files of kernel/keys.
 *
 * Invariants: a key is in the tree by its number from key_create() until its last reference goes; `refs` counts links, tasks'
 * and users' keyrings and whoever works with it now; a keyring's `quota` follows its number of links.
 */
#ifndef KERNEL_KEYS_INTERNAL_H
#define KERNEL_KEYS_INTERNAL_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <linux/errno.h>
#include <linux/keyctl.h>

#include "kernel/keys/keys.h"
#include "kernel/mm.h"
#include "ring0/lib.h"

/* What is asked of a key; also the bits of one set of permissions. */
#define NEED_NOTHING 0u
#define NEED_VIEW 1u
#define NEED_READ 2u
#define NEED_WRITE 4u
#define NEED_SEARCH 8u
#define NEED_LINK 0x10u
#define NEED_SETATTR 0x20u
#define PERM_ALL 0x3fu
#define PERM_POSSESSOR(bits) ((uint32_t)(bits) << 24)
#define PERM_USER(bits) ((uint32_t)(bits) << 16)
#define PERM_GROUP(bits) ((uint32_t)(bits) << 8)

#define LINK_BYTES 4u /* of quota */
#define RING_DEPTH 6u /* of keyrings below the one that is searched */

struct key_type {
	const char *name;
	bool is_ring, readable;
};
extern const struct key_type key_type_keyring;
const struct key_type *key_type_find(const char *name); /* NULL: no such */

/* A user's share. */
struct key_user {
	LIST_ENTRY(key_user) link; /* by uid */
	uint32_t uid;
	unsigned keys, quota_keys, quota_bytes;
};

enum key_quota { QUOTA_NONE, QUOTA_KEEP, QUOTA_OVERRUN /* counted, never refused */ };

struct key {
	RB_ENTRY(key) node;
	int serial; /* positive */
	unsigned refs;
	const struct key_type *type;
	struct key_user *user;
	const struct user_ns *ns; /* where a keyring's name is found; NULL: nowhere, or that one has ended. Not referenced */
	uint32_t uid, gid, permissions;
	int64_t expiry;     /* seconds since 1970; 0: never */
	int64_t revoked_at; /* likewise */
	bool revoked, invalid, in_quota, of_user /* a user's default keyring */;
	bool closed;        /* a keyring that takes no further links */
	unsigned quota;     /* bytes of the user's */
	char *description;
	uint64_t search;    /* that saw it last, and how deep below the start */
	unsigned depth;
	union {
		struct {
			char *payload;
			unsigned size;
		};
		struct {
			struct key **links;
			unsigned count, room;
		};
	};
	struct key *doomed; /* the next to be freed */
};

struct key_ref {
	struct key *key;
	bool possessed;
};

/* key.c */
RB_HEAD(key_tree, key);
RB_PROTOTYPE(key_tree, key, node, key_compare)
extern struct key_tree all_keys;
int64_t key_now(void); /* seconds since 1970 */
/* One reference; not linked anywhere. NULL with *error: -EINVAL (the description), -EDQUOT, -ENOMEM. */
struct key *key_create(const struct key_type *type, const char *description, uint32_t uid, uint32_t gid, uint32_t permissions,
	enum key_quota quota, int *error);
void key_get(struct key *key);
void key_put(struct key *key);
struct key *key_by_serial(int serial);
int key_validate(const struct key *key); /* 0, -ENOKEY, -EKEYREVOKED, -EKEYEXPIRED */
int key_permission(const struct key *key, bool possessed, uint32_t need); /* 0, -EACCES */
/* Its quota becomes so many bytes: 0 or -EDQUOT. */
int key_set_quota(struct key *key, unsigned bytes);
int key_set_payload(struct key *key, const void *payload, size_t n); /* 0, -EINVAL, -EDQUOT, -ENOMEM */
int key_give_to(struct key *key, uint32_t uid); /* with its quota: 0, -EDQUOT, -ENOMEM */
void key_will_die(const struct key *key); /* its end is nearer than it was */
void keys_collect(void); /* takes away links to what has been dead for long */

/* ring.c */
struct ring_search {
	const struct key_type *type; /* and description; or */
	const char *description;
	const struct key *wanted;    /* this one */
	bool any_state;              /* revoked and expired ones too */
	bool skip_expired;           /* without a word */
	/* to be filled by the search */
	uint64_t number;
	bool possessed;
	int error;                   /* -EAGAIN: nothing like it */
	struct key *found;
};
/* 0 with search->found, or -errno. The keyring needs NEED_SEARCH. */
int ring_search(struct key_ref ring, struct ring_search *search);
struct key *ring_find(const struct key *ring, const struct key_type *type, const char *description); /* linked right there */
bool ring_has(const struct key *ring, const struct key *key);
/* 0, -ENOTDIR, -EPERM (it is closed), -EDEADLK (a circle), -ELOOP, -EDQUOT, -ENOMEM. It displaces one of the same name. */
int ring_link(struct key *ring, struct key *key);
bool ring_unlink(struct key *ring, const struct key *key); /* was it there? */
void ring_clear(struct key *ring);

/* lookup.c */
/*
 * A key as a program names it: by number or KEY_SPEC_*, with the permission asked. References nothing: valid until a link
 * or a task's keyring goes. create: a keyring of the task's own is made if it is not there. 0 or -errno.
 */
int key_lookup(int id, bool create, uint32_t need, struct key_ref *ref);
/* Searches the task's thread, process and session keyrings: 0 with search->found, or -errno. */
int task_search(struct ring_search *search);
int user_keyrings(struct key **user, struct key **session); /* of the current user, made if need be; either may be NULL */
int thread_keyring_make(struct task *task); /* 0 if it has one */
int process_keyring_make(struct task *task);
struct key *persistent_keyring(uint32_t uid, int *error);

#endif
