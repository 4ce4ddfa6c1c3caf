/*
 * The ring between the sentry and the VMM, and the I/O thread that serves it.
 *
 * io_init() sets the service up, io_start() starts its threads (they wait for the jail),
 * then the sentry rings: in the guest by an ioeventfd, hosted by io_doorbell() on the
 * CPU's own thread. An entry is copied once, checked, and the copy is used.
 *
 * Who serves what: whatever needs no waiting is done at once by the thread that took the
 * entry. A 9P message is sent at once; its reply is read by an idle hosted CPU
 * (io_wait()), or by the I/O thread when no CPU is idle and always in the guest. So a
 * round trip to the gofer wakes no third thread. Whatever waits goes to a backend:
 * io_uring (uring.c), or threads (pool.c) where it is missing. See platform/README.md.
 *
 * Never: keep an entry's words without a check, hold a lock while waiting, trust an index.
 */
#include <errno.h>
#include <string.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "platform/io.h"

#define POLL_FIXED 4u
#define POLL_MAX (POLL_FIXED + VMM_MAX_GOFERS + IO_FRAME_LINES + 68u)

void io_list_push(struct io_list *list, struct io_request *request)
{
	request->next = NULL;
	*list->tail = request;
	list->tail = &request->next;
}

struct io_request *io_list_pop(struct io_list *list)
{
	struct io_request *request = list->head;

	if (request) {
		list->head = request->next;
		if (!list->head)
			list->tail = &list->head;
		request->next = NULL;
	}
	return request;
}

void io_poke(struct io_service *io)
{
	uint64_t one = 1;
	ssize_t n = write(io->doorbell, &one, sizeof(one));
	(void)n; /* full means that it is readable already */
}

void io_fail(struct io_service *io, const char *why)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;

	if (!io->vmm->ended && !atomic_flag_test_and_set(&said))
		vmm_log(VMM_LOG_ERROR, "boot: %s", why);
	vmm_fail(io->vmm, 255 << 8);
}

/* In the guest not if the sentry looks anyway: it has been told of others since it last looked, or it watches the ring. */
void io_notify(struct io_service *io)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* cq_tail before cq_wait */
	if (io->hosted || __atomic_exchange_n(&io->ring->cq_wait, 0, __ATOMIC_ACQ_REL))
		io->vmm->platform->completion(io->vmm);
}

