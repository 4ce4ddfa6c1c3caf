/*
 * Loads sentry.elf: a static position-independent ELF64 image whose only relocations
 * are R_X86_64_RELATIVE (System V gABI, chapter 5; psABI x86-64, section 4.4).
 *
 * Called once by vmm_init(). The file is ours, but it is read as if it were not: every
 * offset and size is checked against the file and the image before it is used, and any
 * oddity refuses the whole image with one line. Guest: the image goes to the head of the
 * kernel zone, relocated for the upper half. Hosted: as private mappings of the file,
 * relocated for where it landed, with each segment's own rights.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/internal.h"

#define PAGE 4096ull
#define LARGE (2ull << 20)
#define IMAGE_MAX (64ull << 20)
#define PHDRS_MAX 16u

struct elf_file {
	int fd;
	Elf64_Ehdr header;
	Elf64_Phdr segments[PHDRS_MAX];
	uint64_t size; /* of the image in memory, page aligned */
};

static int refuse(const char *why)
{
	vmm_log(VMM_LOG_ERROR, "boot: sentry.elf: %s", why);
	return -ENOEXEC;
}

static int read_exactly(int fd, void *to, uint64_t size, uint64_t offset)
{
	uint8_t *at = to;

	while (size > 0) {
		ssize_t n = pread(fd, at, size, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			vmm_log(VMM_LOG_ERROR, "boot: sentry.elf: read: %s", strerror(errno));
			return -errno;
		}
		if (n == 0)
			return refuse("truncated");
		at += n;
		size -= (uint64_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static int read_headers(struct elf_file *elf)
{
	Elf64_Ehdr *h = &elf->header;
	int error = read_exactly(elf->fd, h, sizeof(*h), 0);

	if (error)
		return error;
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 || h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_ident[EI_DATA] != ELFDATA2LSB)
		return refuse("not a 64-bit ELF file");
	if (h->e_machine != EM_X86_64 || h->e_type != ET_DYN)
		return refuse("not a position-independent x86-64 image");
	if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 || h->e_phnum > PHDRS_MAX)
		return refuse("bad program headers");
	return read_exactly(elf->fd, elf->segments, h->e_phnum * sizeof(Elf64_Phdr), h->e_phoff);
}

/* Loadable segments: ordered, on pages of their own, not writable and executable at once. */
static int check_segments(struct elf_file *elf, struct loaded_image *image)
{
	uint64_t end = 0;
	bool entry_ok = false;

	for (unsigned i = 0; i < elf->header.e_phnum; i++) {
		const Elf64_Phdr *p = &elf->segments[i];
		uint64_t top;
		if (p->p_type != PT_LOAD)
			continue;
		if (__builtin_add_overflow(p->p_vaddr, p->p_memsz, &top) || top > IMAGE_MAX || p->p_filesz > p->p_memsz)
			return refuse("bad segment size");
		if ((p->p_vaddr & ~(PAGE - 1)) < end)
			return refuse("segments overlap");
		if ((p->p_flags & PF_W) && (p->p_flags & PF_X))
			return refuse("a segment is writable and executable");
		if (image->segment_count == sizeof(image->segments) / sizeof(image->segments[0]))
			return refuse("too many segments");
		end = (top + PAGE - 1) & ~(PAGE - 1);
		uint64_t start = p->p_vaddr & ~(PAGE - 1);
		image->segments[image->segment_count].offset = start;
		image->segments[image->segment_count].size = end - start;
		image->segments[image->segment_count].prot = (uint32_t)(((p->p_flags & PF_R) ? PROT_READ : 0) |
			((p->p_flags & PF_W) ? PROT_WRITE : 0) | ((p->p_flags & PF_X) ? PROT_EXEC : 0));
		image->segment_count++;
		if ((p->p_flags & PF_X) && elf->header.e_entry >= p->p_vaddr && elf->header.e_entry < top)
			entry_ok = true;
	}
	if (!entry_ok)
		return refuse("the entry point is in no executable segment");
	elf->size = end;
	return 0;
}

/* Where `size` bytes at image offset `offset` lie, or NULL. */
static void *image_at(const struct elf_file *elf, uint8_t *bytes, uint64_t offset, uint64_t size)
{
	return offset <= elf->size && size <= elf->size - offset ? bytes + offset : NULL;
}

static int relocate(const struct elf_file *elf, uint8_t *bytes, uint64_t base)
{
	const Elf64_Dyn *dynamic = NULL;
	uint64_t count = 0, rela = 0, rela_size = 0, entry = sizeof(Elf64_Rela);

	for (unsigned i = 0; i < elf->header.e_phnum; i++) {
		if (elf->segments[i].p_type != PT_DYNAMIC)
			continue;
		count = elf->segments[i].p_memsz / sizeof(Elf64_Dyn);
		dynamic = image_at(elf, bytes, elf->segments[i].p_vaddr, elf->segments[i].p_memsz);
		if (!dynamic || elf->segments[i].p_vaddr % 8 != 0)
			return refuse("the dynamic section is outside the image");
	}
	for (uint64_t i = 0; dynamic && i < count && dynamic[i].d_tag != DT_NULL; i++) {
		if (dynamic[i].d_tag == DT_RELA)
			rela = dynamic[i].d_un.d_ptr;
		else if (dynamic[i].d_tag == DT_RELASZ)
			rela_size = dynamic[i].d_un.d_val;
		else if (dynamic[i].d_tag == DT_RELAENT)
			entry = dynamic[i].d_un.d_val;
		else if (dynamic[i].d_tag == DT_NEEDED || dynamic[i].d_tag == DT_RELR || dynamic[i].d_tag == DT_JMPREL)
			return refuse("needs a dynamic linker");
	}
	const uint8_t *table = image_at(elf, bytes, rela, rela_size);
	if (entry != sizeof(Elf64_Rela) || !table)
		return refuse("bad relocation table");
	for (uint64_t at = 0; at + sizeof(Elf64_Rela) <= rela_size; at += sizeof(Elf64_Rela)) {
		Elf64_Rela r;
		memcpy(&r, table + at, sizeof(r));
		void *target = image_at(elf, bytes, r.r_offset, sizeof(uint64_t));
		if (ELF64_R_TYPE(r.r_info) == R_X86_64_NONE)
			continue;
		if (ELF64_R_TYPE(r.r_info) != R_X86_64_RELATIVE || !target)
			return refuse("a relocation that is not relative or outside the image");
		uint64_t value = base + (uint64_t)r.r_addend;
		memcpy(target, &value, sizeof(value));
	}
	return 0;
}

static void find_build_id(const struct elf_file *elf, uint8_t *bytes, uint8_t id[20])
{
	for (unsigned i = 0; i < elf->header.e_phnum; i++) {
		const Elf64_Phdr *p = &elf->segments[i];
		const uint8_t *at = image_at(elf, bytes, p->p_vaddr, p->p_memsz);
		uint64_t left = p->p_memsz;
		while (p->p_type == PT_NOTE && at && left >= sizeof(Elf64_Nhdr)) {
			Elf64_Nhdr note;
			memcpy(&note, at, sizeof(note));
			uint64_t name = (note.n_namesz + 3ull) & ~3ull, desc = (note.n_descsz + 3ull) & ~3ull;
			uint64_t whole = sizeof(note) + name + desc;
			if (whole > left)
				break;
			if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
			    memcmp(at + sizeof(note), "GNU", 4) == 0 && note.n_descsz == 20)
				memcpy(id, at + sizeof(note) + name, 20);
			at += whole;
			left -= whole;
		}
	}
}

