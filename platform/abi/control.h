/*
 * The control channel: orders from the runtime command to a running sandbox, and their answers.
 *
 * Three parties speak it, always as one struct control_header and its payload:
 *
 *   command (cli/)        connects to ROOT/ID/control.sock (SOCK_SEQPACKET) and sends one request a packet, with
 *                         descriptors by SCM_RIGHTS where the operation has some; several requests may be under way.
 *   VMM (platform/)       lets only root and the creator's uid in (SO_PEERCRED), bounds and checks the head, puts
 *                         descriptors into its table, replaces `request` by a number of its own, and queues the
 *                         message for the sentry. It takes replies back to whoever asked and understands no payload.
 *   sentry (kernel/)      keeps one `control` ring operation outstanding: it completes with a request's length, the
 *                         message lies at gpa. It answers by the call `control_send` (gpa, len) with the same
 *                         `request`; a reply's `op` is the request's. Replies may come late and in any order.
 *
 * A reply has error 0, or -errno and as payload one line of text for people (may be empty). With CONTROL_MORE another
 * part follows. An operation that the sentry does not have is answered with -ENOSYS; a malformed one with -EINVAL.
 * When a connection closes, each of its unanswered requests becomes a CONTROL_CANCEL: the sentry then drops it. So does
 * each CONTROL_EXEC that was answered: its process is forgotten, and killed if the CONTROL_BOUND flag was set. Cancelled requests are not answered.
 *
 * Payloads are packed by hand: all structs here are multiples of 8 bytes without holes, strings are not terminated.
 */
#ifndef RF_ABI_CONTROL_H
#define RF_ABI_CONTROL_H

#include <stdint.h>

#define CONTROL_VERSION 1u
#define CONTROL_MAX 131072u /* bytes of a message, head and payload */
#define CONTROL_FDS 12u
#define CONTROL_NO_FD 0xffffffffu

enum control_op {
	/*
	 * No payload. Answered once the container is created: everything up to the execve of its program has been
	 * done (mounts, the program found and openable, hooks that belong there), or with what went wrong.
	 * Only when the configuration has CONFIG_WAIT_START; without it the program is started at once.
	 */
	CONTROL_CREATED = 1,
	/* No payload. Execute the program; answered when it runs, or with why it does not (the container is then gone). */
	CONTROL_START = 2,
	/* struct control_kill. Answered at once; -ESRCH if there is no such process. */
	CONTROL_KILL = 3,
	/*
	 * Configuration records (platform/abi/config.h) of a process to start in a container: ARG, ENV, CWD, USER,
	 * GROUP, CAPS, RLIMIT, NO_NEW_PRIVS, UMASK, OOM_SCORE_ADJ, TERMINAL, TERMINAL_SIZE, SECCOMP, PASSED_FDS. Without CAPS and
	 * RLIMIT: those of the container's first process as it was configured.
	 * Descriptors: stdin, stdout, stderr; with TERMINAL one, which is a terminal in raw mode; then those passed on. They stay open in the
	 * VMM until the sentry closes them (fd_close), at the latest when the process has gone and its output is written.
	 * Answered with struct control_started when the program runs, or with why not.
	 * A container that is created and not started takes it too: so startContainer hooks run inside, before START.
	 */
	CONTROL_EXEC = 4,
	/* struct control_wait. Answered with struct control_exited once that process has ended; a process started by
	 * CONTROL_EXEC is remembered until it was waited for once or its exec request's connection has closed. */
	CONTROL_WAIT = 5,
	/* No payload. Answered with one struct control_process and its command line each, CONTROL_MORE as needed. */
	CONTROL_PS = 6,
	/* No payload. No process of the container runs user code after the answer / they go on. */
	CONTROL_PAUSE = 7,
	CONTROL_RESUME = 8,
	/* No payload. Answered with struct control_stats. */
	CONTROL_STATS = 9,
	/* struct control_resize. The terminal of that process (0: the container's) has this size now: SIGWINCH. */
	CONTROL_RESIZE = 10,
	/* "FILE=TEXT" as CONFIG_GROUP_FILE, any number, each ended by a zero byte. What is not named stays. */
	CONTROL_UPDATE = 11,
	/*
	 * A line of text: "tasks", "stacks", "mounts", "counters", "memory", "strace on", "strace off". Answered with text,
	 * CONTROL_MORE as needed. A kernel address in it is written sentry+0xOFFSET, from the start of the image.
	 */
	CONTROL_DEBUG = 12,
	/*
	 * A further container: its whole configuration, CONFIG_CONTAINER with a number that is free in it.
	 * Descriptors: stdin, stdout, stderr, and the socket of its gofer, whose fds[3] is then the gofer's number in
	 * p9 operations. Answered as CONTROL_CREATED; then CONTROL_START as for the first.
	 */
	CONTROL_CREATE = 13,
	/* No payload. The container has ended: forget it, its mounts and its gofer (gofer_close). */
	CONTROL_DELETE = 14,
	/* No payload. Stays open: each struct control_event is a reply with CONTROL_MORE. */
	CONTROL_EVENTS = 15,
	/* From the VMM only, payload u32 op, u32 0: the request with this number will not be read any more. */
	CONTROL_CANCEL = 16,
	/*
	 * struct config_network and its arrays (config.h): the network of the sandbox, before its first container starts.
	 * Descriptors: a packet socket for each link, whose `fd` is its place among them; with CONTROL_RESOLVER one
	 * more, a UDP socket connected to the name server that the container's 127.0.0.11 port 53 stands for. With
	 * CONTROL_LATER there are two before them: a netlink socket that tells what changes in the namespace, and a packet
	 * socket for the frames of all links that come later (ABI_FILE_NEWS, ABI_FILE_LINKS).
	 * Answered when the links are there; -EEXIST if they were already.
	 * With CONTROL_SHOWN no descriptors come: it is what the host's sockets (--network=host) are on, as it is now.
	 */
	CONTROL_NETWORK = 17,
	CONTROL_OPS,
	/* From the VMM only, no payload, number CONTROL_PING_REQUEST: answered at once (platform/watchdog.c). */
	CONTROL_PING = 256,
};

