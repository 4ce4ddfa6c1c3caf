/*
 * Memory policies: set_mempolicy, get_mempolicy, mbind, set_mempolicy_home_node, migrate_pages, move_pages.
 *
 * The machine has node 0 alone (kernel/mm/policy.h), so pages that are asked to move are where they should be already.
 */
#include <linux/errno.h>
#include <linux/mempolicy.h>

#include "kernel/mm.h"
#include "kernel/task.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/syscalls.h"

#define MASK_BITS_MAX (PAGE_SIZE * 8) /* that a mask may be said to have */
#define MOVE_BREATH 4096u             /* pages between two breaths */

/*
 * A mask of max - 1 nodes, as set_mempolicy(2) counts. Beyond what there can be it is read by whole words, which must be
 * zero; of the last word below only what was said. 0, -EINVAL, -EFAULT.
 */
static int node_mask_get(uaddr_t user, uint64_t max, struct node_mask *mask)
{
	uint64_t bits = max - 1, words, word;

	*mask = (struct node_mask){.low = 0};
	if (bits == 0 || !user.v)
		return 0;
	if (bits > MASK_BITS_MAX)
		return -EINVAL;
	words = (bits + 63) / 64;
	for (uint64_t i = words; i-- > 0;) {
		if (get_user(word, uaddr_add(user, i * 8)))
			return -EFAULT;
		if (i >= MAX_NODES / 64) {
			if (word)
				return -EINVAL;
			continue;
		}
		if (i == words - 1 && bits % 64)
			word &= (1ull << bits % 64) - 1;
		if (i == 0)
			mask->low = word;
		else
			mask->others |= word != 0;
	}
	return 0;
}

/* The first 64 nodes are all there is to tell: the rest of what the program has room for is cleared. */
static int node_mask_put(uaddr_t user, uint64_t max, uint64_t nodes)
{
	uint64_t bytes = (max - 1 + 63) / 64 * 8;

	if (bytes > PAGE_SIZE)
		return -EINVAL;
	if (bytes > sizeof(nodes) && clear_user(uaddr_add(user, sizeof(nodes)), bytes - sizeof(nodes)))
		return -EFAULT;
	return copy_to_user(user, &nodes, MIN(bytes, sizeof(nodes)));
}

int64_t sys_set_mempolicy(struct regs *regs)
{
	struct mempolicy policy;
	struct node_mask nodes;
	int rc = mempolicy_check_mode(INT0(regs));

	if (rc == 0)
		rc = node_mask_get(PTR1(regs), ARG2(regs), &nodes);
	if (rc == 0)
		rc = mempolicy_make(INT0(regs), &nodes, &policy);
	if (rc == 0)
		current->mempolicy = policy;
	return rc;
}

int64_t sys_mbind(struct regs *regs)
{
	struct node_mask nodes;
	int rc = mempolicy_check_mode(INT2(regs));

	if (rc == 0)
		rc = node_mask_get(PTR3(regs), ARG4(regs), &nodes);
	return rc ? rc : mm_bind(current->mm, ARG0(regs), ARG1(regs), INT2(regs), &nodes, (unsigned)ARG5(regs));
}

int64_t sys_set_mempolicy_home_node(struct regs *regs)
{
	return mm_set_home_node(current->mm, ARG0(regs), ARG1(regs), ARG2(regs), ARG3(regs));
}

/* The node of the page at an address, which is brought in for it: 0 or -errno. */
static int node_at(uint64_t address)
{
	struct page *page;
	int rc = mm_get_user_page(current->mm, address, false, false, &page);

	if (rc < 0)
		return rc == -EACCES || rc == -EIO ? -EFAULT : rc;
	page_put(page);
	return 0;
}

