/*
 * Packets that wait for a neighbour's address, under IPv6.
 *
 * lwIP's nd6_send_q() takes packet after packet from a neighbour's queue until none is left. But where the table of
 * neighbours is full, a packet's next hop may need a new entry, and get the very one whose queue is being sent: the packet goes
 * back to the queue that it came from, for ever. So one message of a neighbour may make no more packets wait than there is room
 * for; what comes then is dropped. nd6.c's own functions are renamed (CMakeLists.txt).
 *
 * lwIP bounds what waits by the number of its entries, which come from the heap here: so what waits for one neighbour is
 * bounded by us, in bytes, as on Linux.
 */
#include <lwip/memp.h>
#include <lwip/nd6.h>
#include <lwip/priv/nd6_priv.h>

#include "kernel/net/lwip/device.h"

#define WAITING_BYTES (208u * 1024) /* for one neighbour: net.ipv6.neigh.default.unres_qlen_bytes */
#define PACKET_BYTES 512u /* of each, beside its own */

void nd6_take(struct pbuf *p, struct netif *netif);
err_t nd6_next_hop_or_queue(struct netif *netif, struct pbuf *p, const ip6_addr_t *to, const u8_t **address);

static bool taking; /* a message of a neighbour */
static unsigned queued; /* while it is taken */

void nd6_input(struct pbuf *p, struct netif *netif)
{
	taking = true;
	queued = 0;
	nd6_take(p, netif);
	taking = false;
}

/* The oldest give way. */
static void bound_queue(struct nd6_neighbor_cache_entry *neighbour)
{
	struct nd6_q_entry *q;
	size_t bytes = 0;

	for (q = neighbour->q; q; q = q->next)
		bytes += q->p->tot_len + PACKET_BYTES;
	while (bytes > WAITING_BYTES) {
		q = neighbour->q;
		neighbour->q = q->next;
		bytes -= q->p->tot_len + PACKET_BYTES;
		pbuf_free(q->p);
		memp_free(MEMP_ND6_QUEUE, q);
	}
}

/* One that says to be a router; ours come with the configuration and by netlink. */
static void forget_router(struct nd6_neighbor_cache_entry *n)
{
	n->isrouter = 0;
	for (unsigned i = 0; i < LWIP_ND6_NUM_ROUTERS; i++)
		if (default_router_list[i].neighbor_entry == n)
			memset(&default_router_list[i], 0, sizeof(default_router_list[i]));
}

bool neighbour6_forget(int index, const uint8_t *address)
{
	for (unsigned i = 0; i < LWIP_ND6_NUM_NEIGHBORS; i++) {
		struct nd6_neighbor_cache_entry *n = &neighbor_cache[i];

		if (n->state == ND6_NO_ENTRY || netif_get_index(n->netif) != index ||
		    memcmp(n->next_hop_address.addr, address, sizeof(n->next_hop_address.addr)))
			continue;
		while (n->q) {
			struct nd6_q_entry *q = n->q;

			n->q = q->next;
			pbuf_free(q->p);
			memp_free(MEMP_ND6_QUEUE, q);
		}
		forget_router(n);
		n->state = ND6_NO_ENTRY;
		n->netif = NULL;
		ip6_addr_set_any(&n->next_hop_address); /* destinations that refer to it see that it is another's */
		return true;
	}
	return false;
}

err_t nd6_get_next_hop_addr_or_queue(struct netif *netif, struct pbuf *p, const ip6_addr_t *to, const u8_t **address)
{
	err_t rc;

	if (taking && queued == MEMP_NUM_ND6_QUEUE)
		return ERR_MEM;
	rc = nd6_next_hop_or_queue(netif, p, to, address);
	if (rc != ERR_OK || *address)
		return rc;
	queued++;
	unanswered_note6(netif, p, to);
	for (unsigned i = 0; i < LWIP_ND6_NUM_NEIGHBORS; i++)
		bound_queue(&neighbor_cache[i]);
	return rc;
}
