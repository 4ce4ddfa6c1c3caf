/* Building up a struct container: memory that lasts as long as the command, unless it is freed. */
#include <string.h>

#include "cli/cli.h"
#include "cli/container.h"

static void *grow(void *items, size_t count, size_t size)
{
	/* Doubling, at powers of two. */
	if (count != 0 && (count & (count - 1)) != 0)
		return items;
	void *more = reallocarray(items, count ? count * 2 : 1, size);
	if (!more)
		exit(cli_error("out of memory"));
	return more;
}

char *container_copy(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		exit(cli_error("out of memory"));
	return copy;
}

void strings_add(struct strings *strings, const char *text)
{
	strings->items = grow(strings->items, strings->count, sizeof(char *));
	strings->items[strings->count++] = container_copy(text);
}

void strings_free(struct strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		free(strings->items[i]);
	free(strings->items);
	*strings = (struct strings){0};
}

void strings_end(struct strings *strings)
{
	if (strings->count == 0)
		return;
	strings->items = grow(strings->items, strings->count, sizeof(char *));
	strings->items[strings->count] = NULL;
}

struct container_mount *container_mount_add(struct container *container)
{
	container->mounts = grow(container->mounts, container->mount_count, sizeof(*container->mounts));
	struct container_mount *mount = &container->mounts[container->mount_count++];
	memset(mount, 0, sizeof(*mount));
	return mount;
}
