/*
 * A CPU's own tables and registers: GDT, TSS, IDT, the MSRs of SYSCALL, TSC_AUX.
 *
 * guest_cpu_init() runs once on each CPU, before anything can trap. The VMM has set
 * CR0, CR3, CR4, EFER and XCR0 (platform/kvm/cpu.c); the sentry never changes those but CR3.
 */
#include "platform/abi/abi.h"
#include "ring0/guest/guest.h"
#include "ring0/lib.h"

#define MSR_TSC_AUX 0xc0000103u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_SFMASK 0xc0000084u

/* RFLAGS cleared by SYSCALL: CF PF AF ZF SF TF IF DF OF IOPL NT RF AC ID. */
#define SYSCALL_FLAGS_CLEARED 0x257fd5u

#define GATE_PRESENT_DPL0 0x8eu
#define GATE_PRESENT_DPL3 0xeeu

struct gate {
	uint16_t offset0, selector;
	uint8_t ist, type;
	uint16_t offset1;
	uint32_t offset2, reserved;
};

struct table_register {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static struct guest_cpu cpus[ABI_MAX_CPUS] __attribute__((aligned(64)));
static struct gate idt[256] __attribute__((aligned(16)));

_Static_assert(offsetof(struct guest_cpu, gdt) == 0, "entry.S");
_Static_assert(offsetof(struct guest_cpu, percpu) == 80, "entry.S");
_Static_assert(offsetof(struct percpu, entry_stack) == 0x20, "entry.S");

static void idt_set(unsigned vector, const void *handler, uint8_t ist, uint8_t type)
{
	uint64_t address = (uint64_t)handler;

	idt[vector] = (struct gate){.offset0 = (uint16_t)address, .selector = GUEST_KERNEL_CS, .ist = ist,
		.type = type, .offset1 = (uint16_t)(address >> 16), .offset2 = (uint32_t)(address >> 32)};
}

static void idt_build(void)
{
	for (unsigned v = 0; v < 32; v++)
		idt_set(v, guest_stubs + 16 * v, 0,
			v == TRAP_BREAKPOINT || v == TRAP_OVERFLOW ? GATE_PRESENT_DPL3 : GATE_PRESENT_DPL0);
	for (unsigned v = GUEST_VECTOR_FIRST; v < 256; v++)
		idt_set(v, guest_stubs_high + 16 * (v - GUEST_VECTOR_FIRST), 0, GATE_PRESENT_DPL0);
	idt_set(TRAP_NMI, guest_nmi_entry, GUEST_IST_NMI, GATE_PRESENT_DPL0);
	idt_set(TRAP_DOUBLE_FAULT, guest_double_fault_entry, GUEST_IST_FATAL, GATE_PRESENT_DPL0);
	idt_set(TRAP_MACHINE_CHECK, guest_machine_check_entry, GUEST_IST_FATAL, GATE_PRESENT_DPL0);
}

static void gdt_build(struct guest_cpu *cpu)
{
	uint64_t tss = (uint64_t)&cpu->tss;

	cpu->gdt[GUEST_KERNEL_CS / 8] = 0x00af9b000000ffffull;
	cpu->gdt[GUEST_KERNEL_DS / 8] = 0x00cf93000000ffffull;
	cpu->gdt[GUEST_USER_DS / 8] = 0x00cff3000000ffffull;
	cpu->gdt[GUEST_USER_CS / 8] = 0x00affb000000ffffull;
	cpu->gdt[GUEST_TSS / 8] = (sizeof(cpu->tss) - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 |
		(tss >> 24 & 0xff) << 56;
	cpu->gdt[GUEST_TSS / 8 + 1] = tss >> 32;
	cpu->tss.iomap = sizeof(cpu->tss); /* beyond the limit: no port for user mode */
	cpu->tss.ist[GUEST_IST_NMI - 1] = (uint64_t)cpu->ist[0] + GUEST_IST_SIZE;
	cpu->tss.ist[GUEST_IST_FATAL - 1] = (uint64_t)cpu->ist[1] + GUEST_IST_SIZE;
}

static void tables_load(struct guest_cpu *cpu)
{
	struct table_register gdtr = {sizeof(cpu->gdt) - 1, (uint64_t)cpu->gdt};
	struct table_register idtr = {sizeof(idt) - 1, (uint64_t)idt};

	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovl %2, %%eax\n\t"
			 "movl %%eax, %%ss\n\t"
			 "movl %%eax, %%ds\n\t"
			 "movl %%eax, %%es\n\t"
			 "lidt %3\n\t"
			 "ltr %w4"
		::"m"(gdtr), "i"(GUEST_KERNEL_CS), "i"(GUEST_KERNEL_DS), "m"(idtr), "r"(GUEST_TSS)
		: "rax", "memory");
}

void guest_cpu_init(unsigned number)
{
	struct guest_cpu *cpu = &cpus[number];

	cpu->percpu = this_cpu();
	cpu->timer_wanted = UINT64_MAX;
	cpu->timer_armed = UINT64_MAX;
	this_cpu()->machine_private = cpu;
	if (number == 0)
		idt_build();
	gdt_build(cpu);
	tables_load(cpu);
	wrmsr(MSR_STAR, (uint64_t)(GUEST_USER_DS - 8) << 48 | (uint64_t)GUEST_KERNEL_CS << 32);
	wrmsr(MSR_LSTAR, (uint64_t)guest_syscall_entry);
	wrmsr(MSR_CSTAR, (uint64_t)guest_syscall_entry); /* unreachable: there is no 32-bit code segment */
	wrmsr(MSR_SFMASK, SYSCALL_FLAGS_CLEARED);
	wrmsr(MSR_TSC_AUX, number);
	space_boot(number);
	apic_cpu_init();
}
