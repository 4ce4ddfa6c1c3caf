/*
 * System V semaphores and message queues: operations on several semaphores at once, waiting, undoing, limits, removal
 * under waiters; messages by type, full queues, too long ones. Shared memory is in memory.c.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/syscall.h>

#include "harness.h"

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

struct text {
	long type;
	char text[64];
};

static int status_of(pid_t pid)
{
	int status = -1;

	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

static int change(int id, unsigned short number, short by, short flags)
{
	struct sembuf op = {number, by, flags};

	return semop(id, &op, 1);
}

/* Until `count` of them wait. */
static void until_waiting(int id, int command, int count)
{
	for (int i = 0; i < 2000 && semctl(id, 0, command) != count; i++)
		sleep_ms(1);
	CHECK(semctl(id, 0, command) == count);
}

static void sem_basics(void)
{
	int id = semget(IPC_PRIVATE, 3, 0600), key = 0x5e3a0001 + getpid();
	unsigned short values[3] = {1, 2, 3};
	union semun arg = {.array = values};
	struct semid_ds ds;

	CHECK(id >= 0);
	CHECK(semctl(id, 0, SETALL, arg) == 0);
	CHECK(semctl(id, 1, GETVAL) == 2);
	struct sembuf ops[3] = {{0, -1, 0}, {1, 5, 0}, {2, -3, 0}};
	CHECK(semop(id, ops, 3) == 0);
	memset(values, 0, sizeof(values));
	CHECK(semctl(id, 0, GETALL, arg) == 0);
	CHECK(values[0] == 0 && values[1] == 7 && values[2] == 0);
	CHECK(semctl(id, 1, GETPID) == getpid());
	/* All or nothing. */
	struct sembuf part[2] = {{1, -1, IPC_NOWAIT}, {2, -1, IPC_NOWAIT}};
	CHECK_ERRNO(semop(id, part, 2), EAGAIN);
	CHECK(semctl(id, 1, GETVAL) == 7);
	CHECK(change(id, 0, 0, IPC_NOWAIT) == 0);
	CHECK_ERRNO(change(id, 1, 0, IPC_NOWAIT), EAGAIN);
	CHECK_ERRNO(change(id, 3, 1, 0), EFBIG);
	CHECK(change(id, 0, 32767, 0) == 0);
	CHECK_ERRNO(change(id, 0, 1, 0), ERANGE);
	CHECK_ERRNO(semop(id, ops, 0), EINVAL);
	CHECK_ERRNO(semop(id, ops, 501), E2BIG);
	CHECK_ERRNO(semop(-1, ops, 1), EINVAL);
	CHECK_ERRNO(semop(id, NULL, 1), EFAULT);
	arg.val = 40000;
	CHECK_ERRNO(semctl(id, 0, SETVAL, arg), ERANGE);
	CHECK_ERRNO(semctl(id, 3, GETVAL), EINVAL);
	CHECK_ERRNO(semctl(id, 0, 99), EINVAL);
	arg.buf = &ds;
	CHECK(semctl(id, 0, IPC_STAT, arg) == 0 && ds.sem_nsems == 3 && ds.sem_perm.mode == 0600 && ds.sem_otime != 0);
	ds.sem_perm.mode = 0640;
	CHECK(semctl(id, 0, IPC_SET, arg) == 0);
	CHECK(semctl(id, 0, IPC_STAT, arg) == 0 && ds.sem_perm.mode == 0640);
	CHECK(semctl(id, 0, IPC_RMID) == 0);
	CHECK_ERRNO(change(id, 0, 1, 0), EINVAL);

	CHECK_ERRNO(semget(key, 1, 0600), ENOENT);
	CHECK_ERRNO(semget(key, 0, IPC_CREAT | 0600), EINVAL);
	CHECK_ERRNO(semget(key, 32001, IPC_CREAT | 0600), EINVAL);
	id = semget(key, 2, IPC_CREAT | IPC_EXCL | 0600);
	CHECK(id >= 0 && semget(key, 0, 0) == id && semget(key, 2, IPC_CREAT | 0600) == id);
	CHECK_ERRNO(semget(key, 3, 0), EINVAL);
	CHECK_ERRNO(semget(key, 2, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK(semctl(id, 0, IPC_RMID) == 0);
}

static void sem_waiting(void)
{
	int id = semget(IPC_PRIVATE, 1, 0600);
	struct timespec soon = {0, 20000000}, bad = {0, 1000000000};
	struct sembuf down = {0, -2, 0};

	pid_t pid = fork();
	if (pid == 0)
		_exit(change(id, 0, -2, 0) ? 1 : 0);
	until_waiting(id, GETNCNT, 1);
	CHECK(change(id, 0, 1, 0) == 0);
	sleep_ms(10);
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	CHECK(change(id, 0, 2, 0) == 0);
	CHECK(status_of(pid) == 0);
	CHECK(semctl(id, 0, GETVAL) == 1 && semctl(id, 0, GETPID) == pid);

	pid = fork();
	if (pid == 0)
		_exit(change(id, 0, 0, 0) ? 1 : 0);
	until_waiting(id, GETZCNT, 1);
	CHECK(change(id, 0, -1, 0) == 0);
	CHECK(status_of(pid) == 0);

	long long before = now_ns(CLOCK_MONOTONIC);
	CHECK_ERRNO(semtimedop(id, &down, 1, &soon), EAGAIN);
	CHECK(now_ns(CLOCK_MONOTONIC) - before >= 20000000);
	CHECK_ERRNO(semtimedop(id, &down, 1, &bad), EINVAL);

	pid = fork();
	if (pid == 0)
		_exit(change(id, 0, -1, 0) == -1 && errno == EIDRM ? 7 : 1);
	until_waiting(id, GETNCNT, 1);
	CHECK(semctl(id, 0, IPC_RMID) == 0);
	CHECK(status_of(pid) == 7 << 8);
}

static void on_alarm(int signo)
{
}

static void sem_interrupted(void)
{
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	int id = semget(IPC_PRIVATE, 1, 0600);

	sigaction(SIGALRM, &action, NULL);
	struct timespec pause_time = {0, 20000000};
	pid_t self = getpid(), pid = fork();
	if (pid == 0) {
		nanosleep(&pause_time, NULL);
		kill(self, SIGALRM);
		_exit(0);
	}
	CHECK_ERRNO(change(id, 0, -1, 0), EINTR);
	CHECK(status_of(pid) == 0);
	CHECK(semctl(id, 0, IPC_RMID) == 0);
}

static void sem_undo(void)
{
	int id = semget(IPC_PRIVATE, 2, 0600);
	union semun arg = {.val = 5};

	CHECK(semctl(id, 0, SETVAL, arg) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (change(id, 0, -3, SEM_UNDO) || change(id, 0, 1, SEM_UNDO) || change(id, 1, 4, 0))
			_exit(1);
		_exit(semctl(id, 0, GETVAL) == 3 ? 0 : 2);
	}
	CHECK(status_of(pid) == 0);
	CHECK(semctl(id, 0, GETVAL) == 5 && semctl(id, 1, GETVAL) == 4);
	/* One that dies with the lock frees it for the next. */
	arg.val = 1;
	CHECK(semctl(id, 0, SETVAL, arg) == 0);
	pid = fork();
	if (pid == 0) {
		change(id, 0, -1, SEM_UNDO);
		pause();
	}
	for (int i = 0; i < 2000 && semctl(id, 0, GETVAL); i++)
		sleep_ms(1);
	CHECK(kill(pid, SIGKILL) == 0);
	CHECK(change(id, 0, -1, 0) == 0);
	CHECK(status_of(pid) == SIGKILL);
	CHECK(semctl(id, 0, IPC_RMID) == 0);
}

static void sem_permissions(void)
{
	int id = semget(IPC_PRIVATE, 1, 0400);

	pid_t pid = fork();
	if (pid == 0) {
		if (setgid(1000) || setuid(1000))
			_exit(0);
		harness_failures = 0;
		CHECK_ERRNO(semctl(id, 0, GETVAL), EACCES);
		CHECK_ERRNO(change(id, 0, 1, 0), EACCES);
		CHECK_ERRNO(semctl(id, 0, IPC_RMID), EPERM);
		fflush(stdout);
		_exit(CHECK_RESULT());
	}
	CHECK(status_of(pid) == 0);
	CHECK(semctl(id, 0, IPC_RMID) == 0);
}

#define ROUNDS 300
static int contended;
static int shared_total;

static void *add_up(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (change(contended, 0, -1, SEM_UNDO))
			return (void *)1;
		shared_total++;
		if (change(contended, 0, 1, SEM_UNDO))
			return (void *)1;
	}
	return NULL;
}

static void sem_contended(void)
{
	pthread_t threads[4];
	void *result;

	contended = semget(IPC_PRIVATE, 1, 0600);
	CHECK(change(contended, 0, 1, 0) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, add_up, NULL) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], &result) == 0 && result == NULL);
	CHECK(shared_total == 4 * ROUNDS);
	CHECK(semctl(contended, 0, GETVAL) == 1);
	CHECK(semctl(contended, 0, IPC_RMID) == 0);
}

