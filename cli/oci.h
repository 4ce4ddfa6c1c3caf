/* The OCI runtime specification: config.json of a bundle into a struct container. */
#ifndef CLI_OCI_H
#define CLI_OCI_H

#include "cli/container.h"

#define OCI_VERSION "1.1.0"

/*
 * Reads BUNDLE/config.json whole and opens the root and the bind mounts' sources. 0, or 1
 * after one line that names the file, the property and the reason. What would not be done
 * as written is refused by name; properties that the specification does not know are ignored.
 */
int oci_load(const char *bundle, struct container *container);
/*
 * Only what a process that joins the container has: its process from the configuration at `path`, or from `process`,
 * a file that is nothing but that (NULL: none); and the seccomp profile.
 */
int oci_load_process_file(const char *path, const char *process, struct container *container);

/* Only its hooks. */
int oci_load_hooks_file(const char *path, struct container *container);

/* Only its control group and limits; or, of a file that is nothing but linux.resources, the limits. */
int oci_load_limits_file(const char *path, struct container *container);
int oci_load_resources_file(const char *path, struct container *container);

/* The number of "CAP_...", or -1; and back, or NULL. */
int oci_capability(const char *name);
const char *oci_capability_name(int cap);
/* The names of mount options that are understood, from 0 on; NULL after the last. */
const char *oci_mount_option(int index);

#endif
