/*
 * socket(2)'s numbers that the kernel's exported headers leave to the C library (x86-64).
 */
#ifndef KERNEL_NET_SOCKET_TYPES_H
#define KERNEL_NET_SOCKET_TYPES_H

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define SOCK_SEQPACKET 5
#define SOCK_TYPE_END 11
#define SOCK_TYPE_MASK 0xf
#define SOCK_NONBLOCK 04000
#define SOCK_CLOEXEC 02000000

#define AF_UNSPEC 0
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16
#define AF_PACKET 17

#define SOL_SOCKET 1
#define SOL_PACKET 263
#define SOL_NETLINK 270
#define SCM_RIGHTS 1
#define SCM_CREDENTIALS 2
#define SCM_PIDFD 4
/* Since Linux 6.5: the installed headers may be older. */
#define SO_PASSPIDFD 76
#define SO_PEERPIDFD 77

/* <linux/if_arp.h> needs a C library. */
#define ARPHRD_ETHER 1
#define ARPHRD_LOOPBACK 772

#define SHUT_RD 0
#define SHUT_WR 1
#define SHUT_RDWR 2

#define MSG_OOB 0x1u
#define MSG_PEEK 0x2u
#define MSG_DONTROUTE 0x4u
#define MSG_CTRUNC 0x8u
#define MSG_PROBE 0x10u
#define MSG_TRUNC 0x20u
#define MSG_DONTWAIT 0x40u
#define MSG_EOR 0x80u
#define MSG_WAITALL 0x100u
#define MSG_CONFIRM 0x800u
#define MSG_ERRQUEUE 0x2000u
#define MSG_NOSIGNAL 0x4000u
#define MSG_MORE 0x8000u
#define MSG_WAITFORONE 0x10000u
#define MSG_ZEROCOPY 0x4000000u
#define MSG_FASTOPEN 0x20000000u
#define MSG_CMSG_CLOEXEC 0x40000000u

#endif
