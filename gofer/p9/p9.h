/*
 * The 9P wire codec, shared by the gofer and by the sentry's client.
 *
 * 9P2000.L, plus the messages of "9P2000.L.ringfence" (README.md here). Freestanding: it
 * uses no libc and allocates nothing. Readers and writers carry a sticky failure, so a
 * whole message is read or written and the outcome looked at once, at the end. Strings
 * and data that were read point into the message buffer: whoever shares that buffer with
 * a less trusted side must copy the message before reading it.
 *
 * Reading: p9_reader_init(), p9_get_header(), p9_get_NAME(), which says whether the message was
 * whole, well-formed and without trailing bytes. Writing: p9_writer_init(), p9_begin(), p9_put_NAME(),
 * p9_finish(). Never use a struct that p9_get_NAME() refused.
 */
#ifndef P9_P9_H
#define P9_P9_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define P9_VERSION_LINUX "9P2000.L"
#define P9_VERSION_RINGFENCE "9P2000.L.ringfence"
#define P9_VERSION_UNKNOWN "unknown"

#define P9_HEADER 7u
#define P9_NOTAG 0xffffu
#define P9_NOFID 0xffffffffu
#define P9_MAX_WALK 16u /* elements of one walk */
#define P9_MAX_TREES 64u /* names of one Treadtrees */
#define P9_MAX_CLUNK 64u /* fids of one Tclunkmany */
#define P9_MAX_NAME 255u
#define P9_MIN_MSIZE 4096u
#define P9_MAX_MSIZE (128u * 1024u) /* fits a packet of the socket with default buffer limits */
#define P9_MAX_FIDS 65536u /* fids are below this number */
#define P9_IO_OVERHEAD 24u /* bytes of a Tread/Twrite/Rread beyond its data, rounded up */

#define P9_QID_DIR 0x80u
#define P9_QID_SYMLINK 0x02u
#define P9_QID_FILE 0x00u

/* Tgetattr request mask and Rgetattr valid. */
#define P9_GETATTR_BASIC 0x7ffull
#define P9_GETATTR_BTIME 0x800ull

/* Tsetattr valid. */
#define P9_SETATTR_MODE 0x1u
#define P9_SETATTR_UID 0x2u
#define P9_SETATTR_GID 0x4u
#define P9_SETATTR_SIZE 0x8u
#define P9_SETATTR_ATIME 0x10u
#define P9_SETATTR_MTIME 0x20u
#define P9_SETATTR_CTIME 0x40u
#define P9_SETATTR_ATIME_SET 0x80u
#define P9_SETATTR_MTIME_SET 0x100u

/* Open flags on the wire are x86-64 Linux's open(2) flags. */
#define P9_OPEN_RDONLY 00u
#define P9_OPEN_WRONLY 01u
#define P9_OPEN_RDWR 02u
#define P9_OPEN_ACCMODE 03u
#define P9_OPEN_CREAT 0100u
#define P9_OPEN_EXCL 0200u
#define P9_OPEN_TRUNC 01000u
#define P9_OPEN_APPEND 02000u
#define P9_OPEN_DSYNC 010000u
#define P9_OPEN_DIRECTORY 0200000u
#define P9_OPEN_NOATIME 01000000u
#define P9_OPEN_SYNC 04010000u

#define P9_UNLINK_DIR 0x200u /* Tunlinkat flags: AT_REMOVEDIR */

#define P9_LOCK_READ 0u
#define P9_LOCK_WRITE 1u
#define P9_LOCK_UNLOCK 2u
#define P9_LOCK_OK 0u
#define P9_LOCK_BLOCKED 1u
#define P9_LOCK_ERROR 2u

struct p9_str {
	const char *data; /* not terminated; holds no NUL */
	uint16_t len;
};

struct p9_data {
	const uint8_t *bytes;
	uint32_t len;
};

