/*
 * What the fuzz targets of the network share: a machine on which every frame is sent and none comes by itself, a task
 * that may do everything, and a network of one link. Included once a target.
 */
#ifndef FUZZ_NETWORK_H
#define FUZZ_NETWORK_H

#include <stdlib.h>

#include "kernel/cred.h"
#include "kernel/namespaces.h"
#include "kernel/net/inet.h"
#include "kernel/sched.h"
#include "platform/abi/config.h"
#include "test/unit/fake_machine.h"

static struct machine fuzz_machine;
static struct abi_boot fuzz_boot;

/* Every write is taken, no read completes. */
static void fuzz_ring_notify(bool seen)
{
	struct abi_ring *ring = pa_to_va(fuzz_boot.ring_gpa);

	while (ring->sq_head != ring->sq_tail) {
		struct abi_sqe sqe = ring->sq[ring->sq_head++ % ABI_RING_ENTRIES];

		if (sqe.op == ABI_RING_write)
			ring->cq[ring->cq_tail++ % ABI_RING_ENTRIES] = (struct abi_cqe){.cookie = sqe.cookie, .res = (int64_t)sqe.len};
	}
}

static void fuzz_network_start(const void *network, uint32_t len)
{
	static struct cred root = {.refs = 1, .user_ns = &fake_user_ns, .cap_effective = UINT64_MAX};
	static struct ns_set spaces = {.refs = 1, .net = &first_net_ns};
	const uint32_t fd = 3;

	fake_boot(256, 16);
	fake_task.cred = &root;
	fake_task.ns = &spaces;
	first_net_ns.ns.owner = &fake_user_ns;
	fuzz_machine = *machine;
	fuzz_machine.ring_notify = fuzz_ring_notify;
	machine = &fuzz_machine;
	sched_init();
	ktimer_subsystem_init();
	fake_ring(&fuzz_boot);
	inet_init();
	if (inet_configure(network, len, &fd, 1))
		abort();
}

#endif
