/*
 * Futexes: wait queues named by user addresses.
 *
 * A word's key is (mm, address) if private and (object, offset) if shared; both come from
 * mm_futex_key(). Waiters hang in a hash table by key. A waiter is queued BEFORE it looks
 * at the word: whoever changes the word and then wakes either finds the waiter queued, or the waiter sees the new
 * value; reading the word may sleep, and nothing is lost meanwhile.
 *
 * Invariants: a waiter is on a bucket's list exactly while `queued`; only its own task takes
 * it off without waking it; who wakes it clears `queued` first, then never touches it again.
 * PI: the word holds the owner's tid; unlock hands it to the first waiter. There is no priority boost: the sentry's
 * scheduler is fair. futex(2), FUTEX_LOCK_PI(2const), get_robust_list(2).
 */
#include <linux/errno.h>
#include <linux/futex.h>

#include "kernel/futex.h"
#include "kernel/mm.h"
#include "kernel/process.h"
#include "ring0/clock.h"
#include "ring0/lib.h"

#define BUCKETS 256u

struct futex_waiter {
	TAILQ_ENTRY(futex_waiter) link;
	uint64_t key[2];
	uint32_t bitset;
	struct task *task;
	struct task *owner; /* PI: who has the lock, for its exit */
	uint32_t dead;      /* PI: woken because this owner died; the waiter takes the word from it */
	bool queued, pi;
	bool moves;         /* FUTEX_WAIT_REQUEUE_PI: not moved yet to `target`, where it will be PI */
	uint64_t target[2];
	unsigned index; /* futex_waitv */
};

static TAILQ_HEAD(futex_bucket, futex_waiter) buckets[BUCKETS];
static bool ready;
static unsigned pi_waiters;

static struct futex_bucket *bucket_of(const uint64_t key[2])
{
	if (!ready) {
		for (unsigned i = 0; i < BUCKETS; i++)
			TAILQ_INIT(&buckets[i]);
		ready = true;
	}
	uint64_t h = (key[0] ^ (key[1] >> 2) * 0x9e3779b97f4a7c15ull) * 0x9e3779b97f4a7c15ull;
	return &buckets[h >> 56];
}

static bool same_key(const uint64_t a[2], const uint64_t b[2])
{
	return a[0] == b[0] && a[1] == b[1];
}

static void queue(struct futex_waiter *waiter)
{
	TAILQ_INSERT_TAIL(bucket_of(waiter->key), waiter, link);
	waiter->queued = true;
	pi_waiters += waiter->pi;
}

static void unqueue(struct futex_waiter *waiter)
{
	if (!waiter->queued)
		return;
	TAILQ_REMOVE(bucket_of(waiter->key), waiter, link);
	waiter->queued = false;
	pi_waiters -= waiter->pi;
}

static void wake(struct futex_waiter *waiter)
{
	struct task *task = waiter->task;

	unqueue(waiter);
	task_wake(task);
}

static int get_key(uaddr_t address, bool shared, uint64_t key[2])
{
	if (address.v & 3)
		return -EINVAL;
	return mm_futex_key(current->mm, address, shared, key);
}

static int wake_key(const uint64_t key[2], unsigned n, uint32_t bitset)
{
	struct futex_waiter *waiter, *next;
	int woken = 0;

	TAILQ_FOREACH_SAFE(waiter, bucket_of(key), link, next) {
		if ((unsigned)woken >= n)
			break;
		if (!same_key(waiter->key, key) || !(waiter->bitset & bitset))
			continue;
		if (waiter->pi || waiter->moves)
			return -EINVAL;
		wake(waiter);
		woken++;
	}
	return woken;
}

static int futex_wake(uaddr_t address, bool shared, unsigned n, uint32_t bitset)
{
	uint64_t key[2];

	if (!bitset)
		return -EINVAL;
	int rc = get_key(address, shared, key);
	return rc ? rc : wake_key(key, n, bitset);
}

int futex_wake_addr(uaddr_t uaddr, unsigned n)
{
	return futex_wake(uaddr, true, n, FUTEX_BITSET_MATCH_ANY);
}

/* Sleep until woken. 0, -ETIMEDOUT, -EINTR; the waiter is off its queue then. */
static int wait_queued(struct futex_waiter *waiter, uint64_t deadline)
{
	int rc = 0;

	while (waiter->queued) {
		rc = task_block(deadline, true);
		if (rc)
			break;
	}
	if (!waiter->queued)
		return 0; /* woken, whatever else happened */
	unqueue(waiter);
	return rc;
}

