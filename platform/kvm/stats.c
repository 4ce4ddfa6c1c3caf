/*
 * How often a vCPU left the guest, for the debug log: exits to the host's kernel, by KVM's
 * own count (KVM_GET_STATS_FD, Linux 5.14; Documentation/virt/kvm/api.rst 4.133).
 *
 * kvm_stats_open() before the jail leaves the descriptor at the counter; kvm_stats_read(),
 * once, at the end, is then a plain read, which the main thread's list allows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "platform/kvm/kvm.h"

/* The offset of the counter `name` in the descriptor's data; -1 if it has none. */
static long counter_offset(int fd, const struct kvm_stats_header *header, const char *name)
{
	size_t size = sizeof(struct kvm_stats_desc) + header->name_size;
	struct kvm_stats_desc *desc = malloc(size);
	long offset = -1;

	for (uint32_t i = 0; desc && i < header->num_desc && offset < 0; i++) {
		if (pread(fd, desc, size, (off_t)(header->desc_offset + i * size)) != (ssize_t)size)
			break;
		if (strncmp(desc->name, name, header->name_size) == 0)
			offset = (long)(header->data_offset + desc->offset);
	}
	free(desc);
	return offset;
}

/* Such a descriptor takes lseek() without moving; reading moves it. */
static bool skip(int fd, long count)
{
	char dropped[512];

	while (count > 0) {
		ssize_t n = read(fd, dropped, (size_t)count < sizeof(dropped) ? (size_t)count : sizeof(dropped));

		if (n <= 0)
			return false;
		count -= n;
	}
	return true;
}

int kvm_stats_open(int vcpu)
{
	int fd = ioctl(vcpu, KVM_GET_STATS_FD, NULL);
	struct kvm_stats_header header;
	long offset = -1;

	if (fd < 0)
		return -errno;
	if (pread(fd, &header, sizeof(header), 0) == sizeof(header) && header.name_size < 4096)
		offset = counter_offset(fd, &header, "exits");
	if (offset < 0 || !skip(fd, offset)) {
		close(fd);
		return -ENOTSUP;
	}
	return fd;
}

uint64_t kvm_stats_read(int fd)
{
	uint64_t exits = 0;

	return read(fd, &exits, sizeof(exits)) == sizeof(exits) ? exits : 0;
}
