/*
 * System V message queues (msgget(2), msgop(2), msgctl(2)).
 *
 * A message is copied in before a queue is looked for and copied out after it was taken off, so nothing changes
 * during a copy. Senders and receivers sleep on the queue and look again when it changed.
 */
#include <asm/msgbuf.h>
#include <linux/errno.h>
#include <linux/ipc.h>
#include <linux/msg.h>

#include "kernel/ipc.h"
#include "kernel/mm.h"
#include "kernel/signal.h"
#include "kernel/sysctl.h"
#include "kernel/task.h"
#include "ring0/lib.h"

struct message {
	TAILQ_ENTRY(message) link;
	int64_t type;
	uint64_t size;
	char text[];
};

struct queue {
	struct ipc_object base;
	struct waitq senders, receivers;
	TAILQ_HEAD(, message) messages;
	uint64_t bytes, count, limit;
	int64_t stime, rtime;
	int lspid, lrpid;
};

static void queue_free(struct ipc_object *object)
{
	struct queue *queue = container_of(object, struct queue, base);
	struct message *message;

	while ((message = TAILQ_FIRST(&queue->messages))) {
		TAILQ_REMOVE(&queue->messages, message, link);
		kfree(message);
	}
	kfree(queue);
}

static struct ipc_table table = {.free = queue_free};

static struct queue *queue_find(int id)
{
	struct ipc_object *object = ipc_find(&table, id);

	return object ? container_of(object, struct queue, base) : NULL;
}

