/*
 * Charging pages to control groups: see kernel/mm/account.h. What happens above a limit is pressure.c's.
 */
#include "kernel/cgroup.h"
#include "kernel/mm/account.h"
#include "kernel/mm/internal.h"
#include "kernel/task.h"

struct memory_account *account_create(struct memory_account *parent, struct cgroup *group)
{
	struct memory_account *account = kzalloc(sizeof(*account));

	if (!account)
		return NULL;
	account->parent = parent;
	account->group = group;
	account->mark = account->max = account->high = account->swap_max = account->swap_high = ACCOUNT_NO_LIMIT;
	heap_lists_init(&account->heap);
	return account;
}

void account_close(struct memory_account *account)
{
	heap_lists_close(&account->heap); /* first: without a group it goes with its last page */
	account->group = NULL;
	account->mark = account->max = account->high = ACCOUNT_NO_LIMIT;
	account->low = account->min = 0;
	if (!account->pages)
		kfree(account);
}

void account_set_max(struct memory_account *account, uint64_t pages)
{
	account->max = pages;
	account->mark = MIN(account->max, account->high);
}

void account_set_high(struct memory_account *account, uint64_t pages)
{
	account->high = pages;
	account->mark = MIN(account->max, account->high);
}

struct memory_account *account_current(void)
{
	const struct task *task = current;

	return task && task->process ? task->process->cgroup->memory : NULL;
}

void account_charge(struct memory_account *account, enum account_kind kind, uint64_t pages)
{
	for (; account; account = account->parent) {
		account->kinds[kind] += pages;
		account->pages += pages;
		if (account->pages > account->peak)
			account->peak = account->pages;
		if (account->pages > account->mark)
			task_set_work(current, WORK_MEMORY);
	}
}

void account_uncharge(struct memory_account *account, enum account_kind kind, uint64_t pages)
{
	while (account) {
		struct memory_account *up = account->parent;

		DEBUG_BUG_ON(account->kinds[kind] < pages);
		account->kinds[kind] -= pages;
		account->pages -= pages;
		if (!account->pages && !account->group)
			kfree(account);
		account = up;
	}
}

uint64_t account_left(void)
{
	const struct memory_account *account;
	uint64_t left = UINT64_MAX;

	for (account = account_current(); account; account = account->parent)
		left = MIN(left, account->pages < account->mark ? account->mark - account->pages : 0);
	return left;
}

void account_fault(bool major)
{
	struct memory_account *account;

	for (account = account_current(); account; account = account->parent) {
		account->faults++;
		account->major_faults += major;
	}
}

void account_count(struct memory_account *account, enum account_event event)
{
	account->local_events[event]++;
	for (; account; account = account->parent)
		account->events[event]++;
}

void account_event(struct memory_account *account, enum account_event event)
{
	account_count(account, event);
	if (account->group)
		cgroup_notify(account->group, CGROUP_NOTICE_MEMORY_LOCAL);
	for (; account; account = account->parent) {
		if (account->group)
			cgroup_notify(account->group, CGROUP_NOTICE_MEMORY);
	}
}
