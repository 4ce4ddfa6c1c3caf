/*
 * The multicast options of ip(7) and ipv6(7): decoded here, done by multicast.c.
 */
#include <linux/in.h>
#include <linux/in6.h>

#include "kernel/net/lwip/device.h"
#include "kernel/net/lwip/multicast.h"

#define LIST_MAX 64u /* senders, at most: net.ipv6.mld_max_msf */

static bool is_stream(const struct inet_socket *sock)
{
	return sock->base.type == SOCK_STREAM;
}

static bool is_link(int index)
{
	struct inet_device device;

	return index > 0 && inet_find_device(index, NULL, &device);
}

/* ---- the link that packets leave by ---- */

/* struct ip_mreqn, or its shorter elders. */
static int read_request4(const void *value, unsigned len, struct ip_mreqn *out)
{
	memset(out, 0, sizeof(*out));
	if (len >= sizeof(*out))
		memcpy(out, value, sizeof(*out));
	else if (len >= sizeof(struct ip_mreq))
		memcpy(out, value, sizeof(struct ip_mreq)); /* begins as the longer one does */
	else
		return -EINVAL;
	return 0;
}

static int set_interface4(struct inet_socket *sock, const void *value, unsigned len)
{
	struct ip_mreqn request = {.imr_ifindex = 0};

	if (is_stream(sock) || len < sizeof(struct in_addr))
		return -EINVAL;
	if (read_request4(value, len, &request))
		memcpy(&request.imr_address, value, sizeof(request.imr_address));
	if (!request.imr_ifindex && request.imr_address.s_addr)
		request.imr_ifindex = route_index_of(request.imr_address.s_addr);
	if ((request.imr_ifindex || request.imr_address.s_addr) && !is_link(request.imr_ifindex))
		return -EADDRNOTAVAIL;
	if (sock->options.bound_if && request.imr_ifindex && request.imr_ifindex != sock->options.bound_if)
		return -EINVAL;
	sock->multicast_if = (uint8_t)request.imr_ifindex;
	sock->multicast_from = request.imr_address.s_addr;
	return 0;
}

static int set_interface6(struct inet_socket *sock, const void *value, unsigned len)
{
	int index;

	if (is_stream(sock))
		return -ENOPROTOOPT;
	if (len < sizeof(index))
		return -EINVAL;
	memcpy(&index, value, sizeof(index));
	if (index && !is_link(index))
		return -ENODEV;
	if (index && sock->options.bound_if && sock->options.bound_if != index)
		return -EINVAL;
	sock->multicast_if6 = (uint8_t)index;
	return 0;
}

/* ---- membership ---- */

static int change_membership(struct inet_socket *sock, const struct multicast_request *request, bool add)
{
	return add ? multicast_join(sock, request) : multicast_leave(sock, request);
}

static int change4(struct inet_socket *sock, bool add, const void *value, unsigned len)
{
	struct multicast_request request;
	struct ip_mreqn in;

	if (is_stream(sock))
		return -EPROTO;
	if (read_request4(value, len, &in))
		return -EINVAL;
	ip_addr_set_ip4_u32_val(request.group, in.imr_multiaddr.s_addr);
	request.index = in.imr_ifindex;
	request.own = in.imr_address.s_addr;
	return change_membership(sock, &request, add);
}

static int change6(struct inet_socket *sock, bool add, const void *value, unsigned len)
{
	struct multicast_request request = {.own = 0};
	struct ipv6_mreq in;

	if (len < sizeof(in))
		return -EINVAL;
	if (is_stream(sock))
		return -EPROTO;
	memcpy(&in, value, sizeof(in));
	address_from_bytes(AF_INET6, (const uint8_t *)&in.ipv6mr_multiaddr, &request.group);
	request.index = in.ipv6mr_ifindex;
	return change_membership(sock, &request, add);
}

static int source4(struct inet_socket *sock, bool include, bool add, const void *value, unsigned len)
{
	struct multicast_request request = {.index = 0};
	struct ip_mreq_source in;

	if (len != sizeof(in))
		return -EINVAL;
	memcpy(&in, value, sizeof(in));
	ip_addr_set_ip4_u32_val(request.group, in.imr_multiaddr);
	ip_addr_set_ip4_u32_val(request.source, in.imr_sourceaddr);
	request.own = in.imr_interface;
	return multicast_source(sock, &request, include, add);
}

/* Senders one behind the other, `size` bytes each, at whose byte `at` their address begins. */
static int set_list(struct inet_socket *sock, const struct multicast_request *request, bool include, int family, const char *list,
	size_t size, size_t at, unsigned count)
{
	ip_addr_t *sources;
	int rc;

	if (count > LIST_MAX)
		return -ENOBUFS;
	sources = kmalloc((count + 1) * sizeof(*sources));
	if (!sources)
		return -ENOBUFS;
	for (unsigned i = 0; i < count; i++)
		address_from_bytes(family, (const uint8_t *)list + i * size + at, &sources[i]);
	rc = multicast_set_filter(sock, request, include, sources, count);
	kfree(sources);
	return rc;
}

