/*
 * Starts a sandbox in this process and ends it: what `ringfence boot` calls.
 *
 * Order: check the host, choose the platform, jail_prepare() while there is one thread,
 * memory, image, boot information, descriptors, the I/O service, the platform's start()
 * (hosted, inside the walls and beside the I/O threads), then jail_enter(), then run()
 * until vmm_end(). After jail_enter() nothing here opens, maps or creates anything. A
 * failure before it returns -errno after one line on stderr.
 */
#include <asm/hwcap2.h>
#include <cpuid.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/hosted.h"
#include "platform/internal.h"

#define MEMORY_MAX (64ull << 30)
#define OLDEST_MAJOR 5u
#define OLDEST_MINOR 14u
#define FATE_TRIES 50
#define FATE_PAUSE_NS 4000000

static int fail(const char *what, int error)
{
	vmm_log(VMM_LOG_ERROR, "boot: %s: %s", what, strerror(-error));
	return error;
}

static int check_host(void)
{
	struct utsname name;
	unsigned major, minor;

	uname(&name);
	if (sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return 0;
	if (major > OLDEST_MAJOR || (major == OLDEST_MAJOR && minor >= OLDEST_MINOR))
		return 0;
	vmm_log(VMM_LOG_ERROR, "boot: host kernel %s: too old: 5.14 or later is needed", name.release);
	return -ENOSYS;
}

static unsigned count_cpus(unsigned wanted)
{
	cpu_set_t set;
	unsigned count = wanted;

	if (count == 0) {
		count = 1;
		if (sched_getaffinity(0, sizeof(set), &set) == 0)
			count = (unsigned)CPU_COUNT(&set);
	}
	return count > ABI_MAX_CPUS ? ABI_MAX_CPUS : count;
}

static uint64_t memory_limit(const struct vmm_options *options)
{
	struct sysinfo info;
	uint64_t limit = options->memory_limit;

	if (limit == 0 && sysinfo(&info) == 0)
		limit = (uint64_t)info.totalram * info.mem_unit / 4 * 3;
	return limit > MEMORY_MAX || limit == 0 ? MEMORY_MAX : limit;
}

/*
 * The FPU features that the host enabled (Intel SDM vol. 1, 13.3) and the size of their area; segment bases. A platform
 * that decides these itself changes them.
 */
static void fill_cpu(struct abi_boot *boot)
{
	unsigned a, b, c, d;

	boot->hwcap2 = getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE;
	__cpuid(1, a, b, c, d);
	if (!(c & bit_OSXSAVE)) {
		boot->xcr0 = 3;
		boot->xsave_size = 576;
		return;
	}
	unsigned low, high;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	boot->xcr0 = (uint64_t)high << 32 | low;
	__cpuid_count(0xd, 0, a, b, c, d);
	boot->xsave_size = b;
}

/* Room in the kernel zone for everything that the two sides share, and the boot information. */
static int fill_boot(struct vmm *vmm)
{
	const struct vmm_options *options = vmm->options;
	bool hosted = vmm->platform->machine == ABI_MACHINE_HOSTED;
	uint64_t boot_gpa = vmm_kernel_alloc(vmm, sizeof(struct abi_boot), 4096);
	uint64_t calls = vmm_kernel_alloc(vmm, sizeof(struct abi_call) * ABI_MAX_CPUS, 4096);
	uint64_t ring = vmm_kernel_alloc(vmm, sizeof(struct abi_ring), 4096);
	uint64_t config = vmm_kernel_alloc(vmm, options->config_len ? options->config_len : 1, 4096);

	if (!boot_gpa || !calls || !ring || !config)
		return -ENOMEM;
	struct abi_boot *boot = vmm_gpa(&vmm->memory, GPA(boot_gpa), sizeof(*boot));
	if (options->config_len)
		memcpy(vmm_gpa(&vmm->memory, GPA(config), options->config_len), options->config, options->config_len);
	*boot = (struct abi_boot){
		.magic = ABI_MAGIC,
		.version = ABI_VERSION,
		.machine = vmm->platform->machine,
		.cpus = vmm->cpus,
		.kernel = vmm->memory.kernel,
		.user = vmm->memory.user,
		.kernel_used = vmm->memory.kernel_used,
		.direct_base = hosted ? (uint64_t)vmm->memory.host : VMM_GUEST_DIRECT_BASE,
		.image_base = vmm->image.base,
		.image_size = vmm->image.size,
		.image_gpa = vmm->image.gpa,
		.call_gpa = calls,
		.ring_gpa = ring,
		.config_gpa = config,
		.config_len = options->config_len,
		.mem_limit = vmm->memory.user.size,
		.stub_mappings = hosted ? hosted_stub_mappings() : 0,
	};
	memcpy(boot->image_id, vmm->image.build_id, sizeof(boot->image_id));
	if (getrandom(boot->seed, sizeof(boot->seed), 0) != sizeof(boot->seed))
		return -errno;
	fill_cpu(boot);
	vmm->calls = vmm_gpa(&vmm->memory, GPA(calls), sizeof(struct abi_call) * ABI_MAX_CPUS);
	vmm->boot_gpa = boot_gpa;
	vmm->boot = boot;
	return 0;
}

static int vmm_init(struct vmm *vmm)
{
	const struct vmm_options *options = vmm->options;
	enum abi_machine machine = vmm->platform->machine;
	uint64_t limit = memory_limit(options);
	int error = vmm_memory_init(&vmm->memory, machine, limit);

	if (error) {
		vmm_log(VMM_LOG_ERROR, "boot: memory: reserving %llu MiB: %s", (unsigned long long)(limit >> 20),
			strerror(-error));
		return error;
	}
	error = loader_load(options->image_fd, &vmm->memory, machine, VMM_GUEST_IMAGE_BASE, &vmm->memory.kernel_used,
		&vmm->image);
	close(options->image_fd);
	if (error)
		return error;
	vmm->entry = vmm->image.entry;
	vmm->cpus = count_cpus(options->cpus);
	error = fill_boot(vmm);
	if (error)
		return fail("boot information", error);
	error = fds_init(vmm);
	if (error == 0)
		error = sockets_init(vmm);
	if (error)
		return fail("descriptor table", error);
	error = calls_init();
	if (error)
		return fail("/dev/urandom", error);
	error = control_init(vmm);
	if (error)
		return fail("control channel", error);
	error = io_init(vmm);
	return error ? fail("I/O service", error) : 0;
}

/* Those that serve; they put their filters on while the platform starts. */
static int start_threads(struct vmm *vmm)
{
	sigset_t set;
	int error;

	/* Only the main thread takes SIGCHLD, where it wants it: the others' filters know no wait4. */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	error = io_start(vmm);
	if (!error)
		error = control_start(vmm);
	return error ? fail("I/O threads", error) : 0;
}

/* ---- why it ended ---- */

static struct {
	volatile int pid, status; /* pid 0: it has not ended, as far as is known */
} gofer_end;

void boot_child_ended(int pid, int status)
{
	gofer_end.status = status;
	gofer_end.pid = pid;
}

/* Its connection has closed: it ends, or has. False: it did not in time. */
static bool gofer_ended(int pid, int *status)
{
	const struct timespec pause = {0, FATE_PAUSE_NS};

	for (int i = 0; pid > 0 && i < FATE_TRIES; i++) {
		if (gofer_end.pid == pid) {
			*status = gofer_end.status;
			return true;
		}
		if (syscall(SYS_wait4, pid, status, WNOHANG | __WALL, NULL) == pid)
			return true;
		ppoll(NULL, 0, &pause, NULL);
	}
	return false;
}

static void say_gofer_gone(const struct vmm *vmm)
{
	int status;

	if (!gofer_ended(vmm->options->gofer_pid, &status))
		vmm_log(VMM_LOG_ERROR, "boot: the gofer has closed its connection");
	else if (WIFSIGNALED(status))
		vmm_log(VMM_LOG_ERROR, "boot: the gofer was killed by signal %d", WTERMSIG(status));
	else /* it has said why, and engines show the last line only */
		vmm_log(VMM_LOG_DEBUG, "boot: the gofer ended with status %d", WEXITSTATUS(status));
}

static void tell_failure(struct vmm *vmm)
{
	char why[LOG_REASON];

	if (vmm->gofer_gone)
		say_gofer_gone(vmm);
	log_last_error(why, sizeof(why));
	control_fail(vmm, why);
}

static int start_and_run(struct vmm *vmm)
{
	bool hosted = vmm->platform->machine == ABI_MACHINE_HOSTED;
	int error = vmm_init(vmm);

	if (error || (hosted && ((error = jail_walls(vmm)) || (error = start_threads(vmm)))))
		return error;
	error = vmm->platform->start(vmm);
	if (error)
		return fail(vmm->platform->name, error);
	if (!hosted && ((error = jail_walls(vmm)) || (error = start_threads(vmm))))
		return error;
	error = jail_enter(vmm);
	if (error)
		return error; /* it has said why */
	vmm_log(VMM_LOG_INFO, "%s: %u CPUs, %llu MiB, image %02x%02x%02x%02x", vmm->platform->name, vmm->cpus,
		(unsigned long long)(vmm->memory.user.size >> 20), vmm->image.build_id[0], vmm->image.build_id[1],
		vmm->image.build_id[2], vmm->image.build_id[3]);
	error = vmm->platform->run(vmm);
	if (vmm->failed)
		tell_failure(vmm);
	control_flush(vmm);
	if (error < 0 && !vmm->ended)
		return fail(vmm->platform->name, error);
	return vmm->exit_status;
}

int platform_boot(const struct vmm_options *options)
{
	static struct vmm vmm; /* one sandbox a process: threads outlive this function */
	char name[16], why[256];
	int error;

	clock_begin();
	log_init(options->log_fd, options->error_fd);
	signal(SIGPIPE, SIG_IGN); /* the other end of error_fd may have gone */
	error = check_host();
	if (error)
		return error;
	error = platform_select(options->platform, options->state_dir, name, sizeof(name), why, sizeof(why));
	if (error) {
		vmm_log(VMM_LOG_ERROR, "boot: --platform=%s: %s", options->platform, why);
		return error;
	}
	vmm_log(VMM_LOG_INFO, "platform %s: %s", name, why);
	vmm.options = options;
	vmm.platform = platform_named(name);
	error = jail_prepare(&vmm);
	return error ? error : start_and_run(&vmm);
}

static void end(struct vmm *vmm, int status, bool failed)
{
	static atomic_flag claimed = ATOMIC_FLAG_INIT;

	if (atomic_flag_test_and_set(&claimed))
		return;
	vmm->exit_status = status;
	vmm->failed = failed;
	__atomic_store_n(&vmm->ended, 1, __ATOMIC_RELEASE);
	vmm_log(VMM_LOG_DEBUG, "the sandbox ends, status %#x", (unsigned)status);
	vmm->platform->stop(vmm);
}

void vmm_end(struct vmm *vmm, int status)
{
	end(vmm, status, false);
}

void vmm_fail(struct vmm *vmm, int status)
{
	end(vmm, status, true);
}
