/*
 * epoll, eventfd, timerfd, signalfd, pidfd, inotify.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "harness.h"

static int add(int ep, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event e = {.events = events, .data.u64 = data};

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

static int mod(int ep, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event e = {.events = events, .data.u64 = data};

	return epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e);
}

static void levels(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), fds[2];
	struct epoll_event e[4];
	char c;

	CHECK(ep >= 0 && pipe(fds) == 0);
	CHECK(add(ep, fds[0], EPOLLIN, 11) == 0 && add(ep, fds[1], EPOLLOUT, 22) == 0);
	CHECK_ERRNO(add(ep, fds[0], EPOLLIN, 1), EEXIST);
	CHECK_ERRNO(add(ep, ep, EPOLLIN, 1), EINVAL);
	CHECK_ERRNO(add(ep, 999, EPOLLIN, 1), EBADF);
	CHECK_ERRNO(epoll_ctl(fds[0], EPOLL_CTL_ADD, fds[1], e), EINVAL);
	CHECK_ERRNO(epoll_wait(ep, e, 0, 0), EINVAL);
	CHECK(epoll_wait(ep, e, 4, 0) == 1 && e[0].data.u64 == 22 && e[0].events == EPOLLOUT);
	CHECK(write(fds[1], "ab", 2) == 2);
	CHECK(epoll_wait(ep, e, 4, -1) == 2);
	CHECK(epoll_wait(ep, e, 1, -1) == 1); /* and the others are not forgotten */
	CHECK(epoll_wait(ep, e, 4, -1) == 2);
	CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, fds[1], NULL) == 0);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_DEL, fds[1], NULL), ENOENT);
	CHECK(read(fds[0], &c, 1) == 1);
	CHECK(epoll_wait(ep, e, 4, -1) == 1 && e[0].data.u64 == 11);
	CHECK(read(fds[0], &c, 1) == 1);
	CHECK(epoll_wait(ep, e, 4, 0) == 0);
	close(fds[1]);
	CHECK(epoll_wait(ep, e, 4, 0) == 1 && e[0].events == EPOLLHUP);
	close(fds[0]); /* leaves the set by itself */
	CHECK(epoll_wait(ep, e, 4, 0) == 0);
	int file = open("/etc/passwd", O_RDONLY);
	CHECK_ERRNO(add(ep, file, EPOLLIN, 1), EPERM);
	close(file);
	close(ep);
}

static void edges(void)
{
	int ep = epoll_create1(0), fds[2];
	struct epoll_event e[4];

	CHECK(pipe(fds) == 0);
	CHECK(add(ep, fds[0], EPOLLIN | EPOLLET, 1) == 0);
	CHECK(epoll_wait(ep, e, 4, 0) == 0);
	CHECK(write(fds[1], "a", 1) == 1);
	CHECK(epoll_wait(ep, e, 4, 0) == 1);
	CHECK(epoll_wait(ep, e, 4, 0) == 0);
	CHECK(write(fds[1], "b", 1) == 1);
	CHECK(epoll_wait(ep, e, 4, 0) == 1);
	CHECK(mod(ep, fds[0], EPOLLIN | EPOLLONESHOT, 2) == 0);
	CHECK(epoll_wait(ep, e, 4, 0) == 1 && e[0].data.u64 == 2);
	CHECK(epoll_wait(ep, e, 4, 0) == 0);
	CHECK(write(fds[1], "c", 1) == 1 && epoll_wait(ep, e, 4, 0) == 0);
	CHECK(mod(ep, fds[0], EPOLLIN | EPOLLONESHOT, 3) == 0);
	CHECK(epoll_wait(ep, e, 4, 0) == 1 && e[0].data.u64 == 3);
	close(ep);
	close(fds[0]);
	close(fds[1]);
}

static void nested(void)
{
	int chain[7], fds[2];
	struct epoll_event e;
	struct pollfd p;

	CHECK(pipe(fds) == 0);
	for (int i = 0; i < 7; i++)
		chain[i] = epoll_create1(0);
	CHECK(add(chain[0], fds[0], EPOLLIN, 1) == 0);
	CHECK(add(chain[1], chain[0], EPOLLIN, 2) == 0);
	CHECK_ERRNO(add(chain[0], chain[1], EPOLLIN, 3), ELOOP);
	CHECK(epoll_wait(chain[1], &e, 1, 0) == 0);
	CHECK(write(fds[1], "x", 1) == 1);
	CHECK(epoll_wait(chain[1], &e, 1, 1000) == 1 && e.data.u64 == 2);
	p = (struct pollfd){chain[1], POLLIN, 0};
	CHECK(poll(&p, 1, 0) == 1);
	int depth = 1;
	while (depth < 6 && add(chain[depth + 1], chain[depth], EPOLLIN, 4) == 0)
		depth++;
	CHECK(depth < 6); /* Linux stops at a depth of five */
	for (int i = 0; i < 7; i++)
		close(chain[i]);
	close(fds[0]);
	close(fds[1]);
}

