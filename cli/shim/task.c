/* The task service's table, and the methods that ask or signal: see task.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/shim/events.h"
#include "cli/shim/log.h"
#include "cli/shim/task.h"

#define SERVICE "containerd.task.v2.Task"
#define JSON_RESOURCES "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"

static const char *socket_path;
static void (*finish)(void);

void task_init(const char *path, void (*when_done)(void))
{
	socket_path = path;
	finish = when_done;
}

void task_console_path(char path[108])
{
	static unsigned number;

	snprintf(path, 108, "%s.%u", socket_path, number++);
}

struct process *task_find(struct call *call, const char *id, const char *exec_id)
{
	struct container *container = container_find(id);
	struct process *process = container ? process_find(container, exec_id) : NULL;

	if (!container)
		call_fail(call, RPC_NOT_FOUND, "container %.*s not created: not found", (int)ID_MAX, id);
	else if (!process)
		call_fail(call, RPC_NOT_FOUND, "process %.*s does not exist: not found", (int)ID_MAX, exec_id);
	return process;
}

static void operation_done(struct command *command, const char *error)
{
	struct operation *operation = (struct operation *)command;

	operation->done(operation, error); /* which may claim a child */
	loop_release_unclaimed();
	if (operation->file[0])
		unlink(operation->file);
	if (command->output >= 0)
		close(command->output);
	process_release(operation->process);
	free(operation);
}

struct operation *operation_new(struct call *call, struct process *process,
	void (*done)(struct operation *operation, const char *error))
{
	struct operation *operation = calloc(1, sizeof(*operation));

	if (!operation) {
		call_fail(call, RPC_RESOURCE_EXHAUSTED, "no memory");
		return NULL;
	}
	operation->call = call;
	operation->process = process;
	operation->done = done;
	operation->command.done = operation_done;
	return operation;
}

int operation_start(struct operation *operation, const char *const *words, const int *stdio)
{
	process_hold(operation->process);
	loop_hold_unclaimed();
	int error = runtime_start(&operation->command, operation->process->container->bundle, words, stdio);
	if (!error)
		return 0;
	call_fail(operation->call, RPC_UNKNOWN, "%s: %s", runtime.binary, strerror(-error));
	if (operation->file[0])
		unlink(operation->file);
	loop_release_unclaimed();
	process_release(operation->process);
	free(operation);
	return error;
}

static void answer_empty(struct operation *operation, const char *error)
{
	if (error)
		call_fail(operation->call, RPC_UNKNOWN, "%s", error);
	else
		call_reply(operation->call, NULL);
}

static void task_state(struct call *call, const void *data)
{
	const Shim__ProcessRequest *request = data;
	Shim__StateResponse response = SHIM__STATE_RESPONSE__INIT;
	Shim__Timestamp when;
	struct process *p = task_find(call, request->id, request->exec_id);

	if (!p)
		return;
	response.id = p->container->id;
	response.bundle = p->container->bundle;
	response.pid = p->pid;
	response.status = p->status == PROCESS_RUNNING && p->container->paused ? PROCESS_PAUSED : p->status;
	response.stdin = p->paths[0];
	response.stdout = p->paths[1];
	response.stderr = p->paths[2];
	response.terminal = p->terminal;
	response.exec_id = p->id;
	if (p->status == PROCESS_STOPPED) {
		when = wire_timestamp(&p->exited_at);
		response.exit_status = p->exit_status;
		response.exited_at = &when;
	}
	call_reply(call, &response.base);
}

static void task_wait(struct call *call, const void *data)
{
	const Shim__ProcessRequest *request = data;
	Shim__WaitResponse response = SHIM__WAIT_RESPONSE__INIT;
	Shim__Timestamp when;
	struct process *p = task_find(call, request->id, request->exec_id);
	struct waiter *waiter;

	if (!p)
		return;
	if (p->status == PROCESS_STOPPED) {
		when = wire_timestamp(&p->exited_at);
		response.exit_status = p->exit_status;
		response.exited_at = &when;
		call_reply(call, &response.base);
		return;
	}
	waiter = malloc(sizeof(*waiter));
	if (!waiter) {
		call_fail(call, RPC_RESOURCE_EXHAUSTED, "no memory");
		return;
	}
	waiter->call = call;
	SLIST_INSERT_HEAD(&p->waiters, waiter, link);
}

