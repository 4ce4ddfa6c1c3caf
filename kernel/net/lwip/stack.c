/*
 * lwIP's surroundings: start, time, timers, random numbers, errors.
 *
 * lwIP's own timers tick for ever; ours are off when nothing waits for one. One kernel timer is armed for the next
 * moment at which some connection, reassembly, ARP or ND entry needs a tick; what was skipped while it was off is
 * added to lwIP's tick counters on the way in (stack_enter()).
 */
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>
#include <lwip/nd6.h>
#include <lwip/sys.h>

#include "kernel/net/lwip/hooks.h"

#include "kernel/net/lwip/internal.h"
#include "kernel/random.h"
#include "ring0/clock.h"

#define MS 1000000ull
#define FAST_NS (TCP_FAST_INTERVAL * MS)
#define SLOW_NS (TCP_SLOW_INTERVAL * MS)
#define SECOND_NS (1000 * MS)
#define QUIET_NS (10 * SECOND_NS)
#define LATE_TICKS 16u       /* 1.3 s: on a busy host the timer may come as late as that */
#define TIME_WAIT_MAX 4096u /* connections in TIME_WAIT kept at most */

static struct ktimer timer;
static uint64_t slow_at;   /* when the last slow tick was, or would have been */
static uint64_t second_at; /* the same for the ticks of ARP, ND, reassembly */
static uint64_t seconds_until; /* ARP and its like tick until so long after the last frame */
static bool soon;          /* the timer is armed for the next tick or the one after */

void lwip_port_failed(const char *what, const char *file, int line)
{
	panic("%s:%d: %s", file, line, what);
}

uint32_t lwip_port_random(void)
{
	return (uint32_t)random_u64();
}

/* RFC 6528: a keyed function of the connection, plus a clock of 4 µs. */
u32_t lwip_port_tcp_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote, u16_t remote_port)
{
	return (uint32_t)random_u64();
}

u32_t sys_now(void)
{
	return (u32_t)(clock_monotonic() / MS);
}

void tcp_timer_needed(void)
{
}

int stack_error(err_t err)
{
	switch (err) {
	case ERR_OK:
		return 0;
	case ERR_MEM:
	case ERR_BUF:
		return -ENOBUFS;
	case ERR_TIMEOUT:
		return -ETIMEDOUT;
	case ERR_RTE:
		return -ENETUNREACH;
	case ERR_USE:
		return -EADDRINUSE;
	case ERR_ALREADY:
		return -EALREADY;
	case ERR_ISCONN:
		return -EISCONN;
	case ERR_CONN:
	case ERR_CLSD:
		return -ENOTCONN;
	case ERR_RST:
		return -ECONNRESET;
	case ERR_ABRT:
		return -ECONNABORTED;
	case ERR_IF:
		return -ENETDOWN;
	default:
		return -EINVAL;
	}
}

/* ---- what needs a tick, and when ---- */

static bool has_work(const struct tcp_pcb *pcb)
{
	return pcb->unacked || pcb->unsent || pcb->rtime >= 0 || pcb->persist_backoff || pcb->refused_data || pcb->ooseq ||
	       pcb->flags & (TF_CLOSEPEND | TF_NAGLEMEMERR | TF_ACK_NOW);
}

static uint64_t in_ticks(uint32_t since, uint32_t ms)
{
	uint32_t end = since + (ms + TCP_SLOW_INTERVAL - 1) / TCP_SLOW_INTERVAL + 1;

	return slow_at + ((int32_t)(end - tcp_ticks) > 0 ? (uint64_t)(end - tcp_ticks) : 1) * SLOW_NS;
}

static uint64_t pcb_deadline(const struct tcp_pcb *pcb)
{
	if (has_work(pcb))
		return slow_at + SLOW_NS;
	if (pcb->state == FIN_WAIT_2 && pcb->flags & TF_RXCLOSED)
		return in_ticks(pcb->tmr, TCP_FIN_WAIT_TIMEOUT);
	if (pcb->state == SYN_RCVD)
		return in_ticks(pcb->tmr, TCP_SYN_RCVD_TIMEOUT);
	if (pcb->state == LAST_ACK || pcb->state == CLOSING)
		return in_ticks(pcb->tmr, 2 * TCP_MSL);
	if (ip_get_option(pcb, SOF_KEEPALIVE) && (pcb->state == ESTABLISHED || pcb->state == CLOSE_WAIT))
		return in_ticks(pcb->tmr, pcb->keep_idle + pcb->keep_cnt_sent * pcb->keep_intvl);
	return DEADLINE_NONE;
}

