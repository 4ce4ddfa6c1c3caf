/*
 * The gofer's server, driven over a socketpair: file operations, donation, and attempts to
 * leave the tree. Where reaching the next line is the failure, the test is named escape_.
 */
#include <dirent.h>
#include <sched.h>

#include "test/unit/gofer/client.h"

/* Sanitizers need more system calls than the filter has. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

START_TEST(attributes_and_walk)
{
	struct p9_rgetattr r;
	struct p9_rwalk w;
	struct stat st;
	char path[128];

	ck_assert_int_eq(walk(0, 1, "sub", "inner"), 0);
	ck_assert(p9_get_rwalk(&c.reader, &w));
	ck_assert_uint_eq(w.qids.count, 2);
	ck_assert_uint_eq(w.qids.qid[0].type, P9_QID_DIR);
	ck_assert_int_eq(CALL(tgetattr, 1, P9_GETATTR_BASIC), 0);
	ck_assert(p9_get_rgetattr(&c.reader, &r));
	snprintf(path, sizeof(path), "%s/sub/inner", c.dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(r.attr.mode, st.st_mode);
	ck_assert_uint_eq(r.attr.size, 5);
	ck_assert_uint_eq(r.attr.qid.path, st.st_ino);
	ck_assert_uint_eq(r.attr.mtime_sec, (uint64_t)st.st_mtim.tv_sec);
	ck_assert_uint_eq(r.attr.mtime_nsec, (uint64_t)st.st_mtim.tv_nsec);
	ck_assert_int_eq(CALL(tclunk, 1), 0);
	ck_assert_int_eq(CALL(tclunk, 1), EBADF);
	/* A walk that stops half way says how far, and sets no fid. */
	ck_assert_int_eq(walk(0, 1, "sub", "missing"), 0);
	ck_assert(p9_get_rwalk(&c.reader, &w));
	ck_assert_uint_eq(w.qids.count, 1);
	ck_assert_int_eq(CALL(tclunk, 1), EBADF);
	ck_assert_int_eq(walk(0, 1, "missing", NULL), ENOENT);
	ck_assert_int_eq(walk(0, P9_MAX_FIDS, NULL, NULL), EMFILE);
}
END_TEST

START_TEST(walk_with_attributes)
{
	struct p9_twalkgetattr t = {0, {3, {{10, STR("sub")}, {P9_NOFID, STR("deep")}, {12, STR("missing")}}}};
	struct p9_rwalkgetattr r;
	struct p9_reader attrs;
	struct p9_attr attr;
	char path[128];

	begin(P9_twalkgetattr);
	p9_put_twalkgetattr(&c.writer, &t);
	ck_assert_int_eq(outcome(P9_twalkgetattr), 0);
	ck_assert(p9_get_rwalkgetattr(&c.reader, &r));
	ck_assert_uint_eq(r.count, 2);
	ck_assert_uint_eq(r.ecode, ENOENT);
	p9_reader_init(&attrs, r.attrs.bytes, r.attrs.len);
	attr = p9_get_attr(&attrs);
	ck_assert(S_ISDIR(attr.mode));
	attr = p9_get_attr(&attrs);
	ck_assert(!attrs.failed && p9_reader_left(&attrs) == 0);
	ck_assert_int_eq(CALL(tclunk, 10), 0);
	ck_assert_int_eq(CALL(tclunk, 12), EBADF);

	/* Stops at a link, which is reached itself. */
	snprintf(path, sizeof(path), "%s/link", c.dir);
	ck_assert_int_eq(symlink("sub", path), 0);
	t = (struct p9_twalkgetattr){0, {2, {{10, STR("link")}, {11, STR("inner")}}}};
	begin(P9_twalkgetattr);
	p9_put_twalkgetattr(&c.writer, &t);
	ck_assert_int_eq(outcome(P9_twalkgetattr), 0);
	ck_assert(p9_get_rwalkgetattr(&c.reader, &r));
	ck_assert_uint_eq(r.count, 1);
	ck_assert_uint_eq(r.ecode, ELOOP);
	ck_assert_int_eq(CALL(treadlink, 10), 0);
	struct p9_rreadlink l;
	ck_assert(p9_get_rreadlink(&c.reader, &l));
	ck_assert(p9_str_equal(l.target, "sub"));
	ck_assert_int_eq(CALL(tlopen, 10, P9_OPEN_RDONLY), ELOOP);
	/* The same new fid twice. */
	t = (struct p9_twalkgetattr){0, {2, {{20, STR("sub")}, {20, STR("inner")}}}};
	begin(P9_twalkgetattr);
	p9_put_twalkgetattr(&c.writer, &t);
	ck_assert_int_eq(outcome(P9_twalkgetattr), EINVAL);
}
END_TEST

