/*
 * Unit tests of the signal queues: order, what is queued once and what each time, what is
 * ignored, stop against continue, the limit, siginfo both ways, masks.
 */
#include <signal.h>
#include <linux/errno.h>
#include <string.h>
#include <sys/resource.h>

#include "test/unit/kernel/process_fixture.h"

#define RT(n) (32 + (n)) /* the kernel's SIGRTMIN is 32 */

static struct task *self;

static void catch_all(struct process *process)
{
	for (int i = 0; i < KSIG_MAX; i++)
		process->sighand->action[i].handler = 0x400000;
}

static void setup(void)
{
	self = fixture_boot();
	catch_all(self->process);
}

static void send(int signo, int code, uint64_t value)
{
	struct ksiginfo info = {.signo = signo, .code = code, .value = value, .pid = 77};

	ck_assert_int_eq(signal_send_process(self->process, &info), 0);
}

START_TEST(lowest_first_and_once)
{
	struct ksiginfo info;

	send(SIGTERM, SI_USER, 1);
	send(SIGHUP, SI_USER, 2);
	send(SIGTERM, SI_USER, 3);
	ck_assert(signal_pending(self) && (self->work & WORK_SIGNAL));
	ck_assert_int_eq(signal_dequeue(self, ~0ull, &info), SIGHUP);
	ck_assert_uint_eq(info.value, 2);
	ck_assert_int_eq(signal_dequeue(self, ~0ull, &info), SIGTERM);
	ck_assert_uint_eq(info.value, 1);
	ck_assert_int_eq(signal_dequeue(self, ~0ull, &info), 0);
	ck_assert_uint_eq(self->process->sigqueue_count, 0);
	ck_assert(!signal_pending(self));
}
END_TEST

START_TEST(realtime_each_time_in_order)
{
	struct ksiginfo info;

	for (uint64_t i = 0; i < 5; i++) {
		send(RT(4), SI_QUEUE, i);
		send(RT(2), SI_QUEUE, i);
	}
	ck_assert_uint_eq(self->process->sigqueue_count, 10);
	for (int n = 2; n <= 4; n += 2) {
		for (uint64_t i = 0; i < 5; i++) {
			ck_assert_int_eq(signal_dequeue(self, ~0ull, &info), RT(n));
			ck_assert_uint_eq(info.value, i);
		}
	}
	ck_assert_uint_eq(signal_pending_set(self), 0);
}
END_TEST

START_TEST(faults_go_first)
{
	struct ksiginfo info = {.signo = SIGSEGV, .code = SEGV_MAPERR, .addr = 0x1234};

	send(SIGHUP, SI_USER, 0);
	signal_force(self, &info);
	ck_assert_int_eq(signal_dequeue(self, ~0ull, &info), SIGSEGV);
	ck_assert_uint_eq(info.addr, 0x1234);
	ck_assert_int_eq(signal_dequeue(self, ~0ull, &info), SIGHUP);
}
END_TEST

START_TEST(a_fault_is_not_ignored_nor_blocked)
{
	struct ksiginfo info = {.signo = SIGSEGV, .code = SEGV_MAPERR};

	self->process->sighand->action[SIGSEGV - 1].handler = 1; /* SIG_IGN */
	signal_set_blocked(self, ~0ull);
	signal_force(self, &info);
	ck_assert_uint_eq(self->process->sighand->action[SIGSEGV - 1].handler, 0);
	ck_assert(signal_pending(self));
}
END_TEST

START_TEST(ignored_is_forgotten)
{
	self->process->sighand->action[SIGUSR1 - 1].handler = 1;
	send(SIGUSR1, SI_USER, 0);
	ck_assert_uint_eq(signal_pending_set(self), 0);
	/* Blocked, it is kept: the action may change before it is unblocked. */
	signal_set_blocked(self, SIGBIT(SIGUSR1));
	send(SIGUSR1, SI_USER, 0);
	ck_assert_uint_eq(signal_pending_set(self), SIGBIT(SIGUSR1));
	ck_assert(!signal_pending(self));
}
END_TEST

START_TEST(first_process_has_no_defaults)
{
	self->process->sighand->action[SIGTERM - 1].handler = 0;
	self->process->sighand->action[SIGKILL - 1].handler = 0;
	send(SIGTERM, SI_USER, 0);
	send(SIGKILL, SI_USER, 0);
	ck_assert(!signal_pending(self) && !self->killed);
	struct ksiginfo info = {.signo = SIGKILL, .code = SI_KERNEL, .forced = true};
	ck_assert_int_eq(signal_send_process(self->process, &info), 0);
	ck_assert(self->killed && self->process->exiting);
	ck_assert_int_eq(self->process->exit_status, SIGKILL);
}
END_TEST

START_TEST(others_are_killed_at_once)
{
	struct process *child = fixture_child();
	struct ksiginfo info = {.signo = SIGTERM};

	ck_assert_int_eq(signal_send_process(child, &info), 0);
	ck_assert(child->exiting && child->leader->killed);
	ck_assert_int_eq(child->exit_status, SIGTERM);
	/* The first to end it decides. */
	ck_assert(!signal_kill_process(child, SIGKILL));
	ck_assert_int_eq(child->exit_status, SIGTERM);
}
END_TEST

