/*
 * Internet sockets of the host. See kernel/net/hostnet.h.
 *
 * A host call never waits: what would is answered -EAGAIN, and the caller sleeps until the socket's count of events has
 * changed. Events come from one edge-triggered set on the host: one ring poll on it is always outstanding; when it ends,
 * the events are fetched and the sockets woken. Nothing is remembered of readiness: poll asks the host.
 *
 * The structs that calls carry lie in one buffer, since nothing sleeps between filling it and reading the answer.
 */
#include <asm/ioctls.h>
#include <asm/socket.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/sockios.h>

#include "kernel/ktime.h"
#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/net/hostnet.h"
#include "kernel/net/options.h"
#include "kernel/sysctl.h"
#include "kernel/task.h"
#include "kernel/user_ns.h"
#include "platform/abi/abi.h"
#include "platform/abi/sockets.h"
#include "ring0/clock.h"
#include "ring0/lib.h"
#include "ring0/machine.h"
#include "ring0/memory.h"
#include "ring0/usercopy.h"

#define EVENTS_AT_ONCE 64u
#define CMSG_ALIGNED(n) (((n) + 7u) & ~(size_t)7)
#define LINGER_STEP (10 * 1000000ull) /* ns */

struct host_socket {
	struct socket base;
	struct socket_options options; /* the host keeps them, but the time to linger */
	struct waitq wait;
	uint32_t fd;     /* the host's index */
	uint32_t events; /* counts what came up */
	uint32_t low;    /* SO_RCVLOWAT */
};

static union {
	struct abi_socket_name name;
	struct abi_socket_message message;
	struct abi_socket_option option;
	struct abi_socket_event events[EVENTS_AT_ONCE];
} *buffer;
static struct host_socket **sockets; /* by index */
static struct hostring_request event_request;
static uint32_t event_fd;
static const struct socket_ops host4_ops, host6_ops;

static struct host_socket *host_of(struct socket *base)
{
	return container_of(base, struct host_socket, base);
}

static int64_t call(uint32_t op, uint64_t a, uint64_t b)
{
	return machine->host_call(op, a, b, 0, 0);
}

/* ---- events ---- */

static void wait_for_events(void);

static void fetch_events(struct hostring_request *request, int64_t res, uint64_t extra)
{
	int64_t n;

	do {
		n = call(ABI_CALL_socket_events, va_to_pa(buffer->events), EVENTS_AT_ONCE);
		for (int64_t i = 0; i < n; i++) {
			struct host_socket *sock = buffer->events[i].fd < ABI_MAX_FDS ? sockets[buffer->events[i].fd] : NULL;

			if (!sock)
				continue;
			sock->events++;
			waitq_wake(&sock->wait, UINT32_MAX, buffer->events[i].events | EPOLLRDNORM | EPOLLWRNORM);
		}
	} while (n == EVENTS_AT_ONCE);
	wait_for_events();
}

static void wait_for_events(void)
{
	struct abi_sqe sqe = {.op = ABI_RING_poll, .fd = event_fd, .arg = EPOLLIN};

	event_request.done = fetch_events;
	if (hostring_submit(&sqe, &event_request))
		klog(LOG_ERROR, "network: the host ring is full: sockets wake nobody any more");
}

void hostnet_init(uint32_t event_set)
{
	event_fd = event_set;
	buffer = kzalloc(sizeof(*buffer));
	sockets = kzalloc(ABI_MAX_FDS * sizeof(sockets[0]));
	if (!buffer || !sockets)
		panic("no memory for the host's sockets");
	wait_for_events();
}

bool hostnet_is_on(void)
{
	return sockets;
}

bool hostnet_is_used(void)
{
	return sockets && current->ns->net == &first_net_ns;
}

/* ---- making and closing ---- */

