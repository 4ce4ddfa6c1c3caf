/*
 * Messages to the gofer and the fids that name things there.
 *
 * p9fs_call_begin() takes a buffer (its first half is the message, its second the reply),
 * the caller puts the body, p9fs_call_send() sleeps for the reply by the host ring. Replies are
 * checked here for framing, tag and type, and by their readers for the rest. Buffers are
 * few and reused; a caller sleeps when all are out. A fid's number is reused only once the gofer has
 * answered its clunk. Never begin a call while holding another: those that may are listing.c and sweep.c,
 * one task at a time (p9fs_fetch_lock).
 */
#include "kernel/files.h"
#include "kernel/task.h"
#include "ring0/memory.h"
#include "vfs/p9/internal.h"

#define SHRINK_BATCH 2048u
#define SHRINK_TRIES 32u

#define BUFFER_ORDER 4 /* 64 KiB: twice P9FS_MESSAGE_SIZE */
#define BUFFERS_MAX 64u
#define CLUNKS_MAX 48u
#define CHANNELS_MAX 64u
#define HEADER_SIZE 7u

_Static_assert((PAGE_SIZE << BUFFER_ORDER) == 2 * P9FS_MESSAGE_SIZE, "a message and a reply");
_Static_assert(CLUNKS_MAX <= P9_MAX_CLUNK, "one message");

static struct p9fs_call *idle_calls;
static unsigned call_count;
static struct waitq call_waiters = WAITQ_INIT(call_waiters);
static uint32_t connected[CHANNELS_MAX]; /* channels that have agreed on a version, their number + 1; 0: free */
static bool plain[CHANNELS_MAX]; /* without the extension: plain.c */

unsigned p9fs_changes;

static uint64_t fids[P9_MAX_FIDS / 64]; /* bit N: fid N is in use */
static unsigned fid_hint;
static uint32_t clunks[CLUNKS_MAX];
static unsigned clunk_count;
static uint16_t fid_channel[P9_MAX_FIDS]; /* whose gofer knows it by this number: each number is in use at one only */

static struct p9fs_call *call_make(void)
{
	struct p9fs_call *call;

	if (call_count == BUFFERS_MAX)
		return NULL;
	call = kzalloc(sizeof(*call));
	if (!call)
		return NULL;
	call->buffer = kpages_alloc(BUFFER_ORDER);
	if (!call->buffer) {
		kfree(call);
		return NULL;
	}
	call->tag = (uint16_t)call_count++;
	return call;
}

int p9fs_call_begin(struct p9fs_call **result, uint8_t type)
{
	struct p9fs_call *call = idle_calls;

	if (!call)
		call = call_make();
	if (!call) {
		int rc;

		if (!call_count)
			return -ENOMEM;
		rc = wait_event(&call_waiters, idle_calls != NULL, DEADLINE_NONE, false);
		if (rc)
			return rc;
		call = idle_calls;
	}
	if (call == idle_calls)
		idle_calls = call->next;
	call->next = NULL;
	call->type = type;
	call->donated_count = 0;
	p9_writer_init(&call->out, call->buffer, P9FS_MESSAGE_SIZE);
	p9_begin(&call->out, type, type == P9_tversion ? P9_NOTAG : call->tag);
	*result = call;
	return 0;
}

/* The errno of an Rlerror. The gofer is on the host's side, but it is a parser of our bytes: take nothing for granted. */
static int remote_error(struct p9_reader *in)
{
	struct p9_rlerror error;

	if (!p9_get_rlerror(in, &error) || error.ecode == 0 || error.ecode > 133)
		return -EIO;
	return -(int)error.ecode;
}

bool p9fs_is_plain(uint32_t channel)
{
	for (unsigned i = 0; i < CHANNELS_MAX; i++)
		if (connected[i] == channel + 1)
			return plain[i];
	return false;
}

/* Every message but a version begins with a fid; tclunkmany's has their count before. */
static uint32_t channel_of(const struct p9fs_call *call)
{
	const uint8_t *at = call->buffer + HEADER_SIZE + (call->type == P9_tclunkmany ? 2 : 0);
	uint32_t fid;

	if (call->type == P9_tversion)
		return call->channel;
	memcpy(&fid, at, sizeof(fid));
	return p9fs_fid_channel(fid);
}

