/*
 * Takes over the network of a namespace for --network=sandbox: see network.h. Opens a packet socket on each link, one
 * for all links that come later with a netlink socket that tells of them, and a socket to the resolver that Docker has
 * on networks with names (127.0.0.11 port 53, by its rules): that one address and port is all that the sandbox can reach
 * of the namespace's own stack.
 *
 * The namespace is visited by a thread of its own: the command itself stays where it is, and so do its hooks (from a user
 * namespace nobody could come back to the host's network).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/network_parts.h"
#include "cli/rootless.h"

#define SOCKET_BUFFER (4 << 20)
#define RESOLVER 0x7f00000bu /* 127.0.0.11 */
#define DNS_PORT 53
#define OWN "/proc/thread-self/ns/net"
#define LOOPBACK_INDEX 1u /* in every namespace */

/* ---- namespaces ---- */

static bool same_file(int a, int b)
{
	struct stat one, other;

	return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/* As runc does: whoever sets a new namespace up expects loopback there. */
static int raise_loopback(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	AUTO_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
		return cli_error("network: lo: %s", strerror(errno));
	return 0;
}

int network_join(const char *path)
{
	if (!path)
		return unshare(CLONE_NEWNET) < 0 ? cli_error("network: a new namespace: %s", strerror(errno)) : raise_loopback();
	AUTO_FD int own = open(OWN, O_RDONLY | O_CLOEXEC);
	AUTO_FD int other = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0 || other < 0)
		return cli_error("network: %s: %s", own < 0 ? OWN : path, strerror(errno));
	if (same_file(own, other) && strcmp(global.network, "host") == 0)
		return 0;
	if (same_file(own, other))
		return cli_error("network: %s: the host's own network: a container has its sockets with the runtime's "
			"--network=host only", path);
	if (setns(other, CLONE_NEWNET) < 0)
		return cli_error("network: entering %s: %s", path, strerror(errno));
	return 0;
}

/* A thread's stay in the namespace of a process. */
struct visit {
	char path[64];
	int (*work)(struct network_taker *taker);
	struct network_taker *taker;
	int result;
};

static void *visit_main(void *arg)
{
	struct visit *visit = arg;

	visit->result = network_join(visit->path) || visit->work(visit->taker);
	return NULL;
}

/* 0, or 1 after a message. */
static int visit(struct visit *visit)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, visit_main, visit);

	if (error)
		return cli_error("network: a thread: %s", strerror(error));
	pthread_join(thread, NULL);
	return visit->result;
}

/* ---- sockets ---- */

/* One of the sockets that the sandbox gets. -1 after a message. */
static int open_socket(struct container_network *network, int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return cli_error("network: socket of family %d: %s", family, strerror(errno)), -1;
	return network->fds[network->fd_count++] = fd;
}

/* A packet socket sees the frames of `index` (0: of all links) from here on. */
static int attach(int fd, int index, const char *name)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index};
	int one = 1, size = SOCKET_BUFFER;

	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
	    /* In a user namespace only as much as anybody may have. */
	    (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 &&
		    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return cli_error("network: %s: %s", name, strerror(errno));
	return 0;
}

static int open_link(struct container_network *network, const struct config_link *link)
{
	struct packet_mreq all = {.mr_ifindex = (int)link->host_index, .mr_type = PACKET_MR_ALLMULTI};
	int fd = open_socket(network, AF_PACKET, SOCK_RAW, 0);

	if (fd < 0)
		return 1;
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) < 0)
		return cli_error("network: %s: %s", link->name, strerror(errno));
	return attach(fd, all.mr_ifindex, link->name);
}

/* Opened before what is there is read, so that nothing falls between. */
static int open_news(struct container_network *network)
{
	struct sockaddr_nl groups = {.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE};
	int fd = open_socket(network, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&groups, sizeof(groups)) < 0)
		return cli_error("network: news of the namespace: %s", strerror(errno));
	return fd < 0;
}

