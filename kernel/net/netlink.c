/*
 * Netlink sockets: names, requests in, answers out. See kernel/net/netlink.h.
 *
 * A request is answered when it is sent: its answer waits in the socket's queue, which is bounded by what the tables
 * hold and by QUEUE_MAX.
 */
#include <asm/socket.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>

#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/net/netlink_internal.h"
#include "kernel/net/filter.h"
#include "kernel/net/options.h"
#include "kernel/task.h"
#include "ring0/lib.h"

#define MAX_REQUEST 32768u
#define QUEUE_MAX (4u * 1024 * 1024) /* a dump of 10,000 sockets */
#define ERROR_PAYLOAD_MAX 900u

static TAILQ_HEAD(, netlink_socket) all_sockets = TAILQ_HEAD_INITIALIZER(all_sockets);
static const struct socket_ops netlink_ops;

static struct netlink_socket *netlink_of(struct socket *base)
{
	return container_of(base, struct netlink_socket, base);
}

int netlink_create(int type, int protocol, struct socket **out)
{
	struct netlink_socket *sock;

	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol != NETLINK_ROUTE && protocol != NETLINK_KOBJECT_UEVENT && protocol != NETLINK_GENERIC && protocol != NETLINK_SOCK_DIAG)
		return -EPROTONOSUPPORT;
	sock = kzalloc(sizeof(*sock));
	if (!sock)
		return -ENOMEM;
	sock->base.ops = &netlink_ops;
	socket_init(&sock->base, type, protocol, &sock->wait, &sock->options);
	TAILQ_INIT(&sock->rx);
	sock->net = current->ns->net;
	ns_get(&sock->net->ns);
	TAILQ_INSERT_TAIL(&all_sockets, sock, all);
	*out = &sock->base;
	return 0;
}

static void netlink_close(struct socket *base)
{
	struct netlink_socket *sock = netlink_of(base);
	struct netlink_datagram *datagram;

	while ((datagram = TAILQ_FIRST(&sock->rx))) {
		TAILQ_REMOVE(&sock->rx, datagram, link);
		kfree(datagram);
	}
	TAILQ_REMOVE(&all_sockets, sock, all);
	socket_options_drop(&sock->options);
	ns_put(&sock->net->ns);
	kfree(sock);
}

void netlink_summaries(void (*fn)(void *arg, const struct netlink_summary *summary), void *arg)
{
	const struct netlink_socket *sock;

	TAILQ_FOREACH(sock, &all_sockets, all) {
		struct netlink_summary summary = {sock->base.ino, sock->base.type, sock->base.protocol, sock->port, sock->groups,
			(uint32_t)sock->queued, sock->options.receive_buffer, sock->options.send_buffer};

		fn(arg, &summary);
	}
}

/* ---- names ---- */

static bool port_taken(const struct netlink_socket *sock, uint32_t port)
{
	const struct netlink_socket *other;

	TAILQ_FOREACH(other, &all_sockets, all)
		if (other != sock && other->port == port && other->base.protocol == sock->base.protocol)
			return true;
	return false;
}

static void choose_port(struct netlink_socket *sock)
{
	uint32_t port = (uint32_t)current->process->pid;
	static uint32_t next = 0xffffefff;

	while (port_taken(sock, port))
		port = next--;
	sock->port = port;
}

static int netlink_bind(struct socket *base, struct socket_address *address)
{
	struct netlink_socket *sock = netlink_of(base);
	struct sockaddr_nl name;

	if (address->len < sizeof(name) || address->family != AF_NETLINK)
		return -EINVAL;
	memcpy(&name, address, sizeof(name));
	if (sock->port && name.nl_pid != sock->port)
		return -EINVAL;
	if (!sock->port && name.nl_pid && port_taken(sock, name.nl_pid))
		return -EADDRINUSE;
	if (name.nl_pid)
		sock->port = name.nl_pid;
	else if (!sock->port)
		choose_port(sock);
	sock->groups = name.nl_groups;
	return 0;
}

