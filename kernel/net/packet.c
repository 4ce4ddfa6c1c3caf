/*
 * Packet sockets: names, what they receive and send. See kernel/net/packet.h.
 *
 * A frame is copied for each socket that wants it, into its queue or its ring (packet_ring.h).
 */
#include <asm/ioctls.h>
#include <asm/socket.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/if_ether.h>
#include <linux/ioctl.h>
#include <linux/sockios.h>

#include "kernel/mm.h"
#include "kernel/net/filter.h"
#include "kernel/net/options.h"
#include "kernel/net/packet.h"
#include "kernel/net/packet_ring.h"
#include "kernel/task.h"
#include "kernel/user_ns.h"
#include "ring0/clock.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"

#define FRAME_OVERHEAD 256u /* charged for each frame beside its bytes */
#define FRAME_MAX_BYTES 65550u
#define MIN_ADDRESS 12u /* of a struct sockaddr_ll: up to the hardware address */

struct queued_frame {
	TAILQ_ENTRY(queued_frame) link;
	size_t len, full; /* after and before the filter */
	struct sockaddr_ll from;
	int64_t time;
	uint32_t status, drops;
	uint16_t mac_len;
	uint8_t bytes[];
};

struct packet_socket {
	struct socket base;
	struct socket_options options;
	int64_t last_stamp; /* SIOCGSTAMP's */
	struct waitq wait;
	TAILQ_ENTRY(packet_socket) all;
	uint16_t protocol; /* Ethernet type, host order; 0: nothing is received */
	int index;         /* bound to this interface; 0: any */
	bool auxiliary, original_device, ignore_outgoing, bypass;
	int version;
	unsigned reserve, memberships;
	uint32_t seen, dropped; /* since PACKET_STATISTICS was last read */
	size_t queued;
	TAILQ_HEAD(, queued_frame) rx;
	struct packet_ring *ring;
};

static TAILQ_HEAD(, packet_socket) all_sockets = TAILQ_HEAD_INITIALIZER(all_sockets);
static const struct socket_ops packet_ops;
unsigned packet_socket_count;

static struct packet_socket *packet_of(struct socket *base)
{
	return container_of(base, struct packet_socket, base);
}

int packet_create(int type, int protocol, struct socket **out)
{
	struct packet_socket *sock;

	if (!net_capable(CAP_NET_RAW))
		return -EPERM;
	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	sock = kzalloc(sizeof(*sock));
	if (!sock)
		return -ENOMEM;
	sock->base.ops = &packet_ops;
	socket_init(&sock->base, type, protocol, &sock->wait, &sock->options);
	TAILQ_INIT(&sock->rx);
	sock->protocol = __builtin_bswap16((uint16_t)protocol);
	TAILQ_INSERT_TAIL(&all_sockets, sock, all);
	packet_socket_count++;
	*out = &sock->base;
	return 0;
}

static void packet_close(struct socket *base)
{
	struct packet_socket *sock = packet_of(base);
	struct queued_frame *frame;

	TAILQ_REMOVE(&all_sockets, sock, all);
	packet_socket_count--;
	while ((frame = TAILQ_FIRST(&sock->rx))) {
		TAILQ_REMOVE(&sock->rx, frame, link);
		kfree(frame);
	}
	packet_ring_destroy(sock->ring);
	socket_options_drop(&sock->options);
	kfree(sock);
}

/* ---- names ---- */

static int packet_bind(struct socket *base, struct socket_address *address)
{
	struct packet_socket *sock = packet_of(base);
	struct sockaddr_ll name;
	struct inet_device device;

	if (address->len < sizeof(name) || address->family != AF_PACKET)
		return -EINVAL;
	memcpy(&name, address, sizeof(name));
	if (name.sll_ifindex && !inet_find_device(name.sll_ifindex, NULL, &device))
		return -ENODEV;
	sock->index = name.sll_ifindex;
	if (name.sll_protocol)
		sock->protocol = __builtin_bswap16(name.sll_protocol);
	return 0;
}

