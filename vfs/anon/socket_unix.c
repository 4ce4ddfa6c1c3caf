/*
 * AF_UNIX as a family of sockets (unix(7)): names in the file system, options; the rest is kernel/net/unix.h's.
 *
 * A socket bound to a path keeps the path referenced, so that the inode with its bound_socket stays; closing it
 * clears that pointer but leaves the name, as Linux does.
 */
#include <asm/ioctls.h>
#include <asm/socket.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/sockios.h>
#include <linux/un.h>

#include "kernel/namespaces.h"
#include "kernel/net/options.h"
#include "kernel/net/unix.h"
#include "kernel/task.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"
#include "vfs/anon/anon.h"
#include "vfs/anon/socket.h"
#include "vfs/calls.h"

struct unix_file {
	struct socket base;
	struct unix_socket *sock;
	struct path bound; /* dentry NULL: not bound to a path */
};

static const struct socket_ops unix_family;

static struct unix_file *unix_of(struct socket *base)
{
	return container_of(base, struct unix_file, base);
}

/* ---- creation and end ---- */

/* Takes over the reference, also on failure. */
static struct socket *wrap(struct unix_socket *sock, int type)
{
	struct unix_file *s = kzalloc(sizeof(*s));

	if (!s) {
		unix_close(sock);
		return NULL;
	}
	s->base.ops = &unix_family;
	s->base.type = type;
	s->base.wait = &sock->wait;
	s->base.options = &sock->options;
	s->sock = sock;
	sock->base = &s->base;
	return &s->base;
}

int unix_family_create(int type, int protocol, struct socket **out)
{
	struct unix_socket *sock;

	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET && type != SOCK_RAW)
		return -ESOCKTNOSUPPORT;
	if (type == SOCK_RAW)
		type = SOCK_DGRAM;
	sock = unix_create(type);
	*out = sock ? wrap(sock, type) : NULL;
	return *out ? 0 : -ENOMEM;
}

struct unix_socket *unix_family_object(struct socket *base)
{
	return unix_of(base)->sock;
}

static void family_opened(struct socket *base)
{
	unix_of(base)->sock->ino = base->ino;
}

static void family_pair(struct socket *a, struct socket *b)
{
	unix_pair(unix_of(a)->sock, unix_of(b)->sock);
}

static void family_close(struct socket *base)
{
	struct unix_file *s = unix_of(base);

	if (s->bound.dentry) {
		if (s->bound.dentry->inode && s->bound.dentry->inode->bound_socket == s->sock)
			s->bound.dentry->inode->bound_socket = NULL;
		path_put(&s->bound);
	}
	unix_close(s->sock);
	kfree(s);
	unix_gc();
}

/* /proc/net/unix tells the inode; a socket that waits to be accepted has none. */
static void note_ino(struct unix_file *s)
{
	s->sock->ino = s->base.ino;
}

/* ---- names ---- */

/* A path's length without terminator, 0 for abstract and unnamed; terminates the path. */
static unsigned path_length(struct socket_address *address)
{
	address->data[MIN(address->len - 2, UNIX_NAME_MAX)] = '\0';
	return (unsigned)strlen(address->data);
}

static int check_address(const struct socket_address *address)
{
	if (address->len < 2 || address->len > 2 + UNIX_NAME_MAX)
		return -EINVAL;
	return address->family == AF_UNIX ? 0 : -EINVAL;
}

static int bind_path(struct unix_file *s, struct socket_address *address)
{
	struct path path;
	int rc = vfs_mknod(AT_FDCWD, address->data, S_IFSOCK | s->base.mode, 0);

	if (rc)
		return rc == -EEXIST ? -EADDRINUSE : rc;
	rc = path_lookup(AT_FDCWD, address->data, 0, &path);
	if (rc)
		return rc;
	if (s->sock->name)
		rc = -EINVAL;
	if (!rc)
		rc = unix_bind(s->sock, address->data, (uint32_t)strlen(address->data) + 1);
	if (rc) {
		path_put(&path);
		return rc;
	}
	s->bound = path;
	path.dentry->inode->bound_socket = s->sock;
	return 0;
}

