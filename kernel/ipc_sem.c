/*
 * System V semaphores (semget(2), semop(2), semctl(2)).
 *
 * An operation on a set is all or nothing: try() does it on a copy-free run that is taken back at the first part that
 * cannot be done. A waiter is on its set's list with the part that it waits for, and tries again whenever a value
 * changed. A process' SEM_UNDO adjustments are one record for each set; both lists hold it.
 */
#include <asm/sembuf.h>
#include <linux/errno.h>
#include <linux/ipc.h>
#include <linux/sem.h>

#include "kernel/ipc.h"
#include "kernel/mm.h"
#include "kernel/signal.h"
#include "kernel/sysctl.h"
#include "kernel/task.h"
#include "ring0/lib.h"

#define VALUE_MAX 32767
#define ADJUST_MAX 32767

struct semaphore {
	int value;
	int pid; /* of the last operation */
};

struct sem_wait {
	TAILQ_ENTRY(sem_wait) link;
	unsigned number;
	bool for_zero;
};

struct sem_set {
	struct ipc_object base;
	struct waitq waiters;
	TAILQ_HEAD(, sem_wait) waits;
	TAILQ_HEAD(, sem_undo) undos;
	int64_t otime;
	unsigned count;
	struct semaphore sem[];
};

struct sem_undo {
	TAILQ_ENTRY(sem_undo) link; /* of its set */
	struct sem_undo *next;      /* of its process */
	struct sem_set *set;        /* NULL: it was removed */
	int adjust[];
};

static void set_free(struct ipc_object *object)
{
	kfree(container_of(object, struct sem_set, base));
}

static struct ipc_table table = {.free = set_free};

static struct sem_set *set_find(int id)
{
	struct ipc_object *object = ipc_find(&table, id);

	return object ? container_of(object, struct sem_set, base) : NULL;
}

static uint64_t semaphores_in_use(void)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < table.size; i++) {
		const struct ipc_object *object = ipc_at(&table, (int)i);

		if (object)
			count += container_of(object, const struct sem_set, base)->count;
	}
	return count;
}

static int64_t set_create(int key, unsigned count, int flags)
{
	if (count == 0)
		return -EINVAL;
	if (semaphores_in_use() + count > sysctls.semmns)
		return -ENOSPC;
	struct sem_set *set = kzalloc(sizeof(*set) + count * sizeof(struct semaphore));
	if (!set)
		return -ENOMEM;
	waitq_init(&set->waiters);
	TAILQ_INIT(&set->waits);
	TAILQ_INIT(&set->undos);
	set->count = count;
	int id = ipc_insert(&table, &set->base, key, flags, sysctls.semmni);
	if (id < 0)
		kfree(set);
	return id;
}

int64_t sem_get(int key, int count, int flags)
{
	struct ipc_object *object;

	if (count < 0 || (uint64_t)count > sysctls.semmsl)
		return -EINVAL;
	int rc = ipc_find_key(&table, key, flags, &object);
	if (rc < 0)
		return rc;
	if (!object)
		return set_create(key, (unsigned)count, flags);
	return (unsigned)count > container_of(object, struct sem_set, base)->count ? -EINVAL : rc;
}

/* ---- undo ---- */

static struct sem_undo *undo_find(const struct process *process, const struct sem_set *set)
{
	struct sem_undo *undo = process->sem_undos;

	while (undo && undo->set != set)
		undo = undo->next;
	return undo;
}

static struct sem_undo *undo_make(struct process *process, struct sem_set *set)
{
	struct sem_undo *undo = kzalloc(sizeof(*undo) + set->count * sizeof(int));

	if (!undo)
		return NULL;
	undo->set = set;
	undo->next = process->sem_undos;
	process->sem_undos = undo;
	TAILQ_INSERT_TAIL(&set->undos, undo, link);
	return undo;
}

void sem_exit(struct process *process)
{
	struct sem_undo *undo;

	while ((undo = process->sem_undos)) {
		struct sem_set *set = undo->set;

		process->sem_undos = undo->next;
		for (unsigned i = 0; set && i < set->count; i++) {
			struct semaphore *sem = &set->sem[i];

			if (!undo->adjust[i])
				continue;
			sem->value = MAX(0, MIN(sem->value + undo->adjust[i], VALUE_MAX));
			sem->pid = process->pid;
		}
		if (set) {
			TAILQ_REMOVE(&set->undos, undo, link);
			waitq_wake_all(&set->waiters);
		}
		kfree(undo);
	}
}

/* A value that was set by hand has nothing to be undone. */
static void undo_clear(struct sem_set *set, unsigned number)
{
	struct sem_undo *undo;

	TAILQ_FOREACH(undo, &set->undos, link)
		undo->adjust[number] = 0;
}

/* ---- operations ---- */

