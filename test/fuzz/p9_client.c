/*
 * Fuzz target: the sentry's 9P client against a hostile gofer. Each request is answered
 * from the input: a length byte, a choice byte, that many bytes of body, with the header
 * put right (that is rpc.c's short part and the unit tests'). The choice says what an
 * honest start looks like, so that the input gets past the mount.
 *
 * Run as: fuzz_p9_client -max_total_time=60 CORPUS-DIRECTORY
 */
#include <stdlib.h>

#include "kernel/files.h"
#include "kernel/sched.h"
#include "test/unit/fake_machine.h"
#include "vfs/calls.h"
#include "vfs/internal.h"
#include "vfs/p9/internal.h"

static const uint8_t *input;
static size_t input_left;
static struct machine fuzz_machine;
static const struct machine *plain;
static struct abi_boot fuzz_boot;

static int64_t fuzz_host_call(uint32_t op, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	switch (op) {
	case ABI_CALL_fd_pread:
	case ABI_CALL_fd_fill:
	case ABI_CALL_fd_pwrite:
		return (int64_t)(input_left & 1 ? a2 : a2 / 2);
	case ABI_CALL_fd_close:
	case ABI_CALL_fd_truncate:
		return 0;
	}
	return plain->host_call(op, a0, a1, a2, a3);
}

static size_t take_input(uint8_t *to, size_t max, uint8_t *choice)
{
	size_t n = 0;

	*choice = 0;
	if (input_left < 2)
		return 0;
	n = MIN((size_t)input[0] * 2, input_left - 2);
	*choice = input[1];
	n = MIN(n, max);
	memcpy(to, input + 2, n);
	input += 2 + n;
	input_left -= 2 + n;
	return n;
}

static void put_honest_attr(struct p9_writer *out, uint8_t choice)
{
	static const uint32_t modes[] = {S_IFDIR | 0755, S_IFREG | 0644, S_IFLNK | 0777, S_IFIFO | 0600};
	struct p9_attr attr = {.qid.path = choice >> 2, .mode = modes[choice & 3], .nlink = 1, .size = choice * 100u};

	p9_put_attr(out, &attr);
}

/* A reply: honest for the connection and, by choice, for walks; else the input's bytes. */
static int64_t reply_to(const uint8_t *request, uint8_t *reply, uint64_t *extra)
{
	uint8_t type = request[4], body[512], choice;
	struct p9_writer out;
	uint16_t tag;
	size_t n;

	memcpy(&tag, request + 5, 2);
	p9_writer_init(&out, reply, P9FS_MESSAGE_SIZE);
	p9_begin(&out, type + 1, tag);
	if (type == P9_tversion) {
		p9_put_rversion(&out, &(struct p9_rversion){P9FS_MESSAGE_SIZE, p9_str_from(P9_VERSION_RINGFENCE)});
		return p9_finish(&out);
	}
	n = take_input(body, sizeof(body), &choice);
	if (type == P9_tattachattr) {
		p9_put_u8(&out, choice & 1);
		put_honest_attr(&out, 0);
	} else if (type == P9_twalkgetattr && choice & 0x80) {
		p9_put_u32(&out, 0);
		p9_put_u16(&out, 1);
		put_honest_attr(&out, choice & 0x7f);
	} else if (type == P9_ropendonate - 1 && choice & 0x80) {
		p9_put_u8(&out, 1);
		put_honest_attr(&out, choice & 0x7f);
		*extra = choice & 0x40 ? 1 : 0;
		memcpy(out.at, &(uint32_t){3}, sizeof(uint32_t)); /* behind the reply */
	} else {
		p9_put_bytes(&out, body, n);
	}
	return p9_finish(&out);
}

static void fuzz_ring_notify(bool seen)
{
	struct abi_ring *ring = pa_to_va(fuzz_boot.ring_gpa);

	while (ring->sq_head != ring->sq_tail) {
		struct abi_sqe sqe = ring->sq[ring->sq_head++ % ABI_RING_ENTRIES];
		struct abi_cqe cqe = {.cookie = sqe.cookie};

		if (sqe.op == ABI_RING_event)
			continue;
		if (sqe.op == ABI_RING_p9)
			cqe.res = reply_to(pa_to_va(sqe.gpa), pa_to_va(sqe.gpa2), &cqe.extra);
		ring->cq[ring->cq_tail++ % ABI_RING_ENTRIES] = cqe;
	}
}

