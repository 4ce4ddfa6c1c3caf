/*
 * The sentry's 9P client on the fake machine, whose host ring is joined to a real gofer in a child process: start and
 * end, what the host sees, and short words for what the tests do. boot_exclusive() or boot_shared() comes first, finish() last.
 */
#ifndef TEST_UNIT_P9_FIXTURE_H
#define TEST_UNIT_P9_FIXTURE_H
#include <asm/stat.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gofer/gofer.h"
#include "kernel/files.h"
#include "kernel/sched.h"
#include "ring0/clock.h"
#include "test/unit/fake_machine.h"
#include "vfs/calls.h"
#include "vfs/internal.h"
#include "vfs/p9/internal.h"

/* <fcntl.h> and <sys/stat.h> do not go together with the kernel's own headers. */
int open(const char *path, int flags, ...);
int mkdir(const char *path, mode_t mode);
int chmod(const char *path, mode_t mode);
int fstat(int fd, struct stat *st);

static char dir[64];
static int gofer_socket;
static pid_t gofer;
static unsigned messages, host_calls;
static bool donate __attribute__((unused)) = true;
static void (*meanwhile)(void); /* once, before the next message of that type goes: what another task does while one waits */
static void (*afterwards)(void); /* likewise, once its reply is there and nobody has looked at it */
static void (*spoil)(uint8_t *reply, size_t n) __attribute__((unused)); /* every reply, before anybody has looked at it */
static uint8_t meanwhile_type;
static bool stream; /* a server that is not ours: diod, over a stream socket */
static int donated[ABI_MAX_FDS];
static struct machine test_machine;
static struct abi_boot test_boot;
static const struct machine *fake_machine_ops;

/* ---- the VMM's part ---- */

static inline int64_t test_host_call(uint32_t op, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	int64_t n;

	host_calls++;
	switch (op) {
	case ABI_CALL_fd_pread:
	case ABI_CALL_fd_fill:
		n = pread(donated[a0], pa_to_va(a1), a2, (off_t)a3);
		return n < 0 ? -errno : n;
	case ABI_CALL_fd_pwrite:
		n = pwrite(donated[a0], pa_to_va(a1), a2, (off_t)a3);
		return n < 0 ? -errno : n;
	case ABI_CALL_fd_truncate:
		return ftruncate(donated[a0], (off_t)a1) ? -errno : 0;
	case ABI_CALL_fd_close:
		ck_assert_int_ge((int)a0, 3);
		ck_assert_int_gt(donated[a0], 0);
		close(donated[a0]);
		donated[a0] = 0;
		return 0;
	case ABI_CALL_fd_stat: {
		struct abi_stat *out = pa_to_va(a1);
		struct stat st;

		ck_assert_int_eq(fstat(donated[a0], &st), 0);
		*out = (struct abi_stat){
			.kind = ABI_FILE_REGULAR,
			.size = (uint64_t)st.st_size,
			.mtime_ns = (int64_t)(st.st_mtime * 1000000000 + st.st_mtime_nsec),
			.ctime_ns = (int64_t)(st.st_ctime * 1000000000 + st.st_ctime_nsec),
			.atime_ns = (int64_t)(st.st_atime * 1000000000 + st.st_atime_nsec),
			.blocks = (uint64_t)st.st_blocks,
		};
		return 0;
	}
	}
	return fake_machine_ops->host_call(op, a0, a1, a2, a3);
}

static inline int64_t receive_from_stream(uint8_t *to, uint64_t room)
{
	uint32_t size;

	ck_assert_int_eq(recv(gofer_socket, to, 4, MSG_WAITALL), 4);
	memcpy(&size, to, 4);
	ck_assert_uint_ge(size, 7);
	ck_assert_uint_le(size, room);
	ck_assert_int_eq(recv(gofer_socket, to + 4, size - 4, MSG_WAITALL), (ssize_t)size - 4);
	return size;
}

