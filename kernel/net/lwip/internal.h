/*
 * What the files of this folder share. Order of use for everything that calls lwIP: stack_enter(), the calls,
 * stack_leave(); nothing in between may sleep. lwIP calls back into tcp.c and datagram.c, which change their sockets
 * and wake, and never call lwIP's output from there.
 *
 * Invariants:
 *  1. A struct tcp_link is referenced by its socket (while link->sock) and by its pcb (while link->pcb).
 *  2. link->sock is NULL once the socket is closed; link->pcb is NULL once lwIP has freed it.
 *  3. Bytes handed to lwIP without a copy lie in link->chunks until they are acknowledged or the pcb is gone; a chunk's
 *     memory stays for as long as pbufs refer to it (tcp_refer()), and is not written to.
 */
#ifndef KERNEL_NET_LWIP_INTERNAL_H
#define KERNEL_NET_LWIP_INTERNAL_H

#include <linux/errno.h>
#include <lwip/ip.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/net/inet.h"
#include "kernel/net/options.h"
#include "kernel/sysctl.h"
#include "kernel/task.h"
#include "kernel/wait.h"
#include "ring0/lib.h"

#define LOOPBACK_MTU 65536 /* as Linux says; lwIP counts one less */
#define INET_SHUT_RECEIVE 1u
#define INET_SHUT_SEND 2u
#define ICMP_FILTER_WORDS 8u

enum urgent_state { URGENT_NONE, URGENT_AWAITED, URGENT_THERE, URGENT_READ };
enum inet_state { INET_IDLE, INET_CONNECTING, INET_CONNECTED, INET_LISTENING, INET_DONE };

/* Bytes of a send that lwIP refers to, and over the loopback device the receiver's queue too. */
struct tcp_chunk {
	TAILQ_ENTRY(tcp_chunk) link; /* while they are not acknowledged */
	uint64_t end; /* of its bytes in the stream */
	uint32_t refs, len;
	char data[];
};

struct tcp_link {
	uint32_t refs;
	bool watched;
	bool urgent;         /* the byte before urgent_end (a sequence number) is, and not acknowledged yet */
	struct inet_socket *sock;
	struct tcp_pcb *pcb;
	uint64_t written, acked;
	LIST_ENTRY(tcp_link) watched_link; /* of those with TCP_USER_TIMEOUT, while `watched` */
	uint64_t stalled_since; /* ns; what was sent waits to be acknowledged since about then; 0: not known */
	uint16_t mss; /* what one packet holds; the pcb's may be a multiple, for the host to cut. 0: loopback */
	uint16_t peer_mss; /* as its SYN said */
	uint16_t segment;  /* what the pcb's is to be: it must not get below what waits to be sent */
	uint16_t packets;  /* a segment may have, by the largest congestion window that there was */
	uint32_t urgent_end;
	unsigned stamp_count;
	TAILQ_HEAD(, tcp_stamp) stamps; /* stamp.c's */
	uint64_t stamp_base;
	struct tcp_sacks *sacks; /* sack.c's; NULL: the peer holds nothing beyond what it has acknowledged */
	TAILQ_HEAD(, tcp_chunk) chunks;
};

/* How one packet leaves: as its socket is set, or as control messages say of it. */
struct outgoing {
	int index; /* of the link that is asked for; 0: none */
	uint8_t ttl, tos;
	uint16_t piece;  /* UDP_SEGMENT: bytes of each datagram that it is cut into; 0: it is one */
	uint32_t stamps; /* SOF_TIMESTAMPING_TX_*: of which steps the sender wants to know the time */
	uint32_t stamp_key;
};

/* A received datagram. */
struct inet_packet {
	TAILQ_ENTRY(inet_packet) link;
	struct pbuf *p; /* payload: what the program gets */
	ip_addr_t from, to;
	uint16_t port;
	uint8_t ifindex, ttl, tos;
	uint16_t piece; /* what it was put together of (UDP_GRO); 0: it is one */
	uint32_t drops; /* of the socket, before it */
	int64_t time;   /* ns since 1970 */
	/* for MSG_ERRQUEUE: a struct sock_extended_err (error.c); `from` is its sender, `to` our destination */
	int error;
	uint8_t origin, type, code;
	uint32_t info, data;
	uint8_t *options; /* IPv4's, as they came, for who asks for them; NULL: there are none */
	uint8_t options_len;
};

