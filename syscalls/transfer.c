/*
 * System calls that move data between descriptors: sendfile, splice, vmsplice, tee, copy_file_range.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "kernel/files.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/syscalls.h"
#include "vfs/pipe/pipe.h"
#include "vfs/transfer.h"
#include "vfs/vector.h"

#define SPLICE_F_ALL 15u
#define RW_MAX 0x7ffff000ull

/* Two descriptors of a call, and their offset arguments. */
struct ends {
	struct file *in, *out;
	uint64_t in_offset, out_offset;
	bool in_given, out_given; /* an offset came with the call */
};

static void ends_put(struct ends *e)
{
	if (e->in)
		file_put(e->in);
	if (e->out)
		file_put(e->out);
}

static int ends_get(struct ends *e, int in, int out)
{
	*e = (struct ends){.in = fd_file(in), .out = fd_file(out)};
	if (e->in && e->out && e->in->mode & FILE_READ && e->out->mode & FILE_WRITE)
		return 0;
	ends_put(e);
	return -EBADF;
}

static int offset_get(uaddr_t user, uint64_t *offset, bool *given)
{
	if (!user.v)
		return 0;
	*given = true;
	if (get_user(*offset, user))
		return -EFAULT;
	return (int64_t)*offset < 0 ? -EINVAL : 0;
}

static int64_t transfer(struct ends *e, uaddr_t in_user, uaddr_t out_user, uint64_t n, unsigned flags)
{
	int64_t rc = vfs_copy_data(e->in, e->in_given ? &e->in_offset : NULL, e->out, e->out_given ? &e->out_offset : NULL,
		MIN(n, RW_MAX), flags);

	if (rc >= 0 && e->in_given && put_user(e->in_offset, in_user))
		rc = -EFAULT;
	if (rc >= 0 && e->out_given && put_user(e->out_offset, out_user))
		rc = -EFAULT;
	return rc;
}

int64_t sys_sendfile(struct regs *regs)
{
	struct ends e;
	int64_t rc = ends_get(&e, INT1(regs), INT0(regs));

	if (rc)
		return rc;
	rc = offset_get(PTR2(regs), &e.in_offset, &e.in_given);
	if (!rc && e.in_given && e.in->mode & FILE_STREAM)
		rc = -ESPIPE;
	/* What is read cannot be put back, so a stream is taken only into a pipe. Programs count on it: Go waits for `out` then. */
	if (!rc && (e.out->flags & O_APPEND || pipe_is(e.in) || (e.in->mode & FILE_STREAM && !pipe_is(e.out)) ||
		(e.in->inode && S_ISDIR(e.in->inode->mode))))
		rc = -EINVAL;
	if (!rc)
		rc = transfer(&e, PTR2(regs), UADDR(0), ARG3(regs), 0);
	ends_put(&e);
	return rc;
}

static int splice_check(const struct ends *e)
{
	if (!pipe_is(e->in) && !pipe_is(e->out))
		return -EINVAL;
	if ((pipe_is(e->in) && e->in_given) || (pipe_is(e->out) && e->out_given))
		return -ESPIPE;
	if ((e->in_given && e->in->mode & FILE_STREAM) || (e->out_given && e->out->mode & FILE_STREAM))
		return -EINVAL;
	if (e->out->flags & O_APPEND)
		return -EINVAL;
	return 0;
}

int64_t sys_splice(struct regs *regs)
{
	struct ends e;
	int64_t rc;

	if (ARG5(regs) & ~(uint64_t)SPLICE_F_ALL)
		return -EINVAL;
	if (!ARG4(regs))
		return 0;
	rc = ends_get(&e, INT0(regs), INT2(regs));
	if (rc)
		return rc;
	rc = offset_get(PTR1(regs), &e.in_offset, &e.in_given);
	if (!rc)
		rc = offset_get(PTR3(regs), &e.out_offset, &e.out_given);
	if (!rc)
		rc = splice_check(&e);
	if (!rc)
		rc = transfer(&e, PTR1(regs), PTR3(regs), ARG4(regs), (unsigned)ARG5(regs));
	ends_put(&e);
	return rc;
}

int64_t sys_vmsplice(struct regs *regs)
{
	struct file *file;
	struct vector v;
	int64_t rc;

	if (ARG3(regs) & ~(uint64_t)SPLICE_F_ALL)
		return -EINVAL;
	file = fd_file(INT0(regs));
	if (!file || !pipe_is(file)) {
		if (file)
			file_put(file);
		return -EBADF;
	}
	rc = vector_get(&v, PTR1(regs), ARG2(regs));
	if (!rc)
		rc = vfs_splice_user(file, &v, (unsigned)ARG3(regs));
	vector_put(&v);
	file_put(file);
	return rc;
}

int64_t sys_tee(struct regs *regs)
{
	struct ends e;
	int64_t rc;

	if (ARG3(regs) & ~(uint64_t)SPLICE_F_ALL)
		return -EINVAL;
	if (!ARG2(regs))
		return 0;
	rc = ends_get(&e, INT0(regs), INT1(regs));
	if (rc)
		return rc;
	rc = vfs_tee(e.in, e.out, ARG2(regs), (unsigned)ARG3(regs));
	ends_put(&e);
	return rc;
}

static int copy_range_check(const struct ends *e, uint64_t n)
{
	uint64_t in = e->in_given ? e->in_offset : e->in->pos, out = e->out_given ? e->out_offset : e->out->pos, end;

	if (!e->in->inode || !e->out->inode)
		return -EINVAL;
	if (S_ISDIR(e->in->inode->mode) || S_ISDIR(e->out->inode->mode))
		return -EISDIR;
	if (!S_ISREG(e->in->inode->mode) || !S_ISREG(e->out->inode->mode))
		return -EINVAL;
	if (e->out->flags & O_APPEND)
		return -EBADF;
	if (__builtin_add_overflow(in, n, &end) || __builtin_add_overflow(out, n, &end))
		return -EOVERFLOW;
	if (e->in->inode == e->out->inode && in < out + n && out < in + n)
		return -EINVAL;
	return 0;
}

int64_t sys_copy_file_range(struct regs *regs)
{
	uint64_t n = MIN(ARG4(regs), RW_MAX);
	struct ends e;
	int64_t rc;

	if (ARG5(regs))
		return -EINVAL;
	rc = ends_get(&e, INT0(regs), INT2(regs));
	if (rc)
		return rc;
	rc = offset_get(PTR1(regs), &e.in_offset, &e.in_given);
	if (!rc)
		rc = offset_get(PTR3(regs), &e.out_offset, &e.out_given);
	if (!rc)
		rc = copy_range_check(&e, n);
	if (!rc)
		rc = transfer(&e, PTR1(regs), PTR3(regs), n, 0);
	ends_put(&e);
	return rc;
}