static int thread_ep, thread_pipe[2];

static void *wait_one(void *arg)
{
	struct epoll_event e;

	return (void *)(intptr_t)epoll_wait(thread_ep, &e, 1, 5000);
}

static void threads(void)
{
	pthread_t t[4];
	int woken = 0;

	thread_ep = epoll_create1(0);
	CHECK(pipe(thread_pipe) == 0 && add(thread_ep, thread_pipe[0], EPOLLIN, 1) == 0);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, wait_one, NULL);
	sleep_ms(20);
	CHECK(write(thread_pipe[1], "x", 1) == 1);
	for (int i = 0; i < 4; i++) {
		void *rc;

		pthread_join(t[i], &rc);
		woken += rc == (void *)1;
	}
	CHECK(woken == 4); /* level-triggered and never read: each sees it */
	close(thread_ep);
	close(thread_pipe[0]);
	close(thread_pipe[1]);
}

static void eventfds(void)
{
	int fd = eventfd(3, EFD_NONBLOCK);
	uint64_t v = 4;
	struct pollfd p = {fd, POLLIN | POLLOUT, 0};

	CHECK(write(fd, &v, 8) == 8);
	CHECK(read(fd, &v, 8) == 8 && v == 7);
	CHECK_ERRNO(read(fd, &v, 8), EAGAIN);
	CHECK_ERRNO(read(fd, &v, 4), EINVAL);
	v = UINT64_MAX;
	CHECK_ERRNO(write(fd, &v, 8), EINVAL);
	v = UINT64_MAX - 1;
	CHECK(write(fd, &v, 8) == 8);
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLIN);
	v = 1;
	CHECK_ERRNO(write(fd, &v, 8), EAGAIN);
	close(fd);
	fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	CHECK(read(fd, &v, 8) == 8 && v == 1 && read(fd, &v, 8) == 8 && v == 1);
	CHECK_ERRNO(read(fd, &v, 8), EAGAIN);
	close(fd);
}

static void timerfds(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct itimerspec t = {{0, 10000000}, {0, 20000000}}, now;
	uint64_t ticks;
	struct pollfd p = {fd, POLLIN, 0};

	CHECK(timerfd_settime(fd, 0, &t, NULL) == 0);
	CHECK_ERRNO(read(fd, &ticks, 8), EAGAIN);
	CHECK(timerfd_gettime(fd, &now) == 0 && now.it_interval.tv_nsec == 10000000 && now.it_value.tv_nsec <= 20000000);
	CHECK(poll(&p, 1, 2000) == 1);
	CHECK(read(fd, &ticks, 8) == 8 && ticks >= 1);
	sleep_ms(55);
	CHECK(read(fd, &ticks, 8) == 8 && ticks >= 4);
	t = (struct itimerspec){{0, 0}, {0, 0}};
	CHECK(timerfd_settime(fd, 0, &t, &now) == 0 && now.it_interval.tv_nsec == 10000000);
	CHECK(poll(&p, 1, 30) == 0);
	struct timespec abs;
	clock_gettime(CLOCK_MONOTONIC, &abs);
	t.it_value = abs; /* in the past already */
	CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL) == 0);
	CHECK(poll(&p, 1, 2000) == 1 && read(fd, &ticks, 8) == 8 && ticks == 1);
	CHECK_ERRNO(timerfd_settime(fd, 99, &t, NULL), EINVAL);
	CHECK_ERRNO(timerfd_create(77, 0), EINVAL);
	close(fd);
}