static int wrap(int family, int type, int protocol, int64_t fd, struct socket **out)
{
	struct host_socket *sock = fd < 0 ? NULL : kzalloc(sizeof(*sock));

	if (fd < 0)
		return (int)fd;
	if (!sock || fd >= ABI_MAX_FDS) {
		(void)call(ABI_CALL_fd_close, (uint64_t)fd, 0);
		kfree(sock);
		return -ENOMEM;
	}
	sock->base.ops = family == AF_INET ? &host4_ops : &host6_ops;
	socket_init(&sock->base, type, protocol, &sock->wait, &sock->options);
	sock->fd = (uint32_t)fd;
	sock->low = 1;
	sockets[fd] = sock;
	*out = &sock->base;
	return 0;
}

int hostnet_create(int family, int type, int protocol, struct socket **out)
{
	bool ping = type == SOCK_DGRAM && (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6);
	int64_t fd;

	if (protocol < 0 || protocol > 255)
		return -EINVAL;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_RAW)
		return -ESOCKTNOSUPPORT;
	if (type == SOCK_RAW && !net_capable(CAP_NET_RAW))
		return -EPERM;
	if (ping && !sysctl_may_ping())
		return -EACCES;
	fd = machine->host_call(ABI_CALL_socket, (uint64_t)family, (uint64_t)type, (uint64_t)protocol, 0);
	return wrap(family, type, protocol, fd, out);
}

/* SO_LINGER with a time: the host must not wait in close(2), so the wait is here. Its set tells no end of it: looked at often. */
static void linger(struct host_socket *sock)
{
	uint64_t end = clock_monotonic() + (uint64_t)sock->options.linger_seconds * NS_PER_S;

	(void)call(ABI_CALL_socket_shutdown, sock->fd, SHUT_WR);
	while (clock_monotonic() < end && call(ABI_CALL_socket_queued, sock->fd, 1) > 0)
		if (wait_event(&sock->wait, false, clock_monotonic() + LINGER_STEP, true) == -EINTR)
			return;
}

static void host_close(struct socket *base)
{
	struct host_socket *sock = host_of(base);

	if (sock->options.linger && sock->options.linger_seconds && base->type == SOCK_STREAM)
		linger(sock);
	sockets[sock->fd] = NULL;
	(void)call(ABI_CALL_fd_close, sock->fd, 0);
	kfree(sock);
}

/* Sleeps until something happened after `seen`. 0, -EAGAIN, -EINTR. */
static int wait_after(struct host_socket *sock, uint32_t seen, uint64_t deadline)
{
	int rc = deadline ? wait_event(&sock->wait, sock->events != seen, deadline, true) : -EAGAIN;

	return rc == -ETIMEDOUT ? -EAGAIN : rc;
}

/* ---- names and connections ---- */

static int64_t with_name(struct host_socket *sock, uint32_t op, const struct socket_address *address)
{
	memset(&buffer->name, 0, sizeof(buffer->name));
	buffer->name.len = MIN(address->len, ABI_SOCKET_NAME);
	memcpy(buffer->name.bytes, address, buffer->name.len);
	return call(op, sock->fd, va_to_pa(&buffer->name));
}

static int host_bind(struct socket *base, struct socket_address *address)
{
	const struct sockaddr_in *in = (const void *)address; /* sockaddr_in6 has its port there, too */
	unsigned port = address->len >= 4 ? __builtin_bswap16(in->sin_port) : 0;

	if (address->len < 2)
		return -EINVAL;
	if (port && base->type != SOCK_RAW && port < sysctl_net()->unprivileged_port_start && !net_capable(CAP_NET_BIND_SERVICE))
		return -EACCES;
	return (int)with_name(host_of(base), ABI_CALL_socket_bind, address);
}

static int host_listen(struct socket *base, int backlog)
{
	return (int)call(ABI_CALL_socket_listen, host_of(base)->fd, (uint64_t)backlog);
}

