/*
 * What ring 0 of the guest can do besides host calls: ports, memory that is not there, MSRs,
 * control registers, hypercalls, interrupts for other CPUs. Guest only.
 */
#include "test/escape/image/image.h"

#define CODE_SELECTOR 0x10u
#define APIC_ICR 0x830u
#define APIC_BASE 0x1bu

struct table_register {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

void escape_fault(void);
int escape_guarded(void (*function)(uint64_t), uint64_t argument);

/* A GDT with the selectors that the VMM set, and an IDT whose every entry is escape_fault. */
static void catch_faults(void)
{
	static uint64_t gdt[] = {0, 0, 0x00af9b000000ffffull, 0x00cf93000000ffffull};
	static uint64_t idt[64][2] __attribute__((aligned(16)));
	struct table_register gdtr = {sizeof(gdt) - 1, (uint64_t)gdt}, idtr = {sizeof(idt) - 1, (uint64_t)idt};
	uint64_t handler = (uint64_t)escape_fault;

	for (unsigned i = 0; i < 64; i++) {
		idt[i][0] = (handler & 0xffff) | CODE_SELECTOR << 16 | 0x8eull << 40 | (handler >> 16 & 0xffff) << 48;
		idt[i][1] = handler >> 32;
	}
	__asm__ volatile("lgdt %0" ::"m"(gdtr));
	__asm__ volatile("lidt %0" ::"m"(idtr));
}

static void unexpected_port(void)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "d"((uint16_t)0x60));
	reached("a port was read");
}

static void unexpected_port_write(void)
{
	__asm__ volatile("outb %0, %1" ::"a"((uint8_t)0xfe), "d"((uint16_t)0x64)); /* the old way to reset a machine */
	reached("a port was written");
}

static void string_to_the_call_port(void)
{
	const void *from = at(scratch);
	uint64_t count = 1000;

	__asm__ volatile("rep outsl" : "+S"(from), "+c"(count) : "d"((uint16_t)ABI_PORT_CALL) : "memory");
	/* KVM may hand it over one by one: then it is as many calls, each with what lies in the block. */
}

static void byte_to_the_call_port(void)
{
	__asm__ volatile("outb %0, %1" ::"a"((uint8_t)0), "d"((uint16_t)ABI_PORT_CALL));
	reached("a call by one byte was taken");
}

/* A page table entry of our own: guest-physical 0, and beyond the end, have no memory. */
static volatile uint64_t *map_physical(uint64_t gpa)
{
	uint64_t root, *table, upper = scratch + (1u << 20), middle = upper + 4096;

	__asm__ volatile("mov %%cr3, %0" : "=r"(root));
	table = at(root & ~4095ull);
	fill(at(upper), 0, 8192);
	table[0] = upper | 3;
	((uint64_t *)at(upper))[0] = middle | 3;
	((uint64_t *)at(middle))[0] = (gpa & ~0x1fffffull) | 0x83;
	__asm__ volatile("mov %0, %%cr3" ::"r"(root) : "memory");
	return (volatile uint64_t *)(gpa & 0x1fffff);
}

static void memory_below(void)
{
	volatile uint64_t *word = map_physical(0x1000);
	(void)*word;
	reached("memory below the zones was read");
}

static void memory_beyond(void)
{
	*map_physical(boot.user.base + boot.user.size) = 1;
	reached("memory beyond the zones was written");
}

static void code_beyond(void)
{
	((void (*)(void))(uintptr_t)map_physical(boot.user.base + boot.user.size + 4096))();
	reached("code beyond the zones was run");
}

static void triple_fault(void)
{
	struct table_register none = {0, 0};

	__asm__ volatile("lidt %0; ud2" ::"m"(none));
	reached("the instruction after a triple fault");
}

static void read_msr(uint64_t number)
{
	uint32_t low, high;
	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"((uint32_t)number));
}

static void write_msr(uint64_t number)
{
	__asm__ volatile("wrmsr" ::"a"(0), "d"(0), "c"((uint32_t)number));
}

static bool is_allowed_msr(uint32_t n)
{
	return n == 0x10 || n == APIC_BASE || n == 0x277 || n == 0x6e0 || (n >= 0xc0000080u && n <= 0xc0000084u) ||
		(n >= 0xc0000100u && n <= 0xc0000103u) || (n >= 0x800 && n <= 0x8ff);
}

/* No model-specific register but those of platform/kvm/kvm.c; no paravirtual one. */
static void msrs(void)
{
	static const struct {
		uint32_t from, to;
	} ranges[] = {{0, 0x400}, {0x480, 0x500}, {0x560, 0x5a0}, {0x6d0, 0x6f0}, {0xd90, 0xda8}, {0x40000000, 0x40000020},
		{0x4b564d00, 0x4b564d10}, {0xc0000080, 0xc0000110}, {0xc0010000, 0xc0010140}, {0xc0011000, 0xc0011040}};

	catch_faults();
	for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		for (uint32_t n = ranges[i].from; n < ranges[i].to; n++) {
			if (is_allowed_msr(n))
				continue;
			if (!escape_guarded(read_msr, n) || !escape_guarded(write_msr, n)) {
				say("MSR", n);
				reached("a model-specific register that is not on the list");
			}
		}
}

