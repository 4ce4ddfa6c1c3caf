/*
 * Credentials: user and group ids, supplementary groups, capabilities (credentials(7),
 * capabilities(7)). Immutable once shared: a change copies, edits and swaps.
 */
#ifndef KERNEL_CRED_H
#define KERNEL_CRED_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>

#define CRED_MAX_GROUPS 65536

struct group_list {
	uint32_t refs, count;
	uint32_t gid[];
};

struct user_ns; /* kernel/user_ns.h */

struct cred {
	uint32_t refs;
	struct user_ns *user_ns; /* referenced: where its capabilities count */
	uint32_t uid, gid, euid, egid, suid, sgid, fsuid, fsgid;
	struct group_list *groups; /* may be NULL: none */
	uint64_t cap_effective, cap_permitted, cap_inheritable, cap_bounding, cap_ambient;
	uint32_t securebits;
	bool no_new_privs;
	struct cred *replaced; /* whose reference it keeps: what another thread put it in the place of */
};

void cred_get(struct cred *cred);
void cred_put(struct cred *cred);
struct cred *cred_copy(const struct cred *cred); /* one reference; NULL: no memory */
/* Makes cred the current task's; takes over the reference. Who became somebody else is looked into no longer (PR_SET_DUMPABLE). */
void cred_commit(struct cred *cred);
bool cred_capable(const struct cred *cred, int capability); /* effective, in its own user namespace; others: kernel/user_ns.h */
bool capable(int capability);                               /* current task, over what belongs to its container as a whole */
void cred_sort_groups(struct group_list *groups); /* as getgroups(2) shows them */
bool cred_in_group(const struct cred *cred, uint32_t gid);  /* fsgid or supplementary */
/* What execve does to ids and capabilities; file_* describe set-id bits (0: not set-id). */
struct exec_ids {
	bool setuid, setgid;
	uint32_t uid, gid;
	bool caps, caps_effective; /* it has capabilities of its own */
	uint64_t caps_permitted, caps_inheritable;
};
#define CAP_ALL ((1ull << (CAP_LAST_CAP + 1)) - 1)
/* -EPERM: a program that knows nothing of capabilities does not get all that its file says. */
int cred_prepare_exec(struct cred *cred, const struct exec_ids *ids, bool *secure);

#endif
