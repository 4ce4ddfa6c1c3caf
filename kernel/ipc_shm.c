/*
 * System V shared memory segments: shared-memory objects with a key, an owner and a mode.
 *
 * A segment embeds its vm_object; the table holds one reference to it until IPC_RMID, each
 * mapping another. When the last goes, the object's release forgets the segment: so a
 * removed segment lives exactly as long as it is attached. The number of attachments is
 * the number of areas that map it.
 */
#include <asm/shmbuf.h>
#include <linux/errno.h>
#include <linux/ipc.h>
#include <linux/mman.h>
#include <linux/shm.h>

#include "kernel/ipc.h"
#include "kernel/ipc_shm.h"
#include "kernel/mm/internal.h"
#include "kernel/namespaces.h"
#include "kernel/sysctl.h"
#include "kernel/task.h"
#include "kernel/user_ns.h"
#include "ring0/clock.h"

#define SHM_MAX_SEGMENTS 4096u
#define SHM_DEST_FLAG 01000
#define SHM_LOCKED_FLAG 02000
#define NS 1000000000ll

struct segment {
	struct vm_object object;
	int id, key;
	uint64_t size; /* as asked for */
	uint32_t uid, gid, cuid, cgid;
	unsigned mode; /* permissions and SHM_DEST, SHM_LOCKED */
	int64_t atime, dtime, ctime;
	int cpid, lpid;
	struct ipc_ns *ns; /* its segments end with it */
	char name[16]; /* "/SYSV" and the key */
};

static struct segment *table[SHM_MAX_SEGMENTS];
static unsigned highest, sequence;

static void segment_release(struct vm_object *object)
{
	struct segment *segment = container_of(object, struct segment, object);

	table[(unsigned)segment->id % SHM_MAX_SEGMENTS] = NULL;
	kfree(segment);
}

static const struct vm_object_ops segment_ops = {.release = segment_release};

static struct segment *segment_find(int id)
{
	struct segment *segment = id < 0 ? NULL : table[(unsigned)id % SHM_MAX_SEGMENTS];

	return segment && segment->id == id && segment->ns == current->ns->ipc ? segment : NULL;
}

static uint64_t segment_attached(const struct segment *segment)
{
	const struct vma *vma;
	uint64_t count = 0;

	TAILQ_FOREACH(vma, &segment->object.vmas, object_link)
		count++;
	return count;
}

/* want: permission bits of one class (4 read, 2 write). */
static bool segment_permits(const struct segment *segment, unsigned want)
{
	const struct cred *cred = current->cred;
	unsigned mode = segment->mode;

	if (cred->euid == segment->uid || cred->euid == segment->cuid)
		mode >>= 6;
	else if (cred_in_group(cred, segment->gid) || cred_in_group(cred, segment->cgid))
		mode >>= 3;
	return (mode & want) == want || owner_capable(&segment->ns->ns, CAP_IPC_OWNER);
}

/* Within shmmni and shmall of the namespace? */
static bool room_for(uint64_t pages)
{
	uint64_t count = 1;

	for (unsigned i = 0; i <= highest; i++) {
		if (!table[i] || table[i]->ns != current->ns->ipc)
			continue;
		count++;
		pages += table[i]->object.size >> PAGE_SHIFT;
	}
	return count <= sysctls.shmmni && pages <= sysctls.shmall;
}

static int64_t segment_create(int key, uint64_t size, int flags)
{
	const struct cred *cred = current->cred;
	struct segment *segment;
	unsigned slot = 0;

	if (size == 0 || size > sysctls.shmmax)
		return -EINVAL;
	while (slot < SHM_MAX_SEGMENTS && table[slot])
		slot++;
	if (slot == SHM_MAX_SEGMENTS || !room_for(PAGE_ALIGN(size) >> PAGE_SHIFT))
		return -ENOSPC;
	segment = kzalloc(sizeof(*segment));
	if (!segment)
		return -ENOMEM;
	object_init(&segment->object, &segment_ops, PAGE_ALIGN(size));
	segment->object.shmem = true;
	segment->id = (int)((sequence++ % 32768) * SHM_MAX_SEGMENTS + slot);
	segment->key = key;
	segment->size = size;
	segment->uid = segment->cuid = cred->euid;
	segment->gid = segment->cgid = cred->egid;
	segment->mode = (unsigned)flags & 0777;
	segment->ctime = clock_realtime() / NS;
	segment->cpid = current->process->pid;
	segment->ns = current->ns->ipc;
	snprintf(segment->name, sizeof(segment->name), "/SYSV%08x", (unsigned)key);
	table[slot] = segment;
	highest = MAX(highest, slot);
	return segment->id;
}

