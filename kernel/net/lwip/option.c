/*
 * Options of internet sockets (ip(7), ipv6(7), udp(7), raw(7)); tcp(7)'s that are more than a number are option_tcp.c's.
 * What has no effect here answers ENOPROTOOPT.
 */
#include <asm/ioctls.h>
#include <asm/socket.h>
#include <linux/capability.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ioctl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "kernel/net/lwip/multicast.h"
#include "ring0/usercopy.h"

#define SOL_RAW 255
#define RECEIVE_LOW_MAX (TCP_WINDOW_FIRST / 2)
#define ICMP_FILTER 1

/* ---- options that are a flag or a number ---- */

enum kind { FLAG, BYTE, NUMBER, ANY /* number */ };

struct simple {
	int level, option;
	uint8_t kind, minimum;
	bool stream, datagram; /* which sockets have it */
	uint32_t maximum;
	size_t offset;
};

#define FIELD(f) offsetof(struct inet_socket, f)

static const struct simple simple[] = {
	{IPPROTO_TCP, TCP_NODELAY, FLAG, 0, true, false, 0, FIELD(nodelay)},
	{IPPROTO_TCP, TCP_CORK, FLAG, 0, true, false, 0, FIELD(cork)},
	{IPPROTO_TCP, TCP_KEEPIDLE, NUMBER, 1, true, false, 32767, FIELD(keep_idle)},
	{IPPROTO_TCP, TCP_KEEPINTVL, NUMBER, 1, true, false, 32767, FIELD(keep_interval)},
	{IPPROTO_TCP, TCP_KEEPCNT, NUMBER, 1, true, false, 127, FIELD(keep_count)},
	{IPPROTO_TCP, TCP_USER_TIMEOUT, NUMBER, 0, true, false, INT32_MAX, FIELD(user_timeout)},
	{IPPROTO_TCP, TCP_NOTSENT_LOWAT, ANY, 0, true, false, 0, FIELD(unsent_low)},
	{IPPROTO_TCP, TCP_INQ, FLAG, 0, true, false, 1, FIELD(report_queue)},
	{IPPROTO_UDP, UDP_CORK, FLAG, 0, false, true, 0, FIELD(cork)},
	{IPPROTO_UDP, UDP_NO_CHECK6_TX, FLAG, 0, false, true, 0, FIELD(no_check6)},
	{IPPROTO_UDP, UDP_NO_CHECK6_RX, FLAG, 0, false, true, 0, FIELD(no_check6_receive)},
	{IPPROTO_UDP, UDP_SEGMENT, NUMBER, 0, false, true, UINT16_MAX, FIELD(segment_size)},
	{IPPROTO_UDP, UDP_GRO, FLAG, 0, false, true, 0, FIELD(whole)},
	{IPPROTO_IP, IP_TOS, BYTE, 0, true, true, 255, FIELD(tos)},
	{IPPROTO_IP, IP_TTL, BYTE, 1, true, true, 255, FIELD(ttl)},
	{IPPROTO_IP, IP_MULTICAST_TTL, BYTE, 0, false, true, 255, FIELD(multicast_ttl)},
	{IPPROTO_IP, IP_PASSSEC, FLAG, 0, true, true, 0, FIELD(pass_security)}, /* there is no security module */
	{IPPROTO_IP, IP_MULTICAST_LOOP, FLAG, 0, true, true, 0, FIELD(multicast_loop)},
	{IPPROTO_IP, IP_MULTICAST_ALL, FLAG, 0, true, true, 1, FIELD(multicast_all)},
	{IPPROTO_IP, IP_PKTINFO, FLAG, 0, true, true, 0, FIELD(pktinfo)}, /* these three: nothing on a stream, as on Linux */
	{IPPROTO_IP, IP_RECVTTL, FLAG, 0, true, true, 0, FIELD(receive_ttl)},
	{IPPROTO_IP, IP_RECVTOS, FLAG, 0, true, true, 0, FIELD(receive_tos)},
	{IPPROTO_IP, IP_RECVOPTS, FLAG, 0, true, true, 0, FIELD(receive_options)},
	{IPPROTO_IP, IP_RETOPTS, FLAG, 0, true, true, 0, FIELD(return_options)},
	{IPPROTO_IP, IP_RECVORIGDSTADDR, FLAG, 0, true, true, 0, FIELD(original_destination)},
	{IPPROTO_IP, IP_MINTTL, BYTE, 0, true, true, 255, FIELD(minimum_ttl)}, /* counts for streams only, on Linux too */
	{IPPROTO_IPV6, IPV6_MINHOPCOUNT, BYTE, 0, true, true, 255, FIELD(minimum_hops)},
	{IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, FLAG, 0, true, true, 0, FIELD(original_destination6)},
	{IPPROTO_IPV6, IPV6_2292PKTINFO, FLAG, 0, true, true, 0, FIELD(pktinfo_old)},
	{IPPROTO_IPV6, IPV6_2292HOPLIMIT, FLAG, 0, true, true, 0, FIELD(hops_old)},
	{IPPROTO_IP, IP_FREEBIND, FLAG, 0, true, true, 0, FIELD(free_bind)},
	{IPPROTO_IP, IP_RECVERR, FLAG, 0, false, true, 0, FIELD(receive_errors)},
	{IPPROTO_IPV6, IPV6_TCLASS, BYTE, 0, true, true, 255, FIELD(tos)},
	{IPPROTO_IPV6, IPV6_UNICAST_HOPS, BYTE, 0, true, true, 255, FIELD(ttl)},
	{IPPROTO_IPV6, IPV6_MULTICAST_HOPS, BYTE, 0, false, true, 255, FIELD(multicast_ttl)},
	{IPPROTO_IPV6, IPV6_MULTICAST_LOOP, FLAG, 0, true, true, 1, FIELD(multicast_loop6)},
	{IPPROTO_IPV6, IPV6_MULTICAST_ALL, FLAG, 0, true, true, 0, FIELD(multicast_all6)},
	{IPPROTO_IPV6, IPV6_RECVPKTINFO, FLAG, 0, true, true, 0, FIELD(pktinfo6)},
	{IPPROTO_IPV6, IPV6_RECVHOPLIMIT, FLAG, 0, true, true, 0, FIELD(receive_hops)},
	{IPPROTO_IPV6, IPV6_RECVTCLASS, FLAG, 0, true, true, 0, FIELD(receive_class)},
	{IPPROTO_IPV6, IPV6_DONTFRAG, FLAG, 0, true, true, 0, FIELD(dont_fragment6)},
	{IPPROTO_IPV6, IPV6_FREEBIND, FLAG, 0, true, true, 0, FIELD(free_bind)},
	{IPPROTO_IPV6, IPV6_RECVERR, FLAG, 0, false, true, 0, FIELD(receive_errors6)},
	{IPPROTO_IPV6, IPV6_V6ONLY, FLAG, 0, true, true, 0, FIELD(v6only)},
};

