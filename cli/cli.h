/*
 * What the files of cli/ share: the global options, the subcommands, messages and the
 * cleanup attributes.
 *
 * A subcommand is one function in one file: it gets its own arguments (argv[0] is its
 * name) and returns the exit status of the command. Messages name the operation, the
 * object and the reason, on one line: `ringfence: run: config.json: /path: reason`.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* --rootless: for an ordinary user, where less is possible. */
enum rootless { ROOTLESS_AUTO, ROOTLESS_YES, ROOTLESS_NO };

struct global_options {
	const char *platform;  /* auto, kvm, systrap, ptrace */
	const char *network;   /* none, sandbox, host */
	const char *root;      /* state directory */
	const char *debug_log; /* path, with %ID%, %COMMAND% and %TIMESTAMP%; NULL: stderr if debug or strace */
	const char *log;       /* path; NULL: messages go to stderr only */
	bool log_json;
	bool debug, strace;
	bool no_patching; /* system calls stay signals on systrap */
	bool no_cgroups;
	bool systemd_cgroup; /* systemd makes them */
	enum rootless rootless;
	unsigned watchdog; /* seconds, 0: none */
	bool overlay; /* changes of the root stay in the sandbox's memory */
	const char *operation; /* the subcommand's name, for messages */
	const char *id;        /* the container's, once known */
};

extern struct global_options global;

/* One line on stderr, after "ringfence: OPERATION: ", and in --log. Returns 1, the exit status of a failure. */
int cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for something that is not done but does not stop the command. */
void cli_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_mute(bool muted); /* errors and warnings are not said meanwhile */
/* Text that comes from a sandbox, or from a file, as one line that does nothing to a terminal or a log; what is too long is cut. */
void cli_printable(char *to, size_t size, const char *from);
/* A line that a process of the sandbox wrote: to stderr as it is, and to --log. */
void cli_pass_on(const char *line);
/* The debug log as --debug-log, --debug and --strace want it: a descriptor, or -1 for none. 0, or 1 after a message. */
int cli_open_debug_log(int *fd);
/* Now, as RFC 3339 with nanoseconds. */
void cli_timestamp(char text[40]);
long long cli_now_ms(void); /* for durations: since some moment */
/* A wait status as a shell has it: 128 and the signal, or the exit status. */
static inline int cli_shell_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

struct subcommand {
	const char *name, *words, *help; /* words, help: NULL for an internal one */
	int (*run)(int argc, char **argv);
};

#define COMMAND(name, words, help) int command_##name(int argc, char **argv);
#define INTERNAL(name) int command_##name(int argc, char **argv);
#include "cli/commands.def"
#undef COMMAND
#undef INTERNAL

/* commands.c. By name, or NULL; and the one at `index` in the order of the table, NULL after the last. */
const struct subcommand *command_find(const char *name);
const struct subcommand *command_at(size_t index);

static inline void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_free(void *at)
{
	free(*(void **)at);
}

static inline void cleanup_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

/* user_name.c. The host's name of a user; false: it has none. */
bool user_name(uid_t uid, char *name, size_t size);

#define AUTO_FD __attribute__((cleanup(cleanup_fd)))
#define AUTO_FREE __attribute__((cleanup(cleanup_free)))
#define AUTO_FILE __attribute__((cleanup(cleanup_file)))

#endif
