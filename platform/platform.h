/*
 * The host side's public face: what cli/ calls to run a sandbox.
 *
 * `ringfence boot` fills a struct vmm_options from its descriptors and calls
 * platform_boot(), which returns when the container has ended.
 */
#ifndef PLATFORM_PLATFORM_H
#define PLATFORM_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VMM_MAX_GOFERS 16 /* one gofer process a container; attach names tell its trees apart */

#define VMM_CONTROL_DETACH 0x100u /* the command goes away, the sandbox goes on */

/* One message on the socket to the command that started the sandbox (SOCK_SEQPACKET). */
struct vmm_control {
	uint32_t event; /* enum abi_event, or VMM_CONTROL_DETACH */
	uint32_t detail; /* ABI_EVENT_SIGNAL: the signal's number */
};

struct vmm_options {
	const char *platform;   /* "auto", "kvm" or "ptrace" */
	bool no_patching;       /* systrap: every system call by a signal */
	int image_fd;           /* sentry.elf */
	int gofer_fd;           /* 9P socketpair end; -1: none */
	int gofer_pid;          /* the gofer, a child of this process; 0: none */
	int log_fd;             /* debug log; -1: none */
	int error_fd;           /* where lines go that say why the sandbox does not start or ends early */
	int listen_fd;          /* the control channel's socket (abi/control.h), listening; -1: none */
	uint32_t owner;         /* who may use the control channel, beside root */
	bool detached;          /* lives on when the process that started it has gone */
	int control_fd;         /* the command's end: struct vmm_control messages; it closes: the sandbox ends. -1: none */
	int stdio[3];           /* the container's stdin, stdout, stderr */
	int passed_fd;          /* the first of further descriptors for it, which follow each other */
	unsigned passed_count;
	bool own_network;       /* this process has left the host's network namespace, and stays where it is */
	bool host_network;      /* the process stays in its network namespace and serves socket calls there */
	uint32_t network_caps;  /* of CAP_NET_BIND_SERVICE and CAP_NET_RAW, as bits: kept for that */
	const void *config;     /* platform/abi/config.h records */
	size_t config_len;
	unsigned cpus;          /* vCPUs; 0: as many as the affinity mask has, at most ABI_MAX_CPUS */
	uint64_t memory_limit;  /* bytes; 0: 3/4 of the host's memory, at most 64 GiB */
	uint32_t uid, gid;      /* run as, in the jail; 0: stay */
	unsigned watchdog;      /* seconds after which a sentry that does not answer is reported; 0: never */
	const char *state_dir;  /* where the KVM self-test's verdict is kept; opened before the jail. NULL: not kept */
	bool debug;
};

/*
 * Runs the sandbox in this process. The wait status of the container's init (>= 0), or
 * -errno with one line on stderr naming the operation, the object and the reason.
 */
int platform_boot(const struct vmm_options *options);

/* Which platform `requested` gives here, and why: name into chosen, a sentence into why. 0 or -errno. */
int platform_select(const char *requested, const char *state_dir, char *chosen, size_t chosen_size, char *why,
	size_t why_size);

/* Print the seccomp lists: role, system call, reason; one line each. host_network: with those for --network=host. */
void platform_print_filters(bool host_network);

#endif