static bool has_level(const struct inet_socket *sock, int level)
{
	if (level == IPPROTO_IP)
		return sock->family == AF_INET || sock->base.type != SOCK_RAW;
	if (level == IPPROTO_IPV6)
		return sock->family == AF_INET6;
	return level == sock->base.protocol && sock->base.type != SOCK_RAW;
}

static bool is_raw_level(const struct inet_socket *sock, int level)
{
	return level == SOL_RAW && sock->base.type == SOCK_RAW;
}

static const struct simple *find_simple(const struct inet_socket *sock, int level, int option)
{
	bool stream = sock->base.type == SOCK_STREAM;

	for (unsigned i = 0; i < ARRAY_SIZE(simple); i++) {
		const struct simple *s = &simple[i];

		if (s->level == level && s->option == option && (stream ? s->stream : s->datagram))
			return has_level(sock, level) ? s : NULL;
	}
	return NULL;
}

static int set_simple(struct inet_socket *sock, const struct simple *s, int number)
{
	char *field = (char *)sock + s->offset;
	bool hops = s->offset == FIELD(ttl) || s->offset == FIELD(multicast_ttl);

	if (s->option == IPV6_V6ONLY && s->level == IPPROTO_IPV6 && (sock->bound || sock->base.type == SOCK_RAW))
		return -EINVAL;
	if (s->offset == FIELD(tos))
		number = s->level == IPPROTO_IP ? number & 0xff : number == -1 ? 0 : number;
	if (hops && number == -1)
		number = s->offset == FIELD(ttl) ? IP_DEFAULT_TTL : 1;
	if (s->kind == FLAG ? s->maximum && (unsigned)number > s->maximum :
	    s->kind != ANY && (number < (int)s->minimum || (unsigned)number > s->maximum))
		return -EINVAL;
	if (s->offset == FIELD(tos) && sock->base.type == SOCK_STREAM)
		number = (number & ~3) | (sock->tos & 3); /* the lower two bits are the stack's */
	if (s->kind == NUMBER || s->kind == ANY)
		*(int *)field = number;
	else if (s->kind == BYTE)
		*(uint8_t *)field = (uint8_t)number;
	else
		*(bool *)field = number != 0;
	if (s->level == IPPROTO_IPV6 && s->option == IPV6_V6ONLY && ip_addr_isany(&sock->local))
		ip_addr_copy(sock->local, *(number ? IP6_ADDR_ANY : IP_ANY_TYPE));
	return 0;
}

