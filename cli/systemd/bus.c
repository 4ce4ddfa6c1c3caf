/* Calls to systemd's manager, by GLib's D-Bus: see bus.h. */
#include <gio/gio.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/systemd/bus.h"

#define NAME "org.freedesktop.systemd1"
#define PATH "/org/freedesktop/systemd1"
#define MANAGER NAME ".Manager"
#define UNIT_EXISTS NAME ".UnitExists"
#define NO_SUCH_UNIT NAME ".NoSuchUnit"
#define CALL_MS 25000
#define JOB_SECONDS 30 /* as runc waits */

static GDBusConnection *bus;
static const char *peer; /* the manager's name; NULL: no bus daemon between us and it */

/* What is waited for: the end of a job. */
struct job {
	const char *path; /* NULL: not known yet, or over */
	char *result;
	GMainLoop *loop;
};

static int complain(const char *unit, const char *what, const char *why)
{
	fprintf(stderr, "%s %s: %s\n", what, unit, why);
	return 1;
}

/* Takes the error over. */
static int complain_of(const char *unit, const char *what, GError *error)
{
	g_dbus_error_strip_remote_error(error);
	complain(unit, what, error->message);
	g_error_free(error);
	return 1;
}

static bool is_named(const GError *error, const char *name)
{
	g_autofree char *its = error ? g_dbus_error_get_remote_error(error) : NULL;

	return its && strcmp(its, name) == 0;
}

/* ---- the connection ---- */

/* NULL: it has none. */
static char *address_of(enum bus_whose whose)
{
	const char *given = g_getenv(whose == BUS_USER ? "DBUS_SESSION_BUS_ADDRESS" : "DBUS_SYSTEM_BUS_ADDRESS");
	const char *runtime = g_getenv("XDG_RUNTIME_DIR");

	if (given && given[0])
		return g_strdup(given);
	if (whose == BUS_SYSTEM)
		return g_strdup("unix:path=/run/dbus/system_bus_socket");
	return runtime && runtime[0] ? g_strdup_printf("unix:path=%s/bus", runtime) : NULL;
}

static char *private_address_of(enum bus_whose whose)
{
	const char *runtime = g_getenv("XDG_RUNTIME_DIR");

	if (whose == BUS_SYSTEM)
		return g_strdup("unix:path=/run/systemd/private");
	return runtime && runtime[0] ? g_strdup_printf("unix:path=%s/systemd/private", runtime) : NULL;
}

/*
 * The other side knows us by the socket: in a user namespace our own number is not the one that it has. GLib 2.74 has that flag, but its
 * g_dbus_connection_new_for_address_sync() does not let it through.
 */
static GDBusConnection *connect_to(const char *address, GDBusConnectionFlags flags, GError **error)
{
	flags |= G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT | G_DBUS_CONNECTION_FLAGS_CROSS_NAMESPACE;
	return g_initable_new(G_TYPE_DBUS_CONNECTION, NULL, error, "address", address, "flags", flags, NULL);
}

int bus_open(enum bus_whose whose)
{
	static const char what[] = "connecting to systemd's";
	const char *manager = whose == BUS_USER ? "manager of the user" : "manager";
	g_autofree char *address = address_of(whose), *private = private_address_of(whose);
	GError *error = NULL;

	if (!address)
		return complain(manager, what, "neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set");
	bus = connect_to(address, G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION, &error);
	peer = bus ? NAME : NULL;
	if (!bus && private)
		bus = connect_to(private, G_DBUS_CONNECTION_FLAGS_NONE, NULL);
	if (!bus)
		return complain_of(manager, what, error);
	g_clear_error(&error); /* of the bus, which is not needed then */
	return 0;
}

/* A call of the manager's. The answer, or NULL with the error set. Takes floating arguments over. */
static GVariant *ask(const char *method, GVariant *arguments, const char *answer, GError **error)
{
	return g_dbus_connection_call_sync(bus, peer, PATH, MANAGER, method, arguments, answer ? G_VARIANT_TYPE(answer) : NULL,
		G_DBUS_CALL_FLAGS_NONE, CALL_MS, NULL, error);
}

static void ask_in_vain(const char *method, GVariant *arguments)
{
	GVariant *answer = ask(method, arguments, NULL, NULL);

	if (answer)
		g_variant_unref(answer);
}

/* ---- jobs ---- */

static void end_job(struct job *job, const char *result)
{
	if (!job->path)
		return;
	job->path = NULL;
	job->result = g_strdup(result);
	g_main_loop_quit(job->loop);
}

