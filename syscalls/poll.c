/*
 * poll, ppoll, select, pselect6 (poll(2), select(2)).
 *
 * Copies the sets in, takes a reference to each file for the length of the call, waits in vfs/poll.c and copies
 * the answer out. A signal mask given by the caller is in force while waiting: when the wait ends by a signal it
 * stays until the handler has run, otherwise it is put back here (signal_mask_restore()).
 */
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/resource.h>

#include "kernel/ktime.h"
#include "kernel/signal.h"
#include "ring0/clock.h"
#include "ring0/lib.h"
#include "syscalls/syscalls.h"
#include "vfs/poll.h"

#define POLL_FEW 6
#define POLL_INVALID 0x20u /* POLLNVAL */

struct user_pollfd {
	int32_t fd;
	int16_t events, revents;
};

/* What is left of a timeout, in ns. */
static int64_t time_left(uint64_t deadline)
{
	uint64_t now = clock_monotonic();

	return deadline > now ? (int64_t)(deadline - now) : 0;
}

/* Wait on `fds` (in sentry memory) and fill revents. Ready count or -errno. */
static int64_t poll_fds(struct user_pollfd *fds, unsigned count, struct poll_item *items, uint64_t deadline)
{
	int64_t bad = 0, rc;

	for (unsigned i = 0; i < count; i++) {
		items[i].file = fds[i].fd < 0 ? NULL : fd_file(fds[i].fd);
		items[i].events = (uint16_t)fds[i].events;
		items[i].revents = 0;
		fds[i].revents = 0;
		if (fds[i].fd >= 0 && !items[i].file) {
			fds[i].revents = POLL_INVALID;
			bad++;
		}
	}
	rc = poll_wait_items(items, count, bad ? 0 : deadline);
	for (unsigned i = 0; i < count; i++) {
		if (!items[i].file)
			continue;
		fds[i].revents = (int16_t)items[i].revents;
		file_put(items[i].file);
	}
	return rc < 0 ? rc : rc + bad;
}

/* poll(2) with an absolute deadline (0: do not wait). -EINTR as it comes from the wait. */
static int64_t poll_do(uaddr_t user, uint64_t count, uint64_t deadline)
{
	struct user_pollfd few[POLL_FEW], *fds = few;
	struct poll_item few_items[POLL_FEW], *items = few_items;
	int64_t rc = -ENOMEM;

	if (count > current->process->rlimit[RLIMIT_NOFILE].cur)
		return -EINVAL;
	if (count > POLL_FEW) {
		fds = kmalloc(count * sizeof(*fds));
		items = kmalloc(count * sizeof(*items));
		if (!fds || !items)
			goto out;
	}
	rc = -EFAULT;
	if (copy_from_user(fds, user, count * sizeof(*fds)))
		goto out;
	rc = poll_fds(fds, (unsigned)count, items, deadline);
	if (rc < 0)
		goto out;
	for (uint64_t i = 0; i < count; i++) {
		if (put_user(fds[i].revents, uaddr_add(user, i * sizeof(*fds) + offsetof(struct user_pollfd, revents)))) {
			rc = -EFAULT;
			break;
		}
	}
out:
	if (count > POLL_FEW) {
		kfree(fds);
		kfree(items);
	}
	return rc;
}

static int64_t poll_restart(struct task *task)
{
	int64_t rc = poll_do(UADDR(task->restart.arg[0]), task->restart.arg[1], task->restart.arg[2]);

	return rc == -EINTR ? -ERESTART_RESTARTBLOCK : rc;
}

int64_t sys_poll(struct regs *regs)
{
	int timeout = INT2(regs);
	uint64_t deadline = DEADLINE_NONE;
	int64_t rc;

	if (timeout == 0)
		deadline = 0;
	else if (timeout > 0)
		deadline = clock_monotonic() + (uint64_t)timeout * 1000000u;
	rc = poll_do(PTR0(regs), (uint32_t)ARG1(regs), deadline);
	if (rc != -EINTR)
		return rc;
	current->restart.fn = poll_restart;
	current->restart.arg[0] = ARG0(regs);
	current->restart.arg[1] = (uint32_t)ARG1(regs);
	current->restart.arg[2] = deadline;
	return -ERESTART_RESTARTBLOCK;
}