/* Where a datagram goes that several calls gather: as the first says. */
struct inet_gathering {
	ip_addr_t to, from;
	uint16_t port;
	struct outgoing out;
};

struct inet_socket {
	struct socket base;
	TAILQ_ENTRY(inet_socket) all;
	struct net_ns *net; /* referenced */
	struct waitq wait;
	int family;
	int error;         /* SO_ERROR: positive errno */
	unsigned shutdown; /* INET_SHUT_* */
	uint32_t uid;
	ip_addr_t local, remote; /* types as bound and connected; IPADDR_TYPE_ANY: both families */
	uint16_t local_port, remote_port;
	bool bound, connected;
	bool address_bound : 1; /* `local` was chosen by bind(2) */
	bool many_bound : 1;    /* it is a group or a broadcast address: who is sent to hears another source */
	bool rx_end;                          /* TCP: the peer has sent FIN */
	/* options */
	struct socket_options options;
	bool v6only, nodelay, cork, free_bind, no_check6, original_destination, report_queue, delay_acks, quick_acks;
	uint8_t discover, discover6; /* IP_PMTUDISC_*: of the path's MTU */
	bool dont_fragment6; /* IPV6_DONTFRAG */
	bool pass_security, original_destination6, pktinfo_old, hops_old; /* old: IPV6_2292PKTINFO and its kin */
	uint8_t unicast_if, unicast_if6; /* index of the link that datagrams to one address leave by; 0: as routed */
	uint8_t minimum_hops;
	bool receive_options, return_options; /* IP_RECVOPTS, IP_RETOPTS */
	uint16_t fragment_size6; /* IPV6_MTU: what datagrams are cut to, at most; 0: what the path carries */
	uint16_t checksum_place; /* IPV6_CHECKSUM: where raw packets have theirs, halved, plus 1; 0: nowhere */
	uint8_t state, urgent, urgent_byte; /* TCP: enum inet_state, enum urgent_state */
	bool pktinfo, pktinfo6, receive_ttl, receive_tos, receive_hops, receive_class, receive_errors;
	bool receive_errors6, header_included, multicast_loop, multicast_loop6, multicast_all, multicast_all6;
	bool whole, no_check6_receive; /* UDP_GRO, UDP_NO_CHECK6_RX */
	uint8_t tos, ttl, multicast_ttl, minimum_ttl;
	uint8_t multicast_if, multicast_if6; /* index of the link that multicast leaves by; 0: as routed */
	uint32_t multicast_from;         /* its source under IPv4, in network order; 0: the link's */
	uint32_t keep_idle, keep_interval, keep_count; /* s */
	uint32_t user_timeout; /* ms; 0: none */
	uint32_t defer_accept; /* s */
	uint32_t unsent_low, window_clamp; /* bytes; 0: none */
	uint16_t max_segment; /* TCP_MAXSEG */
	uint16_t rx_room;     /* bytes that rx_tail can still take */
	uint32_t window, window_since; /* what may be offered, 0: as at first; rcv_nxt when it last grew */
	struct mutex read_lock; /* receivers across the copy out, corked senders across the copy in */
	/* TCP */
	struct tcp_link *tcp; /* NULL: not used yet, or gone */
	struct pbuf *rx, *rx_tail; /* single pbufs linked by next; tot_len means nothing */
	size_t rx_bytes;
	uint64_t rx_read; /* bytes that were taken from the queue */
	int64_t rx_time; /* ns since 1970: when bytes came last; 0: nobody wanted to know. Datagrams: SIOCGSTAMP's */
	uint64_t urgent_at; /* its place in the stream, where rx_read begins at 0 */
	TAILQ_HEAD(inet_pending, inet_socket) pending; /* listening: established, not accepted */
	TAILQ_ENTRY(inet_socket) pending_link;
	struct tcp_deferral *deferral; /* not to be accepted yet (TCP_DEFER_ACCEPT): tcp_listen.c's; or NULL */
	unsigned pending_count, backlog;
	/* datagrams */
	TAILQ_HEAD(inet_packets, inet_packet) packets, errors;
	size_t packet_bytes;
	struct pbuf *corked; /* what has gathered for one datagram, with room for the header */
	struct inet_gathering *gathering; /* of what is corked; NULL: nothing ever was */
	int segment_size; /* UDP_SEGMENT; 0: none */
	uint32_t stamp_next; /* the number of the next message for SOF_TIMESTAMPING_OPT_ID */
	uint32_t drops;
	uint32_t zerocopy_next;  /* the number of the next send with MSG_ZEROCOPY */
	SLIST_HEAD(, multicast_membership) memberships; /* multicast.c */
	uint32_t *icmp_filter; /* raw ICMP: ICMP_FILTER_WORDS, a bit for each type that is not wanted; NULL: all are */
};


