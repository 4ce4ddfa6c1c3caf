/*
 * `ringfence spec [-b BUNDLE] [--rootless]`: a config.json to start from, as the specification's examples have it. For
 * an ordinary user without what only root can do, and with a user namespace in which the user is root.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/oci.h"
#include "cli/options.h"

#define CAPS "[\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"]"

static const char resources[] = "    \"resources\": {\"devices\": [{\"allow\": false, \"access\": \"rwm\"}]},\n";

/* For printf: the gid of terminals, resources or mappings, and the namespace that differs. */
static const char text[] =
	"{\n"
	"  \"ociVersion\": \"" OCI_VERSION "\",\n"
	"  \"process\": {\n"
	"    \"terminal\": true,\n"
	"    \"user\": {\"uid\": 0, \"gid\": 0},\n"
	"    \"args\": [\"sh\"],\n"
	"    \"env\": [\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\", \"TERM=xterm\"],\n"
	"    \"cwd\": \"/\",\n"
	"    \"capabilities\": {\n"
	"      \"bounding\": " CAPS ",\n"
	"      \"effective\": " CAPS ",\n"
	"      \"permitted\": " CAPS "\n"
	"    },\n"
	"    \"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"hard\": 1024, \"soft\": 1024}],\n"
	"    \"noNewPrivileges\": true\n"
	"  },\n"
	"  \"root\": {\"path\": \"rootfs\", \"readonly\": true},\n"
	"  \"hostname\": \"ringfence\",\n"
	"  \"mounts\": [\n"
	"    {\"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\"},\n"
	"    {\"destination\": \"/dev\", \"type\": \"tmpfs\", \"source\": \"tmpfs\",\n"
	"      \"options\": [\"nosuid\", \"strictatime\", \"mode=755\", \"size=65536k\"]},\n"
	"    {\"destination\": \"/dev/pts\", \"type\": \"devpts\", \"source\": \"devpts\",\n"
	"      \"options\": [\"nosuid\", \"noexec\", \"newinstance\", \"ptmxmode=0666\", \"mode=0620\"%s]},\n"
	"    {\"destination\": \"/dev/shm\", \"type\": \"tmpfs\", \"source\": \"shm\",\n"
	"      \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"mode=1777\", \"size=65536k\"]},\n"
	"    {\"destination\": \"/sys\", \"type\": \"sysfs\", \"source\": \"sysfs\",\n"
	"      \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"ro\"]}\n"
	"  ],\n"
	"  \"linux\": {\n"
	"%s    \"namespaces\": [{\"type\": \"pid\"}, {\"type\": \"%s\"}, {\"type\": \"ipc\"}, {\"type\": \"uts\"},\n"
	"      {\"type\": \"mount\"}, {\"type\": \"cgroup\"}],\n"
	"    \"maskedPaths\": [\"/proc/acpi\", \"/proc/kcore\", \"/proc/keys\", \"/proc/latency_stats\",\n"
	"      \"/proc/timer_list\", \"/proc/timer_stats\", \"/proc/sched_debug\", \"/proc/scsi\", \"/sys/firmware\"],\n"
	"    \"readonlyPaths\": [\"/proc/bus\", \"/proc/fs\", \"/proc/irq\", \"/proc/sys\", \"/proc/sysrq-trigger\"]\n"
	"  }\n"
	"}\n";

/* Writes the text; false: it could not be written. */
static bool put_text(FILE *file, bool rootless)
{
	char maps[200];

	snprintf(maps, sizeof(maps), "    \"uidMappings\": [{\"containerID\": 0, \"hostID\": %u, \"size\": 1}],\n"
		"    \"gidMappings\": [{\"containerID\": 0, \"hostID\": %u, \"size\": 1}],\n", (unsigned)geteuid(), (unsigned)getegid());
	fprintf(file, text, rootless ? "" : ", \"gid=5\"", rootless ? maps : resources, rootless ? "user" : "network");
	return fflush(file) == 0 && !ferror(file);
}

int command_spec(int argc, char **argv)
{
	const char *bundle = ".";
	bool rootless = false;
	const struct option_entry options[] = {
		{"bundle", 'b', "DIR", "where config.json is written (this directory)", .value = &bundle},
		{"rootless", .help = "for an ordinary user: this one", .flag = &rootless},
		{0}};
	char path[4096], **words;

	if (options_parse(argc, argv, options, 0, 0, &words))
		return 1;
	snprintf(path, sizeof(path), "%s/config.json", bundle);
	AUTO_FILE FILE *file = fopen(path, "wxe");
	if (!file)
		return cli_error("%s: %s", path, strerror(errno));
	if (!put_text(file, rootless)) {
		int error = errno;
		unlink(path);
		return cli_error("%s: %s", path, strerror(error));
	}
	return 0;
}
