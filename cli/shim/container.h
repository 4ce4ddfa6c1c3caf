/*
 * The containers of a shim and their processes: a first one each, and those of exec.
 *
 * A process goes CREATED, RUNNING, STOPPED. Its pid is the one in the runtime's pid file: a
 * child of the shim (its subreaper), which ends with the process's status. Its exit becomes
 * known in two steps: the child has ended (`gone`), and the exit is published, which waits
 * for the start's answer, and, for a container's first process, for those of exec.
 */
#ifndef CLI_SHIM_CONTAINER_H
#define CLI_SHIM_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>

#include "cli/shim/loop.h"
#include "cli/shim/server.h"
#include "cli/shim/stdio.h"

enum process_status { /* containerd.v1.types.Status */
	PROCESS_CREATED = 1,
	PROCESS_RUNNING = 2,
	PROCESS_STOPPED = 3,
	PROCESS_PAUSED = 4,
};

#define ID_MAX 128u

struct container;
struct sandbox; /* sandbox.c */

struct waiter {
	struct call *call;
	SLIST_ENTRY(waiter) link;
};

struct process {
	struct child child; /* first */
	struct container *container;
	char id[ID_MAX]; /* of exec; "" for the container's first process */
	char *paths[3];  /* as the client named them */
	bool terminal;
	struct stdio *stdio;
	char *spec; /* exec: the process in JSON */
	size_t spec_length;

	uint32_t pid; /* 0: none yet */
	enum process_status status;
	bool starting; /* a runtime command is creating or starting it */
	bool gone;     /* the child has ended, exit_status and exited_at are set */
	bool deleting, removed;
	unsigned refs; /* operations under way */
	uint32_t exit_status;
	struct timespec exited_at;
	SLIST_HEAD(, waiter) waiters;
	void (*after_exit)(struct process *process); /* once it is STOPPED; NULL: nothing */
	struct call *delete_call;                    /* for after_exit */
	LIST_ENTRY(process) link;
};

struct container {
	struct process init; /* first */
	char id[ID_MAX];
	char *bundle;
	bool mounted; /* the root file system, by us */
	bool paused;
	bool pod; /* one of several in a sandbox, or may become one */
	struct sandbox *sandbox; /* NULL: it does not run, or cannot be asked */
	LIST_HEAD(, process) execs;
	LIST_ENTRY(container) link;
};

bool container_valid_id(const char *id); /* what containerd allows: letters, digits, and . _ - between them */
struct container *container_new(const char *id, const char *bundle); /* NULL: no memory */
struct container *container_find(const char *id);
struct container *container_oldest(void); /* a pod's first one; there is one */
unsigned container_count(void);
struct process *process_new(struct container *container, const char *id); /* of exec; NULL: no memory */
struct process *process_find(struct container *container, const char *id); /* "": the first one */

/* The runtime has written the process's pid: from now on its end is noticed. 0, or -errno if the file is no pid. */
int process_read_pid(struct process *process, const char *pid_file);
/* `starting` has changed: what was held back may be published now. */
void process_publish(struct process *process);

/* Takes it out of every list; memory goes when no operation holds it. */
void process_remove(struct process *process);
void process_hold(struct process *process);
void process_release(struct process *process);

bool process_is_init(const struct process *process);

#endif
