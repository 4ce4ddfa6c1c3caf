/*
 * Internet sockets: creation, the list of all, what TCP and datagrams have in common.
 */
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/in.h>
#include <linux/in6.h>

#include "kernel/net/lwip/datagram.h"
#include "kernel/net/lwip/device.h"
#include "kernel/net/lwip/internal.h"
#include "kernel/net/lwip/multicast.h"
#include "kernel/user_ns.h"

struct inet_list inet_sockets = TAILQ_HEAD_INITIALIZER(inet_sockets);
unsigned inet_raw_sockets;

void inet_init(void)
{
	stack_init();
}

int inet_configure(const void *network, uint32_t len, const uint32_t *fds, uint32_t fd_count)
{
	static bool configured;
	int rc;

	if (configured)
		return -EEXIST;
	stack_enter(&first_net_ns);
	rc = device_configure(network, len, fds, fd_count);
	stack_leave();
	configured = rc != -EINVAL;
	return rc;
}

void inet_use_resolver(uint32_t fd)
{
	resolver_use(fd);
}

static bool is_raw(const struct inet_socket *sock)
{
	return sock->base.type == SOCK_RAW || (sock->base.type == SOCK_DGRAM && sock->base.protocol != IPPROTO_UDP);
}

_Static_assert(sizeof(struct inet_socket) <= 576, "one more byte, and the heap takes 768 for each of 10,000 connections");

struct inet_socket *inet_alloc(int family, int type, int protocol)
{
	struct inet_socket *sock = kzalloc(sizeof(*sock));

	if (!sock)
		return NULL;
	sock->family = family;
	socket_init(&sock->base, type, protocol, &sock->wait, &sock->options);
	mutex_init(&sock->read_lock);
	TAILQ_INIT(&sock->pending);
	TAILQ_INIT(&sock->packets);
	TAILQ_INIT(&sock->errors);
	sock->uid = current && current->cred ? current->cred->euid : 0;
	sock->ttl = IP_DEFAULT_TTL;
	sock->multicast_ttl = 1;
	sock->multicast_loop = sock->multicast_loop6 = sock->multicast_all6 = true;
	sock->multicast_all = family == AF_INET;
	sock->discover = sock->discover6 = IP_PMTUDISC_WANT;
	sock->keep_idle = (uint32_t)sysctl_net()->keepalive_time;
	sock->keep_interval = (uint32_t)sysctl_net()->keepalive_interval;
	sock->keep_count = (uint32_t)sysctl_net()->keepalive_probes;
	if (family == AF_INET6)
		ip_addr_copy(sock->local, *IP_ANY_TYPE);
	sock->net = stack_net;
	ns_get(&sock->net->ns);
	TAILQ_INSERT_TAIL(&inet_sockets, sock, all);
	inet_raw_sockets += is_raw(sock);
	return sock;
}

void inet_free(struct inet_socket *sock)
{
	multicast_leave_all(sock);
	error_drop_all(sock);
	TAILQ_REMOVE(&inet_sockets, sock, all);
	inet_raw_sockets -= is_raw(sock);
	socket_options_drop(&sock->options);
	kfree(sock->gathering);
	kfree(sock->icmp_filter);
	ns_put(&sock->net->ns);
	kfree(sock);
}

