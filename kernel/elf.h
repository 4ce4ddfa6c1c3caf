/*
 * Loading an ELF file into an address space that nobody runs in yet. kernel/exec.c calls it.
 */
#ifndef KERNEL_ELF_H
#define KERNEL_ELF_H

#include <linux/elf.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/mm.h"

struct elf_image {
	struct file *file; /* not owned */
	struct elf64_hdr header;
	struct elf64_phdr *segments; /* kmalloc'ed; header.e_phnum */
	uint64_t bias;               /* added to the file's addresses */
	uint64_t entry, phdr;        /* addresses in memory */
	uint64_t start_code, end_code, start_data, end_data, end; /* in memory; end: highest address of any segment */
	char *interpreter;           /* kmalloc'ed path, or NULL */
	bool exec_stack;
};

/* Read and check header and segments; `head` holds the file's first head_len bytes. 0; -ENOEXEC, -EIO, -ENOMEM. May sleep. */
int elf_read(struct elf_image *image, struct file *file, const void *head, uint64_t head_len);
/*
 * Map the segments. base: where a position-independent image should lie (its lowest
 * page), 0: anywhere. 0 or -errno; what was mapped until then stays. May sleep.
 */
int elf_map(struct elf_image *image, struct mm *mm, uint64_t base);
void elf_free(struct elf_image *image);

#endif