static void hypercall(uint64_t number)
{
	uint64_t result = number;

	__asm__ volatile("vmmcall" : "+a"(result) : "b"(scratch), "c"(~0ull), "d"(0), "S"(0) : "memory");
}

/* KVM's own: an error number, or an invalid instruction; none of them is for the VMM. */
static void hypercalls(void)
{
	catch_faults();
	for (uint64_t n = 0; n < 64; n++)
		escape_guarded(hypercall, n);
}

static void load_cr0(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr0" ::"r"(value));
}

static void load_cr4(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr4" ::"r"(value));
}

static void load_xcr0(uint64_t value)
{
	__asm__ volatile("xsetbv" ::"a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(0));
}

static void control_registers(void)
{
	uint64_t cr4, now;

	catch_faults();
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	/* What a CPU does with the bits that it does not have is its own affair; that it does not keep them is ours. */
	escape_guarded(load_cr4, cr4 | ~0ull << 32);
	escape_guarded(load_cr4, cr4 | 1u << 13);
	__asm__ volatile("mov %%cr4, %0" : "=r"(now));
	if (now != cr4) {
		say("CR4", (int64_t)now);
		reached("VMXE, or bits of CR4 that no CPU has");
	}
	if (!escape_guarded(load_xcr0, ~0ull) || !escape_guarded(load_xcr0, 0))
		reached("reserved bits of XCR0");
	/* Protection without paging off, and the rest of the 64 bits: a fault, or (emulated) an entry that the CPU refuses. */
	escape_guarded(load_cr0, ~0ull);
}

static void nested(uint64_t what)
{
	if (what == 0)
		__asm__ volatile("vmrun %%rax" ::"a"(scratch));
	else if (what == 1)
		__asm__ volatile("vmxon %0" ::"m"(scratch));
	else
		__asm__ volatile("skinit %%eax" ::"a"(0));
}

static void a_guest_of_its_own(void)
{
	catch_faults();
	for (uint64_t i = 0; i < 3; i++)
		if (!escape_guarded(nested, i))
			reached("virtualization inside the guest");
}

static void x2apic(uint64_t unused)
{
	__asm__ volatile("wrmsr" ::"a"(0xfee00d00u), "d"(0), "c"(APIC_BASE)); /* enabled, as x2APIC */
}

static void catch_faults_and_send(void)
{
	catch_faults();
	if (escape_guarded(x2apic, 0))
		reached("no x2APIC");
}

static void icr(uint64_t value)
{
	__asm__ volatile("wrmsr" ::"a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(APIC_ICR));
}

/* INIT, start-up and NMI messages to CPUs that exist, run, and do not exist. */
static void interrupts_for_others(void)
{
	catch_faults_and_send();
	for (uint64_t cpu = 1; cpu < 5; cpu++) {
		escape_guarded(icr, cpu << 32 | 0x4500);
		escape_guarded(icr, cpu << 32 | 0x4600);
		escape_guarded(icr, cpu << 32 | 0x46ff);
		escape_guarded(icr, cpu << 32 | 0x4400);
	}
	escape_guarded(icr, 0xffffffffull << 32 | 0x40f0);
	for (uint64_t i = 0; i < 2000; i++)
		escape_guarded(icr, random_number());
}

static void second_spins(void)
{
	for (;;)
		relax();
}

/* A running CPU put through INIT comes up in real mode, where there is no memory. */
static void reset_of_a_running_cpu(void)
{
	if (!start_second())
		end(77);
	catch_faults_and_send();
	escape_guarded(icr, 1ull << 32 | 0x4500);
	escape_guarded(icr, 1ull << 32 | 0x4610);
	for (unsigned i = 0; i < 2000000; i++)
		relax();
	reached("a CPU ran in real mode");
}

static void apic_off(void)
{
	catch_faults();
	escape_guarded(write_msr, APIC_BASE);
	doorbell();
	WANT(call(ABI_CALL_clock, scratch, 0, 0, 0), 0);
}

const struct escape_case guest_cases[] = {
	{"unexpected-port", unexpected_port, NULL, false},
	{"unexpected-port-write", unexpected_port_write, NULL, false},
	{"string-to-the-call-port", string_to_the_call_port, NULL, false},
	{"byte-to-the-call-port", byte_to_the_call_port, NULL, false},
	{"memory-below", memory_below, NULL, false},
	{"memory-beyond", memory_beyond, NULL, false},
	{"code-beyond", code_beyond, NULL, false},
	{"triple-fault", triple_fault, NULL, false},
	{"msrs", msrs, NULL, false},
	{"hypercalls", hypercalls, NULL, false},
	{"control-registers", control_registers, NULL, false},
	{"a-guest-of-its-own", a_guest_of_its_own, NULL, false},
	{"interrupts-for-others", interrupts_for_others, NULL, false},
	{"reset-of-a-running-cpu", reset_of_a_running_cpu, second_spins, false},
	{"apic-off", apic_off, NULL, false},
	{NULL, NULL, NULL, false},
};
