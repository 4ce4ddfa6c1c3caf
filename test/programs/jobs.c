/*
 * Job control: groups, sessions, stopping and continuing, orphaned groups.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void stop_and_continue(void)
{
	siginfo_t info;
	int status;
	pid_t pid = sleeper();

	CHECK(kill(pid, SIGSTOP) == 0);
	CHECK(waitpid(pid, &status, WUNTRACED) == pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	CHECK(waitpid(pid, &status, WUNTRACED | WNOHANG) == 0); /* told once */
	CHECK(kill(pid, SIGCONT) == 0);
	CHECK(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
	CHECK(waitpid(pid, &status, WCONTINUED | WNOHANG) == 0);
	CHECK(kill(pid, SIGTSTP) == 0);
	CHECK(waitid(P_PID, (id_t)pid, &info, WSTOPPED) == 0 && info.si_code == CLD_STOPPED && info.si_status == SIGTSTP);
	/* Other signals wait until it continues; SIGKILL does not. */
	CHECK(kill(pid, SIGTERM) == 0);
	sleep_ms(10);
	CHECK(waitpid(pid, &status, WNOHANG) == 0);
	CHECK(kill(pid, SIGCONT) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	pid = sleeper();
	kill(pid, SIGSTOP);
	CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void groups(void)
{
	int status;
	pid_t a = sleeper(), b = sleeper();

	CHECK(setpgid(a, 0) == 0 && getpgid(a) == a);
	CHECK(setpgid(b, a) == 0 && getpgid(b) == a);
	CHECK_ERRNO(setpgid(a, 999999), EPERM);
	CHECK_ERRNO(setpgid(999999, 0), ESRCH);
	CHECK_ERRNO(setpgid(0, -1), EINVAL);
	CHECK_ERRNO(kill(-999999, 0), ESRCH);
	CHECK(kill(-a, SIGTERM) == 0);
	CHECK(waitpid(-a, &status, 0) > 0 && WTERMSIG(status) == SIGTERM);
	CHECK(waitpid(-a, &status, 0) > 0 && WTERMSIG(status) == SIGTERM);
	CHECK_ERRNO(waitpid(-a, &status, 0), ECHILD);
}

static void sessions(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		pid_t old = getsid(0);
		int bad = 0;

		bad |= setsid() != getpid();
		bad |= getsid(0) != getpid() || getpgrp() != getpid() || getsid(0) == old;
		bad |= setsid() != -1 || errno != EPERM; /* a group leader already */
		bad |= setpgid(0, 0) != -1 || errno != EPERM;
		_exit(bad);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static volatile sig_atomic_t hups, conts;

static void on_hup(int signo)
{
	hups++;
}

static void on_cont(int signo)
{
	conts++;
}

/*
 * A stopped group that loses its last parent outside of it: SIGHUP, SIGCONT. A process
 * group of an orphan is not stopped by the terminal's signals any more.
 */
static void orphans(void)
{
	int status, report[2];
	char answer = 0;

	CHECK(pipe(report) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		pid_t member = fork();

		if (member == 0) {
			setpgid(0, 0);
			signal(SIGHUP, on_hup);
			signal(SIGCONT, on_cont);
			raise(SIGSTOP);
			raise(SIGTSTP); /* does nothing: we are orphaned now */
			answer = hups == 1 && conts == 1 ? 'y' : 'n';
			(void)!write(report[1], &answer, 1);
			_exit(0);
		}
		waitpid(member, &status, WUNTRACED);
		_exit(WIFSTOPPED(status) ? 0 : 1);
	}
	close(report[1]);
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 0);
	CHECK(read(report[0], &answer, 1) == 1 && answer == 'y');
	close(report[0]);
}

static void told_of_stops(void)
{
	sigset_t set, old;
	siginfo_t info;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	pid_t pid = sleeper();
	kill(pid, SIGSTOP);
	CHECK(sigwaitinfo(&set, &info) == SIGCHLD && info.si_code == CLD_STOPPED && info.si_status == SIGSTOP);
	kill(pid, SIGCONT);
	CHECK(sigwaitinfo(&set, &info) == SIGCHLD && info.si_code == CLD_CONTINUED && info.si_status == SIGCONT);
	struct sigaction quiet = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP};
	sigaction(SIGCHLD, &quiet, NULL);
	kill(pid, SIGSTOP);
	int status;
	CHECK(waitpid(pid, &status, WUNTRACED) == pid);
	struct timespec none = {0, 0};
	CHECK_ERRNO(sigtimedwait(&set, &info, &none), EAGAIN);
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, &status, 0) == pid);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

int main(void)
{
	harness_start();
	RUN(stop_and_continue);
	RUN(groups);
	RUN(sessions);
	RUN(orphans);
	RUN(told_of_stops);
	return CHECK_RESULT();
}