/* One part. 0, 1: it would have to wait, -ERANGE. */
static int apply(struct sem_set *set, const struct sembuf *op, struct sem_undo *undo)
{
	struct semaphore *sem = &set->sem[op->sem_num];
	int value = sem->value + op->sem_op;

	if (op->sem_op == 0)
		return sem->value != 0;
	if (value < 0)
		return 1;
	if (value > VALUE_MAX)
		return -ERANGE;
	if (op->sem_flg & SEM_UNDO) {
		int adjust = undo->adjust[op->sem_num] - op->sem_op;

		if (adjust < -ADJUST_MAX - 1 || adjust > ADJUST_MAX)
			return -ERANGE;
		undo->adjust[op->sem_num] = adjust;
	}
	sem->value = value;
	return 0;
}

static void take_back(struct sem_set *set, const struct sembuf *ops, unsigned count, struct sem_undo *undo)
{
	while (count--) {
		set->sem[ops[count].sem_num].value -= ops[count].sem_op;
		if (ops[count].sem_flg & SEM_UNDO)
			undo->adjust[ops[count].sem_num] += ops[count].sem_op;
	}
}

/* All parts or none. 0; 1 with *blocked: that part would have to wait; -ERANGE. */
static int try(struct sem_set *set, const struct sembuf *ops, unsigned count, struct sem_undo *undo, unsigned *blocked)
{
	bool changed = false;

	for (unsigned i = 0; i < count; i++) {
		int rc = apply(set, &ops[i], undo);

		if (rc) {
			take_back(set, ops, i, undo);
			*blocked = i;
			return rc;
		}
		changed |= ops[i].sem_op != 0;
	}
	for (unsigned i = 0; i < count; i++)
		set->sem[ops[i].sem_num].pid = current->process->pid;
	set->otime = ipc_now();
	if (changed)
		waitq_wake_all(&set->waiters);
	return 0;
}

static int operate(struct sem_set *set, const struct sembuf *ops, unsigned count, struct sem_undo *undo, uint64_t deadline)
{
	struct waiter waiter;
	unsigned blocked = 0;
	int rc = try(set, ops, count, undo, &blocked);

	if (rc <= 0)
		return rc;
	waiter_init(&waiter);
	waitq_add(&set->waiters, &waiter);
	while (rc == 1) {
		struct sem_wait wait = {.number = ops[blocked].sem_num, .for_zero = ops[blocked].sem_op == 0};

		if (ops[blocked].sem_flg & IPC_NOWAIT) {
			rc = -EAGAIN;
			break;
		}
		TAILQ_INSERT_TAIL(&set->waits, &wait, link);
		rc = task_block(deadline, true);
		TAILQ_REMOVE(&set->waits, &wait, link);
		if (set->base.removed)
			rc = -EIDRM;
		else if (rc == 0 || rc == -ETIMEDOUT || rc == -EINTR) {
			int again = try(set, ops, count, undo, &blocked); /* it may have come true meanwhile */

			rc = again <= 0 || rc == 0 ? again : rc == -ETIMEDOUT ? -EAGAIN : -EINTR;
		}
	}
	waitq_remove(&waiter);
	return rc;
}

int64_t sem_operate(int id, const struct sembuf *ops, unsigned count, uint64_t deadline)
{
	struct sem_set *set = set_find(id);
	bool alter = false, undoing = false;

	if (!set)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++) {
		if (ops[i].sem_num >= set->count)
			return -EFBIG;
		alter |= ops[i].sem_op != 0;
		undoing |= (ops[i].sem_flg & SEM_UNDO) != 0;
	}
	if (!ipc_permits(&set->base, alter ? 2 : 4))
		return -EACCES;
	struct sem_undo *undo = undoing ? undo_find(current->process, set) : NULL;
	if (undoing && !undo)
		undo = undo_make(current->process, set);
	if (undoing && !undo)
		return -ENOMEM;
	ipc_get(&set->base);
	int rc = operate(set, ops, count, undo, deadline);
	ipc_put(&table, &set->base);
	return rc;
}

/* ---- semctl(2) ---- */

static void set_remove(struct sem_set *set)
{
	struct sem_undo *undo;

	while ((undo = TAILQ_FIRST(&set->undos))) {
		TAILQ_REMOVE(&set->undos, undo, link);
		undo->set = NULL;
	}
	ipc_get(&set->base);
	ipc_remove(&table, &set->base);
	waitq_wake_all(&set->waiters);
	ipc_put(&table, &set->base);
}

void sem_ns_destroy(struct ipc_ns *ns)
{
	for (unsigned i = 0; i < table.size; i++) {
		if (table.slots[i] && table.slots[i]->ns == ns)
			set_remove(container_of(table.slots[i], struct sem_set, base));
	}
}

static int64_t sem_info(int command, uaddr_t buffer)
{
	struct seminfo info = {.semmni = (int)sysctls.semmni, .semmns = (int)sysctls.semmns, .semmsl = (int)sysctls.semmsl,
		.semopm = (int)sysctls.semopm, .semvmx = VALUE_MAX, .semmnu = (int)sysctls.semmns, .semmap = (int)sysctls.semmns,
		.semume = (int)sysctls.semopm, .semusz = 20, .semaem = ADJUST_MAX};

	if (command == SEM_INFO) {
		info.semusz = (int)ipc_count(&table);
		info.semaem = (int)semaphores_in_use();
	}
	return copy_to_user(buffer, &info, sizeof(info)) ? -EFAULT : ipc_highest(&table);
}