static void post(struct io_service *io, uint64_t cookie, int64_t res, uint64_t extra, bool worth_telling)
{
	struct abi_ring *ring = io->ring;

	pthread_mutex_lock(&io->complete);
	uint32_t head = __atomic_load_n(&ring->cq_head, __ATOMIC_ACQUIRE);
	bool full = io->cq_tail - head >= ABI_RING_ENTRIES;
	if (!full) {
		ring->cq[io->cq_tail % ABI_RING_ENTRIES] = (struct abi_cqe){.cookie = cookie, .res = res, .extra = extra};
		io->cq_tail++;
		io->worth_telling += worth_telling;
		__atomic_store_n(&ring->cq_tail, io->cq_tail, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&io->complete);
	if (full)
		io_fail(io, "the sentry overran its completion ring");
}

void io_post(struct io_service *io, uint64_t cookie, int64_t res, uint64_t extra)
{
	post(io, cookie, res, extra, true);
}

static void complete(struct io_service *io, struct io_request *request, int64_t res, uint64_t extra, bool worth_telling)
{
	uint64_t cookie = request->cookie;

	pthread_mutex_lock(&io->free);
	request->next = io->free_requests;
	io->free_requests = request;
	pthread_mutex_unlock(&io->free);
	post(io, cookie, res, extra, worth_telling);
}

void io_complete(struct io_service *io, struct io_request *request, int64_t res, uint64_t extra)
{
	complete(io, request, res, extra, true);
}

/* Unless the sentry has half of its entries in flight: it may be waiting for room. */
void io_complete_quietly(struct io_service *io, struct io_request *request, int64_t res, uint64_t extra)
{
	uint32_t seen = __atomic_load_n(&io->ring->cq_head, __ATOMIC_RELAXED);

	complete(io, request, res, extra, io->sq_head - seen >= ABI_RING_ENTRIES / 2);
}

/* The next event, if one waits and the sentry asked. io->submit is held. True: a completion was posted. */
static bool deliver_event(struct io_service *io)
{
	if (!io->event_waiting)
		return false;
	unsigned long long signals = atomic_load(&io->event_signals);
	if (signals) {
		unsigned bit = (unsigned)__builtin_ctzll(signals);
		atomic_fetch_and(&io->event_signals, ~(1ull << bit));
		io->event_waiting = false;
		io_post(io, io->event_cookie, ABI_EVENT_SIGNAL, bit + 1);
		return true;
	}
	if (atomic_exchange(&io->event_winch, 0)) {
		io->event_waiting = false;
		io_post(io, io->event_cookie, ABI_EVENT_WINCH, 0);
		return true;
	}
	return false;
}

/* Takes every entry that the sentry published. */
static void drain(struct io_service *io)
{
	struct abi_ring *ring = io->ring;
	pthread_mutex_lock(&io->submit);
	for (;;) {
		uint32_t tail = __atomic_load_n(&ring->sq_tail, __ATOMIC_ACQUIRE);
		if (tail == io->sq_head || io->vmm->ended)
			break;
		if (tail - io->sq_head > ABI_RING_ENTRIES) {
			pthread_mutex_unlock(&io->submit);
			io_fail(io, "the sentry overran its submission ring");
			return;
		}
		struct abi_sqe sqe;
		memcpy(&sqe, &ring->sq[io->sq_head % ABI_RING_ENTRIES], sizeof(sqe));
		__asm__ volatile("" : : "r"(&sqe) : "memory"); /* this copy is what is checked and used */
		io->sq_head++;
		io_serve(io, &sqe);
		/* Only now: as long as an entry is not taken the sentry does not ring for the next. */
		__atomic_store_n(&ring->sq_head, io->sq_head, __ATOMIC_RELEASE);
		__atomic_thread_fence(__ATOMIC_SEQ_CST); /* before sq_tail is looked at again */
	}
	deliver_event(io);
	pthread_mutex_unlock(&io->submit);
	frame_reads_serve(io);
}

static bool unreaped(struct io_service *io)
{
	return __atomic_load_n(&io->ring->cq_head, __ATOMIC_ACQUIRE) != __atomic_load_n(&io->cq_tail, __ATOMIC_RELAXED);
}

void io_doorbell(struct vmm *vmm)
{
	drain(vmm->io);
}

int io_eventfd(struct vmm *vmm)
{
	return vmm->io->doorbell;
}

void io_event(struct vmm *vmm, enum abi_event event, uint64_t extra)
{
	struct io_service *io = vmm->io;

	if (event == ABI_EVENT_SIGNAL && extra >= 1 && extra <= 64)
		atomic_fetch_or(&io->event_signals, 1ull << (extra - 1));
	else if (event == ABI_EVENT_WINCH)
		atomic_store(&io->event_winch, 1);
	io_poke(io);
}

bool io_wait(struct vmm *vmm, int wake_fd, uint64_t deadline, const sigset_t *mask)
{
	struct io_service *io = vmm->io;
	struct pollfd fds[2] = {{wake_fd, POLLIN, 0}, {-1, POLLIN, 0}};
	struct timespec timeout = {0, 0}, *wait = NULL;
	bool watch, posted;

	if (unreaped(io))
		return true;
	/*
	 * Only one that goes idle with a reply to come, which is the one that asked: another would be woken on a core that
	 * sleeps, and would have to wake the task's.
	 */
	watch = atomic_load(&io->gofers[0].outstanding) > 0 && !atomic_exchange(&io->watcher, true);
	if (watch)
		fds[1].fd = io->gofers[0].fd;
	if (deadline != UINT64_MAX) {
		uint64_t now = monotonic_ns();
		if (deadline > now) {
			timeout.tv_sec = (time_t)((deadline - now) / 1000000000u);
			timeout.tv_nsec = (long)((deadline - now) % 1000000000u);
		}
		wait = &timeout;
	}
	int ready = ppoll(fds, 2, wait, mask);
	posted = ready > 0 && (fds[1].revents & (POLLIN | POLLHUP | POLLERR)) && channel_receive(&io->gofers[0]) > 0;
	if (watch)
		atomic_store(&io->watcher, false);
	return posted || unreaped(io);
}

bool io_busy(struct vmm *vmm)
{
	struct io_service *io = vmm->io;

	if (unreaped(io))
		return true;
	if (atomic_load_explicit(&io->gofers[0].outstanding, memory_order_relaxed) > 0 && !atomic_load(&io->watcher) &&
	    !atomic_exchange(&io->io_watches, true))
		io_poke(io);
	return false;
}

static void take_signals(struct io_service *io)
{
	struct signalfd_siginfo info;

	while (read(io->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGWINCH)
			io_event(io->vmm, ABI_EVENT_WINCH, 0);
		else
			io_event(io->vmm, ABI_EVENT_SIGNAL, info.ssi_signo);
	}
}

static void take_control(struct io_service *io, int fd)
{
	struct vmm_control message;

	for (;;) {
		ssize_t n = recv(fd, &message, sizeof(message), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0 && io->detached) {
			io->command_gone = true;
			return;
		}
		if (n <= 0) { /* the command is gone */
			vmm_log(VMM_LOG_INFO, "the command went away: the sandbox ends");
			vmm_end(io->vmm, SIGKILL);
			return;
		}
		if (n == (ssize_t)sizeof(message) && message.event == VMM_CONTROL_DETACH)
			io->detached = true;
		else if (n == (ssize_t)sizeof(message))
			io_event(io->vmm, (enum abi_event)message.event, message.detail);
	}
}

void io_close(struct vmm *vmm, int fd)
{
	struct io_service *io = vmm->io;

	pthread_mutex_lock(&io->handoff_lock);
	bool room = io->closing_count < IO_CLOSING;
	if (room)
		io->closing[io->closing_count++] = fd;
	pthread_mutex_unlock(&io->handoff_lock);
	if (room)
		io_poke(io);
	else
		close(fd); /* what waits for it keeps it open a while longer */
}

/* A read that waits would keep the other end of a terminal from seeing that this end is gone. */
static void close_streams(struct io_service *io)
{
	int fds[IO_CLOSING];

	pthread_mutex_lock(&io->handoff_lock);
	unsigned count = io->closing_count;
	memcpy(fds, io->closing, sizeof(int) * count);
	io->closing_count = 0;
	pthread_mutex_unlock(&io->handoff_lock);
	for (unsigned i = 0; i < count; i++) {
		io->backend->cancel(io, fds[i]);
		frame_reads_cancel(io, fds[i]);
		close(fds[i]);
	}
}

/* The gofers of further containers: always this thread's to read. */
static unsigned watch_further(struct io_service *io, struct pollfd *fds)
{
	unsigned count = 0;

	for (unsigned i = 1; i < VMM_MAX_GOFERS; i++) {
		struct gofer_channel *gofer = &io->gofers[i];
		int fd = __atomic_load_n(&gofer->fd, __ATOMIC_ACQUIRE);
		if (fd >= 0 && !gofer->dead)
			fds[count++] = (struct pollfd){fd, (short)(POLLIN | (channel_wants_out(gofer) ? POLLOUT : 0)), 0};
	}
	return count;
}

static void serve_further(struct io_service *io, const struct pollfd *fds, unsigned count)
{
	for (unsigned i = 1; i < VMM_MAX_GOFERS && count > 0; i++) {
		struct gofer_channel *gofer = &io->gofers[i];
		int fd = __atomic_load_n(&gofer->fd, __ATOMIC_ACQUIRE);
		for (unsigned k = 0; k < count && fd >= 0; k++) {
			if (fds[k].fd != fd || !fds[k].revents)
				continue;
			if (fds[k].revents & POLLOUT)
				channel_flush(gofer);
			channel_receive(gofer); /* never waits */
		}
	}
}

static bool any_ready(const struct pollfd *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (fds[i].revents)
			return true;
	return false;
}

/* How long poll(2) may wait. From here to the end of the wait the sentry rings for what it publishes. */
static int before_wait(struct io_service *io)
{
	__atomic_store_n(&io->ring->sq_wait, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* before sq_tail is looked at */
	return __atomic_load_n(&io->ring->sq_tail, __ATOMIC_RELAXED) == io->sq_head ? -1 : 0;
}

/* One wait of the I/O thread, and whatever became ready. */
static void io_turn(struct io_service *io)
{
	int control = io->command_gone ? -1 : io->vmm->options->control_fd;
	struct pollfd fds[POLL_MAX] = {
		{io->doorbell, POLLIN, 0}, {io->gofers[0].fd, 0, 0}, {io->signals, POLLIN, 0}, {control, POLLIN, 0}};
	unsigned count = POLL_FIXED;
	uint64_t rings;

	if (!io->hosted || atomic_load(&io->io_watches))
		fds[1].events |= POLLIN;
	if (channel_wants_out(&io->gofers[0]))
		fds[1].events |= POLLOUT;
	count += watch_further(io, fds + count);
	unsigned further = count;
	count += frame_reads_fill(io, fds + count);
	unsigned backend = count;
	count += io->backend->poll_fill(io, fds + count, POLL_MAX - count);
	int ready = poll(fds, count, before_wait(io));
	__atomic_store_n(&io->ring->sq_wait, 0, __ATOMIC_RELAXED);
	if (ready < 0)
		return;
	uint32_t before = __atomic_load_n(&io->worth_telling, __ATOMIC_RELAXED);
	if ((fds[0].revents & POLLIN) && read(io->doorbell, &rings, sizeof(rings)) < 0)
		return;
	if (fds[2].revents & POLLIN)
		take_signals(io);
	if (fds[3].revents)
		take_control(io, control);
	drain(io);
	if (fds[1].revents & POLLOUT)
		channel_flush(&io->gofers[0]);
	if (fds[1].revents & (POLLIN | POLLHUP | POLLERR))
		channel_receive(&io->gofers[0]);
	serve_further(io, fds + POLL_FIXED, further - POLL_FIXED);
	if (any_ready(fds + further, backend - further))
		frame_reads_ready(io);
	io->backend->poll_done(io, fds + backend, count - backend);
	pthread_mutex_lock(&io->handoff_lock);
	struct io_request *request;
	while ((request = io_list_pop(&io->handoff)))
		io->backend->submit(io, request);
	pthread_mutex_unlock(&io->handoff_lock);
	close_streams(io);
	if (io->backend->flush)
		io->backend->flush(io);
	if (io->hosted && atomic_load(&io->gofers[0].outstanding) == 0)
		atomic_store(&io->io_watches, false);
	if (before != __atomic_load_n(&io->worth_telling, __ATOMIC_RELAXED))
		io_notify(io);
}

static void *io_main(void *arg)
{
	struct io_service *io = arg;

	if (jail_thread(io->vmm, JAIL_IO) < 0)
		return NULL;
	while (!io->vmm->ended)
		io_turn(io);
	return NULL;
}

/* Signals sent to this process are the container's: they wait in a signalfd. jail_prepare() blocked them. */
static int open_signals(void)
{
	static const int forwarded[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		sigaddset(&set, forwarded[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int io_init(struct vmm *vmm)
{
	struct io_service *io = calloc(1, sizeof(*io));
	int error;

	if (!io)
		return -ENOMEM;
	io->vmm = vmm;
	io->hosted = vmm->platform->machine == ABI_MACHINE_HOSTED;
	io->ring = vmm_gpa(&vmm->memory, GPA(vmm->boot->ring_gpa), sizeof(struct abi_ring));
	pthread_mutex_init(&io->submit, NULL);
	pthread_mutex_init(&io->frames, NULL);
	pthread_mutex_init(&io->complete, NULL);
	pthread_mutex_init(&io->free, NULL);
	pthread_mutex_init(&io->handoff_lock, NULL);
	io->handoff.tail = &io->handoff.head;
	for (unsigned i = 0; i < ABI_RING_ENTRIES; i++) {
		io->requests[i].next = io->free_requests;
		io->free_requests = &io->requests[i];
	}
	io->doorbell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	io->signals = open_signals();
	if (io->doorbell < 0 || io->signals < 0)
		return -errno;
	error = channel_init(io);
	if (error)
		return error;
	io->backend = &uring_backend;
	error = io->backend->init(io);
	if (error) {
		vmm_log(VMM_LOG_INFO, "io_uring is not usable here (%s): a thread pool serves the ring",
			strerror(-error));
		io->backend = &pool_backend;
		error = io->backend->init(io);
	}
	vmm->io = io;
	return error;
}

int io_start(struct vmm *vmm)
{
	struct io_service *io = vmm->io;
	int error = io->backend->start ? io->backend->start(io) : 0;

	if (!error && io->hosted && io->backend == &uring_backend)
		error = worker_start(io);
	if (error)
		return error;
	return -pthread_create(&io->thread, NULL, io_main, io);
}
