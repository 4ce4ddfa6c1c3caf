/*
 * What kernel/ asks of files. vfs/ defines these functions: this header is the only way
 * up from kernel/ to vfs/. All under the kernel lock.
 */
#ifndef KERNEL_FILES_H
#define KERNEL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/abi/config.h"

struct file;
struct fd_table;
struct fs_context;
struct vm_object;
struct task;
struct exec_ids;
struct user_ns;

void file_get(struct file *file);
void file_put(struct file *file); /* last reference closes it; may sleep */
unsigned file_references(const struct file *file);
struct unix_socket;
struct unix_socket *file_unix_socket(struct file *file); /* no reference; NULL: it is none */
/* Read at an offset into sentry memory: bytes or -errno. May sleep. */
int64_t file_read_kernel(struct file *file, void *to, size_t n, uint64_t offset);
/* The object to map, no reference taken; NULL with -ENODEV in *error if it cannot be mapped. */
struct vm_object *file_vm_object(struct file *file, int *error);
/* Rights a mapping may have: VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC by open mode and mount flags; VM_SECRET: it must be. */
unsigned file_may_map(struct file *file);
/* Special mappings (/dev/zero, drivers): 0 if plain; else like an object of shmem is used for shared mappings. */
bool file_maps_anonymous(struct file *file);
uint64_t file_size(struct file *file);
/* Whether somebody has the same file open for writing (through a mapping that outlives its descriptor, too). */
bool file_has_writers(const struct file *file);
/* Path as the current task sees it, into buf; length or -errno. */
int64_t file_path(struct file *file, char *buf, size_t size);
void file_identity(struct file *file, uint64_t *dev, uint64_t *ino);

/* Opening a program: checks execute permission, regular file. New reference in *file. May sleep. */
int file_open_exec(int dirfd, const char *path, unsigned at_flags, struct file **file);
/* Set-id bits of the program, nosuid mounts considered. */
void file_exec_ids(struct file *file, struct exec_ids *ids);
/*
 * Who may not read a program may not look into its memory either: the namespace over which the right to is asked, `user` or
 * one above it that knows the program's owner. NULL: the current task may read it. May sleep.
 */
struct user_ns *file_hidden_in(const struct file *file, struct user_ns *user);

/* Life cycle of a task's tables. share: take a reference; else copy. */
int files_clone(struct fd_table *from, bool share, struct fd_table **to);
void files_put(struct fd_table *files); /* may sleep */
/* Of the names that are kept so that they need not be looked up again, up to so many go: how many. May sleep. */
unsigned files_shrink_names(unsigned count);
int files_unshare_for_exec(struct task *task); /* own table, close-on-exec applied; may sleep */
int fs_context_clone(struct fs_context *from, bool share, struct fs_context **to);
void fs_context_put(struct fs_context *fs);
bool files_root_is_changed(const struct task *task); /* chroot(2): it is not that of its mounts */
bool files_root_is_shared(const struct task *task); /* with another one, by CLONE_FS */

/* A process ended: its locks, inotify and terminal hang-up. May sleep. */
void files_session_leader_exit(struct task *task);

/* clone3's CLONE_PIDFD: a close-on-exec descriptor of the current task for a process (may be unpublished). fd or -errno. */
struct process;
int files_install_pidfd(struct process *process);
void files_close_fd(int fd); /* undo it; may sleep */

/* A control group's file says something else now: tells who watches. Does not sleep. */
struct inode;
void files_cgroup_changed(struct inode *file);
/* "FILE=TEXT" for a control group, from the host side. 0 or -errno, logged; a controller that is not here is the host's. May sleep. */
struct cgroup;
int files_cgroup_set(struct cgroup *group, const char *setting);
/* A control group goes: what its tasks wrote, and the host has not yet, is its parent's; by their numbers. Does not sleep. */
void files_cgroup_gone(uint64_t number, uint64_t parent);

/* The mounts of a namespace, a line each, as far as there is room: bytes written. Does not sleep. */
struct mnt_ns;
size_t files_show_mounts(struct mnt_ns *mnt, char *text, size_t size);

/* The sandbox ends: what files still keep back goes to the host. Errors are logged. May sleep. */
void files_sync_all(void);

/* Boot: mount the root and the configured mounts, open stdio for init. -errno with a log line. May sleep. */
struct abi_boot;
struct container;
struct launch;
int vfs_boot(struct container *c, struct task *init);
void files_gofer_gone(uint32_t channel); /* a further container's gofer: its number may come again */
/* A process started from outside in a container that runs: its root, working directory, standard files. As above. */
int vfs_enter(struct launch *launch, struct task *task);
/* An ipc namespace has ended: its message queues lose their names. May sleep. */
struct superblock;
void files_ipc_ns_gone(struct superblock *mqueue);
/* A further descriptor of the current task for a file (a reference is taken): the lowest free one, or `at`. fd or -errno. */
int files_install_file(struct file *file, int at, bool cloexec);
/* A hook's standard files (kernel/hook.h): one that holds `text`, and the current task's own output. References. May sleep. */
int vfs_hook_stdio(const char *text, struct file *stdio[3]);
/* In the hook's own task: its files and root. May sleep. */
int vfs_enter_hook(struct fs_context *fs, struct file *const stdio[3]);
/* The terminal of a launched process or of a container: its far side's size changed; let it go. */
struct console;
void console_set_size(struct console *console, const struct config_winsize *size);
void console_release(struct console *console); /* may sleep */
struct process;
struct tty;
uint64_t tty_number(const struct tty *tty); /* its device number, as stat(2) has it */
struct console *console_of(const struct process *process); /* its session's, if that is one of these; else NULL */

#endif
