/*
 * One vCPU: its first registers, its thread, the loop around KVM_RUN.
 *
 * A vCPU starts in 64-bit mode at sentry_entry; nothing of real or protected mode is ever
 * run. The thread exists from start() on, puts its filter on, and waits until the sentry
 * asks for that CPU. The guest leaves KVM_RUN for a host call (a doorbell write, answered
 * here) and otherwise only when something is wrong, which ends the sandbox with one line.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/kvm/kvm.h"

#define CR0_VALUE 0x80050033ull /* PG AM WP NE ET MP PE */
#define CR4_VALUE 0x3506a0ull   /* PAE PGE OSFXSR OSXMMEXCPT FSGSBASE OSXSAVE SMEP SMAP, see below */
#define EFER_VALUE 0xd01ull     /* SCE LME LMA NXE */
#define FAIL_STATUS 6           /* wait status of a container whose sandbox broke: SIGABRT */

_Static_assert(CR4_VALUE == (1u << 5 | 1u << 7 | 1u << 9 | 1u << 10 | 1u << 16 | 1u << 18 | 1u << 20 | 1u << 21), "CR4");

static struct kvm_segment segment(uint16_t selector, uint8_t type, int dpl, int code)
{
	return (struct kvm_segment){.limit = 0xffffffff, .selector = selector, .type = type, .present = 1, .dpl = (uint8_t)dpl,
		.db = !code, .s = 1, .l = (uint8_t)code, .g = 1};
}

static int vcpu_set_registers(struct kvm_vcpu *vcpu, uint64_t root, uint64_t stack_top)
{
	struct vmm *vmm = vcpu->state->vmm;
	struct kvm_sregs s;
	struct kvm_regs r = {.rip = vmm->entry, .rsp = stack_top, .rflags = 2,
		.rdi = vmm->boot->direct_base + vmm->boot_gpa, .rsi = vcpu->number};

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &s) < 0)
		return -errno;
	s.cr0 = CR0_VALUE;
	s.cr3 = root;
	s.cr4 = CR4_VALUE;
	s.efer = EFER_VALUE;
	s.cs = segment(0x10, 11, 0, 1);
	s.ds = s.es = s.ss = s.fs = s.gs = segment(0x18, 3, 0, 0);
	s.tr = (struct kvm_segment){.limit = 103, .selector = 0x40, .type = 11, .present = 1};
	s.ldt = (struct kvm_segment){.unusable = 1};
	s.idt = s.gdt = (struct kvm_dtable){0};
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &s) < 0 || ioctl(vcpu->fd, KVM_SET_REGS, &r) < 0)
		return -errno;
	return 0;
}

static int vcpu_set_state(struct kvm_vcpu *vcpu, const struct kvm_cpuid_table *cpuid)
{
	struct vmm *vmm = vcpu->state->vmm;
	struct kvm_cpuid_table own = *cpuid;
	struct kvm_xcrs xcrs = {.nr_xcrs = 1};
	struct kvm_mp_state runnable = {.mp_state = KVM_MP_STATE_RUNNABLE};
	uint64_t no_offset = 0;
	struct kvm_device_attr tsc = {.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uint64_t)&no_offset};

	kvm_cpuid_for_cpu(&own, vcpu->number, vmm->cpus);
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, &own) < 0)
		return -errno;
	xcrs.xcrs[0].xcr = 0;
	xcrs.xcrs[0].value = vmm->boot->xcr0;
	if (ioctl(vcpu->fd, KVM_SET_XCRS, &xcrs) < 0 || ioctl(vcpu->fd, KVM_SET_MP_STATE, &runnable) < 0)
		return -errno;
	/*
	 * 0: the rate that the host's kernel has measured by now. A new vCPU has what it knew when KVM was loaded; where that
	 * was more by 250 ppm and the CPU cannot scale, KVM (6.1) takes the guest's TSC for 0 and its timer fires far too late.
	 */
	ioctl(vcpu->fd, KVM_SET_TSC_KHZ, 0ul);
	/* The guest's TSC is then the host's; where the kernel (before 5.16) cannot, the sentry works the offset out. */
	ioctl(vcpu->fd, KVM_SET_DEVICE_ATTR, &tsc);
	return 0;
}

