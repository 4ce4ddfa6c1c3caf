/*
 * Generic netlink: the controller tells of families; TASKSTATS tells what a thread or process has used, to whom may
 * administer the network.
 */
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/taskstats.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "harness.h"

static _Alignas(8) char request[256], answer[4096];
static int sock;

static void begin(uint16_t type, uint8_t command, uint8_t version, uint16_t flags)
{
	struct nlmsghdr *h = (void *)request;
	struct genlmsghdr *g = NLMSG_DATA(h);

	memset(request, 0, sizeof(request));
	*h = (struct nlmsghdr){NLMSG_LENGTH(GENL_HDRLEN), type, (uint16_t)(NLM_F_REQUEST | flags), 7, 0};
	*g = (struct genlmsghdr){command, version, 0};
}

static void put(uint16_t type, const void *data, uint16_t size)
{
	struct nlmsghdr *h = (void *)request;
	struct nlattr *a = (void *)(request + NLMSG_ALIGN(h->nlmsg_len));

	*a = (struct nlattr){(uint16_t)(NLA_HDRLEN + size), type};
	memcpy(a + 1, data, size);
	h->nlmsg_len = (uint32_t)(NLMSG_ALIGN(h->nlmsg_len) + NLA_ALIGN(NLA_HDRLEN + size));
}

/* The answer's type; an error message's error, negative. */
static int ask(void)
{
	struct nlmsghdr *h = (void *)request;

	CHECK(send(sock, request, h->nlmsg_len, 0) == (ssize_t)h->nlmsg_len);
	memset(answer, 0, sizeof(answer));
	CHECK(recv(sock, answer, sizeof(answer), 0) >= NLMSG_HDRLEN);
	h = (void *)answer;
	CHECK(h->nlmsg_seq == 7);
	return h->nlmsg_type == NLMSG_ERROR ? ((struct nlmsgerr *)NLMSG_DATA(h))->error : h->nlmsg_type;
}

/* The data of an attribute in [from, end), NULL if it is not there. */
static void *find(void *from, void *end, unsigned type)
{
	for (struct nlattr *a = from; (void *)(a + 1) <= end && a->nla_len >= NLA_HDRLEN; a = (void *)((char *)a + NLA_ALIGN(a->nla_len)))
		if ((a->nla_type & NLA_TYPE_MASK) == type)
			return a + 1;
	return NULL;
}

static void *attribute(unsigned type)
{
	struct nlmsghdr *h = (void *)answer;

	return find((char *)NLMSG_DATA(h) + GENL_HDRLEN, answer + h->nlmsg_len, type);
}

static int test_controller(void)
{
	int id, none = GENL_ID_CTRL;

	begin(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, 0);
	put(CTRL_ATTR_FAMILY_NAME, TASKSTATS_GENL_NAME, sizeof(TASKSTATS_GENL_NAME));
	CHECK(ask() == GENL_ID_CTRL);
	CHECK(attribute(CTRL_ATTR_FAMILY_ID) && !strcmp(attribute(CTRL_ATTR_FAMILY_NAME), TASKSTATS_GENL_NAME));
	id = *(uint16_t *)attribute(CTRL_ATTR_FAMILY_ID);
	CHECK(*(uint32_t *)attribute(CTRL_ATTR_VERSION) == TASKSTATS_GENL_VERSION && attribute(CTRL_ATTR_OPS));

	begin(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, 0);
	put(CTRL_ATTR_FAMILY_ID, &none, 2);
	CHECK(ask() == GENL_ID_CTRL && !strcmp(attribute(CTRL_ATTR_FAMILY_NAME), "nlctrl"));
	begin(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, 0);
	put(CTRL_ATTR_FAMILY_NAME, "no such one", 12);
	CHECK(ask() == -ENOENT);
	begin(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, 0);
	CHECK(ask() == -EINVAL);
	/* The answer and its acknowledgement are a datagram each. */
	begin(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, NLM_F_ACK);
	put(CTRL_ATTR_FAMILY_ID, &none, 2);
	CHECK(ask() == GENL_ID_CTRL);
	CHECK(recv(sock, answer, sizeof(answer), MSG_DONTWAIT) == NLMSG_LENGTH(sizeof(struct nlmsgerr)));
	CHECK(((struct nlmsghdr *)answer)->nlmsg_type == NLMSG_ERROR && !((struct nlmsgerr *)NLMSG_DATA((void *)answer))->error);
	begin(GENL_ID_CTRL, 99, 1, 0);
	CHECK(ask() == -EOPNOTSUPP);
	begin(0x3ff, 1, 1, 0);
	CHECK(ask() == -ENOENT);
	return id;
}

static struct taskstats *statistics(int id, uint16_t by, uint32_t number, uint16_t nest)
{
	struct nlattr *around;

	begin((uint16_t)id, TASKSTATS_CMD_GET, TASKSTATS_GENL_VERSION, 0);
	put(by, &number, sizeof(number));
	CHECK(ask() == id);
	around = attribute(nest);
	CHECK(around);
	if (!around)
		exit(1);
	return find(around, (char *)(around - 1) + (around - 1)->nla_len, TASKSTATS_TYPE_STATS);
}

static void test_statistics(int id)
{
	uint32_t self = (uint32_t)getpid(), none = 0x3fffffff;
	struct taskstats *s;

	begin((uint16_t)id, TASKSTATS_CMD_GET, TASKSTATS_GENL_VERSION, 0);
	put(TASKSTATS_CMD_ATTR_PID, &self, sizeof(self));
	if (ask() == -EPERM)
		return;
	for (clock_t start = clock(); clock() - start < CLOCKS_PER_SEC / 20;)
		;
	s = statistics(id, TASKSTATS_CMD_ATTR_PID, self, TASKSTATS_TYPE_AGGR_PID);
	CHECK(s->version >= 10 && s->ac_pid == self && s->ac_ppid == (uint32_t)getppid() && s->ac_uid == getuid());
	CHECK(!strcmp(s->ac_comm, "genetlink") && s->ac_minflt > 0 && s->hiwater_vm > 0);
	CHECK(s->ac_utime + s->ac_stime >= 20000 && s->ac_etime >= 20000);
	CHECK(s->ac_btime + 3600 > time(NULL) && s->ac_btime <= time(NULL) + 1);
	s = statistics(id, TASKSTATS_CMD_ATTR_TGID, self, TASKSTATS_TYPE_AGGR_TGID);
	CHECK(s->version >= 10 && s->nvcsw + s->nivcsw > 0);
	begin((uint16_t)id, TASKSTATS_CMD_GET, TASKSTATS_GENL_VERSION, 0);
	put(TASKSTATS_CMD_ATTR_PID, &none, sizeof(none));
	CHECK(ask() == -ESRCH);
	begin((uint16_t)id, TASKSTATS_CMD_GET, TASKSTATS_GENL_VERSION, 0);
	CHECK(ask() == -EINVAL);
}

int main(void)
{
	struct sockaddr_nl name = {.nl_family = AF_NETLINK};

	sock = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	CHECK(sock >= 0 && bind(sock, (struct sockaddr *)&name, sizeof(name)) == 0);
	test_statistics(test_controller());
	return CHECK_RESULT();
}
