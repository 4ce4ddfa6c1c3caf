/*
 * A recursive descent over one value: see gvariant.h. A type before a value ("uint64 5", "@as []") is what the value has to
 * be; without one a number is an int32, or a double if it has a point or an exponent.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/gvariant.h"

#define BLANKS " \t\n\r\f\v"
#define DIGITS "0123456789"

static const struct {
	const char *name;
	char type;
	int64_t low;
	uint64_t high; /* 0: no whole number */
} types[] = {
	{"boolean", 'b', 0, 0},
	{"byte", 'y', 0, UINT8_MAX},
	{"int16", 'n', INT16_MIN, INT16_MAX},
	{"uint16", 'q', 0, UINT16_MAX},
	{"int32", 'i', INT32_MIN, INT32_MAX},
	{"uint32", 'u', 0, UINT32_MAX},
	{"int64", 'x', INT64_MIN, INT64_MAX},
	{"uint64", 't', 0, UINT64_MAX},
	{"double", 'd', 0, 0},
	{"string", 's', 0, 0},
};

#define TYPES (sizeof(types) / sizeof(types[0]))

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, BLANKS);
}

static size_t find_type(char letter)
{
	size_t i = 0;

	while (i < TYPES && types[i].type != letter)
		i++;
	return i;
}

/* "@as" or "uint64" and the blanks after it; *type 0: there is none. False: a type that is not taken. */
static bool parse_type(const char **text, char *type, bool *list)
{
	const char *at = *text;
	size_t length;

	*type = 0;
	*list = false;
	if (*at == '@') {
		*list = at[1] == 'a';
		at += 1 + *list;
		if (!*at || find_type(*at) == TYPES)
			return false;
		*type = *at;
		*text = skip_blanks(at + 1);
		return true;
	}
	length = strspn(at, "abcdefghijklmnopqrstuvwxyz" DIGITS);
	for (size_t i = 0; i < TYPES; i++) {
		if (strlen(types[i].name) == length && memcmp(types[i].name, at, length) == 0) {
			*type = types[i].type;
			*text = skip_blanks(at + length);
		}
	}
	return true;
}

/* A character as UTF-8; 0 bytes: it is none. */
static size_t put_character(char *to, uint32_t c)
{
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	if (c < 0x80)
		return to[0] = (char)c, 1;
	size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	for (size_t i = more; i > 0; i--, c >>= 6)
		to[i] = (char)(0x80 | (c & 0x3f));
	to[0] = (char)("\xc0\xe0\xf0"[more - 1] | (int)c);
	return more + 1;
}

/* What follows a backslash; *used: bytes written. NULL: nothing known. */
static const char *parse_escape(const char *at, char *to, size_t *used)
{
	static const char letters[] = "abfnrtv", meant[] = "\a\b\f\n\r\t\v";
	const char *letter = *at ? strchr(letters, *at) : NULL;
	size_t digits = *at == 'u' ? 4 : *at == 'U' ? 8 : 0;
	char hex[9] = "";

	if (digits) {
		if (strspn(at + 1, DIGITS "abcdefABCDEF") < digits)
			return NULL;
		memcpy(hex, at + 1, digits);
		*used = put_character(to, (uint32_t)strtoul(hex, NULL, 16));
		return *used ? at + 1 + digits : NULL;
	}
	*to = letter ? meant[letter - letters] : *at;
	*used = 1;
	return *at ? at + 1 : NULL; /* any other character is itself */
}

static const char *parse_string(const char **text, struct strings *items)
{
	char quote = **text;
	const char *at = *text + 1;
	AUTO_FREE char *string = malloc(strlen(at) + 1); /* an escape is longer than what it means */
	size_t length = 0, used = 1;

	if (!string)
		return "out of memory";
	for (; *at && *at != quote; length += used) {
		used = 1;
		if (*at != '\\')
			string[length] = *at++;
		else if (!(at = parse_escape(at + 1, string + length, &used)))
			return "an unknown escape in a string";
	}
	if (!*at)
		return "a string without its end";
	string[length] = '\0';
	strings_add(items, string);
	*text = at + 1;
	return NULL;
}

