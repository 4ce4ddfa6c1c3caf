/*
 * Pseudo-terminals and job control: settings, editing, signals, raw reads, window size, foreground groups, hang-up.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include "harness.h"

static int open_pair(int *slave)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	char name[64];

	if (master < 0 || grantpt(master) || unlockpt(master) || ptsname_r(master, name, sizeof(name)))
		return -1;
	*slave = open(name, O_RDWR | O_NOCTTY);
	return master;
}

/* What the master has within a moment. */
static int master_text(int master, char *buf, int size)
{
	int got = 0;
	struct pollfd p = {master, POLLIN, 0};

	while (got < size - 1 && poll(&p, 1, 50) == 1 && p.revents & POLLIN) {
		ssize_t n = read(master, buf + got, (size_t)(size - 1 - got));

		if (n <= 0)
			break;
		got += (int)n;
	}
	buf[got] = '\0';
	return got;
}

/* What has come once `last` is among it; else what came in five seconds. */
static void master_text_until(int master, char *buf, int size, char last)
{
	int got = 0;
	struct pollfd p = {master, POLLIN, 0};

	buf[0] = '\0';
	while (got < size - 1 && !strchr(buf, last) && poll(&p, 1, 5000) == 1 && p.revents & POLLIN) {
		ssize_t n = read(master, buf + got, (size_t)(size - 1 - got));

		if (n <= 0)
			break;
		got += (int)n;
		buf[got] = '\0';
	}
}

static void names(void)
{
	int slave, master = open_pair(&slave);
	char name[64];
	struct stat st;

	CHECK(master >= 0 && slave >= 0);
	CHECK(isatty(slave) && isatty(master));
	CHECK(fstat(slave, &st) == 0 && S_ISCHR(st.st_mode) && major(st.st_rdev) == 136);
	CHECK(ttyname_r(slave, name, sizeof(name)) == 0 && !strncmp(name, "/dev/pts/", 9));
	close(slave);
	close(master);
	CHECK_ERRNO(open(name, O_RDWR), ENOENT);
}

static void canonical(void)
{
	int slave, master = open_pair(&slave);
	char buf[256];

	CHECK(write(master, "hellp\177o\n", 8) == 8);
	CHECK(read(slave, buf, sizeof(buf)) == 6 && !memcmp(buf, "hello\n", 6));
	master_text(master, buf, sizeof(buf));
	CHECK(!strcmp(buf, "hellp\b \bo\r\n"));
	CHECK(write(master, "wrong\025ok\n", 9) == 9); /* ^U */
	CHECK(read(slave, buf, 2) == 2 && !memcmp(buf, "ok", 2));
	CHECK(read(slave, buf, 9) == 1 && buf[0] == '\n');
	CHECK(write(master, "two words\027x\n", 12) == 12); /* ^W */
	CHECK(read(slave, buf, sizeof(buf)) == 6 && !memcmp(buf, "two x\n", 6));
	CHECK(write(master, "part\004", 5) == 5); /* ^D ends the read without a newline */
	CHECK(read(slave, buf, sizeof(buf)) == 4);
	CHECK(write(master, "\004", 1) == 1);
	CHECK(read(slave, buf, sizeof(buf)) == 0);
	CHECK(write(master, "exact\004", 6) == 6);
	CHECK(read(slave, buf, 5) == 5);
	fcntl(slave, F_SETFL, O_NONBLOCK);
	CHECK_ERRNO(read(slave, buf, 5), EAGAIN);
	master_text(master, buf, sizeof(buf));
	CHECK(write(slave, "a\nb", 3) == 3);
	master_text(master, buf, sizeof(buf));
	CHECK(!strcmp(buf, "a\r\nb"));
	CHECK(write(master, "a\003b\n", 4) == 4); /* nobody to signal: the flush still happens */
	CHECK(read(slave, buf, sizeof(buf)) == 2 && !memcmp(buf, "b\n", 2));
	close(slave);
	close(master);
}