static int netlink_connect(struct socket *base, struct socket_address *address, uint64_t deadline)
{
	struct netlink_socket *sock = netlink_of(base);
	struct sockaddr_nl name;

	if (address->len >= 2 && address->family == AF_UNSPEC)
		return 0;
	if (address->len < sizeof(name) || address->family != AF_NETLINK)
		return -EINVAL;
	memcpy(&name, address, sizeof(name));
	if (name.nl_pid || name.nl_groups)
		return -EPERM;
	if (!sock->port)
		choose_port(sock);
	return 0;
}

static void fill_name(struct socket_address *address, uint32_t port, uint32_t groups)
{
	struct sockaddr_nl name = {.nl_family = AF_NETLINK, .nl_pid = port, .nl_groups = groups};

	memcpy(address, &name, sizeof(name));
	address->len = sizeof(name);
}

static int netlink_name(struct socket *base, bool peer, struct socket_address *address)
{
	struct netlink_socket *sock = netlink_of(base);

	fill_name(address, peer ? 0 : sock->port, peer ? 0 : sock->groups);
	return 0;
}

/* ---- answers ---- */

static void flush(struct netlink_reply *reply)
{
	struct netlink_datagram *datagram = reply->datagram;

	reply->datagram = NULL;
	if (!datagram)
		return;
	if (datagram->len) /* a filter may let nothing through */
		datagram->len = socket_filter_run_flat(&reply->sock->options, datagram->bytes, datagram->len, 0);
	if (!datagram->len) {
		kfree(datagram);
		return;
	}
	TAILQ_INSERT_TAIL(&reply->sock->rx, datagram, link);
	reply->sock->queued += sizeof(*datagram);
	waitq_wake(&reply->sock->wait, UINT32_MAX, EPOLLIN | EPOLLRDNORM);
}

int netlink_reserve(struct socket *sock, struct netlink_datagram **datagram)
{
	if (sock->ops != &netlink_ops)
		return -EINVAL;
	if (netlink_of(sock)->queued >= QUEUE_MAX)
		return -EAGAIN;
	*datagram = kmalloc(sizeof(**datagram));
	return *datagram ? 0 : -ENOMEM;
}

void netlink_deliver(struct socket *sock, struct netlink_datagram *datagram, const void *bytes, size_t n)
{
	struct netlink_reply reply = {.sock = netlink_of(sock), .datagram = datagram};

	memcpy(datagram->bytes, bytes, n);
	datagram->len = (uint32_t)n;
	datagram->groups = 0;
	flush(&reply);
}

static bool need_datagram(struct netlink_reply *reply)
{
	if (!reply->datagram && reply->sock->queued < QUEUE_MAX) {
		reply->datagram = kmalloc(sizeof(*reply->datagram));
		if (reply->datagram)
			reply->datagram->len = reply->datagram->groups = 0;
	}
	reply->failed |= !reply->datagram;
	return reply->datagram;
}

/* Every message is written at the end of the datagram; one that does not fit moves to the next. */
void *reply_begin(struct netlink_reply *reply, uint16_t type, size_t len)
{
	if (reply->datagram && reply->datagram->len + 1024 > REPLY_SIZE)
		flush(reply); /* no message is longer than that */
	reply->message = NULL;
	if (!need_datagram(reply))
		return NULL;
	reply->message = (void *)(reply->datagram->bytes + reply->datagram->len);
	memset(reply->message, 0, NLMSG_SPACE(len));
	reply->message->nlmsg_type = type;
	reply->message->nlmsg_flags = (uint16_t)((reply->multi ? NLM_F_MULTI : 0) | (reply->filtered ? NLM_F_DUMP_FILTERED : 0));
	reply->message->nlmsg_seq = reply->request->nlmsg_seq;
	reply->message->nlmsg_pid = reply->sock->port;
	reply->message->nlmsg_len = (uint32_t)NLMSG_LENGTH(len);
	return NLMSG_DATA(reply->message);
}

