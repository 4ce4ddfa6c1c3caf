/* Seccomp notifications (seccomp_unotify(2)): a supervisor answers a child's calls, lets them pass, gives it files. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "harness.h"

/* mkdirat and getppid are told of. */
static int listen_here(unsigned flags)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdirat, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {5, program};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

static void send_fd(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct iovec iov = {"x", 1};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	sendmsg(socket, &message, 0);
}

static int receive_fd(int socket)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	int fd = -1;

	if (recvmsg(socket, &message, 0) == 1 && message.msg_controllen)
		memcpy(&fd, CMSG_DATA(&control.header), sizeof(int));
	return fd;
}

/* A child with the filter that runs fn; its listener in *listener. */
static pid_t supervise(int (*fn)(void), unsigned flags, int *listener)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		int fd = listen_here(SECCOMP_FILTER_FLAG_NEW_LISTENER | flags);

		if (fd < 0 || fcntl(fd, F_GETFD) != FD_CLOEXEC)
			_exit(100);
		send_fd(pair[1], fd);
		close(fd);
		_exit(fn());
	}
	*listener = receive_fd(pair[0]);
	close(pair[0]);
	close(pair[1]);
	return pid;
}

static int status_of(pid_t pid)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid ? status : -1;
}

static int child_answers(void)
{
	if (mkdirat(AT_FDCWD, "/nonexistent/x", 0700) != -1 || errno != ENOSPC)
		return 1;
	if (syscall(SYS_getppid) != 4242)
		return 2;
	if (mkdirat(AT_FDCWD, "/nonexistent/x", 0700) != -1 || errno != ENOENT) /* made after all */
		return 3;
	return 7;
}

static struct seccomp_notif receive(int listener)
{
	struct seccomp_notif notif = {0};

	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notif) == 0);
	return notif;
}

static int reply(int listener, struct seccomp_notif_resp resp)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

static void answers(void)
{
	int listener;
	pid_t pid = supervise(child_answers, 0, &listener);
	struct seccomp_notif dirty = {.id = 1};
	struct pollfd p = {listener, POLLIN | POLLOUT, 0};

	CHECK(listener >= 0);
	CHECK_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &dirty), EINVAL);
	CHECK(poll(&p, 1, 5000) == 1 && p.revents == POLLIN);
	struct seccomp_notif notif = receive(listener);
	CHECK(notif.data.nr == SYS_mkdirat && notif.pid == (unsigned)pid && notif.data.args[2] == 0700);
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &notif.id) == 0);
	uint64_t other = notif.id + 5;
	CHECK_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &other), ENOENT);
	CHECK_ERRNO(reply(listener, (struct seccomp_notif_resp){.id = other}), ENOENT);
	CHECK_ERRNO(reply(listener, (struct seccomp_notif_resp){.id = notif.id, .flags = 8}), EINVAL);
	CHECK_ERRNO(reply(listener, (struct seccomp_notif_resp){.id = notif.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE, .val = 1}),
		EINVAL);
	CHECK(reply(listener, (struct seccomp_notif_resp){.id = notif.id, .error = -ENOSPC}) == 0);
	notif = receive(listener);
	CHECK(notif.data.nr == SYS_getppid);
	CHECK(reply(listener, (struct seccomp_notif_resp){.id = notif.id, .val = 4242}) == 0);
	notif = receive(listener);
	CHECK(reply(listener, (struct seccomp_notif_resp){.id = notif.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE}) == 0);
	CHECK(status_of(pid) == 7 << 8);
	CHECK(poll(&p, 1, 5000) == 1 && p.revents & POLLHUP);
	close(listener);
}

static int child_file(void)
{
	char byte = 0;
	int fd = mkdirat(AT_FDCWD, "/x", 0), second = (int)syscall(SYS_getppid);

	if (fd < 0 || read(fd, &byte, 1) != 1 || byte != 'p')
		return 1;
	return second == 50 && fcntl(50, F_GETFD) == FD_CLOEXEC ? 7 : 2;
}

static void files(void)
{
	int listener, ends[2];
	pid_t pid = supervise(child_file, 0, &listener);

	CHECK(pipe(ends) == 0 && write(ends[1], "p", 1) == 1);
	struct seccomp_notif notif = receive(listener);
	struct seccomp_notif_addfd add = {.id = notif.id, .srcfd = (unsigned)ends[0], .newfd = 9};
	CHECK_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add), EINVAL);
	add.newfd = 0;
	add.srcfd = 999;
	CHECK_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add), EBADF);
	add.srcfd = (unsigned)ends[0];
	int fd = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
	CHECK(fd >= 3);
	CHECK(reply(listener, (struct seccomp_notif_resp){.id = notif.id, .val = fd}) == 0);
	notif = receive(listener);
	add = (struct seccomp_notif_addfd){.id = notif.id, .srcfd = (unsigned)ends[0], .newfd = 50, .newfd_flags = O_CLOEXEC,
		.flags = SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND};
	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) == 50);
	CHECK(status_of(pid) == 7 << 8);
	close(listener);
}

static int child_unheard(void)
{
	return mkdirat(AT_FDCWD, "/x", 0) == -1 && errno == ENOSYS && syscall(SYS_getppid) == -1 && errno == ENOSYS ? 7 : 1;
}

static void nobody_listens(void)
{
	int listener;
	pid_t pid = supervise(child_unheard, 0, &listener);

	usleep(50000); /* it waits by now */
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	close(listener);
	CHECK(status_of(pid) == 7 << 8);
}

static void on_signal(int signo)
{
}

static int child_interrupted(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGUSR1, &action, NULL);
	return mkdirat(AT_FDCWD, "/x", 0) == -1 && errno == EINTR ? 7 : 1;
}

static void interrupted(void)
{
	int listener;
	pid_t pid = supervise(child_interrupted, 0, &listener);
	struct seccomp_notif notif = receive(listener);

	kill(pid, SIGUSR1);
	CHECK(status_of(pid) == 7 << 8);
	CHECK_ERRNO(reply(listener, (struct seccomp_notif_resp){.id = notif.id}), ENOENT);
	CHECK_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &notif.id), ENOENT);
	close(listener);
	/* A kill ends it in every state. */
	pid = supervise(child_interrupted, 0, &listener);
	notif = receive(listener);
	kill(pid, SIGKILL);
	CHECK(status_of(pid) == SIGKILL);
	close(listener);
}

static void flags(void)
{
	struct seccomp_notif_sizes sizes = {0};

	CHECK(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0);
	CHECK(sizes.seccomp_notif == sizeof(struct seccomp_notif) && sizes.seccomp_notif_resp == sizeof(struct seccomp_notif_resp) &&
		sizes.seccomp_data == sizeof(struct seccomp_data));
	pid_t pid = fork();
	if (pid == 0) {
		if (listen_here(SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC) != -1 || errno != EINVAL)
			_exit(1);
		if (listen_here(0))
			_exit(2);
		if (syscall(SYS_getppid) != -1 || errno != ENOSYS) /* no listener at all */
			_exit(3);
		if (listen_here(SECCOMP_FILTER_FLAG_NEW_LISTENER) < 0)
			_exit(4);
		if (listen_here(SECCOMP_FILTER_FLAG_NEW_LISTENER) != -1 || errno != EBUSY)
			_exit(5);
		_exit(7);
	}
	CHECK(status_of(pid) == 7 << 8);
}

int main(void)
{
	harness_start();
	answers();
	files();
	nobody_listens();
	interrupted();
	flags();
	return CHECK_RESULT();
}
