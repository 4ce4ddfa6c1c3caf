/*
 * Messages: sendmsg(2), recvmsg(2) and their kin: vectors and control messages.
 *
 * vfs/anon/socket.h does the work. Files in a control message (SCM_RIGHTS) are referenced while it is decoded; when
 * a message comes in they become descriptors as the last step. Control messages of other levels than SOL_SOCKET are
 * the family's: it gets the buffer, and gives what it received through a callback.
 */
#include <asm/socket.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/uio.h>

#include "kernel/ktime.h"
#include "kernel/namespaces.h"
#include "kernel/task.h"
#include "kernel/user_ns.h"
#include "ring0/clock.h"
#include "ring0/lib.h"
#include "syscalls/sockaddr.h"
#include "syscalls/syscalls.h"
#include "vfs/anon/socket.h"

#define MAX_VECTORS 1024u
#define FEW_VECTORS 8u
#define MAX_CONTROL 20480u
#define SOCKET_MAX_FILES 253u /* SCM_MAX_FD */
#define CMSG_ALIGNED(n) (((n) + 7u) & ~(size_t)7)
#define MAX_TRANSFER 0x7ffff000u

struct user_msghdr {
	uint64_t name;
	int32_t namelen;
	uint32_t pad;
	uint64_t iov, iovlen, control, controllen;
	uint32_t flags, pad2;
};

struct user_cmsghdr {
	uint64_t len;
	int32_t level, type;
};

/* ---- vectors ---- */

struct vector_copy {
	struct socket_copy base;
	struct iovec *iov, few[FEW_VECTORS];
	unsigned count, at;
	size_t offset;
	bool to_user;
};

static int vector_copy(struct socket_copy *self, void *buffer, size_t n)
{
	struct vector_copy *v = container_of(self, struct vector_copy, base);
	char *at = buffer;

	while (n) {
		const struct iovec *iov = &v->iov[v->at];
		size_t part = MIN(n, (size_t)iov->iov_len - v->offset);
		uaddr_t user = UADDR((uintptr_t)iov->iov_base + v->offset);
		int rc = 0;

		if (v->at >= v->count)
			return -EFAULT;
		if (part)
			rc = v->to_user ? copy_to_user(user, at, part) : copy_from_user(at, user, part);
		if (rc)
			return rc;
		at += part;
		n -= part;
		v->offset += part;
		if (v->offset == iov->iov_len) {
			v->at++;
			v->offset = 0;
		}
	}
	return 0;
}

static size_t vector_peek(struct socket_copy *self, uaddr_t *at)
{
	struct vector_copy *v = container_of(self, struct vector_copy, base);
	const struct iovec *iov = &v->iov[v->at];

	if (v->at >= v->count)
		return 0;
	*at = UADDR((uintptr_t)iov->iov_base + v->offset);
	return (size_t)iov->iov_len - v->offset;
}

static void vector_skip(struct socket_copy *self, size_t n)
{
	struct vector_copy *v = container_of(self, struct vector_copy, base);

	v->offset += n;
	if (v->offset < v->iov[v->at].iov_len)
		return;
	v->at++;
	v->offset = 0;
}

/* Total length or -errno. vector_end() afterwards, also after an error. */
static int64_t vector_start(struct vector_copy *v, uaddr_t user, uint64_t count, bool to_user)
{
	uint64_t total = 0;

	v->base = (struct socket_copy){vector_copy, vector_peek, vector_skip};
	v->to_user = to_user;
	v->at = 0;
	v->offset = 0;
	v->iov = v->few;
	v->count = (unsigned)count;
	if (count > MAX_VECTORS)
		return -EMSGSIZE;
	if (count > FEW_VECTORS)
		v->iov = kmalloc(count * sizeof(*v->iov));
	if (!v->iov)
		return -ENOMEM;
	if (copy_from_user(v->iov, user, count * sizeof(*v->iov)))
		return -EFAULT;
	for (unsigned i = 0; i < count; i++) {
		if ((int64_t)v->iov[i].iov_len < 0)
			return -EINVAL;
		if (!user_range_ok(UADDR((uintptr_t)v->iov[i].iov_base), v->iov[i].iov_len))
			return -EFAULT;
		v->iov[i].iov_len = MIN((uint64_t)v->iov[i].iov_len, MAX_TRANSFER - total);
		total += v->iov[i].iov_len;
	}
	return (int64_t)total;
}

static void vector_single(struct vector_copy *v, uaddr_t user, size_t len, bool to_user)
{
	v->base = (struct socket_copy){vector_copy, vector_peek, vector_skip};
	v->to_user = to_user;
	v->at = 0;
	v->offset = 0;
	v->iov = v->few;
	v->count = 1;
	v->few[0] = (struct iovec){.iov_base = (void *)(uintptr_t)user.v, .iov_len = MIN(len, (size_t)MAX_TRANSFER)};
}

