/*
 * The socket calls of --network=host (platform/abi/sockets.h): internet sockets in the container's network namespace,
 * which is then this process's own.
 *
 * Nothing waits: every socket is non-blocking. What becomes ready is noted by one epoll set, edge-triggered, which is a
 * descriptor of the sentry's like others: it polls it by the ring and fetches the events by socket_events. So a thousand idle
 * connections cost one entry of the ring, and an event tells what Linux's own epoll would tell.
 *
 * sockets_init() once, before the jail. Every word is hostile: structures are copied in once, addresses are of the internet
 * families, options and control messages are those of sockets.def; the data goes straight from and to the sandbox's memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/abi/sockets.h"
#include "platform/internal.h"

#define EVENTS_MAX 64u
#ifndef UDP_CORK
#define UDP_CORK 1
#endif
#define UDP_SEGMENT 103
#define UDP_GRO 104

#define SEND_FLAGS (MSG_OOB | MSG_DONTROUTE | MSG_EOR | MSG_CONFIRM | MSG_MORE)
#define RECEIVE_FLAGS (MSG_OOB | MSG_PEEK | MSG_TRUNC | MSG_ERRQUEUE)

enum { GET = 1, SET = 2, BOTH = 3 };

static const struct socket_option {
	int level, option, may;
} socket_options[] = {
#define SOCKET_OPTION(level, option, may) {level, option, may},
#include "platform/sockets.def"
};

static const struct socket_control {
	int level, type;
} socket_controls[] = {
#define SOCKET_CONTROL(level, type) {level, type},
#include "platform/sockets.def"
};

static int event_set = -1;

static int64_t result(int64_t value)
{
	return value < 0 ? -errno : value;
}

int sockets_init(struct vmm *vmm)
{
	int index;

	if (!vmm->options->host_network)
		return 0;
	event_set = epoll_create1(EPOLL_CLOEXEC);
	if (event_set < 0)
		return -errno;
	index = fds_add_kind(vmm, event_set, ABI_FILE_STREAM);
	return index == VMM_EVENT_SET ? 0 : index < 0 ? index : -EINVAL;
}

static int socket_of(struct vmm *vmm, uint64_t index)
{
	if (index > UINT32_MAX || fds_kind(vmm, (uint32_t)index) != ABI_FILE_SOCKET)
		return -EBADF;
	return fds_get(vmm, (uint32_t)index);
}

/* A new socket becomes the sentry's; takes it. Its index or -errno. */
static int64_t add(struct vmm *vmm, int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET};
	int64_t index = fd < 0 ? -errno : fds_add_kind(vmm, fd, ABI_FILE_SOCKET);

	if (fd < 0)
		return index;
	if (index >= 0) {
		event.data.u32 = (uint32_t)index;
		if (epoll_ctl(event_set, EPOLL_CTL_ADD, fd, &event) == 0)
			return index;
		int64_t error = -errno;
		fds_close(vmm, (uint32_t)index);
		return error;
	}
	close(fd);
	return index;
}

static int64_t make(struct vmm *vmm, const uint64_t *arg)
{
	if (arg[0] != AF_INET && arg[0] != AF_INET6)
		return -EAFNOSUPPORT;
	if (arg[1] != SOCK_STREAM && arg[1] != SOCK_DGRAM && arg[1] != SOCK_RAW)
		return -ESOCKTNOSUPPORT;
	if (arg[2] > 255)
		return -EPROTONOSUPPORT;
	return add(vmm, socket((int)arg[0], (int)arg[1] | SOCK_NONBLOCK | SOCK_CLOEXEC, (int)arg[2]));
}

/* ---- addresses ---- */

static bool name_is_valid(const struct abi_socket_name *name)
{
	sa_family_t family;

	if (name->len < sizeof(family) || name->len > sizeof(name->bytes))
		return false;
	memcpy(&family, name->bytes, sizeof(family));
	return family == AF_INET || family == AF_INET6 || family == AF_UNSPEC;
}

