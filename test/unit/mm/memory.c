/*
 * Unit tests of kernel/mm: pages, heap, objects, areas, faults, fork; and a random walk
 * of mmap, munmap, mprotect, mremap, fork and writes against a plain model.
 */
#include <check.h>
#include <linux/errno.h>
#include <linux/mman.h>
#include <stdlib.h>

#include "kernel/sysctl.h"
#include "platform/abi/regs.h"
#include "ring0/lib.h"
#include "ring0/upcall.h"
#include "ring0/usercopy.h"
#include "test/unit/fake_machine.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static struct mm *mm;

static void setup(void)
{
	fake_boot(64, 256);
	mm = mm_create();
	ck_assert_ptr_nonnull(mm);
	fake_task.mm = mm;
}

static void teardown(void)
{
	struct mm_counters counters;

	mm_check(mm);
	mm_put(mm);
	fake_task.mm = NULL;
	mm_counters_read(&counters);
	ck_assert_uint_eq(counters.anon, 0);
	ck_assert_uint_eq(counters.cached, 0);
	ck_assert_uint_eq(counters.page_tables, 0);
	ck_assert_uint_eq(counters.free, counters.total - 16 * PAGE_SIZE); /* the zero pages */
}

START_TEST(blocks)
{
	struct page *page[64];

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 64; i++) {
			page[i] = page_alloc(PAGE_USER, i % 11);
			ck_assert_ptr_nonnull(page[i]);
			ck_assert_uint_eq(page_to_pa(page[i]) & ((PAGE_SIZE << (i % 11)) - 1) & (2 * 1024 * 1024 - 1), 0);
			ck_assert_ptr_eq(pa_to_page(page_to_pa(page[i])), page[i]);
			memset(page_address(page[i]), 0xaa, PAGE_SIZE << (i % 11));
		}
		for (unsigned i = 0; i < 64; i++)
			page_put(page[(i * 37) % 64]);
	}
	struct page *zeroed = page_alloc_zeroed_order(PAGE_USER, 9);

	for (unsigned i = 0; i < PAGE_SIZE << 9; i += 64)
		ck_assert_int_eq(((char *)page_address(zeroed))[i], 0);
	page_put(zeroed);
}
END_TEST

START_TEST(pages_run_out_and_come_back)
{
	struct page **all = malloc(65536 * sizeof(*all));
	unsigned count = 0;

	while ((all[count] = page_alloc(PAGE_USER, 0)) != NULL)
		memset(page_address(all[count++]), 1, PAGE_SIZE);
	ck_assert_uint_ge(count, (256u << 8) - 17);
	while (count > 0)
		page_put(all[--count]);
	ck_assert_uint_gt(fake_releases, 0);
	free(all);
}
END_TEST

START_TEST(heap_sizes)
{
	void *p[500];
	unsigned seed = 1;

	memset(p, 0, sizeof(p));
	for (unsigned i = 0; i < 20000; i++) {
		unsigned slot = rand_r(&seed) % 500;
		size_t size = rand_r(&seed) % 5000;

		if (p[slot]) {
			kfree(p[slot]);
			p[slot] = NULL;
			continue;
		}
		p[slot] = kmalloc(size);
		ck_assert_ptr_nonnull(p[slot]);
		ck_assert_uint_eq((uint64_t)p[slot] & 15, 0);
		memset(p[slot], (int)slot, size);
	}
	for (unsigned i = 0; i < 500; i++)
		kfree(p[i]);
	char *grown = NULL;

	for (size_t size = 1; size < 1 << 20; size *= 2) {
		grown = krealloc(grown, size);
		grown[size - 1] = (char)size;
		ck_assert_int_eq(grown[size / 2 - (size > 1)], size > 1 ? (char)(size / 2) : grown[0]);
	}
	kfree(grown);
}
END_TEST

static int test_fill(struct vm_object *object, uint64_t index, struct page **pages, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		*(uint64_t *)page_address(pages[i]) = index + i;
	return (int)count;
}

static uint64_t written_back;

static int test_writeback(struct vm_object *object, uint64_t index, struct page *page, unsigned length)
{
	written_back++;
	return 0;
}

static const struct vm_object_ops test_ops = {.fill = test_fill, .writeback = test_writeback};

static struct vm_object *test_object(uint64_t size)
{
	struct vm_object *object = kmalloc(sizeof(*object));

	object_init(object, &test_ops, size);
	return object;
}

