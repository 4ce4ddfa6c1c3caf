/*
 * Mapping the vDSO into a new program. kernel/vdso/vdso.c; kernel/exec.c calls it.
 */
#ifndef KERNEL_VDSO_VDSO_H
#define KERNEL_VDSO_VDSO_H

struct mm;
struct time_ns;

/*
 * The clock page and, above it, the code and the machine's own; sets mm->vdso. near: where that has to be, for a machine
 * that has code of its own, or 0: among the mappings. 0 or -ENOMEM.
 */
int vdso_map(struct mm *mm, uint64_t near);

/*
 * The clocks of a space whose task is in that time namespace now: of any but the first one the page tells nothing, and the
 * vDSO makes the call. Nothing to do where the program has unmapped it. 0 or -ENOMEM; may sleep.
 */
int vdso_follow_time(struct mm *mm, const struct time_ns *time);

/* vdso_image.S */
extern const char vdso_image_start[], vdso_image_end[];

#endif
