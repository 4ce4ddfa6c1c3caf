/*
 * The KVM platform: the sentry in ring 0 of a virtual machine.
 *
 * start() makes the VM, its one sparse memory slot, the doorbells and every vCPU with
 * its thread, all before the jail; run() lets CPU 0 go and waits for the end. Ring
 * submissions (ioeventfd) and completions (irqfd) pass through the host's kernel only.
 * The in-kernel APIC is split from the PIC and IO-APIC, which nobody needs.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/internal.h"
#include "platform/kvm/kvm.h"

static struct kvm_platform_state the_state = {.kvm = -1, .vm = -1, .completion_fd = -1,
	.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static const struct {
	int number;
	const char *name;
} needed_caps[] = {
	{KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
	{KVM_CAP_IRQFD, "KVM_CAP_IRQFD"},
	{KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD"},
	{KVM_CAP_SPLIT_IRQCHIP, "KVM_CAP_SPLIT_IRQCHIP"},
	{KVM_CAP_TSC_DEADLINE_TIMER, "KVM_CAP_TSC_DEADLINE_TIMER"},
	{KVM_CAP_XCRS, "KVM_CAP_XCRS"},
	{KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
	{KVM_CAP_X86_MSR_FILTER, "KVM_CAP_X86_MSR_FILTER"},
};

static int kvm_check(int kvm, char *why, size_t size)
{
	static struct kvm_cpuid_table cpuid;
	const char *missing;
	int rc;

	if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		snprintf(why, size, "/dev/kvm has another API version");
		return -ENOTSUP;
	}
	for (size_t i = 0; i < sizeof(needed_caps) / sizeof(needed_caps[0]); i++)
		if (ioctl(kvm, KVM_CHECK_EXTENSION, needed_caps[i].number) <= 0) {
			snprintf(why, size, "KVM lacks %s", needed_caps[i].name);
			return -ENOTSUP;
		}
	rc = kvm_selftest(kvm, why, size);
	if (rc < 0)
		return rc;
	rc = kvm_cpuid_load(kvm, &cpuid);
	if (rc < 0) {
		snprintf(why, size, "KVM_GET_SUPPORTED_CPUID: %s", strerror(-rc));
		return rc;
	}
	missing = kvm_cpuid_missing(&cpuid);
	if (missing) {
		snprintf(why, size, "the CPU (as KVM offers it) lacks %s", missing);
		return -ENOTSUP;
	}
	return 0;
}

static int kvm_probe(char *why, size_t size)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int rc;

	if (kvm < 0) {
		rc = -errno;
		snprintf(why, size, "/dev/kvm: %s", strerror(-rc));
		return rc;
	}
	rc = kvm_check(kvm, why, size);
	close(kvm);
	return rc;
}

static int vm_set_memory(struct kvm_platform_state *state)
{
	const struct vmm_memory *memory = &state->vmm->memory;
	uint64_t base = memory->kernel.base;
	struct kvm_userspace_memory_region slot = {.guest_phys_addr = base, .memory_size = memory->size - base,
		.userspace_addr = (uint64_t)memory->host + base};

	return ioctl(state->vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0 ? -errno : 0;
}

static int vm_set_doorbells(struct kvm_platform_state *state)
{
	struct kvm_ioeventfd ring = {.addr = ABI_PORT_RING, .len = 4, .fd = io_eventfd(state->vmm),
		.flags = KVM_IOEVENTFD_FLAG_PIO};
	struct {
		uint32_t nr, flags; /* as struct kvm_irq_routing */
		struct kvm_irq_routing_entry entry;
	} route = {.nr = 1, .entry = {.gsi = KVM_GSI_RING, .type = KVM_IRQ_ROUTING_MSI,
		.u.msi = {.address_lo = 0xfee00000u, .data = ABI_VECTOR_RING}}};
	struct kvm_irqfd irqfd = {.gsi = KVM_GSI_RING};

	state->completion_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (state->completion_fd < 0)
		return -errno;
	irqfd.fd = (uint32_t)state->completion_fd;
	if (ioctl(state->vm, KVM_IOEVENTFD, &ring) < 0 || ioctl(state->vm, KVM_SET_GSI_ROUTING, &route) < 0 ||
		ioctl(state->vm, KVM_IRQFD, &irqfd) < 0)
		return -errno;
	return 0;
}

/* Only these MSRs exist for the guest (x2APIC's are not subject to the filter); any other raises #GP in it. */
static int vm_set_msrs(struct kvm_platform_state *state)
{
	static uint8_t apic_base[] = {1}, tsc[] = {1}, deadline[] = {1}, pat[] = {1};
	static uint8_t syscall[] = {0x1f}; /* EFER, STAR, LSTAR, CSTAR, SFMASK */
	static uint8_t bases[] = {0x0f};   /* FS, GS, kernel GS base, TSC_AUX */
	struct kvm_msr_filter filter = {.flags = KVM_MSR_FILTER_DEFAULT_DENY};
	const struct {
		uint32_t base, count;
		uint8_t *bitmap;
	} ranges[] = {{0x10, 1, tsc}, {0x1b, 1, apic_base}, {0x277, 1, pat}, {0x6e0, 1, deadline},
		{0xc0000080u, 5, syscall}, {0xc0000100u, 4, bases}};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		filter.ranges[i] = (struct kvm_msr_filter_range){.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			.base = ranges[i].base, .nmsrs = ranges[i].count, .bitmap = ranges[i].bitmap};
	return ioctl(state->vm, KVM_X86_SET_MSR_FILTER, &filter) < 0 ? -errno : 0;
}

