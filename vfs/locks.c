/*
 * File locks: fcntl(2) record locks (POSIX: owned by a descriptor table; open file
 * description locks: owned by the struct file) and flock(2).
 *
 * Invariants, for the locks on one inode:
 *  1. Record locks of one owner do not overlap; neighbours of one type are merged.
 *  2. Two overlapping locks of different owners are both read locks.
 *  3. flock locks and record locks do not see each other (as Linux on local file systems).
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "vfs/internal.h"

enum lock_kind { LOCK_POSIX, LOCK_OFD, LOCK_FLOCK };

struct file_lock {
	TAILQ_ENTRY(file_lock) link;
	const void *owner; /* fd_table (POSIX) or file */
	uint64_t start, end;
	int16_t type;
	uint8_t kind;
	int pid;
};

/* A task that waits for a record lock, for deadlock detection. */
struct blocked {
	TAILQ_ENTRY(blocked) link;
	const void *owner, *for_owner;
};

static struct waitq lock_waiters;
static TAILQ_HEAD(, blocked) blocked_list = TAILQ_HEAD_INITIALIZER(blocked_list);
static bool lock_waiters_ready;

static struct waitq *waiters(void)
{
	if (!lock_waiters_ready) {
		waitq_init(&lock_waiters);
		lock_waiters_ready = true;
	}
	return &lock_waiters;
}

static bool same_space(const struct file_lock *a, const struct file_lock *b)
{
	return (a->kind == LOCK_FLOCK) == (b->kind == LOCK_FLOCK);
}

static struct file_lock *find_conflict(struct inode *inode, const struct file_lock *want)
{
	struct file_lock *l;

	TAILQ_FOREACH(l, &inode->locks, link) {
		if (!same_space(l, want) || (l->owner == want->owner && l->kind == want->kind))
			continue;
		if (l->end < want->start || l->start > want->end)
			continue;
		if (l->type == F_WRLCK || want->type == F_WRLCK)
			return l;
	}
	return NULL;
}

static bool would_deadlock(const void *owner, const void *for_owner)
{
	for (unsigned steps = 0; steps < 64; steps++) {
		struct blocked *b;

		if (for_owner == owner)
			return true;
		TAILQ_FOREACH(b, &blocked_list, link)
			if (b->owner == for_owner)
				break;
		if (!b)
			return false;
		for_owner = b->for_owner;
	}
	return false;
}

static int wait_for_conflict(struct inode *inode, const struct file_lock *want)
{
	struct blocked self = {.owner = want->owner};
	struct file_lock *conflict;
	struct waiter w;
	int rc = 0;

	waiter_init(&w);
	waitq_add(waiters(), &w);
	while ((conflict = find_conflict(inode, want)) != NULL) {
		self.for_owner = conflict->owner;
		if (want->kind == LOCK_POSIX && would_deadlock(self.owner, self.for_owner)) {
			rc = -EDEADLK;
			break;
		}
		TAILQ_INSERT_TAIL(&blocked_list, &self, link);
		rc = task_block(DEADLINE_NONE, true);
		TAILQ_REMOVE(&blocked_list, &self, link);
		if (rc) {
			rc = -ERESTARTSYS;
			break;
		}
	}
	waitq_remove(&w);
	return rc;
}

static struct file_lock *lock_new(const struct file_lock *like, uint64_t start, uint64_t end, int16_t type)
{
	struct file_lock *l = kmalloc(sizeof(*l));

	if (!l)
		return NULL;
	*l = *like;
	l->start = start;
	l->end = end;
	l->type = type;
	return l;
}

/* Neighbours on both sides, without wrapping round. */
static bool touches(const struct file_lock *l, const struct file_lock *want)
{
	return (l->end == UINT64_MAX || l->end + 1 >= want->start) && (want->end == UINT64_MAX || l->start <= want->end + 1);
}

/*
 * Replaces the owner's locks in the range by `want` (F_UNLCK: by nothing). Allocates
 * what it may need first; from there nothing fails.
 */
static int apply_record(struct inode *inode, const struct file_lock *want)
{
	struct file_lock *fresh = NULL, *tail = lock_new(want, 0, 0, 0), *l, *next;
	uint64_t start = want->start, end = want->end;

	if (want->type != F_UNLCK)
		fresh = lock_new(want, 0, 0, 0);
	if (!tail || (want->type != F_UNLCK && !fresh)) {
		kfree(tail);
		kfree(fresh);
		return -ENOLCK;
	}
	for (l = TAILQ_FIRST(&inode->locks); l; l = next) {
		next = TAILQ_NEXT(l, link);
		if (l->owner != want->owner || l->kind != want->kind)
			continue;
		if (l->type == want->type && touches(l, want)) { /* merge */
			start = MIN(start, l->start);
			end = MAX(end, l->end);
		} else if (l->end < want->start || l->start > want->end) {
			continue;
		} else if (l->start < want->start && l->end > want->end) { /* split */
			*tail = *l;
			tail->start = want->end + 1;
			l->end = want->start - 1;
			TAILQ_INSERT_AFTER(&inode->locks, l, tail, link);
			tail = NULL;
			break;
		} else if (l->start < want->start) {
			l->end = want->start - 1;
			continue;
		} else if (l->end > want->end) {
			l->start = want->end + 1;
			continue;
		}
		TAILQ_REMOVE(&inode->locks, l, link);
		kfree(l);
	}
	kfree(tail);
	if (fresh) {
		*fresh = *want;
		fresh->start = start;
		fresh->end = end;
		TAILQ_INSERT_TAIL(&inode->locks, fresh, link);
	}
	waitq_wake_all(waiters());
	return 0;
}