static int packet_name(struct socket *base, bool peer, struct socket_address *address)
{
	struct packet_socket *sock = packet_of(base);
	struct sockaddr_ll name = {.sll_family = AF_PACKET};
	struct inet_device device;

	if (peer)
		return -EOPNOTSUPP;
	name.sll_ifindex = sock->index;
	name.sll_protocol = __builtin_bswap16(sock->protocol);
	if (inet_find_device(sock->index, NULL, &device)) {
		name.sll_hatype = device.loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
		name.sll_halen = ETH_ALEN;
		memcpy(name.sll_addr, device.mac, ETH_ALEN);
	}
	memcpy(address, &name, sizeof(name));
	address->len = sizeof(name) - sizeof(name.sll_addr) + name.sll_halen;
	return 0;
}

/* ---- what comes ---- */

static bool wants(const struct packet_socket *sock, const struct packet_frame *frame, uint16_t protocol)
{
	if (!sock->protocol || (sock->index && sock->index != frame->index) || frame->from == &sock->base)
		return false;
	if (frame->type == PACKET_OUTGOING && (sock->protocol != ETH_P_ALL || sock->ignore_outgoing))
		return false;
	return sock->protocol == ETH_P_ALL || sock->protocol == protocol;
}

static bool queue_frame(struct packet_socket *sock, const struct packet_ring_frame *frame)
{
	struct queued_frame *queued;

	if (sock->queued + frame->wanted + FRAME_OVERHEAD > sock->options.receive_buffer)
		return false;
	queued = kmalloc(sizeof(*queued) + frame->wanted);
	if (!queued)
		return false;
	queued->len = frame->wanted;
	queued->full = frame->len;
	queued->from = frame->from;
	queued->time = frame->time;
	queued->status = frame->status;
	queued->drops = sock->dropped;
	queued->mac_len = (uint16_t)frame->mac_len;
	memcpy(queued->bytes, frame->bytes, frame->wanted);
	TAILQ_INSERT_TAIL(&sock->rx, queued, link);
	sock->queued += frame->wanted + FRAME_OVERHEAD;
	return true;
}

static void offer(struct packet_socket *sock, const struct packet_frame *frame, const struct packet_ring_frame *template)
{
	struct packet_ring_frame out = *template;
	unsigned skip = sock->base.type == SOCK_RAW ? 0 : ETH_HLEN;
	struct flat_packet packet = {
		.base = {
			.byte = flat_packet_byte,
			.len = (uint32_t)(frame->len - skip),
			.network_at = sock->base.type == SOCK_RAW ? ETH_HLEN : 0,
			.protocol = __builtin_bswap16(out.from.sll_protocol),
			.hardware = out.from.sll_hatype,
			.packet_type = frame->type,
			.interface = (unsigned)frame->index,
		},
		.bytes = frame->bytes + skip,
	};

	out.bytes = packet.bytes;
	out.len = packet.base.len;
	out.mac_len = ETH_HLEN - skip;
	out.wanted = socket_filter_run(&sock->options, &packet.base, 1);
	if (!out.wanted && sock->options.filter)
		return;
	if (sock->ring ? !packet_ring_put(sock->ring, &out) : !queue_frame(sock, &out)) {
		sock->dropped++;
		return;
	}
	sock->seen++;
	if (!waitq_empty(&sock->wait))
		waitq_wake(&sock->wait, UINT32_MAX, EPOLLIN | EPOLLRDNORM);
}

void packet_deliver(const struct packet_frame *frame)
{
	struct packet_ring_frame out = {.time = clock_realtime(), .status = frame->checksum_missing ? TP_STATUS_CSUMNOTREADY : 0};
	struct packet_socket *sock;
	uint16_t protocol;

	if (frame->len < ETH_HLEN)
		return;
	out.from = (struct sockaddr_ll){.sll_family = AF_PACKET, .sll_ifindex = frame->index, .sll_pkttype = frame->type,
		.sll_hatype = frame->loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER, .sll_halen = ETH_ALEN};
	memcpy(&out.from.sll_protocol, frame->bytes + 2 * ETH_ALEN, sizeof(out.from.sll_protocol));
	memcpy(out.from.sll_addr, frame->bytes + ETH_ALEN, ETH_ALEN);
	protocol = __builtin_bswap16(out.from.sll_protocol);
	if (protocol < ETH_P_802_3_MIN)
		protocol = ETH_P_802_2;
	TAILQ_FOREACH(sock, &all_sockets, all)
		if (wants(sock, frame, protocol))
			offer(sock, frame, &out);
}

