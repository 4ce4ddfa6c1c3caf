/* Which ids a container has: see kernel/idmap.h. */
#include "kernel/idmap.h"
#include "kernel/container.h"
#include "kernel/task.h"

static bool is_mapped(const struct container_config *config, uint32_t kind, uint32_t id)
{
	if (!config->id_map_count)
		return true;
	for (unsigned i = 0; i < config->id_map_count; i++) {
		const struct config_id_map *map = &config->id_maps[i];

		if (map->kind == kind && id - map->inside < map->size)
			return true;
	}
	return false;
}

bool uid_is_mapped(uint32_t uid)
{
	return uid != ID_NONE && is_mapped(&current->process->container->config, CONFIG_ID_MAP_UID, uid);
}

bool gid_is_mapped(uint32_t gid)
{
	return gid != ID_NONE && is_mapped(&current->process->container->config, CONFIG_ID_MAP_GID, gid);
}

bool idmap_is_used(const struct container *c)
{
	return c->config.id_map_count != 0;
}