START_TEST(open_read_write)
{
	struct p9_rread r;
	struct p9_rwrite w;
	struct p9_data data = {(const uint8_t *)"HELLO", 5};

	ck_assert_int_eq(walk(0, 1, "file", NULL), 0);
	ck_assert_int_eq(CALL(tread, 1, 0, 100), EBADF);
	ck_assert_int_eq(CALL(tlopen, 1, P9_OPEN_RDWR), 0);
	ck_assert_int_eq(CALL(tlopen, 1, P9_OPEN_RDWR), EBUSY);
	ck_assert_int_eq(CALL(twrite, 1, 0, data), 0);
	ck_assert(p9_get_rwrite(&c.reader, &w));
	ck_assert_uint_eq(w.count, 5);
	ck_assert_int_eq(CALL(tread, 1, 0, 1u << 31), 0);
	ck_assert(p9_get_rread(&c.reader, &r));
	ck_assert_uint_eq(r.data.len, 12);
	ck_assert_int_eq(memcmp(r.data.bytes, "HELLO, gofer", 12), 0);
	ck_assert_int_eq(CALL(tread, 1, 1ull << 63, 1), EINVAL);
	ck_assert_int_eq(CALL(tfsync, 1, 0), 0);
}
END_TEST

START_TEST(donation)
{
	struct p9_ropendonate r;
	char text[32] = {0};

	ck_assert_int_eq(walk(0, 1, "file", NULL), 0);
	ck_assert_int_eq(CALL(topendonate, 1, P9_OPEN_RDONLY), 0);
	ck_assert(p9_get_ropendonate(&c.reader, &r));
	ck_assert_uint_eq(r.donated, 1);
	ck_assert_uint_eq(r.attr.size, 12);
	ck_assert_int_ge(c.fd, 0);
	ck_assert_int_eq(pread(c.fd, text, sizeof(text), 0), 12);
	ck_assert_str_eq(text, "hello, gofer");
	ck_assert_int_eq(write(c.fd, "x", 1), -1);
	close(c.fd);
	/* The fid is as it was, and a directory is opened instead of given. */
	ck_assert_int_eq(CALL(topendonate, 1, P9_OPEN_RDWR), 0);
	close(c.fd);
	ck_assert_int_eq(walk(0, 2, "sub", NULL), 0);
	ck_assert_int_eq(CALL(topendonate, 2, P9_OPEN_RDONLY), 0);
	ck_assert(p9_get_ropendonate(&c.reader, &r));
	ck_assert_uint_eq(r.donated, 0);
	ck_assert_int_lt(c.fd, 0);
}
END_TEST

START_TEST(read_directories)
{
	struct p9_rreaddir r;
	struct p9_rreaddirattr ra;
	struct p9_reader records;
	struct p9_dirent entry;
	struct p9_dirent_attr entry_attr;
	unsigned seen = 0, dots = 0;
	uint64_t offset = 0;
	char name[64];

	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "sub/entry-with-a-name-%u", i);
		write_file(name, "");
	}
	ck_assert_int_eq(walk(0, 1, "sub", NULL), 0);
	ck_assert_int_eq(walk(1, 2, NULL, NULL), 0);
	ck_assert_int_eq(CALL(tlopen, 2, P9_OPEN_RDONLY | P9_OPEN_DIRECTORY), 0);
	do {
		ck_assert_int_eq(CALL(treaddir, 2, offset, 1000), 0);
		ck_assert(p9_get_rreaddir(&c.reader, &r));
		p9_reader_init(&records, r.entries.bytes, r.entries.len);
		while (p9_next_dirent(&records, &entry)) {
			dots += entry.name.data[0] == '.';
			offset = entry.offset;
			seen++;
		}
		ck_assert(!records.failed);
	} while (r.entries.len);
	ck_assert_uint_eq(seen, 304);
	ck_assert_uint_eq(dots, 2);

	seen = 0;
	offset = 0;
	do {
		ck_assert_int_eq(CALL(treaddirattr, 1, offset, 5000, 0), 0);
		ck_assert(p9_get_rreaddirattr(&c.reader, &ra));
		p9_reader_init(&records, ra.entries.bytes, ra.entries.len);
		while (p9_next_dirent_attr(&records, &entry_attr)) {
			ck_assert_uint_ne(entry_attr.attr.mode & S_IFMT, 0);
			offset = entry_attr.offset;
			seen++;
		}
		ck_assert(!records.failed);
	} while (!ra.eof);
	ck_assert_uint_eq(seen, 302);
	ck_assert_int_eq(CALL(treaddir, 2, 0, 3), EINVAL);
}
END_TEST