static int futex_wait(uaddr_t address, bool shared, uint32_t expect, uint64_t deadline, uint32_t bitset)
{
	struct futex_waiter waiter = {.task = current, .bitset = bitset};
	uint32_t value;

	if (!bitset)
		return -EINVAL;
	int rc = get_key(address, shared, waiter.key);
	if (rc)
		return rc;
	queue(&waiter);
	rc = get_user(value, address);
	if (!rc && value != expect)
		rc = -EAGAIN;
	if (rc) {
		/* A wake that already chose us must not be lost: pass it on as our own return. */
		if (!waiter.queued)
			return 0;
		unqueue(&waiter);
		return rc;
	}
	return wait_queued(&waiter, deadline);
}

static int64_t futex_wait_restart(struct task *task)
{
	uint64_t *arg = task->restart.arg;
	int rc = futex_wait(UADDR(arg[0]), arg[1], (uint32_t)arg[2], arg[3], (uint32_t)arg[4]);

	return rc == -EINTR ? -ERESTART_RESTARTBLOCK : rc;
}

static int64_t futex_wait_restartable(uaddr_t address, bool shared, uint32_t value, uint64_t deadline, uint32_t bitset)
{
	int rc = futex_wait(address, shared, value, deadline, bitset);

	if (rc != -EINTR)
		return rc;
	if (deadline == DEADLINE_NONE)
		return -ERESTARTSYS;
	struct task *task = current;
	task->restart.fn = futex_wait_restart;
	task->restart.arg[0] = address.v;
	task->restart.arg[1] = shared;
	task->restart.arg[2] = value;
	task->restart.arg[3] = deadline;
	task->restart.arg[4] = bitset;
	return -ERESTART_RESTARTBLOCK;
}

/* Wake `wakes` waiters of the first word, move up to `moves` others to the second. */
static int futex_requeue(uaddr_t from, uaddr_t to, bool shared, unsigned wakes, unsigned moves, const uint32_t *expect)
{
	uint64_t key[2], key2[2];
	uint32_t value;

	if ((int)wakes < 0 || (int)moves < 0)
		return -EINVAL;
	int rc = get_key(from, shared, key);
	if (!rc)
		rc = get_key(to, shared, key2);
	if (!rc && expect)
		rc = get_user(value, from);
	if (rc)
		return rc;
	if (expect && value != *expect)
		return -EAGAIN;
	int done = wake_key(key, wakes, FUTEX_BITSET_MATCH_ANY);
	if (done < 0 || same_key(key, key2))
		return done;
	struct futex_waiter *waiter, *next;
	TAILQ_FOREACH_SAFE(waiter, bucket_of(key), link, next) {
		if (!moves)
			break;
		if (!same_key(waiter->key, key))
			continue;
		if (waiter->pi || waiter->moves)
			return -EINVAL;
		unqueue(waiter);
		waiter->key[0] = key2[0];
		waiter->key[1] = key2[1];
		queue(waiter);
		moves--;
		done++;
	}
	return done;
}

/* FUTEX_WAKE_OP's encoded operation on the second word; *hit: the comparison held for its old value. */
static int apply_op(uaddr_t address, uint32_t encoded, bool *hit)
{
	uint32_t op = encoded >> 28 & 7, cmp = encoded >> 24 & 15;
	int32_t oparg = (int32_t)(encoded << 8) >> 20, cmparg = (int32_t)(encoded << 20) >> 20;
	uint32_t old, seen, value;

	if (encoded >> 31)
		oparg = (int32_t)(1u << (oparg & 31));
	if (op > FUTEX_OP_XOR || cmp > FUTEX_OP_CMP_GE)
		return -ENOSYS;
	int rc = get_user(old, address);
	for (;;) {
		if (rc)
			return rc;
		switch (op) {
		case FUTEX_OP_SET:
			value = (uint32_t)oparg;
			break;
		case FUTEX_OP_ADD:
			value = old + (uint32_t)oparg;
			break;
		case FUTEX_OP_OR:
			value = old | (uint32_t)oparg;
			break;
		case FUTEX_OP_ANDN:
			value = old & ~(uint32_t)oparg;
			break;
		default:
			value = old ^ (uint32_t)oparg;
			break;
		}
		rc = cmpxchg_user32(address, old, value, &seen);
		if (!rc && seen == old)
			break;
		old = seen;
	}
	int32_t before = (int32_t)old;
	const bool results[] = {before == cmparg, before != cmparg, before < cmparg, before <= cmparg, before > cmparg,
		before >= cmparg};
	*hit = results[cmp];
	return 0;
}

