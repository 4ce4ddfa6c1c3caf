/*
 * Physical memory as the sentry sees it: one direct map that covers both zones of
 * platform/abi/abi.h, and the x86 page table format that both machines share.
 */
#ifndef RING0_MEMORY_H
#define RING0_MEMORY_H

#include <stdint.h>

#include "platform/abi/abi.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ull
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define PAGE_ALIGN(x) (((uint64_t)(x) + PAGE_SIZE - 1) & PAGE_MASK)

extern const struct abi_boot *boot_info;
extern uint64_t direct_base;

static inline void *pa_to_va(uint64_t pa)
{
	return (void *)(direct_base + pa);
}

/* Of the direct map only: never of what lies on a kernel stack, which may have an address of its own (ring0/guest/stack.c). */
static inline uint64_t va_to_pa(const void *va)
{
	return (uint64_t)va - direct_base;
}

/* Page table entry bits (Intel SDM vol. 3, 4.5; AMD APM vol. 2, 5.4). */
#define PTE_P (1ull << 0)
#define PTE_W (1ull << 1)
#define PTE_U (1ull << 2)
#define PTE_A (1ull << 5)
#define PTE_D (1ull << 6)
#define PTE_PS (1ull << 7)
#define PTE_G (1ull << 8)
#define PTE_SW0 (1ull << 9)  /* kernel/mm: the page is copy-on-write or otherwise special */
#define PTE_SW1 (1ull << 10)
#define PTE_NX (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull

#endif
