/*
 * Socket calls (socket(2) and its kin) but for messages, which are syscalls/message.c's. vfs/anon/socket.h does the work.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "kernel/task.h"
#include "ring0/lib.h"
#include "syscalls/sockaddr.h"
#include "syscalls/syscalls.h"
#include "vfs/anon/socket.h"

/* ---- addresses ---- */

int sockaddr_copy_in(struct socket_address *address, uaddr_t user, int64_t len)
{
	address->len = 0;
	if (!user.v || len == 0)
		return 0;
	if (len < 0 || len > (int64_t)SOCKET_ADDRESS_MAX)
		return -EINVAL;
	memset(address, 0, sizeof(*address));
	if (copy_from_user(address, user, (size_t)len))
		return -EFAULT;
	address->len = (unsigned)len;
	return 0;
}

int sockaddr_copy_out(const struct socket_address *address, uaddr_t user, uaddr_t user_len)
{
	int len;

	if (get_user(len, user_len))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	len = MIN(len, (int)address->len);
	if (copy_to_user(user, address, (size_t)len))
		return -EFAULT;
	return put_user(address->len, user_len);
}

/* ---- making and connecting ---- */

int64_t sys_socket(struct regs *regs)
{
	struct file *file;
	int rc = socket_make(INT0(regs), INT1(regs), INT2(regs), &file);

	return rc ? rc : fd_install(file, INT1(regs) & SOCK_CLOEXEC, 0);
}

int64_t sys_socketpair(struct regs *regs)
{
	struct file *files[2];
	int rc = socket_make_pair(INT0(regs), INT1(regs), INT2(regs), files);

	return rc ? rc : fd_install_pair(files, INT1(regs) & SOCK_CLOEXEC, PTR3(regs));
}

/* bind and connect: a socket, and an address that is copied in. */
static int64_t with_address(struct regs *regs, int (*fn)(struct file *file, struct socket_address *address))
{
	struct file *file = fd_file(INT0(regs));
	struct socket_address address;
	int64_t rc;

	if (!file)
		return -EBADF;
	rc = sockaddr_copy_in(&address, PTR1(regs), INT2(regs));
	if (!rc)
		rc = fn(file, &address);
	file_put(file);
	return rc;
}

int64_t sys_bind(struct regs *regs)
{
	return with_address(regs, socket_bind);
}

int64_t sys_connect(struct regs *regs)
{
	return with_address(regs, socket_connect);
}

int64_t sys_listen(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	int64_t rc;

	if (!file)
		return -EBADF;
	rc = socket_listen(file, INT1(regs));
	file_put(file);
	return rc;
}

static int64_t accept_do(struct regs *regs, int flags)
{
	struct file *file, *accepted;
	struct socket_address address;
	int64_t rc;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	file = fd_file(INT0(regs));
	if (!file)
		return -EBADF;
	rc = socket_accept(file, (unsigned)flags & O_NONBLOCK, &accepted);
	file_put(file);
	if (rc)
		return rc;
	if (ARG1(regs)) {
		rc = socket_name(accepted, true, &address);
		if (rc == -ENOTCONN) { /* the peer has gone already */
			address.family = (uint16_t)socket_family(accepted);
			address.len = 2;
			rc = 0;
		}
		if (!rc)
			rc = sockaddr_copy_out(&address, PTR1(regs), PTR2(regs));
		if (rc) {
			file_put(accepted);
			return rc;
		}
	}
	return fd_install(accepted, flags & SOCK_CLOEXEC, 0);
}

int64_t sys_accept(struct regs *regs)
{
	return accept_do(regs, 0);
}

int64_t sys_accept4(struct regs *regs)
{
	return accept_do(regs, INT3(regs));
}

static int64_t name_do(struct regs *regs, bool peer)
{
	struct file *file = fd_file(INT0(regs));
	struct socket_address address;
	int64_t rc;

	if (!file)
		return -EBADF;
	rc = socket_name(file, peer, &address);
	file_put(file);
	return rc ? rc : sockaddr_copy_out(&address, PTR1(regs), PTR2(regs));
}

int64_t sys_getsockname(struct regs *regs)
{
	return name_do(regs, false);
}

int64_t sys_getpeername(struct regs *regs)
{
	return name_do(regs, true);
}

int64_t sys_shutdown(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	int64_t rc;

	if (!file)
		return -EBADF;
	rc = socket_shutdown(file, INT1(regs));
	file_put(file);
	return rc;
}

int64_t sys_setsockopt(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	int64_t rc;

	if (!file)
		return -EBADF;
	rc = INT4(regs) < 0 ? -EINVAL : socket_set_option(file, INT1(regs), INT2(regs), PTR3(regs), (unsigned)ARG4(regs));
	file_put(file);
	return rc;
}

int64_t sys_getsockopt(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	int64_t rc;

	if (!file)
		return -EBADF;
	rc = socket_get_option(file, INT1(regs), INT2(regs), PTR3(regs), PTR4(regs));
	file_put(file);
	return rc;
}
