/*
 * The tables of System V objects: keys, ids, permissions (sysvipc(7), ipc(5)). Nothing here sleeps.
 */
#include <linux/errno.h>
#include <linux/ipc.h>

#include "kernel/ipc.h"
#include "kernel/mm.h"
#include "kernel/task.h"
#include "kernel/user_ns.h"
#include "ring0/clock.h"
#include "ring0/lib.h"

#define FIRST_SLOTS 16u
#define SEQUENCES 32768u

int64_t ipc_now(void)
{
	return clock_realtime() / 1000000000;
}

void ipc_get(struct ipc_object *object)
{
	object->refs++;
}

void ipc_put(struct ipc_table *table, struct ipc_object *object)
{
	if (--object->refs == 0)
		table->free(object);
}

bool ipc_permits(const struct ipc_object *object, unsigned want)
{
	const struct cred *cred = current->cred;
	unsigned mode = object->mode;

	if (cred->euid == object->uid || cred->euid == object->cuid)
		mode >>= 6;
	else if (cred_in_group(cred, object->gid) || cred_in_group(cred, object->cgid))
		mode >>= 3;
	return (mode & want) == want || owner_capable(&object->ns->ns, CAP_IPC_OWNER);
}

bool ipc_owned(const struct ipc_object *object)
{
	uint32_t uid = current->cred->euid;

	return uid == object->uid || uid == object->cuid || owner_capable(&object->ns->ns, CAP_SYS_ADMIN);
}

int ipc_find_key(struct ipc_table *table, int key, int flags, struct ipc_object **object)
{
	*object = NULL;
	for (unsigned i = 0; key != IPC_PRIVATE && i < table->size; i++) {
		struct ipc_object *at = table->slots[i];

		if (at && at->key == key && at->ns == current->ns->ipc)
			*object = at;
	}
	if (!*object)
		return key == IPC_PRIVATE || (flags & IPC_CREAT) ? 0 : -ENOENT;
	if ((flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL))
		return -EEXIST;
	unsigned want = ((unsigned)flags >> 6 | (unsigned)flags >> 3 | (unsigned)flags) & 6;
	return ipc_permits(*object, want) ? (*object)->id : -EACCES;
}

static int grow(struct ipc_table *table)
{
	unsigned size = table->size ? table->size * 2 : FIRST_SLOTS;
	struct ipc_object **slots = krealloc(table->slots, size * sizeof(struct ipc_object *));

	if (!slots)
		return -ENOMEM;
	memset(slots + table->size, 0, (size - table->size) * sizeof(struct ipc_object *));
	table->slots = slots;
	table->size = size;
	return 0;
}

int ipc_insert(struct ipc_table *table, struct ipc_object *object, int key, int flags, uint64_t limit)
{
	const struct cred *cred = current->cred;
	unsigned slot = 0;

	if (ipc_count(table) >= limit)
		return -ENOSPC;
	while (slot < table->size && table->slots[slot])
		slot++;
	if (slot == IPC_SLOTS)
		return -ENOSPC;
	if (slot == table->size && grow(table))
		return -ENOMEM;
	object->refs = 1;
	object->id = (int)(table->sequence++ % SEQUENCES * IPC_SLOTS + slot);
	object->key = key;
	object->uid = object->cuid = cred->euid;
	object->gid = object->cgid = cred->egid;
	object->mode = (unsigned)flags & 0777;
	object->ns = current->ns->ipc;
	object->ctime = ipc_now();
	table->slots[slot] = object;
	table->used++;
	return object->id;
}

struct ipc_object *ipc_at(const struct ipc_table *table, int slot)
{
	struct ipc_object *object = slot >= 0 && (unsigned)slot < table->size ? table->slots[slot] : NULL;

	return object && object->ns == current->ns->ipc ? object : NULL;
}

struct ipc_object *ipc_find(const struct ipc_table *table, int id)
{
	struct ipc_object *object = id < 0 ? NULL : ipc_at(table, (int)((unsigned)id % IPC_SLOTS));

	return object && object->id == id ? object : NULL;
}

void ipc_remove(struct ipc_table *table, struct ipc_object *object)
{
	object->removed = true;
	table->slots[(unsigned)object->id % IPC_SLOTS] = NULL;
	table->used--;
	ipc_put(table, object);
}

void ipc_fill_perm(const struct ipc_object *object, struct ipc64_perm *perm)
{
	perm->key = object->key;
	perm->uid = uid_to_user(object->uid);
	perm->gid = gid_to_user(object->gid);
	perm->cuid = uid_to_user(object->cuid);
	perm->cgid = gid_to_user(object->cgid);
	perm->mode = (__kernel_mode_t)object->mode;
	perm->seq = (unsigned short)((unsigned)object->id / IPC_SLOTS);
}

int ipc_set_perm(struct ipc_object *object, const struct ipc64_perm *perm)
{
	uint32_t uid = uid_from_user(perm->uid), gid = gid_from_user(perm->gid);

	if (uid == ID_NONE || gid == ID_NONE)
		return -EINVAL;
	object->uid = uid;
	object->gid = gid;
	object->mode = (object->mode & ~0777u) | (perm->mode & 0777);
	object->ctime = ipc_now();
	return 0;
}

int ipc_highest(const struct ipc_table *table)
{
	int highest = 0;

	for (unsigned i = 0; i < table->size; i++) {
		if (ipc_at(table, (int)i))
			highest = (int)i;
	}
	return highest;
}

unsigned ipc_count(const struct ipc_table *table)
{
	unsigned count = 0;

	for (unsigned i = 0; i < table->size; i++)
		count += ipc_at(table, (int)i) != NULL;
	return count;
}

void ipc_remove_all(struct ipc_table *table, const struct ipc_ns *ns)
{
	for (unsigned i = 0; i < table->size; i++) {
		if (table->slots[i] && table->slots[i]->ns == ns)
			ipc_remove(table, table->slots[i]);
	}
}
