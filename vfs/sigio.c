/*
 * Signals to the owner of a file. See vfs/sigio.h. For O_ASYNC waiters stand on the queues that poll() names, as epoll's do.
 *
 * SIGIO without details, or the signal of F_SETSIG with descriptor and reason; where its queue is full, SIGIO. It reaches only whom
 * the one that set the owner might have signalled, by the user ids that it had then.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>

#include "kernel/cred.h"
#include "kernel/mm.h"
#include "kernel/task.h"
#include "ring0/lib.h"
#include "vfs/sigio.h"

void file_set_owner(struct file *file, int owner)
{
	file->owner = owner;
	file->owner_uid = current->cred->uid;
	file->owner_euid = current->cred->euid;
}

int file_choose_owner(struct file *file, int who)
{
	if (who == INT32_MIN)
		return -EINVAL;
	if (who > 0 && !process_find(who) && !task_find(who))
		return -ESRCH;
	file_set_owner(file, who < 0 ? -pid_from_user(-who) : pid_from_user(who));
	return 0;
}

void file_own_if_free(struct file *file)
{
	if (!file->owner)
		file_set_owner(file, current->process->pid);
}

static bool may_signal(const struct file *file, const struct process *process)
{
	const struct cred *to = process->leader ? process->leader->cred : NULL;

	return to && (file->owner_euid == 0 || file->owner_euid == to->suid || file->owner_euid == to->uid ||
			     file->owner_uid == to->suid || file->owner_uid == to->uid);
}

static long band_of(int code)
{
	switch (code) {
	case POLL_IN:
		return EPOLLIN | EPOLLRDNORM;
	case POLL_OUT:
		return EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	case POLL_HUP:
		return EPOLLHUP | EPOLLERR;
	default:
		return EPOLLIN | EPOLLRDNORM | EPOLLMSG;
	}
}

static void signal_one(const struct file *file, struct process *process, int fd, int code)
{
	struct ksiginfo info = {.signo = file->owner_signal, .code = code, .band = band_of(code), .fd = fd};

	if (!may_signal(file, process))
		return;
	/* The codes of these signals mean other things: theirs says only that it is about a file. */
	if (info.signo == SIGILL || info.signo == SIGFPE || info.signo == SIGSEGV || info.signo == SIGBUS || info.signo == SIGTRAP ||
		info.signo == SIGCHLD || info.signo == SIGSYS)
		info.code = SI_SIGIO;
	if (!info.signo || signal_send_process(process, &info))
		signal_send_kernel(process->leader, SIGIO);
}

static bool owns(const struct file *file, const struct process *process)
{
	return file->owner < 0 ? process->pgid == -file->owner : process->pid == file->owner;
}

void file_signal_owner(const struct file *file, int fd, int code)
{
	struct process *process;

	TAILQ_FOREACH(process, &all_processes, all)
		if (owns(file, process))
			signal_one(file, process, fd, code);
}

void file_signal_urgent(const struct file *file)
{
	struct process *process;

	TAILQ_FOREACH(process, &all_processes, all)
		if (owns(file, process) && may_signal(file, process))
			signal_send_kernel(process->leader, SIGURG);
}

/* ---- O_ASYNC ---- */

#define QUEUES_MAX 4u /* that a file's poll() names */

struct file_async {
	struct file *file; /* whose it is */
	int fd;
	bool full; /* a socket's owner hears of room only after there was none */
	unsigned count;
	struct poll_waiter poll; /* only while it is set up */
	struct async_wait {
		struct waiter waiter;
		struct file_async *async;
	} waits[QUEUES_MAX];
};

static void async_wake(struct waiter *waiter, uint32_t events)
{
	struct file_async *async = container_of(waiter, struct async_wait, waiter)->async;
	struct file *file = async->file;

	if (!file->owner)
		return;
	if (events != ~0u && events & EPOLLHUP) {
		file_signal_owner(file, async->fd, POLL_HUP);
	} else if (file->mode & FILE_READ && events & (EPOLLIN | EPOLLRDNORM | EPOLLHUP | EPOLLRDHUP | EPOLLERR)) {
		file_signal_owner(file, async->fd, POLL_IN);
	} else if (file->mode & FILE_WRITE && events & (EPOLLOUT | EPOLLWRNORM | EPOLLHUP | EPOLLERR) &&
		   (async->full || !(file->mode & FILE_READ))) {
		async->full = false;
		file_signal_owner(file, async->fd, POLL_OUT);
	}
}

static void async_add(struct poll_waiter *self, struct waitq *queue)
{
	struct file_async *async = container_of(self, struct file_async, poll);
	struct async_wait *wait = &async->waits[async->count];

	if (async->count == QUEUES_MAX)
		return;
	async->count++;
	waiter_init(&wait->waiter);
	wait->waiter.wake = async_wake;
	wait->async = async;
	waitq_add(queue, &wait->waiter);
}

int file_async_set(struct file *file, int fd, bool on)
{
	struct file_async *async = file->async;

	if (on == (async != NULL) || !file->ops || !file->ops->async)
		return 0;
	if (on) {
		async = kzalloc(sizeof(*async));
		if (!async)
			return -ENOMEM;
		async->file = file;
		async->fd = fd;
		async->poll.add = async_add;
		(void)file->ops->poll(file, &async->poll);
	} else {
		for (unsigned i = 0; i < async->count; i++)
			waitq_remove(&async->waits[i].waiter);
		kfree(async);
		async = NULL;
	}
	file->async = async;
	return 0;
}

void file_async_full(struct file *file)
{
	if (file->async)
		file->async->full = true;
}
