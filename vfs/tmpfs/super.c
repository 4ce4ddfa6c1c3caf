/*
 * tmpfs superblocks: mount options (tmpfs(5): size, nr_blocks, nr_inodes, mode, uid, gid),
 * statfs, end.
 */
#include "kernel/user_ns.h"
#include "vfs/mount_options.h"
#include "vfs/tmpfs/internal.h"

#define TMPFS_MAGIC 0x01021994
#define RAMFS_MAGIC 0x858458f6

/* A number with k, m, g or % behind it; % is of `whole`. False: malformed. */
static bool parse_size(const char *text, size_t len, uint64_t whole, uint64_t *out)
{
	uint64_t n = 0;
	size_t i = 0;

	for (; i < len && text[i] >= '0' && text[i] <= '9'; i++)
		if (__builtin_mul_overflow(n, 10ull, &n) || __builtin_add_overflow(n, (uint64_t)(text[i] - '0'), &n))
			return false;
	if (!i)
		return false;
	if (i + 1 == len) {
		unsigned shift = 0;

		switch (text[i] | 0x20) {
		case 'k':
			shift = 10;
			break;
		case 'm':
			shift = 20;
			break;
		case 'g':
			shift = 30;
			break;
		case 't':
			shift = 40;
			break;
		default:
			if (text[i] != '%')
				return false;
			n = whole / 100 * n;
		}
		if (shift && n >> (64 - shift))
			return false;
		n <<= shift;
		i++;
	}
	*out = n;
	return i == len;
}

static int parse_valued(struct tmpfs_sb *info, const struct mount_option *option, uint64_t ram)
{
	uint64_t n;

	if (mount_option_is(option, "mode"))
		return mount_option_number(option, 8, 07777777, &info->mode) ? 0 : -EINVAL;
	if (mount_option_is(option, "huge") || mount_option_is(option, "mpol"))
		return 0; /* hints about placement */
	if (!parse_size(option->value, option->value_len, ram, &n))
		return -EINVAL;
	if (mount_option_is(option, "size"))
		info->max_pages = PAGE_ALIGN(n) >> PAGE_SHIFT;
	else if (mount_option_is(option, "nr_blocks"))
		info->max_pages = n;
	else if (mount_option_is(option, "nr_inodes"))
		info->max_inodes = n;
	else if (mount_option_is(option, "uid"))
		info->uid = n < ID_NONE ? uid_from_user((uint32_t)n) : ID_NONE;
	else if (mount_option_is(option, "gid"))
		info->gid = n < ID_NONE ? gid_from_user((uint32_t)n) : ID_NONE;
	else
		return -EINVAL;
	return info->uid == ID_NONE || info->gid == ID_NONE ? -EINVAL : 0;
}

static int parse_option(struct tmpfs_sb *info, const struct mount_option *option, uint64_t ram)
{
	if (option->value)
		return parse_valued(info, option, ram);
	return mount_option_is_word(option, "inode64") || mount_option_is_word(option, "inode32") ||
		mount_option_is_word(option, "noswap") ? 0 : -EINVAL;
}

static int parse_options(struct tmpfs_sb *info, const char *data, uint64_t ram)
{
	const char *at = data;
	struct mount_option option;

	while (mount_option_next(&at, &option)) {
		int rc = parse_option(info, &option, ram);

		if (rc) {
			klog(LOG_INFO, "tmpfs: bad mount option in \"%s\"", data);
			return rc;
		}
	}
	return 0;
}

static bool is_one_of(const char *key, const char *const *words, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (!strcmp(key, words[i]))
			return true;
	}
	return false;
}

static int tmpfs_check_option(const char *key, const char *value)
{
	static const char *const alone[] = {"inode64", "inode32", "noswap"};
	static const char *const valued[] = {"size", "nr_blocks", "nr_inodes", "mode", "uid", "gid", "huge", "mpol"};
	const struct mount_option option = mount_option_of(key, value);
	struct tmpfs_sb scratch = {.mode = 0};

	if (is_one_of(key, alone, ARRAY_SIZE(alone)))
		return value ? -EINVAL : 0;
	if (!is_one_of(key, valued, ARRAY_SIZE(valued)))
		return -ENOENT;
	return value ? parse_valued(&scratch, &option, PAGE_SIZE) : -EINVAL;
}

/* All others are ignored, as Linux does. */
static int ramfs_check_option(const char *key, const char *value)
{
	return strcmp(key, "mode") ? 0 : tmpfs_check_option(key, value);
}

static int tmpfs_statfs(struct superblock *sb, struct statfs64_data *out)
{
	struct tmpfs_sb *info = sb->private;

	if (info->max_pages) {
		out->blocks = info->max_pages;
		out->bfree = info->max_pages > info->used_pages ? info->max_pages - info->used_pages : 0;
		out->bavail = out->bfree;
	}
	if (info->max_inodes) {
		out->files = info->max_inodes;
		out->ffree = info->max_inodes - info->used_inodes;
	}
	return 0;
}

