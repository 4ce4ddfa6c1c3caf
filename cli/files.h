/* Small work on files: whole copies, pid files. Each says what went wrong: 0, or 1 after a message. */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include <sys/types.h>

/* Replaces `to` by a copy of the regular file `from`. */
int file_copy(const char *from, const char *to);
/* The decimal number without a newline, as runc writes it; readers never see a part of it. */
int file_write_pid(const char *path, pid_t pid);

#endif
