/* Annotations as properties of a scope: see scope_properties.h. */
#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/gvariant.h"
#include "cli/scope_properties.h"

#define NAME_MAX_LENGTH 60u
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

struct property {
	char name[NAME_MAX_LENGTH + 2];
	struct gvariant value;
};

/* What systemd documents as ...Sec is ...USec on the bus, and a number of microseconds. */
static bool is_seconds(const char *name)
{
	size_t length = strlen(name);

	return length > 3 && strcmp(name + length - 3, "Sec") == 0 && name[length - 4] >= 'a' && name[length - 4] <= 'z';
}

static const char *convert_seconds(struct property *p)
{
	struct gvariant *v = &p->value;
	uint64_t microseconds = 0;
	char text[24];

	if (v->list || !strchr("ynqiuxtd", v->type) || v->items.items[0][0] == '-')
		return "not a number of seconds";
	if (v->type == 'd') {
		double given = strtod(v->items.items[0], NULL) * 1e6;
		if (given >= 18446744073709551615.0)
			return "too many seconds";
		microseconds = (uint64_t)given;
	} else if (__builtin_mul_overflow(strtoull(v->items.items[0], NULL, 10), 1000000u, &microseconds)) {
		return "too many seconds";
	}
	strings_free(&v->items);
	snprintf(text, sizeof(text), "%" PRIu64, microseconds);
	strings_add(&v->items, text);
	v->type = 't';
	strcpy(p->name + strlen(p->name) - 3, "USec");
	return NULL;
}

/* NULL, or why not. */
static const char *read_property(const char *name, const char *text, struct property *p)
{
	const char *wrong;

	*p = (struct property){0};
	if (strlen(name) < 3 || strlen(name) > NAME_MAX_LENGTH)
		return "not a property's name: 3 to 60 letters are";
	if (strspn(name, LETTERS) != strlen(name))
		return "not a property's name: it contains something else than letters";
	strcpy(p->name, name);
	wrong = gvariant_parse(text, &p->value);
	return !wrong && is_seconds(name) ? convert_seconds(p) : wrong;
}

static const char *property_of(const char *key)
{
	size_t length = strlen(SCOPE_PROPERTY_PREFIX);

	return strncmp(key, SCOPE_PROPERTY_PREFIX, length) == 0 ? key + length : NULL;
}

int scope_properties_check(const struct json *json, const struct strings *annotations)
{
	struct property p;

	for (size_t i = 0; i + 1 < annotations->count; i += 2) {
		const char *name = property_of(annotations->items[i]), *wrong;
		char property[160];

		if (!name)
			continue;
		wrong = read_property(name, annotations->items[i + 1], &p);
		strings_free(&p.value.items);
		snprintf(property, sizeof(property), "annotations: %.100s", annotations->items[i]);
		if (wrong)
			return json_error(json, property, "%.100s: %s", annotations->items[i + 1], wrong);
	}
	return 0;
}

void scope_properties_add(struct strings *words, const struct strings *annotations)
{
	struct property p;
	char head[NAME_MAX_LENGTH + 40];

	for (size_t i = 0; i + 1 < annotations->count; i += 2) {
		const char *name = property_of(annotations->items[i]);

		if (!name || read_property(name, annotations->items[i + 1], &p))
			continue;
		snprintf(head, sizeof(head), "v:%s=%s%c %zu", p.name, p.value.list ? "a" : "", p.value.type, p.value.items.count);
		strings_add(words, head);
		for (size_t k = 0; k < p.value.items.count; k++)
			strings_add(words, p.value.items.items[k]);
		strings_free(&p.value.items);
	}
}
