/*
 * Sockets as files (socket(7), unix(7)): creation, names in the file system, read, write, poll, options.
 *
 * A socket bound to a path keeps the path referenced, so that the inode with its bound_socket stays; closing it
 * clears that pointer but leaves the name, as Linux does.
 */
#include <asm/ioctls.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/socket.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/sockios.h>

#include "kernel/ktime.h"
#include "kernel/signal.h"
#include "ring0/clock.h"
#include "ring0/lib.h"
#include "vfs/anon/socket.h"
#include "vfs/calls.h"
#include "vfs/xfer.h"

#define BUFFER_MIN 4608u
#define BUFFER_MAX 425984u

struct socket_file {
	struct unix_socket *sock;
	struct path bound; /* dentry NULL: not bound to a path */
	int64_t receive_timeout, send_timeout; /* ns; 0: none */
};

static const struct file_ops socket_file_ops;

static struct socket_file *socket_of(struct file *file)
{
	return file->ops == &socket_file_ops ? file->private : NULL;
}

/* ---- creation ---- */

static int check_type(int family, int type, int protocol)
{
	if (type & ~(SOCK_TYPE_MASK | SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	if (family != AF_UNIX)
		return -EAFNOSUPPORT;
	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	type &= SOCK_TYPE_MASK;
	return type == SOCK_STREAM || type == SOCK_DGRAM || type == SOCK_SEQPACKET || type == SOCK_RAW ? 0 : -ESOCKTNOSUPPORT;
}

/* A file on a socket; takes over the reference, also on failure. */
static int make_file(struct unix_socket *sock, unsigned flags, struct file **out)
{
	struct socket_file *s = kzalloc(sizeof(*s));
	struct file *file = s ? file_create_anon("socket", &socket_file_ops, O_RDWR | (flags & O_NONBLOCK), s) : NULL;

	if (!file) {
		kfree(s);
		unix_close(sock);
		return -ENOMEM;
	}
	s->sock = sock;
	sock->ino = file->inode->ino;
	file->mode |= FILE_STREAM;
	*out = file;
	return 0;
}

int socket_make(int family, int type, int protocol, struct file **file)
{
	int rc = check_type(family, type, protocol);
	struct unix_socket *sock;

	if (rc)
		return rc;
	sock = unix_create((type & SOCK_TYPE_MASK) == SOCK_RAW ? SOCK_DGRAM : type & SOCK_TYPE_MASK);
	return sock ? make_file(sock, (unsigned)type, file) : -ENOMEM;
}

int socket_make_pair(int family, int type, int protocol, struct file *files[2])
{
	int rc = socket_make(family, type, protocol, &files[0]);

	if (rc)
		return rc == -EAFNOSUPPORT ? -EAFNOSUPPORT : rc;
	rc = socket_make(family, type, protocol, &files[1]);
	if (rc) {
		file_put(files[0]);
		return rc;
	}
	unix_pair(socket_of(files[0])->sock, socket_of(files[1])->sock);
	return 0;
}

static void socket_release(struct file *file)
{
	struct socket_file *s = file->private;

	if (s->bound.dentry) {
		if (s->bound.dentry->inode && s->bound.dentry->inode->bound_socket == s->sock)
			s->bound.dentry->inode->bound_socket = NULL;
		path_put(&s->bound);
	}
	if (s->sock)
		unix_close(s->sock);
	kfree(s);
}

/* ---- names ---- */

/* A path's length without terminator, 0 for abstract and unnamed; terminates the path. */
static unsigned path_length(struct socket_address *address)
{
	address->path[MIN(address->len - 2, UNIX_NAME_MAX)] = '\0';
	return (unsigned)strlen(address->path);
}

static int check_address(const struct socket_address *address)
{
	if (address->len < 2 || address->len > 2 + UNIX_NAME_MAX)
		return -EINVAL;
	return address->family == AF_UNIX ? 0 : -EINVAL;
}

static int bind_path(struct socket_file *s, struct socket_address *address)
{
	struct path path;
	int rc = vfs_mknod(AT_FDCWD, address->path, S_IFSOCK | 0777, 0);

	if (rc)
		return rc == -EEXIST ? -EADDRINUSE : rc;
	rc = path_lookup(AT_FDCWD, address->path, 0, &path);
	if (rc)
		return rc;
	if (s->sock->name)
		rc = -EINVAL;
	if (!rc)
		rc = unix_bind(s->sock, address->path, (uint32_t)strlen(address->path) + 1);
	if (rc) {
		path_put(&path);
		return rc;
	}
	s->bound = path;
	path.dentry->inode->bound_socket = s->sock;
	return 0;
}

int socket_bind(struct file *file, struct socket_address *address)
{
	struct socket_file *s = socket_of(file);
	int rc = check_address(address);

	if (!s)
		return -ENOTSOCK;
	if (rc)
		return rc;
	if (s->sock->name)
		return -EINVAL;
	if (address->len == 2)
		return unix_bind_auto(s->sock);
	if (path_length(address))
		return bind_path(s, address);
	return unix_bind(s->sock, address->path, address->len - 2);
}

/* The socket of an address, referenced, or NULL with *error. */
static struct unix_socket *find_target(struct socket_address *address, int type, int *error)
{
	struct unix_socket *sock;
	struct path path;

	*error = check_address(address);
	if (!*error && address->len == 2)
		*error = -EINVAL;
	if (*error)
		return NULL;
	if (!path_length(address)) {
		sock = unix_find_abstract(address->path, address->len - 2, type);
		*error = -ECONNREFUSED;
		if (sock)
			unix_get(sock);
		return sock;
	}
	*error = path_lookup(AT_FDCWD, address->path, LOOKUP_FOLLOW, &path);
	if (*error)
		return NULL;
	*error = inode_permission(path.dentry->inode, MAY_WRITE);
	sock = *error ? NULL : path.dentry->inode->bound_socket;
	if (!*error && (!sock || sock->dead)) {
		*error = -ECONNREFUSED;
		sock = NULL;
	}
	if (sock)
		unix_get(sock);
	path_put(&path);
	return sock;
}

static void fill_address(const struct unix_name *name, struct socket_address *address)
{
	address->family = AF_UNIX;
	address->len = 2;
	if (name) {
		memcpy(address->path, name->bytes, name->len);
		address->len += name->len;
	}
}

void socket_take_name(struct unix_name *name, struct socket_address *address)
{
	address->len = 0;
	if (!name)
		return;
	fill_address(name, address);
	if (!--name->refs)
		kfree(name);
}

int socket_name(struct file *file, bool peer, struct socket_address *address)
{
	struct socket_file *s = socket_of(file);
	const struct unix_socket *sock;

	if (!s)
		return -ENOTSOCK;
	sock = peer ? s->sock->peer : s->sock;
	if (!sock)
		return -ENOTCONN;
	fill_address(sock->name, address);
	return 0;
}

/* ---- connections ---- */

static uint64_t deadline_of(const struct file *file, unsigned flags, int64_t timeout)
{
	if (file->flags & O_NONBLOCK || flags & MSG_DONTWAIT)
		return 0;
	return timeout ? clock_monotonic() + (uint64_t)timeout : DEADLINE_NONE;
}

static int64_t restartable(int64_t rc, int64_t timeout)
{
	return rc == -EINTR && !timeout ? -ERESTARTSYS : rc;
}

int socket_listen(struct file *file, int backlog)
{
	struct socket_file *s = socket_of(file);

	return s ? unix_listen(s->sock, backlog) : -ENOTSOCK;
}

int socket_connect(struct file *file, struct socket_address *address)
{
	struct socket_file *s = socket_of(file);
	struct unix_socket *target;
	int rc;

	if (!s)
		return -ENOTSOCK;
	if (address->len >= 2 && address->family == AF_UNSPEC)
		return unix_disconnect(s->sock);
	target = find_target(address, s->sock->type, &rc);
	if (!target)
		return rc;
	rc = unix_connect(s->sock, target, deadline_of(file, 0, s->send_timeout));
	unix_put(target);
	return (int)restartable(rc, s->send_timeout);
}

int socket_accept(struct file *file, unsigned flags, struct file **accepted)
{
	struct socket_file *s = socket_of(file);
	struct unix_socket *child;
	int rc;

	if (!s)
		return -ENOTSOCK;
	rc = unix_accept(s->sock, deadline_of(file, 0, s->receive_timeout), &child);
	if (rc)
		return (int)restartable(rc, s->receive_timeout);
	return make_file(child, flags, accepted);
}

int socket_shutdown(struct file *file, int how)
{
	struct socket_file *s = socket_of(file);

	if (!s)
		return -ENOTSOCK;
	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	return unix_shutdown(s->sock, (unsigned)how + 1); /* SHUT_RD, SHUT_WR, SHUT_RDWR are bits after adding one */
}

/* ---- data ---- */

int64_t socket_send(struct file *file, struct unix_send *send, bool has_cred, struct socket_address *address, unsigned flags)
{
	struct socket_file *s = socket_of(file);
	struct unix_socket *target = NULL;
	int64_t rc;
	int error;

	if (!s)
		return -ENOTSOCK;
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (address && address->len) {
		if (s->sock->type != SOCK_DGRAM)
			return s->sock->state == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
		target = find_target(address, SOCK_DGRAM, &error);
		if (!target)
			return error;
	}
	if (!has_cred)
		send->cred = (struct unix_cred){current->process->pid, current->cred->uid, current->cred->gid};
	send->target = target;
	send->deadline = deadline_of(file, flags, s->send_timeout);
	rc = unix_send(s->sock, send);
	if (target)
		unix_put(target);
	if (rc == -EPIPE && s->sock->type == SOCK_STREAM && !(flags & MSG_NOSIGNAL)) {
		struct ksiginfo info;

		signal_make_kill_info(&info, SIGPIPE, SI_USER);
		signal_send_task(current, &info);
	}
	return restartable(rc, s->send_timeout);
}

int64_t socket_receive(struct file *file, struct unix_receive *receive, unsigned flags)
{
	struct socket_file *s = socket_of(file);

	if (!s)
		return -ENOTSOCK;
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;
	receive->peek = flags & MSG_PEEK;
	receive->wait_all = flags & MSG_WAITALL;
	receive->want_full_length = flags & MSG_TRUNC;
	receive->deadline = deadline_of(file, flags, s->receive_timeout);
	return restartable(unix_receive(s->sock, receive), s->receive_timeout);
}

bool socket_passes_cred(struct file *file)
{
	struct socket_file *s = socket_of(file);

	return s && s->sock->pass_cred;
}

struct plain_copy {
	struct unix_copy base;
	struct xfer end;
};

static int plain_copy_in(struct unix_copy *self, void *buffer, size_t n)
{
	return xfer_from(&container_of(self, struct plain_copy, base)->end, buffer, n) == n ? 0 : -EFAULT;
}

static int plain_copy_out(struct unix_copy *self, void *buffer, size_t n)
{
	return xfer_to(&container_of(self, struct plain_copy, base)->end, buffer, n) == n ? 0 : -EFAULT;
}

static int64_t socket_do_read(struct file *file, struct xfer to, size_t n)
{
	struct plain_copy copy = {.base.copy = plain_copy_out, .end = to};
	struct unix_receive receive = {.copy = &copy.base, .len = n};
	struct socket_address ignored;
	int64_t rc = socket_receive(file, &receive, 0);

	for (unsigned i = 0; i < receive.file_count; i++)
		file_put(receive.files[i]);
	kfree(receive.files);
	socket_take_name(receive.name, &ignored);
	return rc;
}

static int64_t socket_do_write(struct file *file, struct xfer from, size_t n)
{
	struct plain_copy copy = {.base.copy = plain_copy_in, .end = from};
	struct unix_send send = {.copy = &copy.base, .len = n};

	return socket_send(file, &send, false, NULL, 0);
}

static int64_t socket_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	return socket_do_read(file, XFER_USER(to), n);
}

static int64_t socket_write(struct file *file, uaddr_t from, size_t n, uint64_t *pos)
{
	return socket_do_write(file, XFER_USER(from), n);
}

static int64_t socket_read_kernel(struct file *file, void *to, size_t n, uint64_t *pos)
{
	return socket_do_read(file, XFER_KERNEL(to), n);
}

static int64_t socket_write_kernel(struct file *file, const void *from, size_t n, uint64_t *pos)
{
	return socket_do_write(file, XFER_KERNEL(from), n);
}

static uint32_t socket_poll(struct file *file, struct poll_waiter *waiter)
{
	struct socket_file *s = file->private;

	poll_add(waiter, &s->sock->wait);
	return unix_poll_events(s->sock);
}

static int64_t socket_ioctl(struct file *file, unsigned cmd, uint64_t arg)
{
	struct socket_file *s = file->private;

	switch (cmd) {
	case FIONREAD:
		if (s->sock->state == UNIX_LISTENING)
			return -EINVAL;
		return put_user((int)unix_readable(s->sock), UADDR(arg));
	case SIOCOUTQ:
		return put_user((int)s->sock->tx_charge, UADDR(arg));
	default:
		return -ENOTTY;
	}
}

static const struct file_ops socket_file_ops = {
	.read = socket_read,
	.write = socket_write,
	.read_kernel = socket_read_kernel,
	.write_kernel = socket_write_kernel,
	.poll = socket_poll,
	.ioctl = socket_ioctl,
	.release = socket_release,
};

/* ---- options ---- */

static int set_buffer(uint32_t *buffer, int value, bool force)
{
	uint64_t size = (uint64_t)(value < 0 ? 0 : (unsigned)value);

	if (force && !capable(CAP_NET_ADMIN))
		return -EPERM;
	if (!force)
		size = MIN(size, (uint64_t)BUFFER_MAX / 2);
	*buffer = (uint32_t)MAX(MIN(size * 2, (uint64_t)INT32_MAX), (uint64_t)BUFFER_MIN);
	return 0;
}

static int set_timeout(int64_t *timeout, uaddr_t value, unsigned len)
{
	int64_t tv[2];

	if (len < sizeof(tv))
		return -EINVAL;
	if (copy_from_user(tv, value, sizeof(tv)))
		return -EFAULT;
	if (tv[1] < 0 || tv[1] >= 1000000)
		return -EDOM;
	*timeout = tv[0] < 0 || tv[0] > INT32_MAX ? 0 : tv[0] * (int64_t)NS_PER_S + tv[1] * 1000;
	return 0;
}

int socket_set_option(struct file *file, int level, int option, uaddr_t value, unsigned len)
{
	struct socket_file *s = socket_of(file);
	int number;

	if (!s)
		return -ENOTSOCK;
	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (option == SO_RCVTIMEO_OLD || option == SO_RCVTIMEO_NEW)
		return set_timeout(&s->receive_timeout, value, len);
	if (option == SO_SNDTIMEO_OLD || option == SO_SNDTIMEO_NEW)
		return set_timeout(&s->send_timeout, value, len);
	if (len < sizeof(number))
		return -EINVAL;
	if (get_user(number, value))
		return -EFAULT;
	switch (option) {
	case SO_PASSCRED:
		s->sock->pass_cred = number;
		return 0;
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		return set_buffer(&s->sock->send_buffer, number, option == SO_SNDBUFFORCE);
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		return set_buffer(&s->sock->receive_buffer, number, option == SO_RCVBUFFORCE);
	/* Without meaning for unix sockets on Linux too: taken and not looked at again. */
	case SO_REUSEADDR:
	case SO_KEEPALIVE:
	case SO_BROADCAST:
	case SO_LINGER:
	case SO_OOBINLINE:
	case SO_DONTROUTE:
	case SO_PRIORITY:
	case SO_RCVLOWAT:
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int get_number(struct socket_file *s, int option, int *number)
{
	struct unix_socket *sock = s->sock;

	switch (option) {
	case SO_TYPE:
		*number = sock->type;
		return 0;
	case SO_DOMAIN:
		*number = AF_UNIX;
		return 0;
	case SO_PASSCRED:
		*number = sock->pass_cred;
		return 0;
	case SO_ERROR:
		*number = sock->error;
		sock->error = 0;
		return 0;
	case SO_ACCEPTCONN:
		*number = sock->state == UNIX_LISTENING;
		return 0;
	case SO_SNDBUF:
		*number = (int)sock->send_buffer;
		return 0;
	case SO_RCVBUF:
		*number = (int)sock->receive_buffer;
		return 0;
	case SO_RCVLOWAT:
		*number = 1;
		return 0;
	case SO_PROTOCOL:
	case SO_REUSEADDR:
	case SO_KEEPALIVE:
	case SO_BROADCAST:
	case SO_OOBINLINE:
	case SO_DONTROUTE:
	case SO_PRIORITY:
		*number = 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int socket_get_option(struct file *file, int level, int option, uaddr_t value, uaddr_t user_len)
{
	struct socket_file *s = socket_of(file);
	union {
		int number;
		int64_t tv[2];
		struct unix_cred cred;
		int linger[2];
	} out = {.tv = {0, 0}};
	unsigned len, size = sizeof(out.number);
	int rc = 0;

	if (!s)
		return -ENOTSOCK;
	if (get_user(len, user_len))
		return -EFAULT;
	if ((int)len < 0)
		return -EINVAL;
	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	switch (option) {
	case SO_PEERCRED:
		out.cred = s->sock->peer_cred;
		if (s->sock->state == UNIX_UNCONNECTED)
			out.cred = (struct unix_cred){0, UINT32_MAX, UINT32_MAX};
		size = sizeof(out.cred);
		break;
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW:
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW: {
		int64_t ns = option == SO_RCVTIMEO_OLD || option == SO_RCVTIMEO_NEW ? s->receive_timeout : s->send_timeout;

		out.tv[0] = ns / (int64_t)NS_PER_S;
		out.tv[1] = ns % (int64_t)NS_PER_S / 1000;
		size = sizeof(out.tv);
		break;
	}
	case SO_LINGER:
		size = sizeof(out.linger);
		break;
	default:
		rc = get_number(s, option, &out.number);
	}
	if (rc)
		return rc;
	len = MIN(len, size);
	rc = copy_to_user(value, &out, len);
	return rc ? rc : put_user(len, user_len);
}