static unsigned entries_of(struct p9_data data, bool bare)
{
	struct p9_reader records;
	struct p9_dirent_attr with;
	struct p9_dirent record;
	unsigned count = 0;

	p9_reader_init(&records, data.bytes, data.len);
	while (bare ? p9_next_dirent(&records, &record) : p9_next_dirent_attr(&records, &with)) {
		if (bare) {
			ck_assert(record.type == DT_DIR || record.type == DT_REG);
			ck_assert(p9_name_ok(record.name));
		}
		count++;
	}
	ck_assert(!records.failed);
	return count;
}

/* Names of two blocks deep; what cannot be read is left out, and nothing is torn. */
START_TEST(read_ahead)
{
	static const char *const names[] = {"many", "sub", "file"};
	struct p9_treadtrees t = {.fid = 0};
	struct p9_rreadtrees r;
	struct p9_reader blocks;
	struct p9_block block;
	unsigned whole = 0, entries = 0;
	char name[128];

	snprintf(name, sizeof(name), "%s/many", c.dir);
	ck_assert_int_eq(mkdir(name, 0755), 0);
	for (unsigned i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "%s/many/%u", c.dir, i);
		ck_assert_int_eq(mkdir(name, 0755), 0);
		snprintf(name, sizeof(name), "many/%u/file", i);
		write_file(name, "x");
	}
	for (t.count = 200000; t.count > 100; t.count = t.bare ? t.count / 3 : t.count) {
		t.bare = !t.bare;
		begin(P9_treadtrees);
		p9_put_treadtrees(&c.writer, &t);
		for (unsigned i = 0; i < 3; i++)
			p9_put_str(&c.writer, p9_str_from(names[i]));
		ck_assert_int_eq(outcome(P9_treadtrees), 0);
		ck_assert(p9_get_rreadtrees(&c.reader, &r));
		ck_assert_uint_le(r.blocks.len, t.count);
		p9_reader_init(&blocks, r.blocks.bytes, r.blocks.len);
		for (whole = entries = 0; p9_next_block(&blocks, &block); whole++) {
			ck_assert(block.parent == P9_NO_BLOCK || block.parent < whole);
			ck_assert(S_ISDIR(block.attr.mode));
			entries += entries_of(block.entries, t.bare);
		}
		ck_assert(!blocks.failed);
		if (t.count == 200000) {
			ck_assert_uint_eq(whole, 33); /* many, its 30, sub, and sub/deep */
			ck_assert_uint_eq(entries, 30 + 30 + 2);
		}
	}
	ck_assert_uint_eq(whole, 0);
	begin(P9_treadtrees);
	p9_put_treadtrees(&c.writer, &t);
	p9_put_str(&c.writer, STR(".."));
	ck_assert_int_eq(outcome(P9_treadtrees), EINVAL);
	/* It goes where it may run, and nowhere else. */
	ck_assert_int_eq(CALL(tplace, 100000), EINVAL);
	ck_assert_int_eq(CALL(tplace, (uint32_t)sched_getcpu()), 0);
}
END_TEST