static int64_t with_name(struct vmm *vmm, const uint64_t *arg, int (*call)(int fd, const struct sockaddr *name, socklen_t len))
{
	int fd = socket_of(vmm, arg[0]);
	const void *from = vmm_gpa(&vmm->memory, GPA(arg[1]), sizeof(struct abi_socket_name));
	struct abi_socket_name name;

	if (fd < 0)
		return fd;
	if (!from)
		return -EFAULT;
	memcpy(&name, from, sizeof(name));
	if (!name_is_valid(&name))
		return -EAFNOSUPPORT;
	return result(call(fd, (struct sockaddr *)name.bytes, name.len));
}

static int64_t ask_name(struct vmm *vmm, const uint64_t *arg)
{
	int fd = socket_of(vmm, arg[0]), rc;
	void *to = vmm_gpa(&vmm->memory, GPA(arg[2]), sizeof(struct abi_socket_name));
	struct abi_socket_name name = {0};
	socklen_t len = sizeof(name.bytes);

	if (fd < 0)
		return fd;
	if (!to)
		return -EFAULT;
	rc = arg[1] ? getpeername(fd, (struct sockaddr *)name.bytes, &len) : getsockname(fd, (struct sockaddr *)name.bytes, &len);
	if (rc < 0)
		return -errno;
	name.len = len;
	memcpy(to, &name, sizeof(name));
	return 0;
}

/* ---- messages ---- */

static bool control_is_allowed(const struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR((struct msghdr *)msg, c)) {
		bool known = false;

		for (size_t i = 0; i < sizeof(socket_controls) / sizeof(socket_controls[0]); i++)
			known |= socket_controls[i].level == c->cmsg_level && socket_controls[i].type == c->cmsg_type;
		if (!known)
			return false;
	}
	return true;
}

/* The message's parts: its copy in *message, its data in *iov. 0 or -errno. */
static int decode(struct vmm *vmm, uint64_t gpa, struct abi_socket_message *message, struct iovec *iov, void **at)
{
	*at = vmm_gpa(&vmm->memory, GPA(gpa), sizeof(*message));
	if (!*at)
		return -EFAULT;
	memcpy(message, *at, sizeof(*message));
	if (message->len > ABI_SOCKET_DATA || message->control_len > sizeof(message->control))
		return -EMSGSIZE;
	iov->iov_len = message->len;
	iov->iov_base = message->len ? vmm_gpa(&vmm->memory, GPA(message->data), message->len) : NULL;
	return message->len && !iov->iov_base ? -EFAULT : 0;
}

static int64_t send_message(struct vmm *vmm, const uint64_t *arg)
{
	_Alignas(8) struct abi_socket_message message;
	struct iovec iov;
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int fd = socket_of(vmm, arg[0]), rc;
	void *at;

	if (fd < 0)
		return fd;
	rc = decode(vmm, arg[1], &message, &iov, &at);
	if (rc)
		return rc;
	if (message.name.len) {
		if (!name_is_valid(&message.name))
			return -EAFNOSUPPORT;
		msg.msg_name = message.name.bytes;
		msg.msg_namelen = message.name.len;
	}
	if (message.control_len) {
		msg.msg_control = message.control;
		msg.msg_controllen = message.control_len;
		if (!control_is_allowed(&msg))
			return -EINVAL;
	}
	return result(sendmsg(fd, &msg, (int)(message.flags & SEND_FLAGS) | MSG_DONTWAIT | MSG_NOSIGNAL));
}