static int family_bind(struct socket *base, struct socket_address *address)
{
	struct unix_file *s = unix_of(base);
	int rc = check_address(address);

	if (rc)
		return rc;
	note_ino(s);
	if (s->sock->name)
		return -EINVAL;
	if (address->len == 2)
		return unix_bind_auto(s->sock);
	if (path_length(address))
		return bind_path(s, address);
	return unix_bind(s->sock, address->data, address->len - 2);
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
		sock = unix_find_abstract(address->data, address->len - 2, type);
		*error = -ECONNREFUSED;
		if (sock)
			unix_get(sock);
		return sock;
	}
	*error = path_lookup(AT_FDCWD, address->data, LOOKUP_FOLLOW, &path);
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
		memcpy(address->data, name->bytes, name->len);
		address->len += name->len;
	}
}

static int family_name(struct socket *base, bool peer, struct socket_address *address)
{
	struct unix_file *s = unix_of(base);
	const struct unix_socket *sock = peer ? s->sock->peer : s->sock;

	if (!sock)
		return -ENOTCONN;
	fill_address(sock->name, address);
	return 0;
}

/* ---- connections ---- */

static int family_listen(struct socket *base, int backlog)
{
	note_ino(unix_of(base));
	return unix_listen(unix_of(base)->sock, backlog);
}

static int family_connect(struct socket *base, struct socket_address *address, uint64_t deadline)
{
	struct unix_file *s = unix_of(base);
	struct unix_socket *target;
	int rc;

	note_ino(s);
	if (address->len >= 2 && address->family == AF_UNSPEC)
		return unix_disconnect(s->sock);
	target = find_target(address, s->sock->type, &rc);
	if (!target)
		return rc;
	rc = unix_connect(s->sock, target, deadline);
	unix_put(target);
	return rc;
}

static int family_accept(struct socket *base, uint64_t deadline, struct socket **out)
{
	struct unix_socket *child;
	int rc = unix_accept(unix_of(base)->sock, deadline, &child);

	if (rc)
		return rc;
	*out = wrap(child, base->type);
	return *out ? 0 : -ENOMEM;
}

static int family_shutdown(struct socket *base, int how)
{
	return unix_shutdown(unix_of(base)->sock, (unsigned)how + 1); /* SHUT_RD, SHUT_WR, SHUT_RDWR are bits after adding one */
}

static uint32_t family_events(struct socket *base)
{
	return unix_poll_events(unix_of(base)->sock);
}

/* ---- data ---- */

static int64_t family_send(struct socket *base, struct socket_send *send)
{
	struct unix_socket *sock = unix_of(base)->sock, *target = NULL;
	struct unix_send out = {.base = send};
	int64_t rc;
	int error;

	if (send->flags & MSG_OOB && (sock->type == SOCK_STREAM ? !send->len : sock->type == SOCK_DGRAM || sock->state == UNIX_CONNECTED))
		return -EOPNOTSUPP;
	if (send->address && send->address->len && sock->type != SOCK_SEQPACKET) { /* which does not look at it */
		if (sock->type != SOCK_DGRAM)
			return sock->state == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
		target = find_target(send->address, SOCK_DGRAM, &error);
		if (!target)
			return error;
	}
	out.target = target;
	rc = unix_send(sock, &out);
	if (target)
		unix_put(target);
	return rc;
}

/* The name of a received message's sender. Puts the reference. */
static void take_name(struct unix_name *name, struct socket_address *address)
{
	if (address)
		address->len = 0;
	if (!name)
		return;
	if (address)
		fill_address(name, address);
	if (!--name->refs)
		kfree(name);
}

/* A pidfd of a process: a descriptor of the current task, or -errno. */
static int install_pidfd(struct process *process)
{
	struct file *file;
	int rc = pidfd_create(process, 0, &file);

	return rc ? rc : fd_install(file, true, 0);
}

/* As the current task's namespaces have it. */
static void see_cred(struct socket_cred *cred)
{
	cred->pid = pid_vnr(cred->pid);
	cred->uid = uid_to_user(cred->uid);
	cred->gid = gid_to_user(cred->gid);
}

static void report_sender(const struct unix_socket *sock, const struct unix_receive *in)
{
	struct socket_cred cred = in->cred;
	int fd;

	if (!in->base->control)
		return;
	see_cred(&cred);
	if (sock->options.pass_cred)
		(void)in->base->control(in->base, SOL_SOCKET, SCM_CREDENTIALS, &cred, sizeof(cred));
	if (!sock->options.pass_pidfd)
		return;
	fd = in->process ? install_pidfd(in->process) : -ESRCH;
	if (!in->base->control(in->base, SOL_SOCKET, SCM_PIDFD, &fd, sizeof(fd)) && fd >= 0)
		(void)fd_close(fd);
}

