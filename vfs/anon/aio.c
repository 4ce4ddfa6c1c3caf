/*
 * io_submit(2) and its kin.
 *
 * Requests that move data are done inside aio_submit(), in the caller's memory, as Linux does for everything but direct I/O; only
 * IOCB_CMD_POLL waits. A waiting request sits on the wait queues of its file; a wake-up queues work, because looking at the file again
 * may sleep. Invariants:
 *  1. A request is on its context's list of waiting ones until it completes or the context dies; it holds its file.
 *  2. context->used counts waiting requests and unread events, and never passes context->limit.
 *  3. A request that its context let go (dead) while its work is queued is freed by that work.
 */
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/mman.h>

#include "kernel/mm.h"
#include "kernel/task.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "vfs/anon/aio.h"
#include "vfs/anon/anon.h"
#include "vfs/calls.h"
#include "vfs/poll.h"
#include "vfs/vector.h"

#define AIO_ABSURD (0x10000000u / sizeof(struct io_event)) /* Linux: from here on not even the limit is looked at */
#define AIO_QUEUES 4u /* wait queues of one polled file; Linux takes one */

struct aio_request;

struct aio_queue_entry {
	struct waiter waiter;
	struct aio_request *request;
};

/* An event not read yet, and before that the request that it answers. */
struct aio_request {
	TAILQ_ENTRY(aio_request) link;
	struct aio_context *context; /* NULL: let go */
	struct io_event event;
	struct file *notify; /* an eventfd, or NULL */
	/* IOCB_CMD_POLL only: */
	struct file *file;
	uint32_t wanted;
	unsigned queues;
	bool too_many_queues;
	bool looking; /* its work runs, and may be asleep */
	bool submitting, woken; /* it is on no list yet; meanwhile its work was to run */
	struct aio_queue_entry entries[AIO_QUEUES];
	struct poll_waiter poll; /* only during the registration */
	struct kwork work;
};

struct aio_context {
	struct mm *mm; /* only to compare: no reference */
	unsigned limit, used;
	bool dead;
	TAILQ_HEAD(aio_list, aio_request) waiting, done;
	struct waitq readers;
	struct vm_object *page;
};

static unsigned events_reserved;

static const struct file_ops aio_file_ops;

unsigned aio_events_reserved(void)
{
	return events_reserved;
}

/* ---- requests ---- */

/* Off its files and freed, unless its work is queued or running: then that frees it. May sleep. */
static void request_free(struct aio_request *request)
{
	while (request->queues)
		waitq_remove(&request->entries[--request->queues].waiter);
	if (request->file)
		file_put(request->file);
	if (request->notify)
		file_put(request->notify);
	request->file = request->notify = NULL;
	request->context = NULL;
	if (!request->work.queued && !request->looking)
		kfree(request);
}

/* The answer is there: the request is an event now. Does not sleep. */
static void request_complete(struct aio_request *request, int64_t result)
{
	struct aio_context *context = request->context;

	while (request->queues)
		waitq_remove(&request->entries[--request->queues].waiter);
	request->event.res = result;
	TAILQ_INSERT_TAIL(&context->done, request, link);
	waitq_wake_all(&context->readers);
	if (request->notify)
		eventfd_signal(request->notify);
}

static void request_look(struct kwork *work)
{
	struct aio_request *request = container_of(work, struct aio_request, work);
	struct file *file = request->file;
	uint32_t events = 0;

	if (request->submitting) {
		request->woken = true;
		return;
	}
	if (request->queues) {
		request->looking = true;
		file_get(file);
		events = file_poll(file, NULL) & request->wanted;
		file_put(file);
		request->looking = false;
	}
	if (!request->context) {
		if (!request->work.queued)
			kfree(request);
		return;
	}
	if (events && request->queues) {
		TAILQ_REMOVE(&request->context->waiting, request, link);
		request_complete(request, events);
	}
}

static void request_wake(struct waiter *waiter, uint32_t events)
{
	struct aio_request *request = container_of(waiter, struct aio_queue_entry, waiter)->request;

	if (events & request->wanted)
		kwork_queue(&request->work);
}

static void request_poll_add(struct poll_waiter *self, struct waitq *queue)
{
	struct aio_request *request = container_of(self, struct aio_request, poll);
	struct aio_queue_entry *entry;

	if (request->queues == AIO_QUEUES) {
		request->too_many_queues = true;
		return;
	}
	entry = &request->entries[request->queues++];
	waiter_init(&entry->waiter);
	entry->waiter.wake = request_wake;
	entry->request = request;
	waitq_add(queue, &entry->waiter);
}

/* ---- contexts ---- */

static struct vm_object *aio_mmap_object(struct file *file)
{
	struct aio_context *context = file->private;

	return context->page;
}

static void list_free(struct aio_list *list)
{
	struct aio_request *request;

	while ((request = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, request, link);
		request_free(request);
	}
}

static void aio_release(struct file *file)
{
	struct aio_context *context = file->private;

	list_free(&context->waiting);
	list_free(&context->done);
	events_reserved -= context->limit;
	object_put(context->page);
	kfree(context);
}

