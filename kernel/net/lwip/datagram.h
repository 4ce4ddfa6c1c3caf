/*
 * What the files of datagram sockets share: datagram.c (the calls), datagram_in.c (packets that come), control.c
 * (control messages).
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
#define ICMP6_UNREACHABLE 1
#define ICMP6_ECHO 128
#define ICMP6_ECHO_REPLY 129

void datagram_free_packet(struct inet_packet *packet);

/* IP_PKTINFO and its like on the way out: may set the source. 0, -EINVAL. */
int control_decode(struct inet_socket *sock, const struct socket_send *send, ip_addr_t *from);
/* What the socket has asked to be told about a packet. */
void control_report(const struct inet_socket *sock, const struct inet_packet *packet, struct socket_receive *receive);
/* An error's IP_RECVERR. */
void control_report_error(const struct inet_socket *sock, const struct inet_packet *packet, struct socket_receive *receive);

#define DNS_PORT 53u
/* resolver.c: does this datagram (from its UDP header on) go to the name server at 127.0.0.11? Then it is taken. */
bool resolver_query(struct pbuf *p);
bool resolver_is_there(void);
int resolver_start(uint32_t fd); /* 0 or -ENOMEM */

#endif
