/*
 * memfd and seals, and moving data between descriptors: memfd_create(2), sendfile(2),
 * splice(2), tee(2), copy_file_range(2).
 */
#include <linux/memfd.h>
#include <sys/mman.h>
#include <netinet/in.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "workdir.h"

#define BIG 300000

static char big[BIG], back[BIG];

static void test_memfd(void)
{
	int fd = memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char text[64], link[64];
	struct stat st;

	CHECK(fd >= 0 && write(fd, "hello", 5) == 5 && fstat(fd, &st) == 0 && st.st_size == 5 && st.st_nlink == 0);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, text, sizeof(text));
	CHECK(n < 0 || (n == 21 && !memcmp(text, "/memfd:name (deleted)", 21)));
	CHECK(fcntl(fd, F_GET_SEALS) == 0);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
	CHECK_ERRNO(ftruncate(fd, 1), EPERM);
	CHECK(ftruncate(fd, 8) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) == 0);
	CHECK_ERRNO(ftruncate(fd, 9), EPERM);
	CHECK_ERRNO(pwrite(fd, "123456789", 9, 0), EPERM);
	CHECK(pwrite(fd, "12345678", 8, 0) == 8);
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED && map[7] == '8');
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK(munmap(map, 4096) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL) == 0);
	CHECK_ERRNO(pwrite(fd, "x", 1, 0), EPERM);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), EPERM);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EPERM);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	close(fd);
	fd = memfd_create("", 0);
	CHECK(fcntl(fd, F_GET_SEALS) == F_SEAL_SEAL);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
	close(fd);
	CHECK_ERRNO(memfd_create("x", 0x8000), EINVAL);
	memset(big, 'x', 260);
	big[250] = 0;
	CHECK_ERRNO(memfd_create(big, 0), EINVAL);
}

static void fill(void)
{
	for (int i = 0; i < BIG; i++)
		big[i] = (char)(i * 7 + i / 1000);
}

