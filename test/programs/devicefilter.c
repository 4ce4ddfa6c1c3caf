/*
 * bpf(2) with programs that say which devices a control group's processes may use: loading and what is refused there,
 * attaching in a tree of groups, asking what is attached, and that opening and making devices obeys. Skipped where there are
 * no control groups of version 2 to make, or no bpf(2).
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "workdir.h"

#define INSN(c, d, s, o, i) {.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)}
#define LOAD(d, at) INSN(BPF_LDX | BPF_MEM | BPF_W, d, 1, at, 0)
#define MOV(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define JUMP(op, d, i, to) INSN(BPF_JMP | (op) | BPF_K, d, 0, to, i)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int load(const struct bpf_insn *insns, size_t count)
{
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE, .insns = (uintptr_t)insns, .insn_cnt = (uint32_t)count,
		.license = (uintptr_t) "GPL", .prog_name = "filter"};

	return bpf(BPF_PROG_LOAD, &attr);
}

static int attach(int group, int program, uint32_t flags, int replaced)
{
	union bpf_attr attr = {.target_fd = (uint32_t)group, .attach_bpf_fd = (uint32_t)program, .attach_type = BPF_CGROUP_DEVICE,
		.attach_flags = flags, .replace_bpf_fd = (uint32_t)replaced};

	return bpf(BPF_PROG_ATTACH, &attr);
}

static int detach(int group, int program)
{
	union bpf_attr attr = {.target_fd = (uint32_t)group, .attach_bpf_fd = (uint32_t)program, .attach_type = BPF_CGROUP_DEVICE};

	return bpf(BPF_PROG_DETACH, &attr);
}

static int query(int group, uint32_t how, uint32_t *ids, uint32_t *count, uint32_t *flags)
{
	union bpf_attr attr = {.query = {.target_fd = (uint32_t)group, .attach_type = BPF_CGROUP_DEVICE, .query_flags = how,
		.prog_ids = (uintptr_t)ids, .prog_cnt = *count}};
	int rc = bpf(BPF_PROG_QUERY, &attr);

	*count = attr.query.prog_cnt;
	*flags = attr.query.attach_flags;
	return rc;
}

/* All but character devices 1:5 (zero); that one cannot be written. */
static const struct bpf_insn but_zero[] = {
	LOAD(2, 0), LOAD(3, 4), LOAD(4, 8),
	INSN(BPF_ALU64 | BPF_MOV | BPF_X, 5, 2, 0, 0),
	INSN(BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff),
	INSN(BPF_ALU64 | BPF_RSH | BPF_K, 5, 0, 0, 16),
	JUMP(BPF_JNE, 2, BPF_DEVCG_DEV_CHAR, 5),
	JUMP(BPF_JNE, 3, 1, 4),
	INSN(BPF_JMP32 | BPF_JNE | BPF_K, 4, 0, 3, 5),
	JUMP(BPF_JSET, 5, BPF_DEVCG_ACC_WRITE | BPF_DEVCG_ACC_MKNOD, 1),
	JUMP(BPF_JA, 0, 0, 1),
	INSN(BPF_JMP | BPF_JA, 0, 0, 2, 0),
	MOV(0, 1), EXIT,
	MOV(0, 0), EXIT,
};
static const struct bpf_insn none[] = {MOV(0, 0), EXIT};
static const struct bpf_insn every[] = {INSN(BPF_LD | BPF_IMM | BPF_DW, 0, 0, 0, 1), INSN(0, 0, 0, 0, 0), EXIT};

