/*
 * What comes of the ioctls of sockets and of netdevice(7) and its kin: hostile lengths of SIOCGIFCONF, SIOCGSTAMP, SIOCOUTQNSD;
 * then, in a namespace of its own with nothing but a loopback, addresses, names, neighbours and routes, and what is refused of
 * them. Their numbers are swept in sockios.c; test/cli/changes.sh does the like with a link.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "harness.h"

/* ---- SIOCGIFCONF ---- */

static void list(int s, const char *what, int len, void *buffer)
{
	struct ifconf conf = {.ifc_len = len, .ifc_buf = buffer};

	printf("%s: %s", what, ioctl(s, SIOCGIFCONF, &conf) ? strerrorname_np(errno) : "ok");
	printf(" %d\n", conf.ifc_len);
}

static void lists(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	char buffer[400];

	list(s, "-1", -1, buffer);
	list(s, "INT_MIN", -2147483647 - 1, buffer);
	list(s, "INT_MAX", 2147483647, buffer);
	list(s, "0", 0, buffer);
	list(s, "39", 39, buffer);
	list(s, "40", 40, buffer);
	list(s, "79", 79, buffer);
	list(s, "none, 100", 100, NULL);
	list(s, "none, 0", 0, NULL);
	list(s, "none, -5", -5, NULL);
	list(s, "bad, 40", 40, (void *)1);
	list(s, "bad, 39", 39, (void *)1);
	list(s, "bad, -1", -1, (void *)1);
	close(s);
}

/* ---- what comes and goes: SIOCGSTAMP, SIOCOUTQNSD ---- */

static struct sockaddr_in ip(const char *address)
{
	struct sockaddr_in to = {.sin_family = AF_INET};

	inet_pton(AF_INET, address, &to.sin_addr);
	return to;
}

static void stamps(void)
{
	struct sockaddr_in name = ip("127.0.0.1");
	socklen_t len = sizeof(name);
	int s = socket(AF_INET, SOCK_DGRAM, 0), told = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
	long long micro[2], nano[2] = {0}, before = now_ns(CLOCK_REALTIME);
	char c;

	CHECK(bind(s, (void *)&name, sizeof(name)) == 0 && getsockname(s, (void *)&name, &len) == 0);
	CHECK(sendto(s, "x", 1, 0, (void *)&name, sizeof(name)) == 1);
	CHECK_ERRNO(ioctl(s, SIOCGSTAMP, micro), ENOENT);
	CHECK(recv(s, &c, 1, 0) == 1 && ioctl(s, SIOCGSTAMP, micro) == 0 && ioctl(s, SIOCGSTAMPNS, nano) == 0);
	CHECK(micro[0] == nano[0] && micro[1] == nano[1] / 1000);
	CHECK(nano[0] * 1000000000 + nano[1] >= before);
	/* From then on it is noted when they come; Linux begins with that a little later. */
	int noted = 0;
	for (int i = 0; i < 100 && !noted; i++) {
		before = now_ns(CLOCK_REALTIME);
		CHECK(sendto(s, "x", 1, 0, (void *)&name, sizeof(name)) == 1 && recv(s, &c, 1, 0) == 1);
		long long after = now_ns(CLOCK_REALTIME);
		sleep_ms(2);
		CHECK(ioctl(s, SIOCGSTAMPNS_NEW, nano) == 0);
		noted = nano[0] * 1000000000 + nano[1] >= before && nano[0] * 1000000000 + nano[1] <= after;
	}
	CHECK(noted);
	CHECK_ERRNO(ioctl(s, SIOCGSTAMP_NEW, (void *)1), EFAULT);
	close(s);
	/* who is told with each message has no last one */
	name.sin_port = 0;
	CHECK(setsockopt(told, SOL_SOCKET, SO_TIMESTAMP, &one, sizeof(one)) == 0 && bind(told, (void *)&name, sizeof(name)) == 0);
	CHECK(getsockname(told, (void *)&name, &len) == 0 && sendto(told, "x", 1, 0, (void *)&name, sizeof(name)) == 1);
	CHECK(recv(told, &c, 1, 0) == 1);
	CHECK_ERRNO(ioctl(told, SIOCGSTAMP, micro), ENOENT);
	close(told);
}

