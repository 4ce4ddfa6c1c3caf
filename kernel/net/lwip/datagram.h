/*
 * What the files of datagram sockets share: datagram.c (the calls), datagram_in.c (packets that come),
 * datagram_out.c (those that leave), control.c (control messages).
 */
#ifndef KERNEL_NET_LWIP_DATAGRAM_H
#define KERNEL_NET_LWIP_DATAGRAM_H

#include "kernel/net/lwip/internal.h"

/* The first bytes of ICMP messages of both versions (RFC 792, RFC 4443). */
struct icmp_head {
	uint8_t type, code;
	uint16_t checksum, id, sequence;
};

#define ICMP4_ECHO_REPLY 0
#define ICMP4_UNREACHABLE 3
#define ICMP4_TOO_BIG 4 /* a code of ICMP4_UNREACHABLE */
#define ICMP4_ECHO 8
#define ICMP4_TIME_EXCEEDED 11
#define ICMP4_PARAMETER 12
#define ICMP6_UNREACHABLE 1
#define ICMP6_TOO_BIG 2
#define ICMP6_TIME_EXCEEDED 3
#define ICMP6_PARAMETER 4
#define ICMP6_ECHO 128
#define ICMP6_ECHO_REPLY 129

#define PACKET_OVERHEAD 256u /* charged for each packet beside its bytes */

static inline size_t datagram_charge(const struct inet_packet *packet)
{
	return packet->p->tot_len + PACKET_OVERHEAD;
}

/* <linux/errqueue.h> needs a C library. */
struct sock_extended_err {
	uint32_t ee_errno;
	uint8_t ee_origin, ee_type, ee_code, ee_pad;
	uint32_t ee_info, ee_data;
};

#define SO_EE_ORIGIN_LOCAL 1
#define SO_EE_ORIGIN_ICMP 2
#define SO_EE_ORIGIN_ICMP6 3
#define SO_EE_ORIGIN_TIMESTAMPING 4
#define SO_EE_ORIGIN_ZEROCOPY 5
#define SO_EE_CODE_ZEROCOPY_COPIED 1

/* datagram.c, for the sender */
bool datagram_has_ports(const struct inet_socket *sock);
int datagram_autobind(struct inet_socket *sock); /* 0 or -EAGAIN */
int datagram_check_version(const struct inet_socket *sock, const ip_addr_t *to); /* whether it may talk to an address of this kind */
/* The link and the source of a datagram. index: of the link that IP_PKTINFO asks for; 0: none. */
struct netif *datagram_route(const struct inet_socket *sock, const ip_addr_t *to, ip_addr_t *from, int index, bool direct);
int64_t datagram_send(struct socket *base, struct socket_send *send);

void datagram_free_packet(struct inet_packet *packet);
int datagram_copy_payload(const struct inet_packet *packet, struct socket_receive *receive, size_t len); /* 0 or -EFAULT; may sleep */
/* The UDP socket that a packet is for; NULL: none. */
struct inet_socket *datagram_find(const ip_addr_t *to, uint16_t to_port, const ip_addr_t *from, uint16_t from_port,
	const struct netif *netif);

/* datagram_in.c: the TTL and its kin of the packet that comes in now, and its link. */
void datagram_note_header(struct inet_packet *packet);

/* error.c: an ICMP message that came, its header at byte `at`: sockets are told what it says of their packets. */
void error_icmp4(struct pbuf *p, uint16_t at, const struct netif *netif);
void error_icmp6(struct pbuf *p, uint16_t at, const struct netif *netif);

/*
 * Of how many bytes the frame is that comes in now (0: none does); and of how many each datagram of which a packet that comes in
 * now is made, one behind the other (0: it is one).
 */
extern size_t datagram_frame;
extern uint16_t datagram_piece;

/* IP_PKTINFO, IP_TTL, IP_TOS and their like on the way out: may set the source, too. 0, -EINVAL, -EADDRNOTAVAIL, -ENODEV. */
int control_decode(struct inet_socket *sock, const struct socket_send *send, ip_addr_t *from, struct outgoing *out);
/* What the socket has asked to be told about a packet. */
void control_report(const struct inet_socket *sock, const struct inet_packet *packet, struct socket_receive *receive);
/* An error's IP_RECVERR. */
void control_report_error(const struct inet_socket *sock, const struct inet_packet *packet, struct socket_receive *receive);

#define DNS_PORT 53u
/* resolver.c: does this datagram (from its UDP header on) go to the name server at 127.0.0.11? Then it is taken. */
bool resolver_query(struct pbuf *p);
bool resolver_is_there(void);
void resolver_use(uint32_t fd);
/*
 * The answer to a query (of at least a header): its length, and in *out (kfree) two bytes and then the answer. 0: none
 * came by the deadline, or there is no memory. Sleeps.
 */
size_t resolver_ask(const uint8_t *query, size_t len, uint64_t deadline, uint8_t **out);

#endif
