/*
 * Fuzz target: the loader of sentry.elf, for both machines. It must refuse or load, and
 * write nowhere but into the image's own pages (the sanitizer and the reservation's edges see to that).
 *
 * Run as: fuzz_loader -max_total_time=60 CORPUS-DIRECTORY
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform/vmm.h"

void vmm_log(int level, const char *format, ...)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vmm_memory memory;
	struct loaded_image image;
	uint64_t used = 0;
	int fd = memfd_create("image", 0);

	if (!memory.host && vmm_memory_init(&memory, ABI_MACHINE_GUEST, 16 << 20))
		abort();
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	loader_load(fd, &memory, ABI_MACHINE_GUEST, VMM_GUEST_IMAGE_BASE, &used, &image);
	if (loader_load(fd, &memory, ABI_MACHINE_HOSTED, 0, &used, &image) == 0)
		munmap((void *)image.base, image.size);
	close(fd);
	return 0;
}