static int host_connect(struct socket *base, struct socket_address *address, uint64_t deadline)
{
	struct host_socket *sock = host_of(base);
	uint32_t seen = sock->events;
	int rc = address->len < 2 ? -EINVAL : (int)with_name(sock, ABI_CALL_socket_connect, address);

	if ((rc != -EINPROGRESS && rc != -EALREADY) || !deadline)
		return rc;
	while (!(call(ABI_CALL_socket_poll, sock->fd, EPOLLOUT) & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
		rc = wait_after(sock, seen, deadline);
		if (rc)
			return rc == -EAGAIN ? -EINPROGRESS : rc;
		seen = sock->events;
	}
	return (int)with_name(sock, ABI_CALL_socket_connect, address); /* tells how it ended, as a blocking call would */
}

static int host_accept(struct socket *base, uint64_t deadline, struct socket **child)
{
	struct host_socket *sock = host_of(base);

	for (;;) {
		uint32_t seen = sock->events;
		int rc = wrap(base->ops->family, base->type, base->protocol, call(ABI_CALL_socket_accept, sock->fd, 0), child);

		if (rc == -EAGAIN)
			rc = wait_after(sock, seen, deadline);
		else if (!rc)
			(*child)->receive_timeout = base->receive_timeout, (*child)->send_timeout = base->send_timeout;
		if (rc || sock->events == seen)
			return rc;
	}
}

static int host_shutdown(struct socket *base, int how)
{
	struct host_socket *sock = host_of(base);
	int rc = (int)call(ABI_CALL_socket_shutdown, sock->fd, (uint64_t)how);

	sock->events++;
	waitq_wake_all(&sock->wait);
	return rc;
}

static int host_name(struct socket *base, bool peer, struct socket_address *address)
{
	int rc = (int)machine->host_call(ABI_CALL_socket_name, host_of(base)->fd, peer, va_to_pa(&buffer->name), 0);

	if (rc)
		return rc;
	address->len = MIN(buffer->name.len, ABI_SOCKET_NAME);
	memcpy(address, buffer->name.bytes, address->len);
	return 0;
}

/* ---- data ---- */

static int64_t send_part(struct host_socket *sock, const struct socket_send *send, const char *bytes, size_t n, bool more)
{
	struct abi_socket_message *m = &buffer->message;

	memset(m, 0, offsetof(struct abi_socket_message, control));
	m->data = va_to_pa(bytes);
	m->len = (uint32_t)n;
	m->flags = send->flags | (more ? MSG_MORE : 0);
	if (send->address && send->address->len) {
		m->name.len = MIN(send->address->len, ABI_SOCKET_NAME);
		memcpy(m->name.bytes, send->address, m->name.len);
	}
	if (send->control) {
		if (send->control_len > sizeof(m->control))
			return -ENOBUFS;
		m->control_len = (uint32_t)send->control_len;
		memcpy(m->control, send->control, send->control_len);
	}
	return call(ABI_CALL_socket_send, sock->fd, va_to_pa(m));
}

/* All of n bytes, or as many as go before an error. */
static int64_t send_bytes(struct host_socket *sock, const struct socket_send *send, const char *bytes, size_t n, bool more)
{
	size_t done = 0;

	do {
		uint32_t seen = sock->events;
		int64_t rc = send_part(sock, send, bytes + done, n - done, more);

		if (rc == -EAGAIN) {
			rc = wait_after(sock, seen, send->deadline);
			if (!rc)
				continue;
		}
		if (rc < 0)
			return done ? (int64_t)done : rc;
		done += MIN((size_t)rc, n - done);
	} while (done < n);
	return (int64_t)done;
}

static int64_t host_send(struct socket *base, struct socket_send *send)
{
	struct host_socket *sock = host_of(base);
	bool stream = base->type == SOCK_STREAM;
	size_t room = MIN(send->len, (size_t)ABI_SOCKET_DATA), done = 0;
	char *bytes;
	int64_t rc = 0;

	if (send->flags & MSG_FASTOPEN)
		return -EOPNOTSUPP;
	if (!stream && send->len > room)
		return -EMSGSIZE;
	bytes = kmalloc(room + 1);
	if (!bytes)
		return -ENOBUFS;
	do {
		size_t part = MIN(send->len - done, room);

		rc = part ? send->copy->copy(send->copy, bytes, part) : 0;
		if (!rc)
			rc = send_bytes(sock, send, bytes, part, done + part < send->len);
		if (rc < 0)
			break;
		done += (size_t)rc;
		if ((size_t)rc < part)
			break;
	} while (done < send->len);
	kfree(bytes);
	return done ? (int64_t)done : rc;
}

/* The host's control messages, to the receiver. */
static void report_control(struct socket_receive *receive, const uint8_t *control, size_t len)
{
	struct {
		uint64_t len;
		int32_t level, type;
	} header;
	size_t at = 0;

	while (receive->control && len - at >= sizeof(header)) {
		memcpy(&header, control + at, sizeof(header));
		if (header.len < sizeof(header) || header.len > len - at)
			return;
		(void)receive->control(receive, header.level, header.type, control + at + sizeof(header),
			header.len - sizeof(header));
		at += MIN(CMSG_ALIGNED(header.len), len - at);
	}
}

struct received {
	struct socket_address address;
	uint32_t flags, control_len;
	uint8_t control[];
};

/* One message into `bytes`, its surroundings into *in (with room for ABI_SOCKET_CONTROL). Waits. */
static int64_t receive_part(struct host_socket *sock, const struct socket_receive *receive, char *bytes, size_t n,
	struct received *in)
{
	struct abi_socket_message *m = &buffer->message;

	for (;;) {
		uint32_t seen = sock->events;
		int64_t rc = 0;

		if (sock->low > 1 && receive->deadline && !(call(ABI_CALL_socket_poll, sock->fd, EPOLLIN) & ~EPOLLOUT))
			rc = -EAGAIN;
		if (!rc) {
			memset(m, 0, offsetof(struct abi_socket_message, control));
			m->data = va_to_pa(bytes);
			m->len = (uint32_t)n;
			m->flags = receive->flags;
			m->control_len = receive->control ? sizeof(m->control) : 0;
			rc = call(ABI_CALL_socket_receive, sock->fd, va_to_pa(m));
		}
		if (rc == -EAGAIN && !(receive->flags & MSG_ERRQUEUE)) {
			rc = wait_after(sock, seen, receive->deadline);
			if (!rc)
				continue;
		}
		if (rc < 0)
			return rc;
		in->flags = m->flags;
		in->control_len = MIN(m->control_len, ABI_SOCKET_CONTROL);
		memcpy(in->control, m->control, in->control_len);
		in->address.len = MIN(m->name.len, ABI_SOCKET_NAME);
		memcpy(&in->address, m->name.bytes, in->address.len);
		return rc;
	}
}

static int64_t receive_into(struct host_socket *sock, struct socket_receive *receive, char *bytes, size_t room, struct received *in)
{
	bool stream = sock->base.type == SOCK_STREAM;
	/* Go on until there is all of it; a peek would see the same again. */
	bool whole = stream && receive->flags & MSG_WAITALL && !(receive->flags & (MSG_PEEK | MSG_ERRQUEUE));
	size_t done = 0, part, got;
	int64_t rc;

	do {
		part = MIN(receive->len - done, room);
		rc = receive_part(sock, receive, bytes, part, in);
		if (rc < 0)
			return done ? (int64_t)done : rc;
		got = MIN((size_t)rc, part);
		if (got && !(stream && receive->flags & MSG_TRUNC) && receive->copy->copy(receive->copy, bytes, got))
			return done ? (int64_t)done : -EFAULT;
		report_control(receive, in->control, in->control_len);
		done += stream ? got : (size_t)rc;
	} while (whole && rc > 0 && done < receive->len);
	receive->out_flags = in->flags & (MSG_TRUNC | MSG_EOR | MSG_ERRQUEUE | MSG_OOB);
	if (receive->address)
		*receive->address = in->address;
	return (int64_t)done;
}

static int64_t host_receive(struct socket *base, struct socket_receive *receive)
{
	size_t room = MIN(receive->len, (size_t)ABI_SOCKET_DATA);
	struct received *in = kmalloc(sizeof(*in) + ABI_SOCKET_CONTROL);
	char *bytes = kmalloc(room + 1);
	int64_t rc = in && bytes ? receive_into(host_of(base), receive, bytes, room, in) : -ENOBUFS;

	kfree(bytes);
	kfree(in);
	return rc;
}

static uint32_t host_events(struct socket *base)
{
	int64_t up = call(ABI_CALL_socket_poll, host_of(base)->fd,
		EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDNORM | EPOLLRDBAND | EPOLLWRNORM | EPOLLWRBAND | EPOLLRDHUP);

	return up < 0 ? EPOLLERR : (uint32_t)up;
}

/* ---- options ---- */

static int64_t ask_option(struct host_socket *sock, int level, int option, bool set, const void *value, unsigned len)
{
	memset(&buffer->option, 0, sizeof(buffer->option));
	buffer->option.level = level;
	buffer->option.option = option;
	buffer->option.set = set;
	buffer->option.len = len;
	memcpy(buffer->option.value, value, len);
	return call(ABI_CALL_socket_option, sock->fd, va_to_pa(&buffer->option));
}

/* A number of SOL_SOCKET's; 0: the host does not tell. */
static int option_number(struct host_socket *sock, int option)
{
	int number = 0;

	if (!ask_option(sock, SOL_SOCKET, option, false, &number, sizeof(number)))
		memcpy(&number, buffer->option.value, sizeof(number));
	return number;
}

/* A time to linger is kept here; the host gets what has none. */
static int set_linger(struct host_socket *sock, const void *value, unsigned len)
{
	int linger[2];

	if (len < sizeof(linger))
		return -EINVAL;
	memcpy(linger, value, sizeof(linger));
	sock->options.linger = linger[0] && linger[1];
	sock->options.linger_seconds = linger[1] < 0 ? INT32_MAX : linger[1];
	if (sock->options.linger)
		linger[0] = 0;
	return (int)ask_option(sock, SOL_SOCKET, SO_LINGER, true, linger, sizeof(linger));
}

static int host_set_option(struct socket *base, int level, int option, const void *value, unsigned len)
{
	struct host_socket *sock = host_of(base);
	int rc;

	if (level == SOL_SOCKET && option == SO_LINGER)
		return set_linger(sock, value, len);
	rc = (int)ask_option(sock, level, option, true, value, MIN(len, ABI_SOCKET_OPTION));
	if (!rc && level == SOL_SOCKET && option == SO_RCVLOWAT)
		sock->low = (uint32_t)option_number(sock, SO_RCVLOWAT);
	return rc;
}

static int host_get_option(struct socket *base, int level, int option, void *value, unsigned *len)
{
	const struct socket_options *o = &host_of(base)->options;
	const int kept[2] = {1, o->linger_seconds};
	int rc;

	if (level == SOL_SOCKET && option == SO_LINGER && o->linger) {
		memcpy(value, kept, sizeof(kept));
		*len = sizeof(kept);
		return 0;
	}
	rc = (int)ask_option(host_of(base), level, option, false, value, MIN(*len, ABI_SOCKET_OPTION));

	if (rc)
		return rc;
	*len = MIN(buffer->option.len, *len);
	memcpy(value, buffer->option.value, *len);
	return 0;
}

static int64_t host_ioctl(struct socket *base, unsigned cmd, uint64_t arg)
{
	int64_t n;

	if (cmd != FIONREAD && cmd != SIOCOUTQ)
		return -ENOTTY;
	n = call(ABI_CALL_socket_queued, host_of(base)->fd, cmd == SIOCOUTQ);
	return n < 0 ? n : put_user((int)n, UADDR(arg));
}

#define HOST_OPS(af)                           \
	{                                      \
		.family = (af),                \
		.own_options = true,           \
		.bind = host_bind,             \
		.listen = host_listen,         \
		.connect = host_connect,       \
		.accept = host_accept,         \
		.shutdown = host_shutdown,     \
		.name = host_name,             \
		.send = host_send,             \
		.receive = host_receive,       \
		.events = host_events,         \
		.set_option = host_set_option, \
		.get_option = host_get_option, \
		.ioctl = host_ioctl,           \
		.close = host_close,           \
	}

static const struct socket_ops host4_ops = HOST_OPS(AF_INET);
static const struct socket_ops host6_ops = HOST_OPS(AF_INET6);