static const struct file_ops aio_file_ops = {
	.mmap_object = aio_mmap_object,
	.release = aio_release,
};

/* A context that is mapped nowhere yet, as a file. NULL: no memory. */
static struct file *context_create(unsigned events)
{
	struct aio_context *context = kzalloc(sizeof(*context));
	struct file *file = NULL;

	if (!context)
		return NULL;
	context->mm = current->mm;
	context->limit = events;
	TAILQ_INIT(&context->waiting);
	TAILQ_INIT(&context->done);
	waitq_init(&context->readers);
	context->page = object_create_shmem(PAGE_SIZE);
	if (context->page)
		file = file_create_anon("[aio]", &aio_file_ops, O_RDWR, context);
	if (file) {
		events_reserved += events;
		return file;
	}
	if (context->page)
		object_put(context->page);
	kfree(context);
	return NULL;
}

int64_t aio_context_create(unsigned events)
{
	struct mm *mm = current->mm;
	struct file *file;
	int64_t address;

	if (events > AIO_ABSURD)
		return -EINVAL;
	if (events > AIO_MAX_EVENTS - events_reserved)
		return -EAGAIN;
	file = context_create(events);
	if (!file)
		return -ENOMEM;
	address = mm_mmap(mm, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, aio_mmap_object(file), 0);
	if (address >= 0)
		(void)mm_madvise(mm, (uint64_t)address, PAGE_SIZE, MADV_DONTFORK);
	file_put(file);
	return address;
}

struct file *aio_context_find(uint64_t address)
{
	struct mm *mm = current->mm;
	struct file *file = NULL;
	struct vma *vma;

	rwsem_read_lock(&mm->lock);
	vma = mm_find_vma(mm, address);
	if (vma && vma->start == address && vma->file && vma->file->ops == &aio_file_ops) {
		struct aio_context *context = vma->file->private;

		if (context->mm == mm && !context->dead) {
			file = vma->file;
			file_get(file);
		}
	}
	rwsem_read_unlock(&mm->lock);
	return file;
}

int aio_context_destroy(struct file *file, uint64_t address)
{
	struct aio_context *context = file->private;

	if (context->dead)
		return -EINVAL;
	context->dead = true;
	list_free(&context->waiting);
	waitq_wake_all(&context->readers);
	return mm_munmap(current->mm, address, PAGE_SIZE);
}

/* ---- submitting ---- */

/* What a program sees of a call that a signal broke off: nothing repeats it. */
static int64_t result_of(int64_t rc)
{
	return signal_is_restart(rc) ? -EINTR : rc;
}

static int64_t submit_transfer(struct aio_request *request, const struct iocb *iocb, bool write, bool vectored)
{
	struct file *file = request->file;
	uint64_t pos = (uint64_t)iocb->aio_offset;
	struct vector v;
	int64_t rc = rwf_check((unsigned)iocb->aio_rw_flags, write);

	if (rc)
		return rc;
	if (!(file->mode & (write ? FILE_WRITE : FILE_READ)))
		return -EBADF;
	if (write ? !file->ops->write : !file->ops->read)
		return -EINVAL;
	if (file_has_position(file) && iocb->aio_offset < 0)
		return -EINVAL;
	if (vectored) {
		rc = vector_get(&v, UADDR(iocb->aio_buf), iocb->aio_nbytes);
		if (!rc)
			request->event.res = vector_io(file, &v, &pos, write);
		vector_put(&v);
		if (rc)
			return rc;
	} else if (write) {
		request->event.res = vfs_write(file, UADDR(iocb->aio_buf), iocb->aio_nbytes, &pos);
	} else {
		request->event.res = vfs_read(file, UADDR(iocb->aio_buf), iocb->aio_nbytes, &pos);
	}
	request->event.res = rwf_sync(file, result_of(request->event.res), (unsigned)iocb->aio_rw_flags);
	return 0;
}

static int64_t submit_sync(struct aio_request *request, const struct iocb *iocb, bool data_only)
{
	int rc;

	if (iocb->aio_buf || iocb->aio_offset || iocb->aio_nbytes || iocb->aio_rw_flags)
		return -EINVAL;
	rc = vfs_fsync(request->file, data_only);
	request->event.res = rc;
	return rc == -EINVAL ? rc : 0;
}

/* 0 with event.res 0: it waits. */
static int64_t submit_poll(struct aio_request *request, const struct iocb *iocb)
{
	if (iocb->aio_buf > UINT16_MAX || iocb->aio_offset || iocb->aio_nbytes || iocb->aio_rw_flags)
		return -EINVAL;
	request->wanted = (uint32_t)iocb->aio_buf | EPOLLERR | EPOLLHUP;
	request->poll.add = request_poll_add;
	request->event.res = file_poll(request->file, &request->poll) & request->wanted;
	return request->too_many_queues ? -EINVAL : 0;
}

