/* Calls into the vsyscall page, which old programs make. kernel/vsyscall.c. */
#ifndef KERNEL_VSYSCALL_H
#define KERNEL_VSYSCALL_H

#include <stdbool.h>

#include "platform/abi/regs.h"

#define VSYSCALL_PAGE 0xffffffffff600000ull

/*
 * A page fault at an address from VSYSCALL_PAGE on. True: code was to run there, and either the call is done or a signal
 * sent. May sleep or not return.
 */
bool vsyscall_emulate(struct regs *regs);

#endif
