/* A container's first process on the fake machine, current, with an address space; for the tests of kernel/. */
#ifndef TEST_UNIT_KERNEL_PROCESS_FIXTURE_H
#define TEST_UNIT_KERNEL_PROCESS_FIXTURE_H

#include <check.h>
#include <stdlib.h>

#include "kernel/process.h"
#include "kernel/user_ns.h"
#include "kernel/vdso/vdso.h"
#include "test/unit/fake_machine.h"


static inline struct cred *fixture_root(void)
{
	struct cred *cred = kzalloc(sizeof(*cred));

	cred->refs = 1;
	cred->user_ns = &fake_user_ns;
	ns_get(&fake_user_ns.ns);
	cred->cap_effective = cred->cap_permitted = cred->cap_bounding = (1ull << (CAP_LAST_CAP + 1)) - 1;
	return cred;
}

/* Each Check test runs in a process of its own: nothing is taken down. */
static inline struct task *fixture_boot(void)
{
	fake_boot(64, 64);
	struct task *task = task_create_init(fixture_root());

	task->state = TASK_RUNNING;
	task->mm = mm_create();
	percpus[0].running = task;
	return task;
}

/* A process with one thread, child of the current one, as fork would publish it. */
static inline struct process *fixture_child(void)
{
	struct task *task = task_alloc();
	struct process *process = process_alloc(), *parent = current->process;

	task->tid = process->pid = tid_alloc();
	process->pgid = parent->pgid;
	process->session = parent->session;
	session_get(process->session);
	process->sighand = sighand_create();
	process->exit_signal = 17; /* SIGCHLD */
	process->leader = task;
	process->parent = parent;
	process->threads = 1;
	for (unsigned i = 0; i < RLIMIT_COUNT; i++)
		process->rlimit[i] = (struct rlimit64_pair){UINT64_MAX, UINT64_MAX};
	task->cred = fixture_root();
	task->process = process;
	process_get(process);
	TAILQ_INSERT_TAIL(&process->tasks, task, sibling);
	TAILQ_INSERT_TAIL(&parent->children, process, sibling);
	TAILQ_INSERT_TAIL(&all_processes, process, all);
	task_hash_insert(task);
	return process;
}

/* As exit.c leaves it when the last thread has gone. */
static inline void fixture_zombie(struct process *process, int status)
{
	process->leader->state = TASK_ZOMBIE;
	process->threads = 0;
	process->zombie = process->exiting = true;
	process->exit_status = status;
	task_put(process->leader); /* the running task's own reference */
}

static inline int fixture_run(const char *name, TCase *tcase)
{
	Suite *suite = suite_create(name);
	SRunner *runner = srunner_create(suite);

	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
