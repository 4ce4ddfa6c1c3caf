/*
 * IGMP (versions 1 to 3: RFC 1112, 2236, 3376) and MLD (1 and 2: RFC 2710, 3810), the hosts' part. lwIP's own know the
 * older ones only; ours have the names that the rest of lwIP calls.
 *
 * A change is told at once and, since packets get lost, once more within a second. Queries are answered after a random
 * part of the time that they give. On a link where an older querier has been heard its version is spoken: then senders are
 * not told apart, others' reports spare ours, and who reported last says when the group is left. Each report has one group.
 *
 * Everything but the timer is called in the stack. One timer runs, for the next thing due on any link; none if nothing is.
 */
#include <linux/in.h>
#include <lwip/igmp.h>
#include <lwip/inet_chksum.h>
#include <lwip/mld6.h>
#include <lwip/prot/mld6.h>

#include "kernel/net/lwip/device.h"
#include "kernel/net/lwip/membership.h"
#include "kernel/random.h"
#include "ring0/clock.h"

#define MS 1000000ull
#define ROBUSTNESS 2u             /* how often a change is told */
#define REPEAT_MS 1000u           /* within which it is told again */
#define OLDER_MS (ROBUSTNESS * 125000u + 10000u) /* how long an older querier is believed in */
#define IGMP_QUERY 0x11
#define IGMP_REPORT1 0x12
#define IGMP_REPORT2 0x16
#define IGMP_LEAVE 0x17
#define IGMP_REPORT3 0x22
#define MLD_QUERY 130
#define MLD_REPORT1 131
#define MLD_DONE 132
#define MLD_REPORT2 143
#define ALERT4 0x9404u

enum record { IS_INCLUDE = 1, IS_EXCLUDE, TO_INCLUDE, TO_EXCLUDE, ALLOW, BLOCK };

/* A group on a link; it stays a while after it has been left. */
struct member {
	TAILQ_ENTRY(member) link;
	struct netif *netif;
	ip_addr_t address;
	unsigned own;                   /* lwIP's joins: every sender is heard */
	struct membership_state told;   /* what the link knows; include without sources: that it is left */
	enum record change;             /* what was told last, to be told again */
	struct membership_state differs; /* its senders */
	uint64_t again, answer;         /* when (ns) that is due, and the answer to a query; 0: neither */
	unsigned left;                  /* how often it is told again */
	bool asked;                     /* the query names senders: */
	struct membership_state about;
	bool reporter;                  /* of an older version: we have told last */
};

static TAILQ_HEAD(, member) members = TAILQ_HEAD_INITIALIZER(members);
static struct ktimer timer;
/* Until when (ns) an older version is spoken on a link, by its number: IGMPv1, IGMPv2, MLDv1. */
static uint64_t until1[256], until2[256], until_mld1[256];

static struct member *find(const struct netif *netif, const ip_addr_t *address)
{
	struct member *m;

	TAILQ_FOREACH(m, &members, link)
		if (m->netif == netif && ip_addr_cmp_zoneless(&m->address, address))
			return m;
	return NULL;
}

static bool is_left(const struct member *m)
{
	return m->told.include && !m->told.count;
}

static unsigned version(const struct member *m)
{
	unsigned index = netif_get_index(m->netif);
	uint64_t now = clock_monotonic();

	if (IP_IS_V6(&m->address))
		return now < until_mld1[index] ? 1 : 2;
	return now < until1[index] ? 1 : now < until2[index] ? 2 : 3;
}

static bool is_older(const struct member *m)
{
	return version(m) < (IP_IS_V6(&m->address) ? 2u : 3u);
}

/* The group of all hosts, and under IPv6 what does not leave the host, are nobody's business (RFC 3376, 5; RFC 3810, 6). */
static bool is_told(const ip_addr_t *address)
{
	if (!IP_IS_V6(address))
		return ip4_addr_get_u32(ip_2_ip4(address)) != __builtin_bswap32(INADDR_ALLHOSTS_GROUP);
	return !ip6_addr_isallnodes_linklocal(ip_2_ip6(address)) && ip6_addr_multicast_scope(ip_2_ip6(address)) > 1;
}

/* ---- packets ---- */

static void send4(struct netif *netif, struct pbuf *p, uint32_t to)
{
	uint16_t alert[2] = {__builtin_bswap16(ALERT4), 0};
	ip4_addr_t address = {.addr = to};

	(void)ip4_output_if_opt(p, netif_ip4_addr(netif), &address, 1, 0xc0, IP_PROTO_IGMP, netif, alert, sizeof(alert));
}