void reply_put(struct netlink_reply *reply, uint16_t type, const void *data, size_t len)
{
	struct nlmsghdr *m = reply->message;
	struct nlattr attribute = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type};
	size_t at;

	if (!m)
		return;
	at = NLMSG_ALIGN(m->nlmsg_len);
	if (reply->datagram->len + at + NLA_ALIGN(NLA_HDRLEN + len) > REPLY_SIZE) {
		reply->failed = true;
		return;
	}
	memset((char *)m + at, 0, NLA_ALIGN(NLA_HDRLEN + len));
	memcpy((char *)m + at, &attribute, sizeof(attribute));
	memcpy((char *)m + at + NLA_HDRLEN, data, len);
	m->nlmsg_len = (uint32_t)(at + NLA_ALIGN(NLA_HDRLEN + len));
}

void reply_put_u32(struct netlink_reply *reply, uint16_t type, uint32_t value)
{
	reply_put(reply, type, &value, sizeof(value));
}

void reply_put_u8(struct netlink_reply *reply, uint16_t type, uint8_t value)
{
	reply_put(reply, type, &value, sizeof(value));
}

void reply_put_string(struct netlink_reply *reply, uint16_t type, const char *text)
{
	reply_put(reply, type, text, strlen(text) + 1);
}

void reply_end(struct netlink_reply *reply)
{
	if (reply->message)
		reply->datagram->len += NLMSG_ALIGN(reply->message->nlmsg_len);
	reply->message = NULL;
}

const void *netlink_find_attribute(const struct nlmsghdr *request, size_t len, size_t fixed, unsigned type, size_t *size)
{
	size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(fixed);

	while (at < len && len - at >= sizeof(struct nlattr)) {
		struct nlattr attribute;

		memcpy(&attribute, (const char *)request + at, sizeof(attribute));
		if (attribute.nla_len < sizeof(attribute) || attribute.nla_len > len - at)
			return NULL;
		if ((attribute.nla_type & NLA_TYPE_MASK) == type) {
			*size = attribute.nla_len - NLA_HDRLEN;
			return (const char *)request + at + NLA_HDRLEN;
		}
		at += NLA_ALIGN(attribute.nla_len);
	}
	return NULL;
}

static const char *reason; /* why the request at hand is refused; NULL: not said */

void netlink_explain(const char *why)
{
	reason = why;
}

/* An error comes with its whole request, unless that is long or nobody wants it. */
static void put_error(struct netlink_reply *reply, const struct nlmsghdr *request, int error)
{
	size_t more = error && !reply->sock->cap_ack ? request->nlmsg_len - sizeof(*request) : 0;
	bool capped = more > ERROR_PAYLOAD_MAX || reply->sock->cap_ack;
	struct nlmsgerr *body;

	if (more > ERROR_PAYLOAD_MAX)
		more = 0;
	body = reply_begin(reply, NLMSG_ERROR, sizeof(*body) + more);
	if (body) {
		body->error = error;
		memcpy(&body->msg, request, sizeof(*request) + more);
		reply->message->nlmsg_flags = capped ? NLM_F_CAPPED : 0;
		if (error && reason && reply->sock->ext_ack) {
			reply->message->nlmsg_flags |= NLM_F_ACK_TLVS;
			reply_put_string(reply, NLMSGERR_ATTR_MSG, reason);
		}
	}
	reply_end(reply);
}

void netlink_tell(int protocol, unsigned group, void (*fill)(struct netlink_reply *reply, const void *arg), const void *arg)
{
	static const struct nlmsghdr nobody; /* whose request it would be */
	const struct net_ns *net = current && current->ns ? current->ns->net : &first_net_ns; /* where it has happened */
	struct netlink_socket *sock;

	TAILQ_FOREACH(sock, &all_sockets, all) {
		struct netlink_reply reply = {.sock = sock, .request = &nobody};

		if (sock->net != net || sock->base.protocol != protocol || !(sock->groups & 1u << (group - 1)))
			continue;
		if (sock->queued >= sock->options.receive_buffer) {
			reply.failed = true;
		} else {
			fill(&reply, arg);
			if (reply.datagram)
				reply.datagram->groups = 1u << (group - 1);
			flush(&reply);
		}
		if (reply.failed) {
			sock->error = ENOBUFS;
			waitq_wake_all(&sock->wait);
		}
	}
}

static int (*request_of(int protocol))(struct netlink_reply *, const struct nlmsghdr *, size_t)
{
	return protocol == NETLINK_GENERIC ? netlink_generic_request :
	       protocol == NETLINK_SOCK_DIAG ? netlink_diag_request : netlink_route_request;
}

