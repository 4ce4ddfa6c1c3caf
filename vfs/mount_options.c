/* The options of a mount: see mount_options.h. */
#include "ring0/lib.h"
#include "vfs/mount_options.h"

struct mount_option mount_option_of(const char *key, const char *value)
{
	return (struct mount_option){.key = key, .value = value, .key_len = strlen(key), .value_len = value ? strlen(value) : 0};
}

bool mount_option_next(const char **data, struct mount_option *option)
{
	const char *end, *equals = NULL;

	while (**data == ',')
		(*data)++;
	for (end = *data; *end && *end != ','; end++)
		if (*end == '=' && !equals)
			equals = end;
	if (end == *data)
		return false;
	*option = (struct mount_option){.key = *data, .key_len = (size_t)((equals ? equals : end) - *data)};
	if (equals) {
		option->value = equals + 1;
		option->value_len = (size_t)(end - option->value);
	}
	*data = end;
	return true;
}

static bool is(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && !memcmp(text, word, len);
}

bool mount_option_is(const struct mount_option *option, const char *key)
{
	return option->value && is(option->key, option->key_len, key);
}

bool mount_option_is_word(const struct mount_option *option, const char *word)
{
	return !option->value && is(option->key, option->key_len, word);
}

bool mount_option_says(const struct mount_option *option, const char *value)
{
	return option->value && is(option->value, option->value_len, value);
}

bool mount_option_number(const struct mount_option *option, unsigned base, uint32_t most, uint32_t *number)
{
	uint64_t n = 0;

	for (size_t i = 0; i < option->value_len; i++) {
		unsigned digit = (unsigned)(option->value[i] - '0');

		n = n * base + digit;
		if (digit >= base || n > most)
			return false;
	}
	*number = (uint32_t)n;
	return option->value_len > 0;
}
