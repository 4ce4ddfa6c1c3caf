/*
 * SOL_SOCKET's options. See kernel/net/options.h.
 *
 * What is taken and changes nothing here changes nothing on Linux either: SO_DEBUG and SO_BSDCOMPAT; SO_PRIORITY and
 * SO_MARK without queueing disciplines, rules and netfilter, of which there are none inside; SO_PASSSEC without a
 * security module; SO_BUSY_POLL and its kin without devices that are polled, SO_NOFCS and SO_WIFI_STATUS without such
 * hardware. Messages have no mark (SO_RCVMARK tells 0).
 */
#include <asm/socket.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/in.h>
#include <linux/ioctl.h>
#include <linux/sockios.h>

#include "kernel/net/filter.h"
#include "kernel/net/inet.h"
#include "kernel/net/options.h"
#include "kernel/task.h"
#include "kernel/user_ns.h"
#include "ring0/clock.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"

#define SEND_BUFFER_MIN 4608u
#define RECEIVE_BUFFER_MIN 2304u
#define BUFFER_DEFAULT 212992u /* net.core.rmem_default, wmem_default */
#define BUFFER_LIMIT 212992u   /* net.core.rmem_max, wmem_max */
#define BPF_EXTENSIONS 64      /* of classic filters: SKF_AD_MAX */
#define PRIORITY_MAX 6       /* without CAP_NET_ADMIN */
#define DEVICE_NAME_SIZE 16u

static bool is_inet(const struct socket *sock)
{
	return sock->ops->family == AF_INET || sock->ops->family == AF_INET6;
}

static bool passes_credentials(const struct socket *sock)
{
	return sock->ops->family == AF_UNIX || sock->ops->family == AF_NETLINK;
}

void socket_options_init(struct socket_options *options)
{
	options->send_buffer = options->receive_buffer = BUFFER_DEFAULT;
	options->receive_low = 1;
}

void socket_init(struct socket *sock, int type, int protocol, struct waitq *wait, struct socket_options *options)
{
	sock->type = type;
	sock->protocol = protocol;
	sock->wait = wait;
	sock->options = options;
	waitq_init(wait);
	socket_options_init(options);
}

void socket_options_inherit(struct socket_options *to, const struct socket_options *from)
{
	*to = *from;
	if (to->filter)
		to->filter->refs++;
}

void socket_options_drop(struct socket_options *options)
{
	socket_filter_put(options->filter);
	options->filter = NULL;
}

/* TCP and UDP. */
static bool has_zerocopy(const struct socket *sock)
{
	return is_inet(sock) && (sock->type == SOCK_STREAM || (sock->type == SOCK_DGRAM && sock->protocol == IPPROTO_UDP));
}

/* Flags that only some families have: setting gives -EOPNOTSUPP elsewhere. */
static bool is_of_some(int option)
{
	return option == SO_PASSCRED || option == SO_PASSSEC || option == SO_PASSPIDFD || option == SO_ZEROCOPY;
}

/* ---- flags ---- */

static bool *flag_of(struct socket *sock, int option)
{
	struct socket_options *o = sock->options;

	switch (option) {
	case SO_DEBUG:
		return &o->debug;
	case SO_REUSEADDR:
		return &o->reuse_address;
	case SO_REUSEPORT:
		return &o->reuse_port;
	case SO_KEEPALIVE:
		return &o->keepalive;
	case SO_BROADCAST:
		return &o->broadcast;
	case SO_DONTROUTE:
		return &o->dont_route;
	case SO_OOBINLINE:
		return &o->oob_inline;
	case SO_NO_CHECK:
		return &o->no_check;
	case SO_RXQ_OVFL:
		return &o->report_drops;
	case SO_SELECT_ERR_QUEUE:
		return &o->select_errors;
	case SO_WIFI_STATUS:
		return &o->wifi_status;
	case SO_NOFCS:
		return &o->no_fcs;
	case SO_RCVMARK:
		return &o->report_mark;
	case SO_PREFER_BUSY_POLL:
		return &o->prefer_busy_poll;
	case SO_ZEROCOPY:
		return has_zerocopy(sock) ? &o->zerocopy : NULL;
	case SO_PASSCRED:
		return passes_credentials(sock) ? &o->pass_cred : NULL;
	case SO_PASSSEC:
		return passes_credentials(sock) ? &o->pass_security : NULL;
	case SO_PASSPIDFD:
		return sock->ops->family == AF_UNIX ? &o->pass_pidfd : NULL;
	default:
		return NULL;
	}
}