static inline void let_others(void (**others)(void))
{
	void (*run)(void) = *others;

	*others = NULL;
	if (run)
		run();
}

static inline int64_t carry_message(const struct abi_sqe *sqe, uint64_t *extra)
{
	char control[CMSG_SPACE(sizeof(int) * ABI_MAX_DONATED)];
	struct iovec iov = {pa_to_va(sqe->gpa2), sqe->len2};
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	uint8_t type = ((const uint8_t *)pa_to_va(sqe->gpa))[4];
	ssize_t n;
	int fd;

	if (type == meanwhile_type)
		let_others(&meanwhile);
	messages++;
	ck_assert_int_eq(send(gofer_socket, pa_to_va(sqe->gpa), sqe->len, 0), (ssize_t)sqe->len);
	if (stream)
		return receive_from_stream(pa_to_va(sqe->gpa2), sqe->len2);
	n = recvmsg(gofer_socket, &message, MSG_CMSG_CLOEXEC);
	ck_assert_int_gt(n, 0);
	struct cmsghdr *fds = CMSG_FIRSTHDR(&message);
	for (size_t k = 0; fds && k < (fds->cmsg_len - CMSG_LEN(0)) / sizeof(int); k++) {
		memcpy(&fd, CMSG_DATA(fds) + k * sizeof(int), sizeof(fd));
		if (donate) {
			uint32_t i = 3;
			while (donated[i])
				i++;
			donated[i] = fd;
			memcpy((char *)pa_to_va(sqe->gpa2) + n + k * sizeof(i), &i, sizeof(i));
			*extra = k + 1;
		} else {
			close(fd);
		}
	}
	if (spoil)
		spoil(pa_to_va(sqe->gpa2), (size_t)n);
	if (type == meanwhile_type)
		let_others(&afterwards);
	return n;
}

static inline void test_ring_notify(bool seen)
{
	struct abi_ring *ring = pa_to_va(test_boot.ring_gpa);

	while (ring->sq_head != ring->sq_tail) {
		struct abi_sqe sqe = ring->sq[ring->sq_head++ % ABI_RING_ENTRIES];
		struct abi_cqe cqe = {.cookie = sqe.cookie};

		if (sqe.op == ABI_RING_event)
			continue;
		if (sqe.op == ABI_RING_p9)
			cqe.res = carry_message(&sqe, &cqe.extra);
		else if (sqe.op == ABI_RING_fsync)
			cqe.res = fsync(donated[sqe.fd]) ? -errno : 0;
		else
			cqe.res = -ENOSYS;
		ring->cq[ring->cq_tail++ % ABI_RING_ENTRIES] = cqe;
	}
}

/* ---- set-up ---- */

static inline void host_file(const char *name, const char *text)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static inline void host_dir(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_assert_int_eq(mkdir(path, 0755), 0);
}

/* The host's content of a file, or NULL. */
static inline char *host_read(const char *name, size_t *size)
{
	static char text[1 << 20];
	char path[512];
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return NULL;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	ck_assert_int_ge(n, 0);
	text[n] = 0;
	if (size)
		*size = (size_t)n;
	return text;
}

static inline void start_gofer(void)
{
	int pair[2], root;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	gofer = fork();
	ck_assert_int_ge(gofer, 0);
	if (gofer == 0) {
		close(pair[0]);
		root = open(dir, O_PATH | O_DIRECTORY);
		struct gofer_tree trees[] = {{.name = "0", .fd = root}, {.name = "1", .fd = root}, {.name = "2", .fd = root, .readonly = true}};
		struct gofer_options options = {.socket_fd = pair[1], .trees = trees, .tree_count = 3, .no_jail = true};
		_exit(gofer_main(&options) ? 1 : 0);
	}
	close(pair[1]);
	gofer_socket = pair[0];
}