static int64_t family_receive(struct socket *base, struct socket_receive *receive)
{
	struct unix_socket *sock = unix_of(base)->sock;
	struct unix_receive in = {.base = receive};
	int64_t rc;

	if (receive->flags & MSG_OOB && (sock->type == SOCK_DGRAM || (sock->type == SOCK_SEQPACKET && sock->state == UNIX_CONNECTED)))
		return -EOPNOTSUPP;
	rc = unix_receive(sock, &in);
	take_name(in.name, receive->address);
	if (rc >= 0 && in.has_cred)
		socket_report(&sock->options, receive, in.time, 0);
	if (rc >= 0 && in.has_cred)
		report_sender(sock, &in);
	if (in.process)
		process_put(in.process);
	return rc;
}

static struct net_ns *family_net(struct socket *base)
{
	return unix_of(base)->sock->net;
}

static int64_t family_ioctl(struct socket *base, unsigned cmd, uint64_t arg)
{
	struct unix_socket *sock = unix_of(base)->sock;

	switch (cmd) {
	case FIONREAD:
		if (sock->state == UNIX_LISTENING)
			return -EINVAL;
		return put_user((int)unix_readable(sock), UADDR(arg));
	case SIOCATMARK:
		return sock->type == SOCK_STREAM ? put_user((int)unix_is_at_mark(sock), UADDR(arg)) : -EOPNOTSUPP;
	case SIOCOUTQ:
		return put_user((int)sock->tx_charge, UADDR(arg));
	case SIOCUNIXFILE: /* the file that it is bound to: not to be had */
		if (!owner_capable(&sock->net->ns, CAP_NET_ADMIN))
			return -EPERM;
		return sock->name && sock->name->bytes[0] ? -EOPNOTSUPP : -ENOENT;
	default:
		return -ENOTTY;
	}
}

/* ---- options ---- */

static int family_set_option(struct socket *base, int level, int option, const void *value, unsigned len)
{
	return -EOPNOTSUPP; /* no level but SOL_SOCKET */
}

static int get_number(struct unix_socket *sock, int option, int *number)
{
	switch (option) {
	case SO_ERROR:
		*number = sock->error;
		sock->error = 0;
		return 0;
	case SO_ACCEPTCONN:
		*number = sock->state == UNIX_LISTENING;
		return 0;
	case SO_PEERPIDFD:
		*number = sock->other.process ? install_pidfd(sock->other.process) : -ENODATA;
		return MIN(*number, 0);
	default:
		return -ENOPROTOOPT;
	}
}

static int get_peer_cred(const struct unix_identity *peer, void *value, unsigned *len)
{
	struct socket_cred cred = peer->full ? peer->cred : (struct socket_cred){0, UINT32_MAX, UINT32_MAX};

	if (peer->full)
		see_cred(&cred);
	memcpy(value, &cred, sizeof(cred));
	*len = sizeof(cred);
	return 0;
}

static int get_peer_groups(const struct unix_identity *peer, void *value, unsigned *len)
{
	const struct group_list *groups = peer->full ? peer->full->groups : NULL;
	unsigned size = groups ? groups->count * (unsigned)sizeof(groups->gid[0]) : 0, room = *len;

	if (!peer->full)
		return -ENODATA;
	*len = size;
	if (room < size)
		return -ERANGE;
	for (unsigned i = 0; i < size / sizeof(groups->gid[0]); i++)
		((uint32_t *)value)[i] = gid_to_user(groups->gid[i]);
	return 0;
}

static int family_get_option(struct socket *base, int level, int option, void *value, unsigned *len)
{
	struct unix_socket *sock = unix_of(base)->sock;
	int number, rc;

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (option == SO_PEERCRED)
		return get_peer_cred(&sock->other, value, len);
	if (option == SO_PEERGROUPS)
		return get_peer_groups(&sock->other, value, len);
	rc = get_number(sock, option, &number);
	if (rc)
		return rc;
	memcpy(value, &number, sizeof(number));
	*len = sizeof(number);
	return 0;
}

static const struct socket_ops unix_family = {
	.family = AF_UNIX,
	.bind = family_bind,
	.listen = family_listen,
	.connect = family_connect,
	.accept = family_accept,
	.shutdown = family_shutdown,
	.name = family_name,
	.send = family_send,
	.receive = family_receive,
	.events = family_events,
	.set_option = family_set_option,
	.get_option = family_get_option,
	.ioctl = family_ioctl,
	.net = family_net,
	.pair = family_pair,
	.opened = family_opened,
	.close = family_close,
};
