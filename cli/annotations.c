/*
 * Annotations that tighten global options: see annotations.h.
 *
 * They come from whoever describes the container, who need not be trusted as much as whoever configured the host:
 * so platform, network and overlay may become stricter, and nothing else can be set.
 */
#include <string.h>

#include "cli/annotations.h"
#include "cli/cli.h"
#include "cli/global_options.h"

#define PREFIX "dev.ringfence.flag."

static const char *option_of(const char *key)
{
	return strncmp(key, PREFIX, strlen(PREFIX)) == 0 ? key + strlen(PREFIX) : NULL;
}

int annotations_apply(const struct json *json, const struct container *container)
{
	const struct strings *list = &container->annotations;

	for (size_t i = 0; i + 1 < list->count; i += 2) {
		const char *option = option_of(list->items[i]);
		const char *reason = option ? global_tighten(option, list->items[i + 1]) : NULL;
		char property[160];

		snprintf(property, sizeof(property), "annotations: %.100s", list->items[i]);
		if (reason)
			return json_error(json, property, "%.100s: %s", list->items[i + 1], reason);
	}
	return 0;
}

static const char *find(const struct strings *list, const char *key)
{
	for (size_t i = 0; i + 1 < list->count; i += 2) {
		if (strcmp(list->items[i], key) == 0)
			return list->items[i + 1];
	}
	return NULL;
}

int annotations_check_joined(const struct container *container, const struct strings *first)
{
	static const char *const keys[] = {PREFIX "platform", PREFIX "network"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *mine = find(&container->annotations, keys[i]), *theirs = find(first, keys[i]);
		if (mine && (!theirs || strcmp(mine, theirs) != 0))
			return cli_error("annotations: %s: %.100s: the pod's sandbox was made %s%.100s", keys[i], mine,
				theirs ? "with " : "without it", theirs ? theirs : "");
	}
	return 0;
}