static void signalfds(void)
{
	sigset_t set, old;
	struct signalfd_siginfo info;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	int fd = signalfd(-1, &set, SFD_NONBLOCK), ep = epoll_create1(0);
	struct epoll_event e;

	CHECK(fd >= 0 && add(ep, fd, EPOLLIN, 5) == 0);
	CHECK_ERRNO(read(fd, &info, sizeof(info)), EAGAIN);
	kill(getpid(), SIGUSR1);
	CHECK(epoll_wait(ep, &e, 1, 1000) == 1);
	CHECK(read(fd, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGUSR1 && info.ssi_pid == (uint32_t)getpid());
	pid_t pid = fork();
	if (pid == 0)
		_exit(9);
	CHECK(epoll_wait(ep, &e, 1, 2000) == 1);
	CHECK(read(fd, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGCHLD && info.ssi_status == 9);
	waitpid(pid, NULL, 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(fd);
	close(ep);
}

/* An epoll set with a signalfd outlives the process that put it there. */
static void inherited(void)
{
	int ready[2], status;

	CHECK(pipe(ready) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		sigset_t set;
		struct epoll_event e;

		sigemptyset(&set);
		sigaddset(&set, SIGUSR2);
		sigprocmask(SIG_BLOCK, &set, NULL);
		int fd = signalfd(-1, &set, 0), ep = epoll_create1(0);
		if (add(ep, fd, EPOLLIN, 1))
			_exit(1);
		if (fork() == 0) {
			sleep_ms(50);
			raise(SIGUSR2);
			(void)!epoll_wait(ep, &e, 1, 10);
			_exit(write(ready[1], "d", 1) != 1);
		}
		_exit(0);
	}
	close(ready[1]);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	char c;
	CHECK(read(ready[0], &c, 1) == 1);
	close(ready[0]);
}

static void pidfds(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		sleep_ms(30);
		_exit(3);
	}
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {fd, POLLIN, 0};
	siginfo_t info;

	CHECK(fd >= 0);
	CHECK(poll(&p, 1, 0) == 0);
	CHECK(poll(&p, 1, 5000) == 1 && p.revents & POLLIN);
	CHECK(waitid(P_PIDFD, (id_t)fd, &info, WEXITED) == 0 && info.si_status == 3);
	CHECK_ERRNO(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), ESRCH);
	close(fd);
	CHECK_ERRNO(syscall(SYS_pidfd_open, pid, 0), ESRCH);
}

static const struct inotify_event *next_event(int fd, char *buf, size_t size, char **at, char **end)
{
	if (*at >= *end) {
		ssize_t n = read(fd, buf, size);

		if (n <= 0)
			return NULL;
		*at = buf;
		*end = buf + n;
	}
	const struct inotify_event *e = (const struct inotify_event *)*at;
	*at += sizeof(*e) + e->len;
	return e;
}

static void inotifies(void)
{
	static char buf[4096] __attribute__((aligned(8)));
	char dir[] = "/tmp/inotify-XXXXXX", name[64], *at = NULL, *end = NULL;
	int fd = inotify_init1(IN_NONBLOCK);
	const struct inotify_event *e;

	CHECK(mkdtemp(dir) != NULL);
	snprintf(name, sizeof(name), "%s/file", dir);
	int wd = inotify_add_watch(fd, dir, IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO);
	CHECK(wd > 0);
	CHECK_ERRNO(read(fd, buf, sizeof(buf)), EAGAIN);
	int file = open(name, O_CREAT | O_WRONLY, 0600);
	CHECK(file >= 0 && write(file, "x", 1) == 1);
	close(file);
	CHECK(unlink(name) == 0);
	uint32_t want[] = {IN_CREATE, IN_MODIFY, IN_CLOSE_WRITE, IN_DELETE};
	for (int i = 0; i < 4; i++) {
		e = next_event(fd, buf, sizeof(buf), &at, &end);
		CHECK(e && e->wd == wd && e->mask == want[i] && !strcmp(e->name, "file"));
	}
	CHECK(inotify_rm_watch(fd, wd) == 0);
	e = next_event(fd, buf, sizeof(buf), &at, &end);
	CHECK(e && e->mask == IN_IGNORED);
	CHECK_ERRNO(inotify_rm_watch(fd, wd), EINVAL);
	close(fd);
	rmdir(dir);
}

/* Layers of sets that all watch each other: the ways through them are not walked one by one, or there are few. */
static void meshes(void)
{
	enum { LAYERS = 4, WIDTH = 50 };
	int sets[LAYERS][WIDTH], fds[2], refused = 0, joined = 0, strange = 0;
	struct epoll_event e[4];
	time_t start = time(NULL);

	CHECK(pipe(fds) == 0);
	for (int l = 0; l < LAYERS; l++)
		for (int i = 0; i < WIDTH; i++)
			CHECK((sets[l][i] = epoll_create1(EPOLL_CLOEXEC)) >= 0);
	for (int i = 0; i < WIDTH; i++)
		CHECK(add(sets[0][i], fds[0], EPOLLIN | EPOLLET, 1) == 0);
	for (int l = 1; l < LAYERS; l++)
		for (int i = 0; i < WIDTH; i++)
			for (int j = 0; j < WIDTH; j++) {
				if (add(sets[l][i], sets[l - 1][j], EPOLLIN | EPOLLET, 2) == 0) {
					joined++;
					continue;
				}
				refused++;
				strange += errno != EINVAL && errno != ELOOP;
			}
	CHECK(joined && refused && !strange);
	CHECK(write(fds[1], "x", 1) == 1);
	CHECK(epoll_wait(sets[0][0], e, 4, 1000) == 1);
	for (int l = 0; l < LAYERS; l++)
		for (int i = 0; i < WIDTH; i++)
			close(sets[l][i]);
	close(fds[0]);
	close(fds[1]);
	CHECK(time(NULL) - start < 20);
}

int main(void)
{
	harness_start();
	RUN(levels);
	RUN(edges);
	RUN(nested);
	RUN(meshes);
	RUN(threads);
	RUN(eventfds);
	RUN(timerfds);
	RUN(signalfds);
	RUN(inherited);
	RUN(pidfds);
	RUN(inotifies);
	return CHECK_RESULT();
}
