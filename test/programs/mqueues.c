/* POSIX message queues (mq_overview(7)): order, limits, waiting, notification, the file system's view, permissions. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "harness.h"

#define NAME "/test-of-queues"

static mqd_t make(long maxmsg, long msgsize, int flags)
{
	struct mq_attr attr = {.mq_maxmsg = maxmsg, .mq_msgsize = msgsize};

	mq_unlink(NAME);
	return mq_open(NAME, O_CREAT | O_EXCL | O_RDWR | flags, 0600, &attr);
}

static int child(int (*fn)(mqd_t q), mqd_t q)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn(q));
	usleep(50000);
	return pid;
}

static int status_of(pid_t pid)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid ? status : -1;
}

static void names(void)
{
	struct mq_attr bad = {.mq_maxmsg = 0, .mq_msgsize = 10};
	mqd_t q;

	mq_unlink(NAME);
	CHECK_ERRNO(mq_open(NAME, O_RDWR), ENOENT);
	CHECK_ERRNO(mq_unlink(NAME), ENOENT);
	CHECK_ERRNO(syscall(SYS_mq_open, "a/b", O_RDWR | O_CREAT, 0600, NULL), EACCES);
	CHECK_ERRNO(syscall(SYS_mq_open, "", O_RDWR | O_CREAT, 0600, NULL), ENOENT);
	CHECK_ERRNO(mq_open(NAME, O_RDWR | O_CREAT, 0600, &bad), EINVAL);
	q = make(4, 16, 0);
	CHECK(q >= 0);
	CHECK(fcntl(q, F_GETFD) == FD_CLOEXEC);
	CHECK_ERRNO(mq_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600, NULL), EEXIST);
	mqd_t second = mq_open(NAME, O_RDONLY);
	CHECK(second >= 0);
	CHECK_ERRNO(mq_send(second, "x", 1, 0), EBADF);
	CHECK(mq_unlink(NAME) == 0);
	CHECK(mq_send(q, "x", 1, 0) == 0); /* goes on without a name */
	char buf[16];
	CHECK(mq_receive(second, buf, sizeof(buf), NULL) == 1);
	mq_close(second);
	mq_close(q);
	CHECK_ERRNO(mq_send(q, "x", 1, 0), EBADF);
	CHECK_ERRNO(mq_send(1, "x", 1, 0), EBADF); /* no queue */
}

static void order(void)
{
	static const struct {
		const char *text;
		unsigned priority;
	} in[] = {{"a", 1}, {"b", 5}, {"c", 1}, {"d", 5}, {"", 0}, {"e", 32767}};
	static const char *const out[] = {"e", "b", "d", "a", "c", ""};
	mqd_t q = make(10, 32, 0);
	struct mq_attr attr;
	unsigned priority;
	char buf[32];

	for (unsigned i = 0; i < 6; i++)
		CHECK(mq_send(q, in[i].text, strlen(in[i].text), in[i].priority) == 0);
	CHECK_ERRNO(mq_send(q, "x", 1, 32768), EINVAL);
	CHECK_ERRNO(mq_send(q, "123456789012345678901234567890123", 33, 1), EMSGSIZE);
	CHECK_ERRNO(mq_receive(q, buf, 31, NULL), EMSGSIZE);
	CHECK(mq_getattr(q, &attr) == 0 && attr.mq_curmsgs == 6 && attr.mq_maxmsg == 10 && attr.mq_msgsize == 32 &&
		attr.mq_flags == 0);
	for (unsigned i = 0; i < 6; i++) {
		ssize_t n = mq_receive(q, buf, sizeof(buf), &priority);
		CHECK(n == (ssize_t)strlen(out[i]) && memcmp(buf, out[i], (size_t)n) == 0);
	}
	CHECK(priority == 0);
	mq_close(q);
}

