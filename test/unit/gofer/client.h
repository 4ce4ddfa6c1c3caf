/*
 * A small 9P client for the gofer's tests: one request, one reply, over a socketpair to a
 * gofer in a child process that serves a fresh temporary directory.
 */
#ifndef TEST_GOFER_CLIENT_H
#define TEST_GOFER_CLIENT_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gofer/gofer.h"
#include "gofer/p9/p9.h"

struct client {
	int socket;
	pid_t gofer;
	char dir[64]; /* served as "0"; "1" is dir/ro, read-only; "2" the file dir/file */
	uint8_t out[P9_MAX_MSIZE], in[P9_MAX_MSIZE];
	struct p9_writer writer;
	struct p9_reader reader;
	struct p9_header header;
	int fd; /* donated with the last reply, or -1 */
};

static struct client c;
static struct gofer_id_maps id_maps __attribute__((unused)); /* of users and groups alike, for the gofers started from here on */

static inline void write_file(const char *name, const char *text)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", c.dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static inline int tree_fd(const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", c.dir, name);
	fd = open(path, O_PATH | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static inline void begin(uint8_t type)
{
	p9_writer_init(&c.writer, c.out, sizeof(c.out));
	p9_begin(&c.writer, type, 7);
}

/* Send `n` bytes as they are. The reply's length, 0 at the end of the connection. */
static inline size_t exchange_raw(const void *bytes, size_t n)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {c.in, sizeof(c.in)};
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t got;

	if (send(c.socket, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
		return 0;
	got = recvmsg(c.socket, &message, 0);
	c.fd = -1;
	if (got > 0 && CMSG_FIRSTHDR(&message))
		memcpy(&c.fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return got > 0 ? (size_t)got : 0;
}

/* The reply's type, with c.reader at its body. */
static inline uint8_t exchange(void)
{
	uint32_t n = p9_finish(&c.writer);
	size_t got;

	ck_assert_uint_ne(n, 0);
	got = exchange_raw(c.out, n);
	ck_assert_uint_ne(got, 0);
	p9_reader_init(&c.reader, c.in, got);
	ck_assert(p9_get_header(&c.reader, &c.header));
	ck_assert_uint_eq(c.header.tag, 7);
	return c.header.type;
}

/* The errno of an Rlerror, 0 for the reply that `request` should have. */
static inline int outcome(uint8_t request)
{
	uint8_t type = exchange();
	struct p9_rlerror error;

	if (type == P9_rlerror) {
		ck_assert(p9_get_rlerror(&c.reader, &error));
		ck_assert_uint_ne(error.ecode, 0);
		return (int)error.ecode;
	}
	ck_assert_uint_eq(type, request + 1);
	return 0;
}

#define CALL(type, ...)                                                     \
	({                                                                  \
		begin(P9_##type);                                           \
		p9_put_##type(&c.writer, &(struct p9_##type){__VA_ARGS__}); \
		outcome(P9_##type);                                         \
	})
#define STR(s) p9_str_from(s)

static inline int walk(uint32_t fid, uint32_t newfid, const char *a, const char *b)
{
	struct p9_twalk t = {fid, newfid, {0, {{0}}}};

	if (a)
		t.names.name[t.names.count++] = STR(a);
	if (b)
		t.names.name[t.names.count++] = STR(b);
	begin(P9_twalk);
	p9_put_twalk(&c.writer, &t);
	return outcome(P9_twalk);
}

static inline void start_gofer_as(int type, bool jail)
{
	int pair[2];

	memset(&c, 0, sizeof(c));
	strcpy(c.dir, "/tmp/gofer-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(c.dir));
	write_file("file", "hello, gofer");
	for (unsigned i = 0; i < 3; i++) {
		static const char *const dirs[] = {"sub", "sub/deep", "ro"};
		char path[512];

		snprintf(path, sizeof(path), "%s/%s", c.dir, dirs[i]);
		ck_assert_int_eq(mkdir(path, 0755), 0);
	}
	write_file("sub/inner", "inner");
	write_file("ro/fixed", "fixed");
	ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
	struct gofer_tree trees[] = {{.name = "0", .fd = tree_fd(".")}, {.name = "1", .fd = tree_fd("ro"), .readonly = true}, {.name = "2", .fd = tree_fd("file")}};
	struct gofer_options options = {.socket_fd = pair[1], .trees = trees, .tree_count = 3, .no_jail = !jail,
		.uids = id_maps, .gids = id_maps};

	c.gofer = fork();
	ck_assert_int_ge(c.gofer, 0);
	if (c.gofer == 0) {
		close(pair[0]);
		_exit(gofer_main(&options) ? 1 : 0);
	}
	for (unsigned i = 0; i < 3; i++)
		close(trees[i].fd);
	close(pair[1]);
	c.socket = pair[0];
}

static inline void hello(const char *version)
{
	struct p9_rversion r;

	ck_assert_int_eq(CALL(tversion, P9_MAX_MSIZE, STR(version)), 0);
	ck_assert(p9_get_rversion(&c.reader, &r));
	ck_assert(p9_str_equal(r.version, version));
	ck_assert_int_eq(CALL(tattach, 0, P9_NOFID, STR("root"), STR("0"), 0), 0);
}

static inline void start_gofer(void)
{
	start_gofer_as(SOCK_SEQPACKET, false);
	hello(P9_VERSION_RINGFENCE);
}

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

/* Ends the connection: the gofer must end by itself, and well. */
static inline void stop_gofer(void)
{
	int status;

	close(c.socket);
	ck_assert_int_eq(waitpid(c.gofer, &status, 0), c.gofer);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "gofer ended with %#x", status);
	nftw(c.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