static void send6(struct netif *netif, struct pbuf *p, ip6_addr_t *to)
{
	const ip6_addr_t *from = ip6_addr_isvalid(netif_ip6_addr_state(netif, 0)) ? netif_ip6_addr(netif, 0) : IP6_ADDR_ANY6;
	uint8_t *bytes = p->payload;
	uint16_t sum;

	ip6_addr_assign_zone(to, IP6_MULTICAST, netif);
	sum = ip6_chksum_pseudo(p, IP6_NEXTH_ICMP6, p->tot_len, from, to);
	memcpy(bytes + 2, &sum, sizeof(sum));
	(void)ip6_options_add_hbh_ra(p, IP6_NEXTH_ICMP6, IP6_ROUTER_ALERT_VALUE_MLD);
	(void)ip6_output_if(p, ip6_addr_isany(from) ? NULL : from, to, 1, 0, IP6_NEXTH_HOPBYHOP, netif);
}

/* Room for a message behind that for the router alert. */
static struct pbuf *new_packet(bool v6, size_t len)
{
	struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)(len + (v6 ? MLD6_HBH_HLEN : 0)), PBUF_RAM);

	if (p && v6)
		pbuf_remove_header(p, MLD6_HBH_HLEN);
	if (p)
		memset(p->payload, 0, len);
	return p;
}

static void send_packet(const struct member *m, struct pbuf *p, const ip_addr_t *to)
{
	ip6_addr_t to6;
	uint16_t sum;

	if (IP_IS_V6(to)) {
		ip6_addr_copy(to6, *ip_2_ip6(to));
		send6(m->netif, p, &to6);
	} else {
		sum = inet_chksum_pbuf(p);
		memcpy((uint8_t *)p->payload + 2, &sum, sizeof(sum));
		send4(m->netif, p, ip4_addr_get_u32(ip_2_ip4(to)));
	}
	pbuf_free(p);
}

static size_t address_bytes(const ip_addr_t *address, uint8_t *to)
{
	size_t size = IP_IS_V6(address) ? 16 : 4;

	memcpy(to, size == 16 ? (const void *)ip_2_ip6(address)->addr : ip_2_ip4(address), size);
	return size;
}

/* Of the newest versions: one record. */
static void send_record(const struct member *m, enum record type, const struct membership_state *state)
{
	bool v6 = IP_IS_V6(&m->address);
	size_t size = v6 ? 16 : 4;
	struct pbuf *p = new_packet(v6, 8 + 4 + size * (1 + state->count));
	ip_addr_t routers;
	uint8_t *at;

	if (!p)
		return;
	at = p->payload;
	at[0] = v6 ? MLD_REPORT2 : IGMP_REPORT3;
	at[7] = 1;
	at[8] = (uint8_t)type;
	at[11] = (uint8_t)state->count;
	at += 12;
	at += address_bytes(&m->address, at);
	for (unsigned i = 0; i < state->count; i++)
		at += address_bytes(&state->sources[i], at);
	if (v6)
		IP_ADDR6(&routers, __builtin_bswap32(0xff020000), 0, 0, __builtin_bswap32(0x16));
	else
		ip_addr_set_ip4_u32_val(routers, __builtin_bswap32(0xe0000016u));
	send_packet(m, p, &routers);
}

/* Of the older versions: the group, to itself; that it is left to all routers. */
static void send_older(struct member *m, bool left)
{
	bool v6 = IP_IS_V6(&m->address);
	struct pbuf *p;
	ip_addr_t to;
	uint8_t *at;

	if (left && (!m->reporter || (!v6 && version(m) == 1)))
		return;
	p = new_packet(v6, v6 ? 24 : 8);
	if (!p)
		return;
	at = p->payload;
	if (v6)
		at[0] = left ? MLD_DONE : MLD_REPORT1;
	else
		at[0] = left ? IGMP_LEAVE : version(m) == 1 ? IGMP_REPORT1 : IGMP_REPORT2;
	(void)address_bytes(&m->address, at + (v6 ? 8 : 4));
	ip_addr_copy(to, m->address);
	if (left && v6)
		IP_ADDR6(&to, __builtin_bswap32(0xff020000), 0, 0, __builtin_bswap32(2));
	else if (left)
		ip_addr_set_ip4_u32_val(to, __builtin_bswap32(INADDR_ALLRTRS_GROUP));
	m->reporter = !left;
	send_packet(m, p, &to);
}

