/*
 * Socket addresses between user memory and the sentry. 0 or -EFAULT, -EINVAL. May sleep.
 */
#ifndef SYSCALLS_SOCKADDR_H
#define SYSCALLS_SOCKADDR_H

#include "kernel/net/socket.h"
#include "ring0/usercopy.h"

/* A NULL pointer or no length gives an address of length 0. */
int sockaddr_copy_in(struct socket_address *address, uaddr_t user, int64_t len);
/* As much as *user_len allows; the full length is stored there. */
int sockaddr_copy_out(const struct socket_address *address, uaddr_t user, uaddr_t user_len);

#endif
