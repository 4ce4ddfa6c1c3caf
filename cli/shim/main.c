/*
 * containerd-shim-ringfence-v1: what containerd starts for each pod of runtime type
 * io.containerd.ringfence.v1.
 *
 *   … -namespace N -address A -id ID start    in the bundle: prints the address of its socket and leaves a
 *                                             daemon behind, or gives the address of its pod's daemon
 *   … -namespace N -id ID -bundle B delete    what a dead daemon has left is removed; its exit on stdout
 *
 * Options are spelled as Go's flag package takes them: -name value, --name=value. `start`
 * must print nothing but the address: containerd takes all of its output for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/shim/address.h"
#include "cli/shim/container.h"
#include "cli/shim/events.h"
#include "cli/shim/log.h"
#include "cli/shim/loop.h"
#include "cli/shim/mounts.h"
#include "cli/shim/runtime.h"
#include "cli/shim/server.h"
#include "cli/shim/stdio.h"
#include "cli/shim/task.h"

#define FINISH_MS 50u
#define FINISH_TRIES 40u

static struct {
	const char *name_space, *address, *publish, *id, *bundle, *action;
} given;

static char socket_path[ADDRESS_MAX];
static struct watch finish_timer;

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "containerd-shim-ringfence-v1: %s: %s\n", what, why);
	return 1;
}

/* "-name value", "--name value", "-name=value". */
static int parse(int argc, char **argv)
{
	const struct {
		const char *name;
		const char **value;
	} options[] = {{"namespace", &given.name_space}, {"address", &given.address},
		{"publish-binary", &given.publish}, {"id", &given.id}, {"bundle", &given.bundle},
		{"socket", NULL}, {"debug", NULL}};
	const size_t count = sizeof(options) / sizeof(options[0]);

	for (int i = 1; i < argc; i++) {
		const char *name = argv[i];
		size_t k;
		if (name[0] != '-') {
			given.action = name;
			return i + 1 < argc ? fail(argv[i + 1], "after the action") : 0;
		}
		name += name[1] == '-' ? 2 : 1;
		size_t length = strcspn(name, "=");
		for (k = 0; k < count; k++) {
			if (strlen(options[k].name) == length && strncmp(options[k].name, name, length) == 0)
				break;
		}
		if (k == count)
			return fail(argv[i], "no such option");
		if (!options[k].value) {
			if (strcmp(options[k].name, "debug") != 0)
				return fail(argv[i], "not supported");
			continue; /* the log has all there is */
		}
		if (name[length] == '=')
			*options[k].value = name + length + 1;
		else if (++i < argc)
			*options[k].value = argv[i];
		else
			return fail(options[k].name, "needs a value");
	}
	return 0;
}

static int check(void)
{
	if (!given.action)
		return fail("no action", "start or delete");
	if (!given.name_space || !container_valid_id(given.name_space))
		return fail("-namespace", "missing, or not a namespace");
	if (!given.id || !container_valid_id(given.id))
		return fail("-id", "missing, or not an id");
	return 0;
}

static void finish_ready(struct watch *watch, uint32_t events)
{
	static unsigned tries;

	loop_timer_done(watch);
	if (stdio_pending() && tries++ < FINISH_TRIES)
		loop_timer_set(&finish_timer, FINISH_MS);
	else
		loop_stop();
}

static void finish_now(void)
{
	finish_ready(&finish_timer, 0);
}

/* The last container is gone and containerd says so. */
static void finish(void)
{
	unlink(socket_path);
	events_drain(finish_now);
}

/* A step easier to kill than containerd itself, as containerd's own shims are. */
static void adjust_oom_score(pid_t containerd)
{
	char path[64];
	int score;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)containerd);
	AUTO_FILE FILE *from = fopen(path, "re");
	if (!from || fscanf(from, "%d", &score) != 1 || score >= 1000)
		return;
	AUTO_FILE FILE *to = fopen("/proc/self/oom_score_adj", "we");
	if (to)
		fprintf(to, "%d", score + 1);
}