/* ---- when ---- */

static void arm(void)
{
	uint64_t first = UINT64_MAX;
	struct member *m;

	TAILQ_FOREACH(m, &members, link) {
		if (m->again)
			first = MIN(first, m->again);
		if (m->answer)
			first = MIN(first, m->answer);
	}
	if (first != UINT64_MAX)
		ktimer_start(&timer, first);
}

static uint64_t some_time_within(uint64_t ms)
{
	return clock_monotonic() + random_u64() % (MAX(ms, 1ull) * MS);
}

static void drop(struct member *m)
{
	TAILQ_REMOVE(&members, m, link);
	kfree(m);
}

static void tell_change(struct member *m)
{
	if (is_older(m))
		send_older(m, is_left(m));
	else
		send_record(m, m->change, &m->differs);
}

static bool has(const struct membership_state *state, const ip_addr_t *source)
{
	for (unsigned i = 0; i < state->count; i++)
		if (ip_addr_cmp_zoneless(&state->sources[i], source))
			return true;
	return false;
}

/* The sources of `a` that are (or are not) in `b`. */
static void pick(const struct membership_state *a, const struct membership_state *b, bool in_both, struct membership_state *out)
{
	out->count = 0;
	for (unsigned i = 0; i < a->count; i++)
		if (has(b, &a->sources[i]) == in_both)
			out->sources[out->count++] = a->sources[i];
}

/* What is told next is the whole state and not a change of it. */
static void repeat_whole(struct member *m)
{
	m->differs = m->told;
	m->change = m->told.include ? TO_INCLUDE : TO_EXCLUDE;
}

/* The answer to the query that was heard last. */
static void answer(struct member *m)
{
	struct membership_state *now = &m->differs; /* of no more use: the change is told again as the whole state */

	m->answer = 0;
	if (is_left(m))
		return;
	if (is_older(m)) {
		send_older(m, false);
		return;
	}
	if (!m->asked) {
		send_record(m, m->told.include ? IS_INCLUDE : IS_EXCLUDE, &m->told);
		return;
	}
	pick(&m->about, &m->told, m->told.include, now);
	if (now->count && m->told.include)
		send_record(m, IS_INCLUDE, now);
	else if (now->count) /* as Linux: some that are not shut out are asked for */
		send_record(m, IS_EXCLUDE, &m->told);
	repeat_whole(m);
}

static void due(struct ktimer *t)
{
	uint64_t now = clock_monotonic();
	struct member *m, *next;

	stack_enter(&first_net_ns);
	TAILQ_FOREACH_SAFE(m, &members, link, next) {
		device_fragment(m->netif, true);
		if (m->answer && m->answer <= now)
			answer(m);
		if (m->again && m->again <= now) {
			tell_change(m);
			m->again = --m->left ? some_time_within(REPEAT_MS) : 0;
		}
		device_fragment(m->netif, false);
		if (!m->again && is_left(m))
			drop(m);
	}
	arm();
	stack_leave();
}

/* ---- changes ---- */

static bool lacks(const struct membership_state *state, const struct membership_state *of)
{
	for (unsigned i = 0; i < of->count; i++)
		if (!has(state, &of->sources[i]))
			return true;
	return false;
}

/*
 * What a change from m->told to `now` is called, and its sources into m->differs. Whether there is any. Where some have come
 * and others gone it is the whole state, since a report has one record.
 */
static bool compare(struct member *m, const struct membership_state *now)
{
	bool come = lacks(&m->told, now), gone = lacks(now, &m->told);

	if (m->told.include != now->include || (come && gone)) {
		m->change = now->include ? TO_INCLUDE : TO_EXCLUDE;
		m->differs = *now;
		return true;
	}
	pick(come ? now : &m->told, come ? &m->told : now, false, &m->differs);
	m->change = come == now->include ? ALLOW : BLOCK;
	return come || gone;
}

/* The group's members want this now. */
static void change(struct member *m, const struct membership_state *now)
{
	bool was_pending = m->again, silent = is_older(m) && !is_left(m) && (!now->include || now->count);

	if (!compare(m, now)) {
		if (was_pending) /* what differed is overwritten: the whole state is told again */
			repeat_whole(m);
		return;
	}
	m->told = *now;
	if (is_told(&m->address) && netif_is_up(m->netif) && !silent) {
		tell_change(m);
		m->left = ROBUSTNESS - 1;
		m->again = some_time_within(REPEAT_MS);
	}
	if (was_pending) /* an earlier change is to be told again, too: both are in the whole state */
		repeat_whole(m);
}

