/*
 * execve as execve(2) describes it: arguments and environment, scripts, the auxiliary
 * vector, limits and refused files, descriptors and signals across it, execve by a thread.
 * also dynamic
 */
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

extern char **environ;

static char self[4096];
static int self_fd;

/* Run self (or path) with arguments in a child; its exit code, 256 + signal, or -errno of execve. */
static int run(const char *path, char *const argv[], char *const envp[])
{
	int status, channel[2], error = 0;

	if (pipe2(channel, O_CLOEXEC) != 0)
		return -errno;
	pid_t child = fork();

	if (child == 0) {
		execve(path, argv, envp);
		error = errno;
		if (write(channel[1], &error, sizeof(error)) != sizeof(error))
			_exit(99);
		_exit(98);
	}
	close(channel[1]);
	if (read(channel[0], &error, sizeof(error)) < 0)
		error = errno;
	close(channel[0]);
	waitpid(child, &status, 0);
	if (error)
		return -error;
	return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int make(const char *path, const void *data, size_t size, int mode)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0700);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || fchmod(fd, (mode_t)mode) != 0)
		return -1;
	return close(fd);
}

static void vectors(void)
{
	char *argv[] = {self, "args", "one", "", "three", NULL}, *envp[] = {"A=1", "B=", NULL};

	CHECK(run(self, argv, envp) == 10);
	char *big = malloc(100001);

	memset(big, 'x', 100000);
	big[100000] = 0;
	char *large[] = {self, "large", big, NULL}, *large_env[] = {big, big, NULL};

	CHECK(run(self, large, large_env) == 11);
	free(big);
	char *none[] = {NULL};

	CHECK(run(self, none, envp) == 12);
	char **many = calloc(20002, sizeof(char *));

	many[0] = self;
	many[1] = "many";
	for (int i = 2; i < 20000; i++)
		many[i] = "arg";
	CHECK(run(self, many, envp) == 13);
	free(many);
}

static void too_big(void)
{
	size_t size = 33 * 4096;
	char *big = malloc(size);

	memset(big, 'x', size);
	big[size - 1] = 0;
	char *argv[] = {self, "args", big, NULL}, *envp[] = {NULL};

	CHECK(run(self, argv, envp) == -E2BIG);
	big[32 * 4096 - 1] = 0;
	char *fits[] = {self, "any", big, NULL};

	CHECK(run(self, fits, envp) == 0);
	big[100000] = 0;
	char **many = calloc(200, sizeof(char *));

	for (int i = 0; i < 100; i++)
		many[i] = big;
	many[0] = self;
	CHECK(run(self, many, envp) == -E2BIG);
	free(many);
	free(big);
	char **volatile nowhere = (char **)8;

	CHECK(run(self, nowhere, envp) == -EFAULT);
	char *bad[] = {self, (char *)8, NULL};

	CHECK(run(self, bad, envp) == -EFAULT);
}

static void scripts(void)
{
	char line[8192], *envp[] = {NULL}, *argv[] = {"ignored", "extra", NULL};
	char *nested[] = {"/tmp/exec-s2", "extra", NULL};
	int n = snprintf(line, sizeof(line), "#! %s  script -x y \nrest", self);

	CHECK(make("/tmp/exec-s1", line, (size_t)n, 0755) == 0);
	if (n < 250)
		CHECK(run("/tmp/exec-s1", argv, envp) == 14);
	CHECK(make("/tmp/exec-s2", "#!/tmp/exec-s1\n", 15, 0755) == 0);
	if (n < 250)
		CHECK(run("/tmp/exec-s2", nested, envp) == 15);
	CHECK(make("/tmp/exec-loop", "#!/tmp/exec-loop\n", 17, 0755) == 0);
	CHECK(run("/tmp/exec-loop", argv, envp) == -ELOOP);
	CHECK(make("/tmp/exec-missing", "#!/nonexistent\n", 15, 0755) == 0);
	CHECK(run("/tmp/exec-missing", argv, envp) == -ENOENT);
	CHECK(make("/tmp/exec-blank", "#!  \n", 5, 0755) == 0);
	CHECK(run("/tmp/exec-blank", argv, envp) == -ENOEXEC);
}

static void refused(void)
{
	char *argv[] = {"x", NULL}, *envp[] = {NULL};
	Elf64_Ehdr header;
	int fd = open(self, O_RDONLY);

	CHECK(fd >= 0 && read(fd, &header, sizeof(header)) == (ssize_t)sizeof(header));
	close(fd);
	CHECK(run("/nonexistent", argv, envp) == -ENOENT);
	CHECK(run("/tmp", argv, envp) == -EACCES);
	CHECK(make("/tmp/exec-text", "hello\n", 6, 0644) == 0);
	CHECK(run("/tmp/exec-text", argv, envp) == -EACCES);
	CHECK(chmod("/tmp/exec-text", 0755) == 0);
	CHECK(run("/tmp/exec-text", argv, envp) == -ENOEXEC);
	CHECK(run("/tmp/exec-text/x", argv, envp) == -ENOTDIR);
	CHECK(make("/tmp/exec-empty", "", 0, 0755) == 0);
	CHECK(run("/tmp/exec-empty", argv, envp) == -ENOEXEC);
	CHECK(make("/tmp/exec-short", &header, 40, 0755) == 0);
	CHECK(run("/tmp/exec-short", argv, envp) == -ENOEXEC);
	header.e_phnum = 0;
	CHECK(make("/tmp/exec-none", &header, sizeof(header), 0755) == 0);
	CHECK(run("/tmp/exec-none", argv, envp) == -ENOEXEC);
	header.e_phnum = 1;
	header.e_machine = EM_386;
	CHECK(make("/tmp/exec-386", &header, sizeof(header), 0755) == 0);
	CHECK(run("/tmp/exec-386", argv, envp) == -ENOEXEC);
}