int64_t sys_ppoll(struct regs *regs)
{
	uint64_t deadline;
	int64_t rc = ktime_deadline_from_user(PTR2(regs), &deadline);

	if (!rc)
		rc = signal_mask_set_temporary_user(PTR3(regs), ARG4(regs));
	if (rc)
		return rc;
	rc = poll_do(PTR0(regs), (uint32_t)ARG1(regs), deadline);
	signal_mask_restore(rc == -EINTR);
	if (PTR2(regs).v && deadline)
		ktime_to_user(PTR2(regs), time_left(deadline)); /* as Linux: a failure here is not reported */
	return rc == -EINTR ? -ERESTARTNOHAND : rc;
}

/* ---- select ---- */

#define SELECT_READ (EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR)
#define SELECT_WRITE (EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR)
#define SELECT_EXCEPT EPOLLPRI

struct select_sets {
	uint64_t *bits[3]; /* read, write, except; in place: asked for, then ready */
	unsigned words;
	struct poll_item *items;
	int *fds;
	unsigned count;
};

static const uint32_t select_masks[3] = {SELECT_READ, SELECT_WRITE, SELECT_EXCEPT};

static int select_copy_in(struct select_sets *sets, int n, const uaddr_t user[3])
{
	for (unsigned s = 0; s < 3; s++) {
		if (user[s].v && copy_from_user(sets->bits[s], user[s], sets->words * 8))
			return -EFAULT;
		if (n % 64)
			sets->bits[s][sets->words - 1] &= (1ull << (n % 64)) - 1;
	}
	return 0;
}

static int select_copy_out(const struct select_sets *sets, const uaddr_t user[3])
{
	for (unsigned s = 0; s < 3; s++)
		if (user[s].v && copy_to_user(user[s], sets->bits[s], sets->words * 8))
			return -EFAULT;
	return 0;
}

/* References to the files asked for. */
static int select_collect(struct select_sets *sets)
{
	unsigned wanted = 0;

	for (unsigned s = 0; s < 3; s++)
		for (unsigned w = 0; w < sets->words; w++)
			wanted += (unsigned)__builtin_popcountll(sets->bits[s][w]);
	sets->items = kzalloc((wanted + 1) * sizeof(*sets->items));
	sets->fds = kmalloc((wanted + 1) * sizeof(*sets->fds));
	if (!sets->items || !sets->fds)
		return -ENOMEM;
	for (unsigned w = 0; w < sets->words; w++) {
		uint64_t any = sets->bits[0][w] | sets->bits[1][w] | sets->bits[2][w];

		for (; any; any &= any - 1) {
			unsigned bit = (unsigned)__builtin_ctzll(any);
			struct poll_item *item = &sets->items[sets->count];

			item->file = fd_file((int)(w * 64 + bit));
			if (!item->file)
				return -EBADF;
			sets->fds[sets->count++] = (int)(w * 64 + bit);
			for (unsigned s = 0; s < 3; s++)
				if (sets->bits[s][w] >> bit & 1)
					item->events |= select_masks[s];
		}
	}
	return 0;
}

static int64_t select_result(struct select_sets *sets)
{
	int64_t ready = 0;

	for (unsigned i = 0; i < sets->count; i++) {
		unsigned w = (unsigned)sets->fds[i] / 64;
		uint64_t bit = 1ull << (sets->fds[i] % 64);

		for (unsigned s = 0; s < 3; s++) {
			if (!(sets->bits[s][w] & bit))
				continue;
			if (sets->items[i].revents & select_masks[s])
				ready++;
			else
				sets->bits[s][w] &= ~bit;
		}
	}
	return ready;
}

