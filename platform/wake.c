/*
 * Waking: kicks, idling and the timer of a CPU.
 *
 * The rule that loses no kick: whoever kicks sets `pending` and then looks whether the
 * CPU runs a stub (its platform interrupts it) or sleeps (eventfd). The CPU says what it does first and
 * looks at `pending` after. A signal that comes late only costs a TRAP_INTERRUPT without
 * cause. The timer's handler runs on the CPU's own thread, on its alternate stack, and
 * kicks itself; a deadline moved later leaves the host timer armed and corrects it when
 * it fires, since moving a time slice is frequent and firing early is not.
 */
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "platform/hosted.h"

#define NEVER UINT64_MAX

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
}

void wake_wait(volatile uint32_t *word)
{
	while (!__atomic_load_n(word, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

void wake_set(volatile uint32_t *word)
{
	__atomic_store_n(word, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 64, NULL, NULL, 0);
}

void wake_park(void)
{
	static uint32_t never;

	for (;;)
		syscall(SYS_futex, &never, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

void wake_kick(unsigned cpu)
{
	struct host_cpu *h = &host_cpus[cpu];
	uint32_t sleeping = 1;

	__atomic_store_n(&h->pending, 1, __ATOMIC_SEQ_CST);
	hosted_kind->interrupt(h);
	if (__atomic_compare_exchange_n(&h->sleeping, &sleeping, 2, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		uint64_t one = 1;
		ssize_t n = write(h->wake_fd, &one, sizeof(one)); /* whoever made it 2 writes once */

		(void)n;
	}
}

void wake_idle(unsigned cpu, uint64_t deadline)
{
	struct host_cpu *h = &host_cpus[cpu];
	uint64_t wanted = h->timer_wanted, count;

	if (h->vmm->ended)
		wake_park();
	__atomic_store_n(&h->sleeping, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&h->pending, __ATOMIC_SEQ_CST))
		io_wait(h->vmm, h->wake_fd, deadline < wanted ? deadline : wanted, NULL);
	if (__atomic_exchange_n(&h->sleeping, 0, __ATOMIC_SEQ_CST) == 2)
		while (read(h->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR)
			;
	__atomic_store_n(&h->pending, 0, __ATOMIC_SEQ_CST);
	if (h->vmm->ended)
		wake_park();
}

void wake_pause(uint64_t ns)
{
	struct timespec t = to_timespec(ns);

	syscall(SYS_ppoll, NULL, 0, &t, NULL, 0);
}

static void timer_arm(struct host_cpu *h, uint64_t deadline)
{
	struct itimerspec spec = {.it_value = to_timespec(deadline ? deadline : 1)};

	h->timer_armed = deadline;
	timer_settime(h->timer, TIMER_ABSTIME, &spec, NULL);
}

/* Only noted: idling takes the deadline along, so the host's timer is armed when user code is to run. */
void wake_timer(unsigned cpu, uint64_t deadline)
{
	__atomic_store_n(&host_cpus[cpu].timer_wanted, deadline, __ATOMIC_SEQ_CST);
}

void wake_arm_timer(struct host_cpu *h)
{
	if (h->timer_wanted < h->timer_armed)
		timer_arm(h, h->timer_wanted);
}

static void timer_fired(int signal)
{
	struct host_cpu *h = host_self;
	uint64_t wanted;
	int saved = errno;

	if (h) {
		wanted = __atomic_load_n(&h->timer_wanted, __ATOMIC_SEQ_CST);
		h->timer_armed = NEVER;
		if (wanted != NEVER && wanted > monotonic_ns()) {
			timer_arm(h, wanted);
		} else if (wanted != NEVER) {
			__atomic_store_n(&h->timer_wanted, NEVER, __ATOMIC_SEQ_CST);
			wake_kick(h->cpu);
		}
	}
	errno = saved;
}

int wake_init(struct host_cpu *h)
{
	struct sigaction action = {.sa_handler = timer_fired, .sa_flags = SA_RESTART | SA_ONSTACK};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = HOSTED_WAKE_SIGNAL};
	stack_t stack = {.ss_size = 65536};
	sigset_t set;

	stack.ss_sp = malloc(stack.ss_size);
	if (!stack.ss_sp || sigaltstack(&stack, NULL) < 0)
		return -ENOMEM;
	sigfillset(&action.sa_mask);
	if (sigaction(HOSTED_WAKE_SIGNAL, &action, NULL) < 0)
		return -errno;
	/* This thread takes its timer and what its own mistakes raise; all else goes to the main thread. */
	sigfillset(&set);
	sigdelset(&set, HOSTED_WAKE_SIGNAL);
	sigdelset(&set, SIGSEGV);
	sigdelset(&set, SIGBUS);
	sigdelset(&set, SIGILL);
	sigdelset(&set, SIGFPE);
	sigdelset(&set, SIGTRAP);
	sigdelset(&set, SIGSYS);
	if (pthread_sigmask(SIG_SETMASK, &set, NULL))
		return -EINVAL;
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	h->timer_armed = NEVER;
	h->timer_wanted = NEVER;
	h->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (h->wake_fd < 0)
		return -errno;
	return timer_create(CLOCK_MONOTONIC, &event, &h->timer) < 0 ? -errno : 0;
}