/* ---- stack.c ---- */
void stack_init(void);
void stack_enter(struct net_ns *net); /* the namespace's state is lwIP's from here on */
void stack_leave(void);

/* ---- stack_ns.c ---- */
extern struct net_ns *stack_net; /* whose state lwIP has */
extern TAILQ_HEAD(net_ns_list, net_ns) stack_all;
void stack_ns_init(void);
void stack_switch(struct net_ns *net);
static inline void stack_select(struct net_ns *net)
{
	if (stack_net != net)
		stack_switch(net);
}
/* The current task's: who asks for links, routes and neighbours, which only the first has. */
static inline struct net_ns *stack_user_net(void)
{
	return current && current->ns ? current->ns->net : &first_net_ns; /* the kernel's own tasks see the first */
}
static inline bool stack_user_is_first(void)
{
	return stack_user_net() == &first_net_ns;
}
/* The sockets of that namespace. */
#define INET_FOREACH(sock)                            \
	TAILQ_FOREACH(sock, &inet_sockets, all)       \
		if ((sock)->net != stack_net)         \
			continue;                     \
		else

/* IPV6_CHECKSUM: an even number, or -1. */
static inline int inet_checksum_at(const struct inet_socket *sock)
{
	return sock->checksum_place ? (sock->checksum_place - 1) * 2 : -1;
}

void stack_device_used(void); /* a frame came or went: ARP, ND and reassembly tick for a while */
int stack_error(err_t err); /* lwIP's as -errno */

/* The first thing of every operation: lwIP has its namespace's state until something sleeps; stack_enter() and route_find_for() see to it again. */
static inline struct inet_socket *inet_of(struct socket *base)
{
	struct inet_socket *sock = container_of(base, struct inet_socket, base);

	stack_select(sock->net);
	return sock;
}

/* ---- loop.c ---- */
extern struct netif loop_netif;
void loop_init(void);
void loop_drain(void);
/* Between these calls (NULL ends it) what is queued comes in as if by that link, which has sent it to us, too. */
void loop_pretend(struct netif *netif);
void loop_cut(uint16_t piece); /* what is queued until the next call is datagrams of this size in one; 0: is not */
int loop_send_frame(const void *frame, size_t len, const struct socket *from); /* inet_send_frame() on it */
/* A whole IP packet to ourselves: a copy is queued, but for bytes of TCP's that can be referred to. */
err_t loop_queue(const struct netif *netif, struct pbuf *p);

/* ---- route.c ---- */
bool route_is_local(const ip_addr_t *address);
/* The interface towards `to`, and the source address to use (*from is set unless it is given). NULL: -ENETUNREACH. */
struct netif *route_find(const ip_addr_t *to, ip_addr_t *from);
bool route_is_broadcast(const ip_addr_t *to); /* all hosts' address, or that of a network which a link of ours is in */
/* Bind: an address of ours, any, or multicast. */
bool route_can_bind(const ip_addr_t *address);