/* mode and nodes as get_mempolicy(2) has to tell them. 0, -EINVAL, -EFAULT */
static int policy_asked(uint64_t address, uint64_t flags, int *mode, uint64_t *nodes)
{
	struct mempolicy policy = current->mempolicy;

	if (flags & ~(uint64_t)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED))
		return -EINVAL;
	if (flags & MPOL_F_MEMS_ALLOWED) {
		if (flags & (MPOL_F_NODE | MPOL_F_ADDR))
			return -EINVAL;
		*mode = 0;
		*nodes = 1;
		return 0;
	}
	if (flags & MPOL_F_ADDR) {
		const struct vma *vma = mm_find_vma(current->mm, address);

		if (!vma || vma->start > address)
			return -EFAULT;
		policy = vma_policy_at(vma, address);
	} else if (address) {
		return -EINVAL;
	}
	mempolicy_tell(&policy, mode, nodes);
	if (!(flags & MPOL_F_NODE))
		return 0;
	*mode = 0; /* the node, of which there is one */
	if (flags & MPOL_F_ADDR)
		return node_at(address);
	return policy.mode == MPOL_INTERLEAVE ? 0 : -EINVAL;
}

int64_t sys_get_mempolicy(struct regs *regs)
{
	uint64_t nodes = 0;
	int mode = 0, rc;

	if (PTR1(regs).v && ARG2(regs) < 1) /* how many nodes there are */
		return -EINVAL;
	rc = policy_asked(ARG3(regs), ARG4(regs), &mode, &nodes);
	if (rc < 0)
		return rc;
	if (PTR0(regs).v && put_user(mode, PTR0(regs)))
		return -EFAULT;
	return PTR1(regs).v ? node_mask_put(PTR1(regs), ARG2(regs), nodes) : 0;
}

/* ---- pages of a process ---- */

/* The memory of a process (0: the caller), referenced. NULL with *error: -ESRCH, -EPERM, -EINVAL (it has none). */
static struct mm *mm_of(int pid, int *error)
{
	struct task *task = pid ? task_find(pid) : current;

	*error = -ESRCH;
	if (!task)
		return NULL;
	*error = -EPERM;
	if (pid && ptrace_may_access(task, PTRACE_BY_REAL_IDS))
		return NULL;
	*error = -EINVAL;
	if (!task->mm)
		return NULL;
	mm_get(task->mm);
	return task->mm;
}

int64_t sys_migrate_pages(struct regs *regs)
{
	struct node_mask from, to;
	struct mm *mm;
	int rc = node_mask_get(PTR2(regs), ARG1(regs), &from);

	if (rc == 0)
		rc = node_mask_get(PTR3(regs), ARG1(regs), &to);
	if (rc)
		return rc;
	mm = mm_of(INT0(regs), &rc);
	if (!mm)
		return rc;
	mm_put(mm);
	/* All that the process may have is node 0. */
	if ((to.low & ~1ull || to.others) && !capable(CAP_SYS_NICE))
		return -EPERM;
	return to.low & 1 ? 0 : -EINVAL;
}

/* One page of move_pages(2): its node, or why not, goes to *status. 0, -EFAULT, -ENODEV: the call ends. */
static int move_one(struct mm *mm, uaddr_t pages, uaddr_t nodes, uint64_t i, int *status)
{
	uint64_t address;
	int node = 0;

	if (get_user(address, uaddr_add(pages, i * sizeof(address))))
		return -EFAULT;
	if (nodes.v && get_user(node, uaddr_add(nodes, i * sizeof(node))))
		return -EFAULT;
	if (node)
		return -ENODEV;
	*status = mm_page_node(mm, address);
	return 0;
}

int64_t sys_move_pages(struct regs *regs)
{
	uint64_t count = ARG1(regs), flags = ARG5(regs);
	int rc = 0, status = 0;
	struct mm *mm;

	if ((unsigned)flags & ~(unsigned)(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL))
		return -EINVAL;
	if (flags & MPOL_MF_MOVE_ALL && !capable(CAP_SYS_NICE))
		return -EPERM;
	mm = mm_of(INT0(regs), &rc);
	if (!mm)
		return rc;
	rc = 0;
	for (uint64_t i = 0; rc == 0 && i < count; i++) {
		rc = move_one(mm, PTR2(regs), PTR3(regs), i, &status);
		if (rc == 0 && put_user(status, uaddr_add(PTR4(regs), i * sizeof(status))))
			rc = -EFAULT;
		if (rc == 0 && i % MOVE_BREATH == MOVE_BREATH - 1 && task_breathe())
			rc = -EINTR;
	}
	mm_put(mm);
	return rc;
}