static void test_load(void)
{
	static const struct bpf_insn no_exit[] = {MOV(0, 1)}, no_result[] = {EXIT}, wild[] = {LOAD(0, 12), EXIT},
		crooked[] = {LOAD(0, 2), EXIT}, back[] = {MOV(0, 1), INSN(BPF_JMP | BPF_JA, 0, 0, -2, 0), EXIT},
		far[] = {MOV(0, 1), JUMP(BPF_JEQ, 0, 1, 5), EXIT}, dead[] = {MOV(0, 1), EXIT, MOV(0, 1), EXIT},
		unset[] = {INSN(BPF_ALU64 | BPF_MOV | BPF_X, 0, 7, 0, 0), EXIT},
		leak[] = {INSN(BPF_STX | BPF_MEM | BPF_W, 1, 1, 0, 0), MOV(0, 1), EXIT},
		half[] = {INSN(BPF_LD | BPF_IMM | BPF_DW, 0, 0, 0, 1)}, shift[] = {MOV(0, 1), INSN(BPF_ALU64 | BPF_LSH | BPF_K, 0, 0, 0, 64), EXIT},
		divided[] = {MOV(0, 1), INSN(BPF_ALU64 | BPF_DIV | BPF_K, 0, 0, 0, 0), EXIT},
		either[] = {LOAD(2, 4), JUMP(BPF_JEQ, 2, 1, 1), MOV(3, 1), INSN(BPF_ALU64 | BPF_MOV | BPF_X, 0, 3, 0, 0), EXIT};
	union bpf_attr attr = {.prog_type = 999, .insns = (uintptr_t)every, .insn_cnt = COUNT(every), .license = (uintptr_t) "GPL"};

	CHECK_ERRNO(load(no_exit, COUNT(no_exit)), EINVAL);
	CHECK_ERRNO(load(no_result, COUNT(no_result)), EACCES);
	CHECK_ERRNO(load(wild, COUNT(wild)), EACCES);
	CHECK_ERRNO(load(crooked, COUNT(crooked)), EACCES);
	CHECK_ERRNO(load(back, COUNT(back)), EINVAL);
	CHECK_ERRNO(load(far, COUNT(far)), EINVAL);
	CHECK_ERRNO(load(dead, COUNT(dead)), EINVAL);
	CHECK_ERRNO(load(unset, COUNT(unset)), EACCES);
	CHECK_ERRNO(load(either, COUNT(either)), EACCES);
	CHECK(load(leak, COUNT(leak)) < 0);
	CHECK_ERRNO(load(half, COUNT(half)), EINVAL);
	CHECK_ERRNO(load(shift, COUNT(shift)), EINVAL);
	CHECK_ERRNO(load(divided, COUNT(divided)), EINVAL);
	CHECK_ERRNO(load(every, 0), E2BIG);
	CHECK_ERRNO(load(NULL, 2), EFAULT);
	CHECK_ERRNO(bpf(BPF_PROG_LOAD, &attr), EINVAL);
	/* What libraries load to see whether there is bpf(2); it is no program of devices. */
	attr.prog_type = BPF_PROG_TYPE_CGROUP_SKB;
	int other = bpf(BPF_PROG_LOAD, &attr), null = open("/dev/null", O_RDONLY);
	CHECK(other >= 0);
	CHECK_ERRNO(attach(null, other, BPF_F_ALLOW_MULTI, 0), EINVAL);
	close(other);
	close(null);
	CHECK_ERRNO(bpf(9999, &attr), EINVAL);
	CHECK_ERRNO(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, 8192), E2BIG);
}

static int opens(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : errno;
}

static char group[256], below[512];