static int64_t sem_stat(const struct sem_set *set, int command, uaddr_t buffer)
{
	struct semid64_ds ds = {.sem_otime = set->otime, .sem_ctime = set->base.ctime, .sem_nsems = set->count};

	ipc_fill_perm(&set->base, &ds.sem_perm);
	int id = command == IPC_STAT ? 0 : set->base.id;
	return copy_to_user(buffer, &ds, sizeof(ds)) ? -EFAULT : id;
}

static int64_t count_waiting(const struct sem_set *set, unsigned number, bool for_zero)
{
	const struct sem_wait *wait;
	int64_t count = 0;

	TAILQ_FOREACH(wait, &set->waits, link)
		count += wait->number == number && wait->for_zero == for_zero;
	return count;
}

static int64_t set_value(struct sem_set *set, unsigned number, int value)
{
	if (value < 0 || value > VALUE_MAX)
		return -ERANGE;
	set->sem[number].value = value;
	set->sem[number].pid = current->process->pid;
	set->base.ctime = ipc_now();
	undo_clear(set, number);
	waitq_wake_all(&set->waiters);
	return 0;
}

static int64_t one_semaphore(struct sem_set *set, int number, int command, uint64_t arg)
{
	if (number < 0 || (unsigned)number >= set->count)
		return -EINVAL;
	if (!ipc_permits(&set->base, command == SETVAL ? 2 : 4))
		return -EACCES;
	switch (command) {
	case GETVAL:
		return set->sem[number].value;
	case GETPID:
		return pid_vnr(set->sem[number].pid);
	case SETVAL:
		return set_value(set, (unsigned)number, (int)arg);
	default:
		return count_waiting(set, (unsigned)number, command == GETZCNT);
	}
}

static int64_t get_all(const struct sem_set *set, uaddr_t to)
{
	uint16_t *values = kmalloc(set->count * sizeof(*values));
	size_t size = set->count * sizeof(*values);

	if (!values)
		return -ENOMEM;
	for (unsigned i = 0; i < set->count; i++)
		values[i] = (uint16_t)set->sem[i].value;
	int64_t rc = copy_to_user(to, values, size) ? -EFAULT : 0;
	kfree(values);
	return rc;
}

static int64_t set_all(struct sem_set *set, uaddr_t from)
{
	uint16_t *values = kmalloc(set->count * sizeof(*values));
	int64_t rc = 0;

	if (!values)
		return -ENOMEM;
	if (copy_from_user(values, from, set->count * sizeof(*values)))
		rc = -EFAULT;
	else if (set->base.removed)
		rc = -EIDRM;
	for (unsigned i = 0; !rc && i < set->count; i++) {
		if (values[i] > VALUE_MAX)
			rc = -ERANGE;
	}
	for (unsigned i = 0; !rc && i < set->count; i++)
		(void)set_value(set, i, values[i]);
	kfree(values);
	return rc;
}

static int64_t all_semaphores(struct sem_set *set, int command, uaddr_t user)
{
	if (!ipc_permits(&set->base, command == SETALL ? 2 : 4))
		return -EACCES;
	ipc_get(&set->base); /* the copy may sleep */
	int64_t rc = command == SETALL ? set_all(set, user) : get_all(set, user);
	ipc_put(&table, &set->base);
	return rc;
}

static int64_t change(int id, int command, uaddr_t buffer)
{
	struct semid64_ds ds;

	if (command == IPC_SET && copy_from_user(&ds, buffer, sizeof(ds)))
		return -EFAULT;
	struct sem_set *set = set_find(id);
	if (!set)
		return -EINVAL;
	if (!ipc_owned(&set->base))
		return -EPERM;
	if (command == IPC_SET)
		return ipc_set_perm(&set->base, &ds.sem_perm);
	set_remove(set);
	return 0;
}

int64_t sem_control(int id, int number, int command, uint64_t arg)
{
	struct ipc_object *object;

	if (id < 0)
		return -EINVAL;
	switch (command) {
	case IPC_INFO:
	case SEM_INFO:
		return sem_info(command, UADDR(arg));
	case IPC_SET:
	case IPC_RMID:
		return change(id, command, UADDR(arg));
	}
	object = command == SEM_STAT || command == SEM_STAT_ANY ? ipc_at(&table, id) : ipc_find(&table, id);
	if (!object)
		return -EINVAL;
	struct sem_set *set = container_of(object, struct sem_set, base);
	switch (command) {
	case IPC_STAT:
	case SEM_STAT:
		if (!ipc_permits(object, 4))
			return -EACCES;
		return sem_stat(set, command, UADDR(arg));
	case SEM_STAT_ANY:
		return sem_stat(set, command, UADDR(arg));
	case GETALL:
	case SETALL:
		return all_semaphores(set, command, UADDR(arg));
	case GETVAL:
	case GETPID:
	case SETVAL:
	case GETNCNT:
	case GETZCNT:
		return one_semaphore(set, number, command, arg);
	}
	return -EINVAL;
}
