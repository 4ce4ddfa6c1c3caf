/*
 * One message queue: sending, receiving, waiting, notification and limits (mq_send(3), mq_receive(3), mq_notify(3),
 * mq_overview(7)).
 *
 * A message is copied in before the queue is looked at and copied out after it was taken, so nothing sleeps between a
 * look and a change. Who waits looks again after each wake-up.
 */
#include <asm/siginfo.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/resource.h>

#include "kernel/net/netlink.h"
#include "kernel/process.h"
#include "kernel/sysctl.h"
#include "ring0/usercopy.h"
#include "vfs/anon/socket.h"
#include "vfs/mqueue/internal.h"

#define HARD_MAXMSG 65536
#define HARD_MSGSIZE (16 << 20)
#define PRIORITY_MAX 32768u
#define NODE_SIZE 48u /* what Linux counts for a message and for a priority in use */

/* ---- a queue's life ---- */

static TAILQ_HEAD(, mq_queue) alive = TAILQ_HEAD_INITIALIZER(alive); /* with or without a name, of every namespace */

static uint64_t charged_to(uint32_t user)
{
	const struct mq_queue *queue;
	uint64_t sum = 0;

	TAILQ_FOREACH(queue, &alive, alive)
		sum += queue->maker == user ? queue->charged : 0;
	return sum;
}

static int check_attributes(const struct mq_attr *attr)
{
	bool privileged = capable(CAP_SYS_RESOURCE);

	if (attr->maxmsg <= 0 || attr->msgsize <= 0)
		return -EINVAL;
	if ((uint64_t)attr->maxmsg > (privileged ? HARD_MAXMSG : sysctls.mq_msg_max) ||
		(uint64_t)attr->msgsize > (privileged ? HARD_MSGSIZE : sysctls.mq_msgsize_max))
		return -EINVAL;
	return 0;
}

