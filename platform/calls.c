/*
 * The host calls of platform/abi/calls.def: what the sentry asks for on a CPU's own
 * thread and what cannot wait.
 *
 * Called by the platforms with their private copy of the call block. Every word in it is
 * hostile: an address becomes a pointer by vmm_gpa() only, an index a descriptor by
 * fds_get() only, and data structures are copied in once or built aside and copied out.
 * Never: open a path, wait, or keep a pointer beyond the call.
 */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/internal.h"

#define IO_MAX (1ull << 30)
#define LOG_MAX 900u
#define ENTROPY_MAX 4096u

/* <sys/ioctl.h> and <asm/termbits.h> do not go together. */
int ioctl(int fd, unsigned long request, ...);
#define IOCTL_TCGETS 0x5401ul
#define IOCTL_TCSETS 0x5402ul
#define FILL_PART 32768u
#define IOCTL_TIOCGWINSZ 0x5413ul
#define IOCTL_TIOCSWINSZ 0x5414ul

static int random_fd = -1; /* /dev/urandom, by pread: the vCPUs' list stays at ten calls */

int calls_init(void)
{
	random_fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	return random_fd < 0 ? -errno : 0;
}

struct window_size {
	uint16_t rows, cols, xpixel, ypixel;
};

static int64_t host_result(int64_t value)
{
	return value < 0 ? -errno : value;
}

static int64_t call_log(struct vmm *vmm, const uint64_t *arg)
{
	char text[LOG_MAX];
	uint64_t length = arg[1] < sizeof(text) ? arg[1] : sizeof(text);
	const void *from = vmm_gpa(&vmm->memory, GPA(arg[0]), length);

	if (!from)
		return -EFAULT;
	memcpy(text, from, length);
	log_guest(arg[2] > VMM_LOG_STRACE ? VMM_LOG_DEBUG : (int)arg[2], text, length);
	return 0;
}

static int64_t call_clock(struct vmm *vmm, const uint64_t *arg)
{
	struct abi_clock clock;
	void *to = vmm_gpa(&vmm->memory, GPA(arg[0]), sizeof(clock));

	if (!to)
		return -EFAULT;
	clock_sample(&clock);
	memcpy(to, &clock, sizeof(clock));
	return 0;
}

static int64_t call_entropy(struct vmm *vmm, const uint64_t *arg)
{
	void *to = arg[1] <= ENTROPY_MAX ? vmm_gpa(&vmm->memory, GPA(arg[0]), arg[1]) : NULL;

	if (!to)
		return -EFAULT;
	return host_result(pread(random_fd, to, arg[1], 0));
}

static int64_t call_transfer(struct vmm *vmm, const uint64_t *arg, bool writing)
{
	int kind = fds_kind(vmm, (uint32_t)arg[0]);
	void *memory = arg[2] <= IO_MAX ? vmm_gpa(&vmm->memory, GPA(arg[1]), arg[2]) : NULL;

	if (arg[0] > UINT32_MAX || kind < 0)
		return -EBADF;
	if (kind != ABI_FILE_REGULAR)
		return -ESPIPE; /* others may wait */
	if (!memory)
		return -EFAULT;
	if ((int64_t)arg[3] < 0)
		return -EINVAL;
	int fd = fds_get(vmm, (uint32_t)arg[0]);
	return host_result(writing ? pwrite(fd, memory, arg[2], (off_t)arg[3])
				   : pread(fd, memory, arg[2], (off_t)arg[3]));
}

/*
 * As call_transfer(), into fresh pages. To read into a page of the user zone that was never touched takes the host a fault, in the
 * middle of it, that makes the page and maps it here, where it is seldom looked at; to write to the zone's file only makes it: 1.4 us
 * a page instead of 2.5.
 */
static int64_t call_fill(struct vmm *vmm, const uint64_t *arg)
{
	const struct vmm_memory *memory = &vmm->memory;
	uint64_t to = arg[1] - memory->user.base, done = 0;
	uint8_t part[FILL_PART];

	if (memory->user_memfd < 0 || arg[0] > UINT32_MAX || fds_kind(vmm, (uint32_t)arg[0]) != ABI_FILE_REGULAR ||
	    arg[2] > memory->user.size || to > memory->user.size - arg[2] || (int64_t)arg[3] < 0)
		return call_transfer(vmm, arg, false);
	int fd = fds_get(vmm, (uint32_t)arg[0]);
	while (done < arg[2]) {
		size_t n = arg[2] - done < sizeof(part) ? arg[2] - done : sizeof(part);
		ssize_t got = pread(fd, part, n, (off_t)(arg[3] + done));

		if (got > 0)
			got = pwrite(memory->user_memfd, part, (size_t)got, (off_t)(to + done));
		if (got < 0)
			return done ? (int64_t)done : -errno;
		done += (uint64_t)got;
		if ((size_t)got < n)
			break;
	}
	return (int64_t)done;
}

static int64_t call_truncate(struct vmm *vmm, const uint64_t *arg)
{
	if (arg[0] > UINT32_MAX || fds_kind(vmm, (uint32_t)arg[0]) != ABI_FILE_REGULAR)
		return -EBADF;
	if ((int64_t)arg[1] < 0)
		return -EINVAL;
	return host_result(ftruncate(fds_get(vmm, (uint32_t)arg[0]), (off_t)arg[1]));
}

