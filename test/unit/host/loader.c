/*
 * platform/loader.c and platform/memory.c: a small image that is right, then the same one
 * broken in one way each. Every refusal must be -ENOEXEC and must not touch memory
 * outside the image.
 */
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform/vmm.h"

#define BASE 0xffffffff80000000ull
#define TEXT 0x1000u
#define DATA 0x3000u

struct image {
	Elf64_Ehdr header;
	Elf64_Phdr text, data, dynamic, note;
	uint8_t pad[TEXT - sizeof(Elf64_Ehdr) - 4 * sizeof(Elf64_Phdr)];
	uint8_t code[0x1000]; /* at TEXT */
	struct {              /* at DATA, file offset 0x2000 */
		uint64_t pointer;
		Elf64_Rela rela;
		Elf64_Dyn dyn[4];
		struct {
			Elf64_Nhdr head;
			char name[4];
			uint8_t id[20];
		} note;
	} words;
};

static struct vmm_memory memory;

static struct image good(void)
{
	struct image i = {0};

	memcpy(i.header.e_ident, ELFMAG, SELFMAG);
	i.header.e_ident[EI_CLASS] = ELFCLASS64;
	i.header.e_ident[EI_DATA] = ELFDATA2LSB;
	i.header.e_type = ET_DYN;
	i.header.e_machine = EM_X86_64;
	i.header.e_entry = TEXT + 16;
	i.header.e_phoff = offsetof(struct image, text);
	i.header.e_phentsize = sizeof(Elf64_Phdr);
	i.header.e_phnum = 4;
	i.text = (Elf64_Phdr){PT_LOAD, PF_R | PF_X, TEXT, TEXT, TEXT, 0x1000, 0x1000, 0x1000};
	i.data = (Elf64_Phdr){PT_LOAD, PF_R | PF_W, offsetof(struct image, words), DATA, DATA, sizeof(i.words), 0x2000,
		0x1000};
	i.dynamic = (Elf64_Phdr){PT_DYNAMIC, PF_R, 0, DATA + 32, 0, 0, sizeof(i.words.dyn), 8};
	i.note = (Elf64_Phdr){PT_NOTE, PF_R, 0, DATA + 96, 0, 0, sizeof(i.words.note), 4};
	i.code[16] = 0xc3;
	i.words.rela = (Elf64_Rela){DATA, ELF64_R_INFO(0, R_X86_64_RELATIVE), TEXT + 5};
	i.words.dyn[0] = (Elf64_Dyn){DT_RELA, {DATA + 8}};
	i.words.dyn[1] = (Elf64_Dyn){DT_RELASZ, {sizeof(Elf64_Rela)}};
	i.words.dyn[2] = (Elf64_Dyn){DT_RELAENT, {sizeof(Elf64_Rela)}};
	i.words.note.head = (Elf64_Nhdr){4, 20, NT_GNU_BUILD_ID};
	memcpy(i.words.note.name, "GNU", 4);
	memset(i.words.note.id, 0xab, 20);
	return i;
}

static int load(const struct image *image, size_t size, enum abi_machine machine, struct loaded_image *out)
{
	uint64_t used = 4096;
	int fd = memfd_create("image", 0), error;

	ck_assert_int_eq(write(fd, image, size), (ssize_t)size);
	error = loader_load(fd, &memory, machine, BASE, &used, out);
	close(fd);
	return error;
}

static void refused(const struct image *image, size_t size)
{
	struct loaded_image out;
	ck_assert_int_eq(load(image, size, ABI_MACHINE_GUEST, &out), -ENOEXEC);
}

START_TEST(guest_image_is_relocated)
{
	struct image image = good();
	struct loaded_image out;
	uint64_t pointer;

	ck_assert_int_eq(load(&image, sizeof(image), ABI_MACHINE_GUEST, &out), 0);
	ck_assert_uint_eq(out.entry, BASE + TEXT + 16);
	ck_assert_uint_eq(out.gpa % (2 << 20), 0);
	ck_assert_uint_eq(out.segment_count, 2);
	ck_assert_uint_eq(out.segments[0].prot, PROT_READ | PROT_EXEC);
	ck_assert_uint_eq(out.segments[1].prot, PROT_READ | PROT_WRITE);
	ck_assert_uint_eq(out.build_id[19], 0xab);
	memcpy(&pointer, vmm_gpa(&memory, GPA(out.gpa + DATA), 8), 8);
	ck_assert_uint_eq(pointer, BASE + TEXT + 5);
}
END_TEST

START_TEST(hosted_image_runs)
{
	struct image image = good();
	struct loaded_image out;

	ck_assert_int_eq(load(&image, sizeof(image), ABI_MACHINE_HOSTED, &out), 0);
	((void (*)(void))out.entry)();
	ck_assert_uint_eq(*(uint64_t *)(out.base + DATA), out.base + TEXT + 5);
}
END_TEST