static int filter4(struct inet_socket *sock, const void *value, unsigned len)
{
	struct multicast_request request = {.index = 0};
	const struct ip_msfilter *in = value;

	if (len < IP_MSFILTER_SIZE(0))
		return -EINVAL;
	if (in->imsf_numsrc > len) /* many more than are taken */
		return -ENOBUFS;
	if (IP_MSFILTER_SIZE(in->imsf_numsrc) > len || in->imsf_fmode > MCAST_INCLUDE)
		return -EINVAL;
	ip_addr_set_ip4_u32_val(request.group, in->imsf_multiaddr);
	request.own = in->imsf_interface;
	return set_list(sock, &request, in->imsf_fmode == MCAST_INCLUDE, AF_INET, (const char *)value + IP_MSFILTER_SIZE(0),
		sizeof(uint32_t), 0, in->imsf_numsrc);
}

/* *len: room, then what there is; senders that do not fit are counted only. */
static int get_filter4(struct inet_socket *sock, void *value, unsigned *len)
{
	struct multicast_request request = {.index = 0};
	struct ip_msfilter *out = value;
	unsigned room = (*len - IP_MSFILTER_SIZE(0)) / (unsigned)sizeof(uint32_t), count;
	const ip_addr_t *sources;
	bool include;
	int rc;

	if (*len < IP_MSFILTER_SIZE(0))
		return -EINVAL;
	ip_addr_set_ip4_u32_val(request.group, out->imsf_multiaddr);
	request.own = out->imsf_interface;
	room = MIN(room, out->imsf_numsrc);
	rc = multicast_get_filter(sock, &request, &include, &sources, &count);
	if (rc)
		return rc;
	out->imsf_fmode = include ? MCAST_INCLUDE : MCAST_EXCLUDE;
	out->imsf_numsrc = count;
	for (unsigned i = 0; i < MIN(room, count); i++)
		memcpy((char *)value + IP_MSFILTER_SIZE(i), ip_2_ip4(&sources[i]), sizeof(uint32_t));
	*len = IP_MSFILTER_SIZE(MIN(room, count));
	return 0;
}

/* ---- of both families (RFC 3678) ---- */

static bool read_address(int family, const void *from, ip_addr_t *ip)
{
	uint16_t given;

	memcpy(&given, from, sizeof(given));
	address_from_bytes(family, (const uint8_t *)from +
		(family == AF_INET ? offsetof(struct sockaddr_in, sin_addr) : offsetof(struct sockaddr_in6, sin6_addr)), ip);
	return given == family;
}

static int change_any(struct inet_socket *sock, int family, bool add, const void *value, unsigned len)
{
	struct multicast_request request = {.own = 0};

	if (len < sizeof(struct group_req))
		return -EINVAL;
	if (is_stream(sock))
		return -EPROTO;
	memcpy(&request.index, value, sizeof(request.index));
	if (!read_address(family, (const char *)value + offsetof(struct group_req, gr_group), &request.group))
		return family == AF_INET ? -EINVAL : -EADDRNOTAVAIL;
	return change_membership(sock, &request, add);
}

static int source_any(struct inet_socket *sock, int family, int option, const void *value, unsigned len)
{
	bool include = option == MCAST_JOIN_SOURCE_GROUP || option == MCAST_LEAVE_SOURCE_GROUP;
	bool add = option == MCAST_JOIN_SOURCE_GROUP || option == MCAST_BLOCK_SOURCE;
	struct multicast_request request = {.own = 0};

	if (family == AF_INET ? len != sizeof(struct group_source_req) : len < sizeof(struct group_source_req))
		return -EINVAL;
	memcpy(&request.index, value, sizeof(request.index));
	if (!read_address(family, (const char *)value + offsetof(struct group_source_req, gsr_group), &request.group) ||
	    !read_address(family, (const char *)value + offsetof(struct group_source_req, gsr_source), &request.source))
		return -EADDRNOTAVAIL;
	return multicast_source(sock, &request, include, add);
}

static size_t address_at(int family)
{
	return family == AF_INET ? offsetof(struct sockaddr_in, sin_addr) : offsetof(struct sockaddr_in6, sin6_addr);
}

static int filter_any(struct inet_socket *sock, int family, const void *value, unsigned len)
{
	struct multicast_request request = {.own = 0};
	const struct group_filter *in = value;

	if (len < GROUP_FILTER_SIZE(0))
		return -EINVAL;
	if (in->gf_numsrc > LIST_MAX)
		return -ENOBUFS;
	if (GROUP_FILTER_SIZE(in->gf_numsrc) > len || in->gf_fmode > MCAST_INCLUDE)
		return -EINVAL;
	request.index = (int)in->gf_interface;
	if (!read_address(family, &in->gf_group, &request.group))
		return -EADDRNOTAVAIL;
	return set_list(sock, &request, in->gf_fmode == MCAST_INCLUDE, family, (const char *)value + GROUP_FILTER_SIZE(0),
		sizeof(struct __kernel_sockaddr_storage), address_at(family), in->gf_numsrc);
}

