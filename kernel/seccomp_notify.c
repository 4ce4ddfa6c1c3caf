/*
 * System calls that wait for a supervisor's answer: see kernel/seccomp_notify.h.
 *
 * A notification lies on the stack of the task that waits, so it is on the list only while the task is in
 * seccomp_notify(). A descriptor that the supervisor adds is installed by that task itself, in its own table.
 */
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "kernel/files.h"
#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/process.h"
#include "kernel/seccomp_notify.h"
#include "ring0/lib.h"

enum notice_state { NOTICE_INIT, NOTICE_SENT, NOTICE_REPLIED };

struct addition { /* on the supervisor's stack */
	const struct seccomp_notif_addfd *add;
	struct file *file;
	bool done;
	int result;
};

struct notice {
	TAILQ_ENTRY(notice) link;
	uint64_t id;
	struct task *task;
	const struct seccomp_data *data;
	enum notice_state state;
	struct seccomp_notif_resp answer;
	struct addition *addition; /* to be installed, or NULL */
	struct waitq wait;
};

struct seccomp_listener {
	uint32_t refs;
	bool killable, closed, filter_gone;
	uint64_t next_id;
	TAILQ_HEAD(, notice) notices;
	struct waitq wait; /* the supervisor's: receiving, polling, additions */
};

struct seccomp_listener *seccomp_listener_create(bool killable)
{
	static uint64_t first_id;
	struct seccomp_listener *listener = kzalloc(sizeof(*listener));

	if (!listener)
		return NULL;
	listener->refs = 1;
	listener->killable = killable;
	listener->next_id = ++first_id << 32; /* one listener's are not another's */
	TAILQ_INIT(&listener->notices);
	waitq_init(&listener->wait);
	return listener;
}

void seccomp_listener_get(struct seccomp_listener *listener)
{
	listener->refs++;
}

void seccomp_listener_put(struct seccomp_listener *listener)
{
	if (listener && --listener->refs == 0)
		kfree(listener);
}

void seccomp_listener_close(struct seccomp_listener *listener)
{
	struct notice *notice;

	listener->closed = true;
	TAILQ_FOREACH(notice, &listener->notices, link)
		waitq_wake_all(&notice->wait);
}

void seccomp_listener_filter_gone(struct seccomp_listener *listener)
{
	listener->filter_gone = true;
	waitq_wake(&listener->wait, UINT32_MAX, EPOLLHUP);
}

/* ---- the task that calls ---- */

static void end_addition(struct notice *notice, int result)
{
	struct addition *addition = notice->addition;

	if (!addition)
		return;
	notice->addition = NULL;
	addition->result = result;
	addition->done = true;
}

static void install(struct notice *notice)
{
	const struct seccomp_notif_addfd *add = notice->addition->add;
	int at = add->flags & SECCOMP_ADDFD_FLAG_SETFD ? (int)add->newfd : -1;
	bool send = add->flags & SECCOMP_ADDFD_FLAG_SEND;
	int fd = files_install_file(notice->addition->file, at, add->newfd_flags & O_CLOEXEC);

	if (fd >= 0 && send) {
		notice->answer = (struct seccomp_notif_resp){.id = notice->id, .val = fd};
		notice->state = NOTICE_REPLIED;
	}
	end_addition(notice, fd);
}

/* 0: answered; -ENOSYS: nobody will; -ERESTARTSYS: a signal. */
static int wait_answer(struct seccomp_listener *listener, struct notice *notice)
{
	while (notice->state != NOTICE_REPLIED) {
		bool interruptible = !(listener->killable && notice->state == NOTICE_SENT);
		int rc = wait_event(&notice->wait, notice->state == NOTICE_REPLIED || notice->addition || listener->closed,
			DEADLINE_NONE, interruptible);

		if (rc && interruptible && listener->killable && notice->state == NOTICE_SENT && !current->killed)
			continue; /* received while it slept: only a kill counts from then on */
		if (rc)
			return -ERESTARTSYS;
		if (listener->closed && notice->state != NOTICE_REPLIED)
			return -ENOSYS;
		if (notice->addition) {
			install(notice);
			waitq_wake_all(&listener->wait);
		}
	}
	return 0;
}

