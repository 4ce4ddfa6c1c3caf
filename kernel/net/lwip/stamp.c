/*
 * SO_TIMESTAMPING (the kernel's Documentation/networking/timestamping): when a message of ours was given to a link, left, and
 * (TCP) was acknowledged. The error queue has a note for each step that was asked for. What came when is options.c's.
 *
 * There is no clock in hardware: what asks for its times is taken and gives none, as on Linux over such a link.
 */
#include <linux/if_ether.h>
#include <lwip/inet_chksum.h>

#include "kernel/net/lwip/datagram.h"

/* ee_info: as <linux/errqueue.h> numbers them. */
#define STEP_SENT 0
#define STEP_SCHEDULED 1
#define STEP_ACKNOWLEDGED 2

void stamp_number(struct inet_socket *sock, struct outgoing *out)
{
	out->stamp_key = 0;
	if (out->stamps && sock->options.stamping & SOF_TIMESTAMPING_OPT_ID)
		out->stamp_key = sock->stamp_next++;
}

/*
 * Packets that went no further than the loopback are bare: they have no Ethernet header, which Linux's have. The last bytes of
 * one that fills an IP packet have no room behind it.
 */
static struct pbuf *with_header(const struct pbuf *p, bool bare)
{
	const uint8_t *bytes = p->payload;
	struct ethhdr header = {.h_proto = __builtin_bswap16(bytes[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP)};
	unsigned front = bare ? ETH_HLEN : 0, len = MIN((unsigned)p->tot_len, UINT16_MAX - front);
	struct pbuf *out = pbuf_alloc(PBUF_RAW, (u16_t)(front + len), PBUF_RAM);

	if (!out)
		return NULL;
	memcpy(out->payload, &header, front);
	(void)pbuf_copy_partial(p, (char *)out->payload + front, (u16_t)len, 0);
	return out;
}

void stamp_sent(struct inet_socket *sock, const struct pbuf *p, bool bare, uint32_t stamps, uint32_t key)
{
	struct pbuf *shown = sock->options.stamping & SOF_TIMESTAMPING_OPT_TSONLY ? NULL : with_header(p, bare);

	if (stamps & SOF_TIMESTAMPING_TX_SCHED)
		error_stamped(sock, shown, STEP_SCHEDULED, key);
	if (stamps & SOF_TIMESTAMPING_TX_SOFTWARE)
		error_stamped(sock, shown, STEP_SENT, key);
	if (shown)
		pbuf_free(shown);
}

/* ---- TCP: bytes, and no packets: notes have none ---- */

#define STAMPS_MAX 256u /* of a connection that wait */

struct tcp_stamp {
	TAILQ_ENTRY(tcp_stamp) link;
	uint64_t end; /* of the message's bytes in the stream */
	uint32_t stamps, key;
};

/* Where the stream has been sent up to. */
static uint64_t sent_up_to(const struct tcp_link *link)
{
	return link->written - (uint32_t)(link->pcb->snd_lbb - link->pcb->snd_nxt);
}

void stamp_progress(struct tcp_link *link)
{
	struct tcp_stamp *stamp, *next;

	TAILQ_FOREACH_SAFE(stamp, &link->stamps, link, next) {
		if (sent_up_to(link) < stamp->end)
			return;
		if (link->sock && stamp->stamps & SOF_TIMESTAMPING_TX_SCHED)
			error_stamped(link->sock, NULL, STEP_SCHEDULED, stamp->key);
		if (link->sock && stamp->stamps & SOF_TIMESTAMPING_TX_SOFTWARE)
			error_stamped(link->sock, NULL, STEP_SENT, stamp->key);
		stamp->stamps &= SOF_TIMESTAMPING_TX_ACK;
		if (stamp->stamps && link->acked < stamp->end)
			continue;
		if (link->sock && stamp->stamps)
			error_stamped(link->sock, NULL, STEP_ACKNOWLEDGED, stamp->key);
		TAILQ_REMOVE(&link->stamps, stamp, link);
		link->stamp_count--;
		kfree(stamp);
	}
}

void stamp_written(struct tcp_link *link, uint32_t stamps)
{
	struct tcp_stamp *stamp = link->stamp_count < STAMPS_MAX ? kmalloc(sizeof(*stamp)) : NULL;

	if (!stamp)
		return;
	*stamp = (struct tcp_stamp){.end = link->written, .stamps = stamps};
	if (link->sock->options.stamping & SOF_TIMESTAMPING_OPT_ID)
		stamp->key = (uint32_t)(link->written - 1 - link->stamp_base);
	link->stamp_count++;
	TAILQ_INSERT_TAIL(&link->stamps, stamp, link);
	stamp_progress(link);
}

void stamp_drop_all(struct tcp_link *link)
{
	struct tcp_stamp *stamp;

	while ((stamp = TAILQ_FIRST(&link->stamps))) {
		TAILQ_REMOVE(&link->stamps, stamp, link);
		kfree(stamp);
	}
	link->stamp_count = 0;
}

void stamp_begin(struct inet_socket *sock)
{
	sock->stamp_next = 0;
	if (sock->tcp)
		sock->tcp->stamp_base = sock->options.stamping & STAMPING_OPT_ID_TCP ? sock->tcp->written : sock->tcp->acked;
}
