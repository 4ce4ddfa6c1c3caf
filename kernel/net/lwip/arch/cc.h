/*
 * What lwIP asks of its compiler and machine (doc/sys_arch.txt of lwIP). Only lwIP's own headers include this.
 */
#ifndef KERNEL_NET_LWIP_ARCH_CC_H
#define KERNEL_NET_LWIP_ARCH_CC_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

void *kmalloc(size_t size);
void *kzalloc(size_t size);
void kfree(void *p);
void lwip_port_failed(const char *what, const char *file, int line) __attribute__((noreturn));
uint32_t lwip_port_random(void);

#define mem_clib_malloc(size) kmalloc(size)
#define mem_clib_calloc(count, size) kzalloc((size_t)(count) * (size))
#define mem_clib_free(p) kfree(p)

#define LWIP_NO_CTYPE_H 1
#define LWIP_NO_UNISTD_H 1
#define SSIZE_MAX INT64_MAX
#include <sys/types.h>
#define LWIP_RAND() lwip_port_random()
#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(x) lwip_port_failed((x), __FILE__, __LINE__)
#define LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS 1
#ifndef BYTE_ORDER
#define BYTE_ORDER 1234
#define LITTLE_ENDIAN 1234
#define BIG_ENDIAN 4321
#endif
#define lwip_htons(x) __builtin_bswap16(x)
#define lwip_htonl(x) __builtin_bswap32(x)
/* netif_find() by name, which nobody calls. */
#undef atoi
#define atoi(s) 0

#endif
