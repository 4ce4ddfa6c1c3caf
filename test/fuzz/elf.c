/*
 * Fuzz target: the loader of the container's programs (kernel/elf.c). The input is a file;
 * it is refused, or mapped and then touched at its entry and at each segment's edges. Nothing of
 * it may reach outside its address space, which must be whole (mm_check()) and give all
 * memory back.
 *
 * Run as: fuzz_elf -max_total_time=60 CORPUS-DIRECTORY
 */
#include <linux/fcntl.h>
#include <stdlib.h>

#include "kernel/elf.h"
#include "platform/abi/hosted.h"
#include "platform/abi/regs.h"
#include "test/unit/fake_machine.h"
#include "vfs/internal.h"
#include "vfs/tmpfs/tmpfs.h"

static const uint64_t bases[] = {0, 0x555555554000ull, USER_TOP - (1ull << 20)};

static struct file *program;

static void start(void)
{
	static struct cred cred = {.refs = 1000, .user_ns = &fake_user_ns, .cap_effective = ~0ull, .cap_permitted = ~0ull};
	static struct fs_context fs = {.refs = 1};
	struct mount_args args = {.source = "none", .data = ""};
	const struct fs_type *type;
	struct superblock *sb;
	struct mount *mount;

	fake_boot(64, 256);
	fake_task.cred = &cred;
	fake_task.fs = &fs;
	for (unsigned i = 0; i < RLIMIT_COUNT; i++)
		fake_process.rlimit[i] = (struct rlimit64_pair){UINT64_MAX, UINT64_MAX};
	dentry_cache_init();
	fs_types_init();
	tmpfs_register();
	fake_task.files = fd_table_create();
	type = fs_find("tmpfs");
	if (type->mount(type, &args, &sb))
		abort();
	mount = mount_create(sb, sb->root, "none", 0);
	if (!mount || mount_attach(mount, NULL))
		abort();
	fs.root = fs.cwd = (struct path){mount, mount->root};
	path_get(&fs.root);
	path_get(&fs.cwd);
	if (vfs_open(AT_FDCWD, "/program", O_CREAT | O_RDWR, 0755, 0, &program))
		abort();
}

static void fill_program(const uint8_t *data, size_t size)
{
	uint64_t pos = 0;

	if (vfs_ftruncate(program, 0) || program->ops->write_kernel(program, data, size, &pos) != (int64_t)size)
		abort();
}

static void touch(struct mm *mm, uint64_t address)
{
	static const unsigned how[] = {PF_USER, PF_USER | PF_WRITE, PF_USER | PF_FETCH};

	for (unsigned i = 0; i < sizeof(how) / sizeof(how[0]); i++)
		(void)mm_fault(mm, address, how[i]);
}

static void use_image(const struct elf_image *image, struct mm *mm)
{
	touch(mm, image->entry);
	touch(mm, image->phdr);
	for (unsigned i = 0; i < image->header.e_phnum && i < 16; i++) {
		uint64_t at = image->bias + image->segments[i].p_vaddr;

		touch(mm, at);
		touch(mm, at + image->segments[i].p_filesz);
		touch(mm, at + image->segments[i].p_memsz - 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* libFuzzer calls it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_image image = {.file = NULL};
	struct mm *mm;

	if (!program)
		start();
	if (size < 2 || size > 65536)
		return 0;
	fill_program(data + 1, size - 1);
	if (elf_read(&image, program, data + 1, size - 1 < 256 ? size - 1 : 256) == 0) {
		mm = mm_create();
		if (!mm)
			abort();
		fake_task.mm = mm;
		mm->mmap_base = 0x7ffff7000000ull;
		if (elf_map(&image, mm, bases[data[0] % 3]) == 0)
			use_image(&image, mm);
		mm_check(mm);
		mm_put(mm);
		fake_task.mm = NULL;
	}
	elf_free(&image);
	return 0;
}