static void full_and_empty(void)
{
	struct timespec past = {1, 0}, soon, bad = {0, 1000000000};
	mqd_t q = make(2, 8, O_NONBLOCK);
	struct mq_attr attr = {0}, old;
	char buf[8];

	CHECK_ERRNO(mq_receive(q, buf, 8, NULL), EAGAIN);
	CHECK(mq_send(q, "1", 1, 0) == 0);
	CHECK(mq_send(q, "2", 1, 0) == 0);
	CHECK_ERRNO(mq_send(q, "3", 1, 0), EAGAIN);
	struct pollfd p = {q, POLLIN | POLLOUT, 0};
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLIN);
	CHECK(mq_setattr(q, &attr, &old) == 0 && old.mq_flags == O_NONBLOCK && old.mq_curmsgs == 2);
	CHECK(!(fcntl(q, F_GETFL) & O_NONBLOCK));
	attr.mq_flags = O_APPEND;
	CHECK_ERRNO(mq_setattr(q, &attr, NULL), EINVAL);
	CHECK_ERRNO(mq_timedsend(q, "3", 1, 0, &past), ETIMEDOUT);
	CHECK_ERRNO(mq_timedsend(q, "3", 1, 0, &bad), EINVAL);
	CHECK(mq_timedreceive(q, buf, 8, NULL, &past) == 1);
	CHECK(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLOUT));
	CHECK(mq_receive(q, buf, 8, NULL) == 1);
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_nsec += 20000000;
	if (soon.tv_nsec >= 1000000000) {
		soon.tv_sec++;
		soon.tv_nsec -= 1000000000;
	}
	CHECK_ERRNO(mq_timedreceive(q, buf, 8, NULL, &soon), ETIMEDOUT);
	mq_close(q);
}

static int receive_one(mqd_t q)
{
	char buf[8];

	return mq_receive(q, buf, 8, NULL) == 2 && memcmp(buf, "hi", 2) == 0 ? 7 : 1;
}

static int send_one(mqd_t q)
{
	return mq_send(q, "late", 4, 0) == 0 ? 7 : 1;
}

static void on_signal(int signo)
{
}

static void waiting(void)
{
	mqd_t q = make(1, 8, 0);
	char buf[8];
	pid_t pid = child(receive_one, q);

	CHECK(mq_send(q, "hi", 2, 0) == 0);
	CHECK(status_of(pid) == 7 << 8);
	CHECK(mq_send(q, "full", 4, 0) == 0);
	pid = child(send_one, q);
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	CHECK(mq_receive(q, buf, 8, NULL) == 4);
	CHECK(status_of(pid) == 7 << 8);
	CHECK(mq_receive(q, buf, 8, NULL) == 4);
	struct sigaction action = {.sa_handler = on_signal};
	struct itimerval soon = {.it_value = {0, 20000}};
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	CHECK_ERRNO(mq_receive(q, buf, 8, NULL), EINTR);
	mq_close(q);
}

static volatile sig_atomic_t told, told_value, told_code;

static void on_message(int signo, siginfo_t *info, void *context)
{
	told++;
	told_value = info->si_value.sival_int;
	told_code = info->si_code;
}

static int register_too(mqd_t q)
{
	struct sigevent event = {.sigev_notify = SIGEV_NONE};

	return mq_notify(q, &event) == -1 && errno == EBUSY ? 7 : 1;
}

static void notification(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42};
	struct sigaction action = {.sa_sigaction = on_message, .sa_flags = SA_SIGINFO};
	mqd_t q = make(4, 8, 0);
	char buf[8];

	sigaction(SIGUSR1, &action, NULL);
	CHECK(mq_notify(q, &event) == 0);
	CHECK_ERRNO(mq_notify(q, &event), EBUSY);
	CHECK(status_of(child(register_too, q)) == 7 << 8);
	CHECK(mq_send(q, "1", 1, 0) == 0);
	CHECK(told == 1 && told_value == 42 && told_code == SI_MESGQ);
	CHECK(mq_send(q, "2", 1, 0) == 0);
	CHECK(told == 1); /* only once */
	CHECK(mq_notify(q, &event) == 0);
	CHECK(mq_send(q, "3", 1, 0) == 0);
	CHECK(told == 1); /* it was not empty */
	CHECK(mq_notify(q, NULL) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(mq_receive(q, buf, 8, NULL) == 1);
	CHECK(mq_send(q, "4", 1, 0) == 0);
	CHECK(told == 1);
	event.sigev_signo = 100;
	CHECK_ERRNO(mq_notify(q, &event), EINVAL);
	mq_close(q);
}

static volatile int thread_told;

static void in_thread(union sigval value)
{
	thread_told = value.sival_int;
}