/* len 0: only an acknowledgement is wanted. */
static void answer(struct netlink_socket *sock, const struct nlmsghdr *request, size_t len)
{
	struct netlink_reply reply = {.sock = sock, .request = request};
	bool dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	int rc;

	reply.multi = dump;
	reason = NULL;
	rc = len ? request_of(sock->base.protocol)(&reply, request, len) : 0;
	if (!rc && dump) {
		int *done = reply_begin(&reply, NLMSG_DONE, sizeof(int));

		if (done)
			*done = 0;
		reply_end(&reply);
	} else if (rc || request->nlmsg_flags & NLM_F_ACK) {
		flush(&reply); /* as on Linux the acknowledgement is a datagram of its own */
		reply.multi = reply.filtered = false;
		put_error(&reply, request, rc);
	}
	flush(&reply);
	if (reply.failed) {
		sock->error = ENOBUFS;
		waitq_wake_all(&sock->wait);
	}
}

/* ---- data ---- */

static void take_requests(struct netlink_socket *sock, const char *bytes, size_t len)
{
	while (len >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *request = (const void *)bytes;
		size_t step;

		if (request->nlmsg_len < sizeof(*request) || request->nlmsg_len > len)
			return;
		if (request->nlmsg_flags & NLM_F_REQUEST && request->nlmsg_type >= NLMSG_MIN_TYPE)
			answer(sock, request, request->nlmsg_len);
		else if (request->nlmsg_flags & NLM_F_ACK)
			answer(sock, request, 0);
		step = MIN((size_t)NLMSG_ALIGN(request->nlmsg_len), len);
		bytes += step;
		len -= step;
	}
}

