/*
 * containerd's config.toml: a table for our runtime handler at the end of the file, between two marks of ours.
 *
 * TOML is not parsed: tables may stand in any order, so one more at the end changes nothing that is there. What could clash
 * with it is looked for line by line and refused: a table of that name, runtimes given in braces, strings over several lines
 * (whose text could look like anything). See engine_config.h and containerd-config.toml(5).
 */
#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/engine_config.h"

#define BEGIN "# ringfence: begin (made by ringfence install)\n"
#define END "# ringfence: end\n"

/* Where containerd's CRI plug-in keeps its runtimes, by the version of the file. */
static const char *plugin_of(int version)
{
	return version == 2 ? "plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes"
			    : "plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes";
}

static int refuse(const struct engine_config *config, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int refuse(const struct engine_config *config, int line, const char *format, ...)
{
	char reason[300];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	return cli_error("%s: line %d: %s", config->path, line, reason);
}

/* The line without blanks, quotes and its comment, so that two ways to write a key compare as one. */
static void simplify(char *to, size_t size, const char *line, size_t length)
{
	size_t n = 0;

	for (size_t i = 0; i < length && n + 1 < size && line[i] != '#'; i++) {
		if (!isspace((unsigned char)line[i]) && line[i] != '"' && line[i] != '\'')
			to[n++] = line[i];
	}
	to[n] = '\0';
}

/* Looks through `text` for what clashes; *version: of the file. 0, or 1 after a message. */
static int check(const struct engine_config *config, const char *text, const struct engine_runtime *runtime, int *version)
{
	char line[600], table[200];
	int number = 1;

	*version = 0;
	snprintf(table, sizeof(table), ".containerd.runtimes.%s]", runtime->name);
	for (const char *at = text; *at; number++) {
		size_t length = strcspn(at, "\n");
		simplify(line, sizeof(line), at, length);
		if (memmem(at, length, "\"\"\"", 3) || memmem(at, length, "'''", 3))
			return refuse(config, number, "a string over several lines: this file must be changed by hand");
		if (strncmp(line, "runtimes=", 9) == 0 || strstr(line, ".runtimes="))
			return refuse(config, number, "runtimes in braces: this file must be changed by hand");
		if (line[0] == '[' && strstr(line, table))
			return refuse(config, number, "a runtime %s that ringfence install did not make is there", runtime->name);
		if (sscanf(line, "version=%d", version) == 1 && *version != 2 && *version != 3)
			return refuse(config, number, "version %d of the file is not known: 2 and 3 are", *version);
		at += length + (at[length] == '\n');
	}
	if (*version || strspn(text, " \t\r\n") == strlen(text))
		return 0;
	return cli_error("%s: no version is given: 2 and 3 are known", config->path);
}

/* The text without what stands between the marks. NULL after a message. */
static char *without_ours(const struct engine_config *config)
{
	char *text = strdup(config->text), *begin = text ? strstr(text, BEGIN) : NULL, *end = begin ? strstr(begin, END) : NULL;

	if (!text)
		return cli_error("out of memory"), NULL;
	if (begin && !end)
		return cli_error("%s: the mark \"%.16s\" is there, its end is not", config->path, END), NULL;
	if (begin)
		memmove(begin, end + strlen(END), strlen(end + strlen(END)) + 1);
	return text;
}

int engine_containerd(struct engine_config *config, const struct engine_runtime *runtime)
{
	AUTO_FREE char *rest = without_ours(config);
	int version;

	if (!rest || check(config, rest, runtime, &version))
		return 1;
	size_t size = strlen(rest) + 1024 + 2 * strlen(runtime->name), length = strlen(rest);
	config->wanted = malloc(size);
	if (!config->wanted)
		return cli_error("out of memory");
	memcpy(config->wanted, rest, length + 1);
	if (runtime->remove)
		return 0;
	snprintf(config->wanted + length, size - length,
		"%s%s" BEGIN
		"[%s.%s]\n"
		"  runtime_type = \"io.containerd.ringfence.v1\"\n"
		"  privileged_without_host_devices = true\n"
		"  pod_annotations = [\"dev.ringfence.*\"]\n"
		"  container_annotations = [\"dev.ringfence.*\"]\n" END,
		length && rest[length - 1] != '\n' ? "\n" : "", version ? "" : "version = 2\n", plugin_of(version ? version : 2), runtime->name);
	return 0;
}
