/*
 * config.json: linux.uidMappings and gidMappings, of a new user namespace. They go to the gofer, which translates the
 * owners of files, and to the sentry, which has no other ids inside (user_namespaces(7)).
 */
#include <string.h>

#include "cli/cli.h"
#include "cli/oci_parts.h"

static int load_map(struct oci *oci, yajl_val v, uint32_t kind, const char *property)
{
	struct container *c = oci->container;
	struct config_id_map map = {.kind = kind};
	uint32_t end;

	if (!YAJL_IS_OBJECT(v))
		return json_error(&oci->json, property, "not an object");
	if (json_u32(&oci->json, v, "containerID", property, &map.inside) ||
	    json_u32(&oci->json, v, "hostID", property, &map.host) || json_u32(&oci->json, v, "size", property, &map.size))
		return 1;
	if (map.size == 0 || __builtin_add_overflow(map.inside, map.size, &end) || __builtin_add_overflow(map.host, map.size, &end))
		return json_error(&oci->json, property, "size: out of range");
	for (size_t i = 0; i < c->id_map_count; i++) {
		const struct config_id_map *other = &c->id_maps[i];
		if (other->kind == kind && ((map.inside < other->inside + other->size && other->inside < map.inside + map.size) ||
			(map.host < other->host + other->size && other->host < map.host + map.size)))
			return json_error(&oci->json, property, "two ranges overlap");
	}
	c->id_here[c->id_map_count] = map.host;
	c->id_maps[c->id_map_count++] = map;
	return 0;
}

static int load_maps(struct oci *oci, yajl_val linux_part, const char *key, uint32_t kind)
{
	char property[32];
	yajl_val list;

	snprintf(property, sizeof(property), "linux.%s", key);
	if (json_array(&oci->json, linux_part, key, property, &list))
		return 1;
	size_t count = list ? list->u.array.len : 0;
	if (oci->container->user_namespace != (count > 0))
		return json_error(&oci->json, property, count ? "without a new user namespace" : "missing: the user namespace is new");
	if (count > CONTAINER_MAX_ID_MAPS)
		return json_error(&oci->json, property, "more than %u ranges", CONTAINER_MAX_ID_MAPS);
	for (size_t i = 0; i < count; i++) {
		if (load_map(oci, list->u.array.values[i], kind, property))
			return 1;
	}
	return 0;
}

static bool is_mapped(const struct container *c, uint32_t kind, uint32_t id)
{
	for (size_t i = 0; i < c->id_map_count; i++) {
		if (c->id_maps[i].kind == kind && id - c->id_maps[i].inside < c->id_maps[i].size)
			return true;
	}
	return !c->user_namespace;
}

int oci_check_user(struct oci *oci)
{
	const struct container *c = oci->container;

	if (!is_mapped(c, CONFIG_ID_MAP_UID, c->user.uid))
		return json_error(&oci->json, "process.user.uid", "%u: not in linux.uidMappings", c->user.uid);
	if (!is_mapped(c, CONFIG_ID_MAP_GID, c->user.gid))
		return json_error(&oci->json, "process.user.gid", "%u: not in linux.gidMappings", c->user.gid);
	for (size_t i = 0; i < c->group_count; i++) {
		if (!is_mapped(c, CONFIG_ID_MAP_GID, c->groups[i]))
			return json_error(&oci->json, "process.user.additionalGids", "%u: not in linux.gidMappings", c->groups[i]);
	}
	return 0;
}

int oci_load_ids(struct oci *oci, yajl_val linux_part)
{
	return load_maps(oci, linux_part, "uidMappings", CONFIG_ID_MAP_UID) ||
		load_maps(oci, linux_part, "gidMappings", CONFIG_ID_MAP_GID);
}

void container_ids(const struct container *c, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < c->id_map_count && used < size; i++) {
		const struct config_id_map *map = &c->id_maps[i];
		used += (size_t)snprintf(text + used, size - used, "%s%c:%u:%u:%u", i ? "," : "", map->kind == CONFIG_ID_MAP_UID ? 'u' : 'g',
			map->inside, c->id_here[i], map->size);
	}
}
