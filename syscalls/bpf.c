/*
 * bpf(2): programs of control groups that say which devices may be used, as container runtimes and systemd attach them; of those that look
 * at packets, what looks at none can be loaded (kernel/ebpf.h). No other type of program, and no maps: -EINVAL, as Linux answers for a
 * type that it was built without.
 */
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/errno.h>

#include "kernel/cred.h"
#include "kernel/device_filter.h"
#include "kernel/ebpf.h"
#include "kernel/files.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/syscalls.h"
#include "vfs/anon/anon.h"
#include "vfs/cgroup/cgroupfs.h"
#include "vfs/vfs.h"

#define FIELD_END(field) (offsetof(union bpf_attr, field) + sizeof(((union bpf_attr *)0)->field))
#define LOAD_FLAGS \
	(BPF_F_STRICT_ALIGNMENT | BPF_F_ANY_ALIGNMENT | BPF_F_TEST_STATE_FREQ | BPF_F_SLEEPABLE | BPF_F_TEST_RND_HI32 | BPF_F_XDP_HAS_FRAGS)
#define LIST_MAX 64u

/* Of an attribute that a command does not have, all is zero. */
static bool is_clear_from(const union bpf_attr *attr, size_t end)
{
	const uint8_t *bytes = (const uint8_t *)attr;

	while (end < sizeof(*attr) && !bytes[end])
		end++;
	return end == sizeof(*attr);
}

static bool may_use_bpf(void)
{
	return capable(CAP_BPF) || capable(CAP_SYS_ADMIN);
}

/* The program of a descriptor, referenced. 0, -EBADF, or -EINVAL: it is no program's. */
static int program_of_fd(uint32_t fd, struct ebpf_program **program)
{
	struct file *file = fd_file((int)fd);

	if (!file)
		return -EBADF;
	*program = bpf_program_of(file);
	if (*program)
		ebpf_program_get(*program);
	file_put(file);
	return *program ? 0 : -EINVAL;
}

/* The group of a directory's descriptor; nobody may sleep before it is used. */
static struct cgroup *group_of_fd(uint32_t fd)
{
	struct file *file = fd_file((int)fd);
	struct cgroup *group = file ? cgroupfs_group(file) : NULL;

	if (file)
		file_put(file);
	return group;
}

/* ---- BPF_PROG_LOAD ---- */

static bool is_name(const char *name)
{
	size_t len = strnlen(name, BPF_OBJ_NAME_LEN);

	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (!(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && c != '_' && c != '.')
			return false;
	}
	return len < BPF_OBJ_NAME_LEN;
}