static void job_removed(GDBusConnection *connection, const char *sender, const char *path, const char *interface, const char *signal,
	GVariant *arguments, void *arg)
{
	const char *ended = NULL, *result = NULL;
	struct job *job = arg;

	if (!g_variant_is_of_type(arguments, G_VARIANT_TYPE("(uoss)")))
		return;
	g_variant_get(arguments, "(u&os&s)", NULL, &ended, NULL, &result);
	if (job->path && strcmp(ended, job->path) == 0)
		end_job(job, result);
}

static void connection_closed(GDBusConnection *connection, gboolean vanished, GError *error, void *job)
{
	end_job(job, "the connection to systemd was lost");
}

static gboolean time_is_over(void *job)
{
	end_job(job, "timeout");
	return G_SOURCE_CONTINUE;
}

/* A call that starts a job; waits for its end. 0, or 1 with `error` set or a line said. */
static int do_job(const char *method, GVariant *arguments, const char *unit, const char *what, GError **error)
{
	struct job job = {.loop = g_main_loop_new(NULL, FALSE)};
	guint removed = g_dbus_connection_signal_subscribe(bus, peer, MANAGER, "JobRemoved", PATH, NULL, G_DBUS_SIGNAL_FLAGS_NONE,
		job_removed, &job, NULL);
	gulong closed = g_signal_connect(bus, "closed", G_CALLBACK(connection_closed), &job);
	guint timer = g_timeout_add_seconds(JOB_SECONDS, time_is_over, &job);
	int failed = 1;

	ask_in_vain("Subscribe", NULL); /* a second time is an error, and no harm */
	GVariant *answer = ask(method, arguments, "(o)", error);
	if (answer) {
		g_variant_get(answer, "(&o)", &job.path);
		g_main_loop_run(job.loop); /* signals that came before the answer are looked at here, too */
		failed = strcmp(job.result, "done") == 0 ? 0 : complain(unit, what, job.result);
		g_variant_unref(answer);
	}
	g_source_remove(timer);
	g_signal_handler_disconnect(bus, closed);
	g_dbus_connection_signal_unsubscribe(bus, removed);
	g_main_loop_unref(job.loop);
	g_free(job.result);
	return failed;
}

/* ---- units ---- */

static void reset_failed(const char *unit)
{
	ask_in_vain("ResetFailedUnit", g_variant_new("(s)", unit)); /* usually it has not failed */
}

static int start(const char *unit, GVariant *properties, GError **error)
{
	return do_job("StartTransientUnit", g_variant_new("(ss@a(sv)a(sa(sv)))", unit, "replace", properties, NULL), unit,
		"unable to start unit", error);
}

int bus_start(const char *unit, GVariant *properties)
{
	g_autoptr(GVariant) kept = g_variant_ref_sink(properties);
	GError *error = NULL;
	int failed = start(unit, kept, &error);

	if (failed && is_named(error, UNIT_EXISTS)) { /* a failed one of that name is in the way */
		g_clear_error(&error);
		reset_failed(unit);
		failed = start(unit, kept, &error);
	}
	if (error)
		complain_of(unit, "unable to start unit", error);
	if (failed)
		reset_failed(unit);
	return failed;
}

int bus_set(const char *unit, GVariant *properties)
{
	GError *error = NULL;
	GVariant *answer = ask("SetUnitProperties", g_variant_new("(sb@a(sv))", unit, TRUE, properties), NULL, &error);

	if (!answer)
		return complain_of(unit, "unable to set properties of unit", error);
	g_variant_unref(answer);
	return 0;
}

int bus_stop(const char *unit)
{
	GError *error = NULL;
	int failed = do_job("StopUnit", g_variant_new("(ss)", unit, "replace"), unit, "unable to stop unit", &error);

	if (is_named(error, NO_SUCH_UNIT)) {
		failed = 0;
		g_error_free(error);
	} else if (error) {
		complain_of(unit, "unable to stop unit", error);
	}
	reset_failed(unit);
	return failed;
}

char *bus_control_group(const char *unit)
{
	static const char what[] = "control group of unit";
	GError *error = NULL;
	GVariant *found = ask("GetUnit", g_variant_new("(s)", unit), "(o)", &error), *answer, *value;
	char *path, *group = NULL;

	if (!found)
		return complain_of(unit, what, error), NULL;
	g_variant_get(found, "(o)", &path);
	answer = g_dbus_connection_call_sync(bus, peer, path, "org.freedesktop.DBus.Properties", "Get",
		g_variant_new("(ss)", NAME ".Scope", "ControlGroup"), G_VARIANT_TYPE("(v)"), G_DBUS_CALL_FLAGS_NONE, CALL_MS, NULL, &error);
	g_variant_unref(found);
	g_free(path);
	if (!answer)
		return complain_of(unit, what, error), NULL;
	g_variant_get(answer, "(v)", &value);
	if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
		group = g_variant_dup_string(value, NULL);
	else
		complain(unit, what, "not told");
	g_variant_unref(value);
	g_variant_unref(answer);
	return group;
}
