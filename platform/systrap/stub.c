/*
 * Stub processes: the master, new stubs, their orders, their end.
 *
 * The master is forked from the CPU's thread before the jail and strips itself; it never
 * runs the container's code and only makes stubs, by clone. A new stub's mapping thread
 * first executes the orders that make_post() left on its page: it gives up the exchange
 * file, puts its own filter on, and makes the running thread, which says that it is ready.
 * Nobody waits for that but who needs the stub: they are made ahead. That an order was executed
 * is said on an eventfd, which no thread of a stub but the mapping thread may write: what
 * it says is believed, and nothing else. Stubs that served a space come back by park.c. The main thread reaps.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "platform/internal.h"
#include "platform/systrap/internal.h"
#include "platform/systrap/stub.h"

#define SA_RESTORER_FLAG 0x04000000ul
#define HIGH_FD 200 /* above every descriptor that the VMM has at start */
#define HOST_TASK_SIZE 0x7ffffffff000ull
#define DEATH (1ull << 32) /* in a reply: somebody died, look */
#define REPLY_ERROR 0x10000u
#define TURN_NS 1000000l /* a stub that is not there yet is looked for so often ... */
#define TURNS 10000u     /* ... and so many times */

int st_reply_fd[ABI_MAX_CPUS], st_chain_fd[ABI_MAX_CPUS];

static int exchange_fd = -1;
static int setup_fd = -1; /* ST_FD_SETUP */

