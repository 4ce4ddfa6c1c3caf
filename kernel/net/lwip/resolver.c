/*
 * The name server at 127.0.0.11, port 53, which an engine (Docker) runs outside: datagrams to it leave by a socket of
 * the host that is connected to it and to nothing else, and its answers come back from the same address.
 *
 * The one socket stands for all of the container's, so each query gets a number of ours in the place of its own (the
 * first two bytes, RFC 1035) and the answer is given to whoever asked with it. What is not answered is forgotten as its
 * place is used again. By TCP resolver_tcp.c answers there, and asks here.
 *
 * resolver_use() once; then resolver_query() for each datagram. Nothing sleeps.
 */
#include <lwip/prot/ip4.h>
#include <lwip/prot/udp.h>

#include "kernel/mm.h"
#include "kernel/net/lwip/datagram.h"
#include "kernel/wait.h"
#include "ring0/lib.h"
#include "ring0/memory.h"

#define DNS_HEADER 12u
#define QUERY_MAX 4096u
#define ANSWER_ORDER 4u /* 64 KiB: any datagram */
#define QUERIES 256u
#define HEADERS (IP_HLEN + UDP_HLEN)

struct query {
	bool open;
	uint16_t number, theirs; /* in the message: ours, the asker's */
	ip4_addr_t from;
	uint16_t port; /* the asker's, in network order */
	struct asker *asker; /* NULL: a datagram's sender */
};

/* A task that waits in resolver_ask(). */
struct asker {
	struct waitq wait;
	bool done;
	uint8_t *answer; /* NULL with done: no memory, or its place was used again */
	size_t len;
};

struct query_write {
	struct hostring_request request;
	uint8_t bytes[];
};

static struct query queries[QUERIES];
static uint16_t next_number;
static struct hostring_request answer_request;
static uint8_t *answer; /* NULL: nobody has asked yet */
static uint32_t answer_fd; /* 0: there is no such name server */

static void resolver_address(ip4_addr_t *address)
{
	IP4_ADDR(address, 127, 0, 0, 11);
}

/* ---- queries ---- */

static void query_written(struct hostring_request *request, int64_t res, uint64_t extra)
{
	kfree(container_of(request, struct query_write, request)); /* what is lost is asked again */
}

static struct query_write *new_write(size_t len)
{
	return len >= DNS_HEADER && len <= QUERY_MAX ? kmalloc(sizeof(struct query_write) + len) : NULL;
}

/* The message leaves, under a number of ours; takes it over. */
static void send_query(struct query_write *out, size_t len, const struct query *from)
{
	struct query *query = &queries[next_number % QUERIES];
	struct abi_sqe sqe = {.op = ABI_RING_write, .fd = answer_fd, .offset = UINT64_MAX, .len = len};

	if (query->open && query->asker) {
		query->asker->done = true;
		waitq_wake_all(&query->asker->wait);
	}
	*query = *from;
	query->open = true;
	query->number = next_number++;
	memcpy(&query->theirs, out->bytes, sizeof(query->theirs));
	memcpy(out->bytes, &query->number, sizeof(query->number));
	out->request.done = query_written;
	sqe.gpa = va_to_pa(out->bytes);
	if (hostring_submit(&sqe, &out->request))
		kfree(out);
}

static void send_datagram(struct pbuf *p)
{
	struct query_write *out = new_write(p->tot_len);
	const struct udp_hdr *header = (const void *)((const uint8_t *)p->payload - UDP_HLEN);

	if (!out)
		return;
	(void)pbuf_copy_partial(p, out->bytes, p->tot_len, 0);
	send_query(out, p->tot_len, &(struct query){.from = *ip4_current_src_addr(), .port = header->src});
}

static void read_next(void);

static bool start_reading(void)
{
	if (answer)
		return true;
	answer = kpages_alloc(ANSWER_ORDER);
	if (answer)
		read_next();
	return answer;
}