static int64_t submit_operation(struct aio_request *request, const struct iocb *iocb)
{
	switch (iocb->aio_lio_opcode) {
	case IOCB_CMD_PREAD:
	case IOCB_CMD_PREADV:
		return submit_transfer(request, iocb, false, iocb->aio_lio_opcode == IOCB_CMD_PREADV);
	case IOCB_CMD_PWRITE:
	case IOCB_CMD_PWRITEV:
		return submit_transfer(request, iocb, true, iocb->aio_lio_opcode == IOCB_CMD_PWRITEV);
	case IOCB_CMD_FSYNC:
	case IOCB_CMD_FDSYNC:
		return submit_sync(request, iocb, iocb->aio_lio_opcode == IOCB_CMD_FDSYNC);
	case IOCB_CMD_POLL:
		return submit_poll(request, iocb);
	default:
		return -EINVAL;
	}
}

/* The files of a request. 0, -EBADF, or -EINVAL: not an eventfd. */
static int request_open(struct aio_request *request, const struct iocb *iocb)
{
	request->file = fd_file((int)iocb->aio_fildes);
	if (!request->file)
		return -EBADF;
	if (!(iocb->aio_flags & IOCB_FLAG_RESFD))
		return 0;
	request->notify = fd_file((int)iocb->aio_resfd);
	if (!request->notify)
		return -EBADF;
	return eventfd_is(request->notify) ? 0 : -EINVAL;
}

/* 0, or why it was not taken. */
static int64_t request_start(struct aio_request *request, const struct iocb *iocb, uaddr_t user)
{
	static const uint32_t key = 0;
	struct aio_context *context = request->context;
	int64_t rc = request_open(request, iocb);

	if (!rc && put_user(key, uaddr_add(user, offsetof(struct iocb, aio_key))))
		rc = -EFAULT;
	if (!rc)
		rc = submit_operation(request, iocb);
	if (!rc && context->dead)
		rc = -EINVAL;
	if (rc)
		return rc;
	if (iocb->aio_lio_opcode != IOCB_CMD_POLL || request->event.res) {
		request_complete(request, request->event.res);
		return 0;
	}
	TAILQ_INSERT_TAIL(&context->waiting, request, link);
	if (request->woken)
		kwork_queue(&request->work);
	return 0;
}

int aio_submit(struct file *file, uaddr_t user)
{
	struct aio_context *context = file->private;
	struct aio_request *request;
	struct iocb iocb;
	int64_t rc;

	if (copy_from_user(&iocb, user, sizeof(iocb)))
		return -EFAULT;
	if (iocb.aio_reserved2 || (int64_t)iocb.aio_nbytes < 0)
		return -EINVAL;
	if (context->used >= context->limit)
		return -EAGAIN;
	request = kzalloc(sizeof(*request));
	if (!request)
		return -EAGAIN;
	context->used++;
	request->context = context;
	request->work.fn = request_look;
	request->event.obj = user.v;
	request->event.data = iocb.aio_data;
	request->submitting = true;
	rc = request_start(request, &iocb, user);
	request->submitting = false;
	if (rc) {
		context->used--;
		request_free(request);
	}
	return (int)rc;
}

int aio_cancel(struct file *file, uaddr_t user)
{
	struct aio_context *context = file->private;
	struct aio_request *request;
	uint32_t key;

	if (get_user(key, uaddr_add(user, offsetof(struct iocb, aio_key))))
		return -EFAULT;
	if (key)
		return -EINVAL;
	TAILQ_FOREACH(request, &context->waiting, link) {
		if (request->event.obj != user.v)
			continue;
		TAILQ_REMOVE(&context->waiting, request, link);
		request_complete(request, 0);
		return -EINPROGRESS;
	}
	return -EINVAL;
}

/* ---- reaping ---- */

/* Moves up to `most` events to user memory: how many; -EFAULT if the first would not go. May sleep. */
static int64_t take_events(struct aio_context *context, uint64_t most, uaddr_t events)
{
	struct aio_request *request;
	uint64_t taken = 0;

	while (taken < most && (request = TAILQ_FIRST(&context->done))) {
		TAILQ_REMOVE(&context->done, request, link);
		if (copy_to_user(uaddr_add(events, taken * sizeof(request->event)), &request->event, sizeof(request->event))) {
			TAILQ_INSERT_HEAD(&context->done, request, link);
			return taken ? (int64_t)taken : -EFAULT;
		}
		context->used--;
		request_free(request);
		taken++;
	}
	return (int64_t)taken;
}

int64_t aio_wait_events(struct file *file, uint64_t least, uint64_t most, uaddr_t events, uint64_t deadline)
{
	struct aio_context *context = file->private;
	uint64_t total = 0;
	int rc = 0;

	for (;;) {
		int64_t taken = take_events(context, most - total, uaddr_add(events, total * sizeof(struct io_event)));

		if (taken < 0)
			return total ? (int64_t)total : taken;
		total += (uint64_t)taken;
		if (total >= least || rc || deadline == 0)
			break;
		rc = wait_event(&context->readers, !TAILQ_EMPTY(&context->done) || context->dead, deadline, true);
		if (context->dead)
			rc = -EINVAL;
	}
	return total || rc == -ETIMEDOUT ? (int64_t)total : rc;
}
