/*
 * System V shared memory (shmget(2), shmop(2), shmctl(2)). kernel/ipc_shm.c; syscalls/memory.c calls it.
 */
#ifndef KERNEL_IPC_SHM_H
#define KERNEL_IPC_SHM_H

#include <stdint.h>

#include "ring0/usercopy.h"

int64_t shm_get(int key, uint64_t size, int flags);              /* id or -errno */
int64_t shm_attach(int id, uint64_t address, int flags);         /* address or -errno */
int64_t shm_detach(uint64_t address);
int64_t shm_control(int id, int command, uaddr_t buffer);        /* may sleep */

#endif
