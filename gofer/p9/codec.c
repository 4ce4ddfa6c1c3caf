/*
 * Bounds-checked readers and writers of the 9P wire format.
 *
 * Called by the gofer and by the sentry's client; see p9.h for the order of use. All
 * integers are little-endian on the wire and this code runs on x86-64 only, so they are
 * copied as they are. Nothing here trusts a length: each is compared with what is left
 * before it is used. Sources: intro(5) of Plan 9, diod's protocol.md.
 */
#include "gofer/p9/p9.h"

static bool take(struct p9_reader *in, void *to, size_t n)
{
	if (in->failed || p9_reader_left(in) < n) {
		in->failed = true;
		__builtin_memset(to, 0, n);
		return false;
	}
	__builtin_memcpy(to, in->at, n);
	in->at += n;
	return true;
}

static void give(struct p9_writer *out, const void *from, size_t n)
{
	if (out->failed || p9_writer_left(out) < n) {
		out->failed = true;
		return;
	}
	if (n)
		__builtin_memcpy(out->at, from, n);
	out->at += n;
}

uint8_t p9_get_u8(struct p9_reader *in)
{
	uint8_t value;
	take(in, &value, sizeof(value));
	return value;
}

uint16_t p9_get_u16(struct p9_reader *in)
{
	uint16_t value;
	take(in, &value, sizeof(value));
	return value;
}

uint32_t p9_get_u32(struct p9_reader *in)
{
	uint32_t value;
	take(in, &value, sizeof(value));
	return value;
}

uint64_t p9_get_u64(struct p9_reader *in)
{
	uint64_t value;
	take(in, &value, sizeof(value));
	return value;
}

struct p9_str p9_get_str(struct p9_reader *in)
{
	struct p9_str value = {NULL, p9_get_u16(in)};

	if (in->failed || p9_reader_left(in) < value.len || __builtin_memchr(in->at, 0, value.len)) {
		in->failed = true;
		return (struct p9_str){NULL, 0};
	}
	value.data = (const char *)in->at;
	in->at += value.len;
	return value;
}

struct p9_qid p9_get_qid(struct p9_reader *in)
{
	struct p9_qid value;
	value.type = p9_get_u8(in);
	value.version = p9_get_u32(in);
	value.path = p9_get_u64(in);
	return value;
}

struct p9_attr p9_get_attr(struct p9_reader *in)
{
	struct p9_attr value;

	value.qid = p9_get_qid(in);
	take(in, &value.mode, 4);
	take(in, &value.uid, 4);
	take(in, &value.gid, 4);
	/* nlink .. data_version: fifteen 64-bit words in wire order. */
	_Static_assert(offsetof(struct p9_attr, data_version) - offsetof(struct p9_attr, nlink) == 14 * 8, "wire order");
	take(in, &value.nlink, 15 * 8);
	return value;
}

static struct p9_data get_bytes(struct p9_reader *in, uint32_t n)
{
	struct p9_data value = {in->at, n};

	if (in->failed || p9_reader_left(in) < n) {
		in->failed = true;
		return (struct p9_data){NULL, 0};
	}
	in->at += n;
	return value;
}

struct p9_data p9_get_data(struct p9_reader *in)
{
	return get_bytes(in, p9_get_u32(in));
}

static struct p9_data p9_get_rest(struct p9_reader *in)
{
	return get_bytes(in, (uint32_t)p9_reader_left(in));
}

static uint16_t get_count(struct p9_reader *in, uint16_t limit)
{
	uint16_t count = p9_get_u16(in);

	if (count > limit) {
		in->failed = true;
		return 0;
	}
	return count;
}

static struct p9_names p9_get_names(struct p9_reader *in)
{
	struct p9_names value;

	value.count = get_count(in, P9_MAX_WALK);
	for (unsigned i = 0; i < value.count; i++)
		value.name[i] = p9_get_str(in);
	return value;
}

static struct p9_qids p9_get_qids(struct p9_reader *in)
{
	struct p9_qids value;

	value.count = get_count(in, P9_MAX_WALK);
	for (unsigned i = 0; i < value.count; i++)
		value.qid[i] = p9_get_qid(in);
	return value;
}

