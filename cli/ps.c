/*
 * `ringfence ps [-f table|json] ID`: the container's processes as it numbers them; as JSON,
 * as runc has it, the numbers that processes of the host have: the sandbox's own.
 */
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/control.h"
#include "cli/options.h"

/* total_ns: how long it has been there. */
static void print_process(const struct control_process *p, const char *args, uint64_t total_ns)
{
	time_t start = time(NULL) - (time_t)(total_ns / 1000000000u);
	char uid[64], stime[16], tty[16] = "?", line[300];
	uint64_t seconds = p->cpu_ns / 1000000000u;
	struct tm tm;

	if (!user_name(p->uid, uid, sizeof(uid)))
		snprintf(uid, sizeof(uid), "%u", p->uid);
	strftime(stime, sizeof(stime), "%H:%M", localtime_r(&start, &tm));
	if (p->tty)
		snprintf(tty, sizeof(tty), "pts/%u", p->tty & 0xff);
	snprintf(line, sizeof(line), "[%.16s]", p->comm);
	if (p->args_len) {
		size_t n = p->args_len < sizeof(line) ? p->args_len : sizeof(line) - 1;
		memcpy(line, args, n);
		line[n] = '\0';
		while (n > 0 && line[n - 1] == '\0')
			n--;
		for (size_t i = 0; i < n; i++) {
			if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
				line[i] = ' '; /* the container chose these bytes */
		}
	}
	printf("%-8s %7u %7u %2llu %-5s %-8s %02llu:%02llu:%02llu %s\n", uid, p->pid, p->ppid,
		(unsigned long long)(total_ns ? p->cpu_ns * 100 / total_ns : 0), stime, tty,
		(unsigned long long)(seconds / 3600), (unsigned long long)(seconds / 60 % 60),
		(unsigned long long)(seconds % 60), line);
}

/* 0, or 1: the sandbox's answer does not hold together. */
static int print_part(const struct control_reply *reply, uint64_t uptime_ns)
{
	struct control_process p;

	for (size_t at = 0; at < reply->length;) {
		if (reply->length - at < sizeof(p))
			return 1;
		memcpy(&p, reply->payload + at, sizeof(p));
		at += sizeof(p);
		size_t padded = ((size_t)p.args_len + 7) & ~(size_t)7;
		if (padded > reply->length - at)
			return 1;
		print_process(&p, reply->payload + at, uptime_ns > p.start_ns ? uptime_ns - p.start_ns : 0);
		at += padded;
	}
	return 0;
}

static int uptime(int fd, uint64_t *ns)
{
	static const struct control_request request = {.op = CONTROL_STATS};
	struct control_stats stats = {0};
	struct control_reply reply;
	int error = control_ask(fd, &request, CONTROL_PATIENCE_MS, &reply);

	if (!error && reply.length >= sizeof(stats))
		memcpy(&stats, reply.payload, sizeof(stats));
	*ns = stats.uptime_ns;
	if (error)
		cli_error("%s", control_reason(error, &reply));
	control_reply_free(&reply);
	return error ? 1 : 0;
}

static int print_table(const struct state *state)
{
	static const struct control_request request = {.op = CONTROL_PS};
	AUTO_FD int fd = control_open(state);
	struct control_reply reply;
	uint64_t now = 0;
	bool more = true;

	if (fd < 0 || uptime(fd, &now))
		return 1;
	int error = control_put(fd, 1, &request);
	if (!error)
		puts("UID          PID    PPID  C STIME TTY          TIME CMD");
	while (!error && more) {
		error = control_get(fd, CONTROL_PATIENCE_MS, &reply);
		if (!error)
			error = reply.error;
		if (error)
			return cli_error("%s", control_reason(error, &reply));
		more = reply.more;
		if (print_part(&reply, now))
			return cli_error("the sandbox's answer is damaged");
		control_reply_free(&reply);
	}
	return error ? cli_error("%s", strerror(-error)) : 0;
}

int command_ps(int argc, char **argv)
{
	static struct state state;
	const char *format = "table";
	const struct option_entry options[] = {
		{"format", 'f', "table|json", "json: the numbers that the host knows (table)", .value = &format}, {0}};
	char **words;

	if (options_parse(argc, argv, options, 1, -1, &words))
		return 1;
	for (char **option = words + 1; *option; option++) {
		if (strcmp(*option, "-ef") != 0)
			return cli_error("%.100s: not supported: the host's ps(1) does not see the processes; -ef is", *option);
	}
	if (strcmp(format, "table") != 0 && strcmp(format, "json") != 0)
		return cli_error("invalid format option: %s", format);
	if (state_open(&state, words[0], STATE_LOOK))
		return 1;
	if (state_status(&state) == STATE_STOPPED)
		return cli_error("container not running");
	if (strcmp(format, "json") == 0)
		printf("[%d]\n", (int)state.pid);
	else if (print_table(&state))
		return 1;
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