static int place(struct elf_file *elf, struct vmm_memory *memory, enum abi_machine machine, uint64_t *kernel_used,
	struct loaded_image *image, uint8_t **bytes)
{
	image->size = elf->size;
	if (machine == ABI_MACHINE_HOSTED) {
		void *at = mmap(NULL, elf->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (at == MAP_FAILED) {
			vmm_log(VMM_LOG_ERROR, "boot: sentry.elf: mmap of %llu bytes: %s",
				(unsigned long long)elf->size, strerror(errno));
			return -errno;
		}
		*bytes = at;
		image->base = (uint64_t)at;
		return 0;
	}
	uint64_t start = (*kernel_used + LARGE - 1) & ~(LARGE - 1);
	image->gpa = memory->kernel.base + start;
	*bytes = vmm_gpa(memory, GPA(image->gpa), elf->size);
	if (!*bytes)
		return refuse("larger than the kernel zone");
	*kernel_used = start + elf->size;
	return 0;
}

/*
 * Hosted, a segment is mapped where file and memory agree on the place in a page: what is not relocated stays the
 * page cache's, shared by all sandboxes. The file must not be written to then, as with any program that runs.
 */
static bool map_segment(const struct elf_file *elf, uint8_t *bytes, const Elf64_Phdr *p)
{
	uint64_t inside = p->p_vaddr % PAGE, end = p->p_vaddr + p->p_filesz, file_end;
	struct stat st;

	if (!p->p_filesz || p->p_offset % PAGE != inside || fstat(elf->fd, &st) < 0 ||
	    __builtin_add_overflow(p->p_offset, p->p_filesz, &file_end) || file_end > (uint64_t)st.st_size)
		return false;
	if (mmap(bytes + p->p_vaddr - inside, p->p_filesz + inside, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, elf->fd,
		    (off_t)(p->p_offset - inside)) == MAP_FAILED)
		return false;
	if (p->p_flags & PF_W)
		memset(bytes + end, 0, -end % PAGE);
	return true;
}

int loader_load(int fd, struct vmm_memory *memory, enum abi_machine machine, uint64_t base, uint64_t *kernel_used,
	struct loaded_image *image)
{
	struct elf_file elf = {.fd = fd};
	uint8_t *bytes = NULL;
	int error;

	memset(image, 0, sizeof(*image));
	image->base = base;
	if ((error = read_headers(&elf)) || (error = check_segments(&elf, image)) ||
	    (error = place(&elf, memory, machine, kernel_used, image, &bytes)))
		return error;
	for (unsigned i = 0; i < elf.header.e_phnum; i++) {
		const Elf64_Phdr *p = &elf.segments[i];
		if (p->p_type != PT_LOAD || (machine == ABI_MACHINE_HOSTED && map_segment(&elf, bytes, p)))
			continue;
		if ((error = read_exactly(fd, bytes + p->p_vaddr, p->p_filesz, p->p_offset)))
			return error;
	}
	error = relocate(&elf, bytes, image->base);
	if (error)
		return error;
	find_build_id(&elf, bytes, image->build_id);
	image->entry = image->base + elf.header.e_entry;
	for (unsigned i = 0; machine == ABI_MACHINE_HOSTED && i < image->segment_count; i++) {
		if (mprotect(bytes + image->segments[i].offset, image->segments[i].size,
			    (int)image->segments[i].prot) < 0) {
			vmm_log(VMM_LOG_ERROR, "boot: sentry.elf: mprotect: %s", strerror(errno));
			return -errno;
		}
	}
	return 0;
}
