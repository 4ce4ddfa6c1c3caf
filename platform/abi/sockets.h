/*
 * The socket calls of --network=host: what the sentry writes for them in memory that the VMM reads. Numbers of families,
 * types, levels, options and flags are Linux's, which both sides are.
 */
#ifndef RF_ABI_SOCKETS_H
#define RF_ABI_SOCKETS_H

#include <stdint.h>

#define ABI_SOCKET_NAME 128u    /* bytes of an address at most */
#define ABI_SOCKET_CONTROL 512u /* bytes of control messages at most */
#define ABI_SOCKET_DATA 65536u  /* bytes that one message moves at most */
#define ABI_SOCKET_OPTION 256u

struct abi_socket_name {
	uint32_t len; /* in: of bind and connect; out */
	uint32_t pad;
	uint8_t bytes[ABI_SOCKET_NAME];
};

/* socket_send and socket_receive. Lengths: in, what there is or fits; out (receive), what came. */
struct abi_socket_message {
	uint64_t data; /* gpa */
	uint32_t len;
	uint32_t flags; /* MSG_*; out (receive): msg_flags */
	uint32_t control_len, pad;
	struct abi_socket_name name;
	uint8_t control[ABI_SOCKET_CONTROL];
};

struct abi_socket_option {
	int32_t level, option;
	uint32_t set; /* 1: setsockopt(2), 0: getsockopt(2) */
	uint32_t len;
	uint8_t value[ABI_SOCKET_OPTION];
};

struct abi_socket_event {
	uint32_t fd; /* index */
	uint32_t events; /* EPOLL* that came up since the last time */
};

#endif