START_TEST(objects)
{
	static const uint64_t where[] = {0, 1, 5, 63, 64, 4095, 4096, 1 << 20, 1ull << 30, 1ull << 40};
	struct vm_object *object = test_object(UINT64_MAX / 2);
	struct page *page;

	for (unsigned i = 0; i < ARRAY_SIZE(where); i++) {
		ck_assert_int_eq(object_get_page(object, where[i], &page), 0);
		ck_assert_uint_eq(*(uint64_t *)page_address(page), where[i]);
		page_put(page);
	}
	uint64_t value = 77;

	ck_assert_int_eq(object_write(object, 4096 * 64 + 8, &value, 8), 8);
	ck_assert_uint_eq(object->nr_dirty, 1);
	ck_assert_int_eq(object_sync(object, 0, UINT64_MAX), 0);
	ck_assert_uint_eq(object->nr_dirty, 0);
	ck_assert_uint_eq(written_back, 1);
	object_truncate(object, 4096 * 64 + 12);
	ck_assert_int_eq(object_read(object, 4096 * 64 + 8, &value, 8), 8);
	ck_assert_uint_eq(value, 77);
	ck_assert_ptr_null(object_find_page(object, 65));
	object_drop_range(object, 100, 4096 * 3 + 100);
	ck_assert_ptr_null(object_find_page(object, 1));
	object_put(object);
}
END_TEST

START_TEST(anonymous)
{
	int64_t at = mm_mmap(mm, 0, 1 << 20, RW, ANON, NULL, NULL, 0);
	uint32_t value = 5;

	ck_assert_int_gt(at, 0);
	ck_assert_int_eq(get_user(value, UADDR(at + 4096)), 0);
	ck_assert_uint_eq(value, 0);
	ck_assert_uint_eq(mm->rss_anon, 0);
	ck_assert_int_eq(put_user(7u, UADDR(at + 8192)), 0);
	ck_assert_int_eq(get_user(value, UADDR(at + 8192)), 0);
	ck_assert_uint_eq(value, 7);
	mm_check(mm);
	ck_assert_int_eq(mm_mprotect(mm, (uint64_t)at + 8192, 4096, PROT_READ), 0);
	ck_assert_int_eq(put_user(7u, UADDR(at + 8192)), -EFAULT);
	ck_assert_int_eq(mm_fault(mm, (uint64_t)at + 8192, PF_WRITE | PF_USER), -EACCES);
	ck_assert_int_eq(mm_mprotect(mm, (uint64_t)at, 1 << 20, PROT_NONE), 0);
	mm_check(mm);
	ck_assert_int_eq(get_user(value, UADDR(at + 8192)), -EFAULT);
	ck_assert_int_eq(mm_mprotect(mm, (uint64_t)at, 1 << 20, RW), 0);
	ck_assert_uint_eq(mm->vma_count, 1);
	ck_assert_int_eq(get_user(value, UADDR(at + 8192)), 0);
	ck_assert_uint_eq(value, 7);
	ck_assert_int_eq(mm_madvise(mm, (uint64_t)at, 1 << 20, MADV_DONTNEED), 0);
	ck_assert_int_eq(get_user(value, UADDR(at + 8192)), 0);
	ck_assert_uint_eq(value, 0);
	ck_assert_int_eq(mm_munmap(mm, (uint64_t)at + 4096, 4096), 0);
	ck_assert_int_eq(get_user(value, UADDR(at + 4096)), -EFAULT);
	ck_assert_int_eq(mm_fault(mm, (uint64_t)at + 4096, PF_USER), -EFAULT);
	mm_check(mm);
}
END_TEST

START_TEST(fork_copies)
{
	int64_t at = mm_mmap(mm, 0, 1 << 20, RW, ANON, NULL, NULL, 0);
	int64_t shared = mm_mmap(mm, 0, 65536, RW, MAP_SHARED | MAP_ANONYMOUS, NULL, NULL, 0);
	struct mm *child;
	uint32_t value;

	put_user(1u, UADDR(at));
	put_user(2u, UADDR(shared));
	ck_assert_int_eq(mm_fork(mm, &child), 0);
	mm_check(child);
	mm_check(mm);
	put_user(10u, UADDR(at));
	fake_task.mm = child;
	get_user(value, UADDR(at));
	ck_assert_uint_eq(value, 1);
	put_user(11u, UADDR(at));
	get_user(value, UADDR(shared));
	ck_assert_uint_eq(value, 2);
	put_user(20u, UADDR(shared));
	mm_check(child);
	fake_task.mm = mm;
	mm_put(child);
	get_user(value, UADDR(at));
	ck_assert_uint_eq(value, 10);
	get_user(value, UADDR(shared));
	ck_assert_uint_eq(value, 20);
	put_user(12u, UADDR(at + 4096));
}
END_TEST

