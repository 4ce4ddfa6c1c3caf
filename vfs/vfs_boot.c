/*
 * Boot of the file layer: caches and types, the root, the configured mounts, read-only
 * and masked paths, working directory, and init's standard files, as a runtime does it
 * (OCI runtime specification, "Mounts", "Linux"). Runs on init's task, before it has the
 * container's credentials. Each failure is one log line that names operation and object.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>

#include "kernel/container.h"
#include "kernel/errno_names.h"
#include "vfs/boot_paths.h"
#include "vfs/dev/dev.h"
#include "vfs/fs_init.h"
#include "vfs/internal.h"
#include "vfs/mqueue/mqueue.h"
#include "vfs/overlay/overlay.h"
#include "vfs/proc/sysctl.h"
#include "vfs/tmpfs/tmpfs.h"
#include "vfs/tty/console.h"
#include "vfs/tty/hostfd.h"

static int failed(const char *operation, const char *object, int rc)
{
	launch_explain(operation, object, errno_text(-rc));
	return rc;
}

static void register_all(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	dentry_cache_init();
	fs_types_init();
	tmpfs_register();
	overlay_register();
	dev_mem_init();
	p9fs_init();
	procfs_init();
	sysfs_init();
	cgroupfs_init();
	devpts_init();
	tty_devices_init();
	mqueue_init();
}

/* ---- the root ---- */

static int mount_plain_root(struct superblock *sb, const char *source, struct mount **root)
{
	*root = mount_create(sb, sb->root, source, 0);
	return *root ? mount_attach(*root, NULL) : -ENOMEM;
}

static int mount_overlay_root(struct superblock *lower, struct mount **root)
{
	const struct fs_type *type = fs_find("overlay");
	struct mount_args args = {.source = "overlay", .data = "", .lower = lower};
	struct superblock *sb;
	int rc = type->mount(type, &args, &sb);

	if (rc)
		return rc;
	rc = mount_plain_root(sb, "overlay", root);
	if (rc && !*root)
		superblock_put(sb);
	return rc;
}

static int mount_root(const struct config_root *root, struct mount **mount)
{
	const struct fs_type *type = fs_find("9p");
	struct mount_args args = {.source = "/", .data = "", .gofer = root->gofer};
	struct superblock *sb;
	int rc = type && type->mount ? type->mount(type, &args, &sb) : -ENODEV;

	if (rc)
		return failed("mount of the root", "/", rc);
	if (root->flags & CONFIG_ROOT_OVERLAY)
		rc = mount_overlay_root(sb, mount);
	else
		rc = mount_plain_root(sb, "/", mount);
	if (rc || root->flags & CONFIG_ROOT_OVERLAY)
		superblock_put(sb); /* the overlay has a reference of its own */
	return rc ? failed("mount of the root", "/", rc) : 0;
}

static int make_context(struct task *init, struct mount *root)
{
	struct fs_context *fs = kzalloc(sizeof(*fs));

	init->files = fd_table_create();
	if (!fs || !init->files)
		return -ENOMEM;
	fs->refs = 1;
	fs->umask = 0;
	fs->root = fs->cwd = (struct path){root, root->root};
	path_get(&fs->root);
	path_get(&fs->cwd);
	init->fs = fs;
	return 0;
}

/* ---- configured mounts ---- */

/* By OCI's name "cgroup" a container asks for what the host has; the sentry has version 2. */
static const struct fs_type *type_of(const char *name)
{
	return fs_find(!strcmp(name, "cgroup") ? "cgroup2" : name);
}

static bool is_bind(const struct container_mount *m)
{
	return m->flags & MS_BIND || !strcmp(m->type, "bind");
}

static int make_superblock(const struct container_mount *m, struct superblock **sb)
{
	const struct fs_type *type = is_bind(m) ? fs_find("9p") : type_of(m->type);
	struct mount_args args = {.source = m->source, .data = m->data, .flags = m->flags, .gofer = m->gofer};

	if (!type || !type->mount)
		return -ENODEV;
	if (is_bind(m))
		args.data = "";
	return type->mount(type, &args, sb);
}

