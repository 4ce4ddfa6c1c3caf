/*
 * Terminals and job control: the controlling terminal of a session, its foreground group, and the signals that go
 * to it (credentials(7), setsid(2), ioctl_tty(2)).
 */
#include <asm/ioctls.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/errno.h>

#include "kernel/process.h"
#include "kernel/signal.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "vfs/tty/tty.h"

#define IGNORED 1 /* SIG_IGN */

static void signal_group(int pgrp, int signo)
{
	struct ksiginfo info;

	memset(&info, 0, sizeof(info));
	info.signo = signo;
	info.code = SI_KERNEL;
	signal_send_group(pgrp, &info);
}

void tty_signal_foreground(struct tty *tty, int signo)
{
	if (tty->pgrp)
		signal_group(tty->pgrp, signo);
}

int tty_check_background(struct tty *tty, int signo)
{
	struct process *process = current->process;

	if (!tty->session || process->session != tty->session || !tty->pgrp || process->pgid == tty->pgrp)
		return 0;
	if (current->blocked & SIGBIT(signo) || process->sighand->action[signo - 1].handler == IGNORED)
		return signo == SIGTTIN ? -EIO : 0;
	if (pgrp_is_orphaned(process->pgid, NULL))
		return -EIO;
	signal_group(process->pgid, signo);
	return -ERESTARTSYS;
}

void tty_set_controlling(struct tty *tty)
{
	struct process *process = current->process;
	struct session *session = process->session;

	if (tty->session) {
		tty->session->tty = NULL;
		session_put(tty->session);
	}
	session_get(session);
	tty->session = session;
	session->tty = tty;
	tty->pgrp = process->pgid;
}

void tty_disassociate(struct session *session)
{
	struct tty *tty = session->tty;
	int pgrp = tty ? tty->pgrp : session->hung_pgrp;

	session->hung_pgrp = 0;
	if (pgrp && pgrp_exists_in_session(pgrp, session)) {
		signal_group(pgrp, SIGHUP);
		signal_group(pgrp, SIGCONT);
	}
	if (!tty)
		return;
	session->tty = NULL;
	tty->session = NULL;
	tty->pgrp = 0;
	session_put(session);
}

void files_session_leader_exit(struct task *task)
{
	if (task->process->session)
		tty_disassociate(task->process->session);
}

static int set_controlling(struct tty *tty, bool steal)
{
	struct process *process = current->process;

	if (process->pid != process->session->sid)
		return -EPERM;
	if (tty->session == process->session)
		return 0;
	if (process->session->tty)
		return -EPERM;
	if (tty->session && !(steal && capable(CAP_SYS_ADMIN)))
		return -EPERM;
	tty_set_controlling(tty);
	return 0;
}

static int64_t set_foreground(struct tty *tty, uaddr_t arg)
{
	struct process *process = current->process;
	int pgid, rc = tty_check_background(tty, SIGTTOU);

	if (rc)
		return rc;
	if (get_user(pgid, arg))
		return -EFAULT;
	if (!tty->session || process->session != tty->session || process->session->tty != tty)
		return -ENOTTY;
	if (pgid < 0)
		return -EINVAL;
	pgid = pid_from_user(pgid);
	if (!pgrp_exists_in_session(pgid, process->session))
		return -EPERM;
	tty->pgrp = pgid;
	return 0;
}

int64_t tty_job_ioctl(struct tty *tty, bool master, unsigned cmd, uaddr_t arg)
{
	struct session *session = current->process->session;
	bool controlling = tty->session && tty->session == session;

	switch (cmd) {
	case TIOCSCTTY:
		return master ? -ENOTTY : set_controlling(tty, arg.v == 1);
	case TIOCNOTTY:
		if (!controlling)
			return -ENOTTY;
		if (current->process->pid == session->sid)
			tty_disassociate(session);
		return 0;
	case TIOCGPGRP:
		if (!controlling && !master)
			return -ENOTTY;
		return put_user(pid_vnr(tty->pgrp), arg);
	case TIOCSPGRP:
		return set_foreground(tty, arg);
	case TIOCGSID:
		if ((!controlling && !master) || !tty->session)
			return -ENOTTY;
		return put_user(pid_vnr(tty->session->sid), arg);
	default:
		return -ENOTTY;
	}
}
