/*
 * Reads and writes of control groups, counted and slowed down: see kernel/cgroup_io.h.
 */
#include <linux/errno.h>

#include "kernel/cgroup.h"
#include "kernel/cgroup_io.h"
#include "kernel/mm.h"
#include "kernel/process.h"
#include "ring0/clock.h"
#include "ring0/lib.h"

#define SECOND 1000000000ull
#define SLACK_NS 1000000ull    /* a debt this small is paid with a later one */
#define LONGEST_NS (1ull << 62) /* that is added to the clock */

static struct waitq sleepers = WAITQ_INIT(sleepers); /* of all groups and devices: they look which it was */

struct io_device *cgroup_io_find(const struct cgroup *group, uint64_t number)
{
	struct io_device *device;

	LIST_FOREACH(device, &group->devices, link) {
		if (device->number == number)
			return device;
	}
	return NULL;
}

static struct io_device *find_or_make(struct cgroup *group, uint64_t number)
{
	struct io_device *device = cgroup_io_find(group, number);

	if (device)
		return device;
	device = kzalloc(sizeof(*device));
	if (!device)
		return NULL;
	device->number = number;
	for (unsigned i = 0; i < IO_DIRECTIONS * IO_LIMITS; i++)
		device->limit[i / IO_LIMITS][i % IO_LIMITS] = IO_NO_LIMIT;
	LIST_INSERT_HEAD(&group->devices, device, link);
	return device;
}

static struct cgroup *nearest(struct cgroup *group)
{
	while (group->parent && !(cgroup_controllers(group) & CGROUP_IO))
		group = group->parent;
	return group;
}

/* ns that so many of something take. */
static uint64_t time_of(uint64_t count, uint64_t limit)
{
	uint64_t ns;

	if (limit == IO_NO_LIMIT)
		return 0;
	if (__builtin_mul_overflow(count, SECOND, &ns))
		return LONGEST_NS;
	return MIN(ns / limit, LONGEST_NS);
}

static void charge(struct io_device *device, enum io_direction direction, uint64_t bytes, uint64_t now)
{
	const uint64_t counts[IO_LIMITS] = {[IO_BYTES] = bytes, [IO_OPERATIONS] = 1};

	for (unsigned i = 0; i < IO_LIMITS; i++) {
		uint64_t *paid = &device->paid[direction][i];

		device->moved[direction][i] += counts[i];
		*paid = MIN(MAX(*paid, now) + time_of(counts[i], device->limit[direction][i]), LONGEST_NS);
	}
}

/* When what has moved is paid for; 0: nobody limits it. */
static uint64_t paid_at(struct cgroup *group, uint64_t number, enum io_direction direction)
{
	uint64_t at = 0;

	for (group = nearest(group); group->parent; group = group->parent) {
		const struct io_device *device = cgroup_io_find(group, number);

		for (unsigned i = 0; device && i < IO_LIMITS; i++) {
			if (device->limit[direction][i] != IO_NO_LIMIT)
				at = MAX(at, device->paid[direction][i]);
		}
	}
	return at;
}

void cgroup_io_wait_for(uint64_t number, enum io_direction direction)
{
	uint64_t at = current->process ? paid_at(current->process->cgroup, number, direction) : 0;

	if (!at || at <= clock_monotonic() + SLACK_NS)
		return;
	current->io_awaited[direction] = number;
	task_set_work(current, WORK_IO);
}

void cgroup_io_charge(struct cgroup *group, uint64_t number, enum io_direction direction, uint64_t bytes)
{
	uint64_t now = clock_monotonic();

	if (!group)
		group = current->process ? current->process->cgroup : NULL;
	if (!group)
		return;
	for (group = nearest(group); group; group = group->parent) {
		struct io_device *device = find_or_make(group, number);

		if (device)
			charge(device, direction, bytes, now);
	}
	cgroup_io_wait_for(number, direction);
}

int cgroup_io_set(struct cgroup *group, uint64_t number, uint64_t limit[IO_DIRECTIONS][IO_LIMITS])
{
	struct io_device *device = find_or_make(group, number);

	if (!device)
		return -ENOMEM;
	memcpy(device->limit, limit, sizeof(device->limit));
	memset(device->paid, 0, sizeof(device->paid));
	cgroup_io_recheck();
	return 0;
}

void cgroup_io_close(struct cgroup *group)
{
	struct io_device *device;

	while ((device = LIST_FIRST(&group->devices))) {
		LIST_REMOVE(device, link);
		kfree(device);
	}
}

void cgroup_io_recheck(void)
{
	waitq_wake_all(&sleepers);
}

static uint64_t awaited(const struct task *task)
{
	uint64_t at = 0;

	for (unsigned i = 0; i < IO_DIRECTIONS; i++) {
		if (task->io_awaited[i])
			at = MAX(at, paid_at(task->process->cgroup, task->io_awaited[i], i));
	}
	return at > clock_monotonic() ? at : 0;
}

void cgroup_io_throttle_here(struct task *task)
{
	uint64_t at;
	int rc = 0;

	/* Others of the group may go on moving data meanwhile: each time has an end of its own. */
	while ((at = awaited(task)) && (!rc || rc == -ETIMEDOUT))
		rc = wait_event(&sleepers, awaited(task) != at, at, false);
	memset(task->io_awaited, 0, sizeof(task->io_awaited));
	__atomic_fetch_and(&task->work, ~WORK_IO, __ATOMIC_SEQ_CST);
}
