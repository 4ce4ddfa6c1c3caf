/*
 * The state directory: see state.h. ROOT/ID/ holds `lock` (locked by flock(2) while the
 * container exists) and `state.json` (the OCI state).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/oci.h"
#include "cli/state.h"

int state_root(char *path, size_t size)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int n;

	if (global.root)
		n = snprintf(path, size, "%s", global.root);
	else if (geteuid() != 0 && runtime && runtime[0] == '/')
		n = snprintf(path, size, "%s/ringfence", runtime);
	else if (geteuid() != 0)
		n = snprintf(path, size, "/tmp/ringfence-%u", (unsigned)geteuid());
	else
		n = snprintf(path, size, "/run/ringfence");
	if (n < 0 || (size_t)n >= size - 300)
		return cli_error("--root: too long");
	return 0;
}

int state_check_id(const char *id)
{
	size_t length = strlen(id);
	size_t good = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.");

	if (length > 0 && length <= 200 && good == length && strcmp(id, ".") != 0 && strcmp(id, "..") != 0)
		return 0;
	return cli_error("%s: not a container ID: letters, digits and _+-. only", id);
}

/* As mkdir -p, for the state root. */
static int make_root(const char *path)
{
	char part[4096];

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return cli_error("%s: %s", part, strerror(errno));
		*slash = '/';
	}
	if (mkdir(part, 0700) < 0 && errno != EEXIST)
		return cli_error("%s: %s", part, strerror(errno));
	return 0;
}

/* Bytes of the string as JSON, without the quotes. */
static void print_json(FILE *to, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(to, "\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			fprintf(to, "\\u%04x", (unsigned char)*text);
		else
			fputc(*text, to);
	}
}

static int write_state(const struct state *state, const char *id, const char *bundle)
{
	char path[4200];

	snprintf(path, sizeof(path), "%s/state.json", state->directory);
	AUTO_FILE FILE *file = fopen(path, "we");
	if (!file)
		return cli_error("%s: %s", path, strerror(errno));
	fprintf(file, "{\"ociVersion\": \"%s\", \"id\": \"%s\", \"status\": \"running\", \"pid\": %d, \"bundle\": \"",
		OCI_VERSION, id, (int)getpid());
	print_json(file, bundle);
	fprintf(file, "\"}\n");
	if (fflush(file) != 0 || ferror(file))
		return cli_error("%s: %s", path, strerror(errno));
	return 0;
}

int state_create(struct state *state, const char *id, const char *bundle)
{
	char root[4096], path[4200];

	state->lock_fd = -1;
	if (state_root(root, sizeof(root)) != 0 || make_root(root) != 0)
		return 1;
	snprintf(state->directory, sizeof(state->directory), "%.3800s/%.200s", root, id);
	if (mkdir(state->directory, 0700) < 0 && errno != EEXIST)
		return cli_error("%s: %s", state->directory, strerror(errno));
	snprintf(path, sizeof(path), "%s/lock", state->directory);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return cli_error("%s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		close(fd);
		return cli_error("%s: container with given ID already exists", id);
	}
	state->lock_fd = fd;
	if (write_state(state, id, bundle) != 0) {
		state_remove(state);
		return 1;
	}
	return 0;
}

void state_remove(struct state *state)
{
	char path[4200];

	if (state->lock_fd < 0)
		return;
	snprintf(path, sizeof(path), "%s/state.json", state->directory);
	unlink(path);
	snprintf(path, sizeof(path), "%s/lock", state->directory);
	unlink(path);
	rmdir(state->directory);
	close(state->lock_fd);
	state->lock_fd = -1;
}
