/*
 * What a container is to be, between whoever describes it (oci.c from a bundle, do.c from
 * the command line) and whoever makes it so (config_blob.c for the sentry, sandbox.c for
 * the host's processes). Strings belong to the container and are never freed: the command
 * runs one and ends.
 */
#ifndef CLI_CONTAINER_H
#define CLI_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/abi/config.h"

#define CONTAINER_MAX_ID_MAPS 32 /* of users and of groups: gofer/gofer.h */
#define CONTAINER_IDS_TEXT 3072  /* bytes that container_ids() may need */
#define CONTAINER_MAX_TREES 100 /* the root and the bind mounts */

/* Descriptors of the caller's that the container's first program gets, from 3 on: preserve_fds.c. */
struct passed_fds {
	unsigned count;
	unsigned listening; /* of these, the first ones, are told to it by LISTEN_FDS */
};

struct strings {
	char **items;
	size_t count;
};

struct container_mount {
	char *type, *source, *target, *data;
	uint64_t flags; /* MS_* and CONFIG_MOUNT_* */
	uint32_t tree;  /* bind mounts: index into trees; else 0 */
};

/* A directory or file of the host that the gofer serves. */
struct container_tree {
	int fd; /* O_PATH */
	bool readonly;
	bool detached; /* a mount that nobody else has, and that is nowhere in a file tree */
};

/* linux.resources. 0, NULL: not given; negative: no limit. */
struct container_limits {
	char *path; /* cgroupsPath */
	bool any;   /* of those that only a control group enforces */
	int64_t memory, swap, reservation; /* bytes; swap: with memory */
	int64_t quota, period, burst;      /* microseconds */
	int64_t shares, idle, pids;
	char *cpus, *mems;
	struct strings unified; /* file, text, file, text... */
	struct strings block_io; /* a member of linux.resources.blockIO, "WEIGHT" or "MAJOR:MINOR NUMBER", and so on */
	struct strings huge_pages; /* a size ("2MB"), bytes, a size, bytes... */
};

/* A program of the host to run at some point of the container's life; args and env end with a NULL. */
struct hook {
	char *path;
	struct strings args, env;
	int64_t timeout; /* seconds, 0: none */
};

enum hook_kind { HOOK_PRESTART, HOOK_CREATE_RUNTIME, HOOK_CREATE_CONTAINER, HOOK_START_CONTAINER, HOOK_POSTSTART,
	HOOK_POSTSTOP, HOOK_KINDS };

struct hook_list {
	struct hook *items;
	size_t count;
};

struct container_device {
	struct config_device is;
	char *path;
};

/* A seccomp filter: classic BPF (struct sock_filter). */
struct container_seccomp {
	uint32_t flags, count;
	void *program;
};

struct container {
	struct strings args, env;
	char *cwd, *hostname, *domainname;
	char *rootfs; /* of a bundle: as the host sees it */
	struct strings annotations; /* key, value, key, value... */
	struct config_user user;
	uint32_t *groups;
	size_t group_count;
	struct config_caps caps;
	struct config_rlimit rlimits[16];
	size_t rlimit_count;
	uint32_t root_flags; /* CONFIG_ROOT_* */
	struct container_mount *mounts;
	size_t mount_count;
	struct strings readonly_paths, masked_paths, sysctls;
	struct hook_list hooks[HOOK_KINDS];
	char *hook_state; /* what those that run inside read; NULL: none run */
	bool user_namespace; /* a new one, with these: */
	struct config_id_map id_maps[2 * CONTAINER_MAX_ID_MAPS];
	uint32_t id_here[2 * CONTAINER_MAX_ID_MAPS]; /* the host's id of each mapping, as this process's namespace calls it */
	size_t id_map_count;
	struct config_time_offset time_offsets[CONFIG_TIME_OFFSETS];
	size_t time_offset_count;
	struct container_device *devices;
	size_t device_count;
	uint32_t personality, io_priority; /* 0: the default */
	bool has_scheduler;
	struct config_scheduler scheduler;
	struct container_seccomp seccomp; /* count 0: none */
	bool terminal, no_new_privs;
	struct config_winsize terminal_size; /* 0 by 0: as the terminal has it */
	bool wait_start; /* stop before the program begins, until CONTROL_START */
	int64_t umask; /* -1: the default */
	bool has_oom_score_adj;
	int32_t oom_score_adj;
	uint64_t memory_limit; /* bytes, 0: none */
	unsigned cpus;         /* 0: all */
	bool cpu_inside;       /* no control group of the host's is there for it, to hold it to a quota of CPU time */
	struct container_limits limits;
	uint32_t number, share; /* a further container of a sandbox: its number there, CONFIG_SHARE_* */
	struct strings joined;  /* paths of those namespaces of the pod */
	bool own_network;   /* config.json asks for a network namespace */
	char *network_path; /* which; NULL: a new one */
	struct passed_fds passed;
	struct container_tree trees[CONTAINER_MAX_TREES];
	size_t tree_count;
};

/* oci_block_io.c: the weight of all reads and writes, 10 to 1000. 1: it is not. */
int limits_set_weight(struct container_limits *limits, int64_t weight);

/* Append a copy; ends the command if memory runs out. */
void strings_add(struct strings *strings, const char *text);
void strings_free(struct strings *strings); /* and empties it */
/* A NULL after the last, as execve(2) wants it; if there is one. */
void strings_end(struct strings *strings);
char *container_copy(const char *text);
struct container_mount *container_mount_add(struct container *container);

/* Its mappings as the gofer takes them: "u:INSIDE:HOST:SIZE,g:...". oci_ids.c */
void container_ids(const struct container *container, char *text, size_t size);

/* config_blob.c: the records of platform/abi/config.h; malloc'ed. Always succeeds or ends the command. */
void *config_blob(const struct container *container, size_t *length);
/* Only those of a process that joins a running container. */
void *config_blob_process(const struct container *container, size_t *length);

#endif
