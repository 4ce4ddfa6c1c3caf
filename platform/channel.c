/*
 * The VMM's end of the 9P channel to the gofer: a SOCK_SEQPACKET socketpair, one message a
 * packet, replies matched to requests by tag (9P2000.L, intro(5) of Plan 9).
 *
 * channel_submit() is called with a request whose addresses are checked; it sends from guest
 * memory (but for the head, of which the VMM keeps a checked copy) and never waits.
 * channel_receive() is called by whoever watches the socket. Regular files that ride on a
 * reply go to the descriptor table. A gofer that dies or breaks the framing ends the
 * sandbox. The messages' contents pass through untouched: both ends check them.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/io.h"

#define P9_TFLUSH 108
#define P9_RFLUSH 109
#define P9_TPLACE 224
#define P9_RPLACE 225
#define P9_RLERROR 7
#define PLACE_TAG 0xfffeu /* the sentry's are small numbers */
#define PLACE_AFTER 8u     /* requests from another core before the gofer follows: a move costs as much as some of them */

static __thread int own_core = -1; /* that this thread is pinned to; -1: to none */

void io_thread_core(int core)
{
	own_core = core;
}

static uint16_t tag_of(const uint8_t *header)
{
	return (uint16_t)(header[5] | header[6] << 8);
}

static uint32_t size_of(const uint8_t *header)
{
	return (uint32_t)header[0] | (uint32_t)header[1] << 8 | (uint32_t)header[2] << 16 | (uint32_t)header[3] << 24;
}

static struct io_request **slot_of(struct gofer_channel *gofer, uint16_t tag)
{
	struct io_request **at = &gofer->pending[tag % ABI_RING_ENTRIES];

	while (*at && tag_of((*at)->header) != tag)
		at = &(*at)->next;
	return at;
}

int channel_init(struct io_service *io)
{
	size_t size = (size_t)VMM_MAX_GOFERS * P9_MESSAGE_MAX; /* untouched, it costs nothing */
	uint8_t *bounce = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (bounce == MAP_FAILED)
		return -errno;
	for (unsigned i = 0; i < VMM_MAX_GOFERS; i++) {
		struct gofer_channel *gofer = &io->gofers[i];
		gofer->io = io;
		gofer->fd = i == 0 ? io->vmm->options->gofer_fd : -1;
		gofer->core = -1;
		pthread_mutex_init(&gofer->lock, NULL);
		pthread_mutex_init(&gofer->recv, NULL);
		gofer->unsent.tail = &gofer->unsent.head;
		gofer->bounce = bounce + (size_t)i * P9_MESSAGE_MAX;
	}
	return 0;
}

static bool is_first(const struct gofer_channel *gofer)
{
	return gofer == &gofer->io->gofers[0];
}

/* Ends what is under way with -EIO. gofer->lock is held. */
static void fail_all_locked(struct gofer_channel *gofer)
{
	struct io_request *request;

	for (unsigned i = 0; i < ABI_RING_ENTRIES; i++) {
		while ((request = gofer->pending[i])) {
			gofer->pending[i] = request->next;
			io_complete(gofer->io, request, -EIO, 0);
		}
	}
	while ((request = io_list_pop(&gofer->unsent)))
		io_complete(gofer->io, request, -EIO, 0);
	atomic_store(&gofer->outstanding, 0);
}

/* The first container's gofer takes the sandbox along; another one its own container's files only. `why` NULL: it has gone. */
static void channel_fail(struct gofer_channel *gofer, const char *why)
{
	if (is_first(gofer) && !why) { /* how it ended the main thread knows */
		gofer->io->vmm->gofer_gone = true;
		vmm_fail(gofer->io->vmm, 255 << 8);
		return;
	}
	if (is_first(gofer)) {
		io_fail(gofer->io, why);
		return;
	}
	vmm_log(VMM_LOG_WARNING, "gofer %u: %s", (unsigned)(gofer - gofer->io->gofers), why ? why : "it has gone");
	pthread_mutex_lock(&gofer->lock);
	gofer->dead = true;
	fail_all_locked(gofer);
	pthread_mutex_unlock(&gofer->lock);
}

