/* What uname(2) shows: fixed versions, and the names of a UTS namespace (kernel/namespaces.h). kernel/uts.c. */
#ifndef KERNEL_UTS_H
#define KERNEL_UTS_H

#include "kernel/config.h"
#include "kernel/namespaces.h"

#define UTS_RELEASE "6.1.0-ringfence"
#define UTS_VERSION "#1 SMP PREEMPT_DYNAMIC ringfence"

#define uts_nodename (current->ns->uts->nodename) /* 65 bytes each */
#define uts_domainname (current->ns->uts->domainname)
void uts_set(struct uts_ns *uts, const struct container_config *config);

#endif
