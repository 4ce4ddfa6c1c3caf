/*
 * The gofer: one process a container that serves the container's files over 9P.
 *
 * `ringfence gofer` opens the directories, forks or is forked, and calls gofer_main(),
 * which goes into the jail and returns when the other end of the socket is closed.
 * After the jail no host path is reachable but what lies under the given trees.
 */
#ifndef GOFER_GOFER_H
#define GOFER_GOFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define GOFER_MAX_TREES 128

/* One attach point. */
struct gofer_tree {
	const char *name; /* what Tattach names: "0" the root, "1" and up the bind mounts */
	int fd;           /* a directory, or the one file of a file bind mount; O_PATH or readable */
	bool readonly;
	bool detached; /* a mount of its own already, in no file tree: taken as it is */
};

/* A range of ids, as a line of /proc/PID/uid_map: `size` from `inside` on are `host` and up outside. */
struct gofer_id_map {
	uint32_t inside, host, size;
};

#define GOFER_MAX_ID_MAPS 32

struct gofer_id_maps {
	struct gofer_id_map at[GOFER_MAX_ID_MAPS];
	size_t count; /* 0: ids are the same on both sides */
};

struct gofer_options {
	int socket_fd; /* SOCK_SEQPACKET (one message a packet) or SOCK_STREAM */
	const struct gofer_tree *trees;
	size_t tree_count;
	struct gofer_id_maps uids, gids; /* of the container */
	uint32_t uid, gid; /* run as, in the jail; 0: stay what we are */
	bool left_network; /* the caller is in no network namespace of the host's, and we stay in its */
	bool no_jail;      /* tests only: serve without giving anything up */
};

/*
 * Serve until end of file on the socket. 0, or -errno with one line on stderr that names the
 * operation. Call it in a process of its own: it changes the working directory and the umask, and the jail closes
 * every descriptor but the socket and stderr. Needs CAP_SYS_ADMIN for the jail; the trees must have been opened in
 * the mount namespace that the caller is in.
 */
int gofer_main(const struct gofer_options *options);

/* The seccomp list: role, system call, reason; one line each. */
void gofer_print_filter(FILE *to);

#endif
