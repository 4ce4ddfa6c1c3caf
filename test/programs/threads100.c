/*
 * A hundred threads: creation, a barrier, a mutex and condition variable under
 * contention, thread-local storage, join values, detached ends. (also dynamic)
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS 100
#define ROUNDS 50

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static __thread int mine;
static long total;
static int next;

static void *work(void *arg)
{
	int id = (int)(intptr_t)arg;

	mine = id;
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		total += mine;
		pthread_mutex_unlock(&lock);
	}
	/* Each in its turn: a chain of wake-ups through all threads. */
	pthread_mutex_lock(&lock);
	while (next != id)
		pthread_cond_wait(&turn, &lock);
	next++;
	pthread_cond_broadcast(&turn);
	pthread_mutex_unlock(&lock);
	return (void *)(intptr_t)(mine * 2);
}

int main(void)
{
	pthread_t threads[THREADS];
	long sum = 0;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (int i = 0; i < THREADS; i++) {
		int rc = pthread_create(&threads[i], NULL, work, (void *)(intptr_t)i);

		if (rc) {
			fprintf(stderr, "pthread_create %d: error %d\n", i, rc);
			return 1;
		}
	}
	for (int i = 0; i < THREADS; i++) {
		void *value;

		pthread_join(threads[i], &value);
		sum += (long)(intptr_t)value;
	}
	printf("total %ld, sum %ld, turns %d\n", total, sum, next);
	return total == (long)ROUNDS * THREADS * (THREADS - 1) / 2 && sum == (long)THREADS * (THREADS - 1) ? 0 : 1;
}
