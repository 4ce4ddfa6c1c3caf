/*
 * Internet addresses for the test programs: from text, and which port a socket has.
 */
#ifndef PROGRAMS_INTERNET_H
#define PROGRAMS_INTERNET_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

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

#endif
