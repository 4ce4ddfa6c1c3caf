/*
 * The local APIC of a guest CPU, in x2APIC mode: interrupts between CPUs and the timer.
 *
 * The timer is the TSC-deadline timer (the VMM offers it; platform/kvm/cpu.c). Writing its
 * MSR leaves the guest, so it is armed lazily: a deadline that moves later leaves the
 * earlier one armed, and the interrupt, if it comes at all, arms the wanted one.
 * Intel SDM vol. 3, ch. 11.
 */
#include "ring0/guest/guest.h"
#include "ring0/clock.h"

#define MSR_APIC_BASE 0x1bu
#define APIC_BASE_X2 (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC_TPR 0x808u
#define MSR_X2APIC_SVR 0x80fu
#define MSR_X2APIC_ICR 0x830u
#define MSR_X2APIC_LVT_TIMER 0x832u
#define SVR_ENABLE 0x100u
#define LVT_TSC_DEADLINE (2u << 17)

void apic_cpu_init(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE);
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE | APIC_BASE_X2);
	wrmsr(MSR_X2APIC_TPR, 0);
	wrmsr(MSR_X2APIC_SVR, SVR_ENABLE | GUEST_VECTOR_SPURIOUS);
	wrmsr(MSR_X2APIC_LVT_TIMER, LVT_TSC_DEADLINE | GUEST_VECTOR_TIMER);
}

void apic_eoi(void)
{
	wrmsr(MSR_X2APIC_EOI, 0);
}

void apic_send(unsigned cpu, uint8_t vector)
{
	wrmsr(MSR_X2APIC_ICR, (uint64_t)cpu << 32 | vector);
}

static void apic_arm(struct guest_cpu *cpu, uint64_t deadline)
{
	cpu->timer_armed = deadline;
	wrmsr(MSR_TSC_DEADLINE, clock_tsc_at(deadline));
}

void apic_set_timer(uint64_t deadline)
{
	struct guest_cpu *cpu = guest_this_cpu();

	cpu->timer_wanted = deadline;
	if (deadline < cpu->timer_armed)
		apic_arm(cpu, deadline);
}

bool apic_timer_fired(void)
{
	struct guest_cpu *cpu = guest_this_cpu();
	uint64_t wanted = cpu->timer_wanted;

	cpu->timer_armed = UINT64_MAX;
	if (wanted == UINT64_MAX)
		return false;
	if (wanted > clock_monotonic()) {
		apic_arm(cpu, wanted);
		return false;
	}
	cpu->timer_wanted = UINT64_MAX;
	return true;
}
