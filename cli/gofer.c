/*
 * `ringfence gofer`: the file server's process. Internal: sandbox.c starts it with the
 * socket and the trees' descriptors open. gofer/ does the work.
 */
#include <string.h>

#include "cli/cli.h"
#include "cli/container.h"
#include "gofer/gofer.h"

/* "ids=u:INSIDE:HOST:SIZE,g:...": the mappings of the container's user namespace; none: "ids=". */
static int parse_ids(const char *text, struct gofer_options *options)
{
	struct gofer_id_map map;
	char kind;
	int length;

	if (strncmp(text, "ids=", 4) != 0)
		return 1;
	for (text += 4; *text; text += length + (text[length] == ',')) {
		if (sscanf(text, "%c:%u:%u:%u%n", &kind, &map.inside, &map.host, &map.size, &length) != 4)
			return 1;
		struct gofer_id_maps *maps = kind == 'u' ? &options->uids : &options->gids;
		if (maps->count == GOFER_MAX_ID_MAPS)
			return 1;
		maps->at[maps->count++] = map;
	}
	return 0;
}

_Static_assert(CONTAINER_MAX_ID_MAPS == GOFER_MAX_ID_MAPS, "what config.json may have, a gofer takes");

/* gofer SOCKET-FD ids=... [net=left] [FD:ro|rw[,detached]]...: tree N is the N-th of these. */
int command_gofer(int argc, char **argv)
{
	static struct gofer_tree trees[GOFER_MAX_TREES];
	static char names[GOFER_MAX_TREES][12];
	struct gofer_options options = {.trees = trees};

	int first = argc > 3 && strcmp(argv[3], "net=left") == 0 ? 4 : 3;

	if (argc < 3 || argc - first > GOFER_MAX_TREES || parse_ids(argv[2], &options))
		return cli_error("internal command: `ringfence run` starts it");
	options.socket_fd = atoi(argv[1]);
	options.left_network = first == 4;
	for (int i = first; i < argc; i++) {
		size_t n = options.tree_count++;
		const char *mode = strchr(argv[i], ':');
		snprintf(names[n], sizeof(names[n]), "%zu", n);
		trees[n].name = names[n];
		trees[n].fd = atoi(argv[i]);
		trees[n].readonly = mode && strncmp(mode, ":ro", 3) == 0;
		trees[n].detached = mode && strstr(mode, ",detached");
	}
	return gofer_main(&options) < 0 ? 1 : 0;
}