int mqueue_queue_create(struct superblock *sb, uint32_t mode, const struct mq_attr *attr, struct mq_queue **out)
{
	struct mq_attr defaults = {.maxmsg = (int64_t)MIN(sysctls.mq_msg_max, sysctls.mq_msg_default),
		.msgsize = (int64_t)MIN(sysctls.mq_msgsize_max, sysctls.mq_msgsize_default)};
	int rc = attr ? check_attributes(attr) : 0;

	if (rc)
		return rc;
	if (!attr)
		attr = &defaults;
	uint64_t nodes = (uint64_t)(attr->maxmsg < PRIORITY_MAX ? attr->maxmsg : PRIORITY_MAX);
	uint64_t charge = (uint64_t)attr->maxmsg * NODE_SIZE + nodes * NODE_SIZE + (uint64_t)attr->maxmsg * (uint64_t)attr->msgsize;
	uint32_t maker = current->cred->uid;
	if (charged_to(maker) + charge > current->process->rlimit[RLIMIT_MSGQUEUE].cur)
		return -EMFILE;
	struct mq_queue *queue = kzalloc(sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	mqueue_inode_init(queue, sb, mode);
	TAILQ_INIT(&queue->messages);
	waitq_init(&queue->senders);
	waitq_init(&queue->receivers);
	queue->attr = (struct mq_attr){.maxmsg = attr->maxmsg, .msgsize = attr->msgsize};
	queue->charged = charge;
	queue->maker = maker;
	TAILQ_INSERT_TAIL(&alive, queue, alive);
	*out = queue;
	return 0;
}

/* The cookie's last byte says what it is about, as the C library has it. */
enum cookie { COOKIE_WOKEN = 1, COOKIE_REMOVED = 2 };

static void send_cookie(struct mq_queue *queue, enum cookie about)
{
	if (!queue->reserved)
		return;
	queue->event.cookie[MQ_COOKIE_SIZE - 1] = (uint8_t)about;
	netlink_deliver(socket_of(queue->event.socket), queue->reserved, queue->event.cookie, MQ_COOKIE_SIZE);
	queue->reserved = NULL;
}

static void notify_nobody(struct mq_queue *queue)
{
	struct process *process = queue->notified;
	struct file *file = queue->event.socket;

	if (!process)
		return;
	send_cookie(queue, COOKIE_REMOVED);
	queue->notified = NULL;
	queue->event.socket = NULL;
	process_put(process);
	if (file)
		file_put(file);
}

void mqueue_queue_free(struct mq_queue *queue)
{
	struct mq_message *message;

	TAILQ_REMOVE(&alive, queue, alive);
	notify_nobody(queue);
	while ((message = TAILQ_FIRST(&queue->messages))) {
		TAILQ_REMOVE(&queue->messages, message, link);
		kfree(message);
	}
	kfree(queue->name);
	kfree(queue);
}

/* ---- messages ---- */

/* An empty queue gets a message that nobody waits for. */
static void tell(struct mq_queue *queue)
{
	const struct cred *cred = current->cred;
	struct ksiginfo info = {.signo = queue->event.signo, .code = SI_MESGQ, .uid = cred->uid, .value = queue->event.value};

	if (!queue->notified)
		return;
	info.pid = process_nr(queue->notified->pid_ns, current->process);
	if (queue->event.notify == SIGEV_SIGNAL && info.signo && !queue->notified->zombie)
		(void)signal_send_process(queue->notified, &info);
	send_cookie(queue, COOKIE_WOKEN);
	notify_nobody(queue);
}

static void put_message(struct mq_queue *queue, struct mq_message *message)
{
	struct mq_message *before;
	bool first = TAILQ_EMPTY(&queue->messages);

	TAILQ_FOREACH(before, &queue->messages, link) {
		if (before->priority < message->priority)
			break;
	}
	if (before)
		TAILQ_INSERT_BEFORE(before, message, link);
	else
		TAILQ_INSERT_TAIL(&queue->messages, message, link);
	queue->bytes += message->len;
	queue->attr.curmsgs++;
	queue->inode.mtime = queue->inode.atime = queue->inode.ctime = vfs_now();
	waitq_wake(&queue->receivers, UINT32_MAX, EPOLLIN | EPOLLRDNORM);
	if (first && !queue->waiting)
		tell(queue);
}

static struct mq_message *take_message(struct mq_queue *queue)
{
	struct mq_message *message = TAILQ_FIRST(&queue->messages);

	TAILQ_REMOVE(&queue->messages, message, link);
	queue->bytes -= message->len;
	queue->attr.curmsgs--;
	queue->inode.atime = vfs_now();
	waitq_wake(&queue->senders, UINT32_MAX, EPOLLOUT | EPOLLWRNORM);
	return message;
}

static int restart_or_timeout(int rc)
{
	return rc == -ETIMEDOUT ? -ETIMEDOUT : -ERESTARTSYS;
}

int mqueue_send(struct file *file, uaddr_t from, size_t len, unsigned priority, uint64_t deadline)
{
	if (priority >= PRIORITY_MAX)
		return -EINVAL;
	if (file->ops != &mqueue_file_ops || !(file->mode & FILE_WRITE))
		return -EBADF;
	struct mq_queue *queue = mqueue_of(file->inode);
	if (len > (uint64_t)queue->attr.msgsize)
		return -EMSGSIZE;
	struct mq_message *message = kmalloc(sizeof(*message) + len);
	if (!message)
		return -ENOMEM;
	message->priority = priority;
	message->len = len;
	int rc = copy_from_user(message->bytes, from, len);
	while (!rc && queue->attr.curmsgs >= queue->attr.maxmsg) {
		if (file->flags & O_NONBLOCK) {
			rc = -EAGAIN;
			break;
		}
		int woken = wait_event(&queue->senders, queue->attr.curmsgs < queue->attr.maxmsg, deadline, true);
		rc = woken ? restart_or_timeout(woken) : 0;
	}
	if (rc) {
		kfree(message);
		return rc;
	}
	put_message(queue, message);
	return 0;
}

int64_t mqueue_receive(struct file *file, uaddr_t to, size_t len, unsigned *priority, uint64_t deadline)
{
	if (file->ops != &mqueue_file_ops || !(file->mode & FILE_READ))
		return -EBADF;
	struct mq_queue *queue = mqueue_of(file->inode);
	if (len < (uint64_t)queue->attr.msgsize)
		return -EMSGSIZE;
	while (TAILQ_EMPTY(&queue->messages)) {
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		queue->waiting++;
		int woken = wait_event(&queue->receivers, !TAILQ_EMPTY(&queue->messages), deadline, true);
		queue->waiting--;
		if (woken)
			return restart_or_timeout(woken);
	}
	struct mq_message *message = take_message(queue);
	int64_t rc = copy_to_user(to, message->bytes, message->len) ? -EFAULT : (int64_t)message->len;
	*priority = message->priority;
	kfree(message);
	return rc;
}

int mqueue_notify(struct file *file, const struct mq_event *event)
{
	if (event && event->notify != SIGEV_NONE && event->notify != SIGEV_SIGNAL && event->notify != SIGEV_THREAD)
		return -EINVAL;
	if (event && event->notify == SIGEV_SIGNAL && (event->signo < 0 || event->signo > KSIG_MAX))
		return -EINVAL;
	if (file->ops != &mqueue_file_ops)
		return -EBADF;
	struct mq_queue *queue = mqueue_of(file->inode);
	if (!event) {
		if (queue->notified == current->process)
			notify_nobody(queue);
		return 0;
	}
	struct netlink_datagram *datagram = NULL;
	if (event->socket) {
		struct socket *sock = socket_of(event->socket);
		int rc = sock ? netlink_reserve(sock, &datagram) : -ENOTSOCK;

		if (rc)
			return rc;
	}
	if (queue->notified) {
		kfree(datagram);
		return -EBUSY;
	}
	if (event->socket)
		file_get(event->socket);
	queue->reserved = datagram;
	queue->event = *event;
	process_get(current->process);
	queue->notified = current->process;
	queue->inode.atime = queue->inode.ctime = vfs_now();
	return 0;
}

int mqueue_attributes(struct file *file, const struct mq_attr *set, struct mq_attr *old)
{
	if (set && set->flags & ~(int64_t)O_NONBLOCK)
		return -EINVAL;
	if (file->ops != &mqueue_file_ops)
		return -EBADF;
	*old = mqueue_of(file->inode)->attr;
	old->flags = file->flags & O_NONBLOCK;
	if (set)
		file->flags = (file->flags & ~(unsigned)O_NONBLOCK) | (unsigned)set->flags;
	return 0;
}

/* ---- as a file ---- */

static int64_t queue_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	const struct mq_queue *queue = mqueue_of(file->inode);
	const struct process *who = queue->notified;
	char text[96];
	int len = snprintf(text, sizeof(text), "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", (unsigned long)queue->bytes,
		who ? queue->event.notify : 0, who && queue->event.notify == SIGEV_SIGNAL ? queue->event.signo : 0,
		who ? process_nr(current->process->pid_ns, who) : 0);

	if (*pos >= (uint64_t)len)
		return 0;
	n = MIN(n, (size_t)len - (size_t)*pos);
	if (copy_to_user(to, text + *pos, n))
		return -EFAULT;
	*pos += n;
	return (int64_t)n;
}

static uint32_t queue_poll(struct file *file, struct poll_waiter *waiter)
{
	struct mq_queue *queue = mqueue_of(file->inode);

	poll_add(waiter, &queue->receivers);
	poll_add(waiter, &queue->senders);
	return (TAILQ_EMPTY(&queue->messages) ? 0 : EPOLLIN | EPOLLRDNORM) |
		(queue->attr.curmsgs < queue->attr.maxmsg ? EPOLLOUT | EPOLLWRNORM : 0);
}

/* Whoever asked to be told closes it, or ends. */
static int queue_flush(struct file *file)
{
	struct mq_queue *queue = mqueue_of(file->inode);

	if (queue->notified == current->process)
		notify_nobody(queue);
	return 0;
}

const struct file_ops mqueue_file_ops = {
	.read = queue_read,
	.poll = queue_poll,
	.flush = queue_flush,
};