static void across(void)
{
	char kept[16], closed[16], *envp[] = {NULL};
	int fds[2];

	CHECK(pipe(fds) == 0);
	CHECK(fcntl(fds[1], F_SETFD, FD_CLOEXEC) == 0);
	snprintf(kept, sizeof(kept), "%d", fds[0]);
	snprintf(closed, sizeof(closed), "%d", fds[1]);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, (void (*)(int))exit);
	char *argv[] = {self, "across", kept, closed, NULL};

	CHECK(run(self, argv, envp) == 16);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
	close(fds[0]);
	close(fds[1]);
}

static void by_descriptor(void)
{
	char *argv[] = {self, "any", NULL}, *envp[] = {NULL};
	int status;
	pid_t child = fork();

	if (child == 0) {
		syscall(SYS_execveat, self_fd, "", argv, envp, AT_EMPTY_PATH);
		_exit(1);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK_ERRNO(syscall(SYS_execveat, self_fd, "", argv, envp, 0), ENOENT);
	CHECK_ERRNO(syscall(SYS_execveat, self_fd, self, argv, envp, 0x40000), EINVAL);
}

static void *exec_in_thread(void *arg)
{
	char *argv[] = {self, "pid", arg, NULL}, *envp[] = {NULL};

	execve(self, argv, envp);
	_exit(1);
}

static void *sleep_in_thread(void *arg)
{
	pause();
	return arg;
}

static void from_thread(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		static char pid[16];
		pthread_t thread;

		snprintf(pid, sizeof(pid), "%d", getpid());
		for (int i = 0; i < 3; i++)
			pthread_create(&thread, NULL, sleep_in_thread, NULL);
		pthread_create(&thread, NULL, exec_in_thread, pid);
		pause();
		_exit(1);
	}
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 17);
}

static void vector_fork(void)
{
	char *argv[] = {self, "any", NULL}, *envp[] = {NULL};
	volatile int seen = 0;
	int status;
	pid_t child = vfork();

	if (child == 0) {
		seen = 1;
		execve(self, argv, envp);
		_exit(1);
	}
	CHECK(seen == 1);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* What the program does when a test above ran it. */
static int child_main(int argc, char **argv)
{
	if (argc == 1 && argv[0][0] == '\0')
		return 12;
	if (strcmp(argv[1], "args") == 0)
		return argc == 5 && !strcmp(argv[2], "one") && !*argv[3] && !strcmp(argv[4], "three") && !argv[5] &&
			!strcmp(environ[0], "A=1") && !strcmp(environ[1], "B=") && !environ[2] &&
			getauxval(AT_PAGESZ) == 4096 && getauxval(AT_RANDOM) && getauxval(AT_PHDR) &&
			getauxval(AT_PHENT) == sizeof(Elf64_Phdr) && getauxval(AT_ENTRY) && !getauxval(AT_SECURE) &&
			getauxval(AT_CLKTCK) == 100 && getauxval(AT_UID) == getuid() &&
			!strcmp((char *)getauxval(AT_PLATFORM), "x86_64") &&
			!strcmp((char *)getauxval(AT_EXECFN), argv[0]) && ((unsigned long)environ & 7) == 0 ? 10 : 1;
	if (strcmp(argv[1], "large") == 0)
		return strlen(argv[2]) == 100000 && strlen(environ[1]) == 100000 ? 11 : 1;
	if (strcmp(argv[1], "many") == 0)
		return argc == 20000 && !strcmp(argv[19999], "arg") ? 13 : 1;
	if (strcmp(argv[1], "script -x y") == 0 && argc == 4)
		return strcmp(argv[2], "/tmp/exec-s1") == 0 ? (strcmp(argv[3], "extra") == 0 ? 14 :
			strcmp(argv[3], "/tmp/exec-s2") == 0 ? 1 : 2) : 3;
	if (strcmp(argv[1], "script -x y") == 0 && argc == 5)
		return !strcmp(argv[2], "/tmp/exec-s1") && !strcmp(argv[3], "/tmp/exec-s2") && !strcmp(argv[4], "extra") ? 15 : 4;
	if (strcmp(argv[1], "across") == 0) {
		struct sigaction one, two;

		sigaction(SIGUSR1, NULL, &one);
		sigaction(SIGUSR2, NULL, &two);
		return fcntl(atoi(argv[2]), F_GETFD) == 0 && fcntl(atoi(argv[3]), F_GETFD) == -1 &&
			one.sa_handler == SIG_IGN && two.sa_handler == SIG_DFL ? 16 : 1;
	}
	if (strcmp(argv[1], "pid") == 0)
		return getpid() == atoi(argv[2]) && getpid() == (pid_t)syscall(SYS_gettid) ? 17 : 1;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 1 || argv[0][0] == '\0')
		return child_main(argc, argv);
	if (argv[0][0] == '/') {
		snprintf(self, sizeof(self), "%s", argv[0]);
	} else {
		ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

		if (n < 0)
			return SKIP;
	}
	self_fd = open(self, O_RDONLY | O_CLOEXEC);
	RUN(vectors);
	RUN(too_big);
	RUN(scripts);
	RUN(refused);
	RUN(across);
	RUN(by_descriptor);
	RUN(from_thread);
	RUN(vector_fork);
	return CHECK_RESULT();
}
