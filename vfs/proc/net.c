/*
 * /proc/PID/net (proc(5)): sockets, devices, addresses, routes and neighbours, from the tables of kernel/net/.
 */
#include <linux/errno.h>

#include "kernel/net/hostnet.h"
#include "kernel/net/inet.h"
#include "kernel/net/netlink.h"
#include "kernel/net/unix.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"
#include "vfs/proc/net.h"
#include "vfs/proc/proc.h"

static void show_unix_socket(void *seq, const struct unix_summary *s)
{
	seq_printf(seq, "%016lx: %08X 00000000 %08X %04X %02X %5lu", (unsigned long)s->ino, s->refs,
		s->listening ? 0x10000u : 0, s->type, s->state, (unsigned long)s->ino);
	if (s->name_len) {
		seq_puts(seq, " ");
		for (unsigned i = 0; i < s->name_len; i++)
			seq_printf(seq, "%c", s->name[i] ? s->name[i] : '@');
	}
	seq_puts(seq, "\n");
}

static int show_unix(struct seq *seq, struct pseudo_inode *p)
{
	seq_puts(seq, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	unix_for_each(show_unix_socket, seq);
	return 0;
}

/* ---- internet sockets ---- */

struct socket_list {
	struct seq *seq;
	int family, type, protocol; /* protocol 0: any */
	unsigned count;
};

static void show_address(struct seq *seq, int family, const uint8_t *address, uint16_t port)
{
	for (unsigned i = 0; i < (family == AF_INET ? 1u : 4u); i++) {
		uint32_t word;

		memcpy(&word, address + 4 * i, sizeof(word));
		seq_printf(seq, "%08X", word);
	}
	seq_printf(seq, ":%04X ", port);
}

static void show_inet_socket(void *arg, const struct inet_summary *s)
{
	struct socket_list *list = arg;

	if (s->family != list->family || s->type != list->type || (list->protocol && s->protocol != list->protocol))
		return;
	if (s->type == SOCK_STREAM && s->state == 7) /* closed: not in Linux's tables */
		return;
	if (s->type != SOCK_STREAM && !s->local_port && s->type != SOCK_RAW)
		return;
	seq_printf(list->seq, "%4u: ", list->count++);
	show_address(list->seq, s->family, s->local, s->type == SOCK_RAW ? (uint16_t)s->protocol : s->local_port);
	show_address(list->seq, s->family, s->remote, s->remote_port);
	seq_printf(list->seq, "%02X %08X:%08X 00:00000000 00000000 %5u        0 %lu 1 0000000000000000%s\n", s->state,
		s->send_queue, s->receive_queue, uid_to_user(s->uid), (unsigned long)s->ino,
		s->type == SOCK_STREAM ? " 100 0 0 10 0" : " 0");
}

static int show_sockets(struct seq *seq, int family, int type, int protocol)
{
	struct socket_list list = {.seq = seq, .family = family, .type = type, .protocol = protocol};
	const char *tail = type == SOCK_STREAM ? "" : " ref pointer drops";

	if (hostnet_is_used()) /* the host's are not known */
		return -EOPNOTSUPP;

	if (family == AF_INET)
		seq_printf(seq, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode%s\n", tail);
	else
		seq_printf(seq, "  sl  local_address                         remote_address                        st tx_queue rx_queue "
			"tr tm->when retrnsmt   uid  timeout inode%s\n", tail);
	inet_for_each(show_inet_socket, &list);
	return 0;
}

#define SOCKETS(name, family, type, protocol)                           \
	static int show_##name(struct seq *seq, struct pseudo_inode *p) \
	{                                                               \
		return show_sockets(seq, family, type, protocol);       \
	}

SOCKETS(tcp, AF_INET, SOCK_STREAM, 6)
SOCKETS(tcp6, AF_INET6, SOCK_STREAM, 6)
SOCKETS(udp, AF_INET, SOCK_DGRAM, 17)
SOCKETS(udp6, AF_INET6, SOCK_DGRAM, 17)
SOCKETS(icmp, AF_INET, SOCK_DGRAM, 1)
SOCKETS(icmp6, AF_INET6, SOCK_DGRAM, 58)
SOCKETS(raw, AF_INET, SOCK_RAW, 0)
SOCKETS(raw6, AF_INET6, SOCK_RAW, 0)

struct socket_counts {
	int family;
	unsigned tcp, tcp_left, tcp_waiting, udp, raw;
	uint64_t tcp_bytes, udp_bytes; /* in queues */
};

static void count_socket(void *arg, const struct inet_summary *s)
{
	struct socket_counts *counts = arg;

	if (s->state != 10)
		*(s->type == SOCK_STREAM ? &counts->tcp_bytes : &counts->udp_bytes) += s->send_queue + s->receive_queue;
	if (s->family != counts->family)
		return;
	if (s->type == SOCK_RAW)
		counts->raw++;
	else if (s->type == SOCK_DGRAM)
		counts->udp += s->local_port != 0;
	else if (s->state == 6)
		counts->tcp_waiting++;
	else if (s->state != 7)
		*(s->sock ? &counts->tcp : &counts->tcp_left) += 1;
}

static void count_unix(void *arg, const struct unix_summary *s)
{
	++*(unsigned *)arg;
}

static unsigned pages(uint64_t bytes)
{
	return (unsigned)((bytes + PAGE_SIZE - 1) / PAGE_SIZE);
}

static int show_sockstat(struct seq *seq, struct pseudo_inode *p)
{
	struct socket_counts four = {.family = AF_INET}, six = {.family = AF_INET6};
	unsigned used = 0;

	inet_for_each(count_socket, &four);
	inet_for_each(count_socket, &six);
	unix_for_each(count_unix, &used);
	used += four.tcp + four.udp + four.raw + six.tcp + six.udp + six.raw;
	seq_printf(seq, "sockets: used %u\nTCP: inuse %u orphan %u tw %u alloc %u mem %u\nUDP: inuse %u mem %u\nUDPLITE: inuse 0\n"
		"RAW: inuse %u\n", used, four.tcp, four.tcp_left + six.tcp_left, four.tcp_waiting + six.tcp_waiting, four.tcp + six.tcp,
		pages(four.tcp_bytes), four.udp, pages(four.udp_bytes), four.raw);
	return 0;
}

static int show_sockstat6(struct seq *seq, struct pseudo_inode *p)
{
	struct socket_counts six = {.family = AF_INET6};

	inet_for_each(count_socket, &six);
	seq_printf(seq, "TCP6: inuse %u\nUDP6: inuse %u\nUDPLITE6: inuse 0\nRAW6: inuse %u\n", six.tcp,
		six.udp, six.raw);
	return 0;
}

static void show_netlink_socket(void *seq, const struct netlink_summary *s)
{
	seq_printf(seq, "%016lx %-3d %-10u %08x %-8u %-8u 0        2        %-8u %-8lu\n", (unsigned long)s->ino, s->protocol, s->port,
		s->groups, s->queued, 0u, 0u, (unsigned long)s->ino);
}

static int show_netlink(struct seq *seq, struct pseudo_inode *p)
{
	seq_puts(seq, "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n");
	netlink_summaries(show_netlink_socket, seq);
	return 0;
}

/* ---- devices, addresses, routes, neighbours ---- */

static void show_device(void *seq, const struct inet_device *d)
{
	if (!d->counted)
		return;
	seq_printf(seq, "%6s: %7lu %7lu    0 %4lu    0     0          0         0 %8lu %7lu    0 %4lu    0     0       0          0\n",
		d->name, (unsigned long)d->received_bytes, (unsigned long)d->received, (unsigned long)d->receive_dropped,
		(unsigned long)d->sent_bytes, (unsigned long)d->sent, (unsigned long)d->send_dropped);
}

static int show_dev(struct seq *seq, struct pseudo_inode *p)
{
	seq_puts(seq, "Inter-|   Receive                                                |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls "
		"carrier compressed\n");
	inet_for_each_device(show_device, seq);
	return 0;
}

static struct inet_device device_of(int index)
{
	struct inet_device device;

	(void)inet_find_device(index, NULL, &device);
	return device;
}

static void show_address6(void *seq, const struct inet_address *a)
{
	unsigned scope = a->scope == 254 ? 0x10 : a->scope == 253 ? 0x20 : 0;

	if (a->family != AF_INET6)
		return;
	for (unsigned i = 0; i < 16; i++)
		seq_printf(seq, "%02x", a->address[i]);
	seq_printf(seq, " %02x %02x %02x 80 %8s\n", (unsigned)a->index, a->prefix, scope, device_of(a->index).name);
}

static int show_if_inet6(struct seq *seq, struct pseudo_inode *p)
{
	inet_for_each_address(show_address6, seq);
	return 0;
}

static void show_route4(void *seq, const struct inet_route *r)
{
	uint32_t to, gateway, mask = r->prefix ? __builtin_bswap32(~0u << (32 - r->prefix)) : 0;

	if (r->family != AF_INET)
		return;
	memcpy(&to, r->destination, sizeof(to));
	memcpy(&gateway, r->gateway, sizeof(gateway));
	seq_printf(seq, "%s\t%08X\t%08X\t%04X\t0\t0\t%u\t%08X\t0\t0\t0\n", device_of(r->index).name, to, gateway,
		gateway ? 3u : 1u, r->metric, mask);
}

static int show_route(struct seq *seq, struct pseudo_inode *p)
{
	seq_puts(seq, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n");
	inet_for_each_route(show_route4, seq);
	return 0;
}

#define ROUTE_UP 1u
#define ROUTE_GATEWAY 2u
#define ROUTE_NEXTHOP 0x00200000u
#define ROUTE_LOCAL 0x80000000u

static void show_line6(struct seq *seq, const uint8_t *to, unsigned prefix, const uint8_t *gateway, uint32_t metric, uint32_t flags, int index)
{
	for (unsigned i = 0; i < 16; i++)
		seq_printf(seq, "%02x", to[i]);
	seq_printf(seq, " %02x 00000000000000000000000000000000 00 ", prefix);
	for (unsigned i = 0; i < 16; i++)
		seq_printf(seq, "%02x", gateway[i]);
	seq_printf(seq, " %08x 00000001 00000000 %08x %8s\n", metric, flags, device_of(index).name);
}

static void show_route6(void *seq, const struct inet_route *r)
{
	static const uint8_t none[16];
	uint32_t flags = memcmp(r->gateway, none, sizeof(none)) ? ROUTE_UP | ROUTE_GATEWAY : ROUTE_UP;

	if (r->family == AF_INET6)
		show_line6(seq, r->destination, r->prefix, r->gateway, r->metric, flags, r->index);
}

static void show_local6(void *seq, const struct inet_address *a)
{
	static const uint8_t none[16];

	if (a->family == AF_INET6)
		show_line6(seq, a->address, 128, none, 0, ROUTE_UP | ROUTE_NEXTHOP | ROUTE_LOCAL, a->index);
}

static int show_ipv6_route(struct seq *seq, struct pseudo_inode *p)
{
	inet_for_each_route(show_route6, seq);
	inet_for_each_address(show_local6, seq);
	return 0;
}

static void show_neighbour(void *seq, const struct inet_neighbour *n)
{
	char address[20];

	if (n->family != AF_INET)
		return;
	snprintf(address, sizeof(address), "%u.%u.%u.%u", n->address[0], n->address[1], n->address[2], n->address[3]);
	seq_printf(seq, "%-16s 0x1         0x%x         %02x:%02x:%02x:%02x:%02x:%02x     *        %s\n", address,
		n->permanent ? 6u : 2u, n->mac[0], n->mac[1], n->mac[2], n->mac[3], n->mac[4], n->mac[5], device_of(n->index).name);
}

static int show_arp(struct seq *seq, struct pseudo_inode *p)
{
	seq_puts(seq, "IP address       HW type     Flags       HW address            Mask     Device\n");
	inet_for_each_neighbour(show_neighbour, seq);
	return 0;
}

#define TEXT(n, s) {.name = (n), .mode = S_IFREG | 0444, .show = pseudo_show_text, .text = (s)}
#define SHOW(n, fn) {.name = (n), .mode = S_IFREG | 0444, .show = (fn)}

const struct pseudo_entry proc_net_table[] = {
	SHOW("arp", show_arp),
	SHOW("dev", show_dev),
	SHOW("dev_mcast", proc_show_dev_mcast),
	SHOW("icmp", show_icmp),
	SHOW("icmp6", show_icmp6),
	SHOW("if_inet6", show_if_inet6),
	SHOW("igmp", proc_show_igmp),
	SHOW("igmp6", proc_show_igmp6),
	SHOW("ipv6_route", show_ipv6_route),
	SHOW("netlink", show_netlink),
	SHOW("netstat", proc_show_netstat),
	TEXT("packet", "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n"),
	TEXT("protocols", "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi "
		"br ha uh gp em\n"),
	SHOW("raw", show_raw),
	SHOW("raw6", show_raw6),
	SHOW("route", show_route),
	SHOW("snmp", proc_show_snmp),
	SHOW("snmp6", proc_show_snmp6),
	SHOW("sockstat", show_sockstat),
	SHOW("sockstat6", show_sockstat6),
	SHOW("tcp", show_tcp),
	SHOW("tcp6", show_tcp6),
	SHOW("udp", show_udp),
	SHOW("udp6", show_udp6),
	SHOW("unix", show_unix),
	{.name = NULL},
};
