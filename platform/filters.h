/*
 * The seccomp lists of the VMM's threads, filters.def as a table: for filters.c, which prints and loads, and for
 * filters_make.c, which makes the programs when ringfence is built.
 */
#ifndef PLATFORM_FILTERS_H
#define PLATFORM_FILTERS_H

#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>

#include "platform/vmm.h"

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
static inline unsigned roles_of(const struct filter *f, bool host_network)
{
	return f->host_network && !host_network ? 0 : f->roles;
}

#endif
