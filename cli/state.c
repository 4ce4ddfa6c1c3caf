/* The state directory: making, locking and removing it, see state.h. state_file.c has the file in it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include "cli/cli.h"
#include "cli/rootless.h"
#include "cli/state.h"
#include "cli/state_parts.h"

/* As runc: an ordinary user's directory, also for the root of a namespace of its own (Podman leaves USER out). */
static bool own_root(void)
{
	const char *user = getenv("USER");

	return geteuid() != 0 || ((!user || strcmp(user, "root") != 0) && rootless_is());
}

/* In /tmp anybody can have made it before us, and would choose what is recorded there, hooks too. */
static int check_own(const char *path)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return cli_error("%s: %s", path, strerror(errno));
	if (lstat(path, &st) < 0)
		return cli_error("%s: %s", path, strerror(errno));
	return S_ISDIR(st.st_mode) && st.st_uid == geteuid() ? 0 : cli_error("%s: not a directory of user %u", path,
		(unsigned)geteuid());
}

int state_root(char *path, size_t size)
{
	bool shared = false;
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int n;

	if (global.root)
		n = snprintf(path, size, "%s", global.root);
	else if (own_root() && runtime && runtime[0] == '/')
		n = snprintf(path, size, "%s/ringfence", runtime);
	else if ((shared = geteuid() != 0))
		n = snprintf(path, size, "/tmp/ringfence-%u", (unsigned)geteuid());
	else
		n = snprintf(path, size, "/run/ringfence");
	if (n < 0 || (size_t)n >= size - 300)
		return cli_error("--root: too long");
	return shared ? check_own(path) : 0;
}

int state_check_id(const char *id)
{
	size_t length = strlen(id);
	size_t good = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.");

	if (length > 0 && length <= 200 && good == length && strcmp(id, ".") != 0 && strcmp(id, "..") != 0) {
		global.id = id;
		return 0;
	}
	if (length == 0)
		return cli_error("container id cannot be empty");
	return cli_error("%.60s%s: invalid container id format: up to 200 letters, digits and _+-. only", id,
		length > 60 ? "..." : "");
}

void state_path(const struct state *state, const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", state->directory, name);
}

static int set_directory(struct state *state, const char *id)
{
	char root[4096];

	memset(state, 0, sizeof(*state));
	state->lock_fd = -1;
	if (state_root(root, sizeof(root)) != 0)
		return 1;
	snprintf(state->directory, sizeof(state->directory), "%.3800s/%.200s", root, id);
	state->id = container_copy(id);
	return 0;
}

/* As mkdir -p, for the state root. */
static int make_root(void)
{
	char part[4096];

	if (state_root(part, sizeof(part)) != 0)
		return 1;
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

/* Is the locked file still the one in the directory: nobody removed the container meanwhile. */
static bool is_current(const char *path, int fd)
{
	struct stat there, here;

	return stat(path, &there) == 0 && fstat(fd, &here) == 0 && there.st_ino == here.st_ino &&
		there.st_dev == here.st_dev;
}

/* `flags`: O_CREAT, LOCK_NB. 0; -ENOENT: there is no such container any more; -EWOULDBLOCK; -errno. */
static int lock(struct state *state, int flags)
{
	char path[4200];
	int error;

	state_path(state, "lock", path, sizeof(path));
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (flags & O_CREAT), 0600);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | (flags & LOCK_NB)) < 0) {
		error = -errno;
		if (error == -EINTR)
			continue;
		close(fd);
		return error;
	}
	if (!is_current(path, fd)) {
		close(fd);
		return -ENOENT;
	}
	state->lock_fd = fd;
	return 0;
}

int state_create(struct state *state, const char *id)
{
	struct stat st;
	char path[4200];

	if (set_directory(state, id) || make_root())
		return 1;
	bool made = mkdir(state->directory, 0700) == 0;
	if (!made && errno != EEXIST)
		return cli_error("%s: %s", state->directory, strerror(errno));
	int error = lock(state, O_CREAT | LOCK_NB);
	if (error == -EWOULDBLOCK || error == -ENOENT)
		return cli_error("container with given ID already exists: %s", id);
	if (error) {
		cli_error("%s/lock: %s", state->directory, strerror(-error));
		if (made)
			rmdir(state->directory);
		return 1;
	}
	/* Nothing recorded: a command was killed between making the directory and recording. It is ours now. */
	state_path(state, "state.json", path, sizeof(path));
	if (stat(path, &st) < 0 && errno == ENOENT)
		return 0;
	state_close(state);
	return cli_error("container with given ID already exists: %s", id);
}

