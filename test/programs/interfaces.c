/*
 * What programs learn of the network: netlink dumps, getifaddrs(3), the SIOCGIF ioctls, /proc/net and /sys/class/net.
 * Looks at the loopback device, which is alike everywhere.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "harness.h"

static int contains(const char *path, const char *text)
{
	static char buf[65536];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	close(fd);
	if (n < 0)
		return 0;
	buf[n] = 0;
	return strstr(buf, text) != NULL;
}

static void addresses(void)
{
	struct ifaddrs *list, *i;
	int four = 0, six = 0, link = 0;

	CHECK(getifaddrs(&list) == 0);
	for (i = list; i; i = i->ifa_next) {
		if (strcmp(i->ifa_name, "lo") != 0 || !i->ifa_addr)
			continue;
		CHECK(i->ifa_flags & IFF_LOOPBACK && i->ifa_flags & IFF_UP);
		link += i->ifa_addr->sa_family == AF_PACKET;
		if (i->ifa_addr->sa_family == AF_INET)
			four += ((struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK) &&
				((struct sockaddr_in *)i->ifa_netmask)->sin_addr.s_addr == htonl(0xff000000);
		if (i->ifa_addr->sa_family == AF_INET6)
			six += IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr);
	}
	freeifaddrs(list);
	CHECK(four == 1 && six == 1 && link == 1);
	CHECK(if_nametoindex("lo") == 1);
	CHECK_ERRNO(if_nametoindex("nosuch") == 0 ? -1 : 0, ENODEV);
	char name[IF_NAMESIZE];
	CHECK(if_indextoname(1, name) && !strcmp(name, "lo"));
}

static void ioctls(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = {.ifr_name = "lo"}, all[16];
	struct ifconf c = {.ifc_len = sizeof(all), .ifc_req = all};

	CHECK(ioctl(s, SIOCGIFADDR, &r) == 0 && ((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	CHECK(ioctl(s, SIOCGIFNETMASK, &r) == 0 && ((struct sockaddr_in *)&r.ifr_netmask)->sin_addr.s_addr == htonl(0xff000000));
	CHECK(ioctl(s, SIOCGIFFLAGS, &r) == 0 && r.ifr_flags & IFF_LOOPBACK);
	CHECK(ioctl(s, SIOCGIFMTU, &r) == 0 && r.ifr_mtu == 65536);
	CHECK(ioctl(s, SIOCGIFINDEX, &r) == 0 && r.ifr_ifindex == 1);
	CHECK(ioctl(s, SIOCGIFHWADDR, &r) == 0 && r.ifr_hwaddr.sa_family == 772);
	CHECK(ioctl(s, SIOCGIFCONF, &c) == 0 && c.ifc_len >= (int)sizeof(r) && !strcmp(all[0].ifr_name, "lo"));
	strcpy(r.ifr_name, "nosuch");
	CHECK_ERRNO(ioctl(s, SIOCGIFADDR, &r), ENODEV);
	CHECK_ERRNO(ioctl(s, SIOCGIFADDR, NULL), EFAULT);
	close(s);
}

/* Sends a request and gives the type of the first message of the answer, its whole in buf. */
static int ask(int s, unsigned type, unsigned flags, const void *body, size_t len, char *buf, size_t size)
{
	struct {
		struct nlmsghdr h;
		char body[64];
	} q = {.h = {.nlmsg_len = (unsigned)(NLMSG_HDRLEN + len), .nlmsg_type = (unsigned short)type,
		.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags), .nlmsg_seq = 77}};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	memcpy(q.body, body, len);
	CHECK(sendto(s, &q, q.h.nlmsg_len, 0, (void *)&kernel, sizeof(kernel)) == (ssize_t)q.h.nlmsg_len);
	struct pollfd p = {s, POLLIN, 0};
	CHECK(poll(&p, 1, 1000) == 1);
	if (recv(s, buf, size, 0) < (ssize_t)sizeof(struct nlmsghdr))
		return -1;
	CHECK(((struct nlmsghdr *)buf)->nlmsg_seq == 77);
	return ((struct nlmsghdr *)buf)->nlmsg_type;
}