static int64_t netlink_send(struct socket *base, struct socket_send *send)
{
	struct netlink_socket *sock = netlink_of(base);
	struct sockaddr_nl name;
	char *bytes;
	int rc;

	if (send->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (send->address && send->address->len) {
		if (send->address->len < sizeof(name) || send->address->family != AF_NETLINK)
			return -EINVAL;
		memcpy(&name, send->address, sizeof(name));
		if (name.nl_pid || name.nl_groups)
			return name.nl_groups ? -EPERM : -ECONNREFUSED; /* to another program */
	}
	if (base->protocol == NETLINK_KOBJECT_UEVENT)
		return -ECONNREFUSED;
	if (send->len > MAX_REQUEST || send->len > sock->options.send_buffer - 32)
		return -EMSGSIZE;
	bytes = kmalloc(send->len + 1);
	if (!bytes)
		return -ENOBUFS;
	rc = send->copy->copy(send->copy, bytes, send->len);
	if (!rc) {
		if (!sock->port)
			choose_port(sock);
		take_requests(sock, bytes, send->len);
	}
	kfree(bytes);
	return rc ? rc : (int64_t)send->len;
}

/* Who sent it: the kernel. And when and to which group (the bit of its number), if that is asked for. */
static void report(const struct netlink_socket *sock, struct socket_receive *receive, uint32_t groups)
{
	static const struct socket_cred kernel = {0, 0, 0};
	uint32_t group = (uint32_t)__builtin_ffs((int)groups);

	socket_report(&sock->options, receive, 0, 0);
	if (sock->options.pass_cred && receive->control)
		receive->control(receive, SOL_SOCKET, SCM_CREDENTIALS, &kernel, sizeof(kernel));
	if (sock->packet_info && receive->control)
		receive->control(receive, SOL_NETLINK, NETLINK_PKTINFO, &group, sizeof(group));
}

static int64_t netlink_receive(struct socket *base, struct socket_receive *receive)
{
	struct netlink_socket *sock = netlink_of(base);
	struct netlink_datagram *datagram;
	uint32_t groups;
	size_t full, len;
	int rc = 0;

	if (receive->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (TAILQ_EMPTY(&sock->rx) && !sock->error)
		rc = receive->deadline ?
			wait_event(&sock->wait, !TAILQ_EMPTY(&sock->rx) || sock->error, receive->deadline, true) : -EAGAIN;
	if (rc)
		return rc == -ETIMEDOUT ? -EAGAIN : rc;
	datagram = TAILQ_FIRST(&sock->rx);
	if (!datagram) {
		rc = -sock->error;
		sock->error = 0;
		return rc;
	}
	/* Off the queue while the copy may sleep; a peek puts it back. */
	TAILQ_REMOVE(&sock->rx, datagram, link);
	full = datagram->len;
	groups = datagram->groups;
	len = MIN(full, receive->len);
	rc = len ? receive->copy->copy(receive->copy, datagram->bytes, len) : 0;
	if (receive->flags & MSG_PEEK) {
		TAILQ_INSERT_HEAD(&sock->rx, datagram, link);
	} else {
		sock->queued -= sizeof(*datagram);
		kfree(datagram);
	}
	receive->out_flags = full > len ? MSG_TRUNC : 0;
	if (receive->address)
		fill_name(receive->address, 0, groups);
	if (!rc)
		report(sock, receive, groups);
	return rc ? rc : (int64_t)(receive->flags & MSG_TRUNC ? full : len);
}

static uint32_t netlink_events(struct socket *base)
{
	struct netlink_socket *sock = netlink_of(base);

	return EPOLLOUT | EPOLLWRNORM | (TAILQ_EMPTY(&sock->rx) ? 0 : EPOLLIN | EPOLLRDNORM) | (sock->error ? EPOLLERR : 0);
}

/* ---- options ---- */

static int netlink_set_option(struct socket *base, int level, int option, const void *value, unsigned len)
{
	struct netlink_socket *sock = netlink_of(base);
	uint32_t number = 0; /* what is too short is 0 */

	if (len >= sizeof(number))
		memcpy(&number, value, sizeof(number));
	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	switch (option) {
	case NETLINK_CAP_ACK:
		sock->cap_ack = number;
		return 0;
	case NETLINK_EXT_ACK:
		sock->ext_ack = number;
		return 0;
	case NETLINK_GET_STRICT_CHK:
		sock->strict = number;
		return 0;
	case NETLINK_PKTINFO:
		sock->packet_info = number;
		return 0;
	case NETLINK_ADD_MEMBERSHIP:
	case NETLINK_DROP_MEMBERSHIP:
		if (!number || number > 32)
			return -EINVAL;
		if (option == NETLINK_ADD_MEMBERSHIP)
			sock->groups |= 1u << (number - 1);
		else
			sock->groups &= ~(1u << (number - 1));
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int netlink_get_option(struct socket *base, int level, int option, void *value, unsigned *len)
{
	struct netlink_socket *sock = netlink_of(base);
	bool own = level == SOL_NETLINK;
	int number;

	if (own && option == NETLINK_LIST_MEMBERSHIPS) {
		memcpy(value, &sock->groups, sizeof(sock->groups));
		*len = sock->groups ? sizeof(sock->groups) : 0;
		return 0;
	}
	if (own && *len < sizeof(number))
		return -EINVAL;
	if (level == SOL_SOCKET && option == SO_ERROR) {
		number = sock->error;
		sock->error = 0;
	} else if (level == SOL_SOCKET && option == SO_ACCEPTCONN) {
		number = 0;
	} else if (own && option == NETLINK_CAP_ACK) {
		number = sock->cap_ack;
	} else if (own && option == NETLINK_EXT_ACK) {
		number = sock->ext_ack;
	} else if (own && option == NETLINK_GET_STRICT_CHK) {
		number = sock->strict;
	} else if (own && option == NETLINK_PKTINFO) {
		number = sock->packet_info;
	} else {
		return -ENOPROTOOPT;
	}
	memcpy(value, &number, sizeof(number));
	*len = sizeof(number);
	return 0;
}

static struct net_ns *netlink_net(struct socket *base)
{
	return netlink_of(base)->net;
}

static const struct socket_ops netlink_ops = {
	.family = AF_NETLINK,
	.bind = netlink_bind,
	.connect = netlink_connect,
	.name = netlink_name,
	.send = netlink_send,
	.receive = netlink_receive,
	.events = netlink_events,
	.set_option = netlink_set_option,
	.get_option = netlink_get_option,
	.net = netlink_net,
	.close = netlink_close,
};
