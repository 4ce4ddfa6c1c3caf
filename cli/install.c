/*
 * `ringfence install` and `uninstall`: make ringfence known to Docker and containerd, or forgotten.
 *
 * Both are safe to repeat; what a file had before is kept beside it. Engines are not restarted: how is said instead.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/engine_config.h"
#include "cli/options.h"

static const struct engine {
	const char *name, *file, *folder, *reload;
	int (*change)(struct engine_config *config, const struct engine_runtime *runtime);
} engines[] = {
	{"docker", "/etc/docker/daemon.json", "/etc/docker", "systemctl reload docker", engine_docker},
	{"containerd", "/etc/containerd/config.toml", "/etc/containerd", "systemctl restart containerd", engine_containerd},
};

#define ENGINES (sizeof(engines) / sizeof(engines[0]))

static int change(const struct engine *engine, const char *path, const struct engine_runtime *runtime, bool dry)
{
	struct engine_config config;

	if (engine_config_read(&config, path) || engine->change(&config, runtime))
		return 1;
	if (strcmp(config.wanted, config.text) == 0) {
		printf("%s: nothing to do\n", path);
		return 0;
	}
	if (dry) {
		printf("%s would be:\n%s", path, config.wanted);
		return 0;
	}
	if (engine_config_write(&config))
		return 1;
	printf("%s: runtime %s %s%s%s; to take effect: %s\n", path, runtime->name, runtime->remove ? "removed" : "added",
		config.exists ? ", the old file is " : "", config.exists ? "beside it with .before-ringfence" : "", engine->reload);
	return 0;
}

/* Engines are started by name in lines of their configuration, and handlers are labels in Kubernetes. */
static int check_name(const char *name)
{
	size_t length = strlen(name);

	for (const char *c = name; *c; c++) {
		if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '-')
			return cli_error("--runtime: %.60s: small letters, digits and - only", name);
	}
	return length >= 1 && length <= 63 ? 0 : cli_error("--runtime: 1 to 63 characters");
}

static int run(int argc, char **argv, bool remove)
{
	const char *files[ENGINES] = {NULL}, *name = "ringfence";
	char self[4096], **words;
	bool dry = false, any = false;
	const struct option_entry options[] = {
		{"docker-config", .argument = "FILE", .help = "docker's (/etc/docker/daemon.json)", .value = &files[0]},
		{"containerd-config", .argument = "FILE", .help = "containerd's (/etc/containerd/config.toml)", .value = &files[1]},
		{"runtime", .argument = "NAME", .help = "what the engine calls it (ringfence)", .value = &name},
		{"dry-run", .help = "print the file as it would be", .flag = &dry},
		{0}};

	if (options_parse(argc, argv, options, 0, -1, &words) || check_name(name))
		return 1;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return cli_error("/proc/self/exe: %s", strerror(errno));
	self[n] = '\0';
	const struct engine_runtime runtime = {name, self, remove};
	for (char **word = words; *word; word++) {
		if (strcmp(*word, "docker") != 0 && strcmp(*word, "containerd") != 0)
			return cli_error("%.60s: no such engine: docker, containerd", *word);
	}
	for (size_t i = 0; i < ENGINES; i++) {
		bool wanted = !words[0] && (files[i] || access(engines[i].folder, F_OK) == 0);
		for (char **word = words; *word; word++)
			wanted |= strcmp(*word, engines[i].name) == 0;
		any |= wanted;
		if (wanted && change(&engines[i], files[i] ? files[i] : engines[i].file, &runtime, dry))
			return 1;
	}
	if (!any)
		return cli_error("neither docker nor containerd is here: name one, or its file");
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}

int command_install(int argc, char **argv)
{
	return run(argc, argv, false);
}

int command_uninstall(int argc, char **argv)
{
	return run(argc, argv, true);
}