/* The daemon. Its standard streams become /dev/null; nothing else but the socket is kept. */
static int serve(int listen_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		return 1;
	if (listen_fd != 3 && dup2(listen_fd, 3) < 0)
		return 1;
	syscall(SYS_close_range, 4u, ~0u, 0u);
	if (fcntl(3, F_SETFD, FD_CLOEXEC) < 0)
		return 1;
	shim_log_open("log");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	unsetenv("NOTIFY_SOCKET");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || chdir("/") < 0)
		return 1;
	runtime_init(given.name_space);
	task_init(socket_path, finish);
	int error = loop_init();
	if (!error)
		error = loop_timer_init(&finish_timer, finish_ready);
	if (!error)
		error = events_init(given.name_space, getenv("TTRPC_ADDRESS"));
	if (!error)
		error = server_init(3, task_serve);
	if (error) {
		shim_log("start: %s", strerror(-error));
		return 1;
	}
	loop_run();
	return 0;
}

static int write_address(const char *address)
{
	AUTO_FILE FILE *file = fopen("address", "we");

	if (!file || fputs(address, file) < 0 || fflush(file) != 0)
		return fail("address", strerror(errno));
	return 0;
}

static int start(void)
{
	char address[ADDRESS_MAX + 8], group[ADDRESS_GROUP];
	pid_t containerd = getppid();

	if (!given.address)
		return fail("-address", "missing");
	if (address_group("config.json", given.id, group) ||
	    address_socket(given.address, given.name_space, group, socket_path))
		return 1;
	snprintf(address, sizeof(address), "unix://%s", socket_path);
	if (write_address(address))
		return 1;
	if (!address_alive(socket_path)) {
		AUTO_FD int fd = address_listen(socket_path);
		if (fd < 0)
			return fail(socket_path, strerror(-fd));
		pid_t pid = fork();
		if (pid < 0)
			return fail("fork", strerror(errno));
		if (pid == 0) {
			adjust_oom_score(containerd);
			_exit(serve(fd));
		}
	}
	printf("%s", address);
	return fflush(stdout) == 0 ? 0 : 1;
}

static uint32_t read_pid(const char *bundle)
{
	char path[PATH_MAX + 16];
	unsigned pid = 0;

	snprintf(path, sizeof(path), "%s/init.pid", bundle);
	AUTO_FILE FILE *file = fopen(path, "re");
	return file && fscanf(file, "%u", &pid) == 1 ? pid : 0;
}

static int delete(void)
{
	Shim__ExitResponse response = SHIM__EXIT_RESPONSE__INIT;
	Shim__Timestamp when = SHIM__TIMESTAMP__INIT;
	char bundle[PATH_MAX], path[PATH_MAX + 16];
	uint8_t *out;

	if (!realpath(given.bundle ? given.bundle : ".", bundle))
		return fail(given.bundle ? given.bundle : ".", strerror(errno));
	runtime_init(given.name_space);
	runtime_load(bundle);
	int status = runtime_run((const char *[]){"delete", "--force", given.id, NULL});
	if (status != 0)
		fprintf(stderr, "containerd-shim-ringfence-v1: %s delete --force %s: %s %d\n", runtime.binary, given.id,
			status < 0 ? "error" : "status", status < 0 ? -status : status);
	snprintf(path, sizeof(path), "%s/rootfs", bundle);
	mounts_remove(path);
	snprintf(path, sizeof(path), "%s/address", bundle);
	address_forget(path);
	when.seconds = time(NULL);
	response.pid = read_pid(bundle);
	response.exit_status = 128 + SIGKILL;
	response.exited_at = &when;
	size_t length = wire_pack(&response.base, 0, &out);
	return length > 0 && fwrite(out, 1, length, stdout) == length && fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	global.operation = "start";
	if (argc == 2 && strcmp(argv[1], "-v") == 0) {
		printf("containerd-shim-ringfence-v1:\n  Version: %s\n", RF_VERSION);
		return 0;
	}
	if (parse(argc, argv) || check())
		return 1;
	if (strcmp(given.action, "start") == 0)
		return start();
	if (strcmp(given.action, "delete") == 0)
		return delete();
	return fail(given.action, "no such action: start or delete");
}