static void fill_want(struct file_lock *want, struct file *file, const struct lock_request *request, bool ofd)
{
	*want = (struct file_lock){
		.owner = ofd ? (const void *)file : (const void *)current->files,
		.start = request->start,
		.end = request->end,
		.type = request->type,
		.kind = ofd ? LOCK_OFD : LOCK_POSIX,
		.pid = ofd ? -1 : current->process->pid,
	};
}

int vfs_lock_get(struct file *file, struct lock_request *request, bool ofd)
{
	struct file_lock want, *conflict;

	if (!file->inode)
		return -EBADF;
	fill_want(&want, file, request, ofd);
	conflict = find_conflict(file->inode, &want);
	if (!conflict) {
		request->type = F_UNLCK;
		return 0;
	}
	request->type = conflict->type;
	request->start = conflict->start;
	request->end = conflict->end;
	request->pid = conflict->pid;
	return 0;
}

int vfs_lock_set(struct file *file, const struct lock_request *request, bool ofd, bool wait)
{
	struct file_lock want;
	int rc;

	if (!file->inode)
		return -EBADF;
	if ((request->type == F_RDLCK && !(file->mode & FILE_READ)) ||
		(request->type == F_WRLCK && !(file->mode & FILE_WRITE)))
		return -EBADF;
	fill_want(&want, file, request, ofd);
	if (request->type != F_UNLCK && find_conflict(file->inode, &want)) {
		if (!wait)
			return -EAGAIN;
		rc = wait_for_conflict(file->inode, &want);
		if (rc)
			return rc;
	}
	if (ofd)
		file->mode |= FILE_FLOCKED;
	return apply_record(file->inode, &want);
}

static void remove_owned(struct inode *inode, const void *owner, bool posix)
{
	struct file_lock *l, *next;
	bool removed = false;

	for (l = TAILQ_FIRST(&inode->locks); l; l = next) {
		next = TAILQ_NEXT(l, link);
		if (l->owner != owner || (l->kind == LOCK_POSIX) != posix)
			continue;
		TAILQ_REMOVE(&inode->locks, l, link);
		kfree(l);
		removed = true;
	}
	if (removed)
		waitq_wake_all(waiters());
}

void locks_remove_posix(struct file *file, struct fd_table *owner)
{
	if (file->inode && !TAILQ_EMPTY(&file->inode->locks))
		remove_owned(file->inode, owner, true);
}

void locks_remove_file(struct file *file)
{
	if (file->inode)
		remove_owned(file->inode, file, false);
}

static struct file_lock *find_flock(struct file *file)
{
	struct file_lock *l;

	TAILQ_FOREACH(l, &file->inode->locks, link)
		if (l->kind == LOCK_FLOCK && l->owner == file)
			return l;
	return NULL;
}

static void drop_flock(struct file *file)
{
	struct file_lock *l = find_flock(file);

	if (!l)
		return;
	TAILQ_REMOVE(&file->inode->locks, l, link);
	kfree(l);
	waitq_wake_all(waiters());
}

int vfs_flock(struct file *file, int operation)
{
	struct file_lock want = {.owner = file, .end = UINT64_MAX, .kind = LOCK_FLOCK}, *held;
	int rc;

	if (!file->inode)
		return -EBADF;
	switch (operation & ~LOCK_NB) {
	case LOCK_UN:
		drop_flock(file);
		return 0;
	case LOCK_SH:
		want.type = F_RDLCK;
		break;
	case LOCK_EX:
		want.type = F_WRLCK;
		break;
	default:
		return -EINVAL;
	}
	held = find_flock(file);
	if (held && held->type == want.type)
		return 0;
	drop_flock(file); /* a conversion is not atomic: flock(2) */
	want.pid = current->process->pid;
	if (find_conflict(file->inode, &want)) {
		if (operation & LOCK_NB)
			return -EAGAIN;
		rc = wait_for_conflict(file->inode, &want);
		if (rc)
			return rc;
	}
	held = lock_new(&want, 0, UINT64_MAX, want.type);
	if (!held)
		return -ENOLCK;
	TAILQ_INSERT_TAIL(&file->inode->locks, held, link);
	file->mode |= FILE_FLOCKED;
	return 0;
}
