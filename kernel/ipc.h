/*
 * System V semaphores and message queues: objects with a key, an owner and a mode in a table of an ipc namespace
 * (sysvipc(7)). kernel/ipc.c keeps the tables, ipc_sem.c and ipc_msg.c are the two kinds. (Shared memory, ipc_shm.c,
 * is older and keeps its own.)
 *
 * An object lives while it is in its table or somebody waits in it: `removed` is looked at after each sleep.
 */
#ifndef KERNEL_IPC_H
#define KERNEL_IPC_H

#include <asm/ipcbuf.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/namespaces.h"
#include "ring0/usercopy.h"

#define IPC_SLOTS 32768u /* ids are slot + IPC_SLOTS * sequence */

struct ipc_object {
	uint32_t refs;
	int id, key;
	uint32_t uid, gid, cuid, cgid;
	unsigned mode;
	struct ipc_ns *ns;
	bool removed;
	int64_t ctime; /* seconds */
};

struct ipc_table {
	struct ipc_object **slots; /* grown on demand */
	unsigned size, used, sequence;
	void (*free)(struct ipc_object *object);
};

/* semget and msgget: the id of what is there, 0 with *object NULL if a new one is to be made, or -errno. */
int ipc_find_key(struct ipc_table *table, int key, int flags, struct ipc_object **object);
/* A new object with one reference goes in: its id, or -ENOSPC, -ENOMEM (it is then the caller's still). */
int ipc_insert(struct ipc_table *table, struct ipc_object *object, int key, int flags, uint64_t limit);
struct ipc_object *ipc_find(const struct ipc_table *table, int id); /* no reference; NULL */
struct ipc_object *ipc_at(const struct ipc_table *table, int slot); /* *_STAT: by slot, likewise */
void ipc_remove(struct ipc_table *table, struct ipc_object *object); /* IPC_RMID: puts the table's reference */
void ipc_get(struct ipc_object *object);
void ipc_put(struct ipc_table *table, struct ipc_object *object);
bool ipc_permits(const struct ipc_object *object, unsigned want); /* bits of one class: 4 read, 2 write */
bool ipc_owned(const struct ipc_object *object); /* may IPC_SET and IPC_RMID */
void ipc_fill_perm(const struct ipc_object *object, struct ipc64_perm *perm);
int ipc_set_perm(struct ipc_object *object, const struct ipc64_perm *perm); /* 0, or -EINVAL: no such ids */
int ipc_highest(const struct ipc_table *table); /* slot in use, 0 if none */
unsigned ipc_count(const struct ipc_table *table); /* of the current namespace */
void ipc_remove_all(struct ipc_table *table, const struct ipc_ns *ns);
int64_t ipc_now(void); /* seconds */

int64_t sem_get(int key, int count, int flags);
struct sembuf;
/* ops were copied in. deadline: monotonic ns or DEADLINE_NONE. May sleep. */
int64_t sem_operate(int id, const struct sembuf *ops, unsigned count, uint64_t deadline);
int64_t sem_control(int id, int number, int command, uint64_t arg);
void sem_exit(struct process *process); /* its last thread ends: what it marked SEM_UNDO is undone */
void sem_ns_destroy(struct ipc_ns *ns);

int64_t msg_get(int key, int flags);
int64_t msg_send(int id, uaddr_t message, uint64_t size, int flags);
int64_t msg_receive(int id, uaddr_t message, uint64_t size, int64_t type, int flags);
int64_t msg_control(int id, int command, uaddr_t buffer);
void msg_ns_destroy(struct ipc_ns *ns);

#endif
