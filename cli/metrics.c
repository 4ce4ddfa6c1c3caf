/*
 * `ringfence metrics [--socket PATH]`: figures of all containers below --root, once, or for whoever asks on a unix socket.
 *
 * Served: one thread. Each container's sandbox has one connection, on which events come (counted as they come) and figures
 * are asked for when somebody scrapes. A sandbox that does not answer within two seconds is told as such and holds up nothing else.
 * The socket is for its owner; whoever may connect reads figures and can do nothing else.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "cli/cli.h"
#include "cli/control.h"
#include "cli/foreground.h"
#include "cli/metrics.h"
#include "cli/options.h"

#define PATIENCE_MS 2000
#define MESSAGES_MAX 256u /* of one sandbox, until it has told its figures */
#define LOOK_MS 1000 /* between looks at the state directory */
#define WATCHED_MAX 4096u

enum { REQUEST_EVENTS = 1, REQUEST_STATS }; /* and up: one number a round */

/* ---- containers ---- */

static struct metrics_container *find(struct metrics *metrics, const char *id)
{
	for (size_t i = 0; i < metrics->count; i++) {
		if (strcmp(metrics->containers[i].id, id) == 0)
			return &metrics->containers[i];
	}
	if (metrics->count == WATCHED_MAX)
		return NULL;
	metrics->containers = realloc(metrics->containers, (metrics->count + 1) * sizeof(*metrics->containers));
	if (!metrics->containers)
		exit(cli_error("out of memory"));
	metrics->containers[metrics->count] = (struct metrics_container){.id = container_copy(id), .channel = -1};
	return &metrics->containers[metrics->count++];
}

static void connect_to(struct metrics *metrics, struct metrics_container *c)
{
	const struct control_request events = {.op = CONTROL_EVENTS, .container = c->state.container};

	c->channel = state_connect(&c->state, PATIENCE_MS);
	if (c->channel >= 0 && metrics->counting)
		control_put(c->channel, REQUEST_EVENTS, &events);
}

static void forget(struct metrics *metrics, size_t index)
{
	struct metrics_container *c = &metrics->containers[index];

	if (c->channel >= 0)
		close(c->channel);
	free(c->id);
	state_free(&c->state);
	*c = metrics->containers[--metrics->count];
}

/* Reads what is recorded of it, if that is not what was read before. False: it cannot be read. */
static bool read_again(struct metrics_container *c, const struct state_version *version)
{
	static struct state state;

	if (c->version.file == version->file && c->version.written.tv_sec == version->written.tv_sec &&
	    c->version.written.tv_nsec == version->written.tv_nsec)
		return true;
	if (state_open(&state, c->id, STATE_PEEK)) {
		state_free(&state);
		return false;
	}
	if (c->state.pid_start != state.pid_start) /* made anew under its old name */
		c->ended = false;
	state_free(&c->state);
	c->state = state;
	c->version = *version;
	return true;
}

/* What is below the state directory now. A container whose file cannot be read is left out. */
static int look(struct metrics *metrics)
{
	char root[4096];

	if (state_root(root, sizeof(root)))
		return 1;
	DIR *directory = opendir(root);
	if (!directory && errno != ENOENT)
		return cli_error("%s: %s", root, strerror(errno));
	for (size_t i = 0; i < metrics->count; i++)
		metrics->containers[i].seen = false;
	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		struct state_version version;
		if (entry->d_name[0] == '.' || !state_version(entry->d_name, &version))
			continue;
		struct metrics_container *c = find(metrics, entry->d_name);
		if (!c || !read_again(c, &version))
			continue;
		c->seen = true;
		c->status = state_status(&c->state);
		c->sandbox = !c->state.sandbox;
		if (c->channel < 0 && !c->ended && c->status != STATE_STOPPED && c->status != STATE_CREATING)
			connect_to(metrics, c);
	}
	if (directory)
		closedir(directory);
	for (size_t i = metrics->count; i-- > 0;) {
		if (!metrics->containers[i].seen && metrics->containers[i].channel < 0)
			forget(metrics, i);
	}
	return 0;
}

static void take_event(struct metrics *metrics, struct metrics_container *c, const struct control_event *event)
{
	if (event->kind == CONTROL_EVENT_OOM)
		metrics->ooms++;
	if (event->kind == CONTROL_EVENT_STUCK && event->status)
		metrics->stuck++;
	if (event->kind != CONTROL_EVENT_EXIT || c->ended)
		return;
	c->ended = true;
	metrics->exits[WIFSIGNALED(event->status) ? EXIT_SIGNALLED : event->status ? EXIT_FAILED : EXIT_SUCCEEDED]++;
}

/* One message of a sandbox within `patience_ms`. True: the figures that were asked for. */
static bool take_message(struct metrics *metrics, struct metrics_container *c, int patience_ms)
{
	struct control_reply reply;
	struct control_event event;
	int error = control_get(c->channel, patience_ms, &reply);
	bool stats = !error && reply.number == REQUEST_STATS + metrics->round;

	c->answers = error != -ETIMEDOUT && !(stats && reply.error);
	if (error && error != -ETIMEDOUT) { /* it has gone */
		close(c->channel);
		c->channel = -1;
		metrics->exits[EXIT_LOST] += !c->ended;
		c->ended = true;
		c->answers = false;
	} else if (stats) {
		control_read_stats(&reply, &c->stats);
	} else if (!error && reply.number == REQUEST_EVENTS && reply.length >= sizeof(event)) {
		memcpy(&event, reply.payload, sizeof(event));
		take_event(metrics, c, &event);
	}
	control_reply_free(&reply);
	return stats;
}

