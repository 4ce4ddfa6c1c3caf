/*
 * The table of descriptors that the sentry names by index: 0, 1 and 2 are the container's stdio, then come those that
 * the command's caller passed in; the others were donated by the gofer or by the runtime command.
 *
 * fds_init() once; then fds_add() when a gofer reply carried a descriptor, fds_add_stdio() and
 * fds_add_network() when the runtime command sent one, fds_get() for each operation, fds_close() by the
 * sentry's call. Of the gofer regular files only are accepted. Readers take no lock: a slot is closed by the sentry alone, and a sentry that
 * uses an index while it closes it can at worst reach another file of its own container.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "platform/internal.h"

struct fd_slot {
	int fd; /* -1: free */
	uint32_t kind;
	uint32_t flags;
	uint32_t next_free;
};

struct fd_table {
	pthread_mutex_t lock; /* free list */
	uint32_t first_free;  /* ABI_MAX_FDS: none */
	struct fd_slot slots[ABI_MAX_FDS];
};

static uint32_t kind_of(int fd)
{
	struct stat st;
	unsigned char winsize[8];

	if (host_fstat(fd, &st) < 0)
		return 0;
	if (S_ISREG(st.st_mode))
		return ABI_FILE_REGULAR;
	if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
		return ABI_FILE_NULL;
	if (S_ISCHR(st.st_mode) && ioctl(fd, TIOCGWINSZ, winsize) == 0)
		return ABI_FILE_TTY;
	return S_ISDIR(st.st_mode) ? 0 : ABI_FILE_STREAM;
}

/* One of those that the container has from the start. */
static void fill(struct fd_slot *slot, int fd)
{
	uint32_t kind = fd < 0 ? 0 : kind_of(fd);

	if (kind == 0)
		return; /* the container has no such descriptor */
	slot->kind = kind;
	slot->flags = (uint32_t)fcntl(fd, F_GETFL);
	slot->fd = fd;
}

int fds_init(struct vmm *vmm)
{
	const struct vmm_options *options = vmm->options;
	struct fd_table *table = malloc(sizeof(*table));

	if (!table)
		return -ENOMEM;
	pthread_mutex_init(&table->lock, NULL);
	for (uint32_t i = 0; i < ABI_MAX_FDS; i++)
		table->slots[i] = (struct fd_slot){.fd = -1, .next_free = i + 1};
	for (uint32_t i = 0; i < 3; i++)
		fill(&table->slots[i], options->stdio[i]);
	for (uint32_t i = 0; i < options->passed_count; i++)
		fill(&table->slots[3 + i], options->passed_fd + (int)i);
	table->first_free = 3 + options->passed_count;
	vmm->fds = table;
	return 0;
}

static int add(struct vmm *vmm, int fd, uint32_t kind, int flags)
{
	struct fd_table *table = vmm->fds;

	pthread_mutex_lock(&table->lock);
	uint32_t index = table->first_free;
	if (index < ABI_MAX_FDS)
		table->first_free = table->slots[index].next_free;
	pthread_mutex_unlock(&table->lock);
	if (index >= ABI_MAX_FDS)
		return -EMFILE;
	struct fd_slot *slot = &table->slots[index];
	slot->kind = kind;
	slot->flags = (uint32_t)flags;
	__atomic_store_n(&slot->fd, fd, __ATOMIC_RELEASE);
	return (int)index;
}

int fds_add(struct vmm *vmm, int fd)
{
	struct stat st;
	int flags;

	if (host_fstat(fd, &st) < 0)
		return -errno;
	flags = fcntl(fd, F_GETFL);
	if (!S_ISREG(st.st_mode) || flags < 0 || (flags & O_PATH))
		return -EBADF;
	return add(vmm, fd, ABI_FILE_REGULAR, flags);
}

int fds_add_kind(struct vmm *vmm, int fd, uint32_t kind)
{
	return add(vmm, fd, kind, O_RDWR);
}

int fds_add_stdio(struct vmm *vmm, int fd)
{
	uint32_t kind = kind_of(fd);
	int flags = fcntl(fd, F_GETFL);

	if (kind == 0 || flags < 0 || (flags & O_PATH))
		return -EBADF;
	return add(vmm, fd, kind, flags);
}

int fds_add_network(struct vmm *vmm, int fd, uint32_t kind)
{
	struct stat st;

	if (host_fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode))
		return -EBADF;
	return add(vmm, fd, kind, O_RDWR);
}

int fds_get(struct vmm *vmm, uint32_t index)
{
	if (index >= ABI_MAX_FDS)
		return -EBADF;
	int fd = __atomic_load_n(&vmm->fds->slots[index].fd, __ATOMIC_ACQUIRE);
	return fd < 0 ? -EBADF : fd;
}

int fds_kind(struct vmm *vmm, uint32_t index)
{
	int fd = fds_get(vmm, index);
	return fd < 0 ? fd : (int)vmm->fds->slots[index].kind;
}

int fds_flags(struct vmm *vmm, uint32_t index)
{
	int fd = fds_get(vmm, index);
	return fd < 0 ? fd : (int)(vmm->fds->slots[index].flags & (O_ACCMODE | O_APPEND));
}

int fds_close(struct vmm *vmm, uint32_t index)
{
	struct fd_table *table = vmm->fds;

	if (index < 3 || index >= ABI_MAX_FDS)
		return -EBADF;
	pthread_mutex_lock(&table->lock);
	int fd = table->slots[index].fd;
	uint32_t kind = table->slots[index].kind;
	if (fd >= 0) {
		__atomic_store_n(&table->slots[index].fd, -1, __ATOMIC_RELEASE);
		table->slots[index].next_free = table->first_free;
		table->first_free = index;
	}
	pthread_mutex_unlock(&table->lock);
	if (fd < 0)
		return -EBADF;
	if (kind == ABI_FILE_REGULAR || kind == ABI_FILE_SOCKET)
		close(fd);
	else
		io_close(vmm, fd);
	return 0;
}
