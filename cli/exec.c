/*
 * `ringfence exec [OPTION]... ID CMD [ARG]...`: a further process in a running container.
 *
 * Attached, this command is its face on the host: it passes signals and sizes on and returns
 * its exit status. With --detach a child of this command is: its number goes into the pid
 * file, whoever adopts it gets the exit status, and what it is sent the process is sent.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "cli/attach.h"
#include "cli/cli.h"
#include "cli/console.h"
#include "cli/files.h"
#include "cli/foreground.h"
#include "cli/home.h"
#include "cli/oci.h"
#include "cli/options.h"
#include "cli/preserve_fds.h"
#include "cli/state.h"

#define NOT_STARTED 255 /* as runc has it: a program's own 1 is something else */

struct exec_options {
	const char *console_socket, *cwd, *user, *process, *pid_file, *preserve;
	bool tty, detach, no_new_privs, ignore_paused;
	struct passed_fds passed;
	struct strings env, gids, caps;
};

/* 0 with what follows the options, or 1 after a message. */
static int parse(int argc, char **argv, struct exec_options *o, char ***words)
{
	const struct option_entry options[] = {
		{"console-socket", .argument = "SOCKET", .help = "gets the master end of the process's terminal", .value = &o->console_socket},
		{"cwd", .argument = "DIR", .help = "working directory", .value = &o->cwd},
		{"env", 'e', "NAME=VALUE", "a variable of the environment", .list = &o->env},
		{"tty", 't', .help = "give it a terminal", .flag = &o->tty},
		{"user", 'u', "UID[:GID]", "whom it runs as", .value = &o->user},
		{"additional-gids", 'g', "GID", "a supplementary group", .list = &o->gids},
		{"process", 'p', "FILE", "the whole process as JSON, as in config.json", .value = &o->process},
		{"detach", 'd', .help = "leave it running", .flag = &o->detach},
		{"pid-file", .argument = "FILE", .help = "gets the number of the process's face on the host", .value = &o->pid_file},
		{"no-new-privs", .help = "execve(2) gives it no privileges", .flag = &o->no_new_privs},
		{"cap", 'c', "CAPABILITY", "a further capability", .list = &o->caps},
		{"preserve-fds", .argument = "N", .help = "the program gets N further descriptors, from 3 on", .value = &o->preserve},
		{"ignore-paused", .help = "in a paused container too: it begins when that is resumed", .flag = &o->ignore_paused},
		{"process-label", .argument = "LABEL", .refused = "labels are not supported"},
		{"apparmor", .argument = "PROFILE", .refused = "profiles are not supported"},
		{"cgroup", .argument = "GROUP", .refused = "not supported: the container is one cgroup"},
		{0}};

	o->preserve = "0";
	return options_parse(argc, argv, options, 1, -1, words);
}

static int check(struct exec_options *o, char **words)
{
	if (!o->process && !words[1])
		return cli_error("process args cannot be empty");
	if (preserve_fds_take(o->preserve, false, ATTACH_MAX_PASSED, &o->passed))
		return 1;
	if (o->cwd && o->cwd[0] != '/')
		return cli_error("--cwd: %s: not an absolute path", o->cwd);
	for (size_t i = 0; i < o->env.count; i++) {
		if (!strchr(o->env.items[i], '='))
			return cli_error("--env: %s: not NAME=VALUE", o->env.items[i]);
	}
	return 0;
}

static int parse_id(const char *text, const char *what, uint32_t *id)
{
	char *end;

	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (errno || end == text || *end || value >= UINT32_MAX)
		return cli_error("%s: %s: not a number of a user or group", what, text);
	*id = (uint32_t)value;
	return 0;
}

static int apply_user(struct container *c, const struct exec_options *o)
{
	char user[64];

	if (o->user) {
		snprintf(user, sizeof(user), "%s", o->user);
		char *group = strchr(user, ':');
		if (group)
			*group++ = '\0';
		if (parse_id(user, "--user", &c->user.uid) || (group && parse_id(group, "--user", &c->user.gid)))
			return 1;
	}
	if (o->gids.count) {
		uint32_t *groups = calloc(c->group_count + o->gids.count, sizeof(*groups));
		if (!groups)
			return cli_error("out of memory");
		if (c->group_count)
			memcpy(groups, c->groups, c->group_count * sizeof(*groups));
		c->groups = groups;
	}
	for (size_t i = 0; i < o->gids.count; i++) {
		if (parse_id(o->gids.items[i], "--additional-gids", &c->groups[c->group_count]))
			return 1;
		c->group_count++;
	}
	return 0;
}

static int apply_caps(struct container *c, const struct strings *names)
{
	for (size_t i = 0; i < names->count; i++) {
		int cap = oci_capability(names->items[i]);
		if (cap < 0)
			return cli_error("--cap: no such capability: %s", names->items[i]);
		c->caps.bounding |= 1ull << cap;
		c->caps.effective |= 1ull << cap;
		c->caps.permitted |= 1ull << cap;
	}
	return 0;
}