static void unsent(void)
{
	struct sockaddr_in name = ip("127.0.0.1");
	socklen_t len = sizeof(name);
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), queued = -1, waiting = -1;
	static char data[65536];

	CHECK(bind(listener, (void *)&name, sizeof(name)) == 0 && listen(listener, 1) == 0 && getsockname(listener, (void *)&name, &len) == 0);
	CHECK_ERRNO(ioctl(listener, SIOCOUTQNSD, &waiting), EINVAL);
	CHECK(connect(client, (void *)&name, sizeof(name)) == 0);
	int server = accept(listener, NULL, NULL);
	CHECK(ioctl(client, SIOCOUTQNSD, &waiting) == 0 && waiting == 0);
	CHECK(send(client, "x", 1, 0) == 1 && ioctl(client, SIOCOUTQNSD, &waiting) == 0 && waiting == 0);
	while (send(client, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	CHECK(ioctl(client, SIOCOUTQ, &queued) == 0 && ioctl(client, SIOCOUTQNSD, &waiting) == 0);
	CHECK(waiting > 0 && waiting <= queued);
	CHECK(recv(server, data, 1, 0) == 1);
	CHECK_ERRNO(ioctl(server, SIOCGSTAMP, data), ENOENT);
	close(client);
	close(server);
	close(listener);
}

/* ---- what is set, as who may ---- */

static int set_address(int s, unsigned number, const char *name, const char *address)
{
	struct ifreq request = {0};
	struct sockaddr_in a = ip(address);

	strcpy(request.ifr_name, name);
	memcpy(&request.ifr_addr, &a, sizeof(a));
	return ioctl(s, number, &request);
}

static void addresses(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq request = {.ifr_name = "lo"};

	CHECK_ERRNO(set_address(s, SIOCSIFNETMASK, "lo", "255.0.0.0"), EADDRNOTAVAIL);
	CHECK(set_address(s, SIOCSIFADDR, "lo", "127.0.0.1") == 0);
	CHECK(ioctl(s, SIOCGIFADDR, &request) == 0);
	CHECK(((struct sockaddr_in *)&request.ifr_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	CHECK(ioctl(s, SIOCGIFFLAGS, &request) == 0 && !(request.ifr_flags & IFF_UP));
	request.ifr_flags = IFF_UP;
	CHECK(ioctl(s, SIOCSIFFLAGS, &request) == 0 && ioctl(s, SIOCGIFFLAGS, &request) == 0 && request.ifr_flags & IFF_UP);
	CHECK(set_address(s, SIOCSIFADDR, "lo", "127.0.0.1") == 0 && set_address(s, SIOCSIFNETMASK, "lo", "255.0.0.0") == 0);
	CHECK(set_address(s, SIOCSIFBRDADDR, "lo", "0.0.0.0") == 0 && set_address(s, SIOCSIFDSTADDR, "lo", "127.0.0.1") == 0);
	CHECK_ERRNO(set_address(s, SIOCSIFNETMASK, "lo", "255.0.255.0"), EINVAL);
	CHECK_ERRNO(set_address(s, SIOCSIFADDR, "lo", "224.0.0.2"), EINVAL);
	CHECK_ERRNO(set_address(s, SIOCSIFDSTADDR, "lo", "224.0.0.2"), EINVAL);
	CHECK_ERRNO(set_address(s, SIOCSIFADDR, "nosuch0", "127.0.0.1"), ENODEV);
	CHECK_ERRNO(set_address(s, SIOCSIFDSTADDR, "lo:1", "127.0.0.1"), EADDRNOTAVAIL);
	close(s);
}

static void address6(void)
{
	int s = socket(AF_INET6, SOCK_DGRAM, 0);
	struct {
		struct in6_addr address;
		unsigned prefix;
		int index;
	} request = {IN6ADDR_LOOPBACK_INIT, 129, 1};

	CHECK_ERRNO(ioctl(s, SIOCSIFADDR, &request), EINVAL);
	CHECK_ERRNO(ioctl(s, SIOCDIFADDR, &request), EINVAL);
	request.prefix = 128;
	request.index = 77;
	CHECK_ERRNO(ioctl(s, SIOCSIFADDR, &request), ENODEV);
	request.index = -1;
	CHECK_ERRNO(ioctl(s, SIOCDIFADDR, &request), ENODEV);
	close(s);
}

/* While the device is down: before Linux 6.2 one that is up keeps its name. */
static void values(void)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "a b", "a\tb", "a:b", "v%", "v%s"};
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	struct ifreq request = {.ifr_name = "lo"};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(request.ifr_newname, bad[i]);
		CHECK_ERRNO(ioctl(s, SIOCSIFNAME, &request), EINVAL);
	}
	strcpy(request.ifr_newname, "lo");
	CHECK(ioctl(s, SIOCSIFNAME, &request) == 0);
	request.ifr_mtu = -1;
	CHECK_ERRNO(ioctl(s, SIOCSIFMTU, &request), EINVAL);
	request.ifr_hwaddr = (struct sockaddr){.sa_family = ARPHRD_LOOPBACK, .sa_data = {1}};
	CHECK_ERRNO(ioctl(s, SIOCSIFHWADDR, &request), EADDRNOTAVAIL);
	struct hwtstamp_config config = {.flags = 2};
	request.ifr_data = (void *)&config;
	CHECK_ERRNO(ioctl(s, SIOCSHWTSTAMP, &request), EINVAL);
	config = (struct hwtstamp_config){.tx_type = 4};
	CHECK_ERRNO(ioctl(s, SIOCSHWTSTAMP, &request), ERANGE);
	config = (struct hwtstamp_config){.rx_filter = 16};
	CHECK_ERRNO(ioctl(s, SIOCSHWTSTAMP, &request), ERANGE);
	config = (struct hwtstamp_config){0};
	CHECK_ERRNO(ioctl(s, SIOCSHWTSTAMP, &request), EOPNOTSUPP);
	close(s);
}

