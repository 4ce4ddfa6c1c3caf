/*
 * A file system being set up by descriptor: fsopen(2), fspick(2), fsconfig(2), fsmount(2), and the messages that reading the
 * descriptor gives. syscalls/mounttree.c calls these.
 *
 * States: parameters are collected (SET_UP), the superblock is made and waits for its mount (MADE), then or for a
 * picked one parameters are collected again for a change (CHANGE); who fails in making or changing is done for (FAILED). A call holds the
 * setup's lock, across sleeps.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>

#include "kernel/user_ns.h"
#include "ring0/usercopy.h"
#include "vfs/internal.h"

#define OPTIONS_MAX 4096u
#define MESSAGES_MAX 8u
#define MESSAGE_SIZE 400u

enum setup_state { SET_UP, MADE, CHANGE, FAILED };

struct mount_setup {
	struct mutex lock;
	const struct fs_type *type;
	enum setup_state state;
	unsigned flags, flags_given; /* MS_* of the superblock, and which of them were told */
	char *source;                /* NULL: not told */
	char *options;               /* "a=b,c", OPTIONS_MAX bytes */
	struct path tree;            /* from MADE on: a mount in no tree, and its root; picked: of that mount */
	char *messages[MESSAGES_MAX]; /* oldest first */
	unsigned message_count;
};

/* ---- messages ---- */

static void say(struct mount_setup *setup, const char *format, const char *prefix, const char *key)
{
	char *text = kmalloc(MESSAGE_SIZE);

	if (!text)
		return;
	snprintf(text, MESSAGE_SIZE, format, prefix, key);
	if (setup->message_count == MESSAGES_MAX) {
		kfree(setup->messages[0]);
		memmove(setup->messages, setup->messages + 1, sizeof(setup->messages) - sizeof(setup->messages[0]));
		setup->message_count--;
	}
	setup->messages[setup->message_count++] = text;
}

/* One whole message a read. */
static int64_t setup_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	struct mount_setup *setup = file->private;
	char *text;
	int64_t len;

	mutex_lock(&setup->lock);
	text = setup->message_count ? setup->messages[0] : NULL;
	len = text ? (int64_t)strlen(text) : -ENODATA;
	if (text && (size_t)len > n)
		len = -EMSGSIZE;
	else if (text) {
		setup->message_count--;
		memmove(setup->messages, setup->messages + 1, setup->message_count * sizeof(setup->messages[0]));
		if (copy_to_user(to, text, (size_t)len) < 0)
			len = -EFAULT;
		kfree(text);
	}
	mutex_unlock(&setup->lock);
	return len;
}

/* ---- life ---- */

static void setup_free(struct mount_setup *setup)
{
	while (setup->message_count)
		kfree(setup->messages[--setup->message_count]);
	path_put(&setup->tree);
	kfree(setup->source);
	kfree(setup->options);
	kfree(setup);
}

static void setup_release(struct file *file)
{
	setup_free(file->private);
}

static const struct file_ops setup_ops = {.read = setup_read, .release = setup_release};

static int setup_open(const struct fs_type *type, enum setup_state state, const struct path *picked, bool cloexec)
{
	struct mount_setup *setup = kzalloc(sizeof(*setup));
	char *options = kzalloc(OPTIONS_MAX);
	struct file *file;

	if (!setup || !options) {
		kfree(setup);
		kfree(options);
		return -ENOMEM;
	}
	mutex_init(&setup->lock);
	setup->type = type;
	setup->state = state;
	setup->options = options;
	if (picked) {
		setup->tree = *picked;
		path_get(picked);
	}
	file = file_create_anon("fscontext", &setup_ops, O_RDWR, setup);
	if (!file) {
		setup_free(setup);
		return -ENOMEM;
	}
	return fd_install(file, cloexec, 0);
}

