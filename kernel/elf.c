/*
 * ELF files: checking headers and mapping segments (elf(5), System V ABI ch. 5).
 *
 * Every field comes from a file that the container may have made up: sums are checked for
 * overflow, sizes for limits, and a bad value is an errno, never an assertion. Order of
 * use: elf_read(), elf_map(), elf_free().
 */
#include <linux/errno.h>
#include <linux/mman.h>

#include "kernel/elf.h"
#include "kernel/files.h"
#include "platform/abi/hosted.h"
#include "ring0/lib.h"

#define ELF_MAX_SEGMENTS (65536u / sizeof(struct elf64_phdr))
#define PATH_LIMIT 4096u

static bool header_ok(const struct elf64_hdr *header)
{
	return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_ident[EI_CLASS] == ELFCLASS64 &&
		(header->e_type == ET_EXEC || header->e_type == ET_DYN) && header->e_machine == EM_X86_64 &&
		header->e_phentsize == sizeof(struct elf64_phdr) && header->e_phnum >= 1 &&
		header->e_phnum <= ELF_MAX_SEGMENTS;
}

static int read_exact(struct file *file, void *to, uint64_t n, uint64_t offset)
{
	int64_t got;

	if (offset > INT64_MAX - n)
		return -ENOEXEC;
	got = file_read_kernel(file, to, n, offset);
	if (got < 0)
		return (int)got;
	return (uint64_t)got == n ? 0 : -EIO;
}

static int read_interpreter(struct elf_image *image, const struct elf64_phdr *segment)
{
	int rc;

	if (segment->p_filesz < 2 || segment->p_filesz > PATH_LIMIT)
		return -ENOEXEC;
	image->interpreter = kmalloc(segment->p_filesz);
	if (!image->interpreter)
		return -ENOMEM;
	rc = read_exact(image->file, image->interpreter, segment->p_filesz, segment->p_offset);
	if (rc < 0)
		return rc;
	return image->interpreter[segment->p_filesz - 1] == '\0' ? 0 : -ENOEXEC;
}

int elf_read(struct elf_image *image, struct file *file, const void *head, uint64_t head_len)
{
	uint64_t size;
	int rc;

	memset(image, 0, sizeof(*image));
	image->file = file;
	if (head_len < sizeof(image->header))
		return -ENOEXEC;
	memcpy(&image->header, head, sizeof(image->header));
	if (!header_ok(&image->header))
		return -ENOEXEC;
	size = image->header.e_phnum * sizeof(struct elf64_phdr);
	image->segments = kmalloc(size);
	if (!image->segments)
		return -ENOMEM;
	if (image->header.e_phoff <= head_len && size <= head_len - image->header.e_phoff) {
		memcpy(image->segments, (const char *)head + image->header.e_phoff, size);
	} else {
		/* As Linux: whatever keeps the table from being read, the file is not executable. */
		rc = read_exact(file, image->segments, size, image->header.e_phoff);
		if (rc < 0)
			return rc == -EIO ? -ENOEXEC : rc;
	}
	for (unsigned i = 0; i < image->header.e_phnum; i++) {
		const struct elf64_phdr *segment = &image->segments[i];

		if (segment->p_type == PT_GNU_STACK)
			image->exec_stack = segment->p_flags & PF_X;
		if (segment->p_type != PT_INTERP || image->interpreter)
			continue;
		rc = read_interpreter(image, segment);
		if (rc < 0)
			return rc;
	}
	return 0;
}

void elf_free(struct elf_image *image)
{
	kfree(image->segments);
	kfree(image->interpreter);
	image->segments = NULL;
	image->interpreter = NULL;
}

/* Lowest and highest page of all loaded segments, and the alignment they want. */
static int image_extent(const struct elf_image *image, uint64_t *low, uint64_t *high, uint64_t *align)
{
	*low = UINT64_MAX;
	*high = 0;
	*align = PAGE_SIZE;
	for (unsigned i = 0; i < image->header.e_phnum; i++) {
		const struct elf64_phdr *segment = &image->segments[i];

		if (segment->p_type != PT_LOAD)
			continue;
		if (segment->p_filesz > segment->p_memsz || segment->p_memsz > USER_TOP ||
			segment->p_vaddr > USER_TOP - segment->p_memsz)
			return -EINVAL;
		*low = MIN(*low, segment->p_vaddr & PAGE_MASK);
		*high = MAX(*high, PAGE_ALIGN(segment->p_vaddr + segment->p_memsz));
		if (segment->p_align > *align && (segment->p_align & (segment->p_align - 1)) == 0 &&
			segment->p_align <= 1ull << 30)
			*align = segment->p_align;
	}
	return *low < *high ? 0 : -ENOEXEC;
}