static int set_flag(struct socket *sock, bool *flag, int option, int number)
{
	if (option == SO_DEBUG && number && !net_capable(CAP_NET_ADMIN))
		return -EACCES;
	if (option == SO_REUSEPORT && number && !is_inet(sock))
		return -EOPNOTSUPP;
	if (option == SO_RCVMARK && !net_capable(CAP_NET_RAW) && !net_capable(CAP_NET_ADMIN))
		return -EPERM;
	if (option == SO_PREFER_BUSY_POLL && number && !net_capable(CAP_NET_ADMIN))
		return -EPERM;
	if (option == SO_ZEROCOPY && (number < 0 || number > 1))
		return -EINVAL;
	*flag = number != 0;
	return 0;
}

/* ---- numbers ---- */

static uint32_t buffer_size(int value, bool force, uint32_t minimum)
{
	uint32_t size = (uint32_t)value;

	if (force && value < 0)
		size = 0;
	if (!force)
		size = MIN(size, BUFFER_LIMIT);
	return MAX(MIN(size, (uint32_t)INT32_MAX / 2) * 2, minimum);
}

static int set_buffer(struct socket_options *o, int option, int value)
{
	bool force = option == SO_SNDBUFFORCE || option == SO_RCVBUFFORCE;

	if (force && !net_capable(CAP_NET_ADMIN))
		return -EPERM;
	if (option == SO_SNDBUF || option == SO_SNDBUFFORCE) {
		o->send_buffer = buffer_size(value, force, SEND_BUFFER_MIN);
		o->send_buffer_set = true;
	} else {
		o->receive_buffer = buffer_size(value, force, RECEIVE_BUFFER_MIN);
		o->receive_buffer_set = true;
	}
	return 0;
}

/* The forms before and after 2038 are one choice for all times that a socket is told. */
static void use_form(struct socket_options *o, bool new)
{
	bool nanoseconds = o->timestamp == SO_TIMESTAMPNS_OLD || o->timestamp == SO_TIMESTAMPNS_NEW;

	o->stamping_new = new;
	if (o->timestamp && nanoseconds)
		o->timestamp = new ? SO_TIMESTAMPNS_NEW : SO_TIMESTAMPNS_OLD;
	else if (o->timestamp)
		o->timestamp = new ? SO_TIMESTAMP_NEW : SO_TIMESTAMP_OLD;
}

static int set_timestamp(struct socket_options *o, int option, int number)
{
	o->timestamp = number ? (uint8_t)option : 0;
	if (number)
		use_form(o, option == SO_TIMESTAMP_NEW || option == SO_TIMESTAMPNS_NEW);
	return 0;
}

/* A flags word, and the number of a clock that there is none of. */
static int set_stamping(struct socket *sock, int option, const void *value, unsigned len)
{
	struct socket_options *o = sock->options;
	struct socket_address peer;
	uint32_t flags;
	bool counts;

	memcpy(&flags, value, sizeof(flags));
	if (flags & ~STAMPING_ALL || (flags & STAMPING_OPT_ID_TCP && !(flags & SOF_TIMESTAMPING_OPT_ID)) ||
	    (flags & SOF_TIMESTAMPING_OPT_STATS && !(flags & SOF_TIMESTAMPING_OPT_TSONLY)))
		return -EINVAL;
	if (flags & SOF_TIMESTAMPING_BIND_PHC)
		return len < sizeof(struct so_timestamping) ? -EINVAL : -EOPNOTSUPP;
	if (flags & SOF_TIMESTAMPING_OPT_STATS || (sock->ops->family == AF_PACKET && flags & STAMPING_RECORD))
		return -EOPNOTSUPP; /* no statistics go with the notes, and of packet sockets there are none */
	counts = flags & SOF_TIMESTAMPING_OPT_ID && !(o->stamping & SOF_TIMESTAMPING_OPT_ID);
	if (counts && is_inet(sock) && sock->type == SOCK_STREAM && sock->ops->name(sock, true, &peer))
		return -EINVAL; /* there are no bytes to count yet */
	o->stamping = flags;
	use_form(o, option == SO_TIMESTAMPING_NEW);
	o->stamping_begins = counts;
	return 0;
}

