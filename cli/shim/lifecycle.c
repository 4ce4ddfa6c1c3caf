/*
 * Create, start, exec and delete: see task.h.
 *
 * Each checks its request, then calls the runtime, and ends in a function named …_done. What
 * a create has done (mounts, streams, the container's place in the list) is undone if it fails.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/shim/address.h"
#include "cli/shim/events.h"
#include "cli/shim/log.h"
#include "cli/shim/mounts.h"
#include "cli/shim/sandbox.h"
#include "cli/shim/task.h"

#define JSON_PROCESS "types.containerd.io/opencontainers/runtime-spec/1/Process"
#define RUNC_OPTIONS "containerd.runc.v1.Options"
#define RUNTIME_OPTIONS "runtimeoptions.v1.Options"

static void rootfs_path(const struct container *container, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/rootfs", container->bundle);
}

static void forget_container(struct container *container)
{
	char path[PATH_MAX];

	rootfs_path(container, path);
	if (container->mounted)
		mounts_remove(path);
	process_remove(&container->init);
}

/* Paths must be whole: a truncated one would be another file's. False, and the call has failed, if too long. */
static bool set_path(struct call *call, char out[PATH_MAX], const char *value)
{
	if (strlen(value) < PATH_MAX && !strchr(value, '\n')) {
		strcpy(out, value);
		return true;
	}
	call_fail(call, RPC_INVALID_ARGUMENT, "options: not a path: %.60s", value);
	return false;
}

static bool runc_options(struct call *call, const Shim__RuncOptions *options)
{
	const char *refused = options->shim_cgroup[0] ? "ShimCgroup" :
		options->io_uid || options->io_gid ? "IoUid and IoGid" :
		options->no_pivot_root ? "NoPivotRoot" : NULL;

	if (refused) {
		call_fail(call, RPC_INVALID_ARGUMENT, "options: %s: not supported", refused);
		return false;
	}
	if (options->binary_name[0] && !set_path(call, runtime.binary, options->binary_name))
		return false;
	if (options->root[0] && !set_path(call, runtime.root, options->root))
		return false;
	runtime.systemd_cgroup = options->systemd_cgroup;
	return true;
}

static bool take_options(struct call *call, const Shim__Any *any)
{
	bool taken = false;

	if (!any || !any->type_url[0])
		return true;
	if (strcmp(any->type_url, RUNC_OPTIONS) == 0) {
		Shim__RuncOptions *options = wire_unpack(&shim__runc_options__descriptor, any->value.data, any->value.len);
		if (options)
			taken = runc_options(call, options);
		else
			call_fail(call, RPC_INVALID_ARGUMENT, "options: malformed");
		wire_free(options);
	} else if (strcmp(any->type_url, RUNTIME_OPTIONS) == 0) {
		Shim__RuntimeOptions *options =
			wire_unpack(&shim__runtime_options__descriptor, any->value.data, any->value.len);
		if (!options)
			call_fail(call, RPC_INVALID_ARGUMENT, "options: malformed");
		else if (options->config_body.len > 0)
			call_fail(call, RPC_INVALID_ARGUMENT, "options: ConfigBody: not supported: ConfigPath is");
		else
			taken = set_path(call, runtime.config, options->config_path);
		wire_free(options);
	} else {
		call_fail(call, RPC_INVALID_ARGUMENT, "options: unknown type %.100s", any->type_url);
	}
	return taken;
}

static bool copy_paths(struct process *p, const char *in, const char *out, const char *err)
{
	p->paths[0] = strdup(in);
	p->paths[1] = strdup(out);
	p->paths[2] = strdup(err);
	return p->paths[0] && p->paths[1] && p->paths[2];
}

/* Opens the process's streams. False, and the call has failed. */
static bool open_streams(struct call *call, struct process *p, int fds[3])
{
	char why[256], console[108];

	task_console_path(console);
	if (stdio_open(&p->stdio, (const char *const *)p->paths, p->terminal, console, fds, why) == 0)
		return true;
	call_fail(call, RPC_UNKNOWN, "open the process's streams: %s", why);
	return false;
}