struct p9_qid {
	uint8_t type; /* P9_QID_* */
	uint32_t version;
	uint64_t path; /* unique within one attached tree */
};

/*
 * p9_attr.gen, in the extension: 0, or this one: every change of a regular file, of its attributes and of its names gives it
 * another ctime, whoever makes it, as soon as the clock has ticked. So the file systems of one Linux host do that
 * keep their files themselves.
 */
#define P9_GEN_TELLS 1u

/* The body of Rgetattr after `valid`. 145 bytes on the wire. */
#define P9_ATTR_SIZE 145u
struct p9_attr {
	struct p9_qid qid;
	uint32_t mode, uid, gid;
	uint64_t nlink, rdev, size, blksize, blocks;
	uint64_t atime_sec, atime_nsec, mtime_sec, mtime_nsec, ctime_sec, ctime_nsec, btime_sec, btime_nsec;
	uint64_t gen, data_version;
};

struct p9_names {
	uint16_t count;
	struct p9_str name[P9_MAX_WALK];
};

struct p9_qids {
	uint16_t count;
	struct p9_qid qid[P9_MAX_WALK];
};

struct p9_steps {
	uint16_t count;
	struct {
		uint32_t fid; /* becomes this component; P9_NOFID: none wanted */
		struct p9_str name;
	} step[P9_MAX_WALK];
};

struct p9_fids {
	uint16_t count;
	uint32_t fid[P9_MAX_CLUNK];
};

struct p9_header {
	uint32_t size; /* of the whole message */
	uint8_t type;
	uint16_t tag;
};

/* One record of Rreaddir. */
struct p9_dirent {
	struct p9_qid qid;
	uint64_t offset; /* of the next entry */
	uint8_t type;    /* DT_* */
	struct p9_str name;
};

/* One record of Rreaddirattr. */
struct p9_dirent_attr {
	uint64_t offset;
	struct p9_attr attr;
	struct p9_str name;
};

/* One directory of Rreadtrees, whole. */
#define P9_NO_BLOCK 0xffffu
#define P9_BLOCK_OVERHEAD (2u + 2u + P9_ATTR_SIZE + 4u) /* beyond its name and its entries */
struct p9_block {
	uint16_t parent; /* the number of the block that has its name among the entries; P9_NO_BLOCK: the fid's directory */
	struct p9_str name;
	struct p9_attr attr;
	struct p9_data entries; /* as in Rreaddirattr; bare: as in Rreaddir, without "." and ".." */
};

/* One file of Rwalkdonatemany, in the order of the steps. */
enum p9_given { P9_NOT_GIVEN = 0, P9_GIVEN = 1, P9_NOT_REACHED = 2 };

struct p9_reader {
	const uint8_t *at, *end;
	bool failed; /* sticky: a field lay past the end or was malformed */
};

struct p9_writer {
	uint8_t *start, *at, *end;
	bool failed; /* sticky: something did not fit */
};

static inline void p9_reader_init(struct p9_reader *in, const void *bytes, size_t n)
{
	in->at = bytes;
	in->end = in->at + n;
	in->failed = false;
}

static inline void p9_writer_init(struct p9_writer *out, void *bytes, size_t n)
{
	out->start = out->at = bytes;
	out->end = out->at + n;
	out->failed = false;
}

static inline size_t p9_reader_left(const struct p9_reader *in)
{
	return (size_t)(in->end - in->at);
}

static inline size_t p9_writer_left(const struct p9_writer *out)
{
	return (size_t)(out->end - out->at);
}