bool state_exists(const char *id)
{
	struct state state;
	struct stat st;
	bool exists = set_directory(&state, id) == 0 && stat(state.directory, &st) == 0;

	state_free(&state);
	return exists;
}

enum state_claim state_claim(struct state *state, int patience_ms)
{
	int error = lock(state, O_CREAT | LOCK_NB); /* a damaged one may have none */

	for (; error == -EWOULDBLOCK && patience_ms > 0; patience_ms -= 50) {
		usleep(50 * 1000);
		error = lock(state, O_CREAT | LOCK_NB);
	}
	if (error == 0)
		return STATE_CLAIMED;
	return error == -EWOULDBLOCK ? STATE_BUSY : STATE_GONE;
}

bool state_version(const char *name, struct state_version *version)
{
	struct state state;
	struct stat st;
	char path[4200];

	if (set_directory(&state, name))
		return false;
	state_path(&state, "state.json", path, sizeof(path));
	state_free(&state);
	if (stat(path, &st) < 0)
		return false;
	*version = (struct state_version){st.st_ino, st.st_mtim};
	return true;
}

bool state_is_container(const char *name)
{
	struct state_version version;

	return state_version(name, &version);
}

void state_free(struct state *state)
{
	char *const texts[] = {state->id, state->bundle, state->rootfs, state->created, state->owner, state->unit, state->sandbox};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	strings_free(&state->annotations);
	strings_free(&state->cgroups);
	*state = (struct state){.lock_fd = -1};
}

int state_lock_existing(struct state *state, const char *id, enum state_open how)
{
	struct stat st;
	int error;

	if (set_directory(state, id))
		return 1;
	if (stat(state->directory, &st) < 0)
		error = -errno;
	else
		error = how == STATE_LOCK ? lock(state, 0) : 0;
	if (error == -ENOENT)
		return cli_error("container \"%s\" does not exist", id);
	return error ? cli_error("%s: %s", state->directory, strerror(-error)) : 0;
}

void state_close(struct state *state)
{
	if (state->lock_fd >= 0)
		close(state->lock_fd);
	state->lock_fd = -1;
}

void state_remove(struct state *state)
{
	static const char *const names[] = {"control.sock", "config.json", "state.json.new", "state.json", "lock"};
	char path[4200];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		state_path(state, names[i], path, sizeof(path));
		if (unlink(path) < 0 && errno != ENOENT)
			cli_warning("%s: %s", path, strerror(errno));
	}
	if (rmdir(state->directory) < 0 && errno != ENOENT)
		cli_warning("%s: %s", state->directory, strerror(errno));
	state_close(state);
}

/* A path in a deep directory does not fit into a socket's address: go by a descriptor of the directory. */
static int socket_address(const struct state *state, struct sockaddr_un *address)
{
	int fd = open(state->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/control.sock", fd);
	return fd;
}

int state_listen(const struct state *state)
{
	struct sockaddr_un address;
	AUTO_FD int directory = socket_address(state, &address);
	int fd = directory < 0 ? -1 : socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	unlink(address.sun_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 16) == 0)
		return fd;
	close(fd);
	return -1;
}

static int connect_at(const struct state *state, int patience_ms)
{
	const struct timeval patience = {patience_ms / 1000, patience_ms % 1000 * 1000};
	struct sockaddr_un address;
	AUTO_FD int directory = socket_address(state, &address);
	int fd = directory < 0 ? -1 : socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	/* A sandbox that was taken over need not take what it is sent, nor let anybody in. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

int state_connect(const struct state *state, int patience_ms)
{
	struct state first;

	if (!state->sandbox)
		return connect_at(state, patience_ms);
	/* In a pod: the channel of the first container's sandbox. */
	int fd = set_directory(&first, state->sandbox) ? -1 : connect_at(&first, patience_ms);
	state_free(&first);
	return fd;
}
