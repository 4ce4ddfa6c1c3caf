/*
 * Which platform a sandbox gets: what was asked for, or for `auto` KVM if its self-test
 * passes here, else systrap where the host has what it needs, else ptrace.
 *
 * platform_select() is called before anything of the sandbox exists. The self-test's
 * verdict is kept in the state directory under the host's boot id, kernel and CPU, so
 * that only the first sandbox after a boot pays for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "platform/internal.h"

#define VERDICT_FILE "kvm-self-test"

/* "boot-id release microcode-free CPU name", one line. */
static void host_key(char *key, size_t size)
{
	struct utsname name;
	char boot_id[64] = "";
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		ssize_t n = read(fd, boot_id, sizeof(boot_id) - 1);
		boot_id[n > 0 ? n : 0] = '\0';
		boot_id[strcspn(boot_id, "\n")] = '\0';
		close(fd);
	}
	uname(&name);
	unsigned a = 1, b, c = 0, d;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	snprintf(key, size, "%s %s %s %08x", RF_VERSION, boot_id, name.release, a);
}

/* 1 passed, 0 failed (why is filled), -1 not known. */
static int read_verdict(const char *dir, const char *key, char *why, size_t size)
{
	char path[512], line[512];
	int verdict = -1;

	snprintf(path, sizeof(path), "%s/%s", dir, VERDICT_FILE);
	FILE *file = fopen(path, "re");
	if (!file)
		return -1;
	if (fgets(line, sizeof(line), file) && strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == '\n' &&
	    fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		verdict = strcmp(line, "passed") == 0;
		snprintf(why, size, "%.150s (kept verdict)", verdict ? "the self-test passed" : line);
	}
	fclose(file);
	return verdict;
}

static void write_verdict(const char *dir, const char *key, const char *verdict)
{
	char path[512], temporary[544];

	snprintf(path, sizeof(path), "%s/%s", dir, VERDICT_FILE);
	snprintf(temporary, sizeof(temporary), "%s.%d", path, (int)getpid());
	mkdir(dir, 0700);
	FILE *file = fopen(temporary, "we");
	if (!file)
		return; /* it will be tested again */
	fprintf(file, "%s\n%s\n", key, verdict);
	if (fclose(file) != 0 || rename(temporary, path) < 0)
		unlink(temporary);
}

static int probe_kvm(const char *state_dir, char *why, size_t size)
{
	char key[256];
	int known = -1;

	host_key(key, sizeof(key));
	if (state_dir)
		known = read_verdict(state_dir, key, why, size);
	if (known == 1 && access("/dev/kvm", R_OK | W_OK) < 0) {
		snprintf(why, size, "/dev/kvm: %s", strerror(errno));
		return -errno;
	}
	if (known >= 0)
		return known ? 0 : -ENODEV;
	int error = kvm_platform.probe(why, size);
	if (!error)
		snprintf(why, size, "the self-test passed");
	/* A device that is missing or forbidden may come, and a busy host may be too slow; only the test's own verdict is kept. */
	if (state_dir && error != -ETIMEDOUT && access("/dev/kvm", R_OK | W_OK) == 0)
		write_verdict(state_dir, key, error ? why : "passed");
	return error;
}

/* In the order that `auto` tries them. */
static const struct platform_ops *const platforms[] = {&kvm_platform, &systrap_platform, &ptrace_platform};

const struct platform_ops *platform_named(const char *name)
{
	for (size_t i = 0; i < sizeof(platforms) / sizeof(platforms[0]); i++)
		if (strcmp(platforms[i]->name, name) == 0)
			return platforms[i];
	return NULL;
}

static int probe(const struct platform_ops *platform, const char *state_dir, char *why, size_t size)
{
	return platform == &kvm_platform ? probe_kvm(state_dir, why, size) : platform->probe(why, size);
}

/* The first that works; what is wrong with those before it goes to why. */
static int select_first(const char *state_dir, char *chosen, size_t chosen_size, char *why, size_t why_size)
{
	char reasons[512] = "", reason[160];
	int error = -ENODEV;

	for (size_t i = 0; i < sizeof(platforms) / sizeof(platforms[0]); i++) {
		size_t used = strlen(reasons);

		error = probe(platforms[i], state_dir, reason, sizeof(reason));
		if (!error) {
			snprintf(chosen, chosen_size, "%s", platforms[i]->name);
			if (used)
				snprintf(why, why_size, "what is preferred is not used: %s", reasons);
			else
				snprintf(why, why_size, "%s", reason);
			return 0;
		}
		snprintf(reasons + used, sizeof(reasons) - used, "%s%s", used ? "; " : "", reason);
	}
	snprintf(why, why_size, "%s", reasons);
	return error;
}

int platform_select(const char *requested, const char *state_dir, char *chosen, size_t chosen_size, char *why,
	size_t why_size)
{
	const struct platform_ops *platform = platform_named(requested);
	int error;

	if (strcmp(requested, "auto") == 0)
		return select_first(state_dir, chosen, chosen_size, why, why_size);
	if (!platform) {
		snprintf(why, why_size, "no such platform: auto, kvm, systrap or ptrace");
		return -EINVAL;
	}
	snprintf(why, why_size, "as asked");
	error = probe(platform, state_dir, why, why_size);
	snprintf(chosen, chosen_size, "%s", platform->name);
	return error;
}
