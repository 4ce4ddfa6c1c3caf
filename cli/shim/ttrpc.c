/* ttrpc's frames: see ttrpc.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/shim/ttrpc.h"

#define FIRST_ROOM 1024u
#define KEEP_ROOM 4096u /* a buffer above this is given back after its frame */

static uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_u32(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 24);
	at[1] = (uint8_t)(value >> 16);
	at[2] = (uint8_t)(value >> 8);
	at[3] = (uint8_t)value;
}

void ttrpc_put_head(uint8_t head[TTRPC_HEAD], uint32_t length, uint32_t stream, enum ttrpc_type type)
{
	put_u32(head, length);
	put_u32(head + 4, stream);
	head[8] = (uint8_t)type;
	head[9] = 0;
}

void ttrpc_free(struct ttrpc_decoder *decoder)
{
	free(decoder->body);
	memset(decoder, 0, sizeof(*decoder));
}

static int make_room(struct ttrpc_decoder *decoder, size_t more)
{
	size_t need = decoder->got + more, room = decoder->room ? decoder->room : FIRST_ROOM;

	while (room < need)
		room *= 2;
	if (room == decoder->room)
		return 0;
	uint8_t *body = realloc(decoder->body, room);
	if (!body)
		return -ENOMEM;
	decoder->body = body;
	decoder->room = room;
	return 0;
}

static bool give(struct ttrpc_decoder *decoder, uint32_t length,
	bool (*frame)(void *arg, const struct ttrpc_frame *frame), void *arg)
{
	struct ttrpc_frame f = {
		.stream = get_u32(decoder->head + 4),
		.type = decoder->head[8],
		.flags = decoder->head[9],
		.too_long = length > TTRPC_MAX,
		.body = decoder->body,
		.length = length > TTRPC_MAX ? 0 : length,
	};

	decoder->head_got = decoder->got = 0;
	bool go_on = frame(arg, &f);
	if (decoder->room > KEEP_ROOM) {
		free(decoder->body);
		decoder->body = NULL;
		decoder->room = 0;
	}
	return go_on;
}

int ttrpc_feed(struct ttrpc_decoder *decoder, const uint8_t *data, size_t n,
	bool (*frame)(void *arg, const struct ttrpc_frame *frame), void *arg)
{
	for (;;) {
		size_t take = TTRPC_HEAD - decoder->head_got;
		if (take > n)
			take = n;
		memcpy(decoder->head + decoder->head_got, data, take);
		decoder->head_got += take;
		data += take;
		n -= take;
		if (decoder->head_got < TTRPC_HEAD)
			return 0;

		uint32_t length = get_u32(decoder->head);
		take = length - decoder->got;
		if (take > n)
			take = n;
		if (length <= TTRPC_MAX && take > 0) {
			if (make_room(decoder, take))
				return -ENOMEM;
			memcpy(decoder->body + decoder->got, data, take);
		}
		decoder->got += take;
		data += take;
		n -= take;
		if (decoder->got < length)
			return 0;
		if (!give(decoder, length, frame, arg))
			return -ECANCELED;
		if (n == 0)
			return 0;
	}
}
