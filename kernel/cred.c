/*
 * Credentials: copy, compare, and what execve does to ids and capabilities.
 *
 * A struct cred that is shared is never written: cred_copy(), edit, swap into the task
 * (syscalls/cred.c). credentials(7), capabilities(7).
 */
#include <linux/errno.h>
#include <linux/securebits.h>

#include "kernel/cred.h"
#include "kernel/mm.h"
#include "kernel/task.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"

void cred_get(struct cred *cred)
{
	cred->refs++;
}

void cred_put(struct cred *cred)
{
	if (--cred->refs)
		return;
	if (cred->groups && --cred->groups->refs == 0)
		kfree(cred->groups);
	if (cred->user_ns)
		ns_put(&cred->user_ns->ns);
	if (cred->replaced)
		cred_put(cred->replaced); /* one at most: that one had no no_new_privs */
	kfree(cred);
}

struct cred *cred_copy(const struct cred *cred)
{
	struct cred *copy = kmalloc(sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *cred;
	copy->refs = 1;
	copy->replaced = NULL;
	if (copy->groups)
		copy->groups->refs++;
	ns_get(&copy->user_ns->ns);
	return copy;
}

bool cred_capable(const struct cred *cred, int capability)
{
	return capability >= 0 && capability < 64 && (cred->cap_effective >> capability & 1);
}

bool capable(int capability)
{
	return !user_ns_parent(current->cred->user_ns) && cred_capable(current->cred, capability);
}

/* The capabilities of `cred` are among those of `old`, who may have made its namespace. */
static bool is_no_gain(const struct cred *cred, const struct cred *old)
{
	const struct user_ns *user = cred->user_ns;

	if (user == old->user_ns)
		return !(cred->cap_permitted & ~old->cap_permitted);
	for (; user_ns_parent(user); user = user_ns_parent(user)) {
		if (user_ns_parent(user) == old->user_ns && user->uid == old->euid)
			return true;
	}
	return false;
}

void cred_commit(struct cred *cred)
{
	struct cred *old = current->cred;

	keyrings_ids_changed(cred);
	if (cred->euid != old->euid || cred->egid != old->egid || cred->fsuid != old->fsuid || cred->fsgid != old->fsgid ||
		!is_no_gain(cred, old)) {
		if (current->mm)
			current->mm->dumpable = false;
		current->process->pdeath_signal = 0;
	}
	current->cred = cred;
	task_answers_changed();
	cred_put(old);
}

void cred_sort_groups(struct group_list *groups)
{
	uint32_t *gid = groups->gid;

	for (uint32_t gap = groups->count / 2; gap; gap /= 2) {
		for (uint32_t i = gap; i < groups->count; i++) {
			uint32_t moved = gid[i], at = i;

			for (; at >= gap && gid[at - gap] > moved; at -= gap)
				gid[at] = gid[at - gap];
			gid[at] = moved;
		}
	}
}

bool cred_in_group(const struct cred *cred, uint32_t gid)
{
	if (cred->fsgid == gid)
		return true;
	for (uint32_t i = 0; cred->groups && i < cred->groups->count; i++) {
		if (cred->groups->gid[i] == gid)
			return true;
	}
	return false;
}

static bool has_bit(const struct cred *cred, unsigned bit)
{
	return cred->securebits >> bit & 1;
}

/*
 * capabilities(7), "Transformation of capabilities during execve()": root's programs count as having all of them, unless
 * SECBIT_NOROOT, or the file has some of its own and is root's by its set-user-ID bit alone. *effective: they are at hand at once.
 */
static int exec_capabilities(struct cred *cred, const struct exec_ids *ids, bool set_id, bool *effective)
{
	uint32_t root = user_ns_root(cred->user_ns);
	bool root_file = root != ID_NONE && !has_bit(cred, SECURE_NOROOT) && (cred->uid == root || (cred->euid == root && !ids->caps));
	uint64_t permitted = 0;

	*effective = false;
	if (ids->caps) {
		permitted = (cred->cap_bounding & ids->caps_permitted) | (cred->cap_inheritable & ids->caps_inheritable);
		*effective = ids->caps_effective;
		if (*effective && ids->caps_permitted & ~permitted)
			return -EPERM;
	}
	if (set_id || ids->caps)
		cred->cap_ambient = 0;
	if (root_file) {
		permitted = cred->cap_bounding | cred->cap_inheritable;
		*effective |= cred->euid == root;
	}
	permitted |= cred->cap_ambient;
	cred->cap_permitted = permitted;
	cred->cap_effective = *effective ? permitted : cred->cap_ambient;
	return 0;
}

int cred_prepare_exec(struct cred *cred, const struct exec_ids *ids, bool *secure)
{
	uint32_t old_euid = cred->euid, old_egid = cred->egid;
	bool effective;

	if (!cred->no_new_privs) {
		if (ids->setuid)
			cred->euid = ids->uid;
		if (ids->setgid)
			cred->egid = ids->gid;
	}
	bool set_id = cred->euid != old_euid || cred->egid != old_egid;
	cred->suid = cred->fsuid = cred->euid;
	cred->sgid = cred->fsgid = cred->egid;
	uint64_t old_permitted = cred->cap_permitted;
	int rc = exec_capabilities(cred, ids, set_id, &effective);
	if (rc)
		return rc;
	/* No new privileges: root's gain is limited to what the caller had. */
	if (cred->no_new_privs) {
		cred->cap_permitted &= old_permitted;
		cred->cap_effective &= old_permitted;
	}
	cred->securebits &= ~(1u << SECURE_KEEP_CAPS);
	*secure = cred->uid != cred->euid || cred->gid != cred->egid ||
		(cred->uid != user_ns_root(cred->user_ns) && (effective || cred->cap_permitted & ~cred->cap_ambient));
	return 0;
}