int64_t msg_get(int key, int flags)
{
	struct ipc_object *object;
	int rc = ipc_find_key(&table, key, flags, &object);

	if (rc < 0 || object)
		return rc;
	struct queue *queue = kzalloc(sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	waitq_init(&queue->senders);
	waitq_init(&queue->receivers);
	TAILQ_INIT(&queue->messages);
	queue->limit = sysctls.msgmnb;
	rc = ipc_insert(&table, &queue->base, key, flags, sysctls.msgmni);
	if (rc < 0)
		kfree(queue);
	return rc;
}

/* ---- sending ---- */

static bool has_room(const struct queue *queue, uint64_t size)
{
	return queue->bytes + size <= queue->limit && queue->count + 1 <= queue->limit;
}

static int wait_for_room(struct queue *queue, uint64_t size, int flags)
{
	if (has_room(queue, size))
		return 0;
	if (flags & IPC_NOWAIT)
		return -EAGAIN;
	int rc = wait_event(&queue->senders, queue->base.removed || has_room(queue, size), DEADLINE_NONE, true);
	if (queue->base.removed)
		return -EIDRM;
	return rc ? -EINTR : 0;
}

static int send(int id, struct message *message, int flags)
{
	struct queue *queue = queue_find(id);

	if (!queue)
		return -EINVAL;
	if (!ipc_permits(&queue->base, 2))
		return -EACCES;
	ipc_get(&queue->base);
	int rc = wait_for_room(queue, message->size, flags);
	if (!rc) {
		TAILQ_INSERT_TAIL(&queue->messages, message, link);
		queue->bytes += message->size;
		queue->count++;
		queue->stime = ipc_now();
		queue->lspid = current->process->pid;
		waitq_wake_all(&queue->receivers);
	}
	ipc_put(&table, &queue->base);
	return rc;
}

int64_t msg_send(int id, uaddr_t user, uint64_t size, int flags)
{
	int64_t type;

	if (size > sysctls.msgmax || id < 0)
		return -EINVAL;
	if (get_user(type, user))
		return -EFAULT;
	if (type < 1)
		return -EINVAL;
	struct message *message = kmalloc(sizeof(*message) + size);
	if (!message)
		return -ENOMEM;
	message->type = type;
	message->size = size;
	int rc = copy_from_user(message->text, uaddr_add(user, sizeof(type)), size) ? -EFAULT : send(id, message, flags);
	if (rc)
		kfree(message);
	return rc;
}

/* ---- receiving ---- */

/* msgop(2): 0 the first, above 0 the first of that type (or not of it), below 0 the lowest type up to its value. */
static struct message *choose(const struct queue *queue, int64_t type, int flags)
{
	struct message *message, *best = NULL;

	TAILQ_FOREACH(message, &queue->messages, link) {
		if (type == 0)
			return message;
		if (type > 0 && (message->type == type) != !!(flags & MSG_EXCEPT))
			return message;
		if (type < 0 && message->type <= -type && (!best || message->type < best->type))
			best = message;
	}
	return best;
}

/* Takes one off the queue. 0 or -errno. May sleep. */
static int receive(struct queue *queue, uint64_t size, int64_t type, int flags, struct message **result)
{
	struct message *message = NULL;

	if (!choose(queue, type, flags)) {
		if (flags & IPC_NOWAIT)
			return -ENOMSG;
		(void)wait_event(&queue->receivers, queue->base.removed || choose(queue, type, flags), DEADLINE_NONE, true);
	}
	if (queue->base.removed)
		return -EIDRM;
	message = choose(queue, type, flags);
	if (!message)
		return -EINTR;
	if (message->size > size && !(flags & MSG_NOERROR))
		return -E2BIG;
	TAILQ_REMOVE(&queue->messages, message, link);
	queue->bytes -= message->size;
	queue->count--;
	queue->rtime = ipc_now();
	queue->lrpid = current->process->pid;
	waitq_wake_all(&queue->senders);
	*result = message;
	return 0;
}

/* MSG_COPY: a copy of the message at place `index`, which stays. 0 or -errno. */
static int copy_at(const struct queue *queue, uint64_t size, int64_t index, int flags, struct message **result)
{
	struct message *message = TAILQ_FIRST(&queue->messages);

	for (; message && index > 0; index--)
		message = TAILQ_NEXT(message, link);
	if (!message || index < 0)
		return -ENOMSG;
	if (message->size > size)
		return flags & MSG_NOERROR ? -EINVAL : -E2BIG;
	*result = kmalloc(sizeof(*message) + message->size);
	if (!*result)
		return -ENOMEM;
	memcpy(*result, message, sizeof(*message) + message->size);
	return 0;
}

int64_t msg_receive(int id, uaddr_t user, uint64_t size, int64_t type, int flags)
{
	struct queue *queue = queue_find(id);
	struct message *message;
	int rc;

	if (id < 0 || (int64_t)size < 0)
		return -EINVAL;
	if (flags & MSG_COPY && (flags & MSG_EXCEPT || !(flags & IPC_NOWAIT)))
		return -EINVAL;
	if (!queue)
		return -EINVAL;
	if (!ipc_permits(&queue->base, 4))
		return -EACCES;
	if (type == INT64_MIN)
		type = -INT64_MAX;
	if (flags & MSG_COPY) {
		rc = copy_at(queue, size, type, flags, &message);
	} else {
		ipc_get(&queue->base);
		rc = receive(queue, size, type, flags, &message);
		ipc_put(&table, &queue->base);
	}
	if (rc)
		return rc;
	int64_t got = (int64_t)MIN(size, message->size);
	if (put_user(message->type, user) || copy_to_user(uaddr_add(user, sizeof(message->type)), message->text, (size_t)got))
		got = -EFAULT;
	kfree(message);
	return got;
}

/* ---- msgctl(2) ---- */

static void queue_remove(struct queue *queue)
{
	ipc_get(&queue->base);
	ipc_remove(&table, &queue->base);
	waitq_wake_all(&queue->senders);
	waitq_wake_all(&queue->receivers);
	ipc_put(&table, &queue->base);
}

void msg_ns_destroy(struct ipc_ns *ns)
{
	for (unsigned i = 0; i < table.size; i++) {
		if (table.slots[i] && table.slots[i]->ns == ns)
			queue_remove(container_of(table.slots[i], struct queue, base));
	}
}

static int64_t msg_info(int command, uaddr_t buffer)
{
	struct msginfo info = {.msgmni = (int)sysctls.msgmni, .msgmax = (int)sysctls.msgmax, .msgmnb = (int)sysctls.msgmnb,
		.msgssz = 16, .msgseg = 0xffff, .msgmap = (int)sysctls.msgmnb, .msgpool = (int)(sysctls.msgmni * sysctls.msgmnb / 1024),
		.msgtql = (int)sysctls.msgmnb};

	if (command == MSG_INFO) {
		uint64_t count = 0, bytes = 0;

		for (unsigned i = 0; i < table.size; i++) {
			const struct ipc_object *object = ipc_at(&table, (int)i);

			if (!object)
				continue;
			count += container_of(object, const struct queue, base)->count;
			bytes += container_of(object, const struct queue, base)->bytes;
		}
		info.msgpool = (int)ipc_count(&table);
		info.msgmap = (int)count;
		info.msgtql = (int)bytes;
	}
	return copy_to_user(buffer, &info, sizeof(info)) ? -EFAULT : ipc_highest(&table);
}

static int64_t msg_stat(const struct queue *queue, int command, uaddr_t buffer)
{
	struct msqid64_ds ds = {.msg_stime = queue->stime, .msg_rtime = queue->rtime, .msg_ctime = queue->base.ctime,
		.msg_cbytes = queue->bytes, .msg_qnum = queue->count, .msg_qbytes = queue->limit,
		.msg_lspid = queue->lspid ? pid_vnr(queue->lspid) : 0, .msg_lrpid = queue->lrpid ? pid_vnr(queue->lrpid) : 0};

	ipc_fill_perm(&queue->base, &ds.msg_perm);
	int id = command == IPC_STAT ? 0 : queue->base.id;
	return copy_to_user(buffer, &ds, sizeof(ds)) ? -EFAULT : id;
}

static int64_t change(int id, int command, uaddr_t buffer)
{
	struct msqid64_ds ds;

	if (command == IPC_SET && copy_from_user(&ds, buffer, sizeof(ds)))
		return -EFAULT;
	struct queue *queue = queue_find(id);
	if (!queue)
		return -EINVAL;
	if (!ipc_owned(&queue->base))
		return -EPERM;
	if (command == IPC_RMID) {
		queue_remove(queue);
		return 0;
	}
	if (ds.msg_qbytes > sysctls.msgmnb && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	int rc = ipc_set_perm(&queue->base, &ds.msg_perm);
	if (rc)
		return rc;
	queue->limit = ds.msg_qbytes;
	waitq_wake_all(&queue->senders);
	return 0;
}

int64_t msg_control(int id, int command, uaddr_t buffer)
{
	const struct ipc_object *object;

	if (id < 0)
		return -EINVAL;
	switch (command) {
	case IPC_INFO:
	case MSG_INFO:
		return msg_info(command, buffer);
	case IPC_SET:
	case IPC_RMID:
		return change(id, command, buffer);
	case IPC_STAT:
	case MSG_STAT:
	case MSG_STAT_ANY:
		object = command == IPC_STAT ? ipc_find(&table, id) : ipc_at(&table, id);
		if (!object)
			return -EINVAL;
		if (command != MSG_STAT_ANY && !ipc_permits(object, 4))
			return -EACCES;
		return msg_stat(container_of(object, const struct queue, base), command, buffer);
	}
	return -EINVAL;
}
