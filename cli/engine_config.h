/*
 * Changing an engine's configuration file for `install` and `uninstall`: read it whole, make the new text, write it.
 *
 * Order of use: engine_config_read(); engine_docker() or engine_containerd(), which make the new text; then
 * engine_config_write(). A file that is not understood is refused and left as it is, never written anew.
 */
#ifndef CLI_ENGINE_CONFIG_H
#define CLI_ENGINE_CONFIG_H

#include <stdbool.h>

struct engine_config {
	const char *path;
	char *text;   /* as it is; "" if there is none */
	bool exists;
	char *wanted; /* as it is to be; the same as text: nothing to do */
};

/* What the runtime is called, and how it is started. */
struct engine_runtime {
	const char *name;    /* in the engine */
	const char *command; /* the path of ringfence */
	bool remove;
};

/* 0, or 1 after a message. */
int engine_config_read(struct engine_config *config, const char *path);
/* daemon.json: "runtimes". 0, or 1 after a message with the file and the key. */
int engine_docker(struct engine_config *config, const struct engine_runtime *runtime);
/* config.toml: a table between two marks. 0, or 1 after a message with the file and the line. */
int engine_containerd(struct engine_config *config, const struct engine_runtime *runtime);
/* Keeps the old one as PATH.before-ringfence and puts the new one in its place by rename. 0, or 1 after a message. */
int engine_config_write(const struct engine_config *config);

#endif