static int futex_wake_op(uaddr_t a, uaddr_t b, bool shared, unsigned n, unsigned n2, uint32_t encoded)
{
	uint64_t key[2], key2[2];
	bool hit = false;
	int rc = get_key(a, shared, key);

	if (!rc)
		rc = get_key(b, shared, key2);
	if (!rc)
		rc = apply_op(b, encoded, &hit);
	if (rc)
		return rc;
	int woken = wake_key(key, n, FUTEX_BITSET_MATCH_ANY);
	if (woken < 0 || !hit)
		return woken;
	int more = wake_key(key2, n2, FUTEX_BITSET_MATCH_ANY);
	return more < 0 ? more : woken + more;
}

/* ---- PI ---- */

/* Try to take the word, from a dead owner too. 0: ours; -EAGAIN: owned (*owner_tid) and marked as waited for; else an error. */
static int pi_try(uaddr_t address, bool mark, uint32_t dead, uint32_t *owner_tid)
{
	uint32_t self = (uint32_t)current->vtid, old, seen;
	int rc = get_user(old, address);

	for (;;) {
		if (rc)
			return rc;
		*owner_tid = old & FUTEX_TID_MASK;
		if (*owner_tid == self)
			return -EDEADLK;
		bool died = dead && *owner_tid == dead, take = *owner_tid == 0 || died;
		if (!take && (!mark || (old & FUTEX_WAITERS)))
			return -EAGAIN;
		uint32_t value = take ? self | (old & ~FUTEX_TID_MASK) : old | FUTEX_WAITERS;
		if (died)
			value |= FUTEX_OWNER_DIED;
		rc = cmpxchg_user32(address, old, value, &seen);
		if (rc)
			return rc;
		if (seen == old)
			return take ? 0 : -EAGAIN;
		old = seen;
	}
}

/* Everybody who waits for the word has a new owner, or none until one takes it. */
static void pi_set_owner(const uint64_t key[2], struct task *owner)
{
	struct futex_waiter *waiter;

	TAILQ_FOREACH(waiter, bucket_of(key), link) {
		if (waiter->pi && same_key(waiter->key, key))
			waiter->owner = owner;
	}
}

/* One round of waiting for the owner. 0: the word carries our tid; -EAGAIN: try again; else the end. */
static int pi_wait(struct futex_waiter *waiter, uaddr_t address, uint32_t owner_tid, uint64_t deadline)
{
	uint32_t now;
	int rc;

	waiter->owner = task_find((int)owner_tid);
	if (!waiter->owner || waiter->owner->exiting)
		return -ESRCH;
	waiter->dead = 0;
	queue(waiter);
	/* The word may have changed while the reading slept. */
	rc = get_user(now, address);
	if (rc || (waiter->queued && (now & FUTEX_TID_MASK) != owner_tid)) {
		bool given = !waiter->queued && !waiter->dead;

		unqueue(waiter);
		return given ? 0 : rc ? rc : -EAGAIN;
	}
	rc = wait_queued(waiter, deadline);
	return rc ? rc : waiter->dead ? -EAGAIN : 0;
}

/* Until the word is ours: the waiter is not queued, its key and what it knows of a dead owner are set. */
static int pi_acquire(struct futex_waiter *waiter, uaddr_t address, uint64_t deadline, bool try_only)
{
	uint32_t owner_tid = 0;
	int rc;

	do {
		rc = pi_try(address, !try_only, waiter->dead, &owner_tid);
		if (rc == 0 && waiter->dead)
			pi_set_owner(waiter->key, current);
		if (rc != -EAGAIN || try_only)
			return rc;
		rc = pi_wait(waiter, address, owner_tid, deadline);
	} while (rc == -EAGAIN);
	return rc;
}

