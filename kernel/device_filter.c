/*
 * The device programs of control groups: see kernel/device_filter.h. What is attached stands in one list, oldest first, by the group's
 * number; a group that goes takes its programs along.
 */
#include <bsd/sys/queue.h>
#include <linux/errno.h>

#include "kernel/cgroup.h"
#include "kernel/device_filter.h"
#include "kernel/ebpf.h"
#include "kernel/mm.h"
#include "kernel/process.h"

#define PROGRAMS_MAX 64u /* of a group, as on Linux */
#define DEVICE_MAJOR(rdev) ((uint32_t)((rdev) >> 8 & 0xfff))
#define DEVICE_MINOR(rdev) ((uint32_t)(((rdev) & 0xff) | ((rdev) >> 12 & 0xfff00)))

struct attached {
	TAILQ_ENTRY(attached) link;
	uint64_t group;
	uint32_t flags;
	struct ebpf_program *program; /* referenced */
};
static TAILQ_HEAD(, attached) all = TAILQ_HEAD_INITIALIZER(all);

static void end(struct attached *a)
{
	TAILQ_REMOVE(&all, a, link);
	ebpf_program_put(a->program);
	kfree(a);
}

void device_filter_forget(const struct cgroup *group)
{
	struct attached *a, *next;

	for (a = TAILQ_FIRST(&all); a; a = next) {
		next = TAILQ_NEXT(a, link);
		if (a->group == group->number)
			end(a);
	}
}

static struct attached *first_of(const struct cgroup *group)
{
	struct attached *a;

	TAILQ_FOREACH(a, &all, link) {
		if (a->group == group->number)
			return a;
	}
	return NULL;
}

static struct attached *find(const struct cgroup *group, const struct ebpf_program *program)
{
	struct attached *a;

	TAILQ_FOREACH(a, &all, link) {
		if (a->group == group->number && a->program == program)
			return a;
	}
	return NULL;
}

static unsigned count_of(const struct cgroup *group)
{
	const struct attached *a;
	unsigned count = 0;

	TAILQ_FOREACH(a, &all, link)
		count += a->group == group->number;
	return count;
}

/* Groups above say whether those below may have programs of their own. */
static bool may_attach_below(const struct cgroup *group)
{
	for (group = group->parent; group; group = group->parent) {
		const struct attached *a = first_of(group);

		if (a)
			return a->flags & (BPF_F_ALLOW_MULTI | BPF_F_ALLOW_OVERRIDE);
	}
	return true;
}

int device_filter_attach(struct cgroup *group, struct ebpf_program *program, uint32_t flags, struct ebpf_program *replaced)
{
	uint32_t kept = flags & (BPF_F_ALLOW_MULTI | BPF_F_ALLOW_OVERRIDE);
	struct attached *old;

	old = first_of(group);
	if (kept == (BPF_F_ALLOW_MULTI | BPF_F_ALLOW_OVERRIDE) || (flags & BPF_F_REPLACE && !(flags & BPF_F_ALLOW_MULTI)))
		return -EINVAL;
	if (!may_attach_below(group) || (old && old->flags != kept))
		return -EPERM;
	if (count_of(group) >= PROGRAMS_MAX)
		return -E2BIG;
	if (kept & BPF_F_ALLOW_MULTI) {
		if (find(group, program) && program != replaced)
			return -EINVAL;
		old = replaced ? find(group, replaced) : NULL;
		if (replaced && !old)
			return -ENOENT;
	}
	ebpf_program_get(program);
	if (old) {
		ebpf_program_put(old->program);
		old->program = program;
		return 0;
	}
	struct attached *a = kzalloc(sizeof(*a));
	if (!a) {
		ebpf_program_put(program);
		return -ENOMEM;
	}
	*a = (struct attached){.group = group->number, .flags = kept, .program = program};
	TAILQ_INSERT_TAIL(&all, a, link);
	return 0;
}

int device_filter_detach(struct cgroup *group, const struct ebpf_program *program)
{
	struct attached *a = first_of(group);

	if (!a)
		return -ENOENT;
	if (a->flags & BPF_F_ALLOW_MULTI) {
		if (!program)
			return -EINVAL;
		a = find(group, program);
	}
	if (!a)
		return -ENOENT;
	end(a);
	return 0;
}

/* Whether a group's programs are asked for those below, where a group nearer to them has some (nearer). */
static bool counts(const struct attached *a, bool nearer)
{
	return !nearer || a->flags & BPF_F_ALLOW_MULTI;
}

unsigned device_filter_list(const struct cgroup *group, bool effective, uint32_t *ids, unsigned room, uint32_t *flags)
{
	const struct attached *a = first_of(group);
	unsigned count = 0;

	*flags = a && !effective ? a->flags : 0;
	for (; group; group = effective ? group->parent : NULL) {
		bool nearer = count;

		TAILQ_FOREACH(a, &all, link) {
			if (a->group != group->number || !counts(a, nearer))
				continue;
			if (count < room)
				ids[count] = a->program->id;
			count++;
		}
	}
	return count;
}

int device_filter_check(uint32_t type, uint64_t rdev, uint32_t access)
{
	const struct bpf_cgroup_dev_ctx context = {.access_type = access << 16 | type, .major = DEVICE_MAJOR(rdev), .minor = DEVICE_MINOR(rdev)};
	bool any = false;

	if (TAILQ_EMPTY(&all))
		return 0;
	for (const struct cgroup *group = current->process->cgroup; group; group = group->parent) {
		const struct attached *a;
		bool nearer = any;

		TAILQ_FOREACH(a, &all, link) {
			if (a->group != group->number || !counts(a, nearer))
				continue;
			any = true;
			if (!ebpf_program_run(a->program, &context))
				return -EPERM;
		}
	}
	return 0;
}
