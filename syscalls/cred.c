/*
 * Identities and capabilities (setuid(2), setresuid(2), setgroups(2), capset(2)).
 *
 * Each change copies the credentials, edits the copy and swaps it in: edit_begin(),
 * edit_end(). Ids are per thread here as in Linux; libc keeps threads alike.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/securebits.h>

#include "kernel/cred.h"
#include "kernel/mm.h"
#include "kernel/task.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/syscalls.h"

#define KEEP ID_KEEP
#define FS_CAPS                                                                                             \
	((1ull << CAP_CHOWN) | (1ull << CAP_DAC_OVERRIDE) | (1ull << CAP_DAC_READ_SEARCH) | (1ull << CAP_FOWNER) | \
		(1ull << CAP_FSETID) | (1ull << CAP_LINUX_IMMUTABLE) | (1ull << CAP_MKNOD) | (1ull << CAP_MAC_OVERRIDE))

int64_t sys_getuid(struct regs *regs)
{
	return uid_to_user(current->cred->uid);
}

int64_t sys_geteuid(struct regs *regs)
{
	return uid_to_user(current->cred->euid);
}

int64_t sys_getgid(struct regs *regs)
{
	return gid_to_user(current->cred->gid);
}

int64_t sys_getegid(struct regs *regs)
{
	return gid_to_user(current->cred->egid);
}

static bool wanted_ids(enum id_kind kind, struct regs *regs, uint32_t want[3])
{
	return id_wanted(kind, (uint32_t)ARG0(regs), &want[0]) && id_wanted(kind, (uint32_t)ARG1(regs), &want[1]) &&
		id_wanted(kind, (uint32_t)ARG2(regs), &want[2]);
}

static bool secure_bit(const struct cred *cred, unsigned bit)
{
	return cred->securebits >> bit & 1;
}

/* capabilities(7), "Effect of user ID changes on capabilities". */
static void fix_capabilities(struct cred *cred, const struct cred *old)
{
	uint32_t root = user_ns_root(old->user_ns);
	bool had_root = old->uid == root || old->euid == root || old->suid == root;
	bool has_root = cred->uid == root || cred->euid == root || cred->suid == root;

	if (secure_bit(cred, SECURE_NO_SETUID_FIXUP))
		return;
	if (had_root && !has_root) {
		if (!secure_bit(cred, SECURE_KEEP_CAPS))
			cred->cap_permitted = cred->cap_effective = 0;
		cred->cap_ambient = 0;
	}
	if (old->euid == root && cred->euid != root)
		cred->cap_effective = 0;
	if (old->euid != root && cred->euid == root)
		cred->cap_effective = cred->cap_permitted;
}

static bool one_of_uids(const struct cred *cred, uint32_t uid)
{
	return uid == cred->uid || uid == cred->euid || uid == cred->suid;
}

static bool one_of_gids(const struct cred *cred, uint32_t gid)
{
	return gid == cred->gid || gid == cred->egid || gid == cred->sgid;
}

int64_t sys_setuid(struct regs *regs)
{
	uint32_t uid = uid_from_user((uint32_t)ARG0(regs));
	const struct cred *old = current->cred;

	if (uid == ID_NONE)
		return -EINVAL;
	bool all = capable_here(CAP_SETUID);
	if (!all && uid != old->uid && uid != old->suid)
		return -EPERM;
	struct cred *cred = cred_copy(old);
	if (!cred)
		return -ENOMEM;
	if (all)
		cred->uid = cred->suid = uid;
	cred->euid = cred->fsuid = uid;
	fix_capabilities(cred, old);
	cred_commit(cred);
	return 0;
}

int64_t sys_setgid(struct regs *regs)
{
	uint32_t gid = gid_from_user((uint32_t)ARG0(regs));
	const struct cred *old = current->cred;

	if (gid == ID_NONE)
		return -EINVAL;
	bool all = capable_here(CAP_SETGID);
	if (!all && gid != old->gid && gid != old->sgid)
		return -EPERM;
	struct cred *cred = cred_copy(old);
	if (!cred)
		return -ENOMEM;
	if (all)
		cred->gid = cred->sgid = gid;
	cred->egid = cred->fsgid = gid;
	cred_commit(cred);
	return 0;
}

int64_t sys_setreuid(struct regs *regs)
{
	uint32_t ruid, euid;
	const struct cred *old = current->cred;

	if (!id_wanted(ID_UID, (uint32_t)ARG0(regs), &ruid) || !id_wanted(ID_UID, (uint32_t)ARG1(regs), &euid))
		return -EINVAL;
	if (!capable_here(CAP_SETUID)) {
		if (ruid != KEEP && ruid != old->uid && ruid != old->euid)
			return -EPERM;
		if (euid != KEEP && !one_of_uids(old, euid))
			return -EPERM;
	}
	struct cred *cred = cred_copy(old);
	if (!cred)
		return -ENOMEM;
	if (ruid != KEEP)
		cred->uid = ruid;
	if (euid != KEEP)
		cred->euid = euid;
	if (ruid != KEEP || (euid != KEEP && euid != old->uid))
		cred->suid = cred->euid;
	cred->fsuid = cred->euid;
	fix_capabilities(cred, old);
	cred_commit(cred);
	return 0;
}

