/*
 * Merged listings. An open directory keeps the list it made when it was read from the
 * start; positions are indices into it. Lower directories are read through a file opened
 * on them; upper ones in memory.
 */
#include <linux/fcntl.h>

#include "vfs/overlay/internal.h"

struct entry {
	uint64_t ino;
	char *name;
	uint8_t len, type;
};

struct list {
	struct dir_emitter emitter; /* for the lower directory */
	struct overlay_inode *dir;
	struct file *lower_file;
	struct entry *entries;
	unsigned count, room;
	int error;
};

static int list_add(struct list *list, const char *name, unsigned len, uint64_t ino, unsigned type)
{
	struct entry *e;

	if (list->count == list->room) {
		unsigned room = list->room ? list->room * 2 : 32;
		struct entry *grown = krealloc(list->entries, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		list->entries = grown;
		list->room = room;
	}
	e = &list->entries[list->count];
	e->name = kmalloc(len + 1);
	if (!e->name)
		return -ENOMEM;
	memcpy(e->name, name, len);
	e->name[len] = 0;
	e->len = (uint8_t)len;
	e->ino = ino;
	e->type = (uint8_t)type;
	list->count++;
	return 0;
}

static void list_clear(struct list *list)
{
	for (unsigned i = 0; i < list->count; i++)
		kfree(list->entries[i].name);
	kfree(list->entries);
	list->entries = NULL;
	list->count = list->room = 0;
	list->error = 0;
}

static int add_upper(void *arg, const char *name, unsigned len, struct inode *inode)
{
	struct list *list = arg;

	if (tmpfs_is_whiteout(inode))
		return 0;
	list->error = list_add(list, name, len, overlay_upper_ino(inode), (inode->mode & S_IFMT) >> 12);
	return list->error;
}

static bool is_dots(const char *name, unsigned len)
{
	return name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
}

static bool add_lower(struct dir_emitter *emitter, const char *name, unsigned len, uint64_t ino, unsigned type, uint64_t next)
{
	struct list *list = container_of(emitter, struct list, emitter);

	list->lower_file->pos = next;
	if (is_dots(name, len) || (list->dir->upper && tmpfs_find(list->dir->upper, name, len)))
		return true;
	list->error = list_add(list, name, len, ino, type);
	return !list->error;
}

static int read_lower(struct list *list)
{
	struct path path = {overlay_sb_of(&list->dir->inode)->lower_mount, list->dir->lower};
	struct file *file;
	uint64_t before;
	int rc = vfs_open_trusted(&path, O_RDONLY | O_DIRECTORY | O_LARGEFILE, &file);

	if (rc)
		return rc;
	list->lower_file = file;
	list->emitter.emit = add_lower;
	do { /* a file system may give it in parts */
		before = file->pos;
		rc = file->ops->readdir ? file->ops->readdir(file, &list->emitter) : -ENOTDIR;
	} while (!rc && !list->error && file->pos != before);
	file_put(file);
	return rc ? rc : list->error;
}

/* A merged subdirectory shows the lower one's number, as stat(2) does. */
static int build(struct list *list)
{
	int rc = 0;

	list_clear(list);
	if (list->dir->lower)
		rc = read_lower(list);
	if (!rc && list->dir->upper) {
		tmpfs_each(list->dir->upper, add_upper, list);
		rc = list->error;
	}
	return rc;
}

int overlay_dir_is_empty(struct overlay_inode *dir)
{
	struct list *list = kzalloc(sizeof(*list));
	int rc;

	if (!list)
		return -ENOMEM;
	list->dir = dir;
	rc = build(list);
	if (!rc)
		rc = list->count == 0;
	list_clear(list);
	kfree(list);
	return rc;
}

static int overlay_readdir(struct file *file, struct dir_emitter *emitter)
{
	struct list *list = file->private;

	if (!list || file->pos == 0) {
		int rc;

		if (!list)
			list = kzalloc(sizeof(*list));
		if (!list)
			return -ENOMEM;
		file->private = list;
		list->dir = overlay_of(file->inode);
		rc = build(list);
		if (rc) {
			list_clear(list);
			return rc;
		}
	}
	if (!dir_emit_dots(file, emitter))
		return 0;
	while (file->pos - 2 < list->count) {
		const struct entry *e = &list->entries[file->pos - 2];
		uint64_t next = file->pos + 1;

		if (!emitter->emit(emitter, e->name, e->len, e->ino, e->type, next))
			return 0;
		file->pos = next;
	}
	return 0;
}

static void overlay_dir_release(struct file *file)
{
	struct list *list = file->private;

	if (!list)
		return;
	list_clear(list);
	kfree(list);
}

static int64_t overlay_dir_seek(struct file *file, int64_t offset, int whence)
{
	return file_seek_generic(file, offset, whence, 0x7fffffffffffffffull);
}

const struct file_ops overlay_dir_ops = {
	.readdir = overlay_readdir,
	.seek = overlay_dir_seek,
	.release = overlay_dir_release,
};