static const char *parse_double(const char *token, struct strings *items)
{
	char *end, text[40];
	double number = strtod(token, &end);

	if (strspn(token, DIGITS "+-.eE") != strlen(token) || *end || !isfinite(number))
		return "not a number";
	snprintf(text, sizeof(text), "%.17g", number);
	strings_add(items, text);
	return NULL;
}

/* Decimal, or with 0x or 0 before it. */
static const char *parse_whole(const char *token, size_t type, struct strings *items)
{
	bool negative = token[0] == '-';
	const char *digits = token + (negative || token[0] == '+');
	char *end, text[24];
	uint64_t size;

	errno = 0;
	size = strtoull(digits, &end, 0);
	if (strspn(digits, DIGITS) == 0 || *end)
		return "not a number";
	if (errno || (negative ? size > 0 - (uint64_t)types[type].low : size > types[type].high))
		return "out of its type's range";
	snprintf(text, sizeof(text), "%s%" PRIu64, negative && size ? "-" : "", size);
	strings_add(items, text);
	return NULL;
}

static const char *parse_number(const char **text, char *type, struct strings *items)
{
	size_t length = strspn(*text, DIGITS "abcdefABCDEFxX+-.");
	char token[64] = "";
	bool hexadecimal;

	if (length == 0 || length >= sizeof(token))
		return "not a value";
	memcpy(token, *text, length);
	*text += length;
	hexadecimal = strpbrk(token, "xX") != NULL;
	if (!*type)
		*type = strchr(token, '.') || (!hexadecimal && strpbrk(token, "eE")) ? 'd' : 'i';
	if (*type == 'd')
		return parse_double(token, items);
	if (!types[find_type(*type)].high)
		return "a number where its type says something else";
	return parse_whole(token, find_type(*type), items);
}

static const char *parse_truth(const char **text, struct strings *items)
{
	size_t length = strspn(*text, "abcdefghijklmnopqrstuvwxyz");

	if (!(length == 4 && memcmp(*text, "true", 4) == 0) && !(length == 5 && memcmp(*text, "false", 5) == 0))
		return "not a value";
	strings_add(items, length == 4 ? "true" : "false");
	*text += length;
	return NULL;
}

/* One that is no list. *type: what it has to be, or 0, and then what it is. */
static const char *parse_item(const char **text, char *type, struct strings *items)
{
	char own, is;
	bool list;

	if (!parse_type(text, &own, &list) || list || **text == '[')
		return "a type that is not taken";
	if (own && *type && own != *type)
		return "values of several types";
	*type = own ? own : *type;
	is = **text == '\'' || **text == '"' ? 's' : strchr("tf", **text) && **text ? 'b' : 0;
	if (!is)
		return parse_number(text, type, items);
	if (*type && *type != is)
		return "not what its type says";
	*type = is;
	return is == 's' ? parse_string(text, items) : parse_truth(text, items);
}

static const char *parse_list(const char **text, struct gvariant *value)
{
	const char *wrong;

	*text = skip_blanks(*text + 1);
	if (**text == ']')
		return value->type ? (*text)++, NULL : "an empty list without its type (@as [])";
	for (;; *text = skip_blanks(*text + 1)) {
		wrong = parse_item(text, &value->type, &value->items);
		if (wrong)
			return wrong;
		*text = skip_blanks(*text);
		if (**text != ',')
			break;
	}
	if (**text != ']')
		return "a list without its end";
	(*text)++;
	return NULL;
}

const char *gvariant_parse(const char *text, struct gvariant *value)
{
	bool must_be_list;
	const char *wrong;

	*value = (struct gvariant){0};
	text = skip_blanks(text);
	if (!parse_type(&text, &value->type, &must_be_list))
		return "a type that is not taken";
	value->list = *text == '[';
	if (value->type && value->list != must_be_list)
		return "not what its type says";
	wrong = value->list ? parse_list(&text, value) : parse_item(&text, &value->type, &value->items);
	if (!wrong && *skip_blanks(text))
		wrong = "more than one value";
	return wrong;
}