static struct p9_steps p9_get_steps(struct p9_reader *in)
{
	struct p9_steps value;

	value.count = get_count(in, P9_MAX_WALK);
	for (unsigned i = 0; i < value.count; i++) {
		value.step[i].fid = p9_get_u32(in);
		value.step[i].name = p9_get_str(in);
	}
	return value;
}

static struct p9_fids p9_get_fids(struct p9_reader *in)
{
	struct p9_fids value;

	value.count = get_count(in, P9_MAX_CLUNK);
	for (unsigned i = 0; i < value.count; i++)
		value.fid[i] = p9_get_u32(in);
	return value;
}

void p9_put_u8(struct p9_writer *out, uint8_t value)
{
	give(out, &value, sizeof(value));
}

void p9_put_u16(struct p9_writer *out, uint16_t value)
{
	give(out, &value, sizeof(value));
}

void p9_put_u32(struct p9_writer *out, uint32_t value)
{
	give(out, &value, sizeof(value));
}

void p9_put_u64(struct p9_writer *out, uint64_t value)
{
	give(out, &value, sizeof(value));
}

void p9_put_str(struct p9_writer *out, struct p9_str value)
{
	p9_put_u16(out, value.len);
	give(out, value.data, value.len);
}

void p9_put_qid(struct p9_writer *out, struct p9_qid value)
{
	p9_put_u8(out, value.type);
	p9_put_u32(out, value.version);
	p9_put_u64(out, value.path);
}

void p9_put_attr(struct p9_writer *out, const struct p9_attr *value)
{
	p9_put_qid(out, value->qid);
	p9_put_u32(out, value->mode);
	p9_put_u32(out, value->uid);
	p9_put_u32(out, value->gid);
	give(out, &value->nlink, 15 * 8);
}

void p9_put_bytes(struct p9_writer *out, const void *bytes, size_t n)
{
	give(out, bytes, n);
}

void p9_put_data(struct p9_writer *out, struct p9_data value)
{
	p9_put_u32(out, value.len);
	give(out, value.bytes, value.len);
}

bool p9_get_header(struct p9_reader *in, struct p9_header *header)
{
	size_t size = p9_reader_left(in);

	header->size = p9_get_u32(in);
	header->type = p9_get_u8(in);
	header->tag = p9_get_u16(in);
	return !in->failed && header->size == size;
}

void p9_begin(struct p9_writer *out, uint8_t type, uint16_t tag)
{
	out->start = out->at;
	p9_put_u32(out, 0);
	p9_put_u8(out, type);
	p9_put_u16(out, tag);
}

uint32_t p9_finish(struct p9_writer *out)
{
	uint32_t size = (uint32_t)(out->at - out->start);

	if (out->failed)
		return 0;
	__builtin_memcpy(out->start, &size, sizeof(size));
	return size;
}

bool p9_next_dirent(struct p9_reader *in, struct p9_dirent *entry)
{
	if (in->failed || !p9_reader_left(in))
		return false;
	entry->qid = p9_get_qid(in);
	entry->offset = p9_get_u64(in);
	entry->type = p9_get_u8(in);
	entry->name = p9_get_str(in);
	return !in->failed;
}

bool p9_next_dirent_attr(struct p9_reader *in, struct p9_dirent_attr *entry)
{
	if (in->failed || !p9_reader_left(in))
		return false;
	entry->offset = p9_get_u64(in);
	entry->attr = p9_get_attr(in);
	entry->name = p9_get_str(in);
	return !in->failed;
}

bool p9_next_block(struct p9_reader *in, struct p9_block *block)
{
	if (in->failed || !p9_reader_left(in))
		return false;
	block->parent = p9_get_u16(in);
	block->name = p9_get_str(in);
	block->attr = p9_get_attr(in);
	block->entries = p9_get_data(in);
	return !in->failed;
}

bool p9_put_dirent(struct p9_writer *out, const struct p9_dirent *entry)
{
	if (out->failed || p9_writer_left(out) < 13u + 8u + 1u + 2u + entry->name.len)
		return false;
	p9_put_qid(out, entry->qid);
	p9_put_u64(out, entry->offset);
	p9_put_u8(out, entry->type);
	p9_put_str(out, entry->name);
	return true;
}

