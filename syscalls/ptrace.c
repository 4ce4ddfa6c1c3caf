/*
 * ptrace(2): the requests, one small function each; what they do is kernel/ptrace.c's.
 *
 * PEEK requests store the word at data, as the system call does (the C library's wrapper returns it).
 */
#include <asm/ptrace.h>
#include <linux/elf.h>
#include <linux/errno.h>
#include <linux/ptrace.h>

#include "kernel/mm.h"
#include "kernel/ptrace.h"
#include "kernel/task.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/syscalls.h"

#define DEBUGREG_OFFSET 848 /* of u_debugreg in struct user, which ends 64 bytes later */
#define USER_SIZE 912
#define PTRACE_OLDSETOPTIONS 21
#define ARCH_X86_64 0xc000003eu

static int64_t peek(struct task *task, uint64_t addr, uint64_t data)
{
	struct mm *mm = task->mm;
	uint64_t word;

	mm_get(mm);
	int64_t got = mm_access(mm, addr, &word, sizeof(word), false, true);
	mm_put(mm);
	if (got != sizeof(word))
		return -EIO;
	return put_user(word, UADDR(data));
}

static int64_t poke(struct task *task, uint64_t addr, uint64_t data)
{
	struct mm *mm = task->mm;

	mm_get(mm);
	int64_t done = mm_access(mm, addr, &data, sizeof(data), true, true);
	mm_put(mm);
	return done == sizeof(data) ? 0 : -EIO;
}

/* struct user: the registers and the debug registers; the rest reads as zero. */
static int64_t peek_user(const struct task *task, uint64_t addr, uint64_t data)
{
	uint64_t regs[PTRACE_USER_REGS_SIZE / 8], word = 0;

	if (addr % 8 || addr >= USER_SIZE)
		return -EIO;
	ptrace_get_regs(task, regs);
	if (addr < sizeof(regs))
		word = regs[addr / 8];
	else if (addr >= DEBUGREG_OFFSET)
		word = ptrace_get_debug(task, (unsigned)(addr - DEBUGREG_OFFSET) / 8);
	return put_user(word, UADDR(data));
}

static int64_t poke_user(struct task *task, uint64_t addr, uint64_t data)
{
	if (addr % 8 || addr >= USER_SIZE)
		return -EIO;
	if (addr < PTRACE_USER_REGS_SIZE)
		return ptrace_set_regs(task, &data, addr / 8, 1);
	return addr < DEBUGREG_OFFSET ? -EIO : ptrace_set_debug(task, (unsigned)(addr - DEBUGREG_OFFSET) / 8, data);
}

/* ---- register sets ---- */

static size_t set_size(unsigned set)
{
	switch (set) {
	case NT_PRSTATUS:
		return PTRACE_USER_REGS_SIZE;
	case NT_PRFPREG:
		return PTRACE_FXSAVE_SIZE;
	default:
		return ptrace_xstate_size();
	}
}

static int64_t get_set(const struct task *task, unsigned set, uaddr_t to, uint64_t *length)
{
	uint64_t regs[PTRACE_USER_REGS_SIZE / 8];
	size_t size = set_size(set);
	uint8_t *area;

	if (*length > size)
		*length = size;
	if (set == NT_PRSTATUS) {
		ptrace_get_regs(task, regs);
		return copy_to_user(to, regs, *length);
	}
	area = kmalloc(size);
	if (!area)
		return -ENOMEM;
	if (set == NT_PRFPREG)
		ptrace_get_fpregs(task, area);
	else
		ptrace_get_xstate(task, area);
	int64_t rc = copy_to_user(to, area, *length);
	kfree(area);
	return rc;
}

static int64_t get_whole_set(const struct task *task, unsigned set, uint64_t to)
{
	uint64_t length = set_size(set);

	return get_set(task, set, UADDR(to), &length);
}

static int64_t set_fpu(struct task *task, unsigned set, uaddr_t from, size_t size)
{
	uint8_t *area = kmalloc(size);
	int64_t rc;

	if (!area)
		return -ENOMEM;
	rc = copy_from_user(area, from, size);
	/* The copy may have slept: the tracee may have been killed. */
	if (!rc && !task->ptrace.stopped)
		rc = -ESRCH;
	if (!rc)
		rc = set == NT_PRFPREG ? ptrace_set_fpregs(task, area) : ptrace_set_xstate(task, area);
	kfree(area);
	return rc;
}