START_TEST(many_donations)
{
	struct p9_twalkdonatemany t = {.fid = 0, .flags = P9_OPEN_RDONLY, .steps = {4, {{10, STR("sub")}, {11, STR("missing")}, {12, STR("file")}, {13, STR("..")}}}};
	static const uint8_t expect[] = {P9_NOT_GIVEN, P9_NOT_REACHED, P9_GIVEN};
	struct p9_rwalkdonatemany r;
	struct p9_reader files;
	char text[6] = "";

	begin(P9_twalkdonatemany);
	p9_put_twalkdonatemany(&c.writer, &t);
	ck_assert_int_eq(outcome(P9_twalkdonatemany), 0);
	ck_assert_int_ge(c.fd, 0);
	ck_assert_int_eq(read(c.fd, text, 5), 5);
	ck_assert_str_eq(text, "hello");
	close(c.fd);
	ck_assert(p9_get_rwalkdonatemany(&c.reader, &r));
	p9_reader_init(&files, r.files.bytes, r.files.len);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(p9_get_u8(&files), expect[i]);
		if (expect[i] != P9_NOT_REACHED)
			p9_get_attr(&files);
	}
	ck_assert(!files.failed);
	/* The numbers are checked before anything is opened. */
	begin(P9_twalkdonatemany);
	p9_put_twalkdonatemany(&c.writer, &t);
	ck_assert_int_eq(outcome(P9_twalkdonatemany), EBUSY);
	ck_assert_int_lt(c.fd, 0);
	t.steps.step[0].fid = t.steps.step[2].fid = 20;
	begin(P9_twalkdonatemany);
	p9_put_twalkdonatemany(&c.writer, &t);
	ck_assert_int_eq(outcome(P9_twalkdonatemany), EINVAL);
	t.steps.step[0].fid = P9_NOFID;
	begin(P9_twalkdonatemany);
	p9_put_twalkdonatemany(&c.writer, &t);
	ck_assert_int_ne(outcome(P9_twalkdonatemany), 0);
}
END_TEST

START_TEST(create_and_change)
{
	struct p9_rcreatedonate r;
	struct p9_rmake m;
	struct p9_rgetattr g;

	ck_assert_int_eq(CALL(tcreatedonate, 0, 5, STR("new"), P9_OPEN_RDWR | P9_OPEN_EXCL, 04755, getuid(), getgid()), 0);
	ck_assert(p9_get_rcreatedonate(&c.reader, &r));
	ck_assert_uint_eq(r.donated, 1);
	ck_assert_uint_eq(r.attr.mode, S_IFREG | 04755);
	ck_assert_int_eq(write(c.fd, "abc", 3), 3);
	close(c.fd);
	ck_assert_int_eq(CALL(tcreatedonate, 0, 6, STR("new"), P9_OPEN_RDWR | P9_OPEN_EXCL, 0600, getuid(), getgid()), EEXIST);
	ck_assert_int_eq(CALL(tsetattr, .fid = 5, .valid = P9_SETATTR_SIZE | P9_SETATTR_MODE | P9_SETATTR_MTIME |
								  P9_SETATTR_MTIME_SET,
				 .mode = 0640, .size = 1000, .mtime_sec = 77, .mtime_nsec = 5), 0);
	ck_assert_int_eq(CALL(tgetattr, 5, P9_GETATTR_BASIC), 0);
	ck_assert(p9_get_rgetattr(&c.reader, &g));
	ck_assert_uint_eq(g.attr.size, 1000);
	ck_assert_uint_eq(g.attr.mode, S_IFREG | 0640);
	ck_assert_uint_eq(g.attr.mtime_sec, 77);
	ck_assert_int_eq(CALL(tmake, 0, 6, STR("d"), S_IFDIR | 02711, getuid(), getgid(), 0, STR("")), 0);
	ck_assert(p9_get_rmake(&c.reader, &m));
	ck_assert_uint_eq(m.attr.mode, S_IFDIR | 02711);
	ck_assert_int_eq(CALL(tmake, 6, P9_NOFID, STR("l"), S_IFLNK, getuid(), getgid(), 0, STR("/etc/passwd")), 0);
	ck_assert_int_eq(CALL(tmake, 6, P9_NOFID, STR("p"), S_IFIFO | 0600, getuid(), getgid(), 0, STR("")), 0);
	ck_assert_int_eq(CALL(tlink, 6, 5, STR("hard")), 0);
	ck_assert_int_eq(CALL(trenameat, 6, STR("hard"), 0, STR("moved")), 0);
	ck_assert_int_eq(CALL(trename2, 0, STR("moved"), 0, STR("file"), RENAME_NOREPLACE), EEXIST);
	ck_assert_int_eq(CALL(tunlinkat, 0, STR("moved"), 0), 0);
	ck_assert_int_eq(CALL(tunlinkat, 0, STR("d"), 0), EISDIR);
	ck_assert_int_eq(CALL(tunlinkat, 0, STR("d"), P9_UNLINK_DIR), ENOTEMPTY);
	ck_assert_int_eq(CALL(tmkdir, 0, STR("plain"), 0755, getgid()), 0);
	ck_assert_int_eq(CALL(tsymlink, 0, STR("soft"), STR("x"), getgid()), 0);
	ck_assert_int_eq(CALL(tmknod, 0, STR("fifo"), S_IFIFO | 0600, 0, 0, getgid()), 0);
	/* A fifo is never opened: that could wait for ever. */
	ck_assert_int_eq(walk(0, 9, "fifo", NULL), 0);
	ck_assert_int_eq(CALL(tlopen, 9, P9_OPEN_RDONLY), ENXIO);
	/* Unlinked, and still served through the fid. */
	ck_assert_int_eq(CALL(tunlinkat, 0, STR("new"), 0), 0);
	ck_assert_int_eq(CALL(topendonate, 5, P9_OPEN_RDWR), 0);
	ck_assert_int_ge(c.fd, 0);
	close(c.fd);
}
END_TEST

