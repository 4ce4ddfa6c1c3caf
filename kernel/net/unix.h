/*
 * AF_UNIX sockets (unix(7)): stream, datagram and sequenced packets, with descriptors and credentials in messages.
 *
 * The objects know nothing of files: vfs/anon/socket.c makes them files and gives them names in the file system, by
 * the two callbacks of struct unix_files. All functions are under the kernel lock; those that wait say so.
 */
#ifndef KERNEL_NET_UNIX_H
#define KERNEL_NET_UNIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/wait.h"

struct file;
struct unix_socket;

/* One line of /proc/net/unix. */
struct unix_summary {
	uint64_t ino;
	unsigned refs, type, state;
	bool listening;
	const char *name;
	unsigned name_len;
};
void unix_for_each(void (*fn)(void *arg, const struct unix_summary *summary), void *arg);

#endif
