/*
 * The shim's ttrpc decoder and its messages: the input is a stream of frames, given in
 * pieces whose lengths come from the input too. Each whole frame is unpacked as a request,
 * and its payload as every message that the task service takes.
 */
#include <stdbool.h>
#include <stdlib.h>

#include "cli/shim/ttrpc.h"
#include "cli/shim/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const types[] = {
	&shim__create_request__descriptor, &shim__process_request__descriptor, &shim__exec_request__descriptor,
	&shim__kill_request__descriptor, &shim__resize_request__descriptor, &shim__close_request__descriptor,
	&shim__update_request__descriptor, &shim__shutdown_request__descriptor, &shim__runc_options__descriptor,
	&shim__runtime_options__descriptor,
};

static bool take_frame(void *arg, const struct ttrpc_frame *frame)
{
	size_t *taken = arg;

	*taken += frame->length;
	if (frame->too_long && frame->length != 0)
		abort();
	Shim__Request *request = wire_unpack(&shim__request__descriptor, frame->body, frame->length);
	for (size_t i = 0; request && i < sizeof(types) / sizeof(types[0]); i++) {
		void *message = wire_unpack(types[i], request->payload.data, request->payload.len);
		uint8_t *packed;
		if (message && wire_pack(message, TTRPC_HEAD, &packed) > 0)
			free(packed);
		wire_free(message);
	}
	wire_free(request);
	return frame->flags != 0xff;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ttrpc_decoder decoder = {0};
	size_t piece = size > 0 ? data[0] + 1u : 1, taken = 0;

	for (size_t at = size > 0; at < size; at += piece) {
		if (ttrpc_feed(&decoder, data + at, size - at < piece ? size - at : piece, take_frame, &taken))
			break;
	}
	if (taken > size)
		abort();
	ttrpc_free(&decoder);
	return 0;
}
