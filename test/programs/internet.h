/*
 * Internet addresses for the test programs: from text, and which port a socket has; pairs of sockets over the loopback.
 */
#ifndef PROGRAMS_INTERNET_H
#define PROGRAMS_INTERNET_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

static inline struct sockaddr_in at4(const char *ip, int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

static inline struct sockaddr_in6 at6(const char *ip, int port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	inet_pton(AF_INET6, ip, &a.sin6_addr);
	return a;
}

static inline int port_of(int s)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	if (getsockname(s, (void *)&a, &len))
		return -1;
	return ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)&a)->sin_port : ((struct sockaddr_in6 *)&a)->sin6_port);
}

/* s[0] is connected to s[1] over the loopback. Whether it is. */
static inline bool tcp_pair(int s[2])
{
	struct sockaddr_in address = at4("127.0.0.1", 0);
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	bool made = bind(listener, (void *)&address, len) == 0 && listen(listener, 1) == 0 &&
		    getsockname(listener, (void *)&address, &len) == 0;

	s[0] = socket(AF_INET, SOCK_STREAM, 0);
	made = made && connect(s[0], (void *)&address, len) == 0;
	s[1] = made ? accept(listener, NULL, NULL) : -1;
	close(listener);
	return s[1] >= 0;
}

/* s[1] is bound, s[0] connected to it; the family is AF_INET or AF_INET6. Whether it is so. */
static inline bool udp_pair(int family, int s[2])
{
	struct sockaddr_in a4 = at4("127.0.0.1", 0);
	struct sockaddr_in6 a6 = at6("::1", 0);
	struct sockaddr *a = family == AF_INET ? (void *)&a4 : (void *)&a6;
	socklen_t len = family == AF_INET ? sizeof(a4) : sizeof(a6);

	s[0] = socket(family, SOCK_DGRAM, 0);
	s[1] = socket(family, SOCK_DGRAM, 0);
	return bind(s[1], a, len) == 0 && getsockname(s[1], a, &len) == 0 && connect(s[0], a, len) == 0;
}

#endif