static struct member *new_member(struct netif *netif, const ip_addr_t *address)
{
	struct member *m = kzalloc(sizeof(*m));

	if (!m)
		return NULL;
	m->netif = netif;
	ip_addr_copy(m->address, *address);
	m->told.include = true;
	TAILQ_INSERT_TAIL(&members, m, link);
	return m;
}

static int update(struct netif *netif, const ip_addr_t *address, int joins)
{
	struct membership_state *now = kmalloc(sizeof(*now));
	struct member *m = find(netif, address);

	if (!now)
		return -ENOBUFS;
	multicast_wish(netif, address, now);
	if ((m ? m->own : 0) + (unsigned)joins) { /* lwIP hears everybody */
		now->include = false;
		now->count = 0;
	}
	if (!m && (!now->include || now->count)) {
		m = new_member(netif, address);
		if (!m) {
			kfree(now);
			return -ENOBUFS;
		}
	}
	if (m) {
		m->own += (unsigned)joins;
		change(m, now);
		if (is_left(m) && !m->again)
			drop(m);
		arm();
	}
	kfree(now);
	return 0;
}

int membership_changed(struct netif *netif, const ip_addr_t *address)
{
	return update(netif, address, 0);
}

/* ---- queries ---- */

/* RFC 3376, 4.1.1; RFC 3810, 5.1.3: a number with an exponent where it is large. */
static uint32_t code_value(uint32_t code, unsigned mantissa_bits)
{
	uint32_t top = 1u << (mantissa_bits + 3);

	if (code < top)
		return code;
	return ((code & ((1u << mantissa_bits) - 1)) | 1u << mantissa_bits) << ((code >> mantissa_bits & 7) + 3);
}

struct query {
	bool any; /* of all groups */
	ip_addr_t group;
	uint32_t delay; /* ms */
	uint16_t sources, at; /* how many, and where they begin */
};

static void note_sources(struct member *m, const struct query *query, const struct pbuf *p)
{
	bool more = m->answer && m->asked;

	if (!query->sources || (m->answer && !m->asked)) { /* the whole is asked for */
		m->asked = false;
		return;
	}
	m->asked = true;
	if (!more)
		m->about.count = 0;
	for (unsigned i = 0; i < query->sources && m->about.count < MEMBERSHIP_SOURCES_MAX; i++) {
		size_t size = IP_IS_V6(&m->address) ? 16 : 4;
		uint8_t bytes[16];
		ip_addr_t source;

		if (pbuf_copy_partial(p, bytes, (u16_t)size, (u16_t)(query->at + i * size)) != size)
			return;
		address_from_bytes(size == 16 ? AF_INET6 : AF_INET, bytes, &source);
		if (!has(&m->about, &source))
			m->about.sources[m->about.count++] = source;
	}
}

static void take_query(struct netif *netif, const struct query *query, const struct pbuf *p)
{
	struct member *m;

	TAILQ_FOREACH(m, &members, link) {
		uint64_t when;

		if (m->netif != netif || IP_IS_V6(&m->address) != IP_IS_V6(&query->group) || is_left(m) || !is_told(&m->address) ||
		    (!query->any && !ip_addr_cmp_zoneless(&m->address, &query->group)))
			continue;
		when = some_time_within(query->delay);
		note_sources(m, query, p);
		m->answer = m->answer ? MIN(m->answer, when) : when;
	}
	arm();
}

/* Another host of the link has told of a group: with the older versions that is enough. */
static void heard_report(struct netif *netif, const ip_addr_t *group)
{
	struct member *m = find(netif, group);

	if (!m || !is_older(m))
		return;
	m->answer = 0;
	m->reporter = false;
}

/* ---- what lwIP calls: IGMP ---- */

void igmp_init(void)
{
	ktimer_init(&timer, due);
}

static void forget(struct netif *netif, bool v6)
{
	unsigned index = netif_get_index(netif);
	struct member *m, *next;

	TAILQ_FOREACH_SAFE(m, &members, link, next)
		if (m->netif == netif && IP_IS_V6(&m->address) == v6)
			drop(m);
	if (v6)
		until_mld1[index] = 0;
	else
		until1[index] = until2[index] = 0;
}

err_t igmp_start(struct netif *netif)
{
	return ERR_OK;
}

err_t igmp_stop(struct netif *netif)
{
	forget(netif, false);
	return ERR_OK;
}