START_TEST(lcreate_turns_the_fid)
{
	ck_assert_int_eq(walk(0, 1, NULL, NULL), 0);
	ck_assert_int_eq(CALL(tlcreate, 1, STR("made"), P9_OPEN_RDWR | P9_OPEN_CREAT, 0644, getgid()), 0);
	ck_assert_int_eq(CALL(twrite, 1, 0, {(const uint8_t *)"x", 1}), 0);
	ck_assert_int_eq(CALL(tlock, 1, P9_LOCK_WRITE, 0, 0, 0, 1, STR("me")), 0);
	/* Without O_EXCL an existing file is opened; a link never is. */
	ck_assert_int_eq(walk(0, 2, NULL, NULL), 0);
	ck_assert_int_eq(CALL(tlcreate, 2, STR("made"), P9_OPEN_RDWR | P9_OPEN_CREAT, 0644, getgid()), 0);
	struct p9_rlock r;
	ck_assert_int_eq(CALL(tlock, 2, P9_LOCK_WRITE, 0, 0, 0, 1, STR("other")), 0);
	ck_assert(p9_get_rlock(&c.reader, &r));
	ck_assert_uint_eq(r.status, P9_LOCK_BLOCKED);
	ck_assert_int_eq(CALL(tsymlink, 0, STR("trap"), STR("/tmp/gofer-must-not-exist"), getgid()), 0);
	ck_assert_int_eq(walk(0, 3, NULL, NULL), 0);
	ck_assert_int_eq(CALL(tlcreate, 3, STR("trap"), P9_OPEN_RDWR | P9_OPEN_CREAT, 0644, getgid()), EEXIST);
	ck_assert_int_eq(access("/tmp/gofer-must-not-exist", F_OK), -1);
}
END_TEST

START_TEST(xattrs)
{
	struct p9_rxattrwalk r;
	struct p9_rread d;
	char path[128];

	snprintf(path, sizeof(path), "%s/file", c.dir);
	ck_assert_int_eq(walk(0, 1, "file", NULL), 0);
	ck_assert_int_eq(walk(1, 2, NULL, NULL), 0);
	ck_assert_int_eq(CALL(txattrcreate, 2, STR("user.note"), 4, 0), 0);
	ck_assert_int_eq(CALL(twrite, 2, 0, {(const uint8_t *)"note", 4}), 0);
	int error = CALL(tclunk, 2);
	if (error == EOPNOTSUPP)
		return; /* a file system without them */
	ck_assert_int_eq(error, 0);
	ck_assert_int_eq(CALL(txattrwalk, 1, 2, STR("user.note")), 0);
	ck_assert(p9_get_rxattrwalk(&c.reader, &r));
	ck_assert_uint_eq(r.size, 4);
	ck_assert_int_eq(CALL(tread, 2, 0, 100), 0);
	ck_assert(p9_get_rread(&c.reader, &d));
	ck_assert_int_eq(memcmp(d.data.bytes, "note", 4), 0);
	ck_assert_int_eq(CALL(tclunk, 2), 0);
	ck_assert_int_eq(CALL(txattrwalk, 1, 2, STR("user.none")), ENODATA);
	ck_assert_int_eq(CALL(txattrwalk, 1, 2, STR("trusted.overlay.opaque")), EOPNOTSUPP);
	ck_assert_int_eq(walk(1, 2, NULL, NULL), 0);
	ck_assert_int_eq(CALL(txattrcreate, 2, STR("security.capability"), 4, 0), EPERM);
}
END_TEST

