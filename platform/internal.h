/*
 * What the files directly in platform/ share among themselves. The platforms (kvm/,
 * ptrace/) include platform/vmm.h only.
 */
#ifndef PLATFORM_INTERNAL_H
#define PLATFORM_INTERNAL_H

#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "platform/vmm.h"

/* log.c */
struct log_rate {
	time_t second;
	unsigned lines;
};

#define LOG_REASON 512u

/* The last line that said what is wrong. */
void log_last_error(char *to, size_t size);
void log_init(int fd, int error_fd); /* fd -1: errors only, to error_fd */
/* A line that the sentry wrote: hostile bytes, escaped and rate-limited. */
void log_guest(int level, const char *bytes, size_t length);
/* Printable form of `length` bytes, cut to fit and terminated; its length. */
size_t log_escape(char *to, size_t size, const char *from, size_t length);

/* select.c: by the name that platform_select() chose. */
const struct platform_ops *platform_named(const char *name);

/* clock.c. Fill `clock` with the host's clocks now; the rate gets better the longer the sandbox runs. */
void clock_begin(void); /* once, before the first clock_sample() */
void clock_sample(struct abi_clock *clock);

/* fstat(2) itself: glibc asks by a path-taking call, which the filters do not allow. 0, or -1 and errno. */
static inline int host_fstat(int fd, struct stat *st)
{
	return (int)syscall(SYS_fstat, fd, st);
}

/* sockets.c: the host's sockets, with --network=host; else -ENOSYS. */
#define VMM_EVENT_SET 3 /* the index of the set that tells what became ready */
int sockets_init(struct vmm *vmm); /* 0 or -errno */
int64_t sockets_call(struct vmm *vmm, const struct abi_call *call);

/* boot.c: a child that is no stub has ended, with this wait status. Async-signal-safe; the main thread only. */
void boot_child_ended(int pid, int status);

/* calls.c: what the calls need open. 0 or -errno. */
int calls_init(void);

/* fds.c */
int fds_init(struct vmm *vmm);
int fds_kind(struct vmm *vmm, uint32_t index);  /* enum abi_file_kind, or -EBADF */
int fds_add_kind(struct vmm *vmm, int fd, uint32_t kind); /* one of our own. Index or -EMFILE */
int fds_add_stdio(struct vmm *vmm, int fd);      /* from the runtime command; takes it. Index, -EBADF or -EMFILE */
/* The same with a socket of its network, non-blocking: ABI_FILE_FRAMES, LINKS or NEWS. */
int fds_add_network(struct vmm *vmm, int fd, uint32_t kind);
int fds_flags(struct vmm *vmm, uint32_t index); /* open(2) flags at the time of donation */

/* io.c: sets up the ring's service; io_start() starts its threads, which first wait for the jail. */
int io_start(struct vmm *vmm);

/* control.c: the control channel, if there is a listening socket. 0 or -errno. */
int control_init(struct vmm *vmm);
int control_start(struct vmm *vmm);
int control_send(struct vmm *vmm, uint64_t gpa, uint64_t length); /* the host call */
/* The sandbox has failed: whoever waits for an answer gets this line as the reason. */
void control_fail(struct vmm *vmm, const char *why);
void control_flush(struct vmm *vmm); /* the sandbox has ended: lets the last replies out, for a second at most */

/* io.c: closes a stream or a terminal once nothing waits for it any more; takes the descriptor. Never waits. */
void io_close(struct vmm *vmm, int fd);

/* channel.c: the sentry forgets a further container's gofer; what is under way there ends with -EIO. 0 or -errno. */
int channel_close(struct io_service *io, uint64_t number);

/* jail.c: what must be done while there is one thread: no_new_privs, limits, signals blocked. */
int jail_prepare(struct vmm *vmm);
/* The process-wide part: empty root, uid, not dumpable. Paths end here. */
int jail_walls(struct vmm *vmm);

/* filters.c: load the calling thread's list. 0 or -errno. */
int filters_load(enum jail_role role, bool host_network);

#endif
