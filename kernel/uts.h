/* What uname(2) shows. One set of names: the container has no UTS namespaces of its own. kernel/uts.c. */
#ifndef KERNEL_UTS_H
#define KERNEL_UTS_H

#define UTS_RELEASE "6.1.0-ringfence"
#define UTS_VERSION "#1 SMP PREEMPT_DYNAMIC ringfence"

extern char uts_nodename[65], uts_domainname[65];
void uts_init(void); /* from the container's configuration; the first caller of uname() does it too */

#endif
