/* The event loop: see loop.h. SIGCHLD arrives through a signalfd, in order with everything else. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/shim/loop.h"

#define UNCLAIMED_MAX 256u

static int epoll_fd = -1;
static bool running;
static struct watch signals;
static LIST_HEAD(child_list, child) children = LIST_HEAD_INITIALIZER(children);
/* Ended children that nobody waited for yet; kept only while `holds` says that somebody may. */
static struct unclaimed {
	pid_t pid;
	int status;
	struct timespec when;
} unclaimed[UNCLAIMED_MAX];
static unsigned unclaimed_count, holds;

static void child_ended(pid_t pid, int status)
{
	struct timespec now;
	struct child *child;

	clock_gettime(CLOCK_REALTIME, &now);
	LIST_FOREACH(child, &children, link) {
		if (child->pid != pid)
			continue;
		LIST_REMOVE(child, link);
		child->pid = 0;
		child->ended(child, status, &now);
		return;
	}
	if (holds > 0 && unclaimed_count < UNCLAIMED_MAX)
		unclaimed[unclaimed_count++] = (struct unclaimed){pid, status, now};
}

static void signals_ready(struct watch *watch, uint32_t events)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		; /* SIGTERM and SIGINT are not for us: containerd says when to go */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		child_ended(pid, status);
}

int loop_init(void)
{
	sigset_t set;

	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		return -errno;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals.ready = signals_ready;
	signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return signals.fd < 0 ? -errno : loop_add(&signals, EPOLLIN);
}

void loop_run(void)
{
	struct epoll_event event;

	running = true;
	while (running) {
		if (epoll_wait(epoll_fd, &event, 1, -1) == 1) {
			struct watch *watch = event.data.ptr;
			watch->ready(watch, event.events);
		}
	}
}

void loop_stop(void)
{
	running = false;
}

int loop_add(struct watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	watch->events = events;
	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) < 0 ? -errno : 0;
}

void loop_change(struct watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	if (watch->events == events)
		return;
	watch->events = events;
	epoll_ctl(epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
}

void loop_remove(struct watch *watch)
{
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
}

void loop_wait_child(struct child *child)
{
	for (unsigned i = 0; i < unclaimed_count; i++) {
		struct unclaimed ended = unclaimed[i];
		if (ended.pid != child->pid)
			continue;
		unclaimed[i] = unclaimed[--unclaimed_count];
		child->pid = 0;
		child->ended(child, ended.status, &ended.when);
		return;
	}
	LIST_INSERT_HEAD(&children, child, link);
}

void loop_hold_unclaimed(void)
{
	holds++;
}

void loop_release_unclaimed(void)
{
	if (--holds == 0)
		unclaimed_count = 0;
}

int loop_timer_init(struct watch *timer, void (*ready)(struct watch *, uint32_t))
{
	timer->ready = ready;
	timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return timer->fd < 0 ? -errno : loop_add(timer, EPOLLIN);
}

void loop_timer_set(struct watch *timer, unsigned milliseconds)
{
	struct itimerspec when = {.it_value = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000}};

	timerfd_settime(timer->fd, 0, &when, NULL);
}

void loop_timer_done(struct watch *timer)
{
	uint64_t count;

	(void)!read(timer->fd, &count, sizeof(count));
}
