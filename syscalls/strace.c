/*
 * --strace: one line a system call to the log, decoded from the letters of table.def as
 * strace(1) prints them. Lines are written when a call returns; calls that do not
 * return, or that replace the program, are written when they start.
 *
 * It copies user memory, so it may sleep, and a racing thread may show other bytes than
 * the call used: this is for reading, not for deciding.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "kernel/errno_names.h"
#include "kernel/mm.h"
#include "kernel/task.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/syscalls.h"

#define LINE_MAX 512
#define SHOWN_BYTES 32

struct line {
	char *text;
	size_t used;
};

struct flag_name {
	uint64_t bit;
	const char *name;
};

static const struct flag_name open_flags[] = {
	{O_CREAT, "O_CREAT"}, {O_EXCL, "O_EXCL"}, {O_NOCTTY, "O_NOCTTY"}, {O_TRUNC, "O_TRUNC"}, {O_APPEND, "O_APPEND"},
	{O_NONBLOCK, "O_NONBLOCK"}, {O_DIRECTORY, "O_DIRECTORY"}, {O_NOFOLLOW, "O_NOFOLLOW"}, {O_CLOEXEC, "O_CLOEXEC"},
	{O_PATH, "O_PATH"},
};
static const struct flag_name map_flags[] = {
	{MAP_SHARED, "MAP_SHARED"}, {MAP_PRIVATE, "MAP_PRIVATE"}, {MAP_FIXED, "MAP_FIXED"}, {MAP_ANONYMOUS, "MAP_ANONYMOUS"},
	{MAP_STACK, "MAP_STACK"}, {MAP_NORESERVE, "MAP_NORESERVE"}, {MAP_DENYWRITE, "MAP_DENYWRITE"},
	{MAP_POPULATE, "MAP_POPULATE"}, {MAP_FIXED_NOREPLACE, "MAP_FIXED_NOREPLACE"},
};
static const struct flag_name prot_flags[] = {
	{PROT_READ, "PROT_READ"}, {PROT_WRITE, "PROT_WRITE"}, {PROT_EXEC, "PROT_EXEC"},
};
static const char *const signal_names[] = {
	"0", "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1",
	"SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP",
	"SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
};

static __attribute__((format(printf, 2, 3))) void put(struct line *line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(line->text + line->used, LINE_MAX - line->used, format, args);
	va_end(args);
	line->used = MIN(line->used + (size_t)MAX(n, 0), (size_t)LINE_MAX - 1);
}

static void put_flags(struct line *line, uint64_t value, const struct flag_name *names, size_t count, const char *none)
{
	const char *separator = "";

	for (size_t i = 0; i < count; i++) {
		if (!(value & names[i].bit))
			continue;
		put(line, "%s%s", separator, names[i].name);
		separator = "|";
		value &= ~names[i].bit;
	}
	if (value)
		put(line, "%s%#lx", separator, (unsigned long)value);
	else if (!*separator)
		put(line, "%s", none);
}

static void put_bytes(struct line *line, const char *bytes, size_t n, bool more)
{
	put(line, "\"");
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c == '\n')
			put(line, "\\n");
		else if (c == '"' || c == '\\')
			put(line, "\\%c", c);
		else if (c >= ' ' && c < 127)
			put(line, "%c", c);
		else
			put(line, "\\%o", c);
	}
	put(line, more ? "\"..." : "\"");
}

static void put_user_buffer(struct line *line, uint64_t address, uint64_t n)
{
	char bytes[SHOWN_BYTES];
	size_t shown = MIN(n, (uint64_t)SHOWN_BYTES);

	if (address == 0)
		put(line, "NULL");
	else if (copy_from_user(bytes, UADDR(address), shown))
		put(line, "%#lx", (unsigned long)address);
	else
		put_bytes(line, bytes, shown, n > shown);
}

static void put_user_string(struct line *line, uint64_t address)
{
	char text[128];
	int64_t n;

	if (address == 0) {
		put(line, "NULL");
		return;
	}
	n = strncpy_from_user(text, UADDR(address), sizeof(text));
	if (n == -EFAULT)
		put(line, "%#lx", (unsigned long)address);
	else if (n < 0 && copy_from_user(text, UADDR(address), SHOWN_BYTES) == 0)
		put_bytes(line, text, SHOWN_BYTES, true);
	else if (n >= 0)
		put_bytes(line, text, (size_t)n, false);
}

static void put_open_flags(struct line *line, uint64_t flags)
{
	static const char *const modes[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};

	put(line, "%s", modes[flags & 3]);
	if (flags & ~3ull) {
		put(line, "|");
		put_flags(line, flags & ~3ull, open_flags, ARRAY_SIZE(open_flags), "");
	}
}

static void put_argument(struct line *line, char kind, uint64_t value, uint64_t next, const int64_t *result)
{
	switch (kind) {
	case 'D':
		if ((int)value == AT_FDCWD) {
			put(line, "AT_FDCWD");
			break;
		}
		/* fallthrough */
	case 'd':
	case 'i':
		put(line, "%d", (int)value);
		break;
	case 'u':
	case 'z':
		put(line, "%lu", (unsigned long)value);
		break;
	case 'o':
		put(line, "0%lo", (unsigned long)value);
		break;
	case 's':
		put_user_string(line, value);
		break;
	case 'b':
		put_user_buffer(line, value, next);
		break;
	case 'B':
		if (result && *result >= 0)
			put_user_buffer(line, value, (uint64_t)*result);
		else
			put(line, "%#lx", (unsigned long)value);
		break;
	case 'O':
		put_open_flags(line, value);
		break;
	case 'M':
		put_flags(line, value, prot_flags, ARRAY_SIZE(prot_flags), "PROT_NONE");
		break;
	case 'm':
		put_flags(line, value, map_flags, ARRAY_SIZE(map_flags), "0");
		break;
	case 'S':
		if (value < ARRAY_SIZE(signal_names))
			put(line, "%s", signal_names[value]);
		else
			put(line, "SIGRT_%lu", (unsigned long)value - 32);
		break;
	case 'p':
		if (value == 0) {
			put(line, "NULL");
			break;
		}
		/* fallthrough */
	default:
		put(line, "%#lx", (unsigned long)value);
	}
}