int64_t sys_setregid(struct regs *regs)
{
	uint32_t rgid, egid;
	const struct cred *old = current->cred;

	if (!id_wanted(ID_GID, (uint32_t)ARG0(regs), &rgid) || !id_wanted(ID_GID, (uint32_t)ARG1(regs), &egid))
		return -EINVAL;
	if (!capable_here(CAP_SETGID)) {
		if (rgid != KEEP && rgid != old->gid && rgid != old->egid)
			return -EPERM;
		if (egid != KEEP && !one_of_gids(old, egid))
			return -EPERM;
	}
	struct cred *cred = cred_copy(old);
	if (!cred)
		return -ENOMEM;
	if (rgid != KEEP)
		cred->gid = rgid;
	if (egid != KEEP)
		cred->egid = egid;
	if (rgid != KEEP || (egid != KEEP && egid != old->gid))
		cred->sgid = cred->egid;
	cred->fsgid = cred->egid;
	cred_commit(cred);
	return 0;
}

int64_t sys_setresuid(struct regs *regs)
{
	const struct cred *old = current->cred;
	uint32_t want[3];

	if (!wanted_ids(ID_UID, regs, want))
		return -EINVAL;
	for (int i = 0; i < 3 && !capable_here(CAP_SETUID); i++) {
		if (want[i] != KEEP && !one_of_uids(old, want[i]))
			return -EPERM;
	}
	struct cred *cred = cred_copy(old);
	if (!cred)
		return -ENOMEM;
	if (want[0] != KEEP)
		cred->uid = want[0];
	if (want[1] != KEEP)
		cred->euid = want[1];
	if (want[2] != KEEP)
		cred->suid = want[2];
	cred->fsuid = cred->euid;
	fix_capabilities(cred, old);
	cred_commit(cred);
	return 0;
}

int64_t sys_setresgid(struct regs *regs)
{
	const struct cred *old = current->cred;
	uint32_t want[3];

	if (!wanted_ids(ID_GID, regs, want))
		return -EINVAL;
	for (int i = 0; i < 3 && !capable_here(CAP_SETGID); i++) {
		if (want[i] != KEEP && !one_of_gids(old, want[i]))
			return -EPERM;
	}
	struct cred *cred = cred_copy(old);
	if (!cred)
		return -ENOMEM;
	if (want[0] != KEEP)
		cred->gid = want[0];
	if (want[1] != KEEP)
		cred->egid = want[1];
	if (want[2] != KEEP)
		cred->sgid = want[2];
	cred->fsgid = cred->egid;
	cred_commit(cred);
	return 0;
}

static int put_three(struct regs *regs, uint32_t a, uint32_t b, uint32_t c)
{
	if (put_user(a, PTR0(regs)) || put_user(b, PTR1(regs)) || put_user(c, PTR2(regs)))
		return -EFAULT;
	return 0;
}

int64_t sys_getresuid(struct regs *regs)
{
	const struct cred *cred = current->cred;

	return put_three(regs, uid_to_user(cred->uid), uid_to_user(cred->euid), uid_to_user(cred->suid));
}

int64_t sys_getresgid(struct regs *regs)
{
	const struct cred *cred = current->cred;

	return put_three(regs, gid_to_user(cred->gid), gid_to_user(cred->egid), gid_to_user(cred->sgid));
}

/* Both answer with the old id, whether they changed it or not. */
int64_t sys_setfsuid(struct regs *regs)
{
	uint32_t uid = uid_from_user((uint32_t)ARG0(regs));
	const struct cred *old = current->cred;
	uint32_t before = uid_to_user(old->fsuid);

	if (uid == ID_NONE || (!one_of_uids(old, uid) && uid != old->fsuid && !capable_here(CAP_SETUID)) || uid == old->fsuid)
		return before;
	struct cred *cred = cred_copy(old);
	if (!cred)
		return before;
	cred->fsuid = uid;
	if (!secure_bit(cred, SECURE_NO_SETUID_FIXUP)) {
		uint32_t root = user_ns_root(old->user_ns);

		if (old->fsuid == root)
			cred->cap_effective &= ~FS_CAPS;
		if (uid == root)
			cred->cap_effective |= cred->cap_permitted & FS_CAPS;
	}
	cred_commit(cred);
	return before;
}

int64_t sys_setfsgid(struct regs *regs)
{
	uint32_t gid = gid_from_user((uint32_t)ARG0(regs));
	const struct cred *old = current->cred;
	uint32_t before = gid_to_user(old->fsgid);

	if (gid == ID_NONE || (!one_of_gids(old, gid) && gid != old->fsgid && !capable_here(CAP_SETGID)) || gid == old->fsgid)
		return before;
	struct cred *cred = cred_copy(old);
	if (!cred)
		return before;
	cred->fsgid = gid;
	cred_commit(cred);
	return before;
}