static int futex_lock_pi(uaddr_t address, bool shared, uint64_t deadline, bool try_only)
{
	struct futex_waiter waiter = {.task = current, .bitset = ~0u, .pi = true};
	int rc = get_key(address, shared, waiter.key);

	if (rc == 0)
		rc = pi_acquire(&waiter, address, deadline, try_only);
	return rc == -EINTR ? -ERESTARTNOINTR : rc;
}

static struct futex_waiter *first_pi(const uint64_t key[2], struct futex_waiter **second)
{
	struct futex_waiter *waiter, *first = NULL;

	*second = NULL;
	TAILQ_FOREACH(waiter, bucket_of(key), link) {
		if (!waiter->pi || !same_key(waiter->key, key))
			continue;
		if (first) {
			*second = waiter;
			break;
		}
		first = waiter;
	}
	return first;
}

/* Give the word from `self` to the first waiter, or free it. May sleep. */
static int pi_hand_over(uaddr_t address, const uint64_t key[2], uint32_t self)
{
	uint32_t old, seen;
	int rc = get_user(old, address);

	for (;;) {
		struct futex_waiter *second, *first = first_pi(key, &second);

		if (rc)
			return rc;
		if ((old & FUTEX_TID_MASK) != self)
			return -EPERM;
		struct task *next = first ? first->task : NULL;
		uint32_t value = (next ? (uint32_t)next->vtid : 0) | (second ? FUTEX_WAITERS : 0);
		rc = cmpxchg_user32(address, old, value, &seen);
		if (rc)
			return rc;
		if (seen != old) {
			old = seen;
			continue;
		}
		/* The exchange may have slept (a fault): is the one we named still first? If not it has gone: name another. */
		struct futex_waiter *now = first_pi(key, &second);
		if (next && (!now || now->task != next)) {
			self = (uint32_t)next->vtid;
			old = value;
			continue;
		}
		if (!next)
			return 0;
		wake(now);
		pi_set_owner(key, next);
		return 0;
	}
}

static int futex_unlock_pi(uaddr_t address, bool shared)
{
	uint64_t key[2];
	int rc = get_key(address, shared, key);

	return rc ? rc : pi_hand_over(address, key, (uint32_t)current->vtid);
}

/* ---- from a word to a PI lock: what condition variables of such mutexes do ---- */

/*
 * Waits at one word for somebody to move it to the lock, and then for that: 0: the lock is ours. A signal before the move
 * starts the call again; after it, it is over (-EAGAIN), since the word says nothing any more.
 */
static int futex_wait_requeue_pi(uaddr_t address, uaddr_t lock, bool shared, uint32_t expect, uint64_t deadline)
{
	struct futex_waiter waiter = {.task = current, .bitset = ~0u, .moves = true};
	uint32_t value;
	int rc = get_key(address, shared, waiter.key);

	if (rc == 0)
		rc = get_key(lock, shared, waiter.target);
	if (rc)
		return rc;
	if (same_key(waiter.key, waiter.target))
		return -EINVAL;
	queue(&waiter);
	rc = get_user(value, address);
	if (!rc && value != expect)
		rc = -EAGAIN;
	if (rc && waiter.moves) { /* else it was moved, or given the lock, while the reading slept */
		unqueue(&waiter);
		return rc;
	}
	rc = wait_queued(&waiter, deadline);
	if (rc == 0 && waiter.dead)
		rc = pi_acquire(&waiter, lock, deadline, false);
	if (rc == -EINTR)
		return waiter.moves ? -ERESTARTNOINTR : -EAGAIN;
	return rc;
}

/* The first that waits at `key`, for a move to `target`. NULL: none; *error: -EINVAL if it waits for something else. */
static struct futex_waiter *first_mover(const uint64_t key[2], const uint64_t target[2], int *error)
{
	struct futex_waiter *waiter;

	*error = 0;
	TAILQ_FOREACH(waiter, bucket_of(key), link) {
		if (!same_key(waiter->key, key))
			continue;
		if (waiter->moves && same_key(waiter->target, target))
			return waiter;
		*error = -EINVAL;
		break;
	}
	return NULL;
}

/*
 * The lock for the first who waits, if it is free: 1, and he is woken; else it is marked as waited for: 0, *owner_tid.
 * mark: others will wait for it in any case. -EAGAIN: something changed meanwhile, look again. May sleep.
 */
