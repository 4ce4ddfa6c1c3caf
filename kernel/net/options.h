/*
 * SOL_SOCKET's options (socket(7)), for every family: setting and getting them, and the control messages that they ask for.
 *
 * vfs/anon/socket.c calls the first two, the families the others. An option is taken when it has its effect here, or when
 * it has none on Linux either; the rest answers ENOPROTOOPT. Kernel lock; nothing sleeps.
 */
#ifndef KERNEL_NET_OPTIONS_H
#define KERNEL_NET_OPTIONS_H

#include <linux/net_tstamp.h>

#include "kernel/net/socket.h"

/* The defaults of a new socket's options, zeroed before. */
void socket_options_init(struct socket_options *options);
/* What every family's new socket has, zeroed before: its wait queue and options are the family's own to keep, and made ready here. */
void socket_init(struct socket *sock, int type, int protocol, struct waitq *wait, struct socket_options *options);
/* What an accepted socket has from its listener: all of them. */
void socket_options_inherit(struct socket_options *to, const struct socket_options *from);
void socket_options_drop(struct socket_options *options); /* the socket ends */

/* 0 or -errno as setsockopt(2). len bytes of value, at most SOCKET_OPTION_MAX. */
int socket_option_set(struct socket *sock, int option, const void *value, unsigned len);
/* 0 with *len bytes written (room for SOCKET_OPTION_MAX), -errno, or 1: the family's own. */
int socket_option_get(struct socket *sock, int option, void *value, unsigned *len);

/* When a message came (ns since 1970; 0: now) and how many were dropped before it, if the receiver asked for it. */
void socket_report(const struct socket_options *options, struct socket_receive *receive, int64_t time, uint32_t drops);

/* SCM_TIMESTAMPING: a time of the software's, ns since 1970. */
void socket_report_stamp(const struct socket_options *options, struct socket_receive *receive, int64_t time);

/*
 * SIOCGSTAMP and its kin: a message was given to the receiver (when it came, ns since 1970), and when the last one came. *last
 * is zero before the first. 0, -ENOENT: none has come; -EFAULT. May sleep.
 */
void socket_note_stamp(const struct socket_options *options, int64_t *last, int64_t time);
int64_t socket_tell_stamp(struct socket_options *options, int64_t *last, unsigned cmd, uint64_t arg);

/* What is in no header that must do. */
#define STAMPING_OPT_ID_TCP (1u << 16)
#define STAMPING_ALL ((1u << 19) - 1)
/* What of a message that is sent can be asked for: hardware's, software's, scheduled, acknowledged, completed. */
#define STAMPING_RECORD (SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED | \
	SOF_TIMESTAMPING_TX_ACK | 1u << 18)

#endif