static void vector_end(struct vector_copy *v)
{
	if (v->iov != v->few)
		kfree(v->iov);
}

/* ---- sending ---- */

struct control_in {
	struct file **files;
	unsigned file_count;
	struct socket_cred cred;
	bool has_cred;
	char *bytes; /* the whole, for the family */
	size_t len;
};

static void control_in_drop(struct control_in *in)
{
	for (unsigned i = 0; i < in->file_count; i++)
		file_put(in->files[i]);
	kfree(in->files);
	kfree(in->bytes);
}

static int control_rights(struct control_in *in, const char *data, size_t len)
{
	unsigned count = (unsigned)(len / sizeof(int));
	struct file **files;

	if (in->file_count + count > SOCKET_MAX_FILES)
		return -EINVAL;
	files = krealloc(in->files, (in->file_count + count + 1) * sizeof(*files));
	if (!files)
		return -ENOMEM;
	in->files = files;
	for (unsigned i = 0; i < count; i++) {
		struct file *file;
		int fd;

		memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
		file = fd_file_any(fd);
		if (!file)
			return -EBADF;
		in->files[in->file_count++] = file;
	}
	return 0;
}

static int control_cred(struct control_in *in, const char *data, size_t len)
{
	const struct cred *cred = current->cred;
	struct socket_cred c;

	if (len != sizeof(c))
		return -EINVAL;
	memcpy(&c, data, sizeof(c));
	c.pid = pid_from_user(c.pid);
	c.uid = uid_from_user(c.uid);
	c.gid = gid_from_user(c.gid);
	if (c.uid == ID_NONE || c.gid == ID_NONE)
		return -EINVAL;
	if ((c.pid != current->process->pid && !owner_capable(&current->process->pid_ns->ns, CAP_SYS_ADMIN)) ||
	    (c.uid != cred->uid && c.uid != cred->euid && c.uid != cred->suid && !capable_here(CAP_SETUID)) ||
	    (c.gid != cred->gid && c.gid != cred->egid && c.gid != cred->sgid && !capable_here(CAP_SETGID)))
		return -EPERM;
	if (!process_find_global(c.pid))
		return -ESRCH;
	in->cred = c;
	in->has_cred = true;
	return 0;
}

/* Of the internet families' own; their levels decode it. */
static bool is_familys(int family, int type)
{
	return (family == AF_INET || family == AF_INET6) && (type == SO_TIMESTAMPING_OLD || type == SO_TIMESTAMPING_NEW);
}

static int control_parse(struct control_in *in, const char *control, size_t size, int family)
{
	size_t at = 0;

	while (size - at >= sizeof(struct user_cmsghdr)) {
		struct user_cmsghdr header;
		size_t len;
		int rc = 0;

		memcpy(&header, control + at, sizeof(header));
		if (header.len < sizeof(header) || header.len > size - at)
			return -EINVAL;
		len = header.len - sizeof(header);
		if (header.level == SOL_SOCKET && header.type == SCM_RIGHTS)
			rc = control_rights(in, control + at + sizeof(header), len);
		else if (header.level == SOL_SOCKET && header.type == SCM_CREDENTIALS)
			rc = control_cred(in, control + at + sizeof(header), len);
		else if (header.level == SOL_SOCKET && !is_familys(family, header.type))
			rc = -EINVAL;
		if (rc)
			return rc;
		at += MIN(CMSG_ALIGNED(header.len), size - at);
	}
	return 0;
}

/* Takes references to the files it names; the caller drops what is left of them. */
static int control_copy_in(struct control_in *in, uaddr_t user, uint64_t size, int family)
{
	int rc;

	memset(in, 0, sizeof(*in));
	if (!user.v || !size)
		return 0;
	if (size > MAX_CONTROL)
		return -ENOBUFS;
	in->bytes = kmalloc(size);
	if (!in->bytes)
		return -ENOMEM;
	in->len = size;
	rc = copy_from_user(in->bytes, user, size);
	return rc ? rc : control_parse(in, in->bytes, size, family);
}

static int64_t send_message(struct file *file, const struct user_msghdr *msg, unsigned flags)
{
	struct socket_address address;
	struct vector_copy vector;
	struct control_in control;
	struct socket_send send;
	int64_t rc = sockaddr_copy_in(&address, UADDR(msg->name), msg->namelen);

	if (rc)
		return rc;
	rc = control_copy_in(&control, UADDR(msg->control), msg->controllen, socket_family(file));
	if (!rc) {
		rc = vector_start(&vector, UADDR(msg->iov), msg->iovlen, false);
		if (rc >= 0) {
			send = (struct socket_send){.copy = &vector.base, .len = (size_t)rc, .address = &address, .flags = flags,
				.files = control.files, .file_count = control.file_count, .cred = control.cred,
				.control = control.bytes, .control_len = control.len};
			rc = socket_send(file, &send, control.has_cred);
			control.files = send.files;
			control.file_count = send.file_count;
		}
		vector_end(&vector);
	}
	control_in_drop(&control);
	return rc;
}