static void tmpfs_show_options(struct superblock *sb, char *buf, size_t size)
{
	struct tmpfs_sb *info = sb->private;
	size_t used = 0;

	buf[0] = 0;
	if (info->max_pages)
		used += (size_t)snprintf(buf, size, ",size=%lluk", (unsigned long long)info->max_pages * 4);
	if (info->mode != 01777 && used < size)
		used += (size_t)snprintf(buf + used, size - used, ",mode=%o", info->mode);
	if (used < size)
		snprintf(buf + used, size - used, ",inode64");
}

/* A remount changes the limits only; there is none to add where there was none. */
static int tmpfs_reconfigure(struct superblock *sb, const char *data)
{
	struct tmpfs_sb *info = sb->private, changed = *info;
	struct mm_counters memory;
	int rc;

	mm_counters_read(&memory);
	rc = parse_options(&changed, data, memory.total);
	if (rc)
		return rc;
	if (changed.max_pages && changed.max_pages != info->max_pages && (!info->max_pages || changed.max_pages < info->used_pages))
		return -EINVAL;
	if (changed.max_inodes && changed.max_inodes != info->max_inodes &&
		(!info->max_inodes || changed.max_inodes < info->used_inodes))
		return -EINVAL;
	info->max_pages = changed.max_pages;
	info->max_inodes = changed.max_inodes;
	return 0;
}

static void tmpfs_sb_destroy(struct superblock *sb)
{
	kfree(sb->private);
}

static const struct superblock_ops tmpfs_super_ops = {
	.statfs = tmpfs_statfs,
	.show_options = tmpfs_show_options,
	.reconfigure = tmpfs_reconfigure,
	.destroy = tmpfs_sb_destroy,
};

static struct fs_type tmpfs_type;

static int make(const struct fs_type *type, uint64_t magic, const struct tmpfs_sb *options, struct superblock **out)
{
	struct tmpfs_sb *info = kmalloc(sizeof(*info));
	struct superblock *sb = superblock_create(type, &tmpfs_super_ops, magic);
	struct inode *root;

	if (!info || !sb) {
		kfree(info);
		if (sb)
			superblock_put(sb);
		return -ENOMEM;
	}
	*info = *options;
	STAILQ_INIT(&info->gone);
	sb->private = info;
	sb->cache_exclusive = true;
	if (tmpfs_inode_new(sb, NULL, S_IFDIR | (info->mode & 07777), &root)) {
		superblock_put(sb);
		return -ENOMEM;
	}
	root->uid = info->uid;
	root->gid = info->gid;
	sb->root = dentry_make_root(sb, root);
	if (!sb->root) {
		inode_put(root);
		superblock_put(sb);
		return -ENOMEM;
	}
	*out = sb;
	return 0;
}

static int tmpfs_mount(const struct fs_type *type, const struct mount_args *args, struct superblock **sb)
{
	struct tmpfs_sb options = {.mode = 01777};
	struct mm_counters memory;
	int rc;

	mm_counters_read(&memory);
	options.max_pages = memory.total / 2 >> PAGE_SHIFT;
	options.max_inodes = memory.total / 2 >> PAGE_SHIFT;
	if (current && current->cred) {
		options.uid = current->cred->fsuid;
		options.gid = current->cred->fsgid;
	}
	rc = parse_options(&options, args->data, memory.total);
	return rc ? rc : make(type, TMPFS_MAGIC, &options, sb);
}

int tmpfs_create_unlimited(struct superblock **sb)
{
	struct tmpfs_sb options = {.mode = 0755};

	return make(&tmpfs_type, TMPFS_MAGIC, &options, sb);
}

/* A tmpfs without limits. Options it does not know are ignored there: the root's mode is all it has. */
static int ramfs_mount(const struct fs_type *type, const struct mount_args *args, struct superblock **sb)
{
	struct tmpfs_sb options = {.mode = 0755}, parsed = options;

	if (!parse_options(&parsed, args->data, 0))
		options.mode = parsed.mode;
	options.uid = current->cred->fsuid;
	options.gid = current->cred->fsgid;
	return make(type, RAMFS_MAGIC, &options, sb);
}

static struct fs_type ramfs_type = {.name = "ramfs", .nodev = true, .in_user_ns = true, .check_option = ramfs_check_option,
	.mount = ramfs_mount};
static struct fs_type tmpfs_type = {.name = "tmpfs", .nodev = true, .in_user_ns = true, .check_option = tmpfs_check_option,
	.mount = tmpfs_mount};

void tmpfs_register(void)
{
	if (fs_find("tmpfs"))
		return;
	fs_register(&tmpfs_type);
	fs_register(&ramfs_type);
}