/* In a group: what may be opened for reading, for writing, and made. */
static int in_group(const char *path, int zero_read, int zero_write, int null_read, int make)
{
	char procs[600];
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
		if (put(procs, "0"))
			_exit(1);
		harness_failures = 0;
		CHECK(opens("/dev/zero", O_RDONLY) == zero_read);
		CHECK(opens("/dev/zero", O_WRONLY) == zero_write);
		CHECK(opens("/dev/null", O_RDONLY) == null_read);
		int rc = mknod("made", S_IFCHR | 0600, makedev(1, 5)) ? errno : 0;
		unlink("made");
		CHECK(rc == make);
		fflush(stdout);
		_exit(harness_failures ? 3 : 0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

static uint32_t last_id;

/* The number of a program that is gone is nobody's; Linux takes a moment for that. */
static void test_gone(void)
{
	union bpf_attr by_id = {.prog_id = last_id};
	int fd = bpf(BPF_PROG_GET_FD_BY_ID, &by_id);

	CHECK(last_id != 0);
	for (int i = 0; fd >= 0 && i < 500; i++) {
		close(fd);
		usleep(10000);
		fd = bpf(BPF_PROG_GET_FD_BY_ID, &by_id);
	}
	CHECK_ERRNO(bpf(BPF_PROG_GET_FD_BY_ID, &by_id), ENOENT);
}

static void test_groups(void)
{
	int top = open(group, O_RDONLY | O_DIRECTORY), sub = open(below, O_RDONLY | O_DIRECTORY), null = open("/dev/null", O_RDONLY);
	int zero = load(but_zero, COUNT(but_zero)), no = load(none, COUNT(none)), all = load(every, COUNT(every));
	uint32_t ids[4] = {0}, count = 4, flags = 9;

	CHECK(top >= 0 && sub >= 0 && zero >= 0 && no >= 0 && all >= 0 && fcntl(zero, F_GETFD) == FD_CLOEXEC);
	CHECK(query(top, 0, ids, &count, &flags) == 0 && count == 0 && flags == 0);
	CHECK_ERRNO(attach(null, zero, BPF_F_ALLOW_MULTI, 0), EBADF);
	CHECK_ERRNO(attach(null, zero, BPF_F_ALLOW_MULTI | BPF_F_REPLACE, -1), EBADF);
	CHECK_ERRNO(attach(top, null, BPF_F_ALLOW_MULTI, 0), EINVAL);
	CHECK_ERRNO(attach(top, zero, BPF_F_ALLOW_MULTI | BPF_F_ALLOW_OVERRIDE, 0), EINVAL);
	CHECK_ERRNO(attach(top, zero, 0x100, 0), EINVAL);
	CHECK_ERRNO(detach(top, zero), ENOENT);
	CHECK(in_group(group, 0, 0, 0, 0) == 0);
	CHECK(attach(top, zero, BPF_F_ALLOW_MULTI, 0) == 0);
	CHECK_ERRNO(attach(top, zero, BPF_F_ALLOW_MULTI, 0), EINVAL);
	CHECK_ERRNO(attach(top, no, 0, 0), EPERM);
	CHECK(in_group(group, 0, EPERM, 0, EPERM) == 0 && in_group(below, 0, EPERM, 0, EPERM) == 0);
	CHECK(opens("/dev/zero", O_WRONLY) == 0);
	count = 4;
	CHECK(query(top, 0, ids, &count, &flags) == 0 && count == 1 && ids[0] && flags == BPF_F_ALLOW_MULTI);
	union bpf_attr by_id = {.prog_id = ids[0]};
	struct bpf_prog_info info = {0};
	int again = bpf(BPF_PROG_GET_FD_BY_ID, &by_id);
	union bpf_attr about = {.info = {.bpf_fd = (uint32_t)again, .info_len = sizeof(info), .info = (uintptr_t)&info}};
	CHECK(again >= 0 && bpf(BPF_OBJ_GET_INFO_BY_FD, &about) == 0);
	CHECK(info.type == BPF_PROG_TYPE_CGROUP_DEVICE && info.id == ids[0] && !strcmp(info.name, "filter") && info.created_by_uid == 0);
	close(again);
	/* All that are asked must say yes. */
	CHECK(attach(sub, all, BPF_F_ALLOW_MULTI, 0) == 0 && in_group(below, 0, EPERM, 0, EPERM) == 0);
	count = 4;
	CHECK(query(sub, BPF_F_QUERY_EFFECTIVE, ids, &count, &flags) == 0 && count == 2);
	count = 1;
	CHECK_ERRNO(query(sub, BPF_F_QUERY_EFFECTIVE, ids, &count, &flags), ENOSPC);
	CHECK_ERRNO(attach(sub, no, BPF_F_ALLOW_MULTI | BPF_F_REPLACE, zero), ENOENT);
	CHECK(attach(sub, no, BPF_F_ALLOW_MULTI | BPF_F_REPLACE, all) == 0 && in_group(below, EPERM, EPERM, EPERM, EPERM) == 0);
	CHECK(in_group(group, 0, EPERM, 0, EPERM) == 0);
	CHECK_ERRNO(detach(sub, -1), EINVAL);
	CHECK(detach(sub, no) == 0 && detach(top, zero) == 0 && in_group(below, 0, 0, 0, 0) == 0);
	/* Without several: the nearest alone, if those above allow it. */
	CHECK(attach(top, no, BPF_F_ALLOW_OVERRIDE, 0) == 0 && in_group(below, EPERM, EPERM, EPERM, EPERM) == 0);
	CHECK(attach(sub, zero, 0, 0) == 0 && in_group(below, 0, EPERM, 0, EPERM) == 0);
	CHECK(detach(sub, -1) == 0 && detach(top, -1) == 0 && attach(top, no, 0, 0) == 0);
	CHECK_ERRNO(attach(sub, zero, 0, 0), EPERM);
	CHECK(detach(top, -1) == 0);
	/* It ends with its group, which main() removes. */
	count = 1;
	CHECK(attach(sub, zero, 0, 0) == 0 && query(sub, 0, &last_id, &count, &flags) == 0 && count == 1);
	close(zero);
	close(no);
	close(all);
	close(top);
	close(sub);
	close(null);
}

int main(void)
{
	harness_start();
	if (geteuid() != 0 || load(every, COUNT(every)) < 0 || unshare(CLONE_NEWNS) != 0)
		return SKIP;
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || workdir_enter())
		return SKIP;
	if (mkdir("cg", 0755) != 0 || mount("none", "cg", "cgroup2", 0, NULL) != 0)
		return SKIP;
	snprintf(group, sizeof(group), "%s/cg/filter-%d", workdir_path, getpid());
	snprintf(below, sizeof(below), "%s/below", group);
	if (mkdir(group, 0755) == 0 && mkdir(below, 0755) == 0) {
		RUN(test_load);
		RUN(test_groups);
	}
	CHECK(rmdir(below) == 0 && rmdir(group) == 0 && umount("cg") == 0);
	RUN(test_gone);
	workdir_leave();
	return CHECK_RESULT();
}
