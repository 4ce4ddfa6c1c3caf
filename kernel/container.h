/*
 * The containers of a sandbox, and starting processes in them from outside.
 *
 *	STARTING --mounts, program found--> CREATED --CONTROL_START, execve--> RUNNING --first process ended--> ENDED
 *
 * A sandbox has one container, number 0, that lives as long as it; a pod has more. Every process belongs to one, as
 * its parent does. Everything under the kernel lock. kernel/container.c keeps them, kernel/init.c starts processes,
 * kernel/control.c takes orders from the host side.
 */
#ifndef KERNEL_CONTAINER_H
#define KERNEL_CONTAINER_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/cgroup.h"
#include "kernel/config.h"
#include "kernel/wait.h"
#include "platform/abi/control.h"

struct console; /* vfs/tty */
struct fs_context;
struct ns_set;
struct user_ns;
struct process;
struct task;

enum container_state { CONTAINER_STARTING, CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_ENDED };

#define CONTAINER_WHY 256

struct container {
	TAILQ_ENTRY(container) link;
	uint32_t id;
	enum container_state state;
	struct container_config config;
	uint32_t fds[3], gofer;    /* donated descriptors of its standard files; its gofer's number */
	struct process *init;      /* its first process, without a reference; NULL before and after */
	struct ns_set *ns;         /* of its first process, when that began */
	struct user_ns *user_ns;   /* of its processes to begin with; NULL while it is being made */
	struct fs_context *fs;     /* its root, for processes started from outside; NULL before it is mounted */
	struct console *console;   /* its terminal, or NULL */
	bool start_ordered;
	struct waitq waiters;      /* for start_ordered */
	int wait_status;           /* once it has ended */
	int error;                 /* why it was not created; the text for people is in why */
	char why[CONTAINER_WHY];
	uint64_t user_time, system_time, page_faults, major_faults, switches; /* of processes that have ended */
	struct cgroup cgroup; /* the top of its control groups: its tasks, their limit, its freezer */
	uint64_t oom_kills, started;
	uint64_t exits_success, exits_failure, exits_signal, exits_oom; /* of its processes, as in struct control_stats */
	uint64_t memory_peak; /* bytes, as far as somebody asked */
};

TAILQ_HEAD(container_list, container);
extern struct container_list containers;
extern struct container first_container;

struct container *container_find(uint32_t id);
/* Decodes the records of one and starts its first process, up to where it waits for its start order. 0 or -errno. */
int container_create(uint32_t id, const void *blob, uint64_t len, const uint32_t *fds, uint32_t gofer);
/* It has ended, and nothing of it is left: forgets it. May sleep. */
void container_delete(struct container *c);
void container_set_state(struct container *c, enum container_state state);
/* A process has ended: no thread is left. Once for each. Does not sleep. */
void container_process_ended(struct process *process);

/* ---- init.c: a process being started from outside ---- */

struct launch {
	struct container *container;
	struct container_config config; /* of a process started in a running container; else unused */
	bool first;                     /* the container's first process */
	uint32_t fds[CONTROL_FDS];      /* of its standard files or its terminal, then those passed to it, if not the first */
	uint32_t request;               /* CONTROL_EXEC's number */
	bool bound;
	struct console *console;
	char why[CONTAINER_WHY];
};

/* A process in a running container. Takes over launch (from kzalloc) if it returns 0: control_launched() tells the rest. */
int launch_process(struct launch *launch);
/* A kernel task that has become a program leaves for user mode, traced by --strace if that is on. Does not return. */
void task_begin_program(struct task *task);
/* What went wrong with the start that the current task is busy with: logged, and kept for the answer. */
void launch_explain(const char *operation, const char *object, const char *reason);

/* ---- control.c ---- */

void control_init(void);
void control_container_changed(struct container *c); /* its state; answers who waits for that */
/* A launched process runs (0) or could not be started (-errno and launch->why). Takes over launch. */
void control_launched(struct launch *launch, struct process *process, int error);
void control_process_ended(struct process *process);
void control_oom(struct container *c, struct process *victim);
void control_flush_last(void); /* before the sandbox ends */

#endif
