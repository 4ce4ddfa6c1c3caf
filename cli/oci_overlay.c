/*
 * config.json: mounts of type overlay, whose layers are directories of the host (what Podman makes of a volume ":O" and of an image).
 * The host's kernel puts them together, in a mount that has no place in any file tree: a tree for the gofer, gone with it.
 *
 * By mount(2), since fsconfig(2) takes no list of layers longer than 255 bytes: in a mount namespace that a child has for as long as
 * that takes, from where open_tree(2) copies it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cli/cli.h"
#include "cli/oci_parts.h"

/* In the child: the mount's descriptor, or -errno. */
static int mount_aside(const char *place, const char *data)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("overlay", place, "overlay", 0, data) < 0)
		return -errno;
	int fd = open_tree(AT_FDCWD, place, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The same, from a child that shares our descriptors and nothing else. */
static int make_overlay(const char *place, const char *data)
{
	int report[2], result = -EIO;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		result = mount_aside(place, data);
		_exit(write(report[1], &result, sizeof(result)) != (ssize_t)sizeof(result));
	}
	if (pid < 0)
		result = -errno;
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(report[1]);
	if (pid > 0 && read(report[0], &result, sizeof(result)) != (ssize_t)sizeof(result))
		result = -EIO;
	close(report[0]);
	return result;
}

int oci_open_overlay(struct oci *oci, struct container_mount *to, const char *property)
{
	struct container *c = oci->container;

	if (c->tree_count == CONTAINER_MAX_TREES)
		return json_error(&oci->json, property, "more than %u bind mounts", CONTAINER_MAX_TREES - 1);
	int fd = make_overlay(oci->bundle, to->data);
	if (fd < 0)
		return json_error(&oci->json, property, "overlay: %.300s: %s", to->data, strerror(-fd));
	to->type = container_copy("bind");
	to->data = container_copy("");
	to->tree = (uint32_t)c->tree_count++;
	c->trees[to->tree] = (struct container_tree){fd, to->flags & MS_RDONLY, true};
	return 0;
}