int kvm_vcpu_create(struct kvm_platform_state *state, unsigned number, uint64_t root,
	const struct kvm_cpuid_table *cpuid)
{
	struct kvm_vcpu *vcpu = &state->vcpus[number];
	struct vmm *vmm = state->vmm;
	uint64_t stack = vmm_kernel_alloc(vmm, KVM_STACK_SIZE, 4096);
	int rc;

	if (!stack)
		return -ENOMEM;
	vcpu->state = state;
	vcpu->number = number;
	vcpu->started = number == 0;
	vcpu->call = vmm_gpa(&vmm->memory, GPA(vmm->boot->call_gpa + number * sizeof(struct abi_call)),
		sizeof(struct abi_call));
	if (!vcpu->call)
		return -EFAULT;
	vcpu->fd = ioctl(state->vm, KVM_CREATE_VCPU, (unsigned long)number);
	if (vcpu->fd < 0)
		return -errno;
	vcpu->run = mmap(NULL, state->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		return -errno;
	vcpu->stats_fd = vmm->options->debug ? kvm_stats_open(vcpu->fd) : -1;
	rc = vcpu_set_state(vcpu, cpuid);
	if (rc < 0)
		return rc;
	return vcpu_set_registers(vcpu, root, vmm->boot->direct_base + stack + KVM_STACK_SIZE);
}

static void vcpu_fail(struct kvm_vcpu *vcpu, const char *what, uint64_t detail)
{
	struct kvm_regs r = {0};

	ioctl(vcpu->fd, KVM_GET_REGS, &r);
	vmm_log(VMM_LOG_ERROR, "kvm: vCPU %u: %s (%#llx) at rip %#llx, rsp %#llx", vcpu->number, what,
		(unsigned long long)detail, (unsigned long long)r.rip, (unsigned long long)r.rsp);
	vmm_fail(vcpu->state->vmm, FAIL_STATUS);
}

static void vcpu_io(struct kvm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct abi_call call;

	if (run->io.direction != KVM_EXIT_IO_OUT || run->io.port != ABI_PORT_CALL || run->io.size != 4 ||
		run->io.count != 1) {
		vcpu_fail(vcpu, "unexpected port access", run->io.port);
		return;
	}
	/* The guest may go on writing there from another CPU: one copy, and only the copy counts. */
	memcpy(&call, vcpu->call, sizeof(call));
	__atomic_store_n(&vcpu->call->ret, vmm_call(vcpu->state->vmm, vcpu->number, &call), __ATOMIC_RELAXED);
}

static void vcpu_exit(struct kvm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		vcpu_io(vcpu);
		break;
	case KVM_EXIT_INTR:
		break;
	case KVM_EXIT_MMIO:
		vcpu_fail(vcpu, "access outside guest memory", run->mmio.phys_addr);
		break;
	case KVM_EXIT_SHUTDOWN:
		vcpu_fail(vcpu, "triple fault", 0);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		vcpu_fail(vcpu, "the CPU refused the guest's state", run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		vcpu_fail(vcpu, "KVM internal error", run->internal.suberror);
		break;
	default:
		vcpu_fail(vcpu, "unexpected exit", run->exit_reason);
	}
}

/* Until this CPU may run; for ever if the sandbox ended first. */
static void vcpu_wait_started(struct kvm_vcpu *vcpu)
{
	struct kvm_platform_state *state = vcpu->state;

	pthread_mutex_lock(&state->lock);
	while (state->vmm->ended || !(state->running && vcpu->started))
		pthread_cond_wait(&state->changed, &state->lock);
	pthread_mutex_unlock(&state->lock);
}

static void vcpu_loop(struct kvm_vcpu *vcpu)
{
	while (!vcpu->state->vmm->ended) {
		if (ioctl(vcpu->fd, KVM_RUN, 0) == 0) {
			vcpu->user_exits++;
			vcpu_exit(vcpu);
		} else if (errno != EINTR && errno != EAGAIN) {
			int error = errno;

			vcpu_fail(vcpu, strerror(error), (uint64_t)error);
		}
	}
}

/* Does not end: the process's exit ends it, which needs no system call of this thread. */
static void *vcpu_thread(void *argument)
{
	struct kvm_vcpu *vcpu = argument;

	if (jail_thread(vcpu->state->vmm, JAIL_VCPU) < 0) /* it has said why, and the sandbox ends */
		return NULL;
	for (;;) {
		vcpu_wait_started(vcpu);
		vcpu_loop(vcpu);
	}
}

int kvm_vcpu_start_thread(struct kvm_vcpu *vcpu)
{
	char name[16];
	int rc = pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu);

	if (rc != 0)
		return -rc;
	snprintf(name, sizeof(name), "vcpu/%u", vcpu->number);
	pthread_setname_np(vcpu->thread, name);
	return 0;
}
