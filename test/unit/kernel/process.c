/*
 * Unit tests of ids, lookup, waiting and orphaned groups.
 */
#include <signal.h>
#include <linux/errno.h>
#include <sys/wait.h>

#include "test/unit/kernel/process_fixture.h"

static struct task *self;

static void setup(void)
{
	self = fixture_boot();
}

START_TEST(first_process)
{
	ck_assert_int_eq(self->tid, 1);
	ck_assert_ptr_eq(init_process, self->process);
	ck_assert_ptr_eq(task_find(1), self);
	ck_assert_ptr_eq(process_find(1), self->process);
	ck_assert_ptr_null(task_find(2));
	ck_assert_ptr_null(task_find(0));
	ck_assert_ptr_null(task_find(-1));
	ck_assert(self->process->session->sid == 1 && self->process->pgid == 1);
}
END_TEST

START_TEST(ids_are_not_reused_while_in_use)
{
	struct process *child = fixture_child();
	int pid = child->pid;

	/* Around once and a bit more: neither a living task nor a group's or session's number comes. */
	self->process->pgid = 400;
	for (int i = 0; i < PID_MAX + 1000; i++) {
		int tid = tid_alloc();

		ck_assert_int_gt(tid, 0);
		ck_assert_int_lt(tid, PID_MAX);
		ck_assert_int_ne(tid, pid);
		ck_assert(i < PID_MAX || tid != 400);
	}
}
END_TEST

START_TEST(nobody_to_wait_for)
{
	struct wait_result result;

	ck_assert_int_eq(task_wait(P_ALL, 0, WEXITED, &result), -ECHILD);
	struct process *child = fixture_child();
	ck_assert_int_eq(task_wait(P_ALL, 0, WEXITED | WNOHANG, &result), 0);
	ck_assert_int_eq(task_wait(P_PID, child->pid + 1, WEXITED | WNOHANG, &result), -ECHILD);
	ck_assert_int_eq(task_wait(P_PGID, 99, WEXITED | WNOHANG, &result), -ECHILD);
	child->exit_signal = 0;
	ck_assert_int_eq(task_wait(P_ALL, 0, WEXITED | WNOHANG, &result), -ECHILD);
	ck_assert_int_eq(task_wait(P_ALL, 0, WEXITED | WNOHANG | __WALL, &result), 0);
	ck_assert_int_eq(task_wait(P_ALL, 0, WEXITED | WNOHANG | __WCLONE, &result), 0);
}
END_TEST

START_TEST(zombies_are_reported_once)
{
	struct process *child = fixture_child();
	struct wait_result result;
	int pid = child->pid;

	child->utime = 1000;
	child->cutime = 500;
	child->min_flt = 3;
	fixture_zombie(child, WAIT_EXITED(7));
	ck_assert_int_eq(task_wait(P_ALL, 0, WSTOPPED | WNOHANG, &result), 0);
	ck_assert_int_eq(task_wait(P_PID, pid, WEXITED | WNOWAIT, &result), pid);
	ck_assert_ptr_eq(process_find(pid), child);
	ck_assert_int_eq(task_wait(P_PID, pid, WEXITED, &result), pid);
	ck_assert(result.status == 7 << 8 && result.code == CLD_EXITED && result.rusage_minflt == 3);
	ck_assert_uint_eq(self->process->cutime, 1500);
	ck_assert_ptr_null(process_find(pid));
	ck_assert_int_eq(task_wait(P_PID, pid, WEXITED, &result), -ECHILD);
}
END_TEST

START_TEST(statuses)
{
	struct process *child = fixture_child();
	struct wait_result result;

	child->stop_signal = SIGTSTP;
	child->stop_unreported = true;
	ck_assert_int_eq(task_wait(P_ALL, 0, WEXITED | WNOHANG, &result), 0);
	ck_assert_int_eq(task_wait(P_ALL, 0, WSTOPPED, &result), child->pid);
	ck_assert(result.status == (SIGTSTP << 8 | 0x7f) && result.code == CLD_STOPPED);
	ck_assert_int_eq(task_wait(P_ALL, 0, WSTOPPED | WNOHANG, &result), 0);
	child->continued_unreported = true;
	ck_assert_int_eq(task_wait(P_ALL, 0, WCONTINUED, &result), child->pid);
	ck_assert(result.status == 0xffff && result.code == CLD_CONTINUED);
	int pid = child->pid;
	fixture_zombie(child, WAIT_SIGNALED(SIGKILL));
	ck_assert_int_eq(task_wait(P_PGID, 1, WEXITED, &result), pid);
	ck_assert(result.status == SIGKILL && result.code == CLD_KILLED);
}
END_TEST

START_TEST(the_parent_is_told)
{
	struct process *child = fixture_child();
	struct ksiginfo info;

	self->process->sighand->action[SIGCHLD - 1].handler = 0x400000;
	child->stop_signal = SIGSTOP;
	process_notify_parent(child, CLD_STOPPED);
	ck_assert_int_eq(signal_dequeue(self, ~0ull, &info), SIGCHLD);
	ck_assert(info.code == CLD_STOPPED && info.status == SIGSTOP && info.pid == child->pid);
	self->process->sighand->action[SIGCHLD - 1].flags = SA_NOCLDSTOP;
	process_notify_parent(child, CLD_CONTINUED);
	ck_assert_int_eq(signal_dequeue(self, ~0ull, &info), 0);
	fixture_zombie(child, WAIT_EXITED(3));
	process_notify_parent(child, CLD_EXITED);
	ck_assert_int_eq(signal_dequeue(self, ~0ull, &info), SIGCHLD);
	ck_assert(info.code == CLD_EXITED && info.status == 3);
}
END_TEST

START_TEST(orphaned_groups)
{
	struct process *child = fixture_child();

	/* All of group 1 have their parent in it, or none. */
	ck_assert(pgrp_is_orphaned(1, NULL));
	child->pgid = child->pid;
	ck_assert(!pgrp_is_orphaned(child->pid, NULL));
	ck_assert(pgrp_is_orphaned(child->pid, child));
	struct session *session = session_create(child->pid);
	session_put(child->session);
	child->session = session;
	ck_assert(pgrp_is_orphaned(child->pid, NULL));
	ck_assert(pgrp_exists_in_session(child->pid, session));
	ck_assert(!pgrp_exists_in_session(child->pid, self->process->session));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("process");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, first_process);
	tcase_add_test(tcase, ids_are_not_reused_while_in_use);
	tcase_add_test(tcase, nobody_to_wait_for);
	tcase_add_test(tcase, zombies_are_reported_once);
	tcase_add_test(tcase, statuses);
	tcase_add_test(tcase, the_parent_is_told);
	tcase_add_test(tcase, orphaned_groups);
	return fixture_run("process", tcase);
}
