/*
 * The bytes of vdso.so, which ring0/CMakeLists.txt builds from vdso_user.c.
 */
	.section .rodata
	.balign 16
	.globl vdso_image_start
	.hidden vdso_image_start
vdso_image_start:
	.incbin RF_VDSO_PATH
	.globl vdso_image_end
	.hidden vdso_image_end
vdso_image_end:
	.section .note.GNU-stack, "", @progbits