/* NAME=VALUE instead of what the environment has, or added to it. */
static void set_env(struct strings *env, char *line)
{
	size_t name = strcspn(line, "=") + 1;

	for (size_t i = 0; i < env->count; i++) {
		if (strncmp(env->items[i], line, name) == 0) {
			env->items[i] = line;
			return;
		}
	}
	strings_add(env, line);
}

/* The container's own process, changed by the options; or what --process says. */
static int describe(struct container *c, const struct state *state, const struct exec_options *o, char **args)
{
	char path[4200];

	state_path(state, "config.json", path, sizeof(path));
	if (oci_load_process_file(path, o->process, c))
		return 1;
	if (!o->process) {
		c->args = (struct strings){0};
		c->terminal = o->tty;
		c->terminal_size = (struct config_winsize){0};
		for (; *args; args++)
			strings_add(&c->args, *args);
	}
	if (o->cwd)
		c->cwd = container_copy(o->cwd);
	for (size_t i = 0; i < o->env.count; i++)
		set_env(&c->env, o->env.items[i]);
	c->no_new_privs |= o->no_new_privs;
	c->passed = o->passed;
	if (apply_user(c, o) || apply_caps(c, &o->caps))
		return 1;
	AUTO_FD int root = open(state->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	home_add(c, root);
	return 0;
}

/* The process's face on the host: never returns. */
static void stay(const struct state *state, const struct container *c, int console, int report)
{
	struct attach attach = {.terminal = console, .fds = {0, 1, 2}};
	int status = 1;

	setsid();
	if (console >= 0) {
		ioctl(console, TIOCSCTTY, 0); /* changes of its size come here */
		attach.fds[0] = console;
	}
	attach.signals = foreground_signals();
	if (attach.signals >= 0 && attach_start(&attach, state, c) == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		for (int fd = 0; fd < 3; fd++)
			dup2(null, fd);
		if (write(report, "", 1) == 1)
			close(report);
		status = attach_wait(&attach);
	}
	_exit(status);
}

static int run_detached(const struct state *state, const struct container *c, const struct exec_options *o)
{
	AUTO_FD int console = -1;
	int report[2];
	char ok;

	if (c->terminal && !o->console_socket)
		return cli_error("cannot allocate tty if the process is detached without setting a console socket");
	if (c->terminal && console_make(o->console_socket, &console))
		return 1;
	if (pipe2(report, O_CLOEXEC) < 0)
		return cli_error("pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0) {
		close(report[0]);
		stay(state, c, console, report[1]);
	}
	close(report[1]);
	if (pid < 0)
		return cli_error("fork: %s", strerror(errno));
	ssize_t n = read(report[0], &ok, 1); /* nothing: it has said why and ended */
	close(report[0]);
	if (n != 1)
		return 1;
	if (o->pid_file && file_write_pid(o->pid_file, pid)) {
		kill(pid, SIGKILL); /* and with it the process in the container */
		return 1;
	}
	return 0;
}

/* 0 with its exit status, or 1 after a message. */
static int run_attached(const struct state *state, const struct container *c, const struct exec_options *o, int *status)
{
	struct attach attach = {.terminal = c->terminal ? 0 : -1, .fds = {0, 1, 2}};

	if (o->console_socket)
		return cli_error("cannot use console socket if the process is not detached");
	if (c->terminal && !isatty(0))
		return cli_error("--tty: standard input is no terminal (with --detach and --console-socket one is made)");
	AUTO_FD int signals = foreground_signals();
	attach.signals = signals;
	if (signals < 0 || attach_start(&attach, state, c))
		return 1;
	if (o->pid_file && file_write_pid(o->pid_file, getpid()))
		return 1;
	*status = attach_wait(&attach);
	return 0;
}

/* 0 with the process's exit status, or 1 after a message: it did not start. */
static int run(struct exec_options *o, char **words, int *status)
{
	static struct container container;
	static struct state state;

	if (check(o, words) || state_open(&state, words[0], STATE_LOOK))
		return 1;
	switch (state_status(&state)) {
	case STATE_STOPPED:
		return cli_error("cannot exec in a stopped container");
	case STATE_CREATING:
		return cli_error("cannot exec in a container that is not created yet");
	case STATE_PAUSED:
		if (!o->ignore_paused)
			return cli_error("cannot exec in a paused container (use --ignore-paused to override)");
		break;
	default:
		break;
	}
	if (describe(&container, &state, o, words + 1))
		return 1;
	return o->detach ? run_detached(&state, &container, o) : run_attached(&state, &container, o, status);
}

int command_exec(int argc, char **argv)
{
	static struct exec_options o;
	char **words;
	int status = 0;

	if (parse(argc, argv, &o, &words))
		return 1;
	return run(&o, words, &status) ? NOT_STARTED : status;
}
