/* Bounded JSON reading: see json.h. */
#include <stdarg.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/files.h"
#include "cli/json.h"

#define FILE_MAX (8u << 20)
#define DEPTH_MAX 64

int json_error(const struct json *json, const char *property, const char *format, ...)
{
	char reason[600];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	return cli_error("%s: %s: %s%s%s", json->what, json->file, property, property[0] ? ": " : "", reason);
}

/* What yajl's tree does not bear: deep nesting (it frees by recursion), and \u0000, which would end a string. */
static int check_text(struct json *json, const char *text)
{
	bool string = false;
	int depth = 0;

	for (const char *c = text; *c; c++) {
		if (string && *c == '\\') {
			if (strncmp(c, "\\u0000", 6) == 0)
				return json_error(json, "", "a string with a zero character");
			if (c[1])
				c++;
		} else if (*c == '"') {
			string = !string;
		} else if (!string && (*c == '{' || *c == '[')) {
			if (++depth > DEPTH_MAX)
				return json_error(json, "", "nested too deeply");
		} else if (!string && (*c == '}' || *c == ']')) {
			depth--;
		}
	}
	return 0;
}

int json_read(struct json *json, const char *path)
{
	return json_read_as(json, path, "config.json");
}

int json_read_as(struct json *json, const char *path, const char *what)
{
	const char *why;
	AUTO_FREE char *text = file_read(path, FILE_MAX, &why);

	*json = (struct json){.file = path, .what = what};
	return text ? json_parse(json, path, what, text) : json_error(json, "", "%s", why);
}

int json_parse(struct json *json, const char *path, const char *what, const char *text)
{
	char message[512] = "";

	*json = (struct json){.file = path, .what = what};
	if (check_text(json, text))
		return 1;
	json->root = yajl_tree_parse(text, message, sizeof(message));
	if (!json->root) {
		message[strcspn(message, "\n")] = '\0';
		return json_error(json, "", "%s", message[0] ? message : "no JSON in it");
	}
	return YAJL_IS_OBJECT(json->root) ? 0 : json_error(json, "", "not a JSON object");
}

yajl_val json_member(yajl_val object, const char *key)
{
	if (!YAJL_IS_OBJECT(object))
		return NULL;
	for (size_t i = 0; i < object->u.object.len; i++) {
		if (strcmp(object->u.object.keys[i], key) == 0)
			return YAJL_IS_NULL(object->u.object.values[i]) ? NULL : object->u.object.values[i];
	}
	return NULL;
}

int json_object(const struct json *json, yajl_val parent, const char *key, const char *property, yajl_val *out)
{
	yajl_val value = json_member(parent, key);

	if (value && !YAJL_IS_OBJECT(value))
		return json_error(json, property, "not an object");
	*out = value;
	return 0;
}

int json_array(const struct json *json, yajl_val parent, const char *key, const char *property, yajl_val *out)
{
	yajl_val value = json_member(parent, key);

	if (value && !YAJL_IS_ARRAY(value))
		return json_error(json, property, "not an array");
	*out = value;
	return 0;
}

int json_string(const struct json *json, yajl_val parent, const char *key, const char *property, char **out)
{
	yajl_val value = json_member(parent, key);

	if (!value)
		return 0;
	if (!YAJL_IS_STRING(value))
		return json_error(json, property, "not a string");
	*out = container_copy(YAJL_GET_STRING(value));
	return 0;
}

int json_strings(const struct json *json, yajl_val parent, const char *key, const char *property,
	struct strings *out)
{
	yajl_val value;

	if (json_array(json, parent, key, property, &value))
		return 1;
	for (size_t i = 0; value && i < value->u.array.len; i++) {
		if (!YAJL_IS_STRING(value->u.array.values[i]))
			return json_error(json, property, "element %zu is not a string", i);
		strings_add(out, YAJL_GET_STRING(value->u.array.values[i]));
	}
	return 0;
}

int json_bool(const struct json *json, yajl_val parent, const char *key, const char *property, bool *out)
{
	yajl_val value = json_member(parent, key);

	if (!value)
		return 0;
	if (!YAJL_IS_TRUE(value) && !YAJL_IS_FALSE(value))
		return json_error(json, property, "not true or false");
	*out = YAJL_IS_TRUE(value);
	return 0;
}

int json_integer(const struct json *json, yajl_val parent, const char *key, const char *property, int64_t *out)
{
	yajl_val value = json_member(parent, key);

	if (!value)
		return 0;
	if (!YAJL_IS_INTEGER(value))
		return json_error(json, property, "not an integer");
	*out = YAJL_GET_INTEGER(value);
	return 0;
}

int json_u32(const struct json *json, yajl_val parent, const char *key, const char *property, uint32_t *out)
{
	int64_t value = *out;

	if (json_integer(json, parent, key, property, &value))
		return 1;
	if (value < 0 || value > UINT32_MAX)
		return json_error(json, property, "out of range");
	*out = (uint32_t)value;
	return 0;
}

bool json_present(yajl_val parent, const char *key)
{
	yajl_val value = json_member(parent, key);

	if (!value || YAJL_IS_FALSE(value))
		return false;
	if (YAJL_IS_STRING(value))
		return YAJL_GET_STRING(value)[0] != '\0';
	if (YAJL_IS_ARRAY(value))
		return value->u.array.len > 0;
	if (YAJL_IS_OBJECT(value))
		return value->u.object.len > 0;
	return true;
}
