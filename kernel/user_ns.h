/*
 * User namespaces (user_namespaces(7)): which ids a program may name, and over what its capabilities count.
 *
 * Inside the sandbox ids are those of the container everywhere (in credentials, inodes, messages); the gofer translates
 * a container's to the host's. A namespace that a program makes maps ids of its own to these: numbers from a program go
 * through uid_from_user() and gid_from_user(), numbers to it through uid_to_user() and gid_to_user(), and nowhere else.
 * A container's own namespace has no parent; containers with the same configured ids share one. Other namespaces belong to
 * the user namespace of their maker (struct ns, `owner`), and capabilities are asked relative to that.
 *
 * Nothing here sleeps, but for the memory of a written map.
 */
#ifndef KERNEL_USER_NS_H
#define KERNEL_USER_NS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/namespaces.h"

#define ID_NONE UINT32_MAX  /* nobody: what is in no mapping */
#define ID_KEEP UINT32_MAX  /* -1 in setresuid(2), chown(2) and their kin: leave it as it is */
#define ID_OVERFLOW 65534u  /* what programs see then */
#define USER_NS_LEVELS 32u  /* how deep the parent of a new one may be */
#define USER_NS_BELOW_MAX 16384u
#define ID_MAP_EXTENTS 340u

struct container_config;
struct cred;

struct id_extent {
	uint32_t first, lower, count; /* ids from first on are the sandbox' from lower on */
	uint32_t outside;             /* of a container's own namespace: what they are on the host */
};

struct id_map {
	unsigned count;
	struct id_extent *extents; /* NULL: nothing is mapped yet */
};

enum id_kind { ID_UID, ID_GID };

struct user_ns {
	struct ns ns; /* owner: the parent; NULL: a container's own */
	unsigned level;
	uint32_t uid, gid;         /* of its maker */
	struct id_map map[2];      /* by enum id_kind */
	bool setgroups_denied;     /* by /proc/PID/setgroups */
	bool maker_had_setfcap;
	bool configured;           /* the container's configuration maps ids */
	uint32_t below, below_max; /* namespaces made below it, and user.max_user_namespaces */
};

static inline struct user_ns *user_ns_parent(const struct user_ns *user)
{
	return user->ns.owner;
}

/* For a container. Referenced: one that is there with the same ids, or a new one. NULL: no memory. */
struct user_ns *user_ns_for_container(const struct container_config *config);
/*
 * A new one below that of `cred`, which the caller has copied and not shown to anybody: it becomes a member with all
 * capabilities. 0, -EPERM (its ids are in no mapping, or the current task's root is not its mounts'), -ENOSPC, -ENOMEM.
 */
int user_ns_enter_new(struct cred *cred);
/* setns(2) of the current task. 0, -EINVAL, -EPERM, -ENOMEM. */
int user_ns_join(struct user_ns *user);
void user_ns_destroy(struct ns *ns); /* its last reference has gone */

/* ---- ids ---- */
uint32_t id_in(const struct user_ns *user, enum id_kind kind, uint32_t id);       /* the sandbox' id of a namespace's; or ID_NONE */
uint32_t id_seen_from(const struct user_ns *user, enum id_kind kind, uint32_t id); /* and back; ID_NONE: it has no such */
const struct user_ns *user_ns_current(void);
uint32_t uid_from_user(uint32_t uid); /* in the current task's namespace; ID_NONE: no such */
uint32_t gid_from_user(uint32_t gid);
bool id_wanted(enum id_kind kind, uint32_t number, uint32_t *id); /* likewise, or ID_KEEP; false: no such */
uint32_t uid_to_user(uint32_t uid);   /* as the current task sees it; ID_OVERFLOW for one that it cannot */
uint32_t gid_to_user(uint32_t gid);
uint32_t uid_seen_by(const struct cred *cred, uint32_t uid); /* as somebody else sees it */
uint32_t user_ns_root(const struct user_ns *user); /* the sandbox' uid of its user 0; ID_NONE: it has none */

/* ---- capabilities ---- */
bool cred_ns_capable(const struct cred *cred, const struct user_ns *user, int capability);
bool ns_capable(const struct user_ns *user, int capability); /* current task */
bool capable_here(int capability);                           /* in its own namespace */
bool owner_capable(const struct ns *ns, int capability);     /* over what belongs to a namespace of another kind */
bool net_capable(int capability);                            /* over the current network namespace */
bool user_ns_contains(const struct user_ns *outer, const struct user_ns *inner);
bool may_set_groups(void); /* setgroups(2) */

/* ---- /proc/PID/uid_map, gid_map and setgroups ---- */
/*
 * opener: whose descriptor it is. The text is zero-terminated, as written at once. n or -errno, as user_namespaces(7)
 * says.
 */
int64_t user_ns_write_map(struct user_ns *user, enum id_kind kind, const struct cred *opener, const char *text, size_t n);
int64_t user_ns_write_setgroups(struct user_ns *user, const char *text, size_t n);
/* Line `index` of a map as the opener sees it; false: there is none. */
bool user_ns_map_line(const struct user_ns *user, enum id_kind kind, const struct cred *opener, unsigned index,
	uint32_t line[3]);

#endif
