/*
 * `ringfence gofer`: the file server's process. Internal: sandbox.c starts it with the
 * socket and the trees' descriptors open. gofer/ does the work.
 */
#include <string.h>

#include "cli/cli.h"
#include "gofer/gofer.h"

/* gofer SOCKET-FD [FD:ro|rw]...: tree N is the N-th of these. */
int command_gofer(int argc, char **argv)
{
	static struct gofer_tree trees[GOFER_MAX_TREES];
	static char names[GOFER_MAX_TREES][12];
	struct gofer_options options = {.trees = trees};

	if (argc < 2 || argc - 2 > GOFER_MAX_TREES)
		return cli_error("internal command: `ringfence run` starts it");
	options.socket_fd = atoi(argv[1]);
	for (int i = 2; i < argc; i++) {
		size_t n = options.tree_count++;
		const char *mode = strchr(argv[i], ':');
		snprintf(names[n], sizeof(names[n]), "%zu", n);
		trees[n].name = names[n];
		trees[n].fd = atoi(argv[i]);
		trees[n].readonly = mode && strcmp(mode, ":ro") == 0;
	}
	return gofer_main(&options) < 0 ? 1 : 0;
}
