/*
 * The text of `ringfence metrics`: Prometheus' exposition format 0.0.4. One table lists the figures; all samples of a
 * family stand together below its HELP and TYPE. IDs need no escaping: state_check_id() allows no quotes.
 */
#include <stddef.h>

#include "cli/metrics.h"

/* One sample of each container: a field of struct control_stats. */
struct sample {
	const char *label; /* kind="..." or NULL: none */
	size_t offset;
};

struct family {
	const char *name, *type, *help;
	bool sandbox;  /* told once a sandbox */
	double unit;   /* what a field counts, in the family's unit */
	struct sample samples[5];
};

#define AT(field) offsetof(struct control_stats, field)

static const struct family families[] = {
	{"ringfence_cpu_seconds_total", "counter", "CPU time of the container's tasks.", false, 1e-9,
		{{"mode=\"user\"", AT(user_ns)}, {"mode=\"system\"", AT(system_ns)}}},
	{"ringfence_memory_bytes", "gauge", "Memory of the container, by kind.", false, 1,
		{{"kind=\"anonymous\"", AT(memory_anon)}, {"kind=\"file\"", AT(memory_file)}, {"kind=\"shared\"", AT(memory_shared)},
			{"kind=\"kernel\"", AT(memory_kernel)}}},
	{"ringfence_memory_peak_bytes", "gauge", "Most memory at a time, as far as somebody asked.", false, 1, {{NULL, AT(memory_peak)}}},
	{"ringfence_memory_limit_bytes", "gauge", "Memory it may use; 0: no limit.", false, 1, {{NULL, AT(memory_limit)}}},
	{"ringfence_tasks", "gauge", "Tasks (threads) of the container.", false, 1, {{NULL, AT(tasks)}}},
	{"ringfence_process_exits_total", "counter", "Processes of the container that have ended, by reason.", false, 1,
		{{"reason=\"success\"", AT(exits_success)}, {"reason=\"failure\"", AT(exits_failure)}, {"reason=\"signal\"", AT(exits_signal)},
			{"reason=\"oom\"", AT(exits_oom)}}},
	{"ringfence_oom_kills_total", "counter", "Processes killed because memory ran out.", false, 1, {{NULL, AT(oom_kills)}}},
	{"ringfence_page_faults_total", "counter", "Page faults, those served from files too.", false, 1, {{NULL, AT(page_faults)}}},
	{"ringfence_context_switches_total", "counter", "Task switches.", false, 1, {{NULL, AT(context_switches)}}},
	{"ringfence_uptime_seconds", "gauge", "Since the container's program began.", false, 1e-9, {{NULL, AT(uptime_ns)}}},
	{"ringfence_sandbox_host_calls_total", "counter", "Calls of the sandbox's kernel to the host side.", true, 1, {{NULL, AT(host_calls)}}},
	{"ringfence_sandbox_ring_requests_total", "counter", "Requests to the host by the ring.", true, 1, {{NULL, AT(ring_operations)}}},
	{"ringfence_sandbox_network_bytes_total", "counter", "Bytes of frames, but for loopback.", true, 1,
		{{"direction=\"receive\"", AT(received_bytes)}, {"direction=\"send\"", AT(sent_bytes)}}},
	{"ringfence_sandbox_network_packets_total", "counter", "Frames, but for loopback.", true, 1,
		{{"direction=\"receive\"", AT(received_packets)}, {"direction=\"send\"", AT(sent_packets)}}},
	{"ringfence_sandbox_network_dropped_total", "counter", "Frames that were dropped.", true, 1,
		{{"direction=\"receive\"", AT(received_dropped)}, {"direction=\"send\"", AT(sent_dropped)}}},
};

static void print_head(FILE *to, const char *name, const char *type, const char *help)
{
	fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_family(FILE *to, const struct family *family, const struct metrics *metrics)
{
	print_head(to, family->name, family->type, family->help);
	for (size_t i = 0; i < metrics->count; i++) {
		const struct metrics_container *c = &metrics->containers[i];
		if (!c->answers || (family->sandbox && !c->sandbox))
			continue;
		for (const struct sample *s = family->samples; s == family->samples || s->label; s++) {
			uint64_t value = *(const uint64_t *)((const char *)&c->stats + s->offset);
			fprintf(to, "%s{id=\"%s\"%s%s} %.17g\n", family->name, c->id, s->label ? "," : "", s->label ? s->label : "",
				(double)value * family->unit);
		}
	}
}

static void print_latency(FILE *to, const struct metrics *metrics)
{
	static const char name[] = "ringfence_sandbox_gofer_seconds";

	print_head(to, name, "histogram", "Messages to the gofer, from the request to its answer.");
	for (size_t i = 0; i < metrics->count; i++) {
		const struct metrics_container *c = &metrics->containers[i];
		double limit = CONTROL_LATENCY_FIRST_NS * 1e-9;
		unsigned long long sum = 0;
		if (!c->answers || !c->sandbox)
			continue;
		for (unsigned b = 0; b < CONTROL_LATENCY_BUCKETS - 1; b++, limit *= 2) {
			sum += c->stats.gofer_latency[b];
			fprintf(to, "%s_bucket{id=\"%s\",le=\"%g\"} %llu\n", name, c->id, limit, sum);
		}
		fprintf(to, "%s_bucket{id=\"%s\",le=\"+Inf\"} %llu\n%s_sum{id=\"%s\"} %.17g\n%s_count{id=\"%s\"} %llu\n", name, c->id,
			(unsigned long long)c->stats.gofer_messages, name, c->id, (double)c->stats.gofer_ns * 1e-9, name, c->id,
			(unsigned long long)c->stats.gofer_messages);
	}
}

static void print_totals(FILE *to, const struct metrics *metrics)
{
	static const char *const reasons[EXIT_REASONS] = {"success", "failure", "signal", "lost"};

	print_head(to, "ringfence_container_exits_total", "counter",
		"Containers whose program has ended since the server began; lost: the sandbox went without saying.");
	for (unsigned i = 0; i < EXIT_REASONS; i++)
		fprintf(to, "ringfence_container_exits_total{reason=\"%s\"} %llu\n", reasons[i], metrics->exits[i]);
	print_head(to, "ringfence_oom_events_total", "counter", "Out-of-memory events since the server began.");
	fprintf(to, "ringfence_oom_events_total %llu\n", metrics->ooms);
	print_head(to, "ringfence_stuck_events_total", "counter", "Reports of the sandboxes' watchdogs since the server began.");
	fprintf(to, "ringfence_stuck_events_total %llu\n", metrics->stuck);
}

void metrics_print(FILE *to, const struct metrics *metrics)
{
	size_t by_status[STATE_STOPPED + 1] = {0};

	print_head(to, "ringfence_containers", "gauge", "Containers below the state directory, by status.");
	for (size_t i = 0; i < metrics->count; i++)
		by_status[metrics->containers[i].status]++;
	for (unsigned s = 0; s <= STATE_STOPPED; s++)
		fprintf(to, "ringfence_containers{status=\"%s\"} %zu\n", state_status_name(s), by_status[s]);
	print_head(to, "ringfence_answers", "gauge", "1: the container's sandbox answers; 0: it is stuck.");
	for (size_t i = 0; i < metrics->count; i++) {
		const struct metrics_container *c = &metrics->containers[i];
		if (c->status != STATE_STOPPED && c->status != STATE_CREATING)
			fprintf(to, "ringfence_answers{id=\"%s\"} %d\n", c->id, c->answers);
	}
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		print_family(to, &families[i], metrics);
	print_latency(to, metrics);
	if (metrics->counting)
		print_totals(to, metrics);
}
