/* Calls to systemd's manager: see bus.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/systemd/bus.h"
#include "cli/systemd/property.h"

#define NAME "org.freedesktop.systemd1"
#define PATH "/org/freedesktop/systemd1"
#define MANAGER NAME ".Manager"
#define UNIT_EXISTS NAME ".UnitExists"
#define NO_SUCH_UNIT NAME ".NoSuchUnit"
#define PRIVATE_SOCKET "unix:path=/run/systemd/private"
#define CALL_MS 25000
#define JOB_SECONDS 30 /* as runc waits */

static DBusConnection *bus;
static bool direct; /* no bus daemon between us and the manager */

static int complain(const char *unit, const char *what, const char *why)
{
	fprintf(stderr, "%s %s: %s\n", what, unit, why);
	return 1;
}

static DBusConnection *open_private(DBusError *error)
{
	DBusError other = DBUS_ERROR_INIT;
	DBusConnection *connection = dbus_connection_open_private(PRIVATE_SOCKET, &other);

	direct = connection != NULL;
	if (direct)
		dbus_error_free(error); /* of the bus, which is not needed then */
	dbus_error_free(&other);
	return connection;
}

static DBusMessage *manager_call(const char *method)
{
	return dbus_message_new_method_call(direct ? NULL : NAME, PATH, MANAGER, method);
}

/* The answer, or NULL with the error set. Takes the message over. */
static DBusMessage *ask(DBusMessage *call, DBusError *error)
{
	DBusMessage *reply = call ? dbus_connection_send_with_reply_and_block(bus, call, CALL_MS, error) : NULL;

	if (call)
		dbus_message_unref(call);
	else
		dbus_set_error(error, DBUS_ERROR_NO_MEMORY, "out of memory");
	return reply;
}

int bus_open(void)
{
	DBusError error = DBUS_ERROR_INIT;
	DBusMessage *reply;

	bus = dbus_bus_get_private(DBUS_BUS_SYSTEM, &error);
	if (!bus)
		bus = open_private(&error);
	if (!bus)
		return complain("manager", "connecting to systemd's", error.message);
	dbus_connection_set_exit_on_disconnect(bus, FALSE);
	if (!direct)
		dbus_bus_add_match(bus, "type='signal',interface='" MANAGER "',member='JobRemoved'", &error);
	if (dbus_error_is_set(&error))
		return complain("JobRemoved", "waiting for systemd's", error.message);
	reply = ask(manager_call("Subscribe"), &error); /* a second time is an error, and no harm */
	if (reply)
		dbus_message_unref(reply);
	dbus_error_free(&error);
	return 0;
}

/* Is it the end of that job, and with which result. */
static bool job_ended(DBusMessage *message, const char *job, char *result, size_t size)
{
	const char *path, *unit, *text;
	dbus_uint32_t id;

	if (!dbus_message_is_signal(message, MANAGER, "JobRemoved") ||
	    !dbus_message_get_args(message, NULL, DBUS_TYPE_UINT32, &id, DBUS_TYPE_OBJECT_PATH, &path, DBUS_TYPE_STRING, &unit,
		    DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID) || strcmp(path, job) != 0)
		return false;
	snprintf(result, size, "%s", text);
	return true;
}

/* Until the job has ended, with `result`: "done" if all is well. */
static void wait_job(const char *job, char *result, size_t size)
{
	time_t until = time(NULL) + JOB_SECONDS;
	DBusMessage *message;

	snprintf(result, size, "timeout");
	while (time(NULL) <= until) {
		while ((message = dbus_connection_pop_message(bus))) {
			bool ended = job_ended(message, job, result, size);
			dbus_message_unref(message);
			if (ended)
				return;
		}
		if (!dbus_connection_read_write(bus, 1000)) {
			snprintf(result, size, "the connection to systemd was lost");
			return;
		}
	}
}

/* Sends a call that starts a job and waits for it. Takes `call` over. 0, or 1 with `error` set or a line said. */
static int do_job(DBusMessage *call, const char *unit, const char *what, DBusError *error)
{
	DBusMessage *reply = ask(call, error);
	char result[128];
	const char *job;
	int failed = 0;

	if (!reply)
		return 1;
	if (dbus_message_get_args(reply, error, DBUS_TYPE_OBJECT_PATH, &job, DBUS_TYPE_INVALID)) {
		wait_job(job, result, sizeof(result));
		failed = strcmp(result, "done") == 0 ? 0 : complain(unit, what, result);
	}
	dbus_message_unref(reply);
	return failed || dbus_error_is_set(error);
}

static void reset_failed(const char *unit)
{
	DBusError error = DBUS_ERROR_INIT;
	DBusMessage *call = manager_call("ResetFailedUnit"), *reply;

	if (call)
		dbus_message_append_args(call, DBUS_TYPE_STRING, &unit, DBUS_TYPE_INVALID);
	reply = ask(call, &error);
	if (reply)
		dbus_message_unref(reply);
	dbus_error_free(&error); /* usually it has not failed */
}

