/*
 * How often a vCPU left the guest, for the debug log: exits to the host's kernel, by KVM's
 * own count (KVM_GET_STATS_FD, Linux 5.14; Documentation/virt/kvm/api.rst 4.133).
 *
 * kvm_stats_open() before the jail, where seeking is still allowed; kvm_stats_read() once,
 * at the end, is a plain read from where the descriptor stands.
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

int kvm_stats_open(int vcpu)
{
	int fd = ioctl(vcpu, KVM_GET_STATS_FD, NULL);
	struct kvm_stats_header header;
	long offset = -1;

	if (fd < 0)
		return -errno;
	if (pread(fd, &header, sizeof(header), 0) == sizeof(header) && header.name_size < 4096)
		offset = counter_offset(fd, &header, "exits");
	if (offset < 0 || lseek(fd, offset, SEEK_SET) < 0) {
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