static int wait_for_frame(struct packet_socket *sock, uint64_t deadline)
{
	int rc = 0;

	if (TAILQ_EMPTY(&sock->rx))
		rc = deadline ? wait_event(&sock->wait, !TAILQ_EMPTY(&sock->rx), deadline, true) : -EAGAIN;
	return rc == -ETIMEDOUT ? -EAGAIN : rc;
}

static void report(struct packet_socket *sock, const struct queued_frame *frame, size_t given, struct socket_receive *receive)
{
	struct tpacket_auxdata aux = {.tp_status = TP_STATUS_USER | frame->status, .tp_len = (uint32_t)frame->full,
		.tp_snaplen = (uint32_t)given, .tp_net = frame->mac_len};

	if (receive->address) {
		memcpy(receive->address, &frame->from, sizeof(frame->from));
		receive->address->len = sizeof(frame->from);
	}
	socket_note_stamp(&sock->options, &sock->last_stamp, frame->time);
	socket_report(&sock->options, receive, frame->time, frame->drops);
	if (sock->auxiliary && receive->control)
		(void)receive->control(receive, SOL_PACKET, PACKET_AUXDATA, &aux, sizeof(aux));
}

static int64_t packet_receive(struct socket *base, struct socket_receive *receive)
{
	struct packet_socket *sock = packet_of(base);
	struct queued_frame *frame;
	size_t len;
	int rc;

	if (receive->flags & (MSG_OOB | MSG_ERRQUEUE))
		return receive->flags & MSG_OOB ? -EINVAL : -EAGAIN;
	rc = wait_for_frame(sock, receive->deadline);
	if (rc)
		return rc;
	frame = TAILQ_FIRST(&sock->rx);
	if (!frame)
		return packet_receive(base, receive); /* another receiver was quicker */
	TAILQ_REMOVE(&sock->rx, frame, link); /* while the copy may sleep; a peek puts it back */
	len = MIN(frame->len, receive->len);
	rc = len ? receive->copy->copy(receive->copy, frame->bytes, len) : 0;
	receive->out_flags = frame->len > len ? MSG_TRUNC : 0;
	if (!rc)
		report(sock, frame, frame->len, receive);
	rc = rc ? rc : (int)(receive->flags & MSG_TRUNC ? frame->len : len);
	if (receive->flags & MSG_PEEK) {
		TAILQ_INSERT_HEAD(&sock->rx, frame, link);
		return rc;
	}
	sock->queued -= frame->len + FRAME_OVERHEAD;
	kfree(frame);
	return rc;
}

static uint32_t packet_events(struct socket *base)
{
	struct packet_socket *sock = packet_of(base);
	bool there = sock->ring ? packet_ring_ready(sock->ring) : !TAILQ_EMPTY(&sock->rx);

	return EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND | (there ? EPOLLIN | EPOLLRDNORM : 0);
}

/* ---- what goes ---- */

/* Where a message goes: the interface, and for SOCK_DGRAM the header that it gets. */
static int destination(struct packet_socket *sock, const struct socket_send *send, struct inet_device *device,
	struct ethhdr *header)
{
	struct sockaddr_ll to = {.sll_ifindex = sock->index, .sll_protocol = __builtin_bswap16(sock->protocol)};
	bool dgram = sock->base.type == SOCK_DGRAM;

