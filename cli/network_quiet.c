/*
 * Keeps the host's own stack in a network namespace from answering for the sandbox: see network_parts.h.
 *
 * IPv4: the addresses stay, so that whoever set the namespace up finds them when it takes it down; policy rules
 * (ip-rule(8)) throw away whatever comes by a taken link, before the host looks whether it is for one of its addresses.
 * That also keeps it from answering ARP. Packet sockets get each frame before. IPv6 speaks by itself (neighbour
 * discovery, multicast reports), so it loses its addresses and is turned off.
 *
 *	0         lookup local          as it was: removed
 *	1         udp from port 53 to ports 61000-65533: lookup local    where an engine's resolver asks from here
 *	2         not iif lo: blackhole
 *	3         lookup local
 *
 * "not iif lo" is also whatever link comes later. IPv6 has rules 0, 2 and 3 for those: what they say by themselves there
 * (neighbour discovery for their own addresses) does no harm, the sandbox has the same address on the same MAC.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fib_rules.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/network_parts.h"

#define RULE_ANSWERS 1u
#define RULE_LINK 2u
#define RULE_LOCAL 3u
#define DNS_PORT 53u
#define HOST_PORTS_FIRST 61000u /* the sandbox's own ephemeral ports end below */
#define HOST_PORTS_LAST 65533u /* rules take no 65535, and ranges shall have ends of different parity */

struct rule {
	struct nlmsghdr header;
	struct fib_rule_hdr rule;
	char attributes[128];
};

static void add_attribute(struct rule *rule, unsigned short type, const void *bytes, size_t length)
{
	struct rtattr *at = (void *)((char *)rule + NLMSG_ALIGN(rule->header.nlmsg_len));

	at->rta_type = type;
	at->rta_len = (unsigned short)RTA_LENGTH(length);
	memcpy(RTA_DATA(at), bytes, length);
	rule->header.nlmsg_len = NLMSG_ALIGN(rule->header.nlmsg_len) + RTA_ALIGN(at->rta_len);
}

/* One request, and the kernel's answer: 0 or -errno. */
static int ask(struct network_taker *t, struct nlmsghdr *request)
{
	_Alignas(8) char answer[1024];

	request->nlmsg_seq = ++t->sequence;
	if (send(t->netlink, request, request->nlmsg_len, 0) < 0 || recv(t->netlink, answer, sizeof(answer), 0) < 0)
		return -errno;
	return ((struct nlmsgerr *)NLMSG_DATA((struct nlmsghdr *)answer))->error;
}

static struct rule make_rule(uint16_t type, unsigned family, uint8_t action, uint32_t priority)
{
	struct rule rule = {
		.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct fib_rule_hdr)), .nlmsg_type = type,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | (type == RTM_NEWRULE ? NLM_F_CREATE | NLM_F_EXCL : 0)},
		.rule = {.family = (uint8_t)family, .action = action, .table = action == FR_ACT_TO_TBL ? RT_TABLE_LOCAL : 0},
	};

	add_attribute(&rule, FRA_PRIORITY, &priority, sizeof(priority));
	return rule;
}

/* For what comes by any link but loopback. */
static struct rule make_link_rule(unsigned family, uint8_t action, uint32_t priority)
{
	struct rule rule = make_rule(RTM_NEWRULE, family, action, priority);

	rule.rule.flags = FIB_RULE_INVERT;
	add_attribute(&rule, FRA_IIFNAME, "lo", sizeof("lo"));
	return rule;
}

/* 0, or 1 after a message. */
static int change(struct network_taker *t, struct rule *rule, int harmless)
{
	int error = ask(t, &rule->header);

	if (error && error != harmless)
		return cli_error("network: a routing policy rule: %s", strerror(-error));
	return 0;
}

/* Answers to what an engine's resolver, which listens in this namespace, asks name servers outside. */
static int let_answers_in(struct network_taker *t)
{
	const struct fib_rule_port_range from = {DNS_PORT, DNS_PORT}, to = {HOST_PORTS_FIRST, HOST_PORTS_LAST};
	const uint8_t udp = IPPROTO_UDP;
	struct rule rule = make_rule(RTM_NEWRULE, AF_INET, FR_ACT_TO_TBL, RULE_ANSWERS);

	add_attribute(&rule, FRA_IP_PROTO, &udp, sizeof(udp));
	add_attribute(&rule, FRA_SPORT_RANGE, &from, sizeof(from));
	add_attribute(&rule, FRA_DPORT_RANGE, &to, sizeof(to));
	return change(t, &rule, -EEXIST);
}

static int quiet_family(struct network_taker *t, unsigned family)
{
	struct rule drop = make_link_rule(family, FR_ACT_BLACKHOLE, RULE_LINK);
	struct rule local = make_rule(RTM_NEWRULE, family, FR_ACT_TO_TBL, RULE_LOCAL);
	struct rule first = make_rule(RTM_DELRULE, family, FR_ACT_TO_TBL, 0);

	return change(t, &drop, -EEXIST) || change(t, &local, -EEXIST) || change(t, &first, -ENOENT);
}

static int remove_address(struct network_taker *t, struct nlmsghdr *message)
{
	message->nlmsg_type = RTM_DELADDR;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	int error = ask(t, message);
	if (error && error != -EADDRNOTAVAIL)
		return cli_error("network: removing an address: %s", strerror(-error));
	return 0;
}

/* A sysctl of the namespace. A host without IPv6 has no such file. */
static void set(const char *path, const char *value)
{
	AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, value, strlen(value)) < 0)
		cli_warning("network: %s: %s", path, strerror(errno));
}

int network_quiet(struct network_taker *t)
{
	char path[96], ports[32];

	for (unsigned i = 0; i < t->remove_count; i++) {
		if (remove_address(t, &t->remove[i].header))
			return 1;
	}
	for (unsigned i = 0; i < t->network->head.links; i++) {
		snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", t->network->links[i].name);
		set(path, "1");
	}
	snprintf(ports, sizeof(ports), "%u %u", HOST_PORTS_FIRST, HOST_PORTS_LAST);
	set("/proc/sys/net/ipv4/ip_local_port_range", ports);
	if (let_answers_in(t) || quiet_family(t, AF_INET))
		return 1;
	return access("/proc/sys/net/ipv6", F_OK) == 0 && quiet_family(t, AF_INET6);
}
