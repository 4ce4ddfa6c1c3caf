/*
 * The counters of /proc/net/snmp, snmp6 and netstat. What is not counted is not listed: readers go by the names.
 */
#include <lwip/prot/ip4.h>
#include <lwip/stats.h>

#include "kernel/net/lwip/counters.h"
#include "kernel/net/lwip/datagram.h"
#include "kernel/net/lwip/internal.h"

static struct net_udp_counters udp4, udp6;
static struct net_ip_counters octets;
static uint32_t fragments_made;

struct net_udp_counters *counters_udp(int family)
{
	return family == AF_INET ? &udp4 : &udp6;
}

void counters_icmp4_out(uint8_t type)
{
	lwip_stats.mib2.icmpoutmsgs++;
	lwip_stats.mib2.icmpoutdestunreachs += type == ICMP4_UNREACHABLE;
	lwip_stats.mib2.icmpoutechos += type == ICMP4_ECHO;
	lwip_stats.mib2.icmpoutechoreps += type == ICMP4_ECHO_REPLY;
	lwip_stats.mib2.icmpouttimeexcds += type == ICMP4_TIME_EXCEEDED;
}

void counters_ip4(const void *header, size_t len, bool out, bool broadcast)
{
	const struct ip_hdr *ip = header;
	ip4_addr_t to;

	ip4_addr_copy(to, ip->dest);
	*(out ? &octets.out_octets : &octets.in_octets) += len;
	if (ip4_addr_ismulticast(&to)) {
		*(out ? &octets.out_groups : &octets.in_groups) += 1;
		*(out ? &octets.out_group_octets : &octets.in_group_octets) += len;
	} else if (broadcast) {
		*(out ? &octets.out_broadcasts : &octets.in_broadcasts) += 1;
		*(out ? &octets.out_broadcast_octets : &octets.in_broadcast_octets) += len;
	}
	if (out && IPH_OFFSET(ip) & __builtin_bswap16(IP_MF | IP_OFFMASK))
		fragments_made++;
}