/* Each pending attribute is memory of the gofer: a client cannot have one for every fid. */
START_TEST(xattrs_are_few)
{
	uint32_t fid = 1;

	ck_assert_int_eq(walk(0, fid, "file", NULL), 0);
	for (; fid <= 256; fid++) {
		ck_assert_int_eq(walk(fid, fid + 1, NULL, NULL), 0);
		ck_assert_int_eq(CALL(txattrcreate, fid, STR("user.note"), 65536, 0), 0);
	}
	ck_assert_int_eq(CALL(txattrcreate, fid, STR("user.note"), 65536, 0), ENOMEM);
	ck_assert_int_eq(CALL(txattrwalk, fid, 300, STR("")), ENOMEM);
	ck_assert_int_eq(CALL(tclunk, 9), EINVAL); /* it was not written whole */
	ck_assert_int_eq(CALL(txattrcreate, fid, STR("user.note"), 65536, 0), 0);
}
END_TEST

START_TEST(escape_through_dotdot)
{
	struct p9_rwalk up, root;

	ck_assert_int_eq(walk(0, 1, NULL, NULL), 0);
	ck_assert_int_eq(walk(0, 1, "..", ".."), EBUSY);
	ck_assert_int_eq(walk(0, 2, "..", ".."), 0);
	ck_assert(p9_get_rwalk(&c.reader, &up));
	ck_assert_int_eq(walk(0, 3, "sub", ".."), 0);
	ck_assert(p9_get_rwalk(&c.reader, &root));
	ck_assert_uint_eq(up.qids.count, 2);
	ck_assert_uint_eq(up.qids.qid[1].path, root.qids.qid[1].path);
	ck_assert_int_eq(walk(0, 4, "..", "etc"), 0);
	ck_assert(p9_get_rwalk(&c.reader, &up));
	ck_assert_uint_eq(up.qids.count, 1);
	/* The second tree's root is inside the first: its parent must stay itself. */
	ck_assert_int_eq(CALL(tattach, 20, P9_NOFID, STR(""), STR("1"), 0), 0);
	ck_assert_int_eq(walk(20, 21, "..", "file"), 0);
	ck_assert(p9_get_rwalk(&c.reader, &up));
	ck_assert_uint_eq(up.qids.count, 1);
}
END_TEST

START_TEST(escape_by_moving_the_directory_out)
{
	char from[128], to[128];
	struct p9_rwalk r;

	ck_assert_int_eq(walk(0, 1, "sub", "deep"), 0);
	snprintf(from, sizeof(from), "%s/sub/deep", c.dir);
	snprintf(to, sizeof(to), "%s-outside", c.dir);
	ck_assert_int_eq(rename(from, to), 0);
	int error = walk(1, 2, "..", NULL);
	ck_assert_int_eq(rename(to, from), 0);
	ck_assert_int_eq(error, EXDEV);
	ck_assert_int_eq(walk(1, 2, "..", "inner"), 0);
	ck_assert(p9_get_rwalk(&c.reader, &r));
	ck_assert_uint_eq(r.qids.count, 2);
}
END_TEST

START_TEST(escape_through_names)
{
	static const char *const names[] = {"", ".", "..", "a/b", "/etc", "../x", "sub/../..", "./"};
	char path[128], long_name[400];

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct p9_str name = STR(names[i]);

		if (name.len) /* an empty one asks for a file without a name */
			ck_assert_int_ne(CALL(tcreatedonate, 0, 5, name, P9_OPEN_RDWR, 0644, 0, 0), 0);
		ck_assert_int_ne(CALL(tmake, 0, P9_NOFID, name, S_IFDIR | 0755, 0, 0, 0, STR("")), 0);
		ck_assert_int_ne(CALL(tmkdir, 0, name, 0755, 0), 0);
		ck_assert_int_ne(CALL(tunlinkat, 0, name, 0), 0);
		ck_assert_int_ne(CALL(tunlinkat, 0, name, P9_UNLINK_DIR), 0);
		ck_assert_int_ne(CALL(trenameat, 0, STR("file"), 0, name), 0);
		ck_assert_int_ne(CALL(trenameat, 0, name, 0, STR("file2")), 0);
		if (strcmp(names[i], ".."))
			ck_assert_int_ne(walk(0, 5, names[i], NULL), 0);
	}
	memset(long_name, 'n', sizeof(long_name));
	long_name[399] = 0;
	ck_assert_int_eq(walk(0, 5, long_name, NULL), ENAMETOOLONG);
	/* Links are not followed on the way. */
	snprintf(path, sizeof(path), "%s/etc", c.dir);
	ck_assert_int_eq(symlink("/etc", path), 0);
	struct p9_rwalk r;
	ck_assert_int_eq(walk(0, 5, "etc", "passwd"), 0);
	ck_assert(p9_get_rwalk(&c.reader, &r));
	ck_assert_uint_eq(r.qids.count, 1);
	ck_assert_int_eq(walk(0, 5, "etc", NULL), 0);
	ck_assert_int_ne(CALL(topendonate, 5, P9_OPEN_RDONLY), 0);
	ck_assert_int_ne(CALL(treaddirattr, 5, 0, 4000, 0), 0);
}
END_TEST