static void neighbours(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct arpreq request = {0};
	struct sockaddr_in to = ip("192.0.2.1");

	memcpy(&request.arp_pa, &to, sizeof(to));
	CHECK_ERRNO(ioctl(s, SIOCGARP, &request), ENODEV);
	CHECK_ERRNO(ioctl(s, SIOCSARP, &request), ENETUNREACH);
	CHECK_ERRNO(ioctl(s, SIOCDARP, &request), ENETUNREACH);
	strcpy(request.arp_dev, "nosuch0");
	CHECK_ERRNO(ioctl(s, SIOCGARP, &request), ENODEV);
	strcpy(request.arp_dev, "lo");
	CHECK_ERRNO(ioctl(s, SIOCGARP, &request), ENXIO);
	CHECK_ERRNO(ioctl(s, SIOCDARP, &request), ENXIO);
	request.arp_flags = ATF_NETMASK;
	CHECK_ERRNO(ioctl(s, SIOCGARP, &request), EINVAL);
	request.arp_flags = ATF_DONTPUB;
	CHECK_ERRNO(ioctl(s, SIOCSARP, &request), EINVAL);
	request.arp_flags = ATF_COM | ATF_PERM;
	request.arp_ha.sa_family = ARPHRD_ETHER;
	CHECK_ERRNO(ioctl(s, SIOCSARP, &request), EINVAL);
	to = ip("127.0.0.1");
	memcpy(&request.arp_pa, &to, sizeof(to));
	request.arp_dev[0] = '\0';
	CHECK_ERRNO(ioctl(s, SIOCSARP, &request), EINVAL);
	CHECK_ERRNO(ioctl(s, SIOCDARP, &request), ENXIO);
	close(s);
}

static void put(struct sockaddr *at, const char *address)
{
	struct sockaddr_in a = ip(address);

	memcpy(at, &a, sizeof(a));
}

