/* Inside the OCI reader: what oci.c, oci_mounts.c, oci_linux.c and oci_resources.c share. */
#ifndef CLI_OCI_PARTS_H
#define CLI_OCI_PARTS_H

#include "cli/json.h"
#include "cli/oci.h"

struct oci {
	struct json json;
	const char *bundle; /* absolute */
	struct container *container;
	bool time_namespace; /* linux.namespaces has one */
};

/* The first of these members that is present is refused by name. `keys` ends with NULL. */
int oci_refuse(struct oci *oci, yajl_val parent, const char *const *keys, const char *prefix);
/* Opens a tree of the host for the gofer. */
int oci_open_tree(struct oci *oci, const char *path, bool readonly, const char *property, uint32_t *tree);
/* The host's overlay that the mount's options describe, as a tree. 0, or 1 after a message. */
int oci_open_overlay(struct oci *oci, struct container_mount *mount, const char *property);
/* `process`: that object, or NULL. */
int oci_load_process(struct oci *oci, yajl_val process);
int oci_load_hooks(struct oci *oci);
int oci_load_seccomp(struct oci *oci, yajl_val linux_part);
int oci_load_mounts(struct oci *oci);
int oci_load_ids(struct oci *oci, yajl_val linux_part);
int oci_check_user(struct oci *oci); /* the process's, by the mappings */
int oci_load_devices(struct oci *oci, yajl_val linux_part);
int oci_load_schedule(struct oci *oci, yajl_val process);
int oci_load_personality(struct oci *oci, yajl_val linux_part);
int oci_load_linux(struct oci *oci);
int oci_load_resources(struct oci *oci, yajl_val linux_part);
int oci_load_block_io(struct oci *oci, yajl_val resources);   /* oci_block_io.c */
int oci_load_huge_pages(struct oci *oci, yajl_val resources);

#endif
