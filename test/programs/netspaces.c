/*
 * Network namespaces made inside: a loopback device of their own, down at first, and names and ports that are no others'
 * (network_namespaces(7)). In a user namespace, so anybody may. Links, routes and packet sockets are looked at elsewhere.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "harness.h"

static struct sockaddr_in ip(const char *address, unsigned port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	inet_pton(AF_INET, address, &to.sin_addr);
	return to;
}

static int bind_to(int sock, const char *address, unsigned port)
{
	struct sockaddr_in to = ip(address, port);

	return bind(sock, (struct sockaddr *)&to, sizeof(to));
}

static int connect_to(int sock, const char *address, unsigned port)
{
	struct sockaddr_in to = ip(address, port);

	return connect(sock, (struct sockaddr *)&to, sizeof(to));
}

static unsigned port_of(int sock)
{
	struct sockaddr_in name;
	socklen_t len = sizeof(name);

	CHECK(getsockname(sock, (struct sockaddr *)&name, &len) == 0);
	return ntohs(name.sin_port);
}

static int named(const char *name, int (*call)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(to.sun_path + 1, name, strlen(name));
	int rc = call(sock, (struct sockaddr *)&to, (socklen_t)(sizeof(sa_family_t) + 1 + strlen(name)));
	if (rc == 0)
		return sock;
	int error = errno;
	close(sock);
	errno = error;
	return -1;
}

static short flags_of_lo(int sock)
{
	struct ifreq request = {.ifr_name = "lo"};

	CHECK(ioctl(sock, SIOCGIFFLAGS, &request) == 0);
	return request.ifr_flags;
}

static unsigned count_links(void)
{
	struct if_nameindex *all = if_nameindex();
	unsigned count = 0;

	while (all && all[count].if_index)
		count++;
	if_freenameindex(all);
	return count;
}

static void while_down(unsigned port)
{
	int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0), v6 = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = IN6ADDR_LOOPBACK_INIT};

	CHECK(tcp >= 0 && udp >= 0 && v6 >= 0);
	CHECK(!(flags_of_lo(tcp) & IFF_UP));
	CHECK(count_links() == 1);
	CHECK_ERRNO(connect_to(tcp, "127.0.0.1", port), ENETUNREACH);
	CHECK_ERRNO(connect_to(udp, "127.0.0.1", port), ENETUNREACH);
	CHECK_ERRNO(connect_to(udp, "192.0.2.1", port), ENETUNREACH);
	CHECK(connect(v6, (struct sockaddr *)&to, sizeof(to)) == -1);
	close(udp);
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(bind_to(udp, "127.0.0.1", 53) == 0);
	close(tcp);
	close(udp);
	close(v6);
}

/* A word over the namespace's own loopback, at a port where the namespace outside has a listener too. */
static void over_tcp(unsigned port)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	char text[8] = "";

	CHECK_ERRNO(connect_to(client, "127.0.0.1", port), ECONNREFUSED);
	close(client);
	client = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	CHECK(bind_to(listener, "127.0.0.1", port) == 0 && listen(listener, 4) == 0);
	CHECK(connect_to(client, "127.0.0.1", port) == 0);
	int server = accept(listener, NULL, NULL);
	CHECK(server >= 0 && write(client, "inside", 6) == 6 && read(server, text, sizeof(text)) == 6 && !strcmp(text, "inside"));
	CHECK(shutdown(client, SHUT_WR) == 0 && read(server, text, sizeof(text)) == 0);
	close(client);
	close(server);
	close(listener);
}

static void over_udp(unsigned port)
{
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
	char text[8] = "";

	CHECK(bind_to(a, "127.0.0.1", port) == 0 && connect_to(b, "127.0.0.1", port) == 0);
	CHECK(send(b, "inside", 6, 0) == 6 && recv(a, text, sizeof(text), 0) == 6 && !strcmp(text, "inside"));
	CHECK_ERRNO(connect_to(b, "192.0.2.1", port), ENETUNREACH);
	close(a);
	close(b);
}