bool seccomp_notify(struct seccomp_listener *listener, struct regs *regs, const struct seccomp_data *data)
{
	struct notice notice = {.task = current, .data = data};

	if (listener->closed) {
		regs->rax = (uint64_t)-ENOSYS;
		return false;
	}
	notice.id = listener->next_id++;
	waitq_init(&notice.wait);
	seccomp_listener_get(listener);
	TAILQ_INSERT_TAIL(&listener->notices, &notice, link);
	waitq_wake(&listener->wait, UINT32_MAX, EPOLLIN | EPOLLRDNORM);
	int rc = wait_answer(listener, &notice);
	TAILQ_REMOVE(&listener->notices, &notice, link);
	end_addition(&notice, -ENOENT);
	waitq_wake_all(&listener->wait);
	seccomp_listener_put(listener);
	if (!rc && notice.answer.flags & SECCOMP_USER_NOTIF_FLAG_CONTINUE)
		return true;
	/* A call that a signal interrupts may be made again: its number stays. */
	regs->rax = rc ? (uint64_t)(int64_t)rc : notice.answer.error ? (uint64_t)(int64_t)notice.answer.error : (uint64_t)notice.answer.val;
	return false;
}

/* ---- the supervisor ---- */

static struct notice *find(struct seccomp_listener *listener, uint64_t id)
{
	struct notice *notice;

	TAILQ_FOREACH(notice, &listener->notices, link) {
		if (notice->id == id)
			return notice;
	}
	return NULL;
}

static struct notice *find_state(const struct seccomp_listener *listener, enum notice_state state)
{
	struct notice *notice;

	TAILQ_FOREACH(notice, &listener->notices, link) {
		if (notice->state == state)
			return notice;
	}
	return NULL;
}

int seccomp_listener_receive(struct seccomp_listener *listener, struct seccomp_notif *to)
{
	struct notice *notice;

	while (!(notice = find_state(listener, NOTICE_INIT))) {
		if (listener->filter_gone)
			return -ENOENT;
		if (wait_event(&listener->wait, listener->filter_gone || find_state(listener, NOTICE_INIT), DEADLINE_NONE, true))
			return -ERESTARTSYS;
	}
	*to = (struct seccomp_notif){.id = notice->id, .data = *notice->data};
	to->pid = (uint32_t)task_nr(current->process->pid_ns, notice->task);
	notice->state = NOTICE_SENT;
	waitq_wake(&listener->wait, UINT32_MAX, EPOLLOUT | EPOLLWRNORM);
	return 0;
}

void seccomp_listener_put_back(struct seccomp_listener *listener, uint64_t id)
{
	struct notice *notice = find(listener, id);

	if (!notice || notice->state != NOTICE_SENT)
		return;
	notice->state = NOTICE_INIT;
	waitq_wake(&listener->wait, UINT32_MAX, EPOLLIN | EPOLLRDNORM);
}

int seccomp_listener_answer(struct seccomp_listener *listener, const struct seccomp_notif_resp *answer)
{
	if (answer->flags & ~SECCOMP_USER_NOTIF_FLAG_CONTINUE)
		return -EINVAL;
	if (answer->flags && (answer->error || answer->val))
		return -EINVAL;
	struct notice *notice = find(listener, answer->id);
	if (!notice)
		return -ENOENT;
	if (notice->state != NOTICE_SENT)
		return -EINPROGRESS;
	notice->answer = *answer;
	notice->state = NOTICE_REPLIED;
	waitq_wake_all(&notice->wait);
	return 0;
}

int seccomp_listener_valid(struct seccomp_listener *listener, uint64_t id)
{
	const struct notice *notice = find(listener, id);

	return notice && notice->state == NOTICE_SENT ? 0 : -ENOENT;
}

int seccomp_listener_add(struct seccomp_listener *listener, const struct seccomp_notif_addfd *add, struct file *file)
{
	struct addition addition = {.add = add, .file = file};
	struct notice *notice;

	if (add->newfd_flags & ~(uint32_t)O_CLOEXEC || add->flags & ~(SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND) ||
		(add->newfd && !(add->flags & SECCOMP_ADDFD_FLAG_SETFD)))
		return -EINVAL;
	notice = find(listener, add->id);
	if (!notice)
		return -ENOENT;
	if (notice->state != NOTICE_SENT)
		return -EINPROGRESS;
	if (notice->addition)
		return -EBUSY; /* another thread of the supervisor adds one just now */
	notice->addition = &addition;
	waitq_wake_all(&notice->wait);
	(void)wait_event(&listener->wait, addition.done, DEADLINE_NONE, true);
	if (addition.done)
		return addition.result;
	find(listener, add->id)->addition = NULL; /* it is there as long as the addition is not done */
	return -ERESTARTSYS;
}

struct waitq *seccomp_listener_waitq(struct seccomp_listener *listener)
{
	return &listener->wait;
}

unsigned seccomp_listener_events(const struct seccomp_listener *listener)
{
	return (find_state(listener, NOTICE_INIT) ? EPOLLIN | EPOLLRDNORM : 0) |
		(find_state(listener, NOTICE_SENT) ? EPOLLOUT | EPOLLWRNORM : 0) | (listener->filter_gone ? EPOLLHUP : 0);
}
