/*
 * lwIP's options (lwip/opt.h describes each). The raw API under the kernel lock, memory from the kernel's heap, no
 * sockets, no DNS, no DHCP: the sentry has its own sockets, and addresses and routes come with the configuration.
 * UDP, ICMP to programs and raw sockets are ours too (datagram.c): udp.c and raw.c of lwIP are not compiled.
 */
#ifndef KERNEL_NET_LWIP_LWIPOPTS_H
#define KERNEL_NET_LWIP_LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_TIMERS 0 /* stack.c has the timers: off when nothing is to be done */
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_DNS 0
#define LWIP_DHCP 0
#define LWIP_AUTOIP 0
#define LWIP_STATS 1
#define LWIP_STATS_LARGE 1
#define MIB2_STATS 1
#define IP6_STATS 1
#define ICMP6_STATS 1
#define LINK_STATS 0
#define ETHARP_STATS 0
#define IP_STATS 0
#define IPFRAG_STATS 0
#define ICMP_STATS 0
#define IGMP_STATS 0
#define UDP_STATS 0
#define TCP_STATS 0
#define MEM_STATS 0
#define MEMP_STATS 0
#define SYS_STATS 0
#define IP6_FRAG_STATS 0
#define MLD6_STATS 0
#define ND6_STATS 0
#define LWIP_NETIF_LOOPBACK 0
#define LWIP_HAVE_LOOPIF 0
#define LWIP_SINGLE_NETIF 0
#define LWIP_NETIF_HWADDRHINT 1 /* also tells the driver which connection a frame is of */
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_CHECKSUM_ON_COPY 0
#define LWIP_NETIF_TX_SINGLE_PBUF 0

#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 8
#define PBUF_POOL_BUFSIZE 2048
#define PBUF_LINK_HLEN 16 /* Ethernet; keeps IP headers aligned */
#define LWIP_SUPPORT_CUSTOM_PBUF 1

#define LWIP_IPV4 1
#define LWIP_ARP 1
#define LWIP_ETHERNET 1
#define ARP_TABLE_SIZE 256
#define ARP_QUEUEING 1
#define ARP_QUEUE_LEN 16
#define ETHARP_SUPPORT_STATIC_ENTRIES 1
#define ETHARP_TRUST_IP_MAC 0
#define IP_FORWARD 0
#define IP_REASSEMBLY 1
#define IP_REASS_MAX_PBUFS 512
#define IP_FRAG 1
#define IP_OPTIONS_ALLOWED 1
#define IP_DEFAULT_TTL 64
#define IP_SOF_BROADCAST 0
#define LWIP_ICMP 1
#define LWIP_BROADCAST_PING 0
#define LWIP_MULTICAST_PING 0
#define LWIP_IGMP 1
#define LWIP_MULTICAST_TX_OPTIONS 0
#define LWIP_RAW 1
#define LWIP_UDP 1
#define LWIP_UDPLITE 0

#define LWIP_IPV6 1
#define LWIP_IPV6_NUM_ADDRESSES 8
#define LWIP_IPV6_SCOPES 1
#define LWIP_IPV6_FORWARD 0
#define LWIP_IPV6_FRAG 1
#define LWIP_IPV6_REASS 1
#define IPV6_FRAG_COPYHEADER 1
#define LWIP_IPV6_AUTOCONFIG 0
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 0
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS 0 /* the addresses that are taken over have been checked */
#define LWIP_IPV6_DHCP6 0
#define LWIP_IPV6_MLD 1
#define LWIP_ICMP6 1
#define LWIP_ICMP6_HL IP_DEFAULT_TTL /* of answers and errors; ND has its own */
#define LWIP_ND6_NUM_NEIGHBORS 64
#define LWIP_ND6_NUM_DESTINATIONS 64
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 0
#define LWIP_ND6_TCP_REACHABILITY_HINTS 1
#define MEMP_NUM_ND6_QUEUE 64

#define LWIP_TCP 1
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1 /* they hold a segment to a quarter of 64 KiB */
#define LWIP_CALLBACK_API 1
#define LWIP_TCP_PCB_NUM_EXT_ARGS 1
#define TCP_LISTEN_BACKLOG 1
#define TCP_DEFAULT_LISTEN_BACKLOG 0xff
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 7
#define TCP_WND (6u * 1024 * 1024) /* the largest of both; tcp_tune.c has what a connection begins with */
#define TCP_MSS 61400
#define TCP_CALCULATE_EFF_SEND_MSS 1
#define TCP_SND_BUF (4u * 1024 * 1024)
#define TCP_SND_QUEUELEN 8192
#define TCP_SNDLOWAT 4096 /* not used: sockets ask tcp_sndbuf() */
#define TCP_SNDQUEUELOWAT 16
#define TCP_OVERSIZE 1024
#define TCP_WND_UPDATE_THRESHOLD (96u * 1024)
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_MAX_SACK_NUM 4
#define LWIP_TCP_TIMESTAMPS 1
#define LWIP_TCP_KEEPALIVE 1
#define TCP_QUEUE_OOSEQ 1
#define TCP_OOSEQ_MAX_BYTES TCP_WND
#define TCP_OOSEQ_MAX_PBUFS 4096
#define TCP_TMR_INTERVAL 40 /* ms: delayed acknowledgements, as Linux; twice that is the unit of retransmission */
#define TCP_SYNMAXRTX 6
#define TCP_MAXRTX 12
#define TCP_MSL 30000UL /* 60 s of TIME_WAIT, as Linux */
#define SO_REUSE 1
#define TCP_LOCAL_PORT_RANGE_START 32768
#define TCP_LOCAL_PORT_RANGE_END 60999
#define TCP_ENSURE_LOCAL_PORT_RANGE(port) \
	((u16_t)(TCP_LOCAL_PORT_RANGE_START + (port) % (TCP_LOCAL_PORT_RANGE_END - TCP_LOCAL_PORT_RANGE_START)))

#define LWIP_HOOK_FILENAME "kernel/net/lwip/hooks.h"
#define LWIP_HOOK_IP4_INPUT(p, netif) lwip_port_ip4_input((p), (netif))
#define LWIP_HOOK_IP6_INPUT(p, netif) lwip_port_ip6_input((p), (netif))
#define LWIP_HOOK_IP4_ROUTE_SRC(src, dest) lwip_port_ip4_route((src), (dest))
#define LWIP_HOOK_IP6_ROUTE(src, dest) lwip_port_ip6_route((src), (dest))
#define LWIP_HOOK_ETHARP_GET_GW(netif, dest) lwip_port_ip4_gateway((netif), (dest))
#define LWIP_HOOK_ND6_GET_GW(netif, dest) lwip_port_ip6_gateway((netif), (dest))
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, header, len, here, rest, p) lwip_port_tcp_segment((pcb), (header), (len), (here), (p))
#define LWIP_HOOK_TCP_OUT_TCPOPT_LENGTH(pcb, len) (len)
#define LWIP_HOOK_TCP_OUT_ADD_TCPOPTS(p, header, pcb, options) lwip_port_tcp_options((header), (pcb), (options))
#define LWIP_HOOK_TCP_ISN(local, local_port, remote, remote_port) lwip_port_tcp_isn((local), (local_port), (remote), (remote_port))

#endif
