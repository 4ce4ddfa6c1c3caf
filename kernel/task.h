/*
 * Tasks (threads), processes (thread groups), process groups, sessions; the scheduler.
 *
 * State of a task:   NEW -> RUNNABLE <-> RUNNING
 *                                ^         |
 *                                +- BLOCKED / STOPPED      RUNNING -> ZOMBIE -> DEAD
 * Invariants (task_check()):
 *  1. RUNNING: it is percpu.current of exactly one CPU.
 *  2. RUNNABLE: it is on exactly one run queue; BLOCKED, STOPPED, ZOMBIE: on none.
 *  3. A ZOMBIE has no mm, no files, no fs context; its parent may still wait for it.
 *  4. process->threads counts its tasks that are not ZOMBIE or DEAD.
 *
 * All fields are under the kernel lock unless marked.
 */
#ifndef KERNEL_TASK_H
#define KERNEL_TASK_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/cgroup_io.h"
#include "kernel/cred.h"
#include "kernel/keys/keys.h"
#include "kernel/mm/policy.h"
#include "kernel/ptrace.h"
#include "kernel/seccomp.h"
#include "kernel/signal.h"
#include "kernel/wait.h"
#include "ring0/machine.h"
#include "ring0/percpu.h"

struct container;
struct launch;
struct ns_set;
struct sem_undo;
struct pid_ns;
struct mm;
struct page;
struct fd_table;   /* vfs */
struct fs_context; /* vfs: root, cwd, umask */
struct tty;        /* vfs: controlling terminal */
struct rlimit64_pair {
	uint64_t cur, max;
};
#define RLIMIT_COUNT 16

enum task_state {
	TASK_NEW,
	TASK_RUNNABLE,
	TASK_RUNNING,
	TASK_BLOCKED,
	TASK_STOPPED, /* job control or ptrace */
	TASK_ZOMBIE,
	TASK_DEAD,
};

struct session {
	uint32_t refs;
	int sid;
	struct tty *tty; /* controlling terminal or NULL */
	int hung_pgrp;   /* foreground group of the terminal that hung up: told when the leader ends; 0: none */
};

struct itimer {
	struct ktimer timer;
	uint64_t interval; /* ns */
	uint64_t cpu_limit; /* virtual and prof: CPU time of the process at which it expires, ns */
	struct process *process;
};

struct cpu_times {
	uint64_t user, system; /* ns, as programs were told last (ktime.c) */
};

/* A thread group. */
struct process {
	uint32_t refs;
	int pid; /* thread group id, in the sandbox; see kernel/namespaces.h */
	int vpid; /* in its own pid namespace */
	struct pid_ns *pid_ns; /* referenced */
	int pgid;
	struct session *session;
	struct process *parent;
	int parent_tid; /* the thread that made it: who PTRACE_TRACEME asks */
	TAILQ_HEAD(process_list, process) children;
	TAILQ_ENTRY(process) sibling;
	TAILQ_HEAD(task_list, task) tasks;
	TAILQ_ENTRY(process) all; /* every process, by start */
	struct task *leader;
	unsigned threads; /* alive */

	struct sigpending pending;
	struct sighand *sighand;
	struct waitq child_waiters; /* wait4(2) of this process' threads */
	struct waitq pidfd_waiters;
	int exit_status;      /* wait status, once exiting */
	bool exiting;         /* group exit: every thread leaves */
	bool zombie;          /* all threads are gone; waits for the parent */
	int exit_signal;      /* to the parent; usually SIGCHLD */
	bool stopped, continued_unreported, stop_unreported;
	int stop_signal;
	uint32_t stop_generation; /* counts group stops */
	bool stop_notified;   /* the parent was told of this stop */
	bool execed;          /* since fork: setpgid by the parent fails */
	unsigned execing;     /* threads in execve, whose new credentials are decided by what they are: task_await_exec() */
	struct waitq thread_waiters; /* it waits here for them */
	unsigned sigqueue_count;     /* queued siginfos, for RLIMIT_SIGPENDING */
	bool subreaper;
	int pdeath_signal;

