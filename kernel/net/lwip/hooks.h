/*
 * The questions that lwIP asks the port while it works (lwipopts.h names them).
 */
#ifndef KERNEL_NET_LWIP_HOOKS_H
#define KERNEL_NET_LWIP_HOOKS_H

#include <lwip/ip_addr.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/prot/tcp.h>

int lwip_port_ip4_input(struct pbuf *p, struct netif *netif); /* 1: taken */
int lwip_port_ip6_input(struct pbuf *p, struct netif *netif);
struct netif *lwip_port_ip4_route(const ip4_addr_t *src, const ip4_addr_t *dest);
struct netif *lwip_port_ip6_route(const ip6_addr_t *src, const ip6_addr_t *dest);
const ip4_addr_t *lwip_port_ip4_gateway(struct netif *netif, const ip4_addr_t *dest);
const ip6_addr_t *lwip_port_ip6_gateway(struct netif *netif, const ip6_addr_t *dest);
struct tcp_pcb;
/* Before lwIP takes a segment, p its data, with `len` bytes of options, of which `here` follow the header; not ERR_OK: it is dropped. */
err_t lwip_port_tcp_segment(struct tcp_pcb *pcb, struct tcp_hdr *header, u16_t len, u16_t here, const struct pbuf *p);
u32_t *lwip_port_tcp_options(struct tcp_hdr *header, const struct tcp_pcb *pcb, u32_t *options);
u32_t lwip_port_tcp_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote, u16_t remote_port);

#endif