/* The socket of later links sees neither loopback's frames nor those of links that have one of their own. */
static int attach_later(int fd, const struct container_network *network)
{
	struct sock_filter code[CONFIG_NETWORK_LINKS + 4] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)SKF_AD_OFF + SKF_AD_IFINDEX),
	};
	const unsigned known = network->head.links + 1;
	struct sock_fprog program = {(unsigned short)(known + 3), code};

	for (unsigned i = 0; i < known; i++)
		code[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
			i == 0 ? LOOPBACK_INDEX : network->links[i - 1].host_index, (unsigned char)(known - i), 0);
	code[known + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	code[known + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return cli_error("network: a filter for later links: %s", strerror(errno));
	return attach(fd, 0, "later links");
}

/* The port of a UDP socket that listens at 127.0.0.11 in this namespace (proc(5), /proc/net/udp). 0: there is none. */
static unsigned resolver_port(void)
{
	char line[256];
	unsigned address, port, found = 0;
	FILE *file = fopen("/proc/thread-self/net/udp", "re");

	while (file && !found && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " %*[0-9]: %8X:%4X", &address, &port) == 2 && address == htonl(RESOLVER))
			found = port;
	}
	if (file)
		fclose(file);
	return found;
}

/* Where none listens yet: port 53, from where the engine's rules will lead; until then queries are refused. */
static int open_resolver(struct container_network *network)
{
	unsigned port = resolver_port();
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(port ? port : DNS_PORT)),
		.sin_addr.s_addr = htonl(RESOLVER)};
	int fd = open_socket(network, AF_INET, SOCK_DGRAM, 0);

	if (fd < 0)
		return 1;
	network->resolver = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	if (!network->resolver) /* loopback is down in this namespace: no engine listens there */
		close(network->fds[--network->fd_count]);
	return 0;
}

void *network_pack(const struct container_network *n, size_t *length)
{
	const struct {
		const void *bytes;
		size_t size;
	} parts[] = {
		{&n->head, sizeof(n->head)},
		{n->links, n->head.links * sizeof(n->links[0])},
		{n->addresses, n->head.addresses * sizeof(n->addresses[0])},
		{n->routes, n->head.routes * sizeof(n->routes[0])},
		{n->neighbours, n->head.neighbours * sizeof(n->neighbours[0])},
	};
	char *packed = malloc(sizeof(*n));

	if (!packed)
		exit(cli_error("out of memory"));
	*length = 0;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		memcpy(packed + *length, parts[i].bytes, parts[i].size);
		*length += parts[i].size;
	}
	return packed;
}

static int take_all(struct network_taker *t)
{
	struct container_network *network = t->network;

	t->netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (t->netlink < 0)
		return cli_error("network: netlink: %s", strerror(errno));
	int error = open_news(network) || network_read(t);
	if (!error && !t->managed && !network->head.links) {
		close(network->fds[--network->fd_count]);
		close(t->netlink);
		return 0;
	}
	int later = error ? -1 : open_socket(network, AF_PACKET, SOCK_RAW, 0);
	error = later < 0;
	for (unsigned i = 0; !error && i < network->head.links; i++)
		error = open_link(network, &network->links[i]);
	if (!error)
		error = attach_later(later, network) || open_resolver(network) || network_quiet(t);
	close(t->netlink);
	return error;
}

int network_take_over(pid_t pid, bool managed, struct container_network *network)
{
	static struct network_taker taker;
	struct visit there = {.work = take_all, .taker = &taker};

	taker.network = network;
	taker.managed = managed;
	*network = (struct container_network){0};
	snprintf(there.path, sizeof(there.path), "/proc/%d/ns/net", (int)pid);
	return visit(&there);
}

static int look(struct network_taker *taker)
{
	AUTO_FD int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	taker->netlink = netlink;
	return netlink < 0 ? cli_error("network: netlink: %s", strerror(errno)) : network_read(taker);
}

int network_look(pid_t pid, struct container_network *network)
{
	static struct network_taker taker = {.only_look = true};
	struct visit there = {.work = look, .taker = &taker};

	taker.network = network;
	*network = (struct container_network){0};
	snprintf(there.path, sizeof(there.path), "/proc/%d/ns/net", (int)pid);
	AUTO_FD int own = open(OWN, O_RDONLY | O_CLOEXEC);
	AUTO_FD int other = open(there.path, O_RDONLY | O_CLOEXEC);
	return same_file(own, other) ? look(&taker) : visit(&there);
}
