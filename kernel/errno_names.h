/* Error numbers in words (kernel/errno.c). `error` is positive; the strings are static. */
#ifndef KERNEL_ERRNO_NAMES_H
#define KERNEL_ERRNO_NAMES_H

const char *errno_name(int error); /* "ENOENT"; also Linux's internal restart codes, for --strace */
const char *errno_text(int error); /* "No such file or directory" */

#endif
