/*
 * The guest machine, inside: per-CPU structures of the processor, and what its files
 * share. Nobody outside ring0/guest/ includes this; the door is `guest_machine`.
 *
 * Selectors are the ones that Linux gives its programs (user CS 0x33, SS 0x2b), since
 * signal frames and debuggers show them. There is no 32-bit code segment, so
 * compatibility mode cannot be entered.
 */
#ifndef RING0_GUEST_H
#define RING0_GUEST_H

#define GUEST_KERNEL_CS 0x10
#define GUEST_KERNEL_DS 0x18
#define GUEST_USER_DS 0x2b
#define GUEST_USER_CS 0x33
#define GUEST_TSS 0x40

/* Interrupt vectors; ABI_VECTOR_RING (0xf0) is the VMM's. */
#define GUEST_VECTOR_FIRST 0xe0
#define GUEST_VECTOR_TIMER 0xec
#define GUEST_VECTOR_KICK 0xed
#define GUEST_VECTOR_FLUSH 0xee
#define GUEST_VECTOR_SPURIOUS 0xff

#define MSR_X2APIC_EOI 0x80b
#define MSR_X2APIC_SELF_IPI 0x83f

#define GUEST_IST_NMI 1
#define GUEST_IST_FATAL 2

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>

#include "platform/abi/regs.h"
#include "ring0/machine.h"
#include "ring0/percpu.h"

#define GUEST_IST_SIZE 4096

struct guest_tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, iomap;
} __attribute__((packed));

/* Only touched by its own CPU. */
struct guest_cpu {
	uint64_t gdt[10];       /* first: entry.S finds the CPU by it after a double fault */
	struct percpu *percpu;  /* 80 */
	uint64_t root;          /* physical address of the PML4 in CR3 */
	struct space *loaded;   /* the space that CR3 belongs to; may outlast percpu.space (lazily kept); NULL: boot tables */
	uint64_t timer_wanted;  /* monotonic ns, UINT64_MAX: none */
	uint64_t timer_armed;   /* what the APIC holds; UINT64_MAX: nothing */
	bool interrupted;       /* an interrupt for the kernel came while idle */
	uint64_t cr3_loads;     /* for the debug log: */
	uint64_t fpu_moves;     /* XSAVEs and XRSTORs */
	struct guest_tss tss;
	uint8_t ist[2][GUEST_IST_SIZE] __attribute__((aligned(16)));
};

static inline struct guest_cpu *guest_this_cpu(void)
{
	return this_cpu()->machine_private;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

/* entry.S */
void guest_syscall_entry(void);
void guest_idle_wait(void); /* sti; hlt; cli */
extern const char guest_idle_hlt[], guest_idle_after[];
extern const char guest_stubs[], guest_stubs_high[]; /* 16 bytes each, vectors 0..31 and 0xe0..0xff */
void guest_nmi_entry(void);
void guest_double_fault_entry(void);
void guest_machine_check_entry(void);
void guest_enter_user(struct regs *regs) __attribute__((noreturn));

/* trap.c, called by entry.S only. In a kernel trap regs ends at ss: the fields after it are not there. */
void guest_user_trap(struct regs *regs);
void guest_kernel_trap(struct regs *regs, uint64_t vector, uint64_t error);
void guest_fatal_trap(struct regs *regs, uint64_t vector, uint64_t error) __attribute__((noreturn));

/* cpu.c */
void guest_cpu_init(unsigned cpu);

/* apic.c */
void apic_cpu_init(void);
void apic_eoi(void);
void apic_send(unsigned cpu, uint8_t vector);
void apic_set_timer(uint64_t deadline);
bool apic_timer_fired(void); /* whether the wanted deadline is reached; else it was armed again */

/* space.c */
void space_boot(unsigned cpu);
int guest_space_init(struct space *space);
void guest_space_free(struct space *space);
void guest_space_switch(struct space *space);
void guest_space_flush(struct space *space, uint64_t address, uint64_t length);
void guest_flush_serve(void);
uint64_t *space_boot_entry(uint64_t address);
void space_flush_stacks(void *const *stacks, unsigned n);

/* stack.c */
void *guest_stack_map(uint64_t pa);
void guest_stacks_unmap(void *const *stacks, unsigned n);
bool guest_stack_is_guard(uint64_t address); /* below a stack, where nothing is mapped */

/* copy.S */
size_t guest_copy_user(void *to, const void *from, size_t n); /* either side is a user address; bytes not copied */
size_t guest_clear_user(void *to, size_t n);
int64_t guest_strncpy_user(char *to, const char *from, size_t n);
int guest_cmpxchg_user32(uint32_t *address, uint32_t expect, uint32_t value, uint32_t *old);

/* fpu.S */
void fpu_save(void *area, uint64_t optimized);
int fpu_restore(const void *area); /* 0, or -1 if the area is malformed (registers are then undefined) */

/* Instructions that may fault, and where to go on then; 32-bit offsets from the entry itself. */
struct guest_fixup {
	int32_t at, to;
};
extern const struct guest_fixup guest_fixups_start[], guest_fixups_end[];

#endif
#endif
