/*
 * Notifications of seccomp filters (seccomp_unotify(2)): a system call whose verdict is SECCOMP_RET_USER_NOTIF waits
 * until a supervisor answers through the filter's listener. kernel/seccomp_notify.c; the listener as a file is
 * vfs/anon/seccomp_listener.c.
 *
 *	INIT --received--> SENT --answered--> REPLIED; the call goes on from any state when a signal or the listener's end comes.
 */
#ifndef KERNEL_SECCOMP_NOTIFY_H
#define KERNEL_SECCOMP_NOTIFY_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

struct file;
struct regs;
struct seccomp_listener;
struct waitq;

/* One reference, NULL: no memory. killable: whoever was received is interrupted by nothing but a kill. */
struct seccomp_listener *seccomp_listener_create(bool killable);
void seccomp_listener_get(struct seccomp_listener *listener);
void seccomp_listener_put(struct seccomp_listener *listener);
void seccomp_listener_close(struct seccomp_listener *listener);       /* no supervisor any more: calls give ENOSYS */
void seccomp_listener_filter_gone(struct seccomp_listener *listener); /* nobody left who could call */

/* The current task's call waits for its answer. True: it is to be made; else regs->rax holds its result. May sleep. */
bool seccomp_notify(struct seccomp_listener *listener, struct regs *regs, const struct seccomp_data *data);

/* What the supervisor asks for: 0 (or a descriptor), or the -errno of seccomp_unotify(2). receive and add may sleep. */
int seccomp_listener_receive(struct seccomp_listener *listener, struct seccomp_notif *to);
/* It could not be handed out after all: the next to ask gets it. */
void seccomp_listener_put_back(struct seccomp_listener *listener, uint64_t id);
int seccomp_listener_answer(struct seccomp_listener *listener, const struct seccomp_notif_resp *answer);
int seccomp_listener_valid(struct seccomp_listener *listener, uint64_t id);
int seccomp_listener_add(struct seccomp_listener *listener, const struct seccomp_notif_addfd *add, struct file *file);
struct waitq *seccomp_listener_waitq(struct seccomp_listener *listener);
unsigned seccomp_listener_events(const struct seccomp_listener *listener); /* EPOLL* */

#endif
