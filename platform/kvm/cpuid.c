/*
 * CPUID for the guest: KVM's own offer without what the sentry does not support.
 *
 * The container's programs see this table too. Anything that needs the sentry to save
 * state it does not know (PKRU, AMX, CET), or that gives ring 0 of the guest more of the
 * host's KVM than it needs, is taken away. Intel SDM vol. 2 (CPUID), AMD APM vol. 3 E.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "platform/kvm/kvm.h"

#define BIT(n) (1u << (n))
#define XCR0_WANTED 0xe7ull /* x87, SSE, AVX, AVX-512 (5..7) */

struct mask {
	uint32_t function, index;
	uint32_t eax, ebx, ecx, edx; /* bits to take away */
};

static const struct mask hidden[] = {
	/* MONITOR, VMX, SMX, EST, TM2, PDCM, PCID, DCA; DS, ACPI, TM */
	{1, 0, 0, 0, BIT(3) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(15) | BIT(17) | BIT(18), BIT(21) | BIT(22) | BIT(29)},
	/* TSC_ADJUST, SGX, INVPCID, MPX, PQM, PQE, PT; UMIP, PKU, OSPKE, WAITPKG, SHSTK, LA57, KEYLOCKER, ENQCMD, SGX_LC, PKS;
	   UINTR, IBT, AMX */
	{7, 0, 0, BIT(1) | BIT(2) | BIT(10) | BIT(12) | BIT(14) | BIT(15) | BIT(25),
		BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(7) | BIT(16) | BIT(23) | BIT(29) | BIT(30) | BIT(31),
		BIT(5) | BIT(20) | BIT(22) | BIT(24) | BIT(25)},
	/* AMX-FP16; LAM */
	{7, 1, BIT(21) | BIT(26), 0, 0, BIT(18)},
	/* XSAVES, XFD */
	{0xd, 1, BIT(3) | BIT(4), 0, 0, 0},
	/* SVM, OSVW, IBS, SKINIT, WDT, LWP, TCE, perf counters, MONITORX */
	{0x80000001, 0, 0, 0,
		BIT(2) | BIT(9) | BIT(10) | BIT(12) | BIT(13) | BIT(15) | BIT(17) | BIT(23) | BIT(24) | BIT(28) | BIT(29), 0},
};

/* Leaves without a meaning here: performance counters, PT, AMX, SGX, RDT, SVM, memory encryption, KVM's features. */
static const uint32_t emptied[] = {0xa, 0xf, 0x10, 0x12, 0x14, 0x1d, 0x1e, 0x40000001, 0x8000000a, 0x8000001b, 0x8000001f,
	0x80000022};

struct kvm_cpuid_entry2 *kvm_cpuid_find(struct kvm_cpuid_table *table, uint32_t function, uint32_t index)
{
	for (uint32_t i = 0; i < table->nent; i++) {
		struct kvm_cpuid_entry2 *e = &table->entries[i];

		if (e->function == function &&
			(!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == index))
			return e;
	}
	return NULL;
}

static void cpuid_hide(struct kvm_cpuid_table *table)
{
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		struct kvm_cpuid_entry2 *e = kvm_cpuid_find(table, hidden[i].function, hidden[i].index);

		if (!e)
			continue;
		e->eax &= ~hidden[i].eax;
		e->ebx &= ~hidden[i].ebx;
		e->ecx &= ~hidden[i].ecx;
		e->edx &= ~hidden[i].edx;
	}
	for (uint32_t i = 0; i < table->nent; i++)
		for (size_t k = 0; k < sizeof(emptied) / sizeof(emptied[0]); k++)
			if (table->entries[i].function == emptied[k]) {
				struct kvm_cpuid_entry2 *e = &table->entries[i];

				e->eax = e->ebx = e->ecx = e->edx = 0;
			}
}

uint64_t kvm_cpuid_xcr0(struct kvm_cpuid_table *table)
{
	struct kvm_cpuid_entry2 *e = kvm_cpuid_find(table, 0xd, 0);

	return e ? ((uint64_t)e->edx << 32 | e->eax) & XCR0_WANTED : 0;
}

