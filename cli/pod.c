/* Containers that join a pod's sandbox: see pod.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "cli/annotations.h"
#include "cli/attach.h"
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/foreground.h"
#include "cli/pod.h"
#include "platform/platform.h"

#define FORGET_TRIES 200
#define FORGET_PAUSE_NS 10000000

static const char *annotation(const struct container *container, const char *key)
{
	for (size_t i = 0; i + 1 < container->annotations.count; i += 2) {
		if (strcmp(container->annotations.items[i], key) == 0)
			return container->annotations.items[i + 1];
	}
	return NULL;
}

/* The process whose network it is to have. 0: none is named. */
static pid_t network_process(const struct container *container)
{
	int pid = 0, end = 0;

	if (!container->network_path || strcmp(global.network, "sandbox") != 0 ||
	    sscanf(container->network_path, "/proc/%d/ns/net%n", &pid, &end) != 1 || end == 0 || container->network_path[end])
		return 0;
	return pid;
}

/* The first container of the sandbox whose container has this process. malloc'ed; NULL: none has. */
static char *sandbox_of_process(pid_t pid)
{
	char root[4096], *found = NULL;
	DIR *directory = state_root(root, sizeof(root)) ? NULL : opendir(root);

	for (struct dirent *entry; directory && !found && (entry = readdir(directory));) {
		static struct state state;
		if (entry->d_name[0] == '.' || !state_is_container(entry->d_name))
			continue;
		if (state_open(&state, entry->d_name, STATE_PEEK) == 0 && state.pid == pid && state_status(&state) != STATE_STOPPED)
			found = container_copy(state.sandbox ? state.sandbox : state.id);
		state_free(&state);
	}
	if (directory)
		closedir(directory);
	return found;
}