int64_t sys_sendto(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	struct socket_address address;
	struct vector_copy vector;
	struct socket_send send;
	int64_t rc;

	if (!file)
		return -EBADF;
	rc = sockaddr_copy_in(&address, PTR4(regs), INT5(regs));
	if (!rc) {
		vector_single(&vector, PTR1(regs), ARG2(regs), false);
		send = (struct socket_send){.copy = &vector.base, .len = vector.few[0].iov_len, .address = &address,
			.flags = (unsigned)ARG3(regs)};
		rc = socket_send(file, &send, false);
	}
	file_put(file);
	return rc;
}

int64_t sys_sendmsg(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	struct user_msghdr msg;
	int64_t rc;

	if (!file)
		return -EBADF;
	rc = copy_from_user(&msg, PTR1(regs), sizeof(msg));
	if (!rc)
		rc = send_message(file, &msg, (unsigned)ARG2(regs));
	file_put(file);
	return rc;
}

struct user_mmsghdr {
	struct user_msghdr msg;
	uint32_t len, pad;
};

int64_t sys_sendmmsg(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	unsigned count = MIN((unsigned)ARG2(regs), MAX_VECTORS), done = 0;
	int64_t rc = 0;

	if (!file)
		return -EBADF;
	while (done < count) {
		uaddr_t at = uaddr_add(PTR1(regs), done * sizeof(struct user_mmsghdr));
		struct user_msghdr msg;

		rc = copy_from_user(&msg, at, sizeof(msg));
		if (!rc)
			rc = send_message(file, &msg, (unsigned)ARG3(regs));
		if (rc >= 0)
			rc = put_user((uint32_t)rc, uaddr_add(at, offsetof(struct user_mmsghdr, len)));
		if (rc < 0)
			break;
		done++;
	}
	file_put(file);
	return done ? done : rc;
}

/* ---- receiving ---- */

struct control_out {
	struct socket_receive receive;
	uaddr_t user;
	uint64_t room, used;
	uint32_t flags; /* MSG_CTRUNC */
};

/* Room for a control message's data: bytes that fit of `len`; writes the header. 0: none, or a fault. */
static size_t control_begin(struct control_out *out, int level, int type, size_t len)
{
	struct user_cmsghdr header = {.level = level, .type = type};
	uint64_t left = out->room - out->used;

	if (left < sizeof(header)) {
		out->flags |= MSG_CTRUNC;
		return 0;
	}
	if (len > left - sizeof(header)) {
		out->flags |= MSG_CTRUNC;
		len = left - sizeof(header);
	}
	header.len = sizeof(header) + len;
	if (copy_to_user(uaddr_add(out->user, out->used), &header, sizeof(header)))
		return 0;
	return len;
}

static void control_end(struct control_out *out, size_t len)
{
	out->used += MIN(CMSG_ALIGNED(sizeof(struct user_cmsghdr) + len), out->room - out->used);
}

/* A family's callback: see struct socket_receive. */
static bool control_put(struct socket_receive *receive, int level, int type, const void *data, size_t len)
{
	struct control_out *out = container_of(receive, struct control_out, receive);

	len = control_begin(out, level, type, len);
	if (len == 0)
		return false;
	(void)copy_to_user(uaddr_add(out->user, out->used + sizeof(struct user_cmsghdr)), data, len);
	control_end(out, len);
	return true;
}

/* The files become descriptors, as many as there is room to tell of. Takes over the references and the array. */
static void control_put_files(struct control_out *out, struct file **files, unsigned count, bool cloexec)
{
	uint64_t left = out->room - out->used;
	unsigned fit = left < sizeof(struct user_cmsghdr) + sizeof(int) ? 0 :
	               (unsigned)MIN((uint64_t)count, (left - sizeof(struct user_cmsghdr)) / sizeof(int));
	unsigned i;

	for (i = 0; i < fit; i++) {
		int fd = fd_install(files[i], cloexec, 0);
		uaddr_t at = uaddr_add(out->user, out->used + sizeof(struct user_cmsghdr) + i * sizeof(int));

		if (fd < 0) {
			i++; /* fd_install() has put it */
			fit = i - 1;
			break;
		}
		if (put_user(fd, at)) {
			fd_close(fd);
			i++;
			fit = i - 1;
			break;
		}
	}
	for (; i < count; i++)
		file_put(files[i]);
	kfree(files);
	if (fit < count)
		out->flags |= MSG_CTRUNC;
	if (fit && control_begin(out, SOL_SOCKET, SCM_RIGHTS, fit * sizeof(int)))
		control_end(out, fit * sizeof(int));
}