int route_index_of(uint32_t address); /* the link that has this IPv4 address (network order); 0: none */
/* By the interface of this index, whatever the routes say. */
struct netif *route_find_by(int index, const ip_addr_t *to, ip_addr_t *from);
/* The same for a socket: by the interface that it is bound to, and not by a gateway if `direct`. */
struct netif *route_find_for(const struct inet_socket *sock, const ip_addr_t *to, ip_addr_t *from, bool direct);

/* Bytes of an IP packet on an interface; lwIP's own number is larger, so that it makes segments for the host to cut. */
uint16_t device_mtu(const struct netif *netif);
void device_fragment(struct netif *netif, bool now); /* datagrams are cut to the MTU, between these two calls */
/* The same for one datagram, to what its path carries; `whole`: it says that nobody may cut it (DF of IPv4). */
void device_fragment_to(struct netif *netif, uint16_t mtu, bool whole);
void device_show_mtu(struct netif *netif); /* lwIP looks at the MTU of an IPv6 destination next */

/* ---- address.c ---- */
void address_from_bytes(int family, const uint8_t *bytes, ip_addr_t *ip); /* in network order, 4 or 16 */
/* sockaddr_in, sockaddr_in6 (IPv4-mapped becomes IPv4). 0, -EINVAL, -EAFNOSUPPORT. */
int address_decode(const struct inet_socket *sock, const struct socket_address *from, ip_addr_t *ip, uint16_t *port);
/* Where only the socket's own family will do, before that is decoded: 0, -EINVAL, -EAFNOSUPPORT (IPv6 sockets). */
int address_check_own(const struct inet_socket *sock, const struct socket_address *from);
void address_encode(int family, const ip_addr_t *ip, uint16_t port, struct socket_address *to);

/* ---- socket.c ---- */
struct inet_socket *inet_alloc(int family, int type, int protocol);
void inet_free(struct inet_socket *sock);
int inet_take_error(struct inet_socket *sock);
void inet_wake(struct inet_socket *sock, uint32_t events);
bool inet_port_in_use(const struct inet_socket *sock, const ip_addr_t *ip, uint16_t port);
TAILQ_HEAD(inet_list, inet_socket);
extern struct inet_list inet_sockets;
extern unsigned inet_raw_sockets; /* how many of them are raw or ping sockets */

/* ---- option.c ---- */
int inet_set_option(struct socket *base, int level, int option, const void *value, unsigned len);
int inet_get_option(struct socket *base, int level, int option, void *value, unsigned *len);
int64_t inet_ioctl(struct socket *base, unsigned cmd, uint64_t arg);
struct net_ns *inet_net(struct socket *base);
void inet_options_changed(struct socket *base, int option);

/* ---- option_tcp.c ---- */
void inet_apply_tcp_options(struct inet_socket *sock);
int tcp_set_option(struct inet_socket *sock, int option, const void *value, unsigned len);
int tcp_get_option(struct inet_socket *sock, int option, void *value, unsigned *len);

/* ---- tcp.c, tcp_data.c ---- */
extern const struct socket_ops tcp4_ops, tcp6_ops;
struct tcp_link *tcp_link_of(const struct tcp_pcb *pcb);
struct tcp_link *tcp_link_new(struct inet_socket *sock, struct tcp_pcb *pcb);
void tcp_link_put(struct tcp_link *link);
size_t tcp_send_room(const struct inet_socket *sock);
int64_t tcp_socket_send(struct socket *base, struct socket_send *send);
int64_t tcp_socket_receive(struct socket *base, struct socket_receive *receive);
err_t tcp_on_receive(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err);
err_t tcp_on_sent(void *arg, struct tcp_pcb *pcb, u16_t len);
void tcp_order_tail(struct tcp_pcb *pcb); /* before bytes or FIN are given to lwIP */
void tcp_drop_received(struct inet_socket *sock);
void tcp_chunk_put(struct tcp_chunk *chunk);
/* A pbuf for the same bytes as `piece` has, if they lie in one of the connection's chunks; NULL: they do not, or -ENOMEM. */
struct pbuf *tcp_refer(const struct tcp_link *link, const struct pbuf *piece);
void tcp_release_deferred(struct inet_socket *sock); /* it may be accepted now */
void tcp_drop_deferral(struct inet_socket *sock);    /* if there is one: the socket ends, or may be accepted */
void tcp_watch(struct inet_socket *sock); /* it has a TCP_USER_TIMEOUT, or has none any more */
void tcp_end_stalled(uint64_t now);       /* connections of this namespace whose TCP_USER_TIMEOUT is over */
unsigned tcp_linux_state(const struct inet_socket *sock);
unsigned tcp_linux_state_of(const struct tcp_pcb *pcb);

