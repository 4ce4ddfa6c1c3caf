/*
 * Calling the runtime: `ringfence --root … --log … COMMAND …` as a child, without waiting for it.
 *
 * The error of a command is the last error line of its log (JSON, as runc writes it), else
 * the last line of its output.
 */
#ifndef CLI_SHIM_RUNTIME_H
#define CLI_SHIM_RUNTIME_H

#include <limits.h>
#include <stdbool.h>

#include "cli/shim/loop.h"

/* Which runtime, and its global options: one for all containers of a shim. */
struct runtime {
	char binary[PATH_MAX];
	char root[PATH_MAX];
	char config[PATH_MAX]; /* "": none */
	bool systemd_cgroup;
};

extern struct runtime runtime;

struct command {
	struct child child; /* first */
	int output;         /* memfd with its standard output and error; -1: they were given */
	char log[PATH_MAX];
	/* `error`: NULL if it ended with 0, else why not. The command may be freed by it. */
	void (*done)(struct command *command, const char *error);
};

#define RUNTIME_WORDS 24u

/* The defaults: ringfence beside this program, or in PATH; state in /run/containerd/ringfence/NAMESPACE. */
void runtime_init(const char *name_space);
/* For `delete`, which runs without any request: what this bundle's container was created with. */
void runtime_save(const char *bundle);
void runtime_load(const char *bundle);

/*
 * Starts a command. `words`: from the subcommand on, NULL at the end. `stdio`: three
 * descriptors, -1 for /dev/null; NULL: output is kept. 0 or -errno (then `done` is not called).
 */
int runtime_start(struct command *command, const char *bundle, const char *const *words, const int *stdio);

/* The output of an ended command, freshly allocated and terminated; NULL if there is none. At most 1 MiB. */
char *runtime_output(const struct command *command);

/* Runs a command to its end; for `delete`, where there is no loop. Its exit status, or -errno. */
int runtime_run(const char *const *words);

#endif
