/*
 * The waiter behind poll(2), select(2) and epoll_wait(2), see vfs/poll.h.
 *
 * A wake-up marks the table as triggered before it wakes the task, so that a file whose poll operation slept cannot
 * hide one. Entries beyond the few inside the table come in blocks from the heap.
 */
#include <linux/errno.h>
#include <linux/eventpoll.h>

#include "kernel/mm.h"
#include "ring0/lib.h"
#include "vfs/poll.h"

#define POLL_BLOCK_ENTRIES 16

struct poll_block {
	struct poll_block *next;
	unsigned used;
	struct poll_entry entries[POLL_BLOCK_ENTRIES];
};

static void poll_entry_wake(struct waiter *waiter, uint32_t events)
{
	struct poll_table *table = container_of(waiter, struct poll_entry, waiter)->table;

	table->triggered = true;
	task_wake(table->task);
}

static struct poll_entry *poll_entry_new(struct poll_table *table)
{
	if (table->used < POLL_INLINE_ENTRIES)
		return &table->entries[table->used++];
	if (!table->blocks || table->blocks->used == POLL_BLOCK_ENTRIES) {
		struct poll_block *block = kmalloc(sizeof(*block));

		if (!block)
			return NULL;
		block->used = 0;
		block->next = table->blocks;
		table->blocks = block;
	}
	return &table->blocks->entries[table->blocks->used++];
}

static void poll_table_add(struct poll_waiter *self, struct waitq *queue)
{
	struct poll_table *table = container_of(self, struct poll_table, base);
	struct poll_entry *entry = poll_entry_new(table);

	if (!entry) {
		table->error = -ENOMEM;
		return;
	}
	waiter_init(&entry->waiter);
	entry->waiter.wake = poll_entry_wake;
	entry->table = table;
	waitq_add(queue, &entry->waiter);
}

void poll_table_init(struct poll_table *table)
{
	table->base.add = poll_table_add;
	table->task = current;
	table->triggered = false;
	table->error = 0;
	table->used = 0;
	table->blocks = NULL;
}

int poll_table_sleep(struct poll_table *table, uint64_t deadline)
{
	int rc = 0;

	if (table->error)
		return table->error;
	if (!table->triggered)
		rc = task_block(deadline, true);
	else if (signal_pending(current))
		rc = -EINTR;
	table->triggered = false;
	return rc;
}

void poll_table_finish(struct poll_table *table)
{
	for (unsigned i = 0; i < table->used; i++)
		waitq_remove(&table->entries[i].waiter);
	while (table->blocks) {
		struct poll_block *block = table->blocks;

		for (unsigned i = 0; i < block->used; i++)
			waitq_remove(&block->entries[i].waiter);
		table->blocks = block->next;
		kfree(block);
	}
}

uint32_t file_poll(struct file *file, struct poll_waiter *waiter)
{
	if (!file->ops || !file->ops->poll)
		return POLL_ALWAYS_READY;
	return file->ops->poll(file, waiter);
}

static int poll_items_once(struct poll_item *items, unsigned count, struct poll_waiter *waiter)
{
	int ready = 0;

	for (unsigned i = 0; i < count; i++) {
		if (!items[i].file)
			continue;
		items[i].revents = file_poll(items[i].file, ready ? NULL : waiter) &
		                   (items[i].events | EPOLLERR | EPOLLHUP);
		ready += items[i].revents != 0;
	}
	return ready;
}

int poll_wait_items(struct poll_item *items, unsigned count, uint64_t deadline)
{
	struct poll_table table;
	int ready, rc = 0;

	if (deadline == 0)
		return poll_items_once(items, count, NULL);
	poll_table_init(&table);
	ready = poll_items_once(items, count, &table.base);
	while (!ready && !rc) {
		rc = poll_table_sleep(&table, deadline);
		if (rc == 0 || rc == -ETIMEDOUT)
			ready = poll_items_once(items, count, NULL);
	}
	poll_table_finish(&table);
	if (ready || rc == -ETIMEDOUT)
		return ready;
	return rc;
}
