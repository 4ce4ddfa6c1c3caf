/*
 * Calls that run or change the machine, which the sentry has no part of: who lacks the capability gets EPERM, as on
 * Linux; who has it gets ENOSYS, since nothing would be done.
 */
#include <linux/capability.h>
#include <linux/errno.h>

#include "kernel/cred.h"
#include "syscalls/syscalls.h"

#define PRIVILEGED(name, capability)                        \
	int64_t sys_##name(struct regs *regs)               \
	{                                                   \
		return capable(capability) ? -ENOSYS : -EPERM; \
	}

PRIVILEGED(acct, CAP_SYS_PACCT)
PRIVILEGED(swapon, CAP_SYS_ADMIN)
PRIVILEGED(swapoff, CAP_SYS_ADMIN)
PRIVILEGED(reboot, CAP_SYS_BOOT)
PRIVILEGED(iopl, CAP_SYS_RAWIO)
PRIVILEGED(ioperm, CAP_SYS_RAWIO)
PRIVILEGED(init_module, CAP_SYS_MODULE)
PRIVILEGED(finit_module, CAP_SYS_MODULE)
PRIVILEGED(delete_module, CAP_SYS_MODULE)
PRIVILEGED(kexec_load, CAP_SYS_BOOT)
PRIVILEGED(kexec_file_load, CAP_SYS_BOOT)
PRIVILEGED(vhangup, CAP_SYS_TTY_CONFIG)
PRIVILEGED(open_by_handle_at, CAP_DAC_READ_SEARCH)