static int bind_to_index(struct socket_options *o, int index)
{
	if (index < 0)
		return -EINVAL;
	if (o->bound_if && !net_capable(CAP_NET_RAW))
		return -EPERM;
	o->bound_if = index;
	return 0;
}

static int bind_to_device(struct socket_options *o, const char *value, unsigned len)
{
	char name[DEVICE_NAME_SIZE] = "";
	struct inet_device device = {.index = 0};

	memcpy(name, value, MIN(len, DEVICE_NAME_SIZE - 1));
	if (name[0] && !inet_find_device(0, name, &device))
		return -ENODEV;
	return bind_to_index(o, device.index);
}

static int set_number(struct socket *sock, int option, int number)
{
	struct socket_options *o = sock->options;

	switch (option) {
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		return set_buffer(o, option, number);
	case SO_RCVLOWAT:
		o->receive_low = number < 0 ? INT32_MAX : number ? (uint32_t)number : 1;
		return 0;
	case SO_PRIORITY:
		if ((number < 0 || number > PRIORITY_MAX) && !net_capable(CAP_NET_RAW) && !net_capable(CAP_NET_ADMIN))
			return -EPERM;
		o->priority = number;
		return 0;
	case SO_MARK:
		if (!net_capable(CAP_NET_RAW) && !net_capable(CAP_NET_ADMIN))
			return -EPERM;
		o->mark = (uint32_t)number;
		return 0;
	case SO_TIMESTAMP_OLD:
	case SO_TIMESTAMPNS_OLD:
	case SO_TIMESTAMP_NEW:
	case SO_TIMESTAMPNS_NEW:
		return set_timestamp(o, option, number);
	case SO_BINDTOIFINDEX:
		return bind_to_index(o, number);
	case SO_BUSY_POLL:
		if (number < 0)
			return -EINVAL;
		o->busy_poll = number;
		return 0;
	case SO_BUSY_POLL_BUDGET:
		if (number > 0 && !net_capable(CAP_NET_ADMIN))
			return -EPERM;
		return number < 0 || number > (int)UINT16_MAX ? -EINVAL : 0;
	case SO_CNX_ADVICE: /* there is no other route to be tried */
		return 0;
	case SO_BUF_LOCK:
		if (number & ~3)
			return -EINVAL;
		o->send_buffer_set = number & 1;
		o->receive_buffer_set = number & 2;
		return 0;
	case SO_BSDCOMPAT:
		return 0;
	case SO_DETACH_FILTER:
		return socket_filter_detach(o);
	case SO_LOCK_FILTER:
		return socket_filter_lock(o, number != 0);
	case SO_RESERVE_MEM: /* as without memory accounting of sockets */
		return number < 0 ? -EINVAL : -EOPNOTSUPP;
	default:
		return -ENOPROTOOPT;
	}
}

static int set_linger(struct socket_options *o, const void *value, unsigned len)
{
	int linger[2];

	if (len < sizeof(linger))
		return -EINVAL;
	memcpy(linger, value, sizeof(linger));
	o->linger = linger[0] != 0;
	if (linger[0])
		o->linger_seconds = linger[1] < 0 ? INT32_MAX : linger[1];
	return 0;
}