int64_t shm_get(int key, uint64_t size, int flags)
{
	struct segment *segment = NULL;

	if (flags & SHM_HUGETLB)
		return -ENOMEM;
	for (unsigned i = 0; key != IPC_PRIVATE && i <= highest; i++)
		if (table[i] && table[i]->ns == current->ns->ipc && table[i]->key == key && !(table[i]->mode & SHM_DEST_FLAG))
			segment = table[i];
	if (!segment)
		return key == IPC_PRIVATE || flags & IPC_CREAT ? segment_create(key, size, flags) : -ENOENT;
	if ((flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL))
		return -EEXIST;
	if (size > segment->size)
		return -EINVAL;
	unsigned want = ((unsigned)flags >> 6 | (unsigned)flags >> 3 | (unsigned)flags) & 6;

	return segment_permits(segment, want) ? segment->id : -EACCES;
}

int64_t shm_attach(int id, uint64_t address, int flags)
{
	unsigned prot = PROT_READ, map = MAP_SHARED;
	struct segment *segment = segment_find(id);
	struct vma *vma;
	int64_t at;

	if (!segment)
		return -EINVAL;
	if (address) {
		if (flags & SHM_RND)
			address &= PAGE_MASK;
		if (address & ~PAGE_MASK)
			return -EINVAL;
		map |= flags & SHM_REMAP ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	} else if (flags & SHM_REMAP) {
		return -EINVAL;
	}
	if (!(flags & SHM_RDONLY))
		prot |= PROT_WRITE;
	if (flags & SHM_EXEC)
		prot |= PROT_EXEC;
	if (!segment_permits(segment, flags & SHM_RDONLY ? 4 : 6))
		return -EACCES;
	at = mm_mmap(current->mm, address, segment->size, prot, map, NULL, &segment->object, 0);
	if (at < 0)
		return at == -EEXIST ? -EINVAL : at;
	segment = segment_find(id);
	vma = mm_find_vma(current->mm, (uint64_t)at);
	if (!segment || !vma || vma->object != &segment->object)
		return at; /* another thread took it away already */
	vma->name = segment->name;
	if (flags & SHM_RDONLY)
		vma->flags &= ~VM_MAYWRITE;
	segment->atime = clock_realtime() / NS;
	segment->lpid = current->process->pid;
	return at;
}

int64_t shm_detach(uint64_t address)
{
	struct vma *vma = mm_find_vma(current->mm, address);
	struct vm_object *object;
	struct segment *segment;
	uint64_t end;

	if (address & ~PAGE_MASK)
		return -EINVAL;
	/* The first area that belongs to an attachment at this address; parts of it may be gone. */
	while (vma && !(vma->object && vma->object->ops == &segment_ops && vma->start - vma->offset == address))
		vma = vma_next(vma);
	if (!vma)
		return -EINVAL;
	object = vma->object;
	segment = container_of(object, struct segment, object);
	segment->dtime = clock_realtime() / NS;
	segment->lpid = current->process->pid;
	end = address + PAGE_ALIGN(segment->size);
	while (vma && vma->start < end) {
		uint64_t start = vma->start, stop = vma->end;
		bool ours = vma->object == object && vma->start - vma->offset == address;

		if (ours && mm_munmap(current->mm, start, stop - start) < 0)
			return -ENOMEM;
		vma = mm_find_vma(current->mm, stop);
	}
	return 0;
}

static void segment_stat(const struct segment *segment, struct shmid64_ds *ds)
{
	memset(ds, 0, sizeof(*ds));
	ds->shm_perm.key = segment->key;
	ds->shm_perm.uid = uid_to_user(segment->uid);
	ds->shm_perm.gid = gid_to_user(segment->gid);
	ds->shm_perm.cuid = uid_to_user(segment->cuid);
	ds->shm_perm.cgid = gid_to_user(segment->cgid);
	ds->shm_perm.mode = (__kernel_mode_t)segment->mode;
	ds->shm_perm.seq = (unsigned short)((unsigned)segment->id / SHM_MAX_SEGMENTS);
	ds->shm_segsz = segment->size;
	ds->shm_atime = segment->atime;
	ds->shm_dtime = segment->dtime;
	ds->shm_ctime = segment->ctime;
	ds->shm_cpid = pid_vnr(segment->cpid);
	ds->shm_lpid = pid_vnr(segment->lpid);
	ds->shm_nattch = segment_attached(segment);
}

