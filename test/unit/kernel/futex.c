/*
 * Unit tests of futexes as far as one task can go: values, errors, time-outs, the word
 * operations, PI ownership, robust lists with hostile contents. Waking others is in test/programs/futexes.c.
 */
#include <linux/errno.h>
#include <linux/futex.h>
#include <linux/mman.h>

#include "kernel/futex.h"
#include "ring0/lib.h"
#include "test/unit/kernel/process_fixture.h"

#define PAST 1

static struct task *self;
static uaddr_t word, word2;

static uint32_t load(uaddr_t at)
{
	uint32_t value;

	ck_assert_int_eq(get_user(value, at), 0);
	return value;
}

static void store(uaddr_t at, uint32_t value)
{
	ck_assert_int_eq(put_user(value, at), 0);
}

static int64_t op1(int op, uint32_t value)
{
	return futex_do(word, op, value, PAST, UADDR(0), 0, ~0u);
}

static void setup(void)
{
	self = fixture_boot();
	int64_t at = mm_mmap(self->mm, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NULL, NULL, 0);
	ck_assert_int_gt(at, 0);
	word = UADDR(at);
	word2 = UADDR(at + 64);
}

START_TEST(wait_and_wake)
{
	store(word, 5);
	ck_assert_int_eq(op1(FUTEX_WAIT, 4), -EAGAIN);
	ck_assert_int_eq(op1(FUTEX_WAIT, 5), -ETIMEDOUT);
	ck_assert_int_eq(op1(FUTEX_WAIT_PRIVATE, 5), -ETIMEDOUT);
	/* Who timed out is off the queue. */
	ck_assert_int_eq(op1(FUTEX_WAKE, 10), 0);
	ck_assert_int_eq(futex_do(UADDR(word.v + 1), FUTEX_WAKE, 1, PAST, UADDR(0), 0, 0), -EINVAL);
	ck_assert_int_eq(futex_do(UADDR(16), FUTEX_WAIT, 1, PAST, UADDR(0), 0, 0), -EFAULT);
	ck_assert_int_eq(futex_do(word, FUTEX_WAIT_BITSET, 5, PAST, UADDR(0), 0, 0), -EINVAL);
	ck_assert_int_eq(futex_do(word, FUTEX_WAKE_BITSET, 5, PAST, UADDR(0), 0, 0), -EINVAL);
	ck_assert_int_eq(futex_do(word, FUTEX_REQUEUE, 1, PAST, word2, (uint32_t)-1, 0), -EINVAL);
	ck_assert_int_eq(futex_do(word, FUTEX_CMP_REQUEUE, 1, PAST, word2, 1, 4), -EAGAIN);
	ck_assert_int_eq(futex_do(word, FUTEX_CMP_REQUEUE, 1, PAST, word2, 1, 5), 0);
	ck_assert_int_eq(op1(99, 1), -ENOSYS);
}
END_TEST

START_TEST(word_operations)
{
	static const struct {
		uint32_t op, arg, before, after;
	} table[] = {
		{FUTEX_OP_SET, 7, 1, 7},
		{FUTEX_OP_ADD, 7, 1, 8},
		{FUTEX_OP_ADD, 0xfff, 1, 0}, /* the argument has a sign */
		{FUTEX_OP_OR, 6, 1, 7},
		{FUTEX_OP_ANDN, 3, 7, 4},
		{FUTEX_OP_XOR, 5, 6, 3},
		{FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 31, 0, 0x80000000},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		store(word2, table[i].before);
		uint32_t code = FUTEX_OP(table[i].op, table[i].arg, FUTEX_OP_CMP_EQ, 0);
		ck_assert_int_eq(futex_do(word, FUTEX_WAKE_OP, 1, PAST, word2, 1, code), 0);
		ck_assert_uint_eq(load(word2), table[i].after);
	}
	ck_assert_int_eq(futex_do(word, FUTEX_WAKE_OP, 1, PAST, word2, 1, FUTEX_OP(5, 0, 0, 0)), -ENOSYS);
	ck_assert_int_eq(futex_do(word, FUTEX_WAKE_OP, 1, PAST, word2, 1, FUTEX_OP(0, 0, 6, 0)), -ENOSYS);
}
END_TEST

START_TEST(pi_ownership)
{
	ck_assert_int_eq(op1(FUTEX_LOCK_PI, 0), 0);
	ck_assert_uint_eq(load(word), (uint32_t)self->tid);
	ck_assert_int_eq(op1(FUTEX_LOCK_PI, 0), -EDEADLK);
	ck_assert_int_eq(op1(FUTEX_UNLOCK_PI, 0), 0);
	ck_assert_uint_eq(load(word), 0);
	ck_assert_int_eq(op1(FUTEX_UNLOCK_PI, 0), -EPERM);
	store(word, 12345); /* no such task */
	ck_assert_int_eq(op1(FUTEX_LOCK_PI, 0), -ESRCH);
	store(word, 12345);
	ck_assert_int_eq(op1(FUTEX_TRYLOCK_PI, 0), -EAGAIN);
	struct process *other = fixture_child();
	store(word, (uint32_t)other->pid);
	ck_assert_int_eq(op1(FUTEX_LOCK_PI, 0), -ETIMEDOUT);
	ck_assert_uint_eq(load(word), (uint32_t)other->pid | FUTEX_WAITERS);
	store(word, FUTEX_OWNER_DIED);
	ck_assert_int_eq(op1(FUTEX_LOCK_PI, 0), 0);
	ck_assert_uint_eq(load(word), (uint32_t)self->tid | FUTEX_OWNER_DIED);
}
END_TEST

START_TEST(robust_lists)
{
	/* head at +0: next, offset, pending; two nodes at +128 and +192 whose words lie 8 after them */
	uint64_t base = word.v, head[3] = {base + 128, 8, 0}, next[2] = {base + 192, base};

	ck_assert_int_eq(copy_to_user(word, head, sizeof(head)), 0);
	ck_assert_int_eq(put_user(next[0], UADDR(base + 128)), 0);
	ck_assert_int_eq(put_user(next[1], UADDR(base + 192)), 0);
	store(UADDR(base + 136), (uint32_t)self->tid | FUTEX_WAITERS);
	store(UADDR(base + 200), 4242);
	self->robust_list = word;
	futex_exit_robust(self);
	ck_assert_uint_eq(load(UADDR(base + 136)), FUTEX_WAITERS | FUTEX_OWNER_DIED);
	ck_assert_uint_eq(load(UADDR(base + 200)), 4242); /* somebody else's */
	ck_assert_uint_eq(self->robust_list.v, 0);
}
END_TEST

START_TEST(hostile_robust_lists)
{
	uint64_t base = word.v, loop[3] = {base + 128, 8, 0}, wild[3] = {0x7000deadbeef, -1, 0x13};

	/* A list that never comes back to its head, one that points nowhere, one that is nowhere. */
	ck_assert_int_eq(copy_to_user(word, loop, sizeof(loop)), 0);
	ck_assert_int_eq(put_user(loop[0], UADDR(base + 128)), 0);
	self->robust_list = word;
	futex_exit_robust(self);
	ck_assert_int_eq(copy_to_user(word, wild, sizeof(wild)), 0);
	self->robust_list = word;
	futex_exit_robust(self);
	self->robust_list = UADDR(0xffff800000000000ull);
	futex_exit_robust(self);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("futex");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, wait_and_wake);
	tcase_add_test(tcase, word_operations);
	tcase_add_test(tcase, pi_ownership);
	tcase_add_test(tcase, robust_lists);
	tcase_add_test(tcase, hostile_robust_lists);
	return fixture_run("futex", tcase);
}