/* The C library's SIGEV_THREAD: its helper reads from a netlink socket. Then the kernel's side of it. */
static void notification_by_thread(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = in_thread, .sigev_value.sival_int = 43};
	char cookie[32] = "cookie", got[64];
	int fd = socket(AF_NETLINK, SOCK_RAW, 0), other = socket(AF_UNIX, SOCK_STREAM, 0);
	mqd_t q = make(4, 8, 0);

	CHECK(mq_notify(q, &event) == 0);
	CHECK_ERRNO(mq_notify(q, &event), EBUSY);
	CHECK(mq_send(q, "1", 1, 0) == 0);
	for (int i = 0; i < 5000 && !thread_told; i++)
		sleep_ms(1);
	CHECK(thread_told == 43);
	CHECK(mq_receive(q, got, 8, NULL) == 1);

	struct {
		uint64_t value;
		int signo, notify;
		char rest[48];
	} raw = {(uintptr_t)cookie, fd, SIGEV_THREAD, ""};
	CHECK(syscall(SYS_mq_notify, q, &raw) == 0);
	CHECK(recv(fd, got, sizeof(got), MSG_DONTWAIT) == -1 && errno == EAGAIN);
	CHECK(mq_send(q, "1", 1, 0) == 0);
	CHECK(recv(fd, got, sizeof(got), MSG_DONTWAIT) == 32 && !memcmp(got, cookie, 31) && got[31] == 1);
	CHECK(syscall(SYS_mq_notify, q, &raw) == 0 && syscall(SYS_mq_notify, q, NULL) == 0);
	CHECK(recv(fd, got, sizeof(got), MSG_DONTWAIT) == 32 && !memcmp(got, cookie, 31) && got[31] == 2);
	raw.signo = other;
	CHECK_ERRNO(syscall(SYS_mq_notify, q, &raw), EINVAL);
	raw.signo = 999;
	CHECK_ERRNO(syscall(SYS_mq_notify, q, &raw), EBADF);
	raw.signo = (int)q;
	CHECK_ERRNO(syscall(SYS_mq_notify, q, &raw), ENOTSOCK);
	raw = (typeof(raw)){16, fd, SIGEV_THREAD, ""};
	CHECK_ERRNO(syscall(SYS_mq_notify, q, &raw), EFAULT);
	raw.value = (uintptr_t)cookie;
	CHECK(syscall(SYS_mq_notify, q, &raw) == 0);
	mq_close(q);
	CHECK(recv(fd, got, sizeof(got), MSG_DONTWAIT) == 32 && got[31] == 2);
	close(fd);
	close(other);
}

static void limits(void)
{
	struct rlimit limit = {1000, 1000};
	struct mq_attr attr = {.mq_maxmsg = 10, .mq_msgsize = 100};

	mq_unlink(NAME);
	pid_t pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_MSGQUEUE, &limit);
		_exit(mq_open(NAME, O_CREAT | O_RDWR, 0600, &attr) == -1 && errno == EMFILE ? 7 : 1);
	}
	CHECK(status_of(pid) == 7 << 8);
	pid = fork();
	if (pid == 0) {
		if (setresuid(1234, 1234, 1234))
			_exit(2);
		attr.mq_maxmsg = 1000;
		_exit(mq_open(NAME, O_CREAT | O_RDWR, 0600, &attr) == -1 && errno == EINVAL ? 7 : 1);
	}
	CHECK(status_of(pid) == 7 << 8);
}

/* What a queue takes is its maker's until it is gone, whether it has a name or not. */
static int charged_without_a_name(void)
{
	struct rlimit limit = {3000, 3000};
	struct mq_attr attr = {.mq_maxmsg = 10, .mq_msgsize = 100};

	if (setresuid(4321, 4321, 4321) || setrlimit(RLIMIT_MSGQUEUE, &limit))
		return 2;
	mqd_t first = mq_open("/charged", O_CREAT | O_RDWR, 0600, &attr);
	if (first == -1 || mq_unlink("/charged"))
		return 3;
	if (mq_open("/charged", O_CREAT | O_RDWR, 0600, &attr) != -1 || errno != EMFILE)
		return 4;
	mq_close(first);
	first = mq_open("/charged", O_CREAT | O_RDWR, 0600, &attr);
	return first == -1 || mq_unlink("/charged") ? 5 : 7;
}

static void charges(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(charged_without_a_name());
	CHECK(status_of(pid) == 7 << 8);
}

static int open_as_other(mqd_t q)
{
	if (setresgid(1234, 1234, 1234) || setresuid(1234, 1234, 1234))
		return 2;
	if (mq_open(NAME, O_RDWR) != -1 || errno != EACCES)
		return 3;
	if (mq_unlink(NAME) != -1 || (errno != EPERM && errno != EACCES))
		return 4;
	return mq_open(NAME, O_RDONLY) >= 0 ? 7 : 5;
}

static void permissions(void)
{
	mqd_t q = make(4, 8, 0);
	struct stat st;

	CHECK(fstat(q, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0600 && st.st_size == 80);
	CHECK(fchmod(q, 0604) == 0);
	CHECK(status_of(child(open_as_other, q)) == 7 << 8);
	mq_close(q);
	mq_unlink(NAME);
}

int main(void)
{
	harness_start();
	names();
	order();
	full_and_empty();
	waiting();
	notification();
	notification_by_thread();
	limits();
	charges();
	permissions();
	return CHECK_RESULT();
}