static int64_t receive_message(struct vmm *vmm, const uint64_t *arg)
{
	_Alignas(8) struct abi_socket_message message;
	struct iovec iov;
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int fd = socket_of(vmm, arg[0]), rc;
	void *at;
	ssize_t n;

	if (fd < 0)
		return fd;
	rc = decode(vmm, arg[1], &message, &iov, &at);
	if (rc)
		return rc;
	msg.msg_name = message.name.bytes;
	msg.msg_namelen = sizeof(message.name.bytes);
	msg.msg_control = message.control;
	msg.msg_controllen = message.control_len;
	n = recvmsg(fd, &msg, (int)(message.flags & RECEIVE_FLAGS) | MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	message.flags = (uint32_t)msg.msg_flags;
	message.name.len = msg.msg_namelen;
	message.control_len = (uint32_t)msg.msg_controllen;
	memcpy(at, &message, sizeof(message));
	return n;
}

/* ---- options and the rest ---- */

static bool option_is_allowed(const struct abi_socket_option *o)
{
	int linger[2];

	if (o->set && o->level == SOL_SOCKET && o->option == SO_LINGER) {
		memcpy(linger, o->value, sizeof(linger));
		if (o->len >= sizeof(linger) && linger[0] && linger[1])
			return false; /* closing would wait */
	}
	for (size_t i = 0; i < sizeof(socket_options) / sizeof(socket_options[0]); i++)
		if (socket_options[i].level == o->level && socket_options[i].option == o->option)
			return socket_options[i].may & (o->set ? SET : GET);
	return false;
}

static int64_t option(struct vmm *vmm, const uint64_t *arg)
{
	int fd = socket_of(vmm, arg[0]);
	void *at = vmm_gpa(&vmm->memory, GPA(arg[1]), sizeof(struct abi_socket_option));
	struct abi_socket_option o;
	socklen_t len;

	if (fd < 0)
		return fd;
	if (!at)
		return -EFAULT;
	memcpy(&o, at, sizeof(o));
	if (o.len > sizeof(o.value))
		return -EINVAL;
	if (!option_is_allowed(&o))
		return -ENOPROTOOPT;
	if (o.set)
		return result(setsockopt(fd, o.level, o.option, o.value, o.len));
	len = o.len;
	if (getsockopt(fd, o.level, o.option, o.value, &len) < 0)
		return -errno;
	o.len = len;
	memcpy(at, &o, sizeof(o));
	return 0;
}

static int64_t ready(struct vmm *vmm, const uint64_t *arg)
{
	int fd = socket_of(vmm, arg[0]);
	struct pollfd p = {fd, (short)(arg[1] & 0x7fff), 0};

	if (fd < 0)
		return fd;
	return poll(&p, 1, 0) < 0 ? -errno : p.revents;
}

static int64_t queued(struct vmm *vmm, const uint64_t *arg)
{
	int fd = socket_of(vmm, arg[0]), value = 0;

	if (fd < 0)
		return fd;
	return ioctl(fd, arg[1] ? SIOCOUTQ : SIOCINQ, &value) < 0 ? -errno : value;
}

static int64_t events(struct vmm *vmm, const uint64_t *arg)
{
	struct epoll_event list[EVENTS_MAX];
	unsigned room = arg[1] < EVENTS_MAX ? (unsigned)arg[1] : EVENTS_MAX;
	struct abi_socket_event *to = vmm_gpa(&vmm->memory, GPA(arg[0]), room * sizeof(*to));
	int n;

	if (!to || !room)
		return -EFAULT;
	n = epoll_wait(event_set, list, (int)room, 0);
	for (int i = 0; i < n; i++)
		to[i] = (struct abi_socket_event){list[i].data.u32, list[i].events};
	return result(n);
}

int64_t sockets_call(struct vmm *vmm, const struct abi_call *call)
{
	const uint64_t *arg = call->arg;
	int fd;

	if (event_set < 0)
		return -ENOSYS;
	switch (call->op) {
	case ABI_CALL_socket:
		return make(vmm, arg);
	case ABI_CALL_socket_bind:
		return with_name(vmm, arg, bind);
	case ABI_CALL_socket_connect:
		return with_name(vmm, arg, connect);
	case ABI_CALL_socket_listen:
		fd = socket_of(vmm, arg[0]);
		return fd < 0 ? fd : result(listen(fd, (int)arg[1]));
	case ABI_CALL_socket_accept:
		fd = socket_of(vmm, arg[0]);
		return fd < 0 ? fd : add(vmm, accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	case ABI_CALL_socket_shutdown:
		fd = socket_of(vmm, arg[0]);
		return fd < 0 ? fd : result(shutdown(fd, (int)arg[1]));
	case ABI_CALL_socket_name:
		return ask_name(vmm, arg);
	case ABI_CALL_socket_send:
		return send_message(vmm, arg);
	case ABI_CALL_socket_receive:
		return receive_message(vmm, arg);
	case ABI_CALL_socket_option:
		return option(vmm, arg);
	case ABI_CALL_socket_poll:
		return ready(vmm, arg);
	case ABI_CALL_socket_queued:
		return queued(vmm, arg);
	case ABI_CALL_socket_events:
		return events(vmm, arg);
	default:
		return -ENOSYS;
	}
}