int p9fs_exchange(uint32_t channel, uint8_t *buffer, uint8_t type, struct p9_writer *out, struct p9_reader *in, uint64_t *extra)
{
	uint8_t *reply = buffer + P9FS_MESSAGE_SIZE;
	struct p9_header header;
	uint64_t unused;
	struct abi_sqe sqe = {
		.op = ABI_RING_p9,
		.fd = channel,
		.gpa = va_to_pa(buffer),
		.len = p9_finish(out),
		.gpa2 = va_to_pa(reply),
		.len2 = P9FS_MESSAGE_SIZE,
	};
	uint16_t tag;
	int64_t n;

	p9_reader_init(in, reply, 0);
	if (!sqe.len)
		return -ENAMETOOLONG;
	memcpy(&tag, buffer + 5, sizeof(tag));
	n = hostring_call(&sqe, extra ? extra : &unused);
	if (n < 0)
		return n == -ENOMEM ? -ENOMEM : -EIO;
	if (n > (int64_t)P9FS_MESSAGE_SIZE)
		return -EIO;
	p9_reader_init(in, reply, (size_t)n);
	if (!p9_get_header(in, &header) || header.tag != tag)
		return -EIO;
	if (header.type == P9_rlerror)
		return remote_error(in);
	return header.type == type + 1 ? 0 : -EIO;
}

static int send_once(struct p9fs_call *call)
{
	uint32_t channel = channel_of(call);
	uint64_t extra = 0;
	int rc;

	if (__builtin_expect(p9fs_plain_takes(call->type) && p9fs_is_plain(channel), 0))
		return p9fs_plain_perform(call, channel);
	rc = p9fs_exchange(channel, call->buffer, call->type, &call->out, &call->in, &extra);
	if (extra <= ABI_MAX_DONATED && (size_t)(call->buffer + 2 * P9FS_MESSAGE_SIZE - call->in.end) >= extra * sizeof(call->donated[0])) {
		memcpy(call->donated, call->in.end, extra * sizeof(call->donated[0]));
		call->donated_count = (unsigned)extra;
	}
	return rc;
}

static bool changes_something(uint8_t type)
{
	switch (type) {
	case P9_tlcreate:
	case P9_tcreatedonate:
	case P9_tmake:
	case P9_tlink:
	case P9_tunlinkat:
	case P9_trename2:
	case P9_tsetattr:
	case P9_twrite:
	case P9_tallocate:
	case P9_txattrcreate:
		return true;
	}
	return false;
}

/* The gofer keeps a descriptor for each of our fids: when it has no more, cached names give some back. */
int p9fs_call_send(struct p9fs_call *call)
{
	int rc = send_once(call);

	/* Not every cached name has a fid: the oldest go until enough had. */
	for (unsigned tries = 0; tries < SHRINK_TRIES && (rc == -EMFILE || rc == -ENFILE); tries++) {
		dentry_shrink(SHRINK_BATCH);
		rc = send_once(call);
	}
	p9fs_changes += changes_something(call->type);
	return rc;
}

int p9fs_donated_take(struct p9fs_call *call, unsigned number)
{
	uint32_t fd;

	if (number >= call->donated_count)
		return -1;
	fd = call->donated[number];
	call->donated[number] = ABI_NO_FD;
	return fd < ABI_MAX_FDS ? (int)fd : -1;
}

void p9fs_fd_close(int fd)
{
	if (fd >= 0)
		(void)machine->host_call(ABI_CALL_fd_close, (uint64_t)fd, 0, 0, 0);
}

void p9fs_call_end(struct p9fs_call *call)
{
	for (unsigned i = 0; i < call->donated_count; i++)
		p9fs_fd_close(p9fs_donated_take(call, i));
	call->donated_count = 0;
	call->next = idle_calls;
	idle_calls = call;
	waitq_wake(&call_waiters, 1, ~0u);
}

/* 0, or -errno; *is_plain: the server answered with 9P2000.L alone. */
static int agree(uint32_t channel, const char *version, bool *is_plain)
{
	struct p9_rversion r;
	struct p9fs_call *call;
	int rc = p9fs_call_begin(&call, P9_tversion);

	if (rc)
		return rc;
	call->channel = channel;
	p9_put_tversion(&call->out, &(struct p9_tversion){P9FS_MESSAGE_SIZE, p9_str_from(version)});
	rc = p9fs_call_send(call);
	if (!rc && !p9_get_rversion(&call->in, &r))
		rc = -EIO;
	if (!rc) {
		*is_plain = p9_str_equal(r.version, P9_VERSION_LINUX);
		if (r.msize != P9FS_MESSAGE_SIZE || (!*is_plain && !p9_str_equal(r.version, P9_VERSION_RINGFENCE)))
			rc = -EPROTONOSUPPORT;
	}
	p9fs_call_end(call);
	return rc;
}