static const struct socket_ops *choose(int family, int type, int *protocol, int *error)
{
	bool v6 = family == AF_INET6;

	*error = -EPROTONOSUPPORT;
	switch (type) {
	case SOCK_STREAM:
		if (*protocol && *protocol != IPPROTO_TCP)
			return NULL;
		*protocol = IPPROTO_TCP;
		return v6 ? &tcp6_ops : &tcp4_ops;
	case SOCK_DGRAM:
		if (*protocol && *protocol != IPPROTO_UDP && *protocol != (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
			return NULL;
		if (!*protocol)
			*protocol = IPPROTO_UDP;
		if (*protocol != IPPROTO_UDP) {
			*error = -EACCES;
			if (!sysctl_may_ping())
				return NULL;
		}
		return v6 ? &datagram6_ops : &datagram4_ops;
	case SOCK_RAW:
		if (!*protocol)
			return NULL;
		*error = -EPERM;
		if (!net_capable(CAP_NET_RAW))
			return NULL;
		return v6 ? &datagram6_ops : &datagram4_ops;
	default:
		*error = -ESOCKTNOSUPPORT;
		return NULL;
	}
}

int inet_create(int family, int type, int protocol, struct socket **out)
{
	const struct socket_ops *ops;
	struct inet_socket *sock;
	int error;

	if (protocol < 0 || protocol > 255)
		return -EINVAL;
	ops = choose(family, type, &protocol, &error);
	if (!ops)
		return error;
	stack_select(stack_user_net());
	sock = inet_alloc(family, type, protocol);
	if (!sock)
		return -ENOMEM;
	sock->base.ops = ops;
	sock->options.reuse_address = type == SOCK_RAW; /* as Linux tells */
	if (type == SOCK_RAW && protocol == IPPROTO_RAW)
		sock->header_included = true;
	sock->checksum_place = family == AF_INET6 && type == SOCK_RAW && protocol == IPPROTO_ICMPV6 ? 2 : 0; /* its byte 2 */
	*out = &sock->base;
	return 0;
}

int inet_take_error(struct inet_socket *sock)
{
	int error = sock->error;

	sock->error = 0;
	return -error;
}

void inet_wake(struct inet_socket *sock, uint32_t events)
{
	if (!waitq_empty(&sock->wait))
		waitq_wake(&sock->wait, UINT32_MAX, events);
}

static void copy_ip(uint8_t *to, int family, const ip_addr_t *ip)
{
	struct socket_address address;

	if (ip_addr_isany(ip))
		return; /* of no family: zeros */
	address_encode(family, ip, 0, &address);
	memcpy(to, (const char *)&address + (family == AF_INET ? 4 : 8), family == AF_INET ? 4 : 16);
}

static void tell_socket(struct inet_socket *sock, void (*fn)(void *arg, const struct inet_summary *summary), void *arg)
{
	bool stream = sock->base.type == SOCK_STREAM, listening = sock->state == INET_LISTENING;
	struct inet_summary summary = {
		.sock = &sock->base,
		.ino = sock->base.ino,
		.family = sock->family,
		.type = sock->base.type,
		.protocol = sock->base.protocol,
		.state = stream ? tcp_linux_state(sock) : sock->connected ? 1 : 7,
		.local_port = sock->local_port,
		.remote_port = sock->remote_port,
		.receive_queue = (uint32_t)(listening ? sock->pending_count : stream ? sock->rx_bytes : sock->packet_bytes),
		.send_queue = listening ? sock->backlog : sock->tcp ? (uint32_t)(sock->tcp->written - sock->tcp->acked) : 0,
		.uid = sock->uid,
		.shutdown = (uint8_t)sock->shutdown,
		.tos = sock->tos,
		.v6only = sock->v6only,
	};

	copy_ip(summary.local, sock->family, &sock->local);
	copy_ip(summary.remote, sock->family, &sock->remote);
	fn(arg, &summary);
}

/* Connections that go on without their socket: closing, or in TIME_WAIT. */
static void tell_left(struct tcp_pcb *pcb, void (*fn)(void *arg, const struct inet_summary *summary), void *arg)
{
	const struct tcp_link *link;

	for (; pcb; pcb = pcb->next) {
		struct inet_summary summary = {
			.family = IP_IS_V6(&pcb->remote_ip) ? AF_INET6 : AF_INET,
			.type = SOCK_STREAM,
			.protocol = IPPROTO_TCP,
			.state = tcp_linux_state_of(pcb),
			.local_port = pcb->local_port,
			.remote_port = pcb->remote_port,
			.shutdown = INET_SHUT_RECEIVE | INET_SHUT_SEND,
			.tos = pcb->tos,
		};

		link = tcp_link_of(pcb);
		if (link && link->sock && pcb->state != TIME_WAIT)
			continue;
		copy_ip(summary.local, summary.family, &pcb->local_ip);
		copy_ip(summary.remote, summary.family, &pcb->remote_ip);
		fn(arg, &summary);
	}
}

void inet_for_each(void (*fn)(void *arg, const struct inet_summary *summary), void *arg)
{
	struct inet_socket *sock;

	stack_select(stack_user_net());
	INET_FOREACH(sock)
		tell_socket(sock, fn, arg);
	tell_left(tcp_active_pcbs, fn, arg);
	tell_left(tcp_tw_pcbs, fn, arg);
}