static int give_lock(uaddr_t lock, const uint64_t key[2], const uint64_t target[2], bool mark, uint32_t *owner_tid)
{
	uint32_t old, seen, value, tid;
	int rc = get_user(old, lock), error;
	struct futex_waiter *first = first_mover(key, target, &error);

	if (rc || !first)
		return rc ? rc : -EAGAIN;
	tid = (uint32_t)first->task->vtid;
	*owner_tid = old & FUTEX_TID_MASK;
	if (*owner_tid == tid)
		return -EDEADLK;
	value = *owner_tid ? old | FUTEX_WAITERS : tid | (old & ~FUTEX_TID_MASK) | (mark ? FUTEX_WAITERS : 0);
	rc = cmpxchg_user32(lock, old, value, &seen);
	if (rc || seen != old)
		return rc ? rc : -EAGAIN;
	if (*owner_tid)
		return 0;
	if (first_mover(key, target, &error) != first) { /* the exchange slept, and he has gone */
		rc = pi_hand_over(lock, target, tid);
		return rc ? rc : -EAGAIN;
	}
	first->moves = false;
	*owner_tid = tid;
	pi_set_owner(target, first->task);
	wake(first);
	return 1;
}

/* FUTEX_CMP_REQUEUE_PI: gives the lock to the first, and makes up to `moves` others wait for it. How many in all. */
static int futex_requeue_pi(uaddr_t from, uaddr_t lock, bool shared, unsigned wakes, unsigned moves, uint32_t expect)
{
	uint64_t key[2], target[2];
	uint32_t value, owner_tid = 0;
	struct futex_waiter *waiter;
	struct task *owner;
	int rc, given, done;

	if ((int)moves < 0 || wakes != 1)
		return -EINVAL;
	rc = get_key(from, shared, key);
	if (!rc)
		rc = get_key(lock, shared, target);
	if (!rc && same_key(key, target))
		rc = -EINVAL;
	do {
		if (!rc)
			rc = get_user(value, from);
		if (!rc && value != expect)
			return -EAGAIN;
		if (rc || !first_mover(key, target, &rc))
			return rc;
		given = give_lock(lock, key, target, moves > 0, &owner_tid);
	} while (given == -EAGAIN && !task_breathe());
	if (given < 0)
		return given == -EAGAIN ? -ERESTARTNOINTR : given;
	owner = task_find((int)owner_tid);
	if (!owner || owner->exiting)
		return given ? given : -ESRCH;
	for (done = given; (unsigned)done < moves + 1 && (waiter = first_mover(key, target, &rc)) != NULL; done++) {
		unqueue(waiter);
		memcpy(waiter->key, target, sizeof(waiter->key));
		waiter->moves = false;
		waiter->pi = true;
		waiter->owner = owner;
		queue(waiter);
	}
	return rc ? rc : done;
}

/* The task dies owning PI locks: the first waiter of each takes it over, in its own address space. */
void futex_exit_pi(struct task *task)
{
	for (unsigned i = 0; pi_waiters && i < BUCKETS; i++) {
		struct futex_waiter *waiter, *next;

		TAILQ_FOREACH_SAFE(waiter, &buckets[i], link, next) {
			if (!waiter->pi || waiter->owner != task)
				continue;
			pi_set_owner(waiter->key, NULL);
			waiter->dead = (uint32_t)task->vtid;
			wake(waiter);
		}
	}
}

/* ---- robust lists ---- */

/* One lock of the list of a dying task: mark it, wake one waiter. Linux' handle_futex_death() by its documentation. */
static int robust_death(struct task *task, uaddr_t address, bool pi, bool pending)
{
	uint32_t value, seen, tid = (uint32_t)task->vtid;

	if (address.v & 3)
		return -EINVAL;
	int rc = get_user(value, address);
	for (;;) {
		if (rc)
			return rc;
		/* An unlock was interrupted between freeing the word and waking. */
		if (pending && !pi && value == 0) {
			futex_wake(address, true, 1, FUTEX_BITSET_MATCH_ANY);
			return 0;
		}
		if ((value & FUTEX_TID_MASK) != tid)
			return 0;
		rc = cmpxchg_user32(address, value, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &seen);
		if (!rc && seen == value)
			break;
		value = seen;
	}
	if (!pi && (value & FUTEX_WAITERS))
		futex_wake(address, true, 1, FUTEX_BITSET_MATCH_ANY);
	return 0;
}