bool resolver_query(struct pbuf *p)
{
	const struct udp_hdr *header = p->payload;
	ip4_addr_t address;

	resolver_address(&address);
	if (!answer_fd || stack_net != &first_net_ns || ip_current_is_v6() || header->dest != __builtin_bswap16(DNS_PORT) ||
	    !ip4_addr_cmp(ip4_current_dest_addr(), &address))
		return false;
	pbuf_remove_header(p, UDP_HLEN);
	if (start_reading())
		send_datagram(p);
	pbuf_free(p);
	return true;
}

/* ---- answers ---- */

static void give_answer(struct query *query, size_t len)
{
	struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)(HEADERS + len), PBUF_RAM);
	struct udp_hdr *udp;
	struct ip_hdr *ip;
	ip4_addr_t self;

	if (!p)
		return;
	memset(p->payload, 0, HEADERS);
	ip = p->payload;
	IPH_VHL_SET(ip, 4, IP_HLEN / 4);
	IPH_LEN_SET(ip, __builtin_bswap16((uint16_t)(HEADERS + len)));
	IPH_TTL_SET(ip, IP_DEFAULT_TTL);
	IPH_PROTO_SET(ip, IP_PROTO_UDP);
	resolver_address(&self);
	ip4_addr_copy(ip->src, self);
	ip4_addr_copy(ip->dest, query->from);
	udp = (void *)((uint8_t *)p->payload + IP_HLEN);
	*udp = (struct udp_hdr){.src = __builtin_bswap16(DNS_PORT), .dest = query->port,
		.len = __builtin_bswap16((uint16_t)(UDP_HLEN + len))};
	memcpy((uint8_t *)p->payload + HEADERS, answer, len);
	memcpy((uint8_t *)p->payload + HEADERS, &query->theirs, sizeof(query->theirs));
	stack_enter(&first_net_ns);
	(void)loop_queue(&loop_netif, p);
	stack_leave();
	pbuf_free(p);
}

/* To a task, behind room for the length that TCP puts before it. */
static void hand_answer(struct query *query, size_t len)
{
	struct asker *asker = query->asker;

	asker->answer = kmalloc(len + 2);
	if (asker->answer) {
		memcpy(asker->answer + 2, answer, len);
		memcpy(asker->answer + 2, &query->theirs, sizeof(query->theirs));
		asker->len = len;
	}
	asker->done = true;
	waitq_wake_all(&asker->wait);
}

static void answered(struct hostring_request *request, int64_t res, uint64_t extra)
{
	uint16_t number;

	if (res == -EBADF) {
		klog(LOG_ERROR, "network: the host has no such name server");
		return;
	}
	if (res >= (int64_t)DNS_HEADER && res <= (int64_t)(UINT16_MAX - HEADERS)) {
		memcpy(&number, answer, sizeof(number));
		struct query *query = &queries[number % QUERIES];
		if (query->open && query->number == number) {
			query->open = false;
			if (query->asker)
				hand_answer(query, (size_t)res);
			else
				give_answer(query, (size_t)res);
		}
	}
	read_next(); /* an error says that one query was refused */
}

static void read_next(void)
{
	struct abi_sqe sqe = {.op = ABI_RING_read, .fd = answer_fd, .offset = UINT64_MAX, .gpa = va_to_pa(answer),
		.len = PAGE_SIZE << ANSWER_ORDER};

	answer_request.done = answered;
	if (hostring_submit(&sqe, &answer_request))
		klog(LOG_ERROR, "network: the host ring is full: 127.0.0.11 does not answer any more");
}

size_t resolver_ask(const uint8_t *query, size_t len, uint64_t deadline, uint8_t **out)
{
	struct query_write *write = new_write(len);
	struct asker asker = {.done = false};

	if (!write || !start_reading()) {
		kfree(write);
		return 0;
	}
	waitq_init(&asker.wait);
	memcpy(write->bytes, query, len);
	send_query(write, len, &(struct query){.asker = &asker});
	(void)wait_event(&asker.wait, asker.done, deadline, false);
	for (unsigned i = 0; i < QUERIES && !asker.done; i++)
		if (queries[i].asker == &asker)
			queries[i] = (struct query){.open = false};
	*out = asker.answer;
	return asker.answer ? asker.len : 0;
}

bool resolver_is_there(void)
{
	return answer_fd;
}

void resolver_use(uint32_t fd)
{
	answer_fd = fd;
}
