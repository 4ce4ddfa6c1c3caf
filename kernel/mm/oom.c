/*
 * The OOM killer: when user pages are used up and reclaim finds none, the process with
 * the most memory (what the kernel keeps for it included, its oom_score_adj added, as proc(5) tells) gets SIGKILL, and the log
 * says so; likewise in a control group that is over its own limit (pressure.c). The faulting task goes back to user mode and tries again, by when the victim
 * has freed its pages; so nothing here may sleep or fail.
 */
#include <asm/signal.h>

#include "kernel/cgroup.h"
#include "kernel/container.h"
#include "kernel/mm/account.h"
#include "kernel/mm/internal.h"
#include "kernel/mm/oom.h"
#include "kernel/signal.h"
#include "kernel/task.h"

#define SCORE_ADJ_MIN (-1000)
#define UNTOUCHED_PART 64u

struct mm *oom_process_mm(struct process *process)
{
	struct task *task;

	TAILQ_FOREACH(task, &process->tasks, sibling)
		if (task->mm)
			return task->mm;
	return NULL;
}

/* Pages, adjusted; negative: never. */
static int64_t oom_badness(struct process *process, struct mm *mm)
{
	int64_t points;

	if (process == process->container->init || process->oom_score_adj == SCORE_ADJ_MIN)
		return -1;
	points = (int64_t)(mm->rss_anon + mm->rss_file + mm->rss_shmem + mm->space.tables + process->heap_pages);
	points += process->oom_score_adj * (int64_t)(page_user_total() / 1000);
	return points > 0 ? points : 1;
}

int oom_score(struct process *process)
{
	struct mm *mm = oom_process_mm(process);
	int64_t points = mm ? oom_badness(process, mm) : -1;

	if (points < 0)
		return 0;
	return (int)MIN(points * 1000 / (int64_t)(page_user_total() + 1), 2000);
}

/* Its memory is the group's, or that of one below; NULL: everybody's is. */
static bool is_charged(const struct process *process, const struct memory_account *to)
{
	const struct memory_account *account = process->cgroup->memory;

	while (account && account != to)
		account = account->parent;
	return account || !to;
}

/* Who has most, among all or in one group; NULL: nobody may be killed. *busy: one is dying already. */
static struct process *choose(const struct memory_account *only, bool *busy)
{
	struct process *process, *victim = NULL;
	int64_t worst = -1;

	*busy = false;
	TAILQ_FOREACH(process, &all_processes, all) {
		struct mm *mm = is_charged(process, only) ? oom_process_mm(process) : NULL;
		int64_t points;

		if (!mm)
			continue;
		if (process->exiting || signal_fatal_pending(process->leader)) {
			*busy = true;
			return NULL;
		}
		points = oom_badness(process, mm);
		if (points > worst) {
			worst = points;
			victim = process;
		}
	}
	return victim;
}

static void kill_victim(struct process *victim, const char *whose)
{
	struct mm *mm = oom_process_mm(victim);

	klog(LOG_ERROR, "%s: Killed process %d (%s) total-vm:%lukB, anon-rss:%lukB, file-rss:%lukB, "
		"shmem-rss:%lukB heap:%lukB oom_score_adj:%d", whose, victim->pid, victim->leader ? victim->leader->comm : "?",
		mm ? (unsigned long)mm->total_vm * 4 : 0, mm ? (unsigned long)mm->rss_anon * 4 : 0,
		mm ? (unsigned long)mm->rss_file * 4 : 0, mm ? (unsigned long)mm->rss_shmem * 4 : 0,
		(unsigned long)victim->heap_pages * 4, victim->oom_score_adj);
	control_oom(victim->container, victim);
	account_event(victim->cgroup->memory, ACCOUNT_OOM_KILL);
	signal_send_kernel(victim->leader, SIGKILL);
}

/* memory.oom.group: the topmost group that asks for it, from the victim's up to the one that is over its limit. */
static struct memory_account *ends_together(const struct process *victim, const struct memory_account *limited)
{
	struct memory_account *account = victim->cgroup->memory, *found = NULL;

	for (; account; account = account->parent) {
		if (account->oom_group)
			found = account;
		if (account == limited)
			break;
	}
	return found;
}

static void kill_with_group(struct process *victim, const struct memory_account *limited, const char *whose)
{
	struct memory_account *group = ends_together(victim, limited);
	struct process *process;

	kill_victim(victim, whose);
	if (!group)
		return;
	account_event(group, ACCOUNT_GROUP_KILL);
	TAILQ_FOREACH(process, &all_processes, all) {
		if (process != victim && process->threads && !process->exiting && is_charged(process, group) &&
			process->oom_score_adj != SCORE_ADJ_MIN)
			kill_victim(process, "Its control group ends as one");
	}
}

void oom_kill(void)
{
	bool busy;

	/* Less than that would only be asked for again at once. */
	if (reclaim_untouched(NULL) > page_user_total() / UNTOUCHED_PART)
		return;
	struct process *victim = choose(NULL, &busy);
	if (busy)
		return;
	/* What a container's sandbox was given is that container's limit. */
	if (first_container.cgroup.memory->max != ACCOUNT_NO_LIMIT)
		account_event(first_container.cgroup.memory, ACCOUNT_OOM);
	kill_with_group(victim ? victim : current->process, NULL, "Out of memory");
}

/* The container's first process is spared as long as there is another. */
static struct process *last_resort(const struct memory_account *account)
{
	struct process *init = account->group->container->init;

	return init && init->leader && !init->exiting && is_charged(init, account) && oom_process_mm(init) ? init : NULL;
}

bool oom_kill_in(struct memory_account *account)
{
	bool busy;
	struct process *victim = choose(account, &busy);

	if (busy)
		return true;
	if (!victim)
		victim = last_resort(account);
	account_event(account, ACCOUNT_OOM);
	if (victim)
		kill_with_group(victim, account, "Memory limit of the control group reached");
	return victim;
}