START_TEST(file_mapping)
{
	struct vm_object *object = test_object(100 * 4096 + 1);
	int64_t at = mm_mmap(mm, 0, 200 * 4096, RW, MAP_SHARED, NULL, object, 0);
	int64_t private = mm_mmap(mm, 0, 200 * 4096, RW, MAP_PRIVATE, NULL, object, 4096);
	uint64_t value;

	ck_assert_int_eq(get_user(value, UADDR(at + 50 * 4096)), 0);
	ck_assert_uint_eq(value, 50);
	ck_assert_int_eq(mm_fault(mm, (uint64_t)at + 101 * 4096, PF_USER), -EIO);
	put_user(51ul, UADDR(at + 50 * 4096));
	ck_assert_uint_eq(object->nr_dirty, 1);
	ck_assert_int_eq(get_user(value, UADDR(private + 49 * 4096)), 0);
	ck_assert_uint_eq(value, 51);
	put_user(99ul, UADDR(private + 49 * 4096));
	get_user(value, UADDR(at + 50 * 4096));
	ck_assert_uint_eq(value, 51);
	ck_assert_int_eq(mm_msync(mm, (uint64_t)at, 200 * 4096, MS_SYNC), 0);
	ck_assert_uint_eq(object->nr_dirty, 0);
	put_user(52ul, UADDR(at + 50 * 4096));
	ck_assert_uint_eq(object->nr_dirty, 1);
	mm_check(mm);
	object_truncate(object, 10 * 4096);
	ck_assert_int_eq(mm_fault(mm, (uint64_t)at + 50 * 4096, PF_USER), -EIO);
	ck_assert_int_eq(mm_fault(mm, (uint64_t)private + 49 * 4096, PF_USER), -EIO);
	mm_check(mm);
	object_put(object);
}
END_TEST

START_TEST(reclaim_drops_clean_pages)
{
	struct vm_object *object = test_object(400ull << 20);
	uint64_t value;

	for (uint64_t at = 0; at < 400ull << 20; at += 4096) {
		ck_assert_int_eq(object_read(object, at, &value, 8), 8);
		ck_assert_uint_eq(value, at / 4096);
	}
	ck_assert_uint_lt(object->nr_pages, 256 << 8);
	object_put(object);
}
END_TEST

/* Read in any order, what lies side by side in a file does so in memory; and the room kept for that is there for all. */
START_TEST(files_lie_side_by_side)
{
	struct vm_object *object = test_object(2ull << 20), *others[40];
	uint64_t base = 0, value;
	struct page **all = malloc(65536 * sizeof(*all));
	unsigned count = 0;

	for (unsigned i = 0; i < 32; i++) {
		uint64_t index = i * 5 % 32 * 16;
		struct page *page;

		ck_assert_int_eq(object_get_page(object, index + 3, &page), 0);
		if (i == 0)
			base = page_to_pa(page) - (index + 3) * PAGE_SIZE;
		ck_assert_uint_eq(page_to_pa(page), base + (index + 3) * PAGE_SIZE);
		page_put(page);
		all[count] = page_alloc(PAGE_USER, 0); /* others want memory meanwhile */
		ck_assert_ptr_nonnull(all[count++]);
	}
	object_put(object);
	while (count > 0)
		page_put(all[--count]);
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		others[i] = test_object(2ull << 20);
		ck_assert_int_eq(object_read(others[i], 0, &value, 8), 8);
	}
	while ((all[count] = page_alloc(PAGE_USER, 0)) != NULL)
		count++;
	ck_assert_uint_ge(count, (256u << 8) - 17 - 40 * 32);
	while (count > 0)
		page_put(all[--count]);
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
		object_put(others[i]);
	free(all);
}
END_TEST

#define KEPT_PAGES 64

static uint64_t kept[KEPT_PAGES]; /* 0: not kept any more */

static void trim_kept(void)
{
	for (unsigned i = 0; i < KEPT_PAGES; i++) {
		if (kept[i])
			kernel_page_release(kept[i]);
		kept[i] = 0;
	}
}

/* Pages that the machine keeps of a file that is gone are there for others, and nobody is told that there are none. */
START_TEST(kept_pages_come_back)
{
	struct vm_object *object = test_object(KEPT_PAGES * PAGE_SIZE);
	struct page **all = malloc(65536 * sizeof(*all)), *page;
	static struct machine keeping;
	struct mm_counters counters;
	unsigned count = 0;

	keeping = *machine;
	keeping.spaces_trim = trim_kept;
	machine = &keeping;
	for (unsigned i = 0; i < KEPT_PAGES; i++) {
		ck_assert_int_eq(object_get_page(object, i, &page), 0);
		kept[i] = page_to_pa(page);
		ck_assert(kernel_page_keep(kept[i]));
		page_put(page);
	}
	object_put(object);
	mm_counters_read(&counters);
	while ((all[count] = page_alloc(PAGE_USER, 0)) != NULL)
		count++;
	ck_assert_uint_eq(count, (counters.free >> PAGE_SHIFT) + KEPT_PAGES);
	while (count > 0)
		page_put(all[--count]);
	free(all);
}
END_TEST

