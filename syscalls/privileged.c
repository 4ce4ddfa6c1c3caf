/*
 * Calls that run or change the machine, which the sentry has no part of: who lacks the capability gets EPERM, as on
 * Linux; who has it gets ENOSYS, since nothing would be done. reboot(2) is about the caller's pid namespace, as in any
 * container: its first process ends.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/reboot.h>

#include "kernel/cred.h"
#include "kernel/namespaces.h"
#include "kernel/user_ns.h"
#include "syscalls/syscalls.h"

#define PRIVILEGED(name, capability)                        \
	int64_t sys_##name(struct regs *regs)               \
	{                                                   \
		return capable(capability) ? -ENOSYS : -EPERM; \
	}

PRIVILEGED(acct, CAP_SYS_PACCT)
PRIVILEGED(swapon, CAP_SYS_ADMIN)
PRIVILEGED(swapoff, CAP_SYS_ADMIN)
PRIVILEGED(iopl, CAP_SYS_RAWIO)
PRIVILEGED(ioperm, CAP_SYS_RAWIO)
PRIVILEGED(init_module, CAP_SYS_MODULE)
PRIVILEGED(finit_module, CAP_SYS_MODULE)
PRIVILEGED(delete_module, CAP_SYS_MODULE)
PRIVILEGED(kexec_load, CAP_SYS_BOOT)
PRIVILEGED(kexec_file_load, CAP_SYS_BOOT)
PRIVILEGED(vhangup, CAP_SYS_TTY_CONFIG)
PRIVILEGED(open_by_handle_at, CAP_DAC_READ_SEARCH)

static bool is_reboot_magic(uint32_t magic1, uint32_t magic2)
{
	return magic1 == LINUX_REBOOT_MAGIC1 && (magic2 == LINUX_REBOOT_MAGIC2 || magic2 == LINUX_REBOOT_MAGIC2A ||
		magic2 == LINUX_REBOOT_MAGIC2B || magic2 == LINUX_REBOOT_MAGIC2C);
}

int64_t sys_reboot(struct regs *regs)
{
	if (!owner_capable(&current->process->pid_ns->ns, CAP_SYS_BOOT))
		return -EPERM;
	if (!is_reboot_magic((uint32_t)ARG0(regs), (uint32_t)ARG1(regs)))
		return -EINVAL;
	switch ((uint32_t)ARG2(regs)) {
	case LINUX_REBOOT_CMD_RESTART:
	case LINUX_REBOOT_CMD_RESTART2:
		return pid_ns_reboot(true);
	case LINUX_REBOOT_CMD_HALT:
	case LINUX_REBOOT_CMD_POWER_OFF:
		return pid_ns_reboot(false);
	}
	return -EINVAL;
}
