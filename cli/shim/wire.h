/*
 * Protobuf messages in and out of bytes: unpacking on a budget (a small message can ask
 * for a lot of memory), packing into fresh memory.
 */
#ifndef CLI_SHIM_WIRE_H
#define CLI_SHIM_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "cli/shim/shim.pb-c.h"

/* The unpacked message, to be freed with wire_free(); NULL if it is malformed or asks for too much memory. */
void *wire_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t length);
void wire_free(void *message); /* NULL is fine */

/* `*out`: freshly allocated, the caller's to free: `head` bytes left free, then the message. The length of both; 0: no memory. */
size_t wire_pack(const ProtobufCMessage *message, size_t head, uint8_t **out);

Shim__Timestamp wire_timestamp(const struct timespec *when);

#endif
