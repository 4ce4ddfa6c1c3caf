/*
 * Kernel stack switch, on both machines. Only kernel/sched.c calls it.
 *
 * context_prepare() lays out a fresh stack; the value it returns is what context_switch()
 * loads. Callee-saved registers live on the stack that is left. Interrupts are off.
 */
#ifndef RING0_CONTEXT_H
#define RING0_CONTEXT_H

#include <stdint.h>

/* Leave this stack (its pointer is stored to *save_rsp) and go on with the one that was saved as load_rsp. */
void context_switch(uint64_t *save_rsp, uint64_t load_rsp);

/*
 * A stack that runs fn(arg) when first switched to. stack_top: just past its highest
 * usable byte (16-byte aligned; leave room above for what must survive, like struct regs). fn must not return.
 */
uint64_t context_prepare(void *stack_top, void (*fn)(void *), void *arg);

#endif
