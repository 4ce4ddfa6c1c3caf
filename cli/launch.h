/*
 * Starts the processes of a sandbox: boot (the VMM), which starts the gofer below itself.
 *
 * Order of use: sandbox_launch(); then whatever the subcommand does with it while
 * sandbox_errors() passes the sandbox's lines on; at last sandbox_release(), after which
 * the sandbox lives without this command, or sandbox_end().
 *
 * The lifeline is a socket to boot: when it closes before a release, the sandbox ends, so
 * a command that is killed leaves no process behind.
 */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "cli/cgroup.h"
#include "cli/container.h"

struct launch_options {
	bool held;      /* nothing of the container is looked at before sandbox_go() */
	bool detached;  /* the sandbox is to outlive this command */
	bool own_network; /* the sandbox enters, and keeps, the container's network namespace */
	int listen_fd;  /* the control channel, or -1 */
	struct cgroup *cgroup; /* to run in, or NULL */
	struct state *state;   /* that records the group, if there is one */
	int console_fd; /* a terminal to use as standard input, output and error, or -1: this command's own */
};

struct sandbox {
	pid_t boot;   /* 0: none, or it was reaped */
	int lifeline; /* struct vmm_control messages */
	int errors;   /* lines that say what is wrong */
	size_t said;  /* bytes of them so far */
};

#define SANDBOX_NONE {0, -1, -1, 0}

/* 0, or 1 after a message; then nothing was started. The trees of the container stay open. */
int sandbox_launch(struct sandbox *sandbox, const struct container *container, const struct launch_options *options);
/*
 * Passes on what the sandbox said, to stderr and the log: what a pipe holds, not more, since one that was taken over may write without
 * end. False: the other end is closed. Never waits.
 */
bool sandbox_errors(struct sandbox *sandbox);
/* What it said is known already: its lines are not passed on any more. */
void sandbox_hush(struct sandbox *sandbox);
/*
 * It has closed its end, so it ends: waits for that and says how it died, if it cannot have said so itself. True: a line was said.
 */
bool sandbox_say_fate(struct sandbox *sandbox);
void sandbox_say_killed(int number); /* by that signal */
/* A child of this command that is ending, as far as is known: waits a second at most. True: reaped, with its wait status. */
bool sandbox_child_ended(pid_t pid, int *status);
/* A held sandbox begins. */
void sandbox_go(struct sandbox *sandbox);
/* From here on it lives without this command. */
void sandbox_release(struct sandbox *sandbox);
/* Kills it, passes its last lines on, reaps it. Harmless if there is none. */
void sandbox_end(struct sandbox *sandbox);

/* A fork into a new pid namespace; where that is forbidden (a container without the right), a plain one. */
pid_t sandbox_fork(void);
/*
 * In a child: `fds` become 3 and up, everything else is closed on exec, and this program is
 * executed again. Returns after a message if that fails.
 */
void sandbox_become(const int *fds, unsigned count, char **argv);

/* What a container's gofer serves, and for whom. */
struct gofer_start {
	int fds[CONTAINER_MAX_TREES]; /* the trees: O_PATH */
	bool readonly[CONTAINER_MAX_TREES], detached[CONTAINER_MAX_TREES];
	unsigned count;
	const char *ids; /* the container's mappings: container_ids() */
	bool left_network; /* this process has left the host's network namespace, and it may stay here */
	int errors;      /* its standard error, or -1: this process's own */
};

/* Starts it as a child in a pid namespace of its own: its number and, in *socket, where it speaks 9P; -1 after a message. */
pid_t sandbox_start_gofer(const struct gofer_start *start, int *socket);

/*
 * In the child, whose lifeline that is: waits until the parent has called sandbox_adopt(), then enters the group, if there
 * is one. 0, or 1: after a message, or because the parent has gone.
 */
int sandbox_enter_group(const struct launch_options *options, int lifeline);
/* In the parent. 0, or 1 after a message; then the child is to be ended. */
int sandbox_adopt(const struct launch_options *options, const struct container *container, pid_t pid, int lifeline);

/* A program or file of ours, from beside the command or where it is installed: its path. 0, or 1 after a message. */
int program_find(const char *name, char path[PATH_MAX]);
/* sentry.elf, from beside the command or where it is installed: a descriptor, or -1 after a message. */
int sandbox_open_image(void);

#endif
