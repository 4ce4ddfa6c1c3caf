/*
 * Kernel stacks: where a task's is, and what is said when one was overrun.
 *
 * A stack is a block of pages of the kernel zone; where the machine can, it is used at an address with nothing below it.
 * Giving such an address is cheap and taking it away is not (every CPU must forget it), so stacks of tasks that went keep
 * theirs and serve new ones, up to STACKS_KEPT; then some lose theirs at once. A stack that is kept has its successor in
 * the list and its pages behind its lowest word. Nothing here sleeps.
 */
#include "kernel/mm.h"
#include "kernel/process.h"
#include "ring0/lib.h"
#include "ring0/memory.h"
#include "ring0/upcall.h"

#define KERNEL_STACK_ORDER 2
#define STACKS_KEPT 48
#define STACKS_AT_ONCE 32 /* of those, which go when there is one more */

_Static_assert(KERNEL_STACK_SIZE == PAGE_SIZE << KERNEL_STACK_ORDER, "kernel stacks are one block of pages");

struct kept {
	uint64_t end; /* TASK_STACK_END */
	struct kept *next;
	struct page *page;
};

static struct kept *kept_first;
static unsigned kept_count;

static void *take_kept(struct page **page)
{
	struct kept *kept = kept_first;

	kept_first = kept->next;
	kept_count--;
	*page = kept->page;
	return kept;
}

bool task_stack_alloc(struct task *task)
{
	void *block;

	if (kept_first) {
		task->kernel_stack = take_kept(&task->stack_page);
		return true;
	}
	block = kpages_alloc(KERNEL_STACK_ORDER);
	if (!block)
		return false;
	task->stack_page = pa_to_page(va_to_pa(block));
	task->kernel_stack = machine->stack_map ? machine->stack_map(va_to_pa(block)) : block;
	if (!task->kernel_stack) {
		kpages_free(block);
		return false;
	}
	*(uint64_t *)task->kernel_stack = TASK_STACK_END;
	return true;
}

static void free_some(void)
{
	void *stacks[STACKS_AT_ONCE];
	struct page *pages[STACKS_AT_ONCE];

	for (unsigned i = 0; i < STACKS_AT_ONCE; i++)
		stacks[i] = take_kept(&pages[i]);
	machine->stacks_unmap(stacks, STACKS_AT_ONCE);
	for (unsigned i = 0; i < STACKS_AT_ONCE; i++)
		page_put(pages[i]);
}

void task_stack_free(struct task *task)
{
	struct kept *kept = task->kernel_stack;

	if (!machine->stacks_unmap) {
		page_put(task->stack_page);
		return;
	}
	kept->next = kept_first;
	kept->page = task->stack_page;
	kept_first = kept;
	if (++kept_count > STACKS_KEPT)
		free_some();
}

void kernel_stack_overrun(uint64_t rip, uint64_t rsp)
{
	const struct task *task = current;

	panic("the kernel stack of task %d (%.15s) was overrun in system call %ld at sentry+%#lx: stack pointer %#lx, the stack begins at %#lx",
		task->tid, task->comm, (long)task->regs->orig_rax, (unsigned long)(rip - boot_info->image_base), (unsigned long)rsp,
		(unsigned long)task->kernel_stack);
}