/* Debian's 9P server, which knows nothing of our extension. */
static inline void start_diod(void)
{
	char number[16];
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	gofer = fork();
	ck_assert_int_ge(gofer, 0);
	if (gofer == 0) {
		close(pair[0]);
		snprintf(number, sizeof(number), "%d", pair[1]);
		execlp("diod", "diod", "-f", "-n", "-N", "--rfdno", number, "--wfdno", number, "-e", dir, "-L", "/dev/null", NULL);
		_exit(127);
	}
	close(pair[1]);
	gofer_socket = pair[0];
}

static inline void mount_root(uint32_t number)
{
	static struct fs_context fs = {.refs = 1};
	struct mount_args args = {.source = stream ? dir : "/", .data = "", .gofer = number};
	const struct fs_type *type;
	struct superblock *sb;
	struct mount *mount;

	dentry_cache_init();
	fs_types_init();
	p9fs_init();
	type = fs_find("9p");
	ck_assert_int_eq(type->mount(type, &args, &sb), 0);
	mount = mount_create(sb, sb->root, "/", 0);
	ck_assert_int_eq(mount_attach(mount, NULL), 0);
	fs.root = fs.cwd = (struct path){mount, mount->root};
	fs.umask = 0;
	path_get(&fs.root);
	path_get(&fs.cwd);
	fake_task.fs = &fs;
	fake_task.files = fd_table_create();
}

static inline void boot_with(uint32_t number)
{
	static struct cred cred = {.refs = 1000, .user_ns = &fake_user_ns, .cap_effective = ~0ull, .cap_permitted = ~0ull};

	strcpy(dir, "/tmp/p9-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	host_file("hello", "hello from the host");
	host_dir("sub");
	host_file("sub/a", "aaaa");
	host_file("sub/b", "bb");
	host_dir("sub/deeper");
	host_file("sub/deeper/c", "c");
	if (stream)
		start_diod();
	else
		start_gofer();
	fake_boot(64, 256);
	fake_machine_ops = machine;
	test_machine = *machine;
	test_machine.host_call = test_host_call;
	test_machine.ring_notify = test_ring_notify;
	machine = &test_machine;
	fake_task.cred = &cred;
	fake_ring(&test_boot);
	mount_root(number);
	messages = host_calls = 0;
}

static inline void finish(void)
{
	int status;

	close(gofer_socket);
	ck_assert_int_eq(waitpid(gofer, &status, 0), gofer);
	if (!stream)
		ck_assert_int_eq(status, 0);
	char command[100];
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static inline void boot_exclusive(void)
{
	boot_with(0);
}

static inline void boot_shared(void)
{
	boot_with(1);
}

/* ---- shorthands ---- */

static inline struct file *open_file(const char *name, unsigned flags)
{
	struct file *file;
	int rc = vfs_open(AT_FDCWD, name, flags, 0644, 0, &file);

	ck_assert_msg(rc == 0, "open %s: %d", name, rc);
	return file;
}

static inline void close_file(struct file *file)
{
	if (file->ops->flush)
		ck_assert_int_eq(file->ops->flush(file), 0);
	file_put(file);
}

static inline void check_text(const char *name, const char *expect)
{
	struct file *file = open_file(name, O_RDONLY);
	char text[256] = {0};

	ck_assert_int_eq(file_read_kernel(file, text, sizeof(text) - 1, 0), (int64_t)strlen(expect));
	ck_assert_str_eq(text, expect);
	close_file(file);
}

static inline void put_text(struct file *file, const char *text, uint64_t pos)
{
	ck_assert_int_eq(file->ops->write_kernel(file, text, strlen(text), &pos), (int64_t)strlen(text));
}

static inline int get_stat(const char *name, struct kstat *st)
{
	struct path path;
	int rc = path_lookup(AT_FDCWD, name, 0, &path);

	if (rc)
		return rc;
	rc = vfs_getattr_path(&path, st);
	p9fs_inode_check(p9fs_i(path.dentry->inode));
	path_put(&path);
	return rc;
}

#endif