static int64_t shm_info_copy(int command, uaddr_t buffer)
{
	struct shminfo64 info;
	struct shm_info now;
	int rc;

	memset(&info, 0, sizeof(info));
	memset(&now, 0, sizeof(now));
	info.shmmax = sysctls.shmmax;
	info.shmmin = 1;
	info.shmmni = info.shmseg = sysctls.shmmni;
	info.shmall = sysctls.shmall;
	for (unsigned i = 0; i <= highest; i++)
		if (table[i] && table[i]->ns == current->ns->ipc) {
			now.used_ids++;
			now.shm_tot += table[i]->object.size >> PAGE_SHIFT;
			now.shm_rss += table[i]->object.nr_pages;
		}
	rc = command == IPC_INFO ? copy_to_user(buffer, &info, sizeof(info)) : copy_to_user(buffer, &now, sizeof(now));
	return rc < 0 ? rc : (int64_t)highest;
}

static int64_t shm_change(struct segment *segment, int command, const struct shmid64_ds *ds)
{
	const struct cred *cred = current->cred;

	if (cred->euid != segment->uid && cred->euid != segment->cuid && !owner_capable(&segment->ns->ns, CAP_SYS_ADMIN))
		return -EPERM;
	if (command == IPC_SET) {
		uint32_t uid = uid_from_user(ds->shm_perm.uid), gid = gid_from_user(ds->shm_perm.gid);

		if (uid == ID_NONE || gid == ID_NONE)
			return -EINVAL;
		segment->uid = uid;
		segment->gid = gid;
		segment->mode = (segment->mode & ~0777u) | (ds->shm_perm.mode & 0777);
		segment->ctime = clock_realtime() / NS;
		return 0;
	}
	if (segment->mode & SHM_DEST_FLAG)
		return 0;
	segment->mode |= SHM_DEST_FLAG;
	segment->key = IPC_PRIVATE;
	object_put(&segment->object); /* the table's reference */
	return 0;
}

int64_t shm_control(int id, int command, uaddr_t buffer)
{
	struct shmid64_ds ds;
	struct segment *segment;
	int rc;

	memset(&ds, 0, sizeof(ds));
	if (command == IPC_INFO || command == SHM_INFO)
		return shm_info_copy(command, buffer);
	if (command == IPC_SET && copy_from_user(&ds, buffer, sizeof(ds)) < 0)
		return -EFAULT;
	if (command == SHM_STAT || command == SHM_STAT_ANY)
		segment = id >= 0 && (unsigned)id < SHM_MAX_SEGMENTS && table[id] ? segment_find(table[id]->id) : NULL;
	else
		segment = segment_find(id);
	if (!segment)
		return -EINVAL;
	switch (command) {
	case IPC_STAT:
	case SHM_STAT:
	case SHM_STAT_ANY:
		if (command != SHM_STAT_ANY && !segment_permits(segment, 4))
			return -EACCES;
		segment_stat(segment, &ds);
		id = segment->id;
		rc = copy_to_user(buffer, &ds, sizeof(ds));
		return rc < 0 ? rc : command == IPC_STAT ? 0 : id;
	case IPC_SET:
	case IPC_RMID:
		return shm_change(segment, command, &ds);
	case SHM_LOCK:
		segment->mode |= SHM_LOCKED_FLAG; /* its pages are never reclaimed anyway */
		return 0;
	case SHM_UNLOCK:
		segment->mode &= ~(unsigned)SHM_LOCKED_FLAG;
		return 0;
	default:
		return -EINVAL;
	}
}

void ipc_ns_destroy(struct ipc_ns *ipc)
{
	sem_ns_destroy(ipc);
	msg_ns_destroy(ipc);
	for (unsigned i = 0; i <= highest; i++) {
		struct segment *segment = table[i];

		if (!segment || segment->ns != ipc)
			continue;
		segment->ns = NULL;
		if (!(segment->mode & SHM_DEST_FLAG)) {
			segment->mode |= SHM_DEST_FLAG;
			object_put(&segment->object); /* the table's reference */
		}
	}
}
