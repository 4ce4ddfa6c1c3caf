/*
 * Fuzz target: config.json, from the file's bytes to the records for the sentry. What is
 * read is written to a bundle of its own; messages are swallowed.
 *
 * Run as: fuzz_oci -max_total_time=60 CORPUS-DIRECTORY
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/global_options.h"
#include "cli/oci.h"
#include "cli/rootless.h"

struct global_options global = {.platform = "auto", .network = "sandbox", .operation = "fuzz", .systemd_cgroup = true};

int cli_error(const char *format, ...)
{
	return 1;
}

/* What an annotation may change is a table of the command's, which reads no JSON: every second one is refused. */
const char *global_tighten(const char *name, const char *value)
{
	return strlen(value) & 1 ? "refused" : NULL;
}

/* Which namespaces an ordinary user's command enters is not looked at. */
int rootless_enter(struct container *c)
{
	return 0;
}

/* A container's strings live as long as the command. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static char bundle[64] = "/dev/shm/oci-fuzz-XXXXXX", path[96];

static void clean_up(void)
{
	unlink(path);
	rmdir(bundle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct container container;
	size_t length;

	if (!path[0] && (!mkdtemp(bundle) || atexit(clean_up)))
		abort();
	snprintf(path, sizeof(path), "%s/config.json", bundle);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	memset(&container, 0, sizeof(container));
	if (oci_load(bundle, &container) == 0)
		free(config_blob(&container, &length));
	for (size_t i = 0; i < container.tree_count; i++)
		close(container.trees[i].fd);
	return 0;
}
