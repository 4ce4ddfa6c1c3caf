/*
 * The gofer's loop: receive a message, dispatch it, send the reply.
 *
 * One thread, one message at a time, so no handler ever sees another one's half-done
 * work, and replies leave in the order of the requests. Two framings: SOCK_SEQPACKET
 * carries one message a packet (ringfence's VMM); SOCK_STREAM carries them back to back
 * (Linux's own 9p client with trans=fd). A broken frame ends the connection; anything
 * else that is wrong is answered by Rlerror.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "gofer/internal.h"

#define ONLY_RINGFENCE 1u

struct route {
	gofer_handler *handler;
	unsigned flags;
};

static const struct route routes[256] = {
#define X(name) [P9_##name] = {gofer_##name, P9_##name >= 200 ? ONLY_RINGFENCE : 0},
	HANDLERS(X)
#undef X
};

/*
 * A request wakes this process on another, idle core if there is one, which takes several times as long as the work (50 us
 * in a virtual machine). On the core of whoever asks, and then waits, it is a switch.
 */
int gofer_tplace(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tplace t;
	cpu_set_t set;

	if (!p9_get_tplace(in, &t))
		return -EPROTO;
	if (t.core >= CPU_SETSIZE || !CPU_ISSET(t.core, &g->cores))
		return -EINVAL;
	CPU_ZERO(&set);
	CPU_SET(t.core, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

static int dispatch(struct gofer *g, const struct p9_header *header, struct p9_reader *in, struct p9_writer *out)
{
	const struct route *route = &routes[header->type];

	if (!route->handler || ((route->flags & ONLY_RINGFENCE) && !g->ringfence))
		return -EOPNOTSUPP;
	if (!g->negotiated && header->type != P9_tversion)
		return -EPROTO;
	return route->handler(g, in, out);
}

static void drop_donated(struct gofer *g)
{
	while (g->donated_count)
		close(g->donated[--g->donated_count]);
}

/* The reply's length, in g->out. 0: the frame is broken. */
static uint32_t answer(struct gofer *g, const uint8_t *message, size_t size)
{
	struct p9_reader in;
	struct p9_writer out;
	struct p9_header header;
	uint32_t length;
	int error;

	p9_reader_init(&in, message, size);
	if (!p9_get_header(&in, &header))
		return 0;
	p9_writer_init(&out, g->out, g->msize);
	p9_begin(&out, header.type + 1, header.tag);
	error = dispatch(g, &header, &in, &out);
	length = p9_finish(&out);
	if (error == 0 && length)
		return length;

	drop_donated(g);
	p9_writer_init(&out, g->out, P9_MIN_MSIZE);
	p9_begin(&out, P9_rlerror, header.tag);
	p9_put_rlerror(&out, &(struct p9_rlerror){error ? (uint32_t)-error : EMSGSIZE});
	return p9_finish(&out);
}

static int send_reply(struct gofer *g, uint32_t length)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * P9_MAX_WALK)];
	} control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	size_t bytes = g->donated_count * sizeof(int);
	struct iovec iov = {g->out, length};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	int error = 0;

	if (bytes) {
		control.header.cmsg_len = CMSG_LEN(bytes);
		memcpy(CMSG_DATA(&control.header), g->donated, bytes);
		message.msg_control = control.space;
		message.msg_controllen = CMSG_SPACE(bytes);
	}
	while (iov.iov_len) {
		ssize_t n = sendmsg(g->socket, &message, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error = -errno;
			break;
		}
		iov.iov_base = (uint8_t *)iov.iov_base + n;
		iov.iov_len -= (size_t)n;
		message.msg_control = NULL;
		message.msg_controllen = 0;
	}
	drop_donated(g);
	return error;
}