static int64_t nanoseconds(struct timespec time)
{
	return (int64_t)((uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec);
}

static int64_t call_stat(struct vmm *vmm, const uint64_t *arg)
{
	int kind = arg[0] > UINT32_MAX ? -EBADF : fds_kind(vmm, (uint32_t)arg[0]);
	void *to = vmm_gpa(&vmm->memory, GPA(arg[1]), sizeof(struct abi_stat));
	struct abi_stat out = {.kind = (uint32_t)kind};
	struct stat st;

	if (kind < 0)
		return kind;
	if (!to)
		return -EFAULT;
	if (host_fstat(fds_get(vmm, (uint32_t)arg[0]), &st) < 0)
		return -errno;
	out.flags = (uint32_t)fds_flags(vmm, (uint32_t)arg[0]);
	if (kind == ABI_FILE_REGULAR) {
		out.size = (uint64_t)st.st_size;
		out.mtime_ns = nanoseconds(st.st_mtim);
		out.ctime_ns = nanoseconds(st.st_ctim);
		out.atime_ns = nanoseconds(st.st_atim);
		out.blocks = (uint64_t)st.st_blocks;
	}
	memcpy(to, &out, sizeof(out));
	return 0;
}

static int terminal_fd(struct vmm *vmm, uint64_t index)
{
	return index <= UINT32_MAX && fds_kind(vmm, (uint32_t)index) == ABI_FILE_TTY ? fds_get(vmm, (uint32_t)index) : -ENOTTY;
}

static int64_t call_tty_get(struct vmm *vmm, const uint64_t *arg)
{
	int fd = terminal_fd(vmm, arg[0]);
	void *to = vmm_gpa(&vmm->memory, GPA(arg[1]), sizeof(struct abi_tty));
	struct termios ios;
	struct window_size window;
	struct abi_tty out = {0};

	if (fd < 0)
		return fd;
	if (!to)
		return -EFAULT;
	if (ioctl(fd, IOCTL_TCGETS, &ios) < 0 || ioctl(fd, IOCTL_TIOCGWINSZ, &window) < 0)
		return -errno;
	out.iflag = ios.c_iflag;
	out.oflag = ios.c_oflag;
	out.cflag = ios.c_cflag;
	out.lflag = ios.c_lflag;
	out.line = ios.c_line;
	memcpy(out.cc, ios.c_cc, sizeof(out.cc));
	out.rows = window.rows;
	out.cols = window.cols;
	out.xpixel = window.xpixel;
	out.ypixel = window.ypixel;
	memcpy(to, &out, sizeof(out));
	return 0;
}

static int64_t call_tty_set(struct vmm *vmm, const uint64_t *arg)
{
	int fd = terminal_fd(vmm, arg[0]);
	const void *from = vmm_gpa(&vmm->memory, GPA(arg[1]), sizeof(struct abi_tty));
	struct abi_tty in;

	if (fd < 0)
		return fd;
	if (!from)
		return -EFAULT;
	memcpy(&in, from, sizeof(in));
	if (arg[2] == 2) {
		struct window_size window = {in.rows, in.cols, in.xpixel, in.ypixel};
		return host_result(ioctl(fd, IOCTL_TIOCSWINSZ, &window));
	}
	if (arg[2] != 1)
		return -EINVAL;
	struct termios ios = {in.iflag, in.oflag, in.cflag, in.lflag, in.line, {0}};
	_Static_assert(sizeof(ios.c_cc) == sizeof(in.cc), "the kernel's termios");
	memcpy(ios.c_cc, in.cc, sizeof(in.cc));
	return host_result(ioctl(fd, IOCTL_TCSETS, &ios));
}

static int64_t call_cpu_start(struct vmm *vmm, const uint64_t *arg)
{
	if (arg[0] == 0 || arg[0] >= vmm->cpus)
		return -EINVAL;
	vmm->platform->cpu_start(vmm, (unsigned)arg[0]);
	return 0;
}

int64_t vmm_call(struct vmm *vmm, unsigned cpu, const struct abi_call *call)
{
	const uint64_t *arg = call->arg;

	switch (call->op) {
	case ABI_CALL_log:
		return call_log(vmm, arg);
	case ABI_CALL_exit:
		if (arg[0] == ABI_EXIT_PANIC)
			vmm_fail(vmm, ABI_EXIT_PANIC & 0xffff);
		else
			vmm_end(vmm, (int)(arg[0] & 0xffff));
		return 0;
	case ABI_CALL_clock:
		return call_clock(vmm, arg);
	case ABI_CALL_entropy:
		return call_entropy(vmm, arg);
	case ABI_CALL_mem_release:
		return vmm_memory_release(&vmm->memory, GPA(arg[0]), arg[1]);
	case ABI_CALL_cpu_start:
		return call_cpu_start(vmm, arg);
	case ABI_CALL_fd_pread:
		return call_transfer(vmm, arg, false);
	case ABI_CALL_fd_fill:
		return call_fill(vmm, arg);
	case ABI_CALL_fd_pwrite:
		return call_transfer(vmm, arg, true);
	case ABI_CALL_fd_truncate:
		return call_truncate(vmm, arg);
	case ABI_CALL_fd_close:
		return arg[0] > UINT32_MAX ? -EBADF : fds_close(vmm, (uint32_t)arg[0]);
	case ABI_CALL_fd_stat:
		return call_stat(vmm, arg);
	case ABI_CALL_tty_get:
		return call_tty_get(vmm, arg);
	case ABI_CALL_tty_set:
		return call_tty_set(vmm, arg);
	case ABI_CALL_control_send:
		return control_send(vmm, arg[0], arg[1]);
	case ABI_CALL_gofer_close:
		return channel_close(vmm->io, arg[0]);
	default:
		return sockets_call(vmm, call);
	}
}
