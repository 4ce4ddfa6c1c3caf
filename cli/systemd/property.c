/* Words as properties: see property.h. */
#include <math.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/systemd/property.h"

#define ANNOTATION "org.systemd.property."
#define NAME_LEAST 3u
#define NAME_MOST 60u
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static const char *why_no_name(const char *name)
{
	size_t length = strlen(name);

	if (length < NAME_LEAST || length > NAME_MOST)
		return "not a property's name: 3 to 60 letters are";
	return strspn(name, LETTERS) == length ? NULL : "not a property's name: it contains something else than letters";
}

static bool is_seconds(const char *name)
{
	size_t length = strlen(name);

	return length > 3 && strcmp(name + length - 3, "Sec") == 0 && g_ascii_islower(name[length - 4]);
}

/* Whole seconds of any type, 0 or more, in *seconds. False: none of these. */
static bool whole_seconds(GVariant *value, guint64 *seconds)
{
	g_autofree char *text = g_variant_print(value, FALSE);

	return strchr("ynqiuxt", g_variant_get_type_string(value)[0]) && g_variant_type_is_basic(g_variant_get_type(value)) &&
		(g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, seconds, NULL) ||
			(sscanf(text, "0x%" G_GINT64_MODIFIER "x", seconds) == 1));
}

/* A number of seconds as microseconds; NULL with *why set. */
static GVariant *microseconds(GVariant *value, const char **why)
{
	bool real = g_variant_is_of_type(value, G_VARIANT_TYPE_DOUBLE);
	double number = real ? g_variant_get_double(value) : 0;
	guint64 seconds = 0;

	*why = "not a number of seconds";
	if (real ? !(number >= 0) : !whole_seconds(value, &seconds))
		return NULL;
	*why = "too many seconds";
	if (real)
		return number * 1e6 < 18446744073709551615.0 ? g_variant_new_uint64((guint64)(number * 1e6)) : NULL;
	return seconds <= G_MAXUINT64 / 1000000 ? g_variant_new_uint64(seconds * 1000000) : NULL;
}

static int complain(const char *key, const char *text, const char *why)
{
	fprintf(stderr, "%s%.100s: %.100s: %s\n", g_str_has_prefix(key, ANNOTATION) ? "annotations: " : "", key, text, why);
	return 1;
}

/* One word. 0, or 1 after a line. */
static int add(GVariantBuilder *properties, const char *word)
{
	const char *equals = strchr(word, '='), *text = equals ? equals + 1 : "", *why;
	g_autofree char *key = g_strndup(word, equals ? (size_t)(equals - word) : strlen(word));
	bool annotation = g_str_has_prefix(key, ANNOTATION);
	const char *name = annotation ? key + strlen(ANNOTATION) : key;
	g_autoptr(GVariant) value = NULL, given = NULL;
	g_autofree char *on_bus = NULL;
	g_autoptr(GError) error = NULL;

	why = why_no_name(name);
	if (why)
		return complain(key, text, why);
	given = g_variant_parse(NULL, text, NULL, NULL, &error);
	if (!given)
		return complain(key, text, error->message);
	if (!annotation || !is_seconds(name)) {
		g_variant_builder_add(properties, "(sv)", name, given);
		return 0;
	}
	value = microseconds(given, &why);
	if (!value)
		return complain(key, text, why);
	g_variant_ref_sink(value);
	on_bus = g_strdup_printf("%.*sUSec", (int)strlen(name) - 3, name);
	g_variant_builder_add(properties, "(sv)", on_bus, value);
	return 0;
}

GVariant *properties_parse(char **words)
{
	GVariantBuilder properties;

	g_variant_builder_init(&properties, G_VARIANT_TYPE("a(sv)"));
	for (; *words; words++) {
		if (add(&properties, *words)) {
			g_variant_builder_clear(&properties);
			return NULL;
		}
	}
	return g_variant_builder_end(&properties);
}
