/* Hooks of the configuration that run inside the container before its program does (kernel/hook.c). */
#ifndef KERNEL_HOOK_H
#define KERNEL_HOOK_H

#include "kernel/container.h"

/*
 * Runs them one after another, each as a process of the container, with the credentials, root and output of the
 * current task (the container's first process, before its execve) and the state on standard input. 0, or -errno after
 * launch_explain(): one could not be run, did not exit with 0 or took longer than its timeout. Sleeps.
 */
int hooks_run(struct container *c);

#endif