static int64_t set_set(struct task *task, unsigned set, uaddr_t from, uint64_t *length)
{
	uint64_t regs[PTRACE_USER_REGS_SIZE / 8];
	size_t size = set_size(set);
	int64_t rc;

	if (set != NT_PRSTATUS) {
		if (*length < size)
			return -EINVAL;
		*length = size;
		return set_fpu(task, set, from, size);
	}
	if (*length > size)
		*length = size;
	rc = copy_from_user(regs, from, *length);
	if (!rc && !task->ptrace.stopped)
		rc = -ESRCH;
	return rc ? rc : ptrace_set_regs(task, regs, 0, *length / 8);
}

static int64_t set_whole_set(struct task *task, unsigned set, uint64_t from)
{
	uint64_t length = set_size(set);

	return set_set(task, set, UADDR(from), &length);
}

static int64_t register_set(struct task *task, bool get, uint64_t set, uint64_t data)
{
	struct {
		uint64_t base, len;
	} vector;

	if (copy_from_user(&vector, UADDR(data), sizeof(vector)))
		return -EFAULT;
	if (set != NT_PRSTATUS && set != NT_PRFPREG && set != NT_X86_XSTATE)
		return -EINVAL;
	if (vector.len % 8)
		return -EINVAL;
	int64_t rc = get ? get_set(task, (unsigned)set, UADDR(vector.base), &vector.len)
			 : set_set(task, (unsigned)set, UADDR(vector.base), &vector.len);
	return rc ? rc : put_user(vector.len, UADDR(data + 8));
}

/* ---- signals, system calls ---- */

static int64_t get_siginfo(const struct task *task, uint64_t data)
{
	uint8_t info[128];

	if (!task->ptrace.info.signo)
		return -EINVAL;
	ksiginfo_to_user(&task->ptrace.info, info);
	return copy_to_user(UADDR(data), info, sizeof(info));
}

static int64_t set_siginfo(struct task *task, uint64_t data)
{
	uint8_t info[128];

	if (copy_from_user(info, UADDR(data), sizeof(info)))
		return -EFAULT;
	if (!task->ptrace.stopped || !task->ptrace.info.signo)
		return -EINVAL;
	ksiginfo_from_user(&task->ptrace.info, info);
	return 0;
}

/* The signals that are queued, from the one at place off on: how many were copied. A copy may sleep: each is looked for anew. */
static int64_t peek_siginfo(const struct task *task, uint64_t addr, uint64_t data)
{
	struct ptrace_peeksiginfo_args args;
	uint8_t user[128];
	int32_t n = 0;

	if (copy_from_user(&args, UADDR(addr), sizeof(args)))
		return -EFAULT;
	if (args.flags & ~(uint32_t)PTRACE_PEEKSIGINFO_SHARED || args.nr < 0)
		return -EINVAL;
	for (; n < args.nr; n++, data += sizeof(user)) {
		struct ksiginfo info;

		if (!task->ptrace.stopped || !signal_peek(task, args.flags & PTRACE_PEEKSIGINFO_SHARED, args.off + (uint32_t)n, &info))
			break;
		ksiginfo_to_user(&info, user);
		if (copy_to_user(UADDR(data), user, sizeof(user)))
			return n ? n : -EFAULT;
		if (signal_pending(current))
			return n + 1;
	}
	return n;
}

static int64_t rseq_configuration(const struct task *task, uint64_t size, uint64_t data)
{
	struct ptrace_rseq_configuration conf = {.rseq_abi_pointer = task->rseq.v, .rseq_abi_size = task->rseq_len,
		.signature = task->rseq_sig};

	return copy_to_user(UADDR(data), &conf, MIN(size, sizeof(conf))) ? -EFAULT : (int64_t)sizeof(conf);
}

static int64_t signal_mask(struct task *task, bool get, uint64_t size, uint64_t data)
{
	sigset64 set = task->restore_blocked ? task->saved_blocked : task->blocked;

	if (size != sizeof(set))
		return -EINVAL;
	if (get)
		return put_user(set, UADDR(data));
	if (get_user(set, UADDR(data)))
		return -EFAULT;
	task->restore_blocked = false;
	signal_set_blocked(task, set);
	return 0;
}

static int64_t syscall_info(const struct task *task, uint64_t size, uint64_t data)
{
	const struct regs *regs = task->regs;
	struct ptrace_syscall_info info = {.op = task->ptrace.syscall_op, .arch = ARCH_X86_64,
		.instruction_pointer = regs->rip, .stack_pointer = regs->rsp};
	uint64_t actual = offsetof(struct ptrace_syscall_info, entry);

	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		const uint64_t args[6] = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9};

		info.entry.nr = regs->orig_rax;
		memcpy(info.entry.args, args, sizeof(args));
		actual = offsetof(struct ptrace_syscall_info, entry) + sizeof(info.entry);
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
		info.exit.rval = (int64_t)regs->rax;
		info.exit.is_error = regs->rax >= (uint64_t)-4095;
		actual = offsetof(struct ptrace_syscall_info, exit.is_error) + sizeof(info.exit.is_error);
	}
	if (copy_to_user(UADDR(data), &info, MIN(size, actual)))
		return -EFAULT;
	return (int64_t)actual;
}