int vfs_fsopen(const char *name, unsigned flags)
{
	const struct fs_type *type;

	type = fs_find(name);
	return type && !type->internal ? setup_open(type, SET_UP, NULL, flags & FSOPEN_CLOEXEC) : -ENODEV;
}

int vfs_fspick(int dirfd, const char *name, unsigned flags)
{
	unsigned lookup = (flags & FSPICK_EMPTY_PATH ? LOOKUP_EMPTY : 0) | (flags & FSPICK_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW);
	struct path path;
	int rc;

	rc = path_lookup(dirfd, name, lookup, &path);
	if (rc)
		return rc;
	rc = path.dentry == path.mount->root ? setup_open(path.mount->sb->type, CHANGE, &path, flags & FSPICK_CLOEXEC) : -EINVAL;
	path_put(&path);
	return rc;
}

/* ---- parameters ---- */

/* Those that are the core's: 0, or -ENOENT. Their value is not looked at, as Linux does not. */
static int set_flag(struct mount_setup *setup, const char *key)
{
	static const struct {
		const char *set, *clear;
		unsigned flag;
	} flags[] = {{"ro", "rw", MS_RDONLY}, {"sync", "async", MS_SYNCHRONOUS}, {"mand", "nomand", MS_MANDLOCK},
		{"lazytime", "nolazytime", MS_LAZYTIME}, {"dirsync", NULL, MS_DIRSYNC}};

	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		bool clear = flags[i].clear && !strcmp(key, flags[i].clear);

		if (!clear && strcmp(key, flags[i].set))
			continue;
		setup->flags = (setup->flags & ~flags[i].flag) | (clear ? 0 : flags[i].flag);
		setup->flags_given |= flags[i].flag;
		return 0;
	}
	return -ENOENT;
}

static int set_source(struct mount_setup *setup, const char *value)
{
	if (!value || setup->source) {
		say(setup, "e %s\n", value ? "Multiple sources" : "Non-string source", NULL);
		return -EINVAL;
	}
	setup->source = kstrdup(value);
	return setup->source ? 0 : -ENOMEM;
}

static int add_option(struct mount_setup *setup, const char *key, const char *value)
{
	size_t used = strlen(setup->options), room = OPTIONS_MAX - used;
	int len = snprintf(setup->options + used, room, "%s%s%s%s", used ? "," : "", key, value ? "=" : "", value ? value : "");

	if ((size_t)len < room)
		return 0;
	setup->options[used] = '\0';
	return -EINVAL;
}

/* value NULL: a flag, or what is no string, which no option of ours takes. */
static int set_parameter(struct mount_setup *setup, const char *key, const char *value, bool is_flag)
{
	const struct fs_type *type = setup->type;
	int rc;

	if (setup->state != SET_UP && setup->state != CHANGE)
		return -EBUSY;
	if (!set_flag(setup, key))
		return 0;
	if (!strcmp(key, "source"))
		return set_source(setup, value);
	rc = type->check_option ? type->check_option(key, value) : -ENOENT;
	if (!rc && ((!value && !is_flag) || (value && strchr(value, ','))))
		rc = -EINVAL;
	if (!rc)
		return add_option(setup, key, value);
	say(setup, rc == -ENOENT ? "e %s: Unknown parameter '%s'\n" : "e %s: Bad value for '%s'\n", type->name, key);
	return -EINVAL;
}

/* ---- commands ---- */

static int make(struct mount_setup *setup)
{
	struct mount_args args = {.source = setup->source ? setup->source : "none", .data = setup->options};
	struct path tree;
	int rc;

	if (setup->state != SET_UP)
		return -EBUSY;
	if (!mount_type_allowed(setup->type))
		return -EPERM;
	rc = mount_get_tree(setup->type, &args, &tree);
	setup->state = rc ? FAILED : MADE;
	if (!rc)
		setup->tree = tree;
	if (!rc && tree.mount->sb->refs == 1)
		tree.mount->sb->flags |= setup->flags;
	setup->options[0] = '\0';
	setup->flags = setup->flags_given = 0;
	return rc;
}

