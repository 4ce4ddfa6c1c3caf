/*
 * The 9P codec and the server against malformed input: round trips, every truncation of
 * every message, and messages of random bytes. Nothing may crash; the server must go on.
 */
#include "test/unit/gofer/client.h"

START_TEST(round_trip)
{
	struct p9_twalkgetattr t = {9, {2, {{3, STR("usr")}, {4, STR("bin")}}}}, back;
	struct p9_attr attr = {.qid = {P9_QID_DIR, 5, 6}, .mode = 040755, .nlink = 3, .size = 4096, .data_version = 99};
	struct p9_rmake made;

	begin(P9_twalkgetattr);
	p9_put_twalkgetattr(&c.writer, &t);
	p9_reader_init(&c.reader, c.out, p9_finish(&c.writer));
	ck_assert(p9_get_header(&c.reader, &c.header));
	ck_assert_uint_eq(c.header.type, 200);
	ck_assert(p9_get_twalkgetattr(&c.reader, &back));
	ck_assert_uint_eq(back.fid, 9);
	ck_assert_uint_eq(back.steps.count, 2);
	ck_assert_uint_eq(back.steps.step[1].fid, 4);
	ck_assert(p9_str_equal(back.steps.step[1].name, "bin"));

	begin(P9_rmake);
	p9_put_rmake(&c.writer, &(struct p9_rmake){attr});
	ck_assert_uint_eq(p9_finish(&c.writer), P9_HEADER + P9_ATTR_SIZE);
	p9_reader_init(&c.reader, c.out, P9_HEADER + P9_ATTR_SIZE);
	ck_assert(p9_get_header(&c.reader, &c.header));
	ck_assert(p9_get_rmake(&c.reader, &made));
	ck_assert_uint_eq(made.attr.qid.path, 6);
	ck_assert_uint_eq(made.attr.mode, 040755);
	ck_assert_uint_eq(made.attr.data_version, 99);
}
END_TEST

START_TEST(full_writer_fails)
{
	uint8_t small[20];
	struct p9_writer out;

	p9_writer_init(&out, small, sizeof(small));
	p9_begin(&out, P9_tversion, 1);
	p9_put_tversion(&out, &(struct p9_tversion){4096, STR(P9_VERSION_RINGFENCE)});
	ck_assert_uint_eq(p9_finish(&out), 0);
}
END_TEST

/* Decode `n` bytes as every message type. Returns how many accepted them. */
static unsigned decode_all(const uint8_t *bytes, size_t n)
{
	unsigned accepted = 0;
	struct p9_reader in;

#define P9_MESSAGE(number, name, fields)                   \
	{                                                  \
		static struct p9_##name message;           \
		p9_reader_init(&in, bytes, n);             \
		accepted += p9_get_##name(&in, &message);  \
	}
#include "gofer/p9/messages.def"
#undef P9_MESSAGE
	return accepted;
}

START_TEST(hostile_bytes)
{
	unsigned seed = 12345;

	for (unsigned round = 0; round < 20000; round++) {
		size_t n = round % 200;
		/* Exactly sized, so that a sanitizer sees one byte too many. */
		uint8_t *bytes = malloc(n ? n : 1);
		struct p9_reader in;
		struct p9_dirent entry;
		struct p9_dirent_attr entry_attr;

		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)(rand_r(&seed) & (round & 1 ? 255 : 3));
		decode_all(bytes, n);
		p9_reader_init(&in, bytes, n);
		while (p9_next_dirent(&in, &entry))
			;
		p9_reader_init(&in, bytes, n);
		while (p9_next_dirent_attr(&in, &entry_attr))
			;
		free(bytes);
	}
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	uint32_t n;
	uint8_t whole[256];

	begin(P9_tcreatedonate);
	p9_put_tcreatedonate(&c.writer, &(struct p9_tcreatedonate){1, 2, STR("name"), 3, 4, 5, 6});
	n = p9_finish(&c.writer);
	memcpy(whole, c.out, n);
	for (uint32_t size = P9_HEADER; size < n; size++) {
		struct p9_tcreatedonate t;
		struct p9_reader in;

		p9_reader_init(&in, whole + P9_HEADER, size - P9_HEADER);
		ck_assert(!p9_get_tcreatedonate(&in, &t));
	}
	/* And one byte too many. */
	struct p9_reader in;
	struct p9_tcreatedonate t;
	p9_reader_init(&in, whole + P9_HEADER, n - P9_HEADER + 1);
	ck_assert(!p9_get_tcreatedonate(&in, &t));
	/* A NUL in a string. */
	whole[P9_HEADER + 10] = 0;
	p9_reader_init(&in, whole + P9_HEADER, n - P9_HEADER);
	ck_assert(!p9_get_tcreatedonate(&in, &t));
}
END_TEST

START_TEST(server_survives_any_body)
{
	unsigned seed = 99;

	start_gofer();
	for (unsigned round = 0; round < 20000; round++) {
		uint32_t n = P9_HEADER + (uint32_t)rand_r(&seed) % 60;
		size_t got;

		for (uint32_t i = P9_HEADER; i < n; i++)
			c.out[i] = (uint8_t)(rand_r(&seed) & (round & 1 ? 255 : 3));
		memcpy(c.out, &n, 4);
		c.out[4] = (uint8_t)rand_r(&seed);
		if (c.out[4] == P9_tversion)
			continue;
		memcpy(c.out + 5, "\x07\x00", 2);
		got = exchange_raw(c.out, n);
		ck_assert_uint_ge(got, P9_HEADER);
		if (c.fd >= 0)
			close(c.fd);
	}
	CALL(tclunk, 0);
	ck_assert_int_eq(CALL(tattach, 0, P9_NOFID, STR(""), STR("0"), 0), 0);
	stop_gofer();
}
END_TEST

START_TEST(broken_frame_ends_the_connection)
{
	int status;

	start_gofer();
	ck_assert_uint_eq(exchange_raw("\xff\xff\xff\xff\x18\x07\x00", 7), 0);
	close(c.socket);
	waitpid(c.gofer, &status, 0);
	ck_assert(WIFEXITED(status));
	nftw(c.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("9p codec");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(all, 30);
	tcase_add_test(all, round_trip);
	tcase_add_test(all, full_writer_fails);
	tcase_add_test(all, hostile_bytes);
	tcase_add_test(all, every_truncation_is_refused);
	tcase_add_test(all, server_survives_any_body);
	tcase_add_test(all, broken_frame_ends_the_connection);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