static void task_pids(struct call *call, const void *data)
{
	const Shim__ProcessRequest *request = data;
	Shim__PidsResponse response = SHIM__PIDS_RESPONSE__INIT;
	struct process *init = task_find(call, request->id, ""), *p;
	size_t count = 1, n = 0;

	if (!init)
		return;
	LIST_FOREACH(p, &init->container->execs, link)
		count++;
	AUTO_FREE Shim__ProcessInfo *infos = calloc(count, sizeof(*infos));
	AUTO_FREE Shim__ProcessInfo **list = calloc(count, sizeof(Shim__ProcessInfo *));
	if (!infos || !list) {
		call_fail(call, RPC_RESOURCE_EXHAUSTED, "no memory");
		return;
	}
	for (p = init; p; p = p == init ? LIST_FIRST(&init->container->execs) : LIST_NEXT(p, link)) {
		if (p->child.pid <= 0)
			continue;
		shim__process_info__init(&infos[n]);
		infos[n].pid = p->pid;
		list[n] = &infos[n];
		n++;
	}
	response.processes = list;
	response.n_processes = n;
	call_reply(call, &response.base);
}

static void task_connect(struct call *call, const void *data)
{
	const Shim__ProcessRequest *request = data;
	Shim__ConnectResponse response = SHIM__CONNECT_RESPONSE__INIT;
	struct container *container = container_find(request->id);

	response.shim_pid = (uint32_t)getpid();
	response.task_pid = container ? container->init.pid : 0;
	call_reply(call, &response.base);
}

static void task_shutdown(struct call *call, const void *data)
{
	call_reply(call, NULL);
	if (container_count() == 0)
		finish();
}

static void task_close_io(struct call *call, const void *data)
{
	const Shim__CloseRequest *request = data;
	struct process *p = task_find(call, request->id, request->exec_id);

	if (!p)
		return;
	if (request->stdin && p->stdio)
		stdio_close_stdin(p->stdio);
	call_reply(call, NULL);
}

static void task_resize(struct call *call, const void *data)
{
	const Shim__ResizeRequest *request = data;
	struct process *p = task_find(call, request->id, request->exec_id);

	if (!p)
		return;
	if (request->width > UINT16_MAX || request->height > UINT16_MAX) {
		call_fail(call, RPC_INVALID_ARGUMENT, "a terminal of %ux%u", request->width, request->height);
		return;
	}
	int error = p->stdio ? stdio_resize(p->stdio, (uint16_t)request->width, (uint16_t)request->height) : 0;
	if (error)
		call_fail(call, RPC_UNKNOWN, "resize: %s", strerror(-error));
	else
		call_reply(call, NULL);
}

static void kill_done(struct operation *operation, const char *error)
{
	if (error && operation->process->gone)
		call_fail(operation->call, RPC_NOT_FOUND, "process already finished: not found");
	else
		answer_empty(operation, error);
}

static void task_kill(struct call *call, const void *data)
{
	const Shim__KillRequest *request = data;
	struct process *p = task_find(call, request->id, request->exec_id);
	char number[16];
	const char *words[8] = {"kill"};
	unsigned n = 1;

	if (!p)
		return;
	if (request->signal > 64) {
		call_fail(call, RPC_INVALID_ARGUMENT, "signal %u", request->signal);
		return;
	}
	if (p->gone) {
		call_fail(call, RPC_NOT_FOUND, "process already finished: not found");
		return;
	}
	if (p->child.pid <= 0) {
		call_fail(call, RPC_FAILED_PRECONDITION, "process not created: failed precondition");
		return;
	}
	if (!process_is_init(p)) { /* what stands for it on the host passes signals on, and takes it along */
		if (kill(p->child.pid, (int)request->signal) < 0)
			call_fail(call, RPC_UNKNOWN, "kill: %s", strerror(errno));
		else
			call_reply(call, NULL);
		return;
	}
	struct operation *operation = operation_new(call, p, kill_done);
	if (!operation)
		return;
	snprintf(number, sizeof(number), "%u", request->signal);
	if (request->all)
		words[n++] = "--all";
	words[n++] = p->container->id;
	words[n++] = number;
	operation_start(operation, words, NULL);
}

