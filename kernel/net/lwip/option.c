/*
 * Options of internet sockets (socket(7), ip(7), ipv6(7), tcp(7)). What has no effect here answers ENOPROTOOPT.
 */
#include <asm/ioctls.h>
#include <asm/socket.h>
#include <linux/capability.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/sockios.h>
#include <linux/tcp.h>

#include "kernel/net/lwip/internal.h"
#include "ring0/usercopy.h"

#define CONGESTION "reno"
#define SOL_RAW 255
#define ICMP_FILTER 1

void inet_apply_tcp_options(struct inet_socket *sock)
{
	struct tcp_pcb *pcb = sock->tcp ? sock->tcp->pcb : NULL;

	if (!pcb)
		return;
	if (sock->reuse_address || sock->reuse_port)
		ip_set_option(pcb, SOF_REUSEADDR);
	else
		ip_reset_option(pcb, SOF_REUSEADDR);
	if (sock->keepalive)
		ip_set_option(pcb, SOF_KEEPALIVE);
	else
		ip_reset_option(pcb, SOF_KEEPALIVE);
	pcb->tos = sock->tos;
	pcb->ttl = sock->ttl;
	if (pcb->state == LISTEN)
		return;
	if (sock->nodelay)
		tcp_nagle_disable(pcb);
	else
		tcp_nagle_enable(pcb);
	pcb->keep_idle = sock->keep_idle * 1000;
	pcb->keep_intvl = sock->keep_interval * 1000;
	pcb->keep_cnt = sock->keep_count;
	if (sock->receive_buffer_set && pcb->state == ESTABLISHED && pcb->rcv_wnd > sock->receive_buffer) {
		pcb->rcv_wnd = sock->receive_buffer;
		pcb->rcv_ann_wnd = MIN(pcb->rcv_ann_wnd, pcb->rcv_wnd);
	}
}

/* ---- options that are a flag or a number ---- */

enum kind { FLAG, BYTE, NUMBER };

struct simple {
	int level, option;
	uint8_t kind, minimum;
	bool stream, datagram; /* which sockets have it */
	uint32_t maximum;
	size_t offset;
};

#define FIELD(f) offsetof(struct inet_socket, f)