/* Sizes a connection's packets by its peer's MSS, its options and what the path carries, and then its segments. */
void tcp_use_segments(struct tcp_link *link, uint32_t window);
void tcp_size_segments(struct tcp_link *link, uint32_t window); /* by its congestion window and the peer's: over links */
void tcp_fix_syn(struct tcp_hdr *header, const struct tcp_pcb *pcb); /* one that lwIP is about to send */

/* tcp.c's, for its other files */
int tcp_need_pcb(struct inet_socket *sock); /* 0, -ENOBUFS, -ENOMEM */
int tcp_bind_to(struct inet_socket *sock, const ip_addr_t *ip, uint16_t port);
void tcp_unlink_socket(struct inet_socket *sock); /* it lets go of its control block */
bool tcp_name_overlaps(const struct inet_socket *a, const ip_addr_t *a_ip, const struct inet_socket *b);

/* ---- tcp_urgent.c ---- */
void tcp_urgent_sent(struct tcp_link *link); /* the last byte that was given to lwIP is urgent */
void tcp_urgent_acknowledged(struct tcp_link *link); /* bytes were */
void tcp_urgent_mark(struct tcp_hdr *header, const struct tcp_pcb *pcb); /* of a segment that is about to be sent; pcb may be NULL */
void tcp_urgent_input(struct tcp_pcb *pcb, const struct tcp_hdr *header, const struct pbuf *p); /* lwIP is about to take it */
bool tcp_urgent_is_next(const struct inet_socket *sock); /* a reader is at the mark */
size_t tcp_urgent_before(const struct inet_socket *sock, size_t skip, size_t n); /* how many of n bytes come before the mark */
void tcp_urgent_passed(struct inet_socket *sock); /* bytes were read, perhaps beyond it */
int tcp_urgent_readable(const struct inet_socket *sock); /* FIONREAD */
int64_t tcp_urgent_receive(struct inet_socket *sock, struct socket_receive *receive); /* MSG_OOB; may sleep in the copy */
void tcp_skip_byte(struct inet_socket *sock); /* tcp_data.c: the next one is read by nobody; the read lock is held */

/* ---- resolver_tcp.c ---- */
/* Which port a connection really goes to: that of the engine's name server is served here. Nothing sleeps. */
uint16_t resolver_tcp_port(const ip_addr_t *to, uint16_t port);

/* ---- tcp_tune.c ---- */
#define TCP_WINDOW_FIRST (384u * 1024) /* bytes offered at first */
void tcp_set_first_timeout(struct tcp_pcb *pcb);
void tcp_take_first_measure(struct tcp_pcb *pcb);
size_t tcp_send_limit(const struct inet_socket *sock);     /* bytes that may wait to be acknowledged */
uint64_t tcp_window_limit(const struct inet_socket *sock); /* bytes that may be offered */
void tcp_tune_window(struct inet_socket *sock);            /* bytes were read; it has a control block */
void tcp_limit_window(struct tcp_pcb *pcb, const struct inet_socket *sock);

/* ---- tcp_listen.c ---- */
void tcp_note_names(struct inet_socket *sock, const struct tcp_pcb *pcb);
bool tcp_pass_on(struct inet_socket *holder); /* it stops to listen: whether another of its group has taken over */
struct inet_socket *tcp_first_ready(const struct inet_socket *sock); /* to accept; NULL */
int tcp_socket_listen(struct socket *base, int backlog);
int tcp_socket_accept(struct socket *base, uint64_t deadline, struct socket **out);
bool tcp_listener_has_room(struct tcp_link *link, uint16_t port); /* for a connection from that port */

