/*
 * Where a shim listens: a socket in /run/containerd/s whose name containerd's own shims
 * derive in the same way, from containerd's address, the namespace and the pod (or the
 * container that has none). That name is what makes the second container of a pod find
 * the first one's shim.
 */
#ifndef CLI_SHIM_ADDRESS_H
#define CLI_SHIM_ADDRESS_H

#include <stdbool.h>

#define ADDRESS_MAX 108u
#define ADDRESS_GROUP 256u

/* The pod that the container of this config.json belongs to, by its annotations; else `id`. 0, or 1 after a message. */
int address_group(const char *config, const char *id, char group[ADDRESS_GROUP]);
/* Its annotations say that it belongs to a pod of Kubernetes. */
bool address_in_pod(const char *config);
int address_socket(const char *containerd, const char *name_space, const char *group, char path[ADDRESS_MAX]);
bool address_alive(const char *path);  /* does somebody listen there */
int address_listen(const char *path);  /* the socket, or -errno */
void address_forget(const char *file); /* removes the socket that this bundle's file names, if nobody listens there */

#endif