static DBusMessage *start_call(const char *unit, char **properties)
{
	DBusMessage *call = manager_call("StartTransientUnit");
	const char *mode = "replace";
	DBusMessageIter args, others;

	if (!call)
		return NULL;
	dbus_message_iter_init_append(call, &args);
	if (dbus_message_iter_append_basic(&args, DBUS_TYPE_STRING, &unit) &&
	    dbus_message_iter_append_basic(&args, DBUS_TYPE_STRING, &mode) && properties_append(&args, properties) &&
	    dbus_message_iter_open_container(&args, DBUS_TYPE_ARRAY, "(sa(sv))", &others) &&
	    dbus_message_iter_close_container(&args, &others))
		return call;
	dbus_message_unref(call);
	return NULL;
}

int bus_start(const char *unit, char **properties)
{
	DBusError error = DBUS_ERROR_INIT;
	int failed = do_job(start_call(unit, properties), unit, "unable to start unit", &error);

	if (failed && dbus_error_has_name(&error, UNIT_EXISTS)) { /* a failed one of that name is in the way */
		reset_failed(unit);
		dbus_error_free(&error);
		failed = do_job(start_call(unit, properties), unit, "unable to start unit", &error);
	}
	if (dbus_error_is_set(&error))
		complain(unit, "unable to start unit", error.message);
	if (failed)
		reset_failed(unit);
	dbus_error_free(&error);
	return failed;
}

int bus_set(const char *unit, char **properties)
{
	DBusError error = DBUS_ERROR_INIT;
	DBusMessage *call = manager_call("SetUnitProperties"), *reply;
	dbus_bool_t runtime = TRUE;
	DBusMessageIter args;

	if (!call)
		return complain(unit, "unable to set properties of unit", "out of memory");
	dbus_message_iter_init_append(call, &args);
	if (!dbus_message_iter_append_basic(&args, DBUS_TYPE_STRING, &unit) ||
	    !dbus_message_iter_append_basic(&args, DBUS_TYPE_BOOLEAN, &runtime) || !properties_append(&args, properties))
		return complain(unit, "unable to set properties of unit", "out of memory");
	reply = ask(call, &error);
	if (!reply) {
		complain(unit, "unable to set properties of unit", error.message);
		dbus_error_free(&error);
		return 1;
	}
	dbus_message_unref(reply);
	return 0;
}

int bus_stop(const char *unit)
{
	DBusError error = DBUS_ERROR_INIT;
	DBusMessage *call = manager_call("StopUnit");
	const char *mode = "replace";
	int failed;

	if (call)
		dbus_message_append_args(call, DBUS_TYPE_STRING, &unit, DBUS_TYPE_STRING, &mode, DBUS_TYPE_INVALID);
	failed = do_job(call, unit, "unable to stop unit", &error);
	if (dbus_error_has_name(&error, NO_SUCH_UNIT))
		failed = 0;
	else if (dbus_error_is_set(&error))
		complain(unit, "unable to stop unit", error.message);
	reset_failed(unit);
	dbus_error_free(&error);
	return failed;
}

/* The object that stands for a unit; freed by the caller. */
static char *unit_path(const char *unit, DBusError *error)
{
	DBusMessage *call = manager_call("GetUnit"), *reply;
	const char *path;
	char *copy = NULL;

	if (call)
		dbus_message_append_args(call, DBUS_TYPE_STRING, &unit, DBUS_TYPE_INVALID);
	reply = ask(call, error);
	if (!reply)
		return NULL;
	if (dbus_message_get_args(reply, error, DBUS_TYPE_OBJECT_PATH, &path, DBUS_TYPE_INVALID))
		copy = strdup(path);
	dbus_message_unref(reply);
	return copy;
}

/* A string in a variant. */
static char *variant_text(DBusMessage *reply)
{
	DBusMessageIter args, value;
	const char *text;

	if (!dbus_message_iter_init(reply, &args) || dbus_message_iter_get_arg_type(&args) != DBUS_TYPE_VARIANT)
		return NULL;
	dbus_message_iter_recurse(&args, &value);
	if (dbus_message_iter_get_arg_type(&value) != DBUS_TYPE_STRING)
		return NULL;
	dbus_message_iter_get_basic(&value, &text);
	return strdup(text);
}

char *bus_control_group(const char *unit)
{
	static const char *const interface = NAME ".Scope", *const property = "ControlGroup";
	DBusError error = DBUS_ERROR_INIT;
	char *path = unit_path(unit, &error), *group = NULL;
	DBusMessage *call = NULL, *reply = NULL;

	if (path)
		call = dbus_message_new_method_call(direct ? NULL : NAME, path, "org.freedesktop.DBus.Properties", "Get");
	if (call) {
		dbus_message_append_args(call, DBUS_TYPE_STRING, &interface, DBUS_TYPE_STRING, &property, DBUS_TYPE_INVALID);
		reply = ask(call, &error);
	}
	if (reply) {
		group = variant_text(reply);
		dbus_message_unref(reply);
	}
	if (!group)
		complain(unit, "control group of unit", dbus_error_is_set(&error) ? error.message : "not told");
	dbus_error_free(&error);
	free(path);
	return group;
}
