/* Small work on files: whole copies, pid files. Where not told otherwise: 0, or 1 after a message. */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include <stddef.h>
#include <sys/types.h>

/*
 * The whole text of a regular file of at most `max` bytes without a zero byte: malloc'ed; NULL with the reason in *why
 * and nothing said (an errno's text among others: errno is ENOENT if there is no file).
 */
char *file_read(const char *path, size_t max, const char **why);
/* Replaces `to` by a copy of the regular file `from`. */
int file_copy(const char *from, const char *to);
/* The decimal number without a newline, as runc writes it; readers never see a part of it. */
int file_write_pid(const char *path, pid_t pid);

#endif