static void put_call(struct line *line, const struct regs *regs, const int64_t *result)
{
	const uint64_t args[7] = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9, 0};
	uint64_t number = regs->orig_rax;
	const struct syscall_info *info = number < SYSCALL_COUNT ? &syscall_infos[number] : NULL;
	const char *kinds = info && info->name ? info->args : "xxxxxx";

	if (info && info->name)
		put(line, "[%5d] %s(", current->tid, info->name);
	else
		put(line, "[%5d] syscall_%lu(", current->tid, (unsigned long)number);
	for (unsigned i = 0; kinds[i] && i < 6; i++) {
		if (i)
			put(line, ", ");
		put_argument(line, kinds[i], args[i], args[i + 1], result);
	}
	put(line, ")");
}

/* Calls whose return is another program's, or never. */
static bool shown_at_entry(uint64_t number)
{
	static const char *const names[] = {"execve", "execveat", "exit", "exit_group", "rt_sigreturn"};

	if (number >= SYSCALL_COUNT || !syscall_infos[number].name)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(syscall_infos[number].name, names[i]) == 0)
			return true;
	}
	return false;
}

void strace_entry(struct regs *regs)
{
	if (!(current->work & WORK_STRACE) || !shown_at_entry(regs->orig_rax))
		return;
	struct line line = {.text = kmalloc(LINE_MAX)};
	if (!line.text)
		return;
	put_call(&line, regs, NULL);
	klog(LOG_STRACE, "%s", line.text);
	kfree(line.text);
}

void strace_exit(struct regs *regs)
{
	int64_t result = (int64_t)regs->rax;

	/* After a sigreturn the registers are no call's any more. */
	if (!(current->work & WORK_STRACE) || (int64_t)regs->orig_rax < 0 || (shown_at_entry(regs->orig_rax) && result >= 0))
		return;
	struct line line = {.text = kmalloc(LINE_MAX)};
	if (!line.text)
		return;
	put_call(&line, regs, &result);
	if (result < 0 && result >= -4095)
		put(&line, " = -1 %s (%s)", errno_name((int)-result), errno_text((int)-result));
	else if (result > 0xffffff)
		put(&line, " = %#lx", (unsigned long)result);
	else
		put(&line, " = %ld", (long)result);
	klog(LOG_STRACE, "%s", line.text);
	kfree(line.text);
}
