/*
 * Options of tcp(7): what a control block of lwIP is told, and TCP_INFO. Numbers that are only kept are option.c's.
 */
#include <asm/socket.h>
#include <linux/in.h>
#include <linux/tcp.h>

#include "kernel/net/lwip/internal.h"

#define CONGESTION "reno"
#define MAXSEG_MIN 88
#define MAXSEG_MAX 32767
#define CLAMP_MIN 1152 /* half of the smallest receive buffer */
#define TCP_IS_MPTCP 43

void inet_apply_tcp_options(struct inet_socket *sock)
{
	struct tcp_pcb *pcb = sock->tcp ? sock->tcp->pcb : NULL;

	if (!pcb)
		return;
	if (sock->options.reuse_address || sock->options.reuse_port)
		ip_set_option(pcb, SOF_REUSEADDR);
	else
		ip_reset_option(pcb, SOF_REUSEADDR);
	if (sock->options.keepalive)
		ip_set_option(pcb, SOF_KEEPALIVE);
	else
		ip_reset_option(pcb, SOF_KEEPALIVE);
	pcb->tos = sock->tos;
	pcb->ttl = sock->ttl;
	pcb->netif_idx = (u8_t)sock->options.bound_if;
	if (pcb->state == LISTEN)
		return;
	if (sock->nodelay)
		tcp_nagle_disable(pcb);
	else
		tcp_nagle_enable(pcb);
	pcb->keep_idle = sock->keep_idle * 1000;
	pcb->keep_intvl = sock->keep_interval * 1000;
	pcb->keep_cnt = sock->keep_count;
	tcp_watch(sock);
}

/* TCP_QUICKACK: what is owed is acknowledged now; Linux may delay again later, too. */
static void acknowledge(struct inet_socket *sock)
{
	if (!sock->tcp || !sock->tcp->pcb || sock->tcp->pcb->state == LISTEN || !(sock->tcp->pcb->flags & TF_ACK_DELAY))
		return;
	stack_enter(sock->net);
	tcp_ack_now(sock->tcp->pcb);
	(void)tcp_output(sock->tcp->pcb);
	stack_leave();
}

static int set_congestion(const char *value, unsigned len)
{
	len = (unsigned)strnlen(value, len);
	return len == sizeof(CONGESTION) - 1 && !memcmp(value, CONGESTION, len) ? 0 : -ENOENT;
}

int tcp_set_option(struct inet_socket *sock, int option, const void *value, unsigned len)
{
	int number;

	if (option == TCP_CONGESTION)
		return len ? set_congestion(value, len) : -EINVAL;
	if (len < sizeof(number))
		return -EINVAL;
	memcpy(&number, value, sizeof(number));
	switch (option) {
	case TCP_QUICKACK:
		sock->delay_acks = !(number & 1);
		sock->quick_acks = number & 1;
		if (number & 1)
			acknowledge(sock);
		return 0;
	case TCP_DEFER_ACCEPT:
		sock->defer_accept = number < 0 ? 0 : (uint32_t)number;
		return 0;
	case TCP_MAXSEG:
		if (number && (number < MAXSEG_MIN || number > MAXSEG_MAX))
			return -EINVAL;
		sock->max_segment = (uint16_t)number;
		return 0;
	case TCP_WINDOW_CLAMP:
		if (!number && sock->state != INET_IDLE && sock->state != INET_DONE)
			return -EINVAL;
		sock->window_clamp = number ? (uint32_t)MAX(number, CLAMP_MIN) : 0;
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

int tcp_get_option(struct inet_socket *sock, int option, void *value, unsigned *len)
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
		number = pcb && pcb->state != LISTEN && pcb->state != CLOSED ? (sock->tcp->mss ? sock->tcp->mss : pcb->mss) :
			sock->max_segment ? sock->max_segment : 536;
		break;
	case TCP_QUICKACK:
		number = !sock->delay_acks;
		break;
	case TCP_DEFER_ACCEPT:
		number = (int)sock->defer_accept;
		break;
	case TCP_WINDOW_CLAMP:
		number = (int)sock->window_clamp;
		break;
	case TCP_IS_MPTCP:
		number = 0;
		break;
	default:
		return -ENOPROTOOPT;
	}
	memcpy(value, &number, sizeof(number));
	*len = sizeof(number);
	return 0;
}
