/*
 * Between netlink.c (sockets, queues), netlink_route.c, netlink_diag.c and netlink_generic.c (what is asked and answered).
 *
 * An answer is written into datagrams of at most REPLY_SIZE bytes, since programs read with small buffers: reply_begin()
 * starts a message, reply_put() adds an attribute, reply_end() closes it. Nothing sleeps. A reply that memory was short
 * for is marked, and the asker gets -ENOBUFS.
 */
#ifndef KERNEL_NET_NETLINK_INTERNAL_H
#define KERNEL_NET_NETLINK_INTERNAL_H

#include <linux/netlink.h>

#include "kernel/net/netlink.h"

#define REPLY_SIZE 3584u

struct netlink_datagram {
	TAILQ_ENTRY(netlink_datagram) link;
	uint32_t len, groups; /* groups: what news are of, as sockaddr_nl says it; 0: an answer */
	_Alignas(8) char bytes[REPLY_SIZE];
};

struct netlink_socket {
	struct socket base;
	struct net_ns *net; /* referenced: whose news it gets */
	struct socket_options options;
	struct waitq wait;
	uint32_t port, groups;
	bool cap_ack, ext_ack, strict, packet_info; /* NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK, NETLINK_PKTINFO */
	int error;
	size_t queued;
	TAILQ_HEAD(, netlink_datagram) rx;
	TAILQ_ENTRY(netlink_socket) all;
};

struct netlink_reply {
	struct netlink_socket *sock;
	const struct nlmsghdr *request;
	struct netlink_datagram *datagram; /* being filled */
	struct nlmsghdr *message;          /* being written; NULL: none, or no room for it */
	bool multi, filtered, failed;
};

/* What of a dump is wanted; zero: all. netlink_strict.c */
struct netlink_filter {
	bool set, nothing; /* nothing: there is none of what it asks for */
	int index;
	uint32_t table;
	uint8_t protocol, type;
};


/* A message with a fixed part of len bytes (zeroed), which is returned; NULL: no memory. */
void *reply_begin(struct netlink_reply *reply, uint16_t type, size_t len);
void reply_put(struct netlink_reply *reply, uint16_t type, const void *data, size_t len);
void reply_put_u32(struct netlink_reply *reply, uint16_t type, uint32_t value);
void reply_put_u8(struct netlink_reply *reply, uint16_t type, uint8_t value);
void reply_put_string(struct netlink_reply *reply, uint16_t type, const char *text);
void reply_end(struct netlink_reply *reply);

/* One request of `len` bytes in all: 0 (answered), or -errno for the error message. */
int netlink_route_request(struct netlink_reply *reply, const struct nlmsghdr *request, size_t len);
/* With NETLINK_GET_STRICT_CHK: 0, -EINVAL, -ERANGE, -ENODEV, -ENOENT. */
int netlink_check_dump(const struct nlmsghdr *request, size_t len, struct netlink_filter *filter);
int netlink_route_change(const struct nlmsghdr *request, size_t len); /* RTM_NEW* and its like, of who may */
int netlink_diag_request(struct netlink_reply *reply, const struct nlmsghdr *request, size_t len);
int netlink_generic_request(struct netlink_reply *reply, const struct nlmsghdr *request, size_t len);

/* Fills in a message of news for the sockets of a group (RTNLGRP_*). */
void netlink_tell(int protocol, unsigned group, void (*fill)(struct netlink_reply *reply, const void *arg), const void *arg);

/* The value of an attribute behind a fixed part, NULL if there is none; *size its bytes. */
const void *netlink_find_attribute(const struct nlmsghdr *request, size_t len, size_t fixed, unsigned type, size_t *size);

#endif
