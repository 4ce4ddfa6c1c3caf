/*
 * `ringfence features`: what of the OCI runtime specification is done, as its features.md has it. 1.2.0 is not: it has
 * idmapped mounts as options (idmap, ridmap).
 */
#include "cli/cli.h"
#include "cli/oci.h"
#include "cli/options.h"
#include "cli/cgroup.h"

static const char head[] =
	"{\n"
	"  \"ociVersionMin\": \"1.0.0\",\n"
	"  \"ociVersionMax\": \"" OCI_VERSION "\",\n"
	"  \"hooks\": [\"prestart\", \"createRuntime\", \"createContainer\", \"poststart\", \"poststop\"],\n"
	"  \"mountOptions\": [";

static const char tail[] =
	"],\n"
	"    \"cgroup\": {\"v1\": true, \"v2\": true, \"systemd\": true, \"systemdUser\": true, \"rdma\": false},\n"
	"    \"seccomp\": {\n"
	"      \"enabled\": true,\n"
	"      \"actions\": [\"SCMP_ACT_ALLOW\", \"SCMP_ACT_ERRNO\", \"SCMP_ACT_KILL\", \"SCMP_ACT_KILL_PROCESS\",\n"
	"        \"SCMP_ACT_KILL_THREAD\", \"SCMP_ACT_LOG\", \"SCMP_ACT_TRACE\", \"SCMP_ACT_TRAP\"],\n"
	"      \"operators\": [\"SCMP_CMP_EQ\", \"SCMP_CMP_GE\", \"SCMP_CMP_GT\", \"SCMP_CMP_LE\", \"SCMP_CMP_LT\",\n"
	"        \"SCMP_CMP_MASKED_EQ\", \"SCMP_CMP_NE\"],\n"
	"      \"archs\": [\"SCMP_ARCH_X32\", \"SCMP_ARCH_X86\", \"SCMP_ARCH_X86_64\"],\n"
	"      \"knownFlags\": [\"SECCOMP_FILTER_FLAG_LOG\", \"SECCOMP_FILTER_FLAG_SPEC_ALLOW\", \"SECCOMP_FILTER_FLAG_TSYNC\"],\n"
	"      \"supportedFlags\": [\"SECCOMP_FILTER_FLAG_LOG\", \"SECCOMP_FILTER_FLAG_SPEC_ALLOW\","
	" \"SECCOMP_FILTER_FLAG_TSYNC\"]\n"
	"    },\n"
	"    \"apparmor\": {\"enabled\": false},\n"
	"    \"selinux\": {\"enabled\": false},\n"
	"    \"intelRdt\": {\"enabled\": false},\n"
	"    \"mountExtensions\": {\"idmap\": {\"enabled\": false}}\n"
	"  },\n"
	"  \"potentiallyUnsafeConfigAnnotations\": [\"dev.ringfence.flag.\", \"" SCOPE_PROPERTY_PREFIX "\"],\n"
	"  \"annotations\": {\"io.ringfence.version\": \"" RF_VERSION "\"}\n"
	"}\n";

int command_features(int argc, char **argv)
{
	const char *name;
	char **words;

	if (options_parse(argc, argv, NULL, 0, 0, &words))
		return 1;
	fputs(head, stdout);
	for (int i = 0; (name = oci_mount_option(i)); i++)
		printf("%s\"%s\"", i ? ", " : "", name);
	fputs("],\n  \"linux\": {\n    \"namespaces\": [\"cgroup\", \"ipc\", \"mount\", \"network\", \"pid\", \"time\", \"user\", \"uts\"],\n"
	      "    \"capabilities\": [",
		stdout);
	for (int i = 0; (name = oci_capability_name(i)); i++)
		printf("%s\"%s\"", i ? ", " : "", name);
	fputs(tail, stdout);
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
