/*
 * Sockets as files (socket(7)): creation by family, read, write, poll, timeouts, SIGPIPE. What a socket does is its
 * family's: kernel/net/socket.h.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/socket.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/in.h>
#include <linux/limits.h>
#include <linux/netlink.h>
#include <linux/sockios.h>

#include "kernel/cred.h"
#include "kernel/ktime.h"
#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/net/filter.h"
#include "kernel/net/hostnet.h"
#include "kernel/net/ifreq.h"
#include "kernel/net/inet.h"
#include "kernel/net/netlink.h"
#include "kernel/net/options.h"
#include "kernel/net/packet.h"
#include "kernel/signal.h"
#include "kernel/user_ns.h"
#include "ring0/clock.h"
#include "ring0/lib.h"
#include "vfs/anon/anon.h"
#include "vfs/anon/socket.h"
#include "vfs/calls.h"
#include "vfs/sigio.h"
#include "vfs/xfer.h"

static const struct file_ops socket_file_ops;

struct socket *socket_of(const struct file *file)
{
	return file->ops == &socket_file_ops ? file->private : NULL;
}

/* ---- creation ---- */

static int create(int family, int type, int protocol, struct socket **sock)
{
	if (type & ~(SOCK_TYPE_MASK | SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	type &= SOCK_TYPE_MASK;
	if (type >= SOCK_TYPE_END)
		return -EINVAL;
	switch (family) {
	case AF_UNIX:
		return unix_family_create(type, protocol, sock);
	case AF_INET:
	case AF_INET6:
		return hostnet_is_used() ? hostnet_create(family, type, protocol, sock) : inet_create(family, type, protocol, sock);
	case AF_PACKET:
		/* Frames are the links', which are the first namespace's. */
		if (current->ns->net != &first_net_ns)
			return -EAFNOSUPPORT;
		return packet_create(type, protocol, sock);
	case AF_NETLINK:
		return netlink_create(type, protocol, sock);
	default:
		return -EAFNOSUPPORT;
	}
}

static void urgent_came(struct socket *sock)
{
	if (sock->file->owner)
		file_signal_urgent(sock->file);
}

/* A file on a socket; takes over the socket, also on failure. */
static int make_file(struct socket *sock, unsigned flags, struct file **out)
{
	struct file *file = file_create_anon("socket", &socket_file_ops, O_RDWR | (flags & O_NONBLOCK), sock);

	if (!file) {
		sock->ops->close(sock);
		return -ENOMEM;
	}
	sock->ino = file->inode->ino;
	sock->file = file;
	sock->urgent = urgent_came;
	if (sock->ops->opened)
		sock->ops->opened(sock);
	file->mode |= FILE_STREAM;
	*out = file;
	return 0;
}

int socket_make(int family, int type, int protocol, struct file **file)
{
	struct socket *sock;
	int rc = create(family, type, protocol, &sock);

	return rc ? rc : make_file(sock, (unsigned)type, file);
}

int socket_make_pair(int family, int type, int protocol, struct file *files[2])
{
	struct socket *a;
	int rc = socket_make(family, type, protocol, &files[0]);

	if (rc)
		return rc;
	a = socket_of(files[0]);
	rc = a->ops->pair ? socket_make(family, type, protocol, &files[1]) : -EOPNOTSUPP;
	if (rc) {
		file_put(files[0]);
		return rc;
	}
	a->ops->pair(a, socket_of(files[1]));
	return 0;
}

static void socket_release(struct file *file)
{
	struct socket *sock = file->private;

	sock->ops->close(sock);
}

int socket_family(struct file *file)
{
	struct socket *sock = socket_of(file);

	return sock ? sock->ops->family : -ENOTSOCK;
}

struct unix_socket *file_unix_socket(struct file *file)
{
	struct socket *sock = socket_of(file);

	return sock && sock->ops->family == AF_UNIX ? unix_family_object(sock) : NULL;
}

/* ---- names and connections ---- */

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

int socket_bind(struct file *file, struct socket_address *address)
{
	struct socket *sock = socket_of(file);

	if (!sock)
		return -ENOTSOCK;
	sock->mode = file->inode->mode & 07777;
	return sock->ops->bind ? sock->ops->bind(sock, address) : -EOPNOTSUPP;
}

int socket_name(struct file *file, bool peer, struct socket_address *address)
{
	struct socket *sock = socket_of(file);

	return sock ? sock->ops->name(sock, peer, address) : -ENOTSOCK;
}

int socket_listen(struct file *file, int backlog)
{
	struct socket *sock = socket_of(file);

	if (!sock)
		return -ENOTSOCK;
	return sock->ops->listen ? sock->ops->listen(sock, backlog) : -EOPNOTSUPP;
}

int socket_connect(struct file *file, struct socket_address *address)
{
	struct socket *sock = socket_of(file);
	int rc;

	if (!sock)
		return -ENOTSOCK;
	if (!sock->ops->connect)
		return -EOPNOTSUPP;
	rc = sock->ops->connect(sock, address, deadline_of(file, 0, sock->send_timeout));
	return (int)restartable(rc, sock->send_timeout);
}

int socket_accept(struct file *file, unsigned flags, struct file **accepted)
{
	struct socket *sock = socket_of(file), *child;
	int rc;

	if (!sock)
		return -ENOTSOCK;
	if (!sock->ops->accept)
		return -EOPNOTSUPP;
	rc = sock->ops->accept(sock, deadline_of(file, 0, sock->receive_timeout), &child);
	if (rc)
		return (int)restartable(rc, sock->receive_timeout);
	return make_file(child, flags, accepted);
}

int socket_shutdown(struct file *file, int how)
{
	struct socket *sock = socket_of(file);

	if (!sock)
		return -ENOTSOCK;
	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	return sock->ops->shutdown ? sock->ops->shutdown(sock, how) : -EOPNOTSUPP;
}

/* ---- data ---- */

int64_t socket_send(struct file *file, struct socket_send *send, bool has_cred)
{
	struct socket *sock = socket_of(file);
	int64_t rc;

	if (!sock)
		return -ENOTSOCK;
	if (!has_cred)
		send->cred = (struct socket_cred){current->process->pid, current->cred->uid, current->cred->gid};
	send->deadline = deadline_of(file, send->flags, sock->send_timeout);
	rc = sock->ops->send(sock, send);
	if (rc == -EAGAIN)
		file_async_full(file);
	if (rc == -EPIPE && sock->type == SOCK_STREAM && !(send->flags & MSG_NOSIGNAL)) {
		struct ksiginfo info;

		signal_make_kill_info(&info, SIGPIPE, SI_USER);
		signal_send_task(current, &info);
	}
	return restartable(rc, sock->send_timeout);
}

int64_t socket_receive(struct file *file, struct socket_receive *receive)
{
	struct socket *sock = socket_of(file);

	if (!sock)
		return -ENOTSOCK;
	receive->deadline = deadline_of(file, receive->flags, sock->receive_timeout);
	return restartable(sock->ops->receive(sock, receive), sock->receive_timeout);
}

struct plain_copy {
	struct socket_copy base;
	struct xfer end;
};

static int plain_copy_in(struct socket_copy *self, void *buffer, size_t n)
{
	return xfer_from(&container_of(self, struct plain_copy, base)->end, buffer, n) == n ? 0 : -EFAULT;
}

static int plain_copy_out(struct socket_copy *self, void *buffer, size_t n)
{
	return xfer_to(&container_of(self, struct plain_copy, base)->end, buffer, n) == n ? 0 : -EFAULT;
}

static size_t plain_peek(struct socket_copy *self, uaddr_t *at)
{
	const struct xfer *end = &container_of(self, struct plain_copy, base)->end;

	*at = end->user;
	return end->kernel ? 0 : SIZE_MAX;
}

static void plain_skip(struct socket_copy *self, size_t n)
{
	container_of(self, struct plain_copy, base)->end.user.v += n;
}

static int64_t socket_do_read(struct file *file, struct xfer to, size_t n)
{
	struct plain_copy copy = {.base = {plain_copy_out, plain_peek, plain_skip}, .end = to};
	struct socket_receive receive = {.copy = &copy.base, .len = n};
	int64_t rc = socket_receive(file, &receive);

	for (unsigned i = 0; i < receive.file_count; i++)
		file_put(receive.files[i]);
	kfree(receive.files);
	return rc;
}

static int64_t socket_do_write(struct file *file, struct xfer from, size_t n)
{
	struct plain_copy copy = {.base = {plain_copy_in, plain_peek, plain_skip}, .end = from};
	struct socket_send send = {.copy = &copy.base, .len = n};

	return socket_send(file, &send, false);
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
	struct socket *sock = file->private;

	poll_add(waiter, sock->wait);
	return sock->ops->events(sock);
}

static int64_t set_owner(struct file *file, uaddr_t arg)
{
	int who;

	return get_user(who, arg) ? -EFAULT : file_choose_owner(file, who);
}

static int64_t open_namespace(struct socket *sock)
{
	struct net_ns *net = sock->ops->net ? sock->ops->net(sock) : &first_net_ns;

	if (!owner_capable(&net->ns, CAP_NET_ADMIN))
		return -EPERM;
	ns_get(&net->ns);
	return nsfs_install(&net->ns);
}

static int64_t socket_ioctl(struct file *file, unsigned cmd, uint64_t arg)
{
	struct socket *sock = file->private;
	int64_t rc;

	switch (cmd) {
	case FIOSETOWN:
	case SIOCSPGRP:
		return set_owner(file, UADDR(arg));
	case FIOGETOWN:
	case SIOCGPGRP:
		return put_user(file->owner, UADDR(arg));
	case FIGETBSZ:
		return put_user((int)file->inode->blksize, UADDR(arg));
	case SIOCGSKNS:
		return open_namespace(sock);
	}
	rc = sock->ops->ioctl ? sock->ops->ioctl(sock, cmd, arg) : -ENOTTY;
	return rc == -ENOTTY ? ifreq_ioctl(sock, cmd, arg) : rc;
}

static struct vm_object *socket_mapping(struct file *file)
{
	struct socket *sock = file->private;

	return sock->ops->mapping ? sock->ops->mapping(sock) : NULL;
}

static const struct file_ops socket_file_ops = {
	.read = socket_read,
	.write = socket_write,
	.read_kernel = socket_read_kernel,
	.write_kernel = socket_write_kernel,
	.poll = socket_poll,
	.async = true,
	.ioctl = socket_ioctl,
	.mmap_object = socket_mapping,
	.release = socket_release,
};

/* ---- options ---- */

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

static int64_t *timeout_of(struct socket *sock, int level, int option)
{
	if (level != SOL_SOCKET)
		return NULL;
	if (option == SO_RCVTIMEO_OLD || option == SO_RCVTIMEO_NEW)
		return &sock->receive_timeout;
	if (option == SO_SNDTIMEO_OLD || option == SO_SNDTIMEO_NEW)
		return &sock->send_timeout;
	return NULL;
}

/* SO_ATTACH_FILTER: a program in the caller's memory. */
static int attach_filter(struct socket *sock, uaddr_t user, unsigned len)
{
	bool tcp = sock->ops->family != AF_UNIX && sock->type == SOCK_STREAM;
	struct sock_fprog fprog;
	struct sock_filter *program;

	if (len < sizeof(int))
		return -EINVAL;
	if (tcp && !net_capable(CAP_NET_ADMIN))
		return -EPERM; /* as Linux 6.18; before, it was anybody's */
	if (len != sizeof(fprog))
		return -EINVAL;
	if (copy_from_user(&fprog, user, sizeof(fprog)))
		return -EFAULT;
	if (!fprog.len || fprog.len > BPF_MAXINSNS || !fprog.filter)
		return -EINVAL;
	if (sock->ops->own_options || tcp)
		return -ENOPROTOOPT; /* TCP's segments are not shown to filters */
	program = kmalloc(fprog.len * sizeof(*program));
	if (!program)
		return -ENOMEM;
	if (copy_from_user(program, UADDR((uintptr_t)fprog.filter), fprog.len * sizeof(*program))) {
		kfree(program);
		return -EFAULT;
	}
	return socket_filter_attach(sock->options, program, fprog.len);
}

/* SO_GET_FILTER counts in instructions: how many there are for a length of 0, else all of them. */
static int get_filter(struct socket *sock, uaddr_t user, uaddr_t user_len, unsigned room)
{
	struct socket_filter *filter = sock->options->filter;
	unsigned count = filter ? filter->count : 0;
	int rc = 0;

	if (room && room < count)
		return -EINVAL;
	if (room && count) {
		filter->refs++; /* the copy may sleep */
		rc = copy_to_user(user, filter->program, count * sizeof(filter->program[0]));
		socket_filter_put(filter);
	}
	return rc ? rc : put_user(count, user_len);
}

/* Lists of senders (RFC 3678) are long, and who reads one says of which group. */
#define LIST_OPTION_MAX 16384u

static bool is_list(int level, int option)
{
	return (option == MCAST_MSFILTER && (level == IPPROTO_IP || level == IPPROTO_IPV6)) || (option == IP_MSFILTER && level == IPPROTO_IP);
}

static int set_list(struct socket *sock, int level, int option, uaddr_t user, unsigned len)
{
	void *list;
	int rc;

	len = MIN(len, LIST_OPTION_MAX);
	list = kzalloc(len + 1);
	if (!list)
		return -ENOBUFS;
	rc = copy_from_user(list, user, len);
	if (!rc)
		rc = sock->ops->set_option(sock, level, option, list, len);
	kfree(list);
	return rc;
}

static int get_list(struct socket *sock, int level, int option, uaddr_t user, uaddr_t user_len, unsigned len)
{
	unsigned size = MIN(len, LIST_OPTION_MAX);
	void *list = kzalloc(size + 1);
	int rc;

	if (!list)
		return -ENOBUFS;
	rc = copy_from_user(list, user, size);
	if (!rc)
		rc = sock->ops->get_option(sock, level, option, list, &size);
	if (!rc)
		rc = copy_to_user(user, list, MIN(len, size));
	kfree(list);
	return rc ? rc : put_user(size, user_len);
}

int socket_set_option(struct file *file, int level, int option, uaddr_t user, unsigned len)
{
	struct socket *sock = socket_of(file);
	uint64_t value[SOCKET_OPTION_MAX / sizeof(uint64_t)];
	int64_t *timeout;

	if (!sock)
		return -ENOTSOCK;
	timeout = timeout_of(sock, level, option);
	if (timeout)
		return set_timeout(timeout, user, len);
	if (level == SOL_SOCKET && option == SO_ATTACH_FILTER)
		return attach_filter(sock, user, len);
	if (is_list(level, option))
		return set_list(sock, level, option, user, len);
	len = MIN(len, SOCKET_OPTION_MAX);
	if (copy_from_user(value, user, len))
		return -EFAULT;
	return level == SOL_SOCKET && !sock->ops->own_options ? socket_option_set(sock, option, value, len) :
		sock->ops->set_option(sock, level, option, value, len);
}

static unsigned get_timeout(int64_t timeout, void *value)
{
	int64_t tv[2] = {timeout / (int64_t)NS_PER_S, timeout % (int64_t)NS_PER_S / 1000};

	memcpy(value, tv, sizeof(tv));
	return sizeof(tv);
}

/* SO_PEERGROUPS: as long as a list of groups may be; *user_len says how much room it wants. */
static int get_peer_groups(struct socket *sock, uaddr_t user, uaddr_t user_len, unsigned room)
{
	unsigned size = MIN(room, (unsigned)(NGROUPS_MAX * sizeof(uint32_t)));
	void *groups = kzalloc(size + 1);
	int rc = groups ? socket_option_get(sock, SO_PEERGROUPS, groups, &size) : -ENOMEM;

	if (rc > 0)
		rc = sock->ops->get_option(sock, SOL_SOCKET, SO_PEERGROUPS, groups, &size);
	if (!rc)
		rc = copy_to_user(user, groups, size);
	kfree(groups);
	if ((!rc || rc == -ERANGE) && put_user(size, user_len))
		return -EFAULT;
	return rc;
}

int socket_get_option(struct file *file, int level, int option, uaddr_t user, uaddr_t user_len)
{
	struct socket *sock = socket_of(file);
	uint64_t value[SOCKET_OPTION_MAX / sizeof(uint64_t)];
	const int64_t *timeout;
	unsigned len, size;
	int rc = 0;

	if (!sock)
		return -ENOTSOCK;
	if (get_user(len, user_len))
		return -EFAULT;
	if ((int)len < 0)
		return -EINVAL;
	if (level == SOL_SOCKET && option == SO_GET_FILTER)
		return get_filter(sock, user, user_len, len);
	if (level == SOL_SOCKET && option == SO_PEERGROUPS && !sock->ops->own_options)
		return get_peer_groups(sock, user, user_len, len);
	if (is_list(level, option))
		return get_list(sock, level, option, user, user_len, len);
	size = MIN(len, SOCKET_OPTION_MAX);
	memset(value, 0, sizeof(value));
	if (level == SOL_PACKET && copy_from_user(value, user, MIN(size, sizeof(int)))) /* PACKET_HDRLEN asks with a number */
		return -EFAULT;
	timeout = timeout_of(sock, level, option);
	if (timeout)
		size = get_timeout(*timeout, value);
	else
		rc = level == SOL_SOCKET && !sock->ops->own_options ? socket_option_get(sock, option, value, &size) : 1;
	if (rc > 0)
		rc = sock->ops->get_option(sock, level, option, value, &size);
	if (rc)
		return rc;
	rc = copy_to_user(user, value, MIN(len, size));
	/* Whoever lists memberships is told how much there is. */
	if (!(level == SOL_NETLINK && option == NETLINK_LIST_MEMBERSHIPS))
		size = MIN(len, size);
	return rc ? rc : put_user(size, user_len);
}
