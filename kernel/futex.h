/*
 * Futexes (futex(2)): wait, wake, requeue, wake_op, bitset, PI locks, robust lists.
 */
#ifndef KERNEL_FUTEX_H
#define KERNEL_FUTEX_H

#include <stdint.h>

#include "ring0/usercopy.h"

struct task;
struct futex_waitv;

/* FUTEX_* operation with its flags; deadline: monotonic ns. Result or -errno. May sleep. */
int64_t futex_do(uaddr_t uaddr, int op, uint32_t val, uint64_t deadline, uaddr_t uaddr2, uint32_t val2, uint32_t val3);
/* futex_waitv(2), words in sentry memory, checked: the index of one that was woken, or -errno. May sleep. */
int64_t futex_wait_multiple(const struct futex_waitv *words, unsigned n, uint64_t deadline);
int futex_wake_addr(uaddr_t uaddr, unsigned n); /* clear_child_tid */
void futex_exit_robust(struct task *task);      /* current task; may sleep */

#endif
