/*
 * NETLINK_SOCK_DIAG (sock_diag(7)): what `ss` asks: the sockets of a family with their state, names, queues and, if
 * wanted, TCP_INFO and its like. A dump, or for the internet families one socket by its names.
 *
 * Not here: filters in the kernel (INET_DIAG_REQ_BYTECODE) and SOCK_DESTROY, both -EOPNOTSUPP. Cookies are inode numbers.
 */
#include <linux/errno.h>
#include <linux/in.h>
#include <linux/inet_diag.h>
#include <linux/net.h>
#include <linux/netlink_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <linux/unix_diag.h>

#include "kernel/net/hostnet.h"
#include "kernel/net/inet.h"
#include "kernel/net/netlink_internal.h"
#include "kernel/net/unix.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"

#define STATE_CLOSED 7u
#define STATE_LISTEN 10u

struct inet_query {
	struct netlink_reply *reply;
	const struct inet_diag_req_v2 *request;
	bool one;
	unsigned found;
};

/* ---- internet sockets ---- */

static void put_memory(struct netlink_reply *reply, uint16_t type, const struct inet_summary *s)
{
	uint32_t memory[SK_MEMINFO_VARS] = {0};

	memory[SK_MEMINFO_RMEM_ALLOC] = s->receive_queue;
	memory[SK_MEMINFO_WMEM_QUEUED] = s->send_queue;
	if (s->sock) {
		memory[SK_MEMINFO_RCVBUF] = s->sock->options->receive_buffer;
		memory[SK_MEMINFO_SNDBUF] = s->sock->options->send_buffer;
	}
	reply_put(reply, type, memory, sizeof(memory));
}

static void put_option(struct netlink_reply *reply, uint16_t type, struct socket *sock, int option)
{
	char value[SOCKET_OPTION_MAX];
	unsigned len = sizeof(value);

	if (sock && !sock->ops->get_option(sock, IPPROTO_TCP, option, value, &len))
		reply_put(reply, type, value, len);
}

static void put_extensions(struct netlink_reply *reply, const struct inet_summary *s, unsigned wanted)
{
	reply_put_u8(reply, INET_DIAG_SHUTDOWN, s->shutdown);
	if (wanted & 1u << (INET_DIAG_TOS - 1))
		reply_put_u8(reply, INET_DIAG_TOS, s->tos);
	if (s->family == AF_INET6) {
		if (wanted & 1u << (INET_DIAG_TCLASS - 1))
			reply_put_u8(reply, INET_DIAG_TCLASS, s->tos);
		if (s->state == STATE_LISTEN || s->state == STATE_CLOSED)
			reply_put_u8(reply, INET_DIAG_SKV6ONLY, s->v6only);
	}
	if (wanted & 1u << (INET_DIAG_MEMINFO - 1)) {
		struct inet_diag_meminfo memory = {.idiag_rmem = s->receive_queue, .idiag_wmem = s->send_queue};

		reply_put(reply, INET_DIAG_MEMINFO, &memory, sizeof(memory));
	}
	if (wanted & 1u << (INET_DIAG_SKMEMINFO - 1))
		put_memory(reply, INET_DIAG_SKMEMINFO, s);
	if (s->type != SOCK_STREAM)
		return;
	if (wanted & 1u << (INET_DIAG_INFO - 1))
		put_option(reply, INET_DIAG_INFO, s->sock, TCP_INFO);
	if (wanted & 1u << (INET_DIAG_CONG - 1) && s->state != STATE_LISTEN)
		put_option(reply, INET_DIAG_CONG, s->sock, TCP_CONGESTION);
}

/* Linux has in its tables what is bound; of TCP, what is not closed. */
static bool is_listed(const struct inet_query *q, const struct inet_summary *s)
{
	const struct inet_diag_req_v2 *r = q->request;
	unsigned state = s->state;

	if (s->family != r->sdiag_family || !(r->idiag_states & 1u << state))
		return false;
	if (r->sdiag_protocol == IPPROTO_RAW)
		return s->type == SOCK_RAW;
	if (s->type == SOCK_RAW || s->protocol != r->sdiag_protocol)
		return false;
	return s->type == SOCK_STREAM ? state != STATE_CLOSED : s->local_port != 0;
}

