/*
 * config.json: linux.resources.blockIO and hugepageLimits, for the host's control group (cgroup_block_io.c). leafWeight is refused: no
 * kernel since 5.0 has it.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/oci_parts.h"

static void add(struct strings *list, const char *name, const char *text)
{
	strings_add(list, name);
	strings_add(list, text);
}

/* One of a list of devices. `value`: the member beside its numbers, rate or weight. */
static int load_device(struct oci *oci, yajl_val item, const char *name, const char *property, const char *value)
{
	static const char *const refused[] = {"leafWeight", NULL};
	int64_t major = -1, minor = -1, number = 0;
	char text[80];

	if (!YAJL_IS_OBJECT(item))
		return json_error(&oci->json, property, "not an object");
	if (json_integer(&oci->json, item, "major", property, &major) || json_integer(&oci->json, item, "minor", property, &minor) ||
	    json_integer(&oci->json, item, value, property, &number) || oci_refuse(oci, item, refused, "linux.resources.blockIO.weightDevice."))
		return 1;
	if (major < 0 || minor < 0)
		return json_error(&oci->json, property, "no device: %" PRId64 ":%" PRId64, major, minor);
	if (number < 0)
		return json_error(&oci->json, property, "%s: negative", value);
	snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %" PRId64, major, minor, number);
	add(&oci->container->limits.block_io, name, text);
	return 0;
}

static int load_devices(struct oci *oci, yajl_val block, const char *name, const char *value)
{
	char property[80];
	yajl_val list;

	snprintf(property, sizeof(property), "linux.resources.blockIO.%s", name);
	if (json_array(&oci->json, block, name, property, &list))
		return 1;
	for (size_t i = 0; list && i < list->u.array.len; i++) {
		if (load_device(oci, list->u.array.values[i], name, property, value))
			return 1;
	}
	return 0;
}

int limits_set_weight(struct container_limits *limits, int64_t weight)
{
	char text[24];

	if (weight < 10 || weight > 1000)
		return 1;
	snprintf(text, sizeof(text), "%" PRId64, weight);
	add(&limits->block_io, "weight", text);
	return 0;
}

int oci_load_block_io(struct oci *oci, yajl_val resources)
{
	int64_t weight = 0, leaf = 0;
	yajl_val block;

	if (json_object(&oci->json, resources, "blockIO", "linux.resources.blockIO", &block) ||
	    json_integer(&oci->json, block, "weight", "linux.resources.blockIO.weight", &weight) ||
	    json_integer(&oci->json, block, "leafWeight", "linux.resources.blockIO.leafWeight", &leaf) ||
	    load_devices(oci, block, "weightDevice", "weight") || load_devices(oci, block, "throttleReadBpsDevice", "rate") ||
	    load_devices(oci, block, "throttleWriteBpsDevice", "rate") || load_devices(oci, block, "throttleReadIOPSDevice", "rate") ||
	    load_devices(oci, block, "throttleWriteIOPSDevice", "rate"))
		return 1;
	if (leaf)
		return json_error(&oci->json, "linux.resources.blockIO.leafWeight", "not supported: Linux has it no more");
	/* Docker always writes {"weight": 0}, which asks for nothing. */
	if (weight && limits_set_weight(&oci->container->limits, weight))
		return json_error(&oci->json, "linux.resources.blockIO.weight", "%" PRId64 ": not from 10 to 1000", weight);
	return 0;
}

/* As control groups call the sizes: "64KB", "2MB", "1GB". */
static bool is_page_size(const char *size)
{
	size_t digits = strspn(size, "0123456789");

	return digits > 0 && digits < 6 && size[digits] && strchr("KMG", size[digits]) && strcmp(size + digits + 1, "B") == 0;
}

int oci_load_huge_pages(struct oci *oci, yajl_val resources)
{
	static const char property[] = "linux.resources.hugepageLimits";
	char text[24];
	yajl_val list;

	if (json_array(&oci->json, resources, "hugepageLimits", property, &list))
		return 1;
	for (size_t i = 0; list && i < list->u.array.len; i++) {
		yajl_val item = list->u.array.values[i];
		char *size = NULL;
		int64_t limit = -1;

		if (!YAJL_IS_OBJECT(item))
			return json_error(&oci->json, property, "not an object");
		if (json_string(&oci->json, item, "pageSize", property, &size) || json_integer(&oci->json, item, "limit", property, &limit))
			return 1;
		if (!size || !is_page_size(size))
			return json_error(&oci->json, property, "pageSize: %.40s: not a size as 2MB is", size ? size : "missing");
		if (limit < 0)
			return json_error(&oci->json, property, "limit: missing or negative");
		snprintf(text, sizeof(text), "%" PRId64, limit);
		add(&oci->container->limits.huge_pages, size, text);
	}
	return 0;
}