#define MODEL_PAGES 256
#define MODEL_BASE 0x10000000ull

struct model {
	bool mapped, writable;
	uint32_t value;
};

static void model_compare(const struct model *model)
{
	for (unsigned i = 0; i < MODEL_PAGES; i++) {
		uint32_t value;
		int rc = get_user(value, UADDR(MODEL_BASE + i * 4096 + 100));

		ck_assert_int_eq(rc, model[i].mapped ? 0 : -EFAULT);
		if (rc == 0)
			ck_assert_uint_eq(value, model[i].value);
	}
}

static void model_range(struct model *model, unsigned page, unsigned count, struct model set, bool keep_value)
{
	for (unsigned i = page; i < page + count; i++) {
		uint32_t value = model[i].value;

		model[i] = set;
		if (keep_value)
			model[i].value = value;
	}
}

static void model_step(struct model *model, unsigned *seed)
{
	unsigned page = rand_r(seed) % MODEL_PAGES, count = 1 + rand_r(seed) % (MODEL_PAGES - page);
	uint64_t at = MODEL_BASE + page * 4096;
	unsigned what = rand_r(seed) % 8;
	bool whole = true;

	if (count > 40)
		count %= 40;
	count += count == 0;
	for (unsigned i = page; i < page + count; i++)
		whole &= model[i].mapped;
	if (what == 0) {
		ck_assert_int_eq(mm_munmap(mm, at, count * 4096), 0);
		model_range(model, page, count, (struct model){0}, false);
	} else if (what == 1) {
		ck_assert_int_eq(mm_mmap(mm, at, count * 4096, RW, ANON | MAP_FIXED, NULL, NULL, 0), (int64_t)at);
		model_range(model, page, count, (struct model){true, true, 0}, false);
	} else if (what == 2 || what == 3) {
		bool write = what == 3;

		ck_assert_int_eq(mm_mprotect(mm, at, count * 4096, write ? RW : PROT_READ), whole ? 0 : -ENOMEM);
		if (whole)
			model_range(model, page, count, (struct model){true, write, 0}, true);
	} else if (what == 4 && whole) {
		ck_assert_int_eq(mm_madvise(mm, at, count * 4096, MADV_DONTNEED), 0);
		model_range(model, page, count, (struct model){true, false, 0}, false);
		for (unsigned i = page; i < page + count; i++)
			model[i].writable = mm_find_vma(mm, MODEL_BASE + i * 4096)->flags & VM_WRITE;
	} else {
		for (unsigned i = page; i < page + count; i++) {
			uint32_t value = (uint32_t)rand_r(seed);
			int rc = put_user(value, UADDR(MODEL_BASE + i * 4096 + 100));

			ck_assert_int_eq(rc, model[i].mapped && model[i].writable ? 0 : -EFAULT);
			if (rc == 0)
				model[i].value = value;
		}
	}
}

START_TEST(random_walk)
{
	struct model model[MODEL_PAGES], saved[MODEL_PAGES];
	struct mm *other = NULL;
	unsigned seed = 12345;

	memset(model, 0, sizeof(model));
	for (unsigned step = 0; step < 3000; step++) {
		model_step(model, &seed);
		mm_check(mm);
		if (step % 50 == 0)
			model_compare(model);
		if (step % 200 == 100) {
			if (other) {
				struct mm *swap = mm;

				/* Go on in the child, the parent has to keep what it had. */
				fake_task.mm = mm = other;
				model_compare(saved);
				fake_task.mm = mm = swap;
				mm_put(other);
			}
			ck_assert_int_eq(mm_fork(mm, &other), 0);
			memcpy(saved, model, sizeof(model));
			mm_check(other);
		}
	}
	mm_put(other);
}
END_TEST