static bool is_asked_for(const struct inet_query *q, const struct inet_summary *s)
{
	const struct inet_diag_sockid *id = &q->request->id;
	size_t size = s->family == AF_INET ? 4 : 16;

	if (!q->one)
		return true;
	if (id->idiag_sport != __builtin_bswap16(s->local_port) || memcmp(id->idiag_src, s->local, size))
		return false;
	return s->state == STATE_LISTEN || (id->idiag_dport == __builtin_bswap16(s->remote_port) && !memcmp(id->idiag_dst, s->remote, size));
}

static void tell_inet(void *arg, const struct inet_summary *s)
{
	struct inet_query *q = arg;
	struct inet_diag_msg *m;

	if (!is_listed(q, s) || !is_asked_for(q, s) || (q->one && q->found))
		return;
	q->found++;
	m = reply_begin(q->reply, SOCK_DIAG_BY_FAMILY, sizeof(*m));
	if (!m)
		return;
	m->idiag_family = (uint8_t)s->family;
	m->idiag_state = (uint8_t)s->state;
	m->id.idiag_sport = __builtin_bswap16(s->type == SOCK_RAW ? (uint16_t)s->protocol : s->local_port);
	m->id.idiag_dport = __builtin_bswap16(s->remote_port);
	memcpy(m->id.idiag_src, s->local, sizeof(m->id.idiag_src));
	memcpy(m->id.idiag_dst, s->remote, sizeof(m->id.idiag_dst));
	if (s->sock)
		m->id.idiag_if = (uint32_t)s->sock->options->bound_if;
	m->id.idiag_cookie[0] = (uint32_t)s->ino;
	m->id.idiag_cookie[1] = (uint32_t)(s->ino >> 32);
	m->idiag_rqueue = s->receive_queue;
	m->idiag_wqueue = s->send_queue;
	m->idiag_uid = uid_to_user(s->uid);
	m->idiag_inode = (uint32_t)s->ino;
	put_extensions(q->reply, s, q->request->idiag_ext);
	reply_end(q->reply);
}

static int diag_inet(struct netlink_reply *reply, const struct nlmsghdr *request, size_t len, bool dump)
{
	struct inet_query q = {.reply = reply, .request = NLMSG_DATA(request), .one = !dump};
	size_t size;

	if (len < NLMSG_LENGTH(sizeof(*q.request)))
		return -EINVAL;
	if (q.request->sdiag_protocol != IPPROTO_TCP && q.request->sdiag_protocol != IPPROTO_UDP &&
	    q.request->sdiag_protocol != IPPROTO_RAW)
		return -ENOENT;
	if (netlink_find_attribute(request, len, sizeof(*q.request), INET_DIAG_REQ_BYTECODE, &size))
		return -EOPNOTSUPP;
	inet_for_each(tell_inet, &q);
	return q.one && !q.found ? -ENOENT : 0;
}

/* ---- unix sockets ---- */

struct unix_query {
	struct netlink_reply *reply;
	const struct unix_diag_req *request;
	bool one;
	unsigned found;
};

static void tell_unix(void *arg, const struct unix_summary *s)
{
	struct unix_query *q = arg;
	struct unix_diag_msg *m;
	struct unix_diag_rqlen queues = {s->receive_queue, s->send_queue};
	unsigned state = s->listening ? STATE_LISTEN : s->state == SS_CONNECTED ? 1u : STATE_CLOSED, show = q->request->udiag_show;

	if (!s->ino)
		return; /* nobody has accepted it yet */
	if (q->one ? s->ino != q->request->udiag_ino : !(q->request->udiag_states & 1u << state))
		return;
	q->found++;
	m = reply_begin(q->reply, SOCK_DIAG_BY_FAMILY, sizeof(*m));
	if (!m)
		return;
	m->udiag_family = AF_UNIX;
	m->udiag_type = (uint8_t)s->type;
	m->udiag_state = (uint8_t)state;
	m->udiag_ino = (uint32_t)s->ino;
	m->udiag_cookie[0] = (uint32_t)s->ino;
	if (show & UDIAG_SHOW_NAME && s->name_len)
		reply_put(q->reply, UNIX_DIAG_NAME, s->name, s->name_len);
	if (show & UDIAG_SHOW_PEER && s->peer)
		reply_put_u32(q->reply, UNIX_DIAG_PEER, (uint32_t)s->peer);
	if (show & UDIAG_SHOW_RQLEN)
		reply_put(q->reply, UNIX_DIAG_RQLEN, &queues, sizeof(queues));
	if (show & UDIAG_SHOW_MEMINFO) {
		uint32_t memory[SK_MEMINFO_VARS] = {[SK_MEMINFO_RMEM_ALLOC] = s->receive_queue,
			[SK_MEMINFO_RCVBUF] = s->receive_buffer, [SK_MEMINFO_SNDBUF] = s->send_buffer};

		reply_put(q->reply, UNIX_DIAG_MEMINFO, memory, sizeof(memory));
	}
	reply_put_u8(q->reply, UNIX_DIAG_SHUTDOWN, s->shutdown);
	if (show & UDIAG_SHOW_UID)
		reply_put_u32(q->reply, UNIX_DIAG_UID, uid_to_user(s->uid));
	reply_end(q->reply);
}

