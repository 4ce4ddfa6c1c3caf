/* Calling the runtime: see runtime.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>

#include "cli/cli.h"
#include "cli/shim/log.h"
#include "cli/shim/runtime.h"

#define SAVED "ringfence.runtime" /* in the bundle */
#define OUTPUT_MAX (1u << 20)
#define LOG_TAIL 8192u

extern char **environ;

struct runtime runtime;

void runtime_init(const char *name_space)
{
	ssize_t n = readlink("/proc/self/exe", runtime.binary, sizeof(runtime.binary) - sizeof("ringfence"));

	if (n > 0) {
		runtime.binary[n] = '\0';
		strcpy(strrchr(runtime.binary, '/') + 1, "ringfence");
	}
	if (n <= 0 || access(runtime.binary, X_OK) < 0)
		strcpy(runtime.binary, "ringfence");
	snprintf(runtime.root, sizeof(runtime.root), "/run/containerd/ringfence/%s", name_space);
}

void runtime_save(const char *bundle)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" SAVED, bundle);
	AUTO_FILE FILE *file = fopen(path, "we");
	if (!file)
		shim_log("%s: %s", path, strerror(errno));
	else
		fprintf(file, "%s\n%s\n%s\n%d\n", runtime.binary, runtime.root, runtime.config, runtime.systemd_cgroup);
}

static void load_line(FILE *file, char *out)
{
	char line[PATH_MAX + 1];

	if (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		snprintf(out, PATH_MAX, "%.*s", PATH_MAX - 1, line);
	}
}

void runtime_load(const char *bundle)
{
	char path[PATH_MAX], flag[PATH_MAX] = "";

	snprintf(path, sizeof(path), "%s/" SAVED, bundle);
	AUTO_FILE FILE *file = fopen(path, "re");
	if (!file)
		return;
	load_line(file, runtime.binary);
	load_line(file, runtime.root);
	load_line(file, runtime.config);
	load_line(file, flag);
	runtime.systemd_cgroup = flag[0] == '1';
}

/* Message of the last line of level error (or fatal) in the log; freshly allocated or NULL. */
static char *last_error(const char *path)
{
	char tail[LOG_TAIL + 1], *found = NULL, *save = NULL;
	struct stat st;
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	ssize_t n = pread(fd, tail, LOG_TAIL, st.st_size > LOG_TAIL ? st.st_size - LOG_TAIL : 0);
	if (n <= 0)
		return NULL;
	tail[n] = '\0';
	for (char *line = strtok_r(tail, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		yajl_val value = yajl_tree_parse(line, NULL, 0);
		const char *level = YAJL_GET_STRING(yajl_tree_get(value, (const char *[]){"level", NULL}, yajl_t_string));
		const char *text = YAJL_GET_STRING(yajl_tree_get(value, (const char *[]){"msg", NULL}, yajl_t_string));
		if (level && text && (strcmp(level, "error") == 0 || strcmp(level, "fatal") == 0)) {
			free(found);
			found = strdup(text);
		}
		yajl_tree_free(value);
	}
	return found;
}

char *runtime_output(const struct command *command)
{
	struct stat st;

	if (command->output < 0 || fstat(command->output, &st) < 0 || st.st_size == 0)
		return NULL;
	size_t length = st.st_size < OUTPUT_MAX ? (size_t)st.st_size : OUTPUT_MAX;
	char *text = malloc(length + 1);
	if (!text)
		return NULL;
	ssize_t n = pread(command->output, text, length, 0);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static char *last_line(char *text)
{
	if (!text)
		return NULL;
	size_t length = strlen(text);
	while (length > 0 && text[length - 1] == '\n')
		text[--length] = '\0';
	char *start = strrchr(text, '\n');
	return start ? start + 1 : text;
}

static void command_ended(struct child *child, int status, const struct timespec *when)
{
	struct command *command = (struct command *)child;
	char plain[64];

	if (status == 0) {
		unlink(command->log);
		command->done(command, NULL);
		return;
	}
	AUTO_FREE char *output = runtime_output(command);
	AUTO_FREE char *logged = last_error(command->log);
	const char *error = logged ? logged : last_line(output);
	unlink(command->log);
	snprintf(plain, sizeof(plain), WIFEXITED(status) ? "it ended with status %d" : "it was killed by signal %d",
		WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	command->done(command, error && *error ? error : plain);
}

static unsigned global_words(const char **argv, const char *log)
{
	unsigned n = 0;

	argv[n++] = runtime.binary;
	argv[n++] = "--root";
	argv[n++] = runtime.root;
	if (log) {
		argv[n++] = "--log";
		argv[n++] = log;
		argv[n++] = "--log-format";
		argv[n++] = "json";
	}
	if (runtime.config[0]) {
		argv[n++] = "--config";
		argv[n++] = runtime.config;
	}
	if (runtime.systemd_cgroup)
		argv[n++] = "--systemd-cgroup";
	return n;
}

/* posix_spawn with these descriptors as 0, 1 and 2, default signals and nothing else inherited. */
static int spawn(pid_t *pid, const char **argv, const int *stdio)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	for (int i = 0; i < 3; i++) {
		if (stdio[i] >= 0)
			posix_spawn_file_actions_adddup2(&actions, stdio[i], i);
		else
			posix_spawn_file_actions_addopen(&actions, i, "/dev/null", O_RDWR, 0);
	}
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	int error = posix_spawnp(pid, argv[0], &actions, &attributes, (char **)argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -error;
}

int runtime_start(struct command *command, const char *bundle, const char *const *words, const int *stdio)
{
	static unsigned number;
	const char *argv[RUNTIME_WORDS + 16];
	int own[3] = {-1, -1, -1};
	unsigned n;

	if (snprintf(command->log, sizeof(command->log), "%s/log-%u.json", bundle, number++) >= PATH_MAX)
		return -ENAMETOOLONG;
	command->output = -1;
	if (!stdio) {
		command->output = own[1] = own[2] = memfd_create("output", MFD_CLOEXEC);
		if (command->output < 0)
			return -errno;
		stdio = own;
	}
	n = global_words(argv, command->log);
	for (unsigned i = 0; i <= RUNTIME_WORDS; i++) {
		argv[n + i] = words[i];
		if (!words[i])
			break;
	}
	command->child.ended = command_ended;
	int error = spawn(&command->child.pid, argv, stdio);
	if (error == 0)
		loop_wait_child(&command->child);
	else if (command->output >= 0)
		close(command->output);
	return error;
}

int runtime_run(const char *const *words)
{
	const char *argv[RUNTIME_WORDS + 16];
	const int nothing[3] = {-1, -1, -1};
	unsigned n = global_words(argv, NULL);
	int status;
	pid_t pid;

	for (unsigned i = 0; i <= RUNTIME_WORDS; i++) {
		argv[n + i] = words[i];
		if (!words[i])
			break;
	}
	int error = spawn(&pid, argv, nothing);
	if (error)
		return error;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
