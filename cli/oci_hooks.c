/* config.json: hooks. Each has an absolute path; its environment is what is listed and nothing else. */
#include <string.h>

#include "cli/cli.h"
#include "cli/oci_parts.h"

static int load_hook(struct oci *oci, yajl_val v, const char *property, struct hook_list *list)
{
	struct hook hook = {0};

	if (!YAJL_IS_OBJECT(v))
		return json_error(&oci->json, property, "not an object");
	if (json_string(&oci->json, v, "path", property, &hook.path) ||
	    json_strings(&oci->json, v, "args", property, &hook.args) ||
	    json_strings(&oci->json, v, "env", property, &hook.env) ||
	    json_integer(&oci->json, v, "timeout", property, &hook.timeout))
		return 1;
	if (!hook.path || hook.path[0] != '/')
		return json_error(&oci->json, property, "path: not an absolute path");
	if (json_member(v, "timeout") && hook.timeout <= 0)
		return json_error(&oci->json, property, "timeout: not above zero");
	strings_end(&hook.args);
	strings_end(&hook.env);
	list->items = reallocarray(list->items, list->count + 1, sizeof(*list->items));
	if (!list->items)
		return cli_error("out of memory");
	list->items[list->count++] = hook;
	return 0;
}

int oci_load_hooks(struct oci *oci)
{
	static const char *const names[HOOK_KINDS] = {"prestart", "createRuntime", "createContainer", "startContainer",
		"poststart", "poststop"};
	yajl_val hooks, list;
	char property[64];

	if (json_object(&oci->json, oci->json.root, "hooks", "hooks", &hooks))
		return 1;
	for (unsigned kind = 0; hooks && kind < HOOK_KINDS; kind++) {
		snprintf(property, sizeof(property), "hooks.%s", names[kind]);
		if (json_array(&oci->json, hooks, names[kind], property, &list))
			return 1;
		for (size_t i = 0; list && i < list->u.array.len; i++) {
			snprintf(property, sizeof(property), "hooks.%s[%zu]", names[kind], i);
			if (load_hook(oci, list->u.array.values[i], property, &oci->container->hooks[kind]))
				return 1;
		}
	}
	return 0;
}
