/* Creating, starting and deleting containers: see lifecycle.h and runtime.md of the specification. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

#include "cli/cli.h"
#include "cli/console.h"
#include "cli/control.h"
#include "cli/lifecycle.h"
#include "cli/oci.h"
#include "cli/files.h"
#include "cli/hooks.h"
#include "cli/network.h"
#include "cli/pod.h"
#include "cli/preserve_fds.h"

#define KILL_PATIENCE_MS 10000
#define ENDING_MS 2000 /* for the answer of one that is to be killed anyway */
#define LOCK_PATIENCE_MS 10000
#define REASON_PATIENCE_MS 2000
#define SAID_MAX (256u << 10) /* bytes: more is no reason why a container is not created */
#define REAP_PATIENCE_MS 1000
#define REAP_PAUSE_US 1000
#define KILL_TRIES 1000
#define KILL_PAUSE_US 10000

static int check_console(const struct container *container, const struct create_options *options)
{
	if (container->terminal && options->detached && !options->console_socket)
		return cli_error("cannot allocate tty if the container is detached without setting a console socket");
	if ((!container->terminal || !options->detached) && options->console_socket)
		return cli_error("cannot use console socket if the container is not detached or has no terminal");
	return 0;
}

static bool has_hooks(const struct container *container)
{
	for (unsigned i = 0; i < HOOK_KINDS; i++)
		if (container->hooks[i].count)
			return true;
	return false;
}

/* What is known before there is a process. */
static int fill_state(struct state *state, const struct container *container, const char *bundle)
{
	char created[40], path[4200], from[PATH_MAX + 16], owner[32] = "";

	cli_timestamp(created);
	if (geteuid() != 0)
		snprintf(owner, sizeof(owner), "%u", (unsigned)geteuid());
	state->bundle = container_copy(bundle);
	state->rootfs = container->rootfs;
	state->created = container_copy(created);
	state->owner = container_copy(owner);
	state->annotations = container->annotations;
	state->terminal = container->terminal;
	state->debug_log = global.debug_log || global.debug || global.strace;
	state->takes_network = container->own_network && !state->sandbox && strcmp(global.network, "sandbox") == 0;
	state->network_managed = container->network_path || has_hooks(container);
	state->shows_network = !state->sandbox && strcmp(global.network, "host") == 0;
	state->recorded = STATE_CREATING;
	snprintf(from, sizeof(from), "%s/config.json", bundle);
	state_path(state, "config.json", path, sizeof(path));
	return file_copy(from, path) || state_save(state);
}

/* A signal that asks this command to end came: its number. 0: none. */
static int asked_to_end(int signals)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM || info.ssi_signo == SIGHUP ||
		    info.ssi_signo == SIGQUIT)
			return (int)info.ssi_signo;
	}
	return 0;
}

/* It writes more than there can be to say, and is heard no more: 1 after a message. */
static int says_too_much(struct sandbox *sandbox)
{
	if (sandbox->said <= SAID_MAX)
		return 0;
	sandbox_hush(sandbox);
	return cli_error("the sandbox sends messages without end: the container is not created");
}

/* Why it was not created comes by the pipe, perhaps a moment after the answer. True: a line was said. */
static bool pass_on_reason(struct sandbox *sandbox)
{
	long long left = REASON_PATIENCE_MS, end = cli_now_ms() + left;
	struct pollfd more = {sandbox->errors, POLLIN, 0};
	bool said = false;

	for (; left > 0 && poll(&more, 1, (int)left) > 0 && more.revents & POLLIN; left = end - cli_now_ms()) {
		said = true;
		if (!sandbox_errors(sandbox) || says_too_much(sandbox))
			break;
	}
	return said;
}