static void netlink(void)
{
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), t = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct sockaddr_nl a = {.nl_family = AF_NETLINK}, b;
	socklen_t len = sizeof(b);
	static char buf[65536];

	CHECK(s >= 0 && bind(s, (void *)&a, sizeof(a)) == 0);
	CHECK(getsockname(s, (void *)&b, &len) == 0 && b.nl_pid == (unsigned)getpid() && len == sizeof(b));
	CHECK(bind(t, (void *)&a, sizeof(a)) == 0);
	CHECK(getsockname(t, (void *)&a, &len) == 0 && a.nl_pid != b.nl_pid && a.nl_pid);
	close(t);
	CHECK_ERRNO(recv(s, buf, 1, MSG_DONTWAIT), EAGAIN);
	struct ifinfomsg one = {.ifi_index = 1}, none = {.ifi_index = 4711};
	CHECK(ask(s, RTM_GETLINK, 0, &one, sizeof(one), buf, sizeof(buf)) == RTM_NEWLINK);
	CHECK(((struct ifinfomsg *)NLMSG_DATA(buf))->ifi_type == 772);
	CHECK(ask(s, RTM_GETLINK, 0, &none, sizeof(none), buf, sizeof(buf)) == NLMSG_ERROR);
	CHECK(((struct nlmsgerr *)NLMSG_DATA(buf))->error == -ENODEV);
	CHECK(ask(s, RTM_GETLINK, NLM_F_DUMP, &none, sizeof(none), buf, sizeof(buf)) == RTM_NEWLINK);
	CHECK(((struct nlmsghdr *)buf)->nlmsg_flags & NLM_F_MULTI);
	while (recv(s, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	struct {
		struct rtmsg m;
		struct rtattr h;
		unsigned address;
	} to = {{.rtm_family = AF_INET, .rtm_dst_len = 32}, {sizeof(to) - sizeof(struct rtmsg), RTA_DST}, htonl(INADDR_LOOPBACK)};
	CHECK(ask(s, RTM_GETROUTE, 0, &to, sizeof(to), buf, sizeof(buf)) == RTM_NEWROUTE);
	CHECK(((struct rtmsg *)NLMSG_DATA(buf))->rtm_type == RTN_LOCAL);
	CHECK(ask(s, RTM_GETROUTE, NLM_F_ACK, &to, 4, buf, sizeof(buf)) == NLMSG_ERROR);
	CHECK_ERRNO(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE), ESOCKTNOSUPPORT);
	CHECK_ERRNO(socket(AF_NETLINK, SOCK_RAW, 31), EPROTONOSUPPORT);
	/* what is no message is thrown away */
	CHECK(send(s, "abc", 3, 0) == 3);
	CHECK_ERRNO(recv(s, buf, 1, MSG_DONTWAIT), EAGAIN);
	close(s);
}

static void sysfs_files(void)
{
	CHECK(contains("/sys/class/net/lo/mtu", "65536\n") && contains("/sys/class/net/lo/ifindex", "1\n"));
	CHECK(contains("/sys/class/net/lo/type", "772\n") && contains("/sys/class/net/lo/address", "00:00:00:00:00:00\n"));
	CHECK(contains("/sys/class/net/lo/uevent", "INTERFACE=lo\nIFINDEX=1\n"));
}

static void files(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	char want[64];

	CHECK(bind(s, (void *)&a, sizeof(a)) == 0 && listen(s, 1) == 0 && getsockname(s, (void *)&a, &len) == 0);
	snprintf(want, sizeof(want), ": 0100007F:%04X 00000000:0000 0A ", ntohs(a.sin_port));
	CHECK(contains("/proc/net/tcp", want));
	a.sin_port = 0;
	CHECK(bind(u, (void *)&a, sizeof(a)) == 0 && getsockname(u, (void *)&a, &len) == 0);
	snprintf(want, sizeof(want), ": 0100007F:%04X 00000000:0000 07 ", ntohs(a.sin_port));
	CHECK(contains("/proc/net/udp", want));
	CHECK(contains("/proc/net/dev", "    lo: "));
	CHECK(contains("/proc/net/if_inet6", "00000000000000000000000000000001 01 80 10 80       lo\n"));
	CHECK(contains("/proc/net/route", "Iface\tDestination\tGateway"));
	if (access("/sys/class/net/lo", F_OK) == 0) /* not every container has /sys */
		sysfs_files();
	close(s);
	close(u);
}

int main(void)
{
	harness_start();
	RUN(addresses);
	RUN(ioctls);
	RUN(netlink);
	RUN(files);
	return CHECK_RESULT();
}
