/*
 * The radix tree of an object's pages. See tree.h.
 */
#include "kernel/mm/tree.h"

#define TREE_BITS 6u
#define TREE_SLOTS (1u << TREE_BITS)
#define TREE_MAX_HEIGHT 10u /* 60 bits of index */

struct radix_node {
	void *slot[TREE_SLOTS];
	unsigned count; /* slots in use */
};

static inline bool tree_covers(const struct vm_object *object, uint64_t index)
{
	return object->height >= TREE_MAX_HEIGHT || index >> (TREE_BITS * object->height) == 0;
}

struct page *tree_find(const struct vm_object *object, uint64_t index)
{
	void *node = object->root;

	if (!tree_covers(object, index))
		return NULL;
	for (unsigned height = object->height; height > 0 && node; height--)
		node = ((struct radix_node *)node)->slot[(index >> (TREE_BITS * (height - 1))) & (TREE_SLOTS - 1)];
	return node;
}

struct page *tree_next(const struct vm_object *object, uint64_t *index)
{
	uint64_t at = *index;

	while (tree_covers(object, at) && object->root) {
		void *node = object->root;
		unsigned height = object->height;

		while (height > 0 && node) {
			height--;
			node = ((struct radix_node *)node)->slot[(at >> (TREE_BITS * height)) & (TREE_SLOTS - 1)];
		}
		if (node) {
			*index = at;
			return node;
		}
		/* Nothing below this slot of level `height`: on to the next one. */
		at = ((at >> (TREE_BITS * height)) + 1) << (TREE_BITS * height);
		if (at == 0)
			break;
	}
	return NULL;
}

struct page *const *tree_run(const struct vm_object *object, uint64_t index, unsigned *count)
{
	void *node = object->root;

	*count = TREE_SLOTS - (unsigned)(index & (TREE_SLOTS - 1));
	if (!tree_covers(object, index))
		return NULL;
	if (object->height == 0) {
		*count = 1;
		return node ? (struct page *const *)&object->root : NULL;
	}
	for (unsigned height = object->height - 1; height > 0 && node; height--)
		node = ((struct radix_node *)node)->slot[(index >> (TREE_BITS * height)) & (TREE_SLOTS - 1)];
	return node ? (struct page *const *)&((struct radix_node *)node)->slot[index & (TREE_SLOTS - 1)] : NULL;
}

static int tree_grow(struct vm_object *object, uint64_t index)
{
	while (!tree_covers(object, index)) {
		if (object->root) {
			struct radix_node *node = kzalloc(sizeof(*node));

			if (!node)
				return -ENOMEM;
			node->slot[0] = object->root;
			node->count = 1;
			object->root = node;
		}
		object->height++;
	}
	return 0;
}

int tree_insert(struct vm_object *object, uint64_t index, struct page *page)
{
	void **slot = (void **)&object->root;
	struct radix_node *node = NULL;

	if (index >> (TREE_BITS * TREE_MAX_HEIGHT))
		return -EFBIG;
	if (tree_grow(object, index) < 0)
		return -ENOMEM;
	for (unsigned height = object->height; height > 0; height--) {
		if (!*slot) {
			struct radix_node *fresh = kzalloc(sizeof(*fresh));

			if (!fresh)
				return -ENOMEM; /* empty nodes above stay for the next try */
			*slot = fresh;
			if (node)
				node->count++;
		}
		node = *slot;
		slot = &node->slot[(index >> (TREE_BITS * (height - 1))) & (TREE_SLOTS - 1)];
	}
	BUG_ON(*slot);
	*slot = page;
	if (node)
		node->count++;
	return 0;
}

void tree_remove(struct vm_object *object, uint64_t index)
{
	struct radix_node *path[TREE_MAX_HEIGHT + 1];
	unsigned height = object->height, depth = 0;
	void *node = object->root;

	while (height > 0) {
		BUG_ON(!node);
		height--;
		path[depth++] = node;
		node = ((struct radix_node *)node)->slot[(index >> (TREE_BITS * height)) & (TREE_SLOTS - 1)];
	}
	BUG_ON(!node);
	while (depth > 0) {
		struct radix_node *above = path[--depth];

		above->slot[(index >> (TREE_BITS * height)) & (TREE_SLOTS - 1)] = NULL;
		height++;
		if (--above->count > 0)
			return;
		kfree(above);
	}
	object->root = NULL;
	object->height = 0;
}
