/*
 * Datagram sockets: UDP (udp(7)), ping sockets (icmp(7)) and raw sockets (raw(7)). lwIP gives us IP packets where its
 * own udp.c and raw.c would have been called (datagram_in.c), and takes finished payloads (datagram_out.c).
 *
 * A ping socket's local port is its ICMP identifier.
 */
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/in.h>
#include <linux/in6.h>

#include "kernel/net/lwip/counters.h"
#include "kernel/net/lwip/datagram.h"
#include "kernel/random.h"
#include "kernel/user_ns.h"
#include "ring0/clock.h"

/* ---- names ---- */

bool datagram_has_ports(const struct inet_socket *sock)
{
	return sock->base.type == SOCK_DGRAM;
}

static int choose_port(struct inet_socket *sock, const ip_addr_t *ip)
{
	const uint32_t span = TCP_LOCAL_PORT_RANGE_END - TCP_LOCAL_PORT_RANGE_START + 1;
	uint32_t at = (uint32_t)random_u64() % span;

	for (uint32_t tries = 0; tries < span; tries++) {
		uint16_t port = (uint16_t)(TCP_LOCAL_PORT_RANGE_START + (at + tries) % span);

		if (inet_port_in_use(sock, ip, port))
			continue;
		sock->local_port = port;
		sock->bound = true;
		return 0;
	}
	return -EAGAIN;
}

int datagram_autobind(struct inet_socket *sock)
{
	return sock->bound || !datagram_has_ports(sock) ? 0 : choose_port(sock, &sock->local);
}

static int datagram_bind(struct socket *base, struct socket_address *address)
{
	struct inet_socket *sock = inet_of(base);
	ip_addr_t ip;
	uint16_t port;
	int rc = address_check_own(sock, address);

	if (!rc)
		rc = address_decode(sock, address, &ip, &port);
	if (rc)
		return rc;
	if (sock->bound && datagram_has_ports(sock))
		return -EINVAL;
	if (sock->family == AF_INET6 && IP_IS_V4(&ip) && sock->v6only)
		return -EINVAL;
	if (!sock->free_bind && !route_can_bind(&ip) && !route_is_broadcast(&ip))
		return -EADDRNOTAVAIL;
	if (port && port < sysctl_net()->unprivileged_port_start && sock->base.protocol == IPPROTO_UDP && !net_capable(CAP_NET_BIND_SERVICE))
		return -EACCES;
	if (port && datagram_has_ports(sock) && inet_port_in_use(sock, &ip, port))
		return -EADDRINUSE;
	if (ip_addr_isany(&ip) && IP_IS_V6(&ip) && !sock->v6only)
		ip_addr_copy(ip, *IP_ANY_TYPE);
	ip_addr_copy(sock->local, ip);
	sock->address_bound = !ip_addr_isany(&ip);
	sock->many_bound = ip_addr_ismulticast(&ip) || route_is_broadcast(&ip);
	sock->local_port = port;
	sock->bound = true;
	if (port || !datagram_has_ports(sock))
		return 0;
	sock->bound = false;
	return choose_port(sock, &ip);
}

static void disconnect(struct inet_socket *sock)
{
	sock->connected = false;
	sock->remote_port = 0;
	if (!sock->address_bound)
		ip_addr_copy(sock->local, *(sock->family == AF_INET ? IP4_ADDR_ANY : sock->v6only ? IP6_ADDR_ANY : IP_ANY_TYPE));
}

int datagram_check_version(const struct inet_socket *sock, const ip_addr_t *to)
{
	if (sock->family == AF_INET6 && IP_IS_V4(to) && (sock->v6only || (sock->address_bound && IP_IS_V6(&sock->local))))
		return -ENETUNREACH;
	if (IP_IS_V6(to) && sock->address_bound && IP_IS_V4(&sock->local))
		return -ENETUNREACH;
	return 0;
}

struct netif *datagram_route(const struct inet_socket *sock, const ip_addr_t *to, ip_addr_t *from, int index, bool direct)
{
	bool v6 = IP_IS_V6(to);

