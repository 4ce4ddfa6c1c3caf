/*
 * Memory policies (policy.h): what they are made of, and those of areas and of shared memory.
 *
 * mbind(2) changes areas as mprotect(2) does: it splits at both ends, sets, and joins what has become equal. What maps
 * shared memory has its policy twice: in the area, which is what splitting and "is there anything to change" go by, and in
 * the object, which is what counts; so has Linux, and programs can see it.
 */
#include <linux/mempolicy.h>

#include "kernel/mm/internal.h"
#include "kernel/mm/policy.h"
#include "kernel/task.h"

#define OBJECT_POLICIES 1024u /* ranges of one object with a policy */

/* Pages [start, end) of an object. */
struct object_policy {
	struct object_policy *next; /* ascending, disjoint */
	uint64_t start, end;
	struct mempolicy policy;
};

int mempolicy_check_mode(int mode)
{
	unsigned flags = (unsigned)mode & MPOL_MODE_FLAGS, kind = (unsigned)mode & ~(unsigned)MPOL_MODE_FLAGS;

	if (kind >= MPOL_MAX)
		return -EINVAL;
	if (flags & MPOL_F_STATIC_NODES && flags & MPOL_F_RELATIVE_NODES)
		return -EINVAL;
	return flags & MPOL_F_NUMA_BALANCING && kind != MPOL_BIND && kind != MPOL_PREFERRED_MANY ? -EINVAL : 0;
}

int mempolicy_make(int mode, const struct node_mask *nodes, struct mempolicy *policy)
{
	unsigned flags = (unsigned)mode & MPOL_MODE_FLAGS, kind = (unsigned)mode & ~(unsigned)MPOL_MODE_FLAGS;

	bool any = nodes->low || nodes->others;

	*policy = (struct mempolicy){.mode = MPOL_DEFAULT};
	if (kind == MPOL_DEFAULT)
		return any ? -EINVAL : 0;
	if (kind == MPOL_LOCAL || (kind == MPOL_PREFERRED && !any)) {
		if (any || flags)
			return -EINVAL;
		policy->mode = MPOL_LOCAL;
		return 0;
	}
	/* Relative nodes are counted round those that there are: any is node 0. */
	if (!(flags & MPOL_F_RELATIVE_NODES ? any : nodes->low & 1))
		return -EINVAL;
	policy->mode = (uint16_t)kind;
	policy->flags = (uint16_t)flags;
	policy->has_nodes = true;
	policy->user_nodes = flags ? nodes->low : 0;
	return 0;
}

void mempolicy_tell(const struct mempolicy *policy, int *mode, uint64_t *nodes)
{
	*mode = policy->mode | policy->flags;
	*nodes = policy->flags ? policy->user_nodes : policy->has_nodes;
}

static bool is_same(const struct mempolicy *a, const struct mempolicy *b)
{
	return a->mode == b->mode && a->flags == b->flags && a->has_nodes == b->has_nodes && a->has_home == b->has_home &&
		a->user_nodes == b->user_nodes;
}

bool vma_same_policy(const struct vma *a, const struct vma *b)
{
	return is_same(&a->policy, &b->policy);
}

/* ---- of shared memory ---- */

void object_forget_policies(struct vm_object *object)
{
	struct object_policy *entry;

	while ((entry = object->policies) != NULL) {
		object->policies = entry->next;
		kfree(entry);
	}
}

/*
 * Pages [start, end) have this policy now: what was there is cut, dropped or split. 0 or -ENOMEM, with nothing changed.
 * Both entries that may be needed are made first.
 */
static int object_set_policy(struct vm_object *object, uint64_t start, uint64_t end, const struct mempolicy *policy)
{
	struct object_policy **link = &object->policies, *entry, *fresh = NULL, *rest = kzalloc(sizeof(*rest));
	unsigned count = 0;

	for (entry = object->policies; entry; entry = entry->next)
		count++;
	if (policy->mode != MPOL_DEFAULT)
		fresh = kzalloc(sizeof(*fresh));
	if (!rest || (policy->mode != MPOL_DEFAULT && (!fresh || count >= OBJECT_POLICIES))) {
		kfree(rest);
		kfree(fresh);
		return -ENOMEM;
	}
	while ((entry = *link) != NULL && entry->end <= start)
		link = &entry->next;
	if (entry && entry->start < start) {
		if (entry->end > end) {
			*rest = (struct object_policy){.next = entry->next, .start = end, .end = entry->end, .policy = entry->policy};
			entry->next = rest;
			rest = NULL;
		}
		entry->end = start;
		link = &entry->next;
	}
	while ((entry = *link) != NULL && entry->end <= end) {
		*link = entry->next;
		kfree(entry);
	}
	if (entry && entry->start < end)
		entry->start = end;
	if (fresh) {
		*fresh = (struct object_policy){.next = entry, .start = start, .end = end, .policy = *policy};
		*link = fresh;
	}
	kfree(rest);
	return 0;
}

struct mempolicy vma_policy_at(const struct vma *vma, uint64_t address)
{
	const struct object_policy *entry;
	uint64_t index = (vma->offset + (address - vma->start)) >> PAGE_SHIFT;