static int change(struct mount_setup *setup)
{
	struct superblock *sb = setup->tree.mount ? setup->tree.mount->sb : NULL;
	int rc = 0;

	if (setup->state != CHANGE)
		return -EBUSY;
	if (!(sb->user_ns ? ns_capable(sb->user_ns, CAP_SYS_ADMIN) : capable(CAP_SYS_ADMIN)))
		rc = -EPERM;
	else if (setup->flags & ~sb->flags & MS_RDONLY && sb->writers)
		rc = -EBUSY;
	else if (*setup->options && sb->ops && sb->ops->reconfigure)
		rc = sb->ops->reconfigure(sb, setup->options);
	if (rc) {
		setup->state = FAILED;
		return rc;
	}
	sb->flags = (sb->flags & ~setup->flags_given) | setup->flags;
	setup->options[0] = '\0';
	setup->flags = setup->flags_given = 0;
	return 0;
}

static int configure(struct mount_setup *setup, unsigned command, const char *key, const char *value)
{
	switch (command) {
	case FSCONFIG_CMD_CREATE:
		return make(setup);
	case FSCONFIG_CMD_RECONFIGURE:
		return change(setup);
	default:
		return set_parameter(setup, key, value, command == FSCONFIG_SET_FLAG);
	}
}

/* The setup of a descriptor; *file has a reference. NULL: *error tells. */
static struct mount_setup *setup_of(int fd, struct file **file, int *error)
{
	*file = fd_file(fd);
	*error = *file ? -EINVAL : -EBADF;
	if (!*file)
		return NULL;
	if ((*file)->ops == &setup_ops)
		return (*file)->private;
	file_put(*file);
	return NULL;
}

int vfs_fsconfig(int fd, unsigned command, const char *key, const char *value)
{
	struct mount_setup *setup;
	struct file *file;
	int rc;

	setup = setup_of(fd, &file, &rc);
	if (!setup)
		return rc;
	mutex_lock(&setup->lock);
	rc = configure(setup, command, key, value);
	mutex_unlock(&setup->lock);
	file_put(file);
	return rc;
}

/* The mount that was made goes into a tree of its own; a descriptor of that one. */
static int mount_made(struct mount_setup *setup, unsigned long flags, bool cloexec)
{
	unsigned long locked = 0;
	struct mount *mount = setup->tree.mount;
	struct mnt_ns *ns;

	if (!mount)
		return -EINVAL;
	if (setup->type->unmasked && mount_too_revealing(setup->type, flags | (mount->sb->flags & MS_RDONLY), &locked))
		return -EPERM;
	if (setup->state != MADE)
		return -EBUSY;
	ns = mount_detached_create();
	if (!ns)
		return -ENOMEM;
	/* From here nothing may fail: the tree's list has a reference, the setup keeps the other. */
	mount->flags = flags;
	mount->locked_flags = locked;
	mount->mnt_ns = ns;
	ns->root = mount;
	mount_get(mount);
	(void)mount_attach(mount, NULL);
	setup->state = CHANGE;
	return mount_detached_open(ns, cloexec);
}

int vfs_fsmount(int fd, unsigned flags, uint64_t attributes)
{
	unsigned long mount_flags = mount_flags_of_attributes(attributes);
	struct mount_setup *setup;
	struct file *file;
	int rc;

	if (attributes & ~(uint64_t)(MOUNT_ATTR_PLAIN | MOUNT_ATTR__ATIME))
		return -EINVAL;
	rc = mount_atime_of_attributes(attributes, &mount_flags);
	if (rc)
		return rc;
	setup = setup_of(fd, &file, &rc);
	if (!setup)
		return rc;
	mutex_lock(&setup->lock);
	rc = mount_made(setup, mount_flags, flags & FSMOUNT_CLOEXEC);
	mutex_unlock(&setup->lock);
	file_put(file);
	return rc;
}
