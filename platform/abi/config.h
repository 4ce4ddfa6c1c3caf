/*
 * What the container is to be, from the runtime command to the sentry.
 *
 * A sequence of records, each a struct config_record followed by `len` payload bytes and
 * padding to 8. Strings are not terminated; lists are repeated records. The command
 * (cli/) writes it, the VMM passes it on untouched, kernel/config.c reads it with bounds
 * checks. Unknown types are an error: nothing is parsed and ignored.
 */
#ifndef RF_ABI_CONFIG_H
#define RF_ABI_CONFIG_H

#include <stdint.h>

struct config_record {
	uint32_t type; /* enum config_type */
	uint32_t len;
};

enum config_type {
	CONFIG_ARG = 1,           /* string; repeated, in order: argv */
	CONFIG_ENV = 2,           /* string "NAME=value"; repeated */
	CONFIG_CWD = 3,           /* string */
	CONFIG_USER = 4,          /* struct config_user */
	CONFIG_GROUP = 5,         /* u32 supplementary gid; repeated */
	CONFIG_CAPS = 6,          /* struct config_caps */
	CONFIG_RLIMIT = 7,        /* struct config_rlimit; repeated */
	CONFIG_HOSTNAME = 8,      /* string */
	CONFIG_DOMAINNAME = 9,    /* string */
	CONFIG_ROOT = 10,         /* struct config_root */
	CONFIG_MOUNT = 11,        /* struct config_mount, then its strings; repeated, in order */
	CONFIG_TERMINAL = 12,     /* no payload: stdio is a terminal, made in the sentry */
	CONFIG_STRACE = 13,       /* no payload: print system calls to the log */
	CONFIG_NO_NEW_PRIVS = 14, /* no payload */
	CONFIG_DEBUG = 15,        /* no payload: debug lines in the log */
	CONFIG_UMASK = 16,        /* u32 */
	CONFIG_READONLY_PATH = 17, /* string; repeated */
	CONFIG_MASKED_PATH = 18,   /* string; repeated */
	CONFIG_OOM_SCORE_ADJ = 19, /* i32 */
	CONFIG_SYSCTL = 20,        /* string "name=value"; repeated */
	/* 21 to 39 are taken by the sentry's side, 40 and up by the command's. */
	CONFIG_SECCOMP = 21,       /* struct config_seccomp, then its instructions; repeated: installed in order before exec */
	CONFIG_CONTAINER = 22,     /* struct config_container: whose record stream this is; absent: the sandbox's first container */
	CONFIG_GROUP_FILE = 24,    /* string "FILE=TEXT" of the top of its control groups inside (cgroup-v2); repeated */
	CONFIG_TERMINAL_SIZE = 25, /* struct config_winsize: of the new terminal */
	CONFIG_HOST_SOCKETS = 27,  /* u32, --network=host: the descriptor that tells what became ready (abi/sockets.h) */
	CONFIG_WAIT_START = 40,    /* no payload: stop before execve until CONTROL_START (control.h) */
	CONFIG_DEVICE = 50,        /* struct config_device, then its path: a node to make; repeated */
	CONFIG_PERSONALITY = 51,   /* u32 as personality(2) takes it */
	CONFIG_SCHEDULER = 52,     /* struct config_scheduler */
	CONFIG_IO_PRIORITY = 53,   /* u32 as ioprio_set(2) takes it */
	CONFIG_ID_MAP = 54,        /* struct config_id_map: of the container's user namespace; repeated */
	CONFIG_HOOK = 55,          /* struct config_hook, then its strings, each with its end: run before execve, in order */
	CONFIG_HOOK_STATE = 56,    /* string: what hooks read on standard input */
	CONFIG_PASSED_FDS = 57,    /* u32: descriptors 3 and up of the first process are as many donated ones, see below */
	CONFIG_TIME_OFFSET = 58,   /* struct config_time_offset; repeated, once a clock: the container is in a time namespace of its own */
};

struct config_user {
	uint32_t uid, gid;
};

struct config_caps {
	uint64_t effective, permitted, inheritable, bounding, ambient; /* bit N: capability N */
};

struct config_rlimit {
	uint32_t resource; /* RLIMIT_* of asm-generic/resource.h */
	uint32_t pad;
	uint64_t soft, hard;
};

#define CONFIG_DEVICE_IF_THERE (1u << 31)

struct config_device {
	uint32_t mode; /* S_IF* and permissions; CONFIG_DEVICE_IF_THERE: left out if the sentry has no such device */
	uint32_t uid, gid;
	uint32_t major, minor;
};