/* Fields. After a failure getters give zeroes and empty strings, and putters write nothing. */
uint8_t p9_get_u8(struct p9_reader *in);
uint16_t p9_get_u16(struct p9_reader *in);
uint32_t p9_get_u32(struct p9_reader *in);
uint64_t p9_get_u64(struct p9_reader *in);
struct p9_str p9_get_str(struct p9_reader *in); /* a NUL inside is a failure */
struct p9_qid p9_get_qid(struct p9_reader *in);
struct p9_attr p9_get_attr(struct p9_reader *in);
struct p9_data p9_get_data(struct p9_reader *in);
void p9_put_u8(struct p9_writer *out, uint8_t value);
void p9_put_u16(struct p9_writer *out, uint16_t value);
void p9_put_u32(struct p9_writer *out, uint32_t value);
void p9_put_u64(struct p9_writer *out, uint64_t value);
void p9_put_str(struct p9_writer *out, struct p9_str value);
void p9_put_qid(struct p9_writer *out, struct p9_qid value);
void p9_put_attr(struct p9_writer *out, const struct p9_attr *value);
void p9_put_bytes(struct p9_writer *out, const void *bytes, size_t n); /* no count */
void p9_put_data(struct p9_writer *out, struct p9_data value);

/*
 * The header of the message in `in`. False if it is shorter than a header or if its size
 * is not exactly the bytes there are.
 */
bool p9_get_header(struct p9_reader *in, struct p9_header *header);

/* Start a message at out->at; the size is filled in by p9_finish(). */
void p9_begin(struct p9_writer *out, uint8_t type, uint16_t tag);
/* The whole message's length, with its size field set; 0 if it did not fit. */
uint32_t p9_finish(struct p9_writer *out);

/* Directory records: the next one of a reply's `entries`. False at the end or if malformed (in->failed says which). */
bool p9_next_dirent(struct p9_reader *in, struct p9_dirent *entry);
bool p9_next_dirent_attr(struct p9_reader *in, struct p9_dirent_attr *entry);
bool p9_next_block(struct p9_reader *in, struct p9_block *block); /* of Rreadtrees */
/* False, with nothing written, if the record does not fit in what is left. */
bool p9_put_dirent(struct p9_writer *out, const struct p9_dirent *entry);
bool p9_put_dirent_attr(struct p9_writer *out, const struct p9_dirent_attr *entry);

/* A name that may be created or looked up: 1..255 bytes, no '/', not "." and not "..". */
bool p9_name_ok(struct p9_str name);
bool p9_str_equal(struct p9_str a, const char *b);
struct p9_str p9_str_from(const char *s);

typedef uint8_t p9_kind_u8;
typedef uint16_t p9_kind_u16;
typedef uint32_t p9_kind_u32;
typedef uint64_t p9_kind_u64;
typedef struct p9_str p9_kind_str;
typedef struct p9_qid p9_kind_qid;
typedef struct p9_attr p9_kind_attr;
typedef struct p9_data p9_kind_data;
typedef struct p9_data p9_kind_rest;
typedef struct p9_names p9_kind_names;
typedef struct p9_qids p9_kind_qids;
typedef struct p9_steps p9_kind_steps;
typedef struct p9_fids p9_kind_fids;

enum p9_type {
#define P9_MESSAGE(number, name, fields) P9_##name = number,
#include "gofer/p9/messages.def"
#undef P9_MESSAGE
};

/* struct p9_tlopen { uint32_t fid; uint32_t flags; }; and so on. */
#define F(kind, name) p9_kind_##kind name;
#define P9_MESSAGE(number, name, fields) \
	struct p9_##name {               \
		fields                   \
	};
#include "gofer/p9/messages.def"
#undef P9_MESSAGE
#undef F

/*
 * bool p9_get_tlopen(in, &message): the body, after the header; the message must end with it.
 * void p9_put_tlopen(out, &message): the body, after p9_begin().
 */
#define P9_MESSAGE(number, name, fields)                                \
	bool p9_get_##name(struct p9_reader *in, struct p9_##name *to); \
	void p9_put_##name(struct p9_writer *out, const struct p9_##name *from);
#include "gofer/p9/messages.def"
#undef P9_MESSAGE

/* "Tlopen" style name for logs; "?" if unknown. */
const char *p9_type_name(uint8_t type);

#endif