static int diag_unix(struct netlink_reply *reply, const struct nlmsghdr *request, size_t len, bool dump)
{
	struct unix_query q = {.reply = reply, .request = NLMSG_DATA(request), .one = !dump};

	if (len < NLMSG_LENGTH(sizeof(*q.request)) || (q.one && !q.request->udiag_ino))
		return -EINVAL;
	unix_for_each(tell_unix, &q);
	return q.one && !q.found ? -ENOENT : 0;
}

/* ---- netlink sockets ---- */

struct netlink_query {
	struct netlink_reply *reply;
	const struct netlink_diag_req *request;
};

static void tell_netlink(void *arg, const struct netlink_summary *s)
{
	struct netlink_query *q = arg;
	struct netlink_diag_msg *m;
	bool all = q->request->sdiag_protocol == NDIAG_PROTO_ALL;

	if (!all && s->protocol != q->request->sdiag_protocol)
		return;
	m = reply_begin(q->reply, SOCK_DIAG_BY_FAMILY, sizeof(*m));
	if (!m)
		return;
	m->ndiag_family = AF_NETLINK;
	m->ndiag_type = (uint8_t)s->type;
	m->ndiag_protocol = (uint8_t)s->protocol;
	m->ndiag_state = STATE_CLOSED;
	m->ndiag_portid = s->port;
	m->ndiag_ino = (uint32_t)s->ino;
	m->ndiag_cookie[0] = (uint32_t)s->ino;
	if (q->request->ndiag_show & NDIAG_SHOW_GROUPS)
		reply_put_u32(q->reply, NETLINK_DIAG_GROUPS, s->groups);
	if (q->request->ndiag_show & NDIAG_SHOW_MEMINFO) {
		uint32_t memory[SK_MEMINFO_VARS] = {[SK_MEMINFO_RMEM_ALLOC] = s->queued,
			[SK_MEMINFO_RCVBUF] = s->receive_buffer, [SK_MEMINFO_SNDBUF] = s->send_buffer};

		reply_put(q->reply, NETLINK_DIAG_MEMINFO, memory, sizeof(memory));
	}
	reply_end(q->reply);
}

static int diag_netlink(struct netlink_reply *reply, const struct nlmsghdr *request, size_t len, bool dump)
{
	struct netlink_query q = {.reply = reply, .request = NLMSG_DATA(request)};

	if (len < NLMSG_LENGTH(sizeof(*q.request)))
		return -EINVAL;
	if (!dump)
		return -EOPNOTSUPP;
	netlink_summaries(tell_netlink, &q);
	return 0;
}

int netlink_diag_request(struct netlink_reply *reply, const struct nlmsghdr *request, size_t len)
{
	bool dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;

	if (request->nlmsg_type == SOCK_DESTROY)
		return -EOPNOTSUPP;
	if (request->nlmsg_type != SOCK_DIAG_BY_FAMILY || len < NLMSG_LENGTH(sizeof(struct sock_diag_req)))
		return -EINVAL;
	switch (((const struct sock_diag_req *)NLMSG_DATA(request))->sdiag_family) {
	case AF_INET:
	case AF_INET6:
		if (hostnet_is_used()) {
			netlink_explain("the host's sockets are not listed here");
			return -EOPNOTSUPP;
		}
		return diag_inet(reply, request, len, dump);
	case AF_UNIX:
		return diag_unix(reply, request, len, dump);
	case AF_NETLINK:
		return diag_netlink(reply, request, len, dump);
	default:
		return -ENOENT;
	}
}