static int vm_create(struct kvm_platform_state *state, const char **step)
{
	struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {1}};
	int rc;

	*step = "open /dev/kvm";
	state->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (state->kvm < 0)
		return -errno;
	rc = ioctl(state->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (rc < (int)sizeof(struct kvm_run))
		return -ENOTSUP;
	state->run_size = (size_t)rc;
	*step = "create the VM";
	do {
		state->vm = ioctl(state->kvm, KVM_CREATE_VM, 0);
	} while (state->vm < 0 && errno == EINTR);
	if (state->vm < 0)
		return -errno;
	*step = "create the interrupt controller";
	if (ioctl(state->vm, KVM_ENABLE_CAP, &split) < 0)
		return -errno;
	*step = "register guest memory";
	rc = vm_set_memory(state);
	if (rc < 0)
		return rc;
	*step = "filter MSRs";
	rc = vm_set_msrs(state);
	if (rc < 0)
		return rc;
	*step = "register the doorbells";
	return vm_set_doorbells(state);
}

static int vm_create_cpus(struct kvm_platform_state *state, const char **step)
{
	static struct kvm_cpuid_table cpuid;
	struct vmm *vmm = state->vmm;
	uint64_t root;
	int rc;

	*step = "read KVM's CPUID";
	rc = kvm_cpuid_load(state->kvm, &cpuid);
	if (rc < 0)
		return rc;
	vmm->boot->xcr0 = kvm_cpuid_xcr0(&cpuid);
	vmm->boot->xsave_size = kvm_cpuid_xsave_size(&cpuid);
	*step = "build page tables";
	rc = kvm_tables_build(vmm, &root);
	if (rc < 0)
		return rc;
	*step = "create a vCPU";
	for (unsigned i = 0; i < vmm->cpus; i++) {
		rc = kvm_vcpu_create(state, i, root, &cpuid);
		if (rc < 0)
			return rc;
	}
	*step = "start a vCPU thread";
	for (unsigned i = 0; i < vmm->cpus; i++) {
		rc = kvm_vcpu_start_thread(&state->vcpus[i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int kvm_start(struct vmm *vmm)
{
	struct kvm_platform_state *state = &the_state;
	const char *step = "";
	int rc;

	state->vmm = vmm;
	vmm->platform_private = state;
	rc = vm_create(state, &step);
	if (rc == 0)
		rc = vm_create_cpus(state, &step);
	/* Only vCPUs are needed from here on. */
	if (state->kvm >= 0)
		close(state->kvm);
	state->kvm = -1;
	if (rc < 0)
		vmm_log(VMM_LOG_ERROR, "kvm: cannot %s: %s", step, strerror(-rc));
	return rc;
}

static void log_exits(const struct kvm_platform_state *state)
{
	for (unsigned i = 0; i < state->vmm->cpus; i++) {
		const struct kvm_vcpu *vcpu = &state->vcpus[i];

		if (vcpu->stats_fd >= 0)
			vmm_log(VMM_LOG_DEBUG, "kvm: vCPU %u: %llu exits to the host's kernel, %llu to user space", i,
				(unsigned long long)kvm_stats_read(vcpu->stats_fd), (unsigned long long)vcpu->user_exits);
	}
}

static int kvm_run(struct vmm *vmm)
{
	struct kvm_platform_state *state = vmm->platform_private;

	clock_sample(&vmm->boot->clock); /* last: by now its rate has mostly been measured without waiting for that */
	pthread_mutex_lock(&state->lock);
	state->running = true;
	pthread_cond_broadcast(&state->changed);
	while (!vmm->ended)
		pthread_cond_wait(&state->changed, &state->lock);
	pthread_mutex_unlock(&state->lock);
	log_exits(state);
	return 0;
}

static void kvm_completion(struct vmm *vmm)
{
	struct kvm_platform_state *state = vmm->platform_private;
	uint64_t one = 1;

	if (write(state->completion_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		vmm_log(VMM_LOG_ERROR, "kvm: cannot interrupt the guest: %s", strerror(errno));
}

static void kvm_cpu_start(struct vmm *vmm, unsigned cpu)
{
	struct kvm_platform_state *state = vmm->platform_private;

	if (cpu >= vmm->cpus)
		return;
	pthread_mutex_lock(&state->lock);
	state->vcpus[cpu].started = true;
	pthread_cond_broadcast(&state->changed);
	pthread_mutex_unlock(&state->lock);
}

/* The process's exit ends the vCPUs wherever they are: no signal, so their threads need no calls for one. */
static void kvm_stop(struct vmm *vmm)
{
	struct kvm_platform_state *state = vmm->platform_private;

	if (!state)
		return;
	pthread_mutex_lock(&state->lock);
	pthread_cond_broadcast(&state->changed);
	pthread_mutex_unlock(&state->lock);
}

const struct platform_ops kvm_platform = {
	.name = "kvm",
	.machine = ABI_MACHINE_GUEST,
	.probe = kvm_probe,
	.start = kvm_start,
	.run = kvm_run,
	.completion = kvm_completion,
	.cpu_start = kvm_cpu_start,
	.stop = kvm_stop,
};