	if (!index && !sock->options.bound_if && !ip_addr_ismulticast(to) && !route_is_local(to))
		index = v6 ? sock->unicast_if6 : sock->unicast_if;
	if (!index && !sock->options.bound_if && ip_addr_ismulticast(to)) {
		index = v6 ? sock->multicast_if6 : sock->multicast_if;
		if (!v6 && ip_addr_isany(from) && sock->multicast_from)
			ip_addr_set_ip4_u32_val(*from, sock->multicast_from);
		if (!v6 && !index && !ip_addr_isany(from))
			index = route_index_of(ip4_addr_get_u32(ip_2_ip4(from)));
	}
	return index ? route_find_by(index, to, from) : route_find_for(sock, to, from, direct);
}

static int datagram_connect(struct socket *base, struct socket_address *address, uint64_t deadline)
{
	struct inet_socket *sock = inet_of(base);
	ip_addr_t to, from;
	uint16_t port;
	int rc;

	if (address->len >= 2 && address->family == AF_UNSPEC) {
		disconnect(sock);
		return 0;
	}
	rc = sock->family == AF_INET6 && address->len >= 2 && address->family == AF_INET ? 0 : address_check_own(sock, address);
	if (!rc)
		rc = address_decode(sock, address, &to, &port);
	if (!rc)
		rc = datagram_check_version(sock, &to);
	if (rc)
		return rc;
	ip_addr_copy(from, sock->local);
	if (!sock->address_bound || sock->many_bound)
		ip_addr_copy(from, *(IP_IS_V6(&to) ? IP6_ADDR_ANY : IP4_ADDR_ANY));
	if (!datagram_route(sock, &to, &from, 0, false))
		return -ENETUNREACH;
	if (route_is_broadcast(&to) && !sock->options.broadcast)
		return -EACCES;
	if (ip_addr_isany(&to))
		ip_addr_copy(to, from);
	rc = datagram_autobind(sock);
	if (rc)
		return rc;
	ip_addr_copy(sock->remote, to);
	if (!sock->many_bound)
		ip_addr_copy(sock->local, from);
	sock->remote_port = port;
	sock->connected = true;
	sock->error = 0;
	return 0;
}

static int datagram_name(struct socket *base, bool peer, struct socket_address *address)
{
	struct inet_socket *sock = inet_of(base);

	if (peer && !sock->connected)
		return -ENOTCONN;
	address_encode(sock->family, peer ? &sock->remote : &sock->local, peer ? sock->remote_port : sock->local_port, address);
	return 0;
}

/* ---- receiving ---- */

static bool can_receive(const struct inet_socket *sock)
{
	return !TAILQ_EMPTY(&sock->packets) || sock->error || sock->shutdown & INET_SHUT_RECEIVE;
}

void datagram_free_packet(struct inet_packet *packet)
{
	pbuf_free(packet->p);
	kfree(packet->options);
	kfree(packet);
}

int datagram_copy_payload(const struct inet_packet *packet, struct socket_receive *receive, size_t len)
{
	int rc = 0;

	for (struct pbuf *p = packet->p; p && len && !rc; p = p->next) {
		size_t part = MIN(len, (size_t)p->len);

		if (part)
			rc = receive->copy->copy(receive->copy, p->payload, part);
		len -= part;
	}
	return rc;
}

/* The first packet, off the queue unless peeking; NULL with *rc (0: the end). May sleep. */
static struct inet_packet *first_packet(struct inet_socket *sock, struct socket_receive *receive, int *rc)
{
	struct inet_packet *packet = TAILQ_FIRST(&sock->packets);

	*rc = 0;
	if (!packet && !sock->error && !(sock->shutdown & INET_SHUT_RECEIVE)) {
		*rc = receive->deadline ? wait_event(&sock->wait, can_receive(sock), receive->deadline, true) : -EAGAIN;
		if (*rc == -ETIMEDOUT)
			*rc = -EAGAIN;
		packet = TAILQ_FIRST(&sock->packets);
	}
	if (sock->error)
		*rc = inet_take_error(sock);
	return *rc ? NULL : packet;
}

