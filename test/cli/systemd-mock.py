#!/usr/bin/python3
"""systemd's manager as far as a container runtime sees it: a mock on the system bus of DBUS_SYSTEM_BUS_ADDRESS.

    systemd-mock.py LOG HIERARCHY...

StartTransientUnit makes the unit's group in each control group hierarchy given and moves the PIDs there, as systemd
does; each call is a line of LOG: its name, the unit, and what it was given, sorted; after it a line with the types of these. Jobs end by JobRemoved a moment
after their call was answered. A unit named fail-… ends "failed"; with GROUPLESS set, no group is made. The groups are below GROUP, if that is set, as those of a user's manager are.
"""
import os
import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

MANAGER = "org.freedesktop.systemd1.Manager"
log = open(sys.argv[1], "a", buffering=1)
hierarchies = sys.argv[2:]


def plain(value):
    if isinstance(value, (dbus.Array, list)):
        if value and isinstance(value[0], dbus.Byte):
            return bytes(value).hex()
        return [plain(v) for v in value]
    if isinstance(value, (dbus.Struct, tuple)):
        return tuple(plain(v) for v in value)
    if isinstance(value, dbus.Boolean):
        return bool(value)
    if isinstance(value, dbus.Double):
        return float(value)
    return str(value) if isinstance(value, str) else int(value)


def expand(slice_):
    name = slice_[: -len(".slice")]
    parts = name.split("-")
    return "".join("/" + "-".join(parts[: i + 1]) + ".slice" for i in range(len(parts)))


class Unit(dbus.service.Object):
    def __init__(self, bus, path, group):
        super().__init__(bus, path)
        self.group = group

    @dbus.service.method("org.freedesktop.DBus.Properties", "ss", "v")
    def Get(self, interface, name):
        if (interface, name) != ("org.freedesktop.systemd1.Scope", "ControlGroup"):
            raise dbus.DBusException("no such property", name="org.freedesktop.DBus.Error.UnknownProperty")
        return self.group


class Manager(dbus.service.Object):
    def __init__(self, bus):
        super().__init__(bus, "/org/freedesktop/systemd1")
        self.bus, self.units, self.jobs = bus, {}, 0

    def say(self, call, unit, properties=()):
        words = sorted(f"{name}={plain(value)}" for name, value in properties)
        log.write(" ".join([call, str(unit)] + words) + "\n")

    def say_types(self, unit, properties):
        words = sorted(f"{name}:{type(value).__name__}{getattr(value, 'signature', None) or ''}" for name, value in properties)
        log.write(" ".join(["Types", str(unit)] + words) + "\n")

    def job(self, unit, result="done"):
        self.jobs += 1
        path = f"/org/freedesktop/systemd1/job/{self.jobs}"
        GLib.timeout_add(20, lambda number=self.jobs: self.JobRemoved(number, path, unit, result))
        return dbus.ObjectPath(path)

    @dbus.service.signal(MANAGER, "uoss")
    def JobRemoved(self, number, job, unit, result):
        pass

    @dbus.service.method(MANAGER)
    def Subscribe(self):
        pass

    @dbus.service.method(MANAGER, "ssa(sv)a(sa(sv))", "o")
    def StartTransientUnit(self, unit, mode, properties, others):
        self.say("StartTransientUnit", unit, properties)
        self.say_types(unit, properties)
        if unit in self.units:
            raise dbus.DBusException(f"Unit {unit} already exists.", name="org.freedesktop.systemd1.UnitExists")
        if unit.startswith("fail-"):
            return self.job(unit, "failed")
        given = {str(name): value for name, value in properties}
        group = f"{os.environ.get('GROUP', '')}{expand(given['Slice'])}/{unit}"
        for hierarchy in hierarchies:
            os.makedirs(hierarchy + group, exist_ok=True)
            for pid in given["PIDs"]:
                with open(f"{hierarchy}{group}/cgroup.procs", "w") as procs:
                    procs.write(str(int(pid)))
        path = f"/org/freedesktop/systemd1/unit/u{len(self.units)}_{self.jobs}"
        self.units[unit] = (Unit(self.bus, path, group), path, group)
        return self.job(unit)

    @dbus.service.method(MANAGER, "sba(sv)")
    def SetUnitProperties(self, unit, runtime, properties):
        self.say("SetUnitProperties", unit, properties)

    @dbus.service.method(MANAGER, "s", "o")
    def GetUnit(self, unit):
        if unit not in self.units:
            raise dbus.DBusException(f"Unit {unit} not loaded.", name="org.freedesktop.systemd1.NoSuchUnit")
        return dbus.ObjectPath(self.units[unit][1])

    @dbus.service.method(MANAGER, "ss", "o")
    def StopUnit(self, unit, mode):
        self.say("StopUnit", unit)
        if unit not in self.units:
            raise dbus.DBusException(f"Unit {unit} not loaded.", name="org.freedesktop.systemd1.NoSuchUnit")
        seen, _, group = self.units.pop(unit)
        seen.remove_from_connection()
        for hierarchy in hierarchies:
            for at in (group, os.path.dirname(group)):
                try:
                    os.rmdir(hierarchy + at)
                except OSError:
                    pass
        return self.job(unit)

    @dbus.service.method(MANAGER, "s")
    def ResetFailedUnit(self, unit):
        raise dbus.DBusException(f"Unit {unit} not loaded.", name="org.freedesktop.systemd1.NoSuchUnit")


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
system = dbus.SystemBus()
name = dbus.service.BusName("org.freedesktop.systemd1", system)
manager = Manager(system)
log.write("ready\n")
GLib.MainLoop().run()