/* ---- the requests ---- */

static int64_t resume(struct task *task, int request, uint64_t signo)
{
	switch (request) {
	case PTRACE_SYSCALL:
		return ptrace_resume(task, PTRACE_MODE_SYSCALL, signo);
	case PTRACE_SINGLESTEP:
		return ptrace_resume(task, PTRACE_MODE_STEP, signo);
	case PTRACE_SYSEMU:
		return ptrace_resume(task, PTRACE_MODE_EMULATE, signo);
	case PTRACE_SYSEMU_SINGLESTEP:
		return ptrace_resume(task, PTRACE_MODE_EMULATE_STEP, signo);
	default:
		return ptrace_resume(task, PTRACE_MODE_CONT, signo);
	}
}

/* What is asked of a stopped tracee. */
static int64_t request_stopped(struct task *task, int request, uint64_t addr, uint64_t data)
{
	switch (request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
		return peek(task, addr, data);
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA:
		return poke(task, addr, data);
	case PTRACE_PEEKUSR:
		return peek_user(task, addr, data);
	case PTRACE_POKEUSR:
		return poke_user(task, addr, data);
	case PTRACE_GETREGS:
		return get_whole_set(task, NT_PRSTATUS, data);
	case PTRACE_SETREGS:
		return set_whole_set(task, NT_PRSTATUS, data);
	case PTRACE_GETFPREGS:
		return get_whole_set(task, NT_PRFPREG, data);
	case PTRACE_SETFPREGS:
		return set_whole_set(task, NT_PRFPREG, data);
	case PTRACE_GETREGSET:
	case PTRACE_SETREGSET:
		return register_set(task, request == PTRACE_GETREGSET, addr, data);
	case PTRACE_GETSIGINFO:
		return get_siginfo(task, data);
	case PTRACE_SETSIGINFO:
		return set_siginfo(task, data);
	case PTRACE_GETSIGMASK:
	case PTRACE_SETSIGMASK:
		return signal_mask(task, request == PTRACE_GETSIGMASK, addr, data);
	case PTRACE_GETEVENTMSG:
		return put_user(task->ptrace.message, UADDR(data));
	case PTRACE_GET_SYSCALL_INFO:
		return syscall_info(task, addr, data);
	case PTRACE_PEEKSIGINFO:
		return peek_siginfo(task, addr, data);
	case PTRACE_GET_RSEQ_CONFIGURATION:
		return rseq_configuration(task, addr, data);
	case PTRACE_SETOPTIONS:
	case PTRACE_OLDSETOPTIONS:
		return ptrace_set_options(task, data);
	case PTRACE_LISTEN:
		return ptrace_listen(task);
	case PTRACE_DETACH:
		return ptrace_detach(task, data);
	case PTRACE_CONT:
	case PTRACE_SYSCALL:
	case PTRACE_SINGLESTEP:
	case PTRACE_SYSEMU:
	case PTRACE_SYSEMU_SINGLESTEP:
		return resume(task, request, data);
	default:
		return -EIO;
	}
}

static int64_t kill_tracee(struct task *task)
{
	struct ksiginfo info = {.signo = 9 /* SIGKILL */, .forced = true};

	return signal_send_task(task, &info);
}

static int64_t attach(int tid, bool seize, uint64_t addr, uint64_t options)
{
	struct task *task;

	while ((task = task_find(tid)) && task->process->execing) {
		if (task_await_exec(task->process))
			return -ERESTARTNOINTR;
	}
	if (!task)
		return -ESRCH;
	if (seize && addr)
		return -EIO;
	return ptrace_attach(task, seize, options);
}

int64_t sys_ptrace(struct regs *regs)
{
	int request = INT0(regs), tid = INT1(regs);
	struct task *task;

	if (request == PTRACE_TRACEME)
		return ptrace_trace_me();
	if (request == PTRACE_ATTACH || request == PTRACE_SEIZE)
		return attach(tid, request == PTRACE_SEIZE, ARG2(regs), ARG3(regs));
	bool running = request == PTRACE_KILL || request == PTRACE_INTERRUPT;
	task = ptrace_find(tid, !running);
	if (!task)
		return -ESRCH;
	if (request == PTRACE_KILL)
		return kill_tracee(task);
	if (request == PTRACE_INTERRUPT)
		return ptrace_interrupt(task);
	task_get(task);
	int64_t rc = request_stopped(task, request, ARG2(regs), ARG3(regs));
	task_put(task);
	return rc;
}