static void start(void)
{
	static struct cred cred = {.refs = 1000, .user_ns = &fake_user_ns, .cap_effective = ~0ull, .cap_permitted = ~0ull};

	fake_boot(64, 64);
	plain = machine;
	fuzz_machine = *machine;
	fuzz_machine.host_call = fuzz_host_call;
	fuzz_machine.ring_notify = fuzz_ring_notify;
	machine = &fuzz_machine;
	fake_task.cred = &cred;
	fake_ring(&fuzz_boot);
	dentry_cache_init();
	fs_types_init();
	p9fs_init();
	fake_task.files = fd_table_create();
}

struct quiet {
	struct dir_emitter base;
};

static bool take_name(struct dir_emitter *emitter, const char *name, unsigned len, uint64_t ino, unsigned type, uint64_t next)
{
	return true;
}

static void use_file(const char *name)
{
	struct quiet quiet = {.base.emit = take_name};
	char text[600] = "text";
	struct file *file;
	uint64_t pos = 0;

	/* Never waits: a fifo that the server invents would have no other end. */
	if (vfs_open(AT_FDCWD, name, O_RDWR | O_CREAT | O_NONBLOCK, 0644, 0, &file) &&
		vfs_open(AT_FDCWD, name, O_RDONLY | O_NONBLOCK, 0, 0, &file))
		return;
	if (file->ops->readdir)
		(void)file->ops->readdir(file, &quiet.base);
	if (file->ops->write_kernel && file->mode & FILE_WRITE)
		(void)file->ops->write_kernel(file, text, sizeof(text), &pos);
	(void)file_read_kernel(file, text, sizeof(text), 100);
	if (file->mode & FILE_WRITE)
		(void)vfs_ftruncate(file, 50);
	file_put(file);
}

static void use_tree(void)
{
	struct path path;
	char text[300];

	use_file("/");
	use_file("/a");
	use_file("/d/b");
	(void)vfs_mkdir(AT_FDCWD, "/m", 0755);
	(void)vfs_symlink("a", AT_FDCWD, "/l");
	(void)vfs_rename(AT_FDCWD, "/a", AT_FDCWD, "/m/x", 0);
	use_file("/l");
	if (path_lookup(AT_FDCWD, "/l", 0, &path) == 0) {
		(void)vfs_readlink(&path, text, sizeof(text));
		(void)vfs_getxattr(path.dentry->inode, "user.x", text, sizeof(text));
		(void)vfs_listxattr(path.dentry->inode, text, sizeof(text));
		(void)vfs_chmod(&path, 0600);
		path_put(&path);
	}
	(void)vfs_unlink(AT_FDCWD, "/m/x");
	(void)vfs_rmdir(AT_FDCWD, "/m");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* libFuzzer calls it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mount_args args = {.source = "/", .data = ""};
	struct fs_context fs = {.refs = 1};
	const struct fs_type *type;
	struct superblock *sb;
	struct mount *mount;

	if (!machine)
		start();
	if (!size)
		return 0;
	args.gofer = data[0] & 1;
	input = data + 1;
	input_left = size - 1;
	type = fs_find("9p");
	if (type->mount(type, &args, &sb))
		return 0;
	mount = mount_create(sb, sb->root, "/", 0);
	if (!mount || mount_attach(mount, NULL))
		abort();
	fs.root = fs.cwd = (struct path){mount, mount->root};
	path_get(&fs.root);
	path_get(&fs.cwd);
	fake_task.fs = &fs;
	use_tree();
	dentry_check();
	path_put(&fs.root);
	path_put(&fs.cwd);
	fake_task.fs = NULL;
	TAILQ_REMOVE(&all_mounts, mount, link);
	mount->attached = false;
	mount_put(mount);
	return 0;
}