static int put(int id, long type, const char *words, int flags)
{
	struct text message = {.type = type};

	snprintf(message.text, sizeof(message.text), "%s", words);
	return msgsnd(id, &message, strlen(words) + 1, flags);
}

static void msg_types(void)
{
	int id = msgget(IPC_PRIVATE, 0600);
	struct text got;
	struct msqid_ds ds;

	CHECK(id >= 0);
	CHECK(put(id, 3, "three", 0) == 0 && put(id, 1, "one", 0) == 0 && put(id, 2, "two", 0) == 0 && put(id, 1, "uno", 0) == 0);
	CHECK(msgctl(id, IPC_STAT, &ds) == 0 && ds.msg_qnum == 4 && ds.msg_lspid == getpid() && ds.msg_lrpid == 0);
	CHECK(msgrcv(id, &got, sizeof(got.text), 2, 0) == 4 && got.type == 2 && !strcmp(got.text, "two"));
	CHECK(msgrcv(id, &got, sizeof(got.text), -3, 0) == 4 && got.type == 1 && !strcmp(got.text, "one"));
	CHECK(msgrcv(id, &got, sizeof(got.text), 3, MSG_EXCEPT) == 4 && !strcmp(got.text, "uno"));
	CHECK_ERRNO(msgrcv(id, &got, 3, 0, 0), E2BIG);
	CHECK(msgrcv(id, &got, 3, 0, MSG_NOERROR) == 3 && got.type == 3 && !memcmp(got.text, "thr", 3));
	CHECK_ERRNO(msgrcv(id, &got, sizeof(got.text), 0, IPC_NOWAIT), ENOMSG);
	CHECK_ERRNO(put(id, 0, "bad", 0), EINVAL);
	CHECK_ERRNO(put(id, -1, "bad", 0), EINVAL);
	CHECK_ERRNO(msgsnd(id, &got, 8193, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_msgsnd, id, NULL, 1, 0), EFAULT);
	CHECK_ERRNO(msgrcv(-1, &got, 1, 0, 0), EINVAL);
	CHECK(msgctl(id, IPC_RMID, NULL) == 0);
	CHECK_ERRNO(msgctl(id, IPC_STAT, &ds), EINVAL);
}

