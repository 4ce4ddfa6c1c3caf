/* config.json: process.scheduler, process.ioPriority and linux.personality, as the sentry's own scheduler and processes have them. */
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/personality.h>

#include "cli/cli.h"
#include "cli/oci_parts.h"

struct word {
	const char *name;
	uint32_t value;
};

/* What the word `name` stands for; 1 after a message. The list ends with a NULL. */
static int find_word(struct oci *oci, const struct word *words, const char *name, const char *property, uint32_t *value)
{
	for (; name && words->name; words++) {
		if (strcmp(words->name, name) == 0) {
			*value = words->value;
			return 0;
		}
	}
	return json_error(&oci->json, property, "%.60s: not supported", name ? name : "missing");
}

static int load_scheduler(struct oci *oci, yajl_val process)
{
	static const struct word policies[] = {{"SCHED_OTHER", 0}, {"SCHED_BATCH", SCHED_BATCH}, {"SCHED_IDLE", SCHED_IDLE},
		{"SCHED_FIFO", SCHED_FIFO}, {"SCHED_RR", SCHED_RR}, {NULL, 0}};
	static const struct word flag_names[] = {{"SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK}, {NULL, 0}};
	static const char *const refused[] = {"runtime", "deadline", "period", NULL};
	struct container *c = oci->container;
	struct strings flags = {0};
	char *policy = NULL;
	int64_t nice = 0, priority = 0;
	uint32_t flag;
	yajl_val v;

	if (json_object(&oci->json, process, "scheduler", "process.scheduler", &v))
		return 1;
	if (!v)
		return 0;
	if (oci_refuse(oci, v, refused, "process.scheduler.") ||
	    json_string(&oci->json, v, "policy", "process.scheduler.policy", &policy) ||
	    json_integer(&oci->json, v, "nice", "process.scheduler.nice", &nice) ||
	    json_integer(&oci->json, v, "priority", "process.scheduler.priority", &priority) ||
	    json_strings(&oci->json, v, "flags", "process.scheduler.flags", &flags) ||
	    find_word(oci, policies, policy, "process.scheduler.policy", &c->scheduler.policy))
		return 1;
	for (size_t i = 0; i < flags.count; i++) {
		if (find_word(oci, flag_names, flags.items[i], "process.scheduler.flags", &flag))
			return 1;
		c->scheduler.flags |= flag;
	}
	bool real_time = c->scheduler.policy == SCHED_FIFO || c->scheduler.policy == SCHED_RR;
	if (real_time ? priority < 1 || priority > 99 : priority != 0)
		return json_error(&oci->json, "process.scheduler.priority", "out of range for the policy");
	if (nice < -20 || nice > 19)
		return json_error(&oci->json, "process.scheduler.nice", "out of range");
	c->scheduler.nice = (int32_t)nice;
	c->scheduler.priority = (uint32_t)priority;
	c->has_scheduler = true;
	return 0;
}

static int load_io_priority(struct oci *oci, yajl_val process)
{
	static const struct word classes[] = {{"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT}, {"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
		{"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE}, {NULL, 0}};
	int64_t priority = 0;
	char *name = NULL;
	uint32_t class;
	yajl_val v;

	if (json_object(&oci->json, process, "ioPriority", "process.ioPriority", &v))
		return 1;
	if (!v)
		return 0;
	if (json_string(&oci->json, v, "class", "process.ioPriority.class", &name) ||
	    json_integer(&oci->json, v, "priority", "process.ioPriority.priority", &priority) ||
	    find_word(oci, classes, name, "process.ioPriority.class", &class))
		return 1;
	if (priority < 0 || priority > 7)
		return json_error(&oci->json, "process.ioPriority.priority", "out of range");
	oci->container->io_priority = IOPRIO_PRIO_VALUE(class, (uint32_t)priority);
	return 0;
}

int oci_load_schedule(struct oci *oci, yajl_val process)
{
	return load_scheduler(oci, process) || load_io_priority(oci, process);
}

int oci_load_personality(struct oci *oci, yajl_val linux_part)
{
	static const struct word domains[] = {{"LINUX", PER_LINUX}, {"LINUX32", PER_LINUX32}, {NULL, 0}};
	static const char *const refused[] = {"flags", NULL};
	char *domain = NULL;
	yajl_val v;

	if (json_object(&oci->json, linux_part, "personality", "linux.personality", &v))
		return 1;
	if (!v)
		return 0;
	return oci_refuse(oci, v, refused, "linux.personality.") ||
		json_string(&oci->json, v, "domain", "linux.personality.domain", &domain) ||
		find_word(oci, domains, domain, "linux.personality.domain", &oci->container->personality);
}