START_TEST(escape_from_readonly)
{
	ck_assert_int_eq(CALL(tattach, 20, P9_NOFID, STR(""), STR("1"), 0), 0);
	ck_assert_int_eq(walk(20, 21, "fixed", NULL), 0);
	ck_assert_int_eq(CALL(topendonate, 21, P9_OPEN_RDWR), EROFS);
	ck_assert_int_eq(CALL(topendonate, 21, P9_OPEN_RDONLY | P9_OPEN_TRUNC), EROFS);
	ck_assert_int_eq(CALL(tsetattr, .fid = 21, .valid = P9_SETATTR_MODE, .mode = 0777), EROFS);
	ck_assert_int_eq(CALL(tcreatedonate, 20, 22, STR("x"), P9_OPEN_RDWR, 0644, 0, 0), EROFS);
	ck_assert_int_eq(CALL(tunlinkat, 20, STR("fixed"), 0), EROFS);
	ck_assert_int_eq(CALL(txattrcreate, 21, STR("user.x"), 0, 0), EROFS);
	ck_assert_int_eq(CALL(tlink, 20, 21, STR("y")), EROFS);
	ck_assert_int_eq(CALL(tlink, 0, 21, STR("y")), EXDEV);
	ck_assert_int_eq(CALL(tallocate, 21, 0, 0, 100), EROFS);
	/* The file tree: no children, no parent. */
	ck_assert_int_eq(CALL(tattach, 30, P9_NOFID, STR(""), STR("2"), 0), 0);
	ck_assert_int_eq(walk(30, 31, "x", NULL), ENOTDIR);
	ck_assert_int_eq(walk(30, 31, "..", NULL), ENOTDIR);
}
END_TEST

START_TEST(needs_a_version_first)
{
	struct p9_rversion r;

	start_gofer_as(SOCK_SEQPACKET, false);
	ck_assert_int_eq(CALL(tattach, 0, P9_NOFID, STR(""), STR("0"), 0), EPROTO);
	ck_assert_int_eq(CALL(tversion, 100, STR(P9_VERSION_LINUX)), EMSGSIZE);
	ck_assert_int_eq(CALL(tversion, 8192, STR("9P2000.u")), 0);
	ck_assert(p9_get_rversion(&c.reader, &r));
	ck_assert(p9_str_equal(r.version, "unknown"));
	ck_assert_int_eq(CALL(tattach, 0, P9_NOFID, STR(""), STR("0"), 0), EPROTO);
	hello(P9_VERSION_LINUX);
	ck_assert_int_eq(CALL(topendonate, 0, 0), EOPNOTSUPP);
	/* A new version ends every fid. */
	ck_assert_int_eq(CALL(tversion, 8192, STR(P9_VERSION_RINGFENCE)), 0);
	ck_assert_int_eq(CALL(tgetattr, 0, 0), EBADF);
	stop_gofer();
}
END_TEST