/* EPOLLHUP and EPOLLERR count only for the sets that ask for them, so the wait is repeated until a bit is set. */
static int64_t select_wait(struct select_sets *sets, uint64_t deadline)
{
	struct poll_table table;
	bool last = deadline == 0;
	int64_t rc = 0;

	poll_table_init(&table);
	for (bool first = true;; first = false) {
		unsigned ready = 0;

		for (unsigned i = 0; i < sets->count; i++) {
			struct poll_item *item = &sets->items[i];

			item->revents = file_poll(item->file, first && !last ? &table.base : NULL) & item->events;
			ready += item->revents != 0;
		}
		if (ready || last || rc)
			break;
		rc = poll_table_sleep(&table, deadline);
		if (rc == -ETIMEDOUT) {
			last = true;
			rc = 0;
		} else if (rc) {
			break;
		}
	}
	poll_table_finish(&table);
	return rc ? rc : select_result(sets);
}

static int64_t select_do(int n, const uaddr_t user[3], uint64_t deadline)
{
	struct select_sets sets = {.words = 0};
	uint64_t *memory;
	int64_t rc;

	if (n < 0)
		return -EINVAL;
	n = MIN(n, (int)((current->files->size + 63) & ~63u));
	sets.words = ((unsigned)n + 63) / 64;
	memory = kzalloc(3 * sets.words * 8 + 8);
	if (!memory)
		return -ENOMEM;
	for (unsigned s = 0; s < 3; s++)
		sets.bits[s] = memory + s * sets.words;
	rc = select_copy_in(&sets, n, user);
	if (!rc)
		rc = select_collect(&sets);
	if (!rc)
		rc = select_wait(&sets, deadline);
	if (rc >= 0 && select_copy_out(&sets, user))
		rc = -EFAULT;
	for (unsigned i = 0; i < sets.count; i++)
		file_put(sets.items[i].file);
	kfree(sets.items);
	kfree(sets.fds);
	kfree(memory);
	return rc;
}

int64_t sys_select(struct regs *regs)
{
	const uaddr_t user[3] = {PTR1(regs), PTR2(regs), PTR3(regs)};
	uint64_t deadline = DEADLINE_NONE;
	int64_t tv[2], rc;

	if (ARG4(regs)) {
		if (copy_from_user(tv, PTR4(regs), sizeof(tv)))
			return -EFAULT;
		if (tv[0] < 0 || tv[1] < 0)
			return -EINVAL;
		deadline = 0;
		if (tv[0] > INT32_MAX)
			deadline = DEADLINE_NONE - 1;
		else if (tv[0] || tv[1])
			deadline = clock_monotonic() + (uint64_t)tv[0] * NS_PER_S + (uint64_t)tv[1] * 1000u;
	}
	rc = select_do(INT0(regs), user, deadline);
	if (ARG4(regs) && deadline) {
		int64_t left = time_left(deadline);

		tv[0] = left / (int64_t)NS_PER_S;
		tv[1] = left % (int64_t)NS_PER_S / 1000;
		if (copy_to_user(PTR4(regs), tv, sizeof(tv)) && rc == -EINTR)
			return -EINTR; /* cannot be restarted with the time that is left */
	}
	return rc == -EINTR ? -ERESTARTNOHAND : rc;
}

int64_t sys_pselect6(struct regs *regs)
{
	const uaddr_t user[3] = {PTR1(regs), PTR2(regs), PTR3(regs)};
	struct {
		uint64_t mask, size;
	} sig = {.mask = 0};
	uint64_t deadline;
	int64_t rc = ktime_deadline_from_user(PTR4(regs), &deadline);

	if (rc)
		return rc;
	if (ARG5(regs) && copy_from_user(&sig, PTR5(regs), sizeof(sig)))
		return -EFAULT;
	rc = signal_mask_set_temporary_user(UADDR(sig.mask), sig.size);
	if (rc)
		return rc;
	rc = select_do(INT0(regs), user, deadline);
	signal_mask_restore(rc == -EINTR);
	if (PTR4(regs).v && deadline)
		ktime_to_user(PTR4(regs), time_left(deadline));
	return rc == -EINTR ? -ERESTARTNOHAND : rc;
}