static void raw(void)
{
	int slave, master = open_pair(&slave), there;
	struct termios t, back;
	char buf[64];

	CHECK(tcgetattr(slave, &t) == 0);
	CHECK(t.c_lflag & ICANON && t.c_lflag & ECHO && t.c_oflag & OPOST && t.c_cc[VINTR] == 3 && t.c_cc[VEOF] == 4);
	cfmakeraw(&t);
	CHECK(tcsetattr(slave, TCSANOW, &t) == 0 && tcgetattr(slave, &back) == 0 && back.c_lflag == t.c_lflag);
	struct pollfd in = {slave, POLLIN, 0};
	CHECK(write(master, "x\003\r", 3) == 3 && poll(&in, 1, 1000) == 1);
	CHECK(ioctl(slave, FIONREAD, &there) == 0 && there == 3);
	CHECK(read(slave, buf, 64) == 3 && buf[1] == 3 && buf[2] == '\r');
	CHECK(master_text(master, buf, sizeof(buf)) == 0); /* no echo */
	CHECK(write(slave, "\n", 1) == 1 && master_text(master, buf, sizeof(buf)) == 1);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 1;
	tcsetattr(slave, TCSANOW, &t);
	long long before = now_ns(CLOCK_MONOTONIC);
	CHECK(read(slave, buf, 1) == 0 && now_ns(CLOCK_MONOTONIC) - before >= 90000000);
	t.c_cc[VMIN] = 3;
	t.c_cc[VTIME] = 0;
	tcsetattr(slave, TCSANOW, &t);
	pid_t pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 3; i++) {
			sleep_ms(10);
			(void)!write(master, "z", 1);
		}
		_exit(0);
	}
	CHECK(read(slave, buf, 10) == 3);
	waitpid(pid, NULL, 0);
	CHECK(write(master, "flush", 5) == 5 && tcflush(slave, TCIFLUSH) == 0);
	CHECK(ioctl(slave, FIONREAD, &there) == 0 && there == 0);
	close(slave);
	CHECK_ERRNO(read(master, buf, 1), EIO);
	struct pollfd p = {master, POLLIN, 0};
	CHECK(poll(&p, 1, 0) == 1 && p.revents & POLLHUP);
	close(master);
}

static volatile sig_atomic_t seen[65];

static void note(int signo)
{
	seen[signo]++;
}

/* A session of its own on the slave; the parent is the terminal's user. Exit status: what failed. */
static int session(int slave)
{
	struct sigaction action = {.sa_handler = note};
	char buf[16];

	setsid();
	if (ioctl(slave, TIOCSCTTY, 0) || tcgetsid(slave) != getpid() || tcgetpgrp(slave) != getpgrp())
		return 1;
	int tty = open("/dev/tty", O_RDWR);
	if (tty < 0 || !isatty(tty))
		return 2;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGWINCH, &action, NULL);
	if (write(slave, "R", 1) != 1)
		return 3;
	while (!seen[SIGINT] || !seen[SIGWINCH])
		pause();
	/* A background process is stopped when it reads, and when it writes if TOSTOP is set. */
	pid_t pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		(void)!read(tty, buf, 2);
		_exit(read(tty, buf, sizeof(buf)) == 3 ? 0 : 1);
	}
	int status;
	setpgid(pid, pid);
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTTIN)
		return 4;
	if (tcsetpgrp(tty, pid) || tcgetpgrp(tty) != pid)
		return 5;
	kill(-pid, SIGCONT);
	if (write(slave, "F", 1) != 1) /* we are in the background now: no TOSTOP, so it goes out */
		return 6;
	if (waitpid(pid, &status, 0) != pid || status != 0)
		return 7;
	signal(SIGTTOU, SIG_IGN);
	if (tcsetpgrp(tty, getpgrp()))
		return 8;
	signal(SIGHUP, SIG_DFL);
	if (write(slave, "H", 1) != 1)
		return 9;
	for (;;)
		pause();
}

