/* `ringfence debug ID tasks|stacks|mounts|counters|strace on|strace off`: a look into a running sandbox's kernel. */
#include <string.h>

#include "cli/cli.h"
#include "cli/control.h"
#include "cli/options.h"

int command_debug(int argc, char **argv)
{
	struct control_request request = {.op = CONTROL_DEBUG};
	static struct state state;
	struct control_reply reply;
	char **words, what[64] = "";
	bool more = true;
	int error;

	if (options_parse(argc, argv, NULL, 2, 3, &words) || state_open(&state, words[0], STATE_LOOK))
		return 1;
	if (snprintf(what, sizeof(what), "%s%s%s", words[1], words[2] ? " " : "", words[2] ? words[2] : "") >= (int)sizeof(what))
		return cli_error("%.60s...: no such thing to look at", what);
	request.payload = what;
	request.length = strlen(what);
	AUTO_FD int fd = control_open(&state);
	if (fd < 0)
		return 1;
	error = control_put(fd, 1, &request);
	while (!error && more) {
		error = control_get(fd, CONTROL_PATIENCE_MS, &reply);
		if (error || reply.error)
			return cli_error("%s: %s", what, control_reason(error ? error : reply.error, &reply));
		more = reply.more;
		fwrite(reply.payload, 1, reply.length, stdout);
		control_reply_free(&reply);
	}
	return error ? cli_error("%s: %s", what, strerror(-error)) : ferror(stdout) || fflush(stdout) ? 1 : 0;
}