bool p9_put_dirent_attr(struct p9_writer *out, const struct p9_dirent_attr *entry)
{
	if (out->failed || p9_writer_left(out) < 8u + P9_ATTR_SIZE + 2u + entry->name.len)
		return false;
	p9_put_u64(out, entry->offset);
	p9_put_attr(out, &entry->attr);
	p9_put_str(out, entry->name);
	return true;
}

bool p9_name_ok(struct p9_str name)
{
	if (name.len == 0 || name.len > P9_MAX_NAME)
		return false;
	if (name.data[0] == '.' && (name.len == 1 || (name.len == 2 && name.data[1] == '.')))
		return false;
	return !__builtin_memchr(name.data, '/', name.len);
}

bool p9_str_equal(struct p9_str a, const char *b)
{
	return __builtin_strlen(b) == a.len && __builtin_memcmp(a.data, b, a.len) == 0;
}

struct p9_str p9_str_from(const char *s)
{
	size_t len = __builtin_strlen(s);

	return (struct p9_str){s, (uint16_t)(len > UINT16_MAX ? UINT16_MAX : len)};
}

static void p9_put_rest(struct p9_writer *out, struct p9_data value)
{
	give(out, value.bytes, value.len);
}

/* The senders of lists fill at most the array, so a larger count is a failed message. */
static bool put_count(struct p9_writer *out, uint16_t count, uint16_t limit)
{
	if (count > limit)
		out->failed = true;
	p9_put_u16(out, count);
	return !out->failed;
}

static void put_names(struct p9_writer *out, const struct p9_names *value)
{
	if (!put_count(out, value->count, P9_MAX_WALK))
		return;
	for (unsigned i = 0; i < value->count; i++)
		p9_put_str(out, value->name[i]);
}

static void put_qids(struct p9_writer *out, const struct p9_qids *value)
{
	if (!put_count(out, value->count, P9_MAX_WALK))
		return;
	for (unsigned i = 0; i < value->count; i++)
		p9_put_qid(out, value->qid[i]);
}

static void put_steps(struct p9_writer *out, const struct p9_steps *value)
{
	if (!put_count(out, value->count, P9_MAX_WALK))
		return;
	for (unsigned i = 0; i < value->count; i++) {
		p9_put_u32(out, value->step[i].fid);
		p9_put_str(out, value->step[i].name);
	}
}

static void put_fids(struct p9_writer *out, const struct p9_fids *value)
{
	if (!put_count(out, value->count, P9_MAX_CLUNK))
		return;
	for (unsigned i = 0; i < value->count; i++)
		p9_put_u32(out, value->fid[i]);
}

/* One spelling for all kinds, so that the table below can name them: by address. */
#define put_u8(out, field) p9_put_u8(out, *(field))
#define put_u16(out, field) p9_put_u16(out, *(field))
#define put_u32(out, field) p9_put_u32(out, *(field))
#define put_u64(out, field) p9_put_u64(out, *(field))
#define put_str(out, field) p9_put_str(out, *(field))
#define put_qid(out, field) p9_put_qid(out, *(field))
#define put_attr(out, field) p9_put_attr(out, field)
#define put_data(out, field) p9_put_data(out, *(field))
#define put_rest(out, field) p9_put_rest(out, *(field))

#define F(kind, name) to->name = p9_get_##kind(in);
#define P9_MESSAGE(number, name, fields)                               \
	bool p9_get_##name(struct p9_reader *in, struct p9_##name *to) \
	{                                                              \
		fields                                                 \
		return !in->failed && in->at == in->end;               \
	}
#include "gofer/p9/messages.def"
#undef P9_MESSAGE
#undef F

#define F(kind, name) put_##kind(out, &from->name);
#define P9_MESSAGE(number, name, fields)                                        \
	void p9_put_##name(struct p9_writer *out, const struct p9_##name *from) \
	{                                                                       \
		fields                                                          \
	}
#include "gofer/p9/messages.def"
#undef P9_MESSAGE
#undef F

const char *p9_type_name(uint8_t type)
{
	switch (type) {
#define P9_MESSAGE(number, name, fields) \
	case number:                     \
		return #name;
#include "gofer/p9/messages.def"
#undef P9_MESSAGE
	}
	return "?";
}