	if (!vma->object || !vma->object->shmem)
		return vma->policy;
	for (entry = vma->object->policies; entry && entry->start <= index; entry = entry->next)
		if (index < entry->end)
			return entry->policy;
	return (struct mempolicy){.mode = MPOL_DEFAULT};
}

/* ---- of areas ---- */

static int vma_set_policy(struct vma *vma, const struct mempolicy *policy)
{
	uint64_t start = vma->offset >> PAGE_SHIFT;
	int rc = 0;

	if (vma->object && vma->object->shmem)
		rc = object_set_policy(vma->object, start, start + ((vma->end - vma->start) >> PAGE_SHIFT), policy);
	if (rc == 0)
		vma->policy = *policy;
	return rc;
}

/* REQUIRES(mm->lock as writer). home: each area keeps its policy, and gets node 0 as its home. */
static int set_range(struct mm *mm, uint64_t start, uint64_t end, const struct mempolicy *wanted, bool home)
{
	int rc = vma_split_range(mm, start, end), found = home ? -ENOENT : 0;
	struct vma *vma;

	for (vma = mm_find_vma(mm, start); rc == 0 && vma && vma->start < end; vma = vma_next(vma)) {
		struct mempolicy policy = home ? vma->policy : *wanted;

		if (home && policy.mode != MPOL_DEFAULT) {
			if (policy.mode != MPOL_BIND && policy.mode != MPOL_PREFERRED_MANY)
				rc = -EOPNOTSUPP;
			policy.has_home = true;
			found = 0;
		}
		if (rc == 0 && !is_same(&vma->policy, &policy))
			rc = vma_set_policy(vma, &policy);
		vma = vma_merge(vma);
	}
	return rc ? rc : found;
}

/* REQUIRES(mm->lock as writer). Is there a page in the range that somebody owns? May sleep. 1, 0, -EINTR */
static int has_pages(struct mm *mm, uint64_t start, uint64_t end)
{
	for (uint64_t at = start; (at = mm_next_present(mm, at, end)) < end; at += PAGE_SIZE) {
		uint64_t pa = mm_translate(mm, at, NULL);

		if (pa && !(pa_to_page(pa & PAGE_MASK)->flags & PAGE_ZEROPAGE))
			return 1;
		if (!(at % BREATH_BYTES) && task_breathe())
			return -EINTR;
	}
	return 0;
}

/* REQUIRES(mm->lock as writer). */
static int bind_locked(struct mm *mm, uint64_t start, uint64_t end, const struct mempolicy *policy,
	const struct node_mask *nodes, unsigned flags)
{
	const struct vma *vma = mm_find_vma(mm, start);
	int rc;

	if (!vma || vma->start >= end || (policy->mode != MPOL_DEFAULT && !vma_range_mapped(mm, start, end)))
		return -EFAULT;
	/* Pages are on node 0. Where that is not among the nodes as they were named, who may move them need not. */
	if ((flags & (MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)) == MPOL_MF_STRICT && !(nodes->low & 1)) {
		rc = has_pages(mm, start, end);
		if (rc)
			return rc < 0 ? rc : -EIO;
	}
	return set_range(mm, start, end, policy, false);
}

int mm_bind(struct mm *mm, uint64_t start, uint64_t length, int mode, const struct node_mask *nodes, unsigned flags)
{
	uint64_t end = start + PAGE_ALIGN(length);
	struct mempolicy policy;
	int rc;

	if (flags & ~(unsigned)MPOL_MF_VALID)
		return -EINVAL;
	if (flags & MPOL_MF_MOVE_ALL && !capable(CAP_SYS_NICE))
		return -EPERM;
	if (start & ~PAGE_MASK || end < start)
		return -EINVAL;
	if (end == start)
		return 0;
	rc = mempolicy_make(mode, nodes, &policy);
	if (rc < 0)
		return rc;
	if (policy.mode == MPOL_DEFAULT)
		flags &= ~(unsigned)MPOL_MF_STRICT;
	rwsem_write_lock(&mm->lock);
	rc = bind_locked(mm, start, end, &policy, nodes, flags);
	rwsem_write_unlock(&mm->lock);
	return rc;
}

int mm_set_home_node(struct mm *mm, uint64_t start, uint64_t length, uint64_t node, uint64_t flags)
{
	uint64_t end = start + PAGE_ALIGN(length);
	int rc;

	if (start & ~PAGE_MASK || flags || node || end < start)
		return -EINVAL;
	if (end == start)
		return 0;
	rwsem_write_lock(&mm->lock);
	rc = set_range(mm, start, end, NULL, true);
	rwsem_write_unlock(&mm->lock);
	return rc;
}

int mm_page_node(struct mm *mm, uint64_t address)
{
	const struct vma *vma = mm_find_vma(mm, address);
	uint64_t pa;

	if (!vma || vma->start > address)
		return -EFAULT;
	pa = mm_translate(mm, address, NULL);
	if (!pa)
		return -ENOENT;
	return pa_to_page(pa & PAGE_MASK)->flags & PAGE_ZEROPAGE ? -EFAULT : 0;
}