int socket_option_set(struct socket *sock, int option, const void *value, unsigned len)
{
	int number, rc;
	bool *flag;

	if (option == SO_BINDTODEVICE) {
		rc = bind_to_device(sock->options, value, len);
	} else if (len < sizeof(number)) {
		return -EINVAL;
	} else {
		memcpy(&number, value, sizeof(number));
		flag = flag_of(sock, option);
		if (option == SO_LINGER)
			rc = set_linger(sock->options, value, len);
		else if (option == SO_TIMESTAMPING_OLD || option == SO_TIMESTAMPING_NEW)
			rc = set_stamping(sock, option, value, len);
		else if (flag)
			rc = set_flag(sock, flag, option, number);
		else if (is_of_some(option))
			rc = -EOPNOTSUPP;
		else
			rc = set_number(sock, option, number);
	}
	if (!rc && sock->ops->changed)
		sock->ops->changed(sock, option);
	return rc;
}

/* ---- getsockopt(2) ---- */

static int get_number(struct socket *sock, int option, int *number)
{
	const struct socket_options *o = sock->options;

	switch (option) {
	case SO_TYPE:
		*number = sock->type;
		return 0;
	case SO_DOMAIN:
		*number = sock->ops->family;
		return 0;
	case SO_PROTOCOL:
		*number = sock->protocol;
		return 0;
	case SO_SNDBUF:
		*number = (int)o->send_buffer;
		return 0;
	case SO_RCVBUF:
		*number = (int)o->receive_buffer;
		return 0;
	case SO_RCVLOWAT:
		*number = (int)o->receive_low;
		return 0;
	case SO_SNDLOWAT:
		*number = 1;
		return 0;
	case SO_PRIORITY:
		*number = o->priority;
		return 0;
	case SO_MARK:
		*number = (int)o->mark;
		return 0;
	case SO_TIMESTAMP_OLD:
	case SO_TIMESTAMPNS_OLD:
	case SO_TIMESTAMP_NEW:
	case SO_TIMESTAMPNS_NEW:
		*number = o->timestamp == option;
		return 0;
	case SO_BINDTOIFINDEX:
		*number = o->bound_if;
		return 0;
	case SO_BUF_LOCK:
		*number = o->send_buffer_set | o->receive_buffer_set << 1;
		return 0;
	case SO_LOCK_FILTER:
		*number = o->filter_locked;
		return 0;
	case SO_BUSY_POLL:
		*number = o->busy_poll;
		return 0;
	case SO_BPF_EXTENSIONS:
		*number = BPF_EXTENSIONS;
		return 0;
	case SO_INCOMING_NAPI_ID: /* no device of ours has any */
		*number = 0;
		return 0;
	case SO_BSDCOMPAT:
	case SO_RESERVE_MEM:
		*number = 0;
		return 0;
	default:
		return 1;
	}
}

static int get_device(const struct socket_options *o, char *value, unsigned *len)
{
	struct inet_device device;

	if (!o->bound_if) {
		*len = 0;
		return 0;
	}
	if (*len < DEVICE_NAME_SIZE)
		return -EINVAL;
	if (!inet_find_device(o->bound_if, NULL, &device))
		return -ENODEV;
	*len = (unsigned)strlen(device.name) + 1;
	memcpy(value, device.name, *len);
	return 0;
}

static int get_longer(struct socket *sock, int option, void *value, unsigned *len)
{
	const struct socket_options *o = sock->options;
	const int linger[2] = {o->linger, o->linger_seconds};
	struct so_timestamping stamping = {.flags = 0};
	struct socket_address name;
	struct socket_cred none = {0, UINT32_MAX, UINT32_MAX};
	int rc;

	switch (option) {
	case SO_LINGER:
		memcpy(value, linger, sizeof(linger));
		*len = sizeof(linger);
		return 0;
	case SO_TIMESTAMPING_OLD:
	case SO_TIMESTAMPING_NEW:
		stamping.flags = option == SO_TIMESTAMPING_OLD || o->stamping_new ? (int)o->stamping : 0;
		memcpy(value, &stamping, sizeof(stamping));
		*len = sizeof(stamping);
		return 0;
	case SO_BINDTODEVICE:
		return get_device(o, value, len);
	case SO_PEERCRED:
		if (sock->ops->family == AF_UNIX)
			return 1;
		memcpy(value, &none, sizeof(none));
		*len = sizeof(none);
		return 0;
	case SO_PEERGROUPS:
	case SO_PEERPIDFD:
		return sock->ops->family == AF_UNIX ? 1 : -ENODATA;
	case SO_PEERNAME:
		rc = sock->ops->name(sock, true, &name);
		if (!rc && name.len < *len)
			rc = -EINVAL;
		if (rc)
			return rc == -ENOTCONN ? -ENOTCONN : -EINVAL;
		memcpy(value, &name, *len);
		return 0;
	case SO_COOKIE:
		if (*len < sizeof(sock->ino))
			return -EINVAL;
		memcpy(value, &sock->ino, sizeof(sock->ino));
		*len = sizeof(sock->ino);
		return 0;
	default:
		return 1;
	}
}

