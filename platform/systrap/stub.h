/* The two forms of clone that a master and a new stub make. */
#ifndef PLATFORM_SYSTRAP_STUB_H
#define PLATFORM_SYSTRAP_STUB_H

#include <sched.h>
#include <signal.h>

#define ST_CLONE_STUB (CLONE_PARENT | CLONE_PARENT_SETTID | SIGCHLD)
#define ST_CLONE_RUNNER \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PARENT_SETTID)

#endif
