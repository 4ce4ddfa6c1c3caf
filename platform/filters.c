/*
 * Makes the seccomp programs from filters.def by libseccomp, one for each role, and
 * prints the lists for `ringfence filters`.
 *
 * filters_load() is called by each thread for itself, last of all in the jail. Never
 * loosen an entry for all roles because one needs it.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <stdio.h>

#include "platform/internal.h"
#include "platform/ptrace/filter.h"
#include "platform/systrap/filter.h"

#define MAIN (1u << JAIL_MAIN)
#define IO (1u << JAIL_IO)
#define VCPU (1u << JAIL_VCPU)
#define TRACE (1u << JAIL_PTRACE_CPU)
#define STRAP (1u << JAIL_SYSTRAP_CPU)
#define HOSTED (TRACE | STRAP)
#define CONTROL (1u << JAIL_CONTROL)
#define ALL (MAIN | IO | VCPU | HOSTED | CONTROL)

struct filter {
	unsigned roles;
	int call;
	int argument; /* -1: any arguments */
	uint64_t value;
	const char *reason;
	bool host_network; /* only with --network=host */
};

static const struct filter filters[] = {
#define FILTER(roles, call, reason) {roles, SCMP_SYS(call), -1, 0, reason, false},
#define FILTER_EQ(roles, call, argument, value, reason) {roles, SCMP_SYS(call), argument, value, reason, false},
#define FILTER_HOST(roles, call, reason) {roles, SCMP_SYS(call), -1, 0, reason, true},
#define FILTER_HOST_EQ(roles, call, argument, value, reason) {roles, SCMP_SYS(call), argument, value, reason, true},
#include "platform/filters.def"
};

#define FILTERS (sizeof(filters) / sizeof(filters[0]))

/* Which roles a line is for, in this mode. */
static unsigned roles_of(const struct filter *f, bool host_network)
{
	return f->host_network && !host_network ? 0 : f->roles;
}

int filters_load(enum jail_role role, bool host_network)
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int error = context ? 0 : -ENOMEM;

	for (size_t i = 0; i < FILTERS && error == 0; i++) {
		const struct filter *f = &filters[i];
		if (!(roles_of(f, host_network) & 1u << role))
			continue;
		if (f->argument < 0)
			error = seccomp_rule_add(context, SCMP_ACT_ALLOW, f->call, 0);
		else
			error = seccomp_rule_add(context, SCMP_ACT_ALLOW, f->call, 1,
				((struct scmp_arg_cmp){(unsigned)f->argument, SCMP_CMP_EQ, f->value, 0}));
	}
	if (error == 0) /* x32 and 32-bit calls: the whole process too, or the sandbox would hang with a thread less */
		error = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (error == 0)
		error = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree: the hot calls are few */
	if (error == 0)
		error = seccomp_load(context);
	if (context)
		seccomp_release(context);
	return error;
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
