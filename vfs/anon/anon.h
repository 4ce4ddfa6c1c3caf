/*
 * Anonymous files that programs wait on: eventfd, timerfd, signalfd, epoll, pidfd, inotify.
 *
 * syscalls/events.c calls these with arguments already in sentry memory. Each *_create gives a new file with one
 * reference in *file, or -errno (-EINVAL for unknown flags, -ENOMEM); the other functions take any file and answer
 * -EINVAL when it is of another kind. Nothing here copies user memory except the files' read and write.
 */
#ifndef VFS_ANON_ANON_H
#define VFS_ANON_ANON_H

#include <linux/eventpoll.h>

#include "kernel/files.h"
#include "kernel/signal.h"
#include "vfs/vfs.h"

/* eventfd(2). flags: EFD_*. */
int eventfd_create(unsigned count, unsigned flags, struct file **file);
bool eventfd_is(const struct file *file);
void eventfd_signal(struct file *file); /* adds one to an eventfd; a full one stays full. Does not sleep. */

/* timerfd_create(2). Times in ns: value 0 disarms, interval 0 is one shot. */
struct timerfd_times {
	int64_t interval, value;
};
int timerfd_new(int clock, unsigned flags, struct file **file);
int timerfd_set(struct file *file, unsigned flags, const struct timerfd_times *times, struct timerfd_times *old);
int timerfd_get(struct file *file, struct timerfd_times *now);

/* signalfd(2). */
int signalfd_create(sigset64 mask, unsigned flags, struct file **file);
int signalfd_set_mask(struct file *file, sigset64 mask);

/* epoll_create1(2), epoll_ctl(2). epoll_ctl may sleep. */
int epoll_set_create(unsigned flags, struct file **file);
int epoll_control(struct file *file, int op, int fd, const struct epoll_event *event);
/* epoll_wait(2): writes at most `max` events to user memory. deadline: monotonic ns, 0: do not wait. -EINTR; -EFAULT. */
int64_t epoll_wait_events(struct file *file, uaddr_t events, int max, uint64_t deadline);

/* A close-on-exec descriptor for a filter's listener (a reference is taken). fd or -errno. */
struct seccomp_listener;
int seccomp_listener_open(struct seccomp_listener *listener);

/* A pidfd on a process (a reference is taken). flags: O_NONBLOCK. May be called with the process already gone. */
int pidfd_create(struct process *process, unsigned flags, struct file **file);
/* The process of a pidfd, no reference taken; NULL: no pidfd. */
struct process *pidfd_process(const struct file *file);

/* inotify(7). The watch number, or -errno. */
int inotify_create(unsigned flags, struct file **file);
int inotify_watch_add(struct file *file, struct inode *inode, uint32_t mask);
int inotify_watch_remove(struct file *file, int watch);

/* bpf_program.c: a close-on-exec descriptor for a program of bpf(2) (a reference is taken); fd or -errno. */
struct ebpf_program;
int bpf_program_open(struct ebpf_program *program);
struct ebpf_program *bpf_program_of(const struct file *file); /* no reference; NULL: no program's */

/* nsfs.c: namespaces as files. */
struct ns;
int64_t nsfs_install(struct ns *ns); /* a descriptor for it, or -errno; takes over the reference. May sleep */
int nsfs_path(struct ns *ns, struct path *path); /* takes over the reference, also when it fails */
struct ns *nsfs_namespace(const struct file *file); /* no reference; NULL: not one of these */
bool nsfs_holds(const struct dentry *dentry);      /* it is one of these */
bool nsfs_is_mnt_ns(const struct dentry *dentry);  /* and a mount namespace's */
/* And one as old as the caller's, or older: mounted there it might hold what holds it, for ever. */
bool nsfs_would_loop(const struct dentry *dentry);
uint64_t nsfs_clone_flag(const struct ns *ns); /* its CLONE_NEW* */

#endif