int64_t sys_getgroups(struct regs *regs)
{
	const struct group_list *groups = current->cred->groups;
	int count = groups ? (int)groups->count : 0;

	if (INT0(regs) < 0)
		return -EINVAL;
	if (INT0(regs) == 0 || !count)
		return count;
	if (INT0(regs) < count)
		return -EINVAL;
	/* The copy may sleep; another thread cannot free what our own credentials hold. */
	for (int i = 0; i < count; i++) {
		uint32_t gid = gid_to_user(groups->gid[i]);

		if (put_user(gid, uaddr_add(PTR1(regs), (uint64_t)i * sizeof(gid))))
			return -EFAULT;
	}
	return count;
}

int64_t sys_setgroups(struct regs *regs)
{
	int count = INT0(regs);
	struct group_list *groups = NULL;

	if (!may_set_groups())
		return -EPERM;
	if (count < 0 || count > CRED_MAX_GROUPS)
		return -EINVAL;
	if (count) {
		groups = kmalloc(sizeof(*groups) + (size_t)count * sizeof(uint32_t));
		if (!groups)
			return -ENOMEM;
		groups->refs = 1;
		groups->count = (uint32_t)count;
		if (copy_from_user(groups->gid, PTR1(regs), (size_t)count * sizeof(uint32_t))) {
			kfree(groups);
			return -EFAULT;
		}
	}
	for (int i = 0; i < count; i++) {
		groups->gid[i] = gid_from_user(groups->gid[i]);
		if (groups->gid[i] != ID_NONE)
			continue;
		kfree(groups);
		return -EINVAL;
	}
	if (groups)
		cred_sort_groups(groups);
	struct cred *cred = cred_copy(current->cred);
	if (!cred) {
		kfree(groups);
		return -ENOMEM;
	}
	if (cred->groups)
		cred->groups->refs--; /* the old credentials still hold one */
	cred->groups = groups;
	cred_commit(cred);
	return 0;
}

/* ---- capget, capset ---- */

struct cap_words {
	uint32_t effective, permitted, inheritable;
};

/* The header's version: how many words, or -EINVAL with the right version stored. */
static int cap_header(uaddr_t user, int *pid)
{
	struct __user_cap_header_struct header;
	uint32_t right = _LINUX_CAPABILITY_VERSION_3;

	if (get_user(header, user))
		return -EFAULT;
	*pid = header.pid;
	switch (header.version) {
	case _LINUX_CAPABILITY_VERSION_1:
		return 1;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		return 2;
	}
	if (put_user(right, user))
		return -EFAULT;
	return -EINVAL;
}

int64_t sys_capget(struct regs *regs)
{
	struct cap_words words[2];
	int pid, n = cap_header(PTR0(regs), &pid);

	if (n < 0)
		return n == -EINVAL && !ARG1(regs) ? 0 : n;
	if (pid < 0)
		return -EINVAL;
	const struct task *task = pid ? task_find(pid) : current;
	if (!task)
		return -ESRCH;
	const struct cred *cred = task->cred;
	for (int i = 0; i < 2; i++) {
		words[i].effective = (uint32_t)(cred->cap_effective >> 32 * i);
		words[i].permitted = (uint32_t)(cred->cap_permitted >> 32 * i);
		words[i].inheritable = (uint32_t)(cred->cap_inheritable >> 32 * i);
	}
	return ARG1(regs) ? copy_to_user(PTR1(regs), words, (size_t)n * sizeof(words[0])) : 0;
}

int64_t sys_capset(struct regs *regs)
{
	const uint64_t all = CAP_ALL;
	struct cap_words words[2] = {{0}};
	int pid, n = cap_header(PTR0(regs), &pid);

	if (n < 0)
		return n;
	if (pid != 0 && pid != current->vtid)
		return -EPERM;
	if (copy_from_user(words, PTR1(regs), (size_t)n * sizeof(words[0])))
		return -EFAULT;
	uint64_t effective = (words[0].effective | (uint64_t)words[1].effective << 32) & all;
	uint64_t permitted = (words[0].permitted | (uint64_t)words[1].permitted << 32) & all;
	uint64_t inheritable = (words[0].inheritable | (uint64_t)words[1].inheritable << 32) & all;
	const struct cred *old = current->cred;

	/* capabilities(7), "Programmatically adjusting capability sets". */
	if ((permitted & ~old->cap_permitted) || (effective & ~permitted))
		return -EPERM;
	if (!capable_here(CAP_SETPCAP) && (inheritable & ~(old->cap_inheritable | old->cap_permitted)))
		return -EPERM;
	if (inheritable & ~(old->cap_inheritable | old->cap_bounding))
		return -EPERM;
	struct cred *cred = cred_copy(old);
	if (!cred)
		return -ENOMEM;
	cred->cap_effective = effective;
	cred->cap_permitted = permitted;
	cred->cap_inheritable = inheritable;
	cred->cap_ambient &= permitted & inheritable;
	cred_commit(cred);
	return 0;
}