int strap_exchange_create(unsigned cpus)
{
	exchange_fd = memfd_create("ringfence-stubs", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (exchange_fd < 0 || ftruncate(exchange_fd, (off_t)((uint64_t)cpus * STUB_SLOTS * SLOT_SIZE)) < 0)
		return -errno;
	/* Nobody who took the sentry over takes more of the host's memory by it. */
	if (fcntl(exchange_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	setup_fd = eventfd(0, EFD_CLOEXEC);
	if (setup_fd < 0)
		return -errno;
	for (unsigned i = 0; i < cpus; i++) {
		st_reply_fd[i] = eventfd(0, EFD_CLOEXEC);
		st_chain_fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (st_reply_fd[i] < 0 || st_chain_fd[i] < 0)
			return -errno;
		if (strap_park_create(i) < 0)
			return -errno;
		if (strap_park_end(i) >= HIGH_FD)
			return -EMFILE;
	}
	return 0;
}

static int slots_map(struct st_cpu *c)
{
	uint64_t first = (uint64_t)c->cpu * STUB_SLOTS * SLOT_SIZE;
	uint8_t *base = mmap(NULL, STUB_SLOTS * SLOT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, exchange_fd, (off_t)first);

	if (base == MAP_FAILED)
		return -errno;
	madvise(base, STUB_SLOTS * SLOT_SIZE, MADV_DONTFORK);
	c->exchange = base;
	return 0;
}

/* A slot's first use: most never have one, and their pages need not be touched. False: it has been used. */
static bool slot_open(struct st_cpu *c, struct stub *s)
{
	uint64_t at = (uint64_t)(s - c->slot) * SLOT_SIZE;

	if (s->area)
		return false;
	s->cpu = c->cpu;
	s->place = (uint64_t)c->cpu * STUB_SLOTS * SLOT_SIZE + at;
	s->orders = (struct st_orders *)(c->exchange + at);
	s->area = (struct st_area *)(c->exchange + at + ST_ORDERS_SIZE);
	return true;
}

/* ---- in the child, until it jumps to its code page ---- */

static long child_pages(struct st_cpu *c)
{
	void *code = (void *)ST_CODE;
	long place = (long)c->slot[0].place;

	if (syscall(SYS_mmap, ST_ORDERS, ST_ORDERS_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, exchange_fd, place) < 0)
		return -1;
	if (syscall(SYS_mmap, ST_AREA, ST_AREA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, exchange_fd,
		    place + ST_ORDERS_SIZE) < 0)
		return -1;
	if (syscall(SYS_mmap, code, ST_CODE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) < 0)
		return -1;
	__builtin_memcpy(code, st_code_begin, (size_t)(st_code_end - st_code_begin));
	strap_filter_programs((uint8_t *)ST_PROGRAMS);
	return syscall(SYS_mprotect, code, ST_CODE_SIZE, PROT_READ | PROT_EXEC);
}

static long child_descriptors(struct st_cpu *c)
{
	unsigned cpus = c->vmm->cpus;

	if (syscall(SYS_dup3, c->vmm->memory.user_memfd, HIGH_FD + ST_FD_USER, 0) < 0 ||
	    syscall(SYS_dup3, exchange_fd, HIGH_FD + ST_FD_EXCHANGE, 0) < 0 ||
	    syscall(SYS_dup3, setup_fd, HIGH_FD + ST_FD_SETUP, 0) < 0 ||
	    syscall(SYS_dup3, strap_park_end(c->cpu), HIGH_FD + ST_FD_PARK, 0) < 0)
		return -1;
	for (unsigned i = 0; i < cpus; i++)
		if (syscall(SYS_dup3, st_reply_fd[i], HIGH_FD + ST_FD_REPLY + 2 * i, 0) < 0 ||
		    syscall(SYS_dup3, st_chain_fd[i], HIGH_FD + ST_FD_REPLY + 2 * i + 1, 0) < 0)
			return -1;
	if (syscall(SYS_close_range, 0, HIGH_FD - 1, 0) < 0 ||
	    syscall(SYS_close_range, HIGH_FD + ST_FD_REPLY + 2 * cpus, ~0u, 0) < 0)
		return -1;
	for (unsigned i = 0; i < ST_FD_REPLY + 2 * cpus; i++)
		if ((i <= ST_FD_PARK || i >= ST_FD_REPLY) && syscall(SYS_dup3, HIGH_FD + i, i, 0) < 0)
			return -1;
	return syscall(SYS_close_range, HIGH_FD, ~0u, 0);
}

/* The handler for what user code raises and for the kick; all else, which only outsiders send, is ignored. */
static long child_signals(void)
{
	static const int handled[] = {SIGSYS, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, STUB_KICK};
	uint64_t handler = ST_CODE + (uint64_t)(st_code_handler - st_code_begin), all = ~0ull;

	for (int i = 1; i < 65; i++) {
		uint64_t action[4] = {1 /* SIG_IGN */, 0, 0, 0}; /* struct kernel_sigaction */

		for (unsigned k = 0; k < sizeof(handled) / sizeof(handled[0]); k++) {
			if (handled[k] != i)
				continue;
			action[0] = action[2] = handler;
			action[1] = SA_SIGINFO | SA_ONSTACK | SA_RESTORER_FLAG;
			action[3] = all;
		}
		syscall(SYS_rt_sigaction, i, action, NULL, sizeof(all));
	}
	return syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
}

/* Exit codes 100.. name the step that failed. */
static void __attribute__((noreturn)) child_main(struct st_cpu *c)
{
	void (*jump)(void);

	child_signals();
	hosted_child_rseq();
	if (child_pages(c) < 0)
		syscall(SYS_exit_group, 102);
	if (child_descriptors(c) < 0)
		syscall(SYS_exit_group, 103);
	if (hosted_child_privileges(c->vmm, c->vmm->cpus * 2ull * STUB_SLOTS) < 0)
		syscall(SYS_exit_group, 104);
	if (strap_filter_master() < 0)
		syscall(SYS_exit_group, 105);
	jump = (void (*)(void))(ST_CODE + (uint64_t)(st_code_master - st_code_begin));
	jump();
	__builtin_unreachable();
}

/* ---- orders ---- */

/* Let the stub begin with its orders. */
static void orders_post_to(struct stub *s, unsigned count, uint32_t reply_fd)
{
	s->orders->map_count = count;
	s->orders->reply_fd = reply_fd;
	__atomic_add_fetch(&s->orders->map_go, 1, __ATOMIC_SEQ_CST);
	st_futex(&s->orders->map_go, FUTEX_WAKE, 1, NULL);
}

static void orders_post(struct stub *s, unsigned count)
{
	__atomic_store_n(&s->waiter, host_self->cpu + 1, __ATOMIC_SEQ_CST);
	orders_post_to(s, count, ST_FD_REPLY + 2 * host_self->cpu);
}

static bool reply_is_there(void)
{
	struct pollfd reply = {.fd = st_reply_fd[host_self->cpu], .events = POLLIN};

	return poll(&reply, 1, 0) > 0;
}

/* Wait for them: 0, or -errno of one that failed, or -ESRCH. */
static int orders_wait(struct stub *s)
{
	uint64_t got = 0;

	while (!(uint32_t)got) {
		uint64_t value;
		ssize_t n;

		/* The death of one that had no waiter yet is told to nobody. */
		if (__atomic_load_n(&s->dead, __ATOMIC_SEQ_CST) && !reply_is_there())
			return -ESRCH;
		n = read(st_reply_fd[host_self->cpu], &value, sizeof(value));

		if (n == (ssize_t)sizeof(value))
			got += value & (DEATH - 1);
		else if (n < 0 && errno != EINTR)
			return -errno;
		if (s->dead)
			return -ESRCH;
	}
	__atomic_store_n(&s->waiter, 0, __ATOMIC_SEQ_CST);
	return got >= REPLY_ERROR ? -(int)(got & (REPLY_ERROR - 1)) : 0;
}

static void order_put(struct stub *s, unsigned at, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	s->orders->list[at] = (struct st_order){.nr = nr, .arg = {a0, a1, a2}};
}

int strap_flush(struct stub *s)
{
	struct st_cpu *c = &st_cpus[s->cpu];
	unsigned count = s->order_count;
	int error = c->chain == s ? strap_collect(c) : 0;

	if (!count || error || s->failed)
		return s->failed;
	s->order_count = 0;
	s->taken = false;
	orders_post(s, count);
	error = orders_wait(s);
	if (error) {
		s->failed = error;
		strap_kill(s);
	}
	return error;
}

void strap_chain(struct st_cpu *c, struct stub *s)
{
	unsigned count = s->order_count;

	strap_collect(c);
	if (s->failed)
		return;
	s->order_count = 0;
	c->chain = s;
	orders_post_to(s, count, (ST_FD_REPLY + 2 * c->cpu + 1) | ORD_REPLY_RUN);
}

/* -EAGAIN: not done yet. */
static int chain_read(struct st_cpu *c)
{
	struct stub *s = c->chain;
	bool dead = s->dead;
	uint64_t value;

	if (read(st_chain_fd[c->cpu], &value, sizeof(value)) != (ssize_t)sizeof(value))
		value = 0;
	value &= DEATH - 1;
	if (!value && !dead)
		return -EAGAIN;
	c->chain = NULL;
	if (value == 1 && !dead) {
		s->taken = false; /* nothing was ordered since: order_add() */
		return 0;
	}
	s->failed = value >= REPLY_ERROR ? -(int)(value & (REPLY_ERROR - 1)) : -ESRCH;
	strap_kill(s);
	return s->failed;
}

int strap_collect(struct st_cpu *c)
{
	int error = 0;

	while (c->chain && (error = chain_read(c)) == -EAGAIN) {
		struct pollfd fd = {.fd = st_chain_fd[c->cpu], .events = POLLIN};

		poll(&fd, 1, -1);
	}
	return error;
}

int strap_chain_check(struct st_cpu *c, struct stub *s)
{
	int error = 0;

	pthread_mutex_lock(&c->lock);
	if (c->chain == s)
		error = chain_read(c);
	pthread_mutex_unlock(&c->lock);
	return error == -EAGAIN ? 0 : error;
}

int strap_move(struct st_cpu *c, struct stub *s, int core)
{
	int error;

	pthread_mutex_lock(&c->lock);
	error = strap_flush(s);
	if (!error) {
		s->orders->mask = 1ull << core;
		order_put(s, s->order_count++, SYS_sched_setaffinity, (uint64_t)s->tid, 8, ST_ORDERS + ORD_MASK);
		error = strap_flush(s);
	}
	pthread_mutex_unlock(&c->lock);
	return error;
}

/* ---- in the CPU's thread ---- */

static struct stub *slot_find(struct st_cpu *c)
{
	for (unsigned i = 1; i < STUB_SLOTS; i++)
		if (__atomic_load_n(&c->slot[i].state, __ATOMIC_ACQUIRE) == STUB_FREE)
			return &c->slot[i];
	return NULL; /* the others are dying still */
}

static void slot_clean(struct st_cpu *c, struct stub *s)
{
	if (!slot_open(c, s)) { /* else it is zero */
		memset(s->area, 0, sizeof(*s->area));
		memset((void *)s->orders, 0, ORD_LIST);
	}
	strap_frame_reset(s);
	s->orders->fsgsbase = st_fsgsbase;
	s->pid = s->tid = 0;
	s->order_count = 0;
	s->taken = false;
	s->failed = 0;
	s->dead = 0;
	s->killed = false;
	s->bases_known = s->apart = false;
	s->retired = 0;
	s->answers = 0;
	s->shown_count = 0;
	s->late = 0;
	strap_frame_init(s);
}

static volatile uint32_t *slot_pid(struct st_cpu *c, const struct stub *s)
{
	return &c->slot[0].area->pids[s - c->slot];
}

/* Ask the master for one. False: it has not begun with the last one yet, or no slot is free. */
static bool make_post(struct st_cpu *c)
{
	struct stub *m = &c->slot[0], *s, **end;

	if (c->making && !*slot_pid(c, c->making))
		return false;
	s = slot_find(c);
	if (!s)
		return false;
	slot_clean(c, s);
	*slot_pid(c, s) = 0;
	__atomic_store_n(&s->state, STUB_MAKING, __ATOMIC_SEQ_CST);
	order_put(s, 0, SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0);
	order_put(s, 1, SYS_close, ST_FD_EXCHANGE, 0, 0);
	order_put(s, 2, SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, ST_PROGRAMS);
	order_put(s, 3, SYS_clone, ST_CLONE_RUNNER, 0, ST_AREA + AREA_TID); /* the last: that thread says ready */
	s->orders->sleeps = 1; /* so that it wakes whoever waits for it */
	orders_post_to(s, 4, ST_FD_SETUP);
	order_put(m, 0, SYS_clone, ST_CLONE_STUB, 0, ST_AREA + AREA_PIDS + 4 * (uint64_t)(s - c->slot));
	m->orders->list[0].place = s->place;
	orders_post_to(m, 1, ST_FD_SETUP);
	c->making = s;
	s->next = NULL;
	for (end = &c->spare; *end; end = &(*end)->next)
		;
	*end = s;
	c->spares++;
	return true;
}

pid_t strap_make_master(struct st_cpu *c)
{
	struct stub *m = &c->slot[0];
	int error = slots_map(c);

	if (error)
		return error;
	slot_open(c, m);
	m->state = STUB_LIVE;
	m->pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (m->pid < 0)
		return -errno;
	if (!m->pid)
		child_main(c);
	/* All else of the VMM's memory goes. */
	order_put(m, 0, SYS_munmap, 0, ST_ORDERS, 0);
	order_put(m, 1, SYS_munmap, ST_CODE + ST_CODE_SIZE, ST_AREA - ST_CODE - ST_CODE_SIZE, 0);
	order_put(m, 2, SYS_munmap, ST_END, HOST_TASK_SIZE - ST_END, 0);
	orders_post(m, 3);
	error = orders_wait(m);
	if (error)
		vmm_log(VMM_LOG_ERROR, "systrap: the stub of CPU %u failed: %s", c->cpu, strerror(-error));
	if (!error && c->cpu == 0)
		make_post(c); /* of the first program; what never runs a second one needs no more */
	return error ? error : m->pid;
}

void strap_make_ahead(struct st_cpu *c)
{
	while (c->spares + c->parked_count < c->spares_wanted && make_post(c))
		;
}

static bool is_ready(struct st_cpu *c, struct stub *s)
{
	return __atomic_load_n(&s->area->state, __ATOMIC_ACQUIRE) && *slot_pid(c, s);
}

/* Nobody makes stubs for this CPU any more, and here no process can be made: the sandbox ends. */
static bool master_lost(struct st_cpu *c)
{
	const struct stub *m = &c->slot[0];

	if (!m->dead)
		return false;
	if (!c->vmm->ended)
		vmm_log(VMM_LOG_ERROR, "systrap: the process that makes stubs for CPU %u was killed by signal %d", c->cpu,
			WTERMSIG(m->status));
	vmm_fail(c->vmm, SIGKILL);
	return true;
}

/* Its area is to be believed until it runs a program's code. 0 or -errno. */
static int make_wait(struct st_cpu *c, struct stub *s)
{
	const struct timespec turn = {.tv_nsec = TURN_NS};

	for (unsigned turns = 0; !is_ready(c, s); turns++) {
		if (turns == TURNS)
			return -EAGAIN;
		if (master_lost(c))
			return -ESRCH;
		st_futex(&s->area->state, FUTEX_WAIT, 0, &turn);
	}
	return 0;
}

/* The first that is ready, better one that shows nothing; if there is none, the first. */
static struct stub **spare_choose(struct st_cpu *c)
{
	struct stub **best = &c->spare;

	for (struct stub **at = &c->spare; *at; at = &(*at)->next) {
		if (!is_ready(c, *at))
			continue;
		if (!(*at)->retired)
			return at;
		if (!is_ready(c, *best))
			best = at;
	}
	return best;
}

/* No spare any more. NULL: it is of no use. */
static struct stub *spare_take(struct st_cpu *c, struct stub **at)
{
	struct stub *s = *at;
	uint32_t making = STUB_MAKING;

	*at = s->next;
	c->spares--;
	if (s->state == STUB_MAKING) { /* else it has served or died: its numbers are known, its area is believed in nothing */
		s->pid = (pid_t)*slot_pid(c, s);
		s->tid = (pid_t)s->area->tid;
		__atomic_compare_exchange_n(&s->state, &making, STUB_LIVE, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	}
	if (s->dead || s->failed) {
		strap_end(s);
		return NULL;
	}
	s->orders->sleeps = 0;
	s->waiter = 0;
	strap_make_ahead(c);
	return s;
}

struct stub *strap_take_retired(struct st_cpu *c, uint64_t old)
{
	struct stub **at, *s;

	do {
		strap_park_collect(c);
		for (at = &c->spare; *at && (*at)->retired != old; at = &(*at)->next)
			;
		for (s = c->parked; s && s->retired != old; s = s->next)
			;
	} while (!*at && s && strap_park_wait(c));
	s = *at ? spare_take(c, at) : NULL;
	if (s)
		s->retired = 0;
	return s;
}

struct stub *strap_take(struct st_cpu *c, int *error)
{
	struct stub **at, *s;

	strap_park_collect(c);
	while (c->parked && (!c->spare || !is_ready(c, c->spare)) && strap_park_wait(c))
		;
	for (unsigned tries = 0; !c->spare && !make_post(c); tries++) {
		if (tries == TURNS || master_lost(c)) {
			*error = -EAGAIN;
			return NULL;
		}
		wake_pause(TURN_NS);
	}
	at = spare_choose(c);
	s = *at;
	if (c->used && c->spares_wanted < SPARE_MIN)
		c->spares_wanted = SPARE_MIN;
	if (c->used && !is_ready(c, s) && c->spares_wanted < SPARE_MAX)
		c->spares_wanted++;
	c->used = true;
	*error = make_wait(c, s);
	if (*error == -EAGAIN)
		vmm_log(VMM_LOG_WARNING, "systrap: CPU %u: a stub was not made in time", c->cpu);
	if (*error)
		return NULL; /* it stays the first of the spares: the next one who asks waits on */
	if (s->retired)
		strap_empty(s);
	s = spare_take(c, at);
	return s ? s : strap_take(c, error);
}

void strap_end(struct stub *s)
{
	uint32_t state = STUB_LIVE;

	if (__atomic_compare_exchange_n(&s->state, &state, STUB_DYING, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		syscall(SYS_kill, s->pid, SIGKILL);
	else if (state == STUB_DEAD)
		__atomic_store_n(&s->state, STUB_FREE, __ATOMIC_SEQ_CST);
}

void strap_kill(struct stub *s)
{
	uint32_t state;

	if (s->state == STUB_LIVE) {
		s->killed = true;
		syscall(SYS_kill, s->pid, SIGKILL);
	}
	while ((state = __atomic_load_n(&s->state, __ATOMIC_SEQ_CST)) == STUB_LIVE)
		st_futex(&s->state, FUTEX_WAIT, state, NULL);
}

/* ---- in the main thread ---- */

/* Of a spare that nobody has taken yet the master alone has the number. */
static bool is_of(struct st_cpu *c, const struct stub *s, pid_t pid)
{
	uint32_t state = __atomic_load_n(&s->state, __ATOMIC_SEQ_CST);

	if (s->dead || state < STUB_MAKING)
		return false;
	return s->pid == pid || (state == STUB_MAKING && (pid_t)*slot_pid(c, s) == pid);
}

static struct stub *slot_of(pid_t pid)
{
	for (unsigned cpu = 0; cpu < ABI_MAX_CPUS; cpu++)
		for (unsigned i = 0; i < STUB_SLOTS && st_cpus[cpu].vmm; i++)
			if (is_of(&st_cpus[cpu], &st_cpus[cpu].slot[i], pid))
				return &st_cpus[cpu].slot[i];
	return NULL;
}

static void tell(int fd)
{
	uint64_t value = DEATH;
	ssize_t n = write(fd, &value, sizeof(value));

	(void)n;
}

static void reaped(struct stub *s, int status)
{
	uint32_t state = __atomic_load_n(&s->state, __ATOMIC_SEQ_CST), waiter;

	s->status = status;
	__atomic_store_n(&s->dead, 1, __ATOMIC_SEQ_CST);
	waiter = __atomic_load_n(&s->waiter, __ATOMIC_SEQ_CST);
	if (waiter)
		tell(st_reply_fd[waiter - 1]);
	tell(st_chain_fd[s->cpu]);
	__atomic_store_n(&s->area->state, 1, __ATOMIC_SEQ_CST);
	st_futex(&s->area->state, FUTEX_WAKE, 64, NULL);
	/* The last: after this it may be used again. */
	while (!__atomic_compare_exchange_n(&s->state, &state,
		state == STUB_MAKING || state == STUB_LIVE ? STUB_DEAD : STUB_FREE, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	st_futex(&s->state, FUTEX_WAKE, 64, NULL);
}

void strap_reap(int signal)
{
	int saved = errno, status;
	pid_t pid;

	while ((pid = (pid_t)syscall(SYS_wait4, -1, &status, WNOHANG | __WALL, NULL)) > 0) {
		struct stub *s = slot_of(pid);

		if (s)
			reaped(s, status);
		else
			boot_child_ended(pid, status); /* the gofer */
	}
	errno = saved;
}
