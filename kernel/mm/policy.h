/*
 * Memory policies: on which nodes memory is wanted (set_mempolicy(2), mbind(2), numa(7)). The machine has one node, 0, so a
 * policy never changes where a page lies; it is kept, inherited, split and shown as Linux does on such a machine.
 *
 * A policy is a value: of a task, of an area, and of ranges of shared memory, which all who map it see. All zeros is
 * MPOL_DEFAULT, no policy.
 */
#ifndef KERNEL_MM_POLICY_H
#define KERNEL_MM_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define MAX_NODES 1024u /* a kernel built for many nodes; how long a mask of them is */

struct mm;
struct vma;
struct vm_object;

/* Nodes as a program named them. What of them matters on this machine: the first word, and whether there are others. */
struct node_mask {
	uint64_t low;
	bool others;
};

struct mempolicy {
	uint16_t mode;  /* MPOL_* without flags */
	uint16_t flags; /* MPOL_F_STATIC_NODES … */
	bool has_nodes; /* node 0 is one of its nodes */
	bool has_home;  /* set_mempolicy_home_node(2) */
	uint64_t user_nodes; /* with flags: the nodes as they were named, of which the first 64 can be asked for */
};

/* What set_mempolicy(2) and mbind(2) say of a mode with its flags alone, before they look at nodes: 0 or -EINVAL. */
int mempolicy_check_mode(int mode);
/* A policy of a checked mode: 0, -EINVAL. */
int mempolicy_make(int mode, const struct node_mask *nodes, struct mempolicy *policy);
/* As get_mempolicy(2) tells it: mode with flags, and nodes. */
void mempolicy_tell(const struct mempolicy *policy, int *mode, uint64_t *nodes);

/* mbind(2), its arguments but the mask as they came. 0, -EINVAL, -EPERM, -EFAULT (holes), -EIO (pages elsewhere), -ENOMEM. May sleep. */
int mm_bind(struct mm *mm, uint64_t start, uint64_t length, int mode, const struct node_mask *nodes, unsigned flags);
/* set_mempolicy_home_node(2): 0, -EINVAL, -ENOENT (no area has a policy), -EOPNOTSUPP (one of another mode), -ENOMEM. May sleep. */
int mm_set_home_node(struct mm *mm, uint64_t start, uint64_t length, uint64_t node, uint64_t flags);
/* The policy that an area has of its own at an address in it, or that the shared memory has there. Does not sleep. */
struct mempolicy vma_policy_at(const struct vma *vma, uint64_t address);
/* The node of the page that is mapped at an address: 0, -ENOENT: none is, -EFAULT: no area, or zeros that nobody owns. */
int mm_page_node(struct mm *mm, uint64_t address);

void object_forget_policies(struct vm_object *object); /* it ends */

#endif
