/*
 * The container's configuration, decoded from the records of platform/abi/config.h.
 * kernel/config.c checks bounds; every string here is terminated and lives for ever.
 */
#ifndef KERNEL_CONFIG_H
#define KERNEL_CONFIG_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "platform/abi/config.h"

#define CONFIG_MAX_MOUNTS 256
#define CONFIG_MAX_PATHS 128

struct container_mount {
	const char *type, *source, *target, *data;
	uint64_t flags; /* MS_* */
	uint32_t gofer;
};

struct container_filter {
	struct sock_filter *program;
	uint32_t count, flags;
};

struct container_device {
	struct config_device is;
	const char *path;
};

struct container_hook {
	const char *path;
	const char **argv, **envp; /* NULL terminated */
	uint32_t timeout; /* seconds, 0: none */
};

struct container_config {
	char **argv, **envp; /* NULL terminated */
	unsigned argc, envc;
	const char *cwd, *hostname, *domainname;
	struct config_user user;
	uint32_t *groups;
	unsigned group_count;
	struct config_caps caps;
	bool has_caps;
	struct config_rlimit *rlimits;
	unsigned rlimit_count;
	struct config_root root;
	struct container_mount *mounts;
	unsigned mount_count;
	const char **readonly_paths, **masked_paths;
	unsigned readonly_count, masked_count;
	const char **sysctls;
	unsigned sysctl_count;
	struct container_filter *filters;
	unsigned filter_count;
	uint32_t host_sockets; /* CONFIG_HOST_SOCKETS; 0: none */
	uint32_t passed_fds;
	bool terminal, strace, no_new_privs, debug, wait_start;
	bool has_terminal_size, has_cwd, has_umask;
	struct config_winsize terminal_size;
	struct config_container id;
	const char **group_files; /* "FILE=TEXT" */
	unsigned group_file_count;
	uint32_t umask;
	int oom_score_adj;
	struct container_device *devices;
	unsigned device_count;
	struct config_id_map *id_maps;
	unsigned id_map_count;
	struct config_time_offset time_offsets[CONFIG_TIME_OFFSETS];
	unsigned time_offset_count;
	struct container_hook *hooks;
	unsigned hook_count;
	const char *hook_state; /* or NULL */
	uint32_t personality, io_priority;
	bool has_scheduler;
	struct config_scheduler scheduler;
};

/* 0 or -EINVAL with a log line that names the record. What was decoded is then to be freed all the same. */
int config_decode(const void *blob, uint64_t len, struct container_config *config);
void config_free(struct container_config *config);

#endif