static void freeze_done(struct operation *operation, const char *error, bool paused)
{
	struct container *container = operation->process->container;
	Shim__TaskId event = SHIM__TASK_ID__INIT;

	if (!error) {
		container->paused = paused;
		event.container_id = container->id;
		if (paused)
			events_publish("/tasks/paused", "containerd.events.TaskPaused", &event.base);
		else
			events_publish("/tasks/resumed", "containerd.events.TaskResumed", &event.base);
	}
	answer_empty(operation, error);
}

static void pause_done(struct operation *operation, const char *error)
{
	freeze_done(operation, error, true);
}

static void resume_done(struct operation *operation, const char *error)
{
	freeze_done(operation, error, false);
}

static void freeze(struct call *call, const Shim__ProcessRequest *request, const char *word,
	void (*done)(struct operation *, const char *))
{
	struct process *p = task_find(call, request->id, "");
	struct operation *operation = p ? operation_new(call, p, done) : NULL;

	if (operation)
		operation_start(operation, (const char *[]){word, p->container->id, NULL}, NULL);
}

static void task_pause(struct call *call, const void *request)
{
	freeze(call, request, "pause", pause_done);
}

static void task_resume(struct call *call, const void *request)
{
	freeze(call, request, "resume", resume_done);
}

static void task_update(struct call *call, const void *data)
{
	static unsigned number;
	const Shim__UpdateRequest *request = data;
	struct process *p = task_find(call, request->id, "");

	if (!p)
		return;
	if (!request->resources || strcmp(request->resources->type_url, JSON_RESOURCES) != 0) {
		call_fail(call, RPC_INVALID_ARGUMENT, "update: resources are not of type " JSON_RESOURCES);
		return;
	}
	struct operation *operation = operation_new(call, p, answer_empty);
	if (!operation)
		return;
	snprintf(operation->file, sizeof(operation->file), "%s/update-%u.json", p->container->bundle, number++);
	FILE *file = fopen(operation->file, "we");
	bool written = file && fwrite(request->resources->value.data, 1, request->resources->value.len, file) ==
		request->resources->value.len;
	if (!file || fclose(file) != 0 || !written) {
		call_fail(call, RPC_UNKNOWN, "update: %s: %s", operation->file, strerror(errno));
		free(operation);
		return;
	}
	operation_start(operation, (const char *[]){"update", "--resources", operation->file, p->container->id, NULL},
		NULL);
}

static const struct method {
	const char *name;
	const ProtobufCMessageDescriptor *request;
	void (*run)(struct call *call, const void *request);
} methods[] = {
	{"Create", &shim__create_request__descriptor, task_create},
	{"Start", &shim__process_request__descriptor, task_start},
	{"Delete", &shim__process_request__descriptor, task_delete},
	{"Exec", &shim__exec_request__descriptor, task_exec},
	{"State", &shim__process_request__descriptor, task_state},
	{"Wait", &shim__process_request__descriptor, task_wait},
	{"Pids", &shim__process_request__descriptor, task_pids},
	{"Kill", &shim__kill_request__descriptor, task_kill},
	{"Pause", &shim__process_request__descriptor, task_pause},
	{"Resume", &shim__process_request__descriptor, task_resume},
	{"ResizePty", &shim__resize_request__descriptor, task_resize},
	{"CloseIO", &shim__close_request__descriptor, task_close_io},
	{"Update", &shim__update_request__descriptor, task_update},
	{"Stats", &shim__process_request__descriptor, task_stats},
	{"Connect", &shim__process_request__descriptor, task_connect},
	{"Shutdown", &shim__shutdown_request__descriptor, task_shutdown},
};

void task_serve(struct call *call, const char *service, const char *name, const uint8_t *payload, size_t length)
{
	for (size_t i = 0; strcmp(service, SERVICE) == 0 && i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (strcmp(methods[i].name, name) != 0)
			continue;
		void *request = wire_unpack(methods[i].request, payload, length);
		if (request)
			methods[i].run(call, request);
		else
			call_fail(call, RPC_INVALID_ARGUMENT, "%s: malformed request", name);
		wire_free(request);
		return;
	}
	call_fail(call, RPC_UNIMPLEMENTED, "%.100s/%.100s: not implemented", service, name);
}
