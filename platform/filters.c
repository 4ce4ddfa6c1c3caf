/*
 * Loads the seccomp programs that were made from filters.def when ringfence was built (filters_make.c), one for each
 * role, and prints the lists for `ringfence filters`.
 *
 * filters_load() is called by each thread for itself, last of all in the jail. Never
 * loosen an entry for all roles because one needs it.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/filters.h"
#include "platform/filters_programs.h"
#include "platform/internal.h"
#include "platform/ptrace/filter.h"
#include "platform/systrap/filter.h"

_Static_assert(FILTERS_MADE == FILTERS, "the programs are made of the list that is printed");

int filters_load(enum jail_role role, bool host_network)
{
	const struct sock_fprog *program = &programs[role][host_network];

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program) < 0 ? -errno : 0;
}

static bool is_first(size_t index, unsigned roles, bool host_network)
{
	for (size_t i = 0; i < index; i++)
		if (filters[i].call == filters[index].call && (roles_of(&filters[i], host_network) & roles))
			return false;
	return true;
}

/* Lines for the roles, and the calls that they name: a call is counted once, however many arguments it may have. */
static void print_count(const char *name, unsigned roles, bool host_network)
{
	unsigned lines = 0, calls = 0;

	for (size_t i = 0; i < FILTERS; i++) {
		if (!(roles_of(&filters[i], host_network) & roles))
			continue;
		lines++;
		calls += is_first(i, roles, host_network);
	}
	printf("# %s: %u calls in %u lines\n", name, calls, lines);
}

static void print_role(const char *name, unsigned role, bool host_network)
{
	for (size_t i = 0; i < FILTERS; i++) {
		const struct filter *f = &filters[i];
		char *call = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, f->call);
		if (!(roles_of(f, host_network) & 1u << role))
			;
		else if (f->argument < 0)
			printf("%-10s %-18s %s\n", name, call, f->reason);
		else
			printf("%-10s %s(%d=%#llx) %s\n", name, call, f->argument, (unsigned long long)f->value, f->reason);
		free(call);
	}
	print_count(name, 1u << role, host_network);
}

/* One kind of thread in a systrap stub. */
static void print_systrap_thread(const char *name, unsigned thread)
{
	unsigned lines = 0, calls = 0;

	for (size_t i = 0; i < strap_filter_count; i++) {
		const struct strap_filter *f = &strap_filters[i];
		bool first = true;

		if (!(f->threads & thread))
			continue;
		printf("%-10s %-18s %s\n", name, f->name, f->reason);
		for (size_t j = 0; j < i; j++)
			first = first && !(strap_filters[j].nr == f->nr && (strap_filters[j].threads & thread));
		lines++;
		calls += first;
	}
	printf("# %s: %u calls in %u lines\n", name, calls, lines);
}

static void print_stubs(void)
{
	for (size_t i = 0; i < filter_entry_count; i++)
		printf("%-10s %-18s %s\n", "stub", filter_entries[i].name, filter_entries[i].reason);
	printf("# stub: %zu calls in %zu lines\n", filter_entry_count, filter_entry_count);
	print_systrap_thread("stub-run", STUB_RUNNER);
	print_systrap_thread("stub-map", STUB_MAPPER);
	print_systrap_thread("stub-make", STUB_MASTER);
}

void platform_print_filters(bool host_network)
{
	static const char *const names[] = {"main", "io", "vcpu", "ptrace-cpu", "systrap-cpu", "control"};

	for (unsigned role = 0; role < JAIL_ROLES; role++)
		print_role(names[role], role, host_network);
	print_count("VMM with KVM, all threads", MAIN | IO | CONTROL | VCPU, host_network);
	print_count("VMM with ptrace, all threads", MAIN | IO | CONTROL | TRACE, host_network);
	print_count("VMM with systrap, all threads", MAIN | IO | CONTROL | STRAP, host_network);
	print_count("VMM, everything", ALL, host_network);
	print_stubs();
}