const char *pod_of(const struct container *container)
{
	static const char *const names[][2] = {
		{"io.kubernetes.cri.container-type", "io.kubernetes.cri.sandbox-id"},
		{"io.kubernetes.cri-o.ContainerType", "io.kubernetes.cri-o.SandboxID"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *type = annotation(container, names[i][0]), *id = annotation(container, names[i][1]);
		if (type && id && strcmp(type, "container") == 0)
			return id;
	}
	pid_t pid = network_process(container);
	return pid ? sandbox_of_process(pid) : NULL;
}

int pod_check(struct state *state, const struct container *container, const char *pod)
{
	static struct state first;
	char prefix[64];

	if (state_check_id(pod) || state_open(&first, pod, STATE_LOOK))
		return cli_error("the pod's sandbox %.100s cannot be joined", pod);
	if (first.sandbox)
		return cli_error("the pod's sandbox %.100s: that container is in another one itself", pod);
	if (state_status(&first) != STATE_RUNNING)
		return cli_error("the pod's sandbox %.100s is %s", pod, state_status_name(state_status(&first)));
	snprintf(prefix, sizeof(prefix), "/proc/%d/ns/", (int)first.pid);
	for (size_t i = 0; i < container->joined.count; i++) {
		if (strncmp(container->joined.items[i], prefix, strlen(prefix)) != 0)
			return cli_error("linux.namespaces.path: %s: not one of the pod's sandbox (process %d)",
				container->joined.items[i], (int)first.pid);
	}
	if (container->passed.count)
		return cli_error("--preserve-fds: not into a further container of a pod");
	if (annotations_check_joined(container, &first.annotations))
		return 1;
	state->sandbox = container_copy(pod);
	state_close(&first);
	return 0;
}

/* In the proxy: the container's own gofer. Its socket, or -1 after a message. */
static int start_gofer(const struct container *c, pid_t *pid)
{
	char ids[CONTAINER_IDS_TEXT];
	struct gofer_start start = {.count = (unsigned)c->tree_count, .ids = ids, .errors = -1};
	int socket = -1;

	container_ids(c, ids, sizeof(ids));
	for (size_t i = 0; i < c->tree_count; i++) {
		start.fds[i] = c->trees[i].fd;
		start.readonly[i] = c->trees[i].readonly;
		start.detached[i] = c->trees[i].detached;
	}
	*pid = sandbox_start_gofer(&start, &socket);
	return socket;
}

/* The container is made in the sandbox, with its gofer's socket: a connection to that, or -1 after a message. */
static int create_there(const struct state *state, const struct container *c, int console, int gofer, pid_t gofer_pid)
{
	size_t length;
	AUTO_FREE void *blob = config_blob(c, &length);
	int fds[4] = {console >= 0 ? console : 0, console >= 0 ? console : 1, console >= 0 ? console : 2, gofer};
	struct control_request request = {.op = CONTROL_CREATE, .container = state->container, .payload = blob,
		.length = length, .fds = fds, .fd_count = 4};
	struct control_reply reply;
	int fd = control_open(state);

	if (fd < 0)
		return -1;
	int error = control_ask(fd, &request, CONTROL_FOREVER, &reply), status;
	if (error == -EIO && sandbox_child_ended(gofer_pid, &status) && WIFSIGNALED(status))
		cli_error("%s: the gofer was killed by signal %d", control_reason(error, &reply), WTERMSIG(status));
	else if (error)
		cli_error("%s", control_reason(error, &reply));
	control_reply_free(&reply);
	if (!error)
		return fd;
	close(fd);
	return -1;
}

void pod_forget(const struct state *state)
{
	const struct control_kill order = {.signal = SIGKILL, .flags = CONTROL_KILL_ALL};
	const struct control_request end = {.op = CONTROL_KILL, .container = state->container, .payload = &order,
		.length = sizeof(order)};
	const struct control_request forget = {.op = CONTROL_DELETE, .container = state->container};
	const struct timespec pause = {0, FORGET_PAUSE_NS};
	struct control_reply reply;
	AUTO_FD int fd = state_connect(state, CONTROL_PATIENCE_MS);
	int error = fd < 0 ? -EPIPE : -EBUSY;

	if (fd >= 0) {
		control_ask(fd, &end, CONTROL_PATIENCE_MS, &reply);
		control_reply_free(&reply);
	}
	for (int i = 0; i < FORGET_TRIES && error == -EBUSY; i++) {
		error = control_ask(fd, &forget, CONTROL_PATIENCE_MS, &reply);
		control_reply_free(&reply);
		if (error == -EBUSY)
			nanosleep(&pause, NULL);
	}
}

/* Until the command has recorded the container: true; false if it went away before. */
static bool wait_recorded(int lifeline)
{
	struct vmm_control message;
	ssize_t n;

	if (send(lifeline, "", 1, MSG_NOSIGNAL) != 1)
		return false;
	do
		n = recv(lifeline, &message, sizeof(message), 0);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(message) && message.event == VMM_CONTROL_DETACH;
}

/* The proxy: never returns. */
static void be_proxy(struct state *state, const struct container *c, const struct launch_options *options, int lifeline)
{
	struct attach attach = {.terminal = options->console_fd};
	int status = 1;

	close(state->lock_fd); /* the command's: it would stay locked with us */
	state->lock_fd = -1;
	setsid();
	if (options->console_fd >= 0)
		ioctl(options->console_fd, TIOCSCTTY, 0); /* changes of its size come here */
	attach.signals = foreground_signals();
	if (attach.signals < 0 || sandbox_enter_group(options, lifeline))
		_exit(1);
	int socket = start_gofer(c, &attach.gofer);
	attach.channel = socket < 0 ? -1 : create_there(state, c, options->console_fd, socket, attach.gofer);
	if (attach.channel >= 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		for (int fd = 0; fd < 3; fd++)
			dup2(null, fd);
		close(socket);
		for (size_t i = 0; i < c->tree_count; i++)
			close(c->trees[i].fd);
		if (wait_recorded(lifeline))
			status = attach_wait(&attach);
		pod_forget(state);
	}
	if (attach.gofer > 0) {
		kill(attach.gofer, SIGKILL);
		waitpid(attach.gofer, NULL, 0);
	}
	_exit(status);
}

int pod_launch(struct sandbox *proxy, struct state *state, struct container *container,
	const struct launch_options *options)
{
	int lifeline[2];
	char ok;

	if (!options->detached)
		return cli_error("a container of a pod can be created, not run in the foreground");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, lifeline) < 0)
		return cli_error("socketpair: %s", strerror(errno));
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		close(lifeline[0]);
		state->container = container->number = (uint32_t)getpid();
		be_proxy(state, container, options, lifeline[1]);
	}
	close(lifeline[1]);
	*proxy = (struct sandbox){.boot = pid > 0 ? pid : 0, .lifeline = lifeline[0], .errors = -1};
	if (pid < 0)
		return cli_error("fork: %s", strerror(errno));
	state->container = container->number = (uint32_t)pid;
	if (sandbox_adopt(options, container, pid, lifeline[0]))
		return 1;
	if (recv(lifeline[0], &ok, 1, 0) == 1)
		return 0;
	sandbox_say_fate(proxy); /* if it was not killed it has said why */
	return 1;
}
