/*
 * NETLINK_GET_STRICT_CHK: without it a dump's header is passed over, with it the header is a filter and nonsense in it is
 * refused. All about the loopback, which every namespace has.
 */
#include <linux/fib_rules.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "harness.h"

#ifndef NETLINK_GET_STRICT_CHK
#define NETLINK_GET_STRICT_CHK 12
#endif

static struct {
	struct nlmsghdr head;
	char body[128];
} request;

static int strict;

/* How many messages answered, or -errno; *filtered: whether all say that they are a part. */
static int ask(int *filtered)
{
	static char buf[16384];
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), count = 0;
	ssize_t n;

	*filtered = 1;
	CHECK(s >= 0);
	CHECK(!strict || setsockopt(s, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &strict, sizeof(strict)) == 0);
	CHECK(send(s, &request, request.head.nlmsg_len, 0) == (ssize_t)request.head.nlmsg_len);
	while ((n = recv(s, buf, sizeof(buf), 0)) > 0)
		for (struct nlmsghdr *m = (void *)buf; NLMSG_OK(m, n); m = NLMSG_NEXT(m, n)) {
			if (m->nlmsg_type == NLMSG_ERROR || m->nlmsg_type == NLMSG_DONE) {
				int rc = *(int *)NLMSG_DATA(m);

				close(s);
				return rc ? rc : count;
			}
			count++;
			*filtered &= (m->nlmsg_flags & NLM_F_DUMP_FILTERED) != 0;
		}
	close(s);
	return -1000;
}

static void *begin(int type, size_t size)
{
	memset(&request, 0, sizeof(request));
	request.head = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(size), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP};
	return NLMSG_DATA(&request.head);
}

static void add(int type, unsigned value)
{
	struct rtattr *a = (void *)((char *)&request + NLMSG_ALIGN(request.head.nlmsg_len));

	*a = (struct rtattr){.rta_len = RTA_LENGTH(sizeof(value)), .rta_type = type};
	memcpy(RTA_DATA(a), &value, sizeof(value));
	request.head.nlmsg_len = NLMSG_ALIGN(request.head.nlmsg_len) + RTA_SPACE(sizeof(value));
}

/* What is asked gives `lenient` messages (negative: at least so many) without the option and `checked` with it. */
#define EXPECT(lenient, checked)                                              \
	do {                                                                  \
		int part, n;                                                  \
		strict = 0;                                                   \
		n = ask(&part);                                               \
		CHECK((lenient) < 0 ? n >= -(lenient) : n == (lenient));      \
		strict = 1;                                                   \
		n = ask(&part);                                               \
		if (n != (checked))                                           \
			printf("line %d: %d, not %d\n", __LINE__, n, (int)(checked)); \
		CHECK(n == (checked));                                        \
	} while (0)

static void addresses(void)
{
	struct ifaddrmsg *info = begin(RTM_GETADDR, sizeof(*info));
	int part;

	info->ifa_family = AF_INET;
	EXPECT(-1, 1);
	info->ifa_prefixlen = 8;
	EXPECT(-1, -EINVAL);
	info->ifa_prefixlen = 0;
	info->ifa_index = if_nametoindex("lo");
	EXPECT(-1, 1);
	strict = 1;
	CHECK(ask(&part) == 1 && part);
	info->ifa_index = 9999;
	EXPECT(-1, -ENODEV);
	info->ifa_index = 0;
	add(IFA_LABEL, 0);
	EXPECT(-1, -EINVAL);
	begin(RTM_GETADDR, 4);
	request.body[0] = AF_INET;
	EXPECT(-1, -EINVAL);
}

static void routes(void)
{
	struct rtmsg *info = begin(RTM_GETROUTE, sizeof(*info));
	int part, n;

	info->rtm_family = AF_INET;
	info->rtm_table = RT_TABLE_LOCAL;
	strict = 1;
	n = ask(&part);
	CHECK(n >= 1 && part);
	info->rtm_table = 0;
	add(RTA_TABLE, RT_TABLE_MAIN);
	EXPECT(-1, 0);
	begin(RTM_GETROUTE, sizeof(*info));
	info->rtm_family = AF_INET;
	info->rtm_table = 77;
	EXPECT(-1, -ENOENT);
	info->rtm_table = 0;
	info->rtm_scope = RT_SCOPE_HOST;
	EXPECT(-1, -EINVAL);
	info->rtm_scope = 0;
	info->rtm_flags = RTM_F_NOTIFY;
	EXPECT(-1, -EINVAL);
	info->rtm_flags = 0;
	info->rtm_protocol = RTPROT_STATIC;
	EXPECT(-1, 0);
	info->rtm_protocol = 0;
	add(RTA_PRIORITY, 1);
	EXPECT(-1, -EINVAL);
	begin(RTM_GETROUTE, sizeof(*info));
	info->rtm_family = AF_INET;
	add(RTA_OIF, 9999);
	EXPECT(-1, -ENODEV);
}

static void others(void)
{
	struct ifinfomsg *link = begin(RTM_GETLINK, sizeof(*link));

	link->ifi_index = if_nametoindex("lo");
	EXPECT(-1, -EINVAL);
	link->ifi_index = 0;
	link->ifi_change = 1;
	EXPECT(-1, -EINVAL);
	link->ifi_change = 0;
	add(IFLA_MTU, 1);
	EXPECT(-1, -EINVAL);
	struct ndmsg *neighbour = begin(RTM_GETNEIGH, sizeof(*neighbour));
	EXPECT(0, 0);
	neighbour->ndm_state = 1;
	EXPECT(0, -EINVAL);
	struct fib_rule_hdr *rule = begin(RTM_GETRULE, sizeof(*rule));
	rule->family = AF_INET;
	EXPECT(3, 3);
	rule->table = 1;
	EXPECT(3, -EINVAL);
	rule->table = 0;
	add(1, 1);
	EXPECT(3, -EINVAL);
}

static void option(void)
{
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), one = 1, value = -1;
	socklen_t len = sizeof(value);

	CHECK(getsockopt(s, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &value, &len) == 0 && value == 0);
	CHECK(setsockopt(s, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one)) == 0);
	CHECK(getsockopt(s, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &value, &len) == 0 && value == 1);
	CHECK(getsockopt(s, SOL_NETLINK, NETLINK_EXT_ACK, &value, &len) == 0 && value == 0);
	len = 2;
	CHECK_ERRNO(getsockopt(s, SOL_NETLINK, NETLINK_EXT_ACK, &value, &len), EINVAL);
	len = sizeof(value);
	CHECK(setsockopt(s, SOL_NETLINK, NETLINK_PKTINFO, &one, sizeof(one)) == 0);
	CHECK(getsockopt(s, SOL_NETLINK, NETLINK_PKTINFO, &value, &len) == 0 && value == 1);
	len = 0;
	CHECK(getsockopt(s, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, NULL, &len) == 0 && len == 0);
	value = RTNLGRP_LINK;
	CHECK(setsockopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &value, sizeof(value)) == 0);
	CHECK(getsockopt(s, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, NULL, &len) == 0 && len >= 4);
	len = sizeof(value);
	CHECK(getsockopt(s, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, &value, &len) == 0 && value == 1 << (RTNLGRP_LINK - 1));
	close(s);
}

int main(void)
{
	harness_start();
	RUN(addresses);
	RUN(routes);
	RUN(others);
	RUN(option);
	return CHECK_RESULT();
}