static int attach_superblock(const struct container_config *config, const struct container_mount *m, struct superblock *sb)
{
	unsigned long flags = m->flags;
	struct mount *mount;
	struct path at;
	int rc;

	if (!(flags & (MS_NOATIME | MS_STRICTATIME)))
		flags |= MS_RELATIME;
	rc = boot_path_make(m->target, S_ISDIR(sb->root->inode->mode), &at);
	if (rc)
		return rc;
	mount = mount_create(sb, sb->root, m->source, flags);
	if (!mount) {
		path_put(&at);
		return -ENOMEM;
	}
	if (m->flags & CONFIG_MOUNT_COPY_UP) {
		struct path to = {mount, mount->root};

		rc = boot_path_copy(&at, &to);
	}
	sb->refs++; /* our caller keeps its own reference on failure */
	if (!rc)
		rc = mount_attach(mount, &at);
	if (!rc && m->flags & MOUNT_PROPAGATION)
		rc = mount_set_propagation(mount, m->flags & (MOUNT_PROPAGATION | MS_REC));
	path_put(&at);
	if (!rc && !strcmp(m->type, "tmpfs") && !strcmp(m->target, "/dev"))
		rc = dev_populate(mount, config->terminal);
	if (rc && !mount->attached)
		mount_put(mount);
	return rc;
}

static int mount_one(const struct container_config *config, const struct container_mount *m)
{
	struct superblock *sb;
	int rc;

	if (!is_bind(m) && !type_of(m->type))
		return failed("mount of an unknown type", m->type, -ENODEV);
	rc = make_superblock(m, &sb);
	if (rc)
		return failed("mount", m->target, rc);
	rc = attach_superblock(config, m, sb);
	superblock_put(sb);
	return rc ? failed("mount", m->target, rc) : 0;
}

/* The root's own read-only flag comes last: making mountpoints writes to the overlay. */
static int mount_all(const struct container_config *config, struct mount *root)
{
	for (unsigned i = 0; i < config->mount_count; i++) {
		int rc = mount_one(config, &config->mounts[i]);

		if (rc)
			return rc;
	}
	for (unsigned i = 0; i < config->device_count; i++) {
		int rc = boot_path_device(&config->devices[i]);

		if (rc == -ENODEV && config->devices[i].is.mode & CONFIG_DEVICE_IF_THERE)
			klog(LOG_WARNING, "device: \"%s\": there is none in a sandbox", config->devices[i].path);
		else if (rc)
			return failed("device", config->devices[i].path, rc);
	}
	for (unsigned i = 0; i < config->readonly_count; i++) {
		int rc = boot_path_readonly(config->readonly_paths[i]);

		if (rc)
			return failed("read-only path", config->readonly_paths[i], rc);
	}
	for (unsigned i = 0; i < config->masked_count; i++) {
		int rc = boot_path_mask(config->masked_paths[i]);

		if (rc)
			return failed("masked path", config->masked_paths[i], rc);
	}
	for (unsigned i = 0; i < config->sysctl_count; i++) {
		int rc = sysctl_apply(config->sysctls[i]);

		if (rc)
			return failed("sysctl", config->sysctls[i], rc);
	}
	root->flags |= config->root.flags & CONFIG_ROOT_READONLY ? MS_RDONLY : 0;
	return 0;
}

/* ---- standard files ---- */

static int install(struct file *file, int fd)
{
	int rc = fd_install(file, false, fd);

	return rc < 0 ? rc : 0;
}

static int open_terminal(struct console **console, unsigned in, unsigned out, const struct container_config *config)
{
	struct file *file;
	int rc = console_create(in, out, config->has_terminal_size ? &config->terminal_size : NULL, console);

	if (!rc)
		rc = console_open(*console, &file);
	if (rc)
		return failed("open of the terminal", "/dev/console", rc);
	file_get(file);
	file_get(file);
	rc = install(file, 0);
	if (!rc)
		rc = install(file, 1);
	if (!rc)
		rc = install(file, 2);
	return rc;
}