static int get_filter_any(struct inet_socket *sock, int family, void *value, unsigned *len)
{
	struct multicast_request request = {.own = 0};
	struct group_filter *out = value;
	unsigned room, count;
	const ip_addr_t *sources;
	struct socket_address address;
	bool include;
	int rc;

	if (*len < GROUP_FILTER_SIZE(0))
		return -EINVAL;
	room = MIN((*len - (unsigned)GROUP_FILTER_SIZE(0)) / (unsigned)sizeof(struct __kernel_sockaddr_storage), out->gf_numsrc);
	request.index = (int)out->gf_interface;
	if (!read_address(family, &out->gf_group, &request.group))
		return -EADDRNOTAVAIL;
	rc = multicast_get_filter(sock, &request, &include, &sources, &count);
	if (rc)
		return rc;
	out->gf_fmode = include ? MCAST_INCLUDE : MCAST_EXCLUDE;
	out->gf_numsrc = count;
	for (unsigned i = 0; i < MIN(room, count); i++) {
		memset(&address, 0, sizeof(address));
		address_encode(family, &sources[i], 0, &address);
		memcpy((char *)value + GROUP_FILTER_SIZE(i), &address, sizeof(struct __kernel_sockaddr_storage));
	}
	*len = (unsigned)GROUP_FILTER_SIZE(MIN(room, count));
	return 0;
}

static int set_any(struct inet_socket *sock, int family, int option, const void *value, unsigned len)
{
	switch (option) {
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP:
		return change_any(sock, family, option == MCAST_JOIN_GROUP, value, len);
	case MCAST_BLOCK_SOURCE:
	case MCAST_UNBLOCK_SOURCE:
	case MCAST_JOIN_SOURCE_GROUP:
	case MCAST_LEAVE_SOURCE_GROUP:
		return source_any(sock, family, option, value, len);
	case MCAST_MSFILTER:
		return filter_any(sock, family, value, len);
	default:
		return 1;
	}
}

/* ---- the options ---- */

static int set4(struct inet_socket *sock, int option, const void *value, unsigned len)
{
	switch (option) {
	case IP_MULTICAST_IF:
		return set_interface4(sock, value, len);
	case IP_ADD_MEMBERSHIP:
	case IP_DROP_MEMBERSHIP:
		return change4(sock, option == IP_ADD_MEMBERSHIP, value, len);
	case IP_ADD_SOURCE_MEMBERSHIP:
	case IP_DROP_SOURCE_MEMBERSHIP:
		return source4(sock, true, option == IP_ADD_SOURCE_MEMBERSHIP, value, len);
	case IP_BLOCK_SOURCE:
	case IP_UNBLOCK_SOURCE:
		return source4(sock, false, option == IP_BLOCK_SOURCE, value, len);
	case IP_MSFILTER:
		return filter4(sock, value, len);
	default:
		return set_any(sock, AF_INET, option, value, len);
	}
}

static int set6(struct inet_socket *sock, int option, const void *value, unsigned len)
{
	switch (option) {
	case IPV6_MULTICAST_IF:
		return set_interface6(sock, value, len);
	case IPV6_ADD_MEMBERSHIP:
	case IPV6_DROP_MEMBERSHIP:
		return change6(sock, option == IPV6_ADD_MEMBERSHIP, value, len);
	default:
		return set_any(sock, AF_INET6, option, value, len);
	}
}

int multicast_set_option(struct inet_socket *sock, int level, int option, const void *value, unsigned len)
{
	if (level == IPPROTO_IP)
		return set4(sock, option, value, len);
	return level == IPPROTO_IPV6 && sock->family == AF_INET6 ? set6(sock, option, value, len) : 1;
}

int multicast_get_option(struct inet_socket *sock, int level, int option, void *value, unsigned *len)
{
	if (level == IPPROTO_IP && option == IP_MULTICAST_IF) {
		*len = MIN(*len, (unsigned)sizeof(sock->multicast_from));
		memcpy(value, &sock->multicast_from, *len);
		return 0;
	}
	if (level == IPPROTO_IP && option == IP_MSFILTER)
		return get_filter4(sock, value, len);
	if (option == MCAST_MSFILTER && (level == IPPROTO_IP || (level == IPPROTO_IPV6 && sock->family == AF_INET6)))
		return get_filter_any(sock, level == IPPROTO_IP ? AF_INET : AF_INET6, value, len);
	if (level == IPPROTO_IPV6 && option == IPV6_MULTICAST_IF && sock->family == AF_INET6) {
		*len = sizeof(int);
		memcpy(value, &(int){sock->multicast_if6}, *len);
		return 0;
	}
	return 1;
}
