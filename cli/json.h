/*
 * Reading JSON with yajl: whole files, bounded, and typed access to members whose errors
 * name the file and the property. Every getter returns 0 or 1 (after its message); an
 * absent or null member leaves *out as it was, unless the property is required.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <yajl/yajl_tree.h>

#include "cli/container.h"

struct json {
	const char *file; /* for messages */
	const char *what; /* likewise: what kind of file */
	yajl_val root;
};

/* A config.json; or a file of another kind, named in messages. */
int json_read(struct json *json, const char *path);
int json_read_as(struct json *json, const char *path, const char *what);
/* The same of a text that came from there. */
int json_parse(struct json *json, const char *path, const char *what, const char *text);
/* "config.json: FILE: PROPERTY: reason"; returns 1. */
int json_error(const struct json *json, const char *property, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

yajl_val json_member(yajl_val object, const char *key); /* NULL if absent or null */
int json_object(const struct json *json, yajl_val parent, const char *key, const char *property, yajl_val *out);
int json_array(const struct json *json, yajl_val parent, const char *key, const char *property, yajl_val *out);
int json_string(const struct json *json, yajl_val parent, const char *key, const char *property, char **out);
int json_strings(const struct json *json, yajl_val parent, const char *key, const char *property,
	struct strings *out);
int json_bool(const struct json *json, yajl_val parent, const char *key, const char *property, bool *out);
int json_integer(const struct json *json, yajl_val parent, const char *key, const char *property, int64_t *out);
int json_u32(const struct json *json, yajl_val parent, const char *key, const char *property, uint32_t *out);

/* Is there anything in it: not absent, null, "", [], {} or false. */
bool json_present(yajl_val parent, const char *key);

#endif