int p9fs_connect(uint32_t channel)
{
	unsigned slot = CHANNELS_MAX;
	bool is_plain = false;
	int rc;

	for (unsigned i = 0; i < CHANNELS_MAX; i++) {
		if (connected[i] == channel + 1)
			return 0;
		if (!connected[i] && slot == CHANNELS_MAX)
			slot = i;
	}
	if (slot == CHANNELS_MAX)
		return -EMFILE;
	rc = agree(channel, P9_VERSION_RINGFENCE, &is_plain);
	if (rc) /* some servers answer a version that they don't know with an error */
		rc = agree(channel, P9_VERSION_LINUX, &is_plain);
	if (rc)
		return rc;
	connected[slot] = channel + 1;
	plain[slot] = is_plain;
	if (is_plain)
		p9fs_plain_init();
	return 0;
}

/* ---- fids ---- */

static int fid_take(uint32_t *fid)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fids); i++) {
		unsigned word = (fid_hint + i) % ARRAY_SIZE(fids);

		if (fids[word] == UINT64_MAX)
			continue;
		unsigned bit = (unsigned)__builtin_ctzll(~fids[word]);
		fids[word] |= 1ull << bit;
		fid_hint = word;
		*fid = word * 64 + bit;
		return 0;
	}
	return -ENFILE;
}

/* Tell the gofer. The numbers are free again once it has answered. */
static void clunk_now(void)
{
	struct p9_tclunkmany t = {.fids.count = (uint16_t)clunk_count};
	struct p9fs_call *call;
	int rc;

	memcpy(t.fids.fid, clunks, clunk_count * sizeof(clunks[0]));
	clunk_count = 0;
	if (!t.fids.count)
		return;
	rc = p9fs_call_begin(&call, P9_tclunkmany);
	if (!rc) {
		p9_put_tclunkmany(&call->out, &t);
		rc = p9fs_call_send(call);
		p9fs_call_end(call);
	}
	if (rc) {
		klog(LOG_WARNING, "9p: %u fids could not be released: error %d", t.fids.count, -rc);
		return;
	}
	for (unsigned i = 0; i < t.fids.count; i++)
		p9fs_fid_free(t.fids.fid[i]);
}

int p9fs_fid_alloc(uint32_t channel, uint32_t *fid)
{
	int rc = fid_take(fid);

	if (rc) {
		dentry_shrink(1024);
		clunk_now();
		rc = fid_take(fid);
	}
	if (!rc)
		fid_channel[*fid] = (uint16_t)channel;
	return rc;
}

uint32_t p9fs_fid_channel(uint32_t fid)
{
	return fid < P9_MAX_FIDS ? fid_channel[fid] : 0;
}

void p9fs_fid_free(uint32_t fid)
{
	fids[fid / 64] &= ~(1ull << fid % 64);
}

void p9fs_fid_clunk(uint32_t fid)
{
	if (fid == P9_NOFID)
		return;
	/* One message goes to one gofer. */
	while (clunk_count == CLUNKS_MAX || (clunk_count && p9fs_fid_channel(clunks[0]) != p9fs_fid_channel(fid)))
		clunk_now();
	clunks[clunk_count++] = fid;
}

int p9fs_walk(uint32_t dir, struct p9_str name, uint32_t *fid, struct p9_attr *attr)
{
	struct p9_rwalkgetattr r;
	struct p9_reader records;
	struct p9fs_call *call;
	int rc = fid ? p9fs_fid_alloc(p9fs_fid_channel(dir), fid) : 0;

	if (rc)
		return rc;
	rc = P9FS_CALL(&call, twalkgetattr, .fid = dir, .steps = {.count = 1, .step = {{fid ? *fid : P9_NOFID, name}}});
	if (rc) {
		if (fid)
			p9fs_fid_free(*fid);
		return rc;
	}
	if (!p9_get_rwalkgetattr(&call->in, &r) || r.count > 1 || r.ecode > 133 || (r.count == 0) != (r.ecode != 0)) {
		rc = -EIO;
	} else if (r.ecode) {
		rc = -(int)r.ecode;
	} else {
		p9_reader_init(&records, r.attrs.bytes, r.attrs.len);
		*attr = p9_get_attr(&records);
		if (records.failed)
			rc = -EIO;
	}
	p9fs_call_end(call);
	if (rc && fid)
		p9fs_fid_free(*fid);
	return rc;
}

void files_gofer_gone(uint32_t channel)
{
	if (clunk_count && p9fs_fid_channel(clunks[0]) == channel)
		clunk_now();
	for (unsigned i = 0; i < CHANNELS_MAX; i++) {
		if (connected[i] == channel + 1)
			connected[i] = 0;
	}
}