	if (send->address && send->address->len) {
		if (send->address->len < MIN_ADDRESS || send->address->family != AF_PACKET)
			return -EINVAL;
		memcpy(&to, send->address, MIN((unsigned)sizeof(to), send->address->len));
		if (dgram && (to.sll_halen > sizeof(to.sll_addr) || send->address->len < MIN_ADDRESS + to.sll_halen))
			return -EINVAL;
	}
	if (!inet_find_device(to.sll_ifindex, NULL, device))
		return -ENXIO;
	if (dgram && !device->loopback && (!send->address || !send->address->len))
		return -EINVAL;
	memcpy(header->h_dest, to.sll_addr, ETH_ALEN);
	memcpy(header->h_source, device->mac, ETH_ALEN);
	header->h_proto = to.sll_protocol;
	return 0;
}

static int64_t packet_send(struct socket *base, struct socket_send *send)
{
	struct packet_socket *sock = packet_of(base);
	size_t head = base->type == SOCK_DGRAM ? ETH_HLEN : 0;
	struct inet_device device;
	struct ethhdr header;
	uint8_t *frame;
	int rc = destination(sock, send, &device, &header);

	if (rc)
		return rc;
	if (send->len + head < ETH_HLEN)
		return -EINVAL;
	if (send->len + head > MIN((size_t)device.mtu + ETH_HLEN, (size_t)FRAME_MAX_BYTES))
		return -EMSGSIZE;
	frame = kmalloc(send->len + head);
	if (!frame)
		return -ENOBUFS;
	memcpy(frame, &header, head);
	rc = send->copy->copy(send->copy, frame + head, send->len);
	if (!rc)
		rc = inet_send_frame(device.index, frame, send->len + head, base);
	kfree(frame);
	return rc ? rc : (int64_t)send->len;
}

/* ---- options ---- */

/* Memberships count, and nothing else: every frame that the host hands over is seen anyway. */
static int membership(struct packet_socket *sock, int option, const void *value, unsigned len)
{
	struct packet_mreq request;
	struct inet_device device;

	if (len < sizeof(request))
		return -EINVAL;
	memcpy(&request, value, sizeof(request));
	if (option == PACKET_DROP_MEMBERSHIP) {
		if (!sock->memberships)
			return -EADDRNOTAVAIL;
		sock->memberships--;
		return 0;
	}
	if (!inet_find_device(request.mr_ifindex, NULL, &device))
		return -ENODEV;
	if (request.mr_type > PACKET_MR_UNICAST)
		return -EINVAL;
	if ((request.mr_type == PACKET_MR_MULTICAST || request.mr_type == PACKET_MR_UNICAST) && request.mr_alen != ETH_ALEN)
		return -EINVAL;
	sock->memberships++;
	return 0;
}

static int set_ring(struct packet_socket *sock, const void *value, unsigned len)
{
	struct packet_ring *ring = NULL;
	struct tpacket_req request;
	int rc = 0;

	if (len < sizeof(request) || sock->version != TPACKET_V2)
		return -EINVAL;
	memcpy(&request, value, sizeof(request));
	if (request.tp_block_nr && sock->ring)
		return -EBUSY;
	if (request.tp_block_nr)
		rc = packet_ring_create(&request, sock->reserve, &ring);
	else if (request.tp_frame_nr)
		rc = -EINVAL;
	if (rc)
		return rc;
	packet_ring_destroy(sock->ring); /* its memory stays for who has it mapped */
	sock->ring = ring;
	return 0;
}

static bool *flag_of(struct packet_socket *sock, int option)
{
	switch (option) {
	case PACKET_AUXDATA:
		return &sock->auxiliary;
	case PACKET_ORIGDEV: /* there are no devices on devices */
		return &sock->original_device;
	case PACKET_IGNORE_OUTGOING:
		return &sock->ignore_outgoing;
	case PACKET_QDISC_BYPASS: /* there is no queueing discipline */
		return &sock->bypass;
	default:
		return NULL;
	}
}

