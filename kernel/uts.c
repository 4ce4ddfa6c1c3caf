/* The names of uname(2), as the container's configuration gives them. sethostname(2) changes them. */
#include "kernel/uts.h"
#include "ring0/lib.h"

void uts_set(struct uts_ns *uts, const struct container_config *config)
{
	rf_strlcpy(uts->nodename, config->hostname ? config->hostname : "localhost", sizeof(uts->nodename));
	rf_strlcpy(uts->domainname, config->domainname ? config->domainname : "(none)", sizeof(uts->domainname));
}
