/*
 * Signals to the owner of a file. See vfs/sigio.h.
 *
 * SIGIO without details, or the signal of F_SETSIG with descriptor and reason; where its queue is full, SIGIO. It reaches only whom
 * the one that set the owner might have signalled, by the user ids that it had then.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>

#include "kernel/cred.h"
#include "kernel/task.h"
#include "vfs/sigio.h"

void file_set_owner(struct file *file, int owner)
{
	file->owner = owner;
	file->owner_uid = current->cred->uid;
	file->owner_euid = current->cred->euid;
}

int file_choose_owner(struct file *file, int who)
{
	if (who == INT32_MIN)
		return -EINVAL;
	if (who > 0 && !process_find(who) && !task_find(who))
		return -ESRCH;
	file_set_owner(file, who < 0 ? -pid_from_user(-who) : pid_from_user(who));
	return 0;
}

void file_own_if_free(struct file *file)
{
	if (!file->owner)
		file_set_owner(file, current->process->pid);
}

static bool may_signal(const struct file *file, const struct process *process)
{
	const struct cred *to = process->leader ? process->leader->cred : NULL;

	return to && (file->owner_euid == 0 || file->owner_euid == to->suid || file->owner_euid == to->uid ||
			     file->owner_uid == to->suid || file->owner_uid == to->uid);
}

static void signal_one(const struct file *file, struct process *process, int fd)
{
	struct ksiginfo info = {
		.signo = file->owner_signal, .code = POLL_MSG, .band = EPOLLIN | EPOLLRDNORM | EPOLLMSG, .fd = fd};

	if (!may_signal(file, process))
		return;
	/* The codes of these signals mean other things: theirs says only that it is about a file. */
	if (info.signo == SIGILL || info.signo == SIGFPE || info.signo == SIGSEGV || info.signo == SIGBUS || info.signo == SIGTRAP ||
		info.signo == SIGCHLD || info.signo == SIGSYS)
		info.code = SI_SIGIO;
	if (!info.signo || signal_send_process(process, &info))
		signal_send_kernel(process->leader, SIGIO);
}

static bool owns(const struct file *file, const struct process *process)
{
	return file->owner < 0 ? process->pgid == -file->owner : process->pid == file->owner;
}

void file_signal_owner(const struct file *file, int fd)
{
	struct process *process;

	TAILQ_FOREACH(process, &all_processes, all)
		if (owns(file, process))
			signal_one(file, process, fd);
}

void file_signal_urgent(const struct file *file)
{
	struct process *process;

	TAILQ_FOREACH(process, &all_processes, all)
		if (owns(file, process) && may_signal(file, process))
			signal_send_kernel(process->leader, SIGURG);
}