struct config_scheduler {
	uint32_t policy; /* SCHED_* of linux/sched.h */
	int32_t nice;
	uint32_t priority;
	uint32_t flags; /* SCHED_FLAG_RESET_ON_FORK */
};

/* Ids of the container and of the host: `size` from `inside` on are `host` and up outside. */
#define CONFIG_ID_MAP_UID 0u
#define CONFIG_ID_MAP_GID 1u

struct config_id_map {
	uint32_t kind; /* CONFIG_ID_MAP_* */
	uint32_t inside, host, size;
};

/* What the container's clock has more than the sandbox's: secs and nanosecs, the latter below a second. */
#define CONFIG_TIME_OFFSETS 2u

struct config_time_offset {
	uint32_t clock; /* CLOCK_MONOTONIC or CLOCK_BOOTTIME */
	uint32_t nanosecs;
	int64_t secs;
};

/* The path, then the arguments, then the environment follow. */
struct config_hook {
	uint32_t timeout; /* seconds, 0: none */
	uint32_t args, envs;
};

/* In config_mount's flags, beside MS_*: what the mountpoint holds is copied into the new file system. */
#define CONFIG_MOUNT_COPY_UP (1ull << 32)

/*
 * CONFIG_PASSED_FDS, at most so many. Of a sandbox's first container they are the donated descriptors 3 and up; of a
 * process that CONTROL_EXEC starts those that come after its standard files.
 */
#define CONFIG_MAX_PASSED 64u

#define CONFIG_ROOT_READONLY 1u
#define CONFIG_ROOT_OVERLAY 2u /* an overlay whose upper layer is in sandbox memory */

struct config_root {
	uint32_t gofer; /* attach name at the gofer: "0" is the root, see gofer/README.md */
	uint32_t flags;
};

/*
 * One seccomp filter: classic BPF (struct sock_filter of linux/filter.h) over struct seccomp_data, as seccomp(2) takes
 * it. `flags` are SECCOMP_FILTER_FLAG_*: LOG and SPEC_ALLOW mean something here.
 */
struct config_seccomp {
	uint32_t flags;
	uint32_t count; /* instructions that follow, 8 bytes each: 1..4096 */
};

/*
 * A further container of a sandbox, or a process to start in a container. `id` is the control channel's number for the
 * container; the first one is 0.
 */
#define CONFIG_SHARE_IPC 1u /* the sandbox's ipc namespace instead of one of its own */
#define CONFIG_SHARE_UTS 2u
#define CONFIG_SHARE_PID 4u /* the sandbox's first container's pid namespace */
#define CONFIG_CPU_INSIDE 8u /* the sentry keeps its quota of CPU time; else the host does */
#define CONFIG_CONTAINER_FLAGS 15u

struct config_container {
	uint32_t id;
	uint32_t flags;
};

struct config_winsize {
	uint16_t rows, columns, xpixel, ypixel;
};

/*
 * The network that the sandbox takes over, no record but the payload of CONTROL_NETWORK (control.h): as many of each as the head says, in this order. Addresses are in network
 * order, IPv4 in the first four bytes; families are AF_*. A link's frames go through the request's descriptor `fd`, one a read
 * or write, each with a struct virtio_net_hdr (10 bytes) before it.
 */
#define CONFIG_NETWORK_LINKS 8u
#define CONFIG_NETWORK_ENTRIES 64u /* of each other kind, at most */

struct config_network {
	uint32_t links, addresses, routes, neighbours;
};

struct config_link {
	char name[16];
	uint8_t mac[6];
	uint16_t mtu;
	uint32_t fd;
	uint32_t host_index; /* the link's number in its namespace, as news of it name it */
};

struct config_address {
	uint32_t link; /* index of the link */
	uint8_t family, prefix, scope, pad;
	uint8_t address[16];
};

struct config_route {
	uint32_t link;
	uint8_t family, prefix, scope, protocol; /* scope and protocol as rtnetlink(7) has them */
	uint8_t destination[16], gateway[16], source[16]; /* zero: none */
	uint32_t metric;
};

struct config_neighbour {
	uint32_t link;
	uint8_t family, mac[6], pad;
	uint8_t address[16];
};

/* Mount flags are MS_* of linux/mount.h; strings follow: type, source, target, data. */
struct config_mount {
	uint64_t flags;
	uint32_t gofer; /* bind mounts: the gofer's attach number; else 0 */
	uint16_t type_len, source_len;
	uint16_t target_len, data_len;
	uint32_t pad;
};

#endif
