/* Whether the instruction that faulted writes to the address: hosted, nobody tells. decode.c */
#ifndef RING0_HOSTED_DECODE_H
#define RING0_HOSTED_DECODE_H

#include <stdbool.h>

#include "platform/abi/regs.h"

/* True only when it is certain that the access to regs->addr is a write. Kernel lock held; does not sleep. */
bool decode_is_write(const struct regs *regs);

#endif