static void inside(unsigned port, int outside_listener)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int sock = socket(AF_INET, SOCK_DGRAM, 0), fd = open("/proc/self/ns/net", O_RDONLY);

	CHECK(ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET);
	while_down(port);
	CHECK(ioctl(sock, SIOCSIFFLAGS, &request) == 0);
	CHECK(flags_of_lo(sock) & IFF_UP);
	over_tcp(port);
	over_udp(port);
	CHECK_ERRNO(named("netspaces-outside", connect), ECONNREFUSED);
	int name = named("netspaces-outside", bind);
	CHECK(name >= 0 && listen(name, 1) == 0);
	close(named("netspaces-outside", connect));
	CHECK(port_of(outside_listener) == port);
	CHECK_ERRNO(setns(fd, CLONE_NEWUTS), EINVAL);
	CHECK(setns(fd, CLONE_NEWNET) == 0);
	CHECK(unshare(CLONE_NEWNET) == 0);
	CHECK(!(flags_of_lo(socket(AF_INET, SOCK_DGRAM, 0)) & IFF_UP));
	CHECK(setns(fd, 0) == 0);
	CHECK(flags_of_lo(socket(AF_INET, SOCK_DGRAM, 0)) & IFF_UP);
	close(fd);
	close(sock);
}

static void namespace_of_its_own(void)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), status = -1;
	int name = named("netspaces-outside", bind);
	struct stat own, other;
	char path[64], c;
	int go[2];

	CHECK(pipe(go) == 0);
	CHECK(name >= 0 && listen(name, 1) == 0);
	CHECK(bind_to(listener, "127.0.0.1", 0) == 0 && listen(listener, 1) == 0);
	unsigned port = port_of(listener);
	fflush(stdout);
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		harness_failures = 0;
		close(go[1]);
		inside(port, listener);
		fflush(stdout);
		CHECK(read(go[0], &c, 1) == 0);
		_exit(harness_failures != 0);
	}
	close(go[0]);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	CHECK(stat(path, &other) == 0 && stat("/proc/self/ns/net", &own) == 0 && own.st_ino != other.st_ino);
	close(go[1]);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	/* What happened there has not touched ours. */
	int client = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect_to(client, "127.0.0.1", port) == 0);
	int server = accept(listener, NULL, NULL);
	CHECK(server >= 0 && write(server, "x", 1) == 1 && read(client, &c, 1) == 1);
	int local = named("netspaces-outside", connect);
	CHECK(local >= 0);
	close(local);
	close(client);
	close(server);
	close(listener);
	close(name);
}

/* A connection that is under way goes on in the namespace that it was made in, whoever holds it. */
static void carried_out(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int pair[2], status = -1;
	char text[4] = "";

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	fflush(stdout);
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWNET | CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
		int ok = ioctl(listener, SIOCSIFFLAGS, &request) == 0 && listen(listener, 1) == 0;

		ok = ok && connect_to(client, "127.0.0.1", port_of(listener)) == 0;
		int fds[2] = {client, ok ? accept(listener, NULL, NULL) : -1};
		_exit(write(pair[1], fds, sizeof(fds)) != sizeof(fds));
	}
	int fds[2] = {-1, -1};
	CHECK(read(pair[0], fds, sizeof(fds)) == sizeof(fds));
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	for (int i = 0; i < 3; i++) {
		int other = socket(AF_INET, SOCK_DGRAM, 0);

		CHECK(bind_to(other, "127.0.0.1", 0) == 0);
		CHECK(write(fds[0], "abc", 3) == 3 && read(fds[1], text, 3) == 3 && !memcmp(text, "abc", 3));
		close(other);
	}
	close(fds[0]);
	CHECK(read(fds[1], text, 1) == 0);
	close(fds[1]);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	harness_start();
	RUN(namespace_of_its_own);
	RUN(carried_out);
	if (geteuid() != 0)
		CHECK_ERRNO(unshare(CLONE_NEWNET), EPERM);
	return CHECK_RESULT();
}
