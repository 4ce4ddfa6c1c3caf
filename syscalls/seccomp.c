/* seccomp(2) and prctl(PR_SET_SECCOMP): fetch the program, ask kernel/seccomp.c. */
#include <linux/errno.h>
#include <linux/seccomp.h>

#include "kernel/mm.h"
#include "kernel/seccomp.h"
#include "kernel/seccomp_notify.h"
#include "kernel/task.h"
#include "ring0/usercopy.h"
#include "syscalls/syscalls.h"
#include "vfs/anon/anon.h"

static bool flags_go_together(uint64_t flags)
{
	if (flags & ~(uint64_t)SECCOMP_KNOWN_FLAGS)
		return false;
	/* Both answer with a number: which one it is must be clear. */
	if ((flags & SECCOMP_FILTER_FLAG_TSYNC) && (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) &&
		!(flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH))
		return false;
	return !(flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) || (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

/* The filter with a listener: its descriptor. */
static int64_t set_listened(const struct sock_filter *program, unsigned count, unsigned flags)
{
	struct seccomp_listener *listener = seccomp_listener_create(flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);

	if (!listener)
		return -ENOMEM;
	int fd = seccomp_listener_open(listener);
	int rc = fd < 0 ? fd : seccomp_set_filter(program, count, flags, listener);
	seccomp_listener_put(listener);
	if (rc && fd >= 0)
		fd_close(fd);
	return rc ? rc : fd;
}

static int64_t set_filter(uint64_t flags, uaddr_t user)
{
	struct {
		uint16_t len;
		uint64_t filter;
	} head;

	if (!flags_go_together(flags))
		return -EINVAL;
	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.len == 0 || head.len > BPF_MAXINSNS)
		return -EINVAL;
	if (!seccomp_permitted())
		return -EACCES;
	uint64_t size = head.len * sizeof(struct sock_filter);
	struct sock_filter *program = kmalloc(size);
	if (!program)
		return -ENOMEM;
	int64_t rc = -EFAULT;
	if (!copy_from_user(program, UADDR(head.filter), size)) {
		rc = flags & SECCOMP_FILTER_FLAG_NEW_LISTENER ? set_listened(program, head.len, (unsigned)flags) :
			seccomp_set_filter(program, head.len, (unsigned)flags, NULL);
	}
	kfree(program);
	return rc;
}

static int64_t notification_sizes(uaddr_t user)
{
	static const struct seccomp_notif_sizes sizes = {sizeof(struct seccomp_notif), sizeof(struct seccomp_notif_resp),
		sizeof(struct seccomp_data)};

	return copy_to_user(user, &sizes, sizeof(sizes));
}

static int64_t action_available(uaddr_t user)
{
	uint32_t action;

	if (get_user(action, user))
		return -EFAULT;
	return seccomp_action_known(action) ? 0 : -EOPNOTSUPP;
}

int64_t seccomp_prctl(uint64_t mode, uaddr_t program)
{
	switch (mode) {
	case SECCOMP_MODE_STRICT:
		return seccomp_set_strict();
	case SECCOMP_MODE_FILTER:
		return set_filter(0, program);
	}
	return -EINVAL;
}

int64_t sys_seccomp(struct regs *regs)
{
	uint32_t operation = (uint32_t)ARG0(regs), flags = (uint32_t)ARG1(regs);

	switch (operation) {
	case SECCOMP_SET_MODE_STRICT:
		return flags || ARG2(regs) ? -EINVAL : seccomp_set_strict();
	case SECCOMP_SET_MODE_FILTER:
		return set_filter(flags, PTR2(regs));
	case SECCOMP_GET_NOTIF_SIZES:
		return flags ? -EINVAL : notification_sizes(PTR2(regs));
	case SECCOMP_GET_ACTION_AVAIL:
		return flags ? -EINVAL : action_available(PTR2(regs));
	}
	return -EINVAL;
}
