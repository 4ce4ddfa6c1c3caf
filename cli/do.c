/*
 * `ringfence do [--] CMD [ARG]...`: run a command on this machine's own files, read-only
 * below a memory overlay: it sees everything and changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/cli.h"
#include "cli/container.h"
#include "cli/foreground.h"
#include "cli/options.h"
#include "cli/rootless.h"

extern char **environ;

#define ALL_CAPS ((1ull << 41) - 1)

static void add_mount(struct container *c, const char *type, const char *target, uint64_t flags, const char *data)
{
	struct container_mount *mount = container_mount_add(c);

	mount->type = container_copy(type);
	mount->source = container_copy(type);
	mount->target = container_copy(target);
	mount->data = container_copy(data);
	mount->flags = flags;
}

static void add_mounts(struct container *c)
{
	const uint64_t plain = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	add_mount(c, "proc", "/proc", plain, "");
	add_mount(c, "sysfs", "/sys", plain | MS_RDONLY, "");
	add_mount(c, "cgroup2", "/sys/fs/cgroup", plain, "");
	add_mount(c, "tmpfs", "/dev", MS_NOSUID | MS_STRICTATIME, "mode=755");
	add_mount(c, "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620");
	add_mount(c, "tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
}

static void add_identity(struct container *c)
{
	gid_t groups[256];
	int count = getgroups(256, groups);

	c->user = (struct config_user){geteuid(), getegid()};
	c->groups = calloc(256, sizeof(uint32_t));
	for (int i = 0; c->groups && i < count; i++)
		c->groups[c->group_count++] = groups[i];
	c->caps.bounding = ALL_CAPS;
	if (c->user.uid == 0)
		c->caps.effective = c->caps.permitted = ALL_CAPS;
}

int command_do(int argc, char **argv)
{
	static struct container container;
	struct container *c = &container;
	char **words, cwd[PATH_MAX], host[HOST_NAME_MAX + 1] = "";
	struct rlimit nofile;

	if (options_parse(argc, argv, NULL, 0, -1, &words))
		return 1;
	if (!words[0])
		return cli_error("which command? ringfence do [--] CMD [ARG]...");
	for (; *words; words++)
		strings_add(&c->args, *words);
	for (char **e = environ; *e; e++)
		strings_add(&c->env, *e);
	c->cwd = container_copy(getcwd(cwd, sizeof(cwd)) && cwd[0] == '/' ? cwd : "/");
	gethostname(host, sizeof(host) - 1);
	c->hostname = container_copy(host);
	c->umask = -1;
	c->terminal = isatty(0) && isatty(1);
	if (getrlimit(RLIMIT_NOFILE, &nofile) == 0)
		c->rlimits[c->rlimit_count++] =
			(struct config_rlimit){RLIMIT_NOFILE, 0, nofile.rlim_cur, nofile.rlim_max};
	add_identity(c);
	add_mounts(c);
	if (rootless_enter_alone())
		return 1;
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return cli_error("/: %s", strerror(errno));
	c->trees[c->tree_count++] = (struct container_tree){root, true, false};
	c->root_flags = CONFIG_ROOT_OVERLAY;
	return foreground_run(c);
}