static const struct simple simple[] = {
	{SOL_SOCKET, SO_REUSEADDR, FLAG, 0, true, true, 0, FIELD(reuse_address)},
	{SOL_SOCKET, SO_REUSEPORT, FLAG, 0, true, true, 0, FIELD(reuse_port)},
	{SOL_SOCKET, SO_KEEPALIVE, FLAG, 0, true, true, 0, FIELD(keepalive)},
	{SOL_SOCKET, SO_BROADCAST, FLAG, 0, true, true, 0, FIELD(broadcast)},
	{SOL_SOCKET, SO_PRIORITY, NUMBER, 0, true, true, 6, FIELD(priority)},
	{SOL_SOCKET, SO_TIMESTAMP_OLD, FLAG, 0, false, true, 0, FIELD(timestamp)},
	{SOL_SOCKET, SO_TIMESTAMPNS_OLD, FLAG, 0, false, true, 0, FIELD(timestamp_ns)},
	{IPPROTO_TCP, TCP_NODELAY, FLAG, 0, true, false, 0, FIELD(nodelay)},
	{IPPROTO_TCP, TCP_CORK, FLAG, 0, true, false, 0, FIELD(cork)},
	{IPPROTO_TCP, TCP_KEEPIDLE, NUMBER, 1, true, false, 32767, FIELD(keep_idle)},
	{IPPROTO_TCP, TCP_KEEPINTVL, NUMBER, 1, true, false, 32767, FIELD(keep_interval)},
	{IPPROTO_TCP, TCP_KEEPCNT, NUMBER, 1, true, false, 127, FIELD(keep_count)},
	{IPPROTO_IP, IP_TOS, BYTE, 0, true, true, 255, FIELD(tos)},
	{IPPROTO_IP, IP_TTL, BYTE, 1, true, true, 255, FIELD(ttl)},
	{IPPROTO_IP, IP_MULTICAST_TTL, BYTE, 0, false, true, 255, FIELD(multicast_ttl)},
	{IPPROTO_IP, IP_PKTINFO, FLAG, 0, false, true, 0, FIELD(pktinfo)},
	{IPPROTO_IP, IP_RECVTTL, FLAG, 0, false, true, 0, FIELD(receive_ttl)},
	{IPPROTO_IP, IP_RECVTOS, FLAG, 0, false, true, 0, FIELD(receive_tos)},
	{IPPROTO_IP, IP_RECVERR, FLAG, 0, false, true, 0, FIELD(receive_errors)},
	{IPPROTO_IPV6, IPV6_TCLASS, BYTE, 0, true, true, 255, FIELD(tos)},
	{IPPROTO_IPV6, IPV6_UNICAST_HOPS, BYTE, 1, true, true, 255, FIELD(ttl)},
	{IPPROTO_IPV6, IPV6_MULTICAST_HOPS, BYTE, 0, false, true, 255, FIELD(multicast_ttl)},
	{IPPROTO_IPV6, IPV6_RECVPKTINFO, FLAG, 0, false, true, 0, FIELD(pktinfo6)},
	{IPPROTO_IPV6, IPV6_RECVHOPLIMIT, FLAG, 0, false, true, 0, FIELD(receive_hops)},
	{IPPROTO_IPV6, IPV6_RECVTCLASS, FLAG, 0, false, true, 0, FIELD(receive_class)},
	{IPPROTO_IPV6, IPV6_RECVERR, FLAG, 0, false, true, 0, FIELD(receive_errors6)},
	{IPPROTO_IPV6, IPV6_V6ONLY, FLAG, 0, true, true, 0, FIELD(v6only)},
};

static const struct simple *find_simple(const struct inet_socket *sock, int level, int option)
{
	bool stream = sock->base.type == SOCK_STREAM;

	for (unsigned i = 0; i < ARRAY_SIZE(simple); i++) {
		const struct simple *s = &simple[i];

		if (s->level == level && s->option == option && (stream ? s->stream : s->datagram))
			return level == IPPROTO_IPV6 && sock->family != AF_INET6 ? NULL : s;
	}
	return NULL;
}

static int set_simple(struct inet_socket *sock, const struct simple *s, int number)
{
	char *field = (char *)sock + s->offset;
	bool hops = s->offset == FIELD(ttl) || s->offset == FIELD(multicast_ttl);

	if (s->option == IPV6_V6ONLY && s->level == IPPROTO_IPV6 && sock->bound)
		return -EINVAL;
	if (hops && number == -1)
		number = s->offset == FIELD(ttl) ? IP_DEFAULT_TTL : 1;
	if (s->kind != FLAG && (number < (int)s->minimum || number > (int)s->maximum))
		return s->option == SO_PRIORITY && s->level == SOL_SOCKET ? -EPERM : -EINVAL;
	if (s->kind == NUMBER)
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

	if (s->kind == NUMBER)
		return *(const int *)field;
	return s->kind == BYTE ? *(const uint8_t *)field : *(const bool *)field;
}

/* ---- the others ---- */

static int set_buffer(uint32_t *buffer, bool *set, int value, bool force)
{
	uint64_t size = value < 0 ? 0 : (uint64_t)value;

	if (force && !capable(CAP_NET_ADMIN))
		return -EPERM;
	if (!force)
		size = MIN(size, (uint64_t)INET_BUFFER_MAX / 2);
	*buffer = (uint32_t)MAX(MIN(size * 2, (uint64_t)INT32_MAX), (uint64_t)INET_BUFFER_MIN);
	*set = true;
	return 0;
}