START_TEST(stop_and_continue_cancel)
{
	signal_set_blocked(self, ~0ull);
	send(SIGTSTP, SI_USER, 0);
	send(SIGTTIN, SI_USER, 0);
	ck_assert_uint_eq(signal_pending_set(self), SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN));
	send(SIGCONT, SI_USER, 0);
	ck_assert_uint_eq(signal_pending_set(self), SIGBIT(SIGCONT));
	send(SIGTTOU, SI_USER, 0);
	ck_assert_uint_eq(signal_pending_set(self), SIGBIT(SIGTTOU));
}
END_TEST

START_TEST(the_queue_is_limited)
{
	struct ksiginfo info = {.signo = RT(1), .code = SI_QUEUE};

	self->process->rlimit[RLIMIT_SIGPENDING].cur = 3;
	signal_set_blocked(self, ~0ull);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(signal_send_process(self->process, &info), 0);
	ck_assert_int_eq(signal_send_process(self->process, &info), -EAGAIN);
	info.code = SI_USER; /* only the fact counts: it may lose its details */
	ck_assert_int_eq(signal_send_process(self->process, &info), 0);
	sigpending_flush(self->process, &self->process->pending);
	ck_assert_uint_eq(self->process->sigqueue_count, 0);
}
END_TEST

START_TEST(masks_are_never_absolute)
{
	signal_set_blocked(self, ~0ull);
	ck_assert_uint_eq(self->blocked, ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP)));
	signal_set_blocked(self, 5);
	signal_mask_set_temporary(0x70);
	ck_assert_uint_eq(self->blocked, 0x70);
	signal_mask_restore(false);
	ck_assert_uint_eq(self->blocked, 5);
	/* Interrupted by a signal: the old mask comes back by delivery. */
	signal_mask_set_temporary(0);
	send(SIGUSR1, SI_USER, 0);
	signal_mask_restore(true);
	ck_assert(self->restore_blocked && self->blocked == 0 && self->saved_blocked == 5);
}
END_TEST

START_TEST(siginfo_layout)
{
	uint8_t out[128];
	siginfo_t *info = (siginfo_t *)out;
	struct ksiginfo in = {.signo = SIGCHLD, .code = CLD_KILLED, .pid = 12, .uid = 34, .status = 9, .utime = 5, .stime = 6};

	ksiginfo_to_user(&in, out);
	ck_assert(info->si_signo == SIGCHLD && info->si_code == CLD_KILLED && info->si_pid == 12 && info->si_uid == 34);
	ck_assert(info->si_status == 9 && info->si_utime == 5 && info->si_stime == 6);
	in = (struct ksiginfo){.signo = SIGBUS, .code = BUS_ADRERR, .addr = 0xabcdef0123};
	ksiginfo_to_user(&in, out);
	ck_assert(info->si_addr == (void *)0xabcdef0123ul);
	in = (struct ksiginfo){.signo = RT(0), .code = SI_TIMER, .timer_id = 3, .overrun = 4, .value = 0x1122334455667788};
	ksiginfo_to_user(&in, out);
	ck_assert(info->si_timerid == 3 && info->si_overrun == 4 && info->si_value.sival_ptr == (void *)0x1122334455667788);
	in = (struct ksiginfo){.signo = SIGIO, .code = POLL_IN, .band = 65, .fd = 7};
	ksiginfo_to_user(&in, out);
	ck_assert(info->si_band == 65 && info->si_fd == 7);
	in = (struct ksiginfo){.signo = RT(0), .code = SI_QUEUE, .pid = 1, .uid = 2, .value = 3};
	ksiginfo_to_user(&in, out);
	struct ksiginfo back;
	ksiginfo_from_user(&back, out);
	ck_assert(back.signo == RT(0) && back.code == SI_QUEUE && back.pid == 1 && back.uid == 2 && back.value == 3);
}
END_TEST

START_TEST(exec_resets)
{
	struct ksigaction *actions = self->process->sighand->action;

	actions[SIGUSR1 - 1] = (struct ksigaction){.handler = 1, .flags = SA_RESTART, .mask = 1};
	self->altstack_size = 8192;
	signal_exec_reset(self);
	ck_assert(actions[SIGUSR1 - 1].handler == 1 && actions[SIGUSR1 - 1].flags == 0 && actions[SIGUSR1 - 1].mask == 0);
	ck_assert_uint_eq(actions[SIGUSR2 - 1].handler, 0);
	ck_assert_uint_eq(self->altstack_size, 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("signal");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, lowest_first_and_once);
	tcase_add_test(tcase, realtime_each_time_in_order);
	tcase_add_test(tcase, faults_go_first);
	tcase_add_test(tcase, a_fault_is_not_ignored_nor_blocked);
	tcase_add_test(tcase, ignored_is_forgotten);
	tcase_add_test(tcase, first_process_has_no_defaults);
	tcase_add_test(tcase, others_are_killed_at_once);
	tcase_add_test(tcase, stop_and_continue_cancel);
	tcase_add_test(tcase, the_queue_is_limited);
	tcase_add_test(tcase, masks_are_never_absolute);
	tcase_add_test(tcase, siginfo_layout);
	tcase_add_test(tcase, exec_resets);
	return fixture_run("signal", tcase);
}
