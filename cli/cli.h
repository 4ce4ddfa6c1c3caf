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
#include <unistd.h>

struct global_options {
	const char *platform;  /* auto, kvm, ptrace */
	const char *root;      /* state directory */
	const char *debug_log; /* path; NULL: stderr if debug or strace */
	bool debug, strace;
	const char *operation; /* the subcommand's name, for messages */
};

extern struct global_options global;

/* One line on stderr, after "ringfence: OPERATION: ". Returns 1, the exit status of a failed start. */
int cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

int command_run(int argc, char **argv);
int command_do(int argc, char **argv);
int command_spec(int argc, char **argv);
int command_version(int argc, char **argv);
int command_help(int argc, char **argv);
int command_boot(int argc, char **argv);
int command_gofer(int argc, char **argv);
int command_filters(int argc, char **argv);
int command_platform(int argc, char **argv);

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

#define AUTO_FD __attribute__((cleanup(cleanup_fd)))
#define AUTO_FREE __attribute__((cleanup(cleanup_free)))
#define AUTO_FILE __attribute__((cleanup(cleanup_file)))

#endif
