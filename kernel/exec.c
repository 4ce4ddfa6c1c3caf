/*
 * execve: a new program for the current task (execve(2), and Linux' layout of the first stack).
 *
 * exec_program() works aside: it follows "#!" lines, loads program and interpreter into
 * a new mm, copies the strings there, writes vectors and auxv. All of that may fail and
 * leaves the task as it was. exec_commit() is the point of no return: the other threads
 * end, the new mm is switched to, and what does not survive an execve is reset.
 */
#include <asm-generic/resource.h>
#include <asm/signal.h>
#include <linux/auxvec.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/personality.h>

#include "kernel/elf.h"
#include "kernel/exec.h"
#include "kernel/files.h"
#include "kernel/mm/internal.h"
#include "kernel/process.h"
#include "kernel/random.h"
#include "kernel/task.h"
#include "kernel/user_ns.h"
#include "kernel/vdso/vdso.h"
#include "ring0/usercopy.h"

#define HEAD_SIZE 256u          /* BINPRM_BUF_SIZE: what is looked at to tell the format */
#define SCRIPT_DEPTH 5u
#define STRING_MAX (32u * 4096u) /* MAX_ARG_STRLEN, with the terminator */
#define STACK_INITIAL (132ull << 10)
#define PIE_BASE 0x555555554000ull
#define NEAR_STATIC 0x200000ull /* below where such programs are linked to */
#define RANDOM_PAGES_MMAP 28
#define RANDOM_PAGES_STACK 22
#define AUXV_PAIRS 24
#define TABLE_WORDS 64u
#define USER_CODE_SELECTOR 0x33
#define USER_DATA_SELECTOR 0x2b
#define RFLAGS_START 0x202

struct exec {
	struct file *file;   /* the program: ours */
	const char *path;    /* as the caller named it */
	char head[HEAD_SIZE + 1];
	uint64_t head_len;
	/* What scripts put before the caller's arguments, first one last. */
	char *prefix[3 * SCRIPT_DEPTH];
	unsigned prefix_count, skip; /* skip: leading arguments of argv that a script replaced */
	const struct exec_vector *argv, *envp;
	uint64_t argc, envc;
	struct mm *mm;
	uint64_t stack_top, p, limit; /* p: lowest byte written; limit: it may not go below */
	uint64_t execfn, platform, random;
	struct elf_image image, interpreter;
	bool has_interpreter, secure, hidden, randomize;
	struct cred *cred;
	uint64_t entry;
	char *buffer; /* strings on their way: a page, or STRING_MAX bytes */
	uint64_t buffer_size;
};

/* ---- the new stack, written through its pages ---- */

static int stack_write(struct exec *x, uint64_t at, const void *from, uint64_t n)
{
	int64_t done = mm_access(x->mm, at, (void *)(uintptr_t)from, n, true, false);

	if (done < 0)
		return done == -ENOMEM ? -ENOMEM : -E2BIG;
	return (uint64_t)done == n ? 0 : -E2BIG;
}

static int stack_push(struct exec *x, const void *from, uint64_t n)
{
	if (x->p - x->limit < n)
		return -E2BIG;
	x->p -= n;
	return stack_write(x, x->p, from, n);
}

static uint64_t exec_random(const struct exec *x, unsigned bits)
{
	return x->randomize ? random_u64() & ((1ull << bits) - 1) : 0;
}