/* Connections that are open both ways, or were. */
static int64_t established(void)
{
	const struct tcp_pcb *pcb;
	int64_t count = 0;

	for (pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
		count += pcb->state == ESTABLISHED || pcb->state == CLOSE_WAIT;
	return count;
}

/* One of: a number of 32 or 64 bits, a function, or (none of these) a setting. */
struct counter {
	const char *group, *name;
	const uint32_t *number;
	const uint64_t *large;
	int64_t (*ask)(void);
	int64_t fixed;
};

#define FIXED(g, n, v) {.group = (g), .name = (n), .fixed = (v)}
#define COUNT(g, n, v) {.group = (g), .name = (n), .number = &(v)}
#define LARGE(g, n, v) {.group = (g), .name = (n), .large = &(v)}
#define MIB(g, n, field) COUNT(g, n, lwip_stats.mib2.field)

/* In the order of Linux. */
static const struct counter counters[] = {
	FIXED("Ip", "Forwarding", 2), FIXED("Ip", "DefaultTTL", IP_DEFAULT_TTL), MIB("Ip", "InReceives", ipinreceives),
	MIB("Ip", "InHdrErrors", ipinhdrerrors), MIB("Ip", "InAddrErrors", ipinaddrerrors), MIB("Ip", "ForwDatagrams", ipforwdatagrams),
	MIB("Ip", "InUnknownProtos", ipinunknownprotos), MIB("Ip", "InDiscards", ipindiscards), MIB("Ip", "InDelivers", ipindelivers),
	MIB("Ip", "OutRequests", ipoutrequests), MIB("Ip", "OutDiscards", ipoutdiscards), MIB("Ip", "OutNoRoutes", ipoutnoroutes),
	MIB("Ip", "ReasmReqds", ipreasmreqds), MIB("Ip", "ReasmOKs", ipreasmoks), MIB("Ip", "ReasmFails", ipreasmfails),
	MIB("Ip", "FragOKs", ipfragoks), MIB("Ip", "FragFails", ipfragfails), COUNT("Ip", "FragCreates", fragments_made),
	MIB("Icmp", "InMsgs", icmpinmsgs), MIB("Icmp", "InErrors", icmpinerrors), MIB("Icmp", "InDestUnreachs", icmpindestunreachs),
	MIB("Icmp", "InTimeExcds", icmpintimeexcds), MIB("Icmp", "InParmProbs", icmpinparmprobs), MIB("Icmp", "InSrcQuenchs", icmpinsrcquenchs),
	MIB("Icmp", "InRedirects", icmpinredirects), MIB("Icmp", "InEchos", icmpinechos), MIB("Icmp", "InEchoReps", icmpinechoreps),
	MIB("Icmp", "InTimestamps", icmpintimestamps), MIB("Icmp", "InTimestampReps", icmpintimestampreps),
	MIB("Icmp", "InAddrMasks", icmpinaddrmasks), MIB("Icmp", "InAddrMaskReps", icmpinaddrmaskreps), MIB("Icmp", "OutMsgs", icmpoutmsgs),
	MIB("Icmp", "OutErrors", icmpouterrors), MIB("Icmp", "OutDestUnreachs", icmpoutdestunreachs),
	MIB("Icmp", "OutTimeExcds", icmpouttimeexcds), MIB("Icmp", "OutEchos", icmpoutechos), MIB("Icmp", "OutEchoReps", icmpoutechoreps),
	FIXED("Tcp", "RtoAlgorithm", 1), FIXED("Tcp", "RtoMin", 200), FIXED("Tcp", "RtoMax", 120000), FIXED("Tcp", "MaxConn", -1),
	MIB("Tcp", "ActiveOpens", tcpactiveopens), MIB("Tcp", "PassiveOpens", tcppassiveopens), MIB("Tcp", "AttemptFails", tcpattemptfails),
	MIB("Tcp", "EstabResets", tcpestabresets), {.group = "Tcp", .name = "CurrEstab", .ask = established},
	MIB("Tcp", "InSegs", tcpinsegs), MIB("Tcp", "OutSegs", tcpoutsegs), MIB("Tcp", "RetransSegs", tcpretranssegs),
	MIB("Tcp", "InErrs", tcpinerrs), MIB("Tcp", "OutRsts", tcpoutrsts),
	COUNT("Udp", "InDatagrams", udp4.in), COUNT("Udp", "NoPorts", udp4.no_ports), COUNT("Udp", "InErrors", udp4.errors),
	COUNT("Udp", "OutDatagrams", udp4.out), COUNT("Udp", "RcvbufErrors", udp4.full), COUNT("Udp", "InCsumErrors", udp4.checksum),
	COUNT("Udp", "IgnoredMulti", udp4.ignored),
	COUNT("IpExt", "InMcastPkts", octets.in_groups), COUNT("IpExt", "OutMcastPkts", octets.out_groups),
	COUNT("IpExt", "InBcastPkts", octets.in_broadcasts), COUNT("IpExt", "OutBcastPkts", octets.out_broadcasts),
	LARGE("IpExt", "InOctets", octets.in_octets), LARGE("IpExt", "OutOctets", octets.out_octets),
	LARGE("IpExt", "InMcastOctets", octets.in_group_octets), LARGE("IpExt", "OutMcastOctets", octets.out_group_octets),
	LARGE("IpExt", "InBcastOctets", octets.in_broadcast_octets), LARGE("IpExt", "OutBcastOctets", octets.out_broadcast_octets),
	COUNT("Ip6", "InReceives", lwip_stats.ip6.recv), COUNT("Ip6", "OutRequests", lwip_stats.ip6.xmit),
	COUNT("Icmp6", "InMsgs", lwip_stats.icmp6.recv), COUNT("Icmp6", "OutMsgs", lwip_stats.icmp6.xmit),
	COUNT("Udp6", "InDatagrams", udp6.in), COUNT("Udp6", "NoPorts", udp6.no_ports), COUNT("Udp6", "InErrors", udp6.errors),
	COUNT("Udp6", "OutDatagrams", udp6.out), COUNT("Udp6", "RcvbufErrors", udp6.full), COUNT("Udp6", "InCsumErrors", udp6.checksum),
	COUNT("Udp6", "IgnoredMulti", udp6.ignored),
};

void inet_for_each_counter(const char *group, void (*fn)(void *arg, const char *name, int64_t value), void *arg)
{
	for (unsigned i = 0; i < ARRAY_SIZE(counters); i++) {
		const struct counter *c = &counters[i];

		if (!strcmp(c->group, group))
			fn(arg, c->name, c->number ? *c->number : c->large ? (int64_t)*c->large : c->ask ? c->ask() : c->fixed);
	}
}