static int64_t program_load(const union bpf_attr *attr)
{
	struct ebpf_program *program;
	struct bpf_insn *insns;
	char license[128];
	int64_t rc;

	if (attr->prog_flags & ~(uint32_t)LOAD_FLAGS)
		return -EINVAL;
	rc = strncpy_from_user(license, UADDR(attr->license), sizeof(license));
	if (rc == -EFAULT)
		return rc;
	if (!attr->insn_cnt || attr->insn_cnt > EBPF_INSNS_MAX)
		return -E2BIG;
	if (!ebpf_type_exists(attr->prog_type) || !is_name(attr->prog_name) || attr->prog_btf_fd || attr->attach_btf_id)
		return -EINVAL;
	if (!capable(CAP_NET_ADMIN) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	insns = kmalloc(attr->insn_cnt * sizeof(*insns));
	if (!insns)
		return -ENOMEM;
	rc = copy_from_user(insns, UADDR(attr->insns), attr->insn_cnt * sizeof(*insns));
	if (!rc)
		rc = ebpf_program_create(attr->prog_type, insns, attr->insn_cnt, &program);
	if (attr->log_level && attr->log_buf && attr->log_size) /* there is nothing to tell */
		(void)put_user((char)0, UADDR(attr->log_buf));
	if (rc) {
		kfree(insns);
		return rc;
	}
	memcpy(program->name, attr->prog_name, sizeof(program->name));
	rc = bpf_program_open(program);
	ebpf_program_put(program);
	return rc;
}

/* ---- a group's programs ---- */

static int64_t program_attach(const union bpf_attr *attr)
{
	struct ebpf_program *program, *replaced = NULL;
	struct cgroup *group;
	int64_t rc;

	if (attr->attach_flags & ~(uint32_t)(BPF_F_ALLOW_OVERRIDE | BPF_F_ALLOW_MULTI | BPF_F_REPLACE))
		return -EINVAL;
	if (attr->attach_type != BPF_CGROUP_DEVICE)
		return -EINVAL;
	rc = program_of_fd(attr->attach_bpf_fd, &program);
	if (rc)
		return rc;
	group = group_of_fd(attr->target_fd);
	if (program->type != BPF_PROG_TYPE_CGROUP_DEVICE)
		rc = -EINVAL;
	else if (!group)
		rc = -EBADF;
	else if (attr->attach_flags & BPF_F_ALLOW_MULTI && attr->attach_flags & BPF_F_REPLACE)
		rc = program_of_fd(attr->replace_bpf_fd, &replaced);
	if (!rc)
		rc = device_filter_attach(group, program, attr->attach_flags, replaced);
	if (replaced)
		ebpf_program_put(replaced);
	ebpf_program_put(program);
	return rc;
}

static int64_t program_detach(const union bpf_attr *attr)
{
	struct ebpf_program *program = NULL;
	struct cgroup *group;
	int64_t rc;

	if (attr->attach_type != BPF_CGROUP_DEVICE)
		return -EINVAL;
	group = group_of_fd(attr->target_fd);
	if (!group)
		return -EBADF;
	(void)program_of_fd(attr->attach_bpf_fd, &program); /* none, where there can be only one */
	rc = device_filter_detach(group, program);
	if (program)
		ebpf_program_put(program);
	return rc;
}

static int64_t program_query(const union bpf_attr *attr, uaddr_t user)
{
	uint32_t ids[LIST_MAX], flags, count, room = MIN(attr->query.prog_cnt, LIST_MAX);
	const struct cgroup *group;

	if (!capable(CAP_NET_ADMIN) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (attr->query.query_flags & ~(uint32_t)BPF_F_QUERY_EFFECTIVE || attr->query.attach_type != BPF_CGROUP_DEVICE)
		return -EINVAL;
	group = group_of_fd(attr->query.target_fd);
	if (!group)
		return -EBADF;
	count = device_filter_list(group, attr->query.query_flags & BPF_F_QUERY_EFFECTIVE, ids, room, &flags);
	if (put_user(flags, uaddr_add(user, offsetof(union bpf_attr, query.attach_flags))) ||
		put_user(count, uaddr_add(user, offsetof(union bpf_attr, query.prog_cnt))))
		return -EFAULT;
	if (!count || !attr->query.prog_ids || !attr->query.prog_cnt)
		return 0;
	if (copy_to_user(UADDR(attr->query.prog_ids), ids, MIN(count, room) * sizeof(ids[0])))
		return -EFAULT;
	return room < count ? -ENOSPC : 0;
}

/* ---- what there is ---- */

static int64_t program_by_id(const union bpf_attr *attr)
{
	struct ebpf_program *program;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	program = ebpf_program_find(attr->prog_id);
	return program ? bpf_program_open(program) : -ENOENT;
}

static int64_t program_info(const union bpf_attr *attr, uaddr_t user)
{
	struct bpf_prog_info info = {0};
	uint32_t len = MIN(attr->info.info_len, (uint32_t)sizeof(info));
	struct ebpf_program *program;
	int rc = program_of_fd(attr->info.bpf_fd, &program);

	if (rc)
		return rc;
	info.type = program->type;
	info.id = program->id;
	info.load_time = program->loaded_ns;
	info.created_by_uid = uid_to_user(program->maker_uid);
	memcpy(info.name, program->name, sizeof(info.name));
	ebpf_program_put(program);
	if (copy_to_user(UADDR(attr->info.info), &info, len) ||
		put_user(len, uaddr_add(user, offsetof(union bpf_attr, info.info_len))))
		return -EFAULT;
	return 0;
}

/* Where the last field that a command has ends; 0: there is no such command. */
static size_t fields_of(int command)
{
	switch (command) {
	case BPF_PROG_LOAD:
		return FIELD_END(core_relo_rec_size);
	case BPF_PROG_ATTACH:
		return FIELD_END(replace_bpf_fd);
	case BPF_PROG_DETACH:
		return FIELD_END(attach_type);
	case BPF_PROG_QUERY:
		return FIELD_END(query);
	case BPF_PROG_GET_FD_BY_ID:
		return FIELD_END(open_flags);
	case BPF_OBJ_GET_INFO_BY_FD:
		return FIELD_END(info);
	}
	return 0;
}

static int64_t run(int command, const union bpf_attr *attr, uaddr_t user)
{
	switch (command) {
	case BPF_PROG_LOAD:
		return program_load(attr);
	case BPF_PROG_ATTACH:
		return program_attach(attr);
	case BPF_PROG_DETACH:
		return program_detach(attr);
	case BPF_PROG_QUERY:
		return program_query(attr, user);
	case BPF_PROG_GET_FD_BY_ID:
		return program_by_id(attr);
	default:
		return program_info(attr, user);
	}
}

int64_t sys_bpf(struct regs *regs)
{
	union bpf_attr *attr;
	uint64_t size = (uint32_t)ARG2(regs);
	size_t fields = fields_of(INT0(regs));
	int64_t rc;

	if (!may_use_bpf())
		return -EPERM;
	if (size > PAGE_SIZE)
		return -E2BIG;
	attr = kmalloc(sizeof(*attr));
	if (!attr)
		return -ENOMEM;
	rc = copy_struct_from_user(attr, sizeof(*attr), PTR1(regs), size);
	if (!rc && (!fields || !is_clear_from(attr, fields)))
		rc = -EINVAL;
	if (!rc)
		rc = run(INT0(regs), attr, PTR1(regs));
	kfree(attr);
	return rc;
}