static void publish_create(const struct container *container)
{
	Shim__TaskCreate event = SHIM__TASK_CREATE__INIT;
	Shim__TaskIO io = SHIM__TASK_IO__INIT;

	io.stdin = container->init.paths[0];
	io.stdout = container->init.paths[1];
	io.stderr = container->init.paths[2];
	io.terminal = container->init.terminal;
	event.container_id = (char *)container->id;
	event.bundle = container->bundle;
	event.io = &io;
	event.pid = container->init.pid;
	events_publish("/tasks/create", "containerd.events.TaskCreate", &event.base);
}

static void create_done(struct operation *operation, const char *error)
{
	struct container *container = operation->process->container;
	Shim__PidResponse response = SHIM__PID_RESPONSE__INIT;
	char pid_file[PATH_MAX];
	int failed = 0;

	snprintf(pid_file, sizeof(pid_file), "%s/init.pid", container->bundle);
	if (!error)
		failed = process_read_pid(&container->init, pid_file);
	if (error || failed) {
		if (error)
			call_fail(operation->call, RPC_UNKNOWN, "OCI runtime create failed: %s", error);
		else
			call_fail(operation->call, RPC_UNKNOWN, "OCI runtime create: %s: %s", pid_file, strerror(-failed));
		forget_container(container);
		return;
	}
	sandbox_watch(container);
	publish_create(container);
	response.pid = container->init.pid;
	call_reply(operation->call, &response.base);
	container->init.starting = false;
	process_publish(&container->init);
}

static void run_create(struct call *call, struct container *container)
{
	struct process *p = &container->init;
	char pid_file[PATH_MAX];
	const char *words[RUNTIME_WORDS] = {"create", "--bundle", container->bundle, "--pid-file", pid_file};
	unsigned n = 5;
	int fds[3];

	if (!open_streams(call, p, fds)) {
		forget_container(container);
		return;
	}
	snprintf(pid_file, sizeof(pid_file), "%s/init.pid", container->bundle);
	if (p->terminal) {
		words[n++] = "--console-socket";
		words[n++] = stdio_console(p->stdio);
	}
	words[n] = container->id;
	p->starting = true;
	struct operation *operation = operation_new(call, p, create_done);
	if (!operation || operation_start(operation, words, fds))
		forget_container(container);
	stdio_close_fds(fds);
}

void task_create(struct call *call, const void *data)
{
	const Shim__CreateRequest *request = data;
	char path[PATH_MAX], why[256];

	if (!container_valid_id(request->id)) {
		call_fail(call, RPC_INVALID_ARGUMENT, "create: not a container's id");
		return;
	}
	if (request->bundle[0] != '/' || strlen(request->bundle) + 64 > PATH_MAX) {
		call_fail(call, RPC_INVALID_ARGUMENT, "create: not a bundle's path");
		return;
	}
	if (request->checkpoint[0] || request->parent_checkpoint[0]) {
		call_fail(call, RPC_UNIMPLEMENTED, "create: from a checkpoint: not implemented");
		return;
	}
	if (container_find(request->id)) {
		call_fail(call, RPC_ALREADY_EXISTS, "container %s: already exists", request->id);
		return;
	}
	if (!take_options(call, request->options))
		return;
	struct container *container = container_new(request->id, request->bundle);
	if (!container || !copy_paths(&container->init, request->stdin, request->stdout, request->stderr)) {
		call_fail(call, RPC_RESOURCE_EXHAUSTED, "no memory");
		if (container)
			process_remove(&container->init);
		return;
	}
	container->init.terminal = request->terminal;
	snprintf(path, sizeof(path), "%s/config.json", container->bundle);
	container->pod = address_in_pod(path);
	runtime_save(container->bundle);
	rootfs_path(container, path);
	container->mounted = request->n_rootfs > 0;
	if (mounts_apply(request->rootfs, request->n_rootfs, path, why)) {
		call_fail(call, RPC_UNKNOWN, "root file system: %s", why);
		process_remove(&container->init);
		return;
	}
	run_create(call, container);
}