/* The link is up again. */
static void tell_all(struct netif *netif, bool v6)
{
	struct member *m;

	TAILQ_FOREACH(m, &members, link) {
		if (m->netif != netif || IP_IS_V6(&m->address) != v6 || is_left(m) || !is_told(&m->address))
			continue;
		repeat_whole(m);
		m->left = ROBUSTNESS;
		m->again = some_time_within(1);
	}
	arm();
}

void igmp_report_groups(struct netif *netif)
{
	tell_all(netif, false);
}

/* Only asked whether there is one. */
struct igmp_group *igmp_lookfor_group(struct netif *netif, const ip4_addr_t *address)
{
	ip_addr_t group;
	struct member *m;

	ip_addr_copy_from_ip4(group, *address);
	m = find(netif, &group);
	if (ip4_addr_get_u32(address) == __builtin_bswap32(INADDR_ALLHOSTS_GROUP))
		return (void *)netif;
	return m && !is_left(m) ? (void *)m : NULL;
}

void igmp_input(struct pbuf *p, struct netif *netif, const ip4_addr_t *to)
{
	unsigned index = netif_get_index(netif);
	struct query query = {.at = 12};
	uint8_t head[12] = {0};
	uint16_t len = pbuf_copy_partial(p, head, sizeof(head), 0);

	if (len >= 8 && !inet_chksum_pbuf(p)) {
		address_from_bytes(AF_INET, head + 4, &query.group);
		query.any = ip_addr_isany_val(query.group);
		query.delay = code_value(head[1], 4) * 100;
		if (head[0] == IGMP_QUERY && p->tot_len == 8) {
			*(head[1] ? &until2[index] : &until1[index]) = clock_monotonic() + OLDER_MS * MS;
			query.delay = head[1] ? head[1] * 100u : 10000;
		}
		if (head[0] == IGMP_QUERY && p->tot_len >= sizeof(head))
			query.sources = (uint16_t)(head[10] << 8 | head[11]);
		if (head[0] == IGMP_QUERY && (p->tot_len == 8 || p->tot_len >= sizeof(head)))
			take_query(netif, &query, p);
		else if (head[0] == IGMP_REPORT1 || head[0] == IGMP_REPORT2)
			heard_report(netif, &query.group);
	}
	pbuf_free(p);
}

/* ---- and MLD ---- */

err_t mld6_stop(struct netif *netif)
{
	forget(netif, true);
	return ERR_OK;
}

void mld6_report_groups(struct netif *netif)
{
	tell_all(netif, true);
}

struct mld_group *mld6_lookfor_group(struct netif *netif, const ip6_addr_t *address)
{
	ip_addr_t group;
	struct member *m;

	ip_addr_copy_from_ip6(group, *address);
	m = find(netif, &group);
	return m && !is_left(m) ? (void *)m : NULL;
}

void mld6_input(struct pbuf *p, struct netif *netif)
{
	struct query query = {.at = 28};
	uint8_t head[28] = {0};
	uint16_t len = pbuf_copy_partial(p, head, sizeof(head), 0);

	if (len >= 24) {
		address_from_bytes(AF_INET6, head + 8, &query.group);
		query.any = ip_addr_isany_val(query.group);
		query.delay = code_value((uint32_t)head[4] << 8 | head[5], 12);
		if (head[0] == MLD_QUERY && p->tot_len == 24) {
			until_mld1[netif_get_index(netif)] = clock_monotonic() + OLDER_MS * MS;
			query.delay = (uint32_t)head[4] << 8 | head[5];
		}
		if (head[0] == MLD_QUERY && len == sizeof(head))
			query.sources = (uint16_t)(head[26] << 8 | head[27]);
		if (head[0] == MLD_QUERY && (p->tot_len == 24 || len == sizeof(head)))
			take_query(netif, &query, p);
		else if (head[0] == MLD_REPORT1)
			heard_report(netif, &query.group);
	}
	pbuf_free(p);
}

err_t mld6_joingroup_netif(struct netif *netif, const ip6_addr_t *address)
{
	ip_addr_t group;

	ip_addr_copy_from_ip6(group, *address);
	return update(netif, &group, 1) ? ERR_MEM : ERR_OK;
}

err_t mld6_leavegroup_netif(struct netif *netif, const ip6_addr_t *address)
{
	ip_addr_t group;
	struct member *m;

	ip_addr_copy_from_ip6(group, *address);
	m = find(netif, &group);
	if (!m || !m->own)
		return ERR_VAL;
	return update(netif, &group, -1) ? ERR_MEM : ERR_OK;
}
