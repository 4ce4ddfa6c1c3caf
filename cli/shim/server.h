/*
 * The shim's side of ttrpc: connections on its socket, and the requests under way.
 *
 * A request is a `struct call`. Exactly one of call_reply() and call_fail() ends it, from
 * within the method or any time later; if the client has gone, the answer goes nowhere.
 */
#ifndef CLI_SHIM_SERVER_H
#define CLI_SHIM_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/shim/wire.h"

/* Status codes of gRPC. */
enum rpc_code {
	RPC_UNKNOWN = 2,
	RPC_INVALID_ARGUMENT = 3,
	RPC_NOT_FOUND = 5,
	RPC_ALREADY_EXISTS = 6,
	RPC_RESOURCE_EXHAUSTED = 8,
	RPC_FAILED_PRECONDITION = 9,
	RPC_UNIMPLEMENTED = 12,
	RPC_INTERNAL = 13,
};

struct call;

typedef void (*server_method)(struct call *call, const char *service, const char *method, const uint8_t *payload,
	size_t length);

/* Takes the listening socket over. `method` is called for each request. 0 or -errno. */
int server_init(int listen_fd, server_method method);

void call_reply(struct call *call, const ProtobufCMessage *message); /* NULL: an empty message */
void call_fail(struct call *call, enum rpc_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
