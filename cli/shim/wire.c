/* Protobuf messages in and out of bytes: see wire.h. */
#include <stdlib.h>

#include "cli/shim/wire.h"

#define BUDGET (16u << 20) /* bytes that one message may take when unpacked */

static size_t budget_left;

static void *budget_alloc(void *data, size_t size)
{
	if (size > budget_left)
		return NULL;
	budget_left -= size;
	return malloc(size ? size : 1);
}

static void budget_free(void *data, void *at)
{
	free(at);
}

static ProtobufCAllocator budget = {budget_alloc, budget_free, NULL};

void *wire_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t length)
{
	budget_left = BUDGET;
	return protobuf_c_message_unpack(type, &budget, length, data);
}

void wire_free(void *message)
{
	if (message)
		protobuf_c_message_free_unpacked(message, &budget);
}

size_t wire_pack(const ProtobufCMessage *message, size_t head, uint8_t **out)
{
	size_t length = head + protobuf_c_message_get_packed_size(message);

	*out = malloc(length ? length : 1);
	if (!*out)
		return 0;
	protobuf_c_message_pack(message, *out + head);
	return length;
}

Shim__Timestamp wire_timestamp(const struct timespec *when)
{
	Shim__Timestamp out = SHIM__TIMESTAMP__INIT;

	out.seconds = when->tv_sec;
	out.nanos = (int32_t)when->tv_nsec;
	return out;
}