static int64_t datagram_receive(struct socket *base, struct socket_receive *receive)
{
	struct inet_socket *sock = inet_of(base);
	struct inet_packet *packet;
	size_t len, full;
	int rc;

	if (receive->flags & MSG_OOB && (base->type == SOCK_RAW || base->protocol != IPPROTO_UDP)) /* UDP does not look at it */
		return -EOPNOTSUPP;
	if (receive->flags & MSG_ERRQUEUE)
		return error_receive(sock, receive);
	mutex_lock(&sock->read_lock);
	packet = TAILQ_FIRST(&sock->packets);
	if (!packet || sock->error) {
		mutex_unlock(&sock->read_lock); /* not across a wait */
		do {
			packet = first_packet(sock, receive, &rc);
			if (!packet)
				return rc;
			mutex_lock(&sock->read_lock);
			packet = TAILQ_FIRST(&sock->packets);
			if (!packet)
				mutex_unlock(&sock->read_lock);
		} while (!packet);
	}
	full = packet->p->tot_len;
	if (!(receive->flags & MSG_PEEK)) {
		TAILQ_REMOVE(&sock->packets, packet, link);
		sock->packet_bytes -= datagram_charge(packet);
	}
	len = MIN(full, receive->len);
	rc = datagram_copy_payload(packet, receive, len);
	if (!rc) {
		receive->out_flags = full > len ? MSG_TRUNC : 0;
		if (receive->address)
			address_encode(sock->family, &packet->from, packet->port, receive->address);
		socket_note_stamp(&sock->options, &sock->rx_time, packet->time);
		control_report(sock, packet, receive);
		if (!(receive->flags & MSG_PEEK) && base->protocol == IPPROTO_UDP)
			counters_udp(IP_IS_V6(&packet->to) ? AF_INET6 : AF_INET)->in++;
	}
	if (!(receive->flags & MSG_PEEK))
		datagram_free_packet(packet);
	mutex_unlock(&sock->read_lock);
	return rc ? rc : (int64_t)(receive->flags & MSG_TRUNC ? full : len);
}

static uint32_t datagram_events(struct socket *base)
{
	struct inet_socket *sock = inet_of(base);
	uint32_t events = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;

	if (!TAILQ_EMPTY(&sock->packets))
		events |= EPOLLIN | EPOLLRDNORM;
	if (sock->error || !TAILQ_EMPTY(&sock->errors))
		events |= EPOLLERR | (sock->options.select_errors ? EPOLLPRI : 0);
	if (sock->shutdown & INET_SHUT_RECEIVE)
		events |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (sock->shutdown == (INET_SHUT_RECEIVE | INET_SHUT_SEND))
		events |= EPOLLHUP;
	return events;
}

static int datagram_shutdown(struct socket *base, int how)
{
	struct inet_socket *sock = inet_of(base);

	sock->shutdown |= (how != SHUT_WR ? INET_SHUT_RECEIVE : 0) | (how != SHUT_RD ? INET_SHUT_SEND : 0);
	inet_wake(sock, ~0u);
	return sock->connected ? 0 : -ENOTCONN;
}

static void datagram_close(struct socket *base)
{
	struct inet_socket *sock = inet_of(base);
	struct inet_packet *packet;

	if (sock->corked)
		pbuf_free(sock->corked);
	while ((packet = TAILQ_FIRST(&sock->packets))) {
		TAILQ_REMOVE(&sock->packets, packet, link);
		datagram_free_packet(packet);
	}
	inet_free(sock);
}

#define DATAGRAM_OPS(af)                       \
	{                                      \
		.family = (af),                \
		.bind = datagram_bind,         \
		.connect = datagram_connect,   \
		.shutdown = datagram_shutdown, \
		.name = datagram_name,         \
		.send = datagram_send,         \
		.receive = datagram_receive,   \
		.events = datagram_events,     \
		.set_option = inet_set_option, \
		.get_option = inet_get_option, \
		.changed = inet_options_changed,\
		.ioctl = inet_ioctl,           \
		.net = inet_net,               \
		.close = datagram_close,       \
	}

const struct socket_ops datagram4_ops = DATAGRAM_OPS(AF_INET);
const struct socket_ops datagram6_ops = DATAGRAM_OPS(AF_INET6);
