/*
 * Host descriptors of regular files, and data through them.
 *
 * An inode has at most one handle, opened when data is first needed and kept as a cache:
 * any of them may be closed when there are many, and is opened again from the fid. The
 * gofer donates a descriptor where it can, and then reads and writes are host calls that
 * do not sleep; else the handle is an open fid and data travels in messages.
 */
#include "kernel/cgroup.h"
#include "ring0/memory.h"
#include "vfs/p9/internal.h"

#define HANDLES_MAX 4096u /* below ABI_MAX_FDS, which the VMM enforces */

static TAILQ_HEAD(, p9fs_handle) handles = TAILQ_HEAD_INITIALIZER(handles);
static unsigned handle_count;

void p9fs_handle_drop(struct p9fs_inode *pi)
{
	struct p9fs_handle *handle = &pi->handle;
	uint32_t fid = handle->fid;

	if (handle->listed) {
		TAILQ_REMOVE(&handles, handle, link);
		handle->listed = false;
		handle_count--;
	}
	p9fs_fd_close(handle->fd);
	handle->fd = -1;
	handle->fid = P9_NOFID;
	handle->writable = false;
	p9fs_fid_clunk(fid);
}

static void handle_list(struct p9fs_handle *handle)
{
	if (handle->listed)
		TAILQ_REMOVE(&handles, handle, link);
	else
		handle_count++;
	handle->listed = true;
	TAILQ_INSERT_TAIL(&handles, handle, link);
	if (handle_count > HANDLES_MAX)
		p9fs_handle_drop(container_of(TAILQ_FIRST(&handles), struct p9fs_inode, handle));
}

void p9fs_handle_set(struct p9fs_inode *pi, int donated_fd, bool writable)
{
	p9fs_handle_drop(pi);
	pi->handle.fd = donated_fd;
	pi->handle.writable = writable;
	handle_list(&pi->handle);
}

/* The VMM could not keep the descriptor: open a second fid instead. */
static int open_fid(uint32_t from, uint32_t flags, uint32_t *fid)
{
	struct p9fs_call *call;
	int rc = p9fs_fid_alloc(p9fs_fid_channel(from), fid);

	if (rc)
		return rc;
	rc = P9FS_CALL(&call, twalk, .fid = from, .newfid = *fid);
	if (rc) {
		p9fs_fid_free(*fid);
		return rc;
	}
	p9fs_call_end(call);
	rc = P9FS_CALL(&call, tlopen, .fid = *fid, .flags = flags);
	if (rc) {
		p9fs_fid_clunk(*fid);
		return rc;
	}
	p9fs_call_end(call);
	return 0;
}

static bool handle_fits(const struct p9fs_inode *pi, bool write)
{
	const struct p9fs_handle *handle = &pi->handle;

	return (handle->fd >= 0 || handle->fid != P9_NOFID) && (handle->writable || !write);
}

/* The fid and a handle by one message. */
static int walk_and_open(struct p9fs_inode *pi, bool write)
{
	struct p9_rwalkdonate r;
	struct p9fs_call *call;
	struct dentry *alias;
	uint32_t dir_fid, fid;
	int rc, fd = -1;

	rc = p9fs_inode_place(pi, &alias, &dir_fid);
	if (rc)
		return rc;
	rc = p9fs_fid_alloc(p9fs_s(&pi->base)->channel, &fid);
	if (!rc) {
		rc = P9FS_CALL(&call, twalkdonate, dir_fid, fid, {alias->name, alias->name_len},
			write ? P9_OPEN_RDWR : P9_OPEN_RDONLY);
		if (rc)
			p9fs_fid_free(fid);
	}
	dentry_put(alias);
	if (rc)
		return rc;
	if (!p9_get_rwalkdonate(&call->in, &r)) {
		rc = -EIO;
		p9fs_fid_clunk(fid);
	} else {
		fd = p9fs_donated_take(call, 0);
		rc = p9fs_inode_adopt(pi, fid, &r.attr);
	}
	p9fs_call_end(call);
	if (rc || handle_fits(pi, write))
		p9fs_fd_close(fd);
	else if (fd >= 0)
		p9fs_handle_set(pi, fd, write);
	return rc;
}

static int handle_open(struct p9fs_inode *pi, bool write)
{
	uint32_t flags = write ? P9_OPEN_RDWR : P9_OPEN_RDONLY, fid, opened;
	struct p9_ropendonate r;
	struct p9fs_call *call;
	int rc, fd = -1;

	if (pi->fid == P9_NOFID) {
		rc = write ? 1 : p9fs_open_ahead(pi);
		if (rc > 0 && pi->fid == P9_NOFID)
			rc = walk_and_open(pi, write);
		if (handle_fits(pi, write))
			return 0;
		/* The name may have gone meanwhile, but not before somebody else asked for the fid: keep_reachable(). */
		if (rc < 0 && pi->fid == P9_NOFID)
			return rc;
	}
	rc = p9fs_inode_fid(&pi->base, &fid);
	if (!rc)
		rc = P9FS_CALL(&call, topendonate, .fid = fid, .flags = flags);
	if (rc)
		return rc;
	if (!p9_get_ropendonate(&call->in, &r) || !r.donated)
		rc = -EIO;
	else
		fd = p9fs_donated_take(call, 0);
	p9fs_call_end(call);
	if (rc)
		return rc;
	if (fd >= 0) {
		p9fs_handle_set(pi, fd, write);
		return 0;
	}
	rc = open_fid(fid, flags, &opened);
	if (rc)
		return rc;
	p9fs_handle_set(pi, -1, write);
	pi->handle.fid = opened;
	return 0;
}

