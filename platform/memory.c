/*
 * Guest-physical memory: one sparse reservation of host address space that holds the
 * kernel zone and, after it, the user zone.
 *
 * Used by every file of platform/ that turns a guest address into a pointer: vmm_gpa()
 * is the only place that does. Pages are populated by touching them and given back by
 * vmm_memory_release(). Guest: private anonymous memory, huge pages asked for in the
 * user zone. Hosted: the user zone is a memfd, because the stubs map it as well; the
 * kernel zone is private, so no stub can hold it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform/internal.h"

#define LARGE (2ull << 20)
#define KERNEL_BASE (4ull << 30) /* KVM itself puts APIC pages below 4 GiB */
#define KERNEL_EXTRA (256ull << 20)

static uint64_t align_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) & ~(to - 1);
}

static bool inside(const struct abi_zone *zone, uint64_t gpa, uint64_t len)
{
	return gpa >= zone->base && gpa - zone->base <= zone->size && len <= zone->size - (gpa - zone->base);
}

void *vmm_gpa(const struct vmm_memory *memory, gpa_t gpa, uint64_t len)
{
	if (!inside(&memory->kernel, gpa.v, len) && !inside(&memory->user, gpa.v, len))
		return NULL;
	return memory->host + gpa.v;
}

static int map_user_memfd(struct vmm_memory *memory)
{
	int fd = memfd_create("ringfence-user", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)memory->user.size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0 ||
	    mmap(memory->host + memory->user.base, memory->user.size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, 0) == MAP_FAILED) {
		int error = -errno;
		close(fd);
		return error;
	}
	memory->user_memfd = fd;
	return 0;
}

int vmm_memory_init(struct vmm_memory *memory, enum abi_machine machine, uint64_t limit)
{
	memset(memory, 0, sizeof(*memory));
	memory->user_memfd = -1;
	limit = align_up(limit, LARGE);
	memory->kernel.base = KERNEL_BASE;
	memory->kernel.size = align_up(limit / 4 + KERNEL_EXTRA, LARGE);
	memory->user.base = memory->kernel.base + memory->kernel.size;
	memory->user.size = limit;
	memory->size = memory->user.base + memory->user.size;

	/* Room to align: a large page of the guest should be one large page of the host. */
	uint8_t *host = mmap(NULL, memory->size + LARGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (host == MAP_FAILED)
		return -errno;
	memory->host = (uint8_t *)align_up((uint64_t)host, LARGE);
	if (mprotect(memory->host + memory->kernel.base, memory->kernel.size, PROT_READ | PROT_WRITE) < 0)
		return -errno;
	madvise(memory->host, memory->size, MADV_DONTDUMP);
	if (machine == ABI_MACHINE_HOSTED) {
		madvise(memory->host + memory->kernel.base, memory->kernel.size, MADV_DONTFORK);
		return map_user_memfd(memory);
	}
	if (mprotect(memory->host + memory->user.base, memory->user.size, PROT_READ | PROT_WRITE) < 0)
		return -errno;
	/* Not having huge pages costs speed only. */
	madvise(memory->host + memory->user.base, memory->user.size, MADV_HUGEPAGE);
	return 0;
}

int vmm_memory_release(struct vmm_memory *memory, gpa_t gpa, uint64_t len)
{
	if (((gpa.v | len) & 4095) != 0 || len == 0)
		return -EINVAL;
	void *host = vmm_gpa(memory, gpa, len);
	if (!host)
		return -EFAULT;
	if (memory->user_memfd >= 0 && inside(&memory->user, gpa.v, len)) {
		if (fallocate(memory->user_memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			    (off_t)(gpa.v - memory->user.base), (off_t)len) < 0)
			return -errno;
		return 0;
	}
	return madvise(host, len, MADV_DONTNEED) < 0 ? -errno : 0;
}

uint64_t vmm_kernel_alloc(struct vmm *vmm, uint64_t size, uint64_t align)
{
	struct vmm_memory *memory = &vmm->memory;
	uint64_t start = align_up(memory->kernel_used, align), end;

	if (__builtin_add_overflow(start, size, &end) || end > memory->kernel.size)
		return 0;
	memory->kernel_used = align_up(end, 4096);
	if (vmm->boot)
		vmm->boot->kernel_used = memory->kernel_used;
	return memory->kernel.base + start;
}