static void publish_start(const struct process *p)
{
	if (process_is_init(p)) {
		Shim__TaskStart event = SHIM__TASK_START__INIT;
		event.container_id = p->container->id;
		event.pid = p->pid;
		events_publish("/tasks/start", "containerd.events.TaskStart", &event.base);
	} else {
		Shim__TaskExec event = SHIM__TASK_EXEC__INIT;
		event.container_id = p->container->id;
		event.exec_id = (char *)p->id;
		event.pid = p->pid;
		events_publish("/tasks/exec-started", "containerd.events.TaskExecStarted", &event.base);
	}
}

static void started(struct operation *operation)
{
	struct process *p = operation->process;
	Shim__PidResponse response = SHIM__PID_RESPONSE__INIT;

	p->status = PROCESS_RUNNING;
	response.pid = p->pid;
	publish_start(p);
	call_reply(operation->call, &response.base);
	p->starting = false;
	process_publish(p);
}

static void start_done(struct operation *operation, const char *error)
{
	struct process *p = operation->process;

	if (!error) {
		started(operation);
		return;
	}
	call_fail(operation->call, RPC_UNKNOWN, "OCI runtime start failed: %s", error);
	p->starting = false;
	process_publish(p);
}

static void exec_pid_file(const struct process *p, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s.pid", p->container->bundle, p->id);
}

/* An exec that did not start has ended, with a status that says so. */
static void exec_failed(struct process *p)
{
	p->starting = false;
	p->gone = true;
	p->exit_status = 255;
	clock_gettime(CLOCK_REALTIME, &p->exited_at);
	process_publish(p);
}

static void exec_done(struct operation *operation, const char *error)
{
	struct process *p = operation->process;
	char pid_file[PATH_MAX];

	exec_pid_file(p, pid_file);
	int failed = error ? 0 : process_read_pid(p, pid_file);
	unlink(pid_file);
	if (!error && !failed) {
		started(operation);
		if (p->container->init.gone && p->child.pid > 0)
			kill(p->child.pid, SIGKILL); /* the container ended meanwhile */
		return;
	}
	if (error)
		call_fail(operation->call, RPC_UNKNOWN, "OCI runtime exec failed: %s", error);
	else
		call_fail(operation->call, RPC_UNKNOWN, "OCI runtime exec: %s: %s", pid_file, strerror(-failed));
	exec_failed(p);
}

static bool write_spec(struct call *call, const struct process *p, const char *path)
{
	AUTO_FILE FILE *file = fopen(path, "we");

	if (file && fwrite(p->spec, 1, p->spec_length, file) == p->spec_length && fflush(file) == 0)
		return true;
	call_fail(call, RPC_UNKNOWN, "exec: %s: %s", path, strerror(errno));
	return false;
}

static void start_exec(struct call *call, struct process *p)
{
	struct operation *operation = operation_new(call, p, exec_done);
	char pid_file[PATH_MAX];
	const char *words[RUNTIME_WORDS] = {"exec", "--detach", "--pid-file", pid_file, "--process"};
	unsigned n = 5;
	int fds[3];

	if (!operation)
		return;
	snprintf(operation->file, sizeof(operation->file), "%s/%s-process.json", p->container->bundle, p->id);
	if (!write_spec(call, p, operation->file) || !open_streams(call, p, fds)) {
		unlink(operation->file);
		free(operation);
		exec_failed(p);
		return;
	}
	exec_pid_file(p, pid_file);
	words[n++] = operation->file;
	if (p->terminal) {
		words[n++] = "--console-socket";
		words[n++] = stdio_console(p->stdio);
	}
	words[n] = p->container->id;
	p->starting = true;
	if (operation_start(operation, words, fds))
		exec_failed(p);
	stdio_close_fds(fds);
}

void task_start(struct call *call, const void *data)
{
	const Shim__ProcessRequest *request = data;
	struct process *p = task_find(call, request->id, request->exec_id);

	if (!p)
		return;
	if (p->gone && !p->starting && !p->deleting && process_is_init(p)) { /* before it ran: its sandbox was ended */
		call_fail(call, RPC_FAILED_PRECONDITION, "start: the sandbox's process has ended with status %u%s: failed precondition",
			p->exit_status, p->exit_status > 128 ? ", by a signal" : "");
		return;
	}
	if (p->starting || p->deleting || p->gone || p->status != PROCESS_CREATED) {
		call_fail(call, RPC_FAILED_PRECONDITION, "start: the process is not in state created: failed precondition");
		return;
	}
	if (!process_is_init(p)) {
		start_exec(call, p);
		return;
	}
	struct operation *operation = operation_new(call, p, start_done);
	if (!operation)
		return;
	p->starting = true;
	if (operation_start(operation, (const char *[]){"start", p->container->id, NULL}, NULL))
		p->starting = false;
}

