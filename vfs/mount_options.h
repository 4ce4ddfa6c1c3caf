/*
 * The options of a mount as mount(2) has them: "key=value,word,…". A file system goes through them with
 * mount_option_next() and answers -EINVAL to what it does not know; nothing is kept, so a text must outlive its use.
 */
#ifndef VFS_MOUNT_OPTIONS_H
#define VFS_MOUNT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mount_option {
	const char *key, *value; /* not zero-terminated; value NULL: a word alone */
	size_t key_len, value_len;
};

/* A single one, as fsconfig(2) has it. */
struct mount_option mount_option_of(const char *key, const char *value);
/* The next one of *data, which moves on. Empty ones are left out. False: there are no more. */
bool mount_option_next(const char **data, struct mount_option *option);
bool mount_option_is(const struct mount_option *option, const char *key); /* "key=…" */
bool mount_option_is_word(const struct mount_option *option, const char *word);
bool mount_option_says(const struct mount_option *option, const char *value);
/* Digits of `base` (8 or 10), up to `most`. False: something else. */
bool mount_option_number(const struct mount_option *option, unsigned base, uint32_t most, uint32_t *number);

#endif
