/*
 * Takes over the network of a namespace for --network=sandbox: see network.h. Opens a packet socket on each link, and a
 * socket to the resolver that Docker has on networks with names (127.0.0.11, where its rules lead port 53): that one
 * address and port is all that the sandbox can reach of the namespace's own stack.
 *
 * On the command's one thread: it enters the namespace and comes back.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/network_parts.h"

#define SOCKET_BUFFER (4 << 20)
#define RESOLVER 0x7f00000bu /* 127.0.0.11 */

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

static int enter(const char *path, int own)
{
	if (!path)
		return unshare(CLONE_NEWNET) < 0 ? cli_error("network: a new namespace: %s", strerror(errno)) : raise_loopback();
	AUTO_FD int other = open(path, O_RDONLY | O_CLOEXEC);
	if (other < 0)
		return cli_error("network: %s: %s", path, strerror(errno));
	if (same_file(own, other))
		return cli_error("network: %s: this is the host's own network, which a container cannot have", path);
	if (setns(other, CLONE_NEWNET) < 0)
		return cli_error("network: entering %s: %s", path, strerror(errno));
	return 0;
}

int network_enter(const char *path, int *own)
{
	*own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (*own < 0)
		return cli_error("network: /proc/self/ns/net: %s", strerror(errno));
	if (enter(path, *own) == 0)
		return 0;
	network_leave(*own);
	*own = -1;
	return 1;
}

int network_leave(int own)
{
	int error = setns(own, CLONE_NEWNET) < 0 ? cli_error("network: leaving the container's: %s", strerror(errno)) : 0;

	close(own);
	return error;
}

/* ---- sockets ---- */

static int open_link(struct network_taker *t, unsigned i)
{
	const char *name = t->network->links[i].name;
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = t->indexes[i]};
	struct packet_mreq all = {.mr_ifindex = t->indexes[i], .mr_type = PACKET_MR_ALLMULTI};
	int one = 1, size = SOCKET_BUFFER;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return cli_error("network: packet socket: %s", strerror(errno));
	t->network->fds[t->network->fd_count++] = fd;
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return cli_error("network: %s: %s", name, strerror(errno));
	return 0;
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

static int open_resolver(struct container_network *network)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)resolver_port()),
		.sin_addr.s_addr = htonl(RESOLVER)};

	if (!address.sin_port)
		return 0;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (fd >= 0)
			close(fd);
		return cli_error("network: the resolver at 127.0.0.11 port %u: %s", ntohs(address.sin_port), strerror(errno));
	}
	network->fds[network->fd_count++] = fd;
	network->resolver = true;
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
	t->netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (t->netlink < 0)
		return cli_error("network: netlink: %s", strerror(errno));
	int error = network_read(t);
	for (unsigned i = 0; !error && i < t->network->head.links; i++)
		error = open_link(t, i);
	if (!error)
		error = open_resolver(t->network) || network_quiet(t);
	close(t->netlink);
	return error;
}

int network_take_over(pid_t pid, struct container_network *network)
{
	static struct network_taker taker;
	char path[64];
	int own;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	taker.network = network;
	*network = (struct container_network){0};
	if (network_enter(path, &own))
		return 1;
	int error = take_all(&taker);
	return network_leave(own) || error;
}