uint32_t kvm_cpuid_xsave_size(struct kvm_cpuid_table *table)
{
	uint64_t xcr0 = kvm_cpuid_xcr0(table);
	uint32_t size = 512 + 64;

	for (uint32_t n = 2; n < 63; n++) {
		struct kvm_cpuid_entry2 *e = xcr0 >> n & 1 ? kvm_cpuid_find(table, 0xd, n) : NULL;

		if (e && e->ebx + e->eax > size)
			size = e->ebx + e->eax;
	}
	return size;
}

int kvm_cpuid_load(int kvm, struct kvm_cpuid_table *table)
{
	struct kvm_cpuid_entry2 *e;
	uint64_t xcr0;

	memset(table, 0, sizeof(*table));
	table->nent = KVM_CPUID_ENTRIES;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, table) < 0)
		return -errno;
	cpuid_hide(table);
	e = kvm_cpuid_find(table, 1, 0);
	if (e)
		e->ecx |= BIT(21) | BIT(24); /* x2APIC, TSC-deadline: the in-kernel APIC has both */
	xcr0 = kvm_cpuid_xcr0(table);
	e = kvm_cpuid_find(table, 0xd, 0);
	if (e) {
		e->eax = (uint32_t)xcr0;
		e->edx = (uint32_t)(xcr0 >> 32);
		e->ebx = e->ecx = kvm_cpuid_xsave_size(table);
	}
	for (uint32_t i = 0; i < table->nent; i++) {
		e = &table->entries[i];
		if (e->function == 0xd && e->index >= 2 && (e->index >= 64 || !(xcr0 >> e->index & 1)))
			e->eax = e->ebx = e->ecx = e->edx = 0;
		if (e->function == 0xd && e->index == 1)
			e->ebx = e->ecx = e->edx = 0; /* sizes and masks of XSAVES */
	}
	return 0;
}

const char *kvm_cpuid_missing(struct kvm_cpuid_table *table)
{
	struct kvm_cpuid_entry2 *one = kvm_cpuid_find(table, 1, 0), *seven = kvm_cpuid_find(table, 7, 0);
	struct kvm_cpuid_entry2 *extended = kvm_cpuid_find(table, 0x80000001, 0);

	if (!one || !seven || !extended)
		return "basic CPUID leaves";
	if (!(one->ecx & BIT(26)))
		return "XSAVE";
	if (!(seven->ebx & BIT(0)))
		return "FSGSBASE";
	if (!(seven->ebx & BIT(7)))
		return "SMEP";
	if (!(seven->ebx & BIT(20)))
		return "SMAP";
	if (!(extended->edx & BIT(20)))
		return "NX";
	if (!(extended->edx & BIT(27)))
		return "RDTSCP";
	if ((kvm_cpuid_xcr0(table) & 3) != 3)
		return "XSAVE of SSE state";
	return NULL;
}

/* Topology: every CPU a core of its own in one package. */
void kvm_cpuid_for_cpu(struct kvm_cpuid_table *table, unsigned cpu, unsigned cpus)
{
	unsigned bits = 0;

	while ((1u << bits) < cpus)
		bits++;
	for (uint32_t i = 0; i < table->nent; i++) {
		struct kvm_cpuid_entry2 *e = &table->entries[i];

		switch (e->function) {
		case 1:
			e->ebx = (e->ebx & 0xffff) | cpus << 16 | cpu << 24;
			break;
		case 4:
			e->eax = (e->eax & 0x3fff) | ((1u << bits) - 1) << 26; /* caches are not shared */
			break;
		case 0xb:
		case 0x1f:
			e->eax = e->index == 0 ? 0 : e->index == 1 ? bits : 0;
			e->ebx = e->index == 0 ? 1 : e->index == 1 ? cpus : 0;
			e->ecx = e->index | (e->index == 0 ? 1u << 8 : e->index == 1 ? 2u << 8 : 0);
			e->edx = cpu;
			break;
		case 0x80000008:
			e->ecx = (e->ecx & ~0xf0ffu) | bits << 12 | (cpus - 1);
			break;
		case 0x8000001e:
			e->eax = cpu;
			e->ebx = cpu;
			e->ecx = 0;
			break;
		}
	}
}
