/*
 * The ioctls of sockets by number, on each kind of socket: those of sockets and devices (0x8901 to 0x89ff), of wireless
 * devices (0x8b00 to 0x8bff), of terminals and files in general (0x5401 to 0x5460), each with no memory, bad memory, and a
 * struct ifreq with the name of the loopback, with one that is not there and with a label: a line for each run of numbers that give
 * the same, once as who may not change the network, once in a namespace of its own as who may; then the sub-commands of
 * SIOCETHTOOL. What comes of good requests is looked at in netdevices.c.
 */
#include <linux/ethtool.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "harness.h"

#define ROOM 256

static const struct kind {
	const char *name;
	int family, type, protocol;
} kinds[] = {
	{"unix stream", AF_UNIX, SOCK_STREAM, 0}, {"unix datagram", AF_UNIX, SOCK_DGRAM, 0}, {"tcp", AF_INET, SOCK_STREAM, 0},
	{"tcp6", AF_INET6, SOCK_STREAM, 0}, {"udp", AF_INET, SOCK_DGRAM, 0}, {"udp6", AF_INET6, SOCK_DGRAM, 0},
	{"raw icmp", AF_INET, SOCK_RAW, IPPROTO_ICMP}, {"raw6 icmp", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6},
	{"packet", AF_PACKET, SOCK_RAW, 0}, {"netlink", AF_NETLINK, SOCK_RAW, NETLINK_ROUTE},
};

static const struct range {
	unsigned from, to;
} ranges[] = {{1, 2}, {0x5401, 0x5460}, {0x8901, 0x89ff}, {SIOCGSTAMP_NEW, SIOCGSTAMP_NEW},
	{SIOCGSTAMPNS_NEW, SIOCGSTAMPNS_NEW}, {0xc0288933, 0xc0288933}, {0x18933, 0x18933}};

static int may_change; /* in a namespace of its own, with all capabilities there */

static int is_inet(const struct kind *kind)
{
	return kind->family == AF_INET || kind->family == AF_INET6;
}

/*
 * What a kernel may have built in or loaded or not, bridges, VLANs, wireless devices, multicast routing: each is refused, with what
 * either gives. NULL, then a good request.
 */
static const struct optional {
	unsigned from, to;
	const char *null, *good;
} optional[] = {
	{SIOCGIFBR, SIOCSIFBR, "ENOPKG EFAULT", "ENOPKG EOPNOTSUPP"},
	{SIOCBRADDBR, SIOCBRDELIF, "ENOPKG EFAULT EPERM", "ENOPKG EOPNOTSUPP EPERM EEXIST"},
	{SIOCGIFVLAN, SIOCSIFVLAN, "ENOPKG EFAULT", "ENOPKG EINVAL EPERM"},
	{0x8b00, 0x8bff, "ENOTTY EFAULT", "ENOTTY EOPNOTSUPP EPERM EINVAL EFAULT"},
};

static int is_optional(const struct kind *kind, unsigned number)
{
	for (unsigned i = 0; i < sizeof(optional) / sizeof(optional[0]); i++)
		if (number >= optional[i].from && number <= optional[i].to)
			return 1;
	return is_inet(kind) && kind->type == SOCK_RAW && (number == SIOCPROTOPRIVATE || number == SIOCPROTOPRIVATE + 1);
}

/*
 * Packet sockets and IPv6's routes, which the sandbox has in its first namespace alone; IPv6's tunnels, whose memory older kernels look
 * at first, where they have them.
 */
static int is_apart(const struct kind *kind, unsigned number)
{
	if (may_change && (kind->family == AF_PACKET || (kind->family == AF_INET6 && (number == SIOCADDRT || number == SIOCDELRT))))
		return 1;
	if (kind->family == AF_INET6 && number == SIOCSIFDSTADDR)
		return 1;
	return is_optional(kind, number);
}

static char line[1000];

static void __attribute__((format(printf, 1, 2))) add(const char *format, ...)
{
	size_t used = strlen(line);
	va_list args;

	va_start(args, format);
	vsnprintf(line + used, sizeof(line) - used, format, args);
	va_end(args);
}

static void add_changes(const unsigned char *before, const unsigned char *after)
{
	int first = 0, last = ROOM - 1;

	while (first < ROOM && before[first] == after[first])
		first++;
	while (last > first && before[last] == after[last])
		last--;
	if (first < ROOM)
		add("@%d=", first);
	for (; first <= last && first < ROOM; first++)
		add("%02x", after[first]);
}