	struct rlimit64_pair rlimit[RLIMIT_COUNT];
	struct itimer itimer_real, itimer_virtual, itimer_prof;
	struct itimer rlimit_cpu; /* RLIMIT_CPU: cpu_limit is when SIGXCPU comes next */
	TAILQ_HEAD(, posix_timer) timers;
	int next_timer_id;
	uint64_t start_time; /* boottime ns */
	uint64_t utime, stime, cutime, cstime; /* ns, of ended threads / waited children */
	struct cpu_times told;
	uint64_t min_flt, maj_flt, cmin_flt, cmaj_flt, nvcsw, nivcsw, maxrss, cmaxrss;
	int oom_score_adj;
	uint64_t heap_pages; /* of the kernel's heap, that it made be there (kernel/mm/heap.c) */
	uint32_t personality;
	bool dumpable_cleared;
	bool oom_killed; /* by the sandbox' OOM killer */
	struct container *container; /* for ever the one it was started in */
	struct cgroup *cgroup;       /* cgroup.h; without a reference; a zombie: the container's own */
	TAILQ_ENTRY(process) cgroup_link;
	int64_t cgroup_times[2];     /* ns, user and system, that a group left before has kept */
	struct sem_undo *sem_undos;  /* ipc_sem.c */
	bool ns_init;                /* the first of its pid namespace: signals without a handler do not reach it */
};

/* Work to look at before returning to user mode (task->work). Any bit leaves the fast path. */
#define WORK_SIGNAL 1u
#define WORK_RESCHED 2u
#define WORK_STRACE 4u /* tested on entry too */
#define WORK_SECCOMP 8u
#define WORK_PTRACE 16u
#define WORK_RSEQ 32u
#define WORK_FREEZE 64u /* the control group is frozen: the container paused */
#define WORK_MEMORY 128u   /* a control group is above its memory limits */
#define WORK_THROTTLE 256u /* a control group has used up its CPU time of this period */
#define WORK_IO 512u       /* its control groups have moved more data than they may by now */
#define WORK_SYSCALL_ENTRY (WORK_STRACE | WORK_SECCOMP | WORK_PTRACE)

#define TASK_STACK_END 0x57ac6e9d00c0ffeeull

struct robust_list_head;

struct task {
	/* entry code and the dispatcher look here first */
	uint32_t work; /* WORK_*; set by others with task_set_work() */
	uint32_t state;
	struct regs *regs; /* user registers, at the top of the kernel stack */
	int tid;  /* in the sandbox */
	int vtid; /* in its own pid namespace: what it calls itself */
	uint32_t refs;
	struct process *process;
	struct mm *mm; /* NULL: kernel task or zombie */
	struct cred *cred;
	struct fd_table *files;
	struct fs_context *fs;
	struct ns_set *ns; /* NULL: kernel task or zombie */
	struct machine_task machine;
	uint64_t context; /* saved kernel RSP when not running */
	void *kernel_stack; /* its lowest word is TASK_STACK_END for ever */
	struct page *stack_page; /* the first of its pages */

	TAILQ_ENTRY(task) sibling;  /* process->tasks */
	TAILQ_ENTRY(task) runqueue;
	TAILQ_ENTRY(task) hash;
	unsigned cpu;          /* runs there, or last did */
	uint64_t affinity;     /* CPU mask */
	uint64_t affinity_wanted; /* before its control group's CPUs cut it */
	struct cpu_group *cpu_group; /* bandwidth.h; NULL: none */
	uint32_t cpu_load;     /* its weight, as counted there; 0: it is not runnable */
	uint64_t io_awaited[IO_DIRECTIONS]; /* cgroup_io.h: with WORK_IO, the devices whose limits it waits for; 0: none */
	int8_t nice;
	uint8_t policy;        /* SCHED_* */
	uint8_t rt_priority;
	uint64_t vruntime, slice_start, exec_start, runtime; /* ns */
	uint64_t kernel_since; /* TSC, when it came into the kernel or went on in it; 0: it has left */
	uint64_t system_ticks; /* of the TSC, that it was there before */
	struct cpu_times told;
	uint64_t nvcsw, nivcsw, min_flt, maj_flt;
	uint64_t start_time;
	char comm[16];

