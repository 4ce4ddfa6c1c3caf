/*
 * Random numbers for getrandom(2), /dev/urandom, AT_RANDOM and address layout. kernel/random.c.
 */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *to, size_t n); /* never fails, does not sleep */
uint64_t random_u64(void);

#endif