#define CONTROL_PING_REQUEST 0xffu /* no other request has this number */

#define CONTROL_MORE 1u  /* reply: another part follows */
#define CONTROL_BOUND 2u /* CONTROL_EXEC: the process ends with the connection */
#define CONTROL_RESOLVER 4u
#define CONTROL_LATER 8u
#define CONTROL_SHOWN 16u

struct control_header {
	uint32_t op;        /* enum control_op */
	uint32_t request;   /* chosen by whoever sends the request; the same in its replies */
	uint32_t container; /* CONFIG_CONTAINER's number; 0: the first */
	int32_t error;      /* replies: 0 or -errno. Requests: 0 */
	uint32_t flags;     /* CONTROL_MORE, CONTROL_BOUND, CONTROL_RESOLVER, CONTROL_LATER */
	uint32_t len;       /* payload bytes that follow */
	uint32_t fds[CONTROL_FDS]; /* VMM to sentry: indices of the donated descriptors; CONTROL_NO_FD: none. Else 0 */
};
_Static_assert(sizeof(struct control_header) == 72, "control channel");

#define CONTROL_KILL_ALL 1u /* every process of the container; pid is ignored */

struct control_kill {
	uint32_t pid;    /* as the container sees it; 0: its first process */
	uint32_t signal; /* 1..64; 0 only asks whether it is there */
	uint32_t flags;
	uint32_t pad;
};

struct control_wait {
	uint32_t pid; /* 0: the container's first process */
	uint32_t pad;
};

struct control_started {
	uint32_t pid; /* in the container's pid namespace */
	uint32_t pad;
};

struct control_exited {
	uint32_t status; /* as wait(2) encodes it */
	uint32_t oom_killed;
};

struct control_process {
	uint32_t pid, ppid, uid, gid;
	uint32_t threads, state; /* a letter of proc(5) */
	uint32_t tty;            /* device number, 0: none */
	uint32_t args_len;       /* bytes of the command line after this, words separated by a zero; padded to 8 */
	uint64_t start_ns;       /* after the sandbox's boot */
	uint64_t cpu_ns, rss;    /* rss in bytes */
	char comm[16];
};
_Static_assert(sizeof(struct control_process) == 72, "control channel");

#define CONTROL_LATENCY_BUCKETS 10u /* of gofer messages: at most 16, 32, 64 … 4096 microseconds, and longer */
#define CONTROL_LATENCY_FIRST_NS 16000u

struct control_stats {
	uint64_t user_ns, system_ns;                    /* CPU time of the container's tasks */
	uint64_t memory, memory_peak, memory_limit;     /* bytes; limit 0: none */
	uint64_t memory_anon, memory_file, memory_kernel, memory_shared;
	uint64_t tasks, tasks_limit;
	uint64_t oom_kills;
	uint64_t page_faults, major_faults;
	uint64_t context_switches;
	uint64_t uptime_ns;
	/* Processes that have ended: with status 0, with another, by a signal, by the OOM killer (not counted in the third). */
	uint64_t exits_success, exits_failure, exits_signal, exits_oom;
	/* From here on of the whole sandbox. */
	uint64_t host_calls, ring_operations, gofer_messages;
	uint64_t gofer_ns; /* from the request to its answer, of all messages */
	uint64_t gofer_latency[CONTROL_LATENCY_BUCKETS];
	uint64_t received_bytes, received_packets, received_dropped; /* all links but loopback */
	uint64_t sent_bytes, sent_packets, sent_dropped;
};

struct control_resize {
	uint32_t pid;
	uint16_t rows, columns, xpixel, ypixel;
	uint32_t pad;
};

/* STUCK is the VMM's own: the sandbox's kernel does not answer, or (seconds 0) does again. */
enum control_event_kind { CONTROL_EVENT_OOM = 1, CONTROL_EVENT_EXIT = 2, CONTROL_EVENT_STUCK = 3 };

struct control_event {
	uint32_t kind, container;
	/* EXIT: wait status of that container's first process; OOM: who was killed; STUCK: a task that is on a CPU, and seconds */
	uint32_t pid, status;
};

#endif
