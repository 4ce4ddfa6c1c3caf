/*
 * The engine's name server by TCP (RFC 7766). It is reached by datagrams only (resolver.c), and the sandbox's host side
 * may open no connections: so a connection to 127.0.0.11 port 53 ends here, and each query on it goes out as a datagram
 * that asks for answers of any size (EDNS, RFC 6891). What a name server further away cuts short for a datagram stays so.
 *
 * A listener and the tasks that serve it come with the first connection. Tasks block: they hold no lock while they do.
 */
#include <linux/in.h>

#include "kernel/net/lwip/datagram.h"
#include "kernel/net/lwip/internal.h"
#include "ring0/clock.h"

#define DNS_PORT 53u
#define DNS_HEADER 12u
#define MESSAGE_MAX 65535u
#define QUERY_MAX 4000u
#define OPT 41u
#define OPT_SIZE 11u
#define TASKS 4u /* connections at a time; more wait */
#define READ_NS 2000000000ull
#define ANSWER_NS 10000000000ull

struct memory_copy {
	struct socket_copy base;
	uint8_t *at;
};

static struct socket *listener;
static uint16_t listener_port;

/* ---- messages ---- */

/* Past a name; 0: it ends beyond the message. */
static size_t skip_name(const uint8_t *message, size_t len, size_t at)
{
	while (at < len && message[at]) {
		if (message[at] >= 0xc0)
			return at + 2;
		at += message[at] + 1u;
	}
	return at < len ? at + 1 : 0;
}

static unsigned word(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static void put_word(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Where the type of an OPT record stands, if the message is well formed and has one; 0: none. */
static size_t find_opt(const uint8_t *message, size_t len)
{
	unsigned questions = word(message + 4), records = word(message + 6) + word(message + 8) + word(message + 10);
	size_t at = DNS_HEADER;

	for (; questions; questions--) {
		at = skip_name(message, len, at);
		if (!at || at + 4 > len)
			return 0;
		at += 4;
	}
	for (; records; records--) {
		at = skip_name(message, len, at);
		if (!at || at + 10 > len)
			return 0;
		if (word(message + at) == OPT)
			return at;
		at += 10 + word(message + at + 8);
	}
	return 0;
}

/* Answers may be as large as a datagram: the new length. There is room for an OPT record behind. */
static size_t ask_for_all(uint8_t *message, size_t len)
{
	static const uint8_t opt[OPT_SIZE] = {0, OPT >> 8, OPT, MESSAGE_MAX >> 8, MESSAGE_MAX & 0xff};
	size_t at = find_opt(message, len);

	if (at) {
		put_word(message + at + 2, MESSAGE_MAX);
		return len;
	}
	memcpy(message + len, opt, OPT_SIZE);
	put_word(message + 10, word(message + 10) + 1);
	return len + OPT_SIZE;
}

/* ---- connections ---- */

static int from_socket(struct socket_copy *self, void *buffer, size_t n)
{
	struct memory_copy *copy = container_of(self, struct memory_copy, base);

	memcpy(copy->at, buffer, n);
	copy->at += n;
	return 0;
}

static int to_socket(struct socket_copy *self, void *buffer, size_t n)
{
	struct memory_copy *copy = container_of(self, struct memory_copy, base);

	memcpy(buffer, copy->at, n);
	copy->at += n;
	return 0;
}

static bool read_all(struct socket *sock, uint8_t *to, size_t len)
{
	uint64_t deadline = clock_monotonic() + READ_NS;

	while (len) {
		struct memory_copy copy = {.base.copy = from_socket, .at = to};
		struct socket_receive receive = {.copy = &copy.base, .len = len, .deadline = deadline};
		int64_t got = sock->ops->receive(sock, &receive);

		if (got <= 0)
			return false;
		to += got;
		len -= (size_t)got;
	}
	return true;
}

static bool write_all(struct socket *sock, uint8_t *from, size_t len)
{
	uint64_t deadline = clock_monotonic() + READ_NS;

	while (len) {
		struct memory_copy copy = {.base.copy = to_socket, .at = from};
		struct socket_send send = {.copy = &copy.base, .len = len, .deadline = deadline, .flags = MSG_NOSIGNAL};
		int64_t sent = sock->ops->send(sock, &send);

		if (sent <= 0)
			return false;
		from += sent;
		len -= (size_t)sent;
	}
	return true;
}

/* One query and its answer; false: the connection is of no more use. */
static bool serve_query(struct socket *sock, uint8_t *message)
{
	uint8_t head[2], *answer;
	size_t len;
	bool told;

	if (!read_all(sock, head, sizeof(head)))
		return false;
	len = word(head);
	if (len < DNS_HEADER || len > QUERY_MAX || !read_all(sock, message, len))
		return false;
	len = resolver_ask(message, ask_for_all(message, len), clock_monotonic() + ANSWER_NS, &answer);
	if (!len)
		return false;
	put_word(answer, (unsigned)len);
	told = write_all(sock, answer, sizeof(head) + len);
	kfree(answer);
	return told;
}

static void serve(void *arg)
{
	uint8_t *message = kmalloc(QUERY_MAX + OPT_SIZE);
	struct socket *sock;

	for (;;) {
		if (listener->ops->accept(listener, DEADLINE_NONE, &sock))
			continue;
		while (message && serve_query(sock, message))
			;
		sock->ops->close(sock);
	}
}

/* ---- the listener ---- */

static int make_listener(struct socket **out)
{
	struct socket_address address = {.family = AF_INET, .len = sizeof(struct sockaddr_in)};
	const uint8_t self[4] = {127, 0, 0, 11};
	uint16_t port;
	int rc = inet_create(AF_INET, SOCK_STREAM, 0, out);

	if (rc)
		return rc;
	inet_of(*out)->uid = 0; /* not of whoever asks first */
	memcpy(address.data + 2, self, sizeof(self));
	rc = (*out)->ops->bind(*out, &address);
	if (!rc)
		rc = (*out)->ops->listen(*out, 64);
	if (!rc)
		rc = (*out)->ops->name(*out, false, &address);
	if (rc) {
		(*out)->ops->close(*out);
		return rc;
	}
	memcpy(&port, address.data, sizeof(port));
	listener_port = __builtin_bswap16(port);
	return 0;
}

/* False: there is no memory for it. */
static bool start(void)
{
	static unsigned tasks;

	if (!listener && make_listener(&listener))
		listener = NULL;
	while (listener && tasks < TASKS && kernel_task_create("resolver", serve, NULL))
		tasks++;
	return listener && tasks;
}

uint16_t resolver_tcp_port(const ip_addr_t *to, uint16_t port)
{
	ip4_addr_t self;

	IP4_ADDR(&self, 127, 0, 0, 11);
	if (port != DNS_PORT || !IP_IS_V4(to) || !ip4_addr_cmp(ip_2_ip4(to), &self) || !stack_user_is_first() || !resolver_is_there() || !start())
		return port;
	return listener_port;
}