START_TEST(stream_framing)
{
	struct p9_rread r;
	uint32_t n;

	start_gofer_as(SOCK_STREAM, false);
	hello(P9_VERSION_LINUX);
	ck_assert_int_eq(walk(0, 1, "file", NULL), 0);
	ck_assert_int_eq(CALL(tlopen, 1, P9_OPEN_RDONLY), 0);
	/* A request in pieces, with half of the next one behind it. */
	begin(P9_tread);
	p9_put_tread(&c.writer, &(struct p9_tread){1, 0, 5});
	n = p9_finish(&c.writer);
	ck_assert_int_eq(send(c.socket, c.out, 3, 0), 3);
	usleep(20000);
	ck_assert_uint_eq(exchange_raw(c.out + 3, n - 3), P9_HEADER + 4 + 5);
	p9_reader_init(&c.reader, c.in, P9_HEADER + 4 + 5);
	ck_assert(p9_get_header(&c.reader, &c.header));
	ck_assert(p9_get_rread(&c.reader, &r));
	ck_assert_int_eq(memcmp(r.data.bytes, "hello", 5), 0);
	stop_gofer();
}
END_TEST

START_TEST(in_the_jail)
{
	struct p9_rreaddirattr r;
	struct p9_rwalk w;

	if (geteuid() || SANITIZED)
		return;
	start_gofer_as(SOCK_SEQPACKET, true);
	hello(P9_VERSION_RINGFENCE);
	ck_assert_int_eq(CALL(tcreatedonate, 0, 5, STR("new"), P9_OPEN_RDWR, 0644, 1234, 4321), 0);
	ck_assert_int_ge(c.fd, 0);
	ck_assert_int_eq(write(c.fd, "abc", 3), 3);
	close(c.fd);
	ck_assert_int_eq(CALL(tmake, 0, 6, STR("d"), S_IFDIR | 0755, 7, 8, 0, STR("")), 0);
	ck_assert_int_eq(CALL(tlink, 6, 5, STR("hard")), 0);
	ck_assert_int_eq(CALL(tsetattr, .fid = 5, .valid = P9_SETATTR_SIZE | P9_SETATTR_MODE | P9_SETATTR_MTIME, .mode = 0600,
				 .size = 1), 0);
	ck_assert_int_eq(CALL(treaddirattr, 0, 0, 8000, 0), 0);
	ck_assert(p9_get_rreaddirattr(&c.reader, &r));
	ck_assert_uint_eq(r.eof, 1);
	ck_assert_int_eq(CALL(tstatfs, 0), 0);
	ck_assert_int_eq(CALL(txattrwalk, 5, 9, STR("")), 0);
	ck_assert_int_eq(CALL(tfsync, 5, 1), 0);
	ck_assert_int_eq(CALL(tallocate, 5, 0, 0, 100), 0);
	ck_assert_int_eq(CALL(trename2, 6, STR("hard"), 0, STR("h2"), 0), 0);
	ck_assert_int_eq(CALL(tunlinkat, 0, STR("h2"), 0), 0);
	ck_assert_int_eq(walk(0, 7, "sub", "deep"), 0);
	ck_assert_int_eq(walk(7, 8, "..", ".."), 0);
	ck_assert(p9_get_rwalk(&c.reader, &w));
	ck_assert_uint_eq(w.qids.count, 2);
	ck_assert_int_eq(CALL(tattach, 20, P9_NOFID, STR(""), STR("1"), 0), 0);
	ck_assert_int_eq(walk(20, 21, "fixed", NULL), 0);
	ck_assert_int_eq(CALL(topendonate, 21, P9_OPEN_RDONLY), 0);
	close(c.fd);
	stop_gofer();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gofer server");
	TCase *served = tcase_create("served"), *own = tcase_create("own");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(served, start_gofer, stop_gofer);
	tcase_add_test(served, attributes_and_walk);
	tcase_add_test(served, walk_with_attributes);
	tcase_add_test(served, open_read_write);
	tcase_add_test(served, donation);
	tcase_add_test(served, read_directories);
	tcase_add_test(served, read_ahead);
	tcase_add_test(served, many_donations);
	tcase_add_test(served, create_and_change);
	tcase_add_test(served, lcreate_turns_the_fid);
	tcase_add_test(served, xattrs);
	tcase_add_test(served, xattrs_are_few);
	tcase_add_test(served, escape_through_dotdot);
	tcase_add_test(served, escape_by_moving_the_directory_out);
	tcase_add_test(served, escape_through_names);
	tcase_add_test(served, escape_from_readonly);
	tcase_add_test(own, needs_a_version_first);
	tcase_add_test(own, stream_framing);
	tcase_add_test(own, in_the_jail);
	suite_add_tcase(suite, served);
	suite_add_tcase(suite, own);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