static int packet_set_option(struct socket *base, int level, int option, const void *value, unsigned len)
{
	struct packet_socket *sock = packet_of(base);
	bool *flag = flag_of(sock, option);
	int number;

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	if (option == PACKET_ADD_MEMBERSHIP || option == PACKET_DROP_MEMBERSHIP)
		return membership(sock, option, value, len);
	if (option == PACKET_RX_RING)
		return set_ring(sock, value, len);
	if (!flag && option != PACKET_VERSION && option != PACKET_RESERVE)
		return -ENOPROTOOPT;
	if (len < sizeof(number) || (len != sizeof(number) && option != PACKET_AUXDATA && option != PACKET_ORIGDEV))
		return -EINVAL;
	memcpy(&number, value, sizeof(number));
	if (flag) {
		if (option == PACKET_IGNORE_OUTGOING && (unsigned)number > 1)
			return -EINVAL;
		*flag = number != 0;
		return 0;
	}
	if (sock->ring)
		return -EBUSY;
	if (option == PACKET_VERSION) {
		if (number != TPACKET_V2 && number != TPACKET_V1)
			return -EINVAL;
		sock->version = number;
	} else {
		if (number < 0 || number > (int)PAGE_SIZE)
			return -EINVAL;
		sock->reserve = (unsigned)number;
	}
	return 0;
}

static int packet_get_option(struct socket *base, int level, int option, void *value, unsigned *len)
{
	struct packet_socket *sock = packet_of(base);
	struct tpacket_stats stats = {.tp_packets = sock->seen + sock->dropped, .tp_drops = sock->dropped};
	const bool *flag = flag_of(sock, option);
	int number = 0;

	if (level == SOL_SOCKET && (option == SO_ERROR || option == SO_ACCEPTCONN)) {
		number = 0;
	} else if (level != SOL_PACKET) {
		return -ENOPROTOOPT;
	} else if (option == PACKET_STATISTICS) {
		sock->seen = sock->dropped = 0;
		*len = sizeof(stats);
		memcpy(value, &stats, sizeof(stats));
		return 0;
	} else if (option == PACKET_HDRLEN) {
		if (*len < sizeof(number))
			return -EINVAL;
		memcpy(&number, value, sizeof(number));
		if (number != TPACKET_V2 && number != TPACKET_V1)
			return -EINVAL;
		number = number == TPACKET_V2 ? sizeof(struct tpacket2_hdr) : sizeof(struct tpacket_hdr);
	} else if (option == PACKET_VERSION) {
		number = sock->version;
	} else if (option == PACKET_RESERVE) {
		number = (int)sock->reserve;
	} else if (flag) {
		number = *flag;
	} else {
		return -ENOPROTOOPT;
	}
	*len = sizeof(number);
	memcpy(value, &number, sizeof(number));
	return 0;
}

static int64_t packet_ioctl(struct socket *base, unsigned cmd, uint64_t arg)
{
	struct packet_socket *sock = packet_of(base);
	const struct queued_frame *first = TAILQ_FIRST(&sock->rx);

	switch (cmd) {
	case FIONREAD:
		return put_user((int)(first ? first->len : 0), UADDR(arg));
	case SIOCOUTQ:
		return put_user(0, UADDR(arg));
	case SIOCGSTAMP_OLD:
	case SIOCGSTAMPNS_OLD:
	case SIOCGSTAMP_NEW:
	case SIOCGSTAMPNS_NEW:
		return socket_tell_stamp(&sock->options, &sock->last_stamp, cmd, arg);
	default:
		return -ENOTTY;
	}
}

static struct vm_object *packet_mapping(struct socket *base)
{
	struct packet_ring *ring = packet_of(base)->ring;

	return ring ? packet_ring_object(ring) : NULL;
}

static const struct socket_ops packet_ops = {
	.family = AF_PACKET,
	.bind = packet_bind,
	.name = packet_name,
	.send = packet_send,
	.receive = packet_receive,
	.events = packet_events,
	.set_option = packet_set_option,
	.get_option = packet_get_option,
	.ioctl = packet_ioctl,
	.mapping = packet_mapping,
	.close = packet_close,
};