/* Until the sandbox answers on `fd`, ends, or this command is asked to end. 0, or 1 after a message. */
static int wait_created(struct sandbox *sandbox, int fd, int signals)
{
	struct pollfd fds[3] = {{fd, POLLIN, 0}, {sandbox->errors, POLLIN, 0}, {signals, POLLIN, 0}};
	struct control_reply reply = {0};
	bool said = false;
	int error;

	for (;;) {
		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			return cli_error("poll: %s", strerror(errno));
		if (fds[2].revents && (error = asked_to_end(signals)))
			return cli_error("signal %d: the container is not created", error);
		if (fds[1].revents & POLLIN)
			said = true;
		if (fds[1].revents && !sandbox_errors(sandbox))
			fds[1].fd = -1;
		if (says_too_much(sandbox))
			return 1;
		if (fds[0].revents)
			break;
	}
	error = control_get(fd, 0, &reply);
	if (!error)
		error = reply.error;
	if (error) {
		said |= pass_on_reason(sandbox);
		if (error == -EPIPE && sandbox_say_fate(sandbox))
			said = true;
		if (!said)
			cli_error("the container was not created: %s", control_reason(error, &reply));
	}
	control_reply_free(&reply);
	return error ? 1 : 0;
}

/* The sandbox's process exists, and waits. */
static int run_create_hooks(const struct container *c, const struct state *state)
{
	return hooks_run(&c->hooks[HOOK_PRESTART], "prestart", state, STATE_CREATING) ||
		hooks_run(&c->hooks[HOOK_CREATE_RUNTIME], "createRuntime", state, STATE_CREATING) ||
		hooks_run(&c->hooks[HOOK_CREATE_CONTAINER], "createContainer", state, STATE_CREATING);
}

/* Those of a container that another command made: from the configuration as it was. */
static void run_late_hooks(const struct state *state, enum hook_kind kind, const char *name, enum state_status status)
{
	static struct container container;
	char path[4200];

	memset(container.hooks, 0, sizeof(container.hooks));
	state_path(state, "config.json", path, sizeof(path));
	if (oci_load_hooks_file(path, &container) == 0)
		hooks_run_all(&container.hooks[kind], name, state, status);
}

static int start_sandbox(struct state *state, struct container *container, const struct create_options *options,
	int signals, struct cgroup *cgroup, struct sandbox *sandbox)
{
	static const struct control_request created = {.op = CONTROL_CREATED};
	AUTO_FD int listen_fd = state_listen(state);
	AUTO_FD int console = -1;
	bool held = container->hooks[HOOK_PRESTART].count || container->hooks[HOOK_CREATE_RUNTIME].count ||
		container->hooks[HOOK_CREATE_CONTAINER].count;
	struct launch_options launch = {.held = held, .detached = options->detached, .listen_fd = listen_fd, .console_fd = -1,
		.own_network = container->own_network && strcmp(global.network, "none") != 0, .cgroup = cgroup, .state = state};

	if (listen_fd < 0)
		return cli_error("%s/control.sock: %s", state->directory, strerror(errno));
	if (options->console_socket && console_make(options->console_socket, &console))
		return 1;
	launch.console_fd = console;
	if (sandbox_launch(sandbox, container, &launch))
		return 1;
	state_set_process(state, sandbox->boot);
	AUTO_FD int fd = state_connect(state, CONTROL_PATIENCE_MS);
	/* The sandbox alone listens from here on: if it ends before it lets us in, the connection ends with it. */
	close(listen_fd);
	listen_fd = -1;
	if (fd < 0)
		return cli_error("control channel: %s", strerror(errno));
	if (control_put(fd, 1, &created) < 0)
		return wait_created(sandbox, fd, signals); /* it has ended, and has said why */
	if (state_save(state) || (held && run_create_hooks(container, state)))
		return 1;
	if (held)
		sandbox_go(sandbox);
	return wait_created(sandbox, fd, signals);
}

/* The same in a pod's sandbox that runs already. */
static int start_in_pod(struct state *state, struct container *container, const struct create_options *options,
	struct cgroup *cgroup, struct sandbox *proxy)
{
	AUTO_FD int console = -1;
	struct launch_options launch = {.detached = options->detached, .listen_fd = -1, .cgroup = cgroup, .state = state};

	if (options->console_socket && console_make(options->console_socket, &console))
		return 1;
	launch.console_fd = console;
	if (pod_launch(proxy, state, container, &launch))
		return 1;
	state_set_process(state, proxy->boot);
	return state_save(state) || run_create_hooks(container, state);
}

/* What the hooks that run inside are told: their own process is the container's first. */
static void tell_inner_hooks(struct container *container, const struct state *state)
{
	struct state inside = *state;

	if (!container->hooks[HOOK_START_CONTAINER].count)
		return;
	inside.pid = 1;
	container->hook_state = state_json(&inside, STATE_CREATED);
}