START_TEST(mremap_moves)
{
	int64_t at = mm_mmap(mm, 0, 64 * 4096, RW, ANON, NULL, NULL, 0), to;
	uint32_t value;

	for (uint32_t i = 0; i < 64; i++)
		put_user(i, UADDR(at + i * 4096));
	int64_t block = mm_mmap(mm, (uint64_t)at + 64 * 4096, 4096, RW, ANON | MAP_FIXED_NOREPLACE, NULL, NULL, 0);

	if (block < 0)
		ck_assert_int_eq(block, -EEXIST);
	to = mm_mremap(mm, (uint64_t)at, 64 * 4096, 3000 * 4096, MREMAP_MAYMOVE, 0);
	ck_assert_int_gt(to, 0);
	ck_assert_int_ne(to, at);
	for (uint32_t i = 0; i < 64; i++) {
		ck_assert_int_eq(get_user(value, UADDR(to + i * 4096)), 0);
		ck_assert_uint_eq(value, i);
	}
	mm_check(mm);
	ck_assert_int_eq(mm_mremap(mm, (uint64_t)to, 3000 * 4096, 4096, 0, 0), to);
	ck_assert_int_eq(get_user(value, UADDR(to + 4096)), -EFAULT);
	mm_check(mm);
}
END_TEST

START_TEST(brk_and_placement)
{
	int64_t a, b;

	mm->start_brk = mm->brk = 0x20000000;
	ck_assert_uint_eq(mm_brk(mm, 0), 0x20000000);
	ck_assert_uint_eq(mm_brk(mm, 0x20001234), 0x20001234);
	ck_assert_uint_eq(mm_brk(mm, 0x20101234), 0x20101234);
	ck_assert_uint_eq(mm->vma_count, 1);
	ck_assert_uint_eq(mm_brk(mm, 0x20000010), 0x20000010);
	ck_assert_uint_eq(mm->total_vm, 1);
	a = mm_mmap(mm, 0, 4096, RW, ANON, NULL, NULL, 0);
	b = mm_mmap(mm, 0, 8192, PROT_READ, ANON, NULL, NULL, 0);
	ck_assert_int_eq(b, a - 8192);
	ck_assert_int_eq(mm_munmap(mm, (uint64_t)a, 4096), 0);
	ck_assert_int_eq(mm_mmap(mm, 0, 4096, RW, ANON, NULL, NULL, 0), a);
	ck_assert_int_eq(mm_mmap(mm, 0, 0, RW, ANON, NULL, NULL, 0), -EINVAL);
	ck_assert_int_eq(mm_mmap(mm, 4096, 4096, RW, ANON | MAP_FIXED, NULL, NULL, 0), -EPERM);
	ck_assert_int_eq(mm_mmap(mm, 0, 4096, RW, MAP_ANONYMOUS, NULL, NULL, 0), -EINVAL);
	ck_assert_int_eq(mm_mmap(mm, 0, 1ull << 46, RW, ANON, NULL, NULL, 0), -ENOMEM);
	ck_assert_int_eq(mm_munmap(mm, 1, 4096), -EINVAL);
	ck_assert_int_eq(mm_munmap(mm, 0x30000000, 4096), 0);
}
END_TEST

START_TEST(areas_have_a_limit)
{
	uint64_t before = sysctls.max_map_count;
	int64_t at = mm_mmap(mm, 0, 64 * 4096, RW, ANON, NULL, NULL, 0);

	sysctls.max_map_count = 3;
	ck_assert_int_eq(mm_mprotect(mm, (uint64_t)at + 4096, 4096, PROT_READ), 0);
	ck_assert_uint_eq(mm->vma_count, 3);
	ck_assert_int_eq(mm_mprotect(mm, (uint64_t)at + 3 * 4096, 4096, PROT_READ), -ENOMEM);
	ck_assert_int_eq(mm_mmap(mm, 0, 4096, PROT_READ, ANON, NULL, NULL, 0), -ENOMEM);
	sysctls.max_map_count = before;
	ck_assert_int_eq(mm_mprotect(mm, (uint64_t)at + 3 * 4096, 4096, PROT_READ), 0);
	mm_check(mm);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mm");
	TCase *tcase = tcase_create("mm");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, blocks);
	tcase_add_test(tcase, pages_run_out_and_come_back);
	tcase_add_test(tcase, heap_sizes);
	tcase_add_test(tcase, objects);
	tcase_add_test(tcase, anonymous);
	tcase_add_test(tcase, fork_copies);
	tcase_add_test(tcase, file_mapping);
	tcase_add_test(tcase, reclaim_drops_clean_pages);
	tcase_add_test(tcase, files_lie_side_by_side);
	tcase_add_test(tcase, kept_pages_come_back);
	tcase_add_test(tcase, random_walk);
	tcase_add_test(tcase, mremap_moves);
	tcase_add_test(tcase, brk_and_placement);
	tcase_add_test(tcase, areas_have_a_limit);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed ? 1 : 0;
}
