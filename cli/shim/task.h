/*
 * The task service, containerd.task.v2.Task: task.c has the table and what only asks or
 * signals, lifecycle.c what makes and unmakes processes, stats.c the statistics.
 */
#ifndef CLI_SHIM_TASK_H
#define CLI_SHIM_TASK_H

#include "cli/shim/container.h"
#include "cli/shim/runtime.h"
#include "cli/shim/server.h"

/* A runtime command on behalf of a call. */
struct operation {
	struct command command; /* first */
	struct call *call;
	struct process *process; /* held */
	void (*done)(struct operation *operation, const char *error);
	char file[PATH_MAX]; /* to be removed afterwards; "": none */
};

void task_serve(struct call *call, const char *service, const char *method, const uint8_t *payload, size_t length);
/* `path`: sockets for terminals are made beside it; `finish` is called when the shim is to go. */
void task_init(const char *path, void (*finish)(void));

/*
 * Starts a command for `process`; `done` must end the call. If it cannot be started the call
 * has failed already, and -errno is returned. `operation` is freed after `done`.
 */
int operation_start(struct operation *operation, const char *const *words, const int *stdio);
struct operation *operation_new(struct call *call, struct process *process,
	void (*done)(struct operation *operation, const char *error)); /* NULL: the call has failed */

/* The process that a request is about, or NULL, and the call has failed. */
struct process *task_find(struct call *call, const char *id, const char *exec_id);
void task_console_path(char path[108]); /* a new one each time */

void task_create(struct call *call, const void *request);
void task_start(struct call *call, const void *request);
void task_exec(struct call *call, const void *request);
void task_delete(struct call *call, const void *request);
void task_stats(struct call *call, const void *request);

#endif