static void ask(struct metrics *metrics)
{
	metrics->round = (metrics->round + 1) & 0xffffff;
	for (size_t i = 0; i < metrics->count; i++) { /* all of them first, so that stuck ones are waited for together */
		struct metrics_container *c = &metrics->containers[i];
		const struct control_request request = {.op = CONTROL_STATS, .container = c->state.container};

		c->answers = c->channel >= 0 && control_put(c->channel, REQUEST_STATS + metrics->round, &request) == 0;
	}
	for (size_t i = 0; i < metrics->count; i++) {
		struct metrics_container *c = &metrics->containers[i];
		unsigned messages = 0; /* one that sends events without end */
		while (c->answers && c->channel >= 0 && !take_message(metrics, c, PATIENCE_MS))
			c->answers &= ++messages < MESSAGES_MAX;
	}
}

/* ---- the socket ---- */

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;

	if (strlen(path) >= sizeof(address.sun_path))
		return cli_error("--socket: %.60s...: too long", path), -1;
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return cli_error("socket: %s", strerror(errno)), -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		errno = EADDRINUSE;
	else if (errno == ECONNREFUSED && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		errno = unlink(path) < 0 ? errno : 0; /* nobody listens any more */
	else
		errno = errno == ENOENT ? 0 : errno;
	mode_t before = umask(0177);
	bool listens = errno == 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 16) == 0;
	umask(before);
	if (listens)
		return fd;
	cli_error("--socket: %s: %s", path, strerror(errno));
	close(fd);
	return -1;
}

/* A request's first line is all that matters; its head ends with an empty line. False: nothing sensible came in time. */
static bool read_request(int fd, char *text, size_t size)
{
	struct pollfd ready = {fd, POLLIN, 0};
	size_t length = 0;

	while (length + 1 < size && poll(&ready, 1, PATIENCE_MS) > 0) {
		ssize_t n = read(fd, text + length, size - 1 - length);
		if (n <= 0)
			return false;
		length += (size_t)n;
		text[length] = '\0';
		if (strstr(text, "\r\n\r\n") || strstr(text, "\n\n"))
			return true;
	}
	return false;
}

static void answer(int fd, const char *status, const char *text, size_t length)
{
	static const struct timeval patience = {PATIENCE_MS / 1000, 0};
	char head[200];
	int n = snprintf(head, sizeof(head), "HTTP/1.0 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
		"Content-Length: %zu\r\nConnection: close\r\n\r\n", status, length);

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (send(fd, head, (size_t)n, MSG_NOSIGNAL) != n)
		return;
	while (length > 0) {
		ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		text += sent;
		length -= (size_t)sent;
	}
}

static void serve(struct metrics *metrics, int listener)
{
	AUTO_FD int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	char request[4096] = "", *text = NULL;
	size_t length = 0;

	if (fd < 0 || !read_request(fd, request, sizeof(request)))
		return;
	if (strncmp(request, "GET /metrics ", 13) != 0 && strncmp(request, "GET / ", 6) != 0) {
		answer(fd, "404 Not Found", "only GET /metrics\n", 18);
		return;
	}
	look(metrics);
	ask(metrics);
	FILE *to = open_memstream(&text, &length);
	if (!to)
		return;
	metrics_print(to, metrics);
	fclose(to);
	answer(fd, "200 OK", text, length);
	free(text);
}

/* True: this command is asked to end. */
static bool asked_to_end(int signals)
{
	struct signalfd_siginfo info;
	bool end = false;

	while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		end |= info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM || info.ssi_signo == SIGHUP;
	return end;
}

static int serve_all(struct metrics *metrics, const char *path)
{
	AUTO_FD int listener = listen_at(path);
	AUTO_FD int signals = foreground_signals();
	struct pollfd *fds = calloc(WATCHED_MAX + 2, sizeof(*fds));
	bool end = listener < 0 || signals < 0 || !fds;

	if (end)
		return 1;
	while (!end && look(metrics) == 0) {
		size_t count = metrics->count;
		fds[0] = (struct pollfd){listener, POLLIN, 0};
		fds[1] = (struct pollfd){signals, POLLIN, 0};
		for (size_t i = 0; i < count; i++)
			fds[i + 2] = (struct pollfd){metrics->containers[i].channel, POLLIN, 0};
		if (poll(fds, count + 2, LOOK_MS) < 0)
			continue;
		for (size_t i = 0; i < count; i++) {
			if (fds[i + 2].revents)
				take_message(metrics, &metrics->containers[i], 0);
		}
		if (fds[0].revents)
			serve(metrics, listener);
		end = fds[1].revents && asked_to_end(signals);
	}
	unlink(path);
	return end ? 0 : 1;
}

int command_metrics(int argc, char **argv)
{
	static struct metrics metrics;
	const char *path = NULL;
	const struct option_entry options[] = {
		{"socket", .argument = "PATH", .help = "serve them by HTTP on this unix socket, and count events", .value = &path}, {0}};
	char **words;

	if (options_parse(argc, argv, options, 0, 0, &words))
		return 1;
	metrics.counting = path;
	if (path)
		return serve_all(&metrics, path);
	if (look(&metrics))
		return 1;
	ask(&metrics);
	metrics_print(stdout, &metrics);
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
