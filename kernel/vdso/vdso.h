/*
 * Mapping the vDSO into a new program. kernel/vdso/vdso.c; kernel/exec.c calls it.
 */
#ifndef KERNEL_VDSO_VDSO_H
#define KERNEL_VDSO_VDSO_H

struct mm;

/*
 * The clock page and, above it, the code and the machine's own; sets mm->vdso. near: where that has to be, for a machine
 * that has code of its own, or 0: among the mappings. 0 or -ENOMEM.
 */
int vdso_map(struct mm *mm, uint64_t near);

/* vdso_image.S */
extern const char vdso_image_start[], vdso_image_end[];

#endif