static int exec_make_mm(struct exec *x)
{
	uint64_t rlimit = mm_rlimit(RLIMIT_STACK), gap, room;
	struct vma *stack;

	x->randomize = !(current->process->personality & ADDR_NO_RANDOMIZE);
	x->mm = mm_create();
	if (!x->mm)
		return -ENOMEM;
	x->stack_top = USER_TOP - PAGE_SIZE - (exec_random(x, RANDOM_PAGES_STACK) << PAGE_SHIFT);
	stack = vma_create(x->mm, x->stack_top - STACK_INITIAL, x->stack_top, VM_READ | VM_WRITE | VM_MAYREAD |
		VM_MAYWRITE | VM_MAYEXEC | VM_GROWSDOWN | VM_STACK | (x->image.exec_stack ? VM_EXEC : 0));
	if (!stack)
		return -ENOMEM;
	stack->name = "[stack]";
	vma_insert(stack);
	gap = MIN(MAX(rlimit, 128ull << 20), 64ull << 30) + STACK_GUARD;
	x->mm->mmap_base = (x->stack_top - gap - (exec_random(x, RANDOM_PAGES_MMAP) << PAGE_SHIFT)) & PAGE_MASK;
	x->mm->start_stack = x->stack_top;
	/* Linux: strings may take a quarter of the stack, at most 6 MiB, at least 128 KiB. */
	room = MAX(MIN(rlimit / 4, 6ull << 20), 128ull << 10);
	x->p = x->stack_top - sizeof(uint64_t);
	x->limit = x->p - room;
	return 0;
}

/* ---- strings ---- */

static int vector_count(struct exec *x, const struct exec_vector *vector, uint64_t *count)
{
	uint64_t n = 0, limit = (x->p - x->limit) / sizeof(uint64_t), entry;

	if (!vector->kernel && vector->user.v == 0) {
		*count = 0;
		return 0;
	}
	for (;; n++) {
		if (vector->kernel)
			entry = (uint64_t)vector->kernel[n];
		else if (get_user(entry, uaddr_add(vector->user, n * sizeof(entry))) < 0)
			return -EFAULT;
		if (!entry)
			break;
		if (n >= limit)
			return -E2BIG;
	}
	*count = n;
	return 0;
}

static int push_user_string(struct exec *x, uint64_t address)
{
	int64_t len = strncpy_from_user(x->buffer, UADDR(address), x->buffer_size);

	if (len == -ENAMETOOLONG && x->buffer_size < STRING_MAX) {
		char *bigger = kmalloc(STRING_MAX);

		if (!bigger)
			return -ENOMEM;
		kfree(x->buffer);
		x->buffer = bigger;
		x->buffer_size = STRING_MAX;
		len = strncpy_from_user(x->buffer, UADDR(address), x->buffer_size);
	}
	if (len < 0)
		return len == -ENAMETOOLONG ? -E2BIG : (int)len;
	return stack_push(x, x->buffer, (uint64_t)len + 1);
}