static void jobs(void)
{
	int slave, master = open_pair(&slave), status;
	char buf[64];
	struct winsize size = {40, 120, 0, 0}, back;

	pid_t pid = fork();
	if (pid == 0) {
		close(master);
		_exit(session(slave));
	}
	CHECK(read(master, buf, 1) == 1 && buf[0] == 'R');
	CHECK(write(master, "\003", 1) == 1); /* ^C */
	CHECK(ioctl(master, TIOCSWINSZ, &size) == 0);
	CHECK(ioctl(slave, TIOCGWINSZ, &back) == 0 && back.ws_row == 40 && back.ws_col == 120);
	close(slave);
	master_text_until(master, buf, sizeof(buf), 'F');
	CHECK(strstr(buf, "^C") && strchr(buf, 'F'));
	CHECK(write(master, "x\nyz\n", 5) == 5);
	sleep_ms(20);
	master_text(master, buf, sizeof(buf));
	close(master); /* hang-up kills the leader */
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP);
	if (WIFEXITED(status))
		printf("session says %d\n", WEXITSTATUS(status));
}

/* Nobody reads the master: a pty's output counts as sent once it was taken. */
static void drain(void)
{
	int slave, queued = -1, master = open_pair(&slave);
	struct termios t;
	char buf[64];

	alarm(10);
	CHECK(write(slave, "text\n", 5) == 5);
	CHECK(ioctl(slave, TIOCOUTQ, &queued) == 0 && queued == 0);
	CHECK(tcdrain(slave) == 0);
	CHECK(tcgetattr(slave, &t) == 0 && tcsetattr(slave, TCSADRAIN, &t) == 0 && tcsetattr(slave, TCSAFLUSH, &t) == 0);
	CHECK(master_text(master, buf, sizeof(buf)) == 6 && !strcmp(buf, "text\r\n"));
	CHECK(write(slave, "gone\n", 5) == 5);
	usleep(100 * 1000);
	CHECK(write(master, "\032", 1) == 1 && tcflush(slave, TCOFLUSH) == 0); /* what the master has is not dropped */
	CHECK(master_text(master, buf, sizeof(buf)) == 8 && !strcmp(buf, "gone\r\n^Z"));
	alarm(0);
	close(master);
	close(slave);
}

static volatile sig_atomic_t hups;

static void count_hup(int signo)
{
	hups++;
}

/* A group in the foreground that says what it gets on `to`: 'r' ready, 'h' SIGHUP. */
static _Noreturn void foreground_job(int to)
{
	setpgid(0, 0);
	signal(SIGTTOU, SIG_IGN);
	tcsetpgrp(0, getpgrp());
	write(to, "r", 1);
	for (;;) {
		pause();
		if (hups)
			_exit(write(to, "h", 1) != 1);
	}
}

/* The terminal goes: its session's leader gets SIGHUP at once, the foreground job when the leader ends. */
static void hangup(void)
{
	int slave, status, pipes[2], master = open_pair(&slave);
	char c = 0;
	struct pollfd p;

	CHECK(pipe(pipes) == 0);
	p = (struct pollfd){pipes[0], POLLIN, 0};
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGHUP, count_hup);
		close(master);
		setsid();
		ioctl(slave, TIOCSCTTY, 0);
		dup2(slave, 0);
		if (fork() == 0)
			foreground_job(pipes[1]);
		while (!hups)
			pause();
		write(pipes[1], "l", 1);
		sleep_ms(300);
		_exit(7);
	}
	close(slave);
	close(pipes[1]);
	CHECK(read(pipes[0], &c, 1) == 1 && c == 'r');
	close(master);
	CHECK(read(pipes[0], &c, 1) == 1 && c == 'l');
	CHECK(poll(&p, 1, 100) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
	CHECK(poll(&p, 1, 2000) == 1 && read(pipes[0], &c, 1) == 1 && c == 'h');
	close(pipes[0]);
}

int main(void)
{
	harness_start();
	RUN(names);
	RUN(canonical);
	RUN(raw);
	RUN(jobs);
	RUN(drain);
	RUN(hangup);
	return CHECK_RESULT();
}