static int get_simple(const struct inet_socket *sock, const struct simple *s)
{
	const char *field = (const char *)sock + s->offset;

	if (s->kind == NUMBER || s->kind == ANY)
		return *(const int *)field;
	return s->kind == BYTE ? *(const uint8_t *)field : *(const bool *)field;
}

/* ---- the others ---- */

/* IP_UNICAST_IF: a link's index in network order; datagrams to one address leave by it. */
static int set_unicast_link(struct inet_socket *sock, bool v6, int number)
{
	int index = (int)__builtin_bswap32((uint32_t)number);
	struct inet_device device = {.index = 0};

	if (index && !inet_find_device(index, NULL, &device))
		return -EADDRNOTAVAIL;
	if (index && sock->options.bound_if)
		return -EINVAL;
	*(v6 ? &sock->unicast_if6 : &sock->unicast_if) = (uint8_t)device.index;
	return 0;
}

static int set_ip(struct inet_socket *sock, int level, int option, int number)
{
	bool v6 = level == IPPROTO_IPV6;

	if (level == IPPROTO_UDP) /* UDP_ENCAP: no protocol is carried inside */
		return option == UDP_ENCAP && !number ? 0 : -ENOPROTOOPT;
	if (option == (v6 ? IPV6_UNICAST_IF : IP_UNICAST_IF))
		return set_unicast_link(sock, v6, number);
	if (option == (v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER)) {
		if (number < IP_PMTUDISC_DONT || number > IP_PMTUDISC_OMIT)
			return -EINVAL;
		if (sock->base.type == SOCK_STREAM && number != IP_PMTUDISC_WANT && number != IP_PMTUDISC_DO)
			return -ENOPROTOOPT; /* TCP's segments always say that nobody may cut them */
		*(v6 ? &sock->discover6 : &sock->discover) = (uint8_t)number;
		return 0;
	}
	if (v6 && option == IPV6_MTU) {
		if (number && number < IP6_MIN_MTU_LENGTH)
			return -EINVAL;
		sock->fragment_size6 = (uint16_t)MIN(number, (int)UINT16_MAX);
		return 0;
	}
	if (!v6 && option == IP_HDRINCL && sock->base.type == SOCK_RAW) {
		sock->header_included = number != 0;
		return 0;
	}
	return -ENOPROTOOPT;
}

/* IPV6_CHECKSUM, as do_rawv6_setsockopt() of Linux: ICMPv6's own is fixed (RFC 3542, 3.1), but for the level of raw sockets. */
static int set_checksum(struct inet_socket *sock, int level, int number)
{
	if (sock->base.protocol == IPPROTO_ICMPV6 && level == IPPROTO_IPV6)
		return -EINVAL;
	if (number > 0 && number & 1)
		return -EINVAL;
	sock->checksum_place = (uint16_t)(number < 0 ? 0 : MIN(number / 2 + 1, (int)UINT16_MAX)); /* no packet has it further behind */
	return 0;
}

static bool is_raw6_option(const struct inet_socket *sock, int level, int option)
{
	return sock->base.type == SOCK_RAW && sock->family == AF_INET6 && (level == IPPROTO_IPV6 || level == SOL_RAW) &&
	       (option == IPV6_CHECKSUM || option == IPV6_HDRINCL);
}