int p9fs_handle_get(struct p9fs_inode *pi, bool write)
{
	int rc;

	if (handle_fits(pi, write))
		return 0;
	/* Opened once for both, where writing is to come. */
	if (pi->write_opens)
		write = true;
	inode_get(&pi->base);
	rc = handle_open(pi, write);
	inode_put(&pi->base);
	return rc;
}

static int64_t message_read(struct p9fs_inode *pi, void *to, size_t n, uint64_t offset)
{
	struct p9fs_call *call;
	struct p9_rread r;
	int rc = P9FS_CALL(&call, tread, pi->handle.fid, offset, (uint32_t)MIN(n, (size_t)P9FS_DATA_MAX));

	if (rc)
		return rc;
	if (!p9_get_rread(&call->in, &r) || r.data.len > n)
		rc = -EIO;
	else
		memcpy(to, r.data.bytes, r.data.len);
	p9fs_call_end(call);
	return rc ? rc : (int64_t)r.data.len;
}

static int64_t message_write(struct p9fs_inode *pi, const void *from, size_t n, uint64_t offset)
{
	struct p9_data data = {from, (uint32_t)MIN(n, (size_t)P9FS_DATA_MAX)};
	struct p9fs_call *call;
	struct p9_rwrite r;
	int rc = P9FS_CALL(&call, twrite, pi->handle.fid, offset, data);

	if (rc)
		return rc;
	if (!p9_get_rwrite(&call->in, &r) || r.count > data.len)
		rc = -EIO;
	p9fs_call_end(call);
	return rc ? rc : (int64_t)r.count;
}

static int64_t transfer_part(struct p9fs_inode *pi, void *memory, size_t n, uint64_t offset, uint32_t op)
{
	bool write = op == ABI_CALL_fd_pwrite;
	int rc = p9fs_handle_get(pi, write);

	if (rc)
		return rc;
	if (pi->handle.fd >= 0)
		return machine->host_call(op, (uint64_t)pi->handle.fd, va_to_pa(memory), n, offset);
	return write ? message_write(pi, memory, n, offset) : message_read(pi, memory, n, offset);
}

/*
 * By a host call, or a message in its place: until n bytes, the end of the file, or an error before the first byte.
 * Counts from the host are checked.
 */
static int64_t transfer(struct p9fs_inode *pi, void *memory, size_t n, uint64_t offset, uint32_t op)
{
	bool write = op == ABI_CALL_fd_pwrite;
	size_t done = 0;

	while (done < n) {
		int64_t part = transfer_part(pi, (char *)memory + done, n - done, offset + done, op);

		if (part == -EINTR)
			continue;
		if (part > (int64_t)(n - done))
			part = -EIO;
		if (part < 0)
			return done ? (int64_t)done : part;
		if (part == 0)
			break;
		done += (size_t)part;
		cgroup_io_charge(write ? cgroup_find(pi->writer) : NULL, pi->base.sb->dev, write ? IO_WRITE : IO_READ, (uint64_t)part);
	}
	return (int64_t)done;
}

int64_t p9fs_pread(struct p9fs_inode *pi, void *to, size_t n, uint64_t offset)
{
	return transfer(pi, to, n, offset, ABI_CALL_fd_pread);
}

int64_t p9fs_fill(struct p9fs_inode *pi, void *to, size_t n, uint64_t offset)
{
	return transfer(pi, to, n, offset, ABI_CALL_fd_fill);
}

int64_t p9fs_pwrite(struct p9fs_inode *pi, const void *from, size_t n, uint64_t offset)
{
	int64_t put = transfer(pi, (void *)(uintptr_t)from, n, offset, ABI_CALL_fd_pwrite);

	p9fs_changes++;
	return put;
}

int p9fs_host_fsync(struct p9fs_inode *pi, bool data_only)
{
	struct p9fs_call *call;
	uint32_t fid;
	int rc;

	if (pi->handle.fd >= 0) {
		struct abi_sqe sqe = {.op = ABI_RING_fsync, .fd = (uint32_t)pi->handle.fd, .arg = data_only};

		return (int)hostring_call(&sqe, NULL);
	}
	rc = p9fs_inode_fid(&pi->base, &fid);
	if (!rc)
		rc = P9FS_CALL(&call, tfsync, fid, data_only);
	if (!rc)
		p9fs_call_end(call);
	return rc;
}

int p9fs_host_truncate(struct p9fs_inode *pi, uint64_t size)
{
	if (pi->handle.fd < 0 || !pi->handle.writable)
		return -EAGAIN;
	p9fs_changes++;
	return (int)machine->host_call(ABI_CALL_fd_truncate, (uint64_t)pi->handle.fd, size, 0, 0);
}

bool p9fs_host_stat(struct p9fs_inode *pi, struct abi_stat *stat)
{
	struct abi_stat *buffer;
	bool known;

	if (pi->handle.fd < 0)
		return false;
	buffer = kzalloc(sizeof(*buffer)); /* the host writes into the direct map only */
	if (!buffer)
		return false;
	known = machine->host_call(ABI_CALL_fd_stat, (uint64_t)pi->handle.fd, va_to_pa(buffer), 0, 0) == 0 &&
		buffer->kind == ABI_FILE_REGULAR && buffer->size <= INT64_MAX;
	*stat = *buffer;
	kfree(buffer);
	return known;
}
