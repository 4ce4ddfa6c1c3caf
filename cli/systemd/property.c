/* Words into D-Bus values: see property.h. */
#include <stdlib.h>
#include <string.h>

#include "cli/systemd/property.h"

#define VALUE_MAX 4096

struct word {
	char type, name[64];
	const char *value;
};

static bool split(const char *text, struct word *word)
{
	const char *equals = strchr(text, '=');
	size_t length = equals ? (size_t)(equals - text) : 0;

	if (length < 3 || text[1] != ':' || length - 2 >= sizeof(word->name))
		return false;
	word->type = text[0];
	memcpy(word->name, text + 2, length - 2);
	word->name[length - 2] = '\0';
	word->value = equals + 1;
	return true;
}

static bool append_basic(DBusMessageIter *entry, int type, const void *value)
{
	const char signature[] = {(char)type, '\0'};
	DBusMessageIter variant;

	return dbus_message_iter_open_container(entry, DBUS_TYPE_VARIANT, signature, &variant) &&
		dbus_message_iter_append_basic(&variant, type, value) && dbus_message_iter_close_container(entry, &variant);
}

/* An array of one element size, already in memory. */
static bool append_fixed(DBusMessageIter *entry, const char *signature, int type, const void *values, int count)
{
	DBusMessageIter variant, array;

	return dbus_message_iter_open_container(entry, DBUS_TYPE_VARIANT, signature, &variant) &&
		dbus_message_iter_open_container(&variant, DBUS_TYPE_ARRAY, signature + 1, &array) &&
		dbus_message_iter_append_fixed_array(&array, type, &values, count) &&
		dbus_message_iter_close_container(&variant, &array) && dbus_message_iter_close_container(entry, &variant);
}

static bool append_bytes(DBusMessageIter *entry, const char *text)
{
	unsigned char bytes[VALUE_MAX / 2];
	size_t length = strlen(text) / 2;

	if (strlen(text) % 2 || length > sizeof(bytes))
		return false;
	for (size_t i = 0; i < length; i++) {
		char digits[3] = {text[2 * i], text[2 * i + 1], '\0'}, *end;
		bytes[i] = (unsigned char)strtoul(digits, &end, 16);
		if (*end)
			return false;
	}
	return append_fixed(entry, "ay", DBUS_TYPE_BYTE, bytes, (int)length);
}

static bool append_device(DBusMessageIter *list, const char *value)
{
	char path[VALUE_MAX];
	const char *space = strrchr(value, ' '), *start = path, *access = space + 1;
	DBusMessageIter pair;

	if (!space || (size_t)(space - value) >= sizeof(path))
		return false;
	memcpy(path, value, (size_t)(space - value));
	path[space - value] = '\0';
	return dbus_message_iter_open_container(list, DBUS_TYPE_STRUCT, NULL, &pair) &&
		dbus_message_iter_append_basic(&pair, DBUS_TYPE_STRING, &start) &&
		dbus_message_iter_append_basic(&pair, DBUS_TYPE_STRING, &access) &&
		dbus_message_iter_close_container(list, &pair);
}

/* The word and those of the same name after it: how many; 0: wrong. */
static unsigned append_devices(DBusMessageIter *entry, char **words)
{
	DBusMessageIter variant, list;
	struct word first, word;
	unsigned count = 0;

	if (!split(words[0], &first) || !dbus_message_iter_open_container(entry, DBUS_TYPE_VARIANT, "a(ss)", &variant) ||
	    !dbus_message_iter_open_container(&variant, DBUS_TYPE_ARRAY, "(ss)", &list))
		return 0;
	for (; words[count] && split(words[count], &word) && strcmp(word.name, first.name) == 0; count++) {
		if (!append_device(&list, word.value))
			return 0;
	}
	return dbus_message_iter_close_container(&variant, &list) && dbus_message_iter_close_container(entry, &variant) ? count : 0;
}

static bool append_item(DBusMessageIter *to, char type, const char *text)
{
	/* The low bytes come first: each of D-Bus's whole numbers is read from `number`. */
	union {
		dbus_uint64_t number;
		double real;
		const char *string;
	} value = {0};

	if (type == 's' && !dbus_validate_utf8(text, NULL))
		return false;
	if (type == 's')
		value.string = text;
	else if (type == 'd')
		value.real = strtod(text, NULL);
	else if (type == 'b')
		value.number = strcmp(text, "true") == 0;
	else
		value.number = text[0] == '-' ? (dbus_uint64_t)strtoll(text, NULL, 10) : strtoull(text, NULL, 10);
	return dbus_message_iter_append_basic(to, type, &value);
}

/* Of type v: see property.h. How many words it took; 0: wrong. */
static unsigned append_any(DBusMessageIter *entry, const char *signature, char **words)
{
	bool list = signature[0] == 'a';
	char type = signature[list], text[3] = {signature[0], list ? type : '\0', '\0'};
	unsigned count = 0, wanted;
	DBusMessageIter variant, array;

	if (!type || !strchr("bynqiuxtds", type) || signature[list + 1] != ' ')
		return 0;
	wanted = (unsigned)strtoul(signature + list + 2, NULL, 10);
	if ((!list && wanted != 1) || !dbus_message_iter_open_container(entry, DBUS_TYPE_VARIANT, text, &variant) ||
	    (list && !dbus_message_iter_open_container(&variant, DBUS_TYPE_ARRAY, text + 1, &array)))
		return 0;
	for (; count < wanted && words[1 + count]; count++) {
		if (!append_item(list ? &array : &variant, type, words[1 + count]))
			return 0;
	}
	if (count < wanted || (list && !dbus_message_iter_close_container(&variant, &array)))
		return 0;
	return dbus_message_iter_close_container(entry, &variant) ? 1 + count : 0;
}

/* How many words it took; 0: wrong. */
static unsigned append_value(DBusMessageIter *entry, const struct word *word, char **words)
{
	dbus_uint64_t number = strtoull(word->value, NULL, 10);
	dbus_uint32_t pid = (dbus_uint32_t)number;
	dbus_bool_t truth = strcmp(word->value, "true") == 0;

	switch (word->type) {
	case 's':
		return append_basic(entry, DBUS_TYPE_STRING, &word->value);
	case 'b':
		return append_basic(entry, DBUS_TYPE_BOOLEAN, &truth);
	case 't':
		return append_basic(entry, DBUS_TYPE_UINT64, &number);
	case 'u':
		return append_fixed(entry, "au", DBUS_TYPE_UINT32, &pid, 1);
	case 'y':
		return append_bytes(entry, word->value);
	case 'd':
		return append_devices(entry, words);
	case 'v':
		return append_any(entry, word->value, words);
	}
	return 0;
}

bool properties_append(DBusMessageIter *to, char **words)
{
	DBusMessageIter array, entry;
	struct word word;

	if (!dbus_message_iter_open_container(to, DBUS_TYPE_ARRAY, "(sv)", &array))
		return false;
	while (*words) {
		const char *name = word.name;
		if (!split(*words, &word) || !dbus_message_iter_open_container(&array, DBUS_TYPE_STRUCT, NULL, &entry) ||
		    !dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &name))
			return false;
		unsigned taken = append_value(&entry, &word, words);
		if (!taken || !dbus_message_iter_close_container(&array, &entry))
			return false;
		words += taken;
	}
	return dbus_message_iter_close_container(to, &array);
}
