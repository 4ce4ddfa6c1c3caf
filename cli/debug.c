/*
 * `ringfence debug ID [WHAT]...`: a look into a running sandbox's kernel. Without WHAT: all that only looks.
 *
 * What comes back is text of the sandbox: it is printed with everything taken out that a terminal would obey.
 */
#include <string.h>

#include "cli/cli.h"
#include "cli/control.h"
#include "cli/options.h"
#include "cli/symbols.h"

/* One part of an answer. */
static void print(struct symbols **symbols, char *text, size_t length)
{
	char image[64];

	for (size_t i = 0; i < length; i++) {
		if (((unsigned char)text[i] < 0x20 && text[i] != '\n') || (unsigned char)text[i] >= 0x7f)
			text[i] = '?';
	}
	if (symbols_image(text, image))
		*symbols = symbols_open(image);
	symbols_print(stdout, *symbols, text);
}

static int show(const struct state *state, const char *what)
{
	const struct control_request request = {.op = CONTROL_DEBUG, .payload = what, .length = strlen(what)};
	struct symbols *symbols = NULL;
	struct control_reply reply;
	bool more = true;
	AUTO_FD int fd = control_open(state);

	if (fd < 0)
		return 1;
	int error = control_put(fd, 1, &request);
	while (!error && more) {
		error = control_get(fd, CONTROL_PATIENCE_MS, &reply);
		if (!error)
			error = reply.error;
		if (error)
			return cli_error("%.100s: %s", what, control_reason(error, &reply));
		more = reply.more;
		print(&symbols, reply.payload, reply.length);
		control_reply_free(&reply);
	}
	return error ? cli_error("%s: %s", what, strerror(-error)) : 0;
}

static const char *const known[] = {"tasks", "stacks", "mounts", "counters", "memory"};
#define KNOWN (sizeof(known) / sizeof(known[0]))

/* 0, or 1 after a message: before the sandbox is asked anything. */
static int check_words(char **words)
{
	for (; *words; words++) {
		size_t i = 0;
		while (i < KNOWN && strcmp(known[i], *words) != 0)
			i++;
		if (i == KNOWN)
			return cli_error("%.100s: known are: tasks, stacks, mounts, counters, memory", *words);
	}
	return 0;
}

int command_debug(int argc, char **argv)
{
	static struct state state;
	const char *strace = NULL;
	char **words, order[16];
	const struct option_entry options[] = {
		{"strace", .argument = "on|off", .help = "the container's system calls in the debug log, from now on", .value = &strace},
		{0}};

	if (options_parse(argc, argv, options, 1, -1, &words) || check_words(words + 1))
		return 1;
	if (strace && strcmp(strace, "on") != 0 && strcmp(strace, "off") != 0)
		return cli_error("--strace: %.20s: not on or off", strace);
	if (state_open(&state, words[0], STATE_LOOK))
		return 1;
	if (strace && !state.debug_log)
		return cli_error("--strace: the sandbox was made without a debug log (--debug-log)");
	snprintf(order, sizeof(order), "strace %s", strace ? strace : "");
	if (strace && show(&state, order))
		return 1;
	for (size_t i = 0; !strace && !words[1] && i < KNOWN; i++) {
		printf("%s== %s\n", i ? "\n" : "", known[i]);
		if (show(&state, known[i]))
			return 1;
	}
	for (char **what = words + 1; *what; what++) {
		if (show(&state, *what))
			return 1;
	}
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