int channel_add(struct io_service *io, int fd)
{
	struct stat st;

	if (host_fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	for (int i = 1; i < VMM_MAX_GOFERS; i++) {
		struct gofer_channel *gofer = &io->gofers[i];
		pthread_mutex_lock(&gofer->lock);
		bool free_slot = gofer->fd < 0;
		if (free_slot) {
			gofer->dead = false;
			gofer->core = -1;
			gofer->placing = false;
			__atomic_store_n(&gofer->fd, fd, __ATOMIC_RELEASE);
		}
		pthread_mutex_unlock(&gofer->lock);
		if (free_slot) {
			io_poke(io); /* to be watched */
			return i;
		}
	}
	return -EMFILE;
}

int channel_close(struct io_service *io, uint64_t number)
{
	if (number == 0 || number >= VMM_MAX_GOFERS)
		return -EINVAL;
	struct gofer_channel *gofer = &io->gofers[number];
	pthread_mutex_lock(&gofer->recv);
	pthread_mutex_lock(&gofer->lock);
	int fd = gofer->fd;
	__atomic_store_n(&gofer->fd, -1, __ATOMIC_RELEASE);
	fail_all_locked(gofer);
	pthread_mutex_unlock(&gofer->lock);
	pthread_mutex_unlock(&gofer->recv);
	if (fd < 0)
		return -EBADF;
	close(fd);
	io_poke(io);
	return 0;
}

/* 1 sent, 0 the socket is full, -errno. */
static int send_message(struct gofer_channel *gofer, struct io_request *request)
{
	struct iovec iov[2] = {
		{request->header, P9_HEADER},
		{(uint8_t *)request->memory + P9_HEADER, request->len - P9_HEADER},
	};
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};

	for (;;) {
		if (sendmsg(gofer->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 1;
		if (errno == EAGAIN || errno == ENOBUFS)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

/*
 * Asks the gofer to run on the core of this CPU's thread, which waits for it: woken on an idle core it would answer later
 * than on this one. Nobody waits for the answer. gofer->lock is held.
 */
static void place_locked(struct gofer_channel *gofer)
{
	int core = own_core;
	uint8_t message[P9_HEADER + 4] = {sizeof(message), 0, 0, 0, P9_TPLACE, PLACE_TAG & 0xff, PLACE_TAG >> 8,
		(uint8_t)core, (uint8_t)(core >> 8), (uint8_t)(core >> 16), (uint8_t)(core >> 24)};
	struct iovec iov = {message, sizeof(message)};
	struct msghdr packet = {.msg_iov = &iov, .msg_iovlen = 1};

	if (core < 0 || core == gofer->core) {
		gofer->elsewhere = 0;
		return;
	}
	if (gofer->placing || ++gofer->elsewhere < PLACE_AFTER)
		return;
	if (sendmsg(gofer->fd, &packet, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
	gofer->core = core;
	gofer->elsewhere = 0;
	gofer->placing = true;
}

static bool is_placed(struct gofer_channel *gofer, const uint8_t *bytes)
{
	bool placed;

	if (tag_of(bytes) != PLACE_TAG || (bytes[4] != P9_RPLACE && bytes[4] != P9_RLERROR))
		return false;
	pthread_mutex_lock(&gofer->lock);
	placed = gofer->placing;
	gofer->placing = false;
	pthread_mutex_unlock(&gofer->lock);
	return placed;
}

/* Puts the request where its reply will find it, and sends it. gofer->lock is held. */
static int send_locked(struct gofer_channel *gofer, struct io_request *request)
{
	struct io_request **slot = slot_of(gofer, tag_of(request->header));

	if (*slot)
		return -EINVAL; /* the tag is in use */
	request->next = NULL;
	*slot = request;
	int sent = send_message(gofer, request);
	if (sent <= 0)
		*slot = NULL; /* it was put at the end of its chain */
	return sent;
}

void channel_submit(struct io_service *io, struct io_request *request, uint32_t number)
{
	struct gofer_channel *gofer = &io->gofers[number];
	int sent;

	if (gofer->fd < 0) {
		io_complete(io, request, number == 0 ? -ENXIO : -EINVAL, 0);
		return;
	}
	memcpy(request->header, request->memory, P9_HEADER);
	if (size_of(request->header) != request->len) {
		io_complete(io, request, -EINVAL, 0);
		return;
	}
	request->oldtag = 0xffff;
	if (request->header[4] == P9_TFLUSH && request->len >= P9_HEADER + 2)
		memcpy(&request->oldtag, (uint8_t *)request->memory + P9_HEADER, 2);
	pthread_mutex_lock(&gofer->lock);
	atomic_fetch_add(&gofer->outstanding, 1);
	if (gofer->fd >= 0 && !gofer->dead && !gofer->unsent.head)
		place_locked(gofer);
	sent = gofer->fd < 0 || gofer->dead ? -EIO : gofer->unsent.head ? 0 : send_locked(gofer, request);
	if (sent == 0)
		io_list_push(&gofer->unsent, request);
	else if (sent < 0)
		atomic_fetch_sub(&gofer->outstanding, 1);
	pthread_mutex_unlock(&gofer->lock);
	if (sent == -EPIPE || sent == -ECONNRESET)
		channel_fail(gofer, NULL);
	if (sent < 0)
		io_complete(io, request, sent, 0);
	if (sent == 0)
		io_poke(io);
}

void channel_flush(struct gofer_channel *gofer)
{
	for (;;) {
		pthread_mutex_lock(&gofer->lock);
		struct io_request *request = gofer->unsent.head;
		int sent = 0;
		if (request) {
			io_list_pop(&gofer->unsent);
			sent = send_locked(gofer, request);
			if (sent == 0) { /* still full: back to the head */
				request->next = gofer->unsent.head;
				if (!gofer->unsent.head)
					gofer->unsent.tail = &request->next;
				gofer->unsent.head = request;
			} else if (sent < 0) {
				atomic_fetch_sub(&gofer->outstanding, 1);
			}
		}
		pthread_mutex_unlock(&gofer->lock);
		if (sent == 0)
			return;
		if (sent < 0)
			io_complete(gofer->io, request, sent, 0);
	}
}

bool channel_wants_out(struct gofer_channel *gofer)
{
	return __atomic_load_n(&gofer->unsent.head, __ATOMIC_RELAXED) != NULL;
}

/* Takes the pending request of this tag off the table; NULL if there is none. */
static struct io_request *take_pending(struct gofer_channel *gofer, uint16_t tag)
{
	pthread_mutex_lock(&gofer->lock);
	struct io_request **slot = slot_of(gofer, tag);
	struct io_request *request = *slot;
	if (request) {
		*slot = request->next;
		request->next = NULL;
		atomic_fetch_sub(&gofer->outstanding, 1);
	}
	pthread_mutex_unlock(&gofer->lock);
	return request;
}

/* The descriptors that came with a message, into fds; how many. */
static unsigned take_descriptors(struct msghdr *message, int fds[ABI_MAX_DONATED])
{
	unsigned count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) && count < ABI_MAX_DONATED; i++)
			memcpy(&fds[count++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
	}
	return count;
}

/* Those that the table takes go to the sentry, the others are closed. How many places the list has; 0: none was taken. */
static unsigned keep_descriptors(struct vmm *vmm, const int *fds, unsigned count, uint32_t indices[ABI_MAX_DONATED])
{
	unsigned kept = 0;

	for (unsigned i = 0; i < count; i++) {
		int index = fds_add(vmm, fds[i]);
		indices[i] = index < 0 ? ABI_NO_FD : (uint32_t)index; /* the sentry reads by messages then */
		if (index < 0)
			close(fds[i]);
		else
			kept++;
	}
	return kept ? count : 0;
}

static void close_all(const int *fds, unsigned count)
{
	while (count > 0)
		close(fds[--count]);
}

static void finish(struct gofer_channel *gofer, const uint8_t *bytes, uint32_t length, const int *fds, unsigned count)
{
	struct io_service *io = gofer->io;
	struct io_request *request = take_pending(gofer, tag_of(bytes));
	uint32_t indices[ABI_MAX_DONATED];

	if (!request) {
		close_all(fds, count);
		channel_fail(gofer, "the gofer answered a request that was not made");
		return;
	}
	bool fits = length <= request->reply_len;
	if (!fits || request->reply_len - length < count * sizeof(*indices)) {
		close_all(fds, count);
		count = 0;
	}
	count = keep_descriptors(io->vmm, fds, count, indices);
	if (fits) {
		memcpy(request->reply, bytes, length);
		memcpy((uint8_t *)request->reply + length, indices, count * sizeof(*indices));
	}
	if (bytes[4] == P9_RFLUSH && request->header[4] == P9_TFLUSH) {
		struct io_request *old = take_pending(gofer, request->oldtag);
		if (old)
			io_complete(io, old, -EINTR, 0);
	}
	io_complete(io, request, fits ? (int64_t)length : -EMSGSIZE, count);
}

unsigned channel_receive(struct gofer_channel *gofer)
{
	struct io_service *io = gofer->io;
	unsigned done = 0;

	pthread_mutex_lock(&gofer->recv);
	while (!io->vmm->ended && gofer->fd >= 0 && !gofer->dead) {
		union {
			struct cmsghdr head;
			uint8_t bytes[CMSG_SPACE(sizeof(int) * ABI_MAX_DONATED)];
		} control;
		int fds[ABI_MAX_DONATED];
		struct iovec iov = {gofer->bounce, P9_MESSAGE_MAX};
		struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			.msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(gofer->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		unsigned count = n < 0 ? 0 : take_descriptors(&message, fds);
		if (n <= 0) {
			close_all(fds, count);
			channel_fail(gofer, NULL);
			break;
		}
		if (n < (ssize_t)P9_HEADER || (message.msg_flags & MSG_TRUNC) ||
		    size_of(gofer->bounce) != (uint32_t)n) {
			close_all(fds, count);
			channel_fail(gofer, "the gofer broke the 9P framing");
			break;
		}
		if (count == 0 && is_placed(gofer, gofer->bounce))
			continue;
		finish(gofer, gofer->bounce, (uint32_t)n, fds, count);
		done++;
		if (atomic_load(&gofer->outstanding) == 0)
			break;
	}
	pthread_mutex_unlock(&gofer->recv);
	if (done > 0 && channel_wants_out(gofer))
		channel_flush(gofer);
	return done;
}