/* Whose sandbox the container is to run in, if not its own. */
static int check_pod(struct state *state, const struct container *container)
{
	const char *pod = pod_of(container);

	if (pod)
		return pod_check(state, container, pod);
	if (container->joined.count)
		return cli_error("linux.namespaces.path: %s: only a container that shares that one's network (a pod's) can share it",
			container->joined.items[0]);
	return 0;
}

int lifecycle_create(const char *id, const struct create_options *options, int signals, struct state *state,
	struct container *container, struct sandbox *sandbox)
{
	struct cgroup cgroup;
	char bundle[PATH_MAX];

	if (state_check_id(id))
		return 1;
	if (!realpath(options->bundle, bundle))
		return cli_error("%s: %s", options->bundle, strerror(errno));
	if (oci_load(bundle, container) || check_console(container, options) || state_create(state, id))
		return 1;
	container->wait_start = true;
	container->passed = options->passed;
	preserve_fds_tell(&container->passed, &container->env);
	if (cgroup_plan(container, state, &cgroup) || check_pod(state, container) ||
	    fill_state(state, container, bundle) || cgroup_make(&cgroup, container))
		goto undo;
	container->cpu_inside = cgroup.count == 0;
	tell_inner_hooks(container, state);
	if (state->sandbox ? start_in_pod(state, container, options, &cgroup, sandbox) :
		start_sandbox(state, container, options, signals, &cgroup, sandbox))
		goto undo;
	state->recorded = STATE_CREATED;
	if (state_save(state) || (options->pid_file && file_write_pid(options->pid_file, state->pid)))
		goto undo;
	return 0;
undo:
	sandbox_end(sandbox);
	if (state->pid > 0)
		hooks_run_all(&container->hooks[HOOK_POSTSTOP], "poststop", state, STATE_STOPPED);
	if (state->sandbox && state->container)
		pod_forget(state);
	cgroup_remove(state);
	state_remove(state);
	return 1;
}

/* What is in the sandbox's network namespace by now becomes the sandbox's, or is shown to it. 0, or 1 after a message. */
static int give_network(const struct state *state, int control)
{
	static struct container_network network;
	struct control_request request = {.op = CONTROL_NETWORK, .fds = network.fds};
	struct control_reply reply = {0};

	if (!state->takes_network && !state->shows_network)
		return 0;
	int error = state->shows_network ? network_look(state->pid, &network) : network_take_over(state->pid, state->network_managed, &network);
	if (!error && (state->shows_network || network.fd_count)) {
		AUTO_FREE void *payload = network_pack(&network, &request.length);
		request.payload = payload;
		request.fd_count = network.fd_count;
		request.flags = state->shows_network ? CONTROL_SHOWN : CONTROL_LATER | (network.resolver ? CONTROL_RESOLVER : 0);
		error = control_ask(control, &request, CONTROL_PATIENCE_MS, &reply);
		if (error)
			error = cli_error("network: %s", control_reason(error, &reply));
		control_reply_free(&reply);
	}
	for (unsigned i = 0; i < network.fd_count; i++)
		close(network.fds[i]);
	return error;
}

int lifecycle_start(struct state *state, int signals)
{
	static const struct control_request start = {.op = CONTROL_START};
	struct control_reply reply = {0};
	AUTO_FD int fd = control_open(state);
	struct pollfd fds[2] = {{fd, POLLIN, 0}, {signals, POLLIN, 0}};
	int error, signal;

	if (fd < 0 || give_network(state, fd))
		return 1;
	error = control_put(fd, 1, &start);
	while (!error && !fds[0].revents) { /* a sandbox that never answers must not keep us from being ended */
		if (poll(fds, 2, -1) > 0 && fds[1].revents && (signal = asked_to_end(signals)))
			return cli_error("signal %d: the container is not started", signal);
	}
	if (!error)
		error = control_get(fd, 0, &reply);
	if (!error)
		error = reply.error;
	bool answered = reply.payload != NULL;
	if (error)
		cli_error("%s", control_reason(error, &reply));
	control_reply_free(&reply);
	if (error)
		return answered ? 1 : -1;
	state->recorded = STATE_RUNNING;
	if (state_save(state))
		return 1;
	run_late_hooks(state, HOOK_POSTSTART, "poststart", STATE_RUNNING);
	return 0;
}

