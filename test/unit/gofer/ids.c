/*
 * A gofer with mappings of ids: owners are told as the container has them, and a client, whatever it asks for, gives
 * nothing to an id outside of them. Needs root, as a gofer does.
 */
#include "test/unit/gofer/client.h"

#define NO_ID UINT32_MAX

static uint32_t owner_of(const char *name)
{
	char path[512];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", c.dir, name);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert_uint_eq(st.st_uid, st.st_gid);
	return st.st_uid;
}

static uint32_t told(uint32_t fid)
{
	struct p9_rgetattr r;

	ck_assert_int_eq(CALL(tgetattr, fid, P9_GETATTR_BASIC), 0);
	ck_assert(p9_get_rgetattr(&c.reader, &r));
	ck_assert_uint_eq(r.attr.uid, r.attr.gid);
	return r.attr.uid;
}

static int give(uint32_t fid, uint32_t id)
{
	return CALL(tsetattr, .fid = fid, .valid = P9_SETATTR_UID | P9_SETATTR_GID, .uid = id, .gid = id);
}

START_TEST(owners_go_through_the_mappings)
{
	struct p9_rmake m;

	id_maps = (struct gofer_id_maps){.at = {{0, 100000, 10}, {20, 300000, 5}}, .count = 2};
	start_gofer();
	ck_assert_int_eq(walk(0, 5, "file", NULL), 0);
	ck_assert_uint_eq(told(5), NO_ID); /* the host's root is nobody inside */
	ck_assert_int_eq(give(5, 3), 0);
	ck_assert_uint_eq(told(5), 3);
	ck_assert_uint_eq(owner_of("file"), 100003);
	ck_assert_int_eq(give(5, 24), 0);
	ck_assert_uint_eq(owner_of("file"), 300004);
	ck_assert_int_eq(give(5, 10), EINVAL);
	ck_assert_int_eq(give(5, 25), EINVAL);
	ck_assert_int_eq(give(5, 100003), EINVAL);
	ck_assert_uint_eq(owner_of("file"), 300004);
	ck_assert_int_eq(CALL(tmake, 0, 6, STR("d"), S_IFDIR | 0755, 9, 9, 0, STR("")), 0);
	ck_assert(p9_get_rmake(&c.reader, &m));
	ck_assert_uint_eq(m.attr.uid, 9);
	ck_assert_uint_eq(owner_of("d"), 100009);
	ck_assert_int_eq(CALL(tmake, 0, 7, STR("e"), S_IFDIR | 0755, 11, 11, 0, STR("")), EINVAL);
	ck_assert_int_eq(walk(0, 7, "e", NULL), ENOENT); /* and nothing was made */
	ck_assert_int_eq(CALL(tcreatedonate, 0, 7, STR("e"), P9_OPEN_RDWR | P9_OPEN_EXCL, 0600, 11, 11), EINVAL);
	ck_assert_int_eq(walk(0, 7, "e", NULL), ENOENT);
	/* Access control lists would name ids of the host's. */
	ck_assert_int_eq(walk(5, 8, NULL, NULL), 0);
	ck_assert_int_eq(CALL(txattrcreate, 8, STR("system.posix_acl_access"), 4, 0), EPERM);
	ck_assert_int_eq(CALL(txattrwalk, 5, 9, STR("system.posix_acl_access")), EOPNOTSUPP);
	/* Plain 9P has no owner: the container's root. */
	ck_assert_int_eq(CALL(tmkdir, 0, STR("plain"), 0755, 0), 0);
	ck_assert_uint_eq(owner_of("plain"), 100000);
	stop_gofer();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gofer ids");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	if (getuid() != 0)
		return 77;
	tcase_add_test(all, owners_go_through_the_mappings);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
