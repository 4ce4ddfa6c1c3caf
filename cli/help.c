/* `ringfence help`: what the command can do, on standard output. */
#include "cli/cli.h"

int command_help(int argc, char **argv)
{
	fputs("Usage: ringfence [OPTION]... COMMAND [ARGUMENT]...\n"
	      "Runs containers on a kernel of their own.\n"
	      "\n"
	      "Commands:\n"
	      "  create [-b BUNDLE] ID make a container that waits for start (--pid-file, --console-socket)\n"
	      "  start ID              let its program begin\n"
	      "  state ID              its state as JSON\n"
	      "  kill [-a] ID [SIGNAL] send a signal (SIGTERM) to its first process, or to all\n"
	      "  delete [--force] ID   forget it and what it holds\n"
	      "  exec [-t] [-d] ID CMD run a further process in it (--user, --cwd, --env, --cap, --process, --pid-file)\n"
	      "  ps [-f json] ID       its processes\n"
	      "  pause ID, resume ID   stop all of them, and let them go on\n"
	      "  events [--stats] ID   statistics and out-of-memory events, as JSON lines\n"
	      "  debug ID WHAT         tasks, counters, strace on, strace off: a look into its kernel\n"
	      "  list [-f json] [-q]   the containers\n"
	      "  wait ID               wait for its end; returns its exit status\n"
	      "  run [-b BUNDLE] ID    create, start, wait, delete; returns its exit status (-d: leave it running)\n"
	      "  do [--] CMD [ARG]...  run CMD on this machine's own files, which it can read and not change\n"
	      "  spec [-b BUNDLE]      write a config.json to start from\n"
	      "  version               print the version\n"
	      "  help                  print this text\n"
	      "  platform              print which platform is used here, and why\n"
	      "  filters               print the system calls that each host thread may make\n"
	      "\n"
	      "Options:\n"
	      "  --platform=auto|kvm|systrap|ptrace\n"
	      "                              the machine under the sandbox's kernel (auto)\n"
	      "  --network=sandbox|none      sandbox (the default): the network namespace that config.json names is taken over;\n"
	      "                              none, or a container without one: loopback only\n"
	      "  --root=DIR                  where state is kept (/run/ringfence)\n"
	      "  --log=PATH                  errors go there too, for an engine; --log-format=text|json\n"
	      "  --overlay                   changes of the root stay in the sandbox's memory\n"
	      "  --cgroup-manager=cgroupfs|disabled  the host's control groups\n"
	      "  --debug                     debug lines in the log\n"
	      "  --debug-log=PATH            the log goes to this file (%ID% %COMMAND% %TIMESTAMP%)\n"
	      "  --strace                    the container's system calls in the log\n",
		stdout);
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
