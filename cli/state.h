/*
 * The state of a container: one directory a container under --root.
 *
 *	ROOT/ID/lock          locked by flock(2) while a command changes the state
 *	ROOT/ID/state.json    what is recorded; replaced as a whole by rename; not synced, as no container outlives the host
 *	ROOT/ID/config.json   the bundle's configuration as it was at creation
 *	ROOT/ID/control.sock  the sandbox's control channel (platform/abi/control.h)
 *
 *	creating --> created --> running <--> paused        recorded, by the command that does it
 *	    \___________\___________\___________\__> stopped    never recorded: the sandbox's process is gone
 *
 * Commands that only look read state.json without the lock.
 */
#ifndef CLI_STATE_H
#define CLI_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "cli/container.h"

enum state_status { STATE_CREATING, STATE_CREATED, STATE_RUNNING, STATE_PAUSED, STATE_STOPPED };

struct state {
	char directory[4096];
	int lock_fd; /* -1: not held */
	char *id, *bundle, *rootfs, *created, *owner;
	enum state_status recorded;
	pid_t pid;             /* of boot; 0: none yet */
	uint64_t pid_start;    /* its start time (proc(5), field 22): a number used again is not it */
	struct strings annotations; /* key, value, key, value... */
	struct strings cgroups;     /* directories that were made for it, outermost first */
	char *unit;                 /* of systemd, that holds its processes; NULL: none */
	bool terminal;
	bool debug_log;        /* its sandbox has one */
	bool takes_network;    /* at start, what is in its network namespace becomes the sandbox's */
	bool network_managed;  /* by whoever gave it or its hooks: links may come to it while the container runs */
	bool shows_network;    /* at start, that is told to the sandbox, which uses the host's sockets */
	char *sandbox;         /* the ID of the container in whose sandbox this one runs; NULL: its own */
	uint32_t container;    /* its number there */
	int64_t cpu_quota, cpu_period; /* as `update` left them; 0: as the configuration has them */
};

/* The state directory itself (not created). 0, or 1 after a message. */
int state_root(char *path, size_t size);
/* 0, or 1 after a message: not a name for a container. */
int state_check_id(const char *id);

/* Claims `id`, which is checked: makes the directory and locks it; nothing is recorded yet. 0, or 1 after a message. */
int state_create(struct state *state, const char *id);
/* Records it. 0, or 1 after a message; then what was recorded before stands. */
int state_save(const struct state *state);
enum state_open { STATE_LOOK, STATE_LOCK, STATE_PEEK };
/* Reads it. 0, or 1 after a message (STATE_PEEK: without): `container "x" does not exist`, or what is wrong with its file. */
int state_open(struct state *state, const char *id, enum state_open how);
bool state_exists(const char *id);
/* Locks what state_open() looked at, whatever its file says. Waits for `patience_ms` at most. No message. */
enum state_claim { STATE_CLAIMED, STATE_GONE, STATE_BUSY };
enum state_claim state_claim(struct state *state, int patience_ms);
/* Is there something recorded under this name. */
bool state_is_container(const char *name);
/* Which recording it is: each has another. False: there is none. */
struct state_version {
	uint64_t file;
	struct timespec written;
};
bool state_version(const char *name, struct state_version *version);
/* What it is now: as recorded, or stopped if its process has gone. */
enum state_status state_status(const struct state *state);
const char *state_status_name(enum state_status status);
void state_set_process(struct state *state, pid_t pid);
/* Nothing is left of it; the lock is given up. */
void state_remove(struct state *state);
void state_close(struct state *state);
/* For whoever reads many: the memory of what was read. */
void state_free(struct state *state);

/* The OCI state as JSON on a file; `status` given. malloc'ed text, or NULL after a message. */
char *state_json(const struct state *state, enum state_status status);
/* A listening socket for the control channel, or a connection to it, which waits so long at most to be let in and to send. -1 and errno. */
int state_listen(const struct state *state);
int state_connect(const struct state *state, int patience_ms);
/* PATH of a file in its directory. */
void state_path(const struct state *state, const char *name, char *path, size_t size);

/* The start time of a process that lives (is no zombie), or 0. */
uint64_t process_start(pid_t pid);

#endif