static void receive_drop(struct socket_receive *receive)
{
	for (unsigned i = 0; i < receive->file_count; i++)
		file_put(receive->files[i]);
	kfree(receive->files);
}

/* One message; msg is in sentry memory and its out fields are updated. */
static int64_t receive_message(struct file *file, struct user_msghdr *msg, unsigned flags)
{
	struct control_out out = {.user = UADDR(msg->control), .room = msg->control ? msg->controllen : 0};
	struct socket_receive *receive = &out.receive;
	struct socket_address address;
	struct vector_copy vector;
	int64_t got, rc = vector_start(&vector, UADDR(msg->iov), msg->iovlen, true);

	if (rc >= 0) {
		receive->copy = &vector.base;
		receive->len = (size_t)rc;
		receive->flags = flags;
		receive->address = &address;
		receive->control = control_put;
		address.len = 0;
		rc = socket_receive(file, receive);
	}
	vector_end(&vector);
	if (rc < 0) {
		receive_drop(receive);
		return rc;
	}
	got = rc;
	if (receive->file_count)
		control_put_files(&out, receive->files, receive->file_count, flags & MSG_CMSG_CLOEXEC);
	msg->controllen = out.used;
	msg->flags = out.flags | receive->out_flags | (flags & MSG_CMSG_CLOEXEC);
	if (msg->name) {
		if (address.len && copy_to_user(UADDR(msg->name), &address, (size_t)MIN((int)address.len, MAX(msg->namelen, 0))))
			return -EFAULT;
		msg->namelen = (int32_t)address.len;
	}
	return got;
}

/* The fields that recvmsg(2) sets, back to the user's struct. */
static int message_out(const struct user_msghdr *msg, uaddr_t user)
{
	int rc = put_user(msg->namelen, uaddr_add(user, offsetof(struct user_msghdr, namelen)));

	if (!rc)
		rc = put_user(msg->controllen, uaddr_add(user, offsetof(struct user_msghdr, controllen)));
	if (!rc)
		rc = put_user(msg->flags, uaddr_add(user, offsetof(struct user_msghdr, flags)));
	return rc;
}

int64_t sys_recvmsg(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	struct user_msghdr msg;
	int64_t rc;

	if (!file)
		return -EBADF;
	rc = copy_from_user(&msg, PTR1(regs), sizeof(msg));
	if (!rc)
		rc = receive_message(file, &msg, (unsigned)ARG2(regs));
	file_put(file);
	if (rc >= 0 && message_out(&msg, PTR1(regs)))
		rc = -EFAULT;
	return rc;
}

int64_t sys_recvfrom(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	struct socket_address address;
	struct socket_receive receive = {.address = ARG4(regs) ? &address : NULL, .flags = (unsigned)ARG3(regs)};
	struct vector_copy vector;
	int64_t rc;

	if (!file)
		return -EBADF;
	address.len = 0;
	vector_single(&vector, PTR1(regs), ARG2(regs), true);
	receive.copy = &vector.base;
	receive.len = vector.few[0].iov_len;
	rc = socket_receive(file, &receive);
	file_put(file);
	receive_drop(&receive);
	if (rc >= 0 && ARG4(regs)) {
		int error = sockaddr_copy_out(&address, PTR4(regs), PTR5(regs));

		if (error)
			return error;
	}
	return rc;
}

int64_t sys_recvmmsg(struct regs *regs)
{
	struct file *file;
	unsigned count = MIN((unsigned)ARG2(regs), MAX_VECTORS), done = 0, flags = (unsigned)ARG3(regs);
	uint64_t deadline;
	int64_t rc = ktime_deadline_from_user(PTR4(regs), &deadline);

	if (rc)
		return rc;
	file = fd_file(INT0(regs));
	if (!file)
		return -EBADF;
	while (done < count) {
		uaddr_t at = uaddr_add(PTR1(regs), done * sizeof(struct user_mmsghdr));
		struct user_msghdr msg;

		rc = copy_from_user(&msg, at, sizeof(msg));
		if (!rc)
			rc = receive_message(file, &msg, flags & ~MSG_WAITFORONE);
		if (rc >= 0) {
			uint32_t len = (uint32_t)rc;

			rc = message_out(&msg, at);
			if (!rc)
				rc = put_user(len, uaddr_add(at, offsetof(struct user_mmsghdr, len)));
		}
		if (rc < 0)
			break;
		done++;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (clock_monotonic() >= deadline)
			break;
	}
	file_put(file);
	return done ? done : rc;
}
