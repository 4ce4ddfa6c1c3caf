/*
 * The stub's system call list: all that a stub process may ever ask of the host.
 *
 * The container's code runs under PTRACE_SYSEMU, which stops it before the filter is
 * asked and never performs its calls; the filter is the second line, and the only one
 * for what stub_code.S executes and for the vsyscall page. So each entry must stay
 * harmless in the hands of code that controls every register: it can touch this
 * process's own address space and the user memfd, nothing else.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/ptrace/filter.h"
#include "platform/ptrace/internal.h"

#define ANY (-1)

/* Up to two arguments are compared (low 32 bits); ANY as the index: not compared. */
const struct filter_entry filter_entries[] = {
	{SYS_mmap, "mmap", "mirror pages: MAP_SHARED|MAP_FIXED of the user memfd only", 3, MAP_SHARED | MAP_FIXED, 4, STUB_MEMFD},
	{SYS_munmap, "munmap", "drop mirrored pages", ANY, 0, ANY, 0},
	{SYS_clone, "clone", "a new stub from the master: a plain fork, same tracer", 0, CLONE_PARENT | SIGCHLD, ANY, 0},
	{SYS_exit_group, "exit_group", "end", ANY, 0, ANY, 0},
};
const size_t filter_entry_count = sizeof(filter_entries) / sizeof(filter_entries[0]);

static struct sock_filter *emit_argument(struct sock_filter *at, int index, uint32_t value)
{
	if (index == ANY)
		return at;
	*at++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		(uint32_t)(offsetof(struct seccomp_data, args) + 8u * (unsigned)index));
	*at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
	*at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
	return at;
}

static struct sock_filter *emit_entry(struct sock_filter *at, const struct filter_entry *entry)
{
	struct sock_filter *test = at++;

	at = emit_argument(at, entry->index1, entry->value1);
	at = emit_argument(at, entry->index2, entry->value2);
	*at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	*test = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)entry->nr, 0, (uint8_t)(at - test - 1));
	return at;
}

int filter_apply(void)
{
	struct sock_filter code[16 * 8], *at = code;
	struct sock_fprog program;

	*at++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	*at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	*at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
	*at++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < filter_entry_count; i++)
		at = emit_entry(at, &filter_entries[i]);
	*at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
	program = (struct sock_fprog){.len = (unsigned short)(at - code), .filter = code};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		return -errno;
	return 0;
}