/* MSG_COPY looks at one by its place and takes nothing. */
static void msg_copies(void)
{
	int id = msgget(IPC_PRIVATE, 0600);
	struct text got;
	struct msqid_ds ds;

	CHECK(put(id, 3, "three", 0) == 0 && put(id, 1, "one", 0) == 0);
	CHECK(msgrcv(id, &got, sizeof(got.text), 1, MSG_COPY | IPC_NOWAIT) == 4 && got.type == 1 && !strcmp(got.text, "one"));
	CHECK(msgrcv(id, &got, sizeof(got.text), 0, MSG_COPY | IPC_NOWAIT) == 6 && got.type == 3 && !strcmp(got.text, "three"));
	CHECK_ERRNO(msgrcv(id, &got, sizeof(got.text), 2, MSG_COPY | IPC_NOWAIT), ENOMSG);
	CHECK_ERRNO(msgrcv(id, &got, sizeof(got.text), -1, MSG_COPY | IPC_NOWAIT), ENOMSG);
	CHECK_ERRNO(msgrcv(id, &got, 3, 1, MSG_COPY | IPC_NOWAIT), E2BIG);
	CHECK_ERRNO(msgrcv(id, &got, 3, 1, MSG_COPY | IPC_NOWAIT | MSG_NOERROR), EINVAL);
	CHECK_ERRNO(msgrcv(id, &got, sizeof(got.text), 0, MSG_COPY), EINVAL);
	CHECK_ERRNO(msgrcv(id, &got, sizeof(got.text), 0, MSG_COPY | MSG_EXCEPT | IPC_NOWAIT), EINVAL);
	CHECK(msgctl(id, IPC_STAT, &ds) == 0 && ds.msg_qnum == 2 && ds.msg_lrpid == 0);
	CHECK(msgctl(id, IPC_RMID, NULL) == 0);
}

static void msg_waiting(void)
{
	int id = msgget(IPC_PRIVATE, 0600);
	struct text got;
	struct msqid_ds ds;

	pid_t pid = fork();
	if (pid == 0)
		_exit(msgrcv(id, &got, sizeof(got.text), 5, 0) == 3 && !strcmp(got.text, "hi") ? 0 : 1);
	sleep_ms(10);
	CHECK(put(id, 4, "other", 0) == 0);
	CHECK(put(id, 5, "hi", 0) == 0);
	CHECK(status_of(pid) == 0);
	CHECK(msgrcv(id, &got, sizeof(got.text), 0, 0) == 6);
	/* A full queue. */
	CHECK(msgctl(id, IPC_STAT, &ds) == 0);
	ds.msg_qbytes = 20;
	CHECK(msgctl(id, IPC_SET, &ds) == 0);
	CHECK(put(id, 1, "0123456789", 0) == 0);
	CHECK_ERRNO(put(id, 1, "0123456789", IPC_NOWAIT), EAGAIN);
	pid = fork();
	if (pid == 0)
		_exit(put(id, 1, "0123456789", 0) ? 1 : 0);
	sleep_ms(10);
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	CHECK(msgrcv(id, &got, sizeof(got.text), 0, 0) == 11);
	CHECK(status_of(pid) == 0);
	/* Removed under a receiver. */
	pid = fork();
	if (pid == 0)
		_exit(msgrcv(id, &got, sizeof(got.text), 9, 0) == -1 && errno == EIDRM ? 7 : 1);
	sleep_ms(20);
	CHECK(msgctl(id, IPC_RMID, NULL) == 0);
	int status = status_of(pid);
	CHECK(status == 7 << 8 || status == 1 << 8);
}

int main(void)
{
	harness_start();
	RUN(sem_basics);
	RUN(sem_waiting);
	RUN(sem_interrupted);
	RUN(sem_undo);
	RUN(sem_permissions);
	RUN(sem_contended);
	RUN(msg_types);
	RUN(msg_copies);
	RUN(msg_waiting);
	return CHECK_RESULT();
}
