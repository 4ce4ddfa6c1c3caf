/* The names of uname(2), as the container's configuration gives them. sethostname(2) changes them. */
#include "kernel/uts.h"
#include "kernel/config.h"
#include "ring0/lib.h"

char uts_nodename[65], uts_domainname[65] = "(none)";
static bool done;

void uts_init(void)
{
	if (done)
		return;
	done = true;
	rf_strlcpy(uts_nodename, container.hostname ? container.hostname : "localhost", sizeof(uts_nodename));
	if (container.domainname)
		rf_strlcpy(uts_domainname, container.domainname, sizeof(uts_domainname));
}