static unsigned segment_prot(const struct elf64_phdr *segment)
{
	return (segment->p_flags & PF_R ? PROT_READ : 0) | (segment->p_flags & PF_W ? PROT_WRITE : 0) |
		(segment->p_flags & PF_X ? PROT_EXEC : 0);
}

/* The rest of the last file page, which belongs to zero-initialised data. */
static int zero_tail(struct mm *mm, uint64_t from)
{
	struct page *page;
	int rc;

	if ((from & ~PAGE_MASK) == 0)
		return 0;
	rc = mm_get_user_page(mm, from, true, true, &page);
	if (rc < 0)
		return rc;
	memset((char *)page_address(page) + (from & ~PAGE_MASK), 0, PAGE_SIZE - (from & ~PAGE_MASK));
	page_put(page);
	return 0;
}

static int map_segment(struct elf_image *image, struct mm *mm, const struct elf64_phdr *segment)
{
	uint64_t start = image->bias + segment->p_vaddr, page = start & PAGE_MASK, in = start & ~PAGE_MASK;
	uint64_t file_end = start + segment->p_filesz, end = start + segment->p_memsz, bss;
	unsigned prot = segment_prot(segment), flags = MAP_PRIVATE | MAP_FIXED;
	int64_t at;
	int rc = 0;

	if (segment->p_offset < in)
		return -EINVAL;
	if (segment->p_filesz > 0) {
		struct vm_object *object = file_vm_object(image->file, &rc);

		if (!object)
			return rc;
		at = mm_mmap(mm, page, file_end - page, prot, flags, image->file, object, segment->p_offset - in);
		if (at < 0)
			return (int)at;
		if (end > file_end && segment->p_flags & PF_W) {
			rc = zero_tail(mm, file_end);
			if (rc < 0)
				return rc;
		}
	}
	bss = segment->p_filesz > 0 ? PAGE_ALIGN(file_end) : page;
	if (PAGE_ALIGN(end) > bss) {
		at = mm_mmap(mm, bss, PAGE_ALIGN(end) - bss, prot, flags | MAP_ANONYMOUS, NULL, NULL, 0);
		if (at < 0)
			return (int)at;
	}
	if (segment->p_flags & PF_X) {
		image->start_code = MIN(image->start_code, start);
		image->end_code = MAX(image->end_code, file_end);
	}
	image->start_data = MAX(image->start_data, start);
	image->end_data = MAX(image->end_data, file_end);
	image->end = MAX(image->end, end);
	return 0;
}

/* Where the image goes: sets bias. */
static int image_place(struct elf_image *image, struct mm *mm, uint64_t base)
{
	uint64_t low, high, align;
	int64_t at;
	int rc = image_extent(image, &low, &high, &align);

	if (rc < 0)
		return rc;
	if (image->header.e_type == ET_EXEC)
		return 0;
	if (base) {
		image->bias = (base & ~(align - 1)) - (low & ~(align - 1));
		return high - low <= USER_TOP - base ? 0 : -ENOMEM;
	}
	/* Room anywhere, with what alignment may cost; the reservation itself is given up again. */
	at = mm_mmap(mm, 0, high - low + align - PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		NULL, NULL, 0);
	if (at < 0)
		return (int)at;
	mm_munmap(mm, (uint64_t)at, high - low + align - PAGE_SIZE);
	image->bias = (((uint64_t)at + align - 1) & ~(align - 1)) - (low & ~(align - 1));
	return 0;
}

int elf_map(struct elf_image *image, struct mm *mm, uint64_t base)
{
	const struct elf64_hdr *header = &image->header;
	int rc = image_place(image, mm, base);

	if (rc < 0)
		return rc;
	image->start_code = UINT64_MAX;
	for (unsigned i = 0; i < header->e_phnum; i++) {
		const struct elf64_phdr *segment = &image->segments[i];

		if (segment->p_type == PT_LOAD && segment->p_memsz > 0) {
			rc = map_segment(image, mm, segment);
			if (rc < 0)
				return rc;
		}
		/* The program headers' own address: where the file's bytes at e_phoff were mapped. */
		if (segment->p_type == PT_LOAD && segment->p_offset <= header->e_phoff &&
			header->e_phoff - segment->p_offset < segment->p_filesz)
			image->phdr = image->bias + header->e_phoff - segment->p_offset + segment->p_vaddr;
	}
	image->entry = image->bias + header->e_entry;
	return 0;
}
