/*
 * Docker's daemon.json: our entry in its "runtimes", all else as it was, in the same order.
 * See engine_config.h and dockerd(8).
 *
 * From version 23 on Docker takes a shim of containerd's as a runtime; with ours it learns of kills for lack of memory inside. An
 * older one knows only commands that its own shim calls.
 */
#include <string.h>
#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

#include "cli/cli.h"
#include "cli/engine_config.h"
#include "cli/json.h"

#define SHIM "containerd-shim-ringfence-v1"
#define SHIM_TYPE "io.containerd.ringfence.v1"
#define SHIM_SINCE 23

/* The key and the value by which the daemon finds us. */
struct entry {
	const char *key, *value;
};

/* The daemon's version, before the first dot; 0: not to be learnt. */
static int daemon_version(void)
{
	FILE *output = popen("dockerd --version 2>/dev/null", "re");
	int version = 0;

	if (!output)
		return 0;
	if (fscanf(output, "Docker version %d.", &version) != 1)
		version = 0;
	pclose(output);
	return version;
}

static struct entry entry_of(const struct engine_runtime *runtime)
{
	const char *name = strrchr(runtime->command, '/');
	char shim[4200];

	snprintf(shim, sizeof(shim), "%.*s/" SHIM, (int)(name ? name - runtime->command : 0), runtime->command);
	if (!runtime->remove && access(shim, X_OK) == 0 && daemon_version() >= SHIM_SINCE)
		return (struct entry){"runtimeType", SHIM_TYPE};
	return (struct entry){"path", runtime->command};
}

static void put_text(yajl_gen gen, const char *text)
{
	yajl_gen_string(gen, (const unsigned char *)text, strlen(text));
}

static void put_value(yajl_gen gen, yajl_val value);

static void put_members(yajl_gen gen, yajl_val object, const char *but)
{
	for (size_t i = 0; object && i < object->u.object.len; i++) {
		if (but && strcmp(object->u.object.keys[i], but) == 0)
			continue;
		put_text(gen, object->u.object.keys[i]);
		put_value(gen, object->u.object.values[i]);
	}
}

static void put_value(yajl_gen gen, yajl_val value)
{
	if (YAJL_IS_STRING(value)) {
		put_text(gen, YAJL_GET_STRING(value));
	} else if (YAJL_IS_NUMBER(value)) {
		yajl_gen_number(gen, YAJL_GET_NUMBER(value), strlen(YAJL_GET_NUMBER(value)));
	} else if (YAJL_IS_OBJECT(value)) {
		yajl_gen_map_open(gen);
		put_members(gen, value, NULL);
		yajl_gen_map_close(gen);
	} else if (YAJL_IS_ARRAY(value)) {
		yajl_gen_array_open(gen);
		for (size_t i = 0; i < value->u.array.len; i++)
			put_value(gen, value->u.array.values[i]);
		yajl_gen_array_close(gen);
	} else if (YAJL_IS_NULL(value)) {
		yajl_gen_null(gen);
	} else {
		yajl_gen_bool(gen, YAJL_IS_TRUE(value));
	}
}

/* "runtimes" with our entry, or without. */
static void put_runtimes(yajl_gen gen, yajl_val runtimes, const struct engine_runtime *runtime, const struct entry *entry)
{
	size_t others = 0;

	for (size_t i = 0; runtimes && i < runtimes->u.object.len; i++)
		others += strcmp(runtimes->u.object.keys[i], runtime->name) != 0;
	if (runtime->remove && others == 0)
		return;
	put_text(gen, "runtimes");
	yajl_gen_map_open(gen);
	put_members(gen, runtimes, runtime->name);
	if (!runtime->remove) {
		put_text(gen, runtime->name);
		yajl_gen_map_open(gen);
		put_text(gen, entry->key);
		put_text(gen, entry->value);
		yajl_gen_map_close(gen);
	}
	yajl_gen_map_close(gen);
}

static char *generate(yajl_val root, yajl_val runtimes, const struct engine_runtime *runtime, const struct entry *entry)
{
	yajl_gen gen = yajl_gen_alloc(NULL);
	const unsigned char *text;
	char *copy = NULL;
	size_t length;

	if (!gen)
		return NULL;
	yajl_gen_config(gen, yajl_gen_beautify, 1);
	yajl_gen_config(gen, yajl_gen_indent_string, "    ");
	yajl_gen_map_open(gen);
	put_members(gen, root, "runtimes");
	put_runtimes(gen, runtimes, runtime, entry);
	yajl_gen_map_close(gen);
	if (yajl_gen_get_buf(gen, &text, &length) == yajl_gen_status_ok)
		copy = strndup((const char *)text, length);
	yajl_gen_free(gen);
	return copy;
}

static bool is_text(yajl_val value, const char *want)
{
	const char *text = value ? YAJL_GET_STRING(value) : NULL;

	return text && strcmp(text, want) == 0;
}

/* Is it there as we would write it? */
static bool is_there(yajl_val runtimes, const struct engine_runtime *runtime, const struct entry *entry)
{
	yajl_val ours = json_member(runtimes, runtime->name);

	if (runtime->remove)
		return !ours;
	return ours && YAJL_IS_OBJECT(ours) && ours->u.object.len == 1 && is_text(json_member(ours, entry->key), entry->value);
}

int engine_docker(struct engine_config *config, const struct engine_runtime *runtime)
{
	struct json json = {.file = config->path, .what = "daemon.json"};
	const struct entry entry = entry_of(runtime);
	yajl_val runtimes = NULL, chosen;

	if (config->text[strspn(config->text, " \t\r\n")] && json_parse(&json, config->path, json.what, config->text))
		return 1;
	if (json.root && json_object(&json, json.root, "runtimes", "runtimes", &runtimes))
		return 1;
	chosen = json.root ? json_member(json.root, "default-runtime") : NULL;
	if (runtime->remove && is_text(chosen, runtime->name))
		return json_error(&json, "default-runtime", "is %s: choose another first", runtime->name);
	config->wanted = is_there(runtimes, runtime, &entry) ? config->text : generate(json.root, runtimes, runtime, &entry);
	return config->wanted ? 0 : cli_error("out of memory");
}