static const char *outcome(int s, unsigned number, void *arg)
{
	int rc = ioctl(s, number, arg);

	if (rc < 0)
		return strerrorname_np(errno);
	if (rc > 0)
		close(rc);
	return rc > 0 ? "fd" : "ok";
}

static void add_with_name(int s, unsigned number, const char *name)
{
	unsigned char request[ROOM] = {0}, before[ROOM];
	const char *result;

	memcpy(request, name, strlen(name));
	if (number == SIOCSIFMTU)
		((struct ifreq *)request)->ifr_mtu = 65536;
	memcpy(before, request, ROOM);
	result = outcome(s, number, request);
	add(" %s=%s", name, result);
	add_changes(before, request);
}

/* What comes of a number on a new socket, into `line`. */
static void probe(const struct kind *kind, unsigned number)
{
	int s = socket(kind->family, kind->type, kind->protocol);

	CHECK(s >= 0);
	line[0] = '\0';
	add("null=%s", outcome(s, number, NULL));
	add(" bad=%s", outcome(s, number, (void *)1));
	add_with_name(s, number, "lo");
	add_with_name(s, number, "nosuch0");
	add_with_name(s, number, "lo:1");
	close(s);
}

/* A line for each run of numbers that give the same. */
static void sweep(const struct kind *kind, const struct range *range)
{
	char last[sizeof(line)] = "";
	unsigned from = range->from;

	for (unsigned number = range->from; number <= range->to; number++) {
		if (is_apart(kind, number))
			continue;
		probe(kind, number);
		if (!strcmp(line, last))
			continue;
		if (last[0])
			printf("%s %#x-%#x: %s\n", kind->name, from, number - 1, last);
		from = number;
		strcpy(last, line);
	}
	if (last[0])
		printf("%s %#x-%#x: %s\n", kind->name, from, range->to, last);
}

static void every_number(void)
{
	printf(may_change ? "who may change the network:\n" : "who may not change the network:\n");
	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (unsigned r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++)
			sweep(&kinds[k], &ranges[r]);
}

static void refused(int s, const struct optional *o, unsigned number)
{
	unsigned char request[ROOM] = "lo";
	const char *null = outcome(s, number, NULL), *good = outcome(s, number, request);

	if (!strstr(o->null, null) || !strstr(o->good, good)) {
		printf("FAILED %#x gave %s and %s\n", number, null, good);
		harness_failures++;
	}
}

static void every_optional(void)
{
	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		int s = may_change && kinds[k].family == AF_PACKET ? -1 : socket(kinds[k].family, kinds[k].type, kinds[k].protocol);

		for (unsigned i = 0; s >= 0 && i < sizeof(optional) / sizeof(optional[0]); i++)
			for (unsigned number = optional[i].from; number <= optional[i].to; number++)
				refused(s, &optional[i], number);
		close(s);
	}
}

/* ---- SIOCETHTOOL ---- */

/* Features have the kernel's own names and can be changed on Linux; kernels differ in what address a loopback has. */
static int is_feature(unsigned command)
{
	return command == ETHTOOL_GFEATURES || command == ETHTOOL_SFEATURES || command == ETHTOOL_STSO || command == ETHTOOL_SGSO ||
	       command == ETHTOOL_SFLAGS || command == ETHTOOL_SGRO || command == ETHTOOL_FLASHDEV || command == ETHTOOL_GPERMADDR;
}

static void every_ethtool(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	for (unsigned command = 0; command < 0x70; command++) {
		unsigned data[1024] = {command};
		struct ifreq request = {.ifr_name = "lo", .ifr_data = (void *)data};

		if (is_feature(command) && (may_change || command == ETHTOOL_GFEATURES || command == ETHTOOL_GPERMADDR))
			continue;
		printf("ethtool %#x: %s", command, outcome(s, SIOCETHTOOL, &request));
		printf(" %#x %#x %#x\n", data[1], data[2], data[3]);
		request.ifr_data = (void *)1;
		CHECK_ERRNO(ioctl(s, SIOCETHTOOL, &request), EFAULT);
		request.ifr_data = (void *)data;
		strcpy(request.ifr_name, "nosuch0");
		CHECK_ERRNO(ioctl(s, SIOCETHTOOL, &request), ENODEV);
	}
	close(s);
}

/* In namespaces of its own, where it may change things. */
static void as_owner(void)
{
	CHECK(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0);
	may_change = 1;
	RUN(every_number);
	RUN(every_optional);
	RUN(every_ethtool);
}

int main(void)
{
	harness_start();
	RUN(every_number);
	RUN(every_optional);
	RUN(every_ethtool);
	ISOLATED(as_owner);
	return CHECK_RESULT();
}