/* ---- segment.c ---- */
#define TCP_MSS_MIN 48u /* as Linux: net.ipv4.tcp_min_snd_mss */
/* A packet that came, at whose byte `at` its protocol begins. */
void tcp_before_input(const struct pbuf *p, uint8_t protocol, unsigned at);
void tcp_fix_reset(struct tcp_hdr *header); /* one that lwIP is about to send */

/* ---- sack.c ---- */
/* A segment acknowledges up to `ack`, with so many blocks of SACK as they came; lwIP has not seen it yet. */
void sack_acknowledge(struct tcp_pcb *pcb, uint32_t ack, const uint8_t *blocks, unsigned count);
void sack_forget(struct tcp_link *link);
void sack_before_tick(void); /* around each tcp_slowtmr() */
void sack_after_tick(void);

/* ---- path.c ---- */
uint16_t path_mtu(const ip_addr_t *to, struct netif *netif); /* what datagrams by it are cut to; the loopback's own */
uint16_t path_carries(const ip_addr_t *to, uint16_t mtu); /* what the path carries, at most the link's mtu */
void path_limit6(uint16_t mtu); /* what is sent now is cut to no more than this; 0: that is over */
void path_note(const ip_addr_t *to, uint32_t mtu); /* it carries no more than this, says ICMP about a datagram of ours */
/* ICMP says that a segment of ours (ports in host order) is larger than mtu. */
void path_too_big(const ip_addr_t *from, uint16_t from_port, const ip_addr_t *to, uint16_t to_port, uint32_t seq, uint32_t mtu);
bool path6_takes(struct pbuf *p, uint8_t protocol, unsigned at); /* then p is of no more use */

/* ---- unanswered.c; all in the stack ---- */
void unanswered_note4(struct netif *netif, const struct pbuf *p, const ip4_addr_t *to); /* a packet leaves: kept if its hop is not known */
void unanswered_note6(struct netif *netif, const struct pbuf *p, const ip6_addr_t *to); /* it waits for its next hop */
void unanswered_forget(const struct netif *netif); /* it goes */
void unanswered_tick(void); /* once a second */

/* ---- error.c ---- */
/* What is beyond what the path carries: queues that for who wants it (IP_RECVERR); -EMSGSIZE. */
int error_too_long(struct inet_socket *sock, const ip_addr_t *to, uint16_t port, uint32_t mtu);
/* A step of a message of ours (ee_info) has been taken just now; p: what is shown of it, or NULL. */
void error_stamped(struct inet_socket *sock, const struct pbuf *p, uint32_t step, uint32_t key);
void error_zerocopy_done(struct inet_socket *sock); /* a send with MSG_ZEROCOPY: its memory is the program's again */
int64_t error_receive(struct inet_socket *sock, struct socket_receive *receive); /* MSG_ERRQUEUE */
void error_drop_all(struct inet_socket *sock);

/* ---- stamp.c: SO_TIMESTAMPING ---- */
void stamp_number(struct inet_socket *sock, struct outgoing *out); /* a message begins: it gets its number */
/* p has left, from its IP header (bare) or its Ethernet header on. In the stack. */
void stamp_sent(struct inet_socket *sock, const struct pbuf *p, bool bare, uint32_t stamps, uint32_t key);
void stamp_begin(struct inet_socket *sock); /* SOF_TIMESTAMPING_OPT_ID: messages are counted from now on */
void stamp_written(struct tcp_link *link, uint32_t stamps); /* a message's last byte was given to lwIP */
void stamp_progress(struct tcp_link *link); /* bytes were sent, or acknowledged */
void stamp_drop_all(struct tcp_link *link);
/* control.c: what a message's own SO_TIMESTAMPING says instead of the socket's, for TCP. 0 or -EINVAL. */
int control_stamps(const struct socket_send *send, uint32_t *stamps);

/* ---- datagram.c ---- */
extern const struct socket_ops datagram4_ops, datagram6_ops;
int datagram_push(struct inet_socket *sock); /* UDP_CORK ends: what has gathered is sent. 0 or -errno */

#endif
