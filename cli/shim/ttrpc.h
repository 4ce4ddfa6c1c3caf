/*
 * ttrpc's frames: a head of ten bytes (length, stream, type, flags; big endian) and a body,
 * which is a protobuf Request or Response.
 *
 * The decoder takes bytes as they come, and gives whole frames. It allocates what has
 * arrived, never what a head only promises. A frame that is too long is skipped and
 * reported without its body; the stream stays usable.
 */
#ifndef CLI_SHIM_TTRPC_H
#define CLI_SHIM_TTRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TTRPC_HEAD 10u
#define TTRPC_MAX (4u << 20) /* of a body, as the protocol says */

enum ttrpc_type { TTRPC_REQUEST = 1, TTRPC_RESPONSE = 2, TTRPC_DATA = 3 };

struct ttrpc_frame {
	uint32_t stream;
	uint8_t type, flags;
	bool too_long;       /* then without its body */
	const uint8_t *body; /* until the function returns */
	size_t length;
};

struct ttrpc_decoder {
	uint8_t head[TTRPC_HEAD];
	size_t head_got;
	uint8_t *body;
	size_t got, room;
};

/*
 * Takes `n` bytes; calls `frame` for each frame that they complete, until it returns false
 * (the connection is to go). 0, -ECANCELED after such a false, or -ENOMEM.
 */
int ttrpc_feed(struct ttrpc_decoder *decoder, const uint8_t *data, size_t n,
	bool (*frame)(void *arg, const struct ttrpc_frame *frame), void *arg);
void ttrpc_free(struct ttrpc_decoder *decoder);

void ttrpc_put_head(uint8_t head[TTRPC_HEAD], uint32_t length, uint32_t stream, enum ttrpc_type type);

#endif