void task_exec(struct call *call, const void *data)
{
	const Shim__ExecRequest *request = data;
	struct process *init = task_find(call, request->id, "");
	Shim__TaskExec event = SHIM__TASK_EXEC__INIT;

	if (!init)
		return;
	if (!container_valid_id(request->exec_id)) {
		call_fail(call, RPC_INVALID_ARGUMENT, "exec: not a process's id");
		return;
	}
	if (process_find(init->container, request->exec_id)) {
		call_fail(call, RPC_ALREADY_EXISTS, "process %s: already exists", request->exec_id);
		return;
	}
	if (init->status != PROCESS_RUNNING) {
		call_fail(call, RPC_FAILED_PRECONDITION, "exec: the container is not running: failed precondition");
		return;
	}
	if (!request->spec || strcmp(request->spec->type_url, JSON_PROCESS) != 0) {
		call_fail(call, RPC_INVALID_ARGUMENT, "exec: the process is not of type " JSON_PROCESS);
		return;
	}
	struct process *p = process_new(init->container, request->exec_id);
	if (p) {
		p->terminal = request->terminal;
		p->spec_length = request->spec->value.len;
		p->spec = malloc(p->spec_length + 1);
	}
	if (!p || !p->spec || !copy_paths(p, request->stdin, request->stdout, request->stderr)) {
		call_fail(call, RPC_RESOURCE_EXHAUSTED, "no memory");
		if (p)
			process_remove(p);
		return;
	}
	memcpy(p->spec, request->spec->value.data, p->spec_length);
	event.container_id = init->container->id;
	event.exec_id = p->id;
	events_publish("/tasks/exec-added", "containerd.events.TaskExecAdded", &event.base);
	call_reply(call, NULL);
}

static void reply_deleted(struct call *call, struct process *p)
{
	Shim__ExitResponse response = SHIM__EXIT_RESPONSE__INIT;
	Shim__TaskDelete event = SHIM__TASK_DELETE__INIT;
	Shim__Timestamp when = wire_timestamp(&p->exited_at);

	response.pid = event.pid = p->pid;
	response.exit_status = event.exit_status = p->exit_status;
	response.exited_at = event.exited_at = &when;
	event.container_id = p->container->id;
	if (process_is_init(p))
		events_publish("/tasks/delete", "containerd.events.TaskDelete", &event.base);
	call_reply(call, &response.base);
}

static void deleted_and_gone(struct process *p)
{
	reply_deleted(p->delete_call, p);
	forget_container(p->container);
}

static void delete_done(struct operation *operation, const char *error)
{
	struct process *p = operation->process;

	p->deleting = false;
	if (error) {
		call_fail(operation->call, RPC_UNKNOWN, "OCI runtime delete failed: %s", error);
		return;
	}
	p->delete_call = operation->call;
	if (p->status == PROCESS_STOPPED)
		deleted_and_gone(p);
	else
		p->after_exit = deleted_and_gone;
}

void task_delete(struct call *call, const void *data)
{
	const Shim__ProcessRequest *request = data;
	struct process *p = task_find(call, request->id, request->exec_id);

	if (!p)
		return;
	if (p->starting || p->deleting || p->after_exit || p->status == PROCESS_RUNNING) {
		call_fail(call, RPC_FAILED_PRECONDITION, "delete: the process is still running: failed precondition");
		return;
	}
	if (!process_is_init(p)) {
		reply_deleted(call, p);
		process_remove(p);
		return;
	}
	struct operation *operation = operation_new(call, p, delete_done);
	if (!operation)
		return;
	p->deleting = true;
	if (operation_start(operation, (const char *[]){"delete", "--force", p->container->id, NULL}, NULL))
		p->deleting = false;
}
