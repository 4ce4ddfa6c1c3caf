/* Registration of restartable sequences, for syscalls/. 0 or -errno as rseq(2). unregister may sleep. */
#ifndef KERNEL_RSEQ_H
#define KERNEL_RSEQ_H

#include <stdint.h>

#include "ring0/usercopy.h"

int rseq_register(uaddr_t area, uint32_t len, uint32_t signature);
int rseq_unregister(uaddr_t area, uint32_t len, uint32_t signature);

#endif