/* Bytes, 0 at the end of file, or -errno. Descriptors that are sent to us are dropped by the kernel: no room for them. */
static ssize_t receive(struct gofer *g)
{
	struct iovec iov = {g->in + g->pending, P9_MAX_MSIZE - g->pending};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	do
		n = recvmsg(g->socket, &message, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (message.msg_flags & MSG_TRUNC) ? -EMSGSIZE : n;
}

static int serve_packets(struct gofer *g)
{
	for (;;) {
		ssize_t n = receive(g);
		uint32_t length;
		int error;

		if (n <= 0)
			return n == -ECONNRESET ? 0 : (int)n;
		length = answer(g, g->in, (size_t)n);
		if (!length)
			return -EPROTO;
		error = send_reply(g, length);
		if (error)
			return error == -EPIPE || error == -ECONNRESET ? 0 : error;
	}
}

/* Answer every whole message at the head of g->in; keep the rest. */
static int serve_buffered(struct gofer *g)
{
	size_t done = 0;
	int error = 0;

	while (!error && g->pending - done >= 4) {
		uint32_t size, length;

		memcpy(&size, g->in + done, sizeof(size));
		if (size < P9_HEADER || size > P9_MAX_MSIZE)
			return -EPROTO;
		if (g->pending - done < size)
			break;
		length = answer(g, g->in + done, size);
		if (!length)
			return -EPROTO;
		error = send_reply(g, length);
		done += size;
	}
	g->pending -= done;
	memmove(g->in, g->in + done, g->pending);
	return error;
}

static int serve_stream(struct gofer *g)
{
	for (;;) {
		ssize_t n = receive(g);
		int error;

		if (n <= 0)
			return n == -ECONNRESET ? 0 : (int)n;
		g->pending += (size_t)n;
		error = serve_buffered(g);
		if (error)
			return error == -EPIPE || error == -ECONNRESET ? 0 : error;
	}
}

static int complain(const char *operation, int error)
{
	fprintf(stderr, "gofer: %s: %s\n", operation, strerror(-error));
	return error;
}

static int set_up(struct gofer *g, const struct gofer_options *options)
{
	struct rlimit limit = {P9_MAX_FIDS * 2 + 1024, P9_MAX_FIDS * 2 + 1024}, now;
	socklen_t length = sizeof(int);
	int type, send_buffer = 4 * (int)P9_MAX_MSIZE;

	if (getsockopt(options->socket_fd, SOL_SOCKET, SO_TYPE, &type, &length))
		return complain("look at the socket", -errno);
	if (type != SOCK_SEQPACKET && type != SOCK_STREAM)
		return complain("look at the socket", -EPROTOTYPE);
	if (options->tree_count > GOFER_MAX_TREES)
		return complain("count the trees", -E2BIG);
	/* A smaller buffer than asked for only slows large replies down. */
	(void)!setsockopt(options->socket_fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer));
	if (setrlimit(RLIMIT_NOFILE, &limit) && getrlimit(RLIMIT_NOFILE, &now) == 0) {
		now.rlim_cur = now.rlim_max;
		setrlimit(RLIMIT_NOFILE, &now);
	}
	umask(0);
	if (sched_getaffinity(0, sizeof(g->cores), &g->cores)) /* more cores than fit in: then it stays where it is put */
		CPU_ZERO(&g->cores);
	g->uids = options->uids;
	g->gids = options->gids;
	g->socket = options->socket_fd;
	g->stream = type == SOCK_STREAM;
	g->msize = P9_MAX_MSIZE;
	g->proc_fd = -1;
	g->fids = calloc(P9_MAX_FIDS, sizeof(*g->fids));
	g->in = malloc(P9_MAX_MSIZE);
	g->out = malloc(P9_MAX_MSIZE);
	g->scratch = malloc(P9_MAX_MSIZE);
	if (!g->fids || !g->in || !g->out || !g->scratch)
		return complain("allocate buffers", -ENOMEM);
	return 0;
}

static void tear_down(struct gofer *g)
{
	if (g->fids)
		gofer_fid_clunk_all(g);
	for (size_t i = 0; i < g->tree_count; i++)
		close(g->trees[i].fd);
	if (g->proc_fd >= 0)
		close(g->proc_fd);
	free(g->fids);
	free(g->in);
	free(g->out);
	free(g->scratch);
}

int gofer_main(const struct gofer_options *options)
{
	struct gofer *g = calloc(1, sizeof(*g));
	int error;

	if (!g)
		return complain("allocate", -ENOMEM);
	error = set_up(g, options);
	if (!error)
		error = gofer_jail_prepare(g, options);
	if (!error && !options->no_jail)
		error = gofer_jail_enter(g, options);
	if (!error) {
		error = g->stream ? serve_stream(g) : serve_packets(g);
		if (error)
			complain("serve", error);
	}
	tear_down(g);
	free(g);
	return error;
}