/* The container's own, where it has one, in the place of the host's. */
static bool open_null(unsigned index, struct file **file)
{
	if (!hostfd_is_null(index) || vfs_open(AT_FDCWD, "/dev/null", O_RDWR, 0, 0, file))
		return false;
	hostfd_drop(index);
	return true;
}

static int open_stdio(const uint32_t *fds)
{
	for (unsigned i = 0; i < 3; i++) {
		static const char *const names[] = {"stdin", "stdout", "stderr"};
		struct file *file;
		int rc = open_null(fds[i], &file) ? 0 : hostfd_open(fds[i], &file);

		if (rc == -EBADF)
			continue; /* the runtime's caller had it closed */
		if (!rc)
			rc = install(file, (int)i);
		if (rc)
			return failed("open", names[i], rc);
	}
	return 0;
}

/* Those that the runtime's caller passed in are 3 and up; `count` of them are donated descriptors from `fds` on, or from `first`. */
static int open_passed(uint32_t count, const uint32_t *fds, uint32_t first)
{
	for (uint32_t i = 0; i < count; i++) {
		struct file *file;
		int rc = hostfd_open(fds ? fds[i] : first + i, &file);

		if (!rc)
			rc = install(file, (int)(3 + i));
		if (rc)
			return failed("open", "a descriptor that was passed in", rc);
	}
	return 0;
}

/* As runc has it: made for a container's first process, and expected to be there by those that come later. */
static int enter_cwd(const struct container_config *config, bool make)
{
	const char *cwd = config->cwd && *config->cwd ? config->cwd : "/";
	struct path path;
	int rc = make ? boot_path_make(cwd, true, &path) : path_lookup(AT_FDCWD, cwd, LOOKUP_FOLLOW, &path);

	if (!rc) {
		rc = S_ISDIR(path.dentry->inode->mode) ? vfs_set_cwd(&path) : -ENOTDIR;
		path_put(&path);
	}
	return rc ? failed("chdir", cwd, rc) : 0;
}

int vfs_boot(struct container *c, struct task *init)
{
	const struct container_config *config = &c->config;
	struct mount *root = NULL;
	int rc;

	register_all();
	rc = mount_root(&config->root, &root);
	if (!rc)
		rc = make_context(init, root);
	if (!rc) {
		root->mnt_ns = init->ns->mnt = mnt_ns_create(root, c->user_ns);
		rc = root->mnt_ns ? fs_context_clone(init->fs, false, &c->fs) : -ENOMEM;
	}
	if (!rc)
		rc = mount_all(config, root);
	if (!rc)
		rc = enter_cwd(config, true);
	if (!rc && config->terminal)
		rc = open_terminal(&c->console, c->fds[0], c->fds[1], config);
	else if (!rc)
		rc = open_stdio(c->fds);
	if (!rc && config->passed_fds)
		rc = c->id || config->passed_fds > CONFIG_MAX_PASSED ? -EINVAL : open_passed(config->passed_fds, NULL, 3);
	if (!rc)
		init->fs->umask = config->umask & 0777;
	return rc;
}

int vfs_enter(struct launch *launch, struct task *task)
{
	const struct container_config *config = &launch->config;
	unsigned own = config->terminal ? 1 : 3; /* descriptors that are not passed on as they are */
	int rc = launch->container->fs ? 0 : -ESRCH;

	if (!rc)
		rc = fs_context_clone(launch->container->fs, false, &task->fs);
	if (rc)
		return failed("root", "/", rc);
	task->files = fd_table_create();
	if (!task->files)
		return failed("descriptors", "/", -ENOMEM);
	rc = enter_cwd(config, false);
	if (!rc && config->terminal)
		rc = open_terminal(&launch->console, launch->fds[0], launch->fds[0], config);
	else if (!rc)
		rc = open_stdio(launch->fds);
	if (!rc && config->passed_fds)
		rc = config->passed_fds > CONTROL_FDS - own ? -EINVAL : open_passed(config->passed_fds, launch->fds + own, 0);
	task->fs->umask = (config->has_umask ? config : &launch->container->config)->umask & 0777;
	return rc;
}