START_TEST(hostile_images_are_refused)
{
	struct image i;

	i = good(), refused(&i, 10);
	i = good(), refused(&i, sizeof(Elf64_Ehdr) + 8);
	i = good(), refused(&i, TEXT + 100);
	i = good(), i.header.e_ident[0] = 0, refused(&i, sizeof(i));
	i = good(), i.header.e_ident[EI_CLASS] = ELFCLASS32, refused(&i, sizeof(i));
	i = good(), i.header.e_machine = EM_AARCH64, refused(&i, sizeof(i));
	i = good(), i.header.e_type = ET_EXEC, refused(&i, sizeof(i));
	i = good(), i.header.e_phnum = 0, refused(&i, sizeof(i));
	i = good(), i.header.e_phnum = 0xffff, refused(&i, sizeof(i));
	i = good(), i.header.e_phentsize = 1, refused(&i, sizeof(i));
	i = good(), i.header.e_entry = DATA, refused(&i, sizeof(i));
	i = good(), i.header.e_entry = ~0ull, refused(&i, sizeof(i));
	i = good(), i.text.p_flags |= PF_W, refused(&i, sizeof(i));
	i = good(), i.text.p_filesz = 0x2000, refused(&i, sizeof(i));
	i = good(), i.text.p_memsz = ~0ull, refused(&i, sizeof(i));
	i = good(), i.text.p_memsz = 1ull << 40, refused(&i, sizeof(i));
	i = good(), i.data.p_vaddr = TEXT + 8, refused(&i, sizeof(i));
	i = good(), i.data.p_vaddr = ~0ull - 100, refused(&i, sizeof(i));
}
END_TEST

START_TEST(hostile_relocations_are_refused)
{
	struct image i;

	i = good(), i.words.rela.r_offset = DATA + 0x2000, refused(&i, sizeof(i));
	i = good(), i.words.rela.r_offset = ~0ull - 3, refused(&i, sizeof(i));
	i = good(), i.words.rela.r_info = ELF64_R_INFO(1, R_X86_64_64), refused(&i, sizeof(i));
	i = good(), i.words.dyn[0].d_un.d_ptr = ~0ull - 8, refused(&i, sizeof(i));
	i = good(), i.words.dyn[1].d_un.d_val = 1ull << 62, refused(&i, sizeof(i));
	i = good(), i.words.dyn[2].d_un.d_val = 8, refused(&i, sizeof(i));
	i = good(), i.words.dyn[2].d_tag = DT_NEEDED, refused(&i, sizeof(i));
	i = good(), i.dynamic.p_vaddr = 1ull << 50, refused(&i, sizeof(i));
}
END_TEST

START_TEST(a_hostile_note_gives_no_id)
{
	struct image i = good();
	struct loaded_image out;

	i.words.note.head.n_namesz = 0xffffffff;
	ck_assert_int_eq(load(&i, sizeof(i), ABI_MACHINE_GUEST, &out), 0);
	ck_assert_uint_eq(out.build_id[0], 0);
}
END_TEST

START_TEST(an_address_outside_the_zones_has_no_pointer)
{
	uint64_t kernel = memory.kernel.base, user = memory.user.base, end = user + memory.user.size;

	ck_assert_ptr_nonnull(vmm_gpa(&memory, GPA(kernel), 1));
	ck_assert_ptr_nonnull(vmm_gpa(&memory, GPA(user), memory.user.size));
	ck_assert_ptr_null(vmm_gpa(&memory, GPA(0), 1));
	ck_assert_ptr_null(vmm_gpa(&memory, GPA(kernel - 1), 1));
	ck_assert_ptr_null(vmm_gpa(&memory, GPA(user - 1), 2)); /* across the zones */
	ck_assert_ptr_null(vmm_gpa(&memory, GPA(end), 1));
	ck_assert_ptr_null(vmm_gpa(&memory, GPA(end - 1), 2));
	ck_assert_ptr_null(vmm_gpa(&memory, GPA(~0ull), 2));
	ck_assert_ptr_null(vmm_gpa(&memory, GPA(kernel), ~0ull));
}
END_TEST

START_TEST(released_memory_reads_as_zero)
{
	uint8_t *kernel = vmm_gpa(&memory, GPA(memory.kernel.base), 8192);
	uint8_t *user = vmm_gpa(&memory, GPA(memory.user.base), 8192);

	kernel[4096] = user[4096] = 7;
	ck_assert_int_eq(vmm_memory_release(&memory, GPA(memory.kernel.base + 4096), 4096), 0);
	ck_assert_int_eq(vmm_memory_release(&memory, GPA(memory.user.base + 4096), 4096), 0);
	ck_assert_uint_eq(kernel[4096] + user[4096], 0);
	ck_assert_int_eq(vmm_memory_release(&memory, GPA(memory.user.base + 1), 4096), -EINVAL);
	ck_assert_int_eq(vmm_memory_release(&memory, GPA(memory.user.base), 0), -EINVAL);
	ck_assert_int_eq(vmm_memory_release(&memory, GPA(0), 4096), -EFAULT);
	ck_assert_int_eq(vmm_memory_release(&memory, GPA(memory.user.base), 1ull << 62), -EFAULT);
}
END_TEST

static void setup(void)
{
	ck_assert_int_eq(vmm_memory_init(&memory, ABI_MACHINE_HOSTED, 64 << 20), 0);
}

int main(void)
{
	Suite *suite = suite_create("loader");
	TCase *tests = tcase_create("loader");

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, guest_image_is_relocated);
	tcase_add_test(tests, hosted_image_runs);
	tcase_add_test(tests, hostile_images_are_refused);
	tcase_add_test(tests, hostile_relocations_are_refused);
	tcase_add_test(tests, a_hostile_note_gives_no_id);
	tcase_add_test(tests, an_address_outside_the_zones_has_no_pointer);
	tcase_add_test(tests, released_memory_reads_as_zero);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
