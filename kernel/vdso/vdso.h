/*
 * Mapping the vDSO into a new program. kernel/vdso/vdso.c; kernel/exec.c calls it.
 */
#ifndef KERNEL_VDSO_VDSO_H
#define KERNEL_VDSO_VDSO_H

struct mm;

/* The clock page and, above it, the code; sets mm->vdso. 0 or -ENOMEM. */
int vdso_map(struct mm *mm);

/* vdso_image.S */
extern const char vdso_image_start[], vdso_image_end[];

#endif