	bool block_interruptible, killed;
	bool frozen; /* sleeps in cgroup_freeze_here() */
	struct ktimer block_timer;
	bool block_timed_out;

	sigset64 blocked, saved_blocked; /* saved: for sigsuspend, ppoll; valid if restore_blocked */
	bool restore_blocked;
	struct sigpending pending;
	uint64_t altstack_sp, altstack_size;
	uint32_t altstack_flags;
	struct { /* ERESTART_RESTARTBLOCK */
		int64_t (*fn)(struct task *task);
		uint64_t arg[5];
	} restart;

	uaddr_t clear_child_tid, set_child_tid;
	uaddr_t robust_list;
	uaddr_t rseq;
	uint32_t rseq_len, rseq_sig;
	struct task *vfork_parent; /* waits until we exec or exit */
	struct waitq vfork_done;
	uint64_t timer_slack;
	bool kernel_task;
	struct waiter *futex_waiter;
	bool exiting;         /* in task_exit(): no signal interrupts its sleeps any more */
	int exit_code;        /* wait status of this thread alone */
	sigset64 real_blocked; /* sigtimedwait(2): the mask that holds outside it */
	uint64_t fault_trap, fault_error, fault_addr; /* of the last exception, for the signal frame */
	uint16_t ioprio;
	struct task_keyrings keyrings;
	struct mempolicy mempolicy; /* set_mempolicy(2) */
	bool reset_on_fork;
	struct seccomp_state seccomp;
	struct ptrace ptrace;
	struct ptrace_list tracees;
	struct launch *launch; /* being started from outside (kernel/container.h), else NULL */
};

#define current (this_cpu()->running)

void task_get(struct task *task);
void task_put(struct task *task);
/* By number as the current process sees it; no reference; valid until the next sleep. */
struct task *task_find(int nr);
struct process *process_find(int nr);
struct task *task_find_global(int tid); /* by the sandbox' own numbers; likewise */
struct process *process_find_global(int pid);
void process_get(struct process *process);
void process_put(struct process *process);
bool task_is_single(const struct task *task); /* no other task, of its process or not, has its memory */
extern struct process_list all_processes;
extern struct process *init_process;
/* What kernel_answers() says of some task has changed: its ids, its parent, or who watches its calls. */
static inline void task_answers_changed(void)
{
	if (machine->answers_changed)
		machine->answers_changed();
}
static inline void task_set_work(struct task *task, uint32_t bits)
{
	__atomic_fetch_or(&task->work, bits, __ATOMIC_SEQ_CST);
	if (bits & WORK_SYSCALL_ENTRY)
		task_answers_changed();
}

/*
 * task.c. A zeroed task in state NEW: kernel stack, regs at its top, FPU area in its initial state. No ids, no
 * process. It has one reference: the one that a running task has on itself (see sched_exit()). NULL: no memory.
 */
struct task *task_alloc(void);
struct process *process_alloc(void); /* one reference; empty lists; no ids. NULL: no memory */
#define TASK_ID_MAX 32768
#define TASK_ID_FIRST_REUSED 300
bool tid_in_use(int tid); /* as a task, group or session */
int tid_alloc(void);                 /* a number that no task, group or session uses; or -EAGAIN */
void task_hash_insert(struct task *task); /* by task->tid; takes a reference */
void task_hash_remove(struct task *task);
/* The first process, tid 1, with its session and group, in state NEW; no mm, files, fs. Takes over cred. Sets init_process. */
struct task *task_create_init(struct cred *cred);
/* A process without a parent in a container, as above; NULL: no memory, no number (cred is then the caller's). */
struct task *task_create_process(struct cred *cred, struct container *container, struct ns_set *ns); /* takes a reference to ns */
/* What stands between the work of a trap and user mode, until nothing is left. May sleep or not return. */
void task_exit_work(struct task *task, struct regs *regs);
struct session *session_create(int sid);
void session_get(struct session *session);
void session_put(struct session *session);
bool pgrp_exists_in_session(int pgid, const struct session *session);
struct task *task_find_get(int tid); /* with a reference, or NULL */