static void test_sendfile(void)
{
	int in = open("big", O_CREAT | O_TRUNC | O_RDWR, 0600), out = open("copy", O_CREAT | O_TRUNC | O_RDWR, 0600), p[2];
	off_t at = 1000;

	fill();
	CHECK(write(in, big, BIG) == BIG);
	CHECK(sendfile(out, in, &at, BIG) == BIG - 1000 && at == BIG);
	CHECK(pread(out, back, BIG, 0) == BIG - 1000 && !memcmp(back, big + 1000, BIG - 1000));
	CHECK(lseek(in, 0, SEEK_CUR) == BIG && sendfile(out, in, NULL, 10) == 0);
	CHECK(lseek(in, 5, SEEK_SET) == 5 && sendfile(out, in, NULL, 10) == 10 && lseek(in, 0, SEEK_CUR) == 15);
	CHECK(pipe(p) == 0);
	at = 0;
	CHECK(sendfile(p[1], in, &at, 100) == 100 && read(p[0], back, 200) == 100 && !memcmp(back, big, 100));
	CHECK_ERRNO(sendfile(99, in, NULL, 1), EBADF);
	at = -1;
	CHECK_ERRNO(sendfile(out, in, &at, 1), EINVAL);
	/* A stream is no source, but a socket for a pipe; nothing is lost by asking. */
	int s[2], root = open("/", O_RDONLY);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && write(p[1], "pipe", 4) == 4 && write(s[1], "socket", 6) == 6);
	CHECK_ERRNO(sendfile(s[0], p[0], NULL, 4), EINVAL);
	CHECK_ERRNO(sendfile(out, p[0], NULL, 4), EINVAL);
	CHECK_ERRNO(sendfile(p[1], p[0], NULL, 4), EINVAL);
	CHECK_ERRNO(sendfile(out, s[0], NULL, 4), EINVAL);
	CHECK_ERRNO(sendfile(out, root, NULL, 4), EINVAL);
	CHECK(sendfile(p[1], s[0], NULL, 6) == 6);
	CHECK(read(p[0], back, 200) == 10 && !memcmp(back, "pipesocket", 10));
	/* One that takes a part of what is offered, and does not wait: that part. */
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(to);
	int small = 4096, l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(l, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	setsockopt(c, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	CHECK(bind(l, (void *)&to, len) == 0 && listen(l, 1) == 0 && getsockname(l, (void *)&to, &len) == 0);
	CHECK(connect(c, (void *)&to, len) == 0 && fcntl(c, F_SETFL, O_NONBLOCK) == 0);
	ssize_t sent = 0, n;
	for (at = 0; (n = sendfile(c, in, &at, BIG)) > 0;)
		sent += n;
	int why = errno;
	CHECK(n == -1 && why == EAGAIN && sent > 0 && at == sent);
	close(l);
	close(c);
	close(s[0]);
	close(s[1]);
	close(root);
	close(in);
	close(out);
	close(p[0]);
	close(p[1]);
}

static void test_splice(void)
{
	int in = open("big", O_RDONLY), out = open("copy", O_CREAT | O_TRUNC | O_RDWR, 0600), p[2], q[2];
	loff_t at = 100, to = 50;

	CHECK(pipe(p) == 0 && pipe(q) == 0);
	CHECK(splice(in, &at, p[1], NULL, 1000, 0) == 1000 && at == 1100);
	CHECK(tee(p[0], q[1], 1000, 0) == 1000);
	CHECK(splice(p[0], NULL, out, &to, 1000, 0) == 1000 && to == 1050);
	CHECK(pread(out, back, 2000, 0) == 1050 && !memcmp(back + 50, big + 100, 1000));
	CHECK(read(q[0], back, 2000) == 1000 && !memcmp(back, big + 100, 1000));
	CHECK_ERRNO(splice(p[0], NULL, out, NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_ERRNO(splice(in, NULL, out, NULL, 10, 0), EINVAL);
	CHECK_ERRNO(splice(p[0], &at, out, NULL, 10, 0), ESPIPE);
	CHECK_ERRNO(tee(in, p[1], 10, 0), EINVAL);
	CHECK(write(p[1], "abc", 3) == 3 && splice(p[0], NULL, q[1], NULL, 100, 0) == 3);
	CHECK(read(q[0], back, 100) == 3 && !memcmp(back, "abc", 3));
	close(p[1]);
	CHECK(splice(p[0], NULL, q[1], NULL, 100, 0) == 0);
	close(p[0]);
	close(q[0]);
	close(q[1]);
	close(in);
	close(out);
}

static void test_copy_range(void)
{
	int in = open("big", O_RDWR), out = open("range", O_CREAT | O_TRUNC | O_RDWR, 0600);
	off64_t from = 10, to = 20;

	CHECK(copy_file_range(in, &from, out, &to, 5000, 0) == 5000 && from == 5010 && to == 5020);
	CHECK(pread(out, back, BIG, 0) == 5020 && !memcmp(back + 20, big + 10, 5000));
	CHECK(copy_file_range(in, NULL, out, NULL, BIG * 2, 0) == BIG && lseek(in, 0, SEEK_CUR) == BIG);
	CHECK(copy_file_range(in, NULL, out, NULL, 10, 0) == 0);
	from = 0;
	to = 100;
	CHECK_ERRNO(copy_file_range(in, &from, in, &to, 1000, 0), EINVAL);
	CHECK_ERRNO(copy_file_range(in, &from, out, &to, 1000, 1), EINVAL);
	int d = open(".", O_RDONLY);
	CHECK_ERRNO(copy_file_range(d, NULL, out, NULL, 10, 0), EISDIR);
	close(d);
	close(in);
	close(out);
}

int main(void)
{
	harness_start();
	if (workdir_enter())
		return 1;
	RUN(test_memfd);
	RUN(test_sendfile);
	RUN(test_splice);
	RUN(test_copy_range);
	workdir_leave();
	return CHECK_RESULT();
}
