/*
 * The radix tree of an object's pages: 64 slots a node, as high as the largest index
 * needs; a tree of height 0 holds the page of index 0 in its root pointer. kernel/mm only.
 */
#ifndef KERNEL_MM_TREE_H
#define KERNEL_MM_TREE_H

#include "kernel/mm/internal.h"

struct page *tree_find(const struct vm_object *object, uint64_t index);
/* The lowest page at or above *index; moves *index there. NULL: none. */
struct page *tree_next(const struct vm_object *object, uint64_t *index);
/* The slots of consecutive indices from `index` on, as far as one node holds them (*count); NULL: none of those is present. */
struct page *const *tree_run(const struct vm_object *object, uint64_t index, unsigned *count);
int tree_insert(struct vm_object *object, uint64_t index, struct page *page); /* the slot is empty; 0 or -ENOMEM */
void tree_remove(struct vm_object *object, uint64_t index);

#endif