/* The function of a new task's first context (context_prepare(task->regs, task_start, task)). */
void task_start(void *task);
/* execve and exit: the old mm is being left: robust futexes, clear_child_tid, a waiting vfork parent. May sleep. */
void task_mm_release(struct task *task);
/* Exit path, WORK_RSEQ set: a preempted or signalled restartable sequence goes to its abort handler (rseq(2)). May sleep. */
void rseq_update(struct regs *regs);

/* sched.c */
void sched_init(void);
/* First thing on a task's fresh stack (see ring0/context.h): completes the switch that led here. Kernel lock held. */
void sched_finish_switch(void);
/* Leave for ever; state is ZOMBIE or DEAD. The reference that the running task has on itself is put once its stack is left. */
void sched_exit(void) __attribute__((noreturn));
void schedule(void);                    /* give up the CPU; state was set by the caller */
void sched_yield_current(void);
void sched_affinity_changed(struct task *task); /* to a CPU that it may run on, before it runs user code again */
void sched_make_runnable(struct task *task); /* picks a CPU, kicks it if idle or if it should preempt */
void sched_make_runnable_patient(struct task *task); /* the same, but it takes its turn: nobody is preempted for it */
void sched_resched_if_needed(void);     /* exit path: WORK_RESCHED */
void sched_tick(void);                  /* timer interrupt */
void sched_new_task(struct task *task); /* first time */
/* A task of the kernel itself (kwork, write-back). Holds the kernel lock when running. */
struct task *kernel_task_create(const char *name, void (*fn)(void *arg), void *arg);
uint64_t sched_loadavg(unsigned which); /* fixed point, 11 bits, as /proc/loadavg */
uint64_t sched_idle_ns(unsigned cpu);
unsigned sched_running(void);

/* fork.c, exit.c. clone_args as in clone3(2), already copied in and of full size. tid or -errno. */
struct clone_args;
int64_t task_clone(struct clone_args *args, struct regs *regs);
void task_exit(int code) __attribute__((noreturn));           /* this thread: exit(2) */
void process_exit_group(int wait_status) __attribute__((noreturn)); /* exit_group(2), fatal signals */
/*
 * execve, at its commit point, before the mm is replaced: ends the other threads, becomes the leader, then
 * task_mm_release(). Clears rseq, POSIX timers. The caller then switches mm and calls signal_exec_reset(). May sleep.
 * 0, or -EINTR: the task was killed; the caller gives back what it made ready and returns.
 */
int task_exec_commit_threads(void);
/*
 * Before what execve has looked at is changed from outside (a tracer comes, no_new_privs): until no thread of the process is in it.
 * May sleep, the process may be gone then. 0, or -EINTR.
 */
int task_await_exec(struct process *process);

/* What wait4/waitid found. */
struct wait_result {
	int pid;
	uint32_t uid;
	int status; /* wait status */
	int code;   /* CLD_* */
	uint64_t utime, stime;
	uint64_t rusage_maxrss, rusage_minflt, rusage_majflt, rusage_nvcsw, rusage_nivcsw;
};
/* which: P_ALL, P_PID, P_PGID, P_PIDFD resolved to a pid by the caller. pid, 0 (WNOHANG) or -errno. */
int task_wait(int which, int id, int options, struct wait_result *result);

/* The first container's first process; runs /path given by config (kernel/init.c). */
void init_start(void);
/* exit.c calls it when that process' last thread has gone: every other process is killed already; ends the sandbox. */
void init_exited(int wait_status) __attribute__((noreturn));

#endif
