/*
 * The command's messages, its log and its global options' defaults.
 *
 * --log is for the engine above: containerd and Podman read the last line of level error
 * from it (JSON as runc writes it, or logrus' text). --debug-log is for people.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"

struct global_options global = {.platform = "auto", .network = "sandbox", .watchdog = 60, .operation = "ringfence"};

#define LINE_MAX_BYTES 1024
#define LINES_PASSED_ON 500u

void cli_timestamp(char text[40])
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	size_t n = strftime(text, 40, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, 40 - n, ".%09ldZ", now.tv_nsec);
}

long long cli_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/* The text in double quotes, escaped: valid in JSON and in logrus' text. */
static void quote(char *to, size_t size, const char *from)
{
	size_t n = 0;

	to[n++] = '"';
	for (; *from && n + 8 < size; from++) {
		if (*from == '"' || *from == '\\') {
			to[n++] = '\\';
			to[n++] = *from;
		} else if ((unsigned char)*from < 0x20) {
			n += (size_t)snprintf(to + n, size - n, "\\u%04x", (unsigned char)*from);
		} else {
			to[n++] = *from;
		}
	}
	to[n++] = '"';
	to[n] = '\0';
}

static void write_log(const char *level, const char *text)
{
	char quoted[LINE_MAX_BYTES * 2], line[LINE_MAX_BYTES * 2 + 128], now[40];

	if (!global.log)
		return;
	AUTO_FD int fd = open(global.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0) {
		fprintf(stderr, "ringfence: --log: %s: %s\n", global.log, strerror(errno));
		return;
	}
	cli_timestamp(now);
	quote(quoted, sizeof(quoted), text);
	int n = global.log_json
		? snprintf(line, sizeof(line), "{\"level\":\"%s\",\"msg\":%s,\"time\":\"%s\"}\n", level, quoted, now)
		: snprintf(line, sizeof(line), "time=\"%s\" level=%s msg=%s\n", now, level, quoted);
	if (n > 0 && write(fd, line, (size_t)n) != n)
		fprintf(stderr, "ringfence: --log: %s: %s\n", global.log, strerror(errno));
}

/* Bytes of a well-formed character at `s` that a terminal shows and does not obey; 0: something else. */
static unsigned printable(const char *s)
{
	const unsigned char *c = (const unsigned char *)s;
	unsigned length = c[0] >= 0xf0 && c[0] < 0xf5 ? 4 : c[0] >= 0xe0 ? 3 : 2;

	if (c[0] < 0x80)
		return c[0] >= 0x20 && c[0] != 0x7f;
	if (c[0] < 0xc2 || c[0] >= 0xf5 || (c[0] == 0xc2 && c[1] < 0xa0)) /* U+0080 to U+009f are controls */
		return 0;
	for (unsigned i = 1; i < length; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

void cli_printable(char *to, size_t size, const char *from)
{
	size_t n = 0;

	while (*from && n + 8 < size) {
		unsigned length = printable(from);
		if (length == 0)
			n += (size_t)snprintf(to + n, size - n, *from == '\n' || *from == '\r' ? " " : "\\x%02x", (unsigned char)*from);
		for (unsigned i = 0; i < length; i++)
			to[n++] = from[i];
		from += length ? length : 1;
	}
	to[n] = '\0';
}

static bool mute;

void cli_mute(bool muted)
{
	mute = muted;
}

static void say(const char *level, const char *format, va_list args)
{
	char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES];

	if (mute)
		return;
	vsnprintf(text, sizeof(text), format, args);
	cli_printable(line, sizeof(line), text);
	const char *operation = strcmp(global.operation, "ringfence") == 0 ? "" : global.operation; /* none is known yet */
	fprintf(stderr, "ringfence: %s%s%s%s\n", operation, operation[0] ? ": " : "", level[0] == 'w' ? "warning: " : "", line);
	write_log(level, line);
}

int cli_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("error", format, args);
	va_end(args);
	return 1;
}

void cli_warning(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("warning", format, args);
	va_end(args);
}

void cli_pass_on(const char *line)
{
	static const char prefix[] = "ringfence: ";
	static unsigned passed;
	char text[LINE_MAX_BYTES];

	if (++passed > LINES_PASSED_ON) /* a sandbox that went wild fills neither the terminal nor the log */
		return;
	cli_printable(text, sizeof(text), passed == LINES_PASSED_ON ? "ringfence: the sandbox says more than is shown" : line);
	fprintf(stderr, "%s\n", text);
	write_log("error", strncmp(text, prefix, sizeof(prefix) - 1) == 0 ? text + sizeof(prefix) - 1 : text);
}

/* The path of the debug log with its % words replaced. False: too long. */
static bool expand(char *to, size_t size, const char *from)
{
	char now[32];
	const char *words[][2] = {{"%ID%", global.id ? global.id : "none"}, {"%COMMAND%", global.operation},
		{"%TIMESTAMP%", now}};
	struct timespec time;
	size_t n = 0;

	clock_gettime(CLOCK_REALTIME, &time);
	snprintf(now, sizeof(now), "%lld%06ld", (long long)time.tv_sec, time.tv_nsec / 1000);
	while (*from && n < size) {
		size_t i = 0;
		while (i < 3 && strncmp(from, words[i][0], strlen(words[i][0])) != 0)
			i++;
		if (i == 3) {
			to[n++] = *from++;
			continue;
		}
		n += (size_t)snprintf(to + n, size - n, "%s", words[i][1]);
		from += strlen(words[i][0]);
	}
	if (n >= size)
		return false;
	to[n] = '\0';
	return true;
}

int cli_open_debug_log(int *fd)
{
	char path[4096];

	*fd = -1;
	if (global.debug_log) {
		if (!expand(path, sizeof(path), global.debug_log))
			return cli_error("--debug-log: too long");
		*fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		return *fd < 0 ? cli_error("--debug-log: %s: %s", path, strerror(errno)) : 0;
	}
	if (global.debug || global.strace)
		*fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	return 0;
}
