/*
 * config.json: linux.cgroupsPath and linux.resources. Memory, tasks and the number of CPUs
 * are also limits inside the sandbox; everything is set on the host's control group (cgroup.h).
 */
#include <string.h>

#include "cli/cli.h"
#include "cli/oci_parts.h"

#define CPUS_MAX 64
#define MEMORY_TOO_LITTLE (2ll << 20) /* bytes: what the sentry takes for pages of zeros alone */

static int load_cpu(struct oci *oci, yajl_val resources)
{
	static const char *const refused[] = {"realtimeRuntime", "realtimePeriod", NULL};
	struct container_limits *l = &oci->container->limits;
	yajl_val cpu;

	if (json_object(&oci->json, resources, "cpu", "linux.resources.cpu", &cpu) ||
	    oci_refuse(oci, cpu, refused, "linux.resources.cpu.") ||
	    json_integer(&oci->json, cpu, "quota", "linux.resources.cpu.quota", &l->quota) ||
	    json_integer(&oci->json, cpu, "period", "linux.resources.cpu.period", &l->period) ||
	    json_integer(&oci->json, cpu, "burst", "linux.resources.cpu.burst", &l->burst) ||
	    json_integer(&oci->json, cpu, "shares", "linux.resources.cpu.shares", &l->shares) ||
	    json_integer(&oci->json, cpu, "idle", "linux.resources.cpu.idle", &l->idle) ||
	    json_string(&oci->json, cpu, "cpus", "linux.resources.cpu.cpus", &l->cpus) ||
	    json_string(&oci->json, cpu, "mems", "linux.resources.cpu.mems", &l->mems))
		return 1;
	if (l->period < 0)
		return json_error(&oci->json, "linux.resources.cpu.period", "negative");
	if (l->shares < 0)
		return json_error(&oci->json, "linux.resources.cpu.shares", "negative");
	if (l->cpus && !l->cpus[0])
		l->cpus = NULL;
	if (l->mems && !l->mems[0])
		l->mems = NULL;
	if (l->quota > 0) {
		int64_t period = l->period ? l->period : 100000, count = l->quota / period + (l->quota % period != 0);
		oci->container->cpus = (unsigned)(count > CPUS_MAX ? CPUS_MAX : count);
	}
	return 0;
}

/* A limit that is not kept; engines write 0, which asks for nothing (docker update). */
static int refuse_above_zero(struct oci *oci, yajl_val parent, const char *key, const char *property)
{
	int64_t value = 0;

	if (json_integer(&oci->json, parent, key, property, &value))
		return 1;
	return value > 0 ? json_error(&oci->json, property, "not supported yet") : 0;
}

static int load_memory(struct oci *oci, yajl_val resources)
{
	static const char *const refused[] = {"swappiness", "disableOOMKiller", "checkBeforeUpdate", NULL};
	struct container_limits *l = &oci->container->limits;
	yajl_val memory;

	if (json_object(&oci->json, resources, "memory", "linux.resources.memory", &memory) ||
	    oci_refuse(oci, memory, refused, "linux.resources.memory.") ||
	    json_integer(&oci->json, memory, "limit", "linux.resources.memory.limit", &l->memory) ||
	    json_integer(&oci->json, memory, "reservation", "linux.resources.memory.reservation", &l->reservation) ||
	    json_integer(&oci->json, memory, "swap", "linux.resources.memory.swap", &l->swap))
		return 1;
	if (refuse_above_zero(oci, memory, "kernel", "linux.resources.memory.kernel") ||
	    refuse_above_zero(oci, memory, "kernelTCP", "linux.resources.memory.kernelTCP"))
		return 1;
	if (l->memory > 0 && l->memory <= MEMORY_TOO_LITTLE)
		return json_error(&oci->json, "linux.resources.memory.limit", "too little for a sandbox, which needs more than 2 MiB");
	if (l->memory > 0)
		oci->container->memory_limit = (uint64_t)l->memory;
	return 0;
}

static int load_unified(struct oci *oci, yajl_val resources)
{
	yajl_val map;

	if (json_object(&oci->json, resources, "unified", "linux.resources.unified", &map))
		return 1;
	for (size_t i = 0; map && i < map->u.object.len; i++) {
		if (!YAJL_IS_STRING(map->u.object.values[i]))
			return json_error(&oci->json, "linux.resources.unified", "%s is not a string",
				map->u.object.keys[i]);
		strings_add(&oci->container->limits.unified, map->u.object.keys[i]);
		strings_add(&oci->container->limits.unified, map->u.object.values[i]->u.string);
	}
	return 0;
}

static int load_limits(struct oci *oci, yajl_val resources)
{
	static const char *const refused[] = {"network", "rdma", NULL};
	struct container_limits *l = &oci->container->limits;
	yajl_val pids;

	if (oci_refuse(oci, resources, refused, "linux.resources.") || load_memory(oci, resources) || oci_load_block_io(oci, resources) ||
	    oci_load_huge_pages(oci, resources) || load_cpu(oci, resources) ||
	    json_object(&oci->json, resources, "pids", "linux.resources.pids", &pids) ||
	    json_integer(&oci->json, pids, "limit", "linux.resources.pids.limit", &l->pids) ||
	    load_unified(oci, resources))
		return 1;
	/* resources.devices says which devices may be reached: the sentry has its own, and none of the host's. */
	l->any = l->reservation || l->swap || l->quota > 0 || l->burst || l->shares || l->idle || l->cpus || l->mems ||
		l->pids || l->unified.count > 0 || l->block_io.count > 0;
	return 0;
}

int oci_load_resources(struct oci *oci, yajl_val linux_part)
{
	yajl_val resources;

	return json_string(&oci->json, linux_part, "cgroupsPath", "linux.cgroupsPath", &oci->container->limits.path) ||
		json_object(&oci->json, linux_part, "resources", "linux.resources", &resources) ||
		load_limits(oci, resources);
}

int oci_load_resources_file(const char *path, struct container *container)
{
	struct oci oci = {.bundle = "/", .container = container};

	return json_read_as(&oci.json, path, "resources") || load_limits(&oci, oci.json.root);
}

int oci_load_limits_file(const char *path, struct container *container)
{
	struct oci oci = {.bundle = "/", .container = container};

	return json_read(&oci.json, path) || oci_load_resources(&oci, json_member(oci.json.root, "linux"));
}