/* Strings [first, count) of a vector, the last one highest. */
static int push_vector(struct exec *x, const struct exec_vector *vector, uint64_t first, uint64_t count)
{
	for (uint64_t i = count; i > first; i--) {
		uint64_t address;
		int rc;

		if (vector->kernel) {
			rc = stack_push(x, vector->kernel[i - 1], strlen(vector->kernel[i - 1]) + 1);
		} else {
			if (get_user(address, uaddr_add(vector->user, (i - 1) * sizeof(address))) < 0)
				return -EFAULT;
			rc = push_user_string(x, address);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int exec_strings(struct exec *x)
{
	uint64_t pointers;
	int rc = vector_count(x, x->argv, &x->argc);

	if (rc == 0)
		rc = vector_count(x, x->envp, &x->envc);
	if (rc < 0)
		return rc;
	pointers = (x->argc + x->envc + x->prefix_count + 4) * sizeof(uint64_t);
	if (pointers >= x->p - x->limit)
		return -E2BIG;
	x->limit += pointers;
	x->buffer_size = PAGE_SIZE;
	x->buffer = kmalloc(x->buffer_size);
	if (!x->buffer)
		return -ENOMEM;
	rc = stack_push(x, x->path, strlen(x->path) + 1);
	if (rc < 0)
		return rc;
	x->execfn = x->p;
	x->mm->env_end = x->p;
	rc = push_vector(x, x->envp, 0, x->envc);
	if (rc < 0)
		return rc;
	x->mm->env_start = x->mm->arg_end = x->p;
	if (x->argc == 0)
		x->skip = 0;
	rc = push_vector(x, x->argv, x->skip, x->argc);
	for (unsigned i = 0; rc == 0 && i < x->prefix_count; i++)
		rc = stack_push(x, x->prefix[i], strlen(x->prefix[i]) + 1);
	x->argc = x->argc - x->skip + x->prefix_count;
	if (rc == 0 && x->argc == 0) {
		/* A program is never left without its name. */
		rc = stack_push(x, "", 1);
		x->argc = 1;
	}
	x->mm->arg_start = x->p;
	return rc;
}

/* ---- scripts ---- */

static int read_head(struct exec *x)
{
	int64_t got = file_read_kernel(x->file, x->head, HEAD_SIZE, 0);

	if (got < 0)
		return (int)got;
	x->head_len = (uint64_t)got;
	x->head[x->head_len] = '\0';
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* "#!interpreter argument": cuts head into the two. 0 or -ENOEXEC. */
static int script_parse(struct exec *x, char **interpreter, char **argument)
{
	char *at = x->head + 2, *end = memchr(at, '\n', x->head_len - 2);

	if (!end) {
		/* Without an end in sight the interpreter's own name must be whole. */
		end = x->head + x->head_len;
		while (at < end && is_blank(*at))
			at++;
		char *stop = at;

		while (stop < end && !is_blank(*stop) && *stop)
			stop++;
		if (stop == at || (stop == end && x->head_len == HEAD_SIZE))
			return -ENOEXEC;
		at = x->head + 2;
	}
	*end = '\0';
	while (end > at && is_blank(end[-1]))
		*--end = '\0';
	while (is_blank(*at))
		at++;
	if (!*at)
		return -ENOEXEC;
	*interpreter = at;
	while (*at && !is_blank(*at))
		at++;
	while (is_blank(*at))
		*at++ = '\0';
	*argument = *at ? at : NULL;
	return 0;
}

static int prefix_add(struct exec *x, const char *string)
{
	char *copy = kstrdup(string);

	if (!copy)
		return -ENOMEM;
	x->prefix[x->prefix_count++] = copy;
	return 0;
}

/* Replace the script by its interpreter; the script's path becomes an argument. */
static int script_enter(struct exec *x)
{
	char *interpreter, *argument;
	struct file *file;
	int rc;

	/* A nested script's own name is the outer one's interpreter: the first prefix. */
	if (x->prefix_count == 0) {
		rc = prefix_add(x, x->path);
		if (rc < 0)
			return rc;
	}
	rc = script_parse(x, &interpreter, &argument);
	if (rc == 0 && argument)
		rc = prefix_add(x, argument);
	if (rc == 0)
		rc = prefix_add(x, interpreter);
	if (rc == 0)
		rc = file_open_exec(AT_FDCWD, interpreter, 0, &file);
	if (rc < 0)
		return rc;
	x->skip = 1;
	file_put(x->file);
	x->file = file;
	return 0;
}

static int exec_find_program(struct exec *x)
{
	for (unsigned depth = 0;; depth++) {
		int rc = read_head(x);

		if (rc < 0)
			return rc;
		if (x->head_len < 2 || x->head[0] != '#' || x->head[1] != '!')
			return elf_read(&x->image, x->file, x->head, x->head_len);
		if (depth >= SCRIPT_DEPTH)
			return -ELOOP;
		rc = script_enter(x);
		if (rc < 0)
			return rc;
	}
}

/* ---- loading ---- */

/* A part of the program that the caller may not read: nor may he from the memory that it is in. */
static void exec_hide(struct exec *x, const struct file *file)
{
	struct user_ns *owner = file_hidden_in(file, x->mm->user_ns);

	if (!owner)
		return;
	mm_set_owner(x->mm, owner);
	x->hidden = true;
}

static int exec_load_interpreter(struct exec *x)
{
	struct file *file;
	char *head;
	int64_t got;
	int rc = file_open_exec(AT_FDCWD, x->image.interpreter, 0, &file);

	if (rc < 0)
		return rc;
	head = x->head; /* the program's header was copied out of it */
	got = file_read_kernel(file, head, HEAD_SIZE, 0);
	rc = got < 0 ? (int)got : elf_read(&x->interpreter, file, head, (uint64_t)got);
	x->has_interpreter = true;
	if (rc == 0)
		rc = elf_map(&x->interpreter, x->mm, 0);
	exec_hide(x, file);
	file_put(file);
	return rc == -ENOEXEC ? -ELIBBAD : rc;
}

static int exec_load(struct exec *x)
{
	struct elf_image *image = &x->image;
	struct mm *mm = x->mm;
	uint64_t base = 0;
	int rc;

	if (image->header.e_type == ET_DYN && image->interpreter)
		base = PIE_BASE + (exec_random(x, RANDOM_PAGES_MMAP) << PAGE_SHIFT);
	rc = elf_map(image, mm, base);
	if (rc < 0)
		return rc;
	x->entry = image->entry;
	mm->space.alike = image->header.e_type != ET_DYN;
	mm->start_code = image->start_code;
	mm->end_code = image->end_code;
	mm->start_data = image->start_data;
	mm->end_data = image->end_data;
	/* A static position-independent program lies among the mappings: its heap does not. */
	mm->brk = PAGE_ALIGN(image->header.e_type == ET_DYN && !base ? PIE_BASE : image->end);
	mm->brk += exec_random(x, 13) << PAGE_SHIFT;
	mm->start_brk = mm->brk;
	mm->exe = x->file;
	file_get(mm->exe);
	if (image->interpreter) {
		rc = exec_load_interpreter(x);
		if (rc < 0)
			return rc;
		x->entry = x->interpreter.entry;
	}
	if (x->entry >= USER_TOP)
		return -EINVAL;
	/* The machine's own code is to be within 2 GiB of the program's: libraries', or that of a program without any. */
	return vdso_map(mm, image->header.e_type == ET_DYN || image->interpreter ? 0 : NEAR_STATIC);
}

/* ---- the vectors and auxv ---- */

struct table {
	struct exec *x;
	uint64_t at;
	unsigned count;
	uint64_t word[TABLE_WORDS];
};

static int table_flush(struct table *table)
{
	int rc = stack_write(table->x, table->at, table->word, table->count * sizeof(uint64_t));

	table->at += table->count * sizeof(uint64_t);
	table->count = 0;
	return rc;
}

static int table_add(struct table *table, uint64_t word)
{
	table->word[table->count++] = word;
	return table->count == TABLE_WORDS ? table_flush(table) : 0;
}

/* Pointers to the strings that lie one after another in [at, end), and a NULL. */
static int table_strings(struct table *table, uint64_t at, uint64_t end)
{
	uint64_t start = at;
	int rc = 0;

	while (at < end && rc == 0) {
		uint64_t stop = MIN(end, (at & PAGE_MASK) + PAGE_SIZE);
		struct page *page;
		const char *text;

		rc = mm_get_user_page(table->x->mm, at, false, false, &page);
		if (rc < 0)
			return rc;
		text = page_address(page);
		for (; at < stop && rc == 0; at++)
			if (!text[at & ~PAGE_MASK]) {
				rc = table_add(table, start);
				start = at + 1;
			}
		page_put(page);
	}
	return rc ? rc : table_add(table, 0);
}

static uint32_t cpu_features(void)
{
	static uint32_t features; /* CPUID is an exit from a virtual machine: once */
	uint32_t a = 1, b, c = 0;

	if (!features)
		__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(features));
	return features;
}

static void exec_auxv(struct exec *x, const struct cred *cred)
{
	const struct elf_image *image = &x->image;
	const uint64_t pairs[AUXV_PAIRS][2] = {
		{AT_SYSINFO_EHDR, x->mm->vdso},
		{51 /* AT_MINSIGSTKSZ */, boot_info->xsave_size + 1024},
		{AT_HWCAP, cpu_features()},
		{AT_PAGESZ, PAGE_SIZE},
		{AT_CLKTCK, 100},
		{AT_PHDR, image->phdr},
		{AT_PHENT, sizeof(struct elf64_phdr)},
		{AT_PHNUM, image->header.e_phnum},
		{AT_BASE, x->has_interpreter ? x->interpreter.bias : 0},
		{AT_FLAGS, 0},
		{AT_ENTRY, image->entry},
		{AT_UID, uid_to_user(cred->uid)},
		{AT_EUID, uid_to_user(cred->euid)},
		{AT_GID, gid_to_user(cred->gid)},
		{AT_EGID, gid_to_user(cred->egid)},
		{AT_SECURE, x->secure},
		{AT_RANDOM, x->random},
		{AT_HWCAP2, boot_info->hwcap2},
		{AT_EXECFN, x->execfn},
		{AT_PLATFORM, x->platform},
		{27 /* AT_RSEQ_FEATURE_SIZE */, 20},
		{28 /* AT_RSEQ_ALIGN */, 32},
		{AT_NULL, 0},
		{AT_NULL, 0},
	};

	_Static_assert(sizeof(pairs) <= sizeof(x->mm->saved_auxv), "/proc/PID/auxv holds all of it");
	memcpy(x->mm->saved_auxv, pairs, sizeof(pairs));
}

static int exec_tables(struct exec *x)
{
	static const char platform[] = "x86_64";
	struct table *table;
	uint8_t random[16];
	uint64_t words;
	int rc;

	x->limit -= PAGE_SIZE + (x->argc + x->envc) * sizeof(uint64_t); /* what follows was reckoned with */
	x->p = (x->p - (exec_random(x, 9) << 4)) & ~15ull;
	rc = stack_push(x, platform, sizeof(platform));
	x->platform = x->p;
	random_bytes(random, sizeof(random));
	x->p &= ~15ull;
	if (rc == 0)
		rc = stack_push(x, random, sizeof(random));
	x->random = x->p;
	if (rc < 0)
		return rc;
	exec_auxv(x, x->cred);
	words = 1 + x->argc + 1 + x->envc + 1 + 2 * (AUXV_PAIRS - 1);
	x->p = (x->p - words * sizeof(uint64_t)) & ~15ull;
	table = kmalloc(sizeof(*table));
	if (!table)
		return -ENOMEM;
	table->x = x;
	table->at = x->p;
	table->count = 0;
	rc = table_add(table, x->argc);
	if (rc == 0)
		rc = table_strings(table, x->mm->arg_start, x->mm->arg_end);
	if (rc == 0)
		rc = table_strings(table, x->mm->env_start, x->mm->env_end);
	for (unsigned i = 0; rc == 0 && i < 2 * (AUXV_PAIRS - 1); i++)
		rc = table_add(table, x->mm->saved_auxv[i]);
	if (rc == 0)
		rc = table_flush(table);
	kfree(table);
	x->mm->start_stack = x->p;
	return rc;
}

static int exec_credentials(struct exec *x)
{
	struct exec_ids ids;

	x->cred = cred_copy(current->cred);
	if (!x->cred)
		return -ENOMEM;
	memset(&ids, 0, sizeof(ids));
	if (ptrace_allows_privileges(current))
		file_exec_ids(x->file, &ids);
	return cred_prepare_exec(x->cred, &ids, &x->secure);
}

/* ---- the point of no return ---- */

static void exec_set_comm(struct task *task, const char *path)
{
	const char *name = strrchr(path, '/');

	memset(task->comm, 0, sizeof(task->comm));
	rf_strlcpy(task->comm, name ? name + 1 : path, sizeof(task->comm));
}

static void exec_registers(struct task *task, const struct exec *x)
{
	struct regs *regs = task->regs;

	memset(regs, 0, sizeof(*regs));
	regs->orig_rax = UINT64_MAX;
	regs->trap = TRAP_SYSCALL; /* entered by execve, in init's case as if by it */
	regs->rip = x->entry;
	regs->rsp = x->p;
	regs->cs = USER_CODE_SELECTOR;
	regs->ss = USER_DATA_SELECTOR;
	regs->rflags = RFLAGS_START;
	task->machine.fs_base = 0;
	task->machine.gs_base = 0;
	if (task->machine.fpu)
		fpu_state_init(task->machine.fpu);
}

/* -EINTR: the task was killed, and ends on its way to user mode. Else nothing may fail: what goes wrong kills the task. */
static int exec_commit(struct exec *x)
{
	struct task *task = current;
	struct mm *old;

	int rc = task_exec_commit_threads();

	if (rc)
		return rc;
	old = task->mm;
	x->mm->dumpable = !x->secure && !x->hidden;
	x->mm->no_huge_pages = current->mm && current->mm->no_huge_pages;
	task->mm = x->mm;
	x->mm = NULL;
	ptrace_new_mm(task);
	machine->space_switch(&task->mm->space);
	if (old) {
		uint64_t rss = MAX(old->hiwater_rss, old->rss_anon + old->rss_file + old->rss_shmem);

		task->process->maxrss = MAX(task->process->maxrss, rss);
	}
	cred_put(task->cred);
	task->cred = x->cred;
	x->cred = NULL;
	keyrings_exec(task);
	task_answers_changed();
	task->process->execed = true;
	task->process->personality &= ~(uint32_t)READ_IMPLIES_EXEC;
	if (x->secure)
		task->process->pdeath_signal = 0;
	signal_exec_reset(task);
	exec_set_comm(task, x->path);
	exec_registers(task, x);
	machine->task_load(&task->machine);
	if (files_unshare_for_exec(task) < 0)
		signal_send_kernel(task, SIGKILL);
	/* May sleep: only now is the task wholly the new program's. */
	if (old)
		mm_put(old);
	return 0;
}

static int exec_prepare(struct exec *x)
{
	int rc = exec_find_program(x);

	if (rc == 0)
		rc = exec_credentials(x);
	if (rc == 0)
		rc = exec_make_mm(x);
	if (rc == 0)
		exec_hide(x, x->file);
	if (rc == 0)
		rc = exec_strings(x);
	if (rc == 0)
		rc = exec_load(x);
	if (rc == 0)
		rc = exec_tables(x);
	if (rc == 0)
		mm_prefault_program(x->mm);
	return rc;
}

static void exec_clean(struct exec *x)
{
	elf_free(&x->image);
	elf_free(&x->interpreter);
	for (unsigned i = 0; i < x->prefix_count; i++)
		kfree(x->prefix[i]);
	kfree(x->buffer);
	if (x->cred)
		cred_put(x->cred);
	if (x->mm)
		mm_put(x->mm);
	file_put(x->file);
	kfree(x);
}

int exec_program(struct file *file, const char *path, const struct exec_vector *argv, const struct exec_vector *envp)
{
	struct exec *x = kzalloc(sizeof(*x));
	struct process *process = current->process;
	int rc, old_tid = current->tid;

	if (!x)
		return -ENOMEM;
	file_get(file);
	x->file = file;
	x->path = path;
	x->argv = argv;
	x->envp = envp;
	process->execing++;
	rc = exec_prepare(x);
	if (rc == 0)
		rc = exec_commit(x);
	process->execing--;
	waitq_wake_all(&process->thread_waiters);
	exec_clean(x);
	if (rc == 0)
		ptrace_exec(current, old_tid);
	return rc;
}