int socket_option_get(struct socket *sock, int option, void *value, unsigned *len)
{
	const bool *flag = flag_of(sock, option);
	int number, rc;

	rc = get_longer(sock, option, value, len);
	if (rc <= 0)
		return rc;
	if (flag)
		number = *flag;
	else if (option == SO_ZEROCOPY)
		number = 0; /* what cannot be set can be read */
	else if (is_of_some(option))
		return -EOPNOTSUPP;
	else if (get_number(sock, option, &number))
		return 1;
	memcpy(value, &number, sizeof(number));
	*len = sizeof(number);
	return 0;
}

/* ---- control messages ---- */

void socket_report_stamp(const struct socket_options *options, struct socket_receive *receive, int64_t time)
{
	int64_t stamps[3][2] = {{time / 1000000000, time % 1000000000}}; /* the others are hardware's */

	receive->control(receive, SOL_SOCKET, options->stamping_new ? SO_TIMESTAMPING_NEW : SO_TIMESTAMPING_OLD, stamps, sizeof(stamps));
}

void socket_report(const struct socket_options *options, struct socket_receive *receive, int64_t time, uint32_t drops)
{
	int64_t parts[2];
	bool nanoseconds = options->timestamp == SO_TIMESTAMPNS_OLD || options->timestamp == SO_TIMESTAMPNS_NEW;

	if (!receive->control)
		return;
	if (options->timestamp) {
		time = time ? time : clock_realtime();
		parts[0] = time / 1000000000;
		parts[1] = time % 1000000000 / (nanoseconds ? 1 : 1000);
		receive->control(receive, SOL_SOCKET, options->timestamp, parts, sizeof(parts));
	}
	if (options->stamping & SOF_TIMESTAMPING_SOFTWARE && options->stamping & SOF_TIMESTAMPING_RX_SOFTWARE)
		socket_report_stamp(options, receive, time ? time : clock_realtime());
	if (options->report_mark)
		receive->control(receive, SOL_SOCKET, SO_MARK, &(uint32_t){0}, sizeof(uint32_t));
	if (options->report_drops && drops)
		receive->control(receive, SOL_SOCKET, SO_RXQ_OVFL, &drops, sizeof(drops));
}

/* ---- SIOCGSTAMP ---- */

#define STAMP_NOT_NOTED 1 /* the first nanosecond of 1970 */

void socket_note_stamp(const struct socket_options *options, int64_t *last, int64_t time)
{
	if (options->timestamp || options->stamping & SOF_TIMESTAMPING_RX_SOFTWARE)
		return; /* who is told with the message does not ask */
	if (options->notes_stamp)
		*last = time;
	else if (!*last)
		*last = STAMP_NOT_NOTED;
}

int64_t socket_tell_stamp(struct socket_options *options, int64_t *last, unsigned cmd, uint64_t arg)
{
	bool micro = cmd == SIOCGSTAMP_OLD || cmd == SIOCGSTAMP_NEW;
	int64_t parts[2];

	options->notes_stamp = true;
	if (!*last)
		return -ENOENT;
	if (*last == STAMP_NOT_NOTED)
		*last = clock_realtime();
	parts[0] = *last / 1000000000;
	parts[1] = *last % 1000000000 / (micro ? 1000 : 1);
	return copy_to_user(UADDR(arg), parts, sizeof(parts));
}
