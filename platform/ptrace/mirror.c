/*
 * Mirrors: which stub of a CPU shows which address space, and what it is to map.
 *
 * map() and unmap() only note orders; they are executed in one go before the stub runs
 * user code again (mirror_flush_orders), or when the page of orders is full. A dropped
 * stub is emptied and kept for the next space where possible: emptying is cheaper than
 * an exit and a fork. A stub holds nothing of its space beyond mappings and registers,
 * and both are replaced before it runs for another.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "platform/ptrace/internal.h"

int mirror_init(struct pt_cpu *c)
{
	c->pool = calloc(MIRROR_LIMIT, sizeof(*c->pool));
	if (!c->pool)
		return -ENOMEM;
	for (unsigned i = 0; i < MIRROR_LIMIT; i++) {
		c->pool[i].next = c->unused;
		c->unused = &c->pool[i];
	}
	return 0;
}

static struct mirror **mirror_bucket(struct pt_cpu *c, uint64_t space)
{
	return &c->bucket[space % MIRROR_BUCKETS];
}

static struct mirror *mirror_find(struct pt_cpu *c, uint64_t space)
{
	struct mirror *m = c->last;

	if (m && m->space == space)
		return m;
	for (m = *mirror_bucket(c, space); m; m = m->next) {
		if (m->space == space) {
			c->last = m;
			return m;
		}
	}
	return NULL;
}

static struct mirror *mirror_make(struct pt_cpu *c, uint64_t space, int *error)
{
	struct mirror *m;
	pid_t pid;

	if (c->order_count && (*error = mirror_flush_orders(c)))
		return NULL;
	m = c->unused;
	if (!m) {
		*error = -EAGAIN;
		return NULL;
	}
	pid = c->spare_count ? c->spare[--c->spare_count] : stub_clone(c);
	if (pid < 0) {
		*error = pid;
		return NULL;
	}
	c->unused = m->next;
	memset(m, 0, sizeof(*m));
	m->pid = pid;
	m->space = space;
	m->next = *mirror_bucket(c, space);
	*mirror_bucket(c, space) = m;
	c->last = m;
	return m;
}

struct mirror *mirror_get(struct pt_cpu *c, uint64_t space, int *error)
{
	struct mirror *m = mirror_find(c, space);

	return m ? m : mirror_make(c, space, error);
}

void mirror_forget(struct pt_cpu *c, struct mirror *m)
{
	struct mirror **at = mirror_bucket(c, m->space);

	while (*at && *at != m)
		at = &(*at)->next;
	if (*at)
		*at = m->next;
	if (c->last == m)
		c->last = NULL;
	if (c->order_mirror == m) {
		c->order_mirror = NULL;
		c->order_count = 0;
	}
	m->next = c->unused;
	c->unused = m;
}

int mirror_flush_orders(struct pt_cpu *c)
{
	struct mirror *m = c->order_mirror;
	unsigned count = c->order_count;
	int error;

	if (!count)
		return 0;
	c->order_count = 0;
	c->order_mirror = NULL;
	m->regs_known = false;
	error = stub_run_orders(c, m->pid, count);
	if (error)
		m->failed = error; /* whoever asked may not look, or mean another space: run() will not use this stub */
	return error;
}

/* A place for one more order to m. NULL: the orders before it failed with *error. */
static struct stub_order *order_add(struct pt_cpu *c, struct mirror *m, int *error)
{
	if (c->order_count == ORDER_LIMIT || (c->order_count && c->order_mirror != m)) {
		*error = mirror_flush_orders(c);
		if (*error)
			return NULL;
	}
	c->order_mirror = m;
	return &c->orders[c->order_count++];
}

int mirror_map(unsigned cpu, uint64_t space, uint64_t address, uint64_t length, uint64_t offset, unsigned prot)
{
	struct pt_cpu *c = &pt_cpus[cpu];
	struct stub_order *order;
	struct mirror *m;
	int error;

	error = hosted_check_mapping(c->vmm, address, length, offset);
	if (error)
		return error;
	m = mirror_get(c, space, &error);
	if (!m)
		return error;
	/* An unmap of the very range just before is done by the new mapping. */
	if (c->order_count && c->order_mirror == m) {
		order = &c->orders[c->order_count - 1];
		if (order->nr == SYS_munmap && order->arg[0] >= address && order->arg[0] + order->arg[1] <= address + length)
			c->order_count--;
	}
	order = order_add(c, m, &error);
	if (!order)
		return error;
	*order = (struct stub_order){
		.nr = SYS_mmap,
		.arg = {address, length, hosted_host_prot(prot), MAP_SHARED | MAP_FIXED, STUB_MEMFD, offset},
	};
	return 0;
}

int mirror_unmap(unsigned cpu, uint64_t space, uint64_t address, uint64_t length)
{
	struct pt_cpu *c = &pt_cpus[cpu];
	struct mirror *m = mirror_find(c, space);
	struct stub_order *order;
	int error = hosted_check_range(address, length);

	if (error || !m)
		return error;
	order = order_add(c, m, &error);
	if (!order)
		return error;
	*order = (struct stub_order){.nr = SYS_munmap, .arg = {address, length}};
	return 0;
}

int mirror_drop(unsigned cpu, uint64_t space)
{
	struct pt_cpu *c = &pt_cpus[cpu];
	struct mirror *m = mirror_find(c, space);
	pid_t pid;

	if (!m)
		return 0;
	pid = m->pid;
	mirror_forget(c, m);
	if (c->spare_count < SPARE_LIMIT && (!c->order_count || !mirror_flush_orders(c))) {
		c->orders[0] = (struct stub_order){.nr = SYS_munmap, .arg = {0, STUB_ORDERS}};
		if (!stub_run_orders(c, pid, 1)) {
			c->spare[c->spare_count++] = pid;
			return 0;
		}
	}
	stub_kill(pid);
	return 0;
}

int mirror_fpu_get(unsigned cpu, uint64_t space, void *xsave)
{
	struct pt_cpu *c = &pt_cpus[cpu];
	struct mirror *m = mirror_find(c, space);
	struct iovec vector = {xsave, c->vmm->boot->xsave_size};

	if (!m)
		return -ENOENT;
	if (ptrace(PTRACE_GETREGSET, m->pid, NT_X86_XSTATE, &vector) == 0)
		return 0;
	if (errno == ESRCH)
		run_lost(c, m->pid);
	return -errno;
}

int mirror_fpu_set(unsigned cpu, uint64_t space, const void *xsave)
{
	struct pt_cpu *c = &pt_cpus[cpu];
	struct iovec vector = {(void *)(uintptr_t)xsave, c->vmm->boot->xsave_size};
	int error = 0;
	struct mirror *m = mirror_get(c, space, &error);

	if (!m && error == -ESRCH)
		run_lost(c, c->master);
	if (!m)
		return error;
	if (ptrace(PTRACE_SETREGSET, m->pid, NT_X86_XSTATE, &vector) == 0)
		return 0;
	if (errno == ESRCH)
		run_lost(c, m->pid);
	return -errno;
}
