/* The names of uname(2), as the container's configuration gives them. sethostname(2) changes them. */
#include "kernel/uts.h"
#include "kernel/container.h"
#include "ring0/lib.h"

char uts_nodename[65], uts_domainname[65] = "(none)";
static bool done;

void uts_init(void)
{
	const struct container_config *config = &first_container.config;

	if (done)
		return;
	done = true;
	rf_strlcpy(uts_nodename, config->hostname ? config->hostname : "localhost", sizeof(uts_nodename));
	if (config->domainname)
		rf_strlcpy(uts_domainname, config->domainname, sizeof(uts_domainname));
}
