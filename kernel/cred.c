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
	kfree(cred);
}

struct cred *cred_copy(const struct cred *cred)
{
	struct cred *copy = kmalloc(sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *cred;
	copy->refs = 1;
	if (copy->groups)
		copy->groups->refs++;
	return copy;
}

bool cred_capable(const struct cred *cred, int capability)
{
	return capability >= 0 && capability < 64 && (cred->cap_effective >> capability & 1);
}

bool capable(int capability)
{
	return cred_capable(current->cred, capability);
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
 * capabilities(7), "Transformation of capabilities during execve()", for files without capabilities of their own:
 * root's programs count as having all of them, unless SECBIT_NOROOT.
 */
static void exec_capabilities(struct cred *cred, bool set_id)
{
	bool root_file = !has_bit(cred, SECURE_NOROOT) && (cred->uid == 0 || cred->euid == 0);
	bool root_effective = !has_bit(cred, SECURE_NOROOT) && cred->euid == 0;
	uint64_t permitted = 0;

	if (set_id)
		cred->cap_ambient = 0;
	if (root_file)
		permitted = cred->cap_bounding | cred->cap_inheritable;
	permitted |= cred->cap_ambient;
	cred->cap_permitted = permitted;
	cred->cap_effective = root_effective ? permitted : cred->cap_ambient;
}

int cred_prepare_exec(struct cred *cred, const struct exec_ids *ids, bool *secure)
{
	uint32_t old_euid = cred->euid, old_egid = cred->egid;

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
	exec_capabilities(cred, set_id);
	/* No new privileges: root's gain is limited to what the caller had. */
	if (cred->no_new_privs) {
		cred->cap_permitted &= old_permitted;
		cred->cap_effective &= old_permitted;
	}
	cred->securebits &= ~(1u << SECURE_KEEP_CAPS);
	*secure = cred->uid != cred->euid || cred->gid != cred->egid ||
		(cred->uid != 0 && (cred->cap_effective & ~cred->cap_ambient));
	return 0;
}
