/* The shim's address: see address.h. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sha2.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>

#include "cli/cli.h"
#include "cli/shim/address.h"

#define FOLDER "/run/containerd/s"
#define CONFIG_MAX (4u << 20)
#define POD "io.kubernetes.cri.sandbox-id"

/* The whole file, terminated and freshly allocated, or NULL after a message. */
static char *read_config(const char *path)
{
	AUTO_FILE FILE *file = fopen(path, "re");
	char *text = file ? malloc(CONFIG_MAX) : NULL;

	if (!text) {
		cli_error("%s: %s", path, strerror(errno));
		return NULL;
	}
	size_t n = fread(text, 1, CONFIG_MAX, file);
	if (n == CONFIG_MAX || ferror(file)) {
		cli_error("%s: %s", path, n == CONFIG_MAX ? "too long" : "cannot be read");
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

/* Freed by yajl_tree_free(); NULL after a message. */
static yajl_val parse_config(const char *path)
{
	AUTO_FREE char *text = read_config(path);
	char why[256];
	yajl_val root = text ? yajl_tree_parse(text, why, sizeof(why)) : NULL;

	if (text && !root)
		cli_error("%s: %s", path, why);
	return root;
}

static const char *annotation(yajl_val root, const char *name)
{
	return YAJL_GET_STRING(yajl_tree_get(root, (const char *[]){"annotations", name, NULL}, yajl_t_string));
}

int address_group(const char *config, const char *id, char group[ADDRESS_GROUP])
{
	yajl_val root = parse_config(config);
	int failed = !root;

	if (root) {
		const char *found = annotation(root, "io.containerd.runc.v2.group");
		if (!found)
			found = annotation(root, POD);
		if (snprintf(group, ADDRESS_GROUP, "%s", found ? found : id) >= (int)ADDRESS_GROUP)
			failed = cli_error("%s: annotations: the group's name is too long", config);
	}
	yajl_tree_free(root);
	return failed;
}

bool address_in_pod(const char *config)
{
	yajl_val root = parse_config(config);
	bool in_pod = root && annotation(root, POD);

	yajl_tree_free(root);
	return in_pod;
}

int address_socket(const char *containerd, const char *name_space, const char *group, char path[ADDRESS_MAX])
{
	char text[2048], digest[SHA256_DIGEST_STRING_LENGTH];
	int n = snprintf(text, sizeof(text), "%s/%s/%s", containerd, name_space, group);

	if (n >= (int)sizeof(text))
		return cli_error("-address: too long");
	SHA256Data((const uint8_t *)text, (size_t)n, digest);
	snprintf(path, ADDRESS_MAX, FOLDER "/%s", digest);
	return 0;
}

static bool fill(struct sockaddr_un *address, const char *path)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(address->sun_path))
		return false;
	strcpy(address->sun_path, path);
	return true;
}

bool address_alive(const char *path)
{
	struct sockaddr_un address;
	AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && fill(&address, path) && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

int address_listen(const char *path)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	mkdir("/run/containerd", 0711);
	mkdir(FOLDER, 0711);
	unlink(path); /* nobody listens there: address_alive() */
	mode_t mask = umask(0177);
	int error = !fill(&address, path) ? -ENAMETOOLONG :
		bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 128) < 0 ? -errno : 0;
	umask(mask);
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

void address_forget(const char *file)
{
	char line[ADDRESS_MAX + 8] = "", pattern[ADDRESS_MAX + 8];
	glob_t found;
	AUTO_FILE FILE *from = fopen(file, "re");

	if (!from || !fgets(line, sizeof(line), from) || strncmp(line, "unix://" FOLDER "/", strlen("unix://" FOLDER "/")))
		return;
	const char *path = line + strlen("unix://");
	if (strpbrk(path, "*?[\\") || strstr(path, "..") || address_alive(path))
		return;
	unlink(path);
	snprintf(pattern, sizeof(pattern), "%s.*", path); /* sockets for terminals */
	if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		unlink(found.gl_pathv[i]);
	globfree(&found);
}
