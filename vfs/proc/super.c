/*
 * Superblocks of proc: whose numbers they show, and the options that say who sees which processes (proc(5): hidepid, gid,
 * subset). Each mount(2) makes one of its own.
 */
#include <linux/errno.h>
#include <linux/magic.h>

#include "kernel/user_ns.h"
#include "vfs/fs_init.h"
#include "vfs/mount_options.h"
#include "vfs/proc/proc.h"

struct option_value {
	const char *text;
	unsigned value;
};

static const struct option_value hide_values[] = {
	{"0", PROC_HIDE_NOTHING}, {"off", PROC_HIDE_NOTHING}, {"1", PROC_HIDE_CONTENT}, {"noaccess", PROC_HIDE_CONTENT},
	{"2", PROC_HIDE_PROCESSES}, {"invisible", PROC_HIDE_PROCESSES}, {"4", PROC_HIDE_UNTRACEABLE},
	{"ptraceable", PROC_HIDE_UNTRACEABLE},
};

bool proc_may_see(const struct superblock *sb, const struct task *task, enum proc_hide least)
{
	const struct proc_sb *info = sb->private;

	if (info->hide != PROC_HIDE_UNTRACEABLE) {
		if (info->hide < least || cred_in_group(current->cred, info->gid))
			return true;
	}
	return !ptrace_may_access(task, PTRACE_BY_FS_IDS);
}

/* ---- options ---- */

static int parse_hide(struct proc_sb *info, const struct mount_option *option)
{
	for (unsigned i = 0; i < ARRAY_SIZE(hide_values); i++) {
		if (mount_option_says(option, hide_values[i].text)) {
			info->hide = (enum proc_hide)hide_values[i].value;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_option(struct proc_sb *info, const struct mount_option *option)
{
	uint32_t gid;

	if (mount_option_is(option, "hidepid"))
		return parse_hide(info, option);
	if (mount_option_is(option, "gid") && mount_option_number(option, 10, UINT32_MAX - 1, &gid)) {
		info->gid = gid_from_user(gid);
		return info->gid != ID_NONE ? 0 : -EINVAL;
	}
	if (!mount_option_is(option, "subset") || !mount_option_says(option, "pid"))
		return -EINVAL;
	info->processes_only = true;
	return 0;
}

static int parse_options(struct proc_sb *info, const char *data)
{
	struct mount_option option;
	int rc = 0;

	while (!rc && mount_option_next(&data, &option))
		rc = parse_option(info, &option);
	return rc;
}

static int check_option(const char *key, const char *value)
{
	const struct mount_option option = mount_option_of(key, value);
	struct proc_sb scratch = {.gid = 0};

	if (strcmp(key, "hidepid") && strcmp(key, "gid") && strcmp(key, "subset"))
		return -ENOENT;
	return parse_option(&scratch, &option);
}

static void show_options(struct superblock *sb, char *buf, size_t size)
{
	static const char *const names[] = {
		[PROC_HIDE_CONTENT] = "noaccess", [PROC_HIDE_PROCESSES] = "invisible", [PROC_HIDE_UNTRACEABLE] = "ptraceable"};
	const struct proc_sb *info = sb->private;
	size_t used = 0;

	*buf = '\0';
	if (info->gid)
		used += (size_t)snprintf(buf, size, ",gid=%u", gid_to_user(info->gid));
	if (info->hide)
		used += (size_t)snprintf(buf + used, size - used, ",hidepid=%s", names[info->hide]);
	if (info->processes_only)
		snprintf(buf + used, size - used, ",subset=pid");
}

/* ---- their lives ---- */

static int reconfigure(struct superblock *sb, const char *data)
{
	struct proc_sb *info = sb->private, changed = *info;
	int rc = parse_options(&changed, data);

	if (!rc)
		*info = changed;
	return rc;
}

static void destroy(struct superblock *sb)
{
	struct proc_sb *info = sb->private;

	ns_put(&info->ns->ns);
	kfree(info);
}

static const struct superblock_ops procfs_ops = {
	.destroy = destroy,
	.show_options = show_options,
	.reconfigure = reconfigure,
};

static int procfs_mount(const struct fs_type *type, const struct mount_args *args, struct superblock **sb)
{
	struct proc_sb options = {.ns = current->process->pid_ns}, *info;
	int rc = parse_options(&options, args->data);

	if (rc)
		return rc;
	info = kmalloc(sizeof(*info));
	*sb = info ? pseudo_superblock(type, &proc_root_entry, PROC_SUPER_MAGIC) : NULL;
	if (!*sb) {
		kfree(info);
		return -ENOMEM;
	}
	*info = options;
	(*sb)->private = info;
	(*sb)->ops = &procfs_ops;
	ns_get(&info->ns->ns);
	return 0;
}

static const struct user_ns *procfs_owner(void)
{
	return current->process->pid_ns->ns.owner;
}

static struct fs_type procfs_type = {.name = "proc", .nodev = true, .in_user_ns = true, .unmasked = true,
	.owner = procfs_owner, .check_option = check_option, .mount = procfs_mount};

void procfs_init(void)
{
	fs_register(&procfs_type);
}
