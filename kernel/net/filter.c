/*
 * Socket filters. See kernel/net/filter.h.
 */
#include <linux/errno.h>

#include "kernel/bpf.h"
#include "kernel/mm.h"
#include "kernel/net/filter.h"
#include "kernel/random.h"
#include "kernel/task.h"
#include "ring0/lib.h"

#define ANCILLARY ((uint32_t)SKF_AD_OFF)
#define NETWORK ((uint32_t)SKF_NET_OFF)
#define LINK ((uint32_t)SKF_LL_OFF)

/* ---- attaching ---- */

/* Loads beside the packet: those that Linux does not know are refused when the program comes. */
static bool ancillary_is_known(const struct sock_filter *insn)
{
	if (BPF_CLASS(insn->code) != BPF_LD || BPF_MODE(insn->code) != BPF_ABS || insn->k < ANCILLARY)
		return true;
	return insn->k - ANCILLARY < SKF_AD_MAX && insn->k - ANCILLARY != SKF_AD_NLATTR &&
	       insn->k - ANCILLARY != SKF_AD_NLATTR_NEST;
}

int socket_filter_attach(struct socket_options *options, struct sock_filter *program, unsigned count)
{
	struct socket_filter *filter = NULL;
	int rc = options->filter_locked ? -EPERM : bpf_check(program, count);

	for (unsigned i = 0; !rc && i < count; i++)
		if (!ancillary_is_known(&program[i]))
			rc = -EINVAL;
	if (!rc) {
		filter = kmalloc(sizeof(*filter) + count * sizeof(*program));
		rc = filter ? 0 : -ENOMEM;
	}
	if (!rc) {
		filter->refs = 1;
		filter->count = count;
		memcpy(filter->program, program, count * sizeof(*program));
		socket_filter_put(options->filter);
		options->filter = filter;
	}
	kfree(program);
	return rc;
}

void socket_filter_put(struct socket_filter *filter)
{
	if (filter && !--filter->refs)
		kfree(filter);
}

int socket_filter_detach(struct socket_options *options)
{
	if (options->filter_locked)
		return -EPERM;
	if (!options->filter)
		return -ENOENT;
	socket_filter_put(options->filter);
	options->filter = NULL;
	return 0;
}

int socket_filter_lock(struct socket_options *options, bool lock)
{
	if (options->filter_locked && !lock)
		return -EPERM;
	options->filter_locked = lock;
	return 0;
}

/* ---- running ---- */

struct filter_data {
	struct bpf_data base;
	const struct filter_packet *packet;
};

static bool load_ancillary(const struct filter_packet *packet, uint32_t what, uint32_t *value)
{
	switch (what) {
	case SKF_AD_PROTOCOL:
		*value = packet->protocol;
		return true;
	case SKF_AD_PKTTYPE:
		*value = packet->packet_type;
		return true;
	case SKF_AD_IFINDEX:
		*value = packet->interface;
		return packet->interface != 0;
	case SKF_AD_HATYPE:
		*value = packet->hardware;
		return packet->interface != 0;
	case SKF_AD_MARK:
		*value = packet->mark;
		return true;
	case SKF_AD_CPU:
		*value = this_cpu()->cpu;
		return true;
	case SKF_AD_RANDOM:
		*value = (uint32_t)random_u64();
		return true;
	case SKF_AD_PAY_OFFSET:
		*value = packet->network_at < 0 ? 0 : (uint32_t)packet->network_at;
		return true;
	case SKF_AD_QUEUE:
	case SKF_AD_RXHASH:
	case SKF_AD_VLAN_TAG:
	case SKF_AD_VLAN_TAG_PRESENT:
	case SKF_AD_VLAN_TPID:
		*value = 0;
		return true;
	default:
		return false;
	}
}

static bool load(const struct bpf_data *base, uint32_t offset, unsigned size, uint32_t *value)
{
	const struct filter_packet *packet = container_of(base, const struct filter_data, base)->packet;
	int64_t at = offset;

	if (offset >= ANCILLARY)
		return load_ancillary(packet, offset - ANCILLARY, value);
	if (offset >= NETWORK)
		at = (int64_t)(offset - NETWORK) + packet->network_at;
	else if (offset >= LINK)
		at = offset - LINK;
	if (at < MIN(0, packet->network_at) || at + size > packet->len)
		return false;
	*value = 0;
	for (unsigned i = 0; i < size; i++)
		*value = *value << 8 | packet->byte(packet, (int32_t)at + (int32_t)i);
	return true;
}

uint32_t socket_filter_run(const struct socket_options *options, const struct filter_packet *packet, uint32_t minimum)
{
	struct filter_data data = {.base = {.load = load, .len = packet->len}, .packet = packet};
	uint32_t wanted;

	if (!options->filter)
		return packet->len;
	wanted = bpf_run(options->filter->program, &data.base);
	return wanted ? MIN(MAX(wanted, minimum), packet->len) : 0;
}

uint8_t flat_packet_byte(const struct filter_packet *packet, int32_t at)
{
	return container_of(packet, const struct flat_packet, base)->bytes[at];
}

uint32_t socket_filter_run_flat(const struct socket_options *options, const void *bytes, uint32_t len, uint16_t protocol)
{
	struct flat_packet packet = {.base = {.byte = flat_packet_byte, .len = len, .protocol = protocol}, .bytes = bytes};

	return socket_filter_run(options, &packet.base, 1);
}