static int set_linger(struct inet_socket *sock, const void *value, unsigned len)
{
	int linger[2];

	if (len < sizeof(linger))
		return -EINVAL;
	memcpy(linger, value, sizeof(linger));
	sock->linger = linger[0] != 0;
	sock->linger_seconds = linger[1];
	return 0;
}

static int set_device(struct inet_socket *sock, const void *value, unsigned len)
{
	char name[16] = "";
	struct netif *netif;

	if (!capable(CAP_NET_RAW))
		return -EPERM;
	memcpy(name, value, MIN(len, (unsigned)sizeof(name) - 1));
	if (!name[0]) {
		sock->bound_if = 0;
		return 0;
	}
	netif = route_device(name);
	if (!netif)
		return -ENODEV;
	sock->bound_if = netif_get_index(netif);
	return 0;
}

static int set_socket_number(struct inet_socket *sock, int option, int number)
{
	switch (option) {
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		return set_buffer(&sock->send_buffer, &sock->send_buffer_set, number, option == SO_SNDBUFFORCE);
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		return set_buffer(&sock->receive_buffer, &sock->receive_buffer_set, number, option == SO_RCVBUFFORCE);
	case SO_RCVLOWAT:
		if (sock->base.type != SOCK_STREAM)
			return -ENOPROTOOPT;
		sock->receive_low = number < 0 ? INT32_MAX : number ? (uint32_t)number : 1;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

/* TCP_QUICKACK: what is owed is acknowledged now; Linux may delay again later, too. */
static void acknowledge(struct inet_socket *sock)
{
	if (!sock->tcp || !sock->tcp->pcb || sock->tcp->pcb->state == LISTEN || !(sock->tcp->pcb->flags & TF_ACK_DELAY))
		return;
	stack_enter();
	tcp_ack_now(sock->tcp->pcb);
	(void)tcp_output(sock->tcp->pcb);
	stack_leave();
}

static int set_tcp(struct inet_socket *sock, int option, const void *value, unsigned len, int number)
{
	switch (option) {
	case TCP_QUICKACK:
		if (number)
			acknowledge(sock);
		return number ? 0 : -ENOPROTOOPT;
	case TCP_CONGESTION:
		return len == sizeof(CONGESTION) - 1 + (len && ((const char *)value)[len - 1] == '\0') &&
		       !memcmp(value, CONGESTION, sizeof(CONGESTION) - 1) ? 0 : -ENOENT;
	default:
		return -ENOPROTOOPT;
	}
}

/* What lwIP sends has no DF bit, so only that may be asked for. */
static int set_ip(struct inet_socket *sock, int level, int option, int number)
{
	bool v6 = level == IPPROTO_IPV6;

	if (option == (v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER))
		return number == IP_PMTUDISC_DONT || number == IP_PMTUDISC_OMIT ? 0 : -ENOPROTOOPT;
	if (!v6 && option == IP_HDRINCL && sock->base.type == SOCK_RAW) {
		sock->header_included = number != 0;
		return 0;
	}
	return -ENOPROTOOPT;
}

static int set_filter(struct inet_socket *sock, const void *value, unsigned len)
{
	if (sock->base.type != SOCK_RAW)
		return -ENOPROTOOPT;
	memcpy(sock->icmp_filter, value, MIN(len, (unsigned)(sock->family == AF_INET6 ? sizeof(sock->icmp_filter) : 4)));
	return 0;
}

/* After a flag has changed. */
static void changed(struct inet_socket *sock, int level, int option, int number)
{
	inet_apply_tcp_options(sock);
	if (level != IPPROTO_TCP || !sock->tcp || !sock->tcp->pcb || sock->tcp->pcb->state == LISTEN)
		return;
	if ((option == TCP_NODELAY && number) || (option == TCP_CORK && !number)) {
		stack_enter();
		(void)tcp_output(sock->tcp->pcb);
		stack_leave();
	}
}

int inet_set_option(struct socket *base, int level, int option, const void *value, unsigned len)
{
	struct inet_socket *sock = inet_of(base);
	const struct simple *s = find_simple(sock, level, option);
	int number = 0, rc;

	if (level == SOL_SOCKET && option == SO_LINGER)
		return set_linger(sock, value, len);
	if (level == SOL_SOCKET && option == SO_BINDTODEVICE)
		return set_device(sock, value, len);
	if ((level == SOL_RAW || level == IPPROTO_ICMPV6) && option == ICMP_FILTER)
		return set_filter(sock, value, len);
	if (len >= sizeof(number))
		memcpy(&number, value, sizeof(number));
	else if (len && level == IPPROTO_IP)
		number = *(const uint8_t *)value;
	else if (!(level == IPPROTO_TCP && option == TCP_CONGESTION))
		return -EINVAL;
	if (s) {
		rc = set_simple(sock, s, number);
		if (!rc)
			changed(sock, level, option, number);
		return rc;
	}
	switch (level) {
	case SOL_SOCKET:
		rc = set_socket_number(sock, option, number);
		break;
	case IPPROTO_TCP:
		rc = base->type == SOCK_STREAM ? set_tcp(sock, option, value, len, number) : -ENOPROTOOPT;
		break;
	case IPPROTO_IP:
	case IPPROTO_IPV6:
		rc = set_ip(sock, level, option, number);
		break;
	default:
		rc = -ENOPROTOOPT;
	}
	inet_apply_tcp_options(sock);
	return rc;
}

/* ---- getsockopt(2) ---- */

static int get_socket_number(struct inet_socket *sock, int option, int *number)
{
	switch (option) {
	case SO_ERROR:
		*number = -inet_take_error(sock);
		return 0;
	case SO_ACCEPTCONN:
		*number = sock->state == INET_LISTENING;
		return 0;
	case SO_SNDBUF:
		*number = (int)sock->send_buffer;
		return 0;
	case SO_RCVBUF:
		*number = (int)sock->receive_buffer;
		return 0;
	case SO_RCVLOWAT:
		*number = (int)sock->receive_low;
		return 0;
	case SO_BINDTOIFINDEX:
		*number = sock->bound_if;
		return 0;
	case SO_OOBINLINE:
	case SO_DONTROUTE:
	case SO_MARK:
		*number = 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static void fill_info(const struct inet_socket *sock, struct tcp_info *info)
{
	const struct tcp_pcb *pcb = sock->tcp ? sock->tcp->pcb : NULL;

	info->tcpi_state = (uint8_t)tcp_linux_state(sock);
	if (!pcb || pcb->state == LISTEN)
		return;
	info->tcpi_retransmits = pcb->nrtx;
	info->tcpi_options = (uint8_t)((pcb->flags & TF_WND_SCALE ? TCPI_OPT_WSCALE : 0) | (pcb->flags & TF_SACK ? TCPI_OPT_SACK : 0));
	info->tcpi_snd_wscale = pcb->snd_scale & 15;
	info->tcpi_rcv_wscale = pcb->rcv_scale & 15;
	info->tcpi_rto = (uint32_t)pcb->rto * TCP_SLOW_INTERVAL * 1000;
	info->tcpi_snd_mss = info->tcpi_rcv_mss = info->tcpi_advmss = sock->tcp->mss ? sock->tcp->mss : pcb->mss;
	info->tcpi_pmtu = info->tcpi_snd_mss + 40u;
	info->tcpi_rtt = (uint32_t)(pcb->sa >> 3) * TCP_SLOW_INTERVAL * 1000;
	info->tcpi_rttvar = (uint32_t)(pcb->sv >> 2) * TCP_SLOW_INTERVAL * 1000;
	info->tcpi_snd_ssthresh = pcb->ssthresh / MAX(pcb->mss, (u16_t)1);
	info->tcpi_snd_cwnd = pcb->cwnd / MAX(pcb->mss, (u16_t)1);
	info->tcpi_rcv_space = pcb->rcv_wnd;
	info->tcpi_bytes_acked = sock->tcp->acked;
	info->tcpi_bytes_sent = sock->tcp->written;
	info->tcpi_snd_wnd = pcb->snd_wnd;
	info->tcpi_notsent_bytes = (uint32_t)(pcb->snd_lbb - pcb->snd_nxt);
}

static int get_tcp(struct inet_socket *sock, int option, void *value, unsigned *len)
{
	const struct tcp_pcb *pcb = sock->tcp ? sock->tcp->pcb : NULL;
	int number;

	switch (option) {
	case TCP_INFO: {
		struct tcp_info info;

		memset(&info, 0, sizeof(info));
		fill_info(sock, &info);
		*len = MIN(*len, (unsigned)sizeof(info));
		memcpy(value, &info, *len);
		return 0;
	}
	case TCP_CONGESTION:
		rf_strlcpy(value, CONGESTION, 16);
		*len = 16;
		return 0;
	case TCP_MAXSEG:
		number = pcb && pcb->state != LISTEN && pcb->state != CLOSED ? pcb->mss : 536;
		break;
	case TCP_QUICKACK:
		number = 0;
		break;
	case TCP_DEFER_ACCEPT:
	case TCP_USER_TIMEOUT:
		number = 0;
		break;
	default:
		return -ENOPROTOOPT;
	}
	memcpy(value, &number, sizeof(number));
	*len = sizeof(number);
	return 0;
}

int inet_get_option(struct socket *base, int level, int option, void *value, unsigned *len)
{
	struct inet_socket *sock = inet_of(base);
	const struct simple *s = find_simple(sock, level, option);
	int number, rc;

	if (level == IPPROTO_TCP && !s)
		return base->type == SOCK_STREAM ? get_tcp(sock, option, value, len) : -ENOPROTOOPT;
	if (level == SOL_SOCKET && option == SO_LINGER) {
		int linger[2] = {sock->linger, sock->linger_seconds};

		memcpy(value, linger, sizeof(linger));
		*len = sizeof(linger);
		return 0;
	}
	if (level == SOL_RAW && option == ICMP_FILTER && base->type == SOCK_RAW) {
		*len = 4;
		memcpy(value, sock->icmp_filter, 4);
		return 0;
	}
	if (s) {
		number = get_simple(sock, s);
	} else if (level == SOL_SOCKET) {
		rc = get_socket_number(sock, option, &number);
		if (rc)
			return rc;
	} else if ((level == IPPROTO_IP && option == IP_MTU_DISCOVER) || (level == IPPROTO_IPV6 && option == IPV6_MTU_DISCOVER)) {
		number = IP_PMTUDISC_DONT;
	} else if (level == IPPROTO_IP && option == IP_HDRINCL && base->type == SOCK_RAW) {
		number = sock->header_included;
	} else {
		return -ENOPROTOOPT;
	}
	memcpy(value, &number, sizeof(number));
	*len = sizeof(number);
	return 0;
}

/* ---- ioctl(2) ---- */

int64_t inet_ioctl(struct socket *base, unsigned cmd, uint64_t arg)
{
	struct inet_socket *sock = inet_of(base);
	bool stream = base->type == SOCK_STREAM;
	const struct inet_packet *first = TAILQ_FIRST(&sock->packets);

	switch (cmd) {
	case FIONREAD:
		if (stream && sock->state == INET_LISTENING)
			return -EINVAL;
		return put_user((int)(stream ? sock->rx_bytes : first ? first->p->tot_len : 0), UADDR(arg));
	case SIOCOUTQ:
		if (stream && sock->state == INET_LISTENING)
			return -EINVAL;
		return put_user((int)(stream && sock->tcp ? sock->tcp->written - sock->tcp->acked : 0), UADDR(arg));
	default:
		return -ENOTTY;
	}
}