static uint64_t tcp_deadline(void)
{
	uint64_t next = DEADLINE_NONE;
	const struct tcp_pcb *pcb;

	for (pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
		if (pcb->flags & TF_ACK_DELAY)
			return MIN(next, slow_at + FAST_NS);
		next = MIN(next, pcb_deadline(pcb));
	}
	/* The newest is first: one look at the last would do, but the list has no tail. */
	for (pcb = tcp_tw_pcbs; pcb; pcb = pcb->next)
		if (!pcb->next)
			next = MIN(next, in_ticks(pcb->tmr, 2 * TCP_MSL));
	return next;
}

static uint64_t next_deadline(void)
{
	uint64_t tcp = tcp_deadline();

	return second_at < seconds_until ? MIN(tcp, second_at + SECOND_NS) : tcp;
}

/* ---- ticks ---- */

void stack_device_used(void)
{
	seconds_until = clock_monotonic() + QUIET_NS;
}

/* For the first namespace, which alone has links. */
static void catch_up_seconds(uint64_t now)
{
	uint64_t missed = (now - second_at) / SECOND_NS;
	struct net_ns *selected = stack_net;

	if (!missed)
		return;
	second_at += missed * SECOND_NS;
	stack_select(&first_net_ns);
	for (uint64_t i = 0; i < MIN(missed, (uint64_t)ARP_MAXAGE + 1); i++) {
		etharp_tmr();
		nd6_tmr();
		ip_reass_tmr();
		ip6_reass_tmr();
	}
	unanswered_tick();
	if (selected == stack_net)
		return;
	loop_drain();
	stack_select(selected);
}

/* In every namespace: the clock that lwIP counts by is one. */
static void slow_ticks(uint64_t count)
{
	struct net_ns *selected = stack_net, *net;
	u32_t before = tcp_ticks;

	TAILQ_FOREACH(net, &stack_all, link) {
		stack_select(net);
		tcp_ticks = before;
		for (uint64_t i = 0; i < count; i++) {
			sack_before_tick();
			tcp_slowtmr();
			sack_after_tick();
		}
		if (net != selected)
			loop_drain();
	}
	stack_select(selected);
}

/* At most `most` ticks are made up for: those that something waited for and that came late. The others only count. */
static void catch_up(uint64_t now, uint64_t most)
{
	uint64_t missed = (now - slow_at) / SLOW_NS;

	if (!missed)
		return;
	slow_at += missed * SLOW_NS;
	if (missed > most)
		tcp_ticks += (u32_t)(missed - most);
	slow_ticks(MIN(missed, most));
	catch_up_seconds(now);
}

/* Bounds TIME_WAIT: the oldest go first (they are at the end of the list). */
static void trim_time_wait(void)
{
	struct tcp_pcb *pcb = tcp_tw_pcbs, *next;
	unsigned count = 0;

	for (; pcb && count < TIME_WAIT_MAX; pcb = pcb->next)
		count++;
	for (; pcb; pcb = next) {
		next = pcb->next;
		tcp_abort(pcb);
	}
}

static void on_timer(struct ktimer *self)
{
	struct net_ns *net;
	uint64_t now = clock_monotonic(), next, most = soon ? LATE_TICKS : 1;

	soon = false;
	catch_up(now, most);
	next = DEADLINE_NONE;
	TAILQ_FOREACH(net, &stack_all, link) {
		stack_select(net);
		tcp_fasttmr();
		tcp_end_stalled(now);
		trim_time_wait();
		loop_drain();
		next = MIN(next, next_deadline());
	}
	hostring_ring();
	if (next == DEADLINE_NONE)
		return;
	soon = next < now + 2 * SLOW_NS;
	ktimer_start(&timer, MAX(next, now + MS));
}

void stack_enter(struct net_ns *net)
{
	stack_select(net);
	if (!soon)
		catch_up(clock_monotonic(), 1);
}

/* One tick soon, whatever was done: it looks at what is really needed. */
void stack_leave(void)
{
	loop_drain();
	hostring_ring();
	if (soon)
		return;
	soon = true;
	ktimer_start(&timer, clock_monotonic() + FAST_NS);
}

void stack_init(void)
{
	ktimer_init(&timer, on_timer);
	slow_at = second_at = clock_monotonic();
	lwip_init();
	loop_init();
	stack_ns_init();
}