static void routes(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct rtentry route = {0};

	put(&route.rt_dst, "192.0.2.0");
	CHECK_ERRNO(ioctl(s, SIOCADDRT, &route), EINVAL);
	put(&route.rt_genmask, "255.0.255.0");
	CHECK_ERRNO(ioctl(s, SIOCADDRT, &route), EINVAL);
	put(&route.rt_genmask, "255.255.0.0");
	CHECK_ERRNO(ioctl(s, SIOCDELRT, &route), EINVAL);
	put(&route.rt_genmask, "255.255.255.0");
	route.rt_genmask.sa_family = 99;
	CHECK_ERRNO(ioctl(s, SIOCADDRT, &route), EAFNOSUPPORT);
	route.rt_genmask.sa_family = AF_INET;
	route.rt_dev = (char *)1;
	CHECK_ERRNO(ioctl(s, SIOCADDRT, &route), EFAULT);
	route.rt_dev = "nosuch0";
	CHECK_ERRNO(ioctl(s, SIOCADDRT, &route), ENODEV);
	CHECK_ERRNO(ioctl(s, SIOCDELRT, &route), ENODEV);
	route.rt_dev = "lo:1";
	CHECK_ERRNO(ioctl(s, SIOCADDRT, &route), ENODEV);
	route.rt_dev = "lo";
	route.rt_flags = RTF_GATEWAY;
	CHECK_ERRNO(ioctl(s, SIOCADDRT, &route), EINVAL);
	route.rt_flags = 0;
	put(&route.rt_gateway, "192.0.2.1");
	CHECK_ERRNO(ioctl(s, SIOCADDRT, &route), ENETUNREACH);
	close(s);
}

static void own_namespace(void)
{
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), fd = ioctl(s, SIOCGSKNS);
	struct stat own, told;

	CHECK(fd >= 0 && fstat(fd, &told) == 0 && stat("/proc/self/ns/net", &own) == 0);
	CHECK(own.st_ino == told.st_ino && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(unshare(CLONE_NEWNET) == 0 && stat("/proc/self/ns/net", &own) == 0 && own.st_ino != told.st_ino);
	close(fd);
	fd = ioctl(s, SIOCGSKNS);
	CHECK(fd >= 0 && fstat(fd, &own) == 0 && own.st_ino == told.st_ino);
	close(fd);
	close(s);
}

/* Received and sent, of the loopback. */
static void loopback_counts(unsigned long counts[4])
{
	FILE *f = fopen("/proc/self/net/dev", "r");
	char line[300];

	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " lo: %lu %lu %*u %*u %*u %*u %*u %*u %lu %lu", &counts[0], &counts[1], &counts[2], &counts[3]) == 4)
			break;
	fclose(f);
}

static void loopback(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct ifreq up = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	unsigned long before[4] = {1}, after[4] = {0};
	socklen_t len = sizeof(to);
	char line[300], local = 0;
	int s;

	CHECK(unshare(CLONE_NEWNET) == 0);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(ioctl(s, SIOCSIFFLAGS, &up) == 0 && bind(s, (void *)&to, sizeof(to)) == 0);
	CHECK(getsockname(s, (void *)&to, &len) == 0);
	loopback_counts(before);
	CHECK(sendto(s, line, 100, 0, (void *)&to, len) == 100);
	loopback_counts(after);
	for (unsigned i = 0; i < 4; i++)
		printf("%lu ", after[i] - before[i]);
	FILE *f = fopen("/proc/self/net/ipv6_route", "r");
	CHECK(f);
	while (f && fgets(line, sizeof(line), f))
		local |= !strncmp(line, "00000000000000000000000000000001 80 ", 36) && strstr(line, " 80200001       lo\n");
	CHECK(local);
	if (f)
		fclose(f);
	close(s);
}

/* In namespaces of its own, where it may change things. */
static void as_owner(void)
{
	CHECK(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0);
	RUN(values);
	RUN(lists);
	RUN(addresses);
	RUN(lists);
	RUN(address6);
	RUN(neighbours);
	RUN(routes);
	RUN(own_namespace);
	RUN(loopback);
}

int main(void)
{
	harness_start();
	RUN(lists);
	RUN(stamps);
	RUN(unsent);
	ISOLATED(as_owner);
	return CHECK_RESULT();
}
