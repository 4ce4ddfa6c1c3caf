/*
 * The io controller of control groups (cgroup-v2, "IO"): what a group's processes read and write of each device, and how much of it a second.
 *
 * A device is a file system whose data comes from the host; its number is what stat(2) says of its files. What moves is counted when it
 * moves (vfs/p9/), in the nearest group with the controller and all above it. A task whose groups have moved more than their limits allow
 * by now sleeps on its way back to user mode (WORK_IO), so never with a lock. Written data is its writer's, whoever sends it to the host.
 *
 * The topmost group's limits are config.json's: the host keeps them, here they are only shown. All under the kernel lock.
 */
#ifndef KERNEL_CGROUP_IO_H
#define KERNEL_CGROUP_IO_H

#include <bsd/sys/queue.h>
#include <stdint.h>

#define IO_NO_LIMIT UINT64_MAX

enum io_direction { IO_READ, IO_WRITE, IO_DIRECTIONS };

struct cgroup;
struct task;

/* The kinds of limits, a second. */
enum io_limit { IO_BYTES, IO_OPERATIONS, IO_LIMITS };

/* What a group has of a device. */
struct io_device {
	LIST_ENTRY(io_device) link;
	uint64_t number; /* as st_dev */
	uint64_t moved[IO_DIRECTIONS][IO_LIMITS]; /* by it and all below */
	uint64_t limit[IO_DIRECTIONS][IO_LIMITS]; /* never 0 */
	uint64_t paid[IO_DIRECTIONS][IO_LIMITS];  /* monotonic ns: when the limit allows what has moved */
};
LIST_HEAD(io_devices, io_device); /* the newest first */

/* One operation. group: whose it is; NULL: the current task's. Never sleeps, nor frees or fails: without memory it is not counted. */
void cgroup_io_charge(struct cgroup *group, uint64_t number, enum io_direction direction, uint64_t bytes);
/* The current task has data to be moved later: it waits on its way out until what its groups have moved is paid for. */
void cgroup_io_wait_for(uint64_t number, enum io_direction direction);
/* Those of a group; NULL: nothing has moved, and no limit is there. */
struct io_device *cgroup_io_find(const struct cgroup *group, uint64_t number);
/* -ENOMEM. Who sleeps for the old limits looks again. */
int cgroup_io_set(struct cgroup *group, uint64_t number, uint64_t limit[IO_DIRECTIONS][IO_LIMITS]);
void cgroup_io_close(struct cgroup *group); /* counts and limits are gone */
/* Groups of tasks, or limits, are others: who sleeps looks again. */
void cgroup_io_recheck(void);
/* Exit path, WORK_IO: sleeps until what it waits for is paid, or the task is killed. */
void cgroup_io_throttle_here(struct task *task);

#endif
