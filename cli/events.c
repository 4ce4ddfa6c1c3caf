/* `ringfence events [--stats] [--interval D] ID`: statistics, and what happens to the container, as runc prints them. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/control.h"
#include "cli/options.h"

enum { REQUEST_STATS = 1, REQUEST_EVENTS };

static void print_stats(const char *id, const struct control_stats *s)
{
#define N(x) ((unsigned long long)(x))
	uint64_t limit = s->memory_limit ? s->memory_limit : UINT64_MAX;

	printf("{\"type\":\"stats\",\"id\":\"%s\",\"data\":{\"cpu\":{\"usage\":{\"total\":%llu,\"kernel\":%llu,\"user\":%llu},"
	       "\"throttling\":{}},\"cpuset\":{},",
		id, N(s->user_ns + s->system_ns), N(s->system_ns), N(s->user_ns));
	printf("\"memory\":{\"cache\":%llu,\"usage\":{\"limit\":%llu,\"usage\":%llu,\"max\":%llu,\"failcnt\":%llu},"
	       "\"swap\":{\"failcnt\":0},\"kernel\":{\"usage\":%llu,\"failcnt\":0},\"kernelTCP\":{\"failcnt\":0},"
	       "\"raw\":{\"anon\":%llu,\"file\":%llu,\"kernel\":%llu,\"shmem\":%llu,\"pgfault\":%llu,\"pgmajfault\":%llu,"
	       "\"oom_kill\":%llu}},",
		N(s->memory_file), N(limit), N(s->memory), N(s->memory_peak), N(s->oom_kills), N(s->memory_kernel),
		N(s->memory_anon), N(s->memory_file), N(s->memory_kernel), N(s->memory_shared), N(s->page_faults),
		N(s->major_faults), N(s->oom_kills));
	printf("\"pids\":{\"current\":%llu", N(s->tasks));
	if (s->tasks_limit)
		printf(",\"limit\":%llu", N(s->tasks_limit));
	printf("},\"blkio\":{},\"hugetlb\":{},\"intel_rdt\":{},\"network_interfaces\":null}}\n");
	fflush(stdout);
#undef N
}

/* "5s", "500ms", "2": milliseconds; -1: not one. */
static int parse_interval(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || value <= 0 || value > 1e6)
		return -1;
	if (strcmp(end, "ms") == 0)
		return value >= 1 ? (int)value : -1;
	if (strcmp(end, "m") == 0)
		value *= 60;
	else if (*end && strcmp(end, "s") != 0)
		return -1;
	return value * 1000 < 1e9 ? (int)(value * 1000) : -1;
}

/* 1: the sandbox has ended. 0; or -1 after a message. */
static int take_reply(int fd, const char *id, int patience_ms)
{
	struct control_reply reply;
	struct control_stats stats = {0};
	struct control_event event;
	int error = control_get(fd, patience_ms, &reply), result = 0;

	if (error == -ETIMEDOUT)
		return cli_error("%s", control_reason(error, &reply)), -1;
	if (error)
		return 1;
	if (reply.error) {
		cli_error("%s", control_reason(reply.error, &reply));
		result = -1;
	} else if (reply.number == REQUEST_STATS) {
		control_read_stats(&reply, &stats);
		print_stats(id, &stats);
	} else if (reply.number == REQUEST_EVENTS && reply.length >= sizeof(event)) {
		memcpy(&event, reply.payload, sizeof(event));
		if (event.kind == CONTROL_EVENT_OOM)
			printf("{\"type\":\"oom\",\"id\":\"%s\"}\n", id);
		else if (event.kind == CONTROL_EVENT_EXIT)
			printf("{\"type\":\"exit\",\"id\":\"%s\",\"data\":{\"pid\":%u,\"status\":%d}}\n", id, event.pid,
				cli_shell_status(event.status));
		else if (event.kind == CONTROL_EVENT_STUCK)
			printf("{\"type\":\"stuck\",\"id\":\"%s\",\"data\":{\"seconds\":%u,\"task\":%u}}\n", id, event.status, event.pid);
		fflush(stdout);
	}
	control_reply_free(&reply);
	return result;
}

/* 0; 1: the sandbox has ended; or -1 after a message. */
static int ask(int fd, uint32_t number, uint32_t op)
{
	const struct control_request request = {.op = op};
	const struct control_reply none = {0};
	int error = control_put(fd, number, &request);

	if (error == -ETIMEDOUT)
		return cli_error("%s", control_reason(error, &none)), -1;
	return error < 0;
}

/* Until the container ends. */
static int stream(int fd, const char *id, int interval)
{
	struct pollfd ready = {fd, POLLIN, 0};
	long long next = cli_now_ms() + interval;
	int result = ask(fd, REQUEST_EVENTS, CONTROL_EVENTS);

	while (result == 0) {
		long long left = next - cli_now_ms();
		if (left <= 0) {
			next += interval;
			result = ask(fd, REQUEST_STATS, CONTROL_STATS);
		} else if (poll(&ready, 1, (int)left) > 0) {
			result = take_reply(fd, id, CONTROL_FOREVER);
		}
	}
	return result < 0;
}

int command_events(int argc, char **argv)
{
	static struct state state;
	const char *interval = "5s";
	bool once = false;
	const struct option_entry options[] = {
		{"stats", .help = "the statistics once, and no more", .flag = &once},
		{"interval", .argument = "TIME", .help = "between statistics: 500ms, 5s (the default), 1m", .value = &interval}, {0}};
	char **words;

	if (options_parse(argc, argv, options, 1, 1, &words))
		return 1;
	if (parse_interval(interval) < 0)
		return cli_error("--interval: %s: not a duration above zero", interval);
	if (state_open(&state, words[0], STATE_LOOK))
		return 1;
	if (state_status(&state) == STATE_STOPPED)
		return cli_error("container with id %s is not running", words[0]);
	AUTO_FD int fd = control_open(&state);
	if (fd < 0)
		return 1;
	if (!once)
		return stream(fd, words[0], parse_interval(interval));
	int result = ask(fd, REQUEST_STATS, CONTROL_STATS);
	if (result == 0)
		result = take_reply(fd, words[0], CONTROL_PATIENCE_MS);
	return result > 0 ? cli_error("the sandbox has ended") : result < 0;
}