bool lifecycle_wait_gone(const struct state *state, int timeout_ms)
{
	AUTO_FD int pidfd = (int)syscall(SYS_pidfd_open, state->pid, 0);
	struct pollfd ready = {pidfd, POLLIN, 0};

	if (state_status(state) == STATE_STOPPED)
		return true;
	return pidfd >= 0 && poll(&ready, 1, timeout_ms) > 0;
}

int lifecycle_kill_all(struct state *state)
{
	const struct control_kill order = {.signal = SIGKILL, .flags = CONTROL_KILL_ALL};
	const struct control_request request = {.op = CONTROL_KILL, .container = state->container, .payload = &order, .length = sizeof(order)};
	struct control_reply reply;
	AUTO_FD int fd = state_connect(state, ENDING_MS);

	if (fd >= 0 && control_ask(fd, &request, ENDING_MS, &reply) == 0 && lifecycle_wait_gone(state, KILL_PATIENCE_MS))
		return 0;
	if (state_status(state) != STATE_STOPPED && kill(state->pid, SIGKILL) < 0 && errno != ESRCH)
		return cli_error("kill of process %d: %s", (int)state->pid, strerror(errno));
	return lifecycle_wait_gone(state, KILL_PATIENCE_MS) ? 0 : cli_error("process %d does not end", (int)state->pid);
}

void lifecycle_end_failed(struct state *state)
{
	AUTO_FD int pidfd = (int)syscall(SYS_pidfd_open, state->pid, 0);
	long long end = cli_now_ms() + REAP_PATIENCE_MS;

	if (pidfd < 0 || lifecycle_kill_all(state))
		return;
	while (syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == 0 && cli_now_ms() < end)
		usleep(REAP_PAUSE_US);
}

int lifecycle_delete(struct state *state, bool force)
{
	enum state_status status = state_status(state);

	if (status != STATE_STOPPED) {
		if (!force && status != STATE_CREATED)
			return cli_error("cannot delete container %s that is not stopped: %s", state->id,
				state_status_name(status));
		if (state->pid > 0 && lifecycle_kill_all(state))
			return 1;
	}
	run_late_hooks(state, HOOK_POSTSTOP, "poststop", STATE_STOPPED);
	if (state->sandbox)
		pod_forget(state); /* what a killed proxy has left there */
	cgroup_remove(state);
	state_remove(state);
	return 0;
}

/* Of a container whose state cannot be read: whoever listens on its control channel is its sandbox. */
static void end_unknown(const struct state *state)
{
	const struct control_kill order = {.signal = SIGKILL, .flags = CONTROL_KILL_ALL};
	const struct control_request request = {.op = CONTROL_KILL, .payload = &order, .length = sizeof(order)};
	struct control_reply reply;
	AUTO_FD int fd = state_connect(state, CONTROL_PATIENCE_MS);

	/* Until the connection ends; one that was taken over need not. */
	for (int i = 0; i < KILL_TRIES && fd >= 0 && control_ask(fd, &request, KILL_PATIENCE_MS, &reply) == 0; i++) {
		control_reply_free(&reply);
		usleep(KILL_PAUSE_US);
	}
}

int lifecycle_delete_forced(const char *id)
{
	static struct state state, now;

	/* Without the lock: the command that holds it may be waiting for this very sandbox. */
	if (state_open(&state, id, STATE_PEEK) == 0 && state.pid > 0 && state_status(&state) != STATE_STOPPED &&
	    lifecycle_kill_all(&state))
		return 1;
	switch (state_claim(&state, LOCK_PATIENCE_MS)) {
	case STATE_GONE:
		return 0;
	case STATE_BUSY:
		return cli_error("another command is at work on container %s", id);
	case STATE_CLAIMED:
		break;
	}
	/* What a create has recorded until it let the lock go counts: its control groups, its process. */
	if (state_open(&now, id, STATE_LOOK) == 0) {
		now.lock_fd = state.lock_fd;
		return lifecycle_delete(&now, true);
	}
	end_unknown(&state);
	state_remove(&state);
	return 0;
}