static int set_raw6(struct inet_socket *sock, int level, int option, const void *value, unsigned len)
{
	int number;

	if (len < sizeof(number))
		return -EINVAL;
	memcpy(&number, value, sizeof(number));
	if (option == IPV6_CHECKSUM)
		return set_checksum(sock, level, number);
	sock->header_included = number != 0;
	return 0;
}

static bool is_icmp_filter(const struct inet_socket *sock, int level, int option)
{
	int own = sock->family == AF_INET6 ? IPPROTO_ICMPV6 : SOL_RAW;

	return level == own && option == ICMP_FILTER && sock->base.type == SOCK_RAW &&
	       sock->base.protocol == (sock->family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

static int set_filter(struct inet_socket *sock, const void *value, unsigned len)
{
	if (!sock->icmp_filter)
		sock->icmp_filter = kzalloc(ICMP_FILTER_WORDS * 4);
	if (!sock->icmp_filter)
		return -ENOBUFS;
	memcpy(sock->icmp_filter, value, MIN(len, sock->family == AF_INET6 ? ICMP_FILTER_WORDS * 4 : 4));
	return 0;
}

/* After a flag has changed. */
static void changed(struct inet_socket *sock, int level, int option, int number)
{
	inet_apply_tcp_options(sock);
	if (level == IPPROTO_UDP && option == UDP_CORK && !number)
		(void)datagram_push(sock);
	if (level != IPPROTO_TCP || !sock->tcp || !sock->tcp->pcb || sock->tcp->pcb->state == LISTEN)
		return;
	if ((option == TCP_NODELAY && number) || (option == TCP_CORK && !number)) {
		stack_enter(sock->net);
		(void)tcp_output(sock->tcp->pcb);
		stack_leave();
	}
}

/* Options of ip(7) that take no value at all for zero. */
static bool needs_value(int option)
{
	return option == IP_TTL || option == IP_FREEBIND || option == IP_MINTTL || option == IP_MULTICAST_TTL ||
	       option == IP_MULTICAST_LOOP || option == IP_MULTICAST_ALL;
}

/* The number that a value of `len` bytes holds. 0 or -EINVAL. */
static int number_of(int level, int option, const void *value, unsigned len, int *number)
{
	*number = 0;
	if (option == (level == IPPROTO_IP ? IP_UNICAST_IF : IPV6_UNICAST_IF) && len != sizeof(*number))
		return -EINVAL;
	if (len >= sizeof(*number))
		memcpy(number, value, sizeof(*number));
	else if (level == IPPROTO_IPV6 && option == IPV6_DONTFRAG)
		return 0;
	else if (level != IPPROTO_IP || (!len && needs_value(option)))
		return -EINVAL;
	else if (len)
		*number = *(const uint8_t *)value;
	return 0;
}

int inet_set_option(struct socket *base, int level, int option, const void *value, unsigned len)
{
	struct inet_socket *sock = inet_of(base);
	const struct simple *s = find_simple(sock, level, option);
	int number, rc;

	if (is_icmp_filter(sock, level, option))
		return set_filter(sock, value, len);
	if (is_raw6_option(sock, level, option))
		return set_raw6(sock, level, option, value, len);
	if (level == IPPROTO_TCP && !s)
		return base->type == SOCK_STREAM ? tcp_set_option(sock, option, value, len) : -ENOPROTOOPT;
	if (is_raw_level(sock, level) && sock->family == AF_INET6 && len < sizeof(number))
		return -EINVAL;
	if (!s && (!has_level(sock, level) || (level != IPPROTO_IP && level != IPPROTO_IPV6 && level != IPPROTO_UDP)))
		return -ENOPROTOOPT;
	rc = s ? 1 : multicast_set_option(sock, level, option, value, len);
	if (rc <= 0)
		return rc;
	if (!s && level == IPPROTO_IPV6 && option != IPV6_MTU_DISCOVER && option != IPV6_UNICAST_IF && option != IPV6_MTU)
		return -ENOPROTOOPT; /* whatever its length */
	rc = number_of(level, option, value, len, &number);
	if (rc)
		return rc;
	if (!s && level == IPPROTO_IP && option == IP_MULTICAST_TTL) /* of a stream, which has none */
		return -EINVAL;
	if (!s)
		return set_ip(sock, level, option, number);
	rc = set_simple(sock, s, number);
	if (!rc)
		changed(sock, level, option, number);
	return rc;
}

/* ---- getsockopt(2) ---- */

static int connected_mtu(const struct inet_socket *sock)
{
	ip_addr_t from = sock->local;
	struct netif *netif;

	if (!sock->connected)
		return -ENOTCONN;
	netif = route_find(&sock->remote, &from);
	return !netif ? -ENOTCONN : netif == &loop_netif ? LOOPBACK_MTU : path_mtu(&sock->remote, netif);
}

static int get_ip(struct inet_socket *sock, int level, int option, int *number)
{
	bool v6 = level == IPPROTO_IPV6;

	if (option == (v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER)) {
		*number = v6 ? sock->discover6 : sock->discover;
		return 0;
	}
	if (option == (v6 ? IPV6_UNICAST_IF : IP_UNICAST_IF)) {
		*number = (int)__builtin_bswap32((uint32_t)(v6 ? sock->unicast_if6 : sock->unicast_if));
		return 0;
	}
	if (sock->base.type == SOCK_STREAM && option == (v6 ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL)) {
		*number = sock->multicast_ttl; /* to be read only */
		return 0;
	}
	if (option == (v6 ? IPV6_MTU : IP_MTU)) {
		*number = connected_mtu(sock);
		return MIN(*number, 0);
	}
	if (!v6 && option == IP_HDRINCL)
		*number = sock->header_included;
	else if (!v6 && option == IP_PROTOCOL)
		*number = sock->base.type == SOCK_RAW ? sock->base.protocol : sock->local_port;
	else
		return -ENOPROTOOPT;
	return 0;
}

static int get_number(struct inet_socket *sock, int level, int option, int *number)
{
	const struct simple *s = find_simple(sock, level, option);

	if (s) {
		*number = get_simple(sock, s);
		return 0;
	}
	if ((level == IPPROTO_IP || level == IPPROTO_IPV6) && has_level(sock, level))
		return get_ip(sock, level, option, number);
	if (level == IPPROTO_UDP && has_level(sock, level) && option == UDP_ENCAP) {
		*number = 0;
		return 0;
	}
	if (level != SOL_SOCKET)
		return has_level(sock, level) || sock->family == AF_INET6 || is_raw_level(sock, level) ? -ENOPROTOOPT : -EOPNOTSUPP;
	if (option == SO_ERROR)
		*number = -inet_take_error(sock);
	else if (option == SO_ACCEPTCONN)
		*number = sock->state == INET_LISTENING;
	else
		return -ENOPROTOOPT;
	return 0;
}

/* One control message behind *at, as far as there is room: what does not fit is cut off (put_cmsg() of Linux). */
static void put_control(char *list, unsigned *at, unsigned room, int type, const void *data, unsigned n)
{
	struct user_cmsghdr {
		uint64_t len;
		int32_t level, type;
	} header = {.level = IPPROTO_IP, .type = type};
	unsigned left = room - *at;

	if (left < sizeof(header))
		return;
	header.len = MIN(sizeof(header) + n, left);
	memcpy(list + *at, &header, sizeof(header));
	memcpy(list + *at + sizeof(header), data, header.len - sizeof(header));
	*at += MIN((unsigned)(sizeof(header) + (n + 7) / 8 * 8), left);
}

/* IP_PKTOPTIONS: what the control messages of a stream's packets would be, from the socket itself. */
static void packet_options(const struct inet_socket *sock, char *list, unsigned *len)
{
	struct in_pktinfo info = {0};
	int ttl = sock->multicast_ttl, tos = 0;
	unsigned room = MIN(*len, (unsigned)SOCKET_OPTION_MAX);

	memset(list, 0, room);
	*len = 0;
	if (IP_IS_V4(&sock->local))
		info.ipi_addr.s_addr = info.ipi_spec_dst.s_addr = ip4_addr_get_u32(ip_2_ip4(&sock->local));
	if (sock->pktinfo)
		put_control(list, len, room, IP_PKTINFO, &info, sizeof(info));
	if (sock->receive_ttl)
		put_control(list, len, room, IP_TTL, &ttl, sizeof(ttl));
	if (sock->receive_tos)
		put_control(list, len, room, IP_TOS, &tos, sizeof(tos));
}

int inet_get_option(struct socket *base, int level, int option, void *value, unsigned *len)
{
	struct inet_socket *sock = inet_of(base);
	int number, rc;

	if (level == IPPROTO_TCP && base->type == SOCK_STREAM && !find_simple(sock, level, option))
		return tcp_get_option(sock, option, value, len);
	if (is_icmp_filter(sock, level, option)) {
		*len = MIN(*len, sock->family == AF_INET6 ? ICMP_FILTER_WORDS * 4 : 4);
		if (sock->icmp_filter)
			memcpy(value, sock->icmp_filter, *len);
		else
			memset(value, 0, *len);
		return 0;
	}
	rc = multicast_get_option(sock, level, option, value, len);
	if (rc <= 0)
		return rc;
	if (level == IPPROTO_IP && option == IP_PKTOPTIONS && base->type == SOCK_STREAM) {
		packet_options(sock, value, len);
		return 0;
	}
	if (is_raw6_option(sock, level, option)) {
		number = option == IPV6_CHECKSUM ? inet_checksum_at(sock) : sock->header_included;
		*len = MIN(*len, (unsigned)sizeof(number));
		memcpy(value, &number, *len);
		return 0;
	}
	rc = get_number(sock, level, option, &number);
	if (rc)
		return rc;
	if (level == IPPROTO_IP && *len && *len < sizeof(number) && number >= 0 && number <= 255) {
		*len = 1; /* as ip(7): a byte is enough for a small number */
		*(uint8_t *)value = (uint8_t)number;
		return 0;
	}
	memcpy(value, &number, sizeof(number));
	*len = sizeof(number);
	return 0;
}

void inet_options_changed(struct socket *base, int option)
{
	struct inet_socket *sock = inet_of(base);

	if ((option == SO_TIMESTAMPING_OLD || option == SO_TIMESTAMPING_NEW) && sock->options.stamping_begins) {
		stamp_begin(sock);
		sock->options.stamping_begins = false;
	}
	if (base->type == SOCK_STREAM) /* more could never be there at once */
		sock->options.receive_low = MIN(sock->options.receive_low, RECEIVE_LOW_MAX);
	inet_apply_tcp_options(sock);
}

/* ---- ioctl(2) ---- */

/* Bytes that wait for the window. */
static uint32_t not_sent(const struct inet_socket *sock)
{
	const struct tcp_pcb *pcb = sock->tcp ? sock->tcp->pcb : NULL;

	return pcb && pcb->state > SYN_RCVD ? pcb->snd_lbb - pcb->snd_nxt : 0;
}

int64_t inet_ioctl(struct socket *base, unsigned cmd, uint64_t arg)
{
	struct inet_socket *sock = inet_of(base);
	bool stream = base->type == SOCK_STREAM;
	const struct inet_packet *first = TAILQ_FIRST(&sock->packets);

	switch (cmd) {
	case FIONREAD:
		if (stream && sock->state == INET_LISTENING)
			return -EINVAL;
		return put_user(stream ? tcp_urgent_readable(sock) : first ? (int)first->p->tot_len : 0, UADDR(arg));
	case SIOCATMARK:
		return stream ? put_user((int)tcp_urgent_is_next(sock), UADDR(arg)) : -ENOTTY;
	case SIOCOUTQ:
		if (stream && sock->state == INET_LISTENING)
			return -EINVAL;
		return put_user((int)(stream && sock->tcp ? sock->tcp->written - sock->tcp->acked : 0), UADDR(arg));
	case SIOCGSTAMP_OLD:
	case SIOCGSTAMPNS_OLD:
	case SIOCGSTAMP_NEW:
	case SIOCGSTAMPNS_NEW:
		return stream ? -ENOENT : socket_tell_stamp(&sock->options, &sock->rx_time, cmd, arg); /* streams note none */
	case SIOCOUTQNSD:
		if (stream && sock->state == INET_LISTENING)
			return -EINVAL;
		return stream ? put_user((int)not_sent(sock), UADDR(arg)) : -ENOTTY;
	default:
		return -ENOTTY;
	}
}

struct net_ns *inet_net(struct socket *base)
{
	return inet_of(base)->net;
}