void futex_exit_robust(struct task *task)
{
	struct {
		uint64_t next;
		int64_t offset;
		uint64_t pending;
	} head;
	uaddr_t list = task->robust_list;
	uint64_t entry, next;

	task->robust_list = UADDR(0);
	if (get_user(head, list))
		return;
	entry = head.next;
	for (unsigned left = ROBUST_LIST_LIMIT; left && (entry & ~1ull) != list.v; left--) {
		/* Read on before the lock is let go: its owner may free it. */
		int rc = get_user(next, UADDR(entry & ~1ull));

		if ((entry & ~1ull) != (head.pending & ~1ull) &&
			robust_death(task, UADDR((entry & ~1ull) + (uint64_t)head.offset), entry & 1, false))
			return;
		if (rc)
			return;
		entry = next;
	}
	if (head.pending & ~1ull)
		robust_death(task, UADDR((head.pending & ~1ull) + (uint64_t)head.offset), head.pending & 1, true);
}

/* ---- the calls ---- */

int64_t futex_do(uaddr_t uaddr, int op, uint32_t val, uint64_t deadline, uaddr_t uaddr2, uint32_t val2, uint32_t val3)
{
	bool shared = !(op & FUTEX_PRIVATE_FLAG);

	switch (op & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
		return futex_wait_restartable(uaddr, shared, val, deadline, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAIT_BITSET:
		return futex_wait_restartable(uaddr, shared, val, deadline, val3);
	case FUTEX_WAKE:
		return futex_wake(uaddr, shared, val, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(uaddr, shared, val, val3);
	case FUTEX_REQUEUE:
		return futex_requeue(uaddr, uaddr2, shared, val, val2, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(uaddr, uaddr2, shared, val, val2, &val3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(uaddr, uaddr2, shared, val, val2, val3);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return futex_lock_pi(uaddr, shared, deadline, false);
	case FUTEX_TRYLOCK_PI:
		return futex_lock_pi(uaddr, shared, DEADLINE_NONE, true);
	case FUTEX_UNLOCK_PI:
		return futex_unlock_pi(uaddr, shared);
	case FUTEX_WAIT_REQUEUE_PI:
		return futex_wait_requeue_pi(uaddr, uaddr2, shared, val, deadline);
	case FUTEX_CMP_REQUEUE_PI:
		return futex_requeue_pi(uaddr, uaddr2, shared, val, val2, val3);
	}
	return -ENOSYS;
}

/* Index of one that was woken, or -1. */
static int woken_one(const struct futex_waiter *waiters, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!waiters[i].queued)
			return (int)i;
	}
	return -1;
}

static void unqueue_all(struct futex_waiter *waiters, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		unqueue(&waiters[i]);
}

/* Queue on all words, then look at each. 0, or what ends the call. */
static int waitv_prepare(struct futex_waiter *waiters, const struct futex_waitv *words, unsigned n)
{
	int rc;

	for (unsigned i = 0; i < n; i++) {
		waiters[i] = (struct futex_waiter){.task = current, .bitset = ~0u};
		rc = get_key(UADDR(words[i].uaddr), !(words[i].flags & FUTEX_PRIVATE_FLAG), waiters[i].key);
		if (rc)
			return rc;
	}
	for (unsigned i = 0; i < n; i++)
		queue(&waiters[i]);
	for (unsigned i = 0; i < n; i++) {
		uint32_t value;

		rc = get_user(value, UADDR(words[i].uaddr));
		if (rc)
			return rc;
		if (value != (uint32_t)words[i].val)
			return -EAGAIN;
	}
	return 0;
}

int64_t futex_wait_multiple(const struct futex_waitv *words, unsigned n, uint64_t deadline)
{
	struct futex_waiter *waiters = kzalloc(n * sizeof(*waiters));
	int64_t rc, woken = -1;

	if (!waiters)
		return -ENOMEM;
	rc = waitv_prepare(waiters, words, n);
	while (!rc && (woken = woken_one(waiters, n)) < 0)
		rc = task_block(deadline, true);
	/* A wake-up that came is not lost, whatever else ended the wait. */
	if (woken < 0 && rc != -EFAULT && rc != -EINVAL && rc != -EAGAIN)
		woken = woken_one(waiters, n);
	unqueue_all(waiters, n);
	kfree(waiters);
	if (woken >= 0)
		return woken;
	return rc == -EINTR ? -ERESTARTSYS : rc;
}
